//! From an op to a plan: the recipe, its pipelines, and what a device must offer for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
#[cfg(not(target_arch = "wasm32"))]
use std::time::Duration;

use wgpu::{Device, Features, Limits};

use super::pipeline::{KernelCache, PlanBuffers};
use super::plan::Plan;
use super::prediction::{TimeFactor, times, unit_of_work, units};
use super::tuned::TunedRecipes;
use crate::dtype::FloatType;
use crate::error::Result;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::operand::{LaidOutTensor, Stored};
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Capabilities, Recipe};
use crate::ops::op::Cost;

/// The limits that a device must offer for this op: wgpu's defaults, with `max_buffer_size` raised if a tensor or a
/// workspace needs a larger buffer. Tensors larger than a binding are split, so no other limit has to rise. Fails as
/// [`Planner::plan_with`] does.
pub fn required_limits<O: GpuOp>(op: &O, options: &PlanOptions) -> Result<Limits> {
    let defaults = Limits::default();
    let lower = |max_buffer_size| {
        let limits = Limits { max_buffer_size, ..Limits::default() };
        op.lower(&LowerContext::new(&Capabilities::plain(limits, required_features(options)), options))
    };
    let unbounded = lower(u64::MAX)?;
    let tensors = unbounded.operands.iter().map(LaidOutTensor::bytes).fold(defaults.max_buffer_size, u64::max);
    // If no buffer may be larger than the tensors, a recipe without a larger workspace is chosen, if there is one.
    let program = lower(tensors).unwrap_or(unbounded);
    let tables = program.tables.iter().map(|table| table.len() as u64);
    let max_buffer_size = tables.chain(program.workspaces).fold(tensors, u64::max);
    Ok(Limits { max_buffer_size, ..defaults })
}

/// The features that a device must have for these options: `SHADER_F16` for tensors stored as f16.
pub fn required_features(options: &PlanOptions) -> Features {
    if options.storage == FloatType::F16 { Features::SHADER_F16 } else { Features::empty() }
}

/// Makes plans for one device and keeps the pipelines that it compiled.
#[derive(Debug)]
pub struct Planner {
    device: Device,
    capabilities: Capabilities,
    kernels: Arc<KernelCache>,
    tuned: Mutex<TunedRecipes>,
    time_factor: TimeFactor,
}

impl Planner {
    /// A planner for the caller's device.
    pub fn new(device: &Device) -> Self {
        Self::with_limits(device, &device.limits())
    }

    /// A planner that keeps to these limits where they are worse than the device's, and to the device's elsewhere.
    pub fn with_limits(device: &Device, limits: &Limits) -> Self {
        let capabilities = Capabilities::of(device);
        let tuned = Mutex::new(TunedRecipes::new(&device.adapter_info()));
        let (device, kernels, time_factor) = (device.clone(), Arc::default(), TimeFactor::new(1.0));
        Self { device, capabilities, kernels, tuned, time_factor }.limited_to(limits)
    }

    /// Another planner for the same device, with the same pipelines and copies of the tuned recipes and of the time
    /// factor, that keeps to limits that are worse than this planner's, as [`Planner::with_limits`] does.
    pub fn limited_to(&self, limits: &Limits) -> Self {
        let limits = self.capabilities.limits.clone().or_worse_values_from(limits);
        let capabilities = Capabilities { limits, ..self.capabilities.clone() };
        let (device, kernels, tuned) = (self.device.clone(), self.kernels.clone(), Mutex::new(self.tuned()));
        Self { device, capabilities, kernels, tuned, time_factor: TimeFactor::new(self.time_factor()) }
    }

    /// What the device offers, within the planner's limits.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Compiles through the caller's pipeline cache, whose data the caller loads and saves
    /// (`Features::PIPELINE_CACHE`).
    pub fn with_pipeline_cache(mut self, cache: wgpu::PipelineCache) -> Self {
        self.kernels = Arc::new(KernelCache::through(cache));
        self
    }

    /// Lets recipes use these cooperative matrices, as the adapter lists them
    /// (`Adapter::cooperative_matrix_properties`). Without effect if the device does not have
    /// `Features::EXPERIMENTAL_COOPERATIVE_MATRIX`. With f16 storage the planner may choose them by itself; with f32
    /// storage a recipe has to name them ([`PlanOptions::recipe`]).
    #[cfg(feature = "cooperative-matrix")]
    pub fn with_cooperative_matrices(mut self, matrices: &[wgpu::CooperativeMatrixProperties]) -> Self {
        if self.capabilities.features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
            self.capabilities.matrices = matrices.to_vec();
        }
        self
    }

    /// A copy of the recipes that [`Gpu::tune`](crate::Gpu::tune) found to be the fastest, to be saved as text.
    pub fn tuned(&self) -> TunedRecipes {
        self.locked_tuned().clone()
    }

    /// Replaces the planner's tuned recipes. Later plans use them for the problems that they contain. Refuses recipes
    /// of another adapter or driver ([`Error::Tuned`](crate::Error::Tuned)).
    pub fn use_tuned(&self, tuned: TunedRecipes) -> Result<()> {
        tuned.check(&self.device.adapter_info())?;
        *self.locked_tuned() = tuned;
        Ok(())
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn insert_tuned<O: GpuOp>(&self, op: &O, options: &PlanOptions, recipe: &Recipe) {
        self.locked_tuned().insert(op, options, recipe);
    }

    /// How many times longer the device takes than the cost model says: 1 at first, then what the caller sets or
    /// [`Gpu::tune`](crate::Gpu::tune) measures. The predictions of later plans are multiplied by it.
    pub fn time_factor(&self) -> f64 {
        self.time_factor.get()
    }

    /// Sets the factor, for example to one that an earlier run measured. Refuses what is not positive and finite
    /// ([`Error::InvalidParameter`](crate::Error::InvalidParameter)).
    pub fn set_time_factor(&self, factor: f64) -> Result<()> {
        self.time_factor.set(factor)
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn learn_time(&self, measured: Duration, predicted: Duration) {
        self.time_factor.learn(measured, predicted);
    }

    fn locked_tuned(&self) -> MutexGuard<'_, TunedRecipes> {
        self.tuned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a plan will do, with dispatches as short as the options want them; and the nanoseconds that a unit of its
    /// work is predicted to take.
    fn program<O: GpuOp>(&self, op: &O, options: &PlanOptions) -> Result<(Program, f64)> {
        let program = self.chosen_program(op, options)?;
        let unit = unit_of_work(op, &program, &self.capabilities, options) * self.time_factor();
        let Some(longest) = options.max_dispatch_time else { return Ok((program, unit)) };
        if times(&program, unit).into_iter().all(|time| time <= longest) {
            return Ok((program, unit));
        }
        let options = PlanOptions { recipe: Some(program.recipe), ..options.clone() };
        let max_work = units(longest, unit);
        let program = op.lower(&LowerContext { max_work, ..LowerContext::new(&self.capabilities, &options) })?;
        Ok((program, unit))
    }

    /// What a plan will do by the forced recipe, by the tuned one, or by the one predicted to be the fastest.
    fn chosen_program<O: GpuOp>(&self, op: &O, options: &PlanOptions) -> Result<Program> {
        let lower = |options: &PlanOptions| op.lower(&LowerContext::new(&self.capabilities, options));
        let chosen = match options.recipe {
            Some(_) => None,
            None => self.locked_tuned().get(op, options, &self.capabilities),
        };
        let by_choice = chosen.map(|recipe| lower(&PlanOptions { recipe: Some(recipe), ..options.clone() }));
        by_choice.and_then(Result::ok).map_or_else(|| lower(options), Ok)
    }

    /// Compiles the pipelines of a plan before the plan is made. Takes and refuses what [`Planner::plan_with`] does.
    pub fn prewarm<O: GpuOp>(&self, op: &O, options: &PlanOptions) -> Result<()> {
        let (program, _) = self.program(op, options)?;
        program.steps.iter().for_each(|step| drop(self.kernels.get(&self.device, program.op, step)));
        Ok(())
    }

    /// A plan for an op on row-major tensors of f32. Fails as [`Planner::plan_with`] does.
    pub fn plan<O: GpuOp>(&self, op: &O) -> Result<Plan> {
        self.plan_with(op, &PlanOptions::default())
    }

    /// A plan for an op with layouts, textures, a storage type or a recipe of the caller's choice.
    ///
    /// # Errors
    ///
    /// The rule that a descriptor or an option breaks, such as [`Error::Shape`](crate::Error::Shape) of a layout;
    /// [`RecipeError::Unknown`](crate::RecipeError::Unknown) or [`RecipeError::Refused`](crate::RecipeError::Refused)
    /// for a forced recipe; [`Error::MissingFeature`](crate::Error::MissingFeature) and limits that the device does not
    /// offer; [`Error::TooManyDispatches`](crate::Error::TooManyDispatches) for a
    /// [`PlanOptions::max_dispatch_time`] that is too short.
    pub fn plan_with<O: GpuOp>(&self, op: &O, options: &PlanOptions) -> Result<Plan> {
        let (program, unit) = self.program(op, options)?;
        let bytes = program.operands.iter().map(stored_bytes);
        let cost = Cost { bytes: bytes.fold(0, u64::saturating_add), ..op.cost()? };
        Ok(Plan {
            kernels: program.steps.iter().map(|step| self.kernels.get(&self.device, program.op, step)).collect(),
            buffers: PlanBuffers::new(&self.device, &program),
            alignment: self.capabilities.limits.min_storage_buffer_offset_alignment.into(),
            backend: self.capabilities.backend,
            device: self.device.clone(),
            times: times(&program, unit),
            program,
            cost,
        })
    }

    /// The recipes that could run this op with these options on the planner's device, best first.
    pub fn recipes<O: GpuOp>(&self, op: &O, options: &PlanOptions) -> Vec<Recipe> {
        op.recipes(&self.capabilities, options)
    }
}

/// Bytes of a tensor as it is stored: an f16 has two, a texel those of its format.
fn stored_bytes(tensor: &LaidOutTensor) -> u64 {
    let Stored::Texels(pixels) = tensor.stored else {
        return (tensor.layout.len() as u64).saturating_mul(tensor.stored.bytes());
    };
    let (width, height) = pixels.format.block_dimensions();
    let shape = tensor.layout.shape();
    let [rows, columns] = [(2, height), (3, width)].map(|(axis, block)| shape[axis].div_ceil(block as usize));
    (rows * columns) as u64 * u64::from(pixels.format.block_copy_size(None).unwrap_or(4))
}
