//! A convolution or its transpose as an implicit GEMM: its parts, steps and uniforms.

use std::ops::Range;

use super::gemm::CHANNELS;
use super::gemm_params::{GemmAxisParams, GemmParams};
use super::gemm_tiles::{self, STAGED};
use super::layer::{Channels, Direction, Layer};
use super::operands::ConvOperands;
use crate::error::Result;
use crate::geometry::{Axis, gcd};
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::constants::{activation_constants, flag};
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::pass::{Part, Pass, SplitAlignment, Work};
use crate::gpu::program::region::Region;
use crate::gpu::program::rounds::{ENTRY, nested};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::uniform::{mod_2_32, to_i32};

/// A problem as an implicit GEMM, with the tile, the blocks and the slices of a recipe.
pub(crate) struct ImplicitGemm<'a> {
    layer: &'a Layer,
    tile: [u32; 2],
    merged: Option<[u32; 3]>,
    /// Input channels that a workgroup sums, if not all.
    slice: Option<usize>,
}

impl<'a> ImplicitGemm<'a> {
    pub(crate) fn new(layer: &'a Layer, tile: [u32; 2], merged: Option<[u32; 3]>, slice: Option<usize>) -> Self {
        Self { layer, tile, merged, slice }
    }

    /// Input channels that a workgroup sums, if not all.
    pub(crate) fn slice(&self) -> Option<usize> {
        self.slice
    }

    /// Outputs of each axis that a column stands for.
    fn block(&self) -> [u32; 3] {
        self.merged.unwrap_or([1; 3])
    }

    /// Phases of each axis: the outputs of a block, or, without blocks, a transposed convolution's phases, for each of
    /// which there is a product.
    fn phases(&self) -> [usize; 3] {
        if self.merged.is_some() || self.layer.direction == Direction::WideToNarrow {
            return self.block().map(|places| places as usize);
        }
        self.layer.axes.each_ref().map(|axis| axis.stride)
    }

    /// The groups that a range of output channels belongs to, and the range of channels within each of them: a part of
    /// a single group's channels, or all channels of several groups.
    fn groups(&self, channels: &Range<usize>) -> (Range<usize>, Range<usize>) {
        let out_per_group = self.layer.channels.out_per_group;
        let groups = channels.start / out_per_group..(channels.end - 1) / out_per_group + 1;
        let first = groups.start * out_per_group;
        let inside = if groups.len() == 1 { channels.start - first..channels.end - first } else { 0..out_per_group };
        (groups, inside)
    }

    /// Rows of the product for one group.
    fn rows(&self, channels: &Range<usize>) -> usize {
        let phases = if self.merged.is_some() { self.phases().iter().product() } else { 1 };
        self.groups(channels).1.len() * phases
    }

    fn row_tiles(&self, channels: &Range<usize>) -> usize {
        self.rows(channels).div_ceil(self.tile[0] as usize)
    }

    /// The number of slices that a range of input channels is summed in.
    fn slices(&self, reduction: &Range<usize>) -> usize {
        self.slice.map_or(1, |slice| reduction.len().div_ceil(slice))
    }

    /// The numbers of the blocks that a range of an axis's outputs belongs to.
    fn blocks(&self, i: usize, outputs: &Range<usize>) -> Range<i64> {
        let axis = &self.layer.axes[i];
        let (step, pad) = match self.layer.direction {
            Direction::WideToNarrow => (i64::from(self.block()[i]), 0),
            Direction::NarrowToWide => (axis.stride as i64, axis.pad),
        };
        let block = |output: usize| (output as i64 + pad).div_euclid(step);
        block(outputs.start)..block(outputs.end - 1) + 1
    }

    /// Taps that the loops visit (values of m, all axes multiplied); without blocks, the average over all phases.
    pub(crate) fn taps(&self) -> f64 {
        let taps = |(axis, &places): (&Axis, &u32)| match (self.layer.direction, self.merged.is_some()) {
            (Direction::WideToNarrow, _) => (axis.kernel + (places as usize - 1) * axis.stride) as f64,
            (Direction::NarrowToWide, true) => axis.kernel.div_ceil(axis.tap_step()) as f64,
            (Direction::NarrowToWide, false) => axis.kernel as f64 / axis.tap_step() as f64,
        };
        self.layer.axes.iter().zip(&self.block()).map(taps).product()
    }

    /// Taps of an axis that the loops visit at most: values of m.
    fn axis_taps(&self, i: usize) -> usize {
        let axis = &self.layer.axes[i];
        match self.layer.direction {
            Direction::WideToNarrow => axis.kernel + (self.block()[i] as usize - 1) * axis.stride,
            Direction::NarrowToWide => axis.kernel.div_ceil(axis.tap_step()),
        }
    }

    /// The rounds of an invocation that sums this many input channels.
    pub(crate) fn rounds(&self, shader: &Shader, channels: usize) -> u64 {
        let channels = self.slice.map_or(channels, |slice| slice.min(channels));
        let taps: [usize; 3] = std::array::from_fn(|i| self.axis_taps(i));
        let all_taps = taps.iter().fold(1, |all: u64, &taps| all.saturating_mul(taps as u64));
        let step = |count: usize| {
            let terms = gemm_tiles::rounds(shader, self.tile, count);
            nested(taps).saturating_add(all_taps.saturating_mul(terms)).saturating_add(1)
        };
        let whole = step(CHANNELS).saturating_mul((channels / CHANNELS) as u64);
        let rest = channels % CHANNELS;
        let rest = if rest > 0 { step(rest) } else { 0 };
        whole.saturating_add(rest).saturating_add(ENTRY + gemm_tiles::LOAD_AND_STORE)
    }

    /// Workgroups for the tiles of a part of the problem.
    pub(crate) fn workgroups(&self, region: &Region) -> u128 {
        let [batch, channels] = &region.outer;
        let blocks = (0..3).map(|i| self.blocks(i, &region.spatial[i]).count() as u128);
        let columns = batch.len() as u128 * blocks.product::<u128>();
        let phases = if self.merged.is_some() { 1 } else { self.phases().iter().product::<usize>() as u128 };
        let rows = self.row_tiles(channels) as u128 * self.groups(channels).0.len() as u128;
        columns.div_ceil(self.tile[1].into()) * phases * rows * self.slices(&region.reduction) as u128
    }
}

/// The implicit GEMM with its tensors.
pub(crate) struct GemmPass<'a> {
    gemm: ImplicitGemm<'a>,
    operands: &'a ConvOperands,
    shader: &'static Shader,
}

impl<'a> GemmPass<'a> {
    pub(crate) fn new(gemm: ImplicitGemm<'a>, operands: &'a ConvOperands, shader: &'static Shader) -> Self {
        Self { gemm, operands, shader }
    }

    /// Whether the shader has a constant of this name.
    fn has(&self, constant: &str) -> bool {
        self.shader.overrides.contains(&constant)
    }

    /// Whether the shader can go on from sums that an earlier part left.
    fn can_accumulate(&self) -> bool {
        self.has("split")
    }

    /// Whether the channels of a sum in one of these parts do not fill the last step.
    fn has_tail(&self, parts: &[Part]) -> bool {
        let step = STAGED as usize;
        let fills = |channels: usize| channels.is_multiple_of(step);
        let slices_fill = self.gemm.slice.is_none_or(fills);
        !slices_fill || parts.iter().any(|part| !fills(part.region.reduction.len()))
    }

    /// Adds a step for each run of parts with the same height of tile: parts of few channels are computed by lower
    /// tiles.
    pub(crate) fn add_to(&self, builder: &mut ProgramBuilder<'_>) -> Result<()> {
        let (shader, parts) = (self.shader, builder.split(self)?);
        // Whether a part continues sums that an earlier part began.
        let goes_on = |part: &Part| self.gemm.slice.is_none() && part.region.reduction.start > 0;
        let split = !self.operands.begins || parts.iter().any(goes_on);
        let height = |part: &Part| gemm_tiles::height(self.gemm.tile, shader, self.gemm.rows(&part.region.outer[1]));
        // The parts keep their order, as one may go on from the sums of an earlier one.
        let mut runs: Vec<_> = parts.chunk_by(|a, b| height(a) == height(b)).collect();
        if runs.is_empty() {
            runs.push(&[]);
        }
        for run in runs {
            let height = run.first().map_or(self.gemm.tile[0], height);
            let tile = [height, self.gemm.tile[1]];
            let mut constants = gemm_tiles::constants(tile, builder.recipe().workgroup_size, shader);
            constants.extend(self.can_accumulate().then(|| flag("split", split)));
            constants.extend(self.has("has_tail").then(|| flag("has_tail", self.has_tail(run))));
            constants.push(flag("merged", self.gemm.merged.is_some()));
            constants.extend(self.operands.constants());
            builder.add_parts(shader, constants, self, run)?;
        }
        Ok(())
    }

    fn axis(&self, i: usize, outputs: &Range<usize>) -> GemmAxisParams {
        let (gemm, operands) = (&self.gemm, self.operands);
        let axis = &gemm.layer.axes[i];
        let blocks = gemm.blocks(i, outputs);
        let shared = GemmAxisParams {
            kernel: to_i32(axis.kernel),
            inverse: operands.inverses[i],
            first_block: to_i32(blocks.start),
            blocks: mod_2_32(blocks.count()),
            first: to_i32(outputs.start),
            end: to_i32(outputs.end),
            x_stride: operands.input.spatial_stride(i),
            w_stride: operands.weight.spatial_stride(i),
            y_stride: operands.output.spatial_stride(i),
            ..Default::default()
        };
        if gemm.layer.direction == Direction::WideToNarrow {
            let places = gemm.block()[i] as usize;
            return GemmAxisParams {
                input: to_i32(axis.wide),
                taps: to_i32(gemm.axis_taps(i)),
                phases: to_i32(places),
                gcd: 1,
                t_phase: -to_i32(axis.stride),
                t_step: 1,
                m_step: to_i32(axis.dilation),
                i_step: to_i32(places * axis.stride),
                i_base: to_i32(-axis.pad),
                q_step: to_i32(places),
                q_pad: 0,
                ..shared
            };
        }
        let (tap_step, common) = (axis.tap_step(), gcd(axis.stride, axis.dilation));
        GemmAxisParams {
            input: to_i32(axis.narrow),
            taps: to_i32(gemm.axis_taps(i)),
            phases: to_i32(axis.stride),
            gcd: to_i32(common),
            t_phase: 0,
            t_step: to_i32(tap_step),
            m_step: -to_i32(axis.dilation / common),
            i_step: 1,
            i_base: 0,
            q_step: to_i32(axis.stride),
            q_pad: to_i32(axis.pad),
            ..shared
        }
    }
}

impl Pass for GemmPass<'_> {
    type Uniform = GemmParams;

    fn region(&self) -> Region {
        self.gemm.layer.region()
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        self.operands.tensors()
    }

    /// The elements that a convolution touches; with split-K, of the output the partial sums of the region's slices.
    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let mut spans = self.operands.spans(region);
        if let (Some(slice), Some(output)) = (self.gemm.slice, spans.last_mut()) {
            let slices = region.slices(slice);
            *output = output.start + slices.start..output.end + slices.end - 1;
        }
        spans
    }

    fn work(&self, region: &Region) -> Work {
        Work::Workgroups(self.gemm.workgroups(region))
    }

    fn rounds(&self, region: &Region) -> u64 {
        self.gemm.rounds(self.shader, region.reduction.len())
    }

    /// A range of several groups is only cut between groups. A sum is only cut between slices; without slices, at
    /// multiples of [`CHANNELS`], or nowhere if the shader cannot accumulate.
    fn split_alignment(&self) -> SplitAlignment {
        let terms = if self.can_accumulate() { CHANNELS } else { usize::MAX };
        [1, self.gemm.layer.channels.out_per_group, 1, 1, 1, self.gemm.slice.unwrap_or(terms)]
    }

    fn uniform(&self, part: &Part) -> GemmParams {
        let &ConvOperands { ref input, ref weight, ref epilogue, ref output, begins, ends, .. } = self.operands;
        let ([batch, channels], reduction) = (&part.region.outer, &part.region.reduction);
        let Channels { in_per_group, out_per_group, .. } = self.gemm.layer.channels;
        let (groups, inside) = self.gemm.groups(channels);
        // Slices before this part's. The partial sums of an output lie next to each other, in the order of the slices.
        let first_slice = self.gemm.slice.map_or(0, |slice| reduction.start / slice);
        let [w_out, w_in] = self.operands.weight_axes().map(|axis| weight.stride(axis));
        let by_group = match self.gemm.layer.direction {
            Direction::WideToNarrow => (out_per_group, w_out),
            Direction::NarrowToWide => (in_per_group, w_in),
        };
        let [d, h, w] = std::array::from_fn(|i| self.axis(i, &part.region.spatial[i]));
        let (_, [alpha, beta]) = activation_constants(epilogue.activation);
        let bias = epilogue.bias.as_ref();
        GemmParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            first_group: mod_2_32(groups.start),
            group_count: mod_2_32(groups.len()),
            first_channel: mod_2_32(inside.start),
            channel_count: mod_2_32(inside.len()),
            in_per_group: mod_2_32(in_per_group),
            out_per_group: mod_2_32(out_per_group),
            first_in: mod_2_32(reduction.start),
            count_in: mod_2_32(reduction.len()),
            slice_in: mod_2_32(self.gemm.slice.unwrap_or(reduction.len())),
            slices: mod_2_32(self.gemm.slices(reduction)),
            accumulate: u32::from(!begins || (self.gemm.slice.is_none() && reduction.start > 0)),
            sum_is_complete: u32::from(ends && reduction.end == in_per_group),
            x_base: input.address(&[batch.start], &part.bytes[0]),
            x_batch: input.stride(0),
            x_channel: input.stride(1),
            w_base: weight.address(&[], &part.bytes[1]),
            w_group: mod_2_32(by_group.0).wrapping_mul(by_group.1),
            w_out,
            w_in,
            b_base: bias.map_or(0, |bias| bias.address(&[], &part.bytes[2])),
            b_stride: bias.map_or(0, |bias| bias.stride(0)),
            y_base: output.address(&[batch.start], &part.bytes[3]).wrapping_add(mod_2_32(first_slice)),
            y_batch: output.stride(0),
            y_channel: output.stride(1),
            y_slice: u32::from(self.gemm.slice.is_some()),
            row_tiles: mod_2_32(self.gemm.row_tiles(channels)),
            row_workgroups: part.row,
            alpha,
            beta,
        }
    }
}
