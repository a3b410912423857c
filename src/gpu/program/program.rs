//! What a plan does, as plain data.

use std::ops::Range;

use wgpu::Limits;

use super::constants::Constant;
use super::operand::{LaidOutTensor, Source};
use super::recipe::Recipe;
use super::rounds::work;
use super::shader::{Shader, Storage};

/// Everything that a plan will do, before any GPU object exists.
#[derive(Clone, Debug)]
#[expect(unnameable_types, reason = "only this crate implements the trait that gives it")]
pub struct Program {
    pub(crate) op: &'static str,
    pub(crate) recipe: Recipe,
    /// Inputs, then outputs.
    pub(crate) operands: Vec<LaidOutTensor>,
    /// How many of the operands are inputs.
    pub(crate) inputs: usize,
    /// Bytes of each tap table.
    pub(crate) tables: Vec<Vec<u8>>,
    /// Bytes of each workspace.
    pub(crate) workspaces: Vec<u64>,
    pub(crate) steps: Vec<Step>,
}

impl Program {
    /// The least size in bytes of an operand's slice: it must hold all elements, and whatever a dispatch binds of it.
    pub(crate) fn operand_bytes(&self, number: usize) -> u64 {
        let of = |step: &Step| step.bindings.iter().position(|source| *source == Source::Operand(number));
        let bindings = self.steps.iter().filter_map(|step| Some((step, of(step)?)));
        let ends = bindings.flat_map(|(step, binding)| step.dispatches.iter().map(move |d| d.bound_bytes[binding].end));
        ends.fold(self.operands[number].bytes(), u64::max)
    }

    /// The dispatches of all steps, in their order.
    pub(crate) fn dispatches(&self) -> impl Iterator<Item = &Dispatch> {
        self.steps.iter().flat_map(|step| &step.dispatches)
    }

    /// The work of one of the plan's dispatches.
    pub(crate) fn work(&self, dispatch: &Dispatch) -> u64 {
        let workgroups = dispatch.workgroups.iter().map(|&count| u128::from(count)).product::<u128>();
        work(workgroups * u128::from(self.recipe.workgroup_size), dispatch.rounds)
    }

    /// Bytes from one dispatch's uniform struct to the next one's in the plan's uniform buffer, on a device that aligns
    /// them so. A plan without dispatches has one unused struct, since a buffer cannot be empty.
    pub(crate) fn uniform_pitch(&self, limits: &Limits) -> usize {
        let alignment = limits.min_uniform_buffer_offset_alignment as usize;
        let largest = self.dispatches().map(|dispatch| dispatch.uniform.len()).max();
        largest.unwrap_or(alignment).next_multiple_of(alignment)
    }

    /// Bytes of the plan's uniform buffer.
    pub(crate) fn uniform_bytes(&self, limits: &Limits) -> usize {
        self.uniform_pitch(limits) * self.dispatches().count().max(1)
    }
}

/// Dispatches of one shader. They may read what the steps before have written.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) shader: &'static Shader,
    /// The number of the shader's text for the types in `storage`.
    pub(crate) text: usize,
    pub(crate) storage: Storage,
    pub(crate) constants: Vec<Constant>,
    /// The storage bindings, from binding 1 on.
    pub(crate) bindings: Vec<Source>,
    pub(crate) dispatches: Vec<Dispatch>,
}

/// One dispatch of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dispatch {
    /// Workgroups in x and y.
    pub workgroups: [u32; 2],
    /// For each storage binding of the shader: the bytes that are bound, from the start of the caller's slice or of the
    /// plan's own buffer. Empty for a texture, which is bound whole.
    pub bound_bytes: Vec<Range<u64>>,
    /// The uniform struct's bytes.
    pub(crate) uniform: Vec<u8>,
    /// The most rounds that an invocation makes of its loops.
    pub(crate) rounds: u64,
}
