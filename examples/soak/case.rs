//! A random case: a problem, its tensors, and how it is to be run, whatever the adapter.

use std::cell::OnceCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use upconv::gpu::GpuOp;
use upconv::wgpu::{Features, Limits};
use upconv::{Error, FloatType, Gpu, Operand, Plan, PlanOptions, Recipe, Tensor};

use crate::draws::{self, Draw, OPS, Visit};
use crate::expected::Expected;
use crate::tensors::{Data, Random, stored_as};

/// A case without its op's type.
pub trait Case: Send {
    /// The name of the op, one of [`OPS`].
    fn name(&self) -> &'static str;

    /// The problem's text.
    fn problem(&self) -> String;

    /// What would repeat the case, in many lines.
    fn details(&self) -> String;

    /// The inputs, then the outputs.
    fn operands(&self) -> Result<Vec<Operand>, String>;

    /// The plan on this device.
    fn plan(&self, gpu: &Gpu) -> Result<Planned, String>;

    /// The inputs as they are stored.
    fn inputs(&self, storage: FloatType) -> Vec<Tensor>;

    /// Compares the outputs with the reference; returns the largest error as a share of its bound.
    fn check(&self, storage: FloatType, outputs: &[Tensor]) -> Result<f64, String>;
}

pub struct Planned {
    pub plan: Plan,
    pub options: PlanOptions,
    /// How often lower limits were refused before.
    pub refused: usize,
}

/// Cases in a row that share their choices of recipes: drivers take longer to compile a pipeline than to run a case.
const EPOCH: u64 = 2048;

/// Choices of a recipe for each op in that time.
const CHOICES: usize = 3;

/// The same on every run and machine.
fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The case of this number, which a seed and a number decide alone; `None` if it is of another op than `only`.
pub fn case(seed: u64, number: u64, only: Option<&str>) -> Option<Box<dyn Case>> {
    let mut random = Random::new(&format!("seed {seed}, case {number}"));
    let name = OPS[random.below(OPS.len())];
    if only.is_some_and(|only| only != name) {
        return None;
    }
    loop {
        let own = Random::new(&format!("seed {seed}, case {number}, {}", random.next()));
        let choice = hash((seed, number / EPOCH, name, random.below(CHOICES)));
        if let Some(case) = draws::problem(name, &mut random, Make { name, random: own, choice }) {
            return Some(case);
        }
    }
}

struct Make {
    name: &'static str,
    random: Random,
    choice: u64,
}

impl Visit for Make {
    type Out = Box<dyn Case>;

    fn visit<O: GpuOp + Send + 'static>(self, op: O, exact: bool) -> Box<dyn Case> {
        let Self { name, mut random, choice } = self;
        let random = &mut random;
        let inputs = op.inputs().expect("a problem that was checked");
        let options = draws::layouts(random, &inputs, &op.outputs().expect("a problem that was checked"));
        let storage = random.pick(&[FloatType::F32, FloatType::F32, FloatType::F16]);
        let longest = random.once_in(6).then(|| Duration::from_nanos(100 << random.below(12)));
        let options = PlanOptions { storage, max_dispatch_time: longest, ..options };
        let data = if exact && random.once_in(2) { Data::Integers } else { Data::Reals };
        let tensors = draws::tensors(random, &inputs, &options, data);
        let limits = draws::limits(random);
        let by_planner = random.once_in(4);
        let expected = [OnceCell::new(), OnceCell::new()];
        Box::new(OpCase { name, op, options, limits, choice, by_planner, data, tensors, expected })
    }
}

struct OpCase<O> {
    name: &'static str,
    op: O,
    /// Layouts, storage, the longest dispatch.
    options: PlanOptions,
    limits: Limits,
    /// Chooses among the recipes that there are.
    choice: u64,
    /// Whether the planner chooses instead.
    by_planner: bool,
    data: Data,
    /// The inputs in f32 and i32.
    tensors: Vec<Tensor>,
    /// The reference for inputs of f32 and of f16, once it is computed.
    expected: [OnceCell<Result<Expected, String>>; 2],
}

impl<O: GpuOp + Send> OpCase<O> {
    /// A recipe of those that a device has: the same one on every device that has it.
    fn recipe(&self, recipes: &[Recipe]) -> Option<Recipe> {
        let rank = |recipe: &&Recipe| {
            let (kind, size) = ((recipe.shader, recipe.shape), recipe.workgroup_size);
            (hash((self.choice, kind)), hash((self.choice, size)))
        };
        recipes.iter().min_by_key(rank).cloned()
    }

    /// A plan within these limits, by one recipe of those that they allow.
    fn plan_within(&self, gpu: &Gpu, limits: &Limits, options: &PlanOptions) -> Result<(Plan, PlanOptions), Error> {
        let planner = gpu.planner().limited_to(limits);
        let recipe = if self.by_planner { None } else { self.recipe(&planner.recipes(&self.op, options)) };
        let options = PlanOptions { recipe, ..options.clone() };
        Ok((planner.plan_with(&self.op, &options)?, options))
    }
}

/// Whether an error may come of limits that were lowered, or of a longest time.
fn is_refusal(error: &Error) -> bool {
    use Error::{BindingTooSmall, LimitTooLow, Recipe, TooLarge, TooManyDispatches};
    matches!(
        error,
        BindingTooSmall { .. } | LimitTooLow { .. } | Recipe(_) | TooLarge { .. } | TooManyDispatches { .. }
    )
}

impl<O: GpuOp + Send> Case for OpCase<O> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn problem(&self) -> String {
        self.op.problem()
    }

    fn details(&self) -> String {
        let (op, options, limits) = (&self.op, &self.options, &self.limits);
        let binding = limits.max_storage_buffer_binding_size;
        let alignment = limits.min_storage_buffer_offset_alignment;
        let grid = limits.max_compute_workgroups_per_dimension;
        let threads = limits.max_compute_invocations_per_workgroup;
        let memory = limits.max_compute_workgroup_storage_size;
        format!(
            "{op:#?}\n{options:#?}\nlimits: bindings of {binding} bytes, aligned to {alignment}, grids of {grid}, \
             workgroups of {threads} threads and {memory} bytes, buffers of {} bytes\n{}",
            limits.max_buffer_size,
            if self.data == Data::Integers { "integers" } else { "reals" },
        )
    }

    fn operands(&self) -> Result<Vec<Operand>, String> {
        crate::tensors::operands(&self.op)
    }

    fn plan(&self, gpu: &Gpu) -> Result<Planned, String> {
        let mut options = self.options.clone();
        let halves = gpu.planner().capabilities().features.contains(Features::SHADER_F16);
        if !halves {
            options.storage = FloatType::F32;
        }
        let mut limits = self.limits.clone();
        for refused in 0..4 {
            match self.plan_within(gpu, &limits, &options) {
                Ok((plan, options)) => return Ok(Planned { plan, options, refused }),
                Err(error) if !is_refusal(&error) => return Err(format!("planning: {error}")),
                Err(_) => {}
            }
            options.max_dispatch_time = options.max_dispatch_time.map(|time| time * 64);
            limits.max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.saturating_mul(4);
            limits.max_buffer_size = limits.max_buffer_size.saturating_mul(16);
            limits.max_compute_workgroups_per_dimension =
                limits.max_compute_workgroups_per_dimension.saturating_mul(16);
        }
        options.max_dispatch_time = None;
        let planned = self.plan_within(gpu, &Limits::unlimited(), &options);
        planned
            .map(|(plan, options)| Planned { plan, options, refused: 4 })
            .map_err(|error| format!("planning within the device's limits: {error}"))
    }

    fn inputs(&self, storage: FloatType) -> Vec<Tensor> {
        let stored = |tensor: &Tensor| match tensor {
            Tensor::F32(tensor) => stored_as(tensor.clone(), storage),
            other => other.clone(),
        };
        self.tensors.iter().map(stored).collect()
    }

    fn check(&self, storage: FloatType, outputs: &[Tensor]) -> Result<f64, String> {
        let cell = &self.expected[usize::from(storage == FloatType::F16)];
        let expected = cell.get_or_init(|| Expected::of(&self.op, &self.inputs(storage)));
        expected.as_ref().map_err(|error| format!("the reference: {error}"))?.check(outputs, self.data)
    }
}
