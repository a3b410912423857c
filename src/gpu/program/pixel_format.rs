//! What the texels of an input or output texture stand for.

use std::fmt;

use wgpu::TextureFormat;

use crate::geometry::color::ColorEncoding;

/// The format of an input or output texture, and how its texels become a tensor's numbers or are made of them.
///
/// [`PixelFormat::from`] takes a format alone: formats that end in `Srgb` hold sRGB-encoded values, all others linear
/// ones; the tensor's channels are red, green, blue and alpha, from 0 to 1 for `Unorm` and from -1 to 1 for `Snorm`.
///
/// * The device decodes an input whose format ends in `Srgb`, with an accuracy of its own. The shader decodes
///   sRGB-encoded values in other formats, such as `Rgba8Unorm`.
/// * No device encodes what it writes to a storage texture: the shader encodes, and the texture is of the format
///   without `Srgb`. [`PixelFormat::from`] of `Rgba8UnormSrgb` is therefore written to a texture of `Rgba8Unorm`, which
///   can have `Rgba8UnormSrgb` among its `view_formats` (not through OpenGL) and be sampled through a view of that
///   format whose usage is `TEXTURE_BINDING` alone.
/// * Linear values in eight bits band in dark areas: encode them, or use 16 bits.
/// * For a network that was trained on sRGB-encoded values, prevent decoding: [`ColorEncoding::Linear`] with
///   `Rgba8Unorm`.
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
    /// format stores them in. Components that no channel names are not read from an input; in an output, such a colour
    /// is 0, and alpha 1. In an output no two channels may name one component.
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

/// Prints as in the key of a tuned recipe: `Rgba8Unorm srgb channels 2,1,0,3 scale 255,255,255,255 offset 0,0,0,0`.
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
    /// output's texel is `number * scale + offset`. To normalise an input by means m and standard deviations d, give
    /// scales 1/d and offsets -m/d.
    pub fn with_scale(self, scale: [f32; 4], offset: [f32; 4]) -> Self {
        Self { scale, offset, ..self }
    }

    /// Whether the shader, and not the device, decodes an input: its values are sRGB-encoded, in a format that does not
    /// end in `Srgb`.
    pub fn shader_decodes_srgb(&self) -> bool {
        self.encoding == ColorEncoding::Srgb && !self.format.is_srgb()
    }

    /// The format of an output texture: this one without `Srgb`.
    pub(crate) fn storage(&self) -> TextureFormat {
        self.format.remove_srgb_suffix()
    }

    /// Whether channels, scales and offsets are the defaults.
    pub(crate) fn is_plain(&self) -> bool {
        let plain = Self::from(self.format);
        (self.channels, self.scale, self.offset) == (plain.channels, plain.scale, plain.offset)
    }
}
