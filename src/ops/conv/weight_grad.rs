//! The gradient of a convolution or of its transpose with respect to the weight: what it is, and its definition on the
//! CPU.

use super::runs::for_each_run;
use crate::error::Result;
use crate::geometry::Geometry;
use crate::ops::op::Op;
use crate::ops::problem::ProblemText;
use crate::ops::reference::{Reference, Sums};
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role};

/// Which side of the relation the forward op reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ForwardInput {
    /// The wide side: the forward op is a convolution.
    Wide,
    /// The narrow side: the forward op is a transposed convolution.
    Narrow,
}

/// The gradient of a layer with respect to its weight, made by `grad_weight` of the layer's descriptor.
///
/// Tensors: `input`, the forward input; `grad_output`, the gradient of the forward output before the activation, of the
/// forward output's shape; output, of the forward weight's shape: for a convolution (Cout, Cin/groups, kernel...), for
/// a transposed one (Cin, Cout/groups, kernel...).
///
/// ```
/// use upconv::{ConvTranspose2d, Op};
/// let up = ConvTranspose2d { in_channels: 8, out_channels: 3, input_size: [16, 16], kernel_size: [4, 4],
/// ..Default::default() }; assert_eq!(up.grad_weight()?.output()?.shape, [8, 3, 4, 4]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConvWeightGrad<const R: usize> {
    geometry: Geometry<R>,
    forward_input: ForwardInput,
}

impl<const R: usize> ConvWeightGrad<R> {
    /// The gradient for a layer of this geometry, which was checked.
    pub(crate) fn new(geometry: Geometry<R>, forward_input: ForwardInput) -> Self {
        Self { geometry, forward_input }
    }

    /// The layer's canonical form.
    pub fn geometry(&self) -> &Geometry<R> {
        &self.geometry
    }

    pub(crate) fn forward_input(&self) -> ForwardInput {
        self.forward_input
    }
}

impl<const R: usize> Op for ConvWeightGrad<R> {
    const NAME: &'static str = "conv_weight_grad";

    fn inputs(&self) -> Result<Vec<Operand>> {
        let [wide, narrow] = [self.geometry.wide_shape(), self.geometry.narrow_shape()];
        let [input, output] = if self.forward_input == ForwardInput::Wide { [wide, narrow] } else { [narrow, wide] };
        Ok(vec![Operand::new(Role::Input, input), Operand::new(Role::GradOutput, output)])
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::weight(Role::Output, self.geometry.weight_shape()))
    }

    fn problem(&self) -> String {
        let reads_wide = self.forward_input == ForwardInput::Wide;
        let layer = if reads_wide { "conv_weight" } else { "conv_transpose_weight" };
        ProblemText::new(layer).layer(&self.geometry, reads_wide).finish()
    }

    fn multiply_adds(&self) -> Result<u128> {
        Ok(self.geometry.multiply_adds())
    }

    /// Adds each product of a narrow and a wide sample to their weight, whereas the shader sums one weight at a time.
    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let shape = self.geometry.weight_shape();
        let [input, gradient] = [inputs[0].widen(), inputs[1].widen()];
        let (wide, narrow) =
            if self.forward_input == ForwardInput::Wide { (input, gradient) } else { (gradient, input) };
        let mut sums = Sums::zeros(&shape, inputs)?;
        for_each_run(&self.geometry, |run| {
            for i in 0..run.len {
                sums.add(run.weight, narrow[run.narrow + i], wide[run.wide + i * run.step]);
            }
        });
        let positions = self.geometry.axes.iter().map(|axis| axis.narrow.min(axis.wide)).product::<usize>();
        Ok(sums.into_reference(&shape, (self.geometry.batch * positions).saturating_add(2)))
    }
}
