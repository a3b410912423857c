//! Upsampling as PyTorch and the tutorials write it.

use upconv::{Filter, PytorchInterpolate, Tensor, Upsample, Upsample2d};

use super::case::{Case, Outcome, numbers, shape, unsupported};
use super::engine::Engine;
use super::ops::Results;

pub async fn interpolate<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("input")?;
    let align_corners = case.flag("align_corners");
    let antialiased = |filter| PytorchInterpolate::Antialias { filter, align_corners };
    let mode = match (case.word("mode"), case.flag("antialias")) {
        ("nearest", _) => PytorchInterpolate::Nearest,
        ("nearest-exact", _) => PytorchInterpolate::NearestExact,
        ("linear" | "bilinear" | "trilinear", false) => PytorchInterpolate::Linear { align_corners },
        ("bilinear", true) => antialiased(Filter::Triangle),
        ("bicubic", false) => PytorchInterpolate::Cubic { align_corners },
        ("bicubic", true) => antialiased(Filter::Cubic { a: -0.5 }),
        ("lanczos", true) => antialiased(Filter::Lanczos { lobes: 3 }),
        ("area", _) => PytorchInterpolate::Area,
        (mode, antialias) => return unsupported(format!("interpolate, mode {mode}, antialias {antialias}")),
    };
    let base = match (case.sizes::<R>("size")?, scales::<R>(case)) {
        (Some(size), _) => Upsample::from_shape(&shape(&input), size)?,
        (None, Some(scales)) => {
            let scaled = Upsample::from_shape(&shape(&input), [1; R])?.with_scales(scales)?;
            // A recomputed factor is the ratio of the sizes.
            if case.flag("recompute_scale_factor") { Upsample { scales: None, ..scaled } } else { scaled }
        }
        (None, None) => return unsupported("interpolate without a size or a scale"),
    };
    let up = Upsample::pytorch(base, mode)?;
    let mut results = vec![("output", engine.first(&up, &[&input]).await?)];
    if let Some(gradient) = case.input("grad_output")? {
        results.push(("grad_input", engine.first(&up.grad_input(), &[&gradient]).await?));
    }
    Ok(results)
}

/// One factor for each axis, or one for all.
fn scales<const R: usize>(case: &Case) -> Option<[f64; R]> {
    let value = case.attribute("scale_factor");
    if let Some(factor) = value.as_f64() {
        return Some([factor; R]);
    }
    let factors: Vec<f64> = value.as_array()?.iter().filter_map(|factor| factor.as_f64()).collect();
    factors[..].try_into().ok()
}

/// Nearest neighbours, or half-pixel bilinear rounded down.
pub async fn tutorial(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("input")?;
    let nearest = case.op_type() == "upsample_nearest";
    let base = Upsample2d::from_shape(&shape(&input), case.steps("output_size")?)?;
    let mode = if nearest { PytorchInterpolate::Nearest } else { PytorchInterpolate::Linear { align_corners: false } };
    let output = numbers(engine.first(&Upsample2d::pytorch(base, mode)?, &[&input]).await?)?;
    Ok(vec![("output", Tensor::F32(if nearest { output } else { output.mapv(f32::floor) }))])
}
