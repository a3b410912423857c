//! Plans from texture to texture, in many formats, with and without sRGB, against the reference within half a code
//! value.

use ndarray::{Array4, ArrayD};
use upconv::gpu::{Bindings, GpuOp, PixelFormat, Resource, TextureLevel};
use upconv::{
    Activation, ColorEncoding, ConvTranspose2d, Coordinates, Error, Gpu, Plan, PlanOptions, Reference, Rounding,
    TensorLayout, TextureError, Upsample2d, UpsampleMode, wgpu,
};
use wgpu::TextureFormat::{self, *};
use wgpu::{Features, TextureUsages};

use crate::Row;
use crate::harness::{Data, Outcome, Random, submit};
use crate::problems::Fields;
use crate::tensors::laid_out;
use crate::textures::texels::{Canvas, Kind, kind};

/// Relative error that a device or a shader may make when it decodes or encodes sRGB, as `pow` is not exact.
pub const SRGB_ERROR: f64 = 2e-5;

pub fn text(error: Error) -> String {
    error.to_string()
}

/// Runs an op on random texels and compares each channel that is written with the reference.
async fn check<O: GpuOp>(gpu: &Gpu, op: &O, input: PixelFormat, output: PixelFormat, options: &PlanOptions) -> Outcome {
    let options = PlanOptions { input_texture: Some(input), output_texture: Some(output), ..options.clone() };
    let Some(plan) = planned(gpu, op, output, &options)? else { return Ok(()) };
    // The recipe that was chosen, and one of each other kind.
    let mut recipes = gpu.planner().recipes(op, &options);
    recipes.dedup_by_key(|recipe| (recipe.shader, recipe.shape));
    recipes.retain(|recipe| options.recipe.is_none() && recipe.shape != plan.recipe().shape);
    let mut plans = vec![plan];
    for recipe in recipes {
        let options = PlanOptions { recipe: Some(recipe), ..options.clone() };
        plans.push(gpu.planner().plan_with(op, &options).map_err(text)?);
    }
    let mut operands = op.inputs().map_err(text)?;
    let [written, read] = [op.output().map_err(text)?, operands.remove(0)].map(|operand| operand.shape);
    let mut random = Random::new(&format!("{read:?} {written:?}"));
    let canvas = Canvas::new(gpu, input, [read[3], read[2]], TextureUsages::TEXTURE_BINDING);
    let lowest = if matches!(kind(input.format), Kind::Unorm(_)) { 0.0 } else { -1.0 };
    let mut linear_values = canvas.fill(gpu, || (random.next() % 1001) as f64 / 1000.0 * (1.0 - lowest) + lowest);
    if input.format.is_srgb() {
        linear_values = decoded(gpu, &canvas, &linear_values).await?;
    }
    let x =
        Array4::from_shape_fn((1, read[1], read[2], read[3]), |(_, c, y, x)| linear_values[y * read[3] + x][c] as f32);
    // Weights small enough that most sums stay in the range of a normalised format.
    let taps: usize = operands.first().map_or(1, |weight| weight.shape[1..].iter().product());
    let scaled = |shape: &[usize]| random.tensor(shape, Data::Reals) * (2.0 / taps as f32);
    let weights: Vec<ArrayD<f32>> = operands.iter().map(|operand| &operand.shape[..]).map(scaled).collect();
    let buffers = weights.iter().zip([&options.weight, &options.bias]);
    let buffers: Vec<_> = buffers.map(|(weight, layout)| laid_out(gpu, weight, layout.as_ref())).collect();
    let weights = weights.iter().map(|weight| weight.view());
    let views: Vec<_> = std::iter::once(x.view().into_dyn()).chain(weights).collect();
    let reference = op.reference(&views).map_err(text)?;
    let decoding = if input.shader_decodes_srgb() { SRGB_ERROR } else { 0.0 };
    for plan in plans {
        let target = destination(gpu, output, [written[3], written[2]]);
        let roles = operands.iter().map(|operand| operand.role);
        let bindings: Bindings = roles.zip(buffers.iter().map(|buffer| buffer.slice(..))).collect();
        let bindings = bindings.input(canvas.picture()).output(target.picture());
        submit(gpu, &plan.bind(&bindings).map_err(text)?);
        let texels = written_texels(gpu, output, &target).await?;
        compare(&reference, decoding, output, &texels).map_err(|error| format!("{}: {error}", plan.recipe()))?;
    }
    Ok(())
}

/// A texture for an output of this format.
pub fn destination(gpu: &Gpu, output: PixelFormat, size: [usize; 2]) -> Canvas {
    let mut target = output;
    target.format = output.format.remove_srgb_suffix();
    Canvas::new(gpu, target, size, TextureUsages::STORAGE_BINDING | TextureUsages::TEXTURE_BINDING)
}

/// The texels that were written.
pub async fn written_texels(gpu: &Gpu, output: PixelFormat, target: &Canvas) -> Result<Vec<Vec<f64>>, String> {
    if clamps_when_read(gpu, output.format) { copied(gpu, target).await } else { target.read(gpu).await }
}

/// The plan, or `None` where the planner refuses the output's format and the device indeed lacks what it needs.
pub fn planned<O: GpuOp>(
    gpu: &Gpu,
    op: &O,
    output: PixelFormat,
    options: &PlanOptions,
) -> Result<Option<Plan>, String> {
    let has = |feature| gpu.device().features().contains(feature);
    let opengl = gpu.info().backend == wgpu::Backend::Gl;
    match gpu.planner().plan_with(op, options) {
        Err(Error::MissingFeature { feature: "BGRA8UNORM_STORAGE", .. }) if !has(Features::BGRA8UNORM_STORAGE) => {
            Ok(None)
        }
        Err(Error::MissingFeature { feature: "TEXTURE_FORMAT_16BIT_NORM", .. })
            if !has(Features::TEXTURE_FORMAT_16BIT_NORM) =>
        {
            Ok(None)
        }
        Err(Error::Texture { operand: "output", error: TextureError::Unusable { .. } })
            if opengl && output.format == Rg32Float =>
        {
            Ok(None)
        }
        outcome => outcome.map(Some).map_err(text),
    }
}

/// The bindings of an input and an output.
pub fn input_and_output<'a>(input: impl Into<Resource<'a>>, output: impl Into<Resource<'a>>) -> Bindings<'a> {
    Bindings::new().input(input).output(output)
}

/// Whether a copy of such a texture to a buffer clamps values below 0, as OpenGL does.
fn clamps_when_read(gpu: &Gpu, format: TextureFormat) -> bool {
    gpu.info().backend == wgpu::Backend::Gl && matches!(kind(format), Kind::Snorm(_))
}

/// The texels as a shader reads them.
async fn copied(gpu: &Gpu, canvas: &Canvas) -> Result<Vec<Vec<f64>>, String> {
    let [width, height] = canvas.size;
    let channels = canvas.format.format.components().into();
    let copy = Upsample2d { channels, input_size: [height, width], output_size: [height, width], ..Default::default() };
    let target = Canvas::new(gpu, Rgba32Float.into(), canvas.size, TextureUsages::STORAGE_BINDING);
    let plan = gpu.planner().plan_with(&copy, &PlanOptions::textures(canvas.format.format, Rgba32Float));
    submit(gpu, &plan.map_err(text)?.bind(&input_and_output(canvas.picture(), target.picture())).map_err(text)?);
    Ok(target.read(gpu).await?.into_iter().map(|texel| texel[..channels].to_vec()).collect())
}

/// The linear values that the device decodes from an sRGB texture, or an error if they are not within half a code value
/// of `linear_values`.
pub async fn decoded(gpu: &Gpu, canvas: &Canvas, linear_values: &[[f64; 4]]) -> Result<Vec<[f64; 4]>, String> {
    let texels = copied(gpu, canvas).await?;
    for (actual, expected) in texels.iter().flatten().zip(linear_values.iter().flatten()) {
        let [code, true_code] = [actual, expected].map(|&amount| ColorEncoding::Srgb.encode(amount) * 255.0);
        if (code - true_code).abs() > 0.5 {
            return Err(format!("the device decodes {true_code} as {code}"));
        }
    }
    Ok(texels.into_iter().map(|texel| std::array::from_fn(|channel| texel[channel])).collect())
}

fn compare(reference: &Reference, decoding: f64, output: PixelFormat, texels: &[Vec<f64>]) -> Outcome {
    let &[_, channels, height, width] = reference.values.shape() else { return Err("no picture".into()) };
    if texels.len() != height * width {
        return Err(format!("{} texels where {height} x {width} were expected", texels.len()));
    }
    let kind = kind(output.format);
    for (number, texel) in texels.iter().enumerate() {
        for (channel, &actual) in texel.iter().enumerate() {
            let at = [0, channel, number / width, number % width];
            // A channel that the op lacks is 0, and alpha 1.
            let (mut value, mut bound) = (if channel == 3 { 1.0 } else { 0.0 }, 0.0);
            if channel < channels {
                value = reference.values[at.as_slice()];
                bound = reference.bound(&at) + decoding * reference.magnitudes[at.as_slice()];
            }
            let encoding = if channel < 3 { output.encoding } else { ColorEncoding::Linear };
            let [low, high] = [value - bound, value + bound].map(|amount| allowed(amount, encoding, kind));
            if !(low.0..=high.1).contains(&actual) {
                let expected = encoding.encode(value);
                return Err(format!("{at:?}: {actual} where {expected} ({low:?} to {high:?}) was expected"));
            }
        }
    }
    Ok(())
}

/// The range of values that may be stored for a linear value: half a code value, or a rounding of a float, around the
/// encoded value.
pub fn allowed(amount: f64, encoding: ColorEncoding, kind: Kind) -> (f64, f64) {
    let code = encoding.encode(amount);
    let power = if encoding == ColorEncoding::Srgb { SRGB_ERROR * code.abs() } else { 0.0 };
    let half = match (kind, kind.levels()) {
        (Kind::F16, _) => code.abs() / 2048.0 + f64::from(upconv::half::f16::MIN_POSITIVE),
        (_, None) => code.abs() / f64::from(1 << 24) + f64::from(f32::MIN_POSITIVE),
        (_, Some(levels)) => 0.5 / levels + f64::from(f32::EPSILON),
    };
    let lowest = if matches!(kind, Kind::Snorm(_)) { -1.0 } else { 0.0 };
    let clamp = |code: f64| if kind.levels().is_some() { code.clamp(lowest, 1.0) } else { code };
    (clamp(code) - power - half, clamp(code) + power + half)
}

pub fn upsample(channels: usize, mode: UpsampleMode) -> Upsample2d {
    let coordinates = Coordinates::HalfPixel;
    Upsample2d { channels, input_size: [5, 7], output_size: [11, 13], coordinates, mode, ..Default::default() }
}

/// Formats that are read; every one is tested with an output that all devices write.
const INPUTS: [TextureFormat; 9] =
    [Rgba8Unorm, Rgba8UnormSrgb, Bgra8Unorm, Bgra8UnormSrgb, Rgba16Float, R32Float, Rgba32Float, Rgba8Snorm, R8Unorm];

/// Every format that can be written.
const OUTPUTS: [TextureFormat; 13] = [
    Rgba8Unorm,
    Rgba8Snorm,
    Bgra8Unorm,
    Rgba16Float,
    Rgba32Float,
    Rg32Float,
    R32Float,
    R16Unorm,
    Rg16Unorm,
    Rgba16Unorm,
    R16Snorm,
    Rg16Snorm,
    Rgba16Snorm,
];

fn formats() -> Vec<Row> {
    let mut rows = Vec::new();
    for format in INPUTS {
        rows.push(Row::new(format!("reads {format:?}"), async move |gpu| {
            let op = upsample(format.components().into(), UpsampleMode::Linear);
            check(gpu, &op, format.into(), Rgba8Unorm.into(), &PlanOptions::default()).await?;
            check(gpu, &op, PixelFormat::srgb(format), PixelFormat::srgb(Rgba16Float), &PlanOptions::default()).await
        }));
    }
    for format in OUTPUTS {
        rows.push(Row::new(format!("writes {format:?}"), async move |gpu| {
            let op = upsample(format.components().into(), UpsampleMode::Cubic { a: -0.75, exclude_outside: false });
            check(gpu, &op, Rgba8Unorm.into(), format.into(), &PlanOptions::default()).await?;
            check(gpu, &op, Rgba16Float.into(), PixelFormat::srgb(format), &PlanOptions::default()).await
        }));
    }
    rows
}

/// Layers, each in one string; the comments say what they test.
const LAYERS: [&str; 8] = [
    // Every channel count of a texel, in and out, with sizes that no workgroup divides.
    "ic4_oc4_i9x11_k3x3_p1x1",
    "ic3_oc1_i6x5_k2x3_b1",
    "ic1_oc4_i5x6_k3x2_s2x1_p1x0_b1",
    // Groups of one channel, and of two.
    "ic4_oc4_i7x6_k3x3_p1x1_g4_b1",
    "ic4_oc2_i6x7_k2x2_g2",
    // Strides and dilations with and without common factors, on different axes.
    "ic3_oc3_i9x8_k3x2_s2x3_d2x2_p2x1",
    "ic2_oc4_i8x10_k2x3_s4x2_d3x4_p1x2_g2_b1",
    "ic4_oc3_i19x17_k1x1",
];

fn layers() -> Vec<Row> {
    let both = |layer: &'static str| {
        let conv = Row::new(format!("conv {layer}"), async move |gpu| {
            let conv = Fields::<2>::parse(layer).conv();
            check(gpu, &conv, Rgba8Unorm.into(), Rgba8Unorm.into(), &PlanOptions::default()).await?;
            check(gpu, &conv, Rgba16Float.into(), Rgba32Float.into(), &PlanOptions::default()).await
        });
        let transposed = Row::new(format!("conv_transpose {layer}"), async move |gpu| {
            let up = Fields::<2>::parse(layer).conv_transpose();
            check(gpu, &up, Rgba8UnormSrgb.into(), Rgba8UnormSrgb.into(), &PlanOptions::default()).await?;
            check(gpu, &up, Rgba16Float.into(), Rgba32Float.into(), &PlanOptions::default()).await
        });
        [conv, transposed]
    };
    LAYERS.into_iter().flat_map(both).collect()
}

/// Weights and biases in odd layouts, an activation, other workgroup sizes, padding on one side.
async fn options(gpu: &Gpu) -> Outcome {
    let up = ConvTranspose2d {
        in_channels: 4,
        out_channels: 4,
        groups: 2,
        bias: true,
        input_size: [5, 6],
        kernel_size: [3, 4],
        stride: [2, 3],
        padding: [[0, 2], [-1, 1]].into(),
        activation: Activation::LeakyRelu { slope: -0.5 },
        ..Default::default()
    };
    let weight = TensorLayout::new(&[4, 2, 3, 4], &[1, 4, 32, 8], 5).map_err(text)?;
    let bias = TensorLayout::new(&[4], &[3], 2).map_err(text)?;
    for size in [1, 32, 128] {
        let recipe = Some(format!("conv_texture wg{size} texels").parse().map_err(text)?);
        let options =
            PlanOptions { weight: Some(weight.clone()), bias: Some(bias.clone()), recipe, ..Default::default() };
        check(gpu, &up, Rgba16Float.into(), Rgba32Float.into(), &options)
            .await
            .map_err(|error| format!("{size}: {error}"))?;
    }
    Ok(())
}

/// Modes that differ in their tap tables: a copy, an average, a crop that reaches outside the image, a single row.
fn modes() -> Vec<Row> {
    let roi = Coordinates::TfCropAndResize { roi: [[-0.2, 0.9], [0.3, 1.4]] };
    let cases = [
        ("nearest", upsample(4, UpsampleMode::Nearest(Rounding::PreferCeil))),
        ("smaller", Upsample2d { input_size: [23, 31], output_size: [5, 3], ..upsample(3, UpsampleMode::Area) }),
        ("crop", Upsample2d { coordinates: roi, extrapolation_value: 0.25, ..upsample(4, UpsampleMode::Linear) }),
        ("one row", Upsample2d { input_size: [1, 40], output_size: [1, 100], ..upsample(2, UpsampleMode::Linear) }),
    ];
    let row = |(name, op): (&'static str, Upsample2d)| {
        Row::new(name, async move |gpu| {
            check(gpu, &op, Rgba8Unorm.into(), Rgba8Unorm.into(), &PlanOptions::default()).await?;
            check(gpu, &op, Rgba16Float.into(), Rgba32Float.into(), &PlanOptions::default()).await
        })
    };
    cases.into_iter().map(row).collect()
}

/// Writes one level of a texture from another level of it.
async fn levels(gpu: &Gpu) -> Outcome {
    let double = Upsample2d { channels: 4, input_size: [4, 6], output_size: [8, 12], ..Default::default() };
    let plan = gpu.planner().plan_with(&double, &PlanOptions::textures(Rgba8Unorm, Rgba8Unorm)).map_err(text)?;
    let usage = TextureUsages::TEXTURE_BINDING | TextureUsages::STORAGE_BINDING;
    let canvas = Canvas::new(gpu, Rgba8Unorm.into(), [6, 4], usage);
    let mut random = Random::new("levels");
    canvas.fill(gpu, || (random.next() % 256) as f64 / 255.0);
    let layer = canvas.picture().array_layer;
    let level = |mip_level| TextureLevel { mip_level, ..canvas.picture() };
    match plan.bind(&input_and_output(level(1), level(0))) {
        Err(Error::SameTexture { level: 1, .. }) if gpu.info().backend == wgpu::Backend::Gl => return Ok(()),
        bound => submit(gpu, &bound.map_err(text)?),
    }
    let [large, small] = [canvas.texels(gpu, 0, layer).await?, canvas.texels(gpu, 1, layer).await?];
    if let Some(at) = (0..96).find(|at| large[*at] != small[at / 24 * 6 + at % 12 / 2]) {
        return Err(format!("texel {at} is {:?}", large[at]));
    }
    let size = TextureError::Size { expected: [6, 4], actual: [12, 8] };
    match plan.bind(&input_and_output(level(0), level(0))) {
        Err(Error::Texture { operand: "input", error }) if error == size => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// Numbers of all sizes that lie between two f16, ties among them: the nearest f16 is stored, or 0 in place of a
/// subnormal. Past the largest f16, the largest is stored.
async fn halves(gpu: &Gpu) -> Outcome {
    let numbers: Vec<f32> = (0..96).map(|i| (1.0 + i as f32 * 0.173) * 2f32.powi(i % 40 - 26)).collect();
    let ties = [2048.0 + 1.0, 2048.0 + 3.0, 1.0 + 1.0 / 2048.0, 0.0, 65504.0, 3.0 / 33_554_432.0];
    let numbers: Vec<f32> = ties.into_iter().chain(numbers).flat_map(|number| [number, -number]).take(192).collect();
    let copy = Upsample2d { channels: 4, input_size: [6, 8], output_size: [6, 8], ..Default::default() };
    let plan = gpu.planner().plan_with(&copy, &PlanOptions::textures(Rgba32Float, Rgba16Float)).map_err(text)?;
    let canvas = Canvas::new(gpu, Rgba32Float.into(), [8, 6], TextureUsages::TEXTURE_BINDING);
    let mut next = numbers.iter();
    canvas.fill(gpu, || next.next().copied().unwrap_or_default().into());
    let target = Canvas::new(gpu, Rgba16Float.into(), [8, 6], TextureUsages::STORAGE_BINDING);
    submit(gpu, &plan.bind(&input_and_output(canvas.picture(), target.picture())).map_err(text)?);
    for (actual, number) in target.read(gpu).await?.concat().into_iter().zip(numbers) {
        let nearest = upconv::half::f16::from_f32(number.clamp(-65504.0, 65504.0));
        let flushed = nearest.is_normal() || actual != 0.0;
        if actual != f64::from(nearest) && flushed {
            return Err(format!("{number} was stored as {actual}; the nearest is {nearest}"));
        }
    }
    Ok(())
}

pub fn rows() -> Vec<Row> {
    let mut rows = formats();
    rows.extend(layers());
    rows.extend(modes());
    rows.push(Row::new("weights at odd places and workgroups of other sizes", options));
    rows.push(Row::new("a mip level from another", levels));
    rows.push(Row::new("f16 is rounded to the nearest", halves));
    rows
}
