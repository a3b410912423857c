//! Upsampling on the GPU.

use super::kernel::{Shader, with_storage};
use super::params::UpsampleParams;
use super::program::{GpuOp, Program, Request};
use super::recipe::{Candidate, Capabilities, Recipe, recipes};
use super::resample::{Resample, TAPS};
use super::resample_rows::{self, NEAREST_ROWS};
use crate::{FloatType, Result, Separable, Upsample};

/// One thread per output element copies a sample.
pub(crate) static NEAREST: Shader = Shader {
    name: "upsample_nearest",
    sources: with_storage!("../../shaders/upsample_nearest.wgsl", "../../shaders/shared/upsample_params.wgsl"),
    reads: 4,
    writes: 1,
    fields: UpsampleParams::FIELDS,
    params_size: size_of::<UpsampleParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size"],
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
