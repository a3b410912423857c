//! Convolution: what it is, its sizes in every convention, and its definition on the CPU.

use super::runs::for_each_run;
use crate::error::{Error, Result};
use crate::geometry::{Axis, Geometry, MAX_COORDINATE, Padding, Pads, check_kernel, check_sizes, conv_size, span};
use crate::ops::activation::Activation;
use crate::ops::op::Op;
use crate::ops::problem::ProblemText;
use crate::ops::reference::{Reference, Sums};
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, split_shape};

/// A convolution over `R` spatial axes (cross-correlation, as in every framework), in PyTorch's words.
///
/// Tensors: `input` (N, Cin, spatial...), `weight` (Cout, Cin/groups, kernel...), `bias` (Cout) if there is one;
/// output (N, Cout, spatial...).
///
/// ```
/// use upconv::{Conv2d, Op};
/// let conv = Conv2d {
///     in_channels: 3,
///     out_channels: 8,
///     input_size: [480, 640],
///     kernel_size: [3, 3],
///     padding: [1, 1].into(),
///     ..Default::default()
/// };
/// assert_eq!(conv.output()?.shape, [1, 8, 480, 640]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Conv<const R: usize> {
    /// Images; 0 is legal and computes nothing.
    pub batch: usize,
    /// Channels of the input. 0 is legal: nothing is summed, and outputs are the bias, or 0. (PyTorch's output then has
    /// no channels.)
    pub in_channels: usize,
    /// Channels of the output; 0 is legal and computes nothing.
    pub out_channels: usize,
    /// Spatial size of the input, in samples. 0 is legal where the padding holds the kernel.
    pub input_size: [usize; R],
    /// Taps of the kernel on each axis.
    pub kernel_size: [usize; R],
    /// Input samples from one output sample to the next, at most [`MAX_STEP`](crate::geometry::MAX_STEP) where there
    /// are several output samples.
    pub stride: [usize; R],
    /// Zeros around the input, explicitly or by rule.
    pub padding: Padding<R>,
    /// Input samples from one tap to the next; 1 is an ordinary kernel (oneDNN counts from 0).
    pub dilation: [usize; R],
    /// Groups of channels: each output channel reads the input channels of its own group. `in_channels` groups are a
    /// depthwise convolution.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// What is applied to each output sample.
    pub activation: Activation,
}

/// Convolution over one spatial axis.
pub type Conv1d = Conv<1>;
/// Convolution over two spatial axes.
pub type Conv2d = Conv<2>;
/// Convolution over three spatial axes.
pub type Conv3d = Conv<3>;

impl<const R: usize> Default for Conv<R> {
    fn default() -> Self {
        Self {
            batch: 1,
            in_channels: 1,
            out_channels: 1,
            input_size: [1; R],
            kernel_size: [1; R],
            stride: [1; R],
            padding: Padding::default(),
            dilation: [1; R],
            groups: 1,
            bias: false,
            activation: Activation::None,
        }
    }
}

impl<const R: usize> Conv<R> {
    /// A stride-1 convolution without padding for tensors of these shapes: `input` (N, Cin, spatial...) and `weight`
    /// (Cout, Cin/groups, kernel...). Set the other fields by struct update. Refuses shapes of another number of axes
    /// ([`Error::Rank`]), or that do not fit each other ([`Error::Shape`]).
    pub fn from_shapes(input: &[usize], weight: &[usize], groups: usize) -> Result<Self> {
        let ([batch, in_channels], input_size) = split_shape("input", input)?;
        let ([out_channels, _], kernel_size) = split_shape("weight", weight)?;
        let conv = Self { batch, in_channels, out_channels, input_size, kernel_size, groups, ..Default::default() };
        if groups != 0 && weight[1].checked_mul(groups) != Some(in_channels) {
            let expected = [&[out_channels, in_channels / groups], &kernel_size[..]].concat();
            return Err(Error::Shape { operand: "weight", expected, actual: weight.into() });
        }
        Ok(conv)
    }

    /// The canonical form: sizes and the padding before each axis. Refuses whatever breaks a rule.
    pub fn geometry(&self) -> Result<Geometry<R>> {
        check_sizes("input_size", &self.input_size)?;
        check_kernel(self.kernel_size, self.stride, self.dilation)?;
        self.activation.check()?;
        let pads = self.pads()?;
        let mut axes = [Axis::UNIT; R];
        for (i, axis) in axes.iter_mut().enumerate() {
            *axis = self.axis(i, pads[i])?;
        }
        let geometry = Geometry {
            batch: self.batch,
            groups: self.groups,
            wide_channels: self.in_channels,
            narrow_channels: self.out_channels,
            axes,
        };
        geometry.check("in_channels", "out_channels")?;
        Ok(geometry)
    }

    /// [`Self::padding`] as numbers of zeros, `[before, after]` each axis. Refuses SAME padding past [`MAX_COORDINATE`]
    /// ([`Error::TooLarge`]).
    pub fn pads(&self) -> Result<Pads<R>> {
        let mut pads = [[0; 2]; R];
        for (i, pad) in pads.iter_mut().enumerate() {
            let span = span(self.kernel_size[i], self.dilation[i]);
            *pad = self.padding.on_axis(i, self.input_size[i], span, self.stride[i].max(1))?;
        }
        Ok(pads)
    }

    fn axis(&self, axis: usize, pads: [i64; 2]) -> Result<Axis> {
        let (wide, kernel) = (self.input_size[axis], self.kernel_size[axis]);
        let (stride, dilation) = (self.stride[axis], self.dilation[axis]);
        let span = span(kernel, dilation);
        let padded = wide as i128 + i128::from(pads[0]) + i128::from(pads[1]);
        if span as i128 > padded {
            return Err(Error::KernelTooLarge { axis, span, padded });
        }
        let size = conv_size(wide, pads, span, stride);
        let limit = MAX_COORDINATE as u128;
        if size as u128 > limit {
            return Err(Error::TooLarge { what: "the output size", value: size as u128, limit });
        }
        Axis { wide, narrow: size as usize, kernel, stride, dilation, pad: pads[0] }.with_short_steps()
    }
}

impl<const R: usize> Op for Conv<R> {
    const NAME: &'static str = "conv";

    fn inputs(&self) -> Result<Vec<Operand>> {
        let geometry = self.geometry()?;
        let mut inputs = vec![
            Operand::new(Role::Input, geometry.wide_shape()),
            Operand::weight(Role::Weight, geometry.weight_shape()),
        ];
        if self.bias {
            inputs.push(Operand::new(Role::Bias, vec![self.out_channels]));
        }
        Ok(inputs)
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, self.geometry()?.narrow_shape()))
    }

    fn problem(&self) -> String {
        ProblemText::new(Self::NAME)
            .count("n", self.batch, 1)
            .count("ic", self.in_channels, 1)
            .count("oc", self.out_channels, 1)
            .sizes("i", &self.input_size)
            .axes("k", &self.kernel_size, 1)
            .axes("s", &self.stride, 1)
            .padding(&self.padding)
            .axes("d", &self.dilation, 1)
            .count("g", self.groups, 1)
            .count("b", self.bias.into(), 0)
            .padding_rule(&self.padding)
            .activation(self.activation)
            .finish()
    }

    fn multiply_adds(&self) -> Result<u128> {
        Ok(self.geometry()?.multiply_adds())
    }

    /// One tap at a time over the whole image, where the shader takes one output at a time over all taps.
    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let geometry = self.geometry()?;
        let shape = geometry.narrow_shape();
        let (input, weight) = (inputs[0].widen(), inputs[1].widen());
        let mut sums = Sums::zeros(&shape, inputs)?;
        for_each_run(&geometry, |run| {
            for i in 0..run.len {
                sums.add(run.narrow + i, input[run.wide + i * run.step], weight[run.weight]);
            }
        });
        if let Some(bias) = inputs.get(2) {
            sums.add_bias(&bias.widen(), shape[2..].iter().product());
        }
        let terms = geometry.wide_per_group() * self.kernel_size.iter().product::<usize>();
        Ok(self.activation.apply_to(sums.into_reference(&shape, terms + 2 + usize::from(self.bias))))
    }
}

#[cfg(test)]
mod tests;
