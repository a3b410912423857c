//! What the shaders of matrix products have in common: the tiles that a workgroup computes, shared within subgroups or
//! within workgroups.

use crate::gpu::program::constants::Constant;
use wgpu::Backend;

use crate::gpu::program::recipe::{Candidate, Capabilities, Shape};
use crate::gpu::program::shader::Shader;

/// Terms of a sum that the workgroups' shaders stage at a time.
const STAGED: f64 = 8.0;

/// The tiles for so many rows on such a device: two by each of the shaders, of which the first shares within subgroups
/// and the second within workgroups. None through OpenGL, where Mesa's compiler takes minutes over them.
pub(crate) fn candidates(shaders: [&'static Shader; 2], rows: usize, capabilities: &Capabilities) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    if capabilities.backend == Backend::Gl {
        return candidates;
    }
    let mut push = |shader, tile, workgroup_size, subgroup_size| {
        let workgroup_size = Some(workgroup_size);
        candidates.push(Candidate {
            shape: Shape::Gemm { tile, merged: None, split_k: false },
            workgroup_size,
            subgroup_size,
            ..Candidate::new(shader)
        });
    };
    for quads in two_of([8, 4, 2, 1], |quads| 4 * quads as usize >= rows) {
        let threads = capabilities.subgroup_sizes[1].max(8);
        push(shaders[0], [4 * quads, 4 * threads], threads, quads);
    }
    for tile in two_of([[64, 64], [32, 128], [16, 64], [16, 64]], |tile: [u32; 2]| tile[0] as usize >= rows) {
        push(shaders[1], tile, 64, 0);
    }
    candidates
}

/// The last of these, which become smaller, that is large enough, and the one after it.
fn two_of<T: Copy, const N: usize>(sizes: [T; N], enough: impl Fn(T) -> bool) -> impl Iterator<Item = T> {
    let first = sizes.iter().rposition(|&size| enough(size)).unwrap_or(0).min(N - 1);
    sizes.into_iter().skip(first).take(2)
}

/// Whether the height of a shader's tile, in quads of rows, is a constant that the host sets.
fn by_quads(shader: &Shader) -> bool {
    shader.subgroups && shader.overrides.contains(&"quads")
}

/// Rows of a tile that are enough for so many, as far as the shader can do with fewer than the recipe has.
pub(crate) fn height(tile: [u32; 2], shader: &Shader, rows: usize) -> u32 {
    let enough = |&height: &u32| height as usize >= rows;
    let lower = [4, 8, 16].into_iter().filter(|&height| by_quads(shader) && height < tile[0]).find(enough);
    lower.unwrap_or(tile[0])
}

/// The shaders' constants that say how large the tile is, besides `workgroup_size`.
pub(crate) fn constants(tile: [u32; 2], workgroup_size: u32, shader: &Shader) -> Vec<Constant> {
    let [row_quads, column_quads] = tile.map(|side| f64::from(side / 4));
    if shader.subgroups {
        return by_quads(shader).then_some(("quads", row_quads)).into_iter().collect();
    }
    // So many by so many outputs belong to each thread, in squares of 4.
    let quads = (row_quads * column_quads / f64::from(workgroup_size)).sqrt();
    vec![("staged_rows", row_quads * STAGED), ("staged_columns", column_quads * STAGED), ("quads", quads)]
}
