//! Upsampling on the GPU.

use super::lower::Resample;
use super::row_blocks::{self, NEAREST_ROWS};
use super::table::ResampleParams;
use super::taps::TAPS;
use super::texture;
use super::texture::TextureUpsampleParams;
use crate::dtype::FloatType;
use crate::error::Result;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, recipes};
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
    uniform: ResampleParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size"],
};

/// One thread per texel.
pub(crate) static TEXTURE: Shader = Shader {
    name: "resample_texture",
    texts: with_outputs!("resample/texture.wgsl", "shared/tap_marks.wgsl", "shared/texels.wgsl"),
    reads: 3,
    writes: 1,
    uniform: TextureUpsampleParams::LAYOUT,
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

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let resample = Resample::new(self, self.extrapolation(), context)?;
        if self.is_copy() {
            return resample.lower_by_first(self, &COPIES, context);
        }
        resample.lower_sums(self, context)
    }
}

impl TextureOp for Upsample<2> {
    fn texture_shader(&self) -> &'static Shader {
        &TEXTURE
    }

    fn between_textures(&self, builder: &mut ProgramBuilder<'_>) -> Result<TextureWork> {
        texture::upsample(self, self.extrapolation(), builder)
    }
}
