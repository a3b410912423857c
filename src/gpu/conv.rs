//! Convolution on the GPU.

use std::time::Duration;

use super::kernel::{Shader, with_storage};
use super::params::ConvParams;
use super::program::{GpuOp, Program, Request};
use super::recipe::{Capabilities, Recipe, recipes};
use super::relation::{Direction, Layer, lower};
use crate::{Conv, FloatType, Result};

/// One thread per output element.
pub(crate) static DIRECT: Shader = Shader {
    name: "conv_direct",
    sources: with_storage!(
        "../../shaders/conv_direct.wgsl",
        "../../shaders/shared/conv_params.wgsl",
        "../../shaders/shared/conv_taps.wgsl",
        "../../shaders/shared/activation.wgsl"
    ),
    reads: 3,
    writes: 1,
    fields: ConvParams::FIELDS,
    params_size: size_of::<ConvParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size", "has_bias", "activation"],
};

impl<const R: usize> GpuOp for Conv<R> {
    fn recipes(&self, capabilities: &Capabilities) -> Vec<Recipe> {
        let candidates =
            |geometry| Layer::new(&geometry, Direction::WideToNarrow).candidates(&DIRECT, capabilities, FloatType::F32);
        self.geometry().map_or_else(|_| Vec::new(), |geometry| recipes(&candidates(geometry), capabilities))
    }

    fn predict(&self, recipe: &Recipe, capabilities: &Capabilities) -> Option<Duration> {
        Layer::new(&self.geometry().ok()?, Direction::WideToNarrow).predict(&DIRECT, recipe, capabilities)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let layer = Layer::new(&self.geometry()?, Direction::WideToNarrow);
        lower(self, layer, self.activation, &DIRECT, request)
    }
}
