//! How an output sample of an upsampling is made of input samples.

use std::fmt;
use std::str::FromStr;

use super::filters::Filter;
use crate::error::words::parse_word;
use crate::error::{Error, Result};

/// How a coordinate between two samples is rounded to the one that is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rounding {
    /// Down: PyTorch's and TensorFlow's, and ONNX's `floor`.
    Floor,
    /// Up: ONNX's `ceil`.
    Ceil,
    /// To the nearest, halves down: ONNX's `round_prefer_floor`, its default.
    PreferFloor,
    /// To the nearest, halves up: ONNX's `round_prefer_ceil`.
    PreferCeil,
}

/// What a filter finds past the border of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Border {
    /// Nothing: the weights of the samples inside are scaled to sum to 1. PyTorch, Pillow, TensorFlow.
    #[default]
    Renormalise,
    /// The edge sample, repeated: OpenCV, and scikit-image's `mode='nearest'`.
    Repeat,
}

/// How an output sample is made of input samples.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum UpsampleMode {
    /// A copy of the nearest input sample.
    Nearest(Rounding),
    /// Linear interpolation between the two input samples (2-D: four, 3-D: eight) around the coordinate; past the
    /// border the edge is repeated.
    Linear,
    /// Keys' cubic over the four input samples (2-D: 16, 3-D: 64) around the coordinate; past the border the edge is
    /// repeated, or samples are left out.
    Cubic {
        /// Keys' parameter, from -1000 to 1000: -0.75 in PyTorch and ONNX, -0.5 in TensorFlow and Pillow.
        a: f64,
        /// ONNX `exclude_outside`: samples past the border get no weight, and the others are normalised again.
        exclude_outside: bool,
    },
    /// [`Self::Cubic`] with weights from a table of 1024 steps: the fraction of the coordinate is rounded to a multiple
    /// of 1/1024, halves to the even multiple. TensorFlow's `ResizeBicubic`.
    CubicTable {
        /// Keys' parameter, from -1000 to 1000: -0.5 in TensorFlow 2, -0.75 in TensorFlow 1.
        a: f64,
        /// Samples past the border get no weight, and the others are normalised again, as in TensorFlow 2.
        exclude_outside: bool,
    },
    /// The input samples within a filter's radius around the output's centre, weighted by the filter; the weights sum
    /// to 1.
    Filtered {
        /// The filter.
        filter: Filter,
        /// Whether the filter is widened by `1 / scale` where the output is smaller than the input, as PyTorch, Pillow
        /// and TensorFlow do against aliasing.
        antialias: bool,
        /// What the filter finds past the border of the input.
        border: Border,
    },
    /// ONNX `antialias`: a filter, widened by `1 / scale` where the output is smaller than the input, over ONNX's
    /// window, which has as many samples on either side of the coordinate.
    OnnxAntialias {
        /// [`Filter::Triangle`] for `linear`, [`Filter::Cubic`] for `cubic`.
        filter: Filter,
        /// Samples past the border get no weight, and the others are normalised again.
        exclude_outside: bool,
    },
    /// The input samples that the output covers, weighted by the share of each that is covered: TensorFlow's and
    /// OpenCV's `area`. An output covers `in / out` samples or, with
    /// [`Coordinates::AlignCorners`](crate::Coordinates::AlignCorners) (TensorFlow's flag), `(in - 1) / (out - 1)` with
    /// the edge repeated. Other coordinates, and scales, have no effect.
    Area,
    /// The input samples that the output covers at least in part, all with the same weight: PyTorch's `area`, adaptive
    /// average pooling. Coordinates and scales have no effect.
    AdaptiveArea,
}

/// ONNX's `nearest_mode`.
impl fmt::Display for Rounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Floor => "floor",
            Self::Ceil => "ceil",
            Self::PreferFloor => "round_prefer_floor",
            Self::PreferCeil => "round_prefer_ceil",
        })
    }
}

/// The mode's words in a problem's text.
impl fmt::Display for UpsampleMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outside = |excluded| if excluded { " exclude_outside" } else { "" };
        match *self {
            Self::Nearest(rounding) => write!(f, "nearest {rounding}"),
            Self::Linear => f.write_str("linear"),
            Self::Cubic { a, exclude_outside } => write!(f, "cubic({a}){}", outside(exclude_outside)),
            Self::CubicTable { a, exclude_outside } => write!(f, "cubic_table({a}){}", outside(exclude_outside)),
            Self::Filtered { filter, antialias, border } => {
                let antialias = if antialias { " antialias" } else { "" };
                write!(f, "{filter}{antialias}{}", if border == Border::Repeat { " edge" } else { "" })
            }
            Self::OnnxAntialias { filter, exclude_outside } => {
                write!(f, "{filter} onnx_antialias{}", outside(exclude_outside))
            }
            Self::Area => f.write_str("area"),
            Self::AdaptiveArea => f.write_str("adaptive_area"),
        }
    }
}

/// ONNX's `nearest_mode`.
impl FromStr for Rounding {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let known = [Self::Floor, Self::Ceil, Self::PreferFloor, Self::PreferCeil];
        parse_word("nearest_mode", word, &known.map(|rounding| (rounding.to_string(), rounding)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn onnx_words_are_read() {
        for rounding in [Rounding::Floor, Rounding::Ceil, Rounding::PreferFloor, Rounding::PreferCeil] {
            assert_eq!(rounding.to_string().parse(), Ok(rounding));
        }
        let error = "round".parse::<Rounding>().unwrap_err().to_string();
        assert_eq!(
            error,
            "nearest_mode \"round\" is unknown: floor, ceil, round_prefer_floor, round_prefer_ceil are known"
        );
    }
}
