//! What the texels of a texture stand for at an end of a plan.

use std::fmt;

use wgpu::TextureFormat;

use crate::geometry::color::ColorEncoding;

/// A texture's format at an end of a plan, and how its texels are a tensor's numbers.
///
/// A format alone ([`PixelFormat::from`]) stands for itself: formats that end in `Srgb` hold sRGB-encoded values, all
/// others linear ones; the tensor's channels are red, green, blue and alpha, between 0 and 1 for normalised formats.
///
/// * An input whose format ends in `Srgb` is decoded by the device, as exactly as the device does it. sRGB-encoded
///   values in another format, such as `Rgba8Unorm`, are decoded by the shader.
/// * No device encodes what it writes to a storage texture: the shader encodes, and the texture is of the format
///   without `Srgb`. [`PixelFormat::from`] of `Rgba8UnormSrgb` is therefore written to a texture of `Rgba8Unorm`, which
///   can have `Rgba8UnormSrgb` among its `view_formats` (not through OpenGL) and be sampled through a view of that
///   format whose usage is `TEXTURE_BINDING` alone.
/// * Linear values in eight bits band in dark areas: encode them, or use 16 bits.
/// * A network that was trained on encoded values takes them as they are: [`ColorEncoding::Linear`] with `Rgba8Unorm`.
///
/// ```
/// use upconv::gpu::PixelFormat;
/// use upconv::wgpu::TextureFormat::Rgba8Unorm;
/// // Three channels, blue first, from 0 to 255; alpha is left out of an input, and 1 in an output.
/// let input = PixelFormat::from(Rgba8Unorm).with_channels([2, 1, 0, 3]).with_scale([255.0; 4], [0.0; 4]);
/// let output = PixelFormat::from(Rgba8Unorm).with_channels([2, 1, 0, 3]).with_scale([1.0 / 255.0; 4], [0.0; 4]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PixelFormat {
    /// The texture's format.
    pub format: TextureFormat,
    /// Whether the stored values are linear or sRGB-encoded.
    pub encoding: ColorEncoding,
    /// For each channel of the tensor the component of a texel: 0 is red, 1 green, 2 blue, 3 alpha, whatever order the
    /// format stores them in. Components that no channel stands for are left out of an input; of an output, colours
    /// become 0 and alpha 1.
    pub channels: [u8; 4],
    /// For each channel of the tensor, the factor of what is read (after decoding) or written (before encoding).
    pub scale: [f32; 4],
    /// For each channel of the tensor, what is added after the scale.
    pub offset: [f32; 4],
}

impl From<TextureFormat> for PixelFormat {
    fn from(format: TextureFormat) -> Self {
        let encoding = if format.is_srgb() { ColorEncoding::Srgb } else { ColorEncoding::Linear };
        Self { format, encoding, channels: [0, 1, 2, 3], scale: [1.0; 4], offset: [0.0; 4] }
    }
}

/// As in the key of a tuned recipe: `Rgba8Unorm srgb channels 2,1,0,3 scale 255,255,255,255 offset 0,0,0,0`.
impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.format)?;
        if self.shader_decodes_srgb() {
            f.write_str(" srgb")?;
        }
        if self.is_plain() {
            return Ok(());
        }
        let list = |numbers: [String; 4]| numbers.join(",");
        let [scale, offset] = [self.scale, self.offset].map(|numbers| list(numbers.map(|number| number.to_string())));
        let channels = list(self.channels.map(|channel| channel.to_string()));
        write!(f, " channels {channels} scale {scale} offset {offset}")
    }
}

impl PixelFormat {
    /// sRGB-encoded values in this format.
    pub fn srgb(format: TextureFormat) -> Self {
        Self { encoding: ColorEncoding::Srgb, ..Self::from(format) }
    }

    /// With these components for the tensor's channels: see [`PixelFormat::channels`].
    pub fn with_channels(self, channels: [u8; 4]) -> Self {
        Self { channels, ..self }
    }

    /// With these factors and summands for the tensor's channels: an input's number is `texel * scale + offset`, an
    /// output's texel is `number * scale + offset`. Means and deviations m, d of an input are the scales 1/d and the
    /// offsets -m/d.
    pub fn with_scale(self, scale: [f32; 4], offset: [f32; 4]) -> Self {
        Self { scale, offset, ..self }
    }

    /// Whether the shader decodes what it reads, and not the device.
    pub fn shader_decodes_srgb(&self) -> bool {
        self.encoding == ColorEncoding::Srgb && !self.format.is_srgb()
    }

    /// The format of a texture that is written.
    pub(crate) fn storage(&self) -> TextureFormat {
        self.format.remove_srgb_suffix()
    }

    /// Whether channels, scales and offsets are those of a format alone.
    pub(crate) fn is_plain(&self) -> bool {
        let plain = Self::from(self.format);
        (self.channels, self.scale, self.offset) == (plain.channels, plain.scale, plain.offset)
    }
}
