//! Max unpooling and its gradient on the GPU: places are marked with integers, then samples are gathered by the marks.

use crate::ops::op::Op;
use std::ops::Range;

use super::params::{MarkParams, UnpoolGradParams, UnpoolParams, ZeroParams};
use crate::dtype::FloatType;
use crate::error::Result;
use crate::geometry::three;
use crate::gpu::program::addressing::{span, spatial_stride};
use crate::gpu::program::operand::{Bindable, Placed, Source};
use crate::gpu::program::program::{Dispatch, Program, Step};
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, Shape, recipes};
use crate::gpu::program::region::{REDUCTION, Tile, flat_box};
use crate::gpu::program::request::{GpuOp, Launch, Request, Work};
use crate::gpu::program::shader::{Shader, Storage, single};
use crate::gpu::program::split::Window;
use crate::gpu::program::uniform::wrap;
use crate::ops::pool::indices::{IndexConvention, Numbering};
use crate::ops::pool::max_unpool::{MaxUnpool, MaxUnpoolGrad};

/// One thread per word.
pub(crate) static ZERO: Shader = Shader {
    name: "pool_zero_fill",
    texts: single!("pool/zero_fill.wgsl"),
    reads: 0,
    writes: 1,
    fields: ZeroParams::FIELDS,
    params_size: size_of::<ZeroParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size"],
};

/// One thread per index marks its place.
pub(crate) static MARK: Shader = Shader {
    name: "pool_unpool_mark",
    texts: single!("pool/unpool_mark.wgsl", "pool/shared/unpool_place.wgsl"),
    reads: 1,
    writes: 2,
    fields: MarkParams::FIELDS,
    params_size: size_of::<MarkParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size", "columns_first"],
};

/// One thread per output element copies the sample that its mark names.
pub(crate) static GATHER: Shader = Shader {
    name: "pool_unpool_gather",
    texts: single!("pool/unpool_gather.wgsl"),
    reads: 2,
    writes: 1,
    fields: UnpoolParams::FIELDS,
    params_size: size_of::<UnpoolParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size"],
};

/// One thread per index copies the gradient of its place.
pub(crate) static GRAD: Shader = Shader {
    name: "pool_unpool_grad_gather",
    texts: single!("pool/unpool_grad_gather.wgsl", "pool/shared/unpool_place.wgsl"),
    reads: 2,
    writes: 1,
    fields: UnpoolGradParams::FIELDS,
    params_size: size_of::<UnpoolGradParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size", "columns_first"],
};

/// Zeros, marks, and the gathering; zeros in two steps, as they are in two buffers.
const CANDIDATE: Candidate = Candidate { shape: Shape::MarkAndGather, ..Candidate::new(&GATHER) };

impl<const R: usize> GpuOp for MaxUnpool<R> {
    fn recipes(&self, capabilities: &Capabilities, _storage: FloatType) -> Vec<Recipe> {
        recipes(&[CANDIDATE], capabilities)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let (_, recipe) = request.choose(Self::NAME, &[CANDIDATE])?;
        let operands = request.place(self)?;
        let numbering = self.numbering()?;
        let unpool = Unpool::new(self, numbering, &request, &recipe);
        let marks = Placed::workspace(&[&unpool.outer[..], &unpool.output].concat());
        let workspaces = vec![request.check_workspace(&marks)?];
        let steps = vec![
            unpool.zeros(&marks, Source::Workspace(0))?,
            unpool.zeros(&operands[3], Source::Operand(3))?,
            unpool.mark(&operands, &marks)?,
            unpool.gather(&operands, &marks)?,
        ];
        let tables = Vec::new();
        Ok(Program { op: Self::NAME, recipe, operands, inputs: 2, tables, workspaces, steps })
    }
}

impl<const R: usize> GpuOp for MaxUnpoolGrad<R> {
    fn recipes(&self, capabilities: &Capabilities, _storage: FloatType) -> Vec<Recipe> {
        recipes(&[(&GRAD).into()], capabilities)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let (_, recipe) = request.choose(Self::NAME, &[(&GRAD).into()])?;
        let operands = request.place(self)?;
        let numbering = self.forward.numbering()?;
        let step = Unpool::new(&self.forward, numbering, &request, &recipe).grad(&operands)?;
        let (tables, workspaces, steps) = (Vec::new(), Vec::new(), vec![step]);
        Ok(Program { op: Self::NAME, recipe, operands, inputs: 2, tables, workspaces, steps })
    }
}

/// A problem, the sizes of three axes.
struct Unpool<'a> {
    request: &'a Request<'a>,
    recipe: &'a Recipe,
    numbering: Numbering,
    columns_first: bool,
    outer: [usize; 2],
    input: [usize; 3],
    output: [usize; 3],
}

impl<'a> Unpool<'a> {
    fn new<const R: usize>(
        op: &MaxUnpool<R>,
        numbering: Numbering,
        request: &'a Request<'a>,
        recipe: &'a Recipe,
    ) -> Self {
        Self {
            request,
            recipe,
            numbering,
            columns_first: op.indices == IndexConvention::OnnxColumnMajor,
            outer: [op.batch, op.channels],
            input: three(1, &op.input_size),
            output: three(1, &op.output_size),
        }
    }

    /// All samples of the input, or all places of the output, and of what is summed (searched, here) a flat range.
    fn tile(&self, sizes: [usize; 3], searched: [usize; 3]) -> Tile {
        let [d, h, w] = sizes.map(|size| 0..size);
        [0..self.outer[0], 0..self.outer[1], d, h, w, 0..searched.iter().product()]
    }

    fn dispatches<P: bytemuck::Pod>(
        &self,
        tile: Tile,
        operands: &[Bindable],
        spans: impl Fn(&Tile) -> Vec<Range<usize>>,
        params: impl Fn(&Window, u32) -> P,
    ) -> Result<Vec<Dispatch>> {
        let launch = Launch { recipe: self.recipe, storage: Storage::default(), tile, operands, work: Work::Outputs };
        self.request.dispatches(launch, spans, params)
    }

    fn step(&self, shader: &'static Shader, bindings: &[Source], dispatches: Vec<Dispatch>) -> Step {
        let mut constants = vec![("workgroup_size", self.recipe.workgroup_size.into())];
        if shader.overrides.contains(&"columns_first") {
            constants.push(("columns_first", f64::from(u8::from(self.columns_first))));
        }
        Step { shader, storage: Storage::default(), constants, bindings: bindings.into(), dispatches }
    }

    fn zeros(&self, target: &Placed, source: Source) -> Result<Step> {
        let words = 0..target.layout.len();
        let tile = [words, 0..1, 0..1, 0..1, 0..1, 0..1];
        let first = target.layout.offset();
        let spans = |tile: &Tile| std::iter::once(first + tile[0].start..first + tile[0].end).collect();
        let params = |window: &Window, row_threads| ZeroParams {
            base: target.address(&[], &window.bytes[0]).wrapping_add(wrap(window.tile[0].start)),
            count: wrap(window.tile[0].len()),
            row_threads,
        };
        let dispatches = self.dispatches(tile, &[target.into()], spans, params)?;
        Ok(self.step(&ZERO, &[source], dispatches))
    }

    /// The marks of some places of some planes, which lie one after the other.
    fn marked(&self, tile: &Tile) -> Range<usize> {
        let places: usize = self.output.iter().product();
        let first = tile[0].start * self.outer[1] + tile[1].start;
        let last = (tile[0].end - 1) * self.outer[1] + tile[1].end - 1;
        first * places + tile[REDUCTION].start..last * places + tile[REDUCTION].end
    }

    fn mark(&self, operands: &[Placed], marks: &Placed) -> Result<Step> {
        let (indices, invalid) = (&operands[1], &operands[3]);
        let spans = |tile: &Tile| {
            let [batch, channels, d, h, w, _] = tile.clone();
            let count = invalid.layout.offset()..invalid.layout.offset() + 1;
            vec![span(&indices.layout, [batch, channels], [d, h, w]), self.marked(tile), count]
        };
        let params = |window: &Window, row_threads| self.mark_params(indices, invalid, window, row_threads);
        let bindables = [indices, marks, invalid].map(Bindable::from);
        let dispatches = self.dispatches(self.tile(self.input, self.output), &bindables, spans, params)?;
        Ok(self.step(&MARK, &[Source::Operand(1), Source::Workspace(0), Source::Operand(3)], dispatches))
    }

    fn mark_params(&self, indices: &Placed, invalid: &Placed, window: &Window, row_threads: u32) -> MarkParams {
        let [batch, channels, d, h, w, places] = &window.tile;
        let [index_d, index_h, index_w] = self.numbering.sizes.map(wrap);
        let [output_d, output_h, output_w] = self.output.map(wrap);
        let [i_d, i_h, i_w] = std::array::from_fn(|i| spatial_stride(indices, i));
        MarkParams {
            first_d: wrap(d.start),
            first_h: wrap(h.start),
            first_w: wrap(w.start),
            count_d: wrap(d.len()),
            count_h: wrap(h.len()),
            count_w: wrap(w.len()),
            size_h: wrap(self.input[1]),
            size_w: wrap(self.input[2]),
            index_d,
            index_h,
            index_w,
            output_d,
            output_h,
            output_w,
            i_d,
            i_h,
            i_w,
            batch_count: wrap(batch.len()),
            first_batch: wrap(batch.start),
            first_channel: wrap(channels.start),
            channel_count: wrap(channels.len()),
            channels: wrap(self.outer[1]),
            i_base: indices.address(&[batch.start], &window.bytes[0]),
            i_batch: indices.stride(0),
            i_channel: indices.stride(1),
            number_batch: wrap(self.numbering.batch),
            number_channel: wrap(self.numbering.channel),
            unit: wrap(self.numbering.unit),
            first_place: wrap(places.start),
            count_places: wrap(places.len()),
            marks_base: 0u32.wrapping_sub((window.bytes[1].start / 4) as u32),
            invalid_base: invalid.address(&[], &window.bytes[2]),
            row_threads,
        }
    }

    fn gather(&self, operands: &[Placed], marks: &Placed) -> Result<Step> {
        let (input, output) = (&operands[0], &operands[2]);
        let spans = |tile: &Tile| {
            let [batch, channels, d, h, w, samples] = tile.clone();
            let outer = [batch, channels];
            let (source, target) = (flat_box(self.input, &samples), [d, h, w]);
            vec![
                span(&input.layout, outer.clone(), source),
                span(&marks.layout, outer.clone(), target.clone()),
                span(&output.layout, outer, target),
            ]
        };
        let params = |window: &Window, row_threads| self.gather_params([input, marks, output], window, row_threads);
        let bindables = [input, marks, output].map(Bindable::from);
        let dispatches = self.dispatches(self.tile(self.output, self.input), &bindables, spans, params)?;
        Ok(self.step(&GATHER, &[Source::Operand(0), Source::Workspace(0), Source::Operand(2)], dispatches))
    }

    fn gather_params(&self, tensors: [&Placed; 3], window: &Window, row_threads: u32) -> UnpoolParams {
        let [batch, channels, d, h, w, samples] = &window.tile;
        let [x, m, y] = tensors;
        let [x_base, m_base, y_base] =
            std::array::from_fn(|binding| tensors[binding].address(&[batch.start], &window.bytes[binding]));
        let [x_d, x_h, x_w] = std::array::from_fn(|i| spatial_stride(x, i));
        let [m_d, m_h, m_w] = std::array::from_fn(|i| spatial_stride(m, i));
        let [y_d, y_h, y_w] = std::array::from_fn(|i| spatial_stride(y, i));
        UnpoolParams {
            first_d: wrap(d.start),
            first_h: wrap(h.start),
            first_w: wrap(w.start),
            count_d: wrap(d.len()),
            count_h: wrap(h.len()),
            count_w: wrap(w.len()),
            size_h: wrap(self.input[1]),
            size_w: wrap(self.input[2]),
            x_d,
            x_h,
            x_w,
            m_d,
            m_h,
            m_w,
            y_d,
            y_h,
            y_w,
            batch_count: wrap(batch.len()),
            first_channel: wrap(channels.start),
            channel_count: wrap(channels.len()),
            first_sample: wrap(samples.start),
            count_samples: wrap(samples.len()),
            accumulate: u32::from(samples.start > 0),
            x_base,
            x_batch: x.stride(0),
            x_channel: x.stride(1),
            m_base,
            m_batch: m.stride(0),
            m_channel: m.stride(1),
            y_base,
            y_batch: y.stride(0),
            y_channel: y.stride(1),
            row_threads,
        }
    }

    fn grad(&self, operands: &[Placed]) -> Result<Step> {
        let [gradient, indices, output] = [&operands[0], &operands[1], &operands[2]];
        let spans = |tile: &Tile| {
            let [batch, channels, d, h, w, places] = tile.clone();
            let outer = [batch, channels];
            vec![
                span(&gradient.layout, outer.clone(), flat_box(self.output, &places)),
                span(&indices.layout, outer.clone(), [d.clone(), h.clone(), w.clone()]),
                span(&output.layout, outer, [d, h, w]),
            ]
        };
        let tensors = [gradient, indices, output];
        let params = |window: &Window, row_threads| self.grad_params(tensors, window, row_threads);
        let dispatches =
            self.dispatches(self.tile(self.input, self.output), &tensors.map(Bindable::from), spans, params)?;
        Ok(self.step(&GRAD, &[Source::Operand(0), Source::Operand(1), Source::Operand(2)], dispatches))
    }

    fn grad_params(&self, tensors: [&Placed; 3], window: &Window, row_threads: u32) -> UnpoolGradParams {
        let [batch, channels, d, h, w, places] = &window.tile;
        let [x, i, y] = tensors;
        let [x_base, i_base, y_base] =
            std::array::from_fn(|binding| tensors[binding].address(&[batch.start], &window.bytes[binding]));
        let [x_d, x_h, x_w] = std::array::from_fn(|axis| spatial_stride(x, axis));
        let [i_d, i_h, i_w] = std::array::from_fn(|axis| spatial_stride(i, axis));
        let [y_d, y_h, y_w] = std::array::from_fn(|axis| spatial_stride(y, axis));
        let [index_d, index_h, index_w] = self.numbering.sizes.map(wrap);
        let [output_d, output_h, output_w] = self.output.map(wrap);
        UnpoolGradParams {
            first_d: wrap(d.start),
            first_h: wrap(h.start),
            first_w: wrap(w.start),
            count_d: wrap(d.len()),
            count_h: wrap(h.len()),
            count_w: wrap(w.len()),
            index_d,
            index_h,
            index_w,
            output_d,
            output_h,
            output_w,
            x_d,
            x_h,
            x_w,
            i_d,
            i_h,
            i_w,
            y_d,
            y_h,
            y_w,
            batch_count: wrap(batch.len()),
            first_batch: wrap(batch.start),
            first_channel: wrap(channels.start),
            channel_count: wrap(channels.len()),
            number_batch: wrap(self.numbering.batch),
            number_channel: wrap(self.numbering.channel),
            unit: wrap(self.numbering.unit),
            first_place: wrap(places.start),
            count_places: wrap(places.len()),
            accumulate: u32::from(places.start > 0),
            x_base,
            x_batch: x.stride(0),
            x_channel: x.stride(1),
            i_base,
            i_batch: i.stride(0),
            i_channel: i.stride(1),
            y_base,
            y_batch: y.stride(0),
            y_channel: y.stride(1),
            row_threads,
        }
    }
}
