//! Unfold and fold as PyTorch and ONNX write them.

use upconv::{Fold, Padding, Unfold};

use super::case::{Case, Failure, Outcome, numbers, shape};
use super::engine::Engine;
use super::onnx::pads;
use super::ops::Results;

/// PyTorch's `padding`: the same number on both sides of an axis.
fn padding<const R: usize>(case: &Case) -> Outcome<Padding<R>> {
    Ok(Padding::Explicit(case.axes("padding")?.unwrap_or([0; R]).map(|pad| [pad; 2])))
}

pub async fn unfold<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("input")?;
    let unfold = Unfold {
        stride: case.steps("stride")?,
        padding: padding(case)?,
        dilation: case.steps("dilation")?,
        ..Unfold::<R>::from_shape(&shape(&input), case.steps("kernel_size")?)?
    };
    let mut results = vec![("output", engine.first(&unfold, &[&input]).await?)];
    if let Some(gradient) = case.input("grad_output")? {
        results.push(("grad_input", engine.first(&unfold.grad_input(), &[&gradient]).await?));
    }
    Ok(results)
}

pub async fn fold<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("input")?;
    let fold = Fold {
        stride: case.steps("stride")?,
        padding: padding(case)?,
        dilation: case.steps("dilation")?,
        ..Fold::<R>::from_shape(&shape(&input), case.steps("output_size")?, case.steps("kernel_size")?)?
    };
    let mut results = vec![("output", engine.first(&fold, &[&input]).await?)];
    if let Some(gradient) = case.input("grad_output")? {
        results.push(("grad_input", engine.first(&fold.grad_input(), &[&gradient]).await?));
    }
    Ok(results)
}

/// ONNX's `Col2Im`.
pub async fn col2im<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let sizes = |name: &str| -> Outcome<[usize; R]> {
        let sizes: Vec<usize> = numbers(case.required(name)?)?.iter().map(|&size| size as usize).collect();
        let wrong = || Failure::Failed(format!("{name} has {} numbers for {R} axes", sizes.len()));
        sizes[..].try_into().map_err(|_| wrong())
    };
    let input = case.required("input")?;
    let fold = Fold {
        stride: case.steps("strides")?,
        padding: pads(case)?.into(),
        dilation: case.steps("dilations")?,
        ..Fold::<R>::from_shape(&shape(&input), sizes("image_shape")?, sizes("block_shape")?)?
    };
    Ok(vec![("output", engine.first(&fold, &[&input]).await?)])
}
