//! The max unpooling's gradient: every sample takes the gradient of the place that its index names.

use std::ops::Range;

use super::unpool::Unpool;
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::pass::{Part, Pass};
use crate::gpu::program::region::{Region, flat_box};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, uniform};

uniform! {
    /// One spatial axis of [`UnpoolGradParams`]; 32 bytes.
    UnpoolGradAxis {
        first: u32,    // this dispatch's first sample of the forward input
        count: u32,    // samples of the forward input in this dispatch
        index: u32,    // samples of the planes that indices count in
        output: u32,   // samples of the forward output
        x_stride: u32, // elements from one gradient of the forward output to the next, modulo 2^32
        i_stride: u32, // elements from one index to the next
        y_stride: u32, // elements from one gradient of the forward input to the next
        unused: u32,   // fills the struct to a multiple of 16 bytes
    }
}

uniform! {
    /// `Params` of the max unpooling's gradient: x is the gradient of the forward output, y that of the forward input.
    /// Addresses and strides count elements, modulo 2³².
    UnpoolGradParams {
        d: UnpoolGradAxis,   // depth
        h: UnpoolGradAxis,   // height
        w: UnpoolGradAxis,   // width
        batch_count: u32,    // images of this dispatch
        first_batch: u32,    // this dispatch's first image in the whole batch
        first_channel: u32,  // this dispatch's first channel
        channel_count: u32,  // channels of this dispatch
        number_batch: u32,   // what an index grows by from one image to the next; 0 if it does not count images
        number_channel: u32, // what an index grows by from one channel to the next
        unit: u32,           // what an index grows by from one place of a plane to the next
        first_place: u32,    // in each plane of x, the first place that this dispatch may copy, counted row-major
        count_places: u32,   // places of each plane that this dispatch may copy
        accumulate: u32,     // 1: an output whose place is not among them keeps its value; 0: it becomes 0
        x_base: u32,         // address of channel 0, place 0 in this dispatch's first image
        x_batch: u32,        // from one image to the next
        x_channel: u32,      // from one channel to the next
        i_base: u32,         // address of channel 0, index 0 in this dispatch's first image
        i_batch: u32,        // from one image to the next
        i_channel: u32,      // from one channel to the next
        y_base: u32,         // address of channel 0, sample 0 in this dispatch's first image
        y_batch: u32,        // from one image to the next
        y_channel: u32,      // from one channel to the next
        row_threads: u32,    // threads in one row of workgroups: thread = id.y * row_threads + id.x
    }
}

/// One thread per index copies the gradient of its place.
pub(crate) static GRAD: Shader = Shader {
    name: "pool_unpool_grad_gather",
    texts: Texts::Copied(files!("pool/unpool_grad_gather.wgsl", "pool/shared/unpool_place.wgsl")),
    reads: 2,
    writes: 1,
    uniform: UnpoolGradParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "columns_first"],
};

/// The gradient with its tensors.
pub(crate) struct UnpoolGrad<'a> {
    pub(crate) unpool: &'a Unpool,
    pub(crate) gradient: &'a LaidOutTensor,
    pub(crate) indices: &'a LaidOutTensor,
    pub(crate) output: &'a LaidOutTensor,
}

impl Pass for UnpoolGrad<'_> {
    type Uniform = UnpoolGradParams;

    /// The samples of the forward input. The reduction is the places of the forward output's plane: a part copies only
    /// from the places in its range.
    fn region(&self) -> Region {
        Region::whole(self.unpool.outer, self.unpool.input, self.unpool.output.iter().product())
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![self.gradient, self.indices, self.output]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let (outer, samples) = (&region.outer, &region.spatial);
        let places = flat_box(self.unpool.output, &region.reduction);
        vec![
            self.gradient.span(outer.clone(), places),
            self.indices.span(outer.clone(), samples.clone()),
            self.output.span(outer.clone(), samples.clone()),
        ]
    }

    fn sums(&self) -> bool {
        false
    }

    /// The shader has no loops.
    fn rounds(&self, _: &Region) -> u64 {
        0
    }

    fn uniform(&self, part: &Part) -> UnpoolGradParams {
        let (numbering, places) = (&self.unpool.numbering, &part.region.reduction);
        let [batch, channels] = &part.region.outer;
        let base = |tensor: &LaidOutTensor, binding: usize| tensor.address(&[batch.start], &part.bytes[binding]);
        let [d, h, w] = std::array::from_fn(|i| UnpoolGradAxis {
            first: mod_2_32(part.region.spatial[i].start),
            count: mod_2_32(part.region.spatial[i].len()),
            index: mod_2_32(numbering.sizes[i]),
            output: mod_2_32(self.unpool.output[i]),
            x_stride: self.gradient.spatial_stride(i),
            i_stride: self.indices.spatial_stride(i),
            y_stride: self.output.spatial_stride(i),
            unused: 0,
        });
        UnpoolGradParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            first_batch: mod_2_32(batch.start),
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            number_batch: mod_2_32(numbering.batch),
            number_channel: mod_2_32(numbering.channel),
            unit: mod_2_32(numbering.unit),
            first_place: mod_2_32(places.start),
            count_places: mod_2_32(places.len()),
            accumulate: u32::from(places.start > 0),
            x_base: base(self.gradient, 0),
            x_batch: self.gradient.stride(0),
            x_channel: self.gradient.stride(1),
            i_base: base(self.indices, 1),
            i_batch: self.indices.stride(0),
            i_channel: self.indices.stride(1),
            y_base: base(self.output, 2),
            y_batch: self.output.stride(0),
            y_channel: self.output.stride(1),
            row_threads: part.row,
        }
    }
}
