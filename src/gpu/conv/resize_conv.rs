//! Resize-convolution on the GPU.

use std::ops::Range;

use super::layer::{Channels, Direction, Layer};
use crate::dtype::FloatType;
use crate::error::Result;
use crate::geometry::Axis;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::constants::activation_constants;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::kernel_parts::kernel_parts;
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::pass::{Part, Pass};
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, recipes};
use crate::gpu::program::region::Region;
use crate::gpu::program::rounds::{MAX_ROUNDS, ROUNDS, nested};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::split::{MAX_DISPATCHES, too_many};
use crate::gpu::program::split_k::{Epilogue, SplitK, add_bias_fill, add_empty_sum, is_empty_sum, with_f32_sums};
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, to_i32, uniform};
use crate::gpu::resample::table::{LaidOutTables, Tables, boxes_by_tables, row_length, touched};
use crate::ops::activation::Activation;
use crate::ops::conv::resize_conv::ResizeConv;
use crate::ops::op::Op;
use crate::ops::resample::tap_table::TapTable;
use crate::tensor::operand::Role;

uniform! {
    /// One spatial axis of [`ResizeConvParams`]: output o and tap t read upsampled sample
    /// `o * stride + t * dilation - pad`; 48 bytes.
    ResizeAxisParams {
        input: i32,    // upsampled samples
        kernel: i32,   // taps
        stride: i32,   // of the equation
        pad: i32,      // of the equation; may be negative: cropping
        dilation: i32, // of the equation
        row: u32,      // entries in a row of this axis's tap table
        table: u32,    // address of upsampled sample 0's row in the tables, in entries, modulo 2^32
        x_stride: u32, // elements from one input sample to the next, modulo 2^32
        w_stride: u32, // elements from one tap to the next
        y_stride: u32, // elements from one output to the next
        first: u32,    // this dispatch's first output index
        count: u32,    // output indices of this dispatch
    }
}

uniform! {
    /// `Params` of the resize-convolution's shader. Addresses and strides count elements, modulo 2³².
    ResizeConvParams {
        d: ResizeAxisParams,  // depth
        h: ResizeAxisParams,  // height
        w: ResizeAxisParams,  // width
        batch_count: u32,     // images of this dispatch
        first_channel: u32,   // this dispatch's first output channel
        channel_count: u32,   // output channels of this dispatch
        in_per_group: u32,    // input channels of a group
        out_per_group: u32,   // output channels of a group
        first_in: u32,        // in each group, the first input channel that this dispatch sums
        count_in: u32,        // input channels of each group that this dispatch sums
        accumulate: u32,      // 1: go on from the bias or the sum that an earlier dispatch left in y; 0: begin with 0
        x_base: u32,          // address of channel 0, sample 0 in this dispatch's first image
        x_batch: u32,         // from one image to the next
        x_channel: u32,       // from one channel to the next
        w_base: u32,          // address of the first weight
        w_out: u32,           // from one output channel to the next
        w_in: u32,            // from one input channel to the next
        y_base: u32,          // address of channel 0, output 0 in this dispatch's first image
        y_batch: u32,         // from one image to the next
        y_channel: u32,       // from one channel to the next
        row_threads: u32,     // threads in one row of workgroups: thread = id.y * row_threads + id.x
        sum_is_complete: u32, // 1: this dispatch ends the sums, and applies the activation
        alpha: f32,           // the leaky ReLU's slope, or the clip's lower bound
        beta: f32,            // the clip's upper bound
        extrapolation: f32,   // the value of upsampled samples that lie outside the input
    }
}

/// One thread per output element.
pub(crate) static DIRECT: Shader = Shader {
    name: "conv_resize_direct",
    texts: Texts::Tensors(files!("conv/resize_direct.wgsl", "shared/tap_marks.wgsl", "shared/activation.wgsl")),
    reads: 3,
    writes: 1,
    uniform: ResizeConvParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "activation"],
};

/// With f16 storage, a sum of several dispatches needs partial sums in f32.
fn candidates<const R: usize>(op: &ResizeConv<R>, storage: FloatType) -> Result<Vec<Candidate>> {
    let mut candidates = with_f32_sums(vec![(&DIRECT).into()], storage);
    if storage == FloatType::F16 {
        let layer = Layer::new(&op.geometry()?, Direction::WideToNarrow);
        let tables = op.upsample.tables_on_three_axes()?;
        let is_long = rounds(&layer, tables.each_ref(), layer.channels.in_per_group) > MAX_ROUNDS;
        candidates.retain(|candidate| candidate.shape.split_k() || !is_long);
    }
    Ok(candidates)
}

impl<const R: usize> GpuOp for ResizeConv<R> {
    fn recipes(&self, capabilities: &Capabilities, options: &PlanOptions) -> Vec<Recipe> {
        let candidates = candidates(self, options.storage).unwrap_or_default();
        recipes(&candidates, capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let candidates = candidates(self, context.options.storage)?;
        context.first_that_fits(Self::NAME, &candidates, |_, recipe| {
            lower_by(self, ProgramBuilder::new(context, self, recipe)?)
        })
    }
}

fn lower_by<const R: usize>(op: &ResizeConv<R>, mut builder: ProgramBuilder<'_>) -> Result<Program> {
    let bias = builder.operand_as(Role::Bias);
    if is_empty_sum(&builder) {
        add_empty_sum(&mut builder, Epilogue { bias, activation: op.conv.activation })?;
        return builder.finish();
    }
    let split_k = SplitK::new(&mut builder, 1)?;
    let geometry = op.geometry()?;
    let tables = op.upsample.tables_on_three_axes()?;
    let layer = Layer::new(&geometry, Direction::WideToNarrow);
    let target = split_k.target.clone();
    if let Some(bias) = &bias {
        add_bias_fill(&mut builder, bias, &target)?;
    }
    let table_parts = table_parts(tables)?;
    let last = table_parts.len() - 1;
    for (number, tables) in table_parts.iter().enumerate() {
        let tables = tables.each_ref();
        let kernel_parts = kernel_parts(layer.axes, [1; 3], |axes| rounds(&Layer { axes, ..layer }, tables, 1))?;
        let rows = |region: &Region| upsampled(&layer.axes, region);
        for region in boxes_by_tables(layer.region(), tables, rows, builder.context.limits())? {
            let mut pass = ResizeConvPass {
                layer,
                tables,
                laid_out: LaidOutTables::new(&mut builder, tables, rows(&region))?,
                region,
                extrapolation: op.upsample.extrapolation_value,
                input: builder.operand(0),
                weight: builder.operand(1),
                activation: op.conv.activation,
                output: target.clone(),
                begins: true,
                ends: true,
            };
            for part in &kernel_parts {
                (pass.layer.axes, pass.weight) = (part.axes, part.weight(&builder.operand(1))?);
                pass.begins = bias.is_none() && number == 0 && part.is_first;
                pass.ends = number == last && part.is_last;
                let (activation, _) = activation_constants(pass.activation);
                builder.add_pass(&DIRECT, [("activation", activation)], &pass)?;
            }
        }
    }
    split_k.add_sum(&mut builder, Epilogue::default())?;
    builder.finish()
}

/// The rounds of an invocation that sums this many input channels: for each tap the shader runs the loops of the
/// upsampling.
fn rounds(layer: &Layer, tables: [&TapTable; 3], channels: usize) -> u64 {
    let [d, h, w] = std::array::from_fn(|i| layer.taps(i));
    let [slices, rows, columns] = tables.map(row_length);
    nested([channels, d, h, w, slices, rows, columns])
}

/// The tables in parts whose sums add up to those of the whole. An upsampled sample of one part takes at most an eighth
/// of [`MAX_ROUNDS`].
fn table_parts(tables: [TapTable; 3]) -> Result<Vec<[TapTable; 3]>> {
    let (mut parts, mut open) = (Vec::new(), vec![tables]);
    while let Some(tables) = open.pop() {
        let lengths = tables.each_ref().map(row_length);
        if nested(lengths) <= MAX_ROUNDS / 8 {
            parts.push(tables);
            continue;
        }
        let axis = (0..3).max_by_key(|&axis| lengths[axis]).unwrap_or_default();
        let half = lengths[axis].div_ceil(2);
        for numbers in [half..lengths[axis], 0..half] {
            let mut part = tables.clone();
            if numbers.start > 0 {
                // The other half has the extrapolation values.
                for table in &mut part {
                    *table = table.without_outside()?;
                }
            }
            part[axis] = tables[axis].part(numbers)?;
            open.push(part);
        }
        if parts.len() + open.len() > MAX_DISPATCHES {
            return Err(too_many((ROUNDS, MAX_ROUNDS)));
        }
    }
    Ok(parts)
}

/// The upsampled samples that a region's outputs read on each axis.
fn upsampled(axes: &[Axis; 3], region: &Region) -> [Range<usize>; 3] {
    std::array::from_fn(|i| {
        let window = axes[i].wide_window(&region.spatial[i], &(0..axes[i].kernel));
        // A window that lies in the padding alone counts as sample 0, since a binding cannot be empty.
        if window.is_empty() { 0..1 } else { window }
    })
}

/// A problem with its tensors laid out.
struct ResizeConvPass<'a> {
    /// The convolution, or a part of its kernel.
    layer: Layer,
    tables: [&'a TapTable; 3],
    /// The rows of the tables that the region's outputs read.
    laid_out: LaidOutTables,
    region: Region,
    extrapolation: f32,
    input: LaidOutTensor,
    weight: LaidOutTensor,
    activation: Activation,
    output: LaidOutTensor,
    /// Whether the sums begin with this pass at 0, and do not go on from the bias or from what an earlier pass left.
    begins: bool,
    /// Whether the sums end with this pass, which applies the activation.
    ends: bool,
}

impl ResizeConvPass<'_> {
    fn axis_params(&self, i: usize, part: &Part) -> ResizeAxisParams {
        let (axis, outputs) = (&self.layer.axes[i], &part.region.spatial[i]);
        ResizeAxisParams {
            input: to_i32(axis.wide),
            kernel: to_i32(axis.kernel),
            stride: to_i32(axis.stride),
            pad: to_i32(axis.pad),
            dilation: to_i32(axis.dilation),
            row: mod_2_32(row_length(self.tables[i])),
            table: self.laid_out.bases[i],
            x_stride: self.input.spatial_stride(i),
            w_stride: self.weight.spatial_stride(i),
            y_stride: self.output.spatial_stride(i),
            first: mod_2_32(outputs.start),
            count: mod_2_32(outputs.len()),
        }
    }
}

impl Pass for ResizeConvPass<'_> {
    type Uniform = ResizeConvParams;

    fn region(&self) -> Region {
        self.region.clone()
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![&self.input, &self.weight, &self.laid_out.tensor, &self.output]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let ([batch, channels], reduction) = (&region.outer, &region.reduction);
        let Channels { in_per_group, out_per_group, .. } = self.layer.channels;
        let groups = channels.start / out_per_group..(channels.end - 1) / out_per_group + 1;
        let inputs = groups.start * in_per_group + reduction.start..(groups.end - 1) * in_per_group + reduction.end;
        let kernel = self.layer.axes.map(|axis| 0..axis.kernel);
        let upsampled = upsampled(&self.layer.axes, region);
        let source = std::array::from_fn(|i| touched(self.tables[i], &upsampled[i]));
        vec![
            self.input.span([batch.clone(), inputs], source),
            self.weight.span([channels.clone(), reduction.clone()], kernel),
            self.laid_out.span(),
            self.output.span(region.outer.clone(), region.spatial.clone()),
        ]
    }

    fn rounds(&self, region: &Region) -> u64 {
        rounds(&self.layer, self.tables, region.reduction.len())
    }

    fn uniform(&self, part: &Part) -> ResizeConvParams {
        let ([batch, channels], reduction) = (&part.region.outer, &part.region.reduction);
        let Channels { in_per_group, out_per_group, .. } = self.layer.channels;
        let [d, h, w] = std::array::from_fn(|i| self.axis_params(i, part));
        let (_, [alpha, beta]) = activation_constants(self.activation);
        ResizeConvParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            in_per_group: mod_2_32(in_per_group),
            out_per_group: mod_2_32(out_per_group),
            first_in: mod_2_32(reduction.start),
            count_in: mod_2_32(reduction.len()),
            accumulate: u32::from(!self.begins || reduction.start > 0),
            x_base: self.input.address(&[batch.start], &part.bytes[0]),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            w_base: self.weight.address(&[], &part.bytes[1]),
            w_out: self.weight.stride(0),
            w_in: self.weight.stride(1),
            y_base: self.output.address(&[batch.start], &part.bytes[3]),
            y_batch: self.output.stride(0),
            y_channel: self.output.stride(1),
            row_threads: part.row,
            sum_is_complete: u32::from(self.ends && reduction.end == in_per_group),
            alpha,
            beta,
            extrapolation: self.extrapolation,
        }
    }
}
