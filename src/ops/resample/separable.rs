//! Ops that work axis by axis: what they are, their gradient, and the definition of both on the CPU.

use crate::ops::problem::of_gradient;
use ndarray::{ArrayD, Axis};

use super::tap_table::TapTable;
use crate::error::{Error, Result};
use crate::ops::op::Op;
use crate::ops::reference::{Reference, flush_factor, smallest_normal};
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role};

/// An op whose output samples are weighted sums of input samples, with weights that are products of one weight for each
/// spatial axis. A [`TapTable`] for each axis defines it completely.
///
/// Tensors: `input` (N, C, spatial...); output (N, C, spatial...).
pub trait Separable: Op + std::fmt::Debug {
    /// Name of the gradient, [`SeparableGrad`], as an op.
    #[doc(hidden)]
    const GRAD_NAME: &'static str;

    /// The taps of one spatial axis, counted from 0, the outermost. Coordinates are computed here alone, for shaders
    /// and reference. Refuses a descriptor that breaks a rule.
    ///
    /// # Panics
    ///
    /// If there is no such axis.
    fn taps(&self, axis: usize) -> Result<TapTable>;

    /// The largest number of samples that an output is made of along an axis. The number has no meaning for a
    /// descriptor that [`Op::output`] refuses.
    fn taps_per_axis(&self, axis: usize) -> usize;

    /// The value of the outputs that a table marks as outside.
    #[doc(hidden)]
    fn extrapolation(&self) -> f32 {
        0.0
    }

    /// Whether every output is a copy of one sample, so that nothing is rounded.
    #[doc(hidden)]
    fn is_copy(&self) -> bool {
        false
    }
}

/// The gradient of a [`Separable`] op with respect to its input: the transpose of the same tap tables.
///
/// Tensors: `input`, the gradient of the forward output, of the forward output's shape; output, of the forward input's
/// shape. Outputs that took the extrapolation value add nothing. A forward op without output samples has no gradient
/// ([`Error::ZeroOnAxis`]).
#[derive(Clone, Debug, PartialEq)]
pub struct SeparableGrad<T> {
    /// The op whose gradient it is.
    pub forward: T,
}

impl<T: Separable> SeparableGrad<T> {
    /// The forward output's shape. Refuses one without samples: no sample of the input would have a gradient.
    fn forward_shape(&self) -> Result<Vec<usize>> {
        let shape = self.forward.output()?.shape;
        match shape[2..].iter().position(|&size| size == 0) {
            Some(axis) => Err(Error::ZeroOnAxis { what: "output_size", axis }),
            None => Ok(shape),
        }
    }
}

impl<T: Separable> Op for SeparableGrad<T> {
    const NAME: &'static str = T::GRAD_NAME;

    fn inputs(&self) -> Result<Vec<Operand>> {
        Ok(vec![Operand::new(Role::Input, self.forward_shape()?)])
    }

    fn output(&self) -> Result<Operand> {
        self.forward_shape()?;
        let forward = self.forward.inputs()?.swap_remove(0);
        Ok(Operand::new(Role::Output, forward.shape))
    }

    fn problem(&self) -> String {
        of_gradient(Self::NAME, &self.forward.problem())
    }

    fn multiply_adds(&self) -> Result<u128> {
        self.forward.multiply_adds()
    }

    /// Scatters axis by axis over the whole image, where the shader gathers one output over all axes.
    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let mut work = PartialResample::new(&inputs[0]);
        for (axis, size) in self.output()?.shape.into_iter().enumerate().skip(2) {
            let table = self.forward.taps(axis - 2)?;
            let gathered = table.transpose(size)?;
            work.step(axis, size, &gathered, |from, shape, weigh| table.scatter(from, shape, axis, size, weigh))?;
        }
        Ok(work.into_reference(false))
    }
}

/// The definition of a forward op: one axis after the other over the whole image, where the shader takes one output
/// over all axes.
pub(crate) fn forward<T: Separable>(op: &T, input: &TensorView) -> Result<Reference> {
    let mut work = PartialResample::new(input);
    let mut tables = Vec::new();
    for (axis, size) in op.output()?.shape.into_iter().enumerate().skip(2) {
        let table = op.taps(axis - 2)?;
        work.step(axis, size, &table, |from, shape, weigh| table.apply(from, shape, axis, weigh))?;
        tables.push(table);
    }
    let mut reference = work.into_reference(op.is_copy());
    for (axis, table) in tables.iter().enumerate() {
        for q in (0..table.len()).filter(|&q| table.is_outside(q)) {
            let value = f64::from(op.extrapolation());
            reference.values.index_axis_mut(Axis(axis + 2), q).fill(value);
            reference.magnitudes.index_axis_mut(Axis(axis + 2), q).fill(value.abs());
        }
    }
    Ok(reference)
}

/// Products that a forward op sums: 0 for a copy; otherwise, every output counts as many as the output with the most.
pub(crate) fn multiply_adds<T: Separable>(op: &T) -> Result<u128> {
    let shape = op.output()?.shape;
    if op.is_copy() {
        return Ok(0);
    }
    let taps = (0..shape.len() - 2).map(|axis| op.taps_per_axis(axis));
    Ok(shape.iter().copied().chain(taps).fold(1u128, |n, factor| n.saturating_mul(factor as u128)))
}

/// A tensor that is resampled axis by axis, and its error bound so far.
struct PartialResample {
    values: Vec<f64>,
    magnitudes: Vec<f64>,
    shape: Vec<usize>,
    /// The largest finite magnitude of the input.
    largest: f64,
    /// The product of the gains of the tables so far.
    gain: f64,
    roundings: usize,
}

impl PartialResample {
    fn new(input: &TensorView) -> Self {
        let values = input.widen();
        let smallest = smallest_normal(std::slice::from_ref(input));
        let magnitudes: Vec<f64> = values.iter().map(|value| value.abs() * flush_factor(*value, smallest)).collect();
        let largest = magnitudes.iter().copied().filter(|size| size.is_finite()).fold(0.0, f64::max);
        Self { values, magnitudes, shape: input.shape().to_vec(), largest, gain: 1.0, roundings: 0 }
    }

    /// Resamples one axis. `gathered` has the taps that each output sums.
    fn step(
        &mut self,
        axis: usize,
        size: usize,
        gathered: &TapTable,
        resample: impl Fn(&[f64], &[usize], fn(f64) -> f64) -> Result<Vec<f64>>,
    ) -> Result<()> {
        self.values = resample(&self.values, &self.shape, |weight| weight)?;
        self.magnitudes = resample(&self.magnitudes, &self.shape, f64::abs)?;
        self.shape[axis] = size;
        self.gain *= gathered.largest_weight_sum();
        // Each axis rounds its weight, a product and its sum.
        self.roundings += gathered.longest() + 2;
        Ok(())
    }

    fn into_reference(mut self, is_copy: bool) -> Reference {
        // The shader sums axis by axis: once a sum over one axis may overflow, a small weight on a later axis does not
        // help.
        if self.largest * self.gain > f64::from(f32::MAX) / 2.0 {
            self.magnitudes.fill(f64::INFINITY);
        }
        let array = |values| ArrayD::from_shape_vec(self.shape.clone(), values).expect("resampled to this shape");
        let roundings = if is_copy { 0 } else { self.roundings };
        Reference::new(array(self.values), array(self.magnitudes), roundings)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::IxDyn;

    use super::*;
    use crate::ops::resample::coordinates::Coordinates;
    use crate::ops::resample::mode::Rounding;
    use crate::ops::resample::mode::UpsampleMode;
    use crate::ops::resample::upsample::Upsample;

    #[test]
    fn every_mode_is_the_adjoint_of_its_forward() {
        let modes = [
            UpsampleMode::Nearest(Rounding::PreferFloor),
            UpsampleMode::Linear,
            UpsampleMode::Cubic { a: -0.75, exclude_outside: false },
            UpsampleMode::Cubic { a: -0.5, exclude_outside: true },
        ];
        let coordinates = [
            Coordinates::HalfPixel,
            Coordinates::AlignCorners,
            Coordinates::Asymmetric,
            Coordinates::TfCropAndResize { roi: [[-0.2, 1.1], [0.9, 0.1]] },
        ];
        for (input_size, output_size) in [([5, 7], [9, 4]), ([1, 6], [3, 6]), ([8, 3], [2, 1])] {
            for mode in modes {
                for coordinates in coordinates {
                    let base = Upsample { batch: 2, channels: 3, input_size, output_size, ..Default::default() };
                    check(&Upsample { mode, coordinates, ..base });
                }
            }
        }
    }

    /// <up(x), y> = <x, grad(y)>, in f64.
    fn check(up: &Upsample<2>) {
        let tensor = |shape: &[usize], step: usize| {
            let mut at = 0;
            ArrayD::from_shape_simple_fn(IxDyn(shape), || {
                at += step;
                (at % 17) as f32 - 8.0
            })
        };
        let (x, y) = (tensor(&up.inputs().unwrap()[0].shape, 5), tensor(&up.output().unwrap().shape, 7));
        let forward = up.reference(&[x.view()]).unwrap().values;
        let back = up.grad_input().reference(&[y.view()]).unwrap().values;
        let dot = |a: &ArrayD<f64>, b: &ArrayD<f32>| a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum::<f64>();
        let [left, right] = [dot(&forward, &y), dot(&back, &x)];
        assert!((left - right).abs() <= 1e-9 * left.abs().max(1.0), "{up:?}: {left} and {right}");
    }
}
