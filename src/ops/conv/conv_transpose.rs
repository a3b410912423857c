//! Transposed convolution: what it is, its sizes in every convention, and its definition on the CPU.

use crate::ops::problem::ProblemText;
use ndarray::ArrayD;

use super::runs::for_each_run;
use crate::error::{Error, Result};
use crate::geometry::{
    Axis, Geometry, MAX_COORDINATE, Padding, Pads, at_most, check_layer, conv_transpose_size, span, split_padding,
};
use crate::ops::activation::Activation;
use crate::ops::op::Op;
use crate::ops::reference::{Reference, Sums};
use crate::tensor::allocate::zeros;
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, split_shape};

/// A transposed convolution ("deconvolution") over `R` spatial axes, in PyTorch's words.
///
/// Tensors: `input` (N, Cin, spatial...), `weight` (Cin, Cout/groups, kernel...), `bias` (Cout) if there is one;
/// output (N, Cout, spatial...) with
/// `(input - 1) * stride + dilation * (kernel - 1) + 1 - before - after + output_padding` samples on each axis. It is
/// the transpose of the [`Conv`](crate::Conv) with the same weight tensor.
///
/// ```
/// use upconv::{ConvTranspose2d, Op};
/// let up = ConvTranspose2d {
///     in_channels: 64,
///     out_channels: 3,
///     input_size: [32, 32],
///     kernel_size: [4, 4],
///     stride: [2, 2],
///     padding: [1, 1].into(),
///     ..Default::default()
/// };
/// assert_eq!(up.output()?.shape, [1, 3, 64, 64]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ConvTranspose<const R: usize> {
    /// Images; 0 is legal and computes nothing.
    pub batch: usize,
    /// Channels of the input. 0 is legal: nothing is summed, and outputs are the bias, or 0.
    pub in_channels: usize,
    /// Channels of the output; 0 is legal and computes nothing.
    pub out_channels: usize,
    /// Spatial size of the input, in samples, at least 1. The output's may be 0.
    pub input_size: [usize; R],
    /// Taps of the kernel on each axis.
    pub kernel_size: [usize; R],
    /// Output samples from one input sample to the next, at most [`MAX_STEP`](crate::geometry::MAX_STEP) where there
    /// are several input samples.
    pub stride: [usize; R],
    /// Output samples cut off before and after each axis. SAME cuts as many as leave `output_size` samples or, without
    /// an `output_size`, `input * stride`, as ONNX's `auto_pad` does.
    pub padding: Padding<R>,
    /// Output samples added after each axis, fewer than the larger of stride and dilation. They are sums like all
    /// others, not filled with zeros.
    pub output_padding: [usize; R],
    /// The output size, if given. With SAME, it determines how much is cut. Otherwise it replaces `output_padding`, and
    /// must be a size that some output padding gives ([`Error::OutputSize`]).
    pub output_size: Option<[usize; R]>,
    /// Output samples from one tap to the next; 1 is an ordinary kernel (oneDNN counts from 0).
    pub dilation: [usize; R],
    /// Groups of channels: each output channel reads the input channels of its own group. `in_channels` groups are a
    /// depthwise convolution.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// What is applied to each output sample.
    pub activation: Activation,
}

/// Transposed convolution over one spatial axis.
pub type ConvTranspose1d = ConvTranspose<1>;
/// Transposed convolution over two spatial axes.
pub type ConvTranspose2d = ConvTranspose<2>;
/// Transposed convolution over three spatial axes.
pub type ConvTranspose3d = ConvTranspose<3>;

impl<const R: usize> Default for ConvTranspose<R> {
    fn default() -> Self {
        Self {
            batch: 1,
            in_channels: 1,
            out_channels: 1,
            input_size: [1; R],
            kernel_size: [1; R],
            stride: [1; R],
            padding: Padding::default(),
            output_padding: [0; R],
            output_size: None,
            dilation: [1; R],
            groups: 1,
            bias: false,
            activation: Activation::None,
        }
    }
}

impl<const R: usize> ConvTranspose<R> {
    /// A stride-1 transposed convolution for tensors of these shapes: `input` (N, Cin, spatial...) and `weight` (Cin,
    /// Cout/groups, kernel...). Set the other fields by struct update. Refuses shapes of another number of axes
    /// ([`Error::Rank`]), or that do not fit each other ([`Error::Shape`]).
    pub fn from_shapes(input: &[usize], weight: &[usize], groups: usize) -> Result<Self> {
        let ([batch, in_channels], input_size) = split_shape("input", input)?;
        let ([rows, per_group], kernel_size) = split_shape("weight", weight)?;
        if rows != in_channels {
            let expected = [&[in_channels], &weight[1..]].concat();
            return Err(Error::Shape { operand: "weight", expected, actual: weight.into() });
        }
        let out_channels = per_group.saturating_mul(groups);
        Ok(Self { batch, in_channels, out_channels, input_size, kernel_size, groups, ..Default::default() })
    }

    /// Caffe's bilinear filler for this layer's weight, (Cin, Cout/groups, kernel...): at tap `x`, the product over the
    /// axes of `1 - |x/F - c|` with `F = ceil(kernel/2)` and `c = (2F - 1 - F % 2) / (2F)`, the same for every channel.
    pub fn bilinear_filler(&self) -> Result<ArrayD<f32>> {
        let shape = self.geometry()?.weight_shape();
        let zeros = zeros("the weight", shape.iter().product())?;
        let mut weight = ArrayD::from_shape_vec(shape, zeros).expect("as many zeros as the shape has elements");
        for (at, value) in weight.indexed_iter_mut() {
            let ramp = |axis: usize| {
                let half = self.kernel_size[axis].div_ceil(2) as f64;
                let centre = (2.0 * half - 1.0 - half % 2.0) / (2.0 * half);
                1.0 - (at[axis + 2] as f64 / half - centre).abs()
            };
            *value = (0..R).map(ramp).product::<f64>() as f32;
        }
        Ok(weight)
    }

    /// A weight that copies, (Cin, Cout/groups, kernel...): 1 at one tap, from each input channel to the output channel
    /// of the same number in its group, and 0 elsewhere. With a stride of the kernel's size, the layer starts as a
    /// [`BedOfNails`](crate::BedOfNails). Refuses a tap outside the kernel ([`Error::TooLarge`]).
    pub fn one_hot_filler(&self, tap: [usize; R]) -> Result<ArrayD<f32>> {
        let geometry = self.geometry()?;
        for (tap, kernel) in tap.iter().zip(self.kernel_size) {
            at_most("the tap", *tap as u128, kernel as u128 - 1)?;
        }
        let shape = geometry.weight_shape();
        let zeros = zeros("the weight", shape.iter().product())?;
        let mut weight = ArrayD::from_shape_vec(shape, zeros).expect("as many zeros as the shape has elements");
        let (in_per_group, out_per_group) = (geometry.narrow_per_group(), geometry.wide_per_group());
        for channel in 0..self.in_channels {
            if channel % in_per_group < out_per_group {
                weight[&[&[channel, channel % in_per_group], &tap[..]].concat()[..]] = 1.0;
            }
        }
        Ok(weight)
    }

    /// The canonical form: sizes and the padding before each axis. Refuses whatever breaks a rule.
    pub fn geometry(&self) -> Result<Geometry<R>> {
        let pads = self.pads()?;
        let mut axes = [Axis::UNIT; R];
        for (i, axis) in axes.iter_mut().enumerate() {
            *axis = self.axis(i, pads[i])?;
        }
        let geometry = Geometry {
            batch: self.batch,
            groups: self.groups,
            wide_channels: self.out_channels,
            narrow_channels: self.in_channels,
            axes,
        };
        geometry.check("out_channels", "in_channels")?;
        Ok(geometry)
    }

    /// [`Self::padding`] as numbers of samples: `[before, after]` are cut off each axis, and negative numbers add
    /// samples.
    ///
    /// SAME cuts `T = (input - 1) * stride + output_padding + span - output`, `floor(T / 2)` of them before each axis
    /// for SAME_UPPER and after it for SAME_LOWER, where `output` is `output_size`, or `input * stride` without one.
    pub fn pads(&self) -> Result<Pads<R>> {
        self.check_fields()?;
        let mut pads = [[0; 2]; R];
        for (i, pad) in pads.iter_mut().enumerate() {
            *pad = match self.padding {
                Padding::Explicit(explicit) => explicit[i],
                Padding::Valid => [0; 2],
                Padding::SameUpper | Padding::SameLower => {
                    let doubled = self.input_size[i] as i128 * self.stride[i] as i128;
                    let wanted = self.output_size.map_or(doubled, |size| size[i] as i128);
                    let total = self.natural_size(i, [0; 2]) + self.output_padding[i] as i128 - wanted;
                    split_padding(total, self.padding == Padding::SameUpper)?
                }
            };
        }
        Ok(pads)
    }

    fn is_same(&self) -> bool {
        matches!(self.padding, Padding::SameUpper | Padding::SameLower)
    }

    pub(super) fn checked(self) -> Result<Self> {
        self.geometry()?;
        Ok(self)
    }

    pub(super) fn check_fields(&self) -> Result<()> {
        self.activation.check()?;
        check_layer(self.input_size, self.kernel_size, self.stride, self.dilation)
    }

    /// The output size without output padding.
    pub(super) fn natural_size(&self, axis: usize, pads: [i64; 2]) -> i128 {
        let span = span(self.kernel_size[axis], self.dilation[axis]);
        conv_transpose_size(self.input_size[axis], pads, span, self.stride[axis])
    }

    fn axis(&self, axis: usize, pads: [i64; 2]) -> Result<Axis> {
        let (stride, dilation) = (self.stride[axis], self.dilation[axis]);
        let natural = self.natural_size(axis, pads);
        let limit = stride.max(dilation);
        let size = match self.output_size {
            Some(wanted) if !self.is_same() => {
                let (wanted, max) = (wanted[axis], natural + limit as i128 - 1);
                if !(natural..=max).contains(&(wanted as i128)) {
                    return Err(Error::OutputSize { axis, wanted, min: natural, max, convention: "output padding" });
                }
                wanted as i128
            }
            _ if self.output_padding[axis] >= limit => {
                return Err(Error::OutputPadding { axis, output_padding: self.output_padding[axis], limit });
            }
            // With SAME, the padding was chosen so that this is the size wanted.
            _ => natural + self.output_padding[axis] as i128,
        };
        if size < 0 {
            return Err(Error::EmptyOutput { axis, size });
        }
        if size > MAX_COORDINATE as i128 {
            let limit = MAX_COORDINATE as u128;
            return Err(Error::TooLarge { what: "the output size", value: size as u128, limit });
        }
        let (narrow, kernel) = (self.input_size[axis], self.kernel_size[axis]);
        Axis { wide: size as usize, narrow, kernel, stride, dilation, pad: pads[0] }.with_short_steps()
    }
}

impl<const R: usize> Op for ConvTranspose<R> {
    const NAME: &'static str = "conv_transpose";

    fn inputs(&self) -> Result<Vec<Operand>> {
        let geometry = self.geometry()?;
        let mut inputs = vec![
            Operand::new(Role::Input, geometry.narrow_shape()),
            Operand::weight(Role::Weight, geometry.weight_shape()),
        ];
        if self.bias {
            inputs.push(Operand::new(Role::Bias, vec![self.out_channels]));
        }
        Ok(inputs)
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, self.geometry()?.wide_shape()))
    }

    fn problem(&self) -> String {
        let text = ProblemText::new(Self::NAME)
            .count("n", self.batch, 1)
            .count("ic", self.in_channels, 1)
            .count("oc", self.out_channels, 1)
            .sizes("i", &self.input_size);
        let text = if let Some(size) = &self.output_size { text.sizes("o", size) } else { text };
        text.axes("k", &self.kernel_size, 1)
            .axes("s", &self.stride, 1)
            .padding(&self.padding)
            .axes("d", &self.dilation, 1)
            .axes("op", &self.output_padding, 0)
            .count("g", self.groups, 1)
            .count("b", self.bias.into(), 0)
            .padding_rule(&self.padding)
            .activation(self.activation)
            .finish()
    }

    fn multiply_adds(&self) -> Result<u128> {
        Ok(self.geometry()?.multiply_adds())
    }

    /// Scatters: every input sample is spread over the output by every tap, where the shader gathers.
    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let geometry = self.geometry()?;
        let shape = geometry.wide_shape();
        let (input, weight) = (inputs[0].widen(), inputs[1].widen());
        let mut sums = Sums::zeros(&shape, inputs)?;
        for_each_run(&geometry, |run| {
            for i in 0..run.len {
                sums.add(run.wide + i * run.step, input[run.narrow + i], weight[run.weight]);
            }
        });
        if let Some(bias) = inputs.get(2) {
            sums.add_bias(&bias.widen(), shape[2..].iter().product());
        }
        let taps = geometry.axes.iter().map(|axis| axis.kernel.div_ceil(axis.tap_step()));
        let terms = geometry.narrow_per_group() * taps.product::<usize>();
        Ok(self.activation.apply_to(sums.into_reference(&shape, terms + 2 + usize::from(self.bias))))
    }
}

#[cfg(test)]
mod tests;
