//! Filters as their definitions have them, and rows of a resampling matrix.

use std::f64::consts::PI;

/// The weights of all input samples in one output.
pub type Row = Vec<f64>;

/// A row for each output. `None` where the framework divides by a sum of 0.
pub type Matrix = Vec<Option<Row>>;

/// The value of a coordinate that f64 arithmetic may have moved off a whole number, a half or another simple fraction.
/// Sizes and scales of these tests have denominators far below 2^32.
pub fn snapped(x: f64) -> f64 {
    (x * 32f64.exp2()).round() / 32f64.exp2()
}

/// Keys' cubic: `(a + 2)|x|³ - (a + 3)|x|² + 1` up to 1, `a|x|³ - 5a|x|² + 8a|x| - 4a` up to 2.
pub fn keys(a: f64, x: f64) -> f64 {
    match x.abs() {
        x if x <= 1.0 => (a + 2.0) * x.powi(3) - (a + 3.0) * x.powi(2) + 1.0,
        x if x < 2.0 => a * x.powi(3) - 5.0 * a * x.powi(2) + 8.0 * a * x - 4.0 * a,
        _ => 0.0,
    }
}

pub fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

pub fn lanczos(lobes: f64, x: f64) -> f64 {
    if x.abs() < lobes { sinc(x) * sinc(x / lobes) } else { 0.0 }
}

/// A sinc under Hamming's window.
pub fn hamming(x: f64) -> f64 {
    if x.abs() < 1.0 { sinc(x) * (0.54 + 0.46 * (PI * x).cos()) } else { 0.0 }
}

/// TensorFlow's Gaussian, of σ = 1/2, which ends at 3 σ.
pub fn gaussian(x: f64) -> f64 {
    let sigma: f64 = 0.5;
    if x.abs() < 3.0 * sigma { (-x * x / (2.0 * sigma * sigma)).exp() } else { 0.0 }
}

/// Mitchell and Netravali's cubic by its two parameters, both 1/3.
pub fn mitchell(x: f64) -> f64 {
    let (b, c) = (1.0 / 3.0, 1.0 / 3.0);
    let sixths = match x.abs() {
        x if x < 1.0 => {
            (12.0 - 9.0 * b - 6.0 * c) * x.powi(3) + (-18.0 + 12.0 * b + 6.0 * c) * x.powi(2) + (6.0 - 2.0 * b)
        }
        x if x < 2.0 => {
            (-b - 6.0 * c) * x.powi(3)
                + (6.0 * b + 30.0 * c) * x.powi(2)
                + (-12.0 * b - 48.0 * c) * x
                + (8.0 * b + 24.0 * c)
        }
        _ => 0.0,
    };
    sixths / 6.0
}

/// The cubic B-spline.
pub fn b_spline(x: f64) -> f64 {
    match x.abs() {
        x if x < 1.0 => (4.0 - 6.0 * x.powi(2) + 3.0 * x.powi(3)) / 6.0,
        x if x < 2.0 => (2.0 - x).powi(3) / 6.0,
        _ => 0.0,
    }
}

/// A row that copies a sample; an index past the border stands for the edge.
pub fn copy(index: f64, input: usize) -> Row {
    row(input, [(index, 1.0)])
}

/// A row of weighted samples; an index past the border stands for the edge.
pub fn row(input: usize, taps: impl IntoIterator<Item = (f64, f64)>) -> Row {
    let mut row = vec![0.0; input];
    taps.into_iter().for_each(|(index, weight)| row[index.clamp(0.0, input as f64 - 1.0) as usize] += weight);
    row
}

/// The row divided by its sum.
pub fn normalised(row: Row) -> Option<Row> {
    let sum: f64 = row.iter().sum();
    (sum.abs() > 1e-9).then(|| row.iter().map(|weight| weight / sum).collect())
}

/// Linear interpolation at `x`; past the border, the edge.
pub fn linear(x: f64, input: usize) -> Row {
    let (low, t) = (x.floor(), x - x.floor());
    row(input, [(low, 1.0 - t), (low + 1.0, t)])
}

/// Keys' cubic at `x`; past the border, the edge.
pub fn cubic(a: f64, x: f64, input: usize) -> Row {
    row(input, (-1..=2).map(|i| x.floor() + f64::from(i)).map(|index| (index, keys(a, index - x))))
}
