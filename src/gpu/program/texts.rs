//! Macros that put a shader's texts together from files: plain text, one file after the other.

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
        $crate::gpu::program::shader::Texts::Single(concat!($($crate::gpu::program::texts::wgsl!($file)),+))
    };
}
pub(crate) use single;

/// The texts of a shader for each [`Storage`](super::shader::Storage) of tensors: its files after a prelude that names
/// the types.
macro_rules! with_storage {
    ($($file:literal),+) => {
        $crate::gpu::program::shader::Texts::Tensors([
            with_storage!(@text "f32_f32", $($file),+),
            with_storage!(@text "f32_f16", $($file),+),
            with_storage!(@text "f16_f32", $($file),+),
            with_storage!(@text "f16_f16", $($file),+),
        ])
    };
    (@text $storage:literal, $($file:literal),+) => {
        concat!(
            $crate::gpu::program::texts::wgsl!("prelude/", $storage, ".wgsl"),
            $($crate::gpu::program::texts::wgsl!($file)),+
        )
    };
}
pub(crate) use with_storage;

/// The texts of a shader that copies numbers and does not compute any, for tensors of f32 and of f16: its files after a
/// prelude that names the type.
macro_rules! copied {
    ($($file:literal),+) => {
        $crate::gpu::program::shader::Texts::Copied([
            copied!(@text "f32", $($file),+),
            copied!(@text "f16", $($file),+),
        ])
    };
    (@text $storage:literal, $($file:literal),+) => {
        concat!(
            $crate::gpu::program::texts::wgsl!("prelude/copied_", $storage, ".wgsl"),
            $($crate::gpu::program::texts::wgsl!($file)),+
        )
    };
}
pub(crate) use copied;

/// The texts of `with_storage`, with cooperative matrices of `$side` by `$side`, whose `enable` directive comes first.
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
            $crate::gpu::program::texts::wgsl!("prelude/cooperative.wgsl"),
            $crate::gpu::program::texts::wgsl!("prelude/", $storage, ".wgsl"),
            $crate::gpu::program::texts::wgsl!("prelude/cooperative_", $side, ".wgsl"),
            $($crate::gpu::program::texts::wgsl!($file)),+
        )
    };
}
pub(crate) use with_matrices;

/// The text of a shader for each of [`OUTPUTS`](super::shader::OUTPUTS): its files after a prelude that names the
/// output's type.
macro_rules! with_outputs {
    ($($file:literal),+) => {
        with_outputs!(@each (
            "rgba8unorm" "rgba8snorm" "bgra8unorm" "rgba16float" "rgba32float" "rg32float" "r32float"
            "r16unorm" "rg16unorm" "rgba16unorm" "r16snorm" "rg16snorm" "rgba16snorm"
        ) ($($file)+))
    };
    (@each ($($format:literal)+) $files:tt) => {
        $crate::gpu::program::shader::Texts::Textures(&[$(with_outputs!(@text $format $files)),+])
    };
    (@text $format:literal ($($file:literal)+)) => {
        concat!(
            $crate::gpu::program::texts::wgsl!("prelude/to_", $format, ".wgsl"),
            $($crate::gpu::program::texts::wgsl!($file)),+
        )
    };
}
pub(crate) use with_outputs;

/// The texts of a shader that reads a texture and writes a tensor of f32 or f16: its files after a prelude that names
/// the types.
macro_rules! from_texture {
    ($($file:literal),+) => {
        $crate::gpu::program::shader::Texts::FromTexture([
            $crate::gpu::program::texts::with_storage!(@text "f32_f32", $($file),+),
            $crate::gpu::program::texts::with_storage!(@text "f32_f16", $($file),+),
        ])
    };
}
pub(crate) use from_texture;

/// The texts of a shader that reads a tensor of f32 or f16 and writes a texture of one of
/// [`OUTPUTS`](super::shader::OUTPUTS): its files after two preludes that name the types.
macro_rules! to_texture {
    ($($file:literal),+) => {
        $crate::gpu::program::shader::Texts::ToTexture(&[
            to_texture!(@each "f32_f32" (
                "rgba8unorm" "rgba8snorm" "bgra8unorm" "rgba16float" "rgba32float" "rg32float" "r32float"
                "r16unorm" "rg16unorm" "rgba16unorm" "r16snorm" "rg16snorm" "rgba16snorm"
            ) ($($file)+)),
            to_texture!(@each "f16_f32" (
                "rgba8unorm" "rgba8snorm" "bgra8unorm" "rgba16float" "rgba32float" "rg32float" "r32float"
                "r16unorm" "rg16unorm" "rgba16unorm" "r16snorm" "rg16snorm" "rgba16snorm"
            ) ($($file)+)),
        ])
    };
    (@each $storage:literal ($($format:literal)+) $files:tt) => {
        [$(to_texture!(@text $storage $format $files)),+]
    };
    (@text $storage:literal $format:literal ($($file:literal)+)) => {
        concat!(
            $crate::gpu::program::texts::wgsl!("prelude/", $storage, ".wgsl"),
            $crate::gpu::program::texts::wgsl!("prelude/to_", $format, ".wgsl"),
            $($crate::gpu::program::texts::wgsl!($file)),+
        )
    };
}
pub(crate) use to_texture;
