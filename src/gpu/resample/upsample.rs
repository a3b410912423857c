//! Upsampling on the GPU.

use super::lower::{Resample, TAPS};
use super::row_blocks::{self, NEAREST_ROWS};
use super::table::UpsampleParams;
use super::texture;
use super::texture::TextureUpsampleParams;
use crate::dtype::FloatType;
use crate::error::Result;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, recipes};
use crate::gpu::program::request::{GpuOp, Request};
use crate::gpu::program::shader::{Shader, with_outputs, with_storage};
use crate::gpu::program::texture::{TextureOp, TextureWork};
use crate::ops::resample::separable::Separable;
use crate::ops::resample::upsample::Upsample;

/// One thread per output element copies a sample.
pub(crate) static NEAREST: Shader = Shader {
    name: "resample_nearest",
    texts: with_storage!("resample/nearest.wgsl", "resample/shared/params.wgsl", "shared/tap_marks.wgsl"),
    reads: 4,
    writes: 1,
    fields: UpsampleParams::FIELDS,
    params_size: size_of::<UpsampleParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size"],
};

/// One thread per texel.
pub(crate) static TEXTURE: Shader = Shader {
    name: "resample_texture",
    texts: with_outputs!("resample/texture.wgsl", "shared/tap_marks.wgsl", "shared/texels.wgsl"),
    reads: 3,
    writes: 1,
    fields: TextureUpsampleParams::FIELDS,
    params_size: size_of::<TextureUpsampleParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_width", "workgroup_height", "channels", "decode_srgb", "encode_srgb"],
};

/// A copy is also a sum of one tap.
const COPIES: [Candidate; 3] = [row_blocks::candidate(&NEAREST_ROWS), Candidate::new(&NEAREST), Candidate::new(&TAPS)];

impl<const R: usize> GpuOp for Upsample<R> {
    fn recipes(&self, capabilities: &Capabilities, _storage: FloatType) -> Vec<Recipe> {
        if self.is_copy() {
            return recipes(&COPIES, capabilities);
        }
        Resample::recipes(self, capabilities)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let resample = Resample::forward(self, &request)?;
        if self.is_copy() { resample.lower_by_first(&COPIES) } else { resample.lower_sums() }
    }
}

impl TextureOp for Upsample<2> {
    fn between_textures(&self, request: &Request<'_>) -> Result<TextureWork> {
        texture::upsample(self, self.extrapolation(), &TEXTURE, request)
    }
}
