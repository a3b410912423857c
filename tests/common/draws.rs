//! Random small problems of every op, layouts and limits, made of whatever numbers a [`Draw`] gives: a random number
//! generator's or a fuzzer's. The soak, the tests of addresses and the fuzz targets share them.

use upconv::gpu::GpuOp;
use upconv::ndarray::{ArrayD, IxDyn};
use upconv::wgpu::Limits;
use upconv::{
    Activation, AvgPool, BedOfNails, Border, ChannelOrder, Conv, ConvTranspose, Coordinates, DataType, Filter,
    GlobalAveragePool, GlobalLpPool, GlobalMaxPool, IndexConvention, LpPool, MaxPool, Operand, Padding, PixelShuffle,
    PlanOptions, ResizeConv, Role, Rounding, Scale, ShuffleDirection, Tensor, TensorLayout, Unfold, Upsample,
    UpsampleMode,
};

use super::tensors::{Data, Random};

/// A source of numbers.
pub trait Draw {
    /// A number below `n`, which is not 0.
    fn below(&mut self, n: usize) -> usize;

    /// A number from `least` to `most`.
    fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    /// True once in `n` times.
    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Clone>(&mut self, choices: &[T]) -> T
    where
        Self: Sized,
    {
        choices[self.below(choices.len())].clone()
    }
}

impl Draw for Random {
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// The ops, by the names that their problems begin with.
pub const OPS: [&str; 25] = [
    "conv",
    "conv_transpose",
    "conv_weight",
    "conv_transpose_weight",
    "conv_bias",
    "resize_conv",
    "upsample",
    "upsample_grad",
    "max_pool",
    "max_pool_grad",
    "avg_pool",
    "avg_pool_grad",
    "max_unpool",
    "max_unpool_grad",
    "pixel_shuffle",
    "bed_of_nails",
    "bed_of_nails_grad",
    "unfold",
    "fold",
    "lp_pool",
    "lp_pool_grad",
    "global_average_pool",
    "global_max_pool",
    "global_lp_pool",
    "global_lp_pool_grad",
];

/// What is done with a drawn op.
pub trait Visit {
    type Out;

    /// `exact` says whether the op's results are exact for small integers.
    fn visit<O: GpuOp + Send + 'static>(self, op: O, exact: bool) -> Self::Out;
}

/// Most elements of a tensor.
const MAX_ELEMENTS: usize = 1 << 13;

/// Most products that are summed.
const MAX_PRODUCTS: u128 = 1 << 18;

/// Runs a line for an op over one, two or three spatial axes, which `$make` draws.
macro_rules! of_any_rank {
    ($draw:ident, $make:ident, $op:ident => $line:expr) => {
        match $draw.below(4) {
            0 => {
                let $op = $make::<1>($draw);
                $line
            }
            1 => {
                let $op = $make::<3>($draw);
                $line
            }
            _ => {
                let $op = $make::<2>($draw);
                $line
            }
        }
    };
}

/// Draws a problem of the op of this name. `None` if the numbers break a rule of the op, or are too large.
pub fn problem<V: Visit>(name: &str, draw: &mut impl Draw, visit: V) -> Option<V::Out> {
    match name {
        "conv" => of_any_rank!(draw, conv, op => show(visit, op.clone(), op.activation.is_exact())),
        "conv_transpose" => of_any_rank!(draw, transpose, op => show(visit, op.clone(), op.activation.is_exact())),
        "conv_weight" => of_any_rank!(draw, conv, op => show(visit, op.grad_weight().ok()?, true)),
        "conv_transpose_weight" => of_any_rank!(draw, transpose, op => show(visit, op.grad_weight().ok()?, true)),
        "conv_bias" => of_any_rank!(draw, conv, op => show(visit, op.grad_bias().ok()?, true)),
        "resize_conv" => of_any_rank!(draw, resize_conv, op => {
            let exact = is_copy(&op.upsample) && op.conv.activation.is_exact();
            show(visit, op, exact)
        }),
        "upsample" => of_any_rank!(draw, upsample, op => show(visit, op.clone(), is_copy(&op))),
        "upsample_grad" => of_any_rank!(draw, upsample, op => show(visit, op.grad_input(), is_copy(&op))),
        "max_pool" => of_any_rank!(draw, max_pool, op => show(visit, op, true)),
        "max_pool_grad" => of_any_rank!(draw, max_pool, op => show(visit, with_indices(op).grad_input(), true)),
        "avg_pool" => of_any_rank!(draw, avg_pool, op => show(visit, op, false)),
        "avg_pool_grad" => of_any_rank!(draw, avg_pool, op => show(visit, op.grad_input(), false)),
        "max_unpool" => of_any_rank!(draw, unpool, op => show(visit, op?, true)),
        "max_unpool_grad" => of_any_rank!(draw, unpool, op => show(visit, op?.grad_input(), true)),
        "pixel_shuffle" => of_any_rank!(draw, pixel_shuffle, op => show(visit, op, true)),
        "bed_of_nails" => of_any_rank!(draw, bed_of_nails, op => show(visit, op, true)),
        "bed_of_nails_grad" => of_any_rank!(draw, bed_of_nails, op => show(visit, op.grad_input(), true)),
        "unfold" => of_any_rank!(draw, unfold, op => show(visit, op, true)),
        "fold" => of_any_rank!(draw, unfold, op => show(visit, op.grad_input(), true)),
        "lp_pool" => of_any_rank!(draw, lp_pool, op => show(visit, op, false)),
        "lp_pool_grad" => of_any_rank!(draw, lp_pool, op => show(visit, op.grad_input(), false)),
        "global_average_pool" => of_any_rank!(draw, global_average, op => show(visit, op, false)),
        "global_max_pool" => of_any_rank!(draw, global_max, op => show(visit, op, true)),
        "global_lp_pool" => of_any_rank!(draw, global_lp, op => show(visit, op, false)),
        "global_lp_pool_grad" => of_any_rank!(draw, global_lp, op => show(visit, op.grad_input(), false)),
        _ => None,
    }
}

fn show<V: Visit, O: GpuOp + Send + 'static>(visit: V, op: O, exact: bool) -> Option<V::Out> {
    let mut operands = op.inputs().ok()?;
    operands.extend(op.outputs().ok()?);
    let small = |operand: &Operand| operand.shape.iter().product::<usize>() <= MAX_ELEMENTS;
    let is_small = operands.iter().all(small) && op.multiply_adds().ok()? <= MAX_PRODUCTS;
    is_small.then(|| visit.visit(op, exact))
}

trait IsExact {
    fn is_exact(&self) -> bool;
}

impl IsExact for Activation {
    fn is_exact(&self) -> bool {
        matches!(self, Self::None | Self::Relu | Self::Clip { .. })
    }
}

fn is_copy<const R: usize>(op: &Upsample<R>) -> bool {
    matches!(op.mode, UpsampleMode::Nearest(_))
}

fn axes<const R: usize>(draw: &mut impl Draw, least: usize, most: usize) -> [usize; R] {
    std::array::from_fn(|_| draw.between(least, most))
}

/// Spatial sizes, smaller for more axes, sometimes of one sample.
fn sizes<const R: usize>(draw: &mut impl Draw) -> [usize; R] {
    let most = [70, 14, 7][R - 1];
    std::array::from_fn(|_| if draw.once_in(8) { 1 } else { draw.between(1, most) })
}

/// A number of images: mostly one or two, sometimes none.
fn batch(draw: &mut impl Draw) -> usize {
    draw.pick(&[1, 1, 1, 1, 1, 2, 2, 3, 1, 1, 1, 2, 2, 2, 3, 0])
}

/// A number of channels: mostly few, sometimes around the sizes of tiles, rarely none.
fn channels(draw: &mut impl Draw) -> usize {
    match draw.below(40) {
        0 => 0,
        1..=8 => draw.between(5, 40),
        _ => draw.between(1, 5),
    }
}

fn padding<const R: usize>(draw: &mut impl Draw, least: i64) -> Padding<R> {
    match draw.below(8) {
        0 => Padding::SameUpper,
        1 => Padding::SameLower,
        2 | 3 => Padding::Valid,
        _ => {
            let mut side = || draw.below((4 - least) as usize) as i64 + least;
            Padding::Explicit(std::array::from_fn(|_| [side(), side()]))
        }
    }
}

fn kernel<const R: usize>(draw: &mut impl Draw) -> [usize; R] {
    let most = if draw.once_in(6) { 8 } else { 4 };
    axes(draw, 1, most)
}

fn steps<const R: usize>(draw: &mut impl Draw, most: usize) -> [usize; R] {
    if draw.once_in(3) { [1; R] } else { axes(draw, 1, most) }
}

fn activation(draw: &mut impl Draw) -> Activation {
    match draw.below(12) {
        0 => Activation::Relu,
        1 => Activation::LeakyRelu { slope: 0.1 },
        2 => Activation::Sigmoid,
        3 => Activation::Tanh,
        4 => Activation::Clip { min: -2.0, max: 6.0 },
        _ => Activation::None,
    }
}

fn conv<const R: usize>(draw: &mut impl Draw) -> Conv<R> {
    let groups = draw.pick(&[1, 1, 1, 1, 2, 3]);
    Conv {
        batch: batch(draw),
        in_channels: channels(draw) * groups,
        out_channels: channels(draw) * groups,
        input_size: sizes(draw),
        kernel_size: kernel(draw),
        stride: steps(draw, 4),
        padding: padding(draw, -1),
        dilation: steps(draw, 3),
        groups,
        bias: draw.once_in(3),
        activation: activation(draw),
    }
}

fn transpose<const R: usize>(draw: &mut impl Draw) -> ConvTranspose<R> {
    let conv = conv::<R>(draw);
    let stride = conv.stride;
    ConvTranspose {
        batch: conv.batch,
        in_channels: conv.in_channels,
        out_channels: conv.out_channels,
        input_size: sizes(draw),
        kernel_size: conv.kernel_size,
        stride,
        padding: conv.padding,
        output_padding: stride.map(|stride| if draw.once_in(3) { draw.below(stride) } else { 0 }),
        dilation: conv.dilation,
        groups: conv.groups,
        bias: conv.bias,
        activation: conv.activation,
        ..Default::default()
    }
}

fn filter(draw: &mut impl Draw) -> Filter {
    match draw.below(10) {
        0 => Filter::Box,
        1 => Filter::Triangle,
        2 => Filter::Hamming,
        3 => Filter::Cubic { a: -0.5 },
        4 => Filter::Cubic { a: -0.75 },
        5 => Filter::Lanczos { lobes: draw.between(1, 5) as u32 },
        6 => Filter::Gaussian,
        7 => Filter::Blur { sigma: 0.25 + 0.5 * draw.below(4) as f64 },
        8 => Filter::CubicSpline,
        _ => Filter::Mitchell,
    }
}

fn mode(draw: &mut impl Draw) -> UpsampleMode {
    let rounding = [Rounding::Floor, Rounding::Ceil, Rounding::PreferFloor, Rounding::PreferCeil];
    let exclude_outside = draw.once_in(2);
    let a = draw.pick(&[-0.75, -0.5]);
    match draw.below(13) {
        0..=3 => UpsampleMode::Nearest(draw.pick(&rounding)),
        4 | 5 => UpsampleMode::Linear,
        6 => UpsampleMode::Cubic { a, exclude_outside },
        7 => UpsampleMode::CubicTable { a, exclude_outside },
        8 | 9 => UpsampleMode::Filtered {
            filter: filter(draw),
            antialias: draw.once_in(2),
            border: draw.pick(&[Border::Renormalise, Border::Repeat]),
        },
        10 => {
            UpsampleMode::OnnxAntialias { filter: draw.pick(&[Filter::Triangle, Filter::Cubic { a }]), exclude_outside }
        }
        11 => UpsampleMode::Area,
        _ => UpsampleMode::AdaptiveArea,
    }
}

fn coordinates<const R: usize>(draw: &mut impl Draw) -> Coordinates<R> {
    match draw.below(10) {
        0 => Coordinates::AlignCorners,
        1 => Coordinates::Asymmetric,
        2 => Coordinates::PytorchHalfPixel,
        3 => Coordinates::TfHalfPixelForNn,
        4 => Coordinates::HalfPixelSymmetric,
        5 => Coordinates::OpenCvArea,
        6 => {
            let mut at = || draw.below(13) as f64 / 8.0 - 0.25;
            Coordinates::TfCropAndResize { roi: std::array::from_fn(|_| [at(), at()]) }
        }
        _ => Coordinates::HalfPixel,
    }
}

fn upsample<const R: usize>(draw: &mut impl Draw) -> Upsample<R> {
    let (input_size, mut output_size) = (sizes::<R>(draw), sizes::<R>(draw));
    // Often a whole factor, for which there are recipes of blocks.
    if draw.once_in(3) {
        output_size = input_size.map(|size| size * draw.between(1, 3));
    }
    let scale = |axis: usize, draw: &mut dyn Draw| {
        let scale = output_size[axis] as f64 / input_size[axis] as f64 * [0.95, 1.0, 1.04][draw.below(3)];
        if draw.once_in(2) { Scale::F64(scale) } else { Scale::F32(scale as f32) }
    };
    Upsample {
        batch: batch(draw),
        channels: channels(draw),
        input_size,
        output_size,
        mode: mode(draw),
        coordinates: coordinates(draw),
        scales: draw.once_in(5).then(|| std::array::from_fn(|axis| scale(axis, &mut *draw))),
        extrapolation_value: 2.0,
    }
}

fn resize_conv<const R: usize>(draw: &mut impl Draw) -> ResizeConv<R> {
    let (upsample, conv) = (upsample::<R>(draw), conv::<R>(draw));
    let upsample = Upsample { batch: conv.batch, channels: conv.in_channels, ..upsample };
    ResizeConv { conv: Conv { input_size: upsample.output_size, ..conv }, upsample }
}

const CONVENTIONS: [IndexConvention; 5] = [
    IndexConvention::Plane,
    IndexConvention::Onnx,
    IndexConvention::OnnxColumnMajor,
    IndexConvention::TensorFlow,
    IndexConvention::TensorFlowWithBatch,
];

fn max_pool<const R: usize>(draw: &mut impl Draw) -> MaxPool<R> {
    MaxPool {
        batch: batch(draw),
        channels: channels(draw),
        input_size: sizes(draw),
        kernel_size: kernel(draw),
        stride: steps(draw, 4),
        padding: padding(draw, 0),
        dilation: steps(draw, 3),
        ceil_mode: draw.once_in(2),
        indices: if draw.once_in(3) { None } else { Some(draw.pick(&CONVENTIONS)) },
    }
}

fn with_indices<const R: usize>(pool: MaxPool<R>) -> MaxPool<R> {
    MaxPool { indices: Some(pool.indices.unwrap_or_default()), ..pool }
}

fn avg_pool<const R: usize>(draw: &mut impl Draw) -> AvgPool<R> {
    let pool = max_pool::<R>(draw);
    AvgPool {
        batch: pool.batch,
        channels: pool.channels,
        input_size: pool.input_size,
        kernel_size: pool.kernel_size,
        stride: pool.stride,
        padding: pool.padding,
        dilation: pool.dilation,
        ceil_mode: pool.ceil_mode,
        count_include_pad: draw.once_in(2),
        divisor_override: draw.once_in(3).then_some(7),
    }
}

fn unfold<const R: usize>(draw: &mut impl Draw) -> Unfold<R> {
    let pool = max_pool::<R>(draw);
    Unfold {
        batch: pool.batch,
        channels: pool.channels,
        input_size: pool.input_size,
        kernel_size: pool.kernel_size,
        stride: pool.stride,
        padding: pool.padding,
        dilation: pool.dilation,
    }
}

fn lp_pool<const R: usize>(draw: &mut impl Draw) -> LpPool<R> {
    let pool = max_pool::<R>(draw);
    LpPool {
        batch: pool.batch,
        channels: pool.channels,
        input_size: pool.input_size,
        kernel_size: pool.kernel_size,
        stride: pool.stride,
        padding: pool.padding,
        dilation: pool.dilation,
        ceil_mode: pool.ceil_mode,
        p: draw.between(1, 5) as u32,
    }
}

fn global_average<const R: usize>(draw: &mut impl Draw) -> GlobalAveragePool<R> {
    GlobalAveragePool { batch: batch(draw), channels: channels(draw), input_size: sizes(draw) }
}

fn global_max<const R: usize>(draw: &mut impl Draw) -> GlobalMaxPool<R> {
    let indices = draw.once_in(2).then(Default::default);
    GlobalMaxPool { batch: batch(draw), channels: channels(draw), input_size: sizes(draw), indices }
}

fn global_lp<const R: usize>(draw: &mut impl Draw) -> GlobalLpPool<R> {
    let p = draw.between(1, 5) as u32;
    GlobalLpPool { batch: batch(draw), channels: channels(draw), input_size: sizes(draw), p }
}

fn unpool<const R: usize>(draw: &mut impl Draw) -> Option<upconv::MaxUnpool<R>> {
    let pool = with_indices(max_pool::<R>(draw));
    let unpool = pool.unpool().ok()?;
    let index_size = draw.once_in(3).then(|| sizes(draw));
    Some(upconv::MaxUnpool { index_size, ..unpool })
}

fn pixel_shuffle<const R: usize>(draw: &mut impl Draw) -> PixelShuffle<R> {
    PixelShuffle {
        batch: batch(draw),
        channels: channels(draw),
        size: sizes(draw),
        factor: axes(draw, 1, 3),
        order: draw.pick(&[ChannelOrder::ColumnRowDepth, ChannelOrder::DepthColumnRow]),
        direction: draw.pick(&[ShuffleDirection::ToSpace, ShuffleDirection::ToDepth]),
    }
}

fn bed_of_nails<const R: usize>(draw: &mut impl Draw) -> BedOfNails<R> {
    let stride = axes(draw, 1, 4);
    let (batch, channels, input_size) = (batch(draw), channels(draw), sizes(draw));
    BedOfNails { batch, channels, input_size, stride, position: stride.map(|stride| draw.below(stride)) }
}

/// A layout for each operand: its axes in any order, with gaps, at an offset. An input may repeat along an axis.
pub fn layouts(draw: &mut impl Draw, inputs: &[Operand], outputs: &[Operand]) -> PlanOptions {
    let mut options = PlanOptions::default();
    for (number, operand) in inputs.iter().chain(outputs).enumerate() {
        let layout = layout(draw, &operand.shape, number < inputs.len());
        let plain = draw.once_in(4) || operand.role == Role::Invalid;
        if let (Some(slot), false) = (options.layout_mut(operand.role), plain) {
            *slot = layout;
        }
    }
    options
}

fn layout(draw: &mut impl Draw, shape: &[usize], may_repeat: bool) -> Option<TensorLayout> {
    let offset = draw.below(10);
    match draw.below(4) {
        0 => return Some(TensorLayout::contiguous(shape).with_offset(offset)),
        1 if shape.len() > 2 => return Some(TensorLayout::channels_last(shape).with_offset(offset)),
        _ => {}
    }
    let mut open: Vec<usize> = (0..shape.len()).collect();
    let mut strides = vec![0; shape.len()];
    // The addresses that the axes so far reach past the first element.
    let mut reach = 0;
    while !open.is_empty() {
        let axis = open.swap_remove(draw.below(open.len()));
        if may_repeat && draw.once_in(24) {
            continue;
        }
        let gap = if draw.once_in(3) { draw.below(4) } else { 0 };
        strides[axis] = reach + 1 + gap;
        reach += strides[axis] * shape[axis].saturating_sub(1);
    }
    TensorLayout::new(shape, &strides, offset).ok()
}

/// Tensors for an op's inputs, of f32 and i32, with one number wherever a layout has one address.
pub fn tensors(random: &mut Random, inputs: &[Operand], options: &PlanOptions, data: Data) -> Vec<Tensor> {
    let mut layouts = options.clone();
    let of = |operand: &Operand| {
        let tensor = tensor(random, operand, data);
        match layouts.layout_mut(operand.role).and_then(Option::take) {
            Some(layout) => repeated(tensor, &layout),
            None => tensor,
        }
    };
    inputs.iter().map(of).collect()
}

/// Random numbers; or indices, most of which point to a sample.
fn tensor(random: &mut Random, operand: &Operand, data: Data) -> Tensor {
    if operand.data_type == DataType::Float {
        return Tensor::F32(random.tensor(&operand.shape, data));
    }
    let most = 1 + 3 * operand.shape.iter().skip(2).product::<usize>();
    Tensor::I32(ArrayD::from_shape_simple_fn(IxDyn(&operand.shape), || match random.below(24) {
        0 => i32::MIN,
        1 => i32::MAX,
        2 => -1 - random.below(50) as i32,
        _ => random.below(most) as i32,
    }))
}

/// The tensor with one number wherever the layout has one address.
fn repeated(tensor: Tensor, layout: &TensorLayout) -> Tensor {
    fn first<T: Copy>(tensor: &ArrayD<T>, strides: &[usize]) -> ArrayD<T> {
        ArrayD::from_shape_fn(IxDyn(tensor.shape()), |index| {
            let index: Vec<_> =
                (0..strides.len()).map(|axis| if strides[axis] == 0 { 0 } else { index[axis] }).collect();
            tensor[IxDyn(&index)]
        })
    }
    match tensor {
        Tensor::F32(tensor) => Tensor::F32(first(&tensor, layout.strides())),
        Tensor::I32(tensor) => Tensor::I32(first(&tensor, layout.strides())),
        other => other,
    }
}

/// Limits for [`Planner::limited_to`](upconv::Planner::limited_to): half the time none, else some low ones, with room
/// for a few hundred bytes in a binding.
pub fn limits(draw: &mut impl Draw) -> Limits {
    let mut limits = Limits::unlimited();
    if draw.once_in(2) {
        return limits;
    }
    if draw.once_in(2) {
        limits.max_storage_buffer_binding_size = (512 << draw.below(6)) + 4 * draw.below(64) as u64;
    }
    if draw.once_in(2) {
        limits.max_compute_workgroups_per_dimension = draw.between(1, 12) as u32;
    }
    if draw.once_in(4) {
        limits.max_compute_invocations_per_workgroup = draw.pick(&[1, 32, 64, 128]);
    }
    if draw.once_in(6) {
        limits.max_compute_workgroup_storage_size = draw.pick(&[1024, 4096, 8192]);
    }
    if draw.once_in(6) {
        limits.max_buffer_size = 1 << draw.between(14, 20);
    }
    if draw.once_in(4) {
        limits.min_storage_buffer_offset_alignment = draw.pick(&[512, 1024]);
    }
    limits
}
