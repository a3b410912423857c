//! Tap tables as the shaders read them.

use std::ops::Range;

use wgpu::Limits;

use crate::error::{Error, Result};
use crate::geometry::at_most;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::operand::{LaidOutTensor, TAP_BYTES};
use crate::gpu::program::region::Region;
use crate::gpu::program::split::{BINDING, MAX_DISPATCHES, too_many};
use crate::gpu::program::uniform::{mod_2_32, uniform};
use crate::ops::op::Op;
use crate::ops::resample::separable::{Separable, SeparableGrad};
use crate::ops::resample::tap_table::TapTable;
use crate::tensor::allocate::reserve;

uniform! {
    /// One spatial axis of [`ResampleParams`]; 32 bytes.
    ResampleAxis {
        first: u32,    // this dispatch's first output index
        count: u32,    // output indices of this dispatch
        taps: u32,     // entries in a row of this axis's tap table
        table: u32,    // address of output 0's row in the tables, in entries, modulo 2^32
        x_stride: u32, // elements from one input sample to the next, modulo 2^32
        y_stride: u32, // elements from one output to the next
        unused_0: u32, // fills the struct to a multiple of 16 bytes
        unused_1: u32,
    }
}

uniform! {
    /// `Params` of the resampling shaders. Addresses and strides count elements, modulo 2³².
    ResampleParams {
        d: ResampleAxis,    // depth
        h: ResampleAxis,    // height
        w: ResampleAxis,    // width
        batch_count: u32,   // images of this dispatch
        channel_count: u32, // channels of this dispatch
        x_base: u32,        // address of sample 0 in this dispatch's first image and channel
        x_batch: u32,       // from one image to the next
        x_channel: u32,     // from one channel to the next
        y_base: u32,        // address of output 0 in this dispatch's first image and channel
        y_batch: u32,       // from one image to the next
        y_channel: u32,     // from one channel to the next
        row_threads: u32,   // threads in one row of workgroups: thread = id.y * row_threads + id.x
        extrapolation: f32, // the value of outputs that lie outside the input
    }
}

/// In place of a row's first index: the output is the extrapolation value.
const OUTSIDE: u32 = u32::MAX;

/// In place of an index: the row has no more taps.
const END: u32 = u32::MAX - 1;

/// An op whose outputs are sums over tap tables.
pub(crate) trait Tables {
    /// The tables of three axes. Axes that a problem lacks come first, and their tables take the one sample.
    fn tables_on_three_axes(&self) -> Result<[TapTable; 3]>;
}

impl<T: Separable> Tables for T {
    fn tables_on_three_axes(&self) -> Result<[TapTable; 3]> {
        tables_on_three_axes(&self.output()?.shape, |axis, size| {
            check_table(size, self.taps_per_axis(axis))?;
            self.taps(axis)
        })
    }
}

impl<T: Separable> Tables for SeparableGrad<T> {
    fn tables_on_three_axes(&self) -> Result<[TapTable; 3]> {
        tables_on_three_axes(&self.output()?.shape, |axis, size| {
            check_table(self.forward.output()?.shape[axis + 2], self.forward.taps_per_axis(axis))?;
            check_table(size, 1)?;
            let table = self.forward.taps(axis)?.transpose(size)?;
            check_table(table.len(), row_length(&table))?;
            Ok(table)
        })
    }
}

/// The most bytes of an axis's table. A table that is larger than a binding is cut, so no device limits them.
const MAX_TABLE_BYTES: u128 = 1 << 32;

/// Refuses a table of an axis that is too large, before it is made.
pub(crate) fn check_table(rows: usize, taps: usize) -> Result<()> {
    at_most("a tap table's size in bytes", rows as u128 * taps as u128 * TAP_BYTES as u128, MAX_TABLE_BYTES)
}

/// Entries in each row of a table: the most taps that an output has, and at least one.
pub(crate) fn row_length(table: &TapTable) -> usize {
    table.longest().max(1)
}

/// The tables of three axes. `table` makes the table of a spatial axis, from 0, of this output size.
pub(crate) fn tables_on_three_axes(
    output: &[usize],
    table: impl Fn(usize, usize) -> Result<TapTable>,
) -> Result<[TapTable; 3]> {
    let mut tables = std::array::from_fn(|_| TapTable::unit());
    for (axis, &size) in output.iter().enumerate().skip(2) {
        tables[axis + 3 - output.len()] = table(axis - 2, size)?;
    }
    Ok(tables)
}

/// Some rows of the tap tables of three axes, axis after axis in one buffer of the plan.
pub(crate) struct LaidOutTables {
    pub(crate) tensor: LaidOutTensor,
    /// For each axis, the address of index 0's row, in entries, modulo 2³²: the row may lie outside the buffer.
    pub(crate) bases: [u32; 3],
}

impl LaidOutTables {
    /// Lays out these rows of each axis's table.
    pub(crate) fn new(
        builder: &mut ProgramBuilder<'_>,
        tables: [&TapTable; 3],
        rows: [Range<usize>; 3],
    ) -> Result<Self> {
        let lengths = tables.map(row_length);
        let entries = |i: usize| rows[i].len() * lengths[i];
        let mut bytes = reserve("tap tables", (0..3).map(entries).sum::<usize>() * TAP_BYTES)?;
        let mut bases = [0; 3];
        for i in 0..3 {
            let first = mod_2_32(bytes.len() / TAP_BYTES);
            bases[i] = first.wrapping_sub(mod_2_32(rows[i].start).wrapping_mul(mod_2_32(lengths[i])));
            push_rows(&mut bytes, tables[i], rows[i].clone());
        }
        Ok(Self { tensor: builder.add_table(bytes), bases })
    }

    /// All entries: the shaders bind them whole.
    pub(crate) fn span(&self) -> Range<usize> {
        0..self.tensor.layout.len()
    }
}

/// A region in boxes of outputs, so small that the rows of the three tables that a box's outputs read fit together into
/// one binding. `rows` are those rows of each axis.
pub(crate) fn boxes_by_tables(
    region: Region,
    tables: [&TapTable; 3],
    rows: impl Fn(&Region) -> [Range<usize>; 3],
    limits: &Limits,
) -> Result<Vec<Region>> {
    let limit = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
    let lengths = tables.map(row_length);
    let (mut boxes, mut open) = (Vec::new(), vec![region]);
    while let Some(region) = open.pop() {
        let rows = rows(&region);
        let bytes: [u64; 3] = std::array::from_fn(|i| (rows[i].len() * lengths[i] * TAP_BYTES) as u64);
        let needed = bytes.iter().sum();
        if needed <= limit {
            boxes.push(region);
            continue;
        }
        let axes = (0..3).filter(|&axis| region.spatial[axis].len() > 1);
        let axis = axes.max_by_key(|&axis| bytes[axis]).ok_or(Error::BindingTooSmall {
            operand: "tap tables",
            needed,
            limit,
            limit_name: BINDING,
        })?;
        let Range { start, end } = region.spatial[axis];
        let [first, second] = region.cut(axis + 2, start + (end - start) / 2);
        open.extend([second, first]);
        if boxes.len() + open.len() > MAX_DISPATCHES {
            return Err(too_many((BINDING, limit)));
        }
    }
    Ok(boxes)
}

/// A table as the shaders read it: for each output a row of pairs, a sample's index and the bits of its f32 weight.
pub(crate) fn table_bytes(table: &TapTable) -> Result<Vec<u8>> {
    let mut bytes = reserve("a tap table", table.len() * row_length(table) * TAP_BYTES)?;
    push_rows(&mut bytes, table, 0..table.len());
    Ok(bytes)
}

fn push_rows(bytes: &mut Vec<u8>, table: &TapTable, rows: Range<usize>) {
    let mut push = |entry: [u32; 2]| bytes.extend_from_slice(bytemuck::bytes_of(&entry));
    let length = row_length(table);
    for q in rows {
        let (taps, outside) = (table.at(q), table.is_outside(q));
        for number in 0..length {
            push(match taps.get(number) {
                _ if outside && number == 0 => [OUTSIDE, 0],
                Some(tap) if !outside => [mod_2_32(tap.index), f32_bits(tap.weight)],
                _ => [END, 0],
            });
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "weights are f64 on the host and rounded to f32 for the device")]
fn f32_bits(weight: f64) -> u32 {
    (weight as f32).to_bits()
}

/// The samples from the first to the last that a range of outputs reads; empty if the outputs read none.
pub(crate) fn touched(table: &TapTable, outputs: &Range<usize>) -> Range<usize> {
    let read = &table.entries()[table.start(outputs.start)..table.start(outputs.end)];
    let indices = || read.iter().map(|tap| tap.index);
    indices().min().unwrap_or(0)..indices().max().map_or(0, |last| last + 1)
}
