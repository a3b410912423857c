//! The tiles of matrix products that a workgroup computes, by shaders that share within subgroups or within workgroups.

use wgpu::Backend;

use crate::gpu::program::constants::Constant;
use crate::gpu::program::recipe::{Candidate, Capabilities, Shape};
use crate::gpu::program::rounds::{ENTRY, nested};
use crate::gpu::program::shader::Shader;

/// Terms of a sum that the shaders which share within workgroups stage at a time.
const STAGED: u32 = 8;

/// Threads of the workgroups of these shaders.
const THREADS: u32 = 64;

/// The candidates for a product of so many rows on such a device: one or two tiles for each shader. The first shader
/// shares within subgroups, the second within workgroups. None through OpenGL, where Mesa takes minutes to compile
/// them.
pub(crate) fn candidates(shaders: [&'static Shader; 2], rows: usize, capabilities: &Capabilities) -> Vec<Candidate> {
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
    for quads in smallest_covering_and_next([8, 4, 2, 1], |quads| 4 * quads as usize >= rows) {
        let threads = capabilities.subgroup_sizes[1].max(8);
        push(shaders[0], [4 * quads, 4 * threads], threads, quads, 0);
    }
    for tile in
        smallest_covering_and_next([[64, 64], [32, 128], [16, 64], [16, 64]], |tile: [u32; 2]| tile[0] as usize >= rows)
    {
        let bytes = (tile[0] + tile[1]) * STAGED * 4;
        push(shaders[1], tile, THREADS, 0, bytes);
    }
    candidates
}

/// Of these sizes, largest first: the smallest that is large enough (else the largest), and the next smaller one.
fn smallest_covering_and_next<T: Copy, const N: usize>(
    sizes: [T; N],
    enough: impl Fn(T) -> bool,
) -> impl Iterator<Item = T> {
    let first = sizes.iter().rposition(|&size| enough(size)).unwrap_or(0).min(N - 1);
    sizes.into_iter().skip(first).take(2)
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

/// The shaders' constants that say how large the tile is, besides `workgroup_size`.
pub(crate) fn constants(tile: [u32; 2], workgroup_size: u32, shader: &Shader) -> Vec<Constant> {
    let [row_quads, column_quads] = tile.map(|side| f64::from(side / 4));
    if shader.subgroups {
        return has_adjustable_height(shader).then_some(("quads", row_quads)).into_iter().collect();
    }
    // Each thread computes `quads` by `quads` squares of 4 by 4 outputs.
    let quads = (row_quads * column_quads / f64::from(workgroup_size)).sqrt();
    let [staged_rows, staged_columns] = [row_quads, column_quads].map(|quads| quads * f64::from(STAGED));
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
    // Terms that are staged at a time, and the rounds of the loops for each such stage: those that stage the terms and,
    // in one shader, the one that sums them.
    let (staged, stage) = if shader.cooperative() {
        let side = tile[0] / 4;
        // No workgroup of cooperative matrices has fewer than 16 threads.
        (side, u64::from((side * side).div_ceil(16)) + ENTRY)
    } else {
        let stage = tile.map(|side| u64::from((side / 4 * STAGED).div_ceil(THREADS)) + ENTRY);
        (STAGED, stage[0] + stage[1] + u64::from(STAGED) + ENTRY)
    };
    (terms as u64).div_ceil(staged.into()) * (1 + stage) + ENTRY
}
