//! A convolution or its transpose with its tensors laid out: what a part of it touches, and its uniforms.

use std::ops::Range;

use super::layer::{Channels, Direction, Layer};
use super::split_k::{Finish, Partials};
use crate::geometry::gcd;
use crate::gpu::program::addressing::{activation_constants, flag, span, spatial_stride};
use crate::gpu::program::operand::{Bindable, Placed, Source};
use crate::gpu::program::program::{Dispatch, Step};
use crate::gpu::program::region::Tile;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::split::Window;
use crate::gpu::program::uniform::{uniform, wrap};
use crate::ops::activation::Activation;

uniform! {
    /// One axis of [`ConvParams`]; 48 bytes, as a struct in a uniform must be a multiple of 16.
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
    /// `Params` of the convolution shaders.
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

/// A problem with its tensors placed.
pub(crate) struct Relation {
    pub(crate) layer: Layer,
    pub(crate) activation: Activation,
    pub(crate) input: Placed,
    pub(crate) weight: Placed,
    pub(crate) bias: Option<Placed>,
    pub(crate) output: Placed,
}

impl Relation {
    pub(crate) fn new(layer: Layer, finish: Finish, operands: &[Placed], output: Placed) -> Self {
        Self {
            layer,
            activation: finish.activation,
            input: operands[0].clone(),
            weight: operands[1].clone(),
            bias: finish.bias.map(|number| operands[number].clone()),
            output,
        }
    }

    /// With the constants that all shaders have, which come last.
    pub(crate) fn step(
        &self,
        shader: &'static Shader,
        mut constants: Vec<(&'static str, f64)>,
        partials: &Partials,
        dispatches: Vec<Dispatch>,
    ) -> Step {
        constants.push(flag("has_bias", self.bias.is_some()));
        constants.push(("activation", activation_constants(self.activation).0));
        // Without a bias its binding, which the shader never reads then, holds the weight.
        let reads = [0, 1, if self.bias.is_some() { 2 } else { 1 }].map(Source::Operand);
        let bindings = [&reads[..], &[partials.source]].concat();
        Step { shader, storage: partials.storage, constants, bindings, dispatches }
    }

    pub(crate) fn bindables(&self) -> [Bindable; 4] {
        [&self.input, &self.weight, self.bias.as_ref().unwrap_or(&self.weight), &self.output].map(Bindable::from)
    }

    /// The elements of input, weight, bias (or weight) and output that a tile touches.
    pub(crate) fn spans(&self, tile: &Tile) -> Vec<Range<usize>> {
        let [batch, channels, d, h, w, reduction] = tile;
        let Channels { ins, outs, .. } = self.layer.channels;
        let groups = channels.start / outs..(channels.end - 1) / outs + 1;
        let inputs = groups.start * ins + reduction.start..(groups.end - 1) * ins + reduction.end;
        let kernel = self.layer.axes.map(|axis| 0..axis.kernel);
        let source = std::array::from_fn(|i| match self.layer.direction {
            Direction::WideToNarrow => self.layer.axes[i].wide_window(&tile[i + 2], &kernel[i]),
            Direction::NarrowToWide => self.layer.axes[i].narrow_window(&tile[i + 2]),
        });
        let weight_channels = match self.layer.direction {
            Direction::WideToNarrow => [channels.clone(), reduction.clone()],
            Direction::NarrowToWide if groups.len() > 1 => [inputs.clone(), 0..outs],
            Direction::NarrowToWide => {
                let first = groups.start * outs;
                [inputs.clone(), channels.start - first..channels.end - first]
            }
        };
        let weight = span(&self.weight.layout, weight_channels, kernel);
        let bias = self.bias.as_ref().map_or(weight.clone(), |bias| bias.layout.span(std::slice::from_ref(channels)));
        let outputs = span(&self.output.layout, [batch.clone(), channels.clone()], [d.clone(), h.clone(), w.clone()]);
        vec![span(&self.input.layout, [batch.clone(), inputs], source), weight, bias, outputs]
    }

    pub(crate) fn params(&self, window: &Window, row_threads: u32) -> ConvParams {
        let [batch, channels, .., reduction] = &window.tile;
        let Channels { ins, outs, .. } = self.layer.channels;
        let base = |placed: &Placed, binding: usize| placed.address(&[], &window.bytes[binding]);
        let from_first = |placed: &Placed, binding: usize| placed.address(&[batch.start], &window.bytes[binding]);
        let weight_axes = if self.layer.direction == Direction::WideToNarrow { [0, 1] } else { [1, 0] };
        let [d, h, w] = std::array::from_fn(|i| self.axis_params(i, &window.tile[i + 2]));
        let (_, [alpha, beta]) = activation_constants(self.activation);
        ConvParams {
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
            x_base: from_first(&self.input, 0),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            w_base: base(&self.weight, 1),
            w_out: self.weight.stride(weight_axes[0]),
            w_in: self.weight.stride(weight_axes[1]),
            b_base: self.bias.as_ref().map_or(0, |bias| base(bias, 2)),
            b_stride: self.bias.as_ref().map_or(0, |bias| bias.stride(0)),
            y_base: from_first(&self.output, 3),
            y_batch: self.output.stride(0),
            y_channel: self.output.stride(1),
            row_threads,
            finish: u32::from(reduction.end == ins),
            alpha,
            beta,
        }
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
            inverse: inverse(index_step, tap_step),
            tap_step: tap_step as i32,
            index_step: index_step as i32,
            x_stride: spatial_stride(&self.input, i),
            w_stride: spatial_stride(&self.weight, i),
            y_stride: spatial_stride(&self.output, i),
            first: wrap(outputs.start),
            count: wrap(outputs.len()),
        }
    }
}

/// The number that `a` is to be multiplied with to give 1 modulo `modulus`; 0 where the modulus is 1. They have no
/// common factor.
pub(crate) fn inverse(a: usize, modulus: usize) -> u32 {
    (0..modulus).find(|candidate| (a % modulus) * candidate % modulus == 1 % modulus).unwrap_or(0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverses_invert() {
        for modulus in 1..40usize {
            for a in (1..80).filter(|&a| gcd(a, modulus) == 1) {
                let product = a % modulus * inverse(a, modulus) as usize;
                assert_eq!(product % modulus, 1 % modulus, "{a} mod {modulus}");
            }
        }
    }

    #[test]
    fn missing_axes_have_no_stride() {
        let line = Placed::workspace(&[2, 3, 5]);
        assert_eq!([0, 1, 2].map(|i| spatial_stride(&line, i)), [0, 0, 1]);
        let volume = Placed::workspace(&[2, 3, 4, 5, 6]);
        assert_eq!([0, 1, 2].map(|i| spatial_stride(&volume, i)), [30, 6, 1]);
    }
}
