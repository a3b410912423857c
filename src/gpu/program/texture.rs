//! Programs from texture to texture, in one dispatch.

use std::ops::Range;

use wgpu::Limits;

use super::addressing::flag;
use super::operand::{Placed, Source};
use super::pixel_format::PixelFormat;
use super::program::{Dispatch, Program, Step};
use super::recipe::refused;
use super::request::Request;
use super::shader::{Shader, Storage};
use crate::error::{Error, Result};
use crate::geometry::at_most;
use crate::geometry::color::ColorEncoding;
use crate::ops::op::Op;

/// An op that goes from texture to texture: [`Conv`](crate::Conv), [`ConvTranspose`](crate::ConvTranspose) and
/// [`Upsample`](crate::Upsample) of two spatial axes.
pub trait TextureOp: Op {
    #[doc(hidden)]
    fn between_textures(&self, request: &Request<'_>) -> Result<TextureWork>;
}

/// What an op does to each texel, whatever the textures' formats.
pub struct TextureWork {
    pub(crate) shader: &'static Shader,
    pub(crate) operands: Vec<Placed>,
    pub(crate) tables: Vec<Vec<u8>>,
    /// What the shader reads besides the input.
    pub(crate) buffers: [Source; 2],
    pub(crate) params: Vec<u8>,
    pub(crate) constants: Vec<(&'static str, f64)>,
}

pub(crate) fn program<O: TextureOp>(op: &O, ends: [PixelFormat; 2], request: &Request<'_>) -> Result<Program> {
    let limits = request.limits();
    let [channels, height, width] = check_ends(op, ends, request)?;
    let work = op.between_textures(request)?;
    let (_, recipe) = request.choose(O::NAME, &[work.shader.into()])?;
    let group = workgroup(recipe.workgroup_size, limits);
    let workgroups = std::array::from_fn(|axis| ([width, height][axis] as u32).div_ceil(group[axis]));
    for count in workgroups {
        let limit = limits.max_compute_workgroups_per_dimension;
        at_most("workgroups along a texture (max_compute_workgroups_per_dimension)", count.into(), limit.into())?;
    }
    let [first, second] = work.buffers.map(|source| work.window(source, limits));
    let [input, output] = ends;
    let own = [("workgroup_width", group[0]), ("workgroup_height", group[1]), ("channels", channels as u32)];
    let color = [flag("decode_srgb", input.is_decoded()), flag("encode_srgb", output.encoding == ColorEncoding::Srgb)];
    let inputs = work.operands.len() - 1;
    let step = Step {
        shader: work.shader,
        storage: Storage { texels: Some(output.storage()), ..Default::default() },
        constants: own
            .map(|(name, value)| (name, value.into()))
            .into_iter()
            .chain(color)
            .chain(work.constants)
            .collect(),
        bindings: [&[Source::Operand(0)], &work.buffers[..], &[Source::Operand(inputs)]].concat(),
        // Textures are bound whole.
        dispatches: vec![Dispatch { workgroups, windows: vec![0..0, first?, second?, 0..0], params: work.params }],
    };
    let (operands, tables) = (work.operands, work.tables);
    Ok(Program { op: O::NAME, recipe, operands, inputs, tables, workspaces: Vec::new(), steps: vec![step] })
}

/// Refuses what cannot be textures of this device; gives channels, height and width of the output.
fn check_ends<O: Op>(op: &O, [input, output]: [PixelFormat; 2], request: &Request<'_>) -> Result<[usize; 3]> {
    let limits = request.limits();
    if let Some(operand) = request.options.textures_laid_out() {
        return Err(Error::UnknownOperand { op: O::NAME, operand });
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
    output.check_output(written[1], request.capabilities)?;
    for &side in read[2..].iter().chain(&written[2..]) {
        let limit = limits.max_texture_dimension_2d.into();
        at_most("a texture's side (max_texture_dimension_2d)", side as u128, limit)?;
    }
    Ok([written[1], written[2], written[3]])
}

impl TextureWork {
    /// The bytes of a buffer, which are bound at once.
    fn window(&self, source: Source, limits: &Limits) -> Result<Range<u64>> {
        let (operand, needed) = match source {
            Source::Table(table) => ("tap table", self.tables[table].len() as u64),
            Source::Operand(number) | Source::Workspace(number) => {
                (self.operands[number].name, self.operands[number].bytes())
            }
        };
        let (limit, limit_name) = (limits.max_storage_buffer_binding_size, "max_storage_buffer_binding_size");
        if needed > limit { Err(Error::WindowTooLarge { operand, needed, limit, limit_name }) } else { Ok(0..needed) }
    }
}

/// Width and height of a workgroup of so many threads: as near to a square as its divisors allow.
pub(crate) fn workgroup(size: u32, limits: &Limits) -> [u32; 2] {
    let highest = size.isqrt().min(limits.max_compute_workgroup_size_y).max(1);
    let height = (1..=highest).rev().find(|height| size.is_multiple_of(*height)).unwrap_or(1);
    [size / height, height]
}
