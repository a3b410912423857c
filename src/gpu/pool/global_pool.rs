//! Global average, max and Lp pooling on the GPU.

use super::global::{GlobalParams, Reduction, candidates, check_memory, reduce};
use crate::error::Result;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::constants::flag;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Capabilities, Recipe, recipes};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};
use crate::ops::op::Op;
use crate::ops::pool::global_average_pool::GlobalAveragePool;
use crate::ops::pool::global_lp_pool::GlobalLpPool;
use crate::ops::pool::global_max_pool::GlobalMaxPool;
use crate::ops::pool::indices::Numbering;
use crate::tensor::operand::Role;

/// A workgroup adds the samples of a slice of a plane, or their powers.
pub(crate) static SUM: Shader = Shader {
    name: "pool_global_sum",
    texts: Texts::Tensors(files!("pool/global_sum.wgsl", "pool/shared/global_work.wgsl", "pool/shared/norm.wgsl")),
    reads: 2,
    writes: 2,
    uniform: GlobalParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "is_first", "is_last", "tile_channels", "is_line", "is_norm", "is_split"],
};

/// A workgroup searches a slice of a plane.
pub(crate) static MAX: Shader = Shader {
    name: "pool_global_max",
    texts: Texts::Copied(files!("pool/global_max.wgsl", "pool/shared/global_work.wgsl", "pool/shared/rank.wgsl")),
    overrides: &["workgroup_size", "is_first", "is_last", "tile_channels", "is_line", "has_indices", "last_nan"],
    ..SUM
};

impl Reduction {
    /// The mean of planes of so many samples.
    fn mean(samples: usize) -> Self {
        let constants = vec![flag("is_norm", false), flag("is_split", false)];
        #[allow(clippy::cast_possible_truncation, reason = "the factor is rounded to f32, as the bound counts")]
        let scale = (1.0 / samples as f64) as f32;
        let numbering = Numbering::NONE;
        Self { shader: &SUM, constants, numbering, scale, power: 1, has_integers: false, copies: false }
    }

    /// An Lp norm, written as one number, or as the root and the exponent that it was scaled by.
    pub(super) fn norm(power: u32, is_split: bool) -> Self {
        let constants = vec![flag("is_norm", true), flag("is_split", is_split)];
        Self { constants, power, has_integers: true, ..Self::mean(1) }
    }
}

impl<const R: usize> GpuOp for GlobalAveragePool<R> {
    fn recipes(&self, capabilities: &Capabilities, options: &PlanOptions) -> Vec<Recipe> {
        recipes(&candidates(&SUM, self.channels, options), capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let candidates = candidates(&SUM, self.channels, context.options);
        context.first_that_fits(Self::NAME, &candidates, |_, recipe| {
            check_memory(context, recipe)?;
            let mut builder = ProgramBuilder::new(context, self, recipe)?;
            let (planes, output) = (self.planes()?, builder.output());
            reduce(&mut builder, &planes, &Reduction::mean(planes.samples()), &output, None)?;
            builder.finish()
        })
    }
}

impl<const R: usize> GpuOp for GlobalLpPool<R> {
    fn recipes(&self, capabilities: &Capabilities, options: &PlanOptions) -> Vec<Recipe> {
        recipes(&candidates(&SUM, self.channels, options), capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let candidates = candidates(&SUM, self.channels, context.options);
        context.first_that_fits(Self::NAME, &candidates, |_, recipe| {
            check_memory(context, recipe)?;
            let mut builder = ProgramBuilder::new(context, self, recipe)?;
            let output = builder.output();
            reduce(&mut builder, &self.planes()?, &Reduction::norm(self.p, false), &output, None)?;
            builder.finish()
        })
    }
}

impl<const R: usize> GpuOp for GlobalMaxPool<R> {
    fn recipes(&self, capabilities: &Capabilities, options: &PlanOptions) -> Vec<Recipe> {
        recipes(&candidates(&MAX, self.channels, options), capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let candidates = candidates(&MAX, self.channels, context.options);
        context.first_that_fits(Self::NAME, &candidates, |_, recipe| {
            check_memory(context, recipe)?;
            let mut builder = ProgramBuilder::new(context, self, recipe)?;
            let planes = self.planes()?;
            let numbering = self.indices.map(|convention| convention.numbering(&planes.input_shape())).transpose()?;
            let kind = Reduction {
                shader: &MAX,
                constants: vec![flag("has_indices", numbering.is_some()), flag("last_nan", self.last_nan())],
                numbering: numbering.unwrap_or(Numbering::NONE),
                has_integers: true,
                copies: true,
                ..Reduction::mean(1)
            };
            let (output, indices) = (builder.output(), builder.operand_as(Role::Indices));
            reduce(&mut builder, &planes, &kind, &output, indices)?;
            builder.finish()
        })
    }
}
