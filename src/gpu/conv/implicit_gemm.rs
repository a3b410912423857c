//! A convolution or its transpose by a recipe of the matrix product: its steps, windows and uniforms.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use super::gemm::CHANNELS;
use super::gemm_params::GemmParams;
use super::gemm_tiles;
use super::layer::{Channels, Direction, Layer};
use super::operands::{Relation, inverse};
use super::split_k::Partials;
use crate::error::Result;
use crate::geometry::{Axis, gcd};
use crate::gpu::program::addressing::{activation_constants, flag, spatial_stride};
use crate::gpu::program::program::{Dispatch, Step};
use crate::gpu::program::recipe::Recipe;
use crate::gpu::program::region::{REDUCTION, Tile, chunks_of};
use crate::gpu::program::request::{Launch, Request, Work};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::split::Window;
use crate::gpu::program::uniform::wrap;

/// A problem and the recipe to run it by.
pub(crate) struct ImplicitGemm<'a> {
    layer: &'a Layer,
    tile: [u32; 2],
    merged: Option<[u32; 3]>,
    /// Input channels that a workgroup sums, if not all.
    chunk: Option<usize>,
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

impl<'a> ImplicitGemm<'a> {
    pub(crate) fn new(layer: &'a Layer, tile: [u32; 2], merged: Option<[u32; 3]>, split_k: bool) -> Self {
        let chunk = if split_k { layer.chunk() } else { None };
        Self { layer, tile, merged, chunk }
    }

    /// Input channels that a workgroup sums, if not all.
    pub(crate) fn chunk(&self) -> Option<usize> {
        self.chunk
    }

    /// Outputs of each axis that a column stands for.
    fn block(&self) -> [u32; 3] {
        self.merged.unwrap_or([1; 3])
    }

    /// A step for each height of tile that the windows call for: one of a few channels is not worth a high one.
    pub(crate) fn steps(
        &self,
        relation: &Relation,
        shader: &'static Shader,
        recipe: &Recipe,
        partials: &Partials,
        request: &Request<'_>,
    ) -> Result<Vec<Step>> {
        // Of several groups none is cut, and no sum but between chunks, or where the shader would go on to other taps; if it
        // can go on from stored sums.
        let can_go_on = shader.overrides.contains(&"split");
        let terms = if can_go_on { CHANNELS } else { usize::MAX };
        let granules = [1, self.layer.channels.outs, 1, 1, 1, self.chunk.unwrap_or(terms)];
        let work = Work::Workgroups(&|tile| self.workgroups(tile), granules);
        let (storage, tile, operands) = (partials.storage, self.layer.tile(), &relation.bindables()[..]);
        let launch = Launch { recipe, storage, tile, operands, work };
        // Whether a sum goes on from one window to the next, and the rows of each.
        let (split, heights) = (Cell::new(false), RefCell::new(Vec::new()));
        let dispatches = request.dispatches(
            launch,
            |tile| self.spans(relation, tile),
            |window, row_workgroups| {
                let params = self.params(relation, window, row_workgroups);
                split.set(split.get() || params.accumulate > 0);
                heights.borrow_mut().push(gemm_tiles::height(self.tile, shader, self.rows(&window.tile[1])));
                params
            },
        )?;
        let mut by_height: Vec<(u32, Vec<Dispatch>)> = Vec::new();
        for (height, dispatch) in heights.into_inner().into_iter().zip(dispatches) {
            // In their order: one may go on from the sums of another.
            match by_height.last_mut() {
                Some((last, dispatches)) if *last == height => dispatches.push(dispatch),
                _ => by_height.push((height, vec![dispatch])),
            }
        }
        if by_height.is_empty() {
            by_height.push((self.tile[0], Vec::new()));
        }
        let step = |(height, dispatches)| {
            let mut constants = gemm_tiles::constants([height, self.tile[1]], recipe.workgroup_size, shader);
            constants.extend(can_go_on.then(|| flag("split", split.get())));
            constants.push(flag("merged", self.merged.is_some()));
            relation.step(shader, constants, partials, dispatches)
        };
        Ok(by_height.into_iter().map(step).collect())
    }

    /// What a tile touches; of the output, the partial sums of its chunks.
    fn spans(&self, relation: &Relation, tile: &Tile) -> Vec<Range<usize>> {
        let mut spans = relation.spans(tile);
        if let (Some(chunk), Some(output)) = (self.chunk, spans.last_mut()) {
            let chunks = chunks_of(tile, chunk);
            *output = output.start + chunks.start..output.end + chunks.end - 1;
        }
        spans
    }

    /// Phases of each axis: places in a block, or a transposed convolution's phases one by one.
    fn phases(&self) -> [usize; 3] {
        if self.merged.is_some() || self.layer.direction == Direction::WideToNarrow {
            return self.block().map(|places| places as usize);
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

    /// Rows of a group.
    fn rows(&self, channels: &Range<usize>) -> usize {
        let phases = if self.merged.is_some() { self.phases().iter().product() } else { 1 };
        self.groups(channels).1.len() * phases
    }

    fn row_tiles(&self, channels: &Range<usize>) -> usize {
        self.rows(channels).div_ceil(self.tile[0] as usize)
    }

    /// Chunks of some input channels.
    fn chunks(&self, reduction: &Range<usize>) -> usize {
        self.chunk.map_or(1, |chunk| reduction.len().div_ceil(chunk))
    }

    /// The blocks of an axis that some of its outputs are in.
    fn blocks(&self, i: usize, outputs: &Range<usize>) -> Range<i64> {
        let axis = &self.layer.axes[i];
        let (step, pad) = match self.layer.direction {
            Direction::WideToNarrow => (i64::from(self.block()[i]), 0),
            Direction::NarrowToWide => (axis.stride as i64, axis.pad),
        };
        let block = |output: usize| (output as i64 + pad).div_euclid(step);
        block(outputs.start)..block(outputs.end - 1) + 1
    }

    /// Values of m on each axis, on average over what the rows are.
    pub(crate) fn taps(&self) -> f64 {
        let taps = |(axis, &places): (&Axis, &u32)| match (self.layer.direction, self.merged.is_some()) {
            (Direction::WideToNarrow, _) => (axis.kernel + (places as usize - 1) * axis.stride) as f64,
            (Direction::NarrowToWide, true) => axis.kernel.div_ceil(axis.tap_step()) as f64,
            (Direction::NarrowToWide, false) => axis.kernel as f64 / axis.tap_step() as f64,
        };
        self.layer.axes.iter().zip(&self.block()).map(taps).product()
    }

    /// Workgroups for the tiles of a part of the problem.
    pub(crate) fn workgroups(&self, tile: &Tile) -> u128 {
        let blocks = (0..3).map(|i| self.blocks(i, &tile[i + 2]).count() as u128);
        let columns = tile[0].len() as u128 * blocks.product::<u128>();
        let phases = if self.merged.is_some() { 1 } else { self.phases().iter().product::<usize>() as u128 };
        let rows = self.row_tiles(&tile[1]) as u128 * self.groups(&tile[1]).0.len() as u128;
        columns.div_ceil(self.tile[1].into()) * phases * rows * self.chunks(&tile[REDUCTION]) as u128
    }

    pub(crate) fn params(&self, relation: &Relation, window: &Window, row_workgroups: u32) -> GemmParams {
        let [batch, channels, .., reduction] = &window.tile;
        let Channels { ins, outs, .. } = self.layer.channels;
        let (groups, inside) = self.groups(channels);
        // Chunks of other windows, whose partial sums of an output lie side by side with this one's.
        let before = self.chunk.map_or(0, |chunk| reduction.start / chunk);
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
            chunk_in: wrap(self.chunk.unwrap_or(reduction.len())),
            chunks: wrap(self.chunks(reduction)),
            accumulate: u32::from(self.chunk.is_none() && reduction.start > 0),
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
            y_base: output.address(&[batch.start], &window.bytes[3]).wrapping_add(wrap(before)),
            y_batch: output.stride(0),
            y_channel: output.stride(1),
            y_chunk: u32::from(self.chunk.is_some()),
            row_tiles: wrap(self.row_tiles(channels)),
            row_workgroups,
            alpha,
            beta,
            ..Default::default()
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
            let places = self.block()[i] as i32;
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
