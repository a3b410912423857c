//! The weight's gradient on the GPU.

use std::ops::Range;

use super::kernel::{Shader, with_storage};
use super::params::{WeightAxisParams, WeightGradParams, wrap};
use super::partial_sums::{Chunks, Part, Partials, zeros};
use super::program::{GpuOp, Launch, Placed, Program, Request, Source, Step, Work};
use super::recipe::{Capabilities, Recipe, recipes};
use super::relation::{span, spatial_stride};
use super::windows::{Bindable, REDUCTION, Tile, Window, flat_box};
use crate::conv_weight_grad::ForwardInput;
use crate::geometry::{Axis, at_most};
use crate::{ConvWeightGrad, FloatType, Op, Result};

/// One thread per weight element and chunk of its sum.
pub(crate) static DIRECT: Shader = Shader {
    name: "conv_weight_grad_direct",
    sources: with_storage!("../../shaders/conv_weight_grad_direct.wgsl"),
    reads: 2,
    writes: 1,
    fields: WeightGradParams::FIELDS,
    params_size: size_of::<WeightGradParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size"],
};

impl<const R: usize> ConvWeightGrad<R> {
    /// Positions that are summed: images, and the narrow side's sizes.
    fn positions(&self) -> [usize; 4] {
        let [d, h, w] = self.geometry().axes3().map(|axis| axis.narrow);
        [self.geometry().batch, d, h, w]
    }

    fn chunks(&self) -> Chunks {
        Chunks::new(self.geometry().weight_shape().iter().product(), self.positions().iter().product())
    }
}

impl<const R: usize> GpuOp for ConvWeightGrad<R> {
    fn recipes(&self, capabilities: &Capabilities) -> Vec<Recipe> {
        recipes(&self.chunks().candidates(&DIRECT, FloatType::F32), capabilities)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let (_, recipe) = request.choose(Self::NAME, &self.chunks().candidates(&DIRECT, request.options.storage))?;
        let operands = request.place(self)?;
        let (geometry, positions) = (self.geometry(), self.positions());
        let terms = positions.iter().product();
        if terms == 0 {
            return zeros(Self::NAME, recipe, operands, &request);
        }
        at_most("positions in an image", (terms / positions[0]) as u128, 1 << 31)?;
        let chunks = self.chunks().of(&recipe, terms);
        let partials = Partials::new(&request, &recipe, chunks.count, &operands)?;
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
        let launch = Launch { recipe: &recipe, storage, tile, operands: &bindables, work: Work::Chunks(chunks.chunk) };
        let dispatches = request.dispatches(
            launch,
            |tile| gradient.spans(tile),
            |window, row_threads| gradient.params(window, row_threads),
        )?;
        let step = Step {
            shader: &DIRECT,
            storage,
            constants: vec![("workgroup_size", recipe.workgroup_size.into())],
            bindings: vec![Source::Operand(sides[0]), Source::Operand(sides[1]), partials.source],
            dispatches,
        };
        let steps = [step].into_iter().chain(partials.sum(&request, &recipe, &operands)?).collect();
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
        let chunks = super::windows::chunks(tile, self.chunks.chunk);
        let rank = self.narrow.layout.shape().len();
        let taps = [d, h, w].into_iter().skip(5 - rank).cloned();
        let element: Vec<_> = [narrow.clone(), wide.clone()].into_iter().chain(taps).chain([chunks]).collect();
        // Without chunks of its own the target has no axis for them.
        let target = target.span(&element[..target.shape().len()]);
        let narrow = span(&self.narrow.layout, [images.clone(), narrow.clone()], rows);
        vec![narrow, span(&self.wide.layout, [images, wides], samples), target]
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
