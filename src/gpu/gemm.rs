//! Convolution and its transpose as a matrix product per group: rows are output channels, or pairs of a channel and a
//! phase; columns are blocks of output positions.

use std::ops::Range;

use super::gemm_params::GemmParams;
use super::kernel::{Shader, with_storage};
use super::params::wrap;
use super::recipe::{Candidate, Capabilities, Recipe};
use super::relation::{Channels, Direction, Layer, Relation, activation_constants, inverse, spatial_stride};
use super::tiles;
use super::windows::{Tile, Window};
use crate::geometry::{Axis, gcd};

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
        let tiles = tiles::candidates([&SUBGROUP, &WORKGROUP], rows, capabilities);
        candidates.extend(tiles.into_iter().map(|tile| Candidate { block, ..tile }));
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

/// A problem and the recipe to run it by.
pub(crate) struct Product<'a> {
    layer: &'a Layer,
    recipe: &'a Recipe,
}

/// What [`GemmParams`] says of one axis.
#[derive(Default)]
struct AxisNumbers {
    input: i32,
    kernel: i32,
    taps: i32,
    phases: i32,
    gcd: i32,
    inverse: u32,
    t_phase: i32,
    t_step: i32,
    m_step: i32,
    i_step: i32,
    i_base: i32,
    q_step: i32,
    q_pad: i32,
    first_block: i32,
    blocks: u32,
    first: i32,
    end: i32,
    x_stride: u32,
    w_stride: u32,
    y_stride: u32,
}

impl<'a> Product<'a> {
    pub(crate) fn new(layer: &'a Layer, recipe: &'a Recipe) -> Self {
        Self { layer, recipe }
    }

    pub(crate) fn merged(&self) -> bool {
        self.recipe.block != [1; 3]
    }

    /// Phases of each axis: places in a block, or a transposed convolution's phases one by one.
    fn phases(&self) -> [usize; 3] {
        if self.merged() || self.layer.direction == Direction::WideToNarrow {
            return self.recipe.block.map(|places| places as usize);
        }
        self.layer.axes.each_ref().map(|axis| axis.stride)
    }

    /// Groups that a range of output channels belongs to, and the channels of each: from the first one's to the last one's
    /// if it is one group, else all.
    fn groups(&self, channels: &Range<usize>) -> (Range<usize>, Range<usize>) {
        let outs = self.layer.channels.outs;
        let groups = channels.start / outs..(channels.end - 1) / outs + 1;
        let first = groups.start * outs;
        let inside = if groups.len() == 1 { channels.start - first..channels.end - first } else { 0..outs };
        (groups, inside)
    }

    fn row_tiles(&self, channels: &Range<usize>) -> usize {
        let phases = if self.merged() { self.phases().iter().product() } else { 1 };
        (self.groups(channels).1.len() * phases).div_ceil(self.recipe.tile[0] as usize)
    }

    /// The blocks of an axis that some of its outputs are in.
    fn blocks(&self, i: usize, outputs: &Range<usize>) -> Range<i64> {
        let axis = &self.layer.axes[i];
        let (step, pad) = match self.layer.direction {
            Direction::WideToNarrow => (i64::from(self.recipe.block[i]), 0),
            Direction::NarrowToWide => (axis.stride as i64, axis.pad),
        };
        let block = |output: usize| (output as i64 + pad).div_euclid(step);
        block(outputs.start)..block(outputs.end - 1) + 1
    }

    /// Values of m on each axis, on average over what the rows are.
    pub(crate) fn taps(&self) -> f64 {
        let taps = |(axis, &places): (&Axis, &u32)| match (self.layer.direction, self.merged()) {
            (Direction::WideToNarrow, _) => (axis.kernel + (places as usize - 1) * axis.stride) as f64,
            (Direction::NarrowToWide, true) => axis.kernel.div_ceil(axis.tap_step()) as f64,
            (Direction::NarrowToWide, false) => axis.kernel as f64 / axis.tap_step() as f64,
        };
        self.layer.axes.iter().zip(&self.recipe.block).map(taps).product()
    }

    /// Workgroups for the tiles of a part of the problem.
    pub(crate) fn workgroups(&self, tile: &Tile) -> u128 {
        let blocks = (0..3).map(|i| self.blocks(i, &tile[i + 2]).count() as u128);
        let columns = tile[0].len() as u128 * blocks.product::<u128>();
        let phases = if self.merged() { 1 } else { self.phases().iter().product::<usize>() as u128 };
        let rows = self.row_tiles(&tile[1]) as u128 * self.groups(&tile[1]).0.len() as u128;
        columns.div_ceil(self.recipe.tile[1].into()) * phases * rows
    }

    pub(crate) fn params(&self, relation: &Relation, window: &Window, row_workgroups: u32) -> GemmParams {
        let [batch, channels, .., reduction] = &window.tile;
        let Channels { ins, outs, .. } = self.layer.channels;
        let (groups, inside) = self.groups(channels);
        let (input, weight, output) = (&relation.input, &relation.weight, &relation.output);
        let [w_out, w_in] = if self.layer.direction == Direction::WideToNarrow { [0, 1] } else { [1, 0] };
        let [w_out, w_in] = [w_out, w_in].map(|axis| weight.stride(axis));
        let by_group = if self.layer.direction == Direction::WideToNarrow { (outs, w_out) } else { (ins, w_in) };
        let axes: [AxisNumbers; 3] = std::array::from_fn(|i| self.axis(relation, i, &window.tile[i + 2]));
        let (_, [alpha, beta]) = activation_constants(relation.activation);
        let signed = |pick: fn(&AxisNumbers) -> i32| [pick(&axes[0]), pick(&axes[1]), pick(&axes[2]), 0];
        let unsigned = |pick: fn(&AxisNumbers) -> u32| [pick(&axes[0]), pick(&axes[1]), pick(&axes[2]), 0];
        GemmParams {
            input: signed(|axis| axis.input),
            kernel: signed(|axis| axis.kernel),
            taps: signed(|axis| axis.taps),
            phases: signed(|axis| axis.phases),
            gcd: signed(|axis| axis.gcd),
            inverse: unsigned(|axis| axis.inverse),
            t_phase: signed(|axis| axis.t_phase),
            t_step: signed(|axis| axis.t_step),
            m_step: signed(|axis| axis.m_step),
            i_step: signed(|axis| axis.i_step),
            i_base: signed(|axis| axis.i_base),
            q_step: signed(|axis| axis.q_step),
            q_pad: signed(|axis| axis.q_pad),
            first_block: signed(|axis| axis.first_block),
            blocks: unsigned(|axis| axis.blocks),
            first: signed(|axis| axis.first),
            end: signed(|axis| axis.end),
            x_stride: unsigned(|axis| axis.x_stride),
            w_stride: unsigned(|axis| axis.w_stride),
            y_stride: unsigned(|axis| axis.y_stride),
            batch_count: wrap(batch.len()),
            first_group: wrap(groups.start),
            group_count: wrap(groups.len()),
            first_channel: wrap(inside.start),
            channel_count: wrap(inside.len()),
            in_per_group: wrap(ins),
            out_per_group: wrap(outs),
            first_in: wrap(reduction.start),
            count_in: wrap(reduction.len()),
            accumulate: u32::from(reduction.start > 0),
            finish: u32::from(reduction.end == ins),
            x_base: input.address(&[batch.start], &window.bytes[0]),
            x_batch: input.stride(0),
            x_channel: input.stride(1),
            w_base: weight.address(&[], &window.bytes[1]),
            w_group: wrap(by_group.0).wrapping_mul(by_group.1),
            w_out,
            w_in,
            b_base: relation.bias.as_ref().map_or(0, |bias| bias.address(&[], &window.bytes[2])),
            b_stride: relation.bias.as_ref().map_or(0, |bias| bias.stride(0)),
            y_base: output.address(&[batch.start], &window.bytes[3]),
            y_batch: output.stride(0),
            y_channel: output.stride(1),
            row_tiles: wrap(self.row_tiles(channels)),
            row_workgroups,
            alpha,
            beta,
            unused: 0,
        }
    }

    fn axis(&self, relation: &Relation, i: usize, outputs: &Range<usize>) -> AxisNumbers {
        let axis = &self.layer.axes[i];
        let blocks = self.blocks(i, outputs);
        let shared = AxisNumbers {
            kernel: axis.kernel as i32,
            first_block: blocks.start as i32,
            blocks: wrap(blocks.count()),
            first: outputs.start as i32,
            end: outputs.end as i32,
            x_stride: spatial_stride(&relation.input, i),
            w_stride: spatial_stride(&relation.weight, i),
            y_stride: spatial_stride(&relation.output, i),
            ..Default::default()
        };
        if self.layer.direction == Direction::WideToNarrow {
            let places = self.recipe.block[i] as i32;
            return AxisNumbers {
                input: axis.wide as i32,
                taps: axis.kernel as i32 + (places - 1) * axis.stride as i32,
                phases: places,
                gcd: 1,
                inverse: 0,
                t_phase: -(axis.stride as i32),
                t_step: 1,
                m_step: axis.dilation as i32,
                i_step: places * axis.stride as i32,
                i_base: -axis.pad as i32,
                q_step: places,
                q_pad: 0,
                ..shared
            };
        }
        let (tap_step, common) = (axis.tap_step(), gcd(axis.stride, axis.dilation));
        AxisNumbers {
            input: axis.narrow as i32,
            taps: axis.kernel.div_ceil(tap_step) as i32,
            phases: axis.stride as i32,
            gcd: common as i32,
            inverse: inverse(axis.dilation / common, tap_step),
            t_phase: 0,
            t_step: tap_step as i32,
            m_step: -((axis.dilation / common) as i32),
            i_step: 1,
            i_base: 0,
            q_step: axis.stride as i32,
            q_pad: axis.pad as i32,
            ..shared
        }
    }
}
