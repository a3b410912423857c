//! ONNX's Resize along one axis.

use upconv::{Coordinates, Filter, Rounding, UpsampleMode};

use super::kernels::{Matrix, Row, copy, keys, linear, normalised, row, snapped, triangle};

pub const COORDINATES: [Coordinates<1>; 10] = [
    Coordinates::HalfPixel,
    Coordinates::AlignCorners,
    Coordinates::Asymmetric,
    Coordinates::PytorchHalfPixel,
    Coordinates::TfHalfPixelForNn,
    Coordinates::HalfPixelSymmetric,
    Coordinates::TfCropAndResize { roi: [[0.0, 1.0]] },
    Coordinates::TfCropAndResize { roi: [[0.25, 0.625]] },
    Coordinates::TfCropAndResize { roi: [[-0.5, 1.125]] },
    Coordinates::TfCropAndResize { roi: [[0.875, 0.25]] },
];

pub const NEAREST: [UpsampleMode; 4] = [
    UpsampleMode::Nearest(Rounding::Floor),
    UpsampleMode::Nearest(Rounding::Ceil),
    UpsampleMode::Nearest(Rounding::PreferFloor),
    UpsampleMode::Nearest(Rounding::PreferCeil),
];

/// `linear` and `cubic`, with and without `antialias` and `exclude_outside`.
pub fn continuous() -> Vec<UpsampleMode> {
    let mut modes = vec![UpsampleMode::Linear];
    for exclude_outside in [false, true] {
        modes.extend([-0.75, -0.5, -1.0].map(|a| UpsampleMode::Cubic { a, exclude_outside }));
        for filter in [Filter::Triangle, Filter::Cubic { a: -0.75 }, Filter::Cubic { a: -0.5 }] {
            modes.push(UpsampleMode::OnnxAntialias { filter, exclude_outside });
        }
    }
    modes
}

/// `scale` is the scale, if the caller gave one. An output that takes the extrapolation value has a row full of it,
/// which is what resizing each of the unit vectors gives.
pub fn matrix(
    mode: UpsampleMode,
    coordinates: Coordinates<1>,
    [input, output]: [usize; 2],
    scale: Option<f64>,
    extrapolation: f64,
) -> Matrix {
    let scale = scale.unwrap_or(output as f64 / input as f64);
    let output_row = |q: usize| {
        let x = source(coordinates, q as f64, [input as f64, output as f64], scale);
        let outside = snapped(x) < 0.0 || snapped(x) > input as f64 - 1.0;
        if outside && matches!(coordinates, Coordinates::TfCropAndResize { .. }) {
            return Some(vec![extrapolation; input]);
        }
        at(mode, x, scale, input)
    };
    (0..output).map(output_row).collect()
}

fn source(coordinates: Coordinates<1>, q: f64, [input, output]: [f64; 2], scale: f64) -> f64 {
    let half_pixel = (q + 0.5) / scale - 0.5;
    match coordinates {
        Coordinates::PytorchHalfPixel if output == 1.0 => 0.0,
        Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => half_pixel,
        Coordinates::AlignCorners if output == 1.0 => 0.0,
        Coordinates::AlignCorners => q * (input - 1.0) / (output - 1.0),
        Coordinates::Asymmetric => q / scale,
        Coordinates::TfHalfPixelForNn => (q + 0.5) / scale,
        Coordinates::HalfPixelSymmetric => {
            let adjustment = output / (scale * input);
            half_pixel + input / 2.0 * (1.0 - adjustment)
        }
        Coordinates::TfCropAndResize { roi: [[start, end]] } if output > 1.0 => {
            start * (input - 1.0) + q * (end - start) * (input - 1.0) / (output - 1.0)
        }
        Coordinates::TfCropAndResize { roi: [[start, end]] } => 0.5 * (start + end) * (input - 1.0),
        other => panic!("ONNX has no {other:?}"),
    }
}

fn at(mode: UpsampleMode, x: f64, scale: f64, input: usize) -> Option<Row> {
    let shrink = scale.min(1.0);
    match mode {
        UpsampleMode::Nearest(rounding) => {
            let x = snapped(x);
            let after = x - x.floor();
            let up = match rounding {
                Rounding::Floor => false,
                Rounding::Ceil => after > 0.0,
                Rounding::PreferFloor => after > 0.5,
                Rounding::PreferCeil => after >= 0.5,
                other => panic!("ONNX has no {other:?}"),
            };
            Some(copy(x.floor() + f64::from(up), input))
        }
        UpsampleMode::Linear => Some(linear(x, input)),
        UpsampleMode::Cubic { a, exclude_outside } => weighed(&|d| keys(a, d), 2.0, x, exclude_outside, input),
        UpsampleMode::OnnxAntialias { filter: Filter::Triangle, exclude_outside } => {
            weighed(&|d| triangle(d * shrink), 1.0 / shrink, x, exclude_outside, input)
        }
        UpsampleMode::OnnxAntialias { filter: Filter::Cubic { a }, exclude_outside } => {
            weighed(&|d| keys(a, d * shrink), 2.0 / shrink, x, exclude_outside, input)
        }
        other => panic!("ONNX has no {other:?}"),
    }
}

/// All samples within `reach` of `x`. Those past the border repeat the edge or are excluded.
fn weighed(weight: &dyn Fn(f64) -> f64, reach: f64, x: f64, exclude_outside: bool, input: usize) -> Option<Row> {
    let samples = ((x - reach).floor() as i64..=(x + reach).ceil() as i64).map(|index| index as f64);
    let kept = samples.filter(|index| !exclude_outside || (0.0..input as f64).contains(index));
    normalised(row(input, kept.map(|index| (index, weight(index - x)))))
}
