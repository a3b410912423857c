//! Programs as plain data, for tests that run their shaders on the host. Not part of the interface: it is there in
//! tests and in fuzzing alone.

#![allow(missing_docs, reason = "not part of the interface")]

use std::ops::Range;

use wgpu::{Features, Limits};

use super::context::{GpuOp, LowerContext};
use super::operand::{Source, Stored};
use super::options::PlanOptions;
use super::program::Dispatch;
use super::recipe::Capabilities;
use crate::dtype::DataType;
use crate::error::Result;
use crate::tensor::layout::TensorLayout;

/// What a plan will do.
#[derive(Clone, Debug)]
pub struct Dissected {
    /// Inputs, then outputs.
    pub operands: Vec<DissectedOperand>,
    /// How many of the operands are inputs.
    pub inputs: usize,
    pub tables: Vec<Vec<u8>>,
    /// Bytes of each workspace.
    pub workspaces: Vec<u64>,
    pub steps: Vec<DissectedStep>,
}

#[derive(Clone, Debug)]
pub struct DissectedOperand {
    pub layout: TensorLayout,
    pub data_type: DataType,
    /// Bytes of an element.
    pub element: u64,
    /// Bytes that the caller's slice must have.
    pub bytes: u64,
}

/// What a binding holds, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    Operand(usize),
    Table(usize),
    Workspace(usize),
}

#[derive(Clone, Debug)]
pub struct DissectedStep {
    pub shader: &'static str,
    pub text: String,
    pub constants: Vec<(&'static str, f64)>,
    /// From binding 1 on.
    pub bindings: Vec<Held>,
    pub dispatches: Vec<DissectedDispatch>,
}

#[derive(Clone, Debug)]
pub struct DissectedDispatch {
    pub workgroups: [u32; 2],
    pub bound_bytes: Vec<Range<u64>>,
    pub uniform: Vec<u8>,
    /// The most rounds that an invocation may make of its loops.
    pub rounds: u64,
}

/// A device of these limits with f16 and subgroups of this many threads.
pub fn device(limits: Limits, subgroup: u32) -> Capabilities {
    let features = Features::SHADER_F16 | Features::SUBGROUP;
    Capabilities { subgroup_sizes: [subgroup; 2], ..Capabilities::plain(limits, features) }
}

/// The program of an op, in which a dispatch has at most `max_work` if it can.
pub fn dissect<O: GpuOp>(
    op: &O,
    capabilities: &Capabilities,
    options: &PlanOptions,
    max_work: u64,
) -> Result<Dissected> {
    let program = op.lower(&LowerContext { max_work, ..LowerContext::new(capabilities, options) })?;
    let operands = program.operands.iter().enumerate().map(|(number, operand)| DissectedOperand {
        layout: operand.layout.clone(),
        data_type: if operand.stored == Stored::I32 { DataType::I32 } else { DataType::Float },
        element: operand.stored.bytes(),
        bytes: program.operand_bytes(number),
    });
    let held = |source: &Source| match *source {
        Source::Operand(number) => Held::Operand(number),
        Source::Table(number) => Held::Table(number),
        Source::Workspace(number) => Held::Workspace(number),
    };
    let of_dispatch = |dispatch: &Dispatch| DissectedDispatch {
        workgroups: dispatch.workgroups,
        bound_bytes: dispatch.bound_bytes.clone(),
        uniform: dispatch.uniform.clone(),
        rounds: dispatch.rounds,
    };
    let steps = program.steps.iter().map(|step| DissectedStep {
        shader: step.shader.name,
        text: step.shader.texts.text(step.text),
        constants: step.constants.clone(),
        bindings: step.bindings.iter().map(held).collect(),
        dispatches: step.dispatches.iter().map(of_dispatch).collect(),
    });
    Ok(Dissected {
        operands: operands.collect(),
        inputs: program.inputs,
        tables: program.tables.clone(),
        workspaces: program.workspaces.clone(),
        steps: steps.collect(),
    })
}
