//! Where an output sample of a resize lies in the input, as an exact fraction.

use std::fmt;
use std::str::FromStr;

use super::ratio::Ratio;
use crate::error::words::parse_word;
use crate::error::{Error, Result};

/// The source coordinate x of output index q, in input samples, the first at 0. `F` is `output / input` or the scale
/// that the caller gave (see [`Scale`](crate::Scale)).
///
/// The names are ONNX's, apart from [`Coordinates::OpenCvArea`]; each says which frameworks use it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Coordinates<const R: usize> {
    /// `(q + 0.5) / F - 0.5`: PyTorch with `align_corners=False`, TensorFlow 2, ONNX's default, OpenCV, Pillow.
    HalfPixel,
    /// `q * (in - 1) / (out - 1)`, 0 where out = 1: PyTorch with `align_corners=True`.
    AlignCorners,
    /// `q / F`: PyTorch's `nearest`, TensorFlow 1.
    Asymmetric,
    /// [`Self::HalfPixel`], but 0 where out = 1: ONNX's `pytorch_half_pixel`.
    PytorchHalfPixel,
    /// `(q + 0.5) / F`: PyTorch's `nearest-exact` and TensorFlow 2's nearest.
    TfHalfPixelForNn,
    /// [`Self::HalfPixel`] plus `in/2 * (1 - out / (F * in))`, ONNX's `half_pixel_symmetric`: the image's centre is
    /// kept even if `F * in` is not a whole number.
    HalfPixelSymmetric,
    /// `s + fraction(max(0, q + 1 - (s + 1) * F))` with `s = floor(q / F)`: OpenCV's `INTER_AREA` where it enlarges.
    /// With linear interpolation, an output that covers part of one sample copies it, and an output that covers parts
    /// of two averages them by these parts.
    OpenCvArea,
    /// From a region of interest, `start * (in - 1) + q * (end - start) * (in - 1) / (out - 1)`; where out = 1, the
    /// region's middle. If x is outside `[0, in - 1]`, the output is
    /// [`Upsample::extrapolation_value`](crate::Upsample::extrapolation_value).
    TfCropAndResize {
        /// `[start, end]` of each axis, from 0 for the input's first sample to 1 for its last, rounded to a multiple of
        /// 2⁻⁴⁰; at most 65536 in absolute value.
        roi: [[f64; 2]; R],
    },
}

/// ONNX's `coordinate_transformation_mode`, and `opencv_area`.
impl<const R: usize> fmt::Display for Coordinates<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HalfPixel => "half_pixel",
            Self::AlignCorners => "align_corners",
            Self::Asymmetric => "asymmetric",
            Self::PytorchHalfPixel => "pytorch_half_pixel",
            Self::TfHalfPixelForNn => "tf_half_pixel_for_nn",
            Self::HalfPixelSymmetric => "half_pixel_symmetric",
            Self::OpenCvArea => "opencv_area",
            Self::TfCropAndResize { roi } => {
                let sides: Vec<_> = roi.iter().map(|[start, end]| format!("{start}:{end}")).collect();
                return write!(f, "tf_crop_and_resize({})", sides.join(","));
            }
        })
    }
}

/// The words of [`Coordinates`]' `Display` (ONNX's `coordinate_transformation_mode`, and `opencv_area`) except
/// `tf_crop_and_resize`, which needs a region. Refuses every other word ([`Error::UnknownWord`]).
impl<const R: usize> FromStr for Coordinates<R> {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let known = [
            Self::HalfPixel,
            Self::AlignCorners,
            Self::Asymmetric,
            Self::PytorchHalfPixel,
            Self::TfHalfPixelForNn,
            Self::HalfPixelSymmetric,
            Self::OpenCvArea,
        ];
        parse_word("coordinate_transformation_mode", word, &known.map(|mode| (mode.to_string(), mode)))
    }
}

/// Binary digits after the point that a region of interest keeps.
const ROI_BITS: i32 = 40;

impl<const R: usize> Coordinates<R> {
    pub(crate) fn check(&self, axis: usize) -> Result<()> {
        let Self::TfCropAndResize { roi } = self else { return Ok(()) };
        match roi[axis].iter().find(|value| !(value.is_finite() && value.abs() <= 65536.0)) {
            Some(&value) => Err(Error::InvalidParameter { what: "roi", value, must: "finite, at most 65536 in size" }),
            None => Ok(()),
        }
    }

    /// The coordinate x of output `q`; [`Self::check`] must have passed. `scale` is F. Numerators stay below 2¹²⁶:
    /// sizes are below 2³¹, and a scale has 53 significant bits, at most 82 of them after the binary point. The
    /// simplest fraction that rounds to a scale has no larger numerator and no larger denominator.
    pub(crate) fn locate(&self, axis: usize, q: usize, input: usize, output: usize, scale: Ratio) -> Ratio {
        let (q, input, output) = (q as i128, input as i128, output as i128);
        let Ratio { numerator: up, denominator: down } = scale;
        let half_pixel = (2 * q + 1) * down - up;
        match self {
            Self::AlignCorners | Self::PytorchHalfPixel if output == 1 => Ratio::new(0, 1),
            Self::AlignCorners => Ratio::new(q * (input - 1), output - 1),
            Self::HalfPixel | Self::PytorchHalfPixel => Ratio::new(half_pixel, 2 * up),
            Self::Asymmetric => Ratio::new(q * down, up),
            Self::TfHalfPixelForNn => Ratio::new((2 * q + 1) * down, 2 * up),
            Self::HalfPixelSymmetric => Ratio::new(half_pixel + input * up - output * down, 2 * up),
            Self::OpenCvArea => {
                let sample = (q * down).div_euclid(up);
                // The numerator of (q + 1) - (s + 1) * F, whose denominator is `down`.
                let past = ((q + 1) * down - (sample + 1) * up).max(0);
                // Every coordinate past the input stands for the last sample.
                if sample < input { Ratio::new(sample * down + past % down, down) } else { Ratio::new(input, 1) }
            }
            Self::TfCropAndResize { roi } => {
                let [start, end] = roi[axis].map(|value| (value * f64::from(ROI_BITS).exp2()).round() as i128);
                if output > 1 {
                    let steps = (output - 1) << ROI_BITS;
                    Ratio::new((start * (output - 1) + q * (end - start)) * (input - 1), steps)
                } else {
                    Ratio::new((start + end) * (input - 1), 2 << ROI_BITS)
                }
            }
        }
    }
}

impl<const R: usize> Coordinates<R> {
    /// Input samples from one output's centre to the next, by which antialiasing widens a filter.
    pub(crate) fn step(&self, input: usize, output: usize, scale: Ratio) -> f64 {
        match self {
            Self::AlignCorners if output == 1 => 0.0,
            Self::AlignCorners => (input as f64 - 1.0) / (output as f64 - 1.0),
            _ => scale.denominator as f64 / scale.numerator as f64,
        }
    }

    /// The centre of output `q` on a scale where input sample i extends from i to i + 1. With aligned corners, it is
    /// PyTorch's `(q + 0.5) * step`, which does not keep the corners exactly.
    pub(crate) fn centre(&self, q: usize, x: Ratio, step: f64) -> f64 {
        match self {
            Self::AlignCorners => (q as f64 + 0.5) * step,
            _ => x.plus_half().to_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::MAX_COORDINATE;
    use crate::ops::resample::scale::Scale;

    #[test]
    fn the_extremes_of_size_and_scale_do_not_overflow() {
        let (small, large) = (30f64.exp2().recip() * 1.000_000_000_000_000_2, 30f64.exp2());
        let size = MAX_COORDINATE;
        for coordinates in [
            Coordinates::<1>::HalfPixel,
            Coordinates::AlignCorners,
            Coordinates::HalfPixelSymmetric,
            Coordinates::OpenCvArea,
            Coordinates::TfCropAndResize { roi: [[-65536.0, 65536.0]] },
        ] {
            for scale in [small, large] {
                for ratio in [Scale::F64(scale).exact(), Scale::F64(scale).simplest()] {
                    let x = coordinates.locate(0, size - 1, size, size, ratio.unwrap());
                    x.plus_half().floor();
                    x.clamp(0, size as i128 - 1).fraction();
                }
            }
        }
    }
}
