//! The tiles of matrix products that a workgroup computes, by shaders that share within subgroups or within workgroups.

use wgpu::Backend;

use crate::gpu::program::constants::Constant;
use crate::gpu::program::recipe::{Candidate, Capabilities, Shape};
use crate::gpu::program::rounds::{ENTRY, nested};
use crate::gpu::program::shader::Shader;

/// Input channels that `conv_gemm_workgroup` stages at a time.
pub(crate) const STAGED: u32 = 16;

/// A shader that shares within workgroups, with a tile that it computes.
#[derive(Clone, Copy)]
pub(crate) struct StagedTile {
    pub(crate) shader: &'static Shader,
    /// Rows and columns of the product.
    pub(crate) tile: [u32; 2],
    /// Threads of a workgroup.
    pub(crate) threads: u32,
    /// Terms of a sum that are staged at a time.
    pub(crate) staged: u32,
}

/// The candidates for a product of so many rows on such a device: one or two tiles of the shader that shares within
/// subgroups, and those of `staged`, the highest first, with one or two heights. None through OpenGL, where Mesa takes
/// minutes to compile them.
pub(crate) fn candidates(
    subgroup: &'static Shader,
    staged: &[StagedTile],
    rows: usize,
    capabilities: &Capabilities,
) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    if capabilities.backend == Backend::Gl {
        return candidates;
    }
    let mut push = |shader, tile, workgroup_size, subgroup_size, workgroup_bytes| {
        let workgroup_size = Some(workgroup_size);
        candidates.push(Candidate {
            shape: Shape::Gemm { tile, merged: None, split_k: false },
            workgroup_size,
            subgroup_size,
            workgroup_bytes,
            ..Candidate::new(shader)
        });
    };
    for quads in smallest_covering_and_next(&[8, 4, 2, 1], |quads| 4 * quads as usize >= rows) {
        let threads = capabilities.subgroup_sizes[1].max(8);
        push(subgroup, [4 * quads, 4 * threads], threads, quads, 0);
    }
    let mut heights: Vec<u32> = staged.iter().map(|staged| staged.tile[0]).collect();
    heights.dedup();
    let heights: Vec<u32> = smallest_covering_and_next(&heights, |height| height as usize >= rows).collect();
    for StagedTile { shader, tile, threads, staged } in staged {
        if heights.contains(&tile[0]) {
            push(shader, *tile, *threads, 0, (tile[0] + tile[1]) * staged * 4);
        }
    }
    candidates
}

/// Of these sizes, largest first: the smallest that is large enough (else the largest), and the next smaller one.
fn smallest_covering_and_next<T: Copy>(sizes: &[T], enough: impl Fn(T) -> bool) -> impl Iterator<Item = T> {
    let first = sizes.iter().rposition(|&size| enough(size)).unwrap_or(0);
    sizes.iter().copied().skip(first).take(2)
}

/// Whether the height of a shader's tile, in quads of rows, is a constant that the host sets.
fn has_adjustable_height(shader: &Shader) -> bool {
    shader.subgroups && shader.overrides.contains(&"quads")
}

/// The rows of a tile for a product of `rows` rows: the fewest that hold them if the shader's height is a constant,
/// else those of the recipe's tile.
pub(crate) fn height(tile: [u32; 2], shader: &Shader, rows: usize) -> u32 {
    let enough = |&height: &u32| height as usize >= rows;
    let lower = [4, 8, 16].into_iter().filter(|&height| has_adjustable_height(shader) && height < tile[0]).find(enough);
    lower.unwrap_or(tile[0])
}

/// Whether the size of a shader's tile is a constant that the host sets, and not written in its text.
fn has_adjustable_tile(shader: &Shader) -> bool {
    shader.overrides.contains(&"staged_rows")
}

/// Positions that the shader of an adjustable tile stages at a time, and threads of its workgroups.
const ADJUSTABLE: [u32; 2] = [8, 64];

impl StagedTile {
    /// A tile of a shader whose tile is adjustable.
    pub(crate) const fn adjustable(shader: &'static Shader, tile: [u32; 2]) -> Self {
        let [staged, threads] = ADJUSTABLE;
        Self { shader, tile, threads, staged }
    }
}

/// The shaders' constants that say how large the tile is, besides `workgroup_size`.
pub(crate) fn constants(tile: [u32; 2], workgroup_size: u32, shader: &Shader) -> Vec<Constant> {
    let [row_quads, column_quads] = tile.map(|side| f64::from(side / 4));
    if !has_adjustable_tile(shader) {
        return has_adjustable_height(shader).then_some(("quads", row_quads)).into_iter().collect();
    }
    // Each thread computes `quads` by `quads` squares of 4 by 4 outputs.
    let quads = (row_quads * column_quads / f64::from(workgroup_size)).sqrt();
    let [staged_rows, staged_columns] = [row_quads, column_quads].map(|quads| quads * f64::from(ADJUSTABLE[0]));
    vec![("staged_rows", staged_rows), ("staged_columns", staged_columns), ("quads", quads)]
}

/// The most rounds that an invocation makes of its loops to load and to store its sums: no more than 8 squares of 4
/// rows, each twice.
pub(crate) const LOAD_AND_STORE: u64 = 2 * (8 * (1 + 4 + ENTRY) + ENTRY);

/// The most rounds that an invocation makes of its loops to sum this many terms, one after the other.
pub(crate) fn rounds(shader: &Shader, tile: [u32; 2], terms: usize) -> u64 {
    if shader.subgroups && !shader.cooperative() {
        return nested([terms]);
    }
    // Terms that are staged at a time, and the rounds of the loops inside for each such stage.
    let (staged, stage) = if shader.cooperative() {
        let side = tile[0] / 4;
        // No workgroup of cooperative matrices has fewer than 16 threads.
        (side, u64::from((side * side).div_ceil(16)) + ENTRY)
    } else if has_adjustable_tile(shader) {
        let [staged, threads] = ADJUSTABLE;
        let stage = tile.map(|side| u64::from((side / 4 * staged).div_ceil(threads)) + ENTRY);
        (staged, stage[0] + stage[1] + u64::from(staged) + ENTRY)
    } else {
        (STAGED, 0)
    };
    (terms as u64).div_ceil(staged.into()) * (1 + stage) + ENTRY
}
