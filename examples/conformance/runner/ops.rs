//! Makes this crate's descriptors from a case's op and attributes, and runs them.

use upconv::{Activation, Conv, ConvTranspose, Padding, PixelShuffle2d, ShuffleDirection, Tensor};

use super::case::{Case, Failure, Outcome, numbers, permuted, reshaped, shape, spatial, unsupported};
use super::engine::Engine;
use super::{folding, images, onnx, pooling, resize, tensorflow};

/// Named results of a case.
pub type Results = Vec<(&'static str, Tensor)>;

/// Calls a function whose const parameter is the number of spatial axes.
macro_rules! by_rank {
    ($axes:expr, $($function:ident)::+, $($argument:expr),+) => {
        match $axes {
            1 => $($function)::+::<1>($($argument),+).await,
            2 => $($function)::+::<2>($($argument),+).await,
            3 => $($function)::+::<3>($($argument),+).await,
            other => unsupported(format!("{other} spatial axes")),
        }
    };
}
pub(crate) use by_rank;

/// Computes a case, as far as the crate has what it asks for.
pub async fn compute(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    match case.suite() {
        "onnx_node" => return onnx::compute(case, engine).await,
        "tf" => return tensorflow::compute(case, engine).await,
        "image_libs" => return images::compute(case, engine).await,
        _ => {}
    }
    // A convolution and its activation are one op, such as `conv2d_relu`.
    let op = case.op_type();
    let op = op.strip_suffix(&format!("_{}", case.word("activation"))).unwrap_or(op);
    let axes = case.attribute("spatial_dims").as_u64().unwrap_or(2);
    let op = op.trim_end_matches("_backward");
    match ["1d", "2d", "3d"].iter().find_map(|axes| op.strip_suffix(axes)).unwrap_or(op) {
        "conv" => by_rank!(axes, convolution, case, engine),
        "conv_transpose" => by_rank!(axes, transposed, case, engine),
        "max_pool" => by_rank!(axes, pooling::maximum, case, engine),
        "avg_pool" => by_rank!(axes, pooling::average, case, engine),
        "max_unpool" => by_rank!(axes, pooling::unpool, case, engine),
        "fold" => by_rank!(axes, folding::fold, case, engine),
        "unfold" => by_rank!(axes, folding::unfold, case, engine),
        "bed_of_nails" => pooling::nails(case, engine).await,
        "interpolate" => by_rank!(axes, resize::interpolate, case, engine),
        "upsample_nearest" | "upsample_bilinear_then_floor" => resize::tutorial(case, engine).await,
        "pixel_shuffle" | "pixel_unshuffle" => shuffle(case, engine).await,
        "matmul" => product(case, engine).await,
        _ => unsupported(format!("no op {op}")),
    }
}

/// The activation that a case's op ends with.
fn activation(case: &Case) -> Outcome<Activation> {
    let number = |name: &str| {
        let value = case.number(name).map(|value| value as f32);
        value.ok_or_else(|| Failure::Failed(format!("the activation has no {name}")))
    };
    Ok(match case.word("activation") {
        "" => Activation::None,
        "relu" => Activation::Relu,
        "leaky_relu" => Activation::LeakyRelu { slope: number("slope")? },
        "sigmoid" => Activation::Sigmoid,
        "tanh" => Activation::Tanh,
        "relu6" | "clip" => Activation::Clip { min: number("min")?, max: number("max")? },
        other => return unsupported(format!("activation {other}")),
    })
}

/// PyTorch's `padding`: one number for each axis, for both sides.
fn padding<const R: usize>(case: &Case) -> Outcome<[i64; R]> {
    Ok(case.axes("padding")?.unwrap_or([0; R]))
}

async fn convolution<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let (input, weight, bias) = (case.required("input")?, case.required("weight")?, case.input("bias")?);
    let groups = case.number("groups").unwrap_or(1.0) as usize;
    if !matches!(case.word("padding_mode"), "" | "zeros") {
        return unsupported(format!("padding_mode {}", case.word("padding_mode")));
    }
    let padding = match case.word("padding") {
        "same" => Padding::SameUpper,
        "valid" => Padding::Valid,
        _ => Padding::Explicit(padding::<R>(case)?.map(|pad| [pad; 2])),
    };
    let conv = Conv {
        stride: case.steps("stride")?,
        padding,
        dilation: case.steps("dilation")?,
        bias: bias.is_some(),
        activation: activation(case)?,
        ..Conv::<R>::from_shapes(&shape(&input), &shape(&weight), groups)?
    };
    let inputs: Vec<_> = [&input, &weight].into_iter().chain(&bias).collect();
    let mut results = vec![("output", engine.first(&conv, &inputs).await?)];
    if let Some(gradient) = case.input("grad_output")? {
        results.push(("grad_input", engine.first(&conv.grad_input()?, &[&gradient, &weight]).await?));
        results.push(("grad_weight", engine.first(&conv.grad_weight()?, &[&input, &gradient]).await?));
        results.push(("grad_bias", engine.first(&conv.grad_bias()?, &[&gradient]).await?));
    }
    Ok(results)
}

async fn transposed<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let (input, weight, bias) = (case.required("input")?, case.required("weight")?, case.input("bias")?);
    let groups = case.number("groups").unwrap_or(1.0) as usize;
    let base = ConvTranspose {
        stride: case.steps("stride")?,
        dilation: case.steps("dilation")?,
        bias: bias.is_some(),
        activation: activation(case)?,
        ..ConvTranspose::<R>::from_shapes(&shape(&input), &shape(&weight), groups)?
    };
    let padding = padding::<R>(case)?.map(|pad| pad as usize);
    let up = ConvTranspose::pytorch(base, padding, case.sizes("output_padding")?.unwrap_or([0; R]))?;
    let inputs: Vec<_> = [&input, &weight].into_iter().chain(&bias).collect();
    let mut results = vec![("output", engine.first(&up, &inputs).await?)];
    if let Some(gradient) = case.input("grad_output")? {
        results.push(("grad_input", engine.first(&up.grad_input()?, &[&gradient, &weight]).await?));
        results.push(("grad_weight", engine.first(&up.grad_weight()?, &[&input, &gradient]).await?));
        results.push(("grad_bias", engine.first(&up.grad_bias()?, &[&gradient]).await?));
    }
    Ok(results)
}

async fn shuffle(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("input")?;
    let factor = case.steps("factor")?;
    // PyTorch takes any number of axes before the channels.
    let outer = shape(&input);
    let batch: usize = outer[..outer.len() - 3].iter().product();
    let flat = [&[batch], &outer[outer.len() - 3..]].concat();
    let input = reshaped(input, &flat)?;
    let shuffles = case.op_type() == "pixel_shuffle";
    let direction = if shuffles { ShuffleDirection::ToSpace } else { ShuffleDirection::ToDepth };
    let op = PixelShuffle2d::from_shape(&flat, factor, direction)?;
    let output = engine.first(&op, &[&input]).await?;
    let whole = [&outer[..outer.len() - 3], &shape(&output)[1..]].concat();
    Ok(vec![("output", reshaped(output, &whole)?)])
}

/// A matrix times a vector or a matrix, as a 1D convolution of kernel size 1 whose weight is the first matrix.
async fn product(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let matrix = case.input("W")?.or(case.input("C")?).or(case.input("A")?);
    let matrix = matrix.ok_or_else(|| Failure::Failed("the case has no matrix".into()))?;
    let matrix = if case.flag("transpose_a") { permuted(&matrix, &[1, 0])? } else { matrix };
    let (rows, vector) = (shape(&matrix), case.required("x")?);
    let columns = shape(&vector).get(1).copied().unwrap_or(1);
    let weight = reshaped(matrix, &[rows[0], rows[1], 1])?;
    let input = reshaped(permuted(&vector, &[0, 1])?, &[1, rows[1], columns])?;
    let conv = Conv::<1>::from_shapes(&shape(&input), &shape(&weight), 1)?;
    let output = engine.first(&conv, &[&input, &weight]).await?;
    let [length] = spatial(&output)?;
    Ok(vec![("output", Tensor::F32(numbers(reshaped(output, &[rows[0], length])?)?))])
}
