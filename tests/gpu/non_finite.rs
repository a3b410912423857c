//! Where a NaN or an infinity in an input reaches, by every recipe.

use ndarray::ArrayD;
use upconv::gpu::{GpuOp, Shape};
use upconv::{Error, Filter, Gpu, PlanOptions, PytorchInterpolate, Recipe, ResizeConv2d, Upsample2d, UpsampleMode};

use crate::Row;
use crate::harness::{Data, Outcome, compare, inputs, run_plan};
use crate::problems::Fields;

fn text(error: Error) -> String {
    error.to_string()
}

/// Which outputs may be NaN where the definition gives a number or an infinity.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Spread {
    /// None: the recipe multiplies nothing that the definition leaves out.
    None,
    /// Some: the recipe multiplies padding as zeros, or samples of other outputs by weights of 0.
    ByZeros,
}

/// A recipe of an op that skips what the definition leaves out, whatever the recipe.
fn nowhere(_: &Recipe) -> Spread {
    Spread::None
}

/// A recipe of a convolution with padding.
fn padded(recipe: &Recipe) -> Spread {
    match recipe.shape {
        Shape::Gemm { .. } | Shape::Blocks { .. } => Spread::ByZeros,
        _ => Spread::None,
    }
}

/// A recipe of a convolution without padding.
fn unpadded(recipe: &Recipe) -> Spread {
    match recipe.shape {
        Shape::Gemm { merged: None, .. } => Spread::None,
        _ => padded(recipe),
    }
}

/// Puts a NaN and infinities at the first, middle and last element of each input in turn and runs the op by one recipe
/// of each shader and shape. Outputs must be those of the definition, where a recipe of [`Spread::ByZeros`] may have a
/// NaN instead, but never another number.
async fn check<O: GpuOp>(gpu: &Gpu, op: &O, name: &str, data: Data, spread: fn(&Recipe) -> Spread) -> Outcome {
    let mut recipes = op.recipes(gpu.planner().capabilities(), &PlanOptions::default());
    recipes.dedup_by_key(|recipe| (recipe.shader, recipe.shape));
    let finite = inputs(op, name, data)?;
    for recipe in recipes {
        let options = PlanOptions { recipe: Some(recipe.clone()), ..Default::default() };
        let plan = gpu.planner().plan_with(op, &options).map_err(text)?;
        for (number, tensor) in finite.iter().enumerate() {
            let places = [0, tensor.len() / 2, tensor.len() - 1];
            for (at, value) in places.into_iter().zip([f32::INFINITY, f32::NAN, f32::NEG_INFINITY]) {
                let mut inputs = finite.clone();
                inputs[number].as_slice_mut().ok_or("not contiguous")?[at] = value;
                let mut output = run_plan(gpu, op, &plan, &options, &inputs).await?;
                if spread(&recipe) == Spread::ByZeros {
                    without_nan(op, &inputs, &mut output)?;
                }
                compare(op, &inputs, &output, data)
                    .map_err(|error| format!("{recipe}: {value} at {at} of input {number}: {error}"))?;
            }
        }
    }
    Ok(())
}

/// Replaces each NaN of an output by what the definition gives there.
fn without_nan<O: GpuOp>(op: &O, inputs: &[ArrayD<f32>], output: &mut ArrayD<f32>) -> Outcome {
    let views: Vec<_> = inputs.iter().map(|tensor| tensor.view()).collect();
    let expected = op.reference(&views).map_err(text)?.to_f32();
    output.zip_mut_with(&expected, |value, &expected| {
        if value.is_nan() {
            *value = expected;
        }
    });
    Ok(())
}

const PADDED: &str = "n2_ic5_oc6_i5x7_k3x3_s2x1_p1x2";
const UNPADDED: &str = "ic9_oc5_i6x7_k3x2";
const TRANSPOSED: &str = "n2_ic5_oc6_i4x3_k3x4_s2x2_p1x1";

async fn convolutions(gpu: &Gpu) -> Outcome {
    check(gpu, &Fields::<2>::parse(PADDED).conv(), PADDED, Data::Integers, padded).await?;
    check(gpu, &Fields::<2>::parse(UNPADDED).conv(), UNPADDED, Data::Integers, unpadded).await?;
    check(gpu, &Fields::<2>::parse(TRANSPOSED).conv_transpose(), TRANSPOSED, Data::Integers, padded).await
}

async fn weight_gradients(gpu: &Gpu) -> Outcome {
    let conv = Fields::<2>::parse(PADDED).conv().grad_weight().map_err(text)?;
    check(gpu, &conv, PADDED, Data::Integers, padded).await?;
    let transposed = Fields::<2>::parse(TRANSPOSED).conv_transpose().grad_weight().map_err(text)?;
    check(gpu, &transposed, TRANSPOSED, Data::Integers, padded).await
}

fn up(mode: PytorchInterpolate) -> Result<Upsample2d, String> {
    let base = Upsample2d { channels: 2, input_size: [5, 7], output_size: [11, 9], ..Default::default() };
    Upsample2d::pytorch(base, mode).map_err(text)
}

async fn resampling(gpu: &Gpu) -> Outcome {
    check(gpu, &up(PytorchInterpolate::Nearest)?, "nearest", Data::Reals, nowhere).await?;
    let linear = up(PytorchInterpolate::Linear { align_corners: false })?;
    check(gpu, &linear, "linear", Data::Reals, nowhere).await?;
    check(gpu, &linear.grad_input(), "linear's gradient", Data::Reals, nowhere).await?;
    check(gpu, &up(PytorchInterpolate::Cubic { align_corners: true })?, "cubic", Data::Reals, nowhere).await?;
    let filter = Filter::Lanczos { lobes: 3 };
    let mode = UpsampleMode::Filtered { filter, antialias: true, border: Default::default() };
    check(gpu, &Upsample2d { mode, output_size: [3, 2], ..linear.clone() }, "Lanczos", Data::Reals, nowhere).await?;
    let conv = Fields::<2>::parse("ic2_oc3_i11x9_k3x3_p1x1").conv();
    check(gpu, &ResizeConv2d { upsample: linear, conv }, "resize", Data::Reals, nowhere).await
}

pub fn rows() -> Vec<Row> {
    vec![
        Row::new("a NaN or an infinity in a convolution", convolutions),
        Row::new("a NaN or an infinity in a gradient of the weight", weight_gradients),
        Row::new("a NaN or an infinity that is resampled", resampling),
    ]
}
