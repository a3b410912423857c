//! Average pooling on the GPU: a sum over tap tables.

use wgpu::Limits;

use super::program::{GpuOp, Program, Recipe, Request};
use super::resample::Resample;
use crate::{AvgPool, Result};

impl<const R: usize> GpuOp for AvgPool<R> {
    fn recipes(&self, limits: &Limits) -> Vec<Recipe> {
        Resample::recipes(self, limits)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        Resample::forward(self, &request)?.lower_sums()
    }
}
