//! Bed of nails: samples set apart by zeros; what it is, and its tap tables.

use super::separable::{self, Separable, SeparableGrad};
use super::tap_table::{Tap, TapTable};
use crate::error::Result;
use crate::geometry::{MAX_COORDINATE, MAX_STEP, at_most, check_elements, check_fields};
use crate::ops::op::Op;
use crate::ops::problem::ProblemText;
use crate::ops::reference::Reference;
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, split_shape};

/// "Bed of nails" unpooling over `R` spatial axes: each sample is put at one position of a cell that is otherwise
/// zeros.
///
/// Tensors: `input` (N, C, spatial...); output (N, C, spatial...) with `input * stride` samples on each axis. It is the
/// depthwise transposed convolution with one tap, and its gradient is the sampling of every `stride`-th sample.
///
/// ```
/// use upconv::{BedOfNails2d, Op};
/// let nails = BedOfNails2d::from_shape(&[1, 3, 4, 4], [2, 2])?;
/// assert_eq!(nails.output()?.shape, [1, 3, 8, 8]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BedOfNails<const R: usize> {
    /// Images; 0 is legal and computes nothing.
    pub batch: usize,
    /// Channels; 0 is legal and computes nothing.
    pub channels: usize,
    /// Spatial size of the input, in samples.
    pub input_size: [usize; R],
    /// Samples of a cell along each axis.
    pub stride: [usize; R],
    /// Where in its cell a sample lies; less than `stride`. 0 is the first.
    pub position: [usize; R],
}

/// Bed of nails over one spatial axis.
pub type BedOfNails1d = BedOfNails<1>;
/// Bed of nails over two spatial axes.
pub type BedOfNails2d = BedOfNails<2>;
/// Bed of nails over three spatial axes.
pub type BedOfNails3d = BedOfNails<3>;

impl<const R: usize> Default for BedOfNails<R> {
    fn default() -> Self {
        Self { batch: 1, channels: 1, input_size: [1; R], stride: [1; R], position: [0; R] }
    }
}

impl<const R: usize> BedOfNails<R> {
    /// Samples at the first position of their cells, for an `input` of shape (N, C, spatial...). Refuses another number
    /// of axes ([`Error::Rank`](crate::Error::Rank)).
    pub fn from_shape(input: &[usize], stride: [usize; R]) -> Result<Self> {
        let ([batch, channels], input_size) = split_shape("input", input)?;
        Ok(Self { batch, channels, input_size, stride, ..Default::default() })
    }

    /// The gradient with respect to the input: every `stride`-th sample.
    pub fn grad_input(&self) -> SeparableGrad<Self> {
        SeparableGrad { forward: self.clone() }
    }

    fn check(&self) -> Result<()> {
        check_fields(&[("input_size", self.input_size, MAX_COORDINATE), ("stride", self.stride, MAX_STEP)])?;
        at_most("channels", self.channels as u128, MAX_COORDINATE as u128)?;
        for axis in 0..R {
            at_most("the position in a cell", self.position[axis] as u128, self.stride[axis] as u128 - 1)?;
            let size = self.input_size[axis] as u128 * self.stride[axis] as u128;
            at_most("the output size", size, MAX_COORDINATE as u128)?;
        }
        check_elements(&self.shape(&self.sizes()))
    }

    fn sizes(&self) -> [usize; R] {
        std::array::from_fn(|axis| self.input_size[axis] * self.stride[axis])
    }

    fn shape(&self, size: &[usize; R]) -> Vec<usize> {
        [&[self.batch, self.channels], &size[..]].concat()
    }
}

impl<const R: usize> Op for BedOfNails<R> {
    const NAME: &'static str = "bed_of_nails";

    fn inputs(&self) -> Result<Vec<Operand>> {
        self.check()?;
        Ok(vec![Operand::new(Role::Input, self.shape(&self.input_size))])
    }

    fn output(&self) -> Result<Operand> {
        self.check()?;
        Ok(Operand::new(Role::Output, self.shape(&self.sizes())))
    }

    fn problem(&self) -> String {
        ProblemText::new(Self::NAME)
            .count("n", self.batch, 1)
            .count("c", self.channels, 1)
            .sizes("i", &self.input_size)
            .axes("s", &self.stride, 1)
            .axes("at", &self.position, 0)
            .finish()
    }

    /// 0: samples are only moved.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        separable::forward(self, &inputs[0])
    }
}

impl<const R: usize> Separable for BedOfNails<R> {
    const GRAD_NAME: &'static str = "bed_of_nails_grad";

    fn taps(&self, axis: usize) -> Result<TapTable> {
        self.check()?;
        let (stride, position) = (self.stride[axis], self.position[axis]);
        let mut table = TapTable::with_capacity(self.sizes()[axis], 1)?;
        for output in 0..self.sizes()[axis] {
            let nail = (output % stride == position).then_some(Tap { index: output / stride, weight: 1.0 });
            table.push(nail, false);
        }
        Ok(table)
    }

    fn taps_per_axis(&self, _axis: usize) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;
    use crate::error::Error;
    use crate::ops::conv::conv_transpose::ConvTranspose2d;
    use crate::ops::resample::bed_of_nails::BedOfNails1d;

    #[test]
    fn samples_stand_among_zeros() {
        let nails = BedOfNails1d { position: [1], ..BedOfNails1d::from_shape(&[1, 1, 2], [3]).unwrap() };
        let input = ArrayD::from_shape_vec(vec![1, 1, 2], vec![5.0f32, 7.0]).unwrap();
        let values = nails.reference(&[input.view()]).unwrap().values;
        assert_eq!(values.iter().copied().collect::<Vec<_>>(), [0., 5., 0., 0., 7., 0.]);
        let back = nails.grad_input().reference(&[values.mapv(|value| value as f32).view()]).unwrap().to_f32();
        assert_eq!(back, input);
        assert!(matches!(BedOfNails1d { position: [3], ..nails }.output(), Err(Error::TooLarge { .. })));
    }

    /// It is what a depthwise transposed convolution with a one-hot kernel computes, cropped to whole cells.
    #[test]
    fn a_one_hot_kernel_is_a_bed_of_nails() {
        let nails = BedOfNails { channels: 2, input_size: [3, 2], stride: [2, 3], position: [1, 2], batch: 1 };
        let up = ConvTranspose2d {
            in_channels: 2,
            out_channels: 2,
            groups: 2,
            input_size: [3, 2],
            kernel_size: [2, 3],
            stride: [2, 3],
            ..Default::default()
        };
        let weight = up.one_hot_filler([1, 2]).unwrap();
        let input = ArrayD::from_shape_fn(vec![1, 2, 3, 2], |at| (1 + at[1] * 6 + at[2] * 2 + at[3]) as f32);
        let layer = up.reference(&[input.view(), weight.view()]).unwrap().values;
        assert_eq!(layer, nails.reference(&[input.view()]).unwrap().values);
        assert!(matches!(up.one_hot_filler([2, 0]), Err(Error::TooLarge { .. })));
    }
}
