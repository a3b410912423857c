//! Upsampling on the GPU.

use std::ops::Range;

use wgpu::Limits;

use super::kernel::Shader;
use super::params::{UpsampleParams, address, wrap};
use super::program::{Dispatch, GpuOp, Placed, Program, Recipe, Request, Source, recipes};
use super::relation::{span, spatial_stride};
use super::windows::{Tile, Window, split};
use crate::geometry::at_most;
use crate::{Op, Result, TapTable, TensorLayout, Upsample, UpsampleGrad, UpsampleMode};

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

/// Bytes of a table's entry: an index and a weight.
const ENTRY: u64 = 8;

/// First in a row, in place of an index: the extrapolation value.
const OUTSIDE: u32 = u32::MAX;

/// In a row, in place of an index: no more taps.
const END: u32 = u32::MAX - 1;

impl<const R: usize> Upsample<R> {
    /// The shaders that can run it, best first: a copy is also a sum of one tap.
    fn shaders(&self) -> Vec<&'static Shader> {
        if matches!(self.mode, UpsampleMode::Nearest(_)) { vec![&NEAREST, &TAPS] } else { vec![&TAPS] }
    }
}

impl<const R: usize> GpuOp for Upsample<R> {
    fn recipes(&self, limits: &Limits) -> Vec<Recipe> {
        recipes(&self.shaders(), limits)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let (shader, recipe) = request.choose(Self::NAME, &self.shaders())?;
        let operands = request.place(self)?;
        check_tables(self, request.limits)?;
        let tables = three::<R>(|axis| self.taps(axis))?;
        let sizes = [self.batch, self.channels];
        let resize = Resize::new(shader, tables, &operands, self.extrapolation_value);
        lower(Self::NAME, recipe, resize, operands, sizes, request)
    }
}

/// The gradient is the same sum over the transposed tables.
impl<const R: usize> GpuOp for UpsampleGrad<R> {
    fn recipes(&self, limits: &Limits) -> Vec<Recipe> {
        recipes(&[&TAPS], limits)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let (shader, recipe) = request.choose(Self::NAME, &[&TAPS])?;
        let operands = request.place(self)?;
        let forward = &self.forward;
        check_tables(forward, request.limits)?;
        let tables = three::<R>(|axis| {
            let table = forward.taps(axis)?.transpose(forward.input_size[axis])?;
            check_table(table.len(), row_length(&table), request.limits)?;
            Ok(table)
        })?;
        let sizes = [forward.batch, forward.channels];
        let resize = Resize::new(shader, tables, &operands, 0.0);
        lower(Self::NAME, recipe, resize, operands, sizes, request)
    }
}

/// Refuses tap tables that a buffer cannot hold, before they are made.
fn check_tables<const R: usize>(op: &Upsample<R>, limits: &Limits) -> Result<()> {
    (0..R).try_for_each(|axis| check_table(op.output_size[axis], op.taps_per_axis(axis), limits))
}

fn check_table(rows: usize, taps: usize, limits: &Limits) -> Result<()> {
    let bytes = rows as u128 * taps as u128 * u128::from(ENTRY);
    at_most("a tap table's size in bytes (max_buffer_size)", bytes, limits.max_buffer_size.into())
}

/// Entries in each row of a table: a row is as long as the longest has taps.
fn row_length(table: &TapTable) -> usize {
    table.longest().max(1)
}

/// The tables of three axes; those that a problem of `R` lacks come first and take their one sample.
fn three<const R: usize>(table: impl Fn(usize) -> Result<TapTable>) -> Result<[TapTable; 3]> {
    let mut tables = std::array::from_fn(|_| TapTable::unit());
    for axis in 0..R {
        tables[3 - R + axis] = table(axis)?;
    }
    Ok(tables)
}

fn lower(
    op: &'static str,
    recipe: Recipe,
    resize: Resize,
    operands: Vec<Placed>,
    [batch, channels]: [usize; 2],
    request: Request<'_>,
) -> Result<Program> {
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
        let [d, h, w] = resize.tables.each_ref().map(|table| 0..table.len());
        let tile = [0..batch, 0..channels, d, h, w, 0..1];
        let windows = split(tile, &request.bounds(&recipe), &NAMES, |tile| resize.spans(tile))?;
        windows.into_iter().map(dispatch).collect()
    };
    Ok(Program {
        op,
        shader: resize.shader,
        constants: vec![("workgroup_size", recipe.workgroup_size.into())],
        recipe,
        operands,
        reads: vec![Source::Operand(0), Source::Table(0), Source::Table(1), Source::Table(2)],
        tables: resize.tables.iter().map(table_bytes).collect(),
        dispatches,
    })
}

/// A problem with its tensors placed.
struct Resize {
    shader: &'static Shader,
    tables: [TapTable; 3],
    row_lengths: [usize; 3],
    input: TensorLayout,
    output: TensorLayout,
    extrapolation: f32,
}

impl Resize {
    fn new(shader: &'static Shader, tables: [TapTable; 3], operands: &[Placed], extrapolation: f32) -> Self {
        let [input, output] = [0, 1].map(|operand| operands[operand].layout.clone());
        Self { shader, row_lengths: tables.each_ref().map(row_length), tables, input, output, extrapolation }
    }

    /// The elements (of four bytes) of input, output and tables that a tile touches; see [`NAMES`].
    fn spans(&self, tile: &Tile) -> Vec<Range<usize>> {
        let [batch, channels, d, h, w, _] = tile;
        let outer = [batch.clone(), channels.clone()];
        let source = std::array::from_fn(|i| touched(&self.tables[i], &tile[i + 2]));
        let mut spans = vec![
            span(&self.input, outer.clone(), source),
            span(&self.output, outer, [d.clone(), h.clone(), w.clone()]),
        ];
        spans.extend(self.row_lengths.iter().zip([d, h, w]).map(|(length, rows)| {
            let words = length * ENTRY as usize / 4;
            rows.start * words..rows.end * words
        }));
        spans
    }

    fn params(&self, window: &Window, row_threads: u32) -> UpsampleParams {
        let [batch, channels, d, h, w, _] = &window.tile;
        let base = |layout, operand: usize| address(layout, &[batch.start, channels.start], &window.bytes[operand]);
        let outer = |layout: &TensorLayout, axis: usize| wrap(layout.strides()[axis]);
        let [x_d, x_h, x_w] = std::array::from_fn(|i| wrap(spatial_stride(&self.input, i)));
        let [y_d, y_h, y_w] = std::array::from_fn(|i| wrap(spatial_stride(&self.output, i)));
        // Where an axis's first row lies, counted from the start of the part of its table that is bound.
        let [table_d, table_h, table_w] =
            std::array::from_fn(|i| 0u32.wrapping_sub((window.bytes[i + 2].start / ENTRY) as u32));
        let [taps_d, taps_h, taps_w] = self.row_lengths.map(wrap);
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

/// A table as the shaders read it: for each output a row of indices and weights' bits.
fn table_bytes(table: &TapTable) -> Vec<u8> {
    let length = row_length(table);
    let mut entries = vec![[END, 0]; table.len() * length];
    for (q, row) in entries.chunks_exact_mut(length).enumerate() {
        if table.is_outside(q) {
            row[0] = [OUTSIDE, 0];
            continue;
        }
        for (entry, tap) in row.iter_mut().zip(table.at(q)) {
            *entry = [wrap(tap.index), (tap.weight as f32).to_bits()];
        }
    }
    bytemuck::cast_slice(&entries).to_vec()
}

/// The samples from the first to the last that a range of outputs reads; none where they read none.
fn touched(table: &TapTable, outputs: &Range<usize>) -> Range<usize> {
    let read = &table.entries()[table.start(outputs.start)..table.start(outputs.end)];
    let indices = || read.iter().map(|tap| tap.index);
    indices().min().unwrap_or(0)..indices().max().map_or(0, |last| last + 1)
}
