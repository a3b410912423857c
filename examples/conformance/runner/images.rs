//! Image libraries: one image of rows and columns, or with channels innermost.

use upconv::{OpenCvResize, PillowResize, Tensor, Upsample2d};

use super::case::{Case, Outcome, numbers, permuted, reshaped, shape, unsupported};
use super::engine::Engine;
use super::ops::Results;

pub fn compute(case: &Case, engine: &Engine) -> Outcome<Results> {
    let eight_bit = case.data_type("image") == "uint8";
    let image = case.required("image")?;
    let sizes = shape(&image);
    // (H, W) or (H, W, C) as (1, C, H, W).
    let planes = reshaped(image, &[1, sizes[0], sizes[1], sizes.get(2).copied().unwrap_or(1)])?;
    let planes = permuted(&planes, &[0, 3, 1, 2]);
    let base = Upsample2d::from_shape(&shape(&planes), case.steps("size")?)?;
    let output = match case.op_type() {
        "opencv_resize" => {
            let up = Upsample2d::opencv(base, opencv(case)?, eight_bit)?;
            clipped(engine.first(&up, &[&planes])?, eight_bit)?
        }
        "pillow_resize" if !eight_bit => engine.first(&Upsample2d::pillow(base, pillow(case)?)?, &[&planes])?,
        "pillow_resize" => {
            // Columns, then rows, and 8 bits between; one that stays as it is is not touched.
            let columns = Upsample2d { output_size: [base.input_size[0], base.output_size[1]], ..base.clone() };
            let between = engine.first(&Upsample2d::pillow(columns, pillow(case)?)?, &[&planes])?;
            let between = Tensor::F32(numbers(clipped(between, true)?)?.mapv(|value| (value + 0.5).floor()));
            let rows = Upsample2d { input_size: [base.input_size[0], base.output_size[1]], ..base };
            clipped(engine.first(&Upsample2d::pillow(rows, pillow(case)?)?, &[&between])?, true)?
        }
        op => return unsupported(format!("no op {op}: splines and their prefilter are not in the crate")),
    };
    let output = permuted(&output, &[0, 2, 3, 1]);
    let sizes = shape(&output);
    let rank = shape(&case.expected("output")?).len();
    let whole = if rank == 2 { vec![sizes[1], sizes[2]] } else { sizes[1..].to_vec() };
    Ok(vec![("output", reshaped(output, &whole)?)])
}

fn clipped(tensor: Tensor, eight_bit: bool) -> Outcome<Tensor> {
    let values = numbers(tensor)?;
    Ok(Tensor::F32(if eight_bit { values.mapv(|value| value.clamp(0.0, 255.0)) } else { values }))
}

fn opencv(case: &Case) -> Outcome<OpenCvResize> {
    Ok(match case.word("interpolation") {
        "INTER_NEAREST" => OpenCvResize::Nearest,
        "INTER_NEAREST_EXACT" => OpenCvResize::NearestExact,
        "INTER_LINEAR" => OpenCvResize::Linear,
        "INTER_CUBIC" => OpenCvResize::Cubic,
        "INTER_AREA" => OpenCvResize::Area,
        "INTER_LANCZOS4" => OpenCvResize::Lanczos4,
        other => return unsupported(format!("OpenCV's {other}")),
    })
}

fn pillow(case: &Case) -> Outcome<PillowResize> {
    if !case.attribute("reducing_gap").is_null() {
        return unsupported("Pillow's reducing_gap");
    }
    Ok(match case.word("resample") {
        "NEAREST" => PillowResize::Nearest,
        "BOX" => PillowResize::Box,
        "BILINEAR" => PillowResize::Bilinear,
        "HAMMING" => PillowResize::Hamming,
        "BICUBIC" => PillowResize::Bicubic,
        "LANCZOS" => PillowResize::Lanczos,
        other => return unsupported(format!("Pillow's {other}")),
    })
}
