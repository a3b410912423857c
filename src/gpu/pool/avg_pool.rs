//! Average pooling on the GPU: a sum over tap tables.

use crate::error::Result;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Capabilities, Recipe};
use crate::gpu::resample::lower::Resample;
use crate::ops::pool::avg_pool::AvgPool;

impl<const R: usize> GpuOp for AvgPool<R> {
    fn recipes(&self, capabilities: &Capabilities, _options: &PlanOptions) -> Vec<Recipe> {
        Resample::recipes(self, capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        Resample::new(self, 0.0, context)?.lower_sums(self, context)
    }
}
