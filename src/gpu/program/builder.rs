//! Putting a program together: its tensors, and a step for each pass.

use super::constants::Constant;
use super::context::LowerContext;
use super::convert::{Convert, PACK, UNPACK};
use super::operand::{LaidOutTensor, Source, Stored, TAP_BYTES};
use super::pass::{Part, Pass};
use super::program::{Dispatch, Program, Step};
use super::recipe::{Recipe, Shape};
use super::rounds::{MAX_ROUNDS, ROUNDS, check_rounds};
use super::shader::{Shader, Storage};
use super::split::{MAX_DISPATCHES, WORK, split, too_many};
use super::texture::{TexelWork, bound_whole, decode_constant, encode_constant, texel_grid};
use crate::dtype::FloatType;
use crate::error::{Error, Result};
use crate::geometry::at_most;
use crate::ops::op::Op;
use crate::tensor::layout::TensorLayout;
use crate::tensor::operand::Role;

/// A program in the making. Tensors are given out as values that know where they come from, so that a pass needs no
/// binding numbers.
pub(crate) struct ProgramBuilder<'a> {
    pub(crate) context: &'a LowerContext<'a>,
    program: Program,
    /// The tensors that passes read and write: the op's own, or, for one that is a texture, the workspace that stands
    /// in for it.
    tensors: Vec<LaidOutTensor>,
}

impl<'a> ProgramBuilder<'a> {
    /// A program of this recipe, with the op's tensors where the caller laid them out.
    ///
    /// A recipe other than [`Shape::PerTexel`] works on tensors: a first step unpacks an input texture, and
    /// [`Self::finish`] adds a step that packs an output texture.
    pub(crate) fn new<O: Op>(context: &'a LowerContext<'a>, op: &O, recipe: &Recipe) -> Result<Self> {
        let operands = context.lay_out(op)?;
        let program = Program {
            op: O::NAME,
            recipe: recipe.clone(),
            operands: operands.clone(),
            inputs: op.inputs()?.len(),
            tables: Vec::new(),
            workspaces: Vec::new(),
            steps: Vec::new(),
        };
        let mut builder = Self { context, program, tensors: operands };
        if recipe.shape == Shape::PerTexel {
            return Ok(builder);
        }
        for number in 0..builder.tensors.len() {
            let texture = builder.tensors[number].clone();
            let Stored::Texels(pixels) = texture.stored else { continue };
            let tensor = builder.add_texture_workspace(texture.layout.shape())?;
            if number < builder.program.inputs {
                let unpack = Convert { from: &texture, to: &tensor, pixels };
                builder.add_pass(&UNPACK, [decode_constant(&texture)], &unpack)?;
            }
            builder.tensors[number] = tensor;
        }
        Ok(builder)
    }

    /// Adds a workspace that stands in for a texture: planar (NCHW), or channels last (NHWC) if its planes together are
    /// larger than one binding.
    fn add_texture_workspace(&mut self, shape: &[usize]) -> Result<LaidOutTensor> {
        let stored = Stored::Float(self.context.options.storage);
        let planar = TensorLayout::contiguous(shape);
        let bytes = (planar.len() as u64).saturating_mul(stored.bytes());
        let fits = bytes <= self.context.limits().max_storage_buffer_binding_size;
        self.add_laid_out(if fits { planar } else { TensorLayout::channels_last(shape) }, stored)
    }

    pub(crate) fn recipe(&self) -> &Recipe {
        &self.program.recipe
    }

    /// The op's tensor of this number: inputs, then outputs.
    pub(crate) fn operand(&self, number: usize) -> LaidOutTensor {
        self.tensors[number].clone()
    }

    /// The op's tensor of this role, if it has one.
    pub(crate) fn operand_as(&self, role: Role) -> Option<LaidOutTensor> {
        let number = self.program.operands.iter().position(|operand| operand.role == Some(role))?;
        Some(self.operand(number))
    }

    /// The op's first output.
    pub(crate) fn output(&self) -> LaidOutTensor {
        self.operand(self.program.inputs)
    }

    /// Adds a tap table, for which the plan will make a buffer.
    pub(crate) fn add_table(&mut self, bytes: Vec<u8>) -> LaidOutTensor {
        let entries = bytes.len() / TAP_BYTES;
        self.program.tables.push(bytes);
        let (layout, source) = (TensorLayout::contiguous(&[entries]), Source::Table(self.program.tables.len() - 1));
        LaidOutTensor { role: None, layout, stored: Stored::Tap, source }
    }

    /// Adds a workspace: a row-major tensor of f32 between two passes. Refuses one that no buffer of the device holds.
    pub(crate) fn add_workspace(&mut self, shape: &[usize]) -> Result<LaidOutTensor> {
        self.add_laid_out(TensorLayout::contiguous(shape), Stored::Float(FloatType::F32))
    }

    /// Adds a workspace of integers of 32 bits, as [`Self::add_workspace`] does of f32.
    pub(crate) fn add_integers(&mut self, shape: &[usize]) -> Result<LaidOutTensor> {
        self.add_laid_out(TensorLayout::contiguous(shape), Stored::I32)
    }

    /// Adds a workspace whose elements are stored as another tensor's.
    pub(crate) fn add_workspace_like(&mut self, shape: &[usize], other: &LaidOutTensor) -> Result<LaidOutTensor> {
        self.add_laid_out(TensorLayout::contiguous(shape), other.stored)
    }

    fn add_laid_out(&mut self, layout: TensorLayout, stored: Stored) -> Result<LaidOutTensor> {
        layout.checked_end()?;
        let source = Source::Workspace(self.program.workspaces.len());
        let tensor = LaidOutTensor { role: None, layout, stored, source };
        let bytes = tensor.bytes().max(4);
        let limit = self.context.limits().max_buffer_size.into();
        at_most("a workspace's size in bytes (max_buffer_size)", bytes.into(), limit)?;
        self.program.workspaces.push(bytes);
        Ok(tensor)
    }

    /// Adds a step for a pass. `constants` are the shader's constants besides `workgroup_size`, in the order of
    /// [`Shader::overrides`].
    pub(crate) fn add_pass<P: Pass>(
        &mut self,
        shader: &'static Shader,
        constants: impl IntoIterator<Item = Constant>,
        pass: &P,
    ) -> Result<()> {
        let parts = self.split(pass)?;
        self.add_parts(shader, constants, pass, &parts)
    }

    /// The parts that a pass is cut into on this device.
    pub(crate) fn split<P: Pass>(&self, pass: &P) -> Result<Vec<Part>> {
        split(pass, self.context.limits(), self.program.recipe.workgroup_size, self.context.max_work)
    }

    /// Adds a step for some parts of a pass.
    pub(crate) fn add_parts<'p, P: Pass>(
        &mut self,
        shader: &'static Shader,
        constants: impl IntoIterator<Item = Constant>,
        pass: &P,
        parts: impl IntoIterator<Item = &'p Part>,
    ) -> Result<()> {
        let size = ("workgroup_size", f64::from(self.program.recipe.workgroup_size));
        let dispatch = |part: &Part| Dispatch {
            workgroups: part.workgroups,
            bound_bytes: part.bytes.clone(),
            uniform: bytemuck::bytes_of(&pass.uniform(part)).to_vec(),
            rounds: pass.rounds(&part.region),
        };
        let constants = std::iter::once(size).chain(constants).collect();
        self.add_dispatches(shader, constants, &pass.tensors(), parts.into_iter().map(dispatch).collect())
    }

    /// Adds the step of a recipe that reads and writes texels.
    pub(crate) fn add_texels(&mut self, shader: &'static Shader, work: TexelWork) -> Result<()> {
        check_rounds(work.rounds)?;
        let limits = self.context.limits();
        let [input, output] = [self.operand(0), self.output()];
        let size = self.program.recipe.workgroup_size;
        let (workgroups, mut constants) = texel_grid([&input, &output], size, limits)?;
        constants.extend(work.constants);
        let [first, second] = &work.buffers;
        let tensors = [&input, first, second, &output];
        // Textures are bound whole.
        let bound_bytes = vec![0..0, bound_whole(first, limits)?, bound_whole(second, limits)?, 0..0];
        self.add_dispatches(
            shader,
            constants,
            &tensors,
            vec![Dispatch { workgroups, bound_bytes, uniform: work.uniform, rounds: work.rounds }],
        )
    }

    fn add_dispatches(
        &mut self,
        shader: &'static Shader,
        constants: Vec<Constant>,
        tensors: &[&LaidOutTensor],
        dispatches: Vec<Dispatch>,
    ) -> Result<()> {
        // A pass alone may need so many because of a limit; passes together do because of long sums or of a bound on
        // the work.
        if self.program.dispatches().count() + dispatches.len() > MAX_DISPATCHES {
            let max_work = self.context.max_work;
            return Err(too_many(if max_work < u64::MAX { (WORK, max_work) } else { (ROUNDS, MAX_ROUNDS) }));
        }
        shader.check_limits(self.context.limits())?;
        let storage = Storage::of(tensors);
        let unsupported = Error::StorageUnsupported { op: self.program.op, storage: self.context.options.storage };
        let text = shader.text_number(storage).ok_or(unsupported)?;
        let bindings = tensors.iter().map(|tensor| tensor.source).collect();
        self.program.steps.push(Step { shader, text, storage, constants, bindings, dispatches });
        Ok(())
    }

    /// The program, with a last step that converts the output where it is a texture.
    pub(crate) fn finish(mut self) -> Result<Program> {
        let texture = self.program.operands[self.program.inputs].clone();
        let tensor = self.output();
        if let (Stored::Texels(pixels), Source::Workspace(_)) = (texture.stored, tensor.source) {
            let pack = Convert { from: &tensor, to: &texture, pixels };
            self.add_pass(&PACK, [encode_constant(&texture)], &pack)?;
        }
        let limits = self.context.limits();
        let uniforms = self.program.uniform_bytes(limits) as u128;
        at_most("the size of a plan's uniforms in bytes (max_buffer_size)", uniforms, limits.max_buffer_size.into())?;
        Ok(self.program)
    }
}
