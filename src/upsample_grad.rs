//! The gradient of an upsampling: what it is, and its definition on the CPU.

use ndarray::ArrayViewD;

use crate::op::{Op, Operand};
use crate::reference::{Reference, flush, widen};
use crate::{Result, Upsample};

/// The gradient of an [`Upsample`] with respect to its input: the transpose of the same tap table.
///
/// Tensors: `input`, the gradient of the forward output, of the forward output's shape; output, of the forward input's
/// shape. Outputs that took the extrapolation value have no part in it.
#[derive(Clone, Debug, PartialEq)]
pub struct UpsampleGrad<const R: usize> {
    /// The upsampling whose gradient it is.
    pub forward: Upsample<R>,
}

impl<const R: usize> Upsample<R> {
    /// The gradient with respect to the input.
    ///
    /// ```
    /// use upconv::{Op, Upsample2d};
    /// let up = Upsample2d { input_size: [4, 4], output_size: [8, 8], ..Default::default() };
    /// assert_eq!(up.grad_input().output()?.shape, [1, 1, 4, 4]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub fn grad_input(&self) -> UpsampleGrad<R> {
        UpsampleGrad { forward: self.clone() }
    }
}

impl<const R: usize> Op for UpsampleGrad<R> {
    const NAME: &'static str = "upsample_grad";

    fn inputs(&self) -> Result<Vec<Operand>> {
        Ok(vec![Operand::new("input", self.forward.output()?.shape)])
    }

    fn output(&self) -> Result<Operand> {
        let forward = self.forward.inputs()?.swap_remove(0);
        Ok(Operand::new("output", forward.shape))
    }

    fn multiply_adds(&self) -> Result<u128> {
        self.forward.multiply_adds()
    }

    /// Scatters axis by axis over the whole image, where the shader gathers one output over all axes.
    fn define(&self, inputs: &[ArrayViewD<f32>]) -> Result<Reference> {
        let mut values = widen(&inputs[0]);
        let mut magnitudes: Vec<f64> = values.iter().map(|value| value.abs() * flush(*value)).collect();
        let largest = magnitudes.iter().copied().filter(|size| size.is_finite()).fold(0.0, f64::max);
        let (mut shape, mut gain, mut roundings) = (inputs[0].shape().to_vec(), 1.0, 0);
        for axis in 0..R {
            let (table, size) = (self.forward.taps(axis)?, self.forward.input_size[axis]);
            values = table.scatter(&values, &shape, axis + 2, size, |weight| weight)?;
            magnitudes = table.scatter(&magnitudes, &shape, axis + 2, size, f64::abs)?;
            shape[axis + 2] = size;
            let gathered = table.transpose(size)?;
            gain *= gathered.gain();
            roundings += gathered.longest() + 2;
        }
        // As in the forward op: where a row's sum may overflow, a small weight that follows does not help.
        if largest * gain > f64::from(f32::MAX) / 2.0 {
            magnitudes.fill(f64::INFINITY);
        }
        let array = |values| ndarray::ArrayD::from_shape_vec(shape.clone(), values).expect("scattered to this shape");
        Ok(Reference { values: array(values), magnitudes: array(magnitudes), roundings, slack: 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, IxDyn};

    use super::*;
    use crate::{Coordinates, Rounding, UpsampleMode};

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
