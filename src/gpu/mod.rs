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
//! * [`Planner::plan_textures`] makes such a plan from texture to texture: see [`TexturePlan`].
//!
//! Buffers belong to the caller, must come from the same device, and are read and written only inside the slices given.
//! WebGPU does not let one dispatch read and write the same buffer, so the output needs a buffer of its own.
//! Weights are read each time the pass runs: changing them needs no new plan.
//!
//! [`Gpu`] does all this for those who have no device of their own.

mod avg_pool;
mod bed_of_nails;
mod choices;
mod chooser;
mod conv;
mod conv_bias_grad;
mod conv_transpose;
mod conv_weight_grad;
mod gemm;
mod gemm_params;
mod host;
mod kernel;
mod max_pool;
mod max_unpool;
mod params;
mod partial_sums;
mod pixel_shuffle;
mod planner;
mod pool_params;
mod product;
mod program;
mod recipe;
mod relation;
mod resample;
mod resample_rows;
mod resize_conv;
mod rows;
mod run;
mod texture_formats;
mod texture_params;
mod textures;
mod tiles;
#[cfg(not(target_arch = "wasm32"))]
mod timing;
#[cfg(not(target_arch = "wasm32"))]
mod tune;
mod upsample;
mod windows;

use std::ops::Range;
use std::sync::Arc;

use wgpu::{
    BindGroup, BindingResource, BufferBinding, BufferSize, BufferSlice, BufferUsages, ComputePass, ComputePipeline,
    Device, TextureView,
};

pub use choices::Choices;
pub use host::Gpu;
use kernel::{Kernel, PlanBuffers};
pub use planner::{Planner, required_features, required_limits};
pub use program::{Dispatch, GpuOp, PlanOptions};
use program::{Program, Source, Step};
pub use recipe::{Capabilities, Recipe};
pub use texture_formats::{PixelFormat, TextureLevel};
pub use textures::{TextureOp, TexturePlan};
#[cfg(not(target_arch = "wasm32"))]
pub use timing::Timing;
#[cfg(not(target_arch = "wasm32"))]
pub use tune::Measured;

use crate::{Cost, Error, Result};

/// Every shader of the crate.
#[cfg(test)]
static SHADERS: [&kernel::Shader; 27] = [
    &conv::DIRECT,
    &conv_bias_grad::DIRECT,
    &conv_transpose::GATHER,
    &conv_weight_grad::DIRECT,
    &conv_weight_grad::SUBGROUP,
    &conv_weight_grad::WORKGROUP,
    &gemm::SUBGROUP,
    &gemm::WORKGROUP,
    &gemm::COOPERATIVE_8,
    &gemm::COOPERATIVE_16,
    &rows::ROWS,
    &partial_sums::SUM,
    &max_pool::DIRECT,
    &max_pool::GRAD,
    &max_unpool::ZERO,
    &max_unpool::MARK,
    &max_unpool::GATHER,
    &max_unpool::GRAD,
    &pixel_shuffle::COPY,
    &resize_conv::DIRECT,
    &upsample::NEAREST,
    &resample::TAPS,
    &resample_rows::NEAREST_ROWS,
    &resample_rows::TAPS_ROWS,
    &conv::TEXTURE,
    &conv_transpose::TEXTURE,
    &upsample::TEXTURE,
];

impl Program {
    /// Bytes that the slice of an operand must have: those of its elements, and of what is bound even where it has none.
    fn needed(&self, number: usize) -> u64 {
        let of = |step: &Step| step.bindings.iter().position(|source| *source == Source::Operand(number));
        let windows = self.steps.iter().filter_map(|step| Some((step, of(step)?)));
        let ends = windows.flat_map(|(step, binding)| step.dispatches.iter().map(move |d| d.windows[binding].end));
        ends.fold(self.operands[number].bytes(), u64::max)
    }
}

/// A recipe compiled for one problem: bind it to buffers as often as needed.
#[derive(Debug)]
pub struct Plan {
    device: Device,
    alignment: u64,
    program: Program,
    kernels: Vec<Arc<Kernel>>,
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

    /// Bytes that a slice of each operand must have: inputs, then outputs.
    #[cfg(not(target_arch = "wasm32"))]
    fn operand_bytes(&self) -> Vec<u64> {
        (0..self.program.operands.len()).map(|number| self.program.needed(number)).collect()
    }

    /// The dispatches that it records, step after step; none where the batch is empty.
    pub fn dispatches(&self) -> Vec<&Dispatch> {
        self.program.steps.iter().flat_map(|step| &step.dispatches).collect()
    }

    /// Bytes of each workspace that it needs between its passes.
    pub fn workspaces(&self) -> &[u64] {
        &self.program.workspaces
    }

    /// Binds the plan to buffers: the inputs in the op's order (`input`, `weight`, `bias` if there is one), and the
    /// output. Every slice must start at a multiple of `min_storage_buffer_offset_alignment`, lie in a buffer with
    /// `STORAGE` usage, and hold its layout; a layout's offset counts from the slice's start, and a slice of f16 is a
    /// multiple of four bytes. Workspaces are made here, if there are any.
    pub fn bind(&self, inputs: &[BufferSlice<'_>], output: BufferSlice<'_>) -> Result<Bound> {
        self.bind_buffers(Buffers { inputs, outputs: &[output], workspaces: &[] })
    }

    /// [`Plan::bind`] for several outputs, or with workspaces of the caller's, which plans that do not run at the same
    /// time can share.
    pub fn bind_buffers(&self, buffers: Buffers<'_>) -> Result<Bound> {
        let Buffers { inputs, outputs, workspaces } = buffers;
        let slices = [inputs, outputs].concat();
        self.check_slices(inputs.len(), &slices)?;
        let resources: Vec<_> = slices.iter().map(|slice| Resource::Slice(*slice)).collect();
        if !workspaces.is_empty() {
            self.check_workspaces(workspaces, &slices)?;
            return Ok(self.record(&resources, workspaces));
        }
        let own = kernel::workspaces(&self.device, &self.program);
        Ok(self.record(&resources, &own.iter().map(|buffer| buffer.slice(..)).collect::<Vec<_>>()))
    }

    fn record(&self, operands: &[Resource<'_>], workspaces: &[BufferSlice<'_>]) -> Bound {
        let mut number = 0;
        let steps = self.program.steps.iter().zip(&self.kernels).map(|(step, kernel)| {
            let label = kernel::label(self.program.op, step.shader, "bind_group");
            let group = |dispatch: &Dispatch| {
                let bindings = self.bindings(number, step, dispatch, operands, workspaces);
                number += 1;
                (kernel.bind_group(&self.device, &label, &bindings), dispatch.workgroups)
            };
            let dispatches = step.dispatches.iter().map(group).collect();
            BoundStep { pipeline: kernel.pipeline.clone(), dispatches }
        });
        Bound { steps: steps.collect() }
    }

    /// Refuses slices that are too few, too small, or in each other's way.
    fn check_slices(&self, inputs: usize, slices: &[BufferSlice<'_>]) -> Result<()> {
        let (operands, op) = (&self.program.operands, self.program.op);
        let counts = [(self.program.inputs, inputs), (operands.len() - self.program.inputs, slices.len() - inputs)];
        for (expected, actual) in counts {
            if expected != actual {
                return Err(Error::OperandCount { op, expected, actual });
            }
        }
        for (number, (operand, slice)) in operands.iter().zip(slices).enumerate() {
            self.check_slice(operand.name, self.program.needed(number), slice)?;
        }
        for written in inputs..slices.len() {
            if let Some(other) = slices[..written].iter().position(|slice| slice.buffer() == slices[written].buffer()) {
                return Err(Error::Aliased { operand: operands[other].name, output: operands[written].name });
            }
        }
        Ok(())
    }

    fn check_workspaces(&self, workspaces: &[BufferSlice<'_>], slices: &[BufferSlice<'_>]) -> Result<()> {
        let (expected, actual, operand) = (self.program.workspaces.len(), workspaces.len(), "workspace");
        if expected != actual {
            return Err(Error::OperandCount { op: self.program.op, expected, actual });
        }
        for (number, (&needed, workspace)) in self.program.workspaces.iter().zip(workspaces).enumerate() {
            self.check_slice(operand, needed, workspace)?;
            let earlier = slices.iter().chain(&workspaces[..number]);
            if let Some(other) = earlier.enumerate().find(|(_, slice)| slice.buffer() == workspace.buffer()) {
                let operand = self.program.operands.get(other.0).map_or(operand, |placed| placed.name);
                return Err(Error::Aliased { operand, output: "workspace" });
            }
        }
        Ok(())
    }

    fn check_slice(&self, operand: &'static str, needed: u64, slice: &BufferSlice<'_>) -> Result<()> {
        let alignment = self.alignment;
        if !slice.buffer().usage().contains(BufferUsages::STORAGE) {
            return Err(Error::MissingUsage { operand, usage: "STORAGE" });
        }
        if slice.offset() % alignment != 0 {
            return Err(Error::Misaligned { operand, offset: slice.offset(), alignment });
        }
        if slice.size() < needed {
            return Err(Error::BufferTooSmall { operand, needed, available: slice.size() });
        }
        Ok(())
    }

    /// The uniform and the other bindings of the dispatch of this number.
    fn bindings<'a>(
        &'a self,
        number: u64,
        step: &Step,
        dispatch: &Dispatch,
        operands: &[Resource<'a>],
        workspaces: &[BufferSlice<'a>],
    ) -> Vec<BindingResource<'a>> {
        let params = BufferBinding {
            buffer: &self.buffers.params,
            offset: self.buffers.pitch * number,
            size: BufferSize::new(step.shader.params_size),
        };
        let window = |(source, bytes): (&Source, &Range<u64>)| {
            let (buffer, offset) = match *source {
                Source::Operand(operand) => match operands[operand] {
                    Resource::Slice(slice) => (slice.buffer(), slice.offset()),
                    Resource::View(view) => return BindingResource::TextureView(view),
                },
                Source::Table(table) => (&self.buffers.tables[table], 0),
                Source::Workspace(workspace) => (workspaces[workspace].buffer(), workspaces[workspace].offset()),
            };
            let size = BufferSize::new(bytes.end - bytes.start);
            BindingResource::Buffer(BufferBinding { buffer, offset: offset + bytes.start, size })
        };
        let windows = step.bindings.iter().zip(&dispatch.windows).map(window);
        std::iter::once(BindingResource::Buffer(params)).chain(windows).collect()
    }
}

/// Where an operand is.
#[derive(Clone, Copy)]
enum Resource<'a> {
    Slice(BufferSlice<'a>),
    View(&'a TextureView),
}

/// What a plan is bound to; see [`Plan::bind_buffers`].
#[derive(Clone, Copy, Debug)]
pub struct Buffers<'a> {
    /// The inputs in the op's order.
    pub inputs: &'a [BufferSlice<'a>],
    /// The outputs in the op's order, each in a buffer of its own.
    pub outputs: &'a [BufferSlice<'a>],
    /// As many as [`Plan::workspaces`] has sizes, each in a buffer of its own; or none, and the plan makes its own.
    pub workspaces: &'a [BufferSlice<'a>],
}

/// A plan with its buffers, ready to be recorded any number of times.
#[derive(Clone, Debug)]
pub struct Bound {
    steps: Vec<BoundStep>,
}

/// The dispatches of one pipeline: bind group and workgroups of each.
#[derive(Clone, Debug)]
struct BoundStep {
    pipeline: ComputePipeline,
    dispatches: Vec<(BindGroup, [u32; 2])>,
}

impl Bound {
    /// Records the dispatches. Creates nothing and cannot fail. It sets the pass's pipeline and bind group 0.
    pub fn encode(&self, pass: &mut ComputePass<'_>) {
        for step in &self.steps {
            pass.set_pipeline(&step.pipeline);
            for (group, [x, y]) in &step.dispatches {
                pass.set_bind_group(0, group, &[]);
                pass.dispatch_workgroups(*x, *y, 1);
            }
        }
    }
}

#[cfg(test)]
mod shader_tests;
#[cfg(test)]
mod source_tests;
#[cfg(test)]
mod tests;
