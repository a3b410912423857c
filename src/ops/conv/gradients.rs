//! The gradients of convolutions and transposed convolutions, as ops derived from the forward descriptor.
//!
//! A convolution and its transpose share one relation and one weight tensor, so the gradient of either with respect to
//! its input is the other, with the sizes that the forward op had. One op is the weight gradient of both.

use super::bias_grad::ConvBiasGrad;
use super::conv::Conv;
use super::conv_transpose::ConvTranspose;
use super::weight_grad::{ConvWeightGrad, ForwardInput};
use crate::error::Result;
use crate::geometry::{Axis, Geometry, Padding, Pads};

/// The padding with which the transposed convolution writes exactly the wide side: wide samples that the convolution
/// never reads are added after, and samples past the wide side are cut.
fn exact_pads<const R: usize>(geometry: &Geometry<R>) -> Pads<R> {
    geometry.axes.map(|axis: Axis| {
        let reach = (axis.narrow - 1) * axis.stride + axis.span();
        [axis.pad, reach as i64 - axis.pad - axis.wide as i64]
    })
}

impl<const R: usize> Conv<R> {
    /// The gradient with respect to the input: takes the gradient of the output before the activation, and the forward
    /// weight; gives a tensor of the forward input's shape. The bias does not matter. Refuses what [`Self::geometry`]
    /// refuses.
    ///
    /// ```
    /// use upconv::{Conv2d, Op};
    /// // Stride 2 on an even size: the last row and column were never read, and their gradient is 0.
    /// let conv = Conv2d { input_size: [8, 8], kernel_size: [3, 3], stride: [2, 2], ..Default::default() };
    /// assert_eq!(conv.grad_input()?.output()?.shape, [1, 1, 8, 8]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub fn grad_input(&self) -> Result<ConvTranspose<R>> {
        let geometry = self.geometry()?;
        let gradient = ConvTranspose {
            batch: self.batch,
            in_channels: self.out_channels,
            out_channels: self.in_channels,
            input_size: geometry.axes.map(|axis| axis.narrow),
            kernel_size: self.kernel_size,
            stride: self.stride,
            padding: exact_pads(&geometry).into(),
            dilation: self.dilation,
            groups: self.groups,
            ..Default::default()
        };
        gradient.geometry()?;
        Ok(gradient)
    }

    /// The gradient with respect to the weight: takes the forward input, and the gradient of the output before the
    /// activation. Refuses what [`Self::geometry`] refuses.
    pub fn grad_weight(&self) -> Result<ConvWeightGrad<R>> {
        Ok(ConvWeightGrad::new(self.geometry()?, ForwardInput::Wide))
    }

    /// The gradient with respect to the bias: takes the gradient of the output before the activation. Refuses what
    /// [`Self::geometry`] refuses.
    pub fn grad_bias(&self) -> Result<ConvBiasGrad<R>> {
        Ok(ConvBiasGrad::new(self.geometry()?.narrow_shape()))
    }
}

impl<const R: usize> ConvTranspose<R> {
    /// The gradient with respect to the input: takes the gradient of the output before the activation, and the forward
    /// weight; gives a tensor of the forward input's shape. The bias does not matter. Refuses what [`Self::geometry`]
    /// refuses.
    pub fn grad_input(&self) -> Result<Conv<R>> {
        let geometry = self.geometry()?;
        let gradient = Conv {
            batch: self.batch,
            in_channels: self.out_channels,
            out_channels: self.in_channels,
            input_size: geometry.axes.map(|axis| axis.wide),
            kernel_size: self.kernel_size,
            stride: self.stride,
            padding: Padding::Explicit(exact_pads(&geometry)),
            dilation: self.dilation,
            groups: self.groups,
            ..Default::default()
        };
        gradient.geometry()?;
        Ok(gradient)
    }

    /// The gradient with respect to the weight: takes the forward input, and the gradient of the output before the
    /// activation. Refuses what [`Self::geometry`] refuses.
    pub fn grad_weight(&self) -> Result<ConvWeightGrad<R>> {
        Ok(ConvWeightGrad::new(self.geometry()?, ForwardInput::Narrow))
    }

    /// The gradient with respect to the bias: takes the gradient of the output before the activation. Refuses what
    /// [`Self::geometry`] refuses.
    pub fn grad_bias(&self) -> Result<ConvBiasGrad<R>> {
        Ok(ConvBiasGrad::new(self.geometry()?.wide_shape()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::activation::Activation;
    use crate::ops::conv::conv::Conv2d;
    use crate::ops::conv::conv_transpose::ConvTranspose2d;

    #[test]
    fn the_gradient_has_the_forward_geometry() {
        let conv = Conv2d {
            batch: 2,
            in_channels: 4,
            out_channels: 6,
            groups: 2,
            input_size: [9, 12],
            kernel_size: [3, 4],
            stride: [2, 3],
            dilation: [2, 1],
            padding: Padding::Explicit([[1, 0], [2, 3]]),
            bias: true,
            activation: Activation::Relu,
        };
        let gradient = conv.grad_input().unwrap();
        assert_eq!(gradient.geometry().unwrap(), conv.geometry().unwrap());
        assert_eq!(gradient.grad_input().unwrap().geometry().unwrap(), conv.geometry().unwrap());
    }

    #[test]
    fn output_padding_and_cropping_come_back() {
        for padding in [[[0, 0]; 2], [[2, 1], [0, 3]], [[-2, 0], [0, -3]]] {
            let up = ConvTranspose2d {
                input_size: [5, 4],
                kernel_size: [3, 5],
                stride: [3, 2],
                output_padding: [2, 1],
                padding: padding.into(),
                ..Default::default()
            };
            assert_eq!(up.grad_input().unwrap().geometry().unwrap(), up.geometry().unwrap(), "{padding:?}");
        }
    }
}
