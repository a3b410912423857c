//! The WGSL files as the host knows them: their texts, bindings, uniforms and constants.

use wgpu::TextureFormat;

use super::operand::{LaidOutTensor, Stored};
use super::uniform::UniformLayout;
use crate::dtype::FloatType;

/// A WGSL file with what the host knows of it. A test compares the two.
#[derive(Debug)]
pub struct Shader {
    /// The file's path in `shaders/` without its ending, with `_` between folder and file: `conv_direct`.
    pub(crate) name: &'static str,
    pub(crate) texts: Texts,
    /// Bindings that it reads, from binding 1 on; binding 0 is the uniform.
    pub(crate) reads: u32,
    /// Bindings that it writes, after those that it reads.
    pub(crate) writes: u32,
    /// The uniform struct.
    pub(crate) uniform: UniformLayout,
    /// Whether it uses subgroups.
    pub(crate) subgroups: bool,
    /// Names of the `override` constants.
    pub(crate) overrides: &'static [&'static str],
}

/// The texts of one shader: one for each combination of types that it reads and writes.
#[derive(Debug)]
pub enum Texts {
    /// Tensors of f32 and of integers.
    Single(&'static str),
    /// Tensors of f32 or f16, in the order of [`Storage::number`].
    Tensors([&'static str; 4]),
    /// The same with cooperative matrices.
    Cooperative([&'static str; 4]),
    /// From texture to texture, in the order of [`OUTPUTS`].
    Textures([&'static str; OUTPUTS.len()]),
}

impl Texts {
    /// All of them. The first needs no feature but those of all.
    pub(crate) fn all(&self) -> &[&'static str] {
        match self {
            Self::Single(text) => std::slice::from_ref(text),
            Self::Tensors(texts) | Self::Cooperative(texts) => texts,
            Self::Textures(texts) => texts,
        }
    }
}

impl Shader {
    /// Whether it uses cooperative matrices.
    pub(crate) fn cooperative(&self) -> bool {
        matches!(self.texts, Texts::Cooperative(_))
    }

    /// Whether its first read and its last binding are textures.
    #[cfg(test)]
    pub(crate) fn between_textures(&self) -> bool {
        matches!(self.texts, Texts::Textures(_))
    }

    /// Whether there is a text for tensors stored as f16.
    pub(crate) fn has_f16(&self) -> bool {
        matches!(self.texts, Texts::Tensors(_) | Texts::Cooperative(_))
    }

    /// The text for these types; `None` where there is none.
    pub(crate) fn text(&self, storage: Storage) -> Option<&'static str> {
        match (&self.texts, storage.texels) {
            (Texts::Single(text), None) if storage == Storage::default() => Some(text),
            (Texts::Tensors(texts) | Texts::Cooperative(texts), None) => Some(texts[storage.number()]),
            (Texts::Textures(texts), Some(format)) => {
                OUTPUTS.iter().position(|output| *output == format).map(|number| texts[number])
            }
            _ => None,
        }
    }
}

/// What a shader's first input and its last output are stored as; a text has one type for all its inputs, and one for all
/// its outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Storage {
    pub(crate) input: FloatType,
    pub(crate) output: FloatType,
    /// The output's format, where both ends are textures.
    pub(crate) texels: Option<TextureFormat>,
}

impl Storage {
    /// The types of a pass's tensors.
    pub(crate) fn of(tensors: &[&LaidOutTensor]) -> Self {
        let float = |tensor: Option<&&LaidOutTensor>| match tensor.map(|tensor| tensor.stored) {
            Some(Stored::Float(storage)) => storage,
            _ => FloatType::F32,
        };
        Self { input: float(tensors.first()), output: float(tensors.last()), texels: None }
    }

    /// The number of the text for tensors of these types: f32 to f32, f32 to f16, f16 to f32, f16 to f16.
    fn number(&self) -> usize {
        let half = |storage| usize::from(storage == FloatType::F16);
        2 * half(self.input) + half(self.output)
    }
}

/// The storage textures of floats that WebGPU guarantees, and those of 16-bit codes: a shader's text for each, in this
/// order.
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

/// A file of `shaders/`.
macro_rules! wgsl {
    ($($path:expr),+) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $($path),+))
    };
}
pub(crate) use wgsl;

/// The one text of a shader: its files, one after the other.
macro_rules! single {
    ($($file:literal),+) => {
        $crate::gpu::program::shader::Texts::Single(concat!($($crate::gpu::program::shader::wgsl!($file)),+))
    };
}
pub(crate) use single;

/// The texts of a shader for each [`Storage`] of tensors: its files after a prelude that names the types.
macro_rules! with_storage {
    ($($file:literal),+) => {
        $crate::gpu::program::shader::Texts::Tensors([
            concat!($crate::gpu::program::shader::wgsl!("prelude/f32_f32.wgsl"), $($crate::gpu::program::shader::wgsl!($file)),+),
            concat!($crate::gpu::program::shader::wgsl!("prelude/f32_f16.wgsl"), $($crate::gpu::program::shader::wgsl!($file)),+),
            concat!($crate::gpu::program::shader::wgsl!("prelude/f16_f32.wgsl"), $($crate::gpu::program::shader::wgsl!($file)),+),
            concat!($crate::gpu::program::shader::wgsl!("prelude/f16_f16.wgsl"), $($crate::gpu::program::shader::wgsl!($file)),+),
        ])
    };
}
pub(crate) use with_storage;

/// The same with cooperative matrices of this side, whose directive comes before all else.
macro_rules! with_matrices {
    ($side:literal, $($file:literal),+) => {
        $crate::gpu::program::shader::Texts::Cooperative([
            with_matrices!(@text "f32_f32", $side, $($file),+),
            with_matrices!(@text "f32_f16", $side, $($file),+),
            with_matrices!(@text "f16_f32", $side, $($file),+),
            with_matrices!(@text "f16_f16", $side, $($file),+),
        ])
    };
    (@text $storage:literal, $side:literal, $($file:literal),+) => {
        concat!(
            $crate::gpu::program::shader::wgsl!("prelude/cooperative.wgsl"),
            $crate::gpu::program::shader::wgsl!("prelude/", $storage, ".wgsl"),
            $crate::gpu::program::shader::wgsl!("prelude/cooperative_", $side, ".wgsl"),
            $($crate::gpu::program::shader::wgsl!($file)),+
        )
    };
}
pub(crate) use with_matrices;

/// The text of a shader for each of [`OUTPUTS`]: its files after a prelude that names the output's type.
macro_rules! with_outputs {
    ($($file:literal),+) => {
        with_outputs!(@each (
            "rgba8unorm" "rgba8snorm" "bgra8unorm" "rgba16float" "rgba32float" "rg32float" "r32float"
            "r16unorm" "rg16unorm" "rgba16unorm" "r16snorm" "rg16snorm" "rgba16snorm"
        ) ($($file)+))
    };
    (@each ($($format:literal)+) $files:tt) => {
        $crate::gpu::program::shader::Texts::Textures([$(with_outputs!(@text $format $files)),+])
    };
    (@text $format:literal ($($file:literal)+)) => {
        concat!($crate::gpu::program::shader::wgsl!("prelude/to_", $format, ".wgsl"), $($crate::gpu::program::shader::wgsl!($file)),+)
    };
}
pub(crate) use with_outputs;
