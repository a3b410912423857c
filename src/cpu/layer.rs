//! What a convolution and its transpose have in common on the CPU.

use ndarray::{ArrayD, ArrayViewD};

use super::{apply_epilogue, row_major, shaped, zeros};
use crate::error::Result;
use crate::geometry::{Axis, Geometry};
use crate::ops::activation::Activation;
use crate::ops::op::Op;

/// A layer without its tensors.
pub(super) struct Layer {
    pub(super) axes: [Axis; 3],
    pub(super) groups: usize,
    /// Wide channels of a group.
    pub(super) wide_per_group: usize,
    /// Narrow channels of a group.
    pub(super) narrow_per_group: usize,
}

impl Layer {
    pub(super) fn new<const R: usize>(geometry: &Geometry<R>) -> Self {
        let (wide_per_group, narrow_per_group) = (geometry.wide_per_group(), geometry.narrow_per_group());
        Self { axes: geometry.axes3(), groups: geometry.groups, wide_per_group, narrow_per_group }
    }

    /// Samples of a narrow plane.
    pub(super) fn narrow(&self) -> usize {
        self.axes.iter().map(|axis| axis.narrow).product()
    }

    /// Samples of a wide plane.
    pub(super) fn wide(&self) -> usize {
        self.axes.iter().map(|axis| axis.wide).product()
    }

    pub(super) fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.kernel).product()
    }
}

/// Runs a layer: `sum` adds the products of input and weight, if there are any, to an output of zeros; bias and
/// activation follow.
pub(super) fn run<O: Op>(
    op: &O,
    activation: Activation,
    inputs: &[ArrayViewD<f32>],
    sum: impl FnOnce(&[f32], &[f32], &mut [f32]) -> Result<()>,
) -> Result<ArrayD<f32>> {
    let shape = op.output()?.shape;
    let mut output = zeros(&shape)?;
    if output.is_empty() {
        return shaped(shape, output);
    }
    let tensors: Vec<_> = inputs.iter().map(row_major).collect();
    let slices: Vec<&[f32]> = tensors.iter().map(|tensor| tensor.as_slice().unwrap_or_default()).collect();
    if !slices[0].is_empty() && !slices[1].is_empty() {
        sum(slices[0], slices[1], &mut output)?;
    }
    apply_epilogue(&mut output, shape[2..].iter().product(), shape[1], slices.get(2).copied(), activation);
    shaped(shape, output)
}
