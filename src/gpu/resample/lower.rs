//! Separable ops and their gradients on the GPU: in one pass over all axes, or in one pass for each.

use std::borrow::Cow;

use super::candidates::{MOST_TAPS, candidates, resampled};
use super::table::{LaidOutTables, Tables, boxes_by_tables, check_table, row_length};
use super::taps::ResamplePass;
use super::texture::texel_work;
use crate::error::Result;
use crate::geometry;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, Shape, recipes};
use crate::gpu::program::region::Region;
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
        // Tensors that no buffer holds are refused before their tables are made.
        context.lay_out(op)?;
        let tables = op.tables_on_three_axes()?;
        let shape = op.inputs()?.swap_remove(0).shape;
        let sizes = geometry::pad_to_three_axes(1, &shape[2..]);
        Ok(Self { outer: [shape[0], shape[1]], sizes, tables, extrapolation })
    }

    /// The recipes of an op that sums over tap tables; none if its tables are refused.
    pub(crate) fn recipes<O: Op + Tables>(op: &O, capabilities: &Capabilities) -> Vec<Recipe> {
        let Ok((tables, input)) =
            op.tables_on_three_axes().and_then(|tables| Ok((tables, op.inputs()?.swap_remove(0))))
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
        if builder.output().layout.is_empty() {
            return builder.finish();
        }
        let passes = self.passes(candidate.shape)?;
        let limits = builder.context.limits();
        let identity = self.identity(&passes)?;
        check_table(identity.len(), 1)?;
        for table in passes.iter().flatten().flatten() {
            check_table(table.len(), row_length(table))?;
        }
        let (mut input, mut sizes) = (builder.operand(0), self.sizes);
        for (number, tables) in passes.iter().enumerate() {
            resize(&mut sizes, tables);
            let output = if number + 1 == passes.len() {
                builder.output()
            } else {
                builder.add_workspace(&[&self.outer[..], &sizes].concat())?
            };
            let tables = tables.each_ref().map(|table| table.as_deref().unwrap_or(&identity));
            let region = Region::whole(self.outer, sizes, 1);
            for region in boxes_by_tables(region, tables, |region| region.spatial.clone(), limits)? {
                let pass = ResamplePass {
                    tables,
                    laid_out: LaidOutTables::new(&mut builder, tables, region.spatial.clone())?,
                    region,
                    shader: candidate.shader,
                    in_blocks: matches!(candidate.shape, Shape::Blocks { .. }),
                    input: &input,
                    output: &output,
                    extrapolation: self.extrapolation,
                };
                builder.add_pass(candidate.shader, pass.constants(), &pass)?;
            }
            input = output;
        }
        builder.finish()
    }

    /// The tables of each pass; an axis without one keeps its samples.
    fn passes(&self, shape: Shape) -> Result<Vec<PassTables<'_>>> {
        let Shape::AxisPasses { .. } = shape else {
            return Ok(vec![self.tables.each_ref().map(|table| Some(Cow::Borrowed(table)))]);
        };
        let mut passes = Vec::new();
        let mut add = |axis: usize, table| {
            let mut tables = [const { None }; 3];
            tables[axis] = Some(table);
            passes.push(tables);
        };
        let has_outside = self.tables.iter().any(TapTable::has_outside);
        for axis in resampled(&self.tables, self.sizes) {
            let table = &self.tables[axis];
            if table.longest() > MOST_TAPS {
                table.in_two_steps(MOST_TAPS)?.into_iter().for_each(|step| add(axis, Cow::Owned(step)));
            } else if has_outside {
                add(axis, Cow::Owned(table.without_outside()?));
            } else {
                add(axis, Cow::Borrowed(table));
            }
        }
        if has_outside {
            let mut last = [const { None }; 3];
            for (table, own) in last.iter_mut().zip(&self.tables) {
                *table = Some(Cow::Owned(own.outside_alone()?));
            }
            passes.push(last);
        }
        Ok(passes)
    }

    /// The table of the axes that a pass does not resample: one tap for each sample, with rows for the longest such
    /// axis.
    fn identity(&self, passes: &[PassTables<'_>]) -> Result<TapTable> {
        let (mut sizes, mut longest) = (self.sizes, 1);
        for tables in passes {
            resize(&mut sizes, tables);
            let kept = (0..3).filter(|&axis| tables[axis].is_none()).map(|axis| sizes[axis]);
            longest = kept.fold(longest, usize::max);
        }
        TapTable::identity(longest)
    }
}

/// The tables by which a pass resamples each axis; `None` for an axis that it keeps.
type PassTables<'a> = [Option<Cow<'a, TapTable>>; 3];

/// The sizes of three axes after a pass.
fn resize(sizes: &mut [usize; 3], tables: &PassTables<'_>) {
    for (size, table) in sizes.iter_mut().zip(tables) {
        *size = table.as_ref().map_or(*size, |table| table.len());
    }
}
