//! From a convolution or its transpose to a program: the candidates, the best of them, and its steps.

use std::time::Duration;

use super::cost_model::{predict, rank};
use super::implicit_gemm::{GemmPass, ImplicitGemm};
use super::layer::Layer;
use super::operands::{ConvOperands, ConvPass};
use super::split_k::{Epilogue, SplitK, with_f32_sums};
use super::texture::texel_work;
use super::{gemm, row_blocks};
use crate::dtype::FloatType;
use crate::error::recipe::RecipeError;
use crate::error::{Error, Result};
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::context::LowerContext;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, Shape};
use crate::gpu::program::shader::Shader;
use crate::ops::activation::Activation;
use crate::ops::op::Op;
use crate::tensor::operand::Role;

/// The shaders of an op that accept every problem.
#[derive(Clone, Copy)]
pub(crate) struct PlainShaders {
    /// A thread for each output.
    pub(crate) direct: &'static Shader,
    /// A thread for each texel, where the op has two spatial axes.
    pub(crate) texels: Option<&'static Shader>,
}

/// The ways to run a problem on such a device, best first.
pub(crate) fn candidates(
    layer: &Layer,
    shaders: PlainShaders,
    capabilities: &Capabilities,
    options: &PlanOptions,
) -> Vec<Candidate> {
    let storage = options.storage;
    let mut candidates = gemm::candidates(layer, capabilities, storage);
    candidates.extend(row_blocks::candidate(layer));
    candidates.push(shaders.direct.into());
    rank(layer, &mut candidates, capabilities.device_type);
    // Cooperative matrices of f32 come last, so that they are used only if a recipe names them.
    candidates.sort_by_key(|candidate| storage == FloatType::F32 && candidate.shader.cooperative());
    // The texel shader comes first: it needs no tensors between the textures.
    let texels = shaders.texels.filter(|_| options.between_textures());
    let texels = texels.map(|shader| Candidate { shape: Shape::PerTexel, ..Candidate::new(shader) });
    texels.into_iter().chain(with_f32_sums(candidates, storage)).collect()
}

/// How long a recipe is predicted to take.
pub(crate) fn predict_recipe(
    layer: &Layer,
    shaders: PlainShaders,
    recipe: &Recipe,
    capabilities: &Capabilities,
    options: &PlanOptions,
) -> Option<Duration> {
    let candidates = candidates(layer, shaders, capabilities, options);
    let candidate = candidates.iter().find(|candidate| candidate.has(recipe))?;
    Some(predict(layer, candidate, capabilities.device_type))
}

/// The program of a convolution or its transpose.
pub(crate) fn lower<O: Op>(
    op: &O,
    layer: Layer,
    activation: Activation,
    shaders: PlainShaders,
    context: &LowerContext<'_>,
) -> Result<Program> {
    let candidates = candidates(&layer, shaders, context.capabilities, context.options);
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
    if candidate.shape == Shape::PerTexel {
        let work = texel_work(layer, activation, &builder);
        builder.add_texels(candidate.shader, work)?;
        return builder.finish();
    }
    let slice = match candidate.shape {
        Shape::Gemm { split_k: true, .. } => layer.slice(),
        _ => None,
    };
    let split_k = SplitK::new(&mut builder, slice.map_or(1, |slice| layer.channels.in_per_group.div_ceil(slice)))?;
    // A sum in slices is complete only in the second pass, which then applies the epilogue.
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
        // A texel shader was dealt with above; no candidate of a convolution has the other shapes.
        Shape::PerTexel | Shape::AxisPasses { .. } | Shape::MarkAndGather => {
            let recipe = builder.recipe().to_string();
            return Err(Error::Recipe(RecipeError::Unknown { op: O::NAME, recipe, offered: Vec::new() }));
        }
    }
    split_k.add_sum(&mut builder, second)?;
    builder.finish()
}
