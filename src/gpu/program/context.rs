//! The trait of the ops that the GPU runs, and the context in which an op is lowered: the device, the options, the
//! choice of a recipe.

use std::time::Duration;

use wgpu::{Features, Limits};

use super::operand::{LaidOutTensor, Source, Stored};
use super::options::PlanOptions;
use super::program::Program;
use super::recipe::{Candidate, Capabilities, Recipe, Shape, largest_workgroup, recipes, refused};
use super::texture::check_texture_operand;
use crate::dtype::{DataType, FloatType};
use crate::error::recipe::RecipeError;
use crate::error::{Error, Result};
use crate::geometry::at_most;
use crate::ops::op::Op;
use crate::tensor::layout::TensorLayout;
use crate::tensor::operand::{Operand, check_shape};

/// An op that the GPU can run. Implemented by the descriptors of this crate.
pub trait GpuOp: Op + std::fmt::Debug {
    /// The recipes that could run this op on such a device with these options, best first. Planning may still refuse
    /// one, for example because its workspace is larger than `max_buffer_size`.
    fn recipes(&self, capabilities: &Capabilities, options: &PlanOptions) -> Vec<Recipe>;

    /// How long a recipe will take on such a device by the cost model; `None` if the op has no model (only
    /// convolutions, their transposes and weight gradients have one) or not this recipe. Conversions between textures
    /// and tensors are not counted.
    fn predict(&self, _recipe: &Recipe, _capabilities: &Capabilities, _options: &PlanOptions) -> Option<Duration> {
        None
    }

    #[doc(hidden)]
    fn lower(&self, context: &LowerContext<'_>) -> Result<Program>;
}

/// What lowering an op has at hand: what the device offers, and what the caller asked for.
#[derive(Clone, Copy, Debug)]
#[expect(unnameable_types, reason = "only this crate implements the trait that takes it")]
pub struct LowerContext<'a> {
    pub(crate) capabilities: &'a Capabilities,
    pub(crate) options: &'a PlanOptions,
    /// The most [work](super::rounds::work) of a dispatch, unless it has a single workgroup or writes a texture.
    pub(crate) max_work: u64,
}

impl<'a> LowerContext<'a> {
    /// A context without a bound on the work of a dispatch.
    pub(crate) fn new(capabilities: &'a Capabilities, options: &'a PlanOptions) -> Self {
        Self { capabilities, options, max_work: u64::MAX }
    }

    pub(crate) fn limits(&self) -> &'a Limits {
        &self.capabilities.limits
    }

    /// The op's tensors where the caller laid them out: inputs, then outputs.
    pub(crate) fn lay_out<O: Op>(&self, op: &O) -> Result<Vec<LaidOutTensor>> {
        let (inputs, outputs) = (op.inputs()?, op.outputs()?);
        let written = inputs.len();
        let mut given = self.options.clone();
        let lay_out = |(number, operand): (usize, Operand)| {
            let role = operand.role;
            let stored = match (operand.data_type, self.options.texture(role)) {
                (_, Some(pixels)) => {
                    check_texture_operand(&operand, &pixels, self.capabilities)?;
                    Stored::Texels(pixels)
                }
                (DataType::Float, None) => Stored::Float(self.options.storage),
                (DataType::I32, None) => Stored::I32,
                (DataType::U8 | DataType::I8, None) => Stored::Byte,
            };
            // A texture has no layout: a layout that is given for it stays in `given`, and is refused below.
            let layout = match stored {
                Stored::Texels(_) => None,
                _ => given.layout_mut(role).and_then(Option::take),
            };
            let layout = layout.unwrap_or_else(|| TensorLayout::contiguous(&operand.shape));
            check_shape(operand, layout.shape())?;
            let end = layout.checked_end()? as u128 * u128::from(stored.bytes());
            at_most("a tensor's size in bytes (max_buffer_size)", end, self.limits().max_buffer_size.into())?;
            if number >= written {
                layout.check_injective()?;
            }
            Ok(LaidOutTensor { role: Some(role), layout, stored, source: Source::Operand(number) })
        };
        let tensors = inputs.into_iter().chain(outputs).enumerate().map(lay_out).collect::<Result<Vec<_>>>()?;
        match given.layouts().next() {
            Some((role, _)) => Err(Error::UnknownOperand { op: O::NAME, operand: role.name() }),
            None => Ok(tensors),
        }
    }

    /// The recipe to run, with its candidate: the forced one, else the best that the device runs. Refuses a forced
    /// recipe that it cannot run. `candidates` are those that fit the problem, best first.
    pub(crate) fn choose(&self, op: &'static str, candidates: &[Candidate]) -> Result<(Candidate, Recipe)> {
        let none = |limit| Error::LimitTooLow { what: op, limit, needed: 1, available: 0 };
        if self.limits().max_compute_workgroups_per_dimension == 0 {
            return Err(none("max_compute_workgroups_per_dimension"));
        }
        let best = || recipes(candidates, self.capabilities).into_iter().next();
        let Some(forced) = self.options.recipe.clone().or_else(best) else {
            let plain = candidates.iter().find(|candidate| candidate.shape == Shape::PLAIN).or(candidates.last());
            plain.map_or(Ok(()), |candidate| candidate.check(self.capabilities))?;
            return Err(none("max_compute_invocations_per_workgroup"));
        };
        let Some(&candidate) = candidates.iter().find(|candidate| candidate.has(&forced)) else {
            let mut offered = recipes(candidates, self.capabilities);
            offered.dedup_by_key(|recipe| (recipe.shader, recipe.shape));
            let offered = offered.iter().map(Recipe::to_string).collect();
            return Err(Error::Recipe(RecipeError::Unknown { op, recipe: forced.to_string(), offered }));
        };
        candidate.check(self.capabilities)?;
        self.check_storage()?;
        let (wanted, largest) = (forced.workgroup_size, largest_workgroup(self.limits()));
        if !(1..=largest).contains(&wanted) {
            let what = "max_compute_invocations_per_workgroup";
            return Err(refused(&forced.to_string(), what, wanted.into(), largest.into()));
        }
        Ok((candidate, forced))
    }

    /// Lowers an op by the forced recipe, or by the first of these candidates that the device can hold. If it can hold
    /// none, the error is that of the plain recipe, which needs the least.
    pub(crate) fn first_that_fits(
        &self,
        op: &'static str,
        candidates: &[Candidate],
        lower: impl Fn(&Candidate, &Recipe) -> Result<Program>,
    ) -> Result<Program> {
        let (candidate, recipe) = self.choose(op, candidates)?;
        let number = candidates.iter().position(|candidate| candidate.has(&recipe)).unwrap_or_default();
        let others = &candidates[number + 1..];
        let is_plain = recipe == Recipe::plain(candidate.shader.name, recipe.workgroup_size);
        match lower(&candidate, &recipe) {
            Err(error) if self.options.recipe.is_none() && self.choose(op, others).is_ok() => {
                self.first_that_fits(op, others, lower).map_err(|other| if is_plain { error } else { other })
            }
            outcome => outcome,
        }
    }

    fn check_storage(&self) -> Result<()> {
        if self.options.storage == FloatType::F16 && !self.capabilities.features.contains(Features::SHADER_F16) {
            return Err(Error::MissingFeature { what: "f16 storage", feature: "SHADER_F16" });
        }
        Ok(())
    }
}
