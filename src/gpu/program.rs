//! What a plan is made of, as plain data: no GPU object, so that choosing and splitting are tested without one.

use std::fmt;
use std::ops::Range;

use wgpu::Limits;

use super::kernel::Shader;
use super::windows::{Bounds, Tile, fold, outputs};
use crate::op::check_shape;
use crate::{Error, Op, Operand, Result, TensorLayout};

/// How an op is run: which shader, with which workgroup. Printable, comparable, and enough to force the same choice
/// again through [`PlanOptions::recipe`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recipe {
    /// The shader's file name without its ending, such as `conv_transpose_gather`.
    pub shader: &'static str,
    /// Threads in a workgroup.
    pub workgroup_size: u32,
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} wg{}", self.shader, self.workgroup_size)
    }
}

/// What a plan may be told besides the descriptor. A layout that is not given is row-major without gaps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanOptions {
    /// Where the input lies.
    pub input: Option<TensorLayout>,
    /// Where the weight lies.
    pub weight: Option<TensorLayout>,
    /// Where the bias lies.
    pub bias: Option<TensorLayout>,
    /// Where the output goes. No two of its elements may share an address.
    pub output: Option<TensorLayout>,
    /// The recipe to run; refused, never swapped, if this problem or device cannot run it.
    pub recipe: Option<Recipe>,
}

/// One dispatch of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Workgroups in x and y.
    pub workgroups: [u32; 2],
    /// For each input, then the output: the bytes that are bound, from the start of the caller's slice.
    pub windows: Vec<Range<u64>>,
    /// The bytes of each of the plan's own tables that are bound.
    pub(crate) tables: Vec<Range<u64>>,
    /// The uniform struct's bytes.
    pub(crate) params: Vec<u8>,
}

/// A tensor with its place.
#[derive(Clone, Debug)]
pub struct Placed {
    pub(crate) name: &'static str,
    pub(crate) layout: TensorLayout,
}

/// What a read-only binding of the shader holds.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// An operand, by its number.
    Operand(usize),
    /// A table of the plan's own, by its number.
    Table(usize),
}

/// Everything that a plan will do, before any GPU object exists.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) op: &'static str,
    pub(crate) shader: &'static Shader,
    pub(crate) recipe: Recipe,
    pub(crate) constants: Vec<(&'static str, f64)>,
    /// Inputs, then the output.
    pub(crate) operands: Vec<Placed>,
    pub(crate) reads: Vec<Source>,
    pub(crate) tables: Vec<Vec<u8>>,
    pub(crate) dispatches: Vec<Dispatch>,
}

/// What a device offers and the caller asked for.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) options: &'a PlanOptions,
}

/// An op that the GPU can run. Implemented by the descriptors of this crate.
pub trait GpuOp: Op {
    /// The recipes that could run this op under these limits, best first.
    fn recipes(&self, limits: &Limits) -> Vec<Recipe>;

    #[doc(hidden)]
    fn lower(&self, request: Request<'_>) -> Result<Program>;
}

/// Workgroup sizes in order of preference; the last runs everywhere.
const WORKGROUP_SIZES: [u32; 5] = [64, 128, 256, 32, 1];

/// The recipes of these shaders under these limits, best first.
pub(crate) fn recipes(shaders: &[&'static Shader], limits: &Limits) -> Vec<Recipe> {
    let sizes = WORKGROUP_SIZES.into_iter().filter(|&size| size <= largest_workgroup(limits));
    let recipe = |shader: &&'static Shader, workgroup_size| Recipe { shader: shader.name, workgroup_size };
    shaders.iter().flat_map(|shader| sizes.clone().map(move |size| recipe(shader, size))).collect()
}

fn largest_workgroup(limits: &Limits) -> u32 {
    limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x)
}

impl Request<'_> {
    /// The recipe to run, with its shader: the forced one if it can, else the best. `shaders` are those that fit the
    /// problem, best first.
    pub(crate) fn choose(&self, op: &'static str, shaders: &[&'static Shader]) -> Result<(&'static Shader, Recipe)> {
        if self.limits.max_compute_workgroups_per_dimension == 0 {
            return Err(refused(op, "max_compute_workgroups_per_dimension", 1, 0));
        }
        let best = || recipes(shaders, self.limits).into_iter().next();
        let none = || refused(op, "max_compute_invocations_per_workgroup", 1, 0);
        let Some(forced) = self.options.recipe.clone().or_else(best) else { return Err(none()) };
        let Some(shader) = shaders.iter().find(|shader| shader.name == forced.shader) else {
            return Err(Error::RecipeUnknown { op, recipe: forced.to_string() });
        };
        let (wanted, largest) = (forced.workgroup_size, largest_workgroup(self.limits));
        if !(1..=largest).contains(&wanted) {
            let what = "max_compute_invocations_per_workgroup";
            return Err(refused(&forced.to_string(), what, wanted.into(), largest.into()));
        }
        Ok((shader, forced))
    }

    /// The op's tensors where the caller placed them: inputs, then the output.
    pub(crate) fn place<O: Op>(&self, op: &O) -> Result<Vec<Placed>> {
        let operands: Vec<Operand> = op.inputs()?.into_iter().chain([op.output()?]).collect();
        let options = self.options;
        let mut given = [
            ("input", options.input.as_ref()),
            ("weight", options.weight.as_ref()),
            ("bias", options.bias.as_ref()),
            ("output", options.output.as_ref()),
        ];
        let place = |operand: Operand| {
            let name = operand.name;
            let layout = given.iter_mut().find(|(given, _)| *given == name).and_then(|(_, layout)| layout.take());
            let layout = layout.cloned().unwrap_or_else(|| TensorLayout::contiguous(&operand.shape));
            check_shape(operand, layout.shape())?;
            layout.checked_end()?;
            if name == "output" {
                layout.check_injective()?;
            }
            Ok(Placed { name, layout })
        };
        let placed = operands.into_iter().map(place).collect::<Result<Vec<_>>>()?;
        match given.iter().find(|(_, layout)| layout.is_some()) {
            Some(&(operand, _)) => Err(Error::UnknownOperand { op: O::NAME, operand }),
            None => Ok(placed),
        }
    }

    pub(crate) fn bounds(&self, recipe: &Recipe) -> Bounds {
        Bounds::new(self.limits, recipe.workgroup_size)
    }

    /// Workgroups for a tile, in x and y.
    pub(crate) fn fold(&self, recipe: &Recipe, tile: &Tile) -> [u32; 2] {
        fold(outputs(tile) as u64, recipe.workgroup_size, self.limits.max_compute_workgroups_per_dimension)
    }
}

fn refused(recipe: &str, what: &'static str, wanted: u64, available: u64) -> Error {
    Error::RecipeRefused { recipe: recipe.into(), what, wanted, available }
}
