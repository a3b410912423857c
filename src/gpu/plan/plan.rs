//! A compiled program, and one that is bound to buffers.

use std::ops::Range;
use std::sync::Arc;

use wgpu::{
    BindGroup, BindingResource, BufferBinding, BufferSize, BufferSlice, BufferUsages, ComputePass, ComputePipeline,
    Device, TextureView,
};

use super::pipeline::{self, Kernel, PlanBuffers};
use crate::error::{Error, Result};
use crate::gpu::program::operand::Source;
use crate::gpu::program::program::{Dispatch, Program, Step};
use crate::gpu::program::recipe::Recipe;
use crate::ops::op::Cost;

/// A recipe compiled for one problem: bind it to buffers as often as needed.
#[derive(Debug)]
pub struct Plan {
    pub(super) device: Device,
    pub(super) alignment: u64,
    pub(super) program: Program,
    pub(super) kernels: Vec<Arc<Kernel>>,
    pub(super) buffers: PlanBuffers,
    pub(super) cost: Cost,
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
    pub(crate) fn operand_bytes(&self) -> Vec<u64> {
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
        let own = pipeline::workspaces(&self.device, &self.program);
        Ok(self.record(&resources, &own.iter().map(|buffer| buffer.slice(..)).collect::<Vec<_>>()))
    }

    pub(super) fn record(&self, operands: &[Resource<'_>], workspaces: &[BufferSlice<'_>]) -> Bound {
        let mut number = 0;
        let steps = self.program.steps.iter().zip(&self.kernels).map(|(step, kernel)| {
            let label = pipeline::label(self.program.op, step.shader, "bind_group");
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
            self.check_slice(operand.name(), self.program.needed(number), slice)?;
        }
        for written in inputs..slices.len() {
            if let Some(other) = slices[..written].iter().position(|slice| slice.buffer() == slices[written].buffer()) {
                return Err(Error::Aliased { operand: operands[other].name(), output: operands[written].name() });
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
                let operand = self.program.operands.get(other.0).map_or(operand, |tensor| tensor.name());
                return Err(Error::Aliased { operand, output: "workspace" });
            }
        }
        Ok(())
    }

    pub(super) fn check_slice(&self, operand: &'static str, needed: u64, slice: &BufferSlice<'_>) -> Result<()> {
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
            size: BufferSize::new(step.shader.uniform.size),
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
        let windows = step.bindings.iter().zip(&dispatch.bound_bytes).map(window);
        std::iter::once(BindingResource::Buffer(params)).chain(windows).collect()
    }
}

/// Where an operand is.
#[derive(Clone, Copy)]
pub(super) enum Resource<'a> {
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
