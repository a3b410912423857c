//! From a convolution or its transpose to a program: the candidates, the best of them, and its steps.

use std::time::Duration;

use super::cost_model::{predict, rank};
use super::implicit_gemm::{GemmPass, ImplicitGemm};
use super::layer::Layer;
use super::operands::{ConvOperands, ConvPass};
use super::split_k::{Epilogue, SplitK, with_f32_sums};
use super::{gemm, row_blocks};
use crate::dtype::FloatType;
use crate::error::{Error, Result};
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::context::LowerContext;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, Shape};
use crate::gpu::program::shader::Shader;
use crate::ops::activation::Activation;
use crate::ops::op::Op;
use crate::tensor::operand::Role;

impl Layer {
    /// The ways to run it on such a device, best first. `direct` accepts every problem.
    pub(crate) fn candidates(
        &self,
        direct: &'static Shader,
        capabilities: &Capabilities,
        storage: FloatType,
    ) -> Vec<Candidate> {
        let mut candidates = gemm::candidates(self, capabilities, storage);
        candidates.extend(row_blocks::candidate(self));
        candidates.push(direct.into());
        rank(self, &mut candidates, capabilities.device_type);
        // Cooperative matrices of f32 have to be asked for.
        candidates.sort_by_key(|candidate| storage == FloatType::F32 && candidate.shader.cooperative());
        candidates
    }

    /// How long one of them is predicted to take.
    pub(crate) fn predict(
        &self,
        direct: &'static Shader,
        recipe: &Recipe,
        capabilities: &Capabilities,
        storage: FloatType,
    ) -> Option<Duration> {
        let candidates = with_f32_sums(self.candidates(direct, capabilities, storage), storage);
        let candidate = candidates.iter().find(|candidate| candidate.has(recipe))?;
        Some(predict(self, candidate, capabilities.device_type))
    }
}

/// The program of a convolution or its transpose. `direct` is the shader that accepts every problem.
pub(crate) fn lower<O: Op>(
    op: &O,
    layer: Layer,
    activation: Activation,
    direct: &'static Shader,
    context: &LowerContext<'_>,
) -> Result<Program> {
    let storage = context.options.storage;
    let candidates = with_f32_sums(layer.candidates(direct, context.capabilities, storage), storage);
    context.first_that_fits(O::NAME, &candidates, |candidate, recipe| {
        lower_by::<O>(layer, activation, candidate, ProgramBuilder::new(context, op, recipe)?)
    })
}

/// The program by one candidate.
fn lower_by<O: Op>(
    layer: Layer,
    activation: Activation,
    candidate: &Candidate,
    mut builder: ProgramBuilder<'_>,
) -> Result<Program> {
    let slice = match candidate.shape {
        Shape::Gemm { split_k: true, .. } => layer.slice(),
        _ => None,
    };
    let split_k = SplitK::new(&mut builder, slice.map_or(1, |slice| layer.channels.ins.div_ceil(slice)))?;
    // A sum in slices is whole in the second pass only.
    let whole = Epilogue { bias: builder.operand_as(Role::Bias), activation };
    let [first, second] = if slice.is_some() { [Epilogue::default(), whole] } else { [whole, Epilogue::default()] };
    let tensors = [builder.operand(0), builder.operand(1), split_k.first_slice()?];
    let operands = ConvOperands::new(layer, tensors, first);
    let shader = candidate.shader;
    match candidate.shape {
        Shape::Gemm { tile, merged, split_k } => {
            let gemm = ImplicitGemm::new(&operands.layer, tile, merged, split_k);
            GemmPass::new(gemm, &operands, shader).add_to(&mut builder)?;
        }
        Shape::Blocks { block, .. } => {
            builder.add_pass(shader, operands.constants(), &ConvPass { operands: &operands, block })?;
        }
        Shape::PerOutput { .. } => {
            builder.add_pass(shader, operands.constants(), &ConvPass { operands: &operands, block: [1; 3] })?;
        }
        // No candidate of a convolution has these shapes.
        Shape::AxisPasses { .. } | Shape::MarkAndGather => {
            let recipe = builder.recipe().to_string();
            return Err(Error::RecipeUnknown { op: O::NAME, recipe, offered: Vec::new() });
        }
    }
    split_k.add_sum(&mut builder, second)?;
    Ok(builder.finish())
}
