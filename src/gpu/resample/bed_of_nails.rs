//! Bed of nails on the GPU: a sum of one sample or none over tap tables.

use super::lower::Resample;
use crate::error::Result;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Capabilities, Recipe};
use crate::ops::resample::bed_of_nails::BedOfNails;

impl<const R: usize> GpuOp for BedOfNails<R> {
    fn recipes(&self, capabilities: &Capabilities, _options: &PlanOptions) -> Vec<Recipe> {
        Resample::recipes(self, capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        Resample::new(self, 0.0, context)?.lower_sums(self, context)
    }
}
