//! Max unpooling and its gradient on the GPU: places are marked with integers, then samples are gathered by the marks.

use super::unpool::Unpool;
use super::unpool_gather::{GATHER, UnpoolGather};
use super::unpool_grad::{GRAD, UnpoolGrad};
use super::unpool_mark::{MARK, UnpoolMark};
use super::zero_fill::{ZERO, ZeroFill};
use crate::error::Result;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, Shape, recipes};
use crate::ops::op::Op;
use crate::ops::pool::max_unpool::{MaxUnpool, MaxUnpoolGrad};

/// The candidate: its steps zero the marks and the count of invalid indices, mark the places, and gather the samples.
const CANDIDATE: Candidate = Candidate { shape: Shape::MarkAndGather, ..Candidate::new(&GATHER) };

impl<const R: usize> GpuOp for MaxUnpool<R> {
    fn recipes(&self, capabilities: &Capabilities, _options: &PlanOptions) -> Vec<Recipe> {
        recipes(&[CANDIDATE], capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let (_, recipe) = context.choose(Self::NAME, &[CANDIDATE])?;
        let mut builder = ProgramBuilder::new(context, self, &recipe)?;
        let unpool = Unpool::new(self)?;
        let [input, indices, output, invalid] = std::array::from_fn(|number| builder.operand(number));
        let marks = builder.add_integers(&[&unpool.outer[..], &unpool.output].concat())?;
        builder.add_pass(&ZERO, [], &ZeroFill(&marks))?;
        builder.add_pass(&ZERO, [], &ZeroFill(&invalid))?;
        let mark = UnpoolMark { unpool: &unpool, indices: &indices, marks: &marks, invalid: &invalid };
        builder.add_pass(&MARK, [unpool.columns_first()], &mark)?;
        let gather = UnpoolGather { unpool: &unpool, input: &input, marks: &marks, output: &output };
        builder.add_pass(&GATHER, [], &gather)?;
        builder.finish()
    }
}

impl<const R: usize> GpuOp for MaxUnpoolGrad<R> {
    fn recipes(&self, capabilities: &Capabilities, _options: &PlanOptions) -> Vec<Recipe> {
        recipes(&[(&GRAD).into()], capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let (_, recipe) = context.choose(Self::NAME, &[(&GRAD).into()])?;
        let mut builder = ProgramBuilder::new(context, self, &recipe)?;
        let unpool = Unpool::new(&self.forward)?;
        let [gradient, indices, output] = std::array::from_fn(|number| builder.operand(number));
        let pass = UnpoolGrad { unpool: &unpool, gradient: &gradient, indices: &indices, output: &output };
        builder.add_pass(&GRAD, [unpool.columns_first()], &pass)?;
        builder.finish()
    }
}
