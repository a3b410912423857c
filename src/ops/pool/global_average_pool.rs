//! Global average pooling: what it is, and its definition on the CPU.

use super::avg_pool::AvgPool;
use super::planes::{Planes, text_of_planes};
use crate::error::Result;
use crate::ops::op::Op;
use crate::ops::reference::{Reference, Sums};
use crate::ops::resample::separable::SeparableGrad;
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, split_shape};

/// The mean of each plane, over `R` spatial axes: ONNX's `GlobalAveragePool`, PyTorch's `AdaptiveAvgPool2d(1)`.
///
/// Tensors: `input` (N, C, spatial...); output (N, C, 1...). A plane without a sample is refused
/// ([`Error::ZeroOnAxis`](crate::Error::ZeroOnAxis)), as PyTorch's pooling does (its `mean` would be NaN).
///
/// A workgroup adds the samples of a plane, where an [`AvgPool`](crate::AvgPool) of one window has a single thread for
/// them.
///
/// ```
/// use upconv::{GlobalAveragePool2d, Op};
/// let pool = GlobalAveragePool2d::from_shape(&[1, 64, 7, 7])?;
/// assert_eq!(pool.output()?.shape, [1, 64, 1, 1]);
/// assert_eq!(pool.grad_input().output()?.shape, [1, 64, 7, 7]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GlobalAveragePool<const R: usize> {
    /// Images; 0 is legal and computes nothing.
    pub batch: usize,
    /// Channels; 0 is legal and computes nothing.
    pub channels: usize,
    /// Spatial size of the input, in samples.
    pub input_size: [usize; R],
}

/// Global average pooling over one spatial axis.
pub type GlobalAveragePool1d = GlobalAveragePool<1>;
/// Global average pooling over two spatial axes.
pub type GlobalAveragePool2d = GlobalAveragePool<2>;
/// Global average pooling over three spatial axes.
pub type GlobalAveragePool3d = GlobalAveragePool<3>;

impl<const R: usize> Default for GlobalAveragePool<R> {
    fn default() -> Self {
        Self { batch: 1, channels: 1, input_size: [1; R] }
    }
}

impl<const R: usize> GlobalAveragePool<R> {
    /// The pooling of an `input` of shape (N, C, spatial...). Refuses another number of axes
    /// ([`Error::Rank`](crate::Error::Rank)).
    pub fn from_shape(input: &[usize]) -> Result<Self> {
        let ([batch, channels], input_size) = split_shape("input", input)?;
        Ok(Self { batch, channels, input_size })
    }

    /// The gradient with respect to the input, which gives every sample of a plane the same share: that of an
    /// [`AvgPool`](crate::AvgPool) with one window.
    pub fn grad_input(&self) -> SeparableGrad<AvgPool<R>> {
        let &Self { batch, channels, input_size } = self;
        let window = AvgPool { kernel_size: input_size, stride: input_size, ..AvgPool::default() };
        AvgPool { batch, channels, input_size, ..window }.grad_input()
    }

    pub(crate) fn planes(&self) -> Result<Planes<R>> {
        Planes::new(self.batch, self.channels, self.input_size)
    }
}

impl<const R: usize> Op for GlobalAveragePool<R> {
    const NAME: &'static str = "global_average_pool";

    fn inputs(&self) -> Result<Vec<Operand>> {
        Ok(vec![Operand::new(Role::Input, self.planes()?.input_shape())])
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, self.planes()?.output_shape()))
    }

    fn problem(&self) -> String {
        text_of_planes(Self::NAME, self.batch, self.channels, &self.input_size).finish()
    }

    /// 0: samples are only added.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let planes = self.planes()?;
        let (shape, samples) = (planes.output_shape(), planes.samples());
        let mut sums = Sums::zeros(&shape, inputs)?;
        for (at, value) in inputs[0].widen().into_iter().enumerate() {
            sums.add(at / samples, value, 1.0 / samples as f64);
        }
        // The sum is multiplied by 1 / samples, which is rounded too.
        Ok(sums.into_reference(&shape, samples.saturating_add(2)))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;
    use crate::error::Error;

    #[test]
    fn means_by_hand() {
        let pool = GlobalAveragePool2d::from_shape(&[1, 2, 2, 3]).unwrap();
        let input = ArrayD::from_shape_vec(vec![1, 2, 2, 3], (1..=12).map(|at| at as f32).collect()).unwrap();
        let means = pool.reference(&[input.view()]).unwrap();
        assert_eq!(means.values.iter().map(|mean| mean.round_ties_even()).collect::<Vec<_>>(), [4.0, 10.0]);
        assert!((means.values[[0, 0, 0, 0]] - 3.5).abs() < 1e-12, "{means:?}");
        let gradient = ArrayD::from_shape_vec(vec![1, 2, 1, 1], vec![6.0, 12.0]).unwrap();
        let back = pool.grad_input().reference(&[gradient.view()]).unwrap();
        assert!(
            back.values.iter().enumerate().all(|(at, value)| (value - if at < 6 { 1.0 } else { 2.0 }).abs() < 1e-12)
        );
    }

    #[test]
    fn a_plane_without_samples_is_refused() {
        let none = GlobalAveragePool2d::from_shape(&[1, 2, 3, 0]).unwrap();
        assert_eq!(none.output(), Err(Error::ZeroOnAxis { what: "input_size", axis: 1 }));
        assert!(matches!(GlobalAveragePool2d::from_shape(&[1, 2, 3]), Err(Error::Rank { .. })));
        let no_planes = GlobalAveragePool2d { batch: 2, channels: 0, input_size: [3, 4] };
        assert_eq!(no_planes.output().unwrap().shape, [2, 0, 1, 1]);
    }
}
