//! Lp norms: `(Σ |x|^p)^(1/p)`, and how far one may be off that a device computes in f32.

use crate::error::{Error, Result};
use crate::geometry::at_most;
use crate::ops::reference::UNIT;

/// The largest power. The shaders scale the samples of a norm so that the largest is from 1 to 2, and the sum of 2³¹
/// powers of 64 then stays in the range of f32.
pub(crate) const MAX_POWER: u32 = 64;

/// Refuses a power of 0, and one past [`MAX_POWER`].
pub(crate) fn check_power(p: u32) -> Result<()> {
    if p == 0 {
        return Err(Error::ZeroCount { what: "p" });
    }
    at_most("p", p.into(), MAX_POWER.into())
}

/// `|x|^p`'s sum over some samples, to the power 1/p, in f64: a NaN if there is one among them.
pub(crate) fn norm(samples: &[f64], p: u32) -> f64 {
    // Comparisons with a NaN are false, so that it has to be looked for.
    if samples.iter().any(|sample| sample.is_nan()) {
        return f64::NAN;
    }
    let largest = samples.iter().fold(0.0f64, |most, sample| most.max(sample.abs()));
    if largest == 0.0 || largest.is_infinite() {
        return largest;
    }
    let sum: f64 = samples.iter().map(|sample| (sample.abs() / largest).powi(p as i32)).sum();
    largest * sum.powf(1.0 / f64::from(p))
}

/// How many times 2⁻²⁴ of its value a norm of so many samples may be off, to first order:
///
/// * Samples are scaled by powers of 2, without an error. `|x|^p` is a product of p factors: p - 1 roundings. The sum
///   has a rounding for each term, and the norm `1/p` of the sum's error.
/// * A square root may be off by 4.5 ulps in WGSL, by way of the inverse root. An ulp is two roundings at most.
/// * Other roots are `exp2(log2(sum) / p)`. As far as WGSL asks for, `log2` may be off by 3 ulps, and by 2⁻²¹ near 1;
///   the division by 2.5 ulps; and `exp2(z)` by 3 + 2z ulps. An error in z is ln 2 times as large a part of the result.
pub(crate) fn norm_roundings(terms: usize, p: u32) -> usize {
    let power = f64::from(p);
    let sum = (terms as f64 + power + 2.0) / power;
    // The largest logarithm of a sum.
    let log = (terms.max(1) as f64).log2() + power;
    let root = match p {
        1 => 0.0,
        2 => 9.0,
        _ => std::f64::consts::LN_2 * (8.0 + 6.0 * log + 5.0 * log) / power + 6.0 + 4.0 * log / power,
    };
    (sum + root).ceil() as usize
}

/// What a norm's magnitude is, from which its bound is computed, where these samples may be flushed to 0: by the
/// triangle inequality the norm then changes by their norm at most.
pub(crate) fn norm_magnitude(norm: f64, flushed: &[f64], p: u32) -> f64 {
    norm + self::norm(flushed, p) / UNIT
}

/// The samples that a device may flush to 0, and 0 in place of the others.
pub(crate) fn flushed(samples: &[f64], smallest_normal: f64) -> Vec<f64> {
    samples.iter().map(|&sample| if sample.abs() < smallest_normal { sample } else { 0.0 }).collect()
}

/// The gradient of a norm with respect to one of its samples, where that of the norm is `g`; 0 for a norm of 0.
pub(crate) fn gradient_of(sample: f64, norm: f64, g: f64, p: u32) -> f64 {
    let sign = if sample == 0.0 { 0.0 } else { sample.signum() };
    match p {
        1 => g * sign,
        _ if norm == 0.0 => 0.0,
        _ => g * sign * (sample.abs() / norm).powi(p as i32 - 1),
    }
}

/// How many times 2⁻²⁴ of its value an element of the gradient of a norm of so many samples may be off: the norm and
/// the division of each of p - 1 factors, and their products with each other and with the norm's gradient.
pub(crate) fn grad_roundings(terms: usize, p: u32) -> usize {
    (p as usize - 1) * (norm_roundings(terms, p) + 5) + p as usize
}

/// The magnitude of an element of the gradient, from which its bound is computed: larger than the element if samples
/// may be flushed to 0, or a power of the ratio may be. `norms` are the norms of the plane and of its samples that may
/// be flushed.
pub(crate) fn grad_magnitude(sample: f64, norms: [f64; 2], g: f64, p: u32, smallest_normal: f64) -> f64 {
    let value = gradient_of(sample, norms[0], g, p).abs();
    if norms[0] == 0.0 {
        return 0.0; // all samples are 0
    }
    let change = norms[1] / norms[0] * f64::from(2 * (p - 1));
    // A flushed sample, or one of a plane that has few others, changes by as much as the largest slope, 1.
    let is_small = g.abs() < smallest_normal || (sample != 0.0 && sample.abs() < smallest_normal);
    if is_small || (p > 1 && change > 0.5) {
        return g.abs() / UNIT;
    }
    value * (1.0 + change / UNIT) + g.abs() * f64::from(f32::MIN_POSITIVE) / UNIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_by_hand() {
        assert_eq!(norm(&[3.0, -4.0], 1), 7.0);
        assert_eq!(norm(&[3.0, -4.0], 2), 5.0);
        assert!((norm(&[3.0, -4.0, 5.0], 3) - 6.0).abs() < 1e-14);
        // Powers far past the range of f64.
        assert!((norm(&[1e300, -1e300], 64) / 1e300 - 2f64.powf(1.0 / 64.0)).abs() < 1e-14);
        assert_eq!(norm(&[0.0, -0.0], 3), 0.0);
        assert_eq!(norm(&[1.0, f64::NEG_INFINITY], 3), f64::INFINITY);
        assert!(norm(&[f64::INFINITY, f64::NAN], 2).is_nan());
    }

    #[test]
    fn powers_have_a_range() {
        assert!(check_power(1).is_ok() && check_power(MAX_POWER).is_ok());
        assert_eq!(check_power(0), Err(Error::ZeroCount { what: "p" }));
        assert_eq!(check_power(65), Err(Error::TooLarge { what: "p", value: 65, limit: 64 }));
    }

    /// The bounds of common sizes, in units of 2⁻²⁴.
    #[test]
    fn bounds_are_some_ulps() {
        assert_eq!([norm_roundings(49, 1), norm_roundings(49, 2), norm_roundings(49, 3)], [52, 36, 60]);
        assert!(norm_roundings(4, 64) < 25);
    }
}
