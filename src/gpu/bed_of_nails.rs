//! Bed of nails on the GPU: a sum of one sample or none over tap tables.

use super::program::{GpuOp, Program, Request};
use super::recipe::{Capabilities, Recipe};
use super::resample::Resample;
use crate::{BedOfNails, FloatType, Result};

impl<const R: usize> GpuOp for BedOfNails<R> {
    fn recipes(&self, capabilities: &Capabilities, _storage: FloatType) -> Vec<Recipe> {
        Resample::recipes(self, capabilities)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        Resample::forward(self, &request)?.lower_sums()
    }
}
