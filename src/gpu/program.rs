//! What a plan is made of, as plain data: no GPU object, so that choosing and splitting are tested without one.

use std::ops::Range;
use std::time::Duration;

use wgpu::{Limits, TextureFormat};

use super::kernel::Shader;
use super::params::wrap;
use super::recipe::{Capabilities, Recipe};
use super::windows::{Bindable, Bounds, Granules, Tile, Window, chunks, fold, outputs, split};
use crate::geometry::at_most;
use crate::op::check_shape;
use crate::{DataType, Error, FloatType, Op, Operand, Result, TensorLayout};

/// What a plan may be told besides the descriptor. A layout that is not given is row-major without gaps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanOptions {
    /// Where the input lies.
    pub input: Option<TensorLayout>,
    /// Where the weight lies.
    pub weight: Option<TensorLayout>,
    /// Where the bias lies.
    pub bias: Option<TensorLayout>,
    /// Where the gradient of the forward output lies, for an op that takes it beside another input.
    pub grad_output: Option<TensorLayout>,
    /// Where a pooling's indices lie, as an input or as an output.
    pub indices: Option<TensorLayout>,
    /// Where the output goes. No two of its elements may share an address.
    pub output: Option<TensorLayout>,
    /// What every floating-point tensor of the op is stored as. Sums are f32.
    pub storage: FloatType,
    /// The recipe to run; refused, never swapped, if this problem or device cannot run it.
    pub recipe: Option<Recipe>,
}

/// The tensors that may be laid out.
const OPERANDS: [&str; 6] = ["input", "weight", "bias", "grad_output", "indices", "output"];

impl PlanOptions {
    /// Every tensor where TensorFlow has it: activations with the channels innermost (NHWC), the weight in
    /// [`TensorLayout::tensorflow_filter`]'s order.
    pub fn nhwc<O: Op>(op: &O) -> Result<Self> {
        let mut options = Self::default();
        for operand in op.inputs()?.into_iter().chain(op.outputs()?) {
            let (shape, name) = (&operand.shape, operand.name);
            let weight = name == "weight" || (name == "output" && O::NAME == "conv_weight_grad");
            let layout =
                if weight { TensorLayout::tensorflow_filter(shape) } else { TensorLayout::channels_last(shape) };
            if let (Some(slot), true) = (options.slot(name), shape.len() > 2) {
                *slot = Some(layout);
            }
        }
        Ok(options)
    }

    /// A tensor that is laid out though it is a texture in an op between textures.
    pub(crate) fn textures_laid_out(&self) -> Option<&'static str> {
        [("input", &self.input), ("output", &self.output)]
            .into_iter()
            .find_map(|(name, layout)| layout.as_ref().map(|_| name))
    }

    /// The layout of a tensor, if it may have one.
    fn slot(&mut self, operand: &str) -> Option<&mut Option<TensorLayout>> {
        match operand {
            "input" => Some(&mut self.input),
            "weight" => Some(&mut self.weight),
            "bias" => Some(&mut self.bias),
            "grad_output" => Some(&mut self.grad_output),
            "indices" => Some(&mut self.indices),
            "output" => Some(&mut self.output),
            _ => None,
        }
    }
}

/// One dispatch of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Workgroups in x and y.
    pub workgroups: [u32; 2],
    /// For each storage binding of the shader: the bytes that are bound, from the start of the caller's slice or of the
    /// plan's own buffer.
    pub windows: Vec<Range<u64>>,
    /// The uniform struct's bytes.
    pub(crate) params: Vec<u8>,
}

/// A tensor with its place.
#[derive(Clone, Debug)]
pub struct Placed {
    pub(crate) name: &'static str,
    pub(crate) layout: TensorLayout,
    /// Bytes of an element.
    pub(crate) element: u64,
}

impl Placed {
    /// Where an op's own tensor of f32 lies in a workspace.
    pub(crate) fn workspace(shape: &[usize]) -> Self {
        Self { name: "workspace", layout: TensorLayout::contiguous(shape), element: 4 }
    }

    /// Bytes from the start of a slice to the end of the last element, as many as can be bound.
    pub(crate) fn bytes(&self) -> u64 {
        (self.layout.end() as u64 * self.element).next_multiple_of(4)
    }

    /// The address of the element at these indices of the first axes, and 0 of the others, in elements from the start of
    /// the bytes that are bound.
    pub(crate) fn address(&self, first: &[usize], bound: &Range<u64>) -> u32 {
        let strides = self.layout.strides();
        let skipped = first.iter().zip(strides).map(|(&index, &stride)| wrap(index).wrapping_mul(wrap(stride)));
        let element = skipped.fold(wrap(self.layout.offset()), u32::wrapping_add);
        element.wrapping_sub((bound.start / self.element) as u32)
    }

    /// The stride of an axis, modulo 2³².
    pub(crate) fn stride(&self, axis: usize) -> u32 {
        wrap(self.layout.strides()[axis])
    }
}

/// What a binding of a shader holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An operand, by its number: inputs, then outputs.
    Operand(usize),
    /// A table of the plan's own, by its number.
    Table(usize),
    /// A workspace, by its number.
    Workspace(usize),
}

/// What a shader's inputs and its output are stored as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Storage {
    pub(crate) input: FloatType,
    pub(crate) output: FloatType,
    /// The output's format, where both ends are textures.
    pub(crate) texels: Option<TextureFormat>,
}

impl Storage {
    /// The same for all.
    pub(crate) fn all(storage: FloatType) -> Self {
        Self { input: storage, output: storage, texels: None }
    }
}

/// Dispatches of one shader, each of which may need what the step before wrote.
#[derive(Clone, Debug)]
pub struct Step {
    pub(crate) shader: &'static Shader,
    pub(crate) storage: Storage,
    pub(crate) constants: Vec<(&'static str, f64)>,
    /// The storage bindings, from binding 1 on.
    pub(crate) bindings: Vec<Source>,
    pub(crate) dispatches: Vec<Dispatch>,
}

/// Everything that a plan will do, before any GPU object exists.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) op: &'static str,
    pub(crate) recipe: Recipe,
    /// Inputs, then outputs.
    pub(crate) operands: Vec<Placed>,
    /// How many of them are inputs.
    pub(crate) inputs: usize,
    pub(crate) tables: Vec<Vec<u8>>,
    /// Bytes of each workspace.
    pub(crate) workspaces: Vec<u64>,
    pub(crate) steps: Vec<Step>,
}

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
            Work::Chunks(chunk) => outputs(tile) * chunks(tile, chunk).len() as u128,
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
