//! Ops of image libraries, on one image (H, W), or (H, W, C) with channels innermost.

use upconv::{OpencvInterpolation, PillowResample, ScikitOrder, Tensor, Upsample1d, Upsample2d};

use super::case::{Case, Outcome, numbers, permuted, reshaped, shape, unsupported};
use super::engine::Engine;
use super::ops::Results;

pub async fn compute(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let range = range(case.data_type("image"));
    let image = case.required("image")?;
    let sizes = shape(&image);
    // (H, W) or (H, W, C) as (1, C, H, W).
    let planes = reshaped(image, &[1, sizes[0], sizes[1], sizes.get(2).copied().unwrap_or(1)])?;
    let planes = permuted(&planes, &[0, 3, 1, 2])?;
    let base = Upsample2d::from_shape(&shape(&planes), case.steps("size")?)?;
    let output = match case.op_type() {
        "opencv_resize" => {
            let up = Upsample2d::opencv(base, opencv(case)?)?;
            clipped(engine.first(&up, &[&planes]).await?, range)?
        }
        "pillow_resize" if range.is_none() => {
            engine.first(&Upsample2d::pillow(base, pillow(case)?)?, &[&planes]).await?
        }
        "pillow_resize" => {
            // Pillow resizes one axis after the other, with 8 bits in between: the rows (axis 0) come first where the
            // height shrinks and the width grows.
            let [from, to] = [base.input_size, base.output_size];
            let rows_first = to[0] < from[0] && to[1] > from[1];
            let between = if rows_first { [to[0], from[1]] } else { [from[0], to[1]] };
            let first = Upsample2d { output_size: between, ..base.clone() };
            let first = engine.first(&Upsample2d::pillow(first, pillow(case)?)?, &[&planes]).await?;
            let first = Tensor::F32(numbers(clipped(first, range)?)?.mapv(|value| (value + 0.5).floor()));
            let second = Upsample2d { input_size: between, ..base };
            clipped(engine.first(&Upsample2d::pillow(second, pillow(case)?)?, &[&first]).await?, range)?
        }
        "skimage_resize" => spline(case, engine, base, planes).await?,
        op => return unsupported(format!("no op {op}")),
    };
    let output = permuted(&output, &[0, 2, 3, 1])?;
    let sizes = shape(&output);
    let rank = shape(&case.expected("output")?).len();
    let whole = if rank == 2 { vec![sizes[1], sizes[2]] } else { sizes[1..].to_vec() };
    Ok(vec![("output", reshaped(output, &whole)?)])
}

/// scikit-image's `resize`: a blur along each axis that shrinks, if asked for, then splines, then a clip to the image's
/// own range.
async fn spline(case: &Case, engine: &Engine<'_>, base: Upsample2d, mut planes: Tensor) -> Outcome<Tensor> {
    let order = match case.number("order") {
        Some(0.0) => ScikitOrder::Nearest,
        Some(1.0) => ScikitOrder::Linear,
        Some(3.0) => ScikitOrder::Cubic,
        other => return unsupported(format!("splines of order {other:?}")),
    };
    if case.word("mode") != "edge" {
        return unsupported(format!("mode {}", case.word("mode")));
    }
    let [least, most] =
        [f32::min, f32::max].map(|pick| numbers(planes.clone()).map(|all| all.iter().copied().reduce(pick)));
    for axis in 0..2 {
        let sigma = (base.input_size[axis] as f64 / base.output_size[axis] as f64 - 1.0) / 2.0;
        if case.flag("anti_aliasing") && sigma > 0.0 {
            // One axis at a time: each has its own width.
            planes = axis_last(&planes, axis)?;
            let line = Upsample1d::from_shape(&shape(&planes_joined(&planes)?), [base.input_size[axis]])?;
            let blurred = engine.first(&Upsample1d::blur(line, sigma)?, &[&planes_joined(&planes)?]).await?;
            planes = axis_last(&reshaped(blurred, &shape(&planes))?, axis)?;
        }
    }
    let output = numbers(engine.first(&Upsample2d::scikit_image(base, order)?, &[&planes]).await?)?;
    let (least, most) = (least?.unwrap_or(f32::MIN), most?.unwrap_or(f32::MAX));
    Ok(Tensor::F32(output.mapv(|value| value.clamp(least, most))))
}

/// (1, C, H, W) with this axis of the image last.
fn axis_last(planes: &Tensor, axis: usize) -> Outcome<Tensor> {
    if axis == 1 { Ok(planes.clone()) } else { permuted(planes, &[0, 1, 3, 2]) }
}

/// (1, C, H, W) as (1, C H, W).
fn planes_joined(planes: &Tensor) -> Outcome<Tensor> {
    let sizes = shape(planes);
    reshaped(planes.clone(), &[1, sizes[1] * sizes[2], sizes[3]])
}

/// The least and the largest value of an image of integers.
fn range(data_type: &str) -> Option<[f32; 2]> {
    match data_type {
        "uint8" => Some([0.0, 255.0]),
        "uint16" => Some([0.0, 65535.0]),
        "int16" => Some([-32768.0, 32767.0]),
        _ => None,
    }
}

fn clipped(tensor: Tensor, range: Option<[f32; 2]>) -> Outcome<Tensor> {
    let values = numbers(tensor)?;
    Ok(Tensor::F32(match range {
        Some([least, most]) => values.mapv(|value| value.clamp(least, most)),
        None => values,
    }))
}

fn opencv(case: &Case) -> Outcome<OpencvInterpolation> {
    Ok(match case.word("interpolation") {
        "INTER_NEAREST" => OpencvInterpolation::Nearest,
        "INTER_NEAREST_EXACT" => OpencvInterpolation::NearestExact,
        "INTER_LINEAR" => OpencvInterpolation::Linear,
        "INTER_LINEAR_EXACT" => OpencvInterpolation::LinearExact,
        "INTER_CUBIC" => OpencvInterpolation::Cubic,
        "INTER_AREA" => OpencvInterpolation::Area,
        "INTER_LANCZOS4" => OpencvInterpolation::Lanczos4,
        other => return unsupported(format!("OpenCV's {other}")),
    })
}

fn pillow(case: &Case) -> Outcome<PillowResample> {
    if !case.attribute("reducing_gap").is_null() {
        return unsupported("Pillow's reducing_gap");
    }
    Ok(match case.word("resample") {
        "NEAREST" => PillowResample::Nearest,
        "BOX" => PillowResample::Box,
        "BILINEAR" => PillowResample::Bilinear,
        "HAMMING" => PillowResample::Hamming,
        "BICUBIC" => PillowResample::Bicubic,
        "LANCZOS" => PillowResample::Lanczos,
        other => return unsupported(format!("Pillow's {other}")),
    })
}
