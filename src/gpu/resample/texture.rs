//! A resampling from texture to texture.

use super::table::{row_length, table_bytes};
use crate::error::Result;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::rounds::nested;
use crate::gpu::program::texture::TexelWork;
use crate::gpu::program::uniform::{mod_2_32, uniform};
use crate::ops::resample::tap_table::TapTable;

uniform! {
    /// `Params` of the upsampling between textures.
    TextureUpsampleParams {
        width: u32,         // texels of an output row
        height: u32,        // rows of the output
        taps_h: u32,        // entries in a row of the height's tap table
        taps_w: u32,        // entries in a row of the width's tap table
        extrapolation: f32, // the value of outputs that lie outside the input
    }
}

/// What a resampling by these tables does to each texel.
pub(crate) fn texel_work(
    [_, rows, columns]: &[TapTable; 3],
    extrapolation: f32,
    builder: &mut ProgramBuilder<'_>,
) -> Result<TexelWork> {
    let params = TextureUpsampleParams {
        width: mod_2_32(columns.len()),
        height: mod_2_32(rows.len()),
        taps_h: mod_2_32(row_length(rows)),
        taps_w: mod_2_32(row_length(columns)),
        extrapolation,
    };
    let tables = [builder.add_table(table_bytes(rows)?), builder.add_table(table_bytes(columns)?)];
    Ok(TexelWork {
        buffers: tables,
        uniform: bytemuck::bytes_of(&params).to_vec(),
        rounds: nested([row_length(rows), row_length(columns)]),
        constants: Vec::new(),
    })
}
