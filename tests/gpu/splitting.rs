//! Sizes past a limit: more workgroups than a dimension takes, and tensors larger than a binding.

use std::time::Duration;

use ndarray::{Array4, Axis, Ix4, s};
use upconv::gpu::{Bindings, GpuOp, Shape};
use upconv::{
    Conv1d, Conv2d, ConvTranspose2d, Error, Gpu, PlanOptions, Planner, PytorchInterpolate, Recipe, Role, Rounding,
    Upsample2d, UpsampleMode, wgpu,
};

use crate::Row;
use crate::harness::{Data, Order, Outcome, Random, compare, inputs, operands, options, run_plan, submit};
use crate::problems::Fields;
use crate::tensors::{filled, storage};

fn text(error: Error) -> String {
    error.to_string()
}

/// 65,536 * 64 + 1 outputs in workgroups of 64 threads: more workgroups than one dimension of a dispatch takes.
async fn folded(gpu: &Gpu) -> Outcome {
    let samples = 65_536 * 64 + 1;
    let conv = Conv1d { input_size: [samples], ..Default::default() };
    let recipe = Some(Recipe::plain("conv_direct", 64));
    let plan = gpu.planner().plan_with(&conv, &PlanOptions { recipe, ..Default::default() }).map_err(text)?;
    if plan.dispatches().len() == 1 && plan.dispatches()[0].workgroups[1] < 2 {
        return Err(format!("{:?} is not folded", plan.dispatches()[0].workgroups));
    }
    let inputs = [
        Random::new("folded").tensor(&[1, 1, samples], Data::Integers),
        Random::new("w").tensor(&[1, 1, 1], Data::Integers),
    ];
    let output = gpu.run_async(&conv, &[inputs[0].view(), inputs[1].view()]).await.map_err(text)?;
    compare(&conv, &inputs, &output, Data::Integers)
}

/// An output of 137 MiB through bindings of the default 128 MiB.
async fn larger_than_a_binding(gpu: &Gpu) -> Outcome {
    let side = 6000;
    let up = Upsample2d {
        input_size: [3, 5],
        output_size: [side, side],
        mode: UpsampleMode::Nearest(Rounding::Floor),
        ..Default::default()
    };
    let planner = Planner::with_limits(gpu.device(), &wgpu::Limits::default());
    let plan = planner.plan(&up).map_err(text)?;
    if plan.dispatches().len() < 2 {
        return Err("one dispatch binds more than 128 MiB".into());
    }
    let input = Array4::from_shape_fn((1, 1, 3, 5), |(_, _, y, x)| (y * 5 + x) as f32);
    let source = filled(gpu, &input.into_iter().collect::<Vec<_>>());
    let bytes = (side * side * 4) as u64;
    let target = storage(gpu, bytes);
    submit(gpu, &plan.bind(&Bindings::new().input(source.slice(..)).output(target.slice(..))).map_err(text)?);
    let output: Vec<f32> = gpu.download_async(&target, 0, bytes).await.map_err(text)?;
    let expected = |at: usize| (at / side * 3 / side * 5 + at % side * 5 / side) as f32;
    match (0..output.len()).find(|&at| output[at] != expected(at)) {
        Some(at) => Err(format!("element {at} is {} and not {}", output[at], expected(at))),
        None => Ok(()),
    }
}

/// One image whose channels together pass the binding limit: only a sum split over input channels can run it, and it
/// must give the bits of the whole sum.
async fn split_sums(gpu: &Gpu) -> Outcome {
    let transposed = Fields::<2>::parse("ic24_oc2_i8x8_k3x3_s2x2_b1").conv_transpose();
    let direct = Fields::<2>::parse("n2_ic24_oc2_i8x8_k3x3_b1").conv();
    let base = Upsample2d { channels: 24, input_size: [5, 4], output_size: [7, 9], ..Default::default() };
    let up = Upsample2d::pytorch(base, PytorchInterpolate::Linear { align_corners: false }).map_err(text)?;
    for binding in [1024, 1536] {
        split_sum(gpu, &up, binding).await?;
    }
    // Two groups of 24 input channels, each summed in parts.
    let grouped = Fields::<2>::parse("ic48_oc4_i8x8_k3x3_s2x2_g2_b1").conv_transpose();
    let grouped_direct = Fields::<2>::parse("ic48_oc4_i8x8_k3x3_g2_b1").conv();
    for binding in [1024, 1536, 2560] {
        split_sum(gpu, &grouped, binding).await?;
        split_sum(gpu, &grouped_direct, binding).await?;
        split_sum(gpu, &transposed, binding).await?;
        split_sum(gpu, &direct, binding).await?;
    }
    Ok(())
}

/// Matrix products sum 32 input channels at a time, and a sum is split only at multiples of 32.
async fn split_products(gpu: &Gpu) -> Outcome {
    let transposed = Fields::<2>::parse("ic80_oc4_i8x8_k3x3_s2x2_b1").conv_transpose();
    let direct = Fields::<2>::parse("n2_ic80_oc5_i8x8_k3x3_p1x1_b1").conv();
    let grouped = Fields::<2>::parse("ic160_oc6_i8x8_k3x3_s2x2_g2_b1").conv_transpose();
    split_by_all(gpu, &transposed, 17 << 10).await?;
    split_by_all(gpu, &direct, 17 << 10).await?;
    split_by_all(gpu, &grouped, 17 << 10).await?;
    // The output channels are cut in different places in different parts of the sum, so that tiles differ in height.
    for binding in [1536, 1792, 2048] {
        split_by_all(gpu, &Fields::<1>::parse("ic80_oc10_i6_b1").conv(), binding).await?;
    }
    for binding in [3072, 3328, 4096] {
        split_by_all(gpu, &Fields::<1>::parse("ic80_oc20_i16_b1").conv(), binding).await?;
    }
    // Three groups of two output channels, whose weights pass a binding: a part of several groups cuts none of them.
    for text in ["ic192_oc6_i1_g3", "n2_ic192_oc6_i3_k2_g3_b1"] {
        split_by_all(gpu, &Fields::<1>::parse(text).conv(), 1024).await?;
        split_by_all(gpu, &Fields::<1>::parse(text).conv_transpose(), 1024).await?;
    }
    Ok(())
}

async fn split_by_all<O: GpuOp>(gpu: &Gpu, op: &O, binding: u64) -> Outcome {
    for recipe in op
        .recipes(gpu.planner().capabilities(), &PlanOptions::default())
        .into_iter()
        .filter(|recipe| matches!(recipe.shape, Shape::Gemm { .. }))
    {
        split_sum_by(gpu, op, binding, &recipe).await.map_err(|error| format!("{recipe}: {error}"))?;
    }
    Ok(())
}

/// [`split_sum_by`] with the recipe that the planner chooses for small bindings.
pub async fn split_sum<O: GpuOp>(gpu: &Gpu, op: &O, binding: u64) -> Outcome {
    let options = options(&operands(op)?, Order::Nchw);
    let plan = small(gpu, binding).plan_with(op, &options).map_err(text)?;
    if plan.dispatches().len() < 4 {
        return Err("was not split".into());
    }
    split_sum_by(gpu, op, binding, plan.recipe()).await
}

fn small(gpu: &Gpu, binding: u64) -> Planner {
    let limits = wgpu::Limits { max_storage_buffer_binding_size: binding, ..gpu.device().limits() };
    gpu.planner().limited_to(&limits)
}

async fn split_sum_by<O: GpuOp>(gpu: &Gpu, op: &O, binding: u64, recipe: &Recipe) -> Outcome {
    let inputs = inputs(op, "split", Data::Reals)?;
    let options = PlanOptions { recipe: Some(recipe.clone()), ..options(&operands(op)?, Order::Nchw) };
    let whole = gpu.planner().plan_with(op, &options).map_err(text)?;
    let parts = small(gpu, binding).plan_with(op, &options).map_err(text)?;
    let whole_bits = run_plan(gpu, op, &whole, &options, &inputs).await?;
    if whole_bits != run_plan(gpu, op, &parts, &options, &inputs).await? {
        return Err(format!("{} dispatches of {binding} bytes gave another sum", parts.dispatches().len()));
    }
    if parts.dispatches().len() < 2 {
        Err("was not split".into())
    } else {
        compare(op, &inputs, &whole_bits, Data::Reals)
    }
}

/// A problem that no splitting makes fit is refused with the operand, the bytes that it needs and the limit.
async fn refused(gpu: &Gpu) -> Outcome {
    // One output needs the whole kernel of one channel: 4 KiB.
    let conv = Conv2d { input_size: [32, 32], kernel_size: [32, 32], ..Default::default() };
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 1024, ..gpu.device().limits() };
    match gpu.planner().limited_to(&limits).plan(&conv) {
        Err(Error::BindingTooSmall { operand: "input" | "weight", needed: 4096, limit: 1024, .. }) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// With one workgroup per dispatch, there are at least as many dispatches as the unlimited plan has workgroups, by
/// every recipe.
async fn short_rows(gpu: &Gpu) -> Outcome {
    let limits = wgpu::Limits { max_compute_workgroups_per_dimension: 1, ..gpu.device().limits() };
    let planner = gpu.planner().limited_to(&limits);
    let base = Upsample2d { channels: 3, input_size: [9, 11], output_size: [20, 31], ..Default::default() };
    let up = Upsample2d::pytorch(base, PytorchInterpolate::Cubic { align_corners: true }).map_err(text)?;
    let inputs = inputs(&up, "rows", Data::Reals)?;
    for recipe in GpuOp::recipes(&up, gpu.planner().capabilities(), &PlanOptions::default())
        .into_iter()
        .filter(|recipe| recipe.workgroup_size == 64)
    {
        let options = PlanOptions { recipe: Some(recipe.clone()), ..Default::default() };
        let whole = gpu.planner().plan_with(&up, &options).map_err(text)?;
        let plan = planner.plan_with(&up, &options).map_err(text)?;
        let workgroups: u32 = whole.dispatches().iter().map(|d| d.workgroups[0] * d.workgroups[1]).sum();
        if plan.dispatches().len() < workgroups as usize || workgroups < 2 {
            return Err(format!("{recipe}: {} dispatches for {workgroups} workgroups", plan.dispatches().len()));
        }
        compare(&up, &inputs, &run_plan(gpu, &up, &plan, &options, &inputs).await?, Data::Reals)?;
    }
    Ok(())
}

/// Dispatches that are cut to be short, each in a submission of its own, give the same bits as one submission. Those of
/// several workgroups are about as short as the budget.
async fn parts_of_an_op<O: GpuOp>(gpu: &Gpu, op: &O) -> Outcome {
    let inputs = inputs(op, O::NAME, Data::Reals)?;
    let views: Vec<_> = inputs.iter().map(|tensor| tensor.view()).collect();
    let whole = gpu.planner().plan(op).map_err(text)?;
    let budget = whole.predicted() / 5;
    let recipe = Some(whole.recipe().clone());
    let options = PlanOptions { max_dispatch_time: Some(budget), recipe, ..Default::default() };
    let plan = gpu.planner().plan_with(op, &options).map_err(text)?;
    let buffers: Vec<_> = inputs.iter().map(|tensor| filled(gpu, tensor.as_slice().unwrap_or_default())).collect();
    let bytes = op.output().map_err(text)?.shape.iter().product::<usize>() as u64 * 4;
    let target = storage(gpu, bytes);
    let roles = op.inputs().map_err(text)?.into_iter().map(|operand| operand.role);
    let slices = roles.zip(&buffers).chain([(Role::Output, &target)]);
    let bound = plan.bind(&slices.map(|(role, buffer)| (role, buffer.slice(..))).collect()).map_err(text)?;
    let mut parts = 0;
    for part in bound.parts(budget) {
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        part.encode(&mut encoder.begin_compute_pass(&Default::default()));
        gpu.queue().submit([encoder.finish()]);
        parts += 1;
    }
    // With no time at all, each dispatch is a part.
    for (part, dispatch) in bound.parts(Duration::ZERO).zip(plan.dispatches()) {
        if dispatch.workgroups != [1, 1] && part.predicted() > 2 * budget {
            return Err(format!("{dispatch:?} of {:?} where {budget:?} was asked for", part.predicted()));
        }
    }
    if parts < 2 {
        return Err(format!("{} is in one part of {} dispatches", O::NAME, plan.dispatches().len()));
    }
    let values: Vec<f32> = gpu.download_async(&target, 0, bytes).await.map_err(text)?;
    let expected = gpu.run_async(op, &views).await.map_err(text)?;
    if values.iter().zip(&expected).any(|(value, expected)| value.to_bits() != expected.to_bits()) {
        return Err(format!("{}: the parts give other bits than one submission", O::NAME));
    }
    Ok(())
}

async fn parts(gpu: &Gpu) -> Outcome {
    // More workgroups than a plan may have dispatches.
    let hurried = Gpu::from_device(gpu.device(), gpu.queue()).with_time_budget(Duration::ZERO);
    let wide = Upsample2d { input_size: [3, 5], output_size: [700, 900], ..Default::default() };
    let x = Random::new("hurried").tensor(&[1, 1, 3, 5], Data::Integers);
    let output = hurried.run_async(&wide, &[x.view()]).await.map_err(text)?;
    compare(&wide, &[x], &output, Data::Integers)?;
    let up = Upsample2d { channels: 3, input_size: [13, 15], output_size: [40, 50], ..Default::default() };
    let bicubic = Upsample2d::pytorch(up, PytorchInterpolate::Cubic { align_corners: false }).map_err(text)?;
    parts_of_an_op(gpu, &Fields::<2>::parse("n2_ic6_oc5_i33x29_k3x3_p1x1_b1").conv()).await?;
    parts_of_an_op(gpu, &Fields::<2>::parse("ic4_oc40_i21x23_k4x4_s2x2_p1x1_b1").conv_transpose()).await?;
    parts_of_an_op(gpu, &Fields::<2>::parse("ic9_oc12_i33x29_k3x3").conv().grad_weight().map_err(text)?).await?;
    parts_of_an_op(gpu, &bicubic).await?;
    parts_of_an_op(gpu, &bicubic.grad_input()).await
}

/// Batches of 1 and 3 give the same images.
async fn batches(gpu: &Gpu) -> Outcome {
    let up = ConvTranspose2d { batch: 3, ..Fields::<2>::parse("ic3_oc2_i5x4_k4x3_s2x1_p1x0").conv_transpose() };
    let x =
        Random::new("x").tensor(&[3, 3, 5, 4], Data::Reals).into_dimensionality::<Ix4>().map_err(|e| e.to_string())?;
    let w =
        Random::new("w").tensor(&[3, 2, 4, 3], Data::Reals).into_dimensionality::<Ix4>().map_err(|e| e.to_string())?;
    let all = gpu.run_async(&up, &[x.view(), w.view()]).await.map_err(text)?;
    for n in 0..3 {
        let one = ConvTranspose2d { batch: 1, ..up.clone() };
        let image = gpu.run_async(&one, &[x.slice(s![n..n + 1, .., .., ..]), w.view()]).await.map_err(text)?;
        if image.index_axis(Axis(0), 0) != all.index_axis(Axis(0), n) {
            return Err(format!("image {n} differs"));
        }
    }
    Ok(())
}

pub fn rows() -> Vec<Row> {
    let rows = vec![
        Row::new("more than 65535 workgroups are folded", folded),
        Row::new("an output larger than a binding", larger_than_a_binding),
        Row::new("an image larger than a binding splits its sums", split_sums),
        Row::new("a product splits its sums between its parts", split_products),
        Row::new("one output larger than a binding is refused", refused),
        Row::new("rows of one workgroup", short_rows),
        Row::new("a batch is its images", batches),
        Row::new("parts of a plan in submissions of their own", parts),
    ];
    // A browser makes no device with less than its defaults.
    #[cfg(not(target_arch = "wasm32"))]
    let rows = rows.into_iter().chain(crate::limits::rows()).collect();
    rows
}
