//! A convolution or its transpose with its tensors laid out: what a part of it touches, and its uniforms.

use std::ops::Range;

use super::layer::{Channels, Direction, Layer};
use crate::geometry::gcd;
use crate::gpu::program::constants::{Constant, activation_constants};
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::pass::{Part, Pass, Work};
use crate::gpu::program::region::Region;
use crate::gpu::program::rounds::nested;
use crate::gpu::program::split_k::Epilogue;
use crate::gpu::program::uniform::{mod_2_32, to_i32, uniform};

uniform! {
    /// One spatial axis of [`ConvParams`], with the equation `wide = narrow * stride + tap * dilation - pad` and
    /// `gcd = gcd(stride, dilation)`; 48 bytes.
    AxisParams {
        input: i32,      // input samples
        kernel: i32,     // taps
        stride: i32,     // of the equation
        pad: i32,        // of the equation; may be negative: cropping
        inverse: u32,    // transposed: the inverse of dilation / gcd modulo stride / gcd; else 0
        tap_step: i32,   // taps from one that an output reads at to the next; transposed: stride / gcd; else 1
        index_step: i32, // input samples from that tap to the next; transposed: dilation / gcd; else dilation
        x_stride: u32,   // elements from one input sample to the next, modulo 2^32
        w_stride: u32,   // elements from one tap to the next
        y_stride: u32,   // elements from one output to the next
        first: u32,      // this dispatch's first output index
        count: u32,      // output indices of this dispatch
    }
}

uniform! {
    /// `Params` of the convolution shaders that are no matrix products. Addresses and strides count elements, modulo
    /// 2³².
    ConvParams {
        d: AxisParams,        // depth
        h: AxisParams,        // height
        w: AxisParams,        // width
        batch_count: u32,     // images of this dispatch
        first_channel: u32,   // this dispatch's first output channel
        channel_count: u32,   // output channels of this dispatch
        in_per_group: u32,    // input channels of a group
        out_per_group: u32,   // output channels of a group
        first_in: u32,        // in each group, the first input channel that this dispatch sums
        count_in: u32,        // input channels of each group that this dispatch sums
        accumulate: u32,      // 1: go on from the sum that an earlier dispatch left in y; 0: begin with the bias
        x_base: u32,          // address of channel 0, sample 0 in this dispatch's first image
        x_batch: u32,         // from one image to the next
        x_channel: u32,       // from one channel to the next
        w_base: u32,          // address of the first weight
        w_out: u32,           // from one output channel to the next
        w_in: u32,            // from one input channel to the next
        b_base: u32,          // address of channel 0's bias
        b_stride: u32,        // from one channel's bias to the next
        y_base: u32,          // address of channel 0, output 0 in this dispatch's first image
        y_batch: u32,         // from one image to the next
        y_channel: u32,       // from one channel to the next
        row_threads: u32,     // threads in one row of workgroups: thread = id.y * row_threads + id.x
        sum_is_complete: u32, // 1: this dispatch ends the sums, and applies the activation
        alpha: f32,           // the leaky ReLU's slope, or the clip's lower bound
        beta: f32,            // the clip's upper bound
    }
}

/// A problem with its tensors laid out.
pub(crate) struct ConvOperands {
    pub(crate) layer: Layer,
    pub(crate) input: LaidOutTensor,
    pub(crate) weight: LaidOutTensor,
    /// What is applied to a complete sum.
    pub(crate) epilogue: Epilogue,
    pub(crate) output: LaidOutTensor,
    /// [`Layer::inverses`].
    pub(crate) inverses: [u32; 3],
    /// Whether the sums begin with this layer, and do not go on from what an earlier part of the kernel left.
    pub(crate) begins: bool,
    /// Whether the sums end with this layer, which applies the epilogue.
    pub(crate) ends: bool,
}

impl ConvOperands {
    /// `output` is where the sums, or the sums of the first slice, go.
    pub(crate) fn new(layer: Layer, [input, weight, output]: [LaidOutTensor; 3], epilogue: Epilogue) -> Self {
        Self { inverses: layer.inverses(), layer, input, weight, epilogue, output, begins: true, ends: true }
    }

    /// Input, weight, bias and output. Without a bias, the weight fills the bias's binding, which the shader never
    /// reads.
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
        let Channels { in_per_group, out_per_group, .. } = self.layer.channels;
        let groups = channels.start / out_per_group..(channels.end - 1) / out_per_group + 1;
        let inputs = groups.start * in_per_group + reduction.start..(groups.end - 1) * in_per_group + reduction.end;
        let kernel = self.layer.axes.map(|axis| 0..axis.kernel);
        let source = std::array::from_fn(|i| match self.layer.direction {
            Direction::WideToNarrow => self.layer.axes[i].wide_window(&region.spatial[i], &kernel[i]),
            Direction::NarrowToWide => self.layer.axes[i].narrow_window(&region.spatial[i]),
        });
        let weight_channels = match self.layer.direction {
            Direction::WideToNarrow => [channels.clone(), reduction.clone()],
            Direction::NarrowToWide if groups.len() > 1 => [inputs.clone(), 0..out_per_group],
            Direction::NarrowToWide => {
                let first = groups.start * out_per_group;
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
            input: to_i32(input),
            kernel: to_i32(axis.kernel),
            stride: to_i32(axis.stride),
            pad: to_i32(axis.pad),
            inverse: self.inverses[i],
            tap_step: to_i32(tap_step),
            index_step: to_i32(index_step),
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
        Work::Threads(region.blocks(self.block))
    }

    fn rounds(&self, region: &Region) -> u64 {
        direct_rounds(&self.operands.layer, self.block, region.reduction.len())
    }

    fn uniform(&self, part: &Part) -> ConvParams {
        let &ConvOperands { ref layer, ref input, ref weight, ref epilogue, ref output, begins, ends, .. } =
            self.operands;
        let ([batch, channels], reduction) = (&part.region.outer, &part.region.reduction);
        let Channels { in_per_group, out_per_group, .. } = layer.channels;
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
            in_per_group: mod_2_32(in_per_group),
            out_per_group: mod_2_32(out_per_group),
            first_in: mod_2_32(reduction.start),
            count_in: mod_2_32(reduction.len()),
            accumulate: u32::from(!begins || reduction.start > 0),
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
            sum_is_complete: u32::from(ends && reduction.end == in_per_group),
            alpha,
            beta,
        }
    }
}

/// The rounds of an invocation that sums this many input channels; `block` as in [`ConvPass`].
pub(crate) fn direct_rounds(layer: &Layer, block: [u32; 3], channels: usize) -> u64 {
    let [d, h, w] = std::array::from_fn(|i| layer.taps(i));
    if block == [1; 3] {
        return nested([channels, d, h, w]);
    }
    // The rows of a block read other rows of samples, and the shader does not skip taps in the padding.
    let [_, h, w] = layer.axes.map(|axis| axis.kernel);
    nested([channels, d, h + 1, w])
}
