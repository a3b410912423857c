//! Convolution of 8-bit integers on the GPU.

use std::ops::Range;

use super::integer_zero_points::{ZERO_POINTS, ZeroPointPass};
use super::layer::{Channels, Direction, Layer};
use super::operands::{AxisParams, ConvOperands, direct_rounds};
use crate::dtype::ByteType;
use crate::error::Result;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::constants::flag;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::kernel_parts::kernel_parts;
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::pass::{Part, Pass};
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, recipes};
use crate::gpu::program::region::Region;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::split_k::{Epilogue, add_empty_sum, is_empty_sum};
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, uniform};
use crate::ops::conv::conv_integer::ConvInteger;
use crate::ops::op::Op;

uniform! {
    /// `Params` of the shaders that convolve 8-bit integers. Addresses and strides of x and w count bytes, those of z
    /// and y elements, modulo 2³².
    IntegerParams {
        d: AxisParams,      // depth
        h: AxisParams,      // height
        w: AxisParams,      // width
        batch_count: u32,   // images of this dispatch
        first_channel: u32, // this dispatch's first output channel
        channel_count: u32, // output channels of this dispatch
        in_per_group: u32,  // input channels of a group
        out_per_group: u32, // output channels of a group
        first_in: u32,      // in each group, the first input channel that this dispatch sums
        count_in: u32,      // input channels of each group that this dispatch sums
        accumulate: u32,    // 1: go on from the sum that an earlier dispatch left in y
        x_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
        x_batch: u32,       // from one image to the next
        x_channel: u32,     // from one channel to the next
        w_base: u32,        // address of the first weight
        w_out: u32,         // from one output channel to the next
        w_in: u32,          // from one input channel to the next
        z_base: u32,        // address of channel 0's pair of zero points
        y_base: u32,        // address of channel 0, output 0 in this dispatch's first image
        y_batch: u32,       // from one image to the next
        y_channel: u32,     // from one channel to the next
        row_threads: u32,   // threads in one row of workgroups: thread = id.y * row_threads + id.x
        x_flip: u32,        // bits of a word of x to flip: see `flip`
        w_flip: u32,        // bits of a word of w to flip
    }
}

/// One thread per output element.
pub(crate) static DIRECT: Shader = Shader {
    name: "conv_integer_direct",
    texts: Texts::Single(files!(
        "conv/integer_direct.wgsl",
        "conv/shared/integer_params.wgsl",
        "conv/shared/axis.wgsl",
        "conv/shared/taps.wgsl"
    )),
    reads: 3,
    writes: 1,
    uniform: IntegerParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "has_zero_points"],
};

/// The bits of a word of four integers that the shaders flip: the sign bits of signed ones, which then read as unsigned
/// numbers, 128 too large, as their zero point does.
fn flip(bytes: ByteType) -> u32 {
    match bytes {
        ByteType::U8 => 0,
        ByteType::I8 => 0x8080_8080,
    }
}

/// The ways to run a problem, best first.
fn candidates() -> Vec<Candidate> {
    vec![(&DIRECT).into()]
}

impl<const R: usize> GpuOp for ConvInteger<R> {
    fn recipes(&self, capabilities: &Capabilities, _options: &PlanOptions) -> Vec<Recipe> {
        recipes(&candidates(), capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let layer = Layer::new(&self.geometry()?, Direction::WideToNarrow);
        context.first_that_fits(Self::NAME, &candidates(), |candidate, recipe| {
            let mut builder = ProgramBuilder::new(context, self, recipe)?;
            if is_empty_sum(&builder) {
                // The bits of an f32 that is 0 are those of the integer 0.
                add_empty_sum(&mut builder, Epilogue::default())?;
                return builder.finish();
            }
            let flips = [self.input_type, self.weight_type].map(flip);
            let zero_points = if self.has_zero_points() { Some(add_zero_points(&mut builder, flips)?) } else { None };
            add_layer(&mut builder, &layer, candidate, zero_points.as_ref(), flips)?;
            builder.finish()
        })
    }
}

/// Adds the step that puts the zero points of each output channel side by side, so that no shader binds more than four
/// storage buffers.
fn add_zero_points(builder: &mut ProgramBuilder<'_>, flips: [u32; 2]) -> Result<LaidOutTensor> {
    let pass = ZeroPointPass::new(builder, flips)?;
    builder.add_pass(&ZERO_POINTS, pass.constants(), &pass)?;
    Ok(pass.pairs)
}

/// Adds the steps of the sums: one for each part of the kernel.
fn add_layer(
    builder: &mut ProgramBuilder<'_>,
    layer: &Layer,
    candidate: &Candidate,
    zero_points: Option<&LaidOutTensor>,
    flips: [u32; 2],
) -> Result<()> {
    let rounds = |axes| direct_rounds(&Layer { axes, ..*layer }, [1; 3], 1);
    for part in kernel_parts(layer.axes, [1; 3], rounds)? {
        let tensors = [builder.operand(0), part.weight(&builder.operand(1))?, builder.output()];
        let operands = ConvOperands::new(Layer { axes: part.axes, ..*layer }, tensors, Epilogue::default());
        let operands = ConvOperands { begins: part.is_first, ends: part.is_last, ..operands };
        let pass = IntegerPass { operands, zero_points, flips };
        builder.add_pass(candidate.shader, [flag("has_zero_points", zero_points.is_some())], &pass)?;
    }
    Ok(())
}

/// A convolution of integers, or of a part of its kernel, with its tensors laid out.
struct IntegerPass<'a> {
    operands: ConvOperands,
    /// For each output channel the zero points of input and weight.
    zero_points: Option<&'a LaidOutTensor>,
    /// [`flip`] of input and weight.
    flips: [u32; 2],
}

impl Pass for IntegerPass<'_> {
    type Uniform = IntegerParams;

    fn region(&self) -> Region {
        self.operands.layer.region()
    }

    /// Input, weight, zero points and output. Without zero points, the weight fills their binding, which the shader
    /// never reads.
    fn tensors(&self) -> Vec<&LaidOutTensor> {
        let ConvOperands { input, weight, output, .. } = &self.operands;
        vec![input, weight, self.zero_points.unwrap_or(weight), output]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let mut spans = self.operands.spans(region);
        if let Some(pairs) = self.zero_points {
            spans[2] = pairs.layout.span(&[region.outer[1].clone(), 0..2]);
        }
        spans
    }

    fn rounds(&self, region: &Region) -> u64 {
        direct_rounds(&self.operands.layer, [1; 3], region.reduction.len())
    }

    fn uniform(&self, part: &Part) -> IntegerParams {
        let ConvOperands { layer, input, weight, output, begins, .. } = &self.operands;
        let ([batch, channels], reduction) = (&part.region.outer, &part.region.reduction);
        let Channels { in_per_group, out_per_group, .. } = layer.channels;
        let [d, h, w] = std::array::from_fn(|i| self.operands.axis_params(i, &part.region.spatial[i]));
        IntegerParams {
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
            accumulate: u32::from(!begins || reduction.start > 0),
            x_base: input.address(&[batch.start], &part.bytes[0]),
            x_batch: input.stride(0),
            x_channel: input.stride(1),
            w_base: weight.address(&[], &part.bytes[1]),
            w_out: weight.stride(0),
            w_in: weight.stride(1),
            z_base: self.zero_points.map_or(0, |pairs| pairs.address(&[], &part.bytes[2])),
            y_base: output.address(&[batch.start], &part.bytes[3]),
            y_batch: output.stride(0),
            y_channel: output.stride(1),
            row_threads: part.row,
            x_flip: self.flips[0],
            w_flip: self.flips[1],
        }
    }
}
