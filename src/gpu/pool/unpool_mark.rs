//! Max unpooling, the first step: every index marks its place with the number of its sample.

use std::ops::Range;

use super::unpool::Unpool;
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::pass::{Part, Pass};
use crate::gpu::program::region::Region;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::single;
use crate::gpu::program::uniform::{mod_2_32, uniform};

uniform! {
    /// One axis of [`MarkParams`]; 32 bytes.
    MarkAxis {
        first: u32,
        count: u32,
        size: u32,
        index: u32,
        output: u32,
        i_stride: u32,
        unused_0: u32,
        unused_1: u32,
    }
}

uniform! {
    /// `Params` of the max unpooling's first step.
    MarkParams {
        d: MarkAxis,
        h: MarkAxis,
        w: MarkAxis,
        batch_count: u32,
        first_batch: u32,
        first_channel: u32,
        channel_count: u32,
        channels: u32,
        i_base: u32,
        i_batch: u32,
        i_channel: u32,
        number_batch: u32,
        number_channel: u32,
        unit: u32,
        first_place: u32,
        count_places: u32,
        marks_base: u32,
        invalid_base: u32,
        row_threads: u32,
    }
}

/// One thread per index marks its place.
pub(crate) static MARK: Shader = Shader {
    name: "pool_unpool_mark",
    texts: single!("pool/unpool_mark.wgsl", "pool/shared/unpool_place.wgsl"),
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

    /// All samples of the input; what is searched are the places of the output's plane.
    fn region(&self) -> Region {
        Region::whole(self.unpool.outer, self.unpool.input, self.unpool.output.iter().product())
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![self.indices, self.marks, self.invalid]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let [batch, channels] = &region.outer;
        let (planes, places): (_, usize) = (self.unpool.outer[1], self.unpool.output.iter().product());
        // The marks of the region's places of its planes, which lie one after the other.
        let first = batch.start * planes + channels.start;
        let last = (batch.end - 1) * planes + channels.end - 1;
        let marks = first * places + region.reduction.start..last * places + region.reduction.end;
        let count = self.invalid.layout.offset();
        vec![self.indices.span(region.outer.clone(), region.spatial.clone()), marks, count..count + 1]
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
