//! Textures as inputs and outputs: their formats, and which part of one is bound.

use wgpu::{
    Backend, Features, Texture, TextureDimension, TextureFormat, TextureSampleType, TextureUsages, TextureView,
    TextureViewDescriptor, TextureViewDimension,
};

use super::recipe::Capabilities;
use crate::error::TextureMistake;
use crate::{ColorEncoding, Error, Result};

/// The storage textures of floats that WebGPU guarantees, and those of 16-bit codes: a shader's text for each, in this order.
pub(crate) const OUTPUTS: [TextureFormat; 13] = [
    TextureFormat::Rgba8Unorm,
    TextureFormat::Rgba8Snorm,
    TextureFormat::Bgra8Unorm,
    TextureFormat::Rgba16Float,
    TextureFormat::Rgba32Float,
    TextureFormat::Rg32Float,
    TextureFormat::R32Float,
    TextureFormat::R16Unorm,
    TextureFormat::Rg16Unorm,
    TextureFormat::Rgba16Unorm,
    TextureFormat::R16Snorm,
    TextureFormat::Rg16Snorm,
    TextureFormat::Rgba16Snorm,
];

/// The text of a shader for each of [`OUTPUTS`]: its files after a prelude that names the output's type.
macro_rules! with_outputs {
    ($($file:literal),+) => {
        with_outputs!(@each (
            "rgba8unorm" "rgba8snorm" "bgra8unorm" "rgba16float" "rgba32float" "rg32float" "r32float"
            "r16unorm" "rg16unorm" "rgba16unorm" "r16snorm" "rg16snorm" "rgba16snorm"
        ) ($($file)+))
    };
    (@each ($($format:literal)+) $files:tt) => {
        &[$(with_outputs!(@text $format $files)),+]
    };
    (@text $format:literal ($($file:literal)+)) => {
        concat!(include_str!(concat!("../../shaders/prelude/to_", $format, ".wgsl")), $(include_str!($file)),+)
    };
}
pub(crate) use with_outputs;

/// A texture's format, and what its numbers stand for.
///
/// A format alone stands for itself: those that end in `Srgb` hold sRGB's codes, all others amounts.
///
/// * An input whose format ends in `Srgb` is decoded by the device, as exactly as that does it. One of sRGB's codes in another format, as
///   `Rgba8Unorm`, is decoded by the shader.
/// * No device writes sRGB's codes to a storage texture by itself: the shader encodes, and the texture is of the format
///   without `Srgb`. [`PixelFormat::from`] of `Rgba8UnormSrgb` is therefore written to a texture of `Rgba8Unorm`, which
///   can have `Rgba8UnormSrgb` among its `view_formats` (not through OpenGL) and be sampled through a view of that format
///   whose usage is `TEXTURE_BINDING` alone.
/// * Where nothing is encoded, nothing is: amounts in eight bits show bands in the dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PixelFormat {
    /// The texture's format.
    pub format: TextureFormat,
    /// What its numbers stand for.
    pub encoding: ColorEncoding,
}

impl From<TextureFormat> for PixelFormat {
    fn from(format: TextureFormat) -> Self {
        let encoding = if format.is_srgb() { ColorEncoding::Srgb } else { ColorEncoding::Linear };
        Self { format, encoding }
    }
}

impl PixelFormat {
    /// sRGB's codes in this format.
    pub fn srgb(format: TextureFormat) -> Self {
        Self { format, encoding: ColorEncoding::Srgb }
    }

    /// Whether the shader decodes what it reads, and not the device.
    pub fn is_decoded(&self) -> bool {
        self.encoding == ColorEncoding::Srgb && !self.format.is_srgb()
    }

    /// The format that a texture has that is written so.
    pub(crate) fn storage(&self) -> TextureFormat {
        self.format.remove_srgb_suffix()
    }

    /// Refuses what cannot be read as floats, texel by texel, or has too few channels.
    pub(crate) fn check_input(&self, channels: usize) -> Result<()> {
        self.check_encoding("input")?;
        let format = self.format;
        // What a feature allows to be filtered is read all the same without it.
        let floats = matches!(format.sample_type(None, None), Some(TextureSampleType::Float { .. }));
        if !floats || format.is_depth_stencil_format() || format.is_multi_planar_format() {
            let mistake = TextureMistake::Unusable { format: format!("{format:?}"), what: "read as floats" };
            return Err(Error::Texture { operand: "input", mistake });
        }
        self.check_channels("input", channels)
    }

    /// Refuses what the device cannot write, or has too few channels.
    pub(crate) fn check_output(&self, channels: usize, capabilities: &Capabilities) -> Result<()> {
        self.check_encoding("output")?;
        let format = self.storage();
        // OpenGL ES has no image of two floats.
        let missing = capabilities.backend == Backend::Gl && format == TextureFormat::Rg32Float;
        if missing || !OUTPUTS.contains(&format) {
            let what = "written as a storage texture of floats";
            let mistake = TextureMistake::Unusable { format: format!("{format:?}"), what };
            return Err(Error::Texture { operand: "output", mistake });
        }
        let needed = match format {
            TextureFormat::Bgra8Unorm => Features::BGRA8UNORM_STORAGE,
            _ => format.required_features(),
        };
        if !capabilities.features.contains(needed) {
            let feature =
                if format == TextureFormat::Bgra8Unorm { "BGRA8UNORM_STORAGE" } else { "TEXTURE_FORMAT_16BIT_NORM" };
            return Err(Error::MissingFeature { what: "an output texture of this format", feature });
        }
        self.check_channels("output", channels)
    }

    /// Refuses amounts in a format that says that it holds codes.
    fn check_encoding(&self, operand: &'static str) -> Result<()> {
        if !self.format.is_srgb() || self.encoding == ColorEncoding::Srgb {
            return Ok(());
        }
        let mistake = TextureMistake::Unusable { format: format!("{:?}", self.format), what: "taken for amounts" };
        Err(Error::Texture { operand, mistake })
    }

    fn check_channels(&self, operand: &'static str, channels: usize) -> Result<()> {
        let available = usize::from(self.format.components());
        if channels <= available {
            return Ok(());
        }
        let mistake = TextureMistake::Channels { channels, format: format!("{:?}", self.format), available };
        Err(Error::Texture { operand, mistake })
    }
}

/// One picture in a texture: a level of one of its layers. A texture alone stands for the first of both.
#[derive(Clone, Copy, Debug)]
pub struct TextureLevel<'a> {
    /// The texture; of two dimensions, and one sample.
    pub texture: &'a Texture,
    /// Which mip level.
    pub mip_level: u32,
    /// Which array layer.
    pub array_layer: u32,
}

impl<'a> From<&'a Texture> for TextureLevel<'a> {
    fn from(texture: &'a Texture) -> Self {
        Self { texture, mip_level: 0, array_layer: 0 }
    }
}

impl TextureLevel<'_> {
    /// Refuses a texture that is not what the plan was made for.
    pub(crate) fn check(&self, operand: &'static str, format: TextureFormat, size: [usize; 2]) -> Result<()> {
        let texture = self.texture;
        let refused = |mistake| Err(Error::Texture { operand, mistake });
        let (usage, name) = match operand {
            "output" => (TextureUsages::STORAGE_BINDING, "STORAGE_BINDING"),
            _ => (TextureUsages::TEXTURE_BINDING, "TEXTURE_BINDING"),
        };
        if texture.format() != format {
            let [expected, actual] = [format, texture.format()].map(|format| format!("{format:?}"));
            return refused(TextureMistake::Format { expected, actual });
        }
        if !texture.usage().contains(usage) {
            return Err(Error::MissingUsage { operand, usage: name });
        }
        if texture.dimension() != TextureDimension::D2 || texture.sample_count() != 1 {
            let (dimension, samples) = (format!("{:?}", texture.dimension()), texture.sample_count());
            return refused(TextureMistake::Kind { dimension, samples });
        }
        let parts = [
            ("mip level", self.mip_level, texture.mip_level_count()),
            ("array layer", self.array_layer, texture.depth_or_array_layers()),
        ];
        if let Some((what, number, count)) = parts.into_iter().find(|&(_, number, count)| number >= count) {
            return refused(TextureMistake::Part { what, number, count });
        }
        let actual = [texture.width(), texture.height()].map(|side| (side >> self.mip_level).max(1));
        let expected = size.map(|side| side as u32);
        if actual != expected {
            return refused(TextureMistake::Size { expected, actual });
        }
        Ok(())
    }

    /// Refuses to read a layer of several through OpenGL, where a texture is bound whole.
    pub(crate) fn check_layers(&self, backend: Backend) -> Result<()> {
        let layers = self.texture.depth_or_array_layers();
        if backend == Backend::Gl && layers > 1 {
            return Err(Error::Texture { operand: "input", mistake: TextureMistake::Layers { layers } });
        }
        Ok(())
    }

    /// Whether both are the same picture.
    pub(crate) fn is(&self, other: &TextureLevel) -> bool {
        self.texture == other.texture && (self.mip_level, self.array_layer) == (other.mip_level, other.array_layer)
    }

    pub(crate) fn view(&self, label: &str) -> TextureView {
        self.texture.create_view(&TextureViewDescriptor {
            label: Some(label),
            dimension: Some(TextureViewDimension::D2),
            base_mip_level: self.mip_level,
            mip_level_count: Some(1),
            base_array_layer: self.array_layer,
            array_layer_count: Some(1),
            ..Default::default()
        })
    }
}
