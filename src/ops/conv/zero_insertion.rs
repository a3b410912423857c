//! The transposed convolution as an ordinary convolution over an input with zeros put between its samples: the slow
//! equivalent that textbooks draw, kept as an oracle.

use ndarray::{ArrayD, ArrayView, ArrayViewD, Dimension, IxDyn, SliceInfoElem};

use super::conv::Conv;
use super::conv_transpose::ConvTranspose;
use crate::error::Result;
use crate::geometry::{Geometry, Padding, check_elements};
use crate::tensor::allocate::zeros;
use crate::tensor::operand::{Operand, Role, check_shape};

/// A stride-1 convolution and the tensors on which it equals a transposed convolution (bias and activation aside).
#[derive(Clone, Debug)]
pub struct ZeroInsertion<const R: usize> {
    /// Stride 1, the same dilation, `span - 1 - pad` zeros before, and as many after as the output size needs.
    pub conv: Conv<R>,
    /// The input with `stride - 1` zeros between its samples.
    pub input: ArrayD<f32>,
    /// The weight with every kernel flipped and the channels of each group exchanged: (Cout, Cin/groups, kernel...).
    pub weight: ArrayD<f32>,
}

impl<const R: usize> ConvTranspose<R> {
    /// The equivalent zero-inserted convolution of `input`, (N, Cin, spatial...), and `weight`, (Cin, Cout/groups,
    /// kernel...). Refuses other shapes ([`Error::Shape`](crate::Error::Shape)).
    pub fn zero_insertion<D: Dimension>(
        &self,
        input: ArrayView<f32, D>,
        weight: ArrayView<f32, D>,
    ) -> Result<ZeroInsertion<R>> {
        let geometry = self.geometry()?;
        check_shape(Operand::new(Role::Input, geometry.narrow_shape()), input.shape())?;
        check_shape(Operand::weight(Role::Weight, geometry.weight_shape()), weight.shape())?;
        let input = insert_zeros(&geometry, input.into_dyn())?;
        let weight = flip(&geometry, &weight.into_dyn());
        let mut pads = [[0; 2]; R];
        for (pad, axis) in pads.iter_mut().zip(&geometry.axes) {
            let inserted = (axis.narrow - 1) * axis.stride + 1;
            *pad = [axis.span() as i64 - 1 - axis.pad, axis.wide as i64 - inserted as i64 + axis.pad];
        }
        let conv = Conv {
            padding: Padding::Explicit(pads),
            dilation: self.dilation,
            ..Conv::from_shapes(input.shape(), weight.shape(), self.groups)?
        };
        Ok(ZeroInsertion { conv, input, weight })
    }
}

fn insert_zeros<const R: usize>(geometry: &Geometry<R>, input: ArrayViewD<f32>) -> Result<ArrayD<f32>> {
    let mut shape = geometry.narrow_shape();
    for (size, axis) in shape[2..].iter_mut().zip(&geometry.axes) {
        *size = (axis.narrow - 1) * axis.stride + 1;
    }
    check_elements(&shape)?;
    let zeros = zeros("the zero-inserted input", shape.iter().product())?;
    let mut wide = ArrayD::from_shape_vec(IxDyn(&shape), zeros).expect("as many zeros as the shape has elements");
    let every = |step: usize| SliceInfoElem::Slice { start: 0, end: None, step: step as isize };
    let steps: Vec<_> = [1, 1].into_iter().chain(geometry.axes.iter().map(|axis| axis.stride)).map(every).collect();
    wide.slice_mut(steps.as_slice()).assign(&input);
    Ok(wide)
}

fn flip<const R: usize>(geometry: &Geometry<R>, weight: &ArrayViewD<f32>) -> ArrayD<f32> {
    let (out_per_group, in_per_group) = (geometry.wide_per_group(), geometry.narrow_per_group());
    let mut shape = geometry.weight_shape();
    (shape[0], shape[1]) = (geometry.wide_channels, in_per_group);
    ArrayD::from_shape_fn(IxDyn(&shape), |at| {
        let mut from = at.as_array_view().to_vec();
        (from[0], from[1]) = (at[0] / out_per_group * in_per_group + at[1], at[0] % out_per_group);
        for (tap, axis) in from[2..].iter_mut().zip(&geometry.axes) {
            *tap = axis.kernel - 1 - *tap;
        }
        weight[IxDyn(&from)]
    })
}
