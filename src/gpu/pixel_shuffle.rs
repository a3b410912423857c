//! Pixel shuffle and its inverse on the GPU.

use std::ops::Range;

use crate::error::Result;
use crate::geometry::pad_to_three_axes;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::constants::flag;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::pass::{Part, Pass};
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Capabilities, Recipe, recipes};
use crate::gpu::program::region::Region;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, uniform};
use crate::ops::op::Op;
use crate::ops::pixel_shuffle::{ChannelOrder, PixelShuffle, ShuffleDirection};

uniform! {
    /// One spatial axis of [`ShuffleParams`]; 32 bytes.
    ShuffleAxis {
        first: u32,           // this dispatch's first index on the spacious side
        count: u32,           // indices of this dispatch
        factor: u32,          // samples of a block
        spacious_stride: u32, // elements from one spacious sample to the next, modulo 2^32
        deep_stride: u32,     // elements from one deep sample to the next
        unused_0: u32,        // fills the struct to a multiple of 16 bytes
        unused_1: u32,
        unused_2: u32,
    }
}

uniform! {
    /// `Params` of the pixel shuffle's shader. Addresses and strides count elements, modulo 2³².
    ShuffleParams {
        d: ShuffleAxis,        // depth
        h: ShuffleAxis,        // height
        w: ShuffleAxis,        // width
        batch_count: u32,      // images of this dispatch
        first_channel: u32,    // this dispatch's first channel of the spacious side
        channel_count: u32,    // channels of the spacious side in this dispatch
        spacious_base: u32,    // address of channel 0, sample 0 in this dispatch's first image
        spacious_batch: u32,   // from one image to the next
        spacious_channel: u32, // from one channel to the next
        deep_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
        deep_batch: u32,       // from one image to the next
        deep_channel: u32,     // from the first deep channel of a spacious channel to that of the next
        deep_phase: u32,       // from the deep channel of one phase to that of the next
        row_threads: u32,      // threads in one row of workgroups: thread = id.y * row_threads + id.x
    }
}

/// One thread per sample copies it.
pub(crate) static COPY: Shader = Shader {
    name: "pixel_shuffle_copy",
    texts: Texts::Copied(files!("pixel_shuffle_copy.wgsl")),
    reads: 1,
    writes: 1,
    uniform: ShuffleParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "to_depth"],
};

impl<const R: usize> GpuOp for PixelShuffle<R> {
    fn recipes(&self, capabilities: &Capabilities, _options: &PlanOptions) -> Vec<Recipe> {
        recipes(&[(&COPY).into()], capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let (_, recipe) = context.choose(Self::NAME, &[(&COPY).into()])?;
        let mut builder = ProgramBuilder::new(context, self, &recipe)?;
        let pass = Shuffle::new(self, builder.operand(0), builder.output());
        builder.add_pass(&COPY, [flag("to_depth", pass.to_depth)], &pass)?;
        builder.finish()
    }
}

/// A problem with its tensors laid out.
struct Shuffle {
    to_depth: bool,
    outer: [usize; 2],
    factors: [usize; 3],
    /// Samples of the spacious side on each axis.
    sizes: [usize; 3],
    block: usize,
    /// Deep channels from one spacious channel to the next, and from one phase to the next.
    steps: [usize; 2],
    spacious: LaidOutTensor,
    deep: LaidOutTensor,
}

impl Shuffle {
    fn new<const R: usize>(op: &PixelShuffle<R>, input: LaidOutTensor, output: LaidOutTensor) -> Self {
        let to_depth = op.direction == ShuffleDirection::ToDepth;
        let [factors, size] = [&op.factor, &op.size].map(|values| pad_to_three_axes(1, values));
        let [spacious, deep] = if to_depth { [input, output] } else { [output, input] };
        let block = op.block();
        Self {
            to_depth,
            outer: [op.batch, op.channels],
            factors,
            sizes: std::array::from_fn(|axis| size[axis] * factors[axis]),
            block,
            steps: match op.order {
                ChannelOrder::ColumnRowDepth => [block, 1],
                ChannelOrder::DepthColumnRow => [1, op.channels],
            },
            spacious,
            deep,
        }
    }
}

impl Pass for Shuffle {
    type Uniform = ShuffleParams;

    /// The elements of the spacious side.
    fn region(&self) -> Region {
        Region::whole(self.outer, self.sizes, 1)
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        if self.to_depth { vec![&self.spacious, &self.deep] } else { vec![&self.deep, &self.spacious] }
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let [batch, channels] = &region.outer;
        let [channel, phase] = self.steps;
        let deepest = (channels.end - 1) * channel + (self.block - 1) * phase + 1;
        let places = std::array::from_fn(|i| {
            let range = &region.spatial[i];
            range.start / self.factors[i]..(range.end - 1) / self.factors[i] + 1
        });
        let spacious = self.spacious.span(region.outer.clone(), region.spatial.clone());
        let deep = self.deep.span([batch.clone(), channels.start * channel..deepest], places);
        if self.to_depth { vec![spacious, deep] } else { vec![deep, spacious] }
    }

    /// The shader has no loops.
    fn rounds(&self, _: &Region) -> u64 {
        0
    }

    fn uniform(&self, part: &Part) -> ShuffleParams {
        let [batch, channels] = &part.region.outer;
        let [d, h, w] = std::array::from_fn(|i| ShuffleAxis {
            first: mod_2_32(part.region.spatial[i].start),
            count: mod_2_32(part.region.spatial[i].len()),
            factor: mod_2_32(self.factors[i]),
            spacious_stride: self.spacious.spatial_stride(i),
            deep_stride: self.deep.spatial_stride(i),
            ..Default::default()
        });
        let [spacious, deep] = if self.to_depth { [0, 1] } else { [1, 0] };
        let [deep_channel, deep_phase] = self.steps.map(|step| mod_2_32(step).wrapping_mul(self.deep.stride(1)));
        ShuffleParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            spacious_base: self.spacious.address(&[batch.start], &part.bytes[spacious]),
            spacious_batch: self.spacious.stride(0),
            spacious_channel: self.spacious.stride(1),
            deep_base: self.deep.address(&[batch.start], &part.bytes[deep]),
            deep_batch: self.deep.stride(0),
            deep_channel,
            deep_phase,
            row_threads: part.row,
        }
    }
}
