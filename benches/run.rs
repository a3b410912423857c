//! One problem with its tensors uploaded and bound, ready to be timed.

use std::time::{Duration, Instant};

use ndarray::{ArrayD, IxDyn};
use upconv::cpu::{self, CpuOp};
use upconv::gpu::{Bindings, Bound, GpuOp};
use upconv::{Cost, Gpu, PlanOptions, Recipe, Reference};

pub struct Session<'a, O> {
    op: &'a O,
    inputs: Vec<ArrayD<f32>>,
    bound: Option<(&'a Gpu, Bound, Recipe)>,
    pub cost: Cost,
}

impl<'a, O: GpuOp> Session<'a, O> {
    pub fn new(gpu: Option<&'a Gpu>, op: &'a O) -> Result<Self, String> {
        Self::with(gpu, op, &PlanOptions::default())
    }

    /// [`Session::new`] with the caller's options, such as a forced recipe.
    pub fn with(gpu: Option<&'a Gpu>, op: &'a O, options: &PlanOptions) -> Result<Self, String> {
        let message = |error: upconv::Error| error.to_string();
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let operands = op.inputs().map_err(message)?;
        let inputs: Vec<_> =
            operands.iter().map(|operand| ArrayD::from_shape_simple_fn(IxDyn(&operand.shape), &mut random)).collect();
        let bound = gpu.map(|gpu| bind(gpu, op, options, &inputs)).transpose().map_err(message)?;
        Ok(Self { op, inputs, bound, cost: op.cost().map_err(message)? })
    }

    #[allow(dead_code, reason = "each program uses some of it")]
    pub fn bound(&self) -> Option<&Bound> {
        self.bound.as_ref().map(|(_, bound, _)| bound)
    }

    pub fn recipe(&self) -> Option<&Recipe> {
        self.bound.as_ref().map(|(_, _, recipe)| recipe)
    }

    /// The time of one run: by timestamps where the device has them, else as the host saw it. `None` without a device.
    pub fn gpu_time(&self) -> Option<Result<Duration, String>> {
        let (gpu, bound, _) = self.bound.as_ref()?;
        Some(gpu.time(bound).map(|timing| timing.gpu.unwrap_or(timing.wall)).map_err(|error| error.to_string()))
    }

    /// The time of one run on the GPU as the host saw it.
    #[allow(dead_code, reason = "each program uses some of it")]
    pub fn wall_time(&self) -> Option<Result<Duration, String>> {
        let (gpu, bound, _) = self.bound.as_ref()?;
        Some(gpu.time(bound).map(|timing| timing.wall).map_err(|error| error.to_string()))
    }

    /// The time of one run on the CPU engine.
    #[allow(dead_code, reason = "each program uses some of it")]
    pub fn cpu_time(&self) -> Result<Duration, String>
    where
        O: CpuOp,
    {
        let views: Vec<_> = self.inputs.iter().map(|input| input.view()).collect();
        let begin = Instant::now();
        let output = cpu::run(self.op, &views).map_err(|error| error.to_string())?;
        let taken = begin.elapsed();
        drop(output);
        Ok(taken)
    }

    #[allow(dead_code, reason = "each program uses some of it")]
    pub fn reference(&self) -> Reference {
        let views: Vec<_> = self.inputs.iter().map(|input| input.view()).collect();
        self.op.reference(&views).expect("inputs of the op's own shapes")
    }
}

fn bind<'a, O: GpuOp>(
    gpu: &'a Gpu,
    op: &O,
    options: &PlanOptions,
    inputs: &[ArrayD<f32>],
) -> upconv::Result<(&'a Gpu, Bound, Recipe)> {
    let plan = gpu.planner().plan_with(op, options)?;
    let buffers = inputs.iter().map(|input| gpu.upload(input.view())).collect::<upconv::Result<Vec<_>>>()?;
    let output = gpu.buffer("output", op.output()?.shape.iter().product::<usize>() as u64 * 4)?;
    let roles = op.inputs()?.into_iter().map(|operand| operand.role);
    let bindings: Bindings = roles.zip(buffers.iter().map(|buffer| buffer.slice(..))).collect();
    Ok((gpu, plan.bind(&bindings.output(output.slice(..)))?, plan.recipe().clone()))
}
