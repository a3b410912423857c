//! Upsampling on the GPU.

use super::lower::Resample;
use super::row_blocks::{self, NEAREST_ROWS};
use super::table::ResampleParams;
use super::taps::TAPS;
use super::texture::TextureUpsampleParams;
use crate::error::Result;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, Shape, recipes};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};
use crate::ops::resample::separable::Separable;
use crate::ops::resample::upsample::Upsample;

/// One thread per output element copies a sample.
pub(crate) static NEAREST: Shader = Shader {
    name: "resample_nearest",
    texts: Texts::Tensors(files!("resample/nearest.wgsl", "resample/shared/params.wgsl", "shared/tap_marks.wgsl")),
    reads: 2,
    writes: 1,
    uniform: ResampleParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size"],
};

/// One thread per texel.
pub(crate) static TEXTURE: Shader = Shader {
    name: "resample_texture",
    texts: Texts::Textures(files!(
        "resample/texture.wgsl",
        "shared/tap_marks.wgsl",
        "shared/texels.wgsl",
        "shared/texel_read.wgsl",
        "shared/texel_write.wgsl"
    )),
    reads: 3,
    writes: 1,
    uniform: TextureUpsampleParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_width", "workgroup_height", "channels", "decode_srgb", "encode_srgb"],
};

/// The candidates for an upsampling that copies samples. The last takes the copy as a sum of one tap.
const COPIES: [Candidate; 3] = [row_blocks::candidate(&NEAREST_ROWS), Candidate::new(&NEAREST), Candidate::new(&TAPS)];

/// The candidate from texture to texture, which needs no tensors between them.
const TEXELS: Candidate = Candidate { shape: Shape::PerTexel, ..Candidate::new(&TEXTURE) };

impl<const R: usize> GpuOp for Upsample<R> {
    fn recipes(&self, capabilities: &Capabilities, options: &PlanOptions) -> Vec<Recipe> {
        let tensors =
            if self.is_copy() { recipes(&COPIES, capabilities) } else { Resample::recipes(self, capabilities) };
        let texels = if R == 2 && options.between_textures() { recipes(&[TEXELS], capabilities) } else { Vec::new() };
        [texels, tensors].concat()
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let resample = Resample::new(self, self.extrapolation(), context)?;
        let tensors = if self.is_copy() { COPIES.to_vec() } else { resample.candidates() };
        let texels = (R == 2 && context.options.between_textures()).then_some(TEXELS);
        let candidates: Vec<_> = texels.into_iter().chain(tensors).collect();
        resample.lower_by_first(self, &candidates, context)
    }
}
