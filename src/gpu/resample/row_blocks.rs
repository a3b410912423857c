//! Resampling by blocks: a thread computes four rows of one column in several channels.

use super::table::{ResampleParams, row_length, touched};
use crate::gpu::program::constants::Constant;
use crate::gpu::program::recipe::{Candidate, Shape};
use crate::gpu::program::region::Region;
use crate::gpu::program::rounds::{MAX_ROUNDS, nested};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};
use crate::ops::resample::tap_table::TapTable;

/// One thread sums the taps of a block of outputs.
pub(crate) static TAPS_ROWS: Shader = Shader {
    name: "resample_taps_row_blocks",
    texts: Texts::Tensors(files!(
        "resample/taps_row_blocks.wgsl",
        "resample/shared/block.wgsl",
        "resample/shared/params.wgsl",
        "shared/tap_marks.wgsl"
    )),
    overrides: &["workgroup_size", "channels", "taps"],
    ..NEAREST_ROWS
};

/// One thread copies a block of outputs.
pub(crate) static NEAREST_ROWS: Shader = Shader {
    name: "resample_nearest_row_blocks",
    texts: Texts::Tensors(files!(
        "resample/nearest_row_blocks.wgsl",
        "resample/shared/block.wgsl",
        "resample/shared/params.wgsl",
        "shared/tap_marks.wgsl"
    )),
    reads: 2,
    writes: 1,
    uniform: ResampleParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "channels"],
};

/// Rows of outputs that a thread computes; the shaders have the same number.
const BLOCK_ROWS: u32 = 4;

/// Most taps along the height, and along the width, that the shader can sum.
const MOST_TAPS: usize = 4;

/// Threads of a workgroup.
pub(crate) const THREADS: u32 = 64;

/// The candidate of one of these shaders.
pub(crate) const fn candidate(shader: &'static Shader) -> Candidate {
    Candidate {
        shape: Shape::Blocks { block: [1, BLOCK_ROWS, 1], split_k: false },
        workgroup_size: Some(THREADS),
        ..Candidate::new(shader)
    }
}

/// Whether the tables have few enough taps for the shader, and a thread has few enough rows to read.
pub(crate) fn fits(tables: &[TapTable; 3]) -> bool {
    tables[1..].iter().all(|table| row_length(table) <= MOST_TAPS) && rounds(tables.each_ref()) <= MAX_ROUNDS
}

/// The rounds of a thread that sums taps; the loops over the height's and the width's taps are written out.
pub(crate) fn rounds([slices, rows, _]: [&TapTable; 3]) -> u64 {
    nested([row_length(slices), most_rows_read(rows)])
}

/// Channels that a thread computes, of `count` channels. Reading the tables costs a thread as much as two channels.
pub(crate) fn channels(count: usize) -> usize {
    (1..=4).min_by_key(|&block| count.div_ceil(block) * (block + 2)).unwrap_or(1)
}

/// Rows of samples that a thread reads, on average.
pub(crate) fn rows_read(table: &TapTable) -> f64 {
    let rows = BLOCK_ROWS as usize;
    let blocks = (0..table.len()).step_by(rows);
    let read: usize = blocks.map(|first| touched(table, &(first..(first + rows).min(table.len()))).len()).sum();
    read as f64 / table.len().div_ceil(rows).max(1) as f64
}

/// The most rows of samples that a thread reads: those from the first to the last sample of neighbouring outputs.
fn most_rows_read(table: &TapTable) -> usize {
    let rows = BLOCK_ROWS as usize;
    let blocks = (0..table.len()).map(|first| touched(table, &(first..(first + rows).min(table.len()))).len());
    blocks.max().unwrap_or(0)
}

/// Threads for a part of a problem that has `channel_count` channels.
pub(crate) fn threads(region: &Region, channel_count: usize) -> u128 {
    let [batch, block] = region.outer.each_ref().map(|range| range.len() as u128);
    let [d, h, w] = region.spatial.each_ref().map(|range| range.len() as u128);
    batch * block.div_ceil(channels(channel_count) as u128) * d * h.div_ceil(BLOCK_ROWS as u128) * w
}

/// The shaders' constants besides `workgroup_size`.
pub(crate) fn constants(shader: &Shader, channel_count: usize, tables: [&TapTable; 3]) -> Vec<Constant> {
    let taps = tables[1..].iter().map(|table| row_length(table)).max().unwrap_or(1);
    // Three and four taps share a pipeline.
    let taps = if taps > 2 { MOST_TAPS } else { taps };
    let mut constants = vec![("channels", channels(channel_count) as f64)];
    constants.extend(shader.overrides.contains(&"taps").then_some(("taps", taps as f64)));
    constants
}

#[cfg(test)]
mod tests {
    use crate::gpu::resample::row_blocks::channels;

    #[test]
    fn few_channels_idle() {
        assert_eq!([1, 2, 3, 4, 5, 7, 64].map(channels), [1, 2, 3, 4, 3, 4, 4]);
    }
}
