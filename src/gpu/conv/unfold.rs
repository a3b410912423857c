//! Unfold (im2col) on the GPU.

use std::ops::Range;

use crate::error::Result;
use crate::geometry::Axis;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::pass::{Part, Pass};
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Capabilities, Recipe, recipes};
use crate::gpu::program::region::{Region, flat_box};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, to_i32, uniform};
use crate::ops::conv::fold::{Columns, Unfold};
use crate::ops::op::Op;

uniform! {
    /// One spatial axis of [`UnfoldParams`], with the equation `sample = block * stride + tap * dilation - pad`; 48
    /// bytes.
    UnfoldAxis {
        size: i32,     // samples of the input
        stride: i32,   // of the equation
        dilation: i32, // of the equation
        pad: i32,      // of the equation; may be negative: cropping
        kernel: u32,   // samples of a block
        x_stride: u32, // elements from one sample to the next, modulo 2^32
        y_stride: u32, // elements from one block to the next
        first: u32,    // this dispatch's first block
        count: u32,    // blocks of this dispatch
        unused_0: u32, // fills the struct to a multiple of 16 bytes
        unused_1: u32,
        unused_2: u32,
    }
}

uniform! {
    /// `Params` of the unfold's shader. Addresses and strides count elements, modulo 2³².
    UnfoldParams {
        d: UnfoldAxis,      // depth
        h: UnfoldAxis,      // height
        w: UnfoldAxis,      // width
        batch_count: u32,   // images of this dispatch
        first_channel: u32, // this dispatch's first channel of the columns
        channel_count: u32, // channels of the columns in this dispatch
        x_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
        x_batch: u32,       // from one image to the next
        x_channel: u32,     // from one channel to the next
        y_base: u32,        // address of channel 0, block 0 in this dispatch's first image
        y_batch: u32,       // from one image to the next
        y_channel: u32,     // from one channel to the next
        row_threads: u32,   // threads in one row of workgroups: thread = id.y * row_threads + id.x
    }
}

/// One thread per element of the columns copies a sample.
pub(crate) static COPY: Shader = Shader {
    name: "conv_unfold_copy",
    texts: Texts::Copied(files!("conv/unfold_copy.wgsl")),
    reads: 1,
    writes: 1,
    uniform: UnfoldParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size"],
};

impl<const R: usize> GpuOp for Unfold<R> {
    fn recipes(&self, capabilities: &Capabilities, _options: &PlanOptions) -> Vec<Recipe> {
        recipes(&[(&COPY).into()], capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let (_, recipe) = context.choose(Self::NAME, &[(&COPY).into()])?;
        let mut builder = ProgramBuilder::new(context, self, &recipe)?;
        let Columns { batch, channels, .. } = self.columns()?;
        let axes = self.columns()?.axes3();
        let (input, output) = (builder.operand(0), builder.output());
        builder.add_pass(&COPY, [], &UnfoldPass { batch, channels, axes, input, output })?;
        builder.finish()
    }
}

/// A problem with its tensors laid out.
struct UnfoldPass {
    batch: usize,
    channels: usize,
    axes: [Axis; 3],
    input: LaidOutTensor,
    output: LaidOutTensor,
}

impl UnfoldPass {
    /// The input's channels and the kernel's taps on each axis, which together make a channel of the columns.
    fn sizes(&self) -> [usize; 4] {
        let [d, h, w] = self.axes.map(|axis| axis.kernel);
        [self.channels, d, h, w]
    }
}

/// The smallest range of the numbers of blocks, which count row-major, that holds a box of blocks.
pub(super) fn flat_blocks(axes: &[Axis; 3], blocks: &[Range<usize>; 3]) -> Range<usize> {
    let flat = |pick: fn(&Range<usize>) -> usize| {
        axes.iter().zip(blocks).fold(0, |flat, (axis, range)| flat * axis.narrow + pick(range))
    };
    flat(|range| range.start)..flat(|range| range.end - 1) + 1
}

/// Elements from one block to the next on each axis, modulo 2³²; `stride` is that of the columns' last axis.
pub(super) fn block_strides(axes: &[Axis; 3], stride: u32) -> [u32; 3] {
    let [_, h, w] = axes.map(|axis| mod_2_32(axis.narrow));
    [stride.wrapping_mul(w).wrapping_mul(h), stride.wrapping_mul(w), stride]
}

impl Pass for UnfoldPass {
    type Uniform = UnfoldParams;

    /// The channels of the columns, and the blocks on each axis.
    fn region(&self) -> Region {
        let channels = self.sizes().iter().product();
        Region::whole([self.batch, channels], self.axes.map(|axis| axis.narrow), 1)
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![&self.input, &self.output]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let [batch, channels] = &region.outer;
        let [input_channels, taps @ ..] = flat_box(self.sizes(), channels);
        let samples = std::array::from_fn(|i| self.axes[i].wide_window(&region.spatial[i], &taps[i]));
        let input = self.input.span([batch.clone(), input_channels], samples);
        let blocks = flat_blocks(&self.axes, &region.spatial);
        vec![input, self.output.layout.span(&[batch.clone(), channels.clone(), blocks])]
    }

    /// The shader has no loops.
    fn rounds(&self, _: &Region) -> u64 {
        0
    }

    fn uniform(&self, part: &Part) -> UnfoldParams {
        let [batch, channels] = &part.region.outer;
        let y_strides = block_strides(&self.axes, self.output.stride(2));
        let [d, h, w] = std::array::from_fn(|i| {
            let axis = &self.axes[i];
            UnfoldAxis {
                size: to_i32(axis.wide),
                stride: to_i32(axis.stride),
                dilation: to_i32(axis.dilation),
                pad: to_i32(axis.pad),
                kernel: mod_2_32(axis.kernel),
                x_stride: self.input.spatial_stride(i),
                y_stride: y_strides[i],
                first: mod_2_32(part.region.spatial[i].start),
                count: mod_2_32(part.region.spatial[i].len()),
                ..Default::default()
            }
        });
        UnfoldParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            x_base: self.input.address(&[batch.start], &part.bytes[0]),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            y_base: self.output.address(&[batch.start], &part.bytes[1]),
            y_batch: self.output.stride(0),
            y_channel: self.output.stride(1),
            row_threads: part.row,
        }
    }
}
