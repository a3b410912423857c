//! The WGSL texts of a shader: its files, one after the other, behind preludes that name the types. They are put
//! together when a pipeline is compiled, so that the crate holds every file once.

use wgpu::TextureFormat;

/// Files of `shaders/`, in the order in which they make a text.
pub(crate) type Files = &'static [&'static str];

/// Files of `shaders/`, as [`Files`].
macro_rules! files {
    ($($file:literal),+ $(,)?) => {
        &[$(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $file))),+]
    };
}
pub(crate) use files;

/// The texts of one shader: one for each combination of types that it reads and writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Texts {
    /// Tensors of integers.
    Single(Files),
    /// Tensors of f32, or of f16, whose numbers are copied; and of integers.
    Copied(Files),
    /// Tensors of f32 or f16: f32 to f32, f32 to f16, f16 to f32, f16 to f16.
    Tensors(Files),
    /// The same four, with cooperative matrices, whose prelude comes first.
    Cooperative { matrices: &'static str, files: Files },
    /// From texture to texture, in the order of [`OUTPUTS`].
    Textures(Files),
    /// From a texture to a tensor of f32, or of f16.
    FromTexture(Files),
    /// From a tensor of f32, or of f16, to a texture, in the order of [`OUTPUTS`].
    ToTexture(Files),
}

impl Texts {
    /// How many there are. The first needs only features that all of them need.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Single(_) => 1,
            Self::Copied(_) | Self::FromTexture(_) => 2,
            Self::Tensors(_) | Self::Cooperative { .. } => 4,
            Self::Textures(_) => OUTPUTS.len(),
            Self::ToTexture(_) => 2 * OUTPUTS.len(),
        }
    }

    /// The text of this number.
    pub(crate) fn text(&self, number: usize) -> String {
        // Of f16 to a texture there are as many texts as of f32, and they come after these.
        let (half, format) = (number / OUTPUTS.len(), number % OUTPUTS.len());
        let (preludes, files) = match *self {
            Self::Single(files) => (vec![], files),
            Self::Copied(files) => (vec![COPIED[number]], files),
            Self::Tensors(files) | Self::FromTexture(files) => (vec![STORAGE[number]], files),
            Self::Cooperative { matrices, files } => (vec![COOPERATIVE, STORAGE[number], matrices], files),
            Self::Textures(files) => (vec![WRITTEN[format]], files),
            Self::ToTexture(files) => (vec![STORAGE[2 * half], WRITTEN[format]], files),
        };
        [&preludes[..], files].concat().concat()
    }
}

/// The formats of output textures: the float storage formats that WebGPU guarantees, and the 16-bit normalised ones. A
/// shader that writes a texture has a text for each, in this order.
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

/// The types of tensors that are copied: f32, f16.
const COPIED: [&str; 2] = *files!("prelude/copied_f32.wgsl", "prelude/copied_f16.wgsl");

/// The types of inputs and output: f32 to f32, f32 to f16, f16 to f32, f16 to f16.
const STORAGE: [&str; 4] =
    *files!("prelude/f32_f32.wgsl", "prelude/f32_f16.wgsl", "prelude/f16_f32.wgsl", "prelude/f16_f16.wgsl");

/// The directive that comes before all else in a text with cooperative matrices.
const COOPERATIVE: &str = files!("prelude/cooperative.wgsl")[0];

/// The types of textures that are written, in the order of [`OUTPUTS`].
const WRITTEN: [&str; OUTPUTS.len()] = *files!(
    "prelude/to_rgba8unorm.wgsl",
    "prelude/to_rgba8snorm.wgsl",
    "prelude/to_bgra8unorm.wgsl",
    "prelude/to_rgba16float.wgsl",
    "prelude/to_rgba32float.wgsl",
    "prelude/to_rg32float.wgsl",
    "prelude/to_r32float.wgsl",
    "prelude/to_r16unorm.wgsl",
    "prelude/to_rg16unorm.wgsl",
    "prelude/to_rgba16unorm.wgsl",
    "prelude/to_r16snorm.wgsl",
    "prelude/to_rg16snorm.wgsl",
    "prelude/to_rgba16snorm.wgsl",
);
