//! The ways to run a resampling, and which of them is the cheapest.

use super::row_blocks::{self, TAPS_ROWS};
use super::taps::TAPS;
use crate::gpu::program::recipe::{Candidate, Shape};
use crate::ops::resample::tap_table::TapTable;

/// What a load costs in a program of several passes, and in blocks, measured on llvmpipe against one output a thread.
const PASSES: f64 = 4.0 / 3.0;
const BLOCKS: f64 = 0.2;

/// By blocks of outputs, one output a thread, or that with a pass for each axis that changes: the cheapest first. Axis
/// by axis, the shader's order of operations stays what it is in one pass: columns, rows, slices.
pub(crate) fn candidates(tables: &[TapTable; 3], sizes: [usize; 3], channels: usize) -> Vec<Candidate> {
    let changing: Vec<usize> = resampled(tables, sizes).collect();
    let whole = Candidate::from(&TAPS);
    let mut candidates = vec![whole];
    // A product with an extrapolation value would not be that value to the bit.
    if changing.len() > 1 && !tables.iter().any(TapTable::has_outside) {
        candidates.push(Candidate { shape: Shape::AxisPasses { passes: changing.len() as u32 }, ..whole });
    }
    if row_blocks::fits(tables) {
        candidates.push(row_blocks::candidate(&TAPS_ROWS));
    }
    // Loads and stores of an image: a tap's weight and sample, and the result.
    let work = |sizes: [usize; 3], each: f64| sizes.iter().map(|&size| size as f64).product::<f64>() * each;
    let outputs = tables.each_ref().map(TapTable::len);
    let taps = tables.each_ref().map(|table| table.longest() as f64);
    let [d, h, w] = taps;
    let cost = |candidate: &Candidate| -> f64 {
        match candidate.shape {
            Shape::AxisPasses { .. } => {
                let mut between = sizes;
                let pass = |&axis: &usize| {
                    between[axis] = tables[axis].len();
                    work(between, taps[axis] + 2.0)
                };
                changing.iter().map(pass).sum::<f64>() * PASSES
            }
            Shape::Blocks { .. } => {
                let shared = (d + 4.0 * h + w) / row_blocks::channels(channels) as f64;
                let blocks = [outputs[0], outputs[1].div_ceil(4), outputs[2]];
                work(blocks, shared + d * row_blocks::rows_read(&tables[1]) * (w + 1.0) + 4.0) * BLOCKS
            }
            Shape::PerOutput { .. } | Shape::Gemm { .. } | Shape::PerTexel | Shape::MarkAndGather => {
                work(outputs, d * h * w + 2.0)
            }
        }
    };
    candidates.sort_by_cached_key(|candidate| cost(candidate) as u128);
    candidates
}

/// The axes that do not stay as they are, columns first.
pub(crate) fn resampled(tables: &[TapTable; 3], sizes: [usize; 3]) -> impl Iterator<Item = usize> {
    let changes = std::array::from_fn::<bool, 3, _>(|i| !tables[i].is_identity(sizes[i]));
    (0..3).rev().filter(move |&axis| changes[axis])
}
