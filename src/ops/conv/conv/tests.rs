//! Sizes in every convention by hand, and the reference against literals.

use ndarray::{ArrayD, IxDyn};

use super::*;
use super::{Conv1d, Conv2d};
use crate::geometry::MAX_STEP;

fn layer(input: usize, kernel: usize, stride: usize, dilation: usize) -> Conv1d {
    Conv { input_size: [input], kernel_size: [kernel], stride: [stride], dilation: [dilation], ..Default::default() }
}

#[test]
fn sizes_of_every_padding() {
    for (conv, padding, size, pads) in [
        (layer(7, 3, 1, 1), Padding::default(), 5, [0, 0]),
        (layer(7, 3, 2, 2), Padding::from([2]), 4, [2, 2]),
        (layer(7, 3, 2, 1), Padding::Explicit([[1, 2]]), 4, [1, 2]),
        (layer(7, 3, 1, 1), Padding::Explicit([[-1, -2]]), 2, [-1, -2]),
        (layer(7, 3, 2, 1), Padding::Valid, 3, [0, 0]),
        (layer(7, 3, 2, 1), Padding::SameUpper, 4, [1, 1]),
        (layer(8, 3, 2, 1), Padding::SameUpper, 4, [0, 1]),
        (layer(8, 3, 2, 1), Padding::SameLower, 4, [1, 0]),
        (layer(8, 4, 1, 3), Padding::SameUpper, 8, [4, 5]),
        (layer(8, 1, 3, 1), Padding::SameUpper, 3, [0, 0]),
    ] {
        let conv = Conv { padding, ..conv };
        assert_eq!((conv.output().unwrap().shape[2], conv.pads().unwrap()), (size, [pads]), "{padding:?}");
    }
}

#[test]
fn broken_descriptors_are_refused_with_their_numbers() {
    let error = |conv: Conv1d| conv.geometry().unwrap_err();
    assert_eq!(error(Conv { stride: [0], ..layer(5, 3, 1, 1) }), Error::ZeroOnAxis { what: "stride", axis: 0 });
    assert_eq!(error(layer(5, 0, 1, 1)), Error::ZeroOnAxis { what: "kernel_size", axis: 0 });
    assert_eq!(error(layer(5, 3, 1, 3)), Error::KernelTooLarge { axis: 0, span: 7, padded: 5 });
    let cropped = Conv { padding: Padding::Explicit([[-4, -4]]), ..layer(5, 1, 1, 1) };
    assert_eq!(error(cropped), Error::KernelTooLarge { axis: 0, span: 1, padded: -3 });
    let grouped = Conv { groups: 3, in_channels: 4, out_channels: 3, ..layer(5, 3, 1, 1) };
    assert_eq!(error(grouped), Error::Groups { groups: 3, what: "in_channels", channels: 4 });
    for huge in [
        layer(usize::MAX, 3, 1, 1),
        layer(1 << 32, 3, 1, 1),
        Conv { padding: Padding::Explicit([[i64::MAX, i64::MAX]]), ..layer(5, 3, 1, 1) },
        Conv { stride: [usize::MAX], ..layer(5, 3, 1, 1) },
        Conv { batch: usize::MAX, ..layer(5, 3, 1, 1) },
        Conv { padding: Padding::SameUpper, ..layer(5, usize::MAX, 1, 7) },
    ] {
        assert!(matches!(error(huge.clone()), Error::TooLarge { .. }), "{huge:?}");
    }
    assert!(matches!(Conv2d::from_shapes(&[1, 4, 5, 5], &[2, 3, 3, 3], 1), Err(Error::Shape { .. })));
    assert!(Conv2d::from_shapes(&[1, 6, 5, 5], &[2, 3, 3, 3], 2).is_ok());
}

#[test]
fn a_small_case_by_hand() {
    let conv = Conv { bias: true, padding: Padding::Explicit([[1, 0]]), ..layer(4, 2, 2, 2) };
    let x = ArrayD::from_shape_vec(IxDyn(&[1, 1, 4]), vec![1.0, 2.0, 3.0, 4.0]).unwrap();
    let w = ArrayD::from_shape_vec(IxDyn(&[1, 1, 2]), vec![10.0, 100.0]).unwrap();
    let bias = ArrayD::from_elem(IxDyn(&[1]), 0.5);
    // The windows begin at -1 and 1: 0*10 + 2*100, 2*10 + 4*100.
    let reference = conv.reference(&[x.view(), w.view(), bias.view()]).unwrap();
    assert_eq!(reference.values.iter().copied().collect::<Vec<_>>(), [200.5, 420.5]);
    assert_eq!(reference.roundings, 2 + 2 + 1);
}

#[test]
fn costs_count_taps_that_meet_samples() {
    let conv = Conv2d { in_channels: 256, out_channels: 64, input_size: [56, 56], ..Default::default() };
    let cost = conv.cost().unwrap();
    assert_eq!(cost.flops, 2 * 256 * 64 * 56 * 56);
    assert_eq!(cost.bytes, 4 * (256 * 56 * 56 + 256 * 64 + 64 * 56 * 56));
}

/// Without input channels nothing is multiplied: outputs are the activation of the bias, or of 0.
#[test]
fn zero_channels_and_zero_samples() {
    let fine = Conv1d { batch: 2, out_channels: 2, bias: true, ..layer(4, 3, 1, 1) };
    let tensor = |shape: &[usize]| ArrayD::from_shape_fn(IxDyn(shape), |at| at[0] as f32 - 2.0);
    let run = |conv: &Conv1d| {
        let tensors: Vec<_> = conv.inputs().unwrap().iter().map(|input| tensor(&input.shape)).collect();
        let values = conv.reference(&tensors.iter().map(|tensor| tensor.view()).collect::<Vec<_>>()).unwrap().values;
        assert_eq!(values.shape(), conv.output().unwrap().shape);
        values.iter().copied().collect::<Vec<_>>()
    };
    let no_inputs = Conv { in_channels: 0, ..fine.clone() };
    assert_eq!(run(&no_inputs), [-2.0, -2.0, -1.0, -1.0, -2.0, -2.0, -1.0, -1.0]);
    assert_eq!(run(&Conv { activation: Activation::Relu, ..no_inputs.clone() }), [0.0; 8]);
    assert_eq!(run(&Conv { in_channels: 0, groups: 2, bias: false, ..fine.clone() }), [0.0; 8]);
    assert_eq!(run(&Conv { out_channels: 0, ..fine.clone() }), [0.0; 0]);
    // All that is read is padding; such a layer is the gradient of a transposed one without output.
    let no_samples = Conv { input_size: [0], padding: [2].into(), ..fine.clone() };
    assert_eq!(run(&no_samples), [-2.0, -2.0, -1.0, -1.0, -2.0, -2.0, -1.0, -1.0]);
    let unpadded = Conv { input_size: [0], ..fine };
    assert_eq!(unpadded.output(), Err(Error::KernelTooLarge { axis: 0, span: 3, padded: 0 }));
    for layer in [no_inputs, no_samples] {
        let back = layer.grad_input().unwrap();
        assert_eq!(back.geometry(), layer.geometry());
        let [w, b] = [layer.grad_weight().unwrap().output(), layer.grad_bias().unwrap().output()];
        let inputs = layer.inputs().unwrap();
        let shapes = [back.output(), w, b].map(|of| of.unwrap().shape);
        assert_eq!(shapes, [0, 1, 2].map(|number| inputs[number].shape.clone()));
    }
}

/// A stride is taken from one output to the next, and a dilation from one tap to the next: of one, any is legal.
#[test]
fn steps_that_are_never_taken_have_no_limit() {
    let one = layer(70_000, 70_000, 70_000, 1);
    assert_eq!(one.output().unwrap().shape, [1, 1, 1]);
    assert!(one.problem().contains("s70000"), "{}", one.problem());
    assert_eq!(one.grad_input().unwrap().geometry(), one.geometry());
    let samples = ArrayD::from_shape_fn(IxDyn(&[1, 1, 70_000]), |at| (at[2] % 3) as f32);
    let ones = ArrayD::ones(IxDyn(&[1, 1, 70_000]));
    let sum = one.reference(&[samples.view(), ones.view()]).unwrap().values;
    assert_eq!(sum.iter().copied().collect::<Vec<_>>(), [69_999.0]);
    let pointwise = layer(2, 1, 1, 70_000);
    assert_eq!(pointwise.output().unwrap().shape, [1, 1, 2]);
    let limit = MAX_STEP as u128;
    let refused = |what| Err(Error::TooLarge { what, value: 70_000, limit });
    assert_eq!(layer(70_003, 3, 70_000, 1).output(), refused("stride"));
    assert_eq!(layer(70_001, 2, 1, 70_000).output(), refused("dilation"));
    let endless = layer(5, 3, usize::MAX, 1).output();
    assert!(matches!(endless, Err(Error::TooLarge { what: "stride", .. })), "{endless:?}");
}
