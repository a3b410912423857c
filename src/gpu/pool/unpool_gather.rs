//! Max unpooling, the second step: every place takes the sample that its mark names.

use std::ops::Range;

use super::unpool::Unpool;
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::pass::{Part, Pass};
use crate::gpu::program::region::{Region, flat_box};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, uniform};

uniform! {
    /// One spatial axis of [`UnpoolParams`]; 32 bytes.
    UnpoolAxis {
        first: u32,    // this dispatch's first output index
        count: u32,    // output indices of this dispatch
        size: u32,     // samples of the input
        x_stride: u32, // elements from one input sample to the next, modulo 2^32
        m_stride: u32, // elements from one mark to the next
        y_stride: u32, // elements from one output to the next
        unused_0: u32, // fills the struct to a multiple of 16 bytes
        unused_1: u32,
    }
}

uniform! {
    /// `Params` of the max unpooling's second step: x is the input, y the output. Addresses and strides count elements,
    /// modulo 2³².
    UnpoolParams {
        d: UnpoolAxis,      // depth
        h: UnpoolAxis,      // height
        w: UnpoolAxis,      // width
        batch_count: u32,   // images of this dispatch
        first_channel: u32, // this dispatch's first channel
        channel_count: u32, // channels of this dispatch
        first_sample: u32,  // in each input plane, the first sample that this dispatch may copy, counted row-major
        count_samples: u32, // samples of each plane that this dispatch may copy
        accumulate: u32,    // 1: an output whose sample is not among them keeps its value; 0: it becomes 0
        x_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
        x_batch: u32,       // from one image to the next
        x_channel: u32,     // from one channel to the next
        m_base: u32,        // address of channel 0, mark 0 in this dispatch's first image
        m_batch: u32,       // from one image to the next
        m_channel: u32,     // from one channel to the next
        y_base: u32,        // address of channel 0, output 0 in this dispatch's first image
        y_batch: u32,       // from one image to the next
        y_channel: u32,     // from one channel to the next
        row_threads: u32,   // threads in one row of workgroups: thread = id.y * row_threads + id.x
    }
}

/// One thread per output element copies the sample that its mark names.
pub(crate) static GATHER: Shader = Shader {
    name: "pool_unpool_gather",
    texts: Texts::Copied(files!("pool/unpool_gather.wgsl")),
    reads: 2,
    writes: 1,
    uniform: UnpoolParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size"],
};

/// The second step with its tensors.
pub(crate) struct UnpoolGather<'a> {
    pub(crate) unpool: &'a Unpool,
    pub(crate) input: &'a LaidOutTensor,
    pub(crate) marks: &'a LaidOutTensor,
    pub(crate) output: &'a LaidOutTensor,
}

impl Pass for UnpoolGather<'_> {
    type Uniform = UnpoolParams;

    /// The places of the output. The reduction is the samples of the input's plane: a part copies only the samples in
    /// its range.
    fn region(&self) -> Region {
        Region::whole(self.unpool.outer, self.unpool.output, self.unpool.input.iter().product())
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![self.input, self.marks, self.output]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let (outer, places) = (&region.outer, &region.spatial);
        let samples = flat_box(self.unpool.input, &region.reduction);
        vec![
            self.input.span(outer.clone(), samples),
            self.marks.span(outer.clone(), places.clone()),
            self.output.span(outer.clone(), places.clone()),
        ]
    }

    fn sums(&self) -> bool {
        false
    }

    /// The shader has no loops.
    fn rounds(&self, _: &Region) -> u64 {
        0
    }

    fn uniform(&self, part: &Part) -> UnpoolParams {
        let ([batch, channels], samples) = (&part.region.outer, &part.region.reduction);
        let base = |tensor: &LaidOutTensor, binding: usize| tensor.address(&[batch.start], &part.bytes[binding]);
        let [d, h, w] = std::array::from_fn(|i| UnpoolAxis {
            first: mod_2_32(part.region.spatial[i].start),
            count: mod_2_32(part.region.spatial[i].len()),
            size: mod_2_32(self.unpool.input[i]),
            x_stride: self.input.spatial_stride(i),
            m_stride: self.marks.spatial_stride(i),
            y_stride: self.output.spatial_stride(i),
            ..Default::default()
        });
        UnpoolParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            first_sample: mod_2_32(samples.start),
            count_samples: mod_2_32(samples.len()),
            accumulate: u32::from(samples.start > 0),
            x_base: base(self.input, 0),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            m_base: base(self.marks, 1),
            m_batch: self.marks.stride(0),
            m_channel: self.marks.stride(1),
            y_base: base(self.output, 2),
            y_batch: self.output.stride(0),
            y_channel: self.output.stride(1),
            row_threads: part.row,
        }
    }
}
