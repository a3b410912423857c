//! Image libraries along one axis: OpenCV, Pillow, scikit-image.

use std::f64::consts::PI;

use upconv::{OpencvInterpolation, PillowResample, ScikitOrder};

use super::kernels::{
    Matrix, Row, b_spline, copy, cubic, hamming, keys, lanczos, linear, normalised, row, snapped, triangle,
};

pub const OPENCV: [OpencvInterpolation; 7] = [
    OpencvInterpolation::Nearest,
    OpencvInterpolation::NearestExact,
    OpencvInterpolation::Linear,
    OpencvInterpolation::LinearExact,
    OpencvInterpolation::Cubic,
    OpencvInterpolation::Area,
    OpencvInterpolation::Lanczos4,
];

pub const PILLOW: [PillowResample; 6] = [
    PillowResample::Nearest,
    PillowResample::Box,
    PillowResample::Bilinear,
    PillowResample::Hamming,
    PillowResample::Bicubic,
    PillowResample::Lanczos,
];

pub const SCIKIT: [ScikitOrder; 3] = [ScikitOrder::Nearest, ScikitOrder::Linear, ScikitOrder::Cubic];

/// `cv::resize`. `shrinks` says whether no axis of the image grows, which `INTER_AREA` asks.
pub fn opencv(interpolation: OpencvInterpolation, shrinks: bool, input: usize, output: usize) -> Matrix {
    let (samples, outputs) = (input as f64, output as f64);
    let step = samples / outputs;
    let output_row = |q: usize| {
        let q = q as f64;
        let half_pixel = (q + 0.5) * step - 0.5;
        match interpolation {
            OpencvInterpolation::Nearest => Some(copy(snapped(q * step).floor(), input)),
            OpencvInterpolation::NearestExact => Some(copy(snapped((q + 0.5) * step).floor(), input)),
            OpencvInterpolation::Linear | OpencvInterpolation::LinearExact => Some(linear(half_pixel, input)),
            OpencvInterpolation::Cubic => Some(cubic(-0.75, half_pixel, input)),
            OpencvInterpolation::Area if shrinks => Some(area_tab(q * step, step, input)),
            OpencvInterpolation::Area => {
                let sample = snapped(q * step).floor();
                let beyond = snapped((q + 1.0) - (sample + 1.0) / step);
                let t = if beyond <= 0.0 { 0.0 } else { (q + 1.0) - (sample + 1.0) / step - beyond.floor() };
                Some(row(input, [(sample, 1.0 - t), (sample + 1.0, t)]))
            }
            OpencvInterpolation::Lanczos4 => lanczos4(half_pixel, input),
            other => panic!("{other:?} has no oracle"),
        }
    };
    (0..output).map(output_row).collect()
}

/// The samples between `start` and `start + step`: a part of the first, whole ones, and a part of the last.
fn area_tab(start: f64, step: f64, input: usize) -> Row {
    let end = start + step;
    let cell = step.min(input as f64 - start);
    let last = snapped(end).floor().min(input as f64 - 1.0);
    let first = snapped(start).ceil().min(last);
    let mut taps = Vec::new();
    if first - start > 1e-3 {
        taps.push((first - 1.0, (first - start) / cell));
    }
    taps.extend((first as usize..last as usize).map(|index| (index as f64, 1.0 / cell)));
    if end - last > 1e-3 {
        taps.push((last, (end - last).min(1.0).min(cell) / cell));
    }
    row(input, taps)
}

/// Eight samples, by the sines of quarter turns: `sin(π d) sin(π d / 4) / d²`, of which the first factor only changes
/// its sign from sample to sample.
fn lanczos4(x: f64, input: usize) -> Option<Row> {
    let (low, t) = (x.floor(), x - x.floor());
    if t < f64::from(f32::EPSILON) {
        return Some(copy(low, input));
    }
    let weigh = |i: i32| {
        let angle = (t + 3.0 - f64::from(i)) * PI / 4.0;
        let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
        (low - 3.0 + f64::from(i), sign * angle.sin() / (angle * angle))
    };
    let weights: Vec<(f64, f64)> = (0..8).map(weigh).collect();
    let sum: f64 = weights.iter().map(|tap| tap.1).sum();
    Some(row(input, weights.into_iter().map(|(index, weight)| (index, weight / sum))))
}

/// Pillow's `precompute_coeffs` in its own order of operations, which decides where a box ends on a sample's centre.
pub fn pillow(resample: PillowResample, input: usize, output: usize) -> Matrix {
    let (support, weight): (f64, &dyn Fn(f64) -> f64) = match resample {
        PillowResample::Nearest => return opencv(OpencvInterpolation::NearestExact, false, input, output),
        PillowResample::Box => (0.5, &|x| if x > -0.5 && x <= 0.5 { 1.0 } else { 0.0 }),
        PillowResample::Bilinear => (1.0, &triangle),
        PillowResample::Hamming => (1.0, &hamming),
        PillowResample::Bicubic => (2.0, &|x| keys(-0.5, x)),
        PillowResample::Lanczos => (3.0, &|x| lanczos(3.0, x)),
        other => panic!("{other:?} has no oracle"),
    };
    let scale = input as f64 / output as f64;
    let (support, narrow) = (support * scale.max(1.0), 1.0 / scale.max(1.0));
    let output_row = |q: usize| {
        let centre = (q as f64 + 0.5) * scale;
        // A cast to an integer cuts off what is below 0 and past the decimal point.
        let (first, end) = ((centre - support + 0.5) as usize, (centre + support + 0.5) as usize);
        let weigh = |index: usize| (index as f64, weight((index as f64 - centre + 0.5) * narrow));
        normalised(row(input, (first..end.min(input)).map(weigh)))
    };
    (0..output).map(output_row).collect()
}

/// `transform.resize` with mode `edge`.
pub fn scikit_image(order: ScikitOrder, input: usize, output: usize) -> Matrix {
    let half_pixel = |q: usize| (q as f64 + 0.5) * (input as f64 / output as f64) - 0.5;
    match order {
        ScikitOrder::Nearest => (0..output).map(|q| Some(copy(snapped(half_pixel(q) + 0.5).floor(), input))).collect(),
        ScikitOrder::Linear => (0..output).map(|q| Some(linear(half_pixel(q), input))).collect(),
        ScikitOrder::Cubic => spline(input, output, half_pixel),
        other => panic!("{other:?} has no oracle"),
    }
}

/// The cubic spline through the samples, whose edges are repeated so often that what comes after does not matter. Its
/// coefficients c solve `(c[i-1] + 4 c[i] + c[i+1]) / 6 = sample[i]`.
fn spline(input: usize, output: usize, source: impl Fn(usize) -> f64) -> Matrix {
    const MARGIN: usize = 40;
    let length = input + 2 * MARGIN;
    let coefficients: Vec<Vec<f64>> = (0..input)
        .map(|unit| {
            let sample = |i: usize| f64::from(u8::from(i.saturating_sub(MARGIN).min(input - 1) == unit));
            solved((0..length).map(|i| 6.0 * sample(i)).collect())
        })
        .collect();
    let value = |unit: usize, x: f64| {
        let low = x.floor() as i64;
        let term = |i: i64| coefficients[unit][(i + MARGIN as i64) as usize] * b_spline(x - i as f64);
        (low - 1..=low + 2).map(term).sum()
    };
    (0..output).map(|q| Some((0..input).map(|unit| value(unit, source(q))).collect())).collect()
}

/// The solution of the system with 4 on the diagonal and 1 beside it, by elimination.
fn solved(mut right: Vec<f64>) -> Vec<f64> {
    let mut above = vec![0.0; right.len()];
    for i in 0..right.len() {
        let (before, factor) = if i == 0 { (0.0, 0.0) } else { (right[i - 1], above[i - 1]) };
        let pivot = 4.0 - factor;
        above[i] = 1.0 / pivot;
        right[i] = (right[i] - before) / pivot;
    }
    for i in (0..right.len().saturating_sub(1)).rev() {
        right[i] -= above[i] * right[i + 1];
    }
    right
}

/// SciPy's `gaussian_filter1d` with mode `nearest`.
pub fn blur(sigma: f64, input: usize) -> Matrix {
    let radius = (4.0 * sigma + 0.5) as i64;
    let weight = |offset: i64| (-0.5 * (offset as f64 / sigma).powi(2)).exp();
    let row_at = |q: usize| {
        let taps = (-radius..=radius).map(|offset| (q as f64 + offset as f64, weight(offset)));
        normalised(row(input, taps))
    };
    (0..input).map(row_at).collect()
}
