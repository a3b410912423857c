//! Pixel shuffle and its inverse on the GPU.

use crate::ops::op::Op;
use std::ops::Range;

use crate::dtype::FloatType;
use crate::error::Result;
use crate::geometry::three;
use crate::gpu::program::addressing::{span, spatial_stride};
use crate::gpu::program::operand::{Bindable, Placed, Source};
use crate::gpu::program::program::{Program, Step};
use crate::gpu::program::recipe::{Capabilities, Recipe, recipes};
use crate::gpu::program::region::Tile;
use crate::gpu::program::request::{GpuOp, Launch, Request, Work};
use crate::gpu::program::shader::{Shader, Storage, single};
use crate::gpu::program::split::Window;
use crate::gpu::program::uniform::{uniform, wrap};
use crate::ops::pixel_shuffle::{ChannelOrder, PixelShuffle, ShuffleDirection};

uniform! {
    /// `Params` of the pixel shuffle's shader.
    ShuffleParams {
        first_d: u32,
        first_h: u32,
        first_w: u32,
        count_d: u32,
        count_h: u32,
        count_w: u32,
        factor_d: u32,
        factor_h: u32,
        factor_w: u32,
        spacious_d: u32,
        spacious_h: u32,
        spacious_w: u32,
        deep_d: u32,
        deep_h: u32,
        deep_w: u32,
        batch_count: u32,
        first_channel: u32,
        channel_count: u32,
        spacious_base: u32,
        spacious_batch: u32,
        spacious_channel: u32,
        deep_base: u32,
        deep_batch: u32,
        deep_channel: u32,
        deep_phase: u32,
        row_threads: u32,
    }
}

/// One thread per sample copies it.
pub(crate) static COPY: Shader = Shader {
    name: "pixel_shuffle_copy",
    texts: single!("pixel_shuffle_copy.wgsl"),
    reads: 1,
    writes: 1,
    fields: ShuffleParams::FIELDS,
    params_size: size_of::<ShuffleParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size", "to_depth"],
};

impl<const R: usize> GpuOp for PixelShuffle<R> {
    fn recipes(&self, capabilities: &Capabilities, _storage: FloatType) -> Vec<Recipe> {
        recipes(&[(&COPY).into()], capabilities)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let (candidate, recipe) = request.choose(Self::NAME, &[(&COPY).into()])?;
        let operands = request.place(self)?;
        let to_depth = self.direction == ShuffleDirection::ToDepth;
        let shuffle = Shuffle::new(self, to_depth, operands[0].clone(), operands[1].clone());
        let [d, h, w] = shuffle.sizes.map(|size| 0..size);
        let tile = [0..self.batch, 0..self.channels, d, h, w, 0..1];
        let bindables = [&operands[0], &operands[1]].map(Bindable::from);
        let storage = Storage::default();
        let dispatches = request.dispatches(
            Launch { recipe: &recipe, storage, tile, operands: &bindables, work: Work::Outputs },
            |tile| shuffle.spans(tile),
            |window, row_threads| shuffle.params(window, row_threads),
        )?;
        let step = Step {
            shader: candidate.shader,
            storage,
            constants: vec![
                ("workgroup_size", recipe.workgroup_size.into()),
                ("to_depth", f64::from(u8::from(to_depth))),
            ],
            bindings: vec![Source::Operand(0), Source::Operand(1)],
            dispatches,
        };
        let (tables, workspaces, steps) = (Vec::new(), Vec::new(), vec![step]);
        Ok(Program { op: Self::NAME, recipe, operands, inputs: 1, tables, workspaces, steps })
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
    spacious: Placed,
    deep: Placed,
}

impl Shuffle {
    fn new<const R: usize>(op: &PixelShuffle<R>, to_depth: bool, input: Placed, output: Placed) -> Self {
        let [factors, size] = [&op.factor, &op.size].map(|values| three(1, values));
        let [spacious, deep] = if to_depth { [input, output] } else { [output, input] };
        let block = op.block();
        Self {
            to_depth,
            factors,
            sizes: std::array::from_fn(|axis| size[axis] * factors[axis]),
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
        let spacious =
            span(&self.spacious.layout, [batch.clone(), channels.clone()], [d.clone(), h.clone(), w.clone()]);
        let deep = span(&self.deep.layout, [batch.clone(), channels.start * channel..deepest], places);
        if self.to_depth { vec![spacious, deep] } else { vec![deep, spacious] }
    }

    fn params(&self, window: &Window, row_threads: u32) -> ShuffleParams {
        let [batch, channels, d, h, w, _] = &window.tile;
        let base = |placed: &Placed, binding: usize| placed.address(&[batch.start], &window.bytes[binding]);
        let [spacious_d, spacious_h, spacious_w] = std::array::from_fn(|i| spatial_stride(&self.spacious, i));
        let [deep_d, deep_h, deep_w] = std::array::from_fn(|i| spatial_stride(&self.deep, i));
        let [factor_d, factor_h, factor_w] = self.factors.map(wrap);
        let [deep_channel, deep_phase] = self.steps.map(|step| wrap(step).wrapping_mul(self.deep.stride(1)));
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
            spacious_batch: self.spacious.stride(0),
            spacious_channel: self.spacious.stride(1),
            deep_base: base(&self.deep, usize::from(self.to_depth)),
            deep_batch: self.deep.stride(0),
            deep_channel,
            deep_phase,
            row_threads,
        }
    }
}
