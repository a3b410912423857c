//! The bias's gradient on the GPU.

use std::ops::Range;

use crate::dtype::FloatType;
use crate::error::Result;
use crate::geometry::{at_most, pad_to_three_axes};
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::pass::{Part, Pass, Work};
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, recipes};
use crate::gpu::program::region::{Region, flat_box};
use crate::gpu::program::rounds::ENTRY;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::split_k::{Epilogue, PartSlices, Slices, SplitK, add_empty_sum};
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, uniform};
use crate::ops::conv::bias_grad::ConvBiasGrad;
use crate::ops::op::Op;

uniform! {
    /// One spatial axis of [`BiasGradParams`]; 16 bytes.
    BiasGradAxis {
        size: u32,     // samples of x
        x_stride: u32, // elements from one sample to the next, modulo 2^32
        unused_0: u32, // fills the struct to a multiple of 16 bytes
        unused_1: u32,
    }
}

uniform! {
    /// `Params` of the bias gradient's shader: x is the gradient of the layer's output, y the bias's gradient or its
    /// partial sums. Addresses and strides count elements, modulo 2³².
    BiasGradParams {
        d: BiasGradAxis,    // depth
        h: BiasGradAxis,    // height
        w: BiasGradAxis,    // width
        first_channel: u32, // this dispatch's first channel
        channel_count: u32, // channels of this dispatch
        first: u32,         // this dispatch's first sample, counted from the start of its first image
        count: u32,         // samples of each channel that this dispatch sums
        slice: u32,         // samples in a slice of the sum
        slices: u32,        // slices that this dispatch sums, whole or in part
        lead: u32,          // samples of its first slice that earlier dispatches have summed
        accumulate: u32,    // 1: the first slice goes on from the sum that an earlier dispatch left in y
        x_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
        x_batch: u32,       // from one image to the next
        x_channel: u32,     // from one channel to the next
        y_base: u32,        // address of channel 0's sum in this dispatch's first slice
        y_channel: u32,     // from one channel to the next
        y_slice: u32,       // from one slice's partial sum to the next; 0 without split-K
        row_threads: u32,   // threads in one row of workgroups: thread = id.y * row_threads + id.x
    }
}

/// One thread per channel and slice of its sum.
pub(crate) static DIRECT: Shader = Shader {
    name: "conv_bias_grad_direct",
    texts: Texts::Tensors(files!("conv/bias_grad_direct.wgsl")),
    reads: 1,
    writes: 1,
    uniform: BiasGradParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size"],
};

impl<const R: usize> ConvBiasGrad<R> {
    /// Sizes of what each channel sums: images, and samples on three spatial axes.
    fn samples(&self) -> [usize; 4] {
        let shape = self.shape();
        let [d, h, w] = pad_to_three_axes(1, &shape[2..]);
        [shape[0], d, h, w]
    }

    fn slices(&self) -> Slices {
        Slices::new(self.shape()[1], self.samples().iter().product())
    }

    fn candidates(&self, storage: FloatType) -> Vec<Candidate> {
        self.slices().candidates(Candidate::new(&DIRECT), storage)
    }
}

impl<const R: usize> GpuOp for ConvBiasGrad<R> {
    fn recipes(&self, capabilities: &Capabilities, options: &PlanOptions) -> Vec<Recipe> {
        recipes(&self.candidates(options.storage), capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let (_, recipe) = context.choose(Self::NAME, &self.candidates(context.options.storage))?;
        let mut builder = ProgramBuilder::new(context, self, &recipe)?;
        let samples = self.samples();
        let terms = samples.iter().product();
        if terms == 0 {
            add_empty_sum(&mut builder, Epilogue::default())?;
            return builder.finish();
        }
        at_most("samples in a plane", (terms / samples[0]) as u128, 1 << 31)?;
        let slices = self.slices().for_recipe(&recipe, terms);
        let split_k = SplitK::new(&mut builder, slices.count)?;
        let pass = BiasGrad { samples, slices, input: builder.operand(0), split_k: &split_k };
        builder.add_pass(&DIRECT, [], &pass)?;
        split_k.add_sum(&mut builder, Epilogue::default())?;
        builder.finish()
    }
}

/// A problem with its tensors laid out.
struct BiasGrad<'a> {
    samples: [usize; 4],
    slices: Slices,
    input: LaidOutTensor,
    split_k: &'a SplitK,
}

impl BiasGrad<'_> {
    /// The images and samples that a region sums.
    fn summed(&self, region: &Region) -> [Range<usize>; 4] {
        flat_box(self.samples, &region.reduction)
    }
}

impl Pass for BiasGrad<'_> {
    type Uniform = BiasGradParams;

    fn region(&self) -> Region {
        let channels = self.input.layout.shape()[1];
        Region::whole([channels, 1], [1; 3], self.samples.iter().product())
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![&self.input, &self.split_k.target]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let [images, rows @ ..] = self.summed(region);
        let channels = &region.outer[0];
        let target = &self.split_k.target.layout;
        let element = [channels.clone(), region.slices(self.slices.length)];
        // Without slices the target has no axis for them.
        let target = target.span(&element[..target.shape().len()]);
        vec![self.input.span([images, channels.clone()], rows), target]
    }

    /// A thread for each channel and slice.
    fn work(&self, region: &Region) -> Work {
        Work::Threads(region.outputs() * region.slices(self.slices.length).len() as u128)
    }

    /// A round for each row of samples, or part of a row, which enters the loop over its samples.
    fn rounds(&self, region: &Region) -> u64 {
        let samples = region.reduction.len().min(self.slices.length);
        let lines = (samples / self.samples[3] + 2) as u64;
        samples as u64 + lines * (1 + ENTRY) + ENTRY
    }

    fn uniform(&self, part: &Part) -> BiasGradParams {
        let (channels, range) = (&part.region.outer[0], &part.region.reduction);
        let slices = PartSlices::new(&self.slices, part);
        let [image, ..] = self.summed(&part.region);
        let [_, sizes @ ..] = self.samples;
        let [d, h, w] = std::array::from_fn(|i| BiasGradAxis {
            size: mod_2_32(sizes[i]),
            x_stride: self.input.spatial_stride(i),
            ..Default::default()
        });
        let target = &self.split_k.target;
        let first_slice = if self.split_k.stride > 0 { slices.first } else { 0 };
        BiasGradParams {
            d,
            h,
            w,
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            first: mod_2_32(range.start - image.start * sizes.iter().product::<usize>()),
            count: mod_2_32(range.len()),
            slice: slices.length,
            slices: slices.count,
            lead: slices.lead,
            accumulate: slices.accumulate,
            x_base: self.input.address(&[image.start], &part.bytes[0]),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            y_base: target.address(&[0, first_slice], &part.bytes[1]),
            y_channel: target.stride(0),
            y_slice: self.split_k.stride,
            row_threads: part.row,
        }
    }
}
