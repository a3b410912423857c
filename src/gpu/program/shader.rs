//! The WGSL files as the host knows them: their texts, bindings, uniforms and constants.

use wgpu::{Limits, TextureFormat};

use super::operand::{LaidOutTensor, Stored};
use super::texts::{OUTPUTS, Texts};
use super::uniform::UniformLayout;
use crate::dtype::FloatType;
use crate::error::{Error, Result};

/// A WGSL file with what the host knows of it. A test compares the two.
#[derive(Debug)]
pub(crate) struct Shader {
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

impl Shader {
    /// Whether it uses cooperative matrices.
    pub(crate) fn cooperative(&self) -> bool {
        matches!(self.texts, Texts::Cooperative { .. })
    }

    /// Refuses a device whose limits leave no room for the shader's bindings.
    pub(crate) fn check_limits(&self, limits: &Limits) -> Result<()> {
        let [read, written] = [self.reads_texture(), self.writes_texture()].map(u32::from);
        let bindings = 1 + self.reads + self.writes;
        let buffers = bindings - 1 - read - written;
        let u32s = [
            ("max_bind_groups", 1, limits.max_bind_groups),
            ("max_bind_groups_plus_vertex_buffers", 1, limits.max_bind_groups_plus_vertex_buffers),
            ("max_bindings_per_bind_group", bindings, limits.max_bindings_per_bind_group),
            ("max_non_sampler_bindings", bindings, limits.max_non_sampler_bindings),
            ("max_uniform_buffers_per_shader_stage", 1, limits.max_uniform_buffers_per_shader_stage),
            ("max_storage_buffers_per_shader_stage", buffers, limits.max_storage_buffers_per_shader_stage),
            ("max_sampled_textures_per_shader_stage", read, limits.max_sampled_textures_per_shader_stage),
            ("max_storage_textures_per_shader_stage", written, limits.max_storage_textures_per_shader_stage),
            (
                "max_buffers_and_acceleration_structures_per_shader_stage",
                1 + buffers,
                limits.max_buffers_and_acceleration_structures_per_shader_stage,
            ),
            ("max_compute_workgroup_size_y", 1, limits.max_compute_workgroup_size_y),
            ("max_compute_workgroup_size_z", 1, limits.max_compute_workgroup_size_z),
        ];
        let uniform = ("max_uniform_buffer_binding_size", self.uniform.size, limits.max_uniform_buffer_binding_size);
        let all = u32s.map(|(limit, needed, available)| (limit, needed.into(), available.into()));
        match all.into_iter().chain([uniform]).find(|(_, needed, available)| needed > available) {
            Some((limit, needed, available)) => Err(Error::LimitTooLow { what: self.name, limit, needed, available }),
            None => Ok(()),
        }
    }

    /// Whether its first input is a texture.
    pub(crate) fn reads_texture(&self) -> bool {
        matches!(self.texts, Texts::Textures(_) | Texts::FromTexture(_))
    }

    /// Whether its last binding is a texture.
    pub(crate) fn writes_texture(&self) -> bool {
        matches!(self.texts, Texts::Textures(_) | Texts::ToTexture(_))
    }

    /// The number of the text for these types, if the shader has one.
    pub(crate) fn text_number(&self, storage: Storage) -> Option<usize> {
        let half = |storage| usize::from(storage == FloatType::F16);
        let [input, output] = [half(storage.input), half(storage.output)];
        let written = storage.output_texture.map(|format| OUTPUTS.iter().position(|output| *output == format));
        match (&self.texts, storage.input_texture, written) {
            (Texts::Single(_), false, None) if storage == Storage::default() => Some(0),
            (Texts::Copied(_), false, None) if input == output => Some(input),
            (Texts::Tensors(_) | Texts::Cooperative { .. }, false, None) => Some(2 * input + output),
            (Texts::Textures(_), true, Some(format)) => format,
            (Texts::FromTexture(_), true, None) => Some(output),
            (Texts::ToTexture(_), false, Some(format)) => Some(input * OUTPUTS.len() + format?),
            _ => None,
        }
    }
}

/// What a shader's inputs and its outputs of floats are stored as; a text has one type for all its inputs, and one for
/// all its outputs. Without floats they count as f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Storage {
    input: FloatType,
    output: FloatType,
    /// Whether the first input is a texture.
    pub(crate) input_texture: bool,
    /// The format of the last output, where it is a texture.
    pub(crate) output_texture: Option<TextureFormat>,
}

impl Storage {
    /// The types of a pass's tensors: of the first and the last that hold floats or texels.
    pub(crate) fn of(tensors: &[&LaidOutTensor]) -> Self {
        let float = |stored| if let Some(Stored::Float(storage)) = stored { storage } else { FloatType::F32 };
        let pixels = |stored| if let Some(Stored::Texels(pixels)) = stored { Some(pixels) } else { None };
        let stored = tensors.iter().map(|tensor| tensor.stored);
        let mut numbers = stored.filter(|stored| matches!(stored, Stored::Float(_) | Stored::Texels(_)));
        let first = numbers.next();
        let last = numbers.next_back().or(first);
        Self {
            input: float(first),
            output: float(last),
            input_texture: pixels(first).is_some(),
            output_texture: pixels(last).map(|pixels| pixels.storage()),
        }
    }
}
