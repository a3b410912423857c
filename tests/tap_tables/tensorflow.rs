//! `tf.image.resize` and `tf.compat.v1.image.resize` along one axis.

use upconv::{TensorflowResize, TensorflowV1Resize};

use super::kernels::{
    Matrix, Row, copy, gaussian, keys, lanczos, linear, mitchell, normalised, row, snapped, triangle,
};

pub const METHODS: [TensorflowResize; 8] = [
    TensorflowResize::Nearest,
    TensorflowResize::Bilinear,
    TensorflowResize::Bicubic,
    TensorflowResize::Area,
    TensorflowResize::Lanczos3,
    TensorflowResize::Lanczos5,
    TensorflowResize::Gaussian,
    TensorflowResize::MitchellCubic,
];

pub const V1_METHODS: [TensorflowV1Resize; 4] =
    [TensorflowV1Resize::Nearest, TensorflowV1Resize::Bilinear, TensorflowV1Resize::Bicubic, TensorflowV1Resize::Area];

/// TensorFlow 2 calls `ScaleAndTranslate` for some methods, and for all that are continuous if `antialias` is set.
pub fn matrix(method: TensorflowResize, antialias: bool, input: usize, output: usize) -> Matrix {
    let step = input as f64 / output as f64;
    let half_pixel = |q: usize| (q as f64 + 0.5) * step - 0.5;
    let widened = |radius: f64, weight: &dyn Fn(f64) -> f64| {
        let wide = if antialias { step.max(1.0) } else { 1.0 };
        (0..output).map(|q| spanned(radius, weight, (q as f64 + 0.5) * step, wide, input)).collect()
    };
    let each = |row: &dyn Fn(usize) -> Option<Row>| (0..output).map(row).collect();
    match method {
        TensorflowResize::Nearest => each(&|q| Some(copy(snapped((q as f64 + 0.5) * step).floor(), input))),
        TensorflowResize::Area => each(&|q| area(q, step, input)),
        TensorflowResize::Bilinear if antialias => widened(1.0, &triangle),
        TensorflowResize::Bilinear => each(&|q| Some(linear(half_pixel(q), input))),
        TensorflowResize::Bicubic if antialias => widened(2.0, &|x| keys(-0.5, x)),
        TensorflowResize::Bicubic => each(&|q| {
            let inside = |index: f64| (0.0..input as f64).contains(&index);
            normalised(row(input, looked_up(-0.5, half_pixel(q)).into_iter().filter(|tap| inside(tap.0))))
        }),
        TensorflowResize::Lanczos3 => widened(3.0, &|x| lanczos(3.0, x)),
        TensorflowResize::Lanczos5 => widened(5.0, &|x| lanczos(5.0, x)),
        TensorflowResize::Gaussian => widened(1.5, &gaussian),
        TensorflowResize::MitchellCubic => widened(2.0, &mitchell),
        other => panic!("{other:?} has no oracle"),
    }
}

/// TensorFlow 1 counts from the first sample, not from its start.
pub fn v1_matrix(method: TensorflowV1Resize, align_corners: bool, input: usize, output: usize) -> Matrix {
    let aligned = align_corners && output > 1;
    let step = if aligned { (input as f64 - 1.0) / (output as f64 - 1.0) } else { input as f64 / output as f64 };
    let output_row = |q: usize| match method {
        TensorflowV1Resize::Nearest if align_corners => Some(copy(snapped(q as f64 * step).round(), input)),
        TensorflowV1Resize::Nearest => Some(copy(snapped(q as f64 * step).floor(), input)),
        TensorflowV1Resize::Bilinear => Some(linear(q as f64 * step, input)),
        TensorflowV1Resize::Bicubic => Some(row(input, looked_up(-0.75, q as f64 * step))),
        TensorflowV1Resize::Area => area(q, step, input),
        other => panic!("{other:?} has no oracle"),
    };
    (0..output).map(output_row).collect()
}

/// The four samples around `x`, with weights from a table of two columns: Keys' cubic at i/1024 and at 1 + i/1024.
fn looked_up(a: f64, x: f64) -> [(f64, f64); 4] {
    const STEPS: usize = 1024;
    let table: Vec<[f64; 2]> = (0..=STEPS)
        .map(|i| i as f64 / STEPS as f64)
        .map(|x| [keys(a, x), if x < 1.0 { keys(a, 1.0 + x) } else { 0.0 }])
        .collect();
    let low = snapped(x).floor();
    let offset = snapped((x - low) * STEPS as f64).round_ties_even() as usize;
    let [after, before] = [offset, STEPS - offset].map(|at| table[at]);
    [(low - 1.0, after[1]), (low, after[0]), (low + 1.0, before[0]), (low + 2.0, before[1])]
}

/// `ScaleAndTranslate`: the samples whose centres are within the radius, apart from those past the border.
fn spanned(radius: f64, weight: &dyn Fn(f64) -> f64, sample: f64, wide: f64, input: usize) -> Option<Row> {
    let last = input as f64 - 1.0;
    let first = snapped(sample - radius * wide - 0.5).ceil().clamp(0.0, last) as usize;
    let end = snapped(sample + radius * wide - 0.5).floor().clamp(0.0, last) as usize + 1;
    // A Gaussian jumps at its end, which must not be missed by a rounding.
    let distance = |index: usize| match (index as f64 + 0.5 - sample) / wide {
        x if snapped(x).abs() == radius => radius,
        x => x,
    };
    normalised(row(input, (first..end).map(|index| (index as f64, weight(distance(index))))))
}

/// `ResizeArea`: each sample's part that lies in the output, which is `step` wide. A step of 0, from aligned corners of
/// one sample, is divided by.
fn area(q: usize, step: f64, input: usize) -> Option<Row> {
    let [start, end] = [q as f64 * step, (q as f64 + 1.0) * step];
    let part = |index: usize| (end.min(index as f64 + 1.0) - start.max(index as f64)).max(0.0) / step;
    let taps = (start.floor() as usize..=end.ceil() as usize).map(|index| (index as f64, part(index)));
    (step > 0.0).then(|| row(input, taps))
}
