//! From a convolution or its transpose to a program: the candidates, the best of them, and its steps.

use std::time::Duration;

use super::cost_model::{predict, rank};
use super::implicit_gemm::{GemmPass, ImplicitGemm};
use super::layer::Layer;
use super::operands::{ConvOperands, ConvPass, direct_rounds};
use super::texture::texel_work;
use super::{gemm, row_blocks};
use crate::dtype::FloatType;
use crate::error::recipe::RecipeError;
use crate::error::{Error, Result};
use crate::geometry::Axis;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::context::LowerContext;
use crate::gpu::program::kernel_parts::{KernelPart, kernel_parts};
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, Shape};
use crate::gpu::program::rounds::MAX_ROUNDS;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::split_k::{Epilogue, SplitK, add_empty_sum, is_empty_sum, with_f32_sums};
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

/// The ways to run a problem on such a device, best first. Where there is nothing to sum, the recipe makes no
/// difference, and there is one.
pub(crate) fn candidates(
    layer: &Layer,
    shaders: PlainShaders,
    capabilities: &Capabilities,
    options: &PlanOptions,
) -> Vec<Candidate> {
    let storage = options.storage;
    if layer.is_empty() {
        return with_f32_sums(vec![shaders.direct.into()], storage);
    }
    let mut candidates = gemm::candidates(layer, capabilities, storage);
    candidates.extend(row_blocks::candidate(layer));
    candidates.push(shaders.direct.into());
    rank(layer, &mut candidates, capabilities.device_type);
    // Cooperative matrices of f32 come last, so that they are used only if a recipe names them.
    candidates.sort_by_key(|candidate| storage == FloatType::F32 && candidate.shader.cooperative());
    // The texel shader comes first: it needs no tensors between the textures.
    let texels = shaders.texels.filter(|_| options.between_textures());
    let texels = texels.map(|shader| Candidate { shape: Shape::PerTexel, ..Candidate::new(shader) });
    let candidates = with_f32_sums(candidates, storage);
    texels.into_iter().chain(candidates.into_iter().filter(|candidate| can_sum(layer, candidate, storage))).collect()
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
    let whole = Epilogue { bias: builder.operand_as(Role::Bias), activation };
    if is_empty_sum(&builder) {
        add_empty_sum(&mut builder, whole)?;
        return builder.finish();
    }
    let slice = slice(&layer, candidate);
    let split_k = SplitK::new(&mut builder, slice.map_or(1, |slice| layer.channels.in_per_group.div_ceil(slice)))?;
    // A sum in slices is complete only in the second pass, which then applies the epilogue.
    let [first, second] = if slice.is_some() { [Epilogue::default(), whole] } else { [whole, Epilogue::default()] };
    let output = split_k.first_slice()?;
    for part in parts(&layer, candidate, slice)? {
        let tensors = [builder.operand(0), part.weight(&builder.operand(1))?, output.clone()];
        let operands = ConvOperands::new(Layer { axes: part.axes, ..layer }, tensors, first.clone());
        let operands = ConvOperands { begins: part.is_first, ends: part.is_last, ..operands };
        add_layer::<O>(&operands, candidate, slice, &mut builder)?;
    }
    split_k.add_sum(&mut builder, second)?;
    builder.finish()
}

/// The slices of input channels of a candidate with split-K.
fn slice(layer: &Layer, candidate: &Candidate) -> Option<usize> {
    match candidate.shape {
        Shape::Gemm { split_k: true, .. } => layer.slice(),
        _ => None,
    }
}

/// The rounds of an invocation that sums this many input channels.
fn rounds(layer: &Layer, candidate: &Candidate, slice: Option<usize>, channels: usize) -> u64 {
    match candidate.shape {
        Shape::Gemm { tile, merged, .. } => {
            ImplicitGemm::new(layer, tile, merged, slice).rounds(candidate.shader, channels)
        }
        Shape::Blocks { block, .. } => direct_rounds(layer, block, channels),
        _ => direct_rounds(layer, [1; 3], channels),
    }
}

/// Whether several dispatches can add to a sum, or none has to: sums stored as f16 would be rounded, and cooperative
/// matrices start from 0.
fn can_sum(layer: &Layer, candidate: &Candidate, storage: FloatType) -> bool {
    let in_f32 = storage == FloatType::F32 || candidate.shape.split_k();
    let whole = rounds(layer, candidate, slice(layer, candidate), layer.channels.in_per_group);
    (in_f32 && !candidate.shader.cooperative()) || whole <= MAX_ROUNDS
}

/// The parts of a kernel, of which a thread can sum the fewest channels that the shader sums at a time.
fn parts(layer: &Layer, candidate: &Candidate, slice: Option<usize>) -> Result<Vec<KernelPart>> {
    let least = match candidate.shape {
        Shape::Gemm { .. } => slice.unwrap_or(gemm::CHANNELS).min(layer.channels.in_per_group),
        _ => 1,
    };
    let rounds = |axes: [Axis; 3]| rounds(&Layer { axes, ..*layer }, candidate, slice, least);
    kernel_parts(layer.axes, layer.axes.each_ref().map(|axis| layer.tap_subsets(axis)), rounds)
}

/// Adds the steps of a layer, or of one part of its kernel.
fn add_layer<O: Op>(
    operands: &ConvOperands,
    candidate: &Candidate,
    slice: Option<usize>,
    builder: &mut ProgramBuilder<'_>,
) -> Result<()> {
    let shader = candidate.shader;
    match candidate.shape {
        Shape::Gemm { tile, merged, .. } => {
            GemmPass::new(ImplicitGemm::new(&operands.layer, tile, merged, slice), operands, shader).add_to(builder)
        }
        Shape::Blocks { block, .. } => builder.add_pass(shader, operands.constants(), &ConvPass { operands, block }),
        Shape::PerOutput { .. } => {
            builder.add_pass(shader, operands.constants(), &ConvPass { operands, block: [1; 3] })
        }
        // A texel shader was dealt with above; no candidate of a convolution has the other shapes.
        Shape::PerTexel | Shape::AxisPasses { .. } | Shape::MarkAndGather | Shape::Reduction { .. } => {
            let recipe = builder.recipe().to_string();
            Err(Error::Recipe(RecipeError::Unknown { op: O::NAME, recipe, offered: Vec::new() }))
        }
    }
}
