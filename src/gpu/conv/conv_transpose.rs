//! Transposed convolution on the GPU.

use std::time::Duration;

use super::layer::{Direction, Layer};
use super::lower::{PlainShaders, candidates, lower, predict_recipe};
use super::operands::ConvParams;
use super::texture::conv_shader;
use crate::error::Result;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Capabilities, Recipe, recipes};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};
use crate::ops::conv::conv_transpose::ConvTranspose;

/// One thread per output element gathers the taps that meet it.
pub(crate) static GATHER: Shader = Shader {
    name: "conv_transpose_gather",
    texts: Texts::Tensors(files!(
        "conv/transpose_gather.wgsl",
        "conv/shared/params.wgsl",
        "conv/shared/axis.wgsl",
        "conv/shared/transpose_taps.wgsl",
        "shared/activation.wgsl"
    )),
    reads: 3,
    writes: 1,
    uniform: ConvParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "has_bias", "activation"],
};

/// One thread per texel.
pub(crate) static TEXTURE: Shader = conv_shader(Texts::Textures(files!(
    "conv/texture.wgsl",
    "conv/shared/texture_params.wgsl",
    "conv/shared/axis.wgsl",
    "conv/shared/transpose_taps.wgsl",
    "shared/activation.wgsl",
    "shared/texels.wgsl",
    "shared/texel_read.wgsl",
    "shared/texel_write.wgsl"
)));

fn layer<const R: usize>(op: &ConvTranspose<R>) -> Result<Layer> {
    Ok(Layer::new(&op.geometry()?, Direction::NarrowToWide))
}

fn shaders<const R: usize>() -> PlainShaders {
    PlainShaders { direct: &GATHER, texels: (R == 2).then_some(&TEXTURE) }
}

impl<const R: usize> GpuOp for ConvTranspose<R> {
    fn recipes(&self, capabilities: &Capabilities, options: &PlanOptions) -> Vec<Recipe> {
        let Ok(layer) = layer(self) else { return Vec::new() };
        recipes(&candidates(&layer, shaders::<R>(), capabilities, options), capabilities)
    }

    fn predict(&self, recipe: &Recipe, capabilities: &Capabilities, options: &PlanOptions) -> Option<Duration> {
        predict_recipe(&layer(self).ok()?, shaders::<R>(), recipe, capabilities, options)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        lower(self, layer(self)?, self.activation, shaders::<R>(), context)
    }
}
