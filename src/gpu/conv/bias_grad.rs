//! The bias's gradient on the GPU.

use std::ops::Range;

use super::split_k::{Epilogue, PartSlices, Slices, SplitK, add_empty_sum};
use crate::dtype::FloatType;
use crate::error::Result;
use crate::geometry::{at_most, three};
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::pass::{Part, Pass, Work};
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, recipes};
use crate::gpu::program::region::{Region, flat_box};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::with_storage;
use crate::gpu::program::uniform::{mod_2_32, uniform};
use crate::ops::conv::bias_grad::ConvBiasGrad;
use crate::ops::op::Op;

uniform! {
    /// One axis of [`BiasGradParams`]; 16 bytes.
    BiasGradAxis {
        size: u32,
        x_stride: u32,
        unused_0: u32,
        unused_1: u32,
    }
}

uniform! {
    /// `Params` of the bias gradient's shader.
    BiasGradParams {
        d: BiasGradAxis,
        h: BiasGradAxis,
        w: BiasGradAxis,
        first_channel: u32,
        channel_count: u32,
        first: u32,
        count: u32,
        slice: u32,
        slices: u32,
        lead: u32,
        accumulate: u32,
        x_base: u32,
        x_batch: u32,
        x_channel: u32,
        y_base: u32,
        y_channel: u32,
        y_slice: u32,
        row_threads: u32,
    }
}

/// One thread per channel and slice of its sum.
pub(crate) static DIRECT: Shader = Shader {
    name: "conv_bias_grad_direct",
    texts: with_storage!("conv/bias_grad_direct.wgsl"),
    reads: 1,
    writes: 1,
    uniform: BiasGradParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size"],
};

impl<const R: usize> ConvBiasGrad<R> {
    /// Samples that are summed: images, and three axes.
    fn samples(&self) -> [usize; 4] {
        let shape = self.shape();
        let [d, h, w] = three(1, &shape[2..]);
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
            add_empty_sum(&mut builder)?;
            return builder.finish();
        }
        at_most("samples in a plane", (terms / samples[0]) as u128, 1 << 31)?;
        let slices = self.slices().of(&recipe, terms);
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
