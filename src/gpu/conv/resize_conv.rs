//! Resize-convolution on the GPU.

use crate::gpu::resample::table::Tables;
use crate::ops::op::Op;
use std::ops::Range;

use super::split_k::with_f32_sums;
use super::split_k::{Finish, Partials};
use crate::dtype::FloatType;
use crate::error::Result;
use crate::geometry::Axis;
use crate::gpu::program::addressing::{activation_constants, flag, span, spatial_stride};
use crate::gpu::program::operand::{Bindable, Placed, Source};
use crate::gpu::program::program::{Program, Step};
use crate::gpu::program::recipe::{Capabilities, Recipe, recipes};
use crate::gpu::program::region::{REDUCTION, Tile};
use crate::gpu::program::request::{GpuOp, Launch, Request, Work};
use crate::gpu::program::shader::{Shader, with_storage};
use crate::gpu::program::split::Window;
use crate::gpu::program::uniform::{uniform, wrap};
use crate::gpu::resample::table::{ENTRY, row_length, table_bytes, touched};
use crate::ops::activation::Activation;
use crate::ops::conv::resize_conv::ResizeConv;
use crate::ops::resample::tap_table::TapTable;

uniform! {
    /// One axis of [`ResizeConvParams`]; 48 bytes, as a struct in a uniform must be a multiple of 16.
    ResizeAxisParams {
        input: i32,
        kernel: i32,
        stride: i32,
        pad: i32,
        dilation: i32,
        row: u32,
        table: u32,
        x_stride: u32,
        w_stride: u32,
        y_stride: u32,
        first: u32,
        count: u32,
    }
}

uniform! {
    /// `Params` of the resize-convolution's shader.
    ResizeConvParams {
        d: ResizeAxisParams,
        h: ResizeAxisParams,
        w: ResizeAxisParams,
        batch_count: u32,
        first_channel: u32,
        channel_count: u32,
        in_per_group: u32,
        out_per_group: u32,
        first_in: u32,
        count_in: u32,
        accumulate: u32,
        x_base: u32,
        x_batch: u32,
        x_channel: u32,
        w_base: u32,
        w_out: u32,
        w_in: u32,
        b_base: u32,
        b_stride: u32,
        y_base: u32,
        y_batch: u32,
        y_channel: u32,
        row_threads: u32,
        finish: u32,
        alpha: f32,
        beta: f32,
        extrapolation: f32,
    }
}

/// One thread per output element.
pub(crate) static DIRECT: Shader = Shader {
    name: "conv_resize_direct",
    texts: with_storage!("conv/resize_direct.wgsl", "shared/tap_marks.wgsl", "shared/activation.wgsl"),
    reads: 6,
    writes: 1,
    fields: ResizeConvParams::FIELDS,
    params_size: size_of::<ResizeConvParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size", "has_bias", "activation"],
};

impl<const R: usize> GpuOp for ResizeConv<R> {
    fn recipes(&self, capabilities: &Capabilities, storage: FloatType) -> Vec<Recipe> {
        recipes(&with_f32_sums(vec![(&DIRECT).into()], storage), capabilities)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let candidates = with_f32_sums(vec![(&DIRECT).into()], request.options.storage);
        request.first_that_fits(Self::NAME, &candidates, |_, recipe| self.lower_by(recipe, &request))
    }
}

impl<const R: usize> ResizeConv<R> {
    fn lower_by(&self, recipe: Recipe, request: &Request<'_>) -> Result<Program> {
        let operands = request.place(self)?;
        let partials = Partials::new(request, recipe.shape.split_k(), 1, &operands)?;
        let geometry = self.geometry()?;
        let has_bias = self.conv.bias;
        let problem = Problem {
            axes: geometry.axes3(),
            tables: self.upsample.three(request.limits())?,
            per_group: [geometry.wide_per_group(), geometry.narrow_per_group()],
            activation: self.conv.activation,
            extrapolation: self.upsample.extrapolation_value,
            input: &operands[0],
            weight: &operands[1],
            bias: has_bias.then(|| &operands[2]),
            output: &partials.target,
        };
        let [d, h, w] = problem.axes.map(|axis| 0..axis.narrow);
        let tile = [0..geometry.batch, 0..geometry.narrow_channels, d, h, w, 0..geometry.wide_per_group()];
        let storage = partials.storage;
        let dispatches = request.dispatches(
            Launch { recipe: &recipe, storage, tile, operands: &problem.bindables(), work: Work::Outputs },
            |tile| problem.spans(tile),
            |window, row_threads| problem.params(window, row_threads),
        )?;
        let constants = vec![
            ("workgroup_size", recipe.workgroup_size.into()),
            flag("has_bias", has_bias),
            ("activation", activation_constants(self.conv.activation).0),
        ];
        let reads = [0, 1, if has_bias { 2 } else { 1 }].map(Source::Operand);
        let bindings = [&reads[..], &[0, 1, 2].map(Source::Table), &[partials.source]].concat();
        let step = Step { shader: &DIRECT, storage, constants, bindings, dispatches };
        let tables = problem.tables.iter().map(table_bytes).collect::<Result<_>>()?;
        let steps = [step].into_iter().chain(partials.sum(request, &recipe, &operands, Finish::default())?).collect();
        let (inputs, workspaces) = (operands.len() - 1, partials.workspaces);
        Ok(Program { op: Self::NAME, recipe, operands, inputs, tables, workspaces, steps })
    }
}

/// A problem with its tensors placed.
struct Problem<'a> {
    axes: [Axis; 3],
    tables: [TapTable; 3],
    /// Input and output channels of one group.
    per_group: [usize; 2],
    activation: Activation,
    extrapolation: f32,
    input: &'a Placed,
    weight: &'a Placed,
    bias: Option<&'a Placed>,
    output: &'a Placed,
}

impl Problem<'_> {
    fn bindables(&self) -> [Bindable; 7] {
        let table = Bindable { name: "tap table", element: ENTRY };
        let [input, weight, output] = [self.input, self.weight, self.output].map(Bindable::from);
        [input, weight, self.bias.unwrap_or(self.weight).into(), table, table, table, output]
    }

    /// The elements of input, weight, bias (or weight), tables and output that a tile touches.
    fn spans(&self, tile: &Tile) -> Vec<Range<usize>> {
        let [batch, channels, spatial @ .., reduction] = tile;
        let [ins, outs] = self.per_group;
        let groups = channels.start / outs..(channels.end - 1) / outs + 1;
        let inputs = groups.start * ins + reduction.start..(groups.end - 1) * ins + reduction.end;
        let kernel = self.axes.map(|axis| 0..axis.kernel);
        // A window in the padding alone counts as its first sample, since a binding cannot be empty.
        let upsampled: [Range<usize>; 3] = std::array::from_fn(|i| {
            let window = self.axes[i].wide_window(&spatial[i], &kernel[i]);
            if window.is_empty() { 0..1 } else { window }
        });
        let source = std::array::from_fn(|i| touched(&self.tables[i], &upsampled[i]));
        let weight = span(&self.weight.layout, [channels.clone(), reduction.clone()], kernel);
        let bias = self.bias.map_or(weight.clone(), |bias| bias.layout.span(std::slice::from_ref(channels)));
        let rows =
            |(table, rows): (&TapTable, &Range<usize>)| rows.start * row_length(table)..rows.end * row_length(table);
        let input = span(&self.input.layout, [batch.clone(), inputs], source);
        let output = span(&self.output.layout, [batch.clone(), channels.clone()], spatial.clone());
        [input, weight, bias].into_iter().chain(self.tables.iter().zip(&upsampled).map(rows)).chain([output]).collect()
    }

    fn params(&self, window: &Window, row_threads: u32) -> ResizeConvParams {
        let [batch, channels, ..] = &window.tile;
        let reduction = &window.tile[REDUCTION];
        let [ins, outs] = self.per_group;
        let [d, h, w] = std::array::from_fn(|i| self.axis_params(i, window));
        let (_, [alpha, beta]) = activation_constants(self.activation);
        ResizeConvParams {
            d,
            h,
            w,
            batch_count: wrap(batch.len()),
            first_channel: wrap(channels.start),
            channel_count: wrap(channels.len()),
            in_per_group: wrap(ins),
            out_per_group: wrap(outs),
            first_in: wrap(reduction.start),
            count_in: wrap(reduction.len()),
            accumulate: u32::from(reduction.start > 0),
            x_base: self.input.address(&[batch.start], &window.bytes[0]),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            w_base: self.weight.address(&[], &window.bytes[1]),
            w_out: self.weight.stride(0),
            w_in: self.weight.stride(1),
            b_base: self.bias.map_or(0, |bias| bias.address(&[], &window.bytes[2])),
            b_stride: self.bias.map_or(0, |bias| bias.stride(0)),
            y_base: self.output.address(&[batch.start], &window.bytes[6]),
            y_batch: self.output.stride(0),
            y_channel: self.output.stride(1),
            row_threads,
            finish: u32::from(reduction.end == ins),
            alpha,
            beta,
            extrapolation: self.extrapolation,
        }
    }

    fn axis_params(&self, i: usize, window: &Window) -> ResizeAxisParams {
        let (axis, outputs) = (&self.axes[i], &window.tile[i + 2]);
        ResizeAxisParams {
            input: axis.wide as i32,
            kernel: axis.kernel as i32,
            stride: axis.stride as i32,
            pad: axis.pad as i32,
            dilation: axis.dilation as i32,
            row: wrap(row_length(&self.tables[i])),
            table: 0u32.wrapping_sub((window.bytes[i + 3].start / ENTRY) as u32),
            x_stride: spatial_stride(self.input, i),
            w_stride: spatial_stride(self.weight, i),
            y_stride: spatial_stride(self.output, i),
            first: wrap(outputs.start),
            count: wrap(outputs.len()),
        }
    }
}
