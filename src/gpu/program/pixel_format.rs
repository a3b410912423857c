//! Texture formats as the ends of a plan, and what their numbers stand for.

use wgpu::{Backend, Features, TextureFormat, TextureSampleType};

use super::recipe::Capabilities;
use super::shader::OUTPUTS;
use crate::error::texture::TextureMistake;
use crate::error::{Error, Result};
use crate::geometry::color::ColorEncoding;

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
    pub fn shader_decodes_srgb(&self) -> bool {
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
