//! Putting a program together: its tensors, and a step for each pass.

use super::context::LowerContext;
use super::operand::{LaidOutTensor, Source, Stored};
use super::pass::{Part, Pass};
use super::program::{Dispatch, Program, Step};
use super::recipe::Recipe;
use super::shader::{Shader, Storage};
use super::split::split;
use crate::dtype::FloatType;
use crate::error::{Error, Result};
use crate::geometry::at_most;
use crate::ops::op::Op;
use crate::tensor::layout::TensorLayout;
use crate::tensor::operand::Role;

/// A program in the making. Tensors are given out as values that know where they come from, so that a pass needs no
/// binding numbers.
pub struct ProgramBuilder<'a> {
    pub(crate) context: &'a LowerContext<'a>,
    program: Program,
}

impl<'a> ProgramBuilder<'a> {
    /// A program of this recipe without steps, with the op's tensors where the caller laid them out.
    pub(crate) fn new<O: Op>(context: &'a LowerContext<'a>, op: &O, recipe: &Recipe) -> Result<Self> {
        let program = Program {
            op: O::NAME,
            recipe: recipe.clone(),
            operands: context.lay_out(op)?,
            inputs: op.inputs()?.len(),
            tables: Vec::new(),
            workspaces: Vec::new(),
            steps: Vec::new(),
        };
        Ok(Self { context, program })
    }

    pub(crate) fn recipe(&self) -> &Recipe {
        &self.program.recipe
    }

    /// The op's tensor of this number: inputs, then outputs.
    pub(crate) fn operand(&self, number: usize) -> LaidOutTensor {
        self.program.operands[number].clone()
    }

    /// The op's tensor of this role, if it has one.
    pub(crate) fn operand_as(&self, role: Role) -> Option<LaidOutTensor> {
        self.program.operands.iter().find(|operand| operand.role == Some(role)).cloned()
    }

    /// The op's first output.
    pub(crate) fn output(&self) -> LaidOutTensor {
        self.operand(self.program.inputs)
    }

    /// A tap table of the plan's own.
    pub(crate) fn add_table(&mut self, bytes: Vec<u8>) -> LaidOutTensor {
        let entries = bytes.len() / Stored::Tap.bytes() as usize;
        self.program.tables.push(bytes);
        let (layout, source) = (TensorLayout::contiguous(&[entries]), Source::Table(self.program.tables.len() - 1));
        LaidOutTensor { role: None, layout, stored: Stored::Tap, source }
    }

    /// A row-major tensor of f32 between two passes. Refuses one that no buffer of the device holds.
    pub(crate) fn add_workspace(&mut self, shape: &[usize]) -> Result<LaidOutTensor> {
        let (layout, stored) = (TensorLayout::contiguous(shape), Stored::Float(FloatType::F32));
        layout.checked_end()?;
        let source = Source::Workspace(self.program.workspaces.len());
        let tensor = LaidOutTensor { role: None, layout, stored, source };
        let bytes = tensor.bytes().max(4);
        let limit = self.context.limits().max_buffer_size.into();
        at_most("a workspace's size in bytes (max_buffer_size)", bytes.into(), limit)?;
        self.program.workspaces.push(bytes);
        Ok(tensor)
    }

    /// A step for a pass. `constants` are the shader's besides `workgroup_size`, in its order.
    pub(crate) fn add_pass<P: Pass>(
        &mut self,
        shader: &'static Shader,
        constants: impl IntoIterator<Item = (&'static str, f64)>,
        pass: &P,
    ) -> Result<()> {
        let parts = self.split(pass)?;
        self.add_parts(shader, constants, pass, &parts)
    }

    /// The parts that a pass is cut into on this device.
    pub(crate) fn split<P: Pass>(&self, pass: &P) -> Result<Vec<Part>> {
        split(pass, self.context.limits(), self.program.recipe.workgroup_size)
    }

    /// A step for some parts of a pass.
    pub(crate) fn add_parts<'p, P: Pass>(
        &mut self,
        shader: &'static Shader,
        constants: impl IntoIterator<Item = (&'static str, f64)>,
        pass: &P,
        parts: impl IntoIterator<Item = &'p Part>,
    ) -> Result<()> {
        let tensors = pass.tensors();
        let storage = Storage::of(&tensors);
        let unsupported = Error::StorageUnsupported { op: self.program.op, storage: self.context.options.storage };
        let text = shader.text(storage).ok_or(unsupported)?;
        let size = ("workgroup_size", f64::from(self.program.recipe.workgroup_size));
        let dispatch = |part: &Part| Dispatch {
            workgroups: part.workgroups,
            bound_bytes: part.bytes.clone(),
            uniform: bytemuck::bytes_of(&pass.uniform(part)).to_vec(),
        };
        self.program.steps.push(Step {
            shader,
            text,
            storage,
            constants: std::iter::once(size).chain(constants).collect(),
            bindings: tensors.iter().map(|tensor| tensor.source).collect(),
            dispatches: parts.into_iter().map(dispatch).collect(),
        });
        Ok(())
    }

    pub(crate) fn add_step(&mut self, step: Step) {
        self.program.steps.push(step);
    }

    pub(crate) fn finish(self) -> Program {
        self.program
    }
}
