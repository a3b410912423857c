//! Upsampling as the frameworks call it: each constructor resolves to the same descriptor.

use super::coordinates::Coordinates;
use super::coordinates::scale_ratio;
use super::filters::Filter;
use super::upsample::{Rounding, Upsample, UpsampleMode};
use crate::error::Result;
use crate::geometry::{MAX_COORDINATE, check_fields};

/// Which size may be missed so that the aspect ratio stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AspectRatio {
    /// The output is no larger than asked for.
    NotLarger,
    /// The output is no smaller than asked for.
    NotSmaller,
}

/// `mode` of `torch.nn.functional.interpolate`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interpolate {
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
pub enum TfResize {
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

/// `interpolation` of OpenCV's `cv::resize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpenCvResize {
    /// `INTER_NEAREST`.
    Nearest,
    /// `INTER_NEAREST_EXACT`.
    NearestExact,
    /// `INTER_LINEAR`.
    Linear,
    /// `INTER_CUBIC`.
    Cubic,
    /// `INTER_AREA`.
    Area,
    /// `INTER_LANCZOS4`.
    Lanczos4,
}

/// `resample` of Pillow's `Image.resize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PillowResize {
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
pub enum SplineOrder {
    /// 0: the nearest sample.
    Nearest,
    /// 1: linear.
    Linear,
    /// 3: cubic B-splines through the samples.
    Cubic,
}

impl<const R: usize> Upsample<R> {
    /// The output size that scales give, `floor(input * scale)`, with the scales kept for the coordinates: ONNX's
    /// `scales`, and PyTorch's `scale_factor`. For PyTorch's `recompute_scale_factor=True` set `scales` to `None` after.
    pub fn scaled(base: Self, scales: [f64; R]) -> Result<Self> {
        scales.iter().try_for_each(|&scale| scale_ratio(scale).map(|_| ()))?;
        let output_size = std::array::from_fn(|axis| (base.input_size[axis] as f64 * scales[axis]).floor() as usize);
        Self { output_size, scales: Some(scales), ..base }.checked()
    }

    /// ONNX `keep_aspect_ratio_policy`: one scale for every axis, the smallest (`not_larger`) or the largest
    /// (`not_smaller`) of those that the sizes ask for; the output sizes are rounded, halves up.
    pub fn keep_aspect_ratio(base: Self, sizes: [usize; R], policy: AspectRatio) -> Result<Self> {
        check_fields(&[("input_size", base.input_size, MAX_COORDINATE), ("output_size", sizes, MAX_COORDINATE)])?;
        let wanted = (0..R).map(|axis| sizes[axis] as f64 / base.input_size[axis] as f64);
        let scale = match policy {
            AspectRatio::NotLarger => wanted.fold(f64::INFINITY, f64::min),
            AspectRatio::NotSmaller => wanted.fold(0.0, f64::max),
        };
        let output_size = base.input_size.map(|input| (input as f64 * scale + 0.5).floor() as usize);
        Self { output_size, scales: Some([scale; R]), ..base }.checked()
    }

    /// `torch.nn.functional.interpolate`: mode and coordinates of `base` are replaced.
    pub fn pytorch(base: Self, mode: Interpolate) -> Result<Self> {
        let corners = |align| if align { Coordinates::AlignCorners } else { Coordinates::HalfPixel };
        let cubic = UpsampleMode::Cubic { a: -0.75, exclude_outside: false };
        let (mode, coordinates) = match mode {
            Interpolate::Nearest => (UpsampleMode::Nearest(Rounding::Floor), Coordinates::Asymmetric),
            Interpolate::NearestExact => (UpsampleMode::Nearest(Rounding::Floor), Coordinates::TfHalfPixelForNn),
            Interpolate::Linear { align_corners } => (UpsampleMode::Linear, corners(align_corners)),
            Interpolate::Cubic { align_corners } => (cubic, corners(align_corners)),
            Interpolate::Area => (UpsampleMode::AdaptiveArea, Coordinates::HalfPixel),
            Interpolate::Antialias { filter, align_corners } => {
                (UpsampleMode::Filtered { filter, antialias: true }, corners(align_corners))
            }
        };
        Self { mode, coordinates, ..base }.checked()
    }

    /// `tf.image.resize` (TensorFlow 2), whose pixel centres lie at a half: mode, coordinates and scales of `base` are
    /// replaced. `antialias` has no effect on `nearest` and `area`.
    pub fn tensorflow(base: Self, method: TfResize, antialias: bool) -> Result<Self> {
        let filtered = |filter| UpsampleMode::Filtered { filter, antialias };
        let mode = match method {
            TfResize::Nearest => UpsampleMode::Nearest(Rounding::Floor),
            TfResize::Bilinear => filtered(Filter::Triangle),
            TfResize::Bicubic => filtered(Filter::Cubic { a: -0.5 }),
            TfResize::Area => UpsampleMode::Area,
            TfResize::Lanczos3 => filtered(Filter::Lanczos { lobes: 3 }),
            TfResize::Lanczos5 => filtered(Filter::Lanczos { lobes: 5 }),
            TfResize::Gaussian => filtered(Filter::Gaussian),
            TfResize::MitchellCubic => filtered(Filter::Mitchell),
        };
        let nearest = method == TfResize::Nearest;
        let coordinates = if nearest { Coordinates::TfHalfPixelForNn } else { Coordinates::HalfPixel };
        Self { mode, coordinates, scales: None, ..base }.checked()
    }

    /// OpenCV's `cv::resize` to a size: mode, coordinates and scales of `base` are replaced. It never guards against
    /// aliasing, but by `Area`. Of images of 8 bits OpenCV's own results are off by up to one code value from the rounded
    /// ones, as it computes them in fixed point.
    pub fn opencv(base: Self, interpolation: OpenCvResize) -> Result<Self> {
        let shrinks = (0..R).all(|axis| base.output_size[axis] <= base.input_size[axis]);
        let nearest = UpsampleMode::Nearest(Rounding::Floor);
        let cubic = UpsampleMode::Cubic { a: -0.75, exclude_outside: false };
        let lanczos = UpsampleMode::FilteredEdge { filter: Filter::Lanczos { lobes: 4 } };
        let (mode, coordinates) = match interpolation {
            OpenCvResize::Nearest => (nearest, Coordinates::Asymmetric),
            OpenCvResize::NearestExact => (nearest, Coordinates::TfHalfPixelForNn),
            OpenCvResize::Linear => (UpsampleMode::Linear, Coordinates::HalfPixel),
            OpenCvResize::Cubic => (cubic, Coordinates::HalfPixel),
            OpenCvResize::Area if shrinks => (UpsampleMode::Area, Coordinates::HalfPixel),
            OpenCvResize::Area => (UpsampleMode::Linear, Coordinates::OpenCvArea),
            OpenCvResize::Lanczos4 => (lanczos, Coordinates::HalfPixel),
        };
        Self { mode, coordinates, scales: None, ..base }.checked()
    }

    /// scikit-image's `transform.resize` with mode `edge`: mode, coordinates and scales of `base` are replaced. Its
    /// `anti_aliasing` is [`Self::blur`] before; its `clip` is up to the caller.
    pub fn scikit_image(base: Self, order: SplineOrder) -> Result<Self> {
        let (mode, coordinates) = match order {
            SplineOrder::Nearest => (UpsampleMode::Nearest(Rounding::Floor), Coordinates::TfHalfPixelForNn),
            SplineOrder::Linear => (UpsampleMode::Linear, Coordinates::HalfPixel),
            SplineOrder::Cubic => (UpsampleMode::FilteredEdge { filter: Filter::CubicSpline }, Coordinates::HalfPixel),
        };
        Self { mode, coordinates, scales: None, ..base }.checked()
    }

    /// A Gaussian blur of the input, which keeps its size, the edge repeated: SciPy's `gaussian_filter` with mode
    /// `nearest`. Against aliasing scikit-image takes σ = (input / output - 1) / 2.
    pub fn blur(base: Self, sigma: f64) -> Result<Self> {
        let mode = UpsampleMode::FilteredEdge { filter: Filter::Blur { sigma } };
        Self { mode, coordinates: Coordinates::HalfPixel, scales: None, output_size: base.input_size, ..base }.checked()
    }

    /// Pillow's `Image.resize` of the whole image: mode, coordinates and scales of `base` are replaced. Every filter but
    /// `Nearest` guards against aliasing.
    ///
    /// Of an 8-bit image Pillow rounds and clips after each axis: to get its very numbers, resize the width, then the
    /// height (the height first where it shrinks and the width grows), and do the same.
    pub fn pillow(base: Self, resample: PillowResize) -> Result<Self> {
        let filtered = |filter| (UpsampleMode::Filtered { filter, antialias: true }, Coordinates::HalfPixel);
        let (mode, coordinates) = match resample {
            PillowResize::Nearest => (UpsampleMode::Nearest(Rounding::Floor), Coordinates::TfHalfPixelForNn),
            PillowResize::Box => filtered(Filter::Box),
            PillowResize::Bilinear => filtered(Filter::Triangle),
            PillowResize::Hamming => filtered(Filter::Hamming),
            PillowResize::Bicubic => filtered(Filter::Cubic { a: -0.5 }),
            PillowResize::Lanczos => filtered(Filter::Lanczos { lobes: 3 }),
        };
        Self { mode, coordinates, scales: None, ..base }.checked()
    }
}
