//! The scale of a resize, and the fractions that its float stands for.

use std::fmt;

use super::ratio::Ratio;
use crate::error::{Error, Result};

/// Output samples per input sample on one axis, from 2⁻³⁰ to 2³⁰, in the precision in which it was given.
///
/// Where a coordinate decides which sample is copied ([`UpsampleMode::Nearest`](crate::UpsampleMode::Nearest)), the
/// scale is the simplest fraction that rounds to the float in its own precision: the one with the smallest denominator.
/// `1.1` stands for 11/10, `0.7f32` for 7/10 and `0.333_333_34f32` for 1/3. A file's scale should therefore be given
/// in the file's type, f32 in ONNX: widened to f64, `0.7f32` is another number and stands for another fraction. Modes
/// that weigh samples use the float's own value, as PyTorch and ONNX do: the difference, half of the float's last
/// digit, changes weights by as little.
///
/// PyTorch and onnxruntime compute coordinates in floats, mostly in f32. Where the exact coordinate lies on the border
/// between two nearest samples, their rounding may take the other one. Where the size stays the same, onnxruntime and
/// PyTorch's linear modes on the CPU copy the input, whatever the scale; `scales: None` does so here.
///
/// ```
/// use upconv::{Scale, Separable, Upsample1d};
/// let base = Upsample1d { input_size: [12], ..Default::default() };
/// let third = base.with_scales([1.0f32 / 3.0])?;
/// assert_eq!((third.output_size, third.scales), ([4], Some([Scale::F32(0.333_333_34)])));
/// let table = third.taps(0)?;
/// assert_eq!([0, 1, 2, 3].map(|q| table.at(q)[0].index), [0, 3, 6, 9]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Scale {
    /// A number of f64 precision, as PyTorch's `scale_factor` is.
    F64(f64),
    /// A number of f32 precision, as ONNX's `scales` are.
    F32(f32),
}

impl From<f64> for Scale {
    fn from(scale: f64) -> Self {
        Self::F64(scale)
    }
}

impl From<f32> for Scale {
    fn from(scale: f32) -> Self {
        Self::F32(scale)
    }
}

/// The float's shortest decimal, with `f32` after it where it has that precision: `1.1`, `0.7f32`.
impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F64(scale) => write!(f, "{scale}"),
            Self::F32(scale) => write!(f, "{scale}f32"),
        }
    }
}

impl Scale {
    /// The binary digits of the float's type and its value, which is a normal number of that type. Refuses scales
    /// outside 2⁻³⁰ to 2³⁰.
    fn checked(self) -> Result<(u32, f64)> {
        let (precision, value) = match self {
            Self::F64(scale) => (f64::MANTISSA_DIGITS, scale),
            Self::F32(scale) => (f32::MANTISSA_DIGITS, scale.into()),
        };
        let limit = 30f64.exp2();
        if !(value >= 1.0 / limit && value <= limit) {
            return Err(Error::InvalidParameter { what: "scale", value, must: "between 2^-30 and 2^30" });
        }
        Ok((precision, value))
    }

    /// The float's own value. Refuses what [`Self::simplest`] refuses.
    pub(crate) fn exact(self) -> Result<Ratio> {
        let (_, value) = self.checked()?;
        let (mantissa, exponent) = mantissa_and_exponent(value);
        let zeros = (mantissa.trailing_zeros() as i32).min(-exponent);
        Ok(Ratio::new(mantissa >> zeros, 1 << (-exponent - zeros)))
    }

    /// The simplest fraction that rounds to the float. Refuses scales outside 2⁻³⁰ to 2³⁰.
    ///
    /// Its numerator and its denominator are no larger than those of the float's own value, which rounds to itself and
    /// so is one of the fractions that it is chosen from: among the fractions of an interval, the one with the smallest
    /// denominator also has the smallest numerator.
    pub(crate) fn simplest(self) -> Result<Ratio> {
        let (precision, value) = self.checked()?;
        // An f32 past 2²⁴ is whole, and other whole numbers round to it.
        if value.fract() == 0.0 {
            return Ok(Ratio::new(value as i128, 1));
        }
        let dropped = f64::MANTISSA_DIGITS - precision;
        let (mantissa, exponent) = mantissa_and_exponent(value);
        let (mantissa, exponent) = (mantissa >> dropped, exponent + dropped as i32);
        // In quarters of the last digit: half-way to the float before, which is only half as far below a power of two,
        // and half-way to the next. Whether these ends round to the float does not matter: they have more binary digits
        // after the point than the float, thus larger denominators, and are not the simplest. The exponent is negative,
        // because the value is not whole.
        let before = if mantissa == 1 << (precision - 1) { 1 } else { 2 };
        let quarters = |count: i128| (count, 4 << -exponent);
        Ok(simplest(quarters(4 * mantissa - before), quarters(4 * mantissa + 2)))
    }

    /// The output samples of an axis, `floor(input * scale)`, where the product is rounded in the scale's own precision
    /// as PyTorch (f64) and onnxruntime (f32) round it. From 2²⁴ samples on, which an f32 cannot count, it is the
    /// floor of the exact product with [`Self::simplest`]. Refuses what that refuses.
    pub(crate) fn output_size(self, input: usize) -> Result<usize> {
        let fraction = self.simplest()?;
        let countable = 1 << f32::MANTISSA_DIGITS;
        Ok(match self {
            Self::F64(scale) => (input as f64 * scale) as usize,
            Self::F32(scale) if input < countable && ((input as f32 * scale) as usize) < countable => {
                (input as f32 * scale) as usize
            }
            Self::F32(_) => fraction.multiply(input as i128).floor() as usize,
        })
    }
}

/// `mantissa * 2^exponent` of a scale, which is a positive normal number below 2⁵³: the exponent is at most 0 then.
fn mantissa_and_exponent(value: f64) -> (i128, i32) {
    let bits = value.to_bits();
    (i128::from((bits & ((1 << 52) - 1)) | (1 << 52)), (bits >> 52) as i32 - 1075)
}

/// The fraction with the smallest denominator between two positive ones, without these; each is a numerator and a
/// denominator, and a high end with the denominator 0 is infinite. The continued fractions of both ends are followed
/// as long as they agree.
fn simplest(low: (i128, i128), high: (i128, i128)) -> Ratio {
    let whole = low.0 / low.1;
    if (whole + 1) * high.1 < high.0 {
        return Ratio::new(whole + 1, 1);
    }
    // Less the whole number and turned upside down, the high end is the low one.
    let rest = |(numerator, denominator): (i128, i128)| (denominator, numerator - whole * denominator);
    let Ratio { numerator, denominator } = simplest(rest(high), rest(low));
    Ratio::new(whole * numerator + denominator, numerator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(scale: impl Into<Scale>) -> (i128, i128) {
        let ratio = scale.into().simplest().unwrap();
        (ratio.numerator, ratio.denominator)
    }

    #[test]
    fn a_scale_is_the_fraction_that_its_writer_meant() {
        for numerator in 1..=300 {
            for denominator in 1..=300 {
                let divisor = common_divisor(numerator, denominator);
                let reduced = (i128::from(numerator / divisor), i128::from(denominator / divisor));
                assert_eq!(parts(f64::from(numerator) / f64::from(denominator)), reduced);
                assert_eq!(parts(numerator as f32 / denominator as f32), reduced);
            }
        }
        assert_eq!(
            [parts(1.1), parts(0.1), parts(1.55), parts(1e-9)],
            [(11, 10), (1, 10), (31, 20), (1, 1_000_000_000)]
        );
        assert_eq!([parts(0.7f32), parts(0.333_333_34f32), parts(2.6f32)], [(7, 10), (1, 3), (13, 5)]);
        // Widened, an f32 is another number.
        assert_ne!(parts(f64::from(0.7f32)), (7, 10));
    }

    fn common_divisor(a: i32, b: i32) -> i32 {
        if b == 0 { a } else { common_divisor(b, a % b) }
    }

    /// Every smaller denominator rounds to another float; a division of whole numbers below 2²⁴ is correctly rounded.
    #[test]
    fn no_simpler_fraction_rounds_to_the_float() {
        let mut state = 1u32;
        for _ in 0..2000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let exponent = (state >> 8) % 12;
            // From 1/64 to 64, with a few mantissas of 0, where the next float below is only half as far away.
            let mantissa = if (state >> 20).is_multiple_of(8) { 0 } else { state >> 9 };
            let scale = f32::from_bits((121 + exponent) << 23 | mantissa);
            let (numerator, denominator) = parts(scale);
            assert_eq!(numerator as f32 / denominator as f32, scale);
            for smaller in 1..denominator {
                let near = (f64::from(scale) * smaller as f64).round() as i128;
                assert_ne!(near as f32 / smaller as f32, scale, "{near}/{smaller}, found {numerator}/{denominator}");
            }
        }
    }

    #[test]
    fn whole_numbers_and_the_limits_are_themselves() {
        let limit = 30f64.exp2();
        assert_eq!([parts(limit), parts(limit as f32), parts(1.0 / limit)], [(1 << 30, 1), (1 << 30, 1), (1, 1 << 30)]);
        // f32 numbers past 2^24 are two apart.
        assert_eq!([parts(16_777_218.0f32), parts(16_777_222.0f32)], [(16_777_218, 1), (16_777_222, 1)]);
        assert_eq!([parts(16_777_215.0f32 / 2.0), parts(16_777_213.0f32 / 4.0)], [(16_777_215, 2), (12_582_910, 3)]);
        for scale in [1.000_000_000_000_000_2 / limit, limit - 1e-6] {
            let (numerator, denominator) = parts(scale);
            assert_eq!(numerator as f64 / denominator as f64, scale);
        }
        for broken in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-10, 2e9] {
            for scale in [Scale::F64(broken), Scale::F32(broken as f32)] {
                assert!(matches!(scale.simplest(), Err(Error::InvalidParameter { what: "scale", .. })), "{scale}");
            }
        }
    }

    #[test]
    fn sizes_are_those_of_pytorch_and_onnxruntime() {
        let size = |scale: Scale, input| scale.output_size(input).unwrap();
        assert_eq!(size(0.7f32.into(), 10), 7);
        // Below 7 if widened, as a caller who has only f64 scales would give it.
        assert_eq!(size(f64::from(0.7f32).into(), 10), 6);
        assert_eq!([size(0.7.into(), 90), size(0.7f32.into(), 90)], [62, 63]);
        // Both compute the size in floats: 223, not 706 * 112/353 = 224.
        assert_eq!(size((224.0f32 / 706.0).into(), 706), 223);
        // More samples than an f32 can count.
        assert_eq!([size(1.0f32.into(), 16_777_217), size(0.1f32.into(), 1_000_000_010)], [16_777_217, 100_000_001]);
    }

    #[test]
    fn scales_are_taken_apart_exactly() {
        for scale in [1.0, 2.0, 0.5, 1.5, 0.1, 1e-9, 3.7e8, f64::from(2.6f32), 30f64.exp2(), (-30f64).exp2()] {
            let Ratio { numerator, denominator } = Scale::F64(scale).exact().unwrap();
            assert_eq!(numerator as f64 / denominator as f64, scale);
        }
        assert_eq!(Scale::F32(0.7).exact().unwrap().to_f64(), f64::from(0.7f32));
    }

    #[test]
    fn an_f32_says_so() {
        assert_eq!([Scale::F64(1.1).to_string(), Scale::F32(0.7).to_string()], ["1.1", "0.7f32"]);
    }
}
