//! Upsampling on the GPU.

use super::kernel::{Shader, with_storage};
use super::params::UpsampleParams;
use super::program::{GpuOp, Program, Request};
use super::recipe::{Candidate, Capabilities, Recipe, recipes};
use super::resample::{Resample, TAPS};
use super::resample_rows::{self, NEAREST_ROWS};
use super::texture_formats::with_outputs;
use super::texture_params::TextureUpsampleParams;
use super::textures::{self, TextureOp, TextureWork};
use crate::{FloatType, Result, Separable, Upsample};

/// One thread per output element copies a sample.
pub(crate) static NEAREST: Shader = Shader {
    name: "upsample_nearest",
    sources: with_storage!(
        "../../shaders/upsample_nearest.wgsl",
        "../../shaders/shared/upsample_params.wgsl",
        "../../shaders/shared/tap_marks.wgsl"
    ),
    reads: 4,
    writes: 1,
    fields: UpsampleParams::FIELDS,
    params_size: size_of::<UpsampleParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size"],
};

/// One thread per texel.
pub(crate) static TEXTURE: Shader = Shader {
    name: "upsample_texture",
    sources: with_outputs!(
        "../../shaders/upsample_texture.wgsl",
        "../../shaders/shared/tap_marks.wgsl",
        "../../shaders/shared/texels.wgsl"
    ),
    reads: 3,
    writes: 1,
    fields: TextureUpsampleParams::FIELDS,
    params_size: size_of::<TextureUpsampleParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_width", "workgroup_height", "channels", "decode_srgb", "encode_srgb"],
};

/// A copy is also a sum of one tap.
const COPIES: [Candidate; 3] =
    [resample_rows::candidate(&NEAREST_ROWS), Candidate::new(&NEAREST), Candidate::new(&TAPS)];

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
        textures::upsample(self, self.extrapolation(), &TEXTURE, request)
    }
}
