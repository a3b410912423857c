//! Tap tables as the shaders read them.

use crate::ops::op::Op;
use std::ops::Range;

use wgpu::Limits;

use crate::error::Result;
use crate::geometry::at_most;
use crate::gpu::program::operand::{Stored, TAP_BYTES};
use crate::gpu::program::uniform::{elements_before, mod_2_32, uniform};
use crate::ops::resample::separable::{Separable, SeparableGrad};
use crate::ops::resample::tap_table::TapTable;
use crate::tensor::allocate::reserve;

uniform! {
    /// One spatial axis of [`ResampleParams`]; 32 bytes.
    ResampleAxis {
        first: u32,    // this dispatch's first output index
        count: u32,    // output indices of this dispatch
        taps: u32,     // entries in a row of this axis's tap table
        table: u32,    // address of output 0's row in the table, in entries
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
    fn tables_on_three_axes(&self, limits: &Limits) -> Result<[TapTable; 3]>;
}

impl<T: Separable> Tables for T {
    fn tables_on_three_axes(&self, limits: &Limits) -> Result<[TapTable; 3]> {
        tables_on_three_axes(&self.output()?.shape, |axis, size| {
            check_table(size, self.taps_per_axis(axis), limits)?;
            self.taps(axis)
        })
    }
}

impl<T: Separable> Tables for SeparableGrad<T> {
    fn tables_on_three_axes(&self, limits: &Limits) -> Result<[TapTable; 3]> {
        tables_on_three_axes(&self.output()?.shape, |axis, size| {
            check_table(self.forward.output()?.shape[axis + 2], self.forward.taps_per_axis(axis), limits)?;
            check_table(size, 1, limits)?;
            let table = self.forward.taps(axis)?.transpose(size)?;
            check_table(table.len(), row_length(&table), limits)?;
            Ok(table)
        })
    }
}

pub(crate) fn check_table(rows: usize, taps: usize, limits: &Limits) -> Result<()> {
    let bytes = rows as u128 * taps as u128 * u128::from(Stored::Tap.bytes());
    at_most("a tap table's size in bytes (max_buffer_size)", bytes, limits.max_buffer_size.into())
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

/// A table as the shaders read it: for each output a row of pairs, a sample's index and the bits of its f32 weight.
pub(crate) fn table_bytes(table: &TapTable) -> Result<Vec<u8>> {
    let length = row_length(table);
    let mut bytes = reserve("a tap table", table.len() * length * TAP_BYTES)?;
    let mut push = |entry: [u32; 2]| bytes.extend_from_slice(bytemuck::bytes_of(&entry));
    for q in 0..table.len() {
        let (taps, outside) = (table.at(q), table.is_outside(q));
        for number in 0..length {
            push(match taps.get(number) {
                _ if outside && number == 0 => [OUTSIDE, 0],
                Some(tap) if !outside => [mod_2_32(tap.index), f32_bits(tap.weight)],
                _ => [END, 0],
            });
        }
    }
    Ok(bytes)
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

/// The address of output 0's row, which may not be bound: in entries from the start of a table's bound bytes, modulo
/// 2³².
pub(crate) fn table_base(bound: &Range<u64>) -> u32 {
    0u32.wrapping_sub(elements_before(bound.start, Stored::Tap.bytes()))
}
