//! Lp pooling and its gradient on the GPU.

use std::ops::Range;

use crate::dtype::FloatType;
use crate::error::Result;
use crate::geometry::Axis;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::constants::flag;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::kernel_parts::{KernelPart, kernel_parts};
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::pass::{Part, Pass};
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, recipes};
use crate::gpu::program::region::Region;
use crate::gpu::program::rounds::{MAX_ROUNDS, nested};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::split_k::{Epilogue, SplitK, with_f32_sums};
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, to_i32, uniform};
use crate::ops::op::Op;
use crate::ops::pool::lp_pool::{LpPool, LpPoolGrad};
use crate::ops::pool::windows::Windows;
use crate::tensor::layout::TensorLayout;

uniform! {
    /// One spatial axis of [`LpParams`], with the equation `sample = window * stride + tap * dilation - pad`; 48 bytes.
    LpAxis {
        count_in: i32, // samples of the pooling's input, or, in its gradient, windows
        kernel: i32,   // samples of a window
        stride: i32,   // of the equation
        dilation: i32, // of the equation
        pad: i32,      // of the equation
        x_stride: u32, // elements from one sample to the next, modulo 2^32
        g_stride: u32, // elements from one window's gradient to the next
        n_stride: u32, // elements from one window's norm to the next
        y_stride: u32, // elements from one element of y to the next
        first: u32,    // this dispatch's first index in y
        count: u32,    // indices of this dispatch
        unused: u32,   // fills the struct to a multiple of 16 bytes
    }
}

uniform! {
    /// `Params` of the Lp pooling, where y has the windows, and of its gradient, where y has the samples. Addresses and
    /// strides count elements, modulo 2³².
    LpParams {
        d: LpAxis,          // depth
        h: LpAxis,          // height
        w: LpAxis,          // width
        batch_count: u32,   // images of this dispatch
        first_channel: u32, // this dispatch's first channel
        channel_count: u32, // channels of this dispatch
        x_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
        x_batch: u32,       // from one image to the next
        x_channel: u32,     // from one channel to the next
        g_base: u32,        // address of channel 0, window 0 in this dispatch's first image
        g_batch: u32,       // from one image to the next
        g_channel: u32,     // from one channel to the next
        n_base: u32,        // the same address in the norms
        n_batch: u32,       // from one image to the next
        n_channel: u32,     // from one channel to the next
        y_base: u32,        // address of channel 0, element 0 in this dispatch's first image
        y_batch: u32,       // from one image to the next
        y_channel: u32,     // from one channel to the next
        power: i32,         // p
        row_threads: u32,   // threads in one row of workgroups: thread = id.y * row_threads + id.x
        accumulate: u32,    // 1: go on from what an earlier dispatch left, of another part of each window
        is_complete: u32,   // 1: no dispatch goes on from what this one leaves
    }
}

/// One thread per output element goes through its window.
pub(crate) static DIRECT: Shader = Shader {
    name: "pool_lp_direct",
    texts: Texts::Tensors(files!("pool/lp_direct.wgsl", "pool/shared/lp_params.wgsl", "pool/shared/norm.wgsl")),
    reads: 1,
    writes: 2,
    uniform: LpParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "is_split"],
};

/// One thread per sample of the pooling's input goes through the windows that hold it.
pub(crate) static GRAD: Shader = Shader {
    name: "pool_lp_grad_gather",
    texts: Texts::Tensors(files!(
        "pool/lp_grad_gather.wgsl",
        "pool/shared/lp_params.wgsl",
        "pool/shared/windows_of.wgsl",
        "pool/shared/norm.wgsl",
        "pool/shared/norm_grad.wgsl"
    )),
    reads: 3,
    writes: 1,
    overrides: &["workgroup_size"],
    ..DIRECT
};

impl<const R: usize> GpuOp for LpPool<R> {
    fn recipes(&self, capabilities: &Capabilities, _options: &PlanOptions) -> Vec<Recipe> {
        recipes(&[(&DIRECT).into()], capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let (_, recipe) = context.choose(Self::NAME, &[(&DIRECT).into()])?;
        let mut builder = ProgramBuilder::new(context, self, &recipe)?;
        let output = builder.output();
        add_norms(&mut builder, &self.windows()?, self.p, Some(output))?;
        builder.finish()
    }
}

/// The ways to run a gradient. With f16 storage, a sum of several dispatches needs partial sums in f32.
fn grad_candidates<const R: usize>(op: &LpPoolGrad<R>, storage: FloatType) -> Result<Vec<Candidate>> {
    let mut candidates = with_f32_sums(vec![(&GRAD).into()], storage);
    if storage == FloatType::F16 {
        let is_long = Direction::Gradient.rounds(op.forward().windows()?.axes3()) > MAX_ROUNDS;
        candidates.retain(|candidate| candidate.shape.split_k() || !is_long);
    }
    Ok(candidates)
}

impl<const R: usize> GpuOp for LpPoolGrad<R> {
    fn recipes(&self, capabilities: &Capabilities, options: &PlanOptions) -> Vec<Recipe> {
        let candidates = grad_candidates(self, options.storage).unwrap_or_default();
        recipes(&candidates, capabilities)
    }

    /// The windows' norms come first, in a workspace.
    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let (_, recipe) = context.choose(Self::NAME, &grad_candidates(self, context.options.storage)?)?;
        let mut builder = ProgramBuilder::new(context, self, &recipe)?;
        let split_k = SplitK::new(&mut builder, 1)?;
        let windows = self.forward().windows()?;
        let norms = add_norms(&mut builder, &windows, self.forward().p, None)?;
        let pass = LpPass {
            part: KernelPart::whole(windows.axes3()),
            power: self.forward().p,
            input: builder.operand(0),
            gradient: Some(builder.operand(1)),
            norms,
            output: split_k.target.clone(),
            direction: Direction::Gradient,
        };
        for part in pass.parts()? {
            builder.add_pass(&GRAD, [], &LpPass { part, ..pass.clone() })?;
        }
        split_k.add_sum(&mut builder, Epilogue::default())?;
        builder.finish()
    }
}

/// Adds the passes that compute the windows' norms, to the op's output, or, without one, as roots and exponents to the
/// workspace that is returned.
fn add_norms<const R: usize>(
    builder: &mut ProgramBuilder<'_>,
    windows: &Windows<R>,
    power: u32,
    output: Option<LaidOutTensor>,
) -> Result<LaidOutTensor> {
    let whole = KernelPart::whole(windows.axes3());
    let parts = kernel_parts(whole.axes, [1; 3], |axes| Direction::Forward.rounds(axes))?;
    let is_split = output.is_none();
    // The words that a shader does not touch fill its bindings.
    let norms = if is_split || parts.len() > 1 {
        pairs(builder, &windows.output_shape())?
    } else {
        builder.add_workspace(&[2])?
    };
    let output = output.map_or_else(|| builder.add_workspace(&[1]), Ok)?;
    let (input, direction) = (builder.operand(0), Direction::Forward);
    let pass = LpPass { part: whole, power, input, gradient: None, norms, output, direction };
    for part in parts {
        builder.add_pass(&DIRECT, [flag("is_split", is_split)], &LpPass { part, ..pass.clone() })?;
    }
    Ok(pass.norms)
}

/// A workspace of two numbers for each element of this shape, laid out as a tensor of every first of them.
fn pairs(builder: &mut ProgramBuilder<'_>, shape: &[usize]) -> Result<LaidOutTensor> {
    let workspace = builder.add_workspace(&[shape, &[2]].concat())?;
    let strides = &workspace.layout.strides()[..shape.len()];
    Ok(LaidOutTensor { layout: TensorLayout::new(shape, strides, 0)?, ..workspace })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Gradient,
}

impl Direction {
    /// The rounds of an invocation: samples of a window, or windows that hold a sample.
    fn rounds(self, axes: [Axis; 3]) -> u64 {
        nested(axes.map(|axis| match self {
            Self::Forward => axis.kernel.min(axis.wide.div_ceil(axis.dilation)),
            Self::Gradient => axis.narrow.min((axis.kernel - 1) * axis.dilation / axis.stride + 1),
        }))
    }
}

/// A problem with its tensors laid out.
#[derive(Clone)]
struct LpPass {
    /// The samples of a window, or a part of them.
    part: KernelPart,
    power: u32,
    input: LaidOutTensor,
    /// The gradient of the windows' norms.
    gradient: Option<LaidOutTensor>,
    /// A sum or a root for each window, followed by the exponent of its scale; or just two words.
    norms: LaidOutTensor,
    /// The windows' norms, or the samples' gradients; or just a word.
    output: LaidOutTensor,
    direction: Direction,
}

impl LpPass {
    /// The parts that large windows are cut into.
    fn parts(&self) -> Result<Vec<KernelPart>> {
        kernel_parts(self.part.axes, [1; 3], |axes| self.direction.rounds(axes))
    }

    /// The elements of a tensor that has one, or a pair, for each of these windows; of a tensor that only fills a
    /// binding, all.
    fn span_of(tensor: &LaidOutTensor, outer: &[Range<usize>; 2], windows: &[Range<usize>; 3]) -> Range<usize> {
        if Self::is_unused(tensor) {
            return 0..tensor.layout.len();
        }
        tensor.span(outer.clone(), windows.clone())
    }

    fn norms_span(&self, outer: &[Range<usize>; 2], windows: &[Range<usize>; 3]) -> Range<usize> {
        let span = Self::span_of(&self.norms, outer, windows);
        // The exponent lies behind the last one.
        if Self::is_unused(&self.norms) { span } else { span.start..span.end + 1 }
    }

    fn is_unused(tensor: &LaidOutTensor) -> bool {
        tensor.layout.shape().len() < 3
    }

    fn stride(tensor: &LaidOutTensor, axis: usize) -> u32 {
        if Self::is_unused(tensor) { 0 } else { tensor.stride(axis) }
    }

    fn spatial_stride(tensor: &LaidOutTensor, i: usize) -> u32 {
        if Self::is_unused(tensor) { 0 } else { tensor.spatial_stride(i) }
    }

    /// The numbers of gradient, norms and output among the storage bindings; without a gradient the first is that of
    /// the input.
    fn bindings(&self) -> [usize; 3] {
        if self.gradient.is_some() { [1, 2, 3] } else { [0, 1, 2] }
    }

    fn axis_params(&self, i: usize, outputs: &Range<usize>) -> LpAxis {
        let axis = &self.part.axes[i];
        let count_in = match self.direction {
            Direction::Forward => axis.wide,
            Direction::Gradient => axis.narrow,
        };
        LpAxis {
            count_in: to_i32(count_in),
            kernel: to_i32(axis.kernel),
            stride: to_i32(axis.stride),
            dilation: to_i32(axis.dilation),
            pad: to_i32(axis.pad),
            x_stride: self.input.spatial_stride(i),
            g_stride: self.gradient.as_ref().map_or(0, |gradient| gradient.spatial_stride(i)),
            n_stride: Self::spatial_stride(&self.norms, i),
            y_stride: Self::spatial_stride(&self.output, i),
            first: mod_2_32(outputs.start),
            count: mod_2_32(outputs.len()),
            unused: 0,
        }
    }
}

impl Pass for LpPass {
    type Uniform = LpParams;

    fn region(&self) -> Region {
        let shape = self.input.layout.shape();
        let spatial = self.part.axes.map(|axis| match self.direction {
            Direction::Forward => axis.narrow,
            Direction::Gradient => axis.wide,
        });
        Region::whole([shape[0], shape[1]], spatial, 1)
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        [Some(&self.input), self.gradient.as_ref(), Some(&self.norms), Some(&self.output)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let (outer, spatial) = (&region.outer, &region.spatial);
        let axes = &self.part.axes;
        let Some(gradient) = &self.gradient else {
            let samples = std::array::from_fn(|i| axes[i].wide_window(&spatial[i], &(0..axes[i].kernel)));
            let input = self.input.span(outer.clone(), samples);
            return vec![input, self.norms_span(outer, spatial), Self::span_of(&self.output, outer, spatial)];
        };
        let windows: [_; 3] = std::array::from_fn(|i| axes[i].narrow_window(&spatial[i]));
        vec![
            self.input.span(outer.clone(), spatial.clone()),
            gradient.span(outer.clone(), windows.clone()),
            self.norms_span(outer, &windows),
            self.output.span(outer.clone(), spatial.clone()),
        ]
    }

    fn rounds(&self, _: &Region) -> u64 {
        self.direction.rounds(self.part.axes)
    }

    fn uniform(&self, part: &Part) -> LpParams {
        let [batch, channels] = &part.region.outer;
        let [of_gradient, of_norms, of_output] = self.bindings();
        let base = |tensor: &LaidOutTensor, binding: usize| {
            if Self::is_unused(tensor) { 0 } else { tensor.address(&[batch.start], &part.bytes[binding]) }
        };
        let [d, h, w] = std::array::from_fn(|i| self.axis_params(i, &part.region.spatial[i]));
        let gradient = self.gradient.as_ref();
        LpParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            x_base: base(&self.input, 0),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            g_base: gradient.map_or(0, |gradient| base(gradient, of_gradient)),
            g_batch: gradient.map_or(0, |gradient| gradient.stride(0)),
            g_channel: gradient.map_or(0, |gradient| gradient.stride(1)),
            n_base: base(&self.norms, of_norms),
            n_batch: Self::stride(&self.norms, 0),
            n_channel: Self::stride(&self.norms, 1),
            y_base: base(&self.output, of_output),
            y_batch: Self::stride(&self.output, 0),
            y_channel: Self::stride(&self.output, 1),
            power: to_i32(self.power),
            row_threads: part.row,
            accumulate: u32::from(!self.part.is_first),
            is_complete: u32::from(self.part.is_last),
        }
    }
}
