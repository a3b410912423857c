//! The benchmark's problems, cut to a size that software drivers manage: the results that are timed must be right.

use upconv::Gpu;
use upconv::gpu::GpuOp;

use crate::Row;
use crate::harness::{Data, Outcome, compare, inputs};
use crate::problems::{Problem, named};

async fn check(gpu: &Gpu, problem: &Problem, name: &str) -> Outcome {
    let message = |error: upconv::Error| error.to_string();
    match problem {
        Problem::ConvTranspose(op) => run(gpu, op, name).await,
        Problem::Conv(op) => run(gpu, op, name).await,
        Problem::ConvTransposeWeight(op) => run(gpu, &op.grad_weight().map_err(message)?, name).await,
        Problem::ConvWeight(op) => run(gpu, &op.grad_weight().map_err(message)?, name).await,
        Problem::Upsample(op) => run(gpu, op, name).await,
    }
}

async fn run<O: GpuOp>(gpu: &Gpu, op: &O, name: &str) -> Outcome {
    let inputs = inputs(op, name, Data::Reals)?;
    let views: Vec<_> = inputs.iter().map(|tensor| tensor.view()).collect();
    let output = gpu.run_async(op, &views).await.map_err(|error| error.to_string())?;
    compare(op, &inputs, &output, Data::Reals)
}

pub fn rows() -> Vec<Row> {
    let row = |(name, problem): (&'static str, Problem)| {
        let (reduced, divisor) = problem.reduced_to(4_000_000);
        let title = if divisor == 1 { name.into() } else { format!("{name}, 1/{divisor} of its channels") };
        Row::new(title, async move |gpu| check(gpu, &reduced, name).await)
    };
    named().into_iter().map(row).collect()
}
