//! Programs from texture to texture, in one dispatch.

use std::ops::Range;

use wgpu::Limits;

use super::builder::ProgramBuilder;
use super::constants::flag;
use super::context::LowerContext;
use super::operand::{LaidOutTensor, Source};
use super::pixel_format::PixelFormat;
use super::program::{Dispatch, Program, Step};
use super::recipe::refused;
use super::shader::{Shader, Storage};
use crate::error::{Error, Result};
use crate::geometry::at_most;
use crate::geometry::color::ColorEncoding;
use crate::ops::op::Op;

/// An op that goes from texture to texture: [`Conv`](crate::Conv), [`ConvTranspose`](crate::ConvTranspose) and
/// [`Upsample`](crate::Upsample) of two spatial axes.
pub trait TextureOp: Op {
    #[doc(hidden)]
    fn texture_shader(&self) -> &'static Shader;

    #[doc(hidden)]
    fn between_textures(&self, builder: &mut ProgramBuilder<'_>) -> Result<TextureWork>;
}

/// What an op does to each texel, whatever the textures' formats.
pub struct TextureWork {
    /// What the shader reads besides the input.
    pub(crate) buffers: [LaidOutTensor; 2],
    pub(crate) uniform: Vec<u8>,
    pub(crate) constants: Vec<(&'static str, f64)>,
}

pub(crate) fn program<O: TextureOp>(op: &O, ends: [PixelFormat; 2], context: &LowerContext<'_>) -> Result<Program> {
    let limits = context.limits();
    let [channels, height, width] = check_ends(op, ends, context)?;
    let shader = op.texture_shader();
    let (_, recipe) = context.choose(O::NAME, &[shader.into()])?;
    let mut builder = ProgramBuilder::new(context, op, &recipe)?;
    let work = op.between_textures(&mut builder)?;
    let group = workgroup(recipe.workgroup_size, limits);
    let workgroups = std::array::from_fn(|axis| ([width, height][axis] as u32).div_ceil(group[axis]));
    for count in workgroups {
        let limit = limits.max_compute_workgroups_per_dimension;
        at_most("workgroups along a texture (max_compute_workgroups_per_dimension)", count.into(), limit.into())?;
    }
    let [first, second] = work.buffers.each_ref().map(|tensor| bound_whole(tensor, limits));
    let [input, output] = ends;
    let own = [("workgroup_width", group[0]), ("workgroup_height", group[1]), ("channels", channels as u32)];
    let color =
        [flag("decode_srgb", input.shader_decodes_srgb()), flag("encode_srgb", output.encoding == ColorEncoding::Srgb)];
    let storage = Storage { texels: Some(output.storage()), ..Default::default() };
    let unsupported = Error::StorageUnsupported { op: O::NAME, storage: context.options.storage };
    let sources = work.buffers.map(|tensor| tensor.source);
    // Textures are bound whole.
    let bound_bytes = vec![0..0, first?, second?, 0..0];
    builder.add_step(Step {
        shader,
        text: shader.text(storage).ok_or(unsupported)?,
        storage,
        constants: own
            .map(|(name, value)| (name, value.into()))
            .into_iter()
            .chain(color)
            .chain(work.constants)
            .collect(),
        bindings: vec![Source::Operand(0), sources[0], sources[1], builder.output().source],
        dispatches: vec![Dispatch { workgroups, bound_bytes, uniform: work.uniform }],
    });
    Ok(builder.finish())
}

/// Refuses what cannot be textures of this device; gives channels, height and width of the output.
fn check_ends<O: Op>(op: &O, [input, output]: [PixelFormat; 2], context: &LowerContext<'_>) -> Result<[usize; 3]> {
    let limits = context.limits();
    if let Some(role) = context.options.textures_laid_out() {
        return Err(Error::UnknownOperand { op: O::NAME, operand: role.name() });
    }
    if limits.max_storage_textures_per_shader_stage == 0 {
        return Err(refused(O::NAME, "max_storage_textures_per_shader_stage", 1, 0));
    }
    // Both have a batch, channels, height and width.
    let [read, written] = [op.inputs()?.swap_remove(0).shape, op.output()?.shape];
    if read[0] != 1 {
        return Err(Error::TextureBatch { op: O::NAME, batch: read[0] });
    }
    input.check_input(read[1])?;
    output.check_output(written[1], context.capabilities)?;
    for &side in read[2..].iter().chain(&written[2..]) {
        let limit = limits.max_texture_dimension_2d.into();
        at_most("a texture's side (max_texture_dimension_2d)", side as u128, limit)?;
    }
    Ok([written[1], written[2], written[3]])
}

/// The bytes of a buffer, which are bound at once.
fn bound_whole(tensor: &LaidOutTensor, limits: &Limits) -> Result<Range<u64>> {
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
