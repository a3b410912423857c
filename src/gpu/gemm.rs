//! Convolution and its transpose as a matrix product per group: rows are output channels, or pairs of a channel and a
//! phase; columns are blocks of output positions.

use super::gemm_params::GemmParams;
use super::kernel::{Shader, with_storage};
use super::partial_sums::Chunks;
use super::recipe::{Candidate, Capabilities};
use super::relation::{Direction, Layer};
use super::tiles;
use super::windows::outputs;
use crate::geometry::Axis;

/// Subgroups share the weights.
pub(crate) static SUBGROUP: Shader = Shader {
    name: "conv_gemm_subgroup",
    sources: with_storage!(
        "../../shaders/conv_gemm_subgroup.wgsl",
        "../../shaders/shared/implicit_gemm.wgsl",
        "../../shaders/shared/outer_product.wgsl",
        "../../shaders/shared/activation.wgsl"
    ),
    reads: 3,
    writes: 1,
    fields: GemmParams::FIELDS,
    params_size: size_of::<GemmParams>() as u64,
    subgroups: true,
    overrides: &["workgroup_size", "quads", "merged", "split", "has_bias", "activation"],
};

/// Workgroups share weights and samples.
pub(crate) static WORKGROUP: Shader = Shader {
    name: "conv_gemm_workgroup",
    sources: with_storage!(
        "../../shaders/conv_gemm_workgroup.wgsl",
        "../../shaders/shared/implicit_gemm.wgsl",
        "../../shaders/shared/outer_product.wgsl",
        "../../shaders/shared/activation.wgsl"
    ),
    reads: 3,
    writes: 1,
    fields: GemmParams::FIELDS,
    params_size: size_of::<GemmParams>() as u64,
    subgroups: false,
    overrides: &[
        "workgroup_size",
        "staged_rows",
        "staged_columns",
        "quads",
        "merged",
        "split",
        "has_bias",
        "activation",
    ],
};

/// Input channels that the shaders sum for one tap before the next, so that a sum may only be split there.
pub(crate) const CHANNELS: usize = 32;

/// Most rows that 32 bits count with room for a tile.
const MOST_ROWS: usize = 1 << 31;

/// Most places in a block.
const MOST_PLACES: usize = 256;

/// The products that this problem can be run as, on such a device.
pub(crate) fn candidates(layer: &Layer, capabilities: &Capabilities) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for block in blocks(layer) {
        let rows = block.iter().fold(layer.channels.outs, |rows, &places| rows.saturating_mul(places as usize));
        if rows > MOST_ROWS {
            continue;
        }
        for tile in tiles::candidates([&SUBGROUP, &WORKGROUP], rows, capabilities) {
            let whole = Candidate { block, ..tile };
            candidates.push(whole);
            candidates.extend(layer.chunk().map(|_| Candidate { passes: 2, ..whole }));
        }
    }
    candidates
}

/// The blocks of outputs that can be rows of one product. A transposed convolution's places in a block are its phases;
/// they read the same samples where the dilation is 1. So do the neighbours that a convolution makes a block of, which
/// pays where there are few channels; some of the products are with no weight then.
fn blocks(layer: &Layer) -> Vec<[u32; 3]> {
    let (axes, outs) = (&layer.axes, layer.channels.outs);
    let strides: usize = axes.iter().map(|axis| axis.stride).fold(1, usize::saturating_mul);
    let one = [1; 3];
    if layer.direction == Direction::NarrowToWide {
        let shared = axes.iter().all(|axis| axis.stride == 1 || axis.dilation == 1);
        let merged = axes.each_ref().map(|axis| axis.stride as u32);
        return match (strides <= MOST_PLACES, shared && strides > 1) {
            (false, _) => vec![],
            (true, false) => vec![one],
            (true, true) => vec![merged, one],
        };
    }
    let side = if outs <= 2 { 4 } else { 2 };
    let fits = |axis: &Axis| axis.dilation == 1 && axis.stride < axis.kernel && axis.narrow >= side;
    let block = axes.each_ref().map(|axis| if fits(axis) { side as u32 } else { 1 });
    if outs <= 8 && block != one { vec![block, one] } else { vec![one] }
}

impl Layer {
    /// Input channels of a chunk where there are so few outputs that several workgroups can share in the sum of each.
    fn chunk(&self) -> Option<usize> {
        let outputs = usize::try_from(outputs(&self.tile())).ok()?;
        let taps: usize = self.axes.iter().map(|axis| axis.kernel.div_ceil(self.phases_of(axis))).product();
        let ins = self.channels.ins;
        let chunks = Chunks::of_tiles(outputs, ins.checked_mul(taps)?);
        let chunk = ins.div_ceil(chunks.count).next_multiple_of(CHANNELS);
        (chunk < ins).then_some(chunk)
    }

    /// The same for a recipe, if it has chunks.
    pub(crate) fn chunk_by(&self, tile: [u32; 2], passes: u32) -> Option<usize> {
        if tile != [0; 2] && passes > 1 { self.chunk() } else { None }
    }

    /// Phases of an output index, each of which meets its own taps.
    fn phases_of(&self, axis: &Axis) -> usize {
        if self.direction == Direction::NarrowToWide { axis.tap_step() } else { 1 }
    }
}
