//! Convolution of stride and dilation 1 along rows and columns: a thread computes two rows of eight outputs.

use super::layer::{Direction, Layer};
use super::operands::ConvParams;
use crate::gpu::program::recipe::{Candidate, Shape};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};

/// One thread sums a block of outputs.
pub(crate) static ROW_BLOCKS: Shader = Shader {
    name: "conv_row_blocks",
    texts: Texts::Tensors(files!(
        "conv/row_blocks.wgsl",
        "conv/shared/params.wgsl",
        "conv/shared/axis.wgsl",
        "conv/shared/taps.wgsl",
        "shared/activation.wgsl"
    )),
    reads: 3,
    writes: 1,
    uniform: ConvParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "has_bias", "activation"],
};

/// Outputs of a thread along depth, height and width; the shader has the same numbers.
const BLOCK: [u32; 3] = [1, 2, 8];

/// Threads of a workgroup.
pub(crate) const THREADS: u32 = 64;

/// The candidate of the row-block shader; `None` for a problem that the shader cannot run.
pub(crate) fn candidate(layer: &Layer) -> Option<Candidate> {
    let unit = layer.axes[1..].iter().all(|axis| axis.stride == 1 && axis.dilation == 1);
    let shape = Shape::Blocks { block: BLOCK, split_k: false };
    let candidate = Candidate { shape, workgroup_size: Some(THREADS), ..Candidate::new(&ROW_BLOCKS) };
    (layer.direction == Direction::WideToNarrow && unit).then_some(candidate)
}
