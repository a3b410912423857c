//! Gradients of the references: adjoint to their forward ops over random geometry, and equal to finite differences.
//! The values are small integers and the sums f64, so that most comparisons are exact.

use ndarray::{ArrayD, Dimension, IxDyn};
use proptest::prelude::*;
use upconv::{
    AvgPool, BedOfNails, Border, ChannelOrder, Conv, Coordinates, Filter, GlobalAveragePool, GlobalLpPool,
    GlobalMaxPool, IndexConvention, LpPool, MaxPool, MaxUnpool, Op, Padding, PixelShuffle, Rounding, Scale, Separable,
    SeparableGrad, ShuffleDirection, Tensor, TensorView, Unfold, Upsample, UpsampleMode,
};

/// Small integers that change with the element and the seed.
fn tensor(shape: &[usize], seed: usize) -> ArrayD<f32> {
    let mut at = seed;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        at += 1;
        ((at * 37 + at / 5 * 11 + seed) % 23) as f32 - 11.0
    })
}

fn inputs<O: Op>(op: &O, seed: usize) -> Vec<ArrayD<f32>> {
    let operands = op.inputs().unwrap();
    operands.iter().enumerate().map(|(number, operand)| tensor(&operand.shape, seed + 100 * number)).collect()
}

fn values<O: Op>(op: &O, inputs: &[&ArrayD<f32>]) -> ArrayD<f64> {
    let views: Vec<_> = inputs.iter().map(|input| input.view()).collect();
    op.reference(&views).unwrap().values
}

fn dot(a: &ArrayD<f64>, b: &ArrayD<f32>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum()
}

/// Σ gradient · (f(x + h) - f(x - h)) / 2h for every element of one of the inputs.
fn differences<O: Op>(op: &O, inputs: &[ArrayD<f32>], number: usize, gradient: &ArrayD<f32>) -> ArrayD<f64> {
    let step = 2f32.powi(-6);
    let moved = |at: usize, by: f32| {
        let mut moved = inputs.to_vec();
        moved[number].as_slice_mut().unwrap()[at] += by;
        dot(&values(op, &moved.iter().collect::<Vec<_>>()), gradient)
    };
    let slope = |at: usize| (moved(at, step) - moved(at, -step)) / f64::from(2.0 * step);
    let slopes = (0..inputs[number].len()).map(slope).collect();
    ArrayD::from_shape_vec(inputs[number].shape(), slopes).unwrap()
}

fn near(a: &ArrayD<f64>, b: &ArrayD<f64>, tolerance: f64) -> bool {
    a.shape() == b.shape() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance * a.abs().max(1.0))
}

/// Input size, kernel, stride, dilation and padding of an axis.
type Numbers = (usize, usize, usize, usize, i64, i64);

fn axes<const R: usize>() -> impl Strategy<Value = Vec<Numbers>> {
    prop::collection::vec((1usize..=6, 1usize..=3, 1usize..=3, 1usize..=3, -1i64..=3, -1i64..=3), R)
}

fn convolutions<const R: usize>() -> impl Strategy<Value = Conv<R>> {
    let channels = (1usize..=2, 1usize..=2, 1usize..=2, 0usize..=2);
    (channels, axes::<R>()).prop_filter_map("no output", |((ins, outs, groups, batch), axes)| {
        let conv = Conv::<R> {
            batch,
            in_channels: ins * groups,
            out_channels: outs * groups,
            input_size: std::array::from_fn(|i| axes[i].0),
            kernel_size: std::array::from_fn(|i| axes[i].1),
            stride: std::array::from_fn(|i| axes[i].2),
            dilation: std::array::from_fn(|i| axes[i].3),
            padding: Padding::Explicit(std::array::from_fn(|i| [axes[i].4, axes[i].5])),
            groups,
            bias: true,
            ..Default::default()
        };
        conv.geometry().is_ok().then_some(conv)
    })
}

/// The op is linear in each of input, weight and bias, so each gradient must be an adjoint, and equal to finite
/// differences.
macro_rules! layer {
    ($op:expr) => {{
        let op = $op;
        let tensors = inputs(&op, 1);
        let [x, w, b] = &tensors[..] else { panic!("input, weight and bias") };
        let gradient = tensor(&op.output().unwrap().shape, 7);
        let zero = ArrayD::zeros(b.raw_dim());
        let forward = dot(&values(&op, &[x, w, &zero]), &gradient);
        let by_input = values(&op.grad_input().unwrap(), &[&gradient, w]);
        let by_weight = values(&op.grad_weight().unwrap(), &[x, &gradient]);
        let by_bias = values(&op.grad_bias().unwrap(), &[&gradient]);
        prop_assert_eq!(forward, dot(&by_input, x));
        prop_assert_eq!(forward, dot(&by_weight, w));
        let with_bias = dot(&values(&op, &[x, w, b]), &gradient);
        prop_assert_eq!(with_bias - forward, dot(&by_bias, b));
        if x.len() + w.len() < 60 {
            for (number, expected) in [by_input, by_weight, by_bias].iter().enumerate() {
                prop_assert!(near(expected, &differences(&op, &tensors, number, &gradient), 1e-9), "input {}", number);
            }
        }
    }};
}

fn layers<const R: usize>(cases: u32) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&convolutions::<R>(), |conv| {
        let transposed = upconv::ConvTranspose { bias: true, ..conv.grad_input().unwrap() };
        layer!(conv);
        layer!(transposed);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn convolutions_in_1_2_and_3_dimensions() {
    layers::<1>(200);
    layers::<2>(150);
    layers::<3>(60);
}

const MODES: [UpsampleMode; 19] = [
    UpsampleMode::Nearest(Rounding::Floor),
    UpsampleMode::Nearest(Rounding::Ceil),
    UpsampleMode::Nearest(Rounding::PreferFloor),
    UpsampleMode::Nearest(Rounding::PreferCeil),
    UpsampleMode::Linear,
    UpsampleMode::Cubic { a: -0.75, exclude_outside: false },
    UpsampleMode::Cubic { a: -0.5, exclude_outside: true },
    UpsampleMode::CubicTable { a: -0.75, exclude_outside: false },
    UpsampleMode::Filtered { filter: Filter::Triangle, antialias: true, border: Border::Renormalise },
    UpsampleMode::Filtered { filter: Filter::Cubic { a: -0.5 }, antialias: true, border: Border::Renormalise },
    UpsampleMode::Filtered { filter: Filter::Lanczos { lobes: 3 }, antialias: false, border: Border::Renormalise },
    UpsampleMode::Filtered { filter: Filter::Gaussian, antialias: true, border: Border::Renormalise },
    UpsampleMode::Filtered { filter: Filter::Mitchell, antialias: true, border: Border::Renormalise },
    UpsampleMode::Filtered { filter: Filter::Box, antialias: true, border: Border::Renormalise },
    UpsampleMode::Filtered { filter: Filter::Hamming, antialias: true, border: Border::Renormalise },
    UpsampleMode::Filtered { filter: Filter::CubicSpline, antialias: false, border: Border::Repeat },
    UpsampleMode::OnnxAntialias { filter: Filter::Triangle, exclude_outside: true },
    UpsampleMode::Area,
    UpsampleMode::AdaptiveArea,
];

/// <op(x), y> = <x, gradient(y)>, and on small inputs the gradient equals finite differences.
fn adjoint<T: Separable>(op: T)
where
    SeparableGrad<T>: Op,
{
    let x = tensor(&op.inputs().unwrap()[0].shape, 3);
    let y = tensor(&op.output().unwrap().shape, 5);
    let left = dot(&values(&op, &[&x]), &y);
    let slopes = (x.len() < 40).then(|| differences(&op, std::slice::from_ref(&x), 0, &y));
    let back = values(&SeparableGrad { forward: op }, &[&y]);
    let right = dot(&back, &x);
    assert!((left - right).abs() <= 1e-9 * left.abs().max(1.0), "{left} and {right}");
    assert!(slopes.is_none_or(|slopes| near(&back, &slopes, 1e-8)));
}

fn upsamplings<const R: usize>(cases: u32) {
    let coordinates = |number: usize| match number {
        0 => Coordinates::HalfPixel,
        1 => Coordinates::AlignCorners,
        2 => Coordinates::Asymmetric,
        3 => Coordinates::PytorchHalfPixel,
        4 => Coordinates::TfHalfPixelForNn,
        5 => Coordinates::HalfPixelSymmetric,
        6 => Coordinates::OpenCvArea,
        _ => Coordinates::TfCropAndResize { roi: [[-0.3, 0.9]; R] },
    };
    let sizes = prop::collection::vec((1usize..=7, 1usize..=9), R);
    let strategy = (0..MODES.len(), 0usize..8, sizes, prop::option::of(0.4f64..2.5), 0usize..=2);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&strategy, |(mode, convention, sizes, scale, batch)| {
        let up = Upsample::<R> {
            batch,
            channels: 2,
            input_size: std::array::from_fn(|i| sizes[i].0),
            output_size: std::array::from_fn(|i| sizes[i].1),
            mode: MODES[mode],
            coordinates: coordinates(convention),
            scales: scale.map(|scale| [Scale::F64(scale); R]),
            extrapolation_value: 0.0,
        };
        adjoint(up);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn every_upsampling_in_1_2_and_3_dimensions() {
    upsamplings::<1>(600);
    upsamplings::<2>(400);
    upsamplings::<3>(150);
}

fn pools<const R: usize>(cases: u32) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let strategy = (axes::<R>(), any::<bool>(), any::<bool>(), prop::option::of(1u32..9), 0usize..=2);
    let outcome = runner.run(&strategy, |(axes, ceil_mode, count_include_pad, divisor_override, batch)| {
        let average = AvgPool::<R> {
            batch,
            channels: 2,
            input_size: std::array::from_fn(|i| axes[i].0),
            kernel_size: std::array::from_fn(|i| axes[i].1),
            stride: std::array::from_fn(|i| axes[i].2),
            dilation: std::array::from_fn(|i| axes[i].3),
            padding: Padding::Explicit(std::array::from_fn(|i| [axes[i].4.max(0), axes[i].5.max(0)])),
            ceil_mode,
            count_include_pad,
            divisor_override,
        };
        if average.output().is_err() {
            return Ok(()); // no window fits
        }
        adjoint(average.clone());
        norms(&average);
        let AvgPool { channels, input_size, kernel_size, stride, dilation, padding, .. } = average;
        let indices = Some(IndexConvention::Onnx);
        let pool = MaxPool { batch, channels, input_size, kernel_size, stride, padding, dilation, ceil_mode, indices };
        // `MaxPool` refuses a window that holds padding alone.
        if pool.output().is_ok() {
            maximum(&pool);
        }
        Ok(())
    });
    outcome.unwrap();
}

/// A norm is homogeneous, so that its gradient's product with the input is the norm; and finite differences.
fn norms<const R: usize>(windows: &AvgPool<R>) {
    let &AvgPool { batch, channels, input_size, kernel_size, stride, padding, dilation, ceil_mode, .. } = windows;
    for p in [1, 2, 3, 6] {
        let pool = LpPool { batch, channels, input_size, kernel_size, stride, padding, dilation, ceil_mode, p };
        // No sample is so small that its sign could change.
        let x = tensor(&pool.inputs().unwrap()[0].shape, 3).mapv(|value| value + 0.25);
        let y = tensor(&pool.output().unwrap().shape, 5);
        let (norms, back) = (values(&pool, &[&x]), values(&pool.grad_input(), &[&x, &y]));
        assert!((dot(&norms, &y) - dot(&back, &x)).abs() <= 1e-9 * (1.0 + norms.sum() * 11.0));
        if x.len() < 24 {
            assert!(near(&back, &differences(&pool, std::slice::from_ref(&x), 0, &y), 1e-2), "p = {p}");
        }
    }
}

/// All samples differ, so that the small step of a finite difference changes no window's maximum; while each window
/// keeps its maximum, the pooling is linear.
fn maximum<const R: usize>(pool: &MaxPool<R>) {
    let shape = pool.inputs().unwrap().swap_remove(0).shape;
    let count: usize = shape.iter().product();
    let scrambled = (0..count).map(|at| (at * 7919 % 10_007) as f32 / 4.0).collect();
    let x = ArrayD::from_shape_vec(shape, scrambled).unwrap();
    let y = tensor(&pool.output().unwrap().shape, 5);
    let indices = pool.reference_integers(&[x.view()]).unwrap().swap_remove(0);
    let back = pool.grad_input().reference(&[TensorView::from(&y), (&indices).into()]).unwrap().values;
    assert_eq!(dot(&values(pool, &[&x]), &y), dot(&back, &x));
    if count < 40 {
        assert!(near(&back, &differences(pool, std::slice::from_ref(&x), 0, &y), 1e-9));
    }
    let indices_are_unique =
        std::collections::HashSet::<i32>::from_iter(indices.iter().copied()).len() == indices.len();
    unpooled(&pool.unpool().unwrap(), &indices, indices_are_unique);
}

/// Where no index repeats (`indices_are_unique`), the gradient of the unpooling is its adjoint.
fn unpooled<const R: usize>(unpool: &MaxUnpool<R>, indices: &ArrayD<i32>, indices_are_unique: bool) {
    let x = tensor(indices.shape(), 11);
    let y = tensor(&unpool.output().unwrap().shape, 13);
    let tensors = [Tensor::F32(x.clone()), Tensor::I32(indices.clone())];
    let views: Vec<TensorView> = tensors.iter().map(TensorView::from).collect();
    let forward = unpool.reference(&views).unwrap().values;
    let back = unpool.grad_input().reference(&[TensorView::from(&y), indices.into()]).unwrap().values;
    assert!(!indices_are_unique || dot(&forward, &y) == dot(&back, &x));
}

#[test]
fn poolings_in_1_2_and_3_dimensions() {
    pools::<1>(300);
    pools::<2>(200);
    pools::<3>(80);
}

fn folds<const R: usize>(cases: u32) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&(axes::<R>(), 0usize..=2), |(axes, batch)| {
        let unfold = Unfold::<R> {
            batch,
            channels: 2,
            input_size: std::array::from_fn(|i| axes[i].0),
            kernel_size: std::array::from_fn(|i| axes[i].1),
            stride: std::array::from_fn(|i| axes[i].2),
            dilation: std::array::from_fn(|i| axes[i].3),
            padding: Padding::Explicit(std::array::from_fn(|i| [axes[i].4, axes[i].5])),
        };
        if unfold.output().is_err() {
            return Ok(()); // no block fits
        }
        let fold = unfold.grad_input();
        let x = tensor(&unfold.inputs().unwrap()[0].shape, 3);
        let y = tensor(&unfold.output().unwrap().shape, 5);
        let (columns, image) = (values(&unfold, &[&x]), values(&fold, &[&y]));
        prop_assert_eq!(dot(&columns, &y), dot(&image, &x));
        prop_assert_eq!(&fold.grad_input(), &unfold);
        // A convolution is a product of its weight and the columns.
        let taps: usize = unfold.kernel_size.iter().product();
        let weight = tensor(&[&[3, 2][..], &unfold.kernel_size].concat(), 11);
        let matrix = weight.to_shape([3, 2 * taps]).unwrap();
        let Unfold { channels, input_size, kernel_size, stride, padding, dilation, .. } = unfold;
        let layer = Conv {
            batch,
            in_channels: channels,
            out_channels: 3,
            input_size,
            kernel_size,
            stride,
            padding,
            dilation,
            ..Default::default()
        };
        let product = values(&layer, &[&x, &weight]);
        for (at, sum) in product.iter().enumerate() {
            let blocks = columns.shape()[2];
            let [n, out, block] = [at / blocks / 3, at / blocks % 3, at % blocks];
            let terms = (0..2 * taps).map(|row| f64::from(matrix[[out, row]]) * columns[[n, row, block]]);
            prop_assert_eq!(*sum, terms.sum::<f64>());
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn unfolds_and_folds_in_1_2_and_3_dimensions() {
    folds::<1>(300);
    folds::<2>(200);
    folds::<3>(80);
}

fn global_pools<const R: usize>(input_size: [usize; R]) {
    let average = GlobalAveragePool { batch: 2, channels: 3, input_size };
    let x = tensor(&average.inputs().unwrap()[0].shape, 3);
    let y = tensor(&average.output().unwrap().shape, 5);
    let back = values(&average.grad_input(), &[&y]);
    assert!((dot(&values(&average, &[&x]), &y) - dot(&back, &x)).abs() < 1e-9);
    assert!(near(&back, &differences(&average, std::slice::from_ref(&x), 0, &y), 1e-9));
    // All samples differ, and none is so small that its sign could change.
    let x = ArrayD::from_shape_fn(x.raw_dim(), |at| {
        let number: usize = at.as_array_view().iter().fold(1, |number, at| (number * 7 + at) * 31 % 97);
        (number as f32 + 0.25) * if number.is_multiple_of(2) { 1.0 } else { -1.0 }
    });
    let indices = Some(IndexConvention::Onnx);
    let maximum = GlobalMaxPool { batch: 2, channels: 3, input_size, indices };
    let chosen = maximum.reference_integers(&[x.view()]).unwrap().swap_remove(0);
    let back = maximum.grad_input().reference(&[TensorView::from(&y), (&chosen).into()]).unwrap().values;
    assert_eq!(dot(&values(&maximum, &[&x]), &y), dot(&back, &x));
    for p in [1, 2, 3, 4, 9] {
        let norm = GlobalLpPool { batch: 2, channels: 3, input_size, p };
        let back = values(&norm.grad_input(), &[&x, &y]);
        assert!(near(&back, &differences(&norm, std::slice::from_ref(&x), 0, &y), 1e-5), "p = {p}");
        // A norm is homogeneous: its gradient's product with the input is the norm.
        let norms = values(&norm, &[&x]);
        assert!((dot(&norms, &y) - dot(&back, &x)).abs() < 1e-9 * norms.sum());
    }
}

#[test]
fn global_poolings_in_1_2_and_3_dimensions() {
    global_pools([5]);
    global_pools([3, 4]);
    global_pools([2, 1, 3]);
}

#[test]
fn what_only_moves_samples() {
    for order in [ChannelOrder::ColumnRowDepth, ChannelOrder::DepthColumnRow] {
        for direction in [ShuffleDirection::ToSpace, ShuffleDirection::ToDepth] {
            let shuffle = PixelShuffle { batch: 2, channels: 3, size: [3, 2], factor: [2, 3], order, direction };
            let x = tensor(&shuffle.inputs().unwrap()[0].shape, 1);
            let y = tensor(&shuffle.output().unwrap().shape, 2);
            let back = values(&shuffle.grad_input(), &[&y]);
            assert_eq!(dot(&values(&shuffle, &[&x]), &y), dot(&back, &x));
        }
    }
    adjoint(BedOfNails { batch: 2, channels: 2, input_size: [5], stride: [3], position: [1] });
    adjoint(BedOfNails { batch: 1, channels: 2, input_size: [3, 2], stride: [2, 4], position: [1, 0] });
    adjoint(BedOfNails { batch: 1, channels: 1, input_size: [2, 3, 2], stride: [2, 1, 3], position: [0, 0, 2] });
}
