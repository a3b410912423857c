//! A resampling from texture to texture.

use super::table::{Tables, row_length, table_bytes};
use crate::error::Result;
use crate::gpu::program::operand::Source;
use crate::gpu::program::request::Request;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texture::TextureWork;
use crate::gpu::program::uniform::{uniform, wrap};
use crate::ops::op::Op;

uniform! {
    /// `Params` of the upsampling between textures.
    TextureUpsampleParams {
        width: u32,
        height: u32,
        taps_h: u32,
        taps_w: u32,
        extrapolation: f32,
    }
}

/// A resampling by tap tables.
pub(crate) fn upsample<O: Op + Tables>(
    op: &O,
    extrapolation: f32,
    shader: &'static Shader,
    request: &Request<'_>,
) -> Result<TextureWork> {
    let [_, rows, columns] = op.three(request.limits())?;
    let params = TextureUpsampleParams {
        width: wrap(columns.len()),
        height: wrap(rows.len()),
        taps_h: wrap(row_length(&rows)),
        taps_w: wrap(row_length(&columns)),
        extrapolation,
    };
    Ok(TextureWork {
        shader,
        operands: request.place(op)?,
        tables: vec![table_bytes(&rows)?, table_bytes(&columns)?],
        buffers: [Source::Table(0), Source::Table(1)],
        params: bytemuck::bytes_of(&params).to_vec(),
        constants: Vec::new(),
    })
}
