//! Transposed convolution on the GPU.

use std::time::Duration;

use super::layer::{Direction, Layer};
use super::lower::lower;
use super::operands::ConvParams;
use super::split_k::with_f32_sums;
use super::texture::{conv, conv_shader};
use crate::dtype::FloatType;
use crate::error::Result;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Capabilities, Recipe, recipes};
use crate::gpu::program::shader::{Shader, with_outputs, with_storage};
use crate::gpu::program::texture::{TextureOp, TextureWork};
use crate::ops::conv::conv_transpose::ConvTranspose;

/// One thread per output element gathers the taps that meet it.
pub(crate) static GATHER: Shader = Shader {
    name: "conv_transpose_gather",
    texts: with_storage!(
        "conv/transpose_gather.wgsl",
        "conv/shared/params.wgsl",
        "conv/shared/axis.wgsl",
        "conv/shared/transpose_taps.wgsl",
        "shared/activation.wgsl"
    ),
    reads: 3,
    writes: 1,
    uniform: ConvParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "has_bias", "activation"],
};

/// One thread per texel.
pub(crate) static TEXTURE: Shader = conv_shader(with_outputs!(
    "conv/texture.wgsl",
    "conv/shared/texture_params.wgsl",
    "conv/shared/axis.wgsl",
    "conv/shared/transpose_taps.wgsl",
    "shared/activation.wgsl",
    "shared/texels.wgsl"
));

fn layer<const R: usize>(op: &ConvTranspose<R>) -> Result<Layer> {
    Ok(Layer::new(&op.geometry()?, Direction::NarrowToWide))
}

impl<const R: usize> GpuOp for ConvTranspose<R> {
    fn recipes(&self, capabilities: &Capabilities, storage: FloatType) -> Vec<Recipe> {
        let Ok(layer) = layer(self) else { return Vec::new() };
        recipes(&with_f32_sums(layer.candidates(&GATHER, capabilities, storage), storage), capabilities)
    }

    fn predict(&self, recipe: &Recipe, capabilities: &Capabilities, storage: FloatType) -> Option<Duration> {
        layer(self).ok()?.predict(&GATHER, recipe, capabilities, storage)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        lower(self, layer(self)?, self.activation, &GATHER, context)
    }
}

impl TextureOp for ConvTranspose<2> {
    fn texture_shader(&self) -> &'static Shader {
        &TEXTURE
    }

    fn between_textures(&self, builder: &mut ProgramBuilder<'_>) -> Result<TextureWork> {
        Ok(conv(layer(self)?, self.activation, builder))
    }
}
