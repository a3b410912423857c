//! From a convolution or its transpose to a program: the candidates, the best of them, and its steps.

use std::time::Duration;

use super::cost_model::{predict, rank};
use super::implicit_gemm::ImplicitGemm;
use super::layer::Layer;
use super::operands::Relation;
use super::split_k::{Finish, Partials, with_f32_sums};
use super::{gemm, row_blocks};
use crate::dtype::FloatType;
use crate::error::{Error, Result};
use crate::gpu::program::program::{Program, Step};
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, Shape};
use crate::gpu::program::request::{Launch, Request, Work};
use crate::gpu::program::shader::Shader;
use crate::ops::activation::Activation;
use crate::ops::op::Op;

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
    request: Request<'_>,
) -> Result<Program> {
    let candidates = layer.candidates(direct, request.capabilities, request.options.storage);
    let lower = |candidate: Candidate, recipe: Recipe| {
        let operands = request.place(op)?;
        let chunk = if matches!(recipe.shape, Shape::Gemm { split_k: true, .. }) { layer.chunk() } else { None };
        let parts = chunk.map_or(1, |chunk| layer.channels.ins.div_ceil(chunk));
        let partials = Partials::new(&request, recipe.shape.split_k(), parts, &operands)?;
        // A sum of chunks is whole in the second pass only.
        let bias = operands.iter().position(|operand| operand.name == "bias");
        let whole = Finish { bias, activation };
        let [first, second] = if chunk.is_some() { [Finish::default(), whole] } else { [whole, Finish::default()] };
        let relation = Relation::new(layer, first, &operands, partials.first_chunk()?);
        let mut steps = relation.steps(&candidate, &recipe, &partials, &request)?;
        steps.extend(partials.sum(&request, &recipe, &operands, second)?);
        let (inputs, tables, workspaces) = (operands.len() - 1, Vec::new(), partials.workspaces);
        Ok(Program { op: O::NAME, recipe, operands, inputs, tables, workspaces, steps })
    };
    request.first_that_fits(O::NAME, &with_f32_sums(candidates, request.options.storage), lower)
}

impl Relation {
    /// The sum, and what is applied to it.
    fn steps(
        &self,
        candidate: &Candidate,
        recipe: &Recipe,
        partials: &Partials,
        request: &Request<'_>,
    ) -> Result<Vec<Step>> {
        let in_blocks = match recipe.shape {
            Shape::Gemm { tile, merged, split_k } => {
                let gemm = ImplicitGemm::new(&self.layer, tile, merged, split_k);
                return gemm.steps(self, candidate.shader, recipe, partials, request);
            }
            Shape::Blocks { .. } => true,
            Shape::PerOutput { .. } => false,
            Shape::AxisPasses { .. } | Shape::MarkAndGather => {
                return Err(Error::RecipeUnknown {
                    op: candidate.shader.name,
                    recipe: recipe.to_string(),
                    offered: vec![],
                });
            }
        };
        let (storage, tile, operands) = (partials.storage, self.layer.tile(), &self.bindables()[..]);
        let work = if in_blocks { Work::Workgroups(&row_blocks::workgroups, [1; 6]) } else { Work::Outputs };
        let launch = Launch { recipe, storage, tile, operands, work };
        let dispatches = request.dispatches(
            launch,
            |tile| self.spans(tile),
            |window, row| self.params(window, if in_blocks { row * row_blocks::THREADS } else { row }),
        )?;
        let constants = vec![("workgroup_size", recipe.workgroup_size.into())];
        Ok(vec![self.step(candidate.shader, constants, partials, dispatches)])
    }
}
