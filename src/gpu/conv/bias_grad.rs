//! The bias's gradient on the GPU.

use crate::ops::op::Op;
use std::ops::Range;

use super::split_k::{Chunks, Finish, Part, Partials, zeros};
use crate::dtype::FloatType;
use crate::error::Result;
use crate::geometry::{at_most, three};
use crate::gpu::program::addressing::{span, spatial_stride};
use crate::gpu::program::operand::{Bindable, Placed, Source};
use crate::gpu::program::program::{Program, Step};
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, recipes};
use crate::gpu::program::region::{REDUCTION, Tile, chunks_of, flat_box};
use crate::gpu::program::request::{GpuOp, Launch, Request, Work};
use crate::gpu::program::shader::{Shader, with_storage};
use crate::gpu::program::split::Window;
use crate::gpu::program::uniform::{uniform, wrap};
use crate::ops::conv::bias_grad::ConvBiasGrad;

/// One thread per channel and chunk of its sum.
pub(crate) static DIRECT: Shader = Shader {
    name: "conv_bias_grad_direct",
    texts: with_storage!("conv/bias_grad_direct.wgsl"),
    reads: 1,
    writes: 1,
    fields: BiasGradParams::FIELDS,
    params_size: size_of::<BiasGradParams>() as u64,
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

    fn chunks(&self) -> Chunks {
        Chunks::new(self.shape()[1], self.samples().iter().product())
    }
}

impl<const R: usize> GpuOp for ConvBiasGrad<R> {
    fn recipes(&self, capabilities: &Capabilities, storage: FloatType) -> Vec<Recipe> {
        recipes(&self.chunks().candidates(Candidate::new(&DIRECT), storage), capabilities)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let (_, recipe) =
            request.choose(Self::NAME, &self.chunks().candidates(Candidate::new(&DIRECT), request.options.storage))?;
        let operands = request.place(self)?;
        let samples = self.samples();
        let terms = samples.iter().product();
        if terms == 0 {
            return zeros(Self::NAME, recipe, operands, &request);
        }
        at_most("samples in a plane", (terms / samples[0]) as u128, 1 << 31)?;
        let chunks = self.chunks().of(&recipe, terms);
        let partials = Partials::new(&request, recipe.shape.split_k(), chunks.count, &operands)?;
        let gradient = BiasGrad { samples, chunks, input: operands[0].clone(), partials: &partials };
        let (storage, work) = (partials.storage, Work::Chunks(chunks.chunk));
        let tile = [0..self.shape()[1], 0..1, 0..1, 0..1, 0..1, 0..terms];
        let bindables = [&gradient.input, &partials.target].map(Bindable::from);
        let dispatches = request.dispatches(
            Launch { recipe: &recipe, storage, tile, operands: &bindables, work },
            |tile| gradient.spans(tile),
            |window, row_threads| gradient.params(window, row_threads),
        )?;
        let step = Step {
            shader: &DIRECT,
            storage,
            constants: vec![("workgroup_size", recipe.workgroup_size.into())],
            bindings: vec![Source::Operand(0), partials.source],
            dispatches,
        };
        let steps = [step].into_iter().chain(partials.sum(&request, &recipe, &operands, Finish::default())?).collect();
        let (tables, workspaces) = (Vec::new(), partials.workspaces.clone());
        Ok(Program { op: Self::NAME, recipe, operands, inputs: 1, tables, workspaces, steps })
    }
}

/// A problem with its tensors placed.
struct BiasGrad<'a> {
    samples: [usize; 4],
    chunks: Chunks,
    input: Placed,
    partials: &'a Partials,
}

impl BiasGrad<'_> {
    /// The elements of the input and the target that a tile touches.
    fn spans(&self, tile: &Tile) -> Vec<Range<usize>> {
        let [images, rows @ ..] = self.box_of(tile);
        let target = &self.partials.target.layout;
        let element = [tile[0].clone(), chunks_of(tile, self.chunks.chunk)];
        let target = target.span(&element[..target.shape().len()]);
        vec![span(&self.input.layout, [images, tile[0].clone()], rows), target]
    }

    /// The images and samples that a tile sums.
    fn box_of(&self, tile: &Tile) -> [Range<usize>; 4] {
        flat_box(self.samples, &tile[REDUCTION])
    }

    fn params(&self, window: &Window, row_threads: u32) -> BiasGradParams {
        let (channels, range) = (&window.tile[0], &window.tile[REDUCTION]);
        let part = Part::new(&self.chunks, window);
        let [image, ..] = self.box_of(&window.tile);
        let [_, size_d, size_h, size_w] = self.samples;
        let [x_d, x_h, x_w] = std::array::from_fn(|i| spatial_stride(&self.input, i));
        let target = &self.partials.target;
        let number = if self.partials.stride > 0 { part.number } else { 0 };
        BiasGradParams {
            size_d: wrap(size_d),
            size_h: wrap(size_h),
            size_w: wrap(size_w),
            x_d,
            x_h,
            x_w,
            first_channel: wrap(channels.start),
            channel_count: wrap(channels.len()),
            first: wrap(range.start - image.start * size_d * size_h * size_w),
            count: wrap(range.len()),
            chunk: part.chunk,
            chunks: part.chunks,
            lead: part.lead,
            accumulate: part.accumulate,
            x_base: self.input.address(&[image.start], &window.bytes[0]),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            y_base: target.address(&[0, number], &window.bytes[1]),
            y_channel: target.stride(0),
            y_chunk: self.partials.stride,
            row_threads,
        }
    }
}

uniform! {
    /// `Params` of the bias gradient's shader.
    BiasGradParams {
        size_d: u32,
        size_h: u32,
        size_w: u32,
        x_d: u32,
        x_h: u32,
        x_w: u32,
        first_channel: u32,
        channel_count: u32,
        first: u32,
        count: u32,
        chunk: u32,
        chunks: u32,
        lead: u32,
        accumulate: u32,
        x_base: u32,
        x_batch: u32,
        x_channel: u32,
        y_base: u32,
        y_channel: u32,
        y_chunk: u32,
        row_threads: u32,
    }
}
