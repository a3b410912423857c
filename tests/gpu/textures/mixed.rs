//! Plans with a texture at one end and a tensor at the other, and textures whose texels are converted: other orders of
//! channels, scales and offsets, more or fewer components than channels.

use ndarray::{Array4, ArrayD};
use upconv::gpu::{Bindings, GpuOp, PixelFormat, Resource, Shape};
use upconv::{
    AvgPool2d, ColorEncoding, FloatType, Gpu, MaxPool2d, PixelShuffle2d, PlanOptions, Reference, Role, UpsampleMode,
    wgpu,
};
use wgpu::TextureFormat::*;
use wgpu::{Features, TextureUsages};

use crate::Row;
use crate::harness::{Data, Outcome, Random, submit};
use crate::problems::Fields;
use crate::tensors::{filled, laid_out, storage};
use crate::textures::texels::{Canvas, Kind, kind};
use crate::textures::textures::{SRGB_ERROR, allowed, destination, planned, text, upsample, written_texels};

/// The input that is bound to a plan.
enum Input {
    Texture(Canvas),
    Buffer(wgpu::Buffer),
}

/// Makes an op's input on a device, and the tensor that the op reads from it.
async fn input(gpu: &Gpu, shape: &[usize], options: &PlanOptions) -> (Input, ArrayD<f32>) {
    let mut random = Random::new(&format!("{shape:?}"));
    let Some(pixels) = options.input_texture else {
        let tensor = random.tensor(shape, Data::Reals);
        let buffer = laid_out(gpu, &tensor, options.input.as_ref());
        return (Input::Buffer(buffer), tensor);
    };
    let canvas = Canvas::new(gpu, pixels, [shape[3], shape[2]], TextureUsages::TEXTURE_BINDING);
    let lowest = if matches!(kind(pixels.format), Kind::Unorm(_)) { 0.0 } else { -1.0 };
    let texels = canvas.fill(gpu, || (random.next() % 1001) as f64 / 1000.0 * (1.0 - lowest) + lowest);
    let number = |(_, c, y, x): (usize, usize, usize, usize)| {
        let texel = texels[y * shape[3] + x][usize::from(pixels.channels[c])];
        (texel * f64::from(pixels.scale[c]) + f64::from(pixels.offset[c])) as f32
    };
    let numbers = Array4::from_shape_fn((1, shape[1], shape[2], shape[3]), number);
    (Input::Texture(canvas), numbers.into_dyn())
}

/// Runs an op by each kind of recipe, and compares what is written with the reference.
async fn check<O: GpuOp>(gpu: &Gpu, op: &O, options: &PlanOptions) -> Outcome {
    let output = options.output_texture.unwrap_or(Rgba32Float.into());
    let Some(_) = planned(gpu, op, output, options)? else { return Ok(()) };
    let operands = op.inputs().map_err(text)?;
    let (source, numbers) = input(gpu, &operands[0].shape, options).await;
    let taps: usize = operands.get(1).map_or(1, |weight| weight.shape[1..].iter().product());
    let mut random = Random::new("weights");
    let weights: Vec<ArrayD<f32>> =
        operands[1..].iter().map(|operand| random.tensor(&operand.shape, Data::Reals) * (2.0 / taps as f32)).collect();
    let buffers: Vec<_> = weights.iter().map(|weight| laid_out(gpu, weight, None)).collect();
    let views: Vec<_> = std::iter::once(numbers.view()).chain(weights.iter().map(|weight| weight.view())).collect();
    let reference = op.reference(&views).map_err(text)?;
    let mut recipes = gpu.planner().recipes(op, options);
    recipes.dedup_by_key(|recipe| (recipe.shader, recipe.shape));
    for recipe in recipes {
        let message = |error: String| format!("{recipe}: {error}");
        let plan = gpu.planner().plan_with(op, &PlanOptions { recipe: Some(recipe.clone()), ..options.clone() });
        let plan = plan.map_err(text).map_err(message)?;
        let roles = operands[1..].iter().map(|operand| operand.role);
        let bindings: Bindings = roles.zip(buffers.iter().map(|buffer| buffer.slice(..))).collect();
        let bindings = bindings.input(match &source {
            Input::Texture(canvas) => Resource::from(canvas.picture()),
            Input::Buffer(buffer) => buffer.slice(..).into(),
        });
        write_and_compare(gpu, op, options, &plan, bindings, &reference).await.map_err(message)?;
    }
    Ok(())
}

async fn write_and_compare<O: GpuOp>(
    gpu: &Gpu,
    op: &O,
    options: &PlanOptions,
    plan: &upconv::Plan,
    bindings: Bindings<'_>,
    reference: &Reference,
) -> Outcome {
    let shape = op.output().map_err(text)?.shape;
    // The relative error that converting the input adds to each number.
    let decoding =
        if options.input_texture.is_some_and(|pixels| pixels.shader_decodes_srgb()) { SRGB_ERROR } else { 3e-7 };
    let Some(pixels) = options.output_texture else {
        let bytes = plan.operand_bytes().into_iter().find(|(role, _)| *role == Role::Output);
        let bytes = bytes.and_then(|(_, bytes)| bytes).ok_or("no bytes for the output")?;
        let buffer = storage(gpu, bytes);
        submit(gpu, &plan.bind(&bindings.output(buffer.slice(..))).map_err(text)?);
        let output: Vec<f32> = gpu.download_async(&buffer, 0, bytes).await.map_err(text)?;
        let output = ArrayD::from_shape_vec(shape, output).map_err(|error| error.to_string())?;
        for (at, &actual) in output.indexed_iter() {
            let at: Vec<usize> = (0..4).map(|axis| at[axis]).collect();
            let at = [at[0], at[1], at[2], at[3]];
            let (value, magnitude) = (reference.values[at.as_slice()], reference.magnitudes[at.as_slice()]);
            if (f64::from(actual) - value).abs() > reference.bound(&at) + decoding * magnitude {
                return Err(format!("{at:?}: {actual} where {value} was expected"));
            }
        }
        return Ok(());
    };
    let target = destination(gpu, pixels, [shape[3], shape[2]]);
    submit(gpu, &plan.bind(&bindings.output(target.picture())).map_err(text)?);
    let texels = written_texels(gpu, pixels, &target).await?;
    for (number, texel) in texels.iter().enumerate() {
        for (component, &actual) in texel.iter().enumerate() {
            // Components without a channel are 0, and alpha 1.
            let (mut value, mut bound) = (if component == 3 { 1.0 } else { 0.0 }, 0.0);
            if let Some(channel) = pixels.channels[..shape[1]].iter().position(|&at| usize::from(at) == component) {
                let at = [0, channel, number / shape[3], number % shape[3]];
                let scale = f64::from(pixels.scale[channel]);
                value = reference.values[at.as_slice()] * scale + f64::from(pixels.offset[channel]);
                let magnitude = reference.magnitudes[at.as_slice()] * scale.abs();
                bound = reference.bound(&at) * scale.abs() + decoding * magnitude + 2e-7 * value.abs();
            }
            let encoding = if component < 3 { pixels.encoding } else { ColorEncoding::Linear };
            let kind = kind(pixels.format);
            let [low, high] = [value - bound, value + bound].map(|value| allowed(value, encoding, kind));
            if !(low.0..=high.1).contains(&actual) {
                return Err(format!("texel {number}, component {component}: {actual} where {value} was expected"));
            }
        }
    }
    Ok(())
}

/// From an 8-bit texture, with blue first and a scale and an offset for each channel, to a tensor of more channels than
/// a texel has.
async fn to_tensor(gpu: &Gpu) -> Outcome {
    let input = PixelFormat::from(Rgba8Unorm).with_channels([2, 1, 0, 3]);
    let input = input.with_scale([255.0, 127.5, 1.0 / 0.229, 1.0], [-128.0, 0.0, -0.485 / 0.229, 0.0]);
    let options = PlanOptions { input_texture: Some(input), ..Default::default() };
    check(gpu, &Fields::<2>::parse("ic3_oc20_i9x11_k3x3_p1x1_b1").conv(), &options).await?;
    let srgb = PlanOptions { input_texture: Some(PixelFormat::srgb(Rgba8Unorm)), ..Default::default() };
    check(gpu, &upsample(1, UpsampleMode::Linear), &srgb).await
}

/// From a tensor to a texture: channels are reordered, scaled, and encoded last; alpha without a channel is 1.
async fn to_texture(gpu: &Gpu) -> Outcome {
    let output = PixelFormat::srgb(Rgba8Unorm).with_channels([2, 0, 1, 3]);
    let output = output.with_scale([0.5, -0.25, 0.125, 1.0], [0.5, 0.25, 0.0, 0.0]);
    let options = PlanOptions { output_texture: Some(output), ..Default::default() };
    check(gpu, &Fields::<2>::parse("ic20_oc3_i7x6_k4x4_s2x2_p1x1_b1").conv_transpose(), &options).await?;
    // One channel, which goes to alpha.
    let alpha = PixelFormat::from(Rgba16Float).with_channels([3, 0, 1, 2]);
    let options = PlanOptions { output_texture: Some(alpha), ..Default::default() };
    check(gpu, &upsample(1, UpsampleMode::Linear), &options).await
}

/// Ops without a shader that reads and writes textures.
async fn any_op(gpu: &Gpu) -> Outcome {
    let options = PlanOptions::textures(Rgba8UnormSrgb, Rgba8UnormSrgb);
    let base = AvgPool2d { channels: 4, input_size: [9, 8], ..Default::default() };
    let average = AvgPool2d { kernel_size: [3, 2], stride: [2, 2], ..base };
    // Decoding by the device has an unknown error, so the input has a format that the shader decodes.
    let decoded = PlanOptions { input_texture: Some(PixelFormat::srgb(Rgba8Unorm)), ..options };
    check(gpu, &average, &decoded).await?;
    let largest =
        MaxPool2d { channels: 3, input_size: [8, 8], kernel_size: [2, 2], stride: [2, 2], ..Default::default() };
    check(gpu, &largest, &PlanOptions::textures(Rgba16Float, Rgba16Float)).await?;
    let shuffle = PixelShuffle2d { channels: 1, size: [5, 6], factor: [2, 2], ..PixelShuffle2d::default() };
    check(gpu, &shuffle, &PlanOptions::textures(Rgba8Unorm, R32Float)).await
}

/// From texture to texture through tensors stored as f16, where the device has it: the picture is right to f16's
/// precision.
async fn halves(gpu: &Gpu) -> Outcome {
    if !gpu.device().features().contains(Features::SHADER_F16) {
        return Ok(());
    }
    picture_of_halves(gpu, &upsample(3, UpsampleMode::Linear)).await?;
    let largest = MaxPool2d { channels: 3, input_size: [8, 7], kernel_size: [2, 3], ..Default::default() };
    picture_of_halves(gpu, &largest).await?;
    let shuffle = PixelShuffle2d { channels: 1, size: [5, 7], factor: [2, 2], ..PixelShuffle2d::default() };
    picture_of_halves(gpu, &shuffle).await
}

async fn picture_of_halves<O: GpuOp>(gpu: &Gpu, op: &O) -> Outcome {
    let options = PlanOptions { storage: FloatType::F16, ..PlanOptions::textures(Rgba8Unorm, Rgba32Float) };
    let (source, numbers) = input(gpu, &op.inputs().map_err(text)?[0].shape, &options).await;
    let Input::Texture(canvas) = source else { return Err("no texture".into()) };
    let plan = gpu.planner().plan_with(op, &options).map_err(text)?;
    let shape = op.output().map_err(text)?.shape;
    let target = destination(gpu, Rgba32Float.into(), [shape[3], shape[2]]);
    let bindings = Bindings::new().input(canvas.picture()).output(target.picture());
    submit(gpu, &plan.bind(&bindings).map_err(text)?);
    let reference = op.reference(&[numbers.view()]).map_err(text)?;
    for (number, texel) in target.read(gpu).await?.into_iter().enumerate() {
        for (channel, actual) in texel[..shape[1]].iter().enumerate() {
            let value = reference.values[[0, channel, number / shape[3], number % shape[3]].as_slice()];
            if (actual - value).abs() > value.abs() / 500.0 + 1e-6 {
                return Err(format!(
                    "{}: texel {number}, channel {channel}: {actual} where {value} was expected",
                    O::NAME
                ));
            }
        }
    }
    Ok(())
}

/// A picture that small bindings or few workgroups per dispatch split into several dispatches has the same bits.
async fn split(gpu: &Gpu) -> Outcome {
    let conv = Fields::<2>::parse("ic3_oc3_i40x30_k3x3_p1x1").conv();
    let pixels = PixelFormat::from(Rgba8Unorm).with_channels([2, 1, 0, 3]);
    let plain = |recipe: &upconv::Recipe| recipe.shape == Shape::PerOutput { split_k: false };
    let options = PlanOptions::textures(pixels, Rgba32Float);
    let recipe = gpu.planner().recipes(&conv, &options).into_iter().find(plain);
    let options = PlanOptions { recipe, ..options };
    let (source, _) = input(gpu, &[1, 3, 40, 30], &options).await;
    let Input::Texture(canvas) = source else { return Err("no texture".into()) };
    let weight = filled(gpu, &Random::new("w").tensor(&[3, 3, 3, 3], Data::Reals).into_iter().collect::<Vec<_>>());
    let mut pictures = Vec::new();
    for (binding, workgroups) in [(1 << 20, 65535), (4096, 65535), (1 << 20, 3)] {
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: binding,
            max_compute_workgroups_per_dimension: workgroups,
            ..gpu.device().limits()
        };
        let plan = gpu.planner().limited_to(&limits).plan_with(&conv, &options).map_err(text)?;
        if (plan.dispatches().len() > 3) != (pictures.len() == 1 || workgroups == 3) {
            return Err(format!("{} dispatches by {binding} and {workgroups}", plan.dispatches().len()));
        }
        let target = destination(gpu, Rgba32Float.into(), [30, 40]);
        let bindings = Bindings::new().input(canvas.picture()).weight(weight.slice(..)).output(target.picture());
        submit(gpu, &plan.bind(&bindings).map_err(text)?);
        pictures.push(target.read(gpu).await?);
    }
    if pictures[0] == pictures[1] && pictures[0] == pictures[2] { Ok(()) } else { Err("other bits".into()) }
}

/// Texture plans are tuned like others: the fastest recipe is kept under a key that has the formats.
#[cfg(not(target_arch = "wasm32"))]
async fn tuned(gpu: &Gpu) -> Outcome {
    let own = Gpu::from_device(gpu.device(), gpu.queue());
    let op = upsample(4, UpsampleMode::Linear);
    let options = PlanOptions::textures(Rgba8Unorm, Rgba8Unorm);
    let fastest = own.tune(&op, &options).map_err(text)?;
    let saved = own.planner().tuned().to_string();
    let plan = own.planner().plan_with(&op, &options).map_err(text)?;
    let tensors = own.planner().plan(&op).map_err(text)?;
    let kept = *plan.recipe() == fastest && saved.contains("input(Rgba8Unorm) output(Rgba8Unorm)\n");
    if kept && tensors.recipe().shape != Shape::PerTexel { Ok(()) } else { Err(saved) }
}

pub fn rows() -> Vec<Row> {
    vec![
        Row::new("a tensor from a texture", to_tensor),
        Row::new("a texture from a tensor", to_texture),
        Row::new("ops without a shader of texels", any_op),
        Row::new("tensors of f16 between textures", halves),
        Row::new("a picture that is split", split),
        #[cfg(not(target_arch = "wasm32"))]
        Row::new("texture plans are tuned", tuned),
    ]
}
