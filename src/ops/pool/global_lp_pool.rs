//! Global Lp pooling and its gradient: what they are, and their definition on the CPU.

use ndarray::ArrayD;

use super::lp::{
    check_power, flushed, grad_magnitude, grad_roundings, gradient_of, norm, norm_magnitude, norm_roundings,
};
use super::planes::{Planes, text_of_planes};
use crate::error::Result;
use crate::ops::op::Op;
use crate::ops::problem::of_gradient;
use crate::ops::reference::{Reference, smallest_normal};
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, split_shape};

/// The Lp norm of each plane, `(Σ |x|^p)^(1/p)`, over `R` spatial axes: ONNX's `GlobalLpPool`.
///
/// Tensors: `input` (N, C, spatial...); output (N, C, 1...). A plane without a sample is refused
/// ([`Error::ZeroOnAxis`](crate::Error::ZeroOnAxis)). A NaN in a plane makes its norm NaN.
///
/// Samples are scaled by a power of two before they are raised to p, so that no power overflows or vanishes: a norm is
/// infinite only if it is past the range of f32 itself, or if a sample is infinite.
///
/// ```
/// use upconv::{GlobalLpPool2d, Op};
/// let pool = GlobalLpPool2d::from_shape(&[1, 64, 7, 7], 2)?;
/// assert_eq!(pool.output()?.shape, [1, 64, 1, 1]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GlobalLpPool<const R: usize> {
    /// Images; 0 is legal and computes nothing.
    pub batch: usize,
    /// Channels; 0 is legal and computes nothing.
    pub channels: usize,
    /// Spatial size of the input, in samples.
    pub input_size: [usize; R],
    /// The power, from 1 to 64. ONNX's default is 2.
    pub p: u32,
}

/// Global Lp pooling over one spatial axis.
pub type GlobalLpPool1d = GlobalLpPool<1>;
/// Global Lp pooling over two spatial axes.
pub type GlobalLpPool2d = GlobalLpPool<2>;
/// Global Lp pooling over three spatial axes.
pub type GlobalLpPool3d = GlobalLpPool<3>;

impl<const R: usize> Default for GlobalLpPool<R> {
    fn default() -> Self {
        Self { batch: 1, channels: 1, input_size: [1; R], p: 2 }
    }
}

impl<const R: usize> GlobalLpPool<R> {
    /// The pooling of an `input` of shape (N, C, spatial...). Refuses another number of axes
    /// ([`Error::Rank`](crate::Error::Rank)).
    pub fn from_shape(input: &[usize], p: u32) -> Result<Self> {
        let ([batch, channels], input_size) = split_shape("input", input)?;
        Ok(Self { batch, channels, input_size, p })
    }

    /// The gradient with respect to the input: takes the input and the output's gradient.
    pub fn grad_input(&self) -> GlobalLpPoolGrad<R> {
        GlobalLpPoolGrad { forward: self.clone() }
    }

    pub(crate) fn planes(&self) -> Result<Planes<R>> {
        check_power(self.p)?;
        Planes::new(self.batch, self.channels, self.input_size)
    }
}

impl<const R: usize> Op for GlobalLpPool<R> {
    const NAME: &'static str = "global_lp_pool";

    fn inputs(&self) -> Result<Vec<Operand>> {
        Ok(vec![Operand::new(Role::Input, self.planes()?.input_shape())])
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, self.planes()?.output_shape()))
    }

    fn problem(&self) -> String {
        let text = text_of_planes(Self::NAME, self.batch, self.channels, &self.input_size);
        text.count("p", self.p as usize, 2).finish()
    }

    /// 0: the powers of samples are not counted.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let planes = self.planes()?;
        let (input, samples) = (inputs[0].widen(), planes.samples());
        let norms: Vec<_> = input.chunks(samples).map(|plane| norm(plane, self.p)).collect();
        let flushed = flushed(&input, smallest_normal(inputs));
        let parts = norms.iter().zip(flushed.chunks(samples));
        let magnitudes = parts.map(|(&norm, flushed)| norm_magnitude(norm, flushed, self.p)).collect();
        let array =
            |values| ArrayD::from_shape_vec(planes.output_shape(), values).expect("as many as there are planes");
        Ok(Reference::new(array(norms), array(magnitudes), norm_roundings(samples, self.p)))
    }
}

/// The gradient of a [`GlobalLpPool`] with respect to its input, made by [`GlobalLpPool::grad_input`].
///
/// Tensors: `input`, the forward input (N, C, spatial...); `grad_output`, the gradient of the forward output
/// (N, C, 1...); output, of the forward input's shape: `g · sign(x) · (|x| / norm)^(p - 1)`. The sign of 0 is 0, and
/// where p is more than 1, a plane of zeros has the gradient 0 (PyTorch's choice for norms).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GlobalLpPoolGrad<const R: usize> {
    forward: GlobalLpPool<R>,
}

impl<const R: usize> GlobalLpPoolGrad<R> {
    pub(crate) fn forward(&self) -> &GlobalLpPool<R> {
        &self.forward
    }
}

impl<const R: usize> Op for GlobalLpPoolGrad<R> {
    const NAME: &'static str = "global_lp_pool_grad";

    fn inputs(&self) -> Result<Vec<Operand>> {
        let planes = self.forward.planes()?;
        let gradient = Operand::new(Role::GradOutput, planes.output_shape());
        Ok(vec![Operand::new(Role::Input, planes.input_shape()), gradient])
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, self.forward.planes()?.input_shape()))
    }

    fn problem(&self) -> String {
        of_gradient(Self::NAME, &self.forward.problem())
    }

    /// 0: the powers of samples are not counted.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let (planes, p) = (self.forward.planes()?, self.forward.p);
        let (input, gradient) = (inputs[0].widen(), inputs[1].widen());
        let smallest = smallest_normal(inputs);
        let small = flushed(&input, smallest);
        let (mut values, mut magnitudes) = (Vec::with_capacity(input.len()), Vec::with_capacity(input.len()));
        let samples = planes.samples();
        for ((plane, small), &g) in input.chunks(samples).zip(small.chunks(samples)).zip(&gradient) {
            let norms = [norm(plane, p), norm(small, p)];
            for &sample in plane {
                values.push(gradient_of(sample, norms[0], g, p));
                magnitudes.push(grad_magnitude(sample, norms, g, p, smallest));
            }
        }
        let array =
            |values| ArrayD::from_shape_vec(planes.input_shape(), values).expect("as many as there are samples");
        Ok(Reference::new(array(values), array(magnitudes), grad_roundings(samples, p)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn pool(p: u32) -> GlobalLpPool1d {
        GlobalLpPool1d::from_shape(&[1, 2, 3], p).unwrap()
    }

    #[test]
    fn norms_and_slopes_by_hand() {
        let input = ArrayD::from_shape_vec(vec![1, 2, 3], vec![3.0, -4.0, 0.0, 0.0, 0.0, 0.0]).unwrap();
        let gradient = ArrayD::from_shape_vec(vec![1, 2, 1], vec![10.0, 7.0]).unwrap();
        let values = |reference: Reference| reference.values.iter().copied().collect::<Vec<_>>();
        assert_eq!(values(pool(2).reference(&[input.view()]).unwrap()), [5.0, 0.0]);
        let back = |p| values(pool(p).grad_input().reference(&[input.view(), gradient.view()]).unwrap());
        assert_eq!(back(1), [10.0, -10.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(back(2), [6.0, -8.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn bad_numbers_are_refused() {
        assert_eq!(pool(0).output(), Err(Error::ZeroCount { what: "p" }));
        assert!(matches!(pool(65).grad_input().output(), Err(Error::TooLarge { what: "p", .. })));
        let none = GlobalLpPool2d { input_size: [0, 2], ..Default::default() };
        assert_eq!(none.output(), Err(Error::ZeroOnAxis { what: "input_size", axis: 0 }));
    }
}
