//! The ways to run a resampling, and which of them is the cheapest.

use super::row_blocks::{self, TAPS_ROWS};
use super::table::row_length;
use super::taps::TAPS;
use crate::gpu::program::recipe::{Candidate, Shape};
use crate::gpu::program::rounds::{MAX_ROUNDS, nested};
use crate::gpu::program::uniform::to_u32;
use crate::ops::resample::tap_table::TapTable;

/// Most taps of an axis that are summed in one pass; a table with more takes two passes.
pub(crate) const MOST_TAPS: usize = 1 << 12;

/// What a load costs in several passes, and in blocks, relative to one output a thread; measured on llvmpipe.
const PASSES: f64 = 4.0 / 3.0;
const BLOCKS: f64 = 0.2;

/// The candidates, cheapest first: blocks of outputs, one output a thread, and one output a thread with a pass for each
/// axis that is resampled. Several passes keep the order in which one pass sums: columns, rows, slices.
pub(crate) fn candidates(tables: &[TapTable; 3], sizes: [usize; 3], channels: usize) -> Vec<Candidate> {
    let changing: Vec<usize> = resampled(tables, sizes).collect();
    let whole = Candidate::from(&TAPS);
    let in_one_pass = nested(tables.each_ref().map(row_length)) <= MAX_ROUNDS;
    let mut candidates = Vec::from_iter(in_one_pass.then_some(whole));
    // Extrapolation values would take one more pass.
    if !in_one_pass || (changing.len() > 1 && !tables.iter().any(TapTable::has_outside)) {
        candidates.push(Candidate { shape: Shape::AxisPasses { passes: to_u32(passes(tables, &changing)) }, ..whole });
    }
    if row_blocks::fits(tables) {
        candidates.push(row_blocks::candidate(&TAPS_ROWS));
    }
    // Loads and stores of an image, `each` for an output: its taps' weights and samples, and the result.
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
            Shape::PerOutput { .. }
            | Shape::Gemm { .. }
            | Shape::PerTexel
            | Shape::MarkAndGather
            | Shape::Reduction { .. } => work(outputs, d * h * w + 2.0),
        }
    };
    candidates.sort_by(|one, other| cost(one).floor().total_cmp(&cost(other).floor()));
    candidates
}

/// The number of passes that [`Shape::AxisPasses`] takes.
fn passes(tables: &[TapTable; 3], changing: &[usize]) -> usize {
    let steps = changing.iter().map(|&axis| if tables[axis].longest() > MOST_TAPS { 2 } else { 1 });
    steps.sum::<usize>() + usize::from(tables.iter().any(TapTable::has_outside))
}

/// The axes that are resampled, columns first.
pub(crate) fn resampled(tables: &[TapTable; 3], sizes: [usize; 3]) -> impl Iterator<Item = usize> {
    let changes = std::array::from_fn::<bool, 3, _>(|i| !tables[i].is_identity(sizes[i]));
    (0..3).rev().filter(move |&axis| changes[axis])
}
