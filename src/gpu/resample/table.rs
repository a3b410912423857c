//! Tap tables as the shaders read them.

use crate::ops::op::Op;
use std::ops::Range;

use wgpu::Limits;

use crate::error::Result;
use crate::geometry::at_most;
use crate::gpu::program::operand::Stored;
use crate::gpu::program::uniform::{mod_2_32, uniform};
use crate::ops::resample::separable::{Separable, SeparableGrad};
use crate::ops::resample::tap_table::TapTable;
use crate::tensor::allocate::reserve;

uniform! {
    /// One axis of [`ResampleParams`]; 32 bytes.
    ResampleAxis {
        first: u32,
        count: u32,
        taps: u32,
        table: u32,
        x_stride: u32,
        y_stride: u32,
        unused_0: u32,
        unused_1: u32,
    }
}

uniform! {
    /// `Params` of the resampling shaders.
    ResampleParams {
        d: ResampleAxis,
        h: ResampleAxis,
        w: ResampleAxis,
        batch_count: u32,
        channel_count: u32,
        x_base: u32,
        x_batch: u32,
        x_channel: u32,
        y_base: u32,
        y_batch: u32,
        y_channel: u32,
        row_threads: u32,
        extrapolation: f32,
    }
}

/// First in a row, in place of an index: the extrapolation value.
const OUTSIDE: u32 = u32::MAX;

/// In a row, in place of an index: no more taps.
const END: u32 = u32::MAX - 1;

/// An op that is made of tap tables.
pub(crate) trait Tables {
    /// The tables of three axes; those that a problem lacks come first and take their one sample.
    fn three(&self, limits: &Limits) -> Result<[TapTable; 3]>;
}

impl<T: Separable> Tables for T {
    fn three(&self, limits: &Limits) -> Result<[TapTable; 3]> {
        three(&self.output()?.shape, |axis, size| {
            check_table(size, self.taps_per_axis(axis), limits)?;
            self.taps(axis)
        })
    }
}

impl<T: Separable> Tables for SeparableGrad<T> {
    fn three(&self, limits: &Limits) -> Result<[TapTable; 3]> {
        three(&self.output()?.shape, |axis, size| {
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

/// Entries in each row of a table: a row is as long as the longest has taps.
pub(crate) fn row_length(table: &TapTable) -> usize {
    table.longest().max(1)
}

/// `table` gives that of a spatial axis, and takes its output size.
pub(crate) fn three(output: &[usize], table: impl Fn(usize, usize) -> Result<TapTable>) -> Result<[TapTable; 3]> {
    let mut tables = std::array::from_fn(|_| TapTable::unit());
    for (axis, &size) in output.iter().enumerate().skip(2) {
        tables[axis + 3 - output.len()] = table(axis - 2, size)?;
    }
    Ok(tables)
}

/// A table as the shaders read it: for each output a row of indices and weights' bits.
pub(crate) fn table_bytes(table: &TapTable) -> Result<Vec<u8>> {
    let length = row_length(table);
    let mut bytes = reserve("a tap table", table.len() * length * Stored::Tap.bytes() as usize)?;
    let mut push = |entry: [u32; 2]| bytes.extend_from_slice(bytemuck::bytes_of(&entry));
    for q in 0..table.len() {
        let (taps, outside) = (table.at(q), table.is_outside(q));
        for number in 0..length {
            push(match taps.get(number) {
                _ if outside && number == 0 => [OUTSIDE, 0],
                Some(tap) if !outside => [mod_2_32(tap.index), (tap.weight as f32).to_bits()],
                _ => [END, 0],
            });
        }
    }
    Ok(bytes)
}

/// The samples from the first to the last that a range of outputs reads; none where they read none.
pub(crate) fn touched(table: &TapTable, outputs: &Range<usize>) -> Range<usize> {
    let read = &table.entries()[table.start(outputs.start)..table.start(outputs.end)];
    let indices = || read.iter().map(|tap| tap.index);
    indices().min().unwrap_or(0)..indices().max().map_or(0, |last| last + 1)
}

/// Where the row of output index 0 would lie, in entries from the start of the bytes of a table that are bound, modulo
/// 2³².
pub(crate) fn table_base(bound: &Range<u64>) -> u32 {
    0u32.wrapping_sub((bound.start / Stored::Tap.bytes()) as u32)
}
