//! Separable ops and their gradients on the GPU: in one pass over all axes, or in one pass for each.

use super::candidates::{candidates, resampled};
use super::table::{Tables, check_table, table_bytes};
use super::taps::ResamplePass;
use super::texture::texel_work;
use crate::error::Result;
use crate::geometry;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, Shape, recipes};
use crate::ops::op::Op;
use crate::ops::resample::separable::{Separable, SeparableGrad};
use crate::ops::resample::tap_table::TapTable;

/// The gradient is the same sum over the transposed tables.
impl<T: Separable> GpuOp for SeparableGrad<T> {
    fn recipes(&self, capabilities: &Capabilities, _options: &PlanOptions) -> Vec<Recipe> {
        Resample::recipes(self, capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        Resample::new(self, 0.0, context)?.lower_sums(self, context)
    }
}

/// A resampling by tap tables, whichever op it belongs to.
pub(crate) struct Resample {
    /// Batch and channels.
    outer: [usize; 2],
    /// Input samples on three axes.
    sizes: [usize; 3],
    tables: [TapTable; 3],
    extrapolation: f32,
}

impl Resample {
    pub(crate) fn new<O: Op + Tables>(op: &O, extrapolation: f32, context: &LowerContext<'_>) -> Result<Self> {
        let tables = op.tables_on_three_axes(context.limits())?;
        let shape = op.inputs()?.swap_remove(0).shape;
        let sizes = geometry::pad_to_three_axes(1, &shape[2..]);
        Ok(Self { outer: [shape[0], shape[1]], sizes, tables, extrapolation })
    }

    /// The recipes of an op that sums over tap tables; none if its tables are refused.
    pub(crate) fn recipes<O: Op + Tables>(op: &O, capabilities: &Capabilities) -> Vec<Recipe> {
        let Ok((tables, input)) =
            op.tables_on_three_axes(&capabilities.limits).and_then(|tables| Ok((tables, op.inputs()?.swap_remove(0))))
        else {
            return Vec::new();
        };
        recipes(&candidates(&tables, geometry::pad_to_three_axes(1, &input.shape[2..]), input.shape[1]), capabilities)
    }

    /// The ways to sum its taps, the cheapest first.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        candidates(&self.tables, self.sizes, self.outer[1])
    }

    /// Lowers an op by the forced recipe, or by the cheapest candidate that the device can hold.
    pub(crate) fn lower_sums<O: Op>(&self, op: &O, context: &LowerContext<'_>) -> Result<Program> {
        self.lower_by_first(op, &self.candidates(), context)
    }

    /// Lowers an op by the forced recipe, or by the first of these candidates that the device can hold: a workspace may
    /// be too large.
    pub(crate) fn lower_by_first<O: Op>(
        &self,
        op: &O,
        candidates: &[Candidate],
        context: &LowerContext<'_>,
    ) -> Result<Program> {
        context.first_that_fits(O::NAME, candidates, |candidate, recipe| {
            self.lower_by(candidate, ProgramBuilder::new(context, op, recipe)?)
        })
    }

    fn lower_by(&self, candidate: &Candidate, mut builder: ProgramBuilder<'_>) -> Result<Program> {
        if candidate.shape == Shape::PerTexel {
            let work = texel_work(&self.tables, self.extrapolation, &mut builder)?;
            builder.add_texels(candidate.shader, work)?;
            return builder.finish();
        }
        // The axes that each pass resamples.
        let passes: Vec<Vec<usize>> = match candidate.shape {
            Shape::AxisPasses { .. } => resampled(&self.tables, self.sizes).map(|axis| vec![axis]).collect(),
            _ => vec![vec![0, 1, 2]],
        };
        let mut laid_out = Vec::new();
        for table in &self.tables {
            laid_out.push(builder.add_table(table_bytes(table)?));
        }
        let identity = self.identity(&passes)?;
        check_table(identity.len(), 1, builder.context.limits())?;
        let kept = if passes.len() > 1 { builder.add_table(table_bytes(&identity)?) } else { laid_out[0].clone() };
        let (mut input, mut sizes) = (builder.operand(0), self.sizes);
        for (number, axes) in passes.iter().enumerate() {
            axes.iter().for_each(|&axis| sizes[axis] = self.tables[axis].len());
            let output = if number + 1 == passes.len() {
                builder.output()
            } else {
                builder.add_workspace(&[&self.outer[..], &sizes].concat())?
            };
            let pass = ResamplePass {
                tables: std::array::from_fn(|i| if axes.contains(&i) { &self.tables[i] } else { &identity }),
                laid_out: std::array::from_fn(|i| if axes.contains(&i) { &laid_out[i] } else { &kept }),
                sizes,
                in_blocks: matches!(candidate.shape, Shape::Blocks { .. }),
                input: &input,
                output: &output,
                extrapolation: self.extrapolation,
            };
            builder.add_pass(candidate.shader, pass.constants(candidate.shader), &pass)?;
            input = output;
        }
        builder.finish()
    }

    /// The table of the axes that a pass does not resample: one tap for each sample, with rows for the longest such
    /// axis.
    fn identity(&self, passes: &[Vec<usize>]) -> Result<TapTable> {
        let (mut sizes, mut longest) = (self.sizes, 1);
        for axes in passes {
            axes.iter().for_each(|&axis| sizes[axis] = self.tables[axis].len());
            let kept = (0..3).filter(|axis| !axes.contains(axis)).map(|axis| sizes[axis]);
            longest = kept.fold(longest, usize::max);
        }
        TapTable::identity(longest)
    }
}
