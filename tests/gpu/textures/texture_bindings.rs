//! What a plan between textures refuses, and views of what it writes.

use upconv::gpu::{PixelFormat, TextureLevel};
use upconv::{
    ColorEncoding, Conv2d, Error, Gpu, PlanOptions, TensorLayout, TextureError, Upsample2d, UpsampleMode, wgpu,
};
use wgpu::TextureFormat::{self, *};
use wgpu::TextureUsages;

use crate::Row;
use crate::harness::Outcome;
use crate::harness::submit;
use crate::tensors::storage;
use crate::textures::texels::Canvas;
use crate::textures::textures::{input_and_output, text, upsample};

async fn refusals(gpu: &Gpu) -> Outcome {
    let plan = |op: &Upsample2d, input: TextureFormat, output: TextureFormat| {
        gpu.planner().plan_with(op, &PlanOptions::textures(input, output)).map(|plan| plan.recipe().to_string())
    };
    let op = upsample(4, UpsampleMode::Linear);
    let texture_error = |operand, error| Err(Error::Texture { operand, error });
    let name = |format: TextureFormat| format!("{format:?}");
    let unusable = |format, what| TextureError::Unusable { format: name(format), what };
    let few = TextureError::Channels { channels: 4, format: name(R32Float), available: 1 };
    let largest = gpu.device().limits().max_texture_dimension_2d;
    let wide = Upsample2d { output_size: [5, largest as usize + 1], ..op.clone() };
    let what = "a texture's side (max_texture_dimension_2d)";
    let too_wide = Error::TooLarge { what, value: u128::from(largest) + 1, limit: largest.into() };
    let plan_as_linear = |input, output| {
        let [input, output] = [input, output].map(|format: TextureFormat| {
            let mut pixels = PixelFormat::from(format);
            pixels.encoding = ColorEncoding::Linear;
            pixels
        });
        gpu.planner().plan_with(&op, &PlanOptions::textures(input, output)).map(|plan| plan.recipe().to_string())
    };
    let cases = [
        (plan(&op, Rgba8Unorm, Rgba8Unorm), Ok("resample_texture wg64 texels".into())),
        (plan(&op, Rgba8Uint, Rgba8Unorm), texture_error("input", unusable(Rgba8Uint, "read as floats"))),
        (plan(&op, Depth32Float, Rgba8Unorm), texture_error("input", unusable(Depth32Float, "read as floats"))),
        (
            plan(&op, Rgba8Unorm, Rgba8Uint),
            texture_error("output", unusable(Rgba8Uint, "written as a storage texture of floats")),
        ),
        (plan(&op, R32Float, Rgba8Unorm), texture_error("input", few.clone())),
        (plan(&op, Rgba8Unorm, R32Float), texture_error("output", few)),
        (plan(&wide, Rgba8Unorm, Rgba8Unorm), Err(too_wide)),
        (
            plan_as_linear(Rgba8UnormSrgb, Rgba8Unorm),
            texture_error("input", unusable(Rgba8UnormSrgb, "taken for linear")),
        ),
        (
            plan_as_linear(Rgba8Unorm, Rgba8UnormSrgb),
            texture_error("output", unusable(Rgba8UnormSrgb, "taken for linear")),
        ),
    ];
    for (actual, expected) in cases {
        if actual != expected {
            return Err(format!("{actual:?} where {expected:?} was expected"));
        }
    }
    let many = Upsample2d { batch: 2, ..op.clone() };
    let input = Some(TensorLayout::contiguous(&[1, 4, 5, 7]));
    let layout = PlanOptions { input, ..PlanOptions::textures(Rgba8Unorm, Rgba8Unorm) };
    let laid_out = gpu.planner().plan_with(&op, &layout).map(|_| ());
    match (plan(&many, Rgba8Unorm, Rgba8Unorm), laid_out) {
        (
            Err(Error::Texture { operand: "input", error: TextureError::NoPicture { .. } }),
            Err(Error::UnknownOperand { operand: "input", .. }),
        ) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

async fn bindings(gpu: &Gpu) -> Outcome {
    let conv =
        Conv2d { in_channels: 4, out_channels: 4, input_size: [4, 4], kernel_size: [1, 1], ..Default::default() };
    let plan = gpu.planner().plan_with(&conv, &PlanOptions::textures(Rgba8Unorm, Rgba8Unorm)).map_err(text)?;
    let usage = TextureUsages::TEXTURE_BINDING | TextureUsages::STORAGE_BINDING;
    let [read, written] =
        [TextureUsages::TEXTURE_BINDING, usage].map(|usage| Canvas::new(gpu, Rgba8Unorm.into(), [4, 4], usage));
    let other = Canvas::new(gpu, Rgba16Float.into(), [4, 4], usage);
    let weight = storage(gpu, 64);
    let bind = |input: TextureLevel<'_>, output: TextureLevel<'_>| {
        plan.bind(&input_and_output(input, output).weight(weight.slice(..))).map(|_| ())
    };
    let (x, y) = (read.picture(), written.picture());
    let texture_error = |operand, error| Err(Error::Texture { operand, error });
    let [expected, actual] = ["Rgba8Unorm", "Rgba16Float"].map(String::from);
    let part = |what, number, count| TextureError::Part { what, number, count };
    let cases = [
        (bind(x, y), Ok(())),
        (bind(y, y), Err(Error::SameTexture { level: 1, layer: y.array_layer })),
        (bind(y, x), Err(Error::MissingUsage { operand: "output", usage: "STORAGE_BINDING" })),
        (bind(x, other.picture()), texture_error("output", TextureError::Format { expected, actual })),
        (bind(TextureLevel { mip_level: 2, ..x }, y), texture_error("input", part("mip level", 2, 2))),
        (
            bind(x, TextureLevel { array_layer: 7, ..y }),
            texture_error("output", part("array layer", 7, y.array_layer + 1)),
        ),
        (plan.bind(&input_and_output(x, y)).map(|_| ()), Err(Error::NotBound { op: "conv", operand: "weight" })),
        (
            plan.bind(&input_and_output(weight.slice(..), y).weight(weight.slice(..))).map(|_| ()),
            Err(Error::ResourceKind { operand: "input", expected: "texture" }),
        ),
        (
            plan.bind(&input_and_output(x, y).weight(weight.slice(..)).bias(weight.slice(..))).map(|_| ()),
            Err(Error::UnknownOperand { op: "conv", operand: "bias" }),
        ),
        (
            plan.bind(&input_and_output(x, y).weight(weight.slice(..32))).map(|_| ()),
            Err(Error::BufferTooSmall { operand: "weight", needed: 64, available: 32 }),
        ),
    ];
    for (actual, expected) in cases {
        if actual != expected {
            return Err(format!("{actual:?} where {expected:?} was expected"));
        }
    }
    Ok(())
}

/// A texture that was written with sRGB-encoded values can be viewed in the sRGB format, to be sampled as linear
/// values. OpenGL has no such views.
async fn srgb_views(gpu: &Gpu) -> Outcome {
    if gpu.info().backend == wgpu::Backend::Gl {
        return Ok(());
    }
    let op = upsample(4, UpsampleMode::Linear);
    let [read, written] =
        [TextureUsages::TEXTURE_BINDING, TextureUsages::STORAGE_BINDING | TextureUsages::TEXTURE_BINDING];
    let canvas = Canvas::new(gpu, Rgba8UnormSrgb.into(), [7, 5], read);
    let target = gpu.device().create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: 13, height: 11, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: Rgba8Unorm,
        usage: written,
        view_formats: &[Rgba8UnormSrgb],
    });
    let plan = gpu.planner().plan_with(&op, &PlanOptions::textures(Rgba8UnormSrgb, Rgba8UnormSrgb)).map_err(text)?;
    let scope = gpu.device().push_error_scope(wgpu::ErrorFilter::Validation);
    submit(gpu, &plan.bind(&input_and_output(canvas.picture(), &target)).map_err(text)?);
    target.create_view(&wgpu::TextureViewDescriptor {
        format: Some(Rgba8UnormSrgb),
        usage: Some(TextureUsages::TEXTURE_BINDING),
        ..Default::default()
    });
    scope.pop().await.map_or(Ok(()), |error| Err(error.to_string()))
}

pub fn rows() -> Vec<Row> {
    vec![
        Row::new("formats and sizes that cannot be are refused", refusals),
        Row::new("textures that do not fit are refused", bindings),
        Row::new("what was written is seen as sRGB through a view", srgb_views),
    ]
}
