//! Max unpooling, the first step: every index marks its place with the number of its sample.

use std::ops::Range;

use super::unpool::Unpool;
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::pass::{Part, Pass};
use crate::gpu::program::region::Region;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, uniform};

uniform! {
    /// One spatial axis of [`MarkParams`]; 32 bytes.
    MarkAxis {
        first: u32,    // this dispatch's first input sample
        count: u32,    // input samples of this dispatch
        size: u32,     // samples of the input
        index: u32,    // samples of the planes that indices count in
        output: u32,   // samples of the output
        i_stride: u32, // elements from one index to the next, modulo 2^32
        unused_0: u32, // fills the struct to a multiple of 16 bytes
        unused_1: u32,
    }
}

uniform! {
    /// `Params` of the max unpooling's first step. Addresses and strides count elements, modulo 2³².
    MarkParams {
        d: MarkAxis,         // depth
        h: MarkAxis,         // height
        w: MarkAxis,         // width
        batch_count: u32,    // images of this dispatch
        first_batch: u32,    // this dispatch's first image in the whole batch
        first_channel: u32,  // this dispatch's first channel
        channel_count: u32,  // channels of this dispatch
        channels: u32,       // channels of the whole tensor
        i_base: u32,         // address of channel 0, index 0 in this dispatch's first image
        i_batch: u32,        // from one image to the next
        i_channel: u32,      // from one channel to the next
        number_batch: u32,   // what an index grows by from one image to the next; 0 if it does not count images
        number_channel: u32, // what an index grows by from one channel to the next
        unit: u32,           // what an index grows by from one place of a plane to the next
        first_place: u32,    // in each output plane, this dispatch's first place, counted row-major
        count_places: u32,   // places of each plane that this dispatch marks
        marks_base: u32,     // address of the mark of place 0 in image 0, channel 0
        invalid_base: u32,   // address of the count of invalid indices
        row_threads: u32,    // threads in one row of workgroups: thread = id.y * row_threads + id.x
    }
}

/// One thread per index marks its place.
pub(crate) static MARK: Shader = Shader {
    name: "pool_unpool_mark",
    texts: Texts::Single(files!("pool/unpool_mark.wgsl", "pool/shared/unpool_place.wgsl")),
    reads: 1,
    writes: 2,
    uniform: MarkParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "columns_first"],
};

/// The first step with its tensors.
pub(crate) struct UnpoolMark<'a> {
    pub(crate) unpool: &'a Unpool,
    pub(crate) indices: &'a LaidOutTensor,
    pub(crate) marks: &'a LaidOutTensor,
    pub(crate) invalid: &'a LaidOutTensor,
}

impl Pass for UnpoolMark<'_> {
    type Uniform = MarkParams;

    /// The samples of the input. The reduction is the places of the output's plane: a part marks only the places in its
    /// range.
    fn region(&self) -> Region {
        Region::whole(self.unpool.outer, self.unpool.input, self.unpool.output.iter().product())
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![self.indices, self.marks, self.invalid]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let [batch, channels] = &region.outer;
        let (planes, places): (_, usize) = (self.unpool.outer[1], self.unpool.output.iter().product());
        // The marks of the region's places, from its first plane to its last. Planes lie one after the other.
        let first = batch.start * planes + channels.start;
        let last = (batch.end - 1) * planes + channels.end - 1;
        let marks = first * places + region.reduction.start..last * places + region.reduction.end;
        let count = self.invalid.layout.offset();
        vec![self.indices.span(region.outer.clone(), region.spatial.clone()), marks, count..count + 1]
    }

    /// The shader has no loops.
    fn rounds(&self, _: &Region) -> u64 {
        0
    }

    fn uniform(&self, part: &Part) -> MarkParams {
        let (Unpool { numbering, outer, input, output, .. }, region) = (self.unpool, &part.region);
        let [batch, channels] = &region.outer;
        let [d, h, w] = std::array::from_fn(|i| MarkAxis {
            first: mod_2_32(region.spatial[i].start),
            count: mod_2_32(region.spatial[i].len()),
            size: mod_2_32(input[i]),
            index: mod_2_32(numbering.sizes[i]),
            output: mod_2_32(output[i]),
            i_stride: self.indices.spatial_stride(i),
            ..Default::default()
        });
        MarkParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            first_batch: mod_2_32(batch.start),
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            channels: mod_2_32(outer[1]),
            i_base: self.indices.address(&[batch.start], &part.bytes[0]),
            i_batch: self.indices.stride(0),
            i_channel: self.indices.stride(1),
            number_batch: mod_2_32(numbering.batch),
            number_channel: mod_2_32(numbering.channel),
            unit: mod_2_32(numbering.unit),
            first_place: mod_2_32(region.reduction.start),
            count_places: mod_2_32(region.reduction.len()),
            marks_base: self.marks.address(&[], &part.bytes[1]),
            invalid_base: self.invalid.address(&[], &part.bytes[2]),
            row_threads: part.row,
        }
    }
}
