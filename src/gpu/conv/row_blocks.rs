//! Convolution of stride and dilation 1, two rows of eight outputs a thread.

use super::layer::{Direction, Layer};
use super::operands::ConvParams;
use crate::gpu::program::recipe::{Candidate, Shape};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::with_storage;

/// One thread sums a block of outputs.
pub(crate) static ROWS: Shader = Shader {
    name: "conv_row_blocks",
    texts: with_storage!(
        "conv/row_blocks.wgsl",
        "conv/shared/params.wgsl",
        "conv/shared/axis.wgsl",
        "conv/shared/taps.wgsl",
        "shared/activation.wgsl"
    ),
    reads: 3,
    writes: 1,
    uniform: ConvParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "has_bias", "activation"],
};

/// Outputs of a thread, as the shader has them.
const BLOCK: [u32; 3] = [1, 2, 8];

/// Threads of a workgroup.
pub(crate) const THREADS: u32 = 64;

/// The candidate for a problem that the shader can run.
pub(crate) fn candidate(layer: &Layer) -> Option<Candidate> {
    let unit = layer.axes[1..].iter().all(|axis| axis.stride == 1 && axis.dilation == 1);
    let shape = Shape::Blocks { block: BLOCK, split_k: false };
    let candidate = Candidate { shape, workgroup_size: Some(THREADS), ..Candidate::new(&ROWS) };
    (layer.direction == Direction::WideToNarrow && unit).then_some(candidate)
}
