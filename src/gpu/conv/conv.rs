//! Convolution on the GPU.

use super::texture;
use std::time::Duration;

use super::layer::{Direction, Layer};
use super::lower::lower;
use super::operands::ConvParams;
use super::split_k::with_f32_sums;
use crate::dtype::FloatType;
use crate::error::Result;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Capabilities, Recipe, recipes};
use crate::gpu::program::request::{GpuOp, Request};
use crate::gpu::program::shader::{Shader, with_outputs, with_storage};
use crate::gpu::program::texture::{TextureOp, TextureWork};
use crate::ops::conv::conv::Conv;

/// One thread per output element.
pub(crate) static DIRECT: Shader = Shader {
    name: "conv_direct",
    texts: with_storage!(
        "conv/direct.wgsl",
        "conv/shared/params.wgsl",
        "conv/shared/axis.wgsl",
        "conv/shared/taps.wgsl",
        "shared/activation.wgsl"
    ),
    reads: 3,
    writes: 1,
    fields: ConvParams::FIELDS,
    params_size: size_of::<ConvParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size", "has_bias", "activation"],
};

/// One thread per texel.
pub(crate) static TEXTURE: Shader = texture::conv_shader(with_outputs!(
    "conv/texture.wgsl",
    "conv/shared/texture_params.wgsl",
    "conv/shared/axis.wgsl",
    "conv/shared/taps.wgsl",
    "shared/activation.wgsl",
    "shared/texels.wgsl"
));

impl<const R: usize> GpuOp for Conv<R> {
    fn recipes(&self, capabilities: &Capabilities, storage: FloatType) -> Vec<Recipe> {
        let candidates =
            |geometry| Layer::new(&geometry, Direction::WideToNarrow).candidates(&DIRECT, capabilities, storage);
        self.geometry().map_or_else(
            |_| Vec::new(),
            |geometry| recipes(&with_f32_sums(candidates(geometry), storage), capabilities),
        )
    }

    fn predict(&self, recipe: &Recipe, capabilities: &Capabilities, storage: FloatType) -> Option<Duration> {
        Layer::new(&self.geometry().ok()?, Direction::WideToNarrow).predict(&DIRECT, recipe, capabilities, storage)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let layer = Layer::new(&self.geometry()?, Direction::WideToNarrow);
        lower(self, layer, self.activation, &DIRECT, request)
    }
}

impl TextureOp for Conv<2> {
    fn between_textures(&self, request: &Request<'_>) -> Result<TextureWork> {
        let layer = Layer::new(&self.geometry()?, Direction::WideToNarrow);
        texture::conv(self, layer, self.activation, &TEXTURE, request)
    }
}
