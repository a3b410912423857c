//! Filters that weigh the samples around an output sample's centre, and the windows and areas that they are taken over.

use std::f64::consts::PI;
use std::fmt;

use super::ratio::Ratio;
use super::tap_table::Tap;
use crate::error::{Error, Result};

/// A symmetric filter, as a function of the distance in samples.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Filter {
    /// 1 from -1/2 to 1/2: Pillow's `BOX`, the average of the samples that an output covers. With
    /// [`Coordinates::HalfPixel`](crate::Coordinates::HalfPixel), a sample whose centre is an end of two boxes lies in
    /// the one that Pillow's arithmetic in f64 puts it in.
    Box,
    /// `1 - |x|` up to 1: linear interpolation.
    Triangle,
    /// A sinc up to 1 under Hamming's window: Pillow's `HAMMING`.
    Hamming,
    /// Keys' cubic, up to 2.
    Cubic {
        /// Keys' parameter, from -1000 to 1000: -0.5 in TensorFlow, in Pillow, and in PyTorch with antialiasing.
        a: f64,
    },
    /// `sinc(x) * sinc(x / lobes)` up to `lobes`: 3 in Pillow and PyTorch, 3 and 5 in TensorFlow.
    Lanczos {
        /// Its radius in samples, 1 to 16.
        lobes: u32,
    },
    /// `exp(-2 x²)` (σ = 0.5) up to 1.5: TensorFlow's.
    Gaussian,
    /// `exp(-x² / 2σ²)` up to 4 σ, rounded to samples: SciPy's and scikit-image's blur.
    Blur {
        /// σ in samples: positive, at most 10,000.
        sigma: f64,
    },
    /// The cardinal cubic spline: B-splines through the samples, SciPy's and scikit-image's order 3. It decays by a
    /// factor of 0.27 with each sample, and is cut off at 24.
    CubicSpline,
    /// Mitchell and Netravali's cubic with B = C = 1/3, up to 2: TensorFlow's.
    Mitchell,
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Box => f.write_str("box"),
            Self::Triangle => f.write_str("triangle"),
            Self::Hamming => f.write_str("hamming"),
            Self::Cubic { a } => write!(f, "cubic({a})"),
            Self::Lanczos { lobes } => write!(f, "lanczos({lobes})"),
            Self::Gaussian => f.write_str("gaussian"),
            Self::Blur { sigma } => write!(f, "blur({sigma})"),
            Self::CubicSpline => f.write_str("cubic_spline"),
            Self::Mitchell => f.write_str("mitchell"),
        }
    }
}

impl Filter {
    /// Refuses parameters out of range.
    pub(crate) fn check(&self) -> Result<()> {
        match *self {
            Self::Cubic { a } if !(a.is_finite() && a.abs() <= 1e3) => {
                Err(Error::InvalidParameter { what: "the cubic's a", value: a, must: "finite, at most 1000 in size" })
            }
            Self::Lanczos { lobes } if !(1..=16).contains(&lobes) => {
                Err(Error::InvalidParameter { what: "the lobes", value: lobes.into(), must: "1 to 16" })
            }
            Self::Blur { sigma } if !(sigma > 0.0 && sigma <= 1e4) => {
                Err(Error::InvalidParameter { what: "sigma", value: sigma, must: "positive, at most 10000" })
            }
            _ => Ok(()),
        }
    }

    /// The distance in samples from which on the weight is 0; a box still includes its right end.
    pub fn radius(&self) -> f64 {
        match *self {
            Self::Box => 0.5,
            Self::Triangle | Self::Hamming => 1.0,
            Self::Cubic { .. } | Self::Mitchell => 2.0,
            Self::Lanczos { lobes } => lobes.into(),
            Self::Gaussian => 1.5,
            Self::Blur { sigma } => (4.0 * sigma + 0.5).floor() + 0.5,
            Self::CubicSpline => 24.0,
        }
    }

    /// The weight of a sample at distance `x` in samples, of either sign, before weights are scaled to sum to 1.
    pub fn weight(&self, x: f64) -> f64 {
        // Boxes side by side share no sample: of its two ends, only the right one belongs to a box.
        if *self == Self::Box {
            return if x > -0.5 && x <= 0.5 { 1.0 } else { 0.0 };
        }
        let x = x.abs();
        if x >= self.radius() {
            return 0.0;
        }
        match *self {
            Self::Box => 1.0,
            Self::Triangle => 1.0 - x,
            Self::Hamming if x == 0.0 => 1.0,
            Self::Hamming => (PI * x).sin() / (PI * x) * (0.54 + 0.46 * (PI * x).cos()),
            Self::Cubic { a } => keys(a, x),
            Self::Lanczos { .. } if x == 0.0 => 1.0,
            // In f64, the sine of a multiple of π is not exactly 0.
            Self::Lanczos { .. } if x.fract() == 0.0 => 0.0,
            Self::Lanczos { lobes } => {
                let (lobes, angle) = (f64::from(lobes), PI * x);
                lobes * angle.sin() * (angle / lobes).sin() / (angle * angle)
            }
            Self::Gaussian => (-2.0 * x * x).exp(),
            Self::Blur { sigma } => (-0.5 * (x / sigma).powi(2)).exp(),
            Self::CubicSpline => cardinal_spline(x),
            Self::Mitchell if x < 1.0 => ((7.0 * x / 6.0 - 2.0) * x) * x + 8.0 / 9.0,
            Self::Mitchell => ((2.0 - 7.0 * x / 18.0) * x - 10.0 / 3.0) * x + 16.0 / 9.0,
        }
    }
}

/// The cubic spline that is 1 at 0 and 0 at every other whole number: B-splines, with the coefficients of the recursive
/// filter that undoes their sampling.
fn cardinal_spline(x: f64) -> f64 {
    let pole = 3f64.sqrt() - 2.0;
    let gain = -6.0 * pole / (1.0 - pole * pole);
    let b_spline = |x: f64| {
        let x = x.abs();
        if x < 1.0 { 2.0 / 3.0 - x * x * (1.0 - x / 2.0) } else { (2.0 - x).max(0.0).powi(3) / 6.0 }
    };
    let nearest = x.floor() as i32;
    (nearest - 1..=nearest + 2).map(|k| gain * pole.powi(k.abs()) * b_spline(x - f64::from(k))).sum()
}

/// Keys' cubic at a distance below 2.
pub(crate) fn keys(a: f64, x: f64) -> f64 {
    if x <= 1.0 { ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0 } else { ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a }
}

/// The input samples whose centres, `index + 0.5`, are within the radius of the filter around `centre`, widened by
/// `stretch`. Samples past the border are left out, and the weights sum to 1. If no weight is left, the nearest sample
/// alone.
pub(crate) fn window(filter: Filter, centre: f64, stretch: f64, input: usize) -> Vec<Tap> {
    let (reach, last) = (filter.radius() * stretch, input as f64 - 1.0);
    let first = (centre - reach + 0.5).floor().clamp(0.0, last);
    let end = (centre + reach + 0.5).floor().clamp(1.0, last + 1.0);
    let distance = |index: usize| {
        let distance = (index as f64 + 0.5 - centre) / stretch;
        // Two filters' weights jump at their ends, which may lie on a sample's centre.
        match filter {
            // Rounding decides as in Pillow: these are Pillow's operations.
            Filter::Box => (index as f64 - centre + 0.5) * (1.0 / stretch),
            // The end, which rounding may have missed, has no weight.
            Filter::Gaussian if (distance.abs() - filter.radius()).abs() < 30f64.exp2().recip() => filter.radius(),
            _ => distance,
        }
    };
    let weigh = |index: usize| Tap { index, weight: filter.weight(distance(index)) };
    let mut taps: Vec<Tap> = (first as usize..end as usize).map(weigh).collect();
    let total: f64 = taps.iter().map(|tap| tap.weight).sum();
    if total == 0.0 {
        return vec![Tap { index: (centre - 0.5).round().clamp(0.0, last) as usize, weight: 1.0 }];
    }
    taps.iter_mut().for_each(|tap| tap.weight /= total);
    taps
}

/// The samples around `x` that a filter widened by `1 / shrink` reaches, as ONNX counts them: as many on either side.
/// Samples past the border repeat the edge or, with `exclude_outside`, are left out; the weights sum to 1.
pub(crate) fn onnx_window(filter: Filter, x: Ratio, shrink: Ratio, exclude_outside: bool, input: usize) -> Vec<Tap> {
    // For a whole x, ONNX counts from the sample before it; that only moves an end of the window, where the weight is
    // 0.
    let (base, beyond) = (x.floor(), x.fraction());
    let reach = -shrink.divide(-(filter.radius().ceil() as i128)).floor() - 1;
    let inside = 0..input as i128;
    let weigh = |i: i128| {
        let (index, distance) = (base + i, (i as f64 - beyond) * shrink.to_f64());
        let excluded = exclude_outside && !inside.contains(&index);
        let weight = if excluded { 0.0 } else { filter.weight(distance) };
        Tap { index: index.clamp(0, inside.end - 1) as usize, weight }
    };
    let mut taps: Vec<Tap> = (-reach..=reach + 1).map(weigh).collect();
    let total: f64 = taps.iter().map(|tap| tap.weight).sum();
    if total == 0.0 {
        return vec![Tap { index: base.clamp(0, inside.end - 1) as usize, weight: 1.0 }];
    }
    taps.iter_mut().for_each(|tap| tap.weight /= total);
    taps
}

/// The samples that output `q` covers if each output covers `step.0 / step.1` samples, weighted by the share of each
/// that is covered; past the border the edge is repeated. Exact until the last division.
pub(crate) fn covered(q: usize, step: (usize, usize), input: usize) -> impl Iterator<Item = Tap> {
    // Positions count in units of 1/step.1 of a sample; an output covers step.0 units.
    let (width, sample) = (step.0 as u128, step.1 as u128);
    let (start, end) = (q as u128 * width, (q as u128 + 1) * width);
    let share = move |index: u128| end.min((index + 1) * sample) - start.max(index * sample);
    let last = input as u128 - 1;
    let tap = move |index: u128| Tap { index: index.min(last) as usize, weight: share(index) as f64 / width as f64 };
    (start / sample..end.div_ceil(sample)).map(tap)
}

/// The samples that output `q` covers at least in part, all with the same weight.
pub(crate) fn touched(q: usize, input: usize, output: usize) -> impl Iterator<Item = Tap> {
    let touched: Vec<Tap> = covered(q, (input, output), input).collect();
    let weight = 1.0 / touched.len() as f64;
    touched.into_iter().map(move |tap| Tap { weight, ..tap })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_1_in_the_middle_or_normalised_and_0_at_the_radius() {
        for filter in [Filter::Triangle, Filter::Cubic { a: -0.5 }, Filter::Lanczos { lobes: 3 }] {
            assert_eq!((filter.weight(0.0), filter.weight(filter.radius())), (1.0, 0.0));
            assert!(filter.weight(1.0).abs() < 1e-15, "{filter:?} interpolates");
        }
        assert_eq!([-0.5, -0.25, 0.5, 0.75].map(|x| Filter::Box.weight(x)), [0.0, 1.0, 1.0, 0.0]);
        assert!((1..24).all(|x| Filter::CubicSpline.weight(f64::from(x)).abs() < 1e-14));
        assert!((Filter::CubicSpline.weight(0.0) - 1.0).abs() < 1e-14);
        // Interpolated between two samples, a constant is still that constant.
        let constant: f64 = (-24..24).map(|i| Filter::CubicSpline.weight(f64::from(i) + 0.3)).sum();
        assert!((constant - 1.0).abs() < 1e-12);
        assert_eq!((Filter::Blur { sigma: 0.7 }.radius(), Filter::Blur { sigma: 0.7 }.weight(0.0)), (3.5, 1.0));
        assert_eq!((Filter::Hamming.weight(0.0), Filter::Hamming.weight(1.0)), (1.0, 0.0));
        assert!((Filter::Hamming.weight(0.5) - 0.54 * 2.0 / PI).abs() < 1e-15);
        assert_eq!(Filter::Mitchell.weight(0.0), 8.0 / 9.0);
        assert!((Filter::Mitchell.weight(1.0) - 1.0 / 18.0).abs() < 1e-15);
        assert!((Filter::Gaussian.weight(0.5) - (-0.5f64).exp()).abs() < 1e-15);
        assert!((Filter::Lanczos { lobes: 3 }.weight(1.5) + 0.135_094_911_523_117).abs() < 1e-12);
    }

    #[test]
    fn windows_are_clipped_and_normalised() {
        let taps = window(Filter::Triangle, 0.5, 2.0, 5);
        assert_eq!(taps.iter().map(|tap| tap.index).collect::<Vec<_>>(), [0, 1, 2]);
        assert!((taps[0].weight - 1.0 / 1.5).abs() < 1e-15 && taps[2].weight == 0.0);
        assert_eq!(window(Filter::Triangle, -3.0, 1.0, 5), [Tap { index: 0, weight: 1.0 }]);
    }

    #[test]
    fn areas_by_hand() {
        let shares: Vec<_> = covered(1, (5, 3), 5).map(|tap| (tap.index, tap.weight)).collect();
        assert_eq!(shares, [(1, 0.2), (2, 0.6), (3, 0.2)]);
        // With aligned corners the last output reaches past the edge.
        let shares: Vec<_> = covered(2, (3, 2), 4).map(|tap| (tap.index, tap.weight)).collect();
        assert_eq!(shares, [(3, 2.0 / 3.0), (3, 1.0 / 3.0)]);
        assert_eq!(touched(1, 5, 3).map(|tap| tap.weight).collect::<Vec<_>>(), [1.0 / 3.0; 3]);
    }
}
