//! Sizes in every convention by hand, and the reference against literals.

use ndarray::Axis as NdAxis;
use ndarray::{Array1, Array4, ArrayD, ArrayView, IxDyn};

use super::*;
use super::{ConvTranspose1d, ConvTranspose2d};
use crate::ops::conv::conv::Conv2d;

#[expect(unreachable_pub, reason = "the GPU tests share the file")]
#[path = "../../../../tests/seeds/mod.rs"]
mod seeds;

fn size(up: Result<ConvTranspose1d>) -> (usize, i64) {
    let axis = up.unwrap().geometry().unwrap().axes[0];
    (axis.wide, axis.pad)
}

fn layer(input: usize, kernel: usize, stride: usize, dilation: usize) -> ConvTranspose1d {
    ConvTranspose {
        input_size: [input],
        kernel_size: [kernel],
        stride: [stride],
        dilation: [dilation],
        ..Default::default()
    }
}

#[test]
fn pytorch_sizes() {
    for (input, kernel, stride, padding, output_padding, dilation, expected) in [
        (5, 3, 2, 1, 0, 1, 9),
        (5, 3, 2, 1, 1, 1, 10),
        (5, 1, 4, 0, 3, 1, 20),
        (6, 3, 2, 0, 3, 4, 22),
        (1, 4, 1, 0, 0, 1, 4),
        (34, 16, 8, 0, 0, 1, 280),
    ] {
        let up = ConvTranspose::pytorch(layer(input, kernel, stride, dilation), [padding], [output_padding]);
        assert_eq!(size(up), (expected, padding as i64));
    }
}

#[test]
fn output_size_is_what_some_output_padding_gives() {
    let up = |wanted| ConvTranspose { output_size: Some([wanted]), ..layer(5, 3, 2, 1) };
    assert_eq!(up(11).output().unwrap().shape, [1, 1, 11]);
    assert_eq!(up(12).output().unwrap().shape, [1, 1, 12]);
    let refused = Error::OutputSize { axis: 0, wanted: 13, min: 11, max: 12, convention: "output padding" };
    assert_eq!(up(13).output(), Err(refused));
}

#[test]
fn onnx_auto_pad_and_output_shape() {
    let base = || layer(3, 3, 2, 1);
    // (auto_pad, output_shape) -> (size, pad before); T = 7 - size.
    for (auto_pad, shape, expected) in [
        (Padding::Explicit([[1, 0]]), None, (6, 1)),
        (Padding::Valid, None, (7, 0)),
        (Padding::SameUpper, None, (6, 0)),
        (Padding::SameLower, None, (6, 1)),
        (Padding::default(), Some([4]), (4, 2)),
        (Padding::SameUpper, Some([4]), (4, 1)),
        (Padding::SameLower, Some([4]), (4, 2)),
        // A negative T adds rows.
        (Padding::SameUpper, Some([10]), (10, -2)),
        (Padding::SameLower, Some([10]), (10, -1)),
    ] {
        assert_eq!(size(ConvTranspose::onnx(base(), auto_pad, shape)), expected, "{auto_pad:?} {shape:?}");
    }
    let padded = ConvTranspose { output_padding: [1], ..base() };
    assert_eq!(size(ConvTranspose::onnx(padded.clone(), Padding::Valid, None)), (8, 0));
    assert_eq!(size(ConvTranspose::onnx(padded, Padding::SameUpper, Some([5]))), (5, 1));
}

#[test]
fn the_field_takes_the_rules_of_onnx() {
    for padding in [Padding::SameUpper, Padding::SameLower, Padding::Valid, Padding::Explicit([[2, -1]])] {
        let field = ConvTranspose { padding, ..layer(3, 3, 2, 1) };
        assert_eq!(ConvTranspose::onnx(layer(3, 3, 2, 1), padding, None), Ok(field.clone()));
        assert_eq!(padding != Padding::Valid, field.pads().unwrap() != [[0; 2]]);
    }
    let same = |wanted| ConvTranspose { padding: Padding::SAME, output_size: Some([wanted]), ..layer(3, 3, 2, 1) };
    assert_eq!(size(Ok(same(5))), (5, 1));
    assert_eq!(same(8).pads(), Ok([[-1, 0]]));
    assert_eq!(same(0).output().unwrap().shape, [1, 1, 0]);
    let padded = ConvTranspose { output_padding: [2], ..same(5) };
    assert_eq!(padded.output(), Err(Error::OutputPadding { axis: 0, output_padding: 2, limit: 2 }));
    let huge = ConvTranspose { output_size: Some([usize::MAX]), ..same(5) };
    assert!(matches!(huge.output(), Err(Error::TooLarge { .. })), "{:?}", huge.output());
}

#[test]
fn words_of_padding_are_read() {
    assert_eq!("SAME_LOWER".parse(), Ok(Padding::<2>::SameLower));
    assert_eq!("SAME".parse(), Ok(Padding::<2>::SameUpper));
    let error = "NOTSET".parse::<Padding<1>>().unwrap_err().to_string();
    assert_eq!(error, "auto_pad \"NOTSET\" is unknown: VALID, SAME_UPPER, SAME_LOWER, SAME are known");
}

#[test]
fn tensorflow_takes_explicit_padding() {
    // TensorFlow accepts the outputs whose convolution with these pads has 4 samples: (output + 1 + 0 - 3) / 2 + 1.
    let explicit = |size| ConvTranspose::tensorflow(layer(4, 3, 2, 1), [[1, 0]].into(), [size]);
    assert_eq!((size(explicit(8)), size(explicit(9))), ((8, 1), (9, 1)));
    let refused =
        |wanted| Error::OutputSize { axis: 0, wanted, min: 8, max: 9, convention: "TensorFlow's explicit padding" };
    assert_eq!((explicit(7), explicit(10)), (Err(refused(7)), Err(refused(10))));
    // The padding after the axis does not fit an i64, in either direction.
    for (pads, wanted) in [([i64::MAX, i64::MIN], 11), ([i64::MIN, i64::MIN + 10], usize::MAX)] {
        let extreme = ConvTranspose::tensorflow(layer(4, 3, 2, 1), [pads].into(), [wanted]);
        assert!(matches!(extreme, Err(Error::TooLarge { .. })), "{pads:?} {extreme:?}");
    }
    assert_eq!(size(ConvTranspose::keras(layer(4, 3, 2, 1), [[1, 0]].into(), None)), (8, 1));
    assert_eq!(size(ConvTranspose::keras(layer(4, 3, 2, 1), Padding::SameLower, None)), (8, 1));
}

#[test]
fn tensorflow_allows_its_sizes_and_no_others() {
    let base = || layer(4, 3, 2, 1);
    let same = |size| ConvTranspose::tensorflow(base(), Padding::SAME, [size]);
    let valid = |size| ConvTranspose::tensorflow(base(), Padding::Valid, [size]);
    assert_eq!(size(same(7)), (7, 1));
    assert_eq!(size(same(8)), (8, 0));
    assert_eq!(size(valid(9)), (9, 0));
    assert_eq!(size(valid(10)), (10, 0));
    for (refused, wanted, min, max) in
        [(same(6), 6, 7, 8), (same(9), 9, 7, 8), (valid(8), 8, 9, 10), (valid(11), 11, 9, 10)]
    {
        let Err(Error::OutputSize { wanted: w, min: lo, max: hi, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!((w, lo, hi), (wanted, min, max));
    }
    // A stride larger than the kernel: SAME cuts nothing and adds the rest.
    let gap = ConvTranspose::tensorflow(layer(3, 1, 4, 1), Padding::SAME, [12]);
    assert_eq!(size(gap), (12, 0));
}

#[test]
fn keras_derives_its_size() {
    const SAME: Padding<1> = Padding::SAME;
    use Padding::Valid;
    for (kernel, padding, output_padding, expected) in [
        (3, SAME, None, 8),
        (3, Valid, None, 9),
        (1, Valid, None, 8),
        (3, SAME, Some([0]), 7),
        (3, SAME, Some([1]), 8),
        (4, SAME, Some([1]), 7),
        (3, Valid, Some([1]), 10),
    ] {
        let up = ConvTranspose::keras(layer(4, kernel, 2, 1), padding, output_padding);
        assert_eq!(size(up).0, expected, "{kernel} {padding:?} {output_padding:?}");
    }
    // Keras derives 6 samples; an input of 4 at stride 2 has a SAME output of 7 or 8.
    assert!(matches!(ConvTranspose::keras(layer(4, 4, 2, 1), SAME, Some([0])), Err(Error::OutputSize { .. })));
    let cropped = |after| ConvTranspose::keras(layer(4, 3, 2, 1), [[5, after]].into(), None);
    assert_eq!(size(cropped(4)).0, 0);
    assert_eq!(cropped(5), Err(Error::EmptyOutput { axis: 0, size: -1 }));
}

#[test]
fn caffe_bilinear_scales_by_its_factor_and_interpolates_inside() {
    for factor in 1..=6 {
        let up = ConvTranspose2d::caffe_bilinear(
            ConvTranspose2d { batch: 1, in_channels: 2, input_size: [5, 6], ..Default::default() },
            factor,
        )
        .unwrap();
        assert_eq!(up.output().unwrap().shape, [1, 2, 5 * factor, 6 * factor]);
        // A ramp stays a ramp away from the border: half-pixel centres.
        let ramp = Array4::from_shape_fn((1, 2, 5, 6), |(_, c, y, x)| (c * 10 + 3 * y + x) as f32);
        let weight = up.bilinear_filler().unwrap();
        let result = up.reference(&[ramp.view().into_dyn(), weight.view()]).unwrap().values;
        let source = |q: usize| (q as f64 + 0.5) / factor as f64 - 0.5;
        for q in factor..4 * factor {
            let expected = 10.0 + 3.0 * source(q) + source(q);
            assert!((result[[0, 1, q, q]] - expected).abs() < 1e-5, "factor {factor}, {q}");
        }
    }
    assert!(
        ConvTranspose2d::caffe_bilinear(
            ConvTranspose2d { batch: 1, in_channels: 1, input_size: [2, 2], ..Default::default() },
            0
        )
        .is_err()
    );
    assert!(matches!(
        ConvTranspose2d::caffe_bilinear(
            ConvTranspose2d { batch: 1, in_channels: 1, input_size: [2, 2], ..Default::default() },
            1_000_000_000
        ),
        Err(Error::TooLarge { .. })
    ));
    let huge = || ConvTranspose2d { input_size: [usize::MAX; 2], stride: [usize::MAX; 2], ..Default::default() };
    for refused in [
        ConvTranspose::onnx(huge(), Padding::SameUpper, None),
        ConvTranspose::tensorflow(huge(), Padding::SAME, [1, 1]),
        ConvTranspose::keras(huge(), Padding::Valid, None),
        ConvTranspose::pytorch(huge(), [usize::MAX; 2], [usize::MAX; 2]),
    ] {
        assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
    }
}

#[test]
fn broken_descriptors_are_refused_with_their_numbers() {
    let fine = || layer(5, 3, 2, 1);
    let error = |up: ConvTranspose1d| up.geometry().unwrap_err();
    assert_eq!(error(ConvTranspose { stride: [0], ..fine() }), Error::ZeroOnAxis { what: "stride", axis: 0 });
    assert_eq!(error(ConvTranspose { kernel_size: [0], ..fine() }), Error::ZeroOnAxis { what: "kernel_size", axis: 0 });
    assert_eq!(error(ConvTranspose { dilation: [0], ..fine() }), Error::ZeroOnAxis { what: "dilation", axis: 0 });
    assert_eq!(error(ConvTranspose { input_size: [0], ..fine() }), Error::ZeroOnAxis { what: "input_size", axis: 0 });
    assert_eq!(error(ConvTranspose { groups: 0, ..fine() }), Error::ZeroCount { what: "groups" });
    let ungrouped = ConvTranspose { groups: 2, in_channels: 4, out_channels: 3, ..fine() };
    assert_eq!(error(ungrouped), Error::Groups { groups: 2, what: "out_channels", channels: 3 });
    assert_eq!(error(ConvTranspose { padding: [[6, 6]].into(), ..fine() }), Error::EmptyOutput { axis: 0, size: -1 });
    let padded = ConvTranspose { output_padding: [2], ..fine() };
    assert_eq!(error(padded), Error::OutputPadding { axis: 0, output_padding: 2, limit: 2 });
    for huge in [
        ConvTranspose { input_size: [1 << 31], stride: [4], ..fine() },
        ConvTranspose { kernel_size: [usize::MAX], ..fine() },
        ConvTranspose { dilation: [usize::MAX], ..fine() },
        ConvTranspose { stride: [usize::MAX], ..fine() },
        ConvTranspose { stride: [usize::MAX], input_size: [usize::MAX], ..fine() },
        ConvTranspose { batch: usize::MAX, ..fine() },
        ConvTranspose { in_channels: usize::MAX, out_channels: usize::MAX, ..fine() },
        ConvTranspose { padding: [[i64::MIN, i64::MAX]].into(), ..fine() },
    ] {
        assert!(matches!(error(huge.clone()), Error::TooLarge { .. }), "{huge:?}");
    }
}

#[test]
fn tensors_that_do_not_fit_are_refused() {
    let up = ConvTranspose2d { bias: true, in_channels: 2, out_channels: 3, input_size: [2, 2], ..Default::default() };
    let tensor = |shape: &[usize]| ArrayD::<f32>::zeros(IxDyn(shape));
    let (x, w) = (tensor(&[1, 2, 2, 2]), tensor(&[2, 3, 1, 1]));
    let run = |tensors: &[&ArrayD<f32>]| up.reference(&tensors.iter().map(|t| t.view()).collect::<Vec<_>>()).err();
    assert_eq!(run(&[&x, &w, &tensor(&[3])]), None);
    assert_eq!(run(&[&x, &w]), Some(Error::OperandCount { op: "conv_transpose", expected: 3, actual: 2 }));
    let bias = Error::Shape { operand: "bias", expected: vec![3], actual: vec![2] };
    assert_eq!(run(&[&x, &w, &tensor(&[2])]), Some(bias));
    assert!(matches!(ConvTranspose2d::from_shapes(&[1, 2, 3], &[2, 1, 1, 1], 1), Err(Error::Rank { .. })));
    assert!(matches!(ConvTranspose2d::from_shapes(&[1, 3, 4, 4], &[2, 1, 1, 1], 1), Err(Error::Shape { .. })));
}

#[test]
fn the_bias_fills_what_no_tap_meets() {
    let up = ConvTranspose1d { bias: true, input_size: [2], stride: [3], output_padding: [2], ..Default::default() };
    let x = ArrayD::from_shape_vec(IxDyn(&[1, 1, 2]), vec![1.0, 2.0]).unwrap();
    let w = ArrayD::from_elem(IxDyn(&[1, 1, 1]), 10.0);
    let bias = Array1::from_elem(1, 0.5).into_dyn();
    let values = up.reference(&[x.view(), w.view(), bias.view()]).unwrap().values;
    assert_eq!(values.iter().copied().collect::<Vec<_>>(), [10.5, 0.5, 0.5, 20.5, 0.5, 0.5]);
}

#[test]
fn groups_and_batches_keep_apart() {
    let up = ConvTranspose1d { batch: 2, in_channels: 2, out_channels: 4, groups: 2, ..layer(1, 1, 1, 1) };
    let x = ArrayD::from_shape_vec(IxDyn(&[2, 2, 1]), vec![1.0, 10.0, 100.0, 1000.0]).unwrap();
    let w = ArrayD::from_shape_vec(IxDyn(&[2, 2, 1]), vec![1.0, 2.0, 3.0, 4.0]).unwrap();
    let values = up.reference(&[x.view(), w.view()]).unwrap().values;
    let expected = [1.0, 2.0, 30.0, 40.0, 100.0, 200.0, 3000.0, 4000.0];
    assert_eq!(values.iter().copied().collect::<Vec<_>>(), expected);
    assert_eq!(values.index_axis(NdAxis(0), 1).len(), 4);
}

#[test]
fn references_agree_with_the_tutorials() {
    let tensor = |(size, values): ([usize; 2], &'static [f32])| {
        ArrayView::from_shape(IxDyn(&[1, 1, size[0], size[1]]), values).unwrap()
    };
    for case in seeds::CASES {
        let (x, w, y) = (tensor(case.input), tensor(case.weight), tensor(case.output));
        let values = match case.kind {
            seeds::Kind::ConvTranspose(stride, padding) => {
                let (input_size, kernel_size) = (case.input.0, case.weight.0);
                let up = ConvTranspose2d {
                    input_size,
                    kernel_size,
                    stride,
                    padding: [padding; 2].into(),
                    ..Default::default()
                };
                let inserted = up.zero_insertion(x.view(), w.view()).unwrap();
                let slow = inserted.conv.reference(&[inserted.input.view(), inserted.weight.view()]).unwrap();
                let values = up.reference(&[x, w]).unwrap().values;
                assert_eq!(slow.values, values, "{}", case.name);
                values
            }
            seeds::Kind::Conv => {
                let conv = Conv2d { input_size: case.input.0, kernel_size: case.weight.0, ..Default::default() };
                conv.reference(&[x, w]).unwrap().values
            }
            seeds::Kind::Matrix(transposed) => multiply(&w, transposed, &x).into_shape_with_order(y.shape()).unwrap(),
            seeds::Kind::Nearest | seeds::Kind::BilinearFloor => continue,
        };
        for (value, expected) in values.iter().zip(y.iter()) {
            assert!(
                (value - f64::from(*expected)).abs() <= 3e-7 * f64::from(expected.abs().max(1.0)),
                "{} ({})",
                case.name,
                case.source
            );
        }
    }
}

/// The tutorial's matrix is that of a 3x3 kernel on a 4x4 image: recover the kernel, build the matrix, compare,
/// multiply.
fn multiply(matrix: &ArrayView<f32, IxDyn>, transposed: bool, vector: &ArrayView<f32, IxDyn>) -> ArrayD<f64> {
    let kernel = Array4::from_shape_fn((1, 1, 3, 3), |(_, _, r, c)| matrix[[0, 0, 0, 4 * r + c]]);
    let conv = Conv2d { input_size: [4, 4], kernel_size: [3, 3], ..Default::default() };
    let ours = conv.matrix(kernel.view()).unwrap();
    assert!(ours.to_dense().unwrap().iter().eq(matrix.iter()), "the text's matrix");
    let ours = if transposed { ours.transpose() } else { ours };
    let vector: Vec<f64> = vector.iter().map(|value| f64::from(*value)).collect();
    Array1::from(ours.multiply(&vector).unwrap()).into_dyn()
}

/// Without input channels nothing is multiplied: outputs are the bias, or 0.
#[test]
fn zero_channels_and_zero_samples() {
    let fine = ConvTranspose1d { batch: 2, out_channels: 2, bias: true, ..layer(2, 1, 2, 1) };
    let tensor = |shape: &[usize]| ArrayD::from_shape_fn(IxDyn(shape), |at| at[0] as f32 + 1.0);
    let run = |up: &ConvTranspose1d| {
        let tensors: Vec<_> = up.inputs().unwrap().iter().map(|input| tensor(&input.shape)).collect();
        let values = up.reference(&tensors.iter().map(|tensor| tensor.view()).collect::<Vec<_>>()).unwrap().values;
        assert_eq!(values.shape(), up.output().unwrap().shape);
        values.iter().copied().collect::<Vec<_>>()
    };
    let no_inputs = ConvTranspose { in_channels: 0, ..fine.clone() };
    assert_eq!(run(&no_inputs), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0].repeat(2));
    assert_eq!(run(&ConvTranspose { groups: 2, bias: false, ..no_inputs.clone() }), [0.0; 12]);
    let no_filters = ConvTranspose { out_channels: 0, bias: false, in_channels: 3, ..fine.clone() };
    assert_eq!(run(&no_filters), [0.0; 0]);
    assert_eq!(
        no_filters,
        ConvTranspose { stride: [2], ..ConvTranspose::from_shapes(&[2, 3, 2], &[3, 0, 1], 1).unwrap() }
    );
    let no_samples = ConvTranspose { padding: [[2, 1]].into(), ..fine.clone() };
    assert_eq!(run(&no_samples), [0.0; 0]);
    for layer in [no_inputs, ConvTranspose { bias: true, ..no_filters }, no_samples] {
        let back = layer.grad_input().unwrap();
        assert_eq!(back.geometry(), layer.geometry());
        let [w, b] = [layer.grad_weight().unwrap().output(), layer.grad_bias().unwrap().output()];
        let inputs = layer.inputs().unwrap();
        let shapes = [back.output(), w, b].map(|of| of.unwrap().shape);
        assert_eq!(shapes, [0, 1, 2].map(|number| inputs[number].shape.clone()));
    }
}

/// A stride is taken from one sample to the next, so that one sample's has no limit.
#[test]
fn the_stride_of_one_sample_has_no_limit() {
    let one = layer(1, 3, 70_000, 1);
    let padded = ConvTranspose { output_padding: [69_000], ..one.clone() };
    assert_eq!(padded.output().unwrap().shape, [1, 1, 69_003]);
    assert_eq!(padded.grad_input().unwrap().geometry(), padded.geometry());
    let same = ConvTranspose { padding: Padding::SAME, ..one.clone() };
    assert_eq!(same.output().unwrap().shape, [1, 1, 70_000]);
    let kernel = ArrayD::from_shape_fn(IxDyn(&[1, 1, 3]), |at| at[2] as f32 + 1.0);
    let values = one.reference(&[ArrayD::from_elem(IxDyn(&[1, 1, 1]), 2.0).view(), kernel.view()]).unwrap().values;
    assert_eq!(values.iter().copied().collect::<Vec<_>>(), [2.0, 4.0, 6.0]);
    let refused = Error::TooLarge { what: "stride", value: 70_000, limit: 65_535 };
    assert_eq!(layer(2, 3, 70_000, 1).output(), Err(refused));
}
