//! Pixel shuffle and its inverse on the GPU.

use std::ops::Range;

use wgpu::Limits;

use super::kernel::Shader;
use super::params::{ShuffleParams, address, wrap};
use super::program::{Dispatch, GpuOp, Program, Recipe, Request, Source, recipes};
use super::relation::{span, spatial_stride};
use super::windows::{Tile, Window, split};
use crate::{ChannelOrder, Op, PixelShuffle, Result, ShuffleDirection, TensorLayout};

/// One thread per sample copies it.
pub(crate) static COPY: Shader = Shader {
    name: "pixel_shuffle_copy",
    source: include_str!("../../shaders/pixel_shuffle_copy.wgsl"),
    reads: 1,
    fields: ShuffleParams::FIELDS,
    params_size: size_of::<ShuffleParams>() as u64,
    overrides: &["workgroup_size", "to_depth"],
};

impl<const R: usize> GpuOp for PixelShuffle<R> {
    fn recipes(&self, limits: &Limits) -> Vec<Recipe> {
        recipes(&[&COPY], limits)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let (shader, recipe) = request.choose(Self::NAME, &[&COPY])?;
        let operands = request.place(self)?;
        let to_depth = self.direction == ShuffleDirection::ToDepth;
        let [input, output] = [operands[0].layout.clone(), operands[1].layout.clone()];
        let shuffle = Shuffle::new(self, to_depth, input, output);
        let dispatch = |window: Window| {
            let workgroups = request.fold(&recipe, &window.tile);
            let params = shuffle.params(&window, workgroups[0] * recipe.workgroup_size);
            let params = bytemuck::bytes_of(&params).to_vec();
            Dispatch { workgroups, params, windows: window.bytes, tables: Vec::new() }
        };
        let dispatches = if self.batch == 0 {
            Vec::new()
        } else {
            let [d, h, w] = shuffle.sizes.map(|size| 0..size);
            let tile = [0..self.batch, 0..self.channels, d, h, w, 0..1];
            let windows = split(tile, &request.bounds(&recipe), &["input", "output"], |tile| shuffle.spans(tile))?;
            windows.into_iter().map(dispatch).collect()
        };
        Ok(Program {
            op: Self::NAME,
            shader,
            constants: vec![
                ("workgroup_size", recipe.workgroup_size.into()),
                ("to_depth", f64::from(u8::from(to_depth))),
            ],
            recipe,
            operands,
            reads: vec![Source::Operand(0)],
            tables: Vec::new(),
            dispatches,
        })
    }
}

/// A problem with its tensors placed.
struct Shuffle {
    to_depth: bool,
    factors: [usize; 3],
    /// Of the spacious side.
    sizes: [usize; 3],
    block: usize,
    /// Deep channels from one spacious channel to the next, and from one phase to the next.
    steps: [usize; 2],
    spacious: TensorLayout,
    deep: TensorLayout,
}

impl Shuffle {
    fn new<const R: usize>(op: &PixelShuffle<R>, to_depth: bool, input: TensorLayout, output: TensorLayout) -> Self {
        let of = |axis: usize, values: [usize; R]| (axis + R).checked_sub(3).map_or(1, |axis| values[axis]);
        let [spacious, deep] = if to_depth { [input, output] } else { [output, input] };
        let block = op.block();
        Self {
            to_depth,
            factors: std::array::from_fn(|axis| of(axis, op.factor)),
            sizes: std::array::from_fn(|axis| of(axis, op.size) * of(axis, op.factor)),
            block,
            steps: match op.order {
                ChannelOrder::ColumnRowDepth => [block, 1],
                ChannelOrder::DepthColumnRow => [1, op.channels],
            },
            spacious,
            deep,
        }
    }

    /// The elements of input and output that a tile of the spacious side touches.
    fn spans(&self, tile: &Tile) -> Vec<Range<usize>> {
        let [batch, channels, d, h, w, _] = tile;
        let [channel, phase] = self.steps;
        let deepest = (channels.end - 1) * channel + (self.block - 1) * phase + 1;
        let places =
            std::array::from_fn(|i| tile[i + 2].start / self.factors[i]..(tile[i + 2].end - 1) / self.factors[i] + 1);
        let spacious = span(&self.spacious, [batch.clone(), channels.clone()], [d.clone(), h.clone(), w.clone()]);
        let deep = span(&self.deep, [batch.clone(), channels.start * channel..deepest], places);
        if self.to_depth { vec![spacious, deep] } else { vec![deep, spacious] }
    }

    fn params(&self, window: &Window, row_threads: u32) -> ShuffleParams {
        let [batch, channels, d, h, w, _] = &window.tile;
        let base = |layout, operand: usize| address(layout, &[batch.start], &window.bytes[operand]);
        let outer = |layout: &TensorLayout, axis: usize| wrap(layout.strides()[axis]);
        let [spacious_d, spacious_h, spacious_w] = std::array::from_fn(|i| wrap(spatial_stride(&self.spacious, i)));
        let [deep_d, deep_h, deep_w] = std::array::from_fn(|i| wrap(spatial_stride(&self.deep, i)));
        let [factor_d, factor_h, factor_w] = self.factors.map(wrap);
        let [deep_channel, deep_phase] = self.steps.map(|step| wrap(step).wrapping_mul(outer(&self.deep, 1)));
        ShuffleParams {
            first_d: wrap(d.start),
            first_h: wrap(h.start),
            first_w: wrap(w.start),
            count_d: wrap(d.len()),
            count_h: wrap(h.len()),
            count_w: wrap(w.len()),
            factor_d,
            factor_h,
            factor_w,
            spacious_d,
            spacious_h,
            spacious_w,
            deep_d,
            deep_h,
            deep_w,
            batch_count: wrap(batch.len()),
            first_channel: wrap(channels.start),
            channel_count: wrap(channels.len()),
            spacious_base: base(&self.spacious, usize::from(!self.to_depth)),
            spacious_batch: outer(&self.spacious, 0),
            spacious_channel: outer(&self.spacious, 1),
            deep_base: base(&self.deep, usize::from(self.to_depth)),
            deep_batch: outer(&self.deep, 0),
            deep_channel,
            deep_phase,
            row_threads,
        }
    }
}
