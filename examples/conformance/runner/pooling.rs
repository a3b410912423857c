//! Pooling as PyTorch and the tutorials write it.

use upconv::{AvgPool, BedOfNails2d, IndexConvention, MaxPool, MaxUnpool, Padding};

use super::case::{Case, Outcome, shape, spatial};
use super::engine::Engine;
use super::ops::Results;

fn pads<const R: usize>(case: &Case) -> Outcome<Padding<R>> {
    Ok(Padding::Explicit(case.axes("padding")?.unwrap_or([0; R]).map(|pad| [pad; 2])))
}

pub async fn maximum<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("input")?;
    let kernel_size = case.steps("kernel_size")?;
    let pool = MaxPool {
        stride: case.sizes("stride")?.unwrap_or(kernel_size),
        padding: pads(case)?,
        dilation: case.steps("dilation")?,
        ceil_mode: case.flag("ceil_mode"),
        indices: Some(IndexConvention::Plane),
        ..MaxPool::<R>::from_shape(&shape(&input), kernel_size)?
    };
    let mut outputs = engine.run(&pool, &[&input]).await?;
    let (indices, output) = (outputs.swap_remove(1), outputs.swap_remove(0));
    let mut results = Vec::new();
    if let Some(gradient) = case.input("grad_output")? {
        results.push(("grad_input", engine.first(&pool.grad_input(), &[&gradient, &indices]).await?));
    }
    results.extend([("output", output), ("indices", indices)]);
    Ok(results)
}

pub async fn average<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("input")?;
    let kernel_size = case.steps("kernel_size")?;
    let pool = AvgPool {
        stride: case.sizes("stride")?.unwrap_or(kernel_size),
        padding: pads(case)?,
        ceil_mode: case.flag("ceil_mode"),
        count_include_pad: case.attribute("count_include_pad").as_bool().unwrap_or(true),
        divisor_override: case.number("divisor_override").map(|divisor| divisor as u32),
        ..AvgPool::<R>::from_shape(&shape(&input), kernel_size)?
    };
    let mut results = vec![("output", engine.first(&pool, &[&input]).await?)];
    if let Some(gradient) = case.input("grad_output")? {
        results.push(("grad_input", engine.first(&pool.grad_input(), &[&gradient]).await?));
    }
    Ok(results)
}

pub async fn unpool<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let (input, indices) = (case.required("input")?, case.required("indices")?);
    let kernel_size = case.steps("kernel_size")?;
    let stride = case.sizes("stride")?.unwrap_or(kernel_size);
    let padding = case.sizes("padding")?.unwrap_or([0; R]);
    // In PyTorch `output_size` may also be the whole shape.
    let size = case.attribute("output_size").as_array().map(Vec::len).unwrap_or_default();
    let output_size = if size > R { Some(spatial(&case.expected("output")?)?) } else { case.sizes("output_size")? };
    let unpool = MaxUnpool::<R>::pytorch(
        MaxUnpool::from_shape(&shape(&input), [1; R])?,
        kernel_size,
        stride,
        padding,
        output_size,
    )?;
    let mut results = vec![("output", engine.first(&unpool, &[&input, &indices]).await?)];
    if let Some(gradient) = case.input("grad_output")? {
        results.push(("grad_input", engine.first(&unpool.grad_input(), &[&gradient, &indices]).await?));
    }
    Ok(results)
}

pub async fn nails(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("input")?;
    let nails = BedOfNails2d::from_shape(&shape(&input), case.steps("scale")?)?;
    Ok(vec![("output", engine.first(&nails, &[&input]).await?)])
}
