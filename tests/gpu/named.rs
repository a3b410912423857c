//! The benchmark's problems, cut to a size that software drivers manage: what is measured is right.

use upconv::Gpu;
use upconv::cpu::CpuOp;
use upconv::gpu::GpuOp;

use super::Row;
use super::harness::{Data, Outcome, compare, inputs};
use super::problems::{Visit, named};

struct Check<'a> {
    gpu: &'a Gpu,
    name: &'static str,
}

impl Visit for Check<'_> {
    type Output = Outcome;

    fn visit<O: GpuOp + CpuOp>(&mut self, op: &O) -> Outcome {
        let inputs = inputs(op, self.name, Data::Reals)?;
        let views: Vec<_> = inputs.iter().map(|tensor| tensor.view()).collect();
        let output = self.gpu.run(op, &views).map_err(|error| error.to_string())?;
        compare(op, &inputs, &output, Data::Reals)
    }
}

pub fn rows() -> Vec<Row> {
    let row = |(name, problem): (&'static str, super::problems::Problem)| {
        let (cut, divisor) = problem.cut(4_000_000);
        let title = if divisor == 1 { name.into() } else { format!("{name}, 1/{divisor} of its channels") };
        Row::new(title, move |gpu| cut.visit(&mut Check { gpu, name }))
    };
    named().into_iter().map(row).collect()
}
