//! A convolution or its transpose with its tensors laid out: what a part of it touches, and its uniforms.

use std::ops::Range;

use super::layer::{Channels, Direction, Layer};
use super::split_k::Epilogue;
use crate::geometry::gcd;
use crate::gpu::program::constants::{Constant, activation_constants};
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::pass::{Part, Pass, Work};
use crate::gpu::program::region::Region;
use crate::gpu::program::uniform::{mod_2_32, uniform};

uniform! {
    /// One axis of [`ConvParams`]; 48 bytes.
    AxisParams {
        input: i32,
        kernel: i32,
        stride: i32,
        pad: i32,
        inverse: u32,
        tap_step: i32,
        index_step: i32,
        x_stride: u32,
        w_stride: u32,
        y_stride: u32,
        first: u32,
        count: u32,
    }
}

uniform! {
    /// `Params` of the convolution shaders that are no matrix products.
    ConvParams {
        d: AxisParams,
        h: AxisParams,
        w: AxisParams,
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
    }
}

/// A problem with its tensors laid out.
pub(crate) struct ConvOperands {
    pub(crate) layer: Layer,
    pub(crate) input: LaidOutTensor,
    pub(crate) weight: LaidOutTensor,
    /// What is applied to the sum when it is whole.
    pub(crate) epilogue: Epilogue,
    pub(crate) output: LaidOutTensor,
    /// [`Layer::inverses`].
    pub(crate) inverses: [u32; 3],
}

impl ConvOperands {
    /// `output` is where the sums, or the sums of the first slice, go.
    pub(crate) fn new(layer: Layer, [input, weight, output]: [LaidOutTensor; 3], epilogue: Epilogue) -> Self {
        Self { inverses: layer.inverses(), layer, input, weight, epilogue, output }
    }

    /// Input, weight, bias and output. Without a bias its binding, which the shader then never reads, holds the weight.
    pub(crate) fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![&self.input, &self.weight, self.epilogue.bias.as_ref().unwrap_or(&self.weight), &self.output]
    }

    /// The constants that all convolution shaders have, which come last.
    pub(crate) fn constants(&self) -> [Constant; 2] {
        self.epilogue.constants()
    }

    /// The elements of [`Self::tensors`] that a region touches.
    pub(crate) fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let ([batch, channels], reduction) = (&region.outer, &region.reduction);
        let Channels { ins, outs, .. } = self.layer.channels;
        let groups = channels.start / outs..(channels.end - 1) / outs + 1;
        let inputs = groups.start * ins + reduction.start..(groups.end - 1) * ins + reduction.end;
        let kernel = self.layer.axes.map(|axis| 0..axis.kernel);
        let source = std::array::from_fn(|i| match self.layer.direction {
            Direction::WideToNarrow => self.layer.axes[i].wide_window(&region.spatial[i], &kernel[i]),
            Direction::NarrowToWide => self.layer.axes[i].narrow_window(&region.spatial[i]),
        });
        let weight_channels = match self.layer.direction {
            Direction::WideToNarrow => [channels.clone(), reduction.clone()],
            Direction::NarrowToWide if groups.len() > 1 => [inputs.clone(), 0..outs],
            Direction::NarrowToWide => {
                let first = groups.start * outs;
                [inputs.clone(), channels.start - first..channels.end - first]
            }
        };
        let weight = self.weight.span(weight_channels, kernel);
        let bias = self.epilogue.bias.as_ref();
        let bias = bias.map_or(weight.clone(), |bias| bias.layout.span(std::slice::from_ref(channels)));
        let outputs = self.output.span(region.outer.clone(), region.spatial.clone());
        vec![self.input.span([batch.clone(), inputs], source), weight, bias, outputs]
    }

    /// The weight's axes of output and of input channels.
    pub(crate) fn weight_axes(&self) -> [usize; 2] {
        if self.layer.direction == Direction::WideToNarrow { [0, 1] } else { [1, 0] }
    }

    pub(crate) fn axis_params(&self, i: usize, outputs: &Range<usize>) -> AxisParams {
        let axis = &self.layer.axes[i];
        let (input, tap_step, index_step) = match self.layer.direction {
            Direction::WideToNarrow => (axis.wide, 1, axis.dilation),
            Direction::NarrowToWide => (axis.narrow, axis.tap_step(), axis.dilation / gcd(axis.stride, axis.dilation)),
        };
        AxisParams {
            input: input as i32,
            kernel: axis.kernel as i32,
            stride: axis.stride as i32,
            pad: axis.pad as i32,
            inverse: self.inverses[i],
            tap_step: tap_step as i32,
            index_step: index_step as i32,
            x_stride: self.input.spatial_stride(i),
            w_stride: self.weight.spatial_stride(i),
            y_stride: self.output.spatial_stride(i),
            first: mod_2_32(outputs.start),
            count: mod_2_32(outputs.len()),
        }
    }
}

/// A convolution or its transpose with a thread for each output, or for each block of them.
pub(crate) struct ConvPass<'a> {
    pub(crate) operands: &'a ConvOperands,
    /// Outputs of a thread along each axis.
    pub(crate) block: [u32; 3],
}

impl Pass for ConvPass<'_> {
    type Uniform = ConvParams;

    fn region(&self) -> Region {
        self.operands.layer.region()
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        self.operands.tensors()
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        self.operands.spans(region)
    }

    fn work(&self, region: &Region) -> Work {
        Work::Threads(block_threads(region, self.block))
    }

    fn uniform(&self, part: &Part) -> ConvParams {
        let ConvOperands { layer, input, weight, epilogue, output, .. } = self.operands;
        let ([batch, channels], reduction) = (&part.region.outer, &part.region.reduction);
        let Channels { ins, outs, .. } = layer.channels;
        let [w_out, w_in] = self.operands.weight_axes().map(|axis| weight.stride(axis));
        let [d, h, w] = std::array::from_fn(|i| self.operands.axis_params(i, &part.region.spatial[i]));
        let (_, [alpha, beta]) = activation_constants(epilogue.activation);
        let bias = epilogue.bias.as_ref();
        ConvParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            in_per_group: mod_2_32(ins),
            out_per_group: mod_2_32(outs),
            first_in: mod_2_32(reduction.start),
            count_in: mod_2_32(reduction.len()),
            accumulate: u32::from(reduction.start > 0),
            x_base: input.address(&[batch.start], &part.bytes[0]),
            x_batch: input.stride(0),
            x_channel: input.stride(1),
            w_base: weight.address(&[], &part.bytes[1]),
            w_out,
            w_in,
            b_base: bias.map_or(0, |bias| bias.address(&[], &part.bytes[2])),
            b_stride: bias.map_or(0, |bias| bias.stride(0)),
            y_base: output.address(&[batch.start], &part.bytes[3]),
            y_batch: output.stride(0),
            y_channel: output.stride(1),
            row_threads: part.row,
            finish: u32::from(reduction.end == ins),
            alpha,
            beta,
        }
    }
}

/// Threads for a region, each of which computes a block of outputs.
pub(crate) fn block_threads(region: &Region, block: [u32; 3]) -> u128 {
    let blocks = (0..3).map(|i| region.spatial[i].len().div_ceil(block[i] as usize) as u128);
    region.outer.iter().map(|range| range.len() as u128).chain(blocks).product()
}
