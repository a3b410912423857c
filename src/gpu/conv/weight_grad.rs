//! The weight's gradient on the GPU.

use crate::ops::op::Op;
use std::cell::Cell;
use std::ops::Range;
use std::time::Duration;

use wgpu::DeviceType;

use super::cost_model::rates;
use super::gemm_tiles;
use super::split_k::{Chunks, Finish, Part, Partials, zeros};
use crate::dtype::FloatType;
use crate::error::Result;
use crate::geometry::{Axis, at_most};
use crate::gpu::program::addressing::{flag, span, spatial_stride};
use crate::gpu::program::operand::{Bindable, Placed, Source};
use crate::gpu::program::program::{Program, Step};
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, Shape, recipes};
use crate::gpu::program::region::{REDUCTION, Tile, chunks_of, flat_box};
use crate::gpu::program::request::{GpuOp, Launch, Request, Work};
use crate::gpu::program::shader::{Shader, with_storage};
use crate::gpu::program::split::Window;
use crate::gpu::program::uniform::{uniform, wrap};
use crate::ops::conv::weight_grad::{ConvWeightGrad, ForwardInput};

/// How long a candidate will take for a weight's gradient.
pub(crate) fn predict_sums(sums: &Sums, candidate: &Candidate, device_type: DeviceType) -> Duration {
    let rates = rates(device_type);
    let [rows, columns] = [sums.rows, sums.columns].map(|side| side as f64);
    let count = sums.chunks_by(candidate).count as f64;
    let terms = sums.terms() as f64 / count;
    let outputs = sums.groups as f64 * rows * columns;
    let [fixed, product] = rates.direct;
    let first = if let Shape::Gemm { tile, .. } = candidate.shape {
        let [tile_rows, tile_columns] = tile.map(f64::from);
        let tiles = sums.groups as f64 * (rows / tile_rows).ceil() * (columns / tile_columns).ceil();
        let lines = terms / sums.positions[3].max(1) as f64;
        rates.at_once(tiles * count, rates.tile(candidate.shader, tile, lines, terms))
    } else {
        rates.at_once(outputs * count / 64.0, fixed + product * terms)
    };
    let second = if candidate.shape.split_k() { rates.second_pass(outputs, count) } else { 0.0 };
    Duration::from_nanos((first + second) as u64)
}

/// One thread per weight element and chunk of its sum.
pub(crate) static DIRECT: Shader = Shader {
    name: "conv_weight_grad_direct",
    texts: with_storage!("conv/weight_grad_direct.wgsl", "conv/shared/weight_grad_params.wgsl"),
    reads: 2,
    writes: 1,
    fields: WeightGradParams::FIELDS,
    params_size: size_of::<WeightGradParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size"],
};

/// A matrix product for each group, shared within subgroups.
pub(crate) static SUBGROUP: Shader = Shader {
    name: "conv_weight_grad_gemm_subgroup",
    texts: with_storage!(
        "conv/weight_grad_gemm_subgroup.wgsl",
        "conv/shared/weight_grad_tile.wgsl",
        "conv/shared/weight_grad_params.wgsl",
        "conv/shared/outer_product.wgsl"
    ),
    subgroups: true,
    overrides: &["workgroup_size", "quads", "split"],
    ..DIRECT
};

/// The same, shared within workgroups.
pub(crate) static WORKGROUP: Shader = Shader {
    name: "conv_weight_grad_gemm_workgroup",
    texts: with_storage!(
        "conv/weight_grad_gemm_workgroup.wgsl",
        "conv/shared/weight_grad_tile.wgsl",
        "conv/shared/weight_grad_params.wgsl",
        "conv/shared/outer_product.wgsl"
    ),
    subgroups: false,
    overrides: &["workgroup_size", "staged_rows", "staged_columns", "quads", "split"],
    ..DIRECT
};

/// A problem without its tensors: for each group, a matrix of narrow channels by wide channels and taps, each element a
/// sum over images and narrow positions.
pub(crate) struct Sums {
    pub(crate) groups: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Images, and the narrow side's sizes.
    pub(crate) positions: [usize; 4],
}

impl Sums {
    pub(crate) fn terms(&self) -> usize {
        self.positions.iter().product()
    }

    fn outputs(&self) -> usize {
        self.groups * self.rows * self.columns
    }

    /// How a recipe with chunks has them.
    fn chunks(&self, shape: Shape) -> Chunks {
        let chunks = if matches!(shape, Shape::Gemm { .. }) { Chunks::of_tiles } else { Chunks::new };
        chunks(self.outputs(), self.terms())
    }

    pub(crate) fn chunks_by(&self, candidate: &Candidate) -> Chunks {
        if candidate.shape.split_k() { self.chunks(candidate.shape) } else { Chunks::whole(self.terms()) }
    }

    /// The ways to sum it on such a device, best first.
    fn candidates(&self, capabilities: &Capabilities, storage: FloatType) -> Vec<Candidate> {
        let mut ways = gemm_tiles::candidates([&SUBGROUP, &WORKGROUP], self.rows, capabilities);
        ways.push(Candidate::new(&DIRECT));
        let with_passes = |way: Candidate| self.chunks(way.shape).candidates(way, storage);
        let mut candidates: Vec<_> = ways.into_iter().flat_map(with_passes).collect();
        candidates.sort_by_cached_key(|candidate| predict_sums(self, candidate, capabilities.device_type));
        candidates
    }
}

impl<const R: usize> ConvWeightGrad<R> {
    fn sums(&self) -> Sums {
        let geometry = self.geometry();
        let [d, h, w] = geometry.axes3().map(|axis| axis.narrow);
        let taps: usize = geometry.axes.iter().map(|axis| axis.kernel).product();
        let (rows, columns) = (geometry.narrow_per_group(), geometry.wide_per_group() * taps);
        Sums { groups: geometry.groups, rows, columns, positions: [geometry.batch, d, h, w] }
    }
}

impl<const R: usize> GpuOp for ConvWeightGrad<R> {
    fn recipes(&self, capabilities: &Capabilities, storage: FloatType) -> Vec<Recipe> {
        recipes(&self.sums().candidates(capabilities, storage), capabilities)
    }

    fn predict(&self, recipe: &Recipe, capabilities: &Capabilities, storage: FloatType) -> Option<Duration> {
        let (sums, device_type) = (self.sums(), capabilities.device_type);
        let candidates = sums.candidates(capabilities, storage);
        let candidate = candidates.iter().find(|candidate| candidate.has(recipe))?;
        Some(predict_sums(&sums, candidate, device_type))
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let candidates = self.sums().candidates(request.capabilities, request.options.storage);
        request
            .first_that_fits(Self::NAME, &candidates, |candidate, recipe| self.lower_by(&candidate, recipe, &request))
    }
}

impl<const R: usize> ConvWeightGrad<R> {
    fn lower_by(&self, candidate: &Candidate, recipe: Recipe, request: &Request<'_>) -> Result<Program> {
        let operands = request.place(self)?;
        let (geometry, sums) = (self.geometry(), self.sums());
        let (positions, terms) = (sums.positions, sums.terms());
        if terms == 0 {
            return zeros(Self::NAME, recipe, operands, request);
        }
        at_most("positions in an image", (terms / positions[0]) as u128, 1 << 31)?;
        let chunks = sums.chunks_by(candidate);
        let partials = Partials::new(request, recipe.shape.split_k(), chunks.count, &operands)?;
        let sides = if self.forward_input() == ForwardInput::Wide { [1, 0] } else { [0, 1] };
        let gradient = WeightGrad {
            axes: geometry.axes3(),
            per_group: [geometry.narrow_per_group(), geometry.wide_per_group()],
            positions,
            chunks,
            narrow: operands[sides[0]].clone(),
            wide: operands[sides[1]].clone(),
            partials: &partials,
        };
        let [d, h, w] = gradient.axes.map(|axis| 0..axis.kernel);
        let tile = [0..geometry.narrow_channels, 0..geometry.wide_per_group(), d, h, w, 0..terms];
        let storage = partials.storage;
        let bindables = [&gradient.narrow, &gradient.wide, &partials.target].map(Bindable::from);
        let product = if let Shape::Gemm { tile, .. } = recipe.shape { Some(tile) } else { None };
        // Of several groups none is cut by a product.
        let granules = [geometry.narrow_per_group(), 1, 1, 1, 1, 1];
        let workgroups = |tile: &Tile| gradient.workgroups(tile, product.unwrap_or_default());
        let work = if product.is_some() { Work::Workgroups(&workgroups, granules) } else { Work::Chunks(chunks.chunk) };
        let launch = Launch { recipe: &recipe, storage, tile, operands: &bindables, work };
        // Whether a sum goes on from one window to the next.
        let split = Cell::new(false);
        let dispatches = request.dispatches(
            launch,
            |tile| gradient.spans(tile),
            |window, row_threads| {
                let params = gradient.params(window, row_threads);
                split.set(split.get() || params.accumulate > 0);
                params
            },
        )?;
        let mut constants = vec![("workgroup_size", recipe.workgroup_size.into())];
        if let Some(tile) = product {
            constants = gemm_tiles::constants(tile, recipe.workgroup_size, candidate.shader);
            constants.push(flag("split", split.get()));
        }
        let step = Step {
            shader: candidate.shader,
            storage,
            constants,
            bindings: vec![Source::Operand(sides[0]), Source::Operand(sides[1]), partials.source],
            dispatches,
        };
        let steps = [step].into_iter().chain(partials.sum(request, &recipe, &operands, Finish::default())?).collect();
        let (tables, workspaces) = (Vec::new(), partials.workspaces.clone());
        Ok(Program { op: Self::NAME, recipe, operands, inputs: 2, tables, workspaces, steps })
    }
}

/// A problem with its tensors placed.
struct WeightGrad<'a> {
    axes: [Axis; 3],
    /// Narrow and wide channels of a group.
    per_group: [usize; 2],
    positions: [usize; 4],
    chunks: Chunks,
    narrow: Placed,
    wide: Placed,
    partials: &'a Partials,
}

impl WeightGrad<'_> {
    /// The elements of the narrow side, the wide side and the target that a tile touches.
    fn spans(&self, tile: &Tile) -> Vec<Range<usize>> {
        let [narrow, wide, d, h, w, _] = tile;
        let [images, rows @ ..] = self.box_of(tile);
        let [narrow_group, wide_group] = self.per_group;
        let groups = narrow.start / narrow_group..(narrow.end - 1) / narrow_group + 1;
        let wides = groups.start * wide_group + wide.start..(groups.end - 1) * wide_group + wide.end;
        let samples = std::array::from_fn(|i| self.axes[i].wide_window(&rows[i], &tile[i + 2]));
        let target = &self.partials.target.layout;
        let chunks = chunks_of(tile, self.chunks.chunk);
        let rank = self.narrow.layout.shape().len();
        let taps = [d, h, w].into_iter().skip(5 - rank).cloned();
        let element: Vec<_> = [narrow.clone(), wide.clone()].into_iter().chain(taps).chain([chunks]).collect();
        // Without chunks of its own the target has no axis for them.
        let target = target.span(&element[..target.shape().len()]);
        let narrow = span(&self.narrow.layout, [images.clone(), narrow.clone()], rows);
        vec![narrow, span(&self.wide.layout, [images, wides], samples), target]
    }

    /// Workgroups for the tiles of a product.
    fn workgroups(&self, tile: &Tile, [rows, columns]: [u32; 2]) -> u128 {
        let [narrow, wide, d, h, w, _] = tile.each_ref().map(|range| range.len() as u128);
        let group = narrow.min(self.per_group[0] as u128);
        let chunks = chunks_of(tile, self.chunks.chunk).len() as u128;
        let tiles = group.div_ceil(rows.into()) * (wide * d * h * w).div_ceil(columns.into());
        narrow / group * tiles * chunks
    }

    /// The images and narrow positions that a tile sums.
    fn box_of(&self, tile: &Tile) -> [Range<usize>; 4] {
        flat_box(self.positions, &tile[REDUCTION])
    }

    fn params(&self, window: &Window, row_threads: u32) -> WeightGradParams {
        let [narrow, wide, .., range] = &window.tile;
        let part = Part::new(&self.chunks, window);
        let [image, ..] = self.box_of(&window.tile);
        let plane: usize = self.positions[1..].iter().product();
        let target = &self.partials.target;
        let from_image = |placed: &Placed, binding: usize| placed.address(&[image.start], &window.bytes[binding]);
        let [d, h, w] = std::array::from_fn(|i| self.axis_params(i, &window.tile[i + 2]));
        let rank = target.layout.shape().len();
        let mut first = vec![0; rank];
        first[rank - 1] = if self.partials.stride > 0 { part.number } else { 0 };
        WeightGradParams {
            d,
            h,
            w,
            first_narrow: wrap(narrow.start),
            count_narrow: wrap(narrow.len()),
            first_wide: wrap(wide.start),
            count_wide: wrap(wide.len()),
            narrow_per_group: wrap(self.per_group[0]),
            wide_per_group: wrap(self.per_group[1]),
            first: wrap(range.start - image.start * plane),
            count: wrap(range.len()),
            chunk: part.chunk,
            chunks: part.chunks,
            lead: part.lead,
            accumulate: part.accumulate,
            narrow_base: from_image(&self.narrow, 0),
            narrow_batch: self.narrow.stride(0),
            narrow_channel: self.narrow.stride(1),
            wide_base: from_image(&self.wide, 1),
            wide_batch: self.wide.stride(0),
            wide_channel: self.wide.stride(1),
            y_base: target.address(&first, &window.bytes[2]),
            y_narrow: target.stride(0),
            y_wide: target.stride(1),
            y_chunk: self.partials.stride,
            row_threads,
        }
    }

    fn axis_params(&self, i: usize, taps: &Range<usize>) -> WeightAxisParams {
        let axis = &self.axes[i];
        let rank = self.narrow.layout.shape().len();
        let tap_axis = (i + rank).checked_sub(3).filter(|&axis| axis >= 2);
        WeightAxisParams {
            wide: axis.wide as i32,
            narrow: axis.narrow as i32,
            stride: axis.stride as i32,
            dilation: axis.dilation as i32,
            pad: axis.pad as i32,
            wide_stride: spatial_stride(&self.wide, i),
            narrow_stride: spatial_stride(&self.narrow, i),
            y_stride: tap_axis.map_or(0, |axis| self.partials.target.stride(axis)),
            first: wrap(taps.start),
            count: wrap(taps.len()),
            ..Default::default()
        }
    }
}

uniform! {
    /// One axis of [`WeightGradParams`]; 48 bytes, as a struct in a uniform must be a multiple of 16.
    WeightAxisParams {
        wide: i32,
        narrow: i32,
        stride: i32,
        dilation: i32,
        pad: i32,
        wide_stride: u32,
        narrow_stride: u32,
        y_stride: u32,
        first: u32,
        count: u32,
        unused_0: u32,
        unused_1: u32,
    }
}

uniform! {
    /// `Params` of the weight gradient's shader.
    WeightGradParams {
        d: WeightAxisParams,
        h: WeightAxisParams,
        w: WeightAxisParams,
        first_narrow: u32,
        count_narrow: u32,
        first_wide: u32,
        count_wide: u32,
        narrow_per_group: u32,
        wide_per_group: u32,
        first: u32,
        count: u32,
        chunk: u32,
        chunks: u32,
        lead: u32,
        accumulate: u32,
        narrow_base: u32,
        narrow_batch: u32,
        narrow_channel: u32,
        wide_base: u32,
        wide_batch: u32,
        wide_channel: u32,
        y_base: u32,
        y_narrow: u32,
        y_wide: u32,
        y_chunk: u32,
        row_threads: u32,
    }
}
