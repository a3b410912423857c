//! The trait of the ops that the GPU runs, and what lowering one has at hand: the device, the options, the choice of a recipe.

use std::ops::Range;
use std::time::Duration;

use wgpu::{Features, Limits};

use super::operand::{Bindable, Placed};
use super::options::{OPERANDS, PlanOptions};
use super::program::{Dispatch, Program};
use super::recipe::{Candidate, Capabilities, Recipe, largest_workgroup, recipes, refused};
use super::region::{Tile, chunks_of, outputs};
use super::shader::{Shader, Storage};
use super::split::{Bounds, Granules, Window, fold, split};
use crate::dtype::{DataType, FloatType};
use crate::error::{Error, Result};
use crate::geometry::at_most;
use crate::ops::op::Op;
use crate::tensor::layout::TensorLayout;
use crate::tensor::operand::{Operand, check_shape};

/// What a device offers and the caller asked for.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub(crate) capabilities: &'a Capabilities,
    pub(crate) options: &'a PlanOptions,
}

/// An op that the GPU can run. Implemented by the descriptors of this crate.
pub trait GpuOp: Op + std::fmt::Debug {
    /// The recipes that could run this op on such a device, best first.
    fn recipes(&self, capabilities: &Capabilities, storage: FloatType) -> Vec<Recipe>;

    /// How long a recipe is predicted to take on such a device, where there is a model of it.
    fn predict(&self, _recipe: &Recipe, _capabilities: &Capabilities, _storage: FloatType) -> Option<Duration> {
        None
    }

    #[doc(hidden)]
    fn lower(&self, request: Request<'_>) -> Result<Program>;
}

/// What is dispatched, before it is known in how many windows.
pub(crate) struct Launch<'a> {
    pub(crate) recipe: &'a Recipe,
    pub(crate) storage: Storage,
    pub(crate) tile: Tile,
    /// What the shader binds.
    pub(crate) operands: &'a [Bindable],
    pub(crate) work: Work<'a>,
}

/// What a tile is worth.
pub(crate) enum Work<'a> {
    /// A thread for each output.
    Outputs,
    /// A thread for each output and each chunk of so many summed terms.
    Chunks(usize),
    /// So many workgroups, of a tile that is halved at multiples of these.
    Workgroups(&'a dyn Fn(&Tile) -> u128, Granules),
}

impl<'a> Request<'a> {
    pub(crate) fn limits(&self) -> &'a Limits {
        &self.capabilities.limits
    }

    /// The op's tensors where the caller placed them: inputs, then outputs.
    pub(crate) fn place<O: Op>(&self, op: &O) -> Result<Vec<Placed>> {
        let (inputs, outputs) = (op.inputs()?, op.outputs()?);
        let written = inputs.len();
        let storage = self.options.storage;
        let mut given = self.options.clone();
        let place = |(number, operand): (usize, Operand)| {
            let name = operand.name;
            let element = match (operand.data_type, storage) {
                (DataType::Float, FloatType::F16) => 2,
                _ => 4,
            };
            let layout = given.slot(name).and_then(Option::take);
            let layout = layout.unwrap_or_else(|| TensorLayout::contiguous(&operand.shape));
            check_shape(operand, layout.shape())?;
            layout.checked_end()?;
            if number >= written {
                layout.check_injective()?;
            }
            Ok(Placed { name, layout, element })
        };
        let placed = inputs.into_iter().chain(outputs).enumerate().map(place).collect::<Result<Vec<_>>>()?;
        let left = OPERANDS.into_iter().find(|name| given.slot(name).is_some_and(|layout| layout.is_some()));
        left.map_or(Ok(placed), |operand| Err(Error::UnknownOperand { op: O::NAME, operand }))
    }

    /// Refuses a workspace that no buffer of this device holds.
    pub(crate) fn check_workspace(&self, placed: &Placed) -> Result<u64> {
        placed.layout.checked_end()?;
        let bytes = placed.bytes().max(4);
        let limit = self.limits().max_buffer_size.into();
        at_most("a workspace's size in bytes (max_buffer_size)", bytes.into(), limit)?;
        Ok(bytes)
    }

    /// The dispatches that compute a tile; none where it is empty. `spans` says which elements of each operand a part of
    /// the tile touches, `params` gives the uniform of a window and of the threads in a row of workgroups (the workgroups, where the work is counted in those).
    pub(crate) fn dispatches<P: bytemuck::Pod>(
        &self,
        launch: Launch<'_>,
        spans: impl Fn(&Tile) -> Vec<Range<usize>>,
        params: impl Fn(&Window, u32) -> P,
    ) -> Result<Vec<Dispatch>> {
        let Launch { recipe, storage, tile, operands, work } = launch;
        if tile.iter().any(Range::is_empty) {
            return Ok(Vec::new());
        }
        let limit = self.limits().max_compute_workgroups_per_dimension;
        // What is counted, and how much of it one workgroup does.
        let (size, granules) = match work {
            Work::Workgroups(_, granules) => (1, granules),
            _ => (recipe.workgroup_size, [1; 6]),
        };
        let amount = |tile: &Tile| match work {
            Work::Outputs => outputs(tile),
            Work::Chunks(chunk) => outputs(tile) * chunks_of(tile, chunk).len() as u128,
            Work::Workgroups(workgroups, _) => workgroups(tile),
        };
        let bounds = Bounds::new(self.limits(), size, granules, storage.output == FloatType::F32);
        let dispatch = |window: Window| {
            let workgroups = fold(amount(&window.tile) as u64, size, limit);
            let params = params(&window, workgroups[0] * size);
            Dispatch { workgroups, params: bytemuck::bytes_of(&params).to_vec(), windows: window.bytes }
        };
        Ok(split(tile, &bounds, operands, amount, spans)?.into_iter().map(dispatch).collect())
    }
}

impl Request<'_> {
    /// The recipe to run, with its shader: the forced one if it can, else the best. `candidates` are those that fit the
    /// problem, best first.
    pub(crate) fn choose(&self, op: &'static str, candidates: &[Candidate]) -> Result<(Candidate, Recipe)> {
        if self.limits().max_compute_workgroups_per_dimension == 0 {
            return Err(refused(op, "max_compute_workgroups_per_dimension", 1, 0));
        }
        let best = || recipes(candidates, self.capabilities).into_iter().next();
        let none = || refused(op, "max_compute_invocations_per_workgroup", 1, 0);
        let Some(forced) = self.options.recipe.clone().or_else(best) else { return Err(none()) };
        let Some(&candidate) = candidates.iter().find(|candidate| candidate.has(&forced)) else {
            let mut offered = recipes(candidates, self.capabilities);
            offered.dedup_by_key(|recipe| (recipe.shader, recipe.shape));
            let offered = offered.iter().map(Recipe::to_string).collect();
            return Err(Error::RecipeUnknown { op, recipe: forced.to_string(), offered });
        };
        candidate.check(self.capabilities)?;
        self.check_storage(op, candidate.shader)?;
        let (wanted, largest) = (forced.workgroup_size, largest_workgroup(self.limits()));
        if !(1..=largest).contains(&wanted) {
            let what = "max_compute_invocations_per_workgroup";
            return Err(refused(&forced.to_string(), what, wanted.into(), largest.into()));
        }
        Ok((candidate, forced))
    }

    /// By the first of these candidates that the device holds, or by the forced one. Where none does, the plain one says why:
    /// it asks for least.
    pub(crate) fn first_that_fits(
        &self,
        op: &'static str,
        candidates: &[Candidate],
        lower: impl Fn(Candidate, Recipe) -> Result<Program>,
    ) -> Result<Program> {
        let (candidate, recipe) = self.choose(op, candidates)?;
        let number = candidates.iter().position(|candidate| candidate.has(&recipe)).unwrap_or_default();
        let others = &candidates[number + 1..];
        let is_plain = recipe == Recipe::plain(candidate.shader.name, recipe.workgroup_size);
        match lower(candidate, recipe) {
            Err(error) if self.options.recipe.is_none() && self.choose(op, others).is_ok() => {
                self.first_that_fits(op, others, lower).map_err(|other| if is_plain { error } else { other })
            }
            outcome => outcome,
        }
    }

    fn check_storage(&self, op: &'static str, shader: &Shader) -> Result<()> {
        let storage = self.options.storage;
        if storage == FloatType::F32 {
            return Ok(());
        }
        if !shader.has_f16() {
            return Err(Error::StorageUnsupported { op, storage });
        }
        if !self.capabilities.features.contains(Features::SHADER_F16) {
            return Err(Error::MissingFeature { what: "f16 storage", feature: "SHADER_F16" });
        }
        Ok(())
    }
}
