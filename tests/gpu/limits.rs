//! Devices that were made with one limit lowered: there an op gives its result, or an error of the crate's own before
//! wgpu refuses anything.

use serde_json::Value;
use upconv::gpu::GpuOp;
use upconv::wgpu::{self, Limits, TextureFormat};
use upconv::{
    Conv2d, Conv3d, ConvInteger2d, Error, Filter, GlobalLpPool2d, GlobalMaxPool2d, Gpu, MaxPool2d, Op, PixelShuffle2d,
    PlanOptions, PytorchInterpolate, ResizeConv2d, TensorView, Unfold2d, Upsample2d, UpsampleMode, ZeroPoint,
};

use crate::Row;
use crate::conv::integer as conv_integer;
use crate::harness::{Data, Outcome, compare, compare_all, inputs};
use crate::problems::Fields;

/// A device of the same adapter with these limits and with subgroups; `None` if wgpu does not make one.
async fn device_with(gpu: &Gpu, limits: Limits) -> Option<Gpu> {
    let instance = wgpu::Instance::default();
    let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
    let is_same = |info: &wgpu::AdapterInfo| (&info.name, info.backend) == (&gpu.info().name, gpu.info().backend);
    let adapter = adapters.into_iter().find(|adapter| is_same(&adapter.get_info()))?;
    let descriptor = wgpu::DeviceDescriptor {
        required_features: gpu.device().features() & wgpu::Features::SUBGROUP,
        required_limits: limits,
        ..Default::default()
    };
    let (device, queue) = adapter.request_device(&descriptor).await.ok()?;
    Some(Gpu::from_device(&device, &queue))
}

/// Whether an error is the crate's own, and not one that wgpu reported.
fn is_own(error: &Error) -> bool {
    !matches!(error, Error::Device(_) | Error::DeviceLost(_) | Error::OutOfMemory(_))
}

async fn try_run<O: GpuOp>(gpu: &Gpu, op: &O) -> Outcome {
    let inputs = inputs(op, O::NAME, Data::Reals)?;
    let views: Vec<_> = inputs.iter().map(|tensor| tensor.view()).collect();
    match gpu.run_async(op, &views).await {
        Ok(output) => compare(op, &inputs, &output, Data::Reals),
        Err(error) if is_own(&error) => Ok(()),
        Err(error) => Err(format!("{}: {error}", O::NAME)),
    }
}

/// Plans an op from texture to texture.
async fn try_textures<O: GpuOp>(gpu: &Gpu, op: &O) -> Outcome {
    let scope = gpu.device().push_error_scope(wgpu::ErrorFilter::Validation);
    let options = PlanOptions::textures(TextureFormat::Rgba8Unorm, TextureFormat::Rgba8Unorm);
    let planned = gpu.planner().plan_with(op, &options).map(drop);
    match (scope.pop().await, planned) {
        (Some(error), _) => Err(format!("{} between textures: {error}", O::NAME)),
        (None, Err(error)) if !is_own(&error) => Err(format!("{} between textures: {error}", O::NAME)),
        _ => Ok(()),
    }
}

/// Runs a convolution of integers with zero points.
async fn try_integers(gpu: &Gpu) -> Outcome {
    let conv = Fields::<2>::parse("ic3_oc4_i7x6_k3x2").conv_integer();
    let conv = ConvInteger2d { input_zero_point: true, weight_zero_point: ZeroPoint::PerChannel, ..conv };
    let tensors = conv_integer::random(&conv)?;
    let views: Vec<_> = tensors.iter().map(TensorView::from).collect();
    match gpu.run_tensors_async(&conv, &views).await {
        Ok(outputs) => compare_all(&conv, &tensors, &outputs, Data::Integers),
        Err(error) if is_own(&error) => Ok(()),
        Err(error) => Err(format!("{}: {error}", ConvInteger2d::NAME)),
    }
}

/// Runs ops of every kind, by the recipes that the planner chooses.
async fn try_ops(gpu: &Gpu) -> Outcome {
    let up = |mode| {
        let base = Upsample2d { channels: 4, input_size: [5, 6], output_size: [9, 7], ..Default::default() };
        Upsample2d::pytorch(base, mode).map_err(|error| error.to_string())
    };
    let linear = up(PytorchInterpolate::Linear { align_corners: false })?;
    let conv: Conv2d = Fields::parse("ic4_oc4_i9x7_k3x3_p1x1_b1").conv();
    let volume: Conv3d = Fields::parse("ic2_oc3_i3x4x5_k2x2x2_b1").conv();
    let transpose = Fields::<2>::parse("ic5_oc6_i4x5_k4x4_s2x2_p1x1_b1").conv_transpose();
    try_run(gpu, &conv).await?;
    try_run(gpu, &volume).await?;
    try_run(gpu, &transpose).await?;
    try_run(gpu, &conv.grad_weight().map_err(|error| error.to_string())?).await?;
    try_run(gpu, &conv.grad_bias().map_err(|error| error.to_string())?).await?;
    try_run(gpu, &up(PytorchInterpolate::Nearest)?).await?;
    try_run(gpu, &linear).await?;
    try_run(gpu, &linear.grad_input()).await?;
    let filter = Filter::Lanczos { lobes: 3 };
    let mode = UpsampleMode::Filtered { filter, antialias: true, border: Default::default() };
    try_run(gpu, &Upsample2d { mode, ..linear.clone() }).await?;
    try_run(gpu, &ResizeConv2d { upsample: linear.clone(), conv: conv.clone() }).await?;
    try_run(gpu, &MaxPool2d { input_size: [6, 6], kernel_size: [2, 2], ..Default::default() }).await?;
    try_run(gpu, &GlobalMaxPool2d { channels: 20, input_size: [70, 71], ..Default::default() }).await?;
    let norm = GlobalLpPool2d { channels: 20, input_size: [70, 71], ..Default::default() };
    try_run(gpu, &norm).await?;
    try_run(gpu, &norm.grad_input()).await?;
    let unfold = Unfold2d { channels: 2, input_size: [6, 5], kernel_size: [3, 2], ..Default::default() };
    try_run(gpu, &unfold).await?;
    try_run(gpu, &unfold.grad_input()).await?;
    let shuffle = PixelShuffle2d { channels: 1, size: [5, 6], factor: [2, 2], ..Default::default() };
    try_run(gpu, &shuffle).await?;
    try_integers(gpu).await?;
    try_textures(gpu, &linear).await?;
    try_textures(gpu, &conv).await?;
    try_textures(gpu, &shuffle).await
}

/// Values below a limit's own, or above it where a larger value asks more of a caller. `name` is as in JSON.
fn worse_than(name: &str, value: u64) -> Vec<u64> {
    if name.starts_with("min") {
        return vec![2 * value];
    }
    let counts_bindings = name.ends_with("PerShaderStage") || name.contains("Bind");
    let mut worse = if counts_bindings { vec![0, 1, 2, 3, 4] } else { vec![0, value / 2] };
    worse.retain(|&other| other < value);
    worse.dedup();
    worse
}

/// Lowers one limit after the other.
async fn each_limit(gpu: &Gpu) -> Outcome {
    let defaults = Limits::default().or_worse_values_from(&gpu.device().limits());
    let Value::Object(fields) = serde_json::to_value(&defaults).map_err(|error| error.to_string())? else {
        return Err("limits are no map".into());
    };
    let (mut devices, mut failed) = (0, Vec::new());
    for (name, value) in &fields {
        for worse in worse_than(name, value.as_u64().ok_or("a limit is no number")?) {
            let mut lowered = fields.clone();
            lowered.insert(name.clone(), worse.into());
            let limits = serde_json::from_value(Value::Object(lowered)).map_err(|error| error.to_string())?;
            if let Some(own) = device_with(gpu, limits).await {
                devices += 1;
                failed.extend(try_ops(&own).await.err().map(|error| format!("{name} of {worse}: {error}")));
            }
        }
    }
    match (devices, failed.is_empty()) {
        (0, _) => Err("no device could be made".into()),
        (_, true) => Ok(()),
        _ => Err(failed.join("\n")),
    }
}

/// What wgpu calls the limits of almost every device: four storage buffers, and grids and bindings as usual.
async fn downlevel(gpu: &Gpu) -> Outcome {
    let limits = Limits::downlevel_defaults().or_worse_values_from(&gpu.device().limits());
    let own = device_with(gpu, limits).await.ok_or("no device with the downlevel limits")?;
    try_ops(&own).await
}

pub fn rows() -> Vec<Row> {
    vec![Row::new("each limit lowered", each_limit), Row::new("downlevel limits", downlevel)]
}
