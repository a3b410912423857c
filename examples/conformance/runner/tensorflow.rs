//! TensorFlow's ops: channels last, filters with the taps outermost.

use serde_json::Value;
use upconv::{Conv2d, ConvTranspose2d, Op, Padding, Tensor, TensorflowResize, TensorflowV1Resize, Upsample2d};

use super::case::{Case, Failure, Outcome, permuted, shape, unsupported};
use super::engine::Engine;
use super::ops::Results;

const TO_NCHW: [usize; 4] = [0, 3, 1, 2];
const TO_NHWC: [usize; 4] = [0, 2, 3, 1];
/// (kh, kw, a, b) to (b, a, kh, kw).
const TO_WEIGHT: [usize; 4] = [3, 2, 0, 1];

pub async fn compute(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let output = match case.op_type() {
        "conv2d" => {
            let (input, weight) = operands(case)?;
            let base = Conv2d::from_shapes(&shape(&input), &shape(&weight), groups(&input, &weight, 1))?;
            let padding = match (case.word("padding"), explicit(case)) {
                ("SAME", _) => Padding::SameUpper,
                ("VALID", _) => Padding::Valid,
                (_, Some([_, rows, columns, _])) => Padding::Explicit([rows, columns]),
                (other, None) => return unsupported(format!("padding {other}")),
            };
            let (stride, dilation) = (steps(case, "strides")?, steps(case, "dilations")?);
            engine.first(&Conv2d { stride, dilation, padding, ..base }, &[&input, &weight]).await?
        }
        "conv2d_transpose" => {
            let (input, weight) = operands(case)?;
            let base = ConvTranspose2d::from_shapes(&shape(&input), &shape(&weight), 1)?;
            let padding = match case.word("padding") {
                "SAME" => Padding::SAME,
                "VALID" => Padding::Valid,
                other => return unsupported(format!("padding {other}")),
            };
            let (stride, dilation) = (steps(case, "strides")?, steps(case, "dilations")?);
            let output = case.sizes::<4>("output_shape")?.map(|shape| [shape[1], shape[2]]);
            let output = output.ok_or_else(|| Failure::Failed("no output_shape".into()))?;
            let up = ConvTranspose2d::tensorflow(ConvTranspose2d { stride, dilation, ..base }, padding, output)?;
            engine.first(&up, &[&input, &weight]).await?
        }
        "image_resize" => resized(case, engine, image_resize(case)?).await?,
        op if op.starts_with("raw_Resize") => resized(case, engine, raw(case, op)?).await?,
        op => return unsupported(format!("no op {op}")),
    };
    Ok(vec![("output", permuted(&output, &TO_NHWC)?)])
}

fn operands(case: &Case) -> Outcome<(Tensor, Tensor)> {
    Ok((permuted(&case.required("input")?, &TO_NCHW)?, permuted(&case.required("filter")?, &TO_WEIGHT)?))
}

/// Explicit padding before and after each of the four axes.
fn explicit(case: &Case) -> Option<[[i64; 2]; 4]> {
    let pair = |pair: &Value| Some([pair.get(0)?.as_i64()?, pair.get(1)?.as_i64()?]);
    let pairs: Option<Vec<_>> = case.attribute("padding").as_array()?.iter().map(pair).collect();
    pairs?.try_into().ok()
}

/// Groups follow from the shapes.
fn groups(input: &Tensor, weight: &Tensor, axis: usize) -> usize {
    shape(input)[1] / shape(weight)[axis].max(1)
}

/// An attribute of one number, of two for height and width, or of four with batch and channels, too.
fn steps(case: &Case, name: &str) -> Outcome<[usize; 2]> {
    match case.sizes::<4>(name) {
        Ok(Some([_, height, width, _])) if case.attribute(name).is_array() => Ok([height, width]),
        _ => case.steps(name),
    }
}

fn base(case: &Case) -> Outcome<Upsample2d> {
    let images = permuted(&case.required("images")?, &TO_NCHW)?;
    Ok(Upsample2d::from_shape(&shape(&images), case.steps("size")?)?)
}

async fn resized(case: &Case, engine: &Engine<'_>, up: Upsample2d) -> Outcome<Tensor> {
    up.output()?;
    Ok(engine.first(&up, &[&permuted(&case.required("images")?, &TO_NCHW)?]).await?)
}

fn image_resize(case: &Case) -> Outcome<Upsample2d> {
    let mut base = base(case)?;
    if case.flag("preserve_aspect_ratio") {
        // The smaller of the two scales applies to both axes, and the sizes are rounded.
        let scale = |axis: usize| base.output_size[axis] as f64 / base.input_size[axis] as f64;
        let least = scale(0).min(scale(1));
        base.output_size = base.input_size.map(|size| (size as f64 * least).round_ties_even().max(1.0) as usize);
    }
    let method = match case.word("method") {
        "nearest" => TensorflowResize::Nearest,
        "bilinear" => TensorflowResize::Bilinear,
        "bicubic" => TensorflowResize::Bicubic,
        "area" => TensorflowResize::Area,
        "lanczos3" => TensorflowResize::Lanczos3,
        "lanczos5" => TensorflowResize::Lanczos5,
        "gaussian" => TensorflowResize::Gaussian,
        "mitchellcubic" => TensorflowResize::MitchellCubic,
        other => return unsupported(format!("image_resize by {other}")),
    };
    Ok(Upsample2d::tensorflow(base, method, case.flag("antialias"))?)
}

/// The raw ops that `tf.image.resize` calls, with the flags of TensorFlow 1.
fn raw(case: &Case, op: &str) -> Outcome<Upsample2d> {
    let (method, v1) = match op {
        "raw_ResizeNearestNeighbor" => (TensorflowResize::Nearest, TensorflowV1Resize::Nearest),
        "raw_ResizeBilinear" => (TensorflowResize::Bilinear, TensorflowV1Resize::Bilinear),
        "raw_ResizeBicubic" => (TensorflowResize::Bicubic, TensorflowV1Resize::Bicubic),
        "raw_ResizeArea" => (TensorflowResize::Area, TensorflowV1Resize::Area),
        _ => return unsupported(format!("no op {op}")),
    };
    Ok(if case.flag("half_pixel_centers") {
        Upsample2d::tensorflow(base(case)?, method, false)?
    } else {
        Upsample2d::tensorflow_v1(base(case)?, v1, case.flag("align_corners"))?
    })
}
