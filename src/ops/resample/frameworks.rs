//! Upsampling as the frameworks call it: each constructor resolves to the same descriptor.

use std::str::FromStr;

use super::coordinates::Coordinates;
use super::filters::Filter;
use super::mode::{Border, Rounding, UpsampleMode};
use super::scale::Scale;
use super::upsample::Upsample;
use crate::error::words::parse_word;
use crate::error::{Error, Result};
use crate::geometry::{MAX_COORDINATE, check_fields};

/// In which direction the output sizes may differ from those asked for, so that the aspect ratio is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AspectRatio {
    /// The output is no larger than asked for.
    NotLarger,
    /// The output is no smaller than asked for.
    NotSmaller,
}

/// ONNX's `keep_aspect_ratio_policy`, except `stretch`, which keeps no ratio.
impl FromStr for AspectRatio {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let known = [("not_larger", Self::NotLarger), ("not_smaller", Self::NotSmaller)];
        parse_word("keep_aspect_ratio_policy", word, &known)
    }
}

/// `mode` of `torch.nn.functional.interpolate`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum PytorchInterpolate {
    /// `nearest`: `floor(q * in / out)`.
    Nearest,
    /// `nearest-exact`: `floor((q + 0.5) * in / out)`.
    NearestExact,
    /// `linear`, `bilinear`, `trilinear`.
    Linear {
        /// Whether the corner samples keep their places.
        align_corners: bool,
    },
    /// `bicubic`.
    Cubic {
        /// Whether the corner samples keep their places.
        align_corners: bool,
    },
    /// `area`.
    Area,
    /// `antialias=True` with this filter: `bilinear`, `bicubic` (of parameter -0.5) or `lanczos` (of three lobes).
    Antialias {
        /// The filter.
        filter: Filter,
        /// Whether the corner samples keep their places.
        align_corners: bool,
    },
}

/// `method` of `tf.image.resize` (TensorFlow 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TensorflowResize {
    /// `nearest`.
    Nearest,
    /// `bilinear`.
    Bilinear,
    /// `bicubic`.
    Bicubic,
    /// `area`.
    Area,
    /// `lanczos3`.
    Lanczos3,
    /// `lanczos5`.
    Lanczos5,
    /// `gaussian`.
    Gaussian,
    /// `mitchellcubic`.
    MitchellCubic,
}

/// `method` of `tf.compat.v1.image.resize` (TensorFlow 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TensorflowV1Resize {
    /// `NEAREST_NEIGHBOR`.
    Nearest,
    /// `BILINEAR`.
    Bilinear,
    /// `BICUBIC`.
    Bicubic,
    /// `AREA`.
    Area,
}

/// `interpolation` of OpenCV's `cv::resize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpencvInterpolation {
    /// `INTER_NEAREST`.
    Nearest,
    /// `INTER_NEAREST_EXACT`.
    NearestExact,
    /// `INTER_LINEAR`.
    Linear,
    /// `INTER_LINEAR_EXACT`: the same as `Linear` for images of floats. For images of integers, OpenCV rounds the
    /// weights, too; its results were up to 1.1 code values off.
    LinearExact,
    /// `INTER_CUBIC`.
    Cubic,
    /// `INTER_AREA`.
    Area,
    /// `INTER_LANCZOS4`.
    Lanczos4,
}

/// `resample` of Pillow's `Image.resize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PillowResample {
    /// `NEAREST`.
    Nearest,
    /// `BOX`.
    Box,
    /// `BILINEAR`.
    Bilinear,
    /// `HAMMING`.
    Hamming,
    /// `BICUBIC`.
    Bicubic,
    /// `LANCZOS`.
    Lanczos,
}

/// `order` of scikit-image's `transform.resize` and SciPy's `ndimage.zoom` (with `grid_mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScikitOrder {
    /// 0: the nearest sample.
    Nearest,
    /// 1: linear.
    Linear,
    /// 3: cubic B-splines through the samples.
    Cubic,
}

impl<const R: usize> Upsample<R> {
    /// Sets the output size that scales give, `floor(input * scale)`, and keeps the scales for the coordinates: ONNX's
    /// `scales` as f32, and PyTorch's `scale_factor` as f64. The product is rounded in the scale's type before the
    /// floor, as onnxruntime (f32) and PyTorch (f64) round it, so that sizes are theirs: `0.7f32` of 10 samples are 7.
    /// [`Scale`] says which fraction the coordinates use.
    ///
    /// For PyTorch's `recompute_scale_factor=True`, set `scales` to `None` afterwards. Refuses scales outside 2⁻³⁰ to
    /// 2³⁰ ([`Error::InvalidParameter`]).
    pub fn with_scales<S: Into<Scale>>(self, scales: [S; R]) -> Result<Self> {
        let scales = scales.map(Into::into);
        let mut output_size = [0; R];
        for axis in 0..R {
            output_size[axis] = scales[axis].output_size(self.input_size[axis])?;
        }
        Self { output_size, scales: Some(scales), ..self }.checked()
    }

    /// ONNX `keep_aspect_ratio_policy`: one scale for every axis, the smallest (`not_larger`) or the largest
    /// (`not_smaller`) of `size / input`; the output sizes are rounded, halves up.
    pub fn keep_aspect_ratio(self, sizes: [usize; R], policy: AspectRatio) -> Result<Self> {
        check_fields(&[("input_size", self.input_size, MAX_COORDINATE), ("output_size", sizes, MAX_COORDINATE)])?;
        let wanted = (0..R).map(|axis| sizes[axis] as f64 / self.input_size[axis] as f64);
        let scale = Scale::F64(match policy {
            AspectRatio::NotLarger => wanted.fold(f64::INFINITY, f64::min),
            AspectRatio::NotSmaller => wanted.fold(0.0, f64::max),
        });
        let ratio = scale.simplest()?;
        let output_size = self.input_size.map(|input| ratio.multiply(input as i128).plus_half().floor() as usize);
        Self { output_size, scales: Some([scale; R]), ..self }.checked()
    }

    /// `torch.nn.functional.interpolate`: mode and coordinates of `base` are replaced, its scales are kept. This and
    /// the other constructors refuse what [`Op::output`](crate::Op::output) refuses.
    pub fn pytorch(base: Self, mode: PytorchInterpolate) -> Result<Self> {
        let corners = |align| if align { Coordinates::AlignCorners } else { Coordinates::HalfPixel };
        let cubic = UpsampleMode::Cubic { a: -0.75, exclude_outside: false };
        let (mode, coordinates) = match mode {
            PytorchInterpolate::Nearest => (UpsampleMode::Nearest(Rounding::Floor), Coordinates::Asymmetric),
            PytorchInterpolate::NearestExact => (UpsampleMode::Nearest(Rounding::Floor), Coordinates::TfHalfPixelForNn),
            PytorchInterpolate::Linear { align_corners } => (UpsampleMode::Linear, corners(align_corners)),
            PytorchInterpolate::Cubic { align_corners } => (cubic, corners(align_corners)),
            PytorchInterpolate::Area => (UpsampleMode::AdaptiveArea, Coordinates::HalfPixel),
            PytorchInterpolate::Antialias { filter, align_corners } => {
                (renormalised(filter, true), corners(align_corners))
            }
        };
        Self { mode, coordinates, ..base }.checked()
    }

    /// `tf.image.resize` (TensorFlow 2), with half-pixel centres: mode, coordinates and scales of `base` are replaced.
    /// `antialias` has no effect on `nearest` and `area`. Without it, `bicubic` looks its weights up in a table of 1024
    /// steps ([`UpsampleMode::CubicTable`]), as TensorFlow's `ResizeBicubic` does; with it, the weights are Keys'.
    pub fn tensorflow(base: Self, method: TensorflowResize, antialias: bool) -> Result<Self> {
        let filtered = |filter| renormalised(filter, antialias);
        let mode = match method {
            TensorflowResize::Nearest => UpsampleMode::Nearest(Rounding::Floor),
            TensorflowResize::Bilinear => filtered(Filter::Triangle),
            TensorflowResize::Bicubic if antialias => filtered(Filter::Cubic { a: -0.5 }),
            TensorflowResize::Bicubic => UpsampleMode::CubicTable { a: -0.5, exclude_outside: true },
            TensorflowResize::Area => UpsampleMode::Area,
            TensorflowResize::Lanczos3 => filtered(Filter::Lanczos { lobes: 3 }),
            TensorflowResize::Lanczos5 => filtered(Filter::Lanczos { lobes: 5 }),
            TensorflowResize::Gaussian => filtered(Filter::Gaussian),
            TensorflowResize::MitchellCubic => filtered(Filter::Mitchell),
        };
        let nearest = method == TensorflowResize::Nearest;
        let coordinates = if nearest { Coordinates::TfHalfPixelForNn } else { Coordinates::HalfPixel };
        Self { mode, coordinates, scales: None, ..base }.checked()
    }

    /// `tf.compat.v1.image.resize` (TensorFlow 1), which does not count from the centres of samples: mode, coordinates
    /// and scales of `base` are replaced. `bicubic` looks its weights up in a table of 1024 steps
    /// ([`UpsampleMode::CubicTable`]), with -0.75 as Keys' parameter and the edge repeated.
    pub fn tensorflow_v1(base: Self, method: TensorflowV1Resize, align_corners: bool) -> Result<Self> {
        let mode = match method {
            // With aligned corners, TensorFlow rounds to the nearest sample instead of down.
            TensorflowV1Resize::Nearest if align_corners => UpsampleMode::Nearest(Rounding::PreferCeil),
            TensorflowV1Resize::Nearest => UpsampleMode::Nearest(Rounding::Floor),
            TensorflowV1Resize::Bilinear => UpsampleMode::Linear,
            TensorflowV1Resize::Bicubic => UpsampleMode::CubicTable { a: -0.75, exclude_outside: false },
            TensorflowV1Resize::Area => UpsampleMode::Area,
        };
        let coordinates = if align_corners { Coordinates::AlignCorners } else { Coordinates::Asymmetric };
        Self { mode, coordinates, scales: None, ..base }.checked()
    }

    /// OpenCV's `cv::resize` to a size: mode, coordinates and scales of `base` are replaced. Only `Area` guards against
    /// aliasing. For 8-bit images, OpenCV computes in fixed point, and its results may differ by one code value from
    /// correctly rounded ones.
    ///
    /// `Nearest`, `NearestExact` and, where it enlarges, `Area` find their samples exactly. OpenCV multiplies or adds
    /// up rounded steps: where an output's coordinate is a whole number, it may take the sample before. Of the 1600
    /// pairs of sizes up to 40, OpenCV 5 does so in 20 for `INTER_NEAREST`, in 10 for `INTER_AREA`, and in 217 for
    /// `INTER_NEAREST_EXACT`.
    pub fn opencv(base: Self, interpolation: OpencvInterpolation) -> Result<Self> {
        let shrinks = (0..R).all(|axis| base.output_size[axis] <= base.input_size[axis]);
        let nearest = UpsampleMode::Nearest(Rounding::Floor);
        let cubic = UpsampleMode::Cubic { a: -0.75, exclude_outside: false };
        let lanczos = edge_repeated(Filter::Lanczos { lobes: 4 });
        let (mode, coordinates) = match interpolation {
            OpencvInterpolation::Nearest => (nearest, Coordinates::Asymmetric),
            OpencvInterpolation::NearestExact => (nearest, Coordinates::TfHalfPixelForNn),
            OpencvInterpolation::Linear | OpencvInterpolation::LinearExact => {
                (UpsampleMode::Linear, Coordinates::HalfPixel)
            }
            OpencvInterpolation::Cubic => (cubic, Coordinates::HalfPixel),
            OpencvInterpolation::Area if shrinks => (UpsampleMode::Area, Coordinates::HalfPixel),
            OpencvInterpolation::Area => (UpsampleMode::Linear, Coordinates::OpenCvArea),
            OpencvInterpolation::Lanczos4 => (lanczos, Coordinates::HalfPixel),
        };
        Self { mode, coordinates, scales: None, ..base }.checked()
    }

    /// scikit-image's `transform.resize` with mode `edge`: mode, coordinates and scales of `base` are replaced. For its
    /// `anti_aliasing`, run [`Self::blur`] first; its `clip` is left to the caller.
    pub fn scikit_image(base: Self, order: ScikitOrder) -> Result<Self> {
        let (mode, coordinates) = match order {
            ScikitOrder::Nearest => (UpsampleMode::Nearest(Rounding::Floor), Coordinates::TfHalfPixelForNn),
            ScikitOrder::Linear => (UpsampleMode::Linear, Coordinates::HalfPixel),
            ScikitOrder::Cubic => (edge_repeated(Filter::CubicSpline), Coordinates::HalfPixel),
        };
        Self { mode, coordinates, scales: None, ..base }.checked()
    }

    /// A Gaussian blur that keeps the input's size and repeats the edge: SciPy's `gaussian_filter` with mode `nearest`.
    /// `sigma` is in samples; against aliasing, scikit-image takes σ = (input / output - 1) / 2.
    pub fn blur(base: Self, sigma: f64) -> Result<Self> {
        let mode = edge_repeated(Filter::Blur { sigma });
        Self { mode, coordinates: Coordinates::HalfPixel, scales: None, output_size: base.input_size, ..base }.checked()
    }

    /// Pillow's `Image.resize` of the whole image: mode, coordinates and scales of `base` are replaced. Every filter
    /// but `Nearest` guards against aliasing. `Nearest` finds its samples exactly; Pillow adds up a rounded step, as
    /// OpenCV's `INTER_NEAREST_EXACT` does ([`Self::opencv`]).
    ///
    /// For an 8-bit image, Pillow rounds and clips after each axis. To get exactly its numbers, resize the width alone,
    /// round and clip, then do the same with the height; the height comes first if it shrinks and the width grows.
    pub fn pillow(base: Self, resample: PillowResample) -> Result<Self> {
        let filtered = |filter| (renormalised(filter, true), Coordinates::HalfPixel);
        let (mode, coordinates) = match resample {
            PillowResample::Nearest => (UpsampleMode::Nearest(Rounding::Floor), Coordinates::TfHalfPixelForNn),
            PillowResample::Box => filtered(Filter::Box),
            PillowResample::Bilinear => filtered(Filter::Triangle),
            PillowResample::Hamming => filtered(Filter::Hamming),
            PillowResample::Bicubic => filtered(Filter::Cubic { a: -0.5 }),
            PillowResample::Lanczos => filtered(Filter::Lanczos { lobes: 3 }),
        };
        Self { mode, coordinates, scales: None, ..base }.checked()
    }
}

/// A filter whose weights inside the border are scaled to sum to 1.
fn renormalised(filter: Filter, antialias: bool) -> UpsampleMode {
    UpsampleMode::Filtered { filter, antialias, border: Border::Renormalise }
}

/// A filter that repeats the edge past the border, and is never widened.
fn edge_repeated(filter: Filter) -> UpsampleMode {
    UpsampleMode::Filtered { filter, antialias: false, border: Border::Repeat }
}
