//! Textures as a program's input and output: which tensors and formats can be textures, and ops that read and write
//! texels in one dispatch.

use std::ops::Range;

use wgpu::{Backend, Features, Limits, TextureFormat, TextureSampleType};

use super::constants::{Constant, flag};
use super::operand::{LaidOutTensor, Stored};
use super::pixel_format::PixelFormat;
use super::recipe::Capabilities;
use super::texts::OUTPUTS;
use super::uniform::to_u32;
use crate::dtype::DataType;
use crate::error::texture::TextureError;
use crate::error::{Error, Result};
use crate::geometry::at_most;
use crate::geometry::color::ColorEncoding;
use crate::tensor::operand::{Operand, Role};

/// Refuses a tensor that is not one picture, and a texture format that this device cannot read or write.
pub(crate) fn check_texture_operand(
    operand: &Operand,
    pixels: &PixelFormat,
    capabilities: &Capabilities,
) -> Result<()> {
    let role = operand.role.name();
    let refused = |error| Err(Error::Texture { operand: role, error });
    let shape = &operand.shape;
    let picture = shape.len() == 4
        && shape[0] == 1
        && !shape.contains(&0)
        && !operand.is_weight
        && operand.data_type == DataType::Float;
    if !picture {
        return refused(TextureError::NoPicture { shape: shape.clone() });
    }
    let format = format!("{:?}", pixels.format);
    if pixels.format.is_srgb() && pixels.encoding != ColorEncoding::Srgb {
        return refused(TextureError::Unusable { format, what: "taken for linear" });
    }
    match operand.role {
        Role::Output => check_written(pixels, capabilities)?,
        _ => check_read(pixels)?,
    }
    check_channels(role, pixels, shape[1])?;
    for &side in &shape[2..] {
        let limit = capabilities.limits.max_texture_dimension_2d.into();
        at_most("a texture's side (max_texture_dimension_2d)", side as u128, limit)?;
    }
    Ok(())
}

/// Refuses a format that cannot be read as floats, texel by texel.
fn check_read(pixels: &PixelFormat) -> Result<()> {
    let format = pixels.format;
    // The shaders filter by themselves, so a format that needs a feature to be filterable is read without it too.
    let floats = matches!(format.sample_type(None, None), Some(TextureSampleType::Float { .. }));
    if !floats || format.is_depth_stencil_format() || format.is_multi_planar_format() {
        let error = TextureError::Unusable { format: format!("{format:?}"), what: "read as floats" };
        return Err(Error::Texture { operand: "input", error });
    }
    Ok(())
}

/// The features that a device must have so that shaders may write this format.
pub(crate) fn needed_to_write(format: TextureFormat) -> Features {
    match format {
        TextureFormat::Bgra8Unorm => Features::BGRA8UNORM_STORAGE,
        _ => format.required_features(),
    }
}

/// Refuses a format that the device cannot write.
fn check_written(pixels: &PixelFormat, capabilities: &Capabilities) -> Result<()> {
    if capabilities.limits.max_storage_textures_per_shader_stage == 0 {
        return Err(Error::LimitTooLow {
            what: "an output texture",
            limit: "max_storage_textures_per_shader_stage",
            needed: 1,
            available: 0,
        });
    }
    let format = pixels.storage();
    // OpenGL ES has no image of two floats.
    let missing = capabilities.backend == Backend::Gl && format == TextureFormat::Rg32Float;
    if missing || !OUTPUTS.contains(&format) {
        let what = "written as a storage texture of floats";
        let error = TextureError::Unusable { format: format!("{:?}", pixels.format), what };
        return Err(Error::Texture { operand: "output", error });
    }
    if !capabilities.features.contains(needed_to_write(format)) {
        let feature =
            if format == TextureFormat::Bgra8Unorm { "BGRA8UNORM_STORAGE" } else { "TEXTURE_FORMAT_16BIT_NORM" };
        return Err(Error::MissingFeature { what: "an output texture of this format", feature });
    }
    Ok(())
}

/// Refuses more channels than a texel has, an output's component that two channels name, and numbers that are not
/// finite.
fn check_channels(operand: &'static str, pixels: &PixelFormat, channels: usize) -> Result<()> {
    let (format, available) = (format!("{:?}", pixels.format), usize::from(pixels.format.components()));
    let named = pixels.channels.get(..channels).unwrap_or(&[4]);
    if channels > available || named.iter().any(|&component| usize::from(component) >= available) {
        let largest = named.iter().map(|&component| usize::from(component) + 1).fold(channels, usize::max);
        return Err(Error::Texture { operand, error: TextureError::Channels { channels: largest, format, available } });
    }
    let repeated = |number: usize| named[..number].contains(&named[number]);
    if let Some(number) = (0..channels).find(|&number| operand == Role::Output.name() && repeated(number)) {
        let error = TextureError::RepeatedComponent { component: named[number] };
        return Err(Error::Texture { operand, error });
    }
    let numbers = [("a pixel format's scale", pixels.scale), ("a pixel format's offset", pixels.offset)];
    for (what, values) in numbers {
        if let Some(&value) = values[..channels].iter().find(|value| !value.is_finite()) {
            return Err(Error::InvalidParameter { what, value: value.into(), must: "finite" });
        }
    }
    Ok(())
}

/// What a shader between textures needs besides them, and that does not depend on their formats.
pub(crate) struct TexelWork {
    /// What the shader reads besides the input.
    pub(crate) buffers: [LaidOutTensor; 2],
    pub(crate) uniform: Vec<u8>,
    /// The most rounds that an invocation makes of its loops.
    pub(crate) rounds: u64,
    /// The shader's own constants, which come after those of [`texel_grid`].
    pub(crate) constants: Vec<Constant>,
}

/// The workgroups for a picture of this size, and the constants of shaders that go from texel to texel.
pub(crate) fn texel_grid(
    [input, output]: [&LaidOutTensor; 2],
    workgroup_size: u32,
    limits: &Limits,
) -> Result<([u32; 2], Vec<Constant>)> {
    let shape = output.layout.shape();
    let group = workgroup(workgroup_size, limits);
    let workgroups = [shape[3], shape[2]].map(to_u32);
    let workgroups = std::array::from_fn(|axis| workgroups[axis].div_ceil(group[axis]));
    for count in workgroups {
        let limit = limits.max_compute_workgroups_per_dimension;
        at_most("workgroups along a texture (max_compute_workgroups_per_dimension)", count.into(), limit.into())?;
    }
    let constants = vec![
        ("workgroup_width", group[0].into()),
        ("workgroup_height", group[1].into()),
        ("channels", shape[1] as f64),
        decode_constant(input),
        encode_constant(output),
    ];
    Ok((workgroups, constants))
}

/// The constant `decode_srgb` of shaders that read a texture.
pub(crate) fn decode_constant(input: &LaidOutTensor) -> Constant {
    flag("decode_srgb", matches!(input.stored, Stored::Texels(pixels) if pixels.shader_decodes_srgb()))
}

/// The constant `encode_srgb` of shaders that write a texture.
pub(crate) fn encode_constant(output: &LaidOutTensor) -> Constant {
    flag("encode_srgb", matches!(output.stored, Stored::Texels(pixels) if pixels.encoding == ColorEncoding::Srgb))
}

/// The bytes of a buffer that is bound whole. Refuses one that is larger than a binding.
pub(crate) fn bound_whole(tensor: &LaidOutTensor, limits: &Limits) -> Result<Range<u64>> {
    let (operand, needed) = (tensor.name(), tensor.bytes());
    let (limit, limit_name) = (limits.max_storage_buffer_binding_size, "max_storage_buffer_binding_size");
    if needed > limit { Err(Error::BindingTooSmall { operand, needed, limit, limit_name }) } else { Ok(0..needed) }
}

/// Width and height of a workgroup of so many threads: as near to a square as its divisors allow.
pub(crate) fn workgroup(size: u32, limits: &Limits) -> [u32; 2] {
    let highest = size.isqrt().min(limits.max_compute_workgroup_size_y).max(1);
    let height = (1..=highest).rev().find(|height| size.is_multiple_of(*height)).unwrap_or(1);
    [size / height, height]
}
