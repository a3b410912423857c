//! What may be applied to a convolution's output before it is written.

use super::reference::Reference;
use crate::error::{Error, Result};

/// A function of each output sample, applied in the same dispatch, after the bias. A NaN stays a NaN, as in PyTorch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// The sample unchanged.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `x` where it is positive, else `slope * x`: leaky ReLU, and PReLU with one parameter.
    LeakyRelu {
        /// The factor of negative samples; must be finite.
        slope: f32,
    },
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `min(max(x, min), max)`: ONNX's `Clip`; 0 and 6 make ReLU6.
    Clip {
        /// The smallest output; must be finite.
        min: f32,
        /// The largest output; must be finite, and not less than `min`.
        max: f32,
    },
}

/// Absolute error that a device may add in the sigmoid and the hyperbolic tangent: WGSL allows `exp(x)` 3 + 2|x| ulps
/// and a division 2.5, which together are less than this for outputs between -1 and 1.
const EXP_ERROR: f64 = 1e-6;

impl Activation {
    pub(crate) fn check(&self) -> Result<()> {
        let finite = |what, value: f32| match value.is_finite() {
            true => Ok(()),
            false => Err(Error::InvalidParameter { what, value: value.into(), must: "finite" }),
        };
        match *self {
            Self::LeakyRelu { slope } => finite("the slope", slope),
            Self::Clip { min, max } => {
                finite("the clip's min", min)?;
                finite("the clip's max", max)?;
                let ordered = min <= max;
                let refused =
                    Error::InvalidParameter { what: "the clip's max", value: max.into(), must: "at least its min" };
                if ordered { Ok(()) } else { Err(refused) }
            }
            _ => Ok(()),
        }
    }

    /// The function, in f64.
    pub fn apply(&self, x: f64) -> f64 {
        match *self {
            _ if x.is_nan() => x,
            Self::None => x,
            Self::Relu => x.max(0.0),
            Self::LeakyRelu { slope } if x < 0.0 => f64::from(slope) * x,
            Self::LeakyRelu { .. } => x,
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Tanh => x.tanh(),
            Self::Clip { min, max } => x.clamp(min.into(), max.into()),
        }
    }

    /// The reference of the op with this activation, given the reference without it. The activation multiplies an error
    /// by its steepest slope at most, and adds an error of its own.
    pub(crate) fn apply_to(&self, reference: Reference) -> Reference {
        let (steepest, slack) = match *self {
            Self::None => return reference,
            Self::LeakyRelu { slope } => (f64::from(slope).abs().max(1.0), 0.0),
            Self::Sigmoid | Self::Tanh => (1.0, EXP_ERROR),
            Self::Relu | Self::Clip { .. } => (1.0, 0.0),
        };
        Reference {
            values: reference.values.mapv(|value| self.apply(value)),
            magnitudes: ndarray::Zip::from(&reference.values).and(&reference.magnitudes).map_collect(
                // An infinite sum is no rounding's work: what the function makes of it is exact.
                |value, magnitude| if value.is_infinite() { self.apply(*value).abs() } else { magnitude * steepest },
            ),
            roundings: reference.roundings + 1,
            slack,
            ..reference
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_by_hand() {
        let at = |activation: Activation| [-2.0, 0.0, 3.0].map(|x| activation.apply(x));
        assert_eq!(at(Activation::None), [-2.0, 0.0, 3.0]);
        assert_eq!(at(Activation::Relu), [0.0, 0.0, 3.0]);
        assert_eq!(at(Activation::LeakyRelu { slope: 0.5 }), [-1.0, 0.0, 3.0]);
        assert_eq!(at(Activation::Clip { min: -1.0, max: 2.0 }), [-1.0, 0.0, 2.0]);
        assert_eq!(at(Activation::Sigmoid)[1], 0.5);
        assert!((at(Activation::Sigmoid)[2] - 0.952_574_126_822_433_4).abs() < 1e-15);
        assert!((at(Activation::Tanh)[0] + 0.964_027_580_075_816_9).abs() < 1e-15);
    }

    #[test]
    fn a_nan_stays_and_an_infinity_has_its_limit() {
        let infinities = |activation: Activation| [f64::NEG_INFINITY, f64::INFINITY].map(|x| activation.apply(x));
        for (activation, limits) in [
            (Activation::None, [f64::NEG_INFINITY, f64::INFINITY]),
            (Activation::Relu, [0.0, f64::INFINITY]),
            (Activation::LeakyRelu { slope: 0.5 }, [f64::NEG_INFINITY, f64::INFINITY]),
            (Activation::Sigmoid, [0.0, 1.0]),
            (Activation::Tanh, [-1.0, 1.0]),
            (Activation::Clip { min: -1.0, max: 2.0 }, [-1.0, 2.0]),
        ] {
            assert!(activation.apply(f64::NAN).is_nan(), "{activation:?}");
            assert_eq!(infinities(activation), limits, "{activation:?}");
        }
    }

    #[test]
    fn parameters_that_are_no_numbers_are_refused() {
        for broken in [
            Activation::LeakyRelu { slope: f32::NAN },
            Activation::Clip { min: f32::NEG_INFINITY, max: 0.0 },
            Activation::Clip { min: 1.0, max: 0.0 },
        ] {
            assert!(matches!(broken.check(), Err(Error::InvalidParameter { .. })), "{broken:?}");
        }
    }
}
