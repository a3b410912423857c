//! `torch.nn.functional.interpolate` along one axis.

use upconv::{Filter, PytorchInterpolate};

use super::kernels::{Matrix, copy, cubic, keys, lanczos, linear, normalised, row, snapped, triangle};

pub const MODES: [PytorchInterpolate; 13] = [
    PytorchInterpolate::Nearest,
    PytorchInterpolate::NearestExact,
    PytorchInterpolate::Linear { align_corners: false },
    PytorchInterpolate::Linear { align_corners: true },
    PytorchInterpolate::Cubic { align_corners: false },
    PytorchInterpolate::Cubic { align_corners: true },
    PytorchInterpolate::Area,
    PytorchInterpolate::Antialias { filter: Filter::Triangle, align_corners: false },
    PytorchInterpolate::Antialias { filter: Filter::Triangle, align_corners: true },
    PytorchInterpolate::Antialias { filter: Filter::Cubic { a: -0.5 }, align_corners: false },
    PytorchInterpolate::Antialias { filter: Filter::Cubic { a: -0.5 }, align_corners: true },
    PytorchInterpolate::Antialias { filter: Filter::Lanczos { lobes: 3 }, align_corners: false },
    PytorchInterpolate::Antialias { filter: Filter::Lanczos { lobes: 3 }, align_corners: true },
];

/// `factor` is the scale factor, if the caller gave one.
pub fn matrix(mode: PytorchInterpolate, input: usize, output: usize, factor: Option<f64>) -> Matrix {
    let (samples, outputs) = (input as f64, output as f64);
    let free = factor.map_or(samples / outputs, |factor| 1.0 / factor);
    let step = |align_corners: bool| match align_corners {
        true if output > 1 => (samples - 1.0) / (outputs - 1.0),
        true => 0.0,
        false => free,
    };
    let source = |q: f64, align| if align { step(true) * q } else { free * (q + 0.5) - 0.5 };
    let output_row = |q: usize| {
        let q = q as f64;
        match mode {
            PytorchInterpolate::Nearest => Some(copy(snapped(q * free).floor(), input)),
            PytorchInterpolate::NearestExact => Some(copy(snapped((q + 0.5) * free).floor(), input)),
            PytorchInterpolate::Linear { align_corners } => Some(linear(source(q, align_corners).max(0.0), input)),
            PytorchInterpolate::Cubic { align_corners } => Some(cubic(-0.75, source(q, align_corners), input)),
            PytorchInterpolate::Area => {
                let start = snapped(q * samples / outputs).floor();
                let end = snapped((q + 1.0) * samples / outputs).ceil();
                normalised(row(input, (start as usize..end as usize).map(|index| (index as f64, 1.0))))
            }
            PytorchInterpolate::Antialias { filter, align_corners } => {
                antialiased(filter, q, step(align_corners), input)
            }
            other => panic!("{other:?} has no oracle"),
        }
    };
    (0..output).map(output_row).collect()
}

/// The filter is widened by the step where it is above 1; samples past the border are left out.
fn antialiased(filter: Filter, q: f64, step: f64, input: usize) -> Option<Vec<f64>> {
    let (radius, weight): (f64, &dyn Fn(f64) -> f64) = match filter {
        Filter::Triangle => (1.0, &triangle),
        Filter::Cubic { a } => (2.0, &move |x| keys(a, x)),
        Filter::Lanczos { lobes } => (lobes.into(), &move |x| lanczos(lobes.into(), x)),
        other => panic!("PyTorch has no {other:?}"),
    };
    let (wide, centre) = (step.max(1.0), step * (q + 0.5));
    let first = (centre - radius * wide + 0.5).trunc().max(0.0) as usize;
    let end = (centre + radius * wide + 0.5).trunc().min(input as f64) as usize;
    let weigh = |index: usize| (index as f64, weight((index as f64 - centre + 0.5) / wide));
    normalised(row(input, (first..end).map(weigh)))
}
