//! Transposed convolution on the GPU.

use wgpu::Limits;

use super::kernel::{Shader, with_storage};
use super::params::ConvParams;
use super::program::{GpuOp, Program, Recipe, Request, recipes};
use super::relation::{Direction, lower};
use crate::{ConvTranspose, Result};

/// One thread per output element gathers the taps that meet it.
pub(crate) static GATHER: Shader = Shader {
    name: "conv_transpose_gather",
    sources: with_storage!("../../shaders/conv_transpose_gather.wgsl", "../../shaders/shared/activation.wgsl"),
    reads: 3,
    writes: 1,
    fields: ConvParams::FIELDS,
    params_size: size_of::<ConvParams>() as u64,
    overrides: &["workgroup_size", "has_bias", "activation"],
};

impl<const R: usize> GpuOp for ConvTranspose<R> {
    fn recipes(&self, limits: &Limits) -> Vec<Recipe> {
        recipes(&[(&GATHER).into()], limits)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        lower(self, &self.geometry()?, self.activation, Direction::NarrowToWide, &GATHER, request)
    }
}
