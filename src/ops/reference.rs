//! A result in f64 with the error that an f32 computation of it may have.

use half::f16;
use ndarray::{ArrayD, ArrayView, ArrayViewD, Dimension, IxDyn};

use crate::dtype::FloatType;
use crate::error::mismatch::Mismatch;
use crate::error::{Error, Result};
use crate::tensor::allocate::zeros;
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, check_shape};

/// Half an ulp of 1 in f32: the largest relative error of one rounding.
pub(crate) const UNIT: f64 = 1.0 / (1u64 << 24) as f64;

/// What the CPU reference of an op returns: the sums in f64, and how far from each an f32 sum of the same terms may be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reference {
    /// Σ x·w for each output element, after bias and activation.
    pub values: ArrayD<f64>,
    /// Σ |x·w| for each output element; a term with a subnormal factor counts 2²⁴ times, as a GPU may take that factor
    /// for 0.
    pub magnitudes: ArrayD<f64>,
    /// The largest number of roundings from the inputs to an element.
    pub roundings: usize,
    /// Absolute error allowed in addition, for functions that devices compute with an error of their own.
    pub slack: f64,
    /// The storage type of the result.
    pub storage: FloatType,
}

/// How close a result is to its reference.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Agreement {
    /// The largest error, in units of 2⁻²⁴·Σ|x·w|: the ulps in which the bound is counted.
    pub worst_ulps: f64,
    /// The bound in the same units.
    pub allowed_ulps: f64,
}

impl Reference {
    pub(crate) fn new(values: ArrayD<f64>, magnitudes: ArrayD<f64>, roundings: usize) -> Self {
        Self { values, magnitudes, roundings, slack: 0.0, storage: FloatType::F32 }
    }

    /// The reference of the same op with its result stored as f16: the result is rounded once more, up or down, and
    /// subnormals may be flushed to 0.
    pub fn stored_as_f16(self) -> Self {
        Self { storage: FloatType::F16, ..self }
    }

    /// Largest error that a plain f32 sum of an element's terms may have, in whatever order it is summed:
    /// `roundings · 2⁻²⁴ · Σ|x·w|`, plus the smallest normal f32 for each rounding, as a GPU may flush subnormals, plus
    /// [`Self::slack`].
    ///
    /// The bound is infinite if Σ|x·w| is finite but passes half of f32's range, so that a partial sum may overflow. It
    /// is 0 if the value is a NaN or an infinity: so must be the result.
    ///
    /// A result stored as f16 may be off by another 2⁻¹⁰ of its value plus 2⁻¹⁴; past 65504 it may be infinite.
    ///
    /// # Panics
    ///
    /// If `index` is not an index of the output.
    pub fn bound(&self, index: &[usize]) -> f64 {
        self.bound_of(self.values[index], self.magnitudes[index])
    }

    fn bound_of(&self, value: f64, magnitude: f64) -> f64 {
        if !value.is_finite() {
            return 0.0;
        }
        let sum = bound(self.roundings as f64, magnitude) + self.slack;
        match self.storage {
            FloatType::F32 => sum,
            FloatType::F16 if value.abs() + sum >= f64::from(f16::MAX) => f64::INFINITY,
            FloatType::F16 => sum + (value.abs() + sum) / 1024.0 + f64::from(f16::MIN_POSITIVE),
        }
    }

    /// Compares a result with the bound, element by element. [`Error::Mismatch`] names the element furthest outside;
    /// another shape is an [`Error::Shape`].
    pub fn check<D: Dimension>(&self, actual: ArrayView<f32, D>) -> Result<Agreement> {
        self.compare(actual.into_dyn(), |value, magnitude| self.bound_of(value, magnitude))
    }

    /// Compares with `==`, for integers with Σ|x·w| < 2²⁴, whose f32 sum is exact in any order. Errors are those of
    /// [`Self::check`].
    pub fn check_exact<D: Dimension>(&self, actual: ArrayView<f32, D>) -> Result<Agreement> {
        self.compare(actual.into_dyn(), |_, _| 0.0)
    }

    fn compare(&self, actual: ArrayViewD<f32>, bound: impl Fn(f64, f64) -> f64) -> Result<Agreement> {
        check_shape(Operand::new(Role::Output, self.values.shape().into()), actual.shape())?;
        let mut agreement = Agreement { worst_ulps: 0.0, allowed_ulps: self.roundings as f64 };
        let mut worst: Option<(f64, Mismatch)> = None;
        let mut outside = 0;
        for ((index, &expected), (&magnitude, &actual)) in
            self.values.indexed_iter().zip(self.magnitudes.iter().zip(actual.iter()))
        {
            let (error, bound) = (error(actual.into(), expected), bound(expected, magnitude));
            if error <= bound {
                if error > 0.0 && error.is_finite() && magnitude > 0.0 && magnitude.is_finite() {
                    agreement.worst_ulps = agreement.worst_ulps.max(error / (UNIT * magnitude));
                }
                continue;
            }
            outside += 1;
            let excess = error - bound;
            if worst.as_ref().is_none_or(|(most, _)| excess > *most) {
                let index = index.as_array_view().to_vec();
                worst = Some((excess, Mismatch { index, actual, expected, bound, outside: 0 }));
            }
        }
        match worst {
            None => Ok(agreement),
            Some((_, mismatch)) => Err(Error::Mismatch(Mismatch { outside, ..mismatch })),
        }
    }

    /// The values rounded once to f32.
    pub fn to_f32(&self) -> ArrayD<f32> {
        self.values.mapv(|value| value as f32)
    }
}

/// The distance of a result from its value. A NaN and an infinity agree only with their like, of the same sign; from
/// anything else they are infinitely far.
fn error(actual: f64, expected: f64) -> f64 {
    if actual == expected || (actual.is_nan() && expected.is_nan()) {
        return 0.0;
    }
    let error = (actual - expected).abs();
    if error.is_nan() { f64::INFINITY } else { error }
}

fn bound(roundings: f64, magnitude: f64) -> f64 {
    if magnitude.is_nan() || magnitude > f64::from(f32::MAX) / 2.0 {
        return f64::INFINITY;
    }
    roundings * (UNIT * magnitude + f64::from(f32::MIN_POSITIVE))
}

/// How many times a term counts in Σ|x·w| because of one of its factors: a factor below `smallest_normal` may be
/// flushed to 0, and the error is then the whole term.
pub(crate) fn flush_factor(factor: f64, smallest_normal: f64) -> f64 {
    if factor != 0.0 && factor.abs() < smallest_normal { 1.0 / UNIT } else { 1.0 }
}

/// The smallest positive number that no device flushes to 0, by the storage type of these tensors.
pub(crate) fn smallest_normal(inputs: &[TensorView]) -> f64 {
    let halves = inputs.iter().any(|view| matches!(view, TensorView::F16(_)));
    if halves { f16::MIN_POSITIVE.into() } else { f32::MIN_POSITIVE.into() }
}

/// Running sums: the values and magnitudes of one output tensor, row-major.
pub(crate) struct Sums {
    values: Vec<f64>,
    magnitudes: Vec<f64>,
    /// See [`smallest_normal`].
    smallest_normal: f64,
}

impl Sums {
    /// Zeros for an output of this shape, whose terms are products of elements of these inputs.
    pub(crate) fn zeros(shape: &[usize], inputs: &[TensorView]) -> Result<Self> {
        let (len, smallest_normal) = (shape.iter().product(), smallest_normal(inputs));
        Ok(Self { values: zeros("the reference", len)?, magnitudes: zeros("the reference", len)?, smallest_normal })
    }

    /// Adds the product of two f32 values to one element.
    pub(crate) fn add(&mut self, element: usize, x: f64, w: f64) {
        let term = x * w;
        self.values[element] += term;
        let plain = x.abs().min(w.abs()) >= self.smallest_normal;
        let weight =
            if plain { 1.0 } else { flush_factor(x, self.smallest_normal).max(flush_factor(w, self.smallest_normal)) };
        self.magnitudes[element] += term.abs() * weight;
    }

    /// Adds each channel's bias to a row-major (N, C, spatial...) output.
    pub(crate) fn add_bias(&mut self, bias: &[f64], elements_per_channel: usize) {
        let channels = bias.len();
        for element in 0..self.values.len() {
            let channel = element / elements_per_channel % channels;
            self.add(element, bias[channel], 1.0);
        }
    }

    pub(crate) fn into_reference(self, shape: &[usize], roundings: usize) -> Reference {
        let array = |sums| ArrayD::from_shape_vec(IxDyn(shape), sums).expect("as many sums as the shape has elements");
        Reference::new(array(self.values), array(self.magnitudes), roundings)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::arr1;

    use super::*;
    use crate::ops::activation::Activation;

    fn reference() -> Reference {
        let mut sums = Sums::zeros(&[3], &[]).unwrap();
        for (element, term) in [(0, 3.0), (0, -2.0), (1, 0.0), (2, 1e30)] {
            sums.add(element, term, 1.0);
        }
        sums.into_reference(&[3], 4)
    }

    #[test]
    fn one_wrong_element_is_noticed_and_named() {
        let good = arr1(&[1.0, 0.0, 1e30f32]);
        assert!(reference().check(good.view()).is_ok());
        for (element, wrong) in [(0, 1.000002), (1, 1e-36), (2, 0.0), (0, f32::NAN), (1, f32::INFINITY)] {
            let mut bad = good.clone();
            bad[element] = wrong;
            let Err(Error::Mismatch(mismatch)) = reference().check(bad.view()) else { panic!("{wrong}") };
            assert_eq!((mismatch.index, mismatch.outside), (vec![element], 1), "{wrong}");
        }
    }

    #[test]
    fn errors_are_counted_in_ulps_of_the_magnitude() {
        let near = arr1(&[1.0 + 2.0 * f32::EPSILON, 0.0, 1e30f32]);
        let agreement = reference().check(near.view()).unwrap();
        assert!((agreement.worst_ulps - 4.0 / 5.0).abs() < 0.05, "{agreement:?}");
        assert!(reference().check_exact(near.view()).is_err());
    }

    #[test]
    fn nothing_is_promised_where_f32_overflows() {
        let mut sums = Sums::zeros(&[1], &[]).unwrap();
        sums.add(0, 1e39, 1.0);
        let reference = sums.into_reference(&[1], 1);
        for allowed in [f32::NAN, f32::INFINITY, 0.0] {
            assert!(reference.check(arr1(&[allowed]).view()).is_ok());
        }
    }

    /// Every wrong answer, and no right one, is refused, whatever the other elements are.
    #[test]
    fn non_finite_values_agree_with_their_like_alone() {
        const VALUES: [f32; 5] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -2.5];
        for expected in VALUES {
            for actual in VALUES {
                let mut sums = Sums::zeros(&[2], &[]).unwrap();
                sums.add(0, expected.into(), 1.0);
                sums.add(1, f64::INFINITY, 1.0);
                let reference = sums.into_reference(&[2], 3);
                let is_right = expected.to_bits() == actual.to_bits();
                let result = arr1(&[actual, f32::INFINITY]);
                for reference in [reference.clone(), reference.stored_as_f16()] {
                    assert_eq!(reference.check(result.view()).is_ok(), is_right, "{actual} for {expected}");
                    assert_eq!(reference.check_exact(result.view()).is_ok(), is_right, "{actual} for {expected}");
                }
            }
        }
    }

    #[test]
    fn an_activation_of_a_nan_or_an_infinity_is_checked() {
        let mut sums = Sums::zeros(&[3], &[]).unwrap();
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].into_iter().enumerate().for_each(|(at, x)| sums.add(at, x, 1.0));
        let reference = Activation::Tanh.apply_to(sums.into_reference(&[3], 3));
        assert!(reference.check(arr1(&[f32::NAN, 1.0, -1.0]).view()).is_ok());
        for wrong in [[-1.0, 1.0, -1.0], [f32::NAN, -1.0, -1.0], [f32::NAN, 1.0, f32::NAN], [f32::NAN, 1.0, 0.5]] {
            assert!(reference.check(arr1(&wrong).view()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_flushed_factor_is_no_mismatch() {
        let mut sums = Sums::zeros(&[2], &[]).unwrap();
        sums.add(0, 1e-38, 1e10);
        sums.add(1, 2e-38, 1e10);
        let reference = sums.into_reference(&[2], 1);
        assert!(reference.check(arr1(&[0.0, 2e-28]).view()).is_ok());
        assert!(reference.check(arr1(&[0.0, 0.0]).view()).is_err());
    }

    #[test]
    fn a_wrong_shape_is_an_error_not_a_mismatch() {
        assert!(matches!(reference().check(arr1(&[1.0]).view()), Err(Error::Shape { .. })));
    }
}
