//! The CPU engine against the reference: layers of random geometry on integers with `==` and on fractions within the
//! bound, and the benchmark's problems within the bound.

#![cfg(feature = "cpu")]

#[path = "../benches/problems/mod.rs"]
mod problems;

use ndarray::{ArrayD, IxDyn};
use problems::{Visit, named};
use proptest::prelude::*;
use upconv::cpu::{self, CpuOp};
use upconv::gpu::GpuOp;
use upconv::{
    Activation, ByteType, Conv, ConvInteger, ConvTranspose, DataType, Error, Op, Padding, Tensor, TensorView,
    ZeroPoint, ndarray,
};

/// Random inputs of an op: small integers, or fractions from -1 to 1.
fn tensors<O: Op>(op: &O, integers: bool) -> Vec<ArrayD<f32>> {
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if integers { (state >> 24) as f32 % 7.0 - 3.0 } else { (state >> 8) as f32 / (1 << 23) as f32 - 1.0 }
    };
    let operands = op.inputs().unwrap();
    operands.iter().map(|operand| ArrayD::from_shape_simple_fn(IxDyn(&operand.shape), &mut next)).collect()
}

fn check<O: CpuOp>(op: &O, integers: bool) -> Result<(), String> {
    let tensors = tensors(op, integers);
    // Views whose axes are in reverse order in memory.
    let reversed: Vec<_> = tensors.iter().map(|tensor| tensor.t().as_standard_layout().into_owned()).collect();
    let views: Vec<_> = reversed.iter().map(|tensor| tensor.t()).collect();
    let output = cpu::run(op, &views).map_err(|error| error.to_string())?;
    let reference = op.reference(&views).map_err(|error| error.to_string())?;
    let outcome = if integers { reference.check_exact(output.view()) } else { reference.check(output.view()) };
    outcome.map(|_| ()).map_err(|error| error.to_string())
}

/// A NaN or an infinity in an input: each output is the reference's or, as the engine multiplies padding as zeros, NaN.
fn check_non_finite<O: CpuOp>(op: &O) -> Result<(), String> {
    let finite = tensors(op, true);
    for (number, value) in (0..finite.len()).zip([f32::INFINITY, f32::NAN, f32::NEG_INFINITY]) {
        let mut tensors = finite.clone();
        let middle = tensors[number].len() / 2;
        let Some(place) = tensors[number].iter_mut().nth(middle) else { continue };
        *place = value;
        let views: Vec<_> = tensors.iter().map(|tensor| tensor.view()).collect();
        let mut output = cpu::run(op, &views).map_err(|error| error.to_string())?;
        let reference = op.reference(&views).map_err(|error| error.to_string())?;
        output.zip_mut_with(&reference.to_f32(), |value, &expected| {
            if value.is_nan() {
                *value = expected;
            }
        });
        reference.check_exact(output.view()).map_err(|error| format!("{value} in input {number}: {error}"))?;
    }
    Ok(())
}

type Numbers = (usize, usize, usize, usize, i64, i64);

fn layers<const R: usize>() -> impl Strategy<Value = (Conv<R>, ConvTranspose<R>)> {
    let axis = (1usize..=9, 1usize..=4, 1usize..=4, 1usize..=3, -1i64..=4, -1i64..=4);
    // Input channels below and above the counts from which the engine uses a matrix product.
    let channels = (1usize..=12, 1usize..=6, 1usize..=3, 0usize..=2, any::<bool>());
    let activation = prop_oneof![
        Just(Activation::None),
        Just(Activation::Relu),
        Just(Activation::LeakyRelu { slope: 0.25 }),
        Just(Activation::Clip { min: -3.0, max: 6.0 })
    ];
    let axes = prop::collection::vec(axis, R);
    (channels, axes, activation).prop_filter_map("no output", |((ins, outs, groups, batch, bias), axes, activation)| {
        let field = |pick: fn(&Numbers) -> usize| std::array::from_fn(|i| pick(&axes[i]));
        let conv = Conv::<R> {
            batch,
            in_channels: ins * groups,
            out_channels: outs * groups,
            input_size: field(|axis| axis.0),
            kernel_size: field(|axis| axis.1),
            stride: field(|axis| axis.2),
            dilation: field(|axis| axis.3),
            padding: Padding::Explicit(std::array::from_fn(|i| [axes[i].4, axes[i].5])),
            groups,
            bias,
            activation,
        };
        let linear = Conv { activation: Activation::None, ..conv.clone() };
        let transpose = ConvTranspose { bias, activation, ..linear.grad_input().ok()? };
        Some((conv, transpose))
    })
}

fn random_layers<const R: usize>(cases: u32) {
    let config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
    proptest!(config, |((conv, transpose) in layers::<R>())| {
        check_non_finite(&conv).map_err(TestCaseError::fail)?;
        check_non_finite(&transpose).map_err(TestCaseError::fail)?;
        check_non_finite(&conv.grad_weight().expect("a valid layer")).map_err(TestCaseError::fail)?;
        for integers in [true, false] {
            check(&conv, integers).map_err(TestCaseError::fail)?;
            check(&transpose, integers).map_err(TestCaseError::fail)?;
            check(&conv.grad_weight().expect("a valid layer"), integers).map_err(TestCaseError::fail)?;
            check(&transpose.grad_weight().expect("a valid layer"), integers).map_err(TestCaseError::fail)?;
        }
    });
}

#[test]
fn random_layers_of_one_axis() {
    random_layers::<1>(300);
}

#[test]
fn random_layers_of_two_axes() {
    random_layers::<2>(300);
}

#[test]
fn random_layers_of_three_axes() {
    random_layers::<3>(100);
}

struct Check(&'static str);

impl Visit for Check {
    type Output = ();

    fn visit<O: GpuOp + CpuOp>(&mut self, op: &O) {
        check(op, false).unwrap_or_else(|error| panic!("{}: {error}", self.0));
    }
}

#[test]
fn named_problems() {
    for (name, problem) in named() {
        problem.reduced_to(30_000_000).0.visit(&mut Check(name));
    }
}

#[test]
fn slabs_and_other_ops() {
    // Layers of several slabs of rows, where two slabs may add to one output row; a max pooling, which the engine
    // computes by the reference; and upsamplings.
    let base = ConvTranspose::<2> { in_channels: 9, out_channels: 40, input_size: [70, 33], ..Default::default() };
    let large = ConvTranspose::<2> { kernel_size: [5, 4], stride: [2, 3], padding: [[1, 2]; 2].into(), ..base };
    check(&large, true).unwrap();
    let conv =
        Conv::<2> { in_channels: 40, out_channels: 9, input_size: [90, 70], kernel_size: [4, 5], ..Default::default() };
    check(&conv, true).unwrap();
    check(&conv.grad_weight().unwrap(), true).unwrap();
    check(&upconv::MaxPool2d { input_size: [6, 6], ..Default::default() }, true).unwrap();
    let modes = [upconv::UpsampleMode::Linear, upconv::UpsampleMode::Cubic { a: -0.75, exclude_outside: true }];
    for mode in modes {
        let up = upconv::Upsample3d {
            channels: 2,
            input_size: [3, 4, 5],
            output_size: [5, 9, 3],
            mode,
            ..Default::default()
        };
        check(&up, false).unwrap();
    }
}

/// A row longer than a slab, thousands of taps, and sizes that are legal only because the batch is empty.
#[test]
fn sizes_past_a_slab() {
    let layer =
        Conv::<1> { in_channels: 40, out_channels: 5, input_size: [9000], kernel_size: [7], ..Default::default() };
    for stride in [[1], [3]] {
        let layer = Conv { stride, padding: Padding::Explicit([[4, 3]]), ..layer.clone() };
        check(&layer, true).unwrap();
        check(&layer.grad_weight().unwrap(), true).unwrap();
    }
    check(&ConvTranspose::<1> { kernel_size: [5000], stride: [5000], input_size: [2], ..Default::default() }, true)
        .unwrap();
    let empty = Conv::<3> { batch: 0, input_size: [1 << 20; 3], ..Default::default() };
    let none = ArrayD::<f32>::zeros(IxDyn(&[0, 1, 1 << 20, 1 << 20, 1 << 20]));
    let weight = ArrayD::<f32>::zeros(IxDyn(&[1, 1, 1, 1, 1]));
    assert!(cpu::run(&empty, &[none.view(), weight.view()]).unwrap().is_empty());
    let up = upconv::Upsample2d { input_size: [20_000, 1], output_size: [1, 20_000], ..Default::default() };
    check(&up, true).unwrap();
}

/// Random tensors of bytes for a convolution of integers, in reverse order in memory.
fn check_integers<const R: usize>(conv: &ConvInteger<R>) -> Result<(), String> {
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let tensor = |operand: upconv::Operand| {
        let shape: Vec<usize> = operand.shape.into_iter().rev().collect();
        let bytes = ArrayD::from_shape_simple_fn(IxDyn(&shape), &mut next);
        if operand.data_type == DataType::I8 { Tensor::I8(bytes.mapv(|byte| byte as i8)) } else { Tensor::U8(bytes) }
    };
    let tensors: Vec<Tensor> = conv.inputs().unwrap().into_iter().map(tensor).collect();
    let views = tensors.iter().map(|tensor| match tensor {
        Tensor::U8(bytes) => TensorView::from(bytes.t()),
        Tensor::I8(bytes) => TensorView::from(bytes.t()),
        other => panic!("{other:?}"),
    });
    let views: Vec<TensorView> = views.collect();
    let [output, reference] = [cpu::run_tensors(conv, &views), conv.reference_tensors(&views)];
    if output == reference && output.is_ok() { Ok(()) } else { Err(format!("{conv:?}: {output:?}")) }
}

fn random_integers<const R: usize>(cases: u32) {
    let config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
    let types = prop::sample::select(vec![ByteType::U8, ByteType::I8]);
    let zero_points = prop::sample::select(vec![ZeroPoint::None, ZeroPoint::PerTensor, ZeroPoint::PerChannel]);
    proptest!(config, |((conv, _) in layers::<R>(), input_type in types.clone(), weight_type in types,
        input_zero_point in any::<bool>(), weight_zero_point in zero_points)| {
        let integers = ConvInteger::<R> {
            batch: conv.batch,
            in_channels: conv.in_channels,
            out_channels: conv.out_channels,
            input_size: conv.input_size,
            kernel_size: conv.kernel_size,
            stride: conv.stride,
            padding: conv.padding,
            dilation: conv.dilation,
            groups: conv.groups,
            input_type,
            weight_type,
            input_zero_point,
            weight_zero_point,
        };
        check_integers(&integers).map_err(TestCaseError::fail)?;
    });
}

#[test]
fn random_convolutions_of_integers() {
    random_integers::<1>(200);
    random_integers::<2>(200);
    random_integers::<3>(60);
    // Sums that wrap, and nothing to sum.
    let conv = ConvInteger::<1> { input_zero_point: true, input_size: [3], ..Default::default() };
    check_integers(&ConvInteger { in_channels: 300_000, ..conv.clone() }).unwrap();
    check_integers(&ConvInteger { in_channels: 0, out_channels: 2, ..conv.clone() }).unwrap();
    check_integers(&ConvInteger { out_channels: 0, weight_zero_point: ZeroPoint::PerChannel, ..conv }).unwrap();
}

/// Every output of an op whose inputs are of f32 or f16.
#[test]
fn all_outputs_as_tensors() {
    let pool = upconv::MaxPool1d {
        indices: Some(Default::default()),
        input_size: [4],
        kernel_size: [2],
        ..Default::default()
    };
    let x = ndarray::arr1(&[1.0f32, 3.0, 3.0, 2.0]).into_shape_with_order(IxDyn(&[1, 1, 4])).unwrap();
    let outputs = cpu::run_tensors(&pool, &[(&x).into()]).unwrap();
    assert_eq!(outputs, pool.reference_tensors(&[x.view()]).unwrap());
    let halves = x.mapv(upconv::half::f16::from_f32);
    let outputs = cpu::run_tensors(&pool, &[(&halves).into()]).unwrap();
    assert_eq!(
        outputs[0],
        Tensor::F16(ndarray::array![[[3.0f32, 3.0, 3.0]]].mapv(upconv::half::f16::from_f32).into_dyn())
    );
    let conv = Conv::<1> { input_size: [4], ..Default::default() };
    let mixed = cpu::run_tensors(&conv, &[(&x).into(), (&ndarray::arr3(&[[[upconv::half::f16::ONE]]])).into()]);
    assert_eq!(mixed, Err(Error::MixedStorage { singles: 1, halves: 1 }));
    let integers = ConvInteger::<1> { input_size: [4], ..Default::default() };
    let floats = cpu::run(&integers, &[x.view(), x.view()]);
    assert!(matches!(floats, Err(Error::DataType { operand: "input", expected: DataType::U8, .. })), "{floats:?}");
}

/// Layers without input channels, without output channels and without samples, and ops without channels.
#[test]
fn nothing_to_sum() {
    let fine = Conv::<2> {
        batch: 2,
        in_channels: 10,
        out_channels: 6,
        groups: 2,
        input_size: [4, 5],
        kernel_size: [3, 2],
        padding: [[2, 1]; 2].into(),
        bias: true,
        activation: Activation::LeakyRelu { slope: 0.5 },
        ..Default::default()
    };
    for conv in [
        Conv { in_channels: 0, ..fine.clone() },
        Conv { out_channels: 0, ..fine.clone() },
        Conv { in_channels: 0, out_channels: 0, ..fine.clone() },
        Conv { input_size: [0, 5], ..fine.clone() },
        Conv { in_channels: 0, batch: 0, ..fine.clone() },
        Conv { in_channels: 0, out_channels: 9, groups: 9, ..fine.clone() },
    ] {
        let named = |error| format!("{conv:?}: {error}");
        let transpose = ConvTranspose { bias: true, ..conv.grad_input().unwrap() };
        check(&conv, true).map_err(named).unwrap();
        check(&transpose, true).map_err(named).unwrap();
        check(&transpose.grad_input().unwrap(), true).map_err(named).unwrap();
        for gradient in [conv.grad_weight(), transpose.grad_weight()] {
            check(&gradient.unwrap(), true).map_err(named).unwrap();
        }
        for gradient in [conv.grad_bias(), transpose.grad_bias()] {
            check(&gradient.unwrap(), true).map_err(named).unwrap();
        }
    }
    let base = upconv::Upsample2d { channels: 0, input_size: [3, 4], output_size: [5, 2], ..Default::default() };
    check(&base, true).unwrap();
    check(&base.grad_input(), true).unwrap();
    let adaptive = upconv::UpsampleMode::AdaptiveArea;
    for output_size in [[0, 2], [3, 0], [0, 0]] {
        check(&upconv::Upsample2d { channels: 2, output_size, mode: adaptive, ..base.clone() }, true).unwrap();
    }
    let unfold = upconv::Unfold2d { input_size: [3, 4], kernel_size: [2, 3], ..Default::default() };
    for (batch, channels) in [(0, 2), (2, 0), (2, 3)] {
        let unfold = upconv::Unfold2d { batch, channels, ..unfold.clone() };
        check(&unfold, true).unwrap();
        check(&unfold.grad_input(), true).unwrap();
    }
    for (batch, channels) in [(0, 2), (2, 0), (2, 3)] {
        let (input_size, kernel_size) = ([5, 4], [2, 3]);
        let norms = upconv::LpPool2d { batch, channels, input_size, kernel_size, p: 3, ..Default::default() };
        check(&norms, false).unwrap();
        check(&norms.grad_input(), false).unwrap();
        let average = upconv::GlobalAveragePool2d { batch, channels, input_size: [3, 4] };
        check(&average, false).unwrap();
        check(&upconv::GlobalMaxPool2d { batch, channels, input_size: [3, 4], indices: None }, true).unwrap();
        let norm = upconv::GlobalLpPool2d { batch, channels, input_size: [3, 4], p: 3 };
        check(&norm, false).unwrap();
        check(&norm.grad_input(), false).unwrap();
    }
    check(&upconv::AvgPool2d { channels: 0, input_size: [3, 4], ..Default::default() }, true).unwrap();
    check(&upconv::MaxPool2d { channels: 0, input_size: [3, 4], ..Default::default() }, true).unwrap();
    check(&upconv::PixelShuffle2d { channels: 0, size: [3, 4], factor: [2, 2], ..Default::default() }, true).unwrap();
    check(&upconv::PixelShuffle2d { size: [0, 4], factor: [2, 2], ..Default::default() }, true).unwrap();
    check(&upconv::BedOfNails::<2> { channels: 0, input_size: [3, 4], ..Default::default() }, true).unwrap();
}

/// A kernel as long as the axis, with a stride that is never taken.
#[test]
fn a_stride_that_is_never_taken() {
    let long = Conv::<1> { input_size: [70_000], kernel_size: [70_000], stride: [70_000], ..Default::default() };
    for conv in [long.clone(), Conv { in_channels: 2, out_channels: 5, padding: [[1, 0]].into(), ..long }] {
        check(&conv, true).unwrap();
        check(&conv.grad_input().unwrap(), true).unwrap();
        check(&conv.grad_weight().unwrap(), true).unwrap();
    }
    let window = upconv::AvgPool1d::from_shape(&[1, 2, 70_000], [70_000]).unwrap();
    check(&window, false).unwrap();
    check(&window.grad_input(), false).unwrap();
    check(&upconv::MaxPool1d::from_shape(&[1, 2, 70_000], [70_000]).unwrap(), true).unwrap();
}
