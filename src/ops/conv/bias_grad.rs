//! The gradient of a layer with respect to its bias: what it is, and its definition on the CPU.

use crate::error::Result;
use crate::ops::op::Op;
use crate::ops::problem::ProblemText;
use crate::ops::reference::{Reference, Sums};
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role};

/// The gradient of a layer with respect to its bias: the sum of each channel over images and samples. Made by
/// `grad_bias` of the layer's descriptor.
///
/// Tensors: `input`, the gradient of the forward output, of its shape (N, C, spatial...); output (C).
///
/// ```
/// use upconv::{Conv2d, Op};
/// let conv = Conv2d { out_channels: 5, input_size: [9, 9], kernel_size: [3, 3], bias: true, ..Default::default() };
/// assert_eq!(conv.grad_bias()?.output()?.shape, [5]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConvBiasGrad<const R: usize> {
    /// Images, channels, and the spatial size.
    shape: Vec<usize>,
}

impl<const R: usize> ConvBiasGrad<R> {
    /// The gradient for a forward output of this shape, which was checked.
    pub(crate) fn new(shape: Vec<usize>) -> Self {
        Self { shape }
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }
}

impl<const R: usize> Op for ConvBiasGrad<R> {
    const NAME: &'static str = "conv_bias_grad";

    fn inputs(&self) -> Result<Vec<Operand>> {
        Ok(vec![Operand::new(Role::Input, self.shape.clone())])
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, vec![self.shape[1]]))
    }

    fn problem(&self) -> String {
        let text = ProblemText::new(Self::NAME).count("n", self.shape[0], 1).count("c", self.shape[1], 1);
        text.sizes("i", &self.shape[2..]).finish()
    }

    /// 0: samples are only added.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    /// One pass over the whole tensor, where the shader takes one channel at a time.
    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let channels = self.shape[1];
        let samples: usize = self.shape[2..].iter().product();
        let mut sums = Sums::zeros(&[channels], inputs)?;
        for (at, value) in inputs[0].widen().into_iter().enumerate() {
            sums.add(at / samples % channels, value, 1.0);
        }
        Ok(sums.into_reference(&[channels], (self.shape[0] * samples).saturating_add(1)))
    }
}
