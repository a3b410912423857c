//! Upsampling on the GPU.

use std::ops::Range;

use wgpu::Limits;

use super::kernel::Shader;
use super::params::{UpsampleParams, wrap};
use super::program::{Dispatch, GpuOp, Program, Recipe, Request, Source, recipes};
use super::relation::{span, spatial_stride};
use super::windows::{Tile, Window, split};
use crate::geometry::at_most;
use crate::{Op, Result, Tap, TapTable, TensorLayout, Upsample, UpsampleMode};

/// One thread per output element copies a sample.
pub(crate) static NEAREST: Shader = Shader {
    name: "upsample_nearest",
    source: include_str!("../../shaders/upsample_nearest.wgsl"),
    reads: 4,
    fields: UpsampleParams::FIELDS,
    params_size: size_of::<UpsampleParams>() as u64,
    overrides: &["workgroup_size"],
};

/// One thread per output element sums its taps.
pub(crate) static TAPS: Shader =
    Shader { name: "upsample_taps", source: include_str!("../../shaders/upsample_taps.wgsl"), ..NEAREST };

/// What a dispatch binds, besides the uniform.
const NAMES: [&str; 5] = ["input", "output", "tap table", "tap table", "tap table"];

/// Bytes of a table entry: an index and a weight.
const ENTRY: u64 = 8;

/// An output index that takes the extrapolation value, in place of a table's index.
const OUTSIDE: u32 = u32::MAX;

impl<const R: usize> Upsample<R> {
    fn shader(&self) -> &'static Shader {
        if matches!(self.mode, UpsampleMode::Nearest(_)) { &NEAREST } else { &TAPS }
    }
}

impl<const R: usize> GpuOp for Upsample<R> {
    fn recipes(&self, limits: &Limits) -> Vec<Recipe> {
        recipes(self.shader(), limits)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let shader = self.shader();
        let recipe = request.choose(Self::NAME, shader, &[&NEAREST, &TAPS])?;
        let operands = request.place(self)?;
        self.check_tables(request.limits)?;
        let resize = Resize {
            tables: self.tables()?,
            input_size: std::array::from_fn(|i| (i + R).checked_sub(3).map_or(1, |axis| self.input_size[axis])),
            input: operands[0].layout.clone(),
            output: operands[1].layout.clone(),
            extrapolation: self.extrapolation_value,
        };
        let dispatch = |window: Window| {
            let workgroups = request.fold(&recipe, &window.tile);
            let params = resize.params(&window, workgroups[0] * recipe.workgroup_size);
            let params = bytemuck::bytes_of(&params).to_vec();
            let (windows, tables) = window.bytes.split_at(2);
            Dispatch { workgroups, params, windows: windows.into(), tables: tables.into() }
        };
        let dispatches = if resize.output.is_empty() {
            Vec::new()
        } else {
            let [d, h, w] = resize.tables.each_ref().map(|table| 0..table.outside.len());
            let tile = [0..self.batch, 0..self.channels, d, h, w, 0..1];
            let windows = split(tile, &request.bounds(&recipe), &NAMES, |tile| resize.spans(tile))?;
            windows.into_iter().map(dispatch).collect()
        };
        Ok(Program {
            op: Self::NAME,
            shader,
            constants: vec![("workgroup_size", recipe.workgroup_size.into())],
            recipe,
            operands,
            reads: vec![Source::Operand(0), Source::Table(0), Source::Table(1), Source::Table(2)],
            tables: resize.tables.iter().map(table_bytes).collect(),
            dispatches,
        })
    }
}

impl<const R: usize> Upsample<R> {
    /// Refuses tap tables that a buffer cannot hold, before they are made.
    fn check_tables(&self, limits: &Limits) -> Result<()> {
        for size in self.output_size {
            let bytes = size as u64 * self.taps_per_axis() as u64 * ENTRY;
            at_most("a tap table's size in bytes (max_buffer_size)", bytes.into(), limits.max_buffer_size.into())?;
        }
        Ok(())
    }

    /// The tables of three axes; those that the problem lacks come first and take their one sample.
    fn tables(&self) -> Result<[TapTable; 3]> {
        let mut tables = std::array::from_fn(|_| TapTable::unit());
        for axis in 0..R {
            tables[3 - R + axis] = self.taps(axis)?;
        }
        Ok(tables)
    }
}

/// A problem with its tensors placed.
struct Resize {
    tables: [TapTable; 3],
    input_size: [usize; 3],
    input: TensorLayout,
    output: TensorLayout,
    extrapolation: f32,
}

impl Resize {
    /// The elements (of four bytes) of input, output and tables that a tile touches; see [`NAMES`].
    fn spans(&self, tile: &Tile) -> Vec<Range<usize>> {
        let [batch, channels, d, h, w, _] = tile;
        let outer = [batch.clone(), channels.clone()];
        let source = std::array::from_fn(|i| touched(&self.tables[i], &tile[i + 2], self.input_size[i]));
        let mut spans = vec![
            span(&self.input, outer.clone(), source),
            span(&self.output, outer, [d.clone(), h.clone(), w.clone()]),
        ];
        spans.extend(self.tables.iter().zip([d, h, w]).map(|(table, range)| {
            let words = table.taps * ENTRY as usize / 4;
            range.start * words..range.end * words
        }));
        spans
    }

    fn params(&self, window: &Window, row_threads: u32) -> UpsampleParams {
        let [batch, channels, d, h, w, _] = &window.tile;
        // The address of the tile's first image and channel, counted from the start of the window that is bound.
        let base = |layout: &TensorLayout, operand: usize| {
            let skipped = layout.offset() + batch.start * layout.strides()[0] + channels.start * layout.strides()[1];
            wrap(skipped).wrapping_sub((window.bytes[operand].start / 4) as u32)
        };
        let outer = |layout: &TensorLayout, axis: usize| wrap(layout.strides()[axis]);
        let [x_d, x_h, x_w] = std::array::from_fn(|i| wrap(spatial_stride(&self.input, i)));
        let [y_d, y_h, y_w] = std::array::from_fn(|i| wrap(spatial_stride(&self.output, i)));
        // Where an axis's first entry lies, counted from the start of the part of its table that is bound.
        let [table_d, table_h, table_w] =
            std::array::from_fn(|i| 0u32.wrapping_sub((window.bytes[i + 2].start / ENTRY) as u32));
        let [taps_d, taps_h, taps_w] = self.tables.each_ref().map(|table| wrap(table.taps));
        UpsampleParams {
            first_d: wrap(d.start),
            first_h: wrap(h.start),
            first_w: wrap(w.start),
            count_d: wrap(d.len()),
            count_h: wrap(h.len()),
            count_w: wrap(w.len()),
            taps_d,
            taps_h,
            taps_w,
            table_d,
            table_h,
            table_w,
            x_d,
            x_h,
            x_w,
            y_d,
            y_h,
            y_w,
            batch_count: wrap(batch.len()),
            channel_count: wrap(channels.len()),
            x_base: base(&self.input, 0),
            x_batch: outer(&self.input, 0),
            x_channel: outer(&self.input, 1),
            y_base: base(&self.output, 1),
            y_batch: outer(&self.output, 0),
            y_channel: outer(&self.output, 1),
            row_threads,
            extrapolation: self.extrapolation,
        }
    }
}

/// A table as the shaders read it: an index and a weight's bits for each entry.
fn table_bytes(table: &TapTable) -> Vec<u8> {
    let entry = |(at, tap): (usize, &Tap)| {
        let index = if table.outside[at / table.taps] { OUTSIDE } else { wrap(tap.index) };
        [index, (tap.weight as f32).to_bits()]
    };
    let entries: Vec<[u32; 2]> = table.entries.iter().enumerate().map(entry).collect();
    bytemuck::cast_slice(&entries).to_vec()
}

/// The samples from the first to the last that a range of outputs may read. Coordinates are monotonic in the output
/// index, so the two ends tell, but for samples of weight 0 that were left out there and not in between: at most half
/// the taps on either side.
fn touched(table: &TapTable, outputs: &Range<usize>, input: usize) -> Range<usize> {
    let ends = table.at(outputs.start).iter().chain(table.at(outputs.end - 1)).map(|tap| tap.index);
    let (first, last) = (ends.clone().min().unwrap_or(0), ends.max().unwrap_or(0));
    first.saturating_sub(table.taps / 2)..(last + table.taps / 2 + 1).min(input)
}
