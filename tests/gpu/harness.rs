//! Runs an op on a device under conditions that bring mistakes to light, and compares with the reference.
//!
//! Every buffer has guard bands before and after the slice that is bound, and every layout has an offset. Before a run,
//! whatever is not an element of a tensor holds a poison (a NaN of known bits), and outputs hold it throughout. After
//! the run, whatever is not an element of an output must still hold it.

use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::ArrayD;
use upconv::gpu::{Bindings, Bound, Dispatch, GpuOp, Shape};
use upconv::{Error, FloatType, Gpu, Op, Operand, Plan, PlanOptions, Recipe, Role, Tensor, TensorLayout, wgpu};

use crate::Row;
use crate::expected::Expected;
pub use crate::tensors::{Data, Order, Random, operands, stored_as};
use crate::tensors::{GUARD, POISON, Place, element_bytes, storage};

pub type Outcome = Result<(), String>;

/// Random inputs for an op that takes floats only.
pub fn inputs<O: Op>(op: &O, seed: &str, data: Data) -> Result<Vec<ArrayD<f32>>, String> {
    let mut random = Random::new(seed);
    let operands = op.inputs().map_err(|error| error.to_string())?;
    Ok(operands.iter().map(|operand| random.tensor(&operand.shape, data)).collect())
}

/// [`inputs`], rounded to the storage type.
fn stored<O: Op>(op: &O, seed: &str, data: Data, storage: FloatType) -> Result<Vec<Tensor>, String> {
    Ok(inputs(op, seed, data)?.into_iter().map(|tensor| stored_as(tensor, storage)).collect())
}

/// A layout for each operand; no two have the same offset.
pub fn options(operands: &[Operand], order: Order) -> PlanOptions {
    let mut options = PlanOptions::default();
    for (number, operand) in operands.iter().enumerate() {
        let offset = 3 + 2 * number;
        let layout = match operand.role {
            Role::Bias => TensorLayout::contiguous(&operand.shape).with_offset(offset),
            _ if operand.shape.len() < 3 => TensorLayout::contiguous(&operand.shape).with_offset(offset),
            // Weights take the same order as activations. NHWC frameworks order them otherwise, but any strides must
            // work.
            _ => order.place(&operand.shape, offset),
        };
        if let Some(slot) = options.layout_mut(operand.role) {
            *slot = Some(layout);
        }
    }
    options
}

/// Runs a plan on poisoned buffers and returns the elements of its outputs, or an error if an element was not written
/// or a word beside the elements was. Workspaces are poisoned too.
pub async fn run_all<O: Op>(
    gpu: &Gpu,
    op: &O,
    plan: &Plan,
    options: &PlanOptions,
    inputs: &[Tensor],
) -> Result<Vec<Tensor>, String> {
    let operands = operands(op)?;
    let (sources, outputs) = operands.split_at(inputs.len());
    let upload = |operand: &Operand, tensor| Place::new(options, operand).upload(gpu, tensor);
    let read: Vec<_> = sources.iter().zip(inputs).map(|(operand, tensor)| upload(operand, Some(tensor))).collect();
    let written: Vec<_> = outputs.iter().map(|operand| upload(operand, None)).collect();
    let scratch = |&bytes: &u64| {
        let buffer = storage(gpu, bytes);
        gpu.queue().write_buffer(&buffer, 0, &POISON.to_le_bytes().repeat(bytes as usize / 4));
        buffer
    };
    let workspaces = plan.workspaces().iter().map(scratch).collect::<Vec<_>>();
    let buffers = read.iter().chain(&written);
    let slices = buffers.map(|buffer| buffer.slice(GUARD..buffer.size() - GUARD));
    let own: Vec<_> = workspaces.iter().map(|buffer| buffer.slice(..)).collect();
    let bindings: Bindings = operands.iter().map(|operand| operand.role).zip(slices).collect();
    let bound = plan.bind(&bindings.workspaces(&own));
    submit(gpu, &bound.map_err(|error| error.to_string())?);
    let mut tensors = Vec::new();
    for (operand, buffer) in outputs.iter().zip(&written) {
        let after: Vec<u8> = gpu.download_async(buffer, 0, buffer.size()).await.map_err(|error| error.to_string())?;
        tensors.push(Place::new(options, operand).read(&after, operand.data_type, options.storage)?);
    }
    Ok(tensors)
}

/// Encodes and submits a bound plan.
pub fn submit(gpu: &Gpu, bound: &Bound) {
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    bound.encode(&mut encoder.begin_compute_pass(&Default::default()));
    gpu.queue().submit([encoder.finish()]);
}

/// [`run_all`] for an op of f32 and one output.
pub async fn run_plan<O: Op>(
    gpu: &Gpu,
    op: &O,
    plan: &Plan,
    options: &PlanOptions,
    inputs: &[ArrayD<f32>],
) -> Result<ArrayD<f32>, String> {
    let inputs: Vec<_> = inputs.iter().cloned().map(Tensor::F32).collect();
    match run_all(gpu, op, plan, options, &inputs).await?.into_iter().next() {
        Some(Tensor::F32(tensor)) => Ok(tensor),
        other => Err(format!("{other:?} is no tensor of f32")),
    }
}

/// Compares an output with the reference of these inputs.
pub fn compare<O: Op>(op: &O, inputs: &[ArrayD<f32>], output: &ArrayD<f32>, data: Data) -> Outcome {
    let inputs: Vec<_> = inputs.iter().cloned().map(Tensor::F32).collect();
    compare_all(op, &inputs, &[Tensor::F32(output.clone())], data)
}

/// Compares all outputs with the reference, as [`Expected::check`] does.
pub fn compare_all<O: Op>(op: &O, inputs: &[Tensor], outputs: &[Tensor], data: Data) -> Outcome {
    Expected::of(op, inputs)?.check(outputs, data).map(drop)
}

/// Checks an op whose sums of integers are exact under every condition: in four layouts, on integers and reals, stored
/// as f16 where the device has it, by every kind of recipe, twice, and split into several dispatches, which must give
/// the same bits.
pub async fn check<O: GpuOp>(gpu: &Gpu, op: &O, name: &str) -> Outcome {
    let conditions = [
        (Order::Nchw, Data::Integers),
        (Order::Nhwc, Data::Reals),
        (Order::RowPitch, Data::Integers),
        (Order::Interleaved, Data::Reals),
    ];
    let make = |data, storage| stored(op, name, data, storage);
    check_under(gpu, op, &conditions, &make).await
}

/// [`check`] for an op whose weights are fractions, so that results are compared within the bound.
pub async fn check_reals<O: GpuOp>(gpu: &Gpu, op: &O, name: &str) -> Outcome {
    let orders = [Order::Nchw, Order::Nhwc, Order::RowPitch, Order::Interleaved];
    let make = |data, storage| stored(op, name, data, storage);
    check_under(gpu, op, &orders.map(|order| (order, Data::Reals)), &make).await
}

/// [`check`] for an op whose inputs must not be random floats: `make` gives them. The op's results must be exact.
pub async fn check_made<O: GpuOp>(
    gpu: &Gpu,
    op: &O,
    make: &dyn Fn(Data, FloatType) -> Result<Vec<Tensor>, String>,
) -> Outcome {
    let orders = [Order::Nchw, Order::Nhwc, Order::RowPitch, Order::Interleaved];
    check_under(gpu, op, &orders.map(|order| (order, Data::Integers)), make).await
}

type Make<'a> = &'a dyn Fn(Data, FloatType) -> Result<Vec<Tensor>, String>;

async fn check_under<O: GpuOp>(gpu: &Gpu, op: &O, conditions: &[(Order, Data)], make: Make<'_>) -> Outcome {
    let operands = operands(op)?;
    for &(order, data) in conditions {
        let inputs = make(data, FloatType::F32)?;
        run_and_compare(gpu, op, &options(&operands, order), &inputs, data)
            .await
            .map_err(|error| format!("{order:?}: {error}"))?;
    }
    check_halves(gpu, op, make).await.map_err(|error| format!("f16: {error}"))?;
    check_recipes(gpu, op, Data::Reals, |storage| make(Data::Reals, storage)).await?;
    check_split(gpu, op, make, FloatType::F32).await
}

pub async fn run_and_compare<O: GpuOp>(
    gpu: &Gpu,
    op: &O,
    options: &PlanOptions,
    inputs: &[Tensor],
    data: Data,
) -> Outcome {
    let plan = gpu.planner().plan_with(op, options).map_err(|error| error.to_string())?;
    compare_all(op, inputs, &run_all(gpu, op, &plan, options, inputs).await?, data)
}

/// Runs the op on f16 tensors in an interleaved layout. A device without f16 must refuse the plan.
async fn check_halves<O: GpuOp>(gpu: &Gpu, op: &O, make: Make<'_>) -> Outcome {
    let options = PlanOptions { storage: FloatType::F16, ..options(&operands(op)?, Order::Interleaved) };
    let supports_f16 = gpu.device().features().contains(wgpu::Features::SHADER_F16);
    match gpu.planner().plan_with(op, &options) {
        Err(Error::MissingFeature { feature: "SHADER_F16", .. }) if !supports_f16 => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(_) if !supports_f16 => Err("planned without the feature".into()),
        Ok(_) => {
            run_and_compare(gpu, op, &options, &make(Data::Reals, FloatType::F16)?, Data::Reals).await?;
            check_cooperative(gpu, op, make, &options).await?;
            check_split(gpu, op, make, FloatType::F16).await
        }
    }
}

/// Runs every recipe of cooperative matrices, which only some devices and ops have.
async fn check_cooperative<O: GpuOp>(gpu: &Gpu, op: &O, make: Make<'_>, options: &PlanOptions) -> Outcome {
    let capabilities = gpu.planner().capabilities();
    let products = op
        .recipes(capabilities, &PlanOptions::stored_as(FloatType::F16))
        .into_iter()
        .filter(|recipe| recipe.shader == "conv_gemm_cooperative");
    for recipe in products {
        let named = |error| format!("{recipe}: {error}");
        let options = PlanOptions { recipe: Some(recipe.clone()), ..options.clone() };
        run_and_compare(gpu, op, &options, &make(Data::Reals, FloatType::F16)?, Data::Reals).await.map_err(named)?;
        // The first pass of a split-K recipe may be too small to be split further.
        if !recipe.shape.split_k() {
            check_split_by(gpu, op, make, FloatType::F16, &recipe)
                .await
                .map_err(|error| format!("{recipe}: {error}"))?;
        }
    }
    Ok(())
}

/// Runs the op by one recipe of each shader and shape, for f32, and for f16 if the device has it.
pub async fn check_recipes<O: GpuOp>(
    gpu: &Gpu,
    op: &O,
    data: Data,
    make: impl Fn(FloatType) -> Result<Vec<Tensor>, String>,
) -> Outcome {
    for storage in [FloatType::F32, FloatType::F16] {
        let options = PlanOptions { storage, ..options(&operands(op)?, Order::Nhwc) };
        match gpu.planner().plan_with(op, &options) {
            Err(Error::MissingFeature { .. }) => continue,
            outcome => outcome.map_err(|error| error.to_string())?,
        };
        let inputs = make(storage)?;
        let mut recipes = op.recipes(gpu.planner().capabilities(), &PlanOptions::stored_as(storage));
        recipes.dedup_by_key(|recipe| (recipe.shader, recipe.shape));
        for recipe in recipes {
            let named = |error| format!("{recipe}, {storage:?}: {error}");
            let options = PlanOptions { recipe: Some(recipe.clone()), ..options.clone() };
            run_and_compare(gpu, op, &options, &inputs, data).await.map_err(named)?;
        }
    }
    Ok(())
}

/// Many dispatches, forced by small limits on bindings and workgroups, must give the same bits as one dispatch, and so
/// must a second run. Checks the best recipe of tiles, the best of blocks, the best plain one, and the best of each
/// kind of reduction.
async fn check_split<O: GpuOp>(gpu: &Gpu, op: &O, make: Make<'_>, storage: FloatType) -> Outcome {
    let recipes = op.recipes(gpu.planner().capabilities(), &PlanOptions::default());
    let product = recipes.iter().find(|recipe| matches!(recipe.shape, Shape::Gemm { .. }));
    let blocks = recipes.iter().find(|recipe| matches!(recipe.shape, Shape::Blocks { .. }));
    let plain = recipes.iter().find(|recipe| is_plain(recipe));
    let mut reductions: Vec<_> =
        recipes.iter().filter(|recipe| matches!(recipe.shape, Shape::Reduction { .. })).collect();
    reductions.dedup_by_key(|recipe| recipe.shape);
    for recipe in product.into_iter().chain(blocks).chain(plain).chain(reductions) {
        check_split_by(gpu, op, make, storage, recipe).await.map_err(|error| format!("{recipe}: {error}"))?;
    }
    Ok(())
}

async fn check_split_by<O: GpuOp>(gpu: &Gpu, op: &O, make: Make<'_>, storage: FloatType, recipe: &Recipe) -> Outcome {
    let (operands, inputs) = (operands(op)?, make(Data::Reals, storage)?);
    let text = |error: Error| error.to_string();
    let by = |recipe: Recipe| PlanOptions { storage, recipe: Some(recipe), ..options(&operands, Order::Nchw) };
    let options = by(recipe.clone());
    let plan = gpu.planner().plan_with(op, &options).map_err(text)?;
    let whole = run_all(gpu, op, &plan, &options, &inputs).await?;
    if bits(&whole) != bits(&run_all(gpu, op, &plan, &options, &inputs).await?) {
        return Err("two runs gave different bits".into());
    }
    let count = |operand: &Operand| operand.shape.iter().product::<usize>() as u64;
    let bytes = |operand: &Operand| count(operand) * element_bytes(operand, storage) as u64;
    let largest = operands.iter().map(bytes).max().unwrap_or(0);
    // A plain recipe is split with workgroups of one thread, any other with its own workgroups.
    let plain = is_plain(recipe);
    let mut options = options;
    if let (true, Some(recipe)) = (plain, &mut options.recipe) {
        recipe.workgroup_size = 1;
    }
    let workgroups = |dispatch: &&Dispatch| u64::from(dispatch.workgroups[0]) * u64::from(dispatch.workgroups[1]);
    let work = if plain { count(&op.output().map_err(text)?) } else { plan.dispatches().iter().map(workgroups).sum() };
    let mut per_dimension = ((work / 4).isqrt() as u32).max(1);
    // A binding holds half the largest tensor, and 512 bytes more for the alignment; a grid holds a quarter of the
    // work.
    let mut binding = (largest / 2).next_multiple_of(4) + 512;
    let split = loop {
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: binding,
            max_compute_workgroups_per_dimension: per_dimension,
            ..gpu.device().limits()
        };
        match gpu.planner().limited_to(&limits).plan_with(op, &options) {
            // Each phase of a single output may be a workgroup of its own, so that dispatches must be larger.
            Err(Error::TooManyDispatches { .. }) if !plain => per_dimension *= 2,
            // Sums stored as f16 cannot be split; a split-K recipe keeps partial sums in f32.
            Err(Error::BindingTooSmall { .. }) if storage == FloatType::F16 && with_split_k(&options).is_some() => {
                options = with_split_k(&options).unwrap_or(options);
            }
            // The channels that a product sums in one step need a larger binding; then only its rows and columns are
            // split.
            Err(Error::BindingTooSmall { needed, .. }) if !plain => binding = binding.max(needed),
            outcome => break outcome.map_err(text)?,
        }
    };
    let dispatches = split.dispatches().len();
    if !plain {
        PRODUCT_SPLITS[usize::from(dispatches > plan.dispatches().len())].fetch_add(1, Ordering::Relaxed);
    }
    if work > u64::from(per_dimension).pow(2) && dispatches <= plan.dispatches().len() {
        return Err("was not split".into());
    }
    let parts = run_all(gpu, op, &split, &options, &inputs).await.map_err(|error| format!("split: {error}"))?;
    if bits(&whole) == bits(&parts) { Ok(()) } else { Err(format!("{dispatches} dispatches gave other bits than one")) }
}

/// Recipes of tiles and blocks that [`check_split`] ran: how many were too small to be split, and how many were split.
pub static PRODUCT_SPLITS: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

/// Whether every output has a thread of its own.
fn is_plain(recipe: &Recipe) -> bool {
    !matches!(recipe.shape, Shape::Gemm { .. } | Shape::Blocks { .. } | Shape::Reduction { .. })
}

/// The options with the recipe's split-K variant, whose partial sums are in an f32 workspace; `None` if there is no
/// other.
fn with_split_k(options: &PlanOptions) -> Option<PlanOptions> {
    let mut recipe = options.recipe.clone()?;
    recipe.shape = recipe.shape.with_split_k().filter(|shape| *shape != recipe.shape)?;
    Some(PlanOptions { recipe: Some(recipe), ..options.clone() })
}

fn bits(tensors: &[Tensor]) -> Vec<u32> {
    let of = |tensor: &Tensor| -> Vec<u32> {
        match tensor {
            Tensor::F32(tensor) => tensor.iter().map(|value| value.to_bits()).collect(),
            Tensor::F16(tensor) => tensor.iter().map(|value| value.to_bits().into()).collect(),
            Tensor::I32(tensor) => tensor.iter().map(|&value| value as u32).collect(),
            other => unreachable!("{other:?} is new to the tests"),
        }
    };
    tensors.iter().flat_map(of).collect()
}

/// Tests the harness itself: it notices an element left unwritten, and a word written beside the elements.
pub fn rows() -> Vec<Row> {
    vec![Row::new("what goes wrong is noticed", async move |_| {
        let place = Place { layout: Order::RowPitch.place(&[1, 1, 2, 3], 5), element: 4 };
        let tensor = Random::new("harness").tensor(place.layout.shape(), Data::Integers);
        let right = place.bits(Some(&Tensor::F32(tensor.clone())));
        let base = GUARD as usize / 4 + place.layout.offset();
        let spoiled = |at: usize, word: u32| {
            let mut words = right.clone();
            words[at] = word;
            place.take_apart(bytemuck::cast_slice(&words))
        };
        if place.take_apart(bytemuck::cast_slice(&right))?.mapv(f32::from_bits) != tensor {
            return Err("a right output is taken apart wrongly".into());
        }
        let beside = [base - 1, base + 3, 0, right.len() - 1];
        let noticed = spoiled(base + 1, POISON).is_err() && beside.iter().all(|&at| spoiled(at, 0).is_err());
        if noticed { Ok(()) } else { Err("a stray or a missing write was not noticed".into()) }
    })]
}
