//! Running the ops on a wgpu device that belongs to somebody else.
//!
//! # The embedding contract
//!
//! * [`Planner::new`] takes the caller's `&wgpu::Device`. wgpu's default limits and no features suffice;
//!   [`required_limits`] says what a problem needs before a device exists.
//! * [`Planner::plan`] chooses a recipe, compiles it unless it was compiled before, and makes the plan's small buffers
//!   (sizes, tap tables). Everything that can be wrong with a descriptor or a layout is found here.
//! * [`Plan::bind`] takes buffer slices, checks their size, usage, alignment and aliasing, and makes bind groups.
//! * [`Bound::encode`] records into the caller's compute pass. It creates, submits and polls nothing, and cannot fail.
//!
//! Buffers belong to the caller, must come from the same device, and are read and written only inside the slices given.
//! WebGPU does not let one dispatch read and write the same buffer, so the output needs a buffer of its own.
//! Weights are read each time the pass runs: changing them needs no new plan.
//!
//! [`Gpu`] does all this for those who have no device of their own.

mod conv;
mod conv_transpose;
mod host;
mod kernel;
mod params;
mod pixel_shuffle;
mod program;
mod relation;
#[cfg(not(target_arch = "wasm32"))]
mod timing;
mod upsample;
mod windows;

use std::sync::Arc;

use wgpu::{
    BindGroup, BufferBinding, BufferSize, BufferSlice, BufferUsages, ComputePass, ComputePipeline, Device, Limits,
};

pub use host::Gpu;
use kernel::{Kernel, KernelCache, PlanBuffers};
pub use program::{Dispatch, GpuOp, PlanOptions, Recipe};
use program::{Placed, Program, Request, Source};
#[cfg(not(target_arch = "wasm32"))]
pub use timing::Timing;

use crate::{Conv, ConvTranspose, Cost, Error, Result, Upsample};

/// Every shader of the crate.
#[cfg(test)]
static SHADERS: [&kernel::Shader; 5] =
    [&conv::DIRECT, &conv_transpose::GATHER, &pixel_shuffle::COPY, &upsample::NEAREST, &upsample::TAPS];

/// The limits that a device must offer for this op: wgpu's defaults, with `max_buffer_size` raised where a tensor needs
/// a larger buffer. Larger tensors than a binding holds are split, so no other limit has to rise.
pub fn required_limits<O: GpuOp>(op: &O, options: &PlanOptions) -> Result<Limits> {
    let unbounded = Limits { max_buffer_size: u64::MAX, ..Limits::default() };
    let program = op.lower(Request { limits: &unbounded, options })?;
    let tensors = program.operands.iter().map(Placed::bytes);
    let tables = program.tables.iter().map(|table| table.len() as u64);
    let defaults = Limits::default();
    let max_buffer_size = tensors.chain(tables).fold(defaults.max_buffer_size, u64::max);
    Ok(Limits { max_buffer_size, ..defaults })
}

impl Placed {
    /// Bytes from the start of a slice to the end of the last element.
    fn bytes(&self) -> u64 {
        self.layout.end() as u64 * 4
    }
}

/// Makes plans for one device and keeps the pipelines that it compiled.
#[derive(Debug)]
pub struct Planner {
    device: Device,
    limits: Limits,
    kernels: KernelCache,
}

impl Planner {
    /// A planner for the caller's device.
    pub fn new(device: &Device) -> Self {
        Self::with_limits(device, &device.limits())
    }

    /// A planner that keeps to smaller limits than the device's; larger ones are cut to the device's. Reads
    /// `max_storage_buffer_binding_size`, `max_compute_workgroups_per_dimension`,
    /// `max_compute_invocations_per_workgroup` and `max_compute_workgroup_size_x`.
    pub fn with_limits(device: &Device, limits: &Limits) -> Self {
        let own = device.limits();
        let limits = Limits {
            max_storage_buffer_binding_size: limits
                .max_storage_buffer_binding_size
                .min(own.max_storage_buffer_binding_size),
            max_compute_workgroups_per_dimension: limits
                .max_compute_workgroups_per_dimension
                .min(own.max_compute_workgroups_per_dimension),
            max_compute_invocations_per_workgroup: limits
                .max_compute_invocations_per_workgroup
                .min(own.max_compute_invocations_per_workgroup),
            max_compute_workgroup_size_x: limits.max_compute_workgroup_size_x.min(own.max_compute_workgroup_size_x),
            ..own
        };
        Self { device: device.clone(), limits, kernels: KernelCache::default() }
    }

    /// A plan for any op, with layouts or a recipe of the caller's choice.
    pub fn plan<O: GpuOp>(&self, op: &O, options: &PlanOptions) -> Result<Plan> {
        let program = op.lower(Request { limits: &self.limits, options })?;
        let cost = op.cost()?;
        Ok(Plan {
            kernel: self.kernels.get(&self.device, &program),
            buffers: PlanBuffers::new(&self.device, &program),
            alignment: self.limits.min_storage_buffer_offset_alignment.into(),
            device: self.device.clone(),
            program,
            cost,
        })
    }

    /// A plan for a convolution of row-major tensors.
    pub fn conv<const R: usize>(&self, op: &Conv<R>) -> Result<Plan> {
        self.plan(op, &PlanOptions::default())
    }

    /// A plan for a transposed convolution of row-major tensors.
    pub fn conv_transpose<const R: usize>(&self, op: &ConvTranspose<R>) -> Result<Plan> {
        self.plan(op, &PlanOptions::default())
    }

    /// A plan for an upsampling of row-major tensors.
    pub fn upsample<const R: usize>(&self, op: &Upsample<R>) -> Result<Plan> {
        self.plan(op, &PlanOptions::default())
    }
}

/// A recipe compiled for one problem: bind it to buffers as often as needed.
#[derive(Debug)]
pub struct Plan {
    device: Device,
    alignment: u64,
    program: Program,
    kernel: Arc<Kernel>,
    buffers: PlanBuffers,
    cost: Cost,
}

impl Plan {
    /// The recipe that was chosen or forced.
    pub fn recipe(&self) -> &Recipe {
        &self.program.recipe
    }

    /// FLOPs and bytes of the problem.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// The dispatches that it records; none where the batch is empty.
    pub fn dispatches(&self) -> &[Dispatch] {
        &self.program.dispatches
    }

    /// Binds the plan to buffers: the inputs in the op's order (`input`, `weight`, `bias` if there is one), then the
    /// output. Every slice must start at a multiple of `min_storage_buffer_offset_alignment`, lie in a buffer with
    /// `STORAGE` usage, and hold its layout; a layout's offset counts from the slice's start.
    pub fn bind(&self, inputs: &[BufferSlice<'_>], output: BufferSlice<'_>) -> Result<Bound> {
        let (operands, op) = (&self.program.operands, self.program.op);
        if inputs.len() + 1 != operands.len() {
            return Err(Error::OperandCount { op, expected: operands.len() - 1, actual: inputs.len() });
        }
        let slices = [inputs, &[output]].concat();
        for (operand, slice) in operands.iter().zip(&slices) {
            self.check_slice(operand, slice)?;
        }
        if let Some(aliased) = inputs.iter().position(|slice| slice.buffer() == output.buffer()) {
            return Err(Error::Aliased { operand: operands[aliased].name });
        }
        let group = |(number, dispatch): (usize, &Dispatch)| {
            let bindings = self.bindings(number, dispatch, &slices);
            (self.kernel.bind_group(&self.device, &self.program, &bindings), dispatch.workgroups)
        };
        let groups = self.program.dispatches.iter().enumerate().map(group).collect();
        Ok(Bound { pipeline: self.kernel.pipeline.clone(), groups })
    }

    fn check_slice(&self, operand: &Placed, slice: &BufferSlice<'_>) -> Result<()> {
        let (name, alignment) = (operand.name, self.alignment);
        if !slice.buffer().usage().contains(BufferUsages::STORAGE) {
            return Err(Error::MissingUsage { operand: name, usage: "STORAGE" });
        }
        if slice.offset() % alignment != 0 {
            return Err(Error::Misaligned { operand: name, offset: slice.offset(), alignment });
        }
        if slice.size() < operand.bytes() {
            return Err(Error::BufferTooSmall { operand: name, needed: operand.bytes(), available: slice.size() });
        }
        Ok(())
    }

    /// Uniform, read-only bindings and output of one dispatch.
    fn bindings<'a>(
        &'a self,
        number: usize,
        dispatch: &Dispatch,
        slices: &[BufferSlice<'a>],
    ) -> Vec<BufferBinding<'a>> {
        let window = |operand: usize| {
            let (slice, bytes) = (slices[operand], &dispatch.windows[operand]);
            BufferBinding {
                buffer: slice.buffer(),
                offset: slice.offset() + bytes.start,
                size: BufferSize::new(bytes.end - bytes.start),
            }
        };
        let params = BufferBinding {
            buffer: &self.buffers.params,
            offset: self.buffers.pitch * number as u64,
            size: BufferSize::new(self.program.shader.params_size),
        };
        let mut bindings = vec![params];
        for source in &self.program.reads {
            bindings.push(match source {
                Source::Operand(operand) => window(*operand),
                Source::Table(table) => {
                    let bytes = &dispatch.tables[*table];
                    BufferBinding {
                        buffer: &self.buffers.tables[*table],
                        offset: bytes.start,
                        size: BufferSize::new(bytes.end - bytes.start),
                    }
                }
            });
        }
        bindings.push(window(slices.len() - 1));
        bindings
    }
}

/// A plan with its buffers, ready to be recorded any number of times.
#[derive(Clone, Debug)]
pub struct Bound {
    pipeline: ComputePipeline,
    groups: Vec<(BindGroup, [u32; 2])>,
}

impl Bound {
    /// Records the dispatches. Creates nothing and cannot fail. It sets the pass's pipeline and bind group 0.
    pub fn encode(&self, pass: &mut ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        for (group, [x, y]) in &self.groups {
            pass.set_bind_group(0, group, &[]);
            pass.dispatch_workgroups(*x, *y, 1);
        }
    }
}

#[cfg(test)]
mod tests;
