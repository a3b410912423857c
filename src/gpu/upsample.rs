//! Upsampling on the GPU.

use wgpu::Limits;

use super::kernel::{Shader, with_storage};
use super::params::UpsampleParams;
use super::program::{GpuOp, Program, Recipe, Request, recipes};
use super::resample::{Resample, TAPS};
use crate::{Result, Separable, Upsample};

/// One thread per output element copies a sample.
pub(crate) static NEAREST: Shader = Shader {
    name: "upsample_nearest",
    sources: with_storage!("../../shaders/upsample_nearest.wgsl"),
    reads: 4,
    writes: 1,
    fields: UpsampleParams::FIELDS,
    params_size: size_of::<UpsampleParams>() as u64,
    overrides: &["workgroup_size"],
};

impl<const R: usize> GpuOp for Upsample<R> {
    fn recipes(&self, limits: &Limits) -> Vec<Recipe> {
        if self.is_copy() {
            return recipes(&[(&NEAREST).into(), (&TAPS).into()], limits);
        }
        Resample::recipes(self, limits)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        let resample = Resample::forward(self, &request)?;
        // A copy is also a sum of one tap.
        if self.is_copy() { resample.lower(&[(&NEAREST).into(), (&TAPS).into()]) } else { resample.lower_sums() }
    }
}
