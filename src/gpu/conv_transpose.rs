//! Transposed convolution on the GPU.

use std::time::Duration;

use super::kernel::{Shader, with_storage};
use super::params::ConvParams;
use super::program::{GpuOp, Program, Request};
use super::recipe::{Capabilities, Recipe, recipes};
use super::relation::{Direction, Layer, by_one_pass_or_two, lower};
use super::texture_formats::with_outputs;
use super::textures::{self, TextureOp, TextureWork};
use crate::{ConvTranspose, FloatType, Result};

/// One thread per output element gathers the taps that meet it.
pub(crate) static GATHER: Shader = Shader {
    name: "conv_transpose_gather",
    sources: with_storage!(
        "../../shaders/conv_transpose_gather.wgsl",
        "../../shaders/shared/conv_params.wgsl",
        "../../shaders/shared/conv_axis.wgsl",
        "../../shaders/shared/conv_transpose_taps.wgsl",
        "../../shaders/shared/activation.wgsl"
    ),
    reads: 3,
    writes: 1,
    fields: ConvParams::FIELDS,
    params_size: size_of::<ConvParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size", "has_bias", "activation"],
};

/// One thread per texel.
pub(crate) static TEXTURE: Shader = textures::conv_shader(with_outputs!(
    "../../shaders/conv_texture.wgsl",
    "../../shaders/shared/texture_conv_params.wgsl",
    "../../shaders/shared/conv_axis.wgsl",
    "../../shaders/shared/conv_transpose_taps.wgsl",
    "../../shaders/shared/activation.wgsl",
    "../../shaders/shared/texels.wgsl"
));

impl<const R: usize> GpuOp for ConvTranspose<R> {
    fn recipes(&self, capabilities: &Capabilities, storage: FloatType) -> Vec<Recipe> {
        let candidates =
            |geometry| Layer::new(&geometry, Direction::NarrowToWide).candidates(&GATHER, capabilities, storage);
        self.geometry().map_or_else(
            |_| Vec::new(),
            |geometry| recipes(&by_one_pass_or_two(candidates(geometry), storage), capabilities),
        )
    }

    fn predict(&self, recipe: &Recipe, capabilities: &Capabilities, storage: FloatType) -> Option<Duration> {
        Layer::new(&self.geometry().ok()?, Direction::NarrowToWide).predict(&GATHER, recipe, capabilities, storage)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let layer = Layer::new(&self.geometry()?, Direction::NarrowToWide);
        lower(self, layer, self.activation, &GATHER, request)
    }
}

impl TextureOp for ConvTranspose<2> {
    fn between_textures(&self, request: &Request<'_>) -> Result<TextureWork> {
        let layer = Layer::new(&self.geometry()?, Direction::NarrowToWide);
        textures::conv(self, layer, self.activation, &TEXTURE, request)
    }
}
