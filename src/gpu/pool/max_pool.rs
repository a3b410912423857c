//! Max pooling and its gradient on the GPU.

use crate::ops::op::Op;
use std::ops::Range;

use super::params::{PoolAxisParams, PoolParams};
use crate::dtype::FloatType;
use crate::error::Result;
use crate::geometry::Axis;
use crate::gpu::program::addressing::{span, spatial_stride};
use crate::gpu::program::operand::{Bindable, Placed, Source};
use crate::gpu::program::program::{Program, Step};
use crate::gpu::program::recipe::{Capabilities, Recipe, recipes};
use crate::gpu::program::region::Tile;
use crate::gpu::program::request::{GpuOp, Launch, Request, Work};
use crate::gpu::program::shader::{Shader, Storage, single};
use crate::gpu::program::split::Window;
use crate::gpu::program::uniform::wrap;
use crate::ops::pool::indices::Numbering;
use crate::ops::pool::max_pool::{MaxPool, MaxPoolGrad};

/// One thread per output element looks through its window.
pub(crate) static DIRECT: Shader = Shader {
    name: "pool_max_direct",
    texts: single!("pool/max_direct.wgsl"),
    reads: 1,
    writes: 2,
    fields: PoolParams::FIELDS,
    params_size: size_of::<PoolParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size", "has_indices"],
};

/// One thread per sample of the pooling's input adds the gradients of its windows.
pub(crate) static GRAD: Shader = Shader {
    name: "pool_max_grad_gather",
    texts: single!("pool/max_grad_gather.wgsl"),
    reads: 2,
    writes: 1,
    subgroups: false,
    overrides: &["workgroup_size"],
    ..DIRECT
};

/// Bytes of what stands for the indices where they are not wanted.
const UNUSED: u64 = 4;

impl<const R: usize> GpuOp for MaxPool<R> {
    fn recipes(&self, capabilities: &Capabilities, _storage: FloatType) -> Vec<Recipe> {
        recipes(&[(&DIRECT).into()], capabilities)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let (_, recipe) = request.choose(Self::NAME, &[(&DIRECT).into()])?;
        let operands = request.place(self)?;
        let windows = self.windows()?;
        let numbering = self.indices.unwrap_or_default().numbering(&windows.input_shape());
        let pool = Pool {
            axes: windows.axes3(),
            // Without indices nothing is numbered, and their number may pass an i32.
            numbering: if self.indices.is_some() { numbering? } else { Numbering::NONE },
            input: &operands[0],
            output: &operands[1],
            indices: operands.get(2),
            gradient: false,
        };
        let [d, h, w] = pool.axes.map(|axis| 0..axis.narrow);
        let tile = [0..self.batch, 0..self.channels, d, h, w, 0..1];
        let (storage, unused) = (Storage::default(), Bindable { name: "indices", element: UNUSED });
        let bindables = [pool.input.into(), pool.output.into(), pool.indices.map_or(unused, Bindable::from)];
        let dispatches = request.dispatches(
            Launch { recipe: &recipe, storage, tile, operands: &bindables, work: Work::Outputs },
            |tile| pool.spans(tile),
            |window, row_threads| pool.params(window, row_threads, [0, 1, 2]),
        )?;
        let has_indices = pool.indices.is_some();
        let step = Step {
            shader: &DIRECT,
            storage,
            constants: vec![
                ("workgroup_size", recipe.workgroup_size.into()),
                ("has_indices", f64::from(u8::from(has_indices))),
            ],
            bindings: vec![
                Source::Operand(0),
                Source::Operand(1),
                if has_indices { Source::Operand(2) } else { Source::Workspace(0) },
            ],
            dispatches,
        };
        let workspaces = if has_indices { Vec::new() } else { vec![UNUSED] };
        let (tables, steps) = (Vec::new(), vec![step]);
        Ok(Program { op: Self::NAME, recipe, operands, inputs: 1, tables, workspaces, steps })
    }
}

impl<const R: usize> GpuOp for MaxPoolGrad<R> {
    fn recipes(&self, capabilities: &Capabilities, _storage: FloatType) -> Vec<Recipe> {
        recipes(&[(&GRAD).into()], capabilities)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let (_, recipe) = request.choose(Self::NAME, &[(&GRAD).into()])?;
        let operands = request.place(self)?;
        let (windows, numbering) = self.windows()?;
        let pool = Pool {
            axes: windows.axes3(),
            numbering,
            input: &operands[0],
            output: &operands[2],
            indices: Some(&operands[1]),
            gradient: true,
        };
        let [d, h, w] = pool.axes.map(|axis| 0..axis.wide);
        let tile = [0..windows.batch, 0..windows.channels, d, h, w, 0..1];
        let storage = Storage::default();
        let bindables = [&operands[0], &operands[1], &operands[2]].map(Bindable::from);
        let dispatches = request.dispatches(
            Launch { recipe: &recipe, storage, tile, operands: &bindables, work: Work::Outputs },
            |tile| pool.spans(tile),
            |window, row_threads| pool.params(window, row_threads, [0, 2, 1]),
        )?;
        let step = Step {
            shader: &GRAD,
            storage,
            constants: vec![("workgroup_size", recipe.workgroup_size.into())],
            bindings: (0..3).map(Source::Operand).collect(),
            dispatches,
        };
        let (tables, workspaces, steps) = (Vec::new(), Vec::new(), vec![step]);
        Ok(Program { op: Self::NAME, recipe, operands, inputs: 2, tables, workspaces, steps })
    }
}

/// A problem with its tensors placed.
struct Pool<'a> {
    axes: [Axis; 3],
    numbering: Numbering,
    input: &'a Placed,
    output: &'a Placed,
    indices: Option<&'a Placed>,
    gradient: bool,
}

impl Pool<'_> {
    /// The elements of each binding that a tile touches: input, output and indices, or, of the gradient, input, indices
    /// and output.
    fn spans(&self, tile: &Tile) -> Vec<Range<usize>> {
        let [batch, channels, spatial @ .., _] = tile;
        let outer = [batch.clone(), channels.clone()];
        let source = std::array::from_fn(|i| match self.gradient {
            false => self.axes[i].wide_window(&spatial[i], &(0..self.axes[i].kernel)),
            true => self.axes[i].narrow_window(&spatial[i]),
        });
        let input = span(&self.input.layout, outer.clone(), source.clone());
        let output = span(&self.output.layout, outer.clone(), spatial.clone());
        let indices = |at| self.indices.map_or(0..1, |indices| span(&indices.layout, outer, at));
        if self.gradient { vec![input, indices(source), output] } else { vec![input, output, indices(spatial.clone())] }
    }

    /// `bindings` are the numbers of input, output and indices among the bindings.
    fn params(&self, window: &Window, row_threads: u32, bindings: [usize; 3]) -> PoolParams {
        let [batch, channels, ..] = &window.tile;
        let base = |placed: &Placed, binding: usize| placed.address(&[batch.start], &window.bytes[bindings[binding]]);
        let [d, h, w] = std::array::from_fn(|i| self.axis_params(i, &window.tile[i + 2]));
        PoolParams {
            d,
            h,
            w,
            batch_count: wrap(batch.len()),
            first_batch: wrap(batch.start),
            first_channel: wrap(channels.start),
            channel_count: wrap(channels.len()),
            x_base: base(self.input, 0),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            y_base: base(self.output, 1),
            y_batch: self.output.stride(0),
            y_channel: self.output.stride(1),
            i_base: self.indices.map_or(0, |indices| base(indices, 2)),
            i_batch: self.indices.map_or(0, |indices| indices.stride(0)),
            i_channel: self.indices.map_or(0, |indices| indices.stride(1)),
            number_batch: wrap(self.numbering.batch),
            number_channel: wrap(self.numbering.channel),
            row_threads,
        }
    }

    fn axis_params(&self, i: usize, outputs: &Range<usize>) -> PoolAxisParams {
        let axis = &self.axes[i];
        PoolAxisParams {
            count_in: if self.gradient { axis.narrow } else { axis.wide } as i32,
            kernel: axis.kernel as i32,
            stride: axis.stride as i32,
            dilation: axis.dilation as i32,
            pad: axis.pad as i32,
            x_stride: spatial_stride(self.input, i),
            y_stride: spatial_stride(self.output, i),
            i_stride: self.indices.map_or(0, |indices| spatial_stride(indices, i)),
            number: wrap(self.numbering.axes[i]),
            first: wrap(outputs.start),
            count: wrap(outputs.len()),
            unused: 0,
        }
    }
}
