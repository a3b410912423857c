//! Max pooling and its gradient on the GPU.

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
use crate::ops::pool::indices::Numbering;
use crate::ops::pool::max_pool::{MaxPool, MaxPoolGrad};
use crate::tensor::operand::Role;

uniform! {
    /// One spatial axis of [`PoolParams`], with the equation `sample = window * stride + tap * dilation - pad`; 48
    /// bytes.
    PoolAxisParams {
        count_in: i32, // positions on this axis of x: input samples, or windows in the gradient
        kernel: i32,   // samples of a window
        stride: i32,   // of the equation
        dilation: i32, // of the equation
        pad: i32,      // of the equation
        x_stride: u32, // elements from one sample of x to the next, modulo 2^32
        y_stride: u32, // elements from one sample of y to the next
        i_stride: u32, // elements from one window's index to the next
        number: u32,   // what a stored index grows by from one input sample to the next
        first: u32,    // this dispatch's first position in y
        count: u32,    // positions of this dispatch
        unused: u32,   // fills the struct to a multiple of 16 bytes
    }
}

uniform! {
    /// `Params` of the max pooling, where x is the input and y the output, and of its gradient, where x has the
    /// windows' gradients and y the samples'. Addresses and strides count elements, modulo 2³².
    PoolParams {
        d: PoolAxisParams,   // depth
        h: PoolAxisParams,   // height
        w: PoolAxisParams,   // width
        batch_count: u32,    // images of this dispatch
        first_batch: u32,    // this dispatch's first image in the whole batch
        first_channel: u32,  // this dispatch's first channel
        channel_count: u32,  // channels of this dispatch
        x_base: u32,         // address of channel 0, sample 0 in this dispatch's first image
        x_batch: u32,        // from one image to the next
        x_channel: u32,      // from one channel to the next
        y_base: u32,         // address of channel 0, sample 0 in this dispatch's first image
        y_batch: u32,        // from one image to the next
        y_channel: u32,      // from one channel to the next
        i_base: u32,         // address of channel 0, window 0 in this dispatch's first image
        i_batch: u32,        // from one image to the next
        i_channel: u32,      // from one channel to the next
        number_batch: u32,   // what a stored index grows by from one image to the next; 0 if it does not count images
        number_channel: u32, // what a stored index grows by from one channel to the next
        row_threads: u32,    // threads in one row of workgroups: thread = id.y * row_threads + id.x
        accumulate: u32,     // 1: go on from what an earlier dispatch left in y and in the indices
    }
}

/// One thread per output element looks through its window.
pub(crate) static DIRECT: Shader = Shader {
    name: "pool_max_direct",
    texts: Texts::Copied(files!("pool/max_direct.wgsl", "pool/shared/rank.wgsl")),
    reads: 1,
    writes: 2,
    uniform: PoolParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "has_indices", "last_nan"],
};

/// One thread per sample of the pooling's input adds the gradients of the windows that chose it.
pub(crate) static GRAD: Shader = Shader {
    name: "pool_max_grad_gather",
    texts: Texts::Tensors(files!("pool/max_grad_gather.wgsl", "pool/shared/windows_of.wgsl")),
    reads: 2,
    writes: 1,
    overrides: &["workgroup_size"],
    ..DIRECT
};

impl<const R: usize> GpuOp for MaxPool<R> {
    fn recipes(&self, capabilities: &Capabilities, _options: &PlanOptions) -> Vec<Recipe> {
        recipes(&[(&DIRECT).into()], capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let (_, recipe) = context.choose(Self::NAME, &[(&DIRECT).into()])?;
        let mut builder = ProgramBuilder::new(context, self, &recipe)?;
        let windows = self.windows()?;
        let numbering = self.indices.unwrap_or_default().numbering(&windows.input_shape());
        let indices = builder.operand_as(Role::Indices);
        let has_indices = indices.is_some();
        let pass = MaxPoolPass {
            part: KernelPart::whole(windows.axes3()),
            // Without indices nothing is numbered, and more samples than an i32 counts are allowed.
            numbering: if has_indices { numbering? } else { Numbering::NONE },
            input: builder.operand(0),
            output: builder.output(),
            // Without indices, a word that the shader neither reads nor writes fills their binding.
            indices: indices.map_or_else(|| builder.add_integers(&[1]), Ok)?,
            direction: Direction::Forward,
        };
        for part in pass.parts()? {
            let constants = [flag("has_indices", has_indices), flag("last_nan", self.last_nan())];
            builder.add_pass(&DIRECT, constants, &MaxPoolPass { part, ..pass.clone() })?;
        }
        builder.finish()
    }
}

/// The ways to run a gradient. With f16 storage, a sum of several dispatches needs partial sums in f32.
fn grad_candidates<const R: usize>(op: &MaxPoolGrad<R>, storage: FloatType) -> Result<Vec<Candidate>> {
    let mut candidates = with_f32_sums(vec![(&GRAD).into()], storage);
    if storage == FloatType::F16 {
        let (windows, _) = op.windows()?;
        let is_long = Direction::Gradient.rounds(windows.axes3()) > MAX_ROUNDS;
        candidates.retain(|candidate| candidate.shape.split_k() || !is_long);
    }
    Ok(candidates)
}

impl<const R: usize> GpuOp for MaxPoolGrad<R> {
    fn recipes(&self, capabilities: &Capabilities, options: &PlanOptions) -> Vec<Recipe> {
        let candidates = grad_candidates(self, options.storage).unwrap_or_default();
        recipes(&candidates, capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let (_, recipe) = context.choose(Self::NAME, &grad_candidates(self, context.options.storage)?)?;
        let mut builder = ProgramBuilder::new(context, self, &recipe)?;
        let split_k = SplitK::new(&mut builder, 1)?;
        let (windows, numbering) = self.windows()?;
        let pass = MaxPoolPass {
            part: KernelPart::whole(windows.axes3()),
            numbering,
            input: builder.operand(0),
            indices: builder.operand(1),
            output: split_k.target.clone(),
            direction: Direction::Gradient,
        };
        for part in pass.parts()? {
            builder.add_pass(&GRAD, [], &MaxPoolPass { part, ..pass.clone() })?;
        }
        split_k.add_sum(&mut builder, Epilogue::default())?;
        builder.finish()
    }
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
struct MaxPoolPass {
    /// The samples of a window, or a part of them.
    part: KernelPart,
    numbering: Numbering,
    input: LaidOutTensor,
    output: LaidOutTensor,
    indices: LaidOutTensor,
    direction: Direction,
}

impl MaxPoolPass {
    /// The parts that large windows are cut into. The first of equal maxima is in the first part that has one.
    fn parts(&self) -> Result<Vec<KernelPart>> {
        kernel_parts(self.part.axes, [1; 3], |axes| self.direction.rounds(axes))
    }

    /// Whether there are indices, and not just a word that fills their binding.
    fn has_indices(&self) -> bool {
        self.indices.role.is_some()
    }

    /// The numbers of input, output and indices among the storage bindings.
    fn bindings(&self) -> [usize; 3] {
        match self.direction {
            Direction::Forward => [0, 1, 2],
            Direction::Gradient => [0, 2, 1],
        }
    }

    fn axis_params(&self, i: usize, outputs: &Range<usize>) -> PoolAxisParams {
        let axis = &self.part.axes[i];
        let count_in = match self.direction {
            Direction::Forward => axis.wide,
            Direction::Gradient => axis.narrow,
        };
        PoolAxisParams {
            count_in: to_i32(count_in),
            kernel: to_i32(axis.kernel),
            stride: to_i32(axis.stride),
            dilation: to_i32(axis.dilation),
            pad: to_i32(axis.pad),
            x_stride: self.input.spatial_stride(i),
            y_stride: self.output.spatial_stride(i),
            i_stride: if self.has_indices() { self.indices.spatial_stride(i) } else { 0 },
            number: mod_2_32(self.numbering.axes[i]),
            first: mod_2_32(outputs.start),
            count: mod_2_32(outputs.len()),
            unused: 0,
        }
    }
}

impl Pass for MaxPoolPass {
    type Uniform = PoolParams;

    fn region(&self) -> Region {
        let shape = self.input.layout.shape();
        let spatial = self.part.axes.map(|axis| match self.direction {
            Direction::Forward => axis.narrow,
            Direction::Gradient => axis.wide,
        });
        Region::whole([shape[0], shape[1]], spatial, 1)
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        match self.direction {
            Direction::Forward => vec![&self.input, &self.output, &self.indices],
            Direction::Gradient => vec![&self.input, &self.indices, &self.output],
        }
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let (outer, spatial) = (&region.outer, &region.spatial);
        let source = std::array::from_fn(|i| match self.direction {
            Direction::Forward => self.part.axes[i].wide_window(&spatial[i], &(0..self.part.axes[i].kernel)),
            Direction::Gradient => self.part.axes[i].narrow_window(&spatial[i]),
        });
        let input = self.input.span(outer.clone(), source.clone());
        let output = self.output.span(outer.clone(), spatial.clone());
        match self.direction {
            Direction::Forward if self.has_indices() => {
                vec![input, output, self.indices.span(outer.clone(), spatial.clone())]
            }
            Direction::Forward => vec![input, output, 0..1],
            Direction::Gradient => vec![input, self.indices.span(outer.clone(), source), output],
        }
    }

    fn rounds(&self, _: &Region) -> u64 {
        self.direction.rounds(self.part.axes)
    }

    fn uniform(&self, part: &Part) -> PoolParams {
        let [batch, channels] = &part.region.outer;
        let [input, output, indices] = self.bindings();
        let base = |tensor: &LaidOutTensor, binding: usize| tensor.address(&[batch.start], &part.bytes[binding]);
        let [d, h, w] = std::array::from_fn(|i| self.axis_params(i, &part.region.spatial[i]));
        let index = |value: u32| if self.has_indices() { value } else { 0 };
        let index_stride = |axis: usize| self.indices.layout.strides().get(axis).map_or(0, |&stride| mod_2_32(stride));
        PoolParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            first_batch: mod_2_32(batch.start),
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            x_base: base(&self.input, input),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            y_base: base(&self.output, output),
            y_batch: self.output.stride(0),
            y_channel: self.output.stride(1),
            i_base: index(base(&self.indices, indices)),
            i_batch: index(index_stride(0)),
            i_channel: index(index_stride(1)),
            number_batch: mod_2_32(self.numbering.batch),
            number_channel: mod_2_32(self.numbering.channel),
            row_threads: part.row,
            accumulate: u32::from(!self.part.is_first),
        }
    }
}
