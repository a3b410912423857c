//! The embedding contract: what is refused when binding, and that encoding records and does nothing else.

use upconv::gpu::{Bindings, GpuOp, required_limits};
use upconv::{
    ConvTranspose2d, Error, FloatType, Gpu, Plan, PlanOptions, Recipe, RecipeError, TensorLayout, Upsample2d, wgpu,
};
use wgpu::BufferUsages;

use crate::Row;
use crate::harness::{Outcome, submit};
use crate::problems::Fields;
use crate::tensors::storage;

const PROBLEM: &str = "ic2_oc3_i4x5_k3x2_s2x3";
const SIZES: [u64; 3] = [2 * 4 * 5 * 4, 2 * 3 * 3 * 2 * 4, 3 * 9 * 14 * 4];

fn text(error: Error) -> String {
    error.to_string()
}

fn plan(gpu: &Gpu) -> Result<Plan, String> {
    gpu.planner().plan(&problem()).map_err(text)
}

fn problem() -> ConvTranspose2d {
    Fields::parse(PROBLEM).conv_transpose()
}

fn buffer(gpu: &Gpu, size: u64, usage: BufferUsages) -> wgpu::Buffer {
    gpu.device().create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
}

fn buffers(gpu: &Gpu) -> [wgpu::Buffer; 3] {
    SIZES.map(|size| buffer(gpu, size, BufferUsages::STORAGE))
}

fn expect(outcome: Result<upconv::gpu::Bound, Error>, expected: Error) -> Outcome {
    match outcome {
        Err(error) if error == expected => Ok(()),
        other => Err(format!("{other:?} where {expected:?} was expected")),
    }
}

async fn refusals(gpu: &Gpu) -> Outcome {
    let (plan, [x, w, y]) = (plan(gpu)?, buffers(gpu));
    let bind = |x: wgpu::BufferSlice<'_>, y: wgpu::BufferSlice<'_>| {
        plan.bind(&Bindings::new().input(x).weight(w.slice(..)).output(y))
    };

    let small = buffer(gpu, SIZES[0] - 4, BufferUsages::STORAGE);
    let too_small = Error::BufferTooSmall { operand: "input", needed: SIZES[0], available: SIZES[0] - 4 };
    expect(bind(small.slice(..), y.slice(..)), too_small)?;

    let large = buffer(gpu, 8192, BufferUsages::STORAGE);
    let alignment = u64::from(gpu.device().limits().min_storage_buffer_offset_alignment);
    let misaligned = Error::Misaligned { operand: "output", offset: alignment / 2, alignment };
    expect(bind(x.slice(..), large.slice(alignment / 2..)), misaligned)?;
    bind(x.slice(..), large.slice(alignment..)).map_err(text)?;

    let copy_only = buffer(gpu, SIZES[0], BufferUsages::COPY_DST);
    expect(bind(copy_only.slice(..), y.slice(..)), Error::MissingUsage { operand: "input", usage: "STORAGE" })?;

    let aliased = bind(large.slice(..1024), large.slice(1024..));
    expect(aliased, Error::Aliased { operand: "input", output: "output" })?;

    let few = Bindings::new().input(x.slice(..)).output(y.slice(..));
    expect(plan.bind(&few), Error::NotBound { op: "conv_transpose", operand: "weight" })?;
    let many = few.weight(w.slice(..)).bias(w.slice(..));
    expect(plan.bind(&many), Error::UnknownOperand { op: "conv_transpose", operand: "bias" })
}

/// The counters of everything that encoding might create; all zero if wgpu was built without them.
fn counters(gpu: &Gpu) -> [isize; 9] {
    let hal = gpu.device().get_internal_counters().hal;
    [
        hal.buffers.read(),
        hal.buffer_memory.read(),
        hal.memory_allocations.read(),
        hal.bind_groups.read(),
        hal.bind_group_layouts.read(),
        hal.compute_pipelines.read(),
        hal.pipeline_layouts.read(),
        hal.shader_modules.read(),
        hal.command_encoders.read(),
    ]
}

/// Encodes a hundred times into one pass of a device that nothing else uses: every counter stays as it was. The encoder
/// is then dropped without a submission, and the output keeps its bytes.
async fn encoding_creates_nothing(gpu: &Gpu) -> Outcome {
    let own = Fresh::new(gpu).await?;
    let (plan, [x, w, _]) = (plan(&own.0)?, buffers(&own.0));
    let y = storage(&own.0, SIZES[2]);
    let poison = vec![0x7fu8; SIZES[2] as usize];
    own.0.queue().write_buffer(&y, 0, &poison);
    let bound = plan.bind(&Bindings::new().input(x.slice(..)).weight(w.slice(..)).output(y.slice(..))).map_err(text)?;
    let mut encoder = own.0.device().create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    let before = counters(&own.0);
    for _ in 0..100 {
        bound.encode(&mut pass);
    }
    let after = counters(&own.0);
    drop(pass);
    drop(encoder);
    if before != after {
        return Err(format!("the counters moved from {before:?} to {after:?}"));
    }
    // Counting works: the buffers and the pipeline of this plan are in the counters.
    if gpu.info().backend == wgpu::Backend::Vulkan && (before[0] < 5 || before[5] < 1) {
        return Err(format!("the counters count nothing: {before:?}"));
    }
    let left: Vec<u8> = own.0.download_async(&y, 0, SIZES[2]).await.map_err(text)?;
    if left == poison { Ok(()) } else { Err("encoding ran something".into()) }
}

/// A second device of the same adapter.
pub struct Fresh(pub Gpu);

impl Fresh {
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn new(gpu: &Gpu) -> Result<Self, String> {
        let all = Gpu::all().map_err(text)?;
        let same = |other: &Gpu| (&other.info().name, other.info().backend) == (&gpu.info().name, gpu.info().backend);
        all.into_iter().find(same).map(Self).ok_or_else(|| "the adapter is gone".into())
    }

    /// A browser always gives the same adapter.
    #[cfg(target_arch = "wasm32")]
    pub async fn new(_: &Gpu) -> Result<Self, String> {
        Gpu::request().await.map(Self).map_err(text)
    }
}

async fn recipes(gpu: &Gpu) -> Outcome {
    let forced = |recipe: Recipe| {
        let options = PlanOptions { recipe: Some(recipe), ..Default::default() };
        gpu.planner().plan_with(&problem(), &options).map(|plan| plan.recipe().clone())
    };
    let gather = |workgroup_size| Recipe::plain("conv_transpose_gather", workgroup_size);
    for recipe in problem().recipes(gpu.planner().capabilities(), &PlanOptions::default()) {
        if forced(recipe.clone()) != Ok(recipe.clone()) {
            return Err(format!("{recipe} was not taken"));
        }
    }
    let what = "max_compute_invocations_per_workgroup";
    let refused = RecipeError::Refused { recipe: gather(4096).to_string(), what, needed: 4096, available: 256 };
    let refused = Error::Recipe(refused);
    let unknown = Recipe::plain("conv_direct", 64);
    let missing = |error: &Error| match error {
        Error::Recipe(RecipeError::Unknown { op: "conv_transpose", offered, .. }) => {
            offered.iter().any(|recipe| recipe.starts_with("conv_transpose_gather "))
        }
        _ => false,
    };
    match (forced(gather(4096)), forced(unknown)) {
        (Err(first), Err(second)) if first == refused && missing(&second) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// A recipe of subgroups is taken where all subgroups have 8 threads or more, and elsewhere, as in every browser,
/// refused with the reason.
async fn subgroups(gpu: &Gpu) -> Outcome {
    let up = Fields::<2>::parse("ic64_oc64_i16x16_k4x4_s2x2_p1x1").conv_transpose();
    let own = gpu.planner().capabilities();
    let [smallest, largest] = own.subgroup_sizes;
    let mut capable = own.clone();
    capable.features |= wgpu::Features::SUBGROUP;
    capable.subgroup_sizes = [largest.max(8); 2];
    capable.backend = wgpu::Backend::Vulkan;
    let recipes = up.recipes(&capable, &PlanOptions::default());
    let recipe = recipes.into_iter().find(|recipe| recipe.shader == "conv_gemm_subgroup").ok_or("no such recipe")?;
    let options = PlanOptions { recipe: Some(recipe.clone()), ..Default::default() };
    let has = own.features.contains(wgpu::Features::SUBGROUP);
    match gpu.planner().plan_with(&up, &options) {
        Ok(plan) if has && *plan.recipe() == recipe => Ok(()),
        Err(Error::Recipe(RecipeError::Refused { what: "subgroup_min_size", .. })) if has && smallest < 8 => Ok(()),
        Err(Error::MissingFeature { what: "conv_gemm_subgroup", feature: "SUBGROUP" }) if !has => Ok(()),
        Err(Error::Recipe(RecipeError::Unknown { .. })) if own.backend == wgpu::Backend::Gl => Ok(()),
        other => Err(format!("{:?}", other.map(|plan| plan.recipe().clone()))),
    }
}

async fn layouts(gpu: &Gpu) -> Outcome {
    let plan = |options: PlanOptions| gpu.planner().plan_with(&problem(), &options).map(|_| ());
    let overlapping = TensorLayout::new(&[1, 3, 9, 14], &[0, 100, 14, 1], 0).map_err(text)?;
    let wrong = TensorLayout::contiguous(&[1, 3, 9, 15]);
    let bias = TensorLayout::contiguous(&[3]);
    let outcomes = [
        plan(PlanOptions { output: Some(overlapping), ..Default::default() }),
        plan(PlanOptions { output: Some(wrong), ..Default::default() }),
        plan(PlanOptions { bias: Some(bias), ..Default::default() }),
    ];
    match outcomes {
        [
            Err(Error::LayoutOverlap { .. }),
            Err(Error::Shape { operand: "output", .. }),
            Err(Error::UnknownOperand { operand: "bias", .. }),
        ] => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// [`required_limits`] asks for the defaults, and for a larger buffer where a tensor needs one.
async fn limits(_: &Gpu) -> Outcome {
    let small = required_limits(&problem(), &PlanOptions::default()).map_err(text)?;
    let up = Upsample2d { input_size: [9, 9], output_size: [9000, 9000], ..Default::default() };
    let large = required_limits(&up, &PlanOptions::default()).map_err(text)?;
    let expected = wgpu::Limits { max_buffer_size: 9000 * 9000 * 4, ..Default::default() };
    if small == wgpu::Limits::default() && large == expected { Ok(()) } else { Err(format!("{small:?} {large:?}")) }
}

/// The caller's workspaces must be as many as the plan needs, large enough, and in buffers that no other operand uses.
async fn workspaces(gpu: &Gpu) -> Outcome {
    let conv = Fields::<2>::parse("ic1_oc1_i60x60_k3x3").conv();
    let weight = conv.grad_weight().map_err(text)?;
    let plan = gpu.planner().plan_with(&weight, &PlanOptions::default()).map_err(text)?;
    let [needed] = *plan.workspaces() else { return Err(format!("{:?}", plan.workspaces())) };
    let [x, g, y] = [3600 * 4, 58 * 58 * 4, 36].map(|size| buffer(gpu, size, BufferUsages::STORAGE));
    let bindings = Bindings::new().input(x.slice(..)).grad_output(g.slice(..)).output(y.slice(..));
    let bind = |workspaces: &[wgpu::BufferSlice<'_>]| plan.bind(&bindings.clone().workspaces(workspaces));
    let [small, enough] = [needed - 4, needed].map(|size| buffer(gpu, size, BufferUsages::STORAGE));
    let too_small = Error::BufferTooSmall { operand: "workspace", needed, available: needed - 4 };
    expect(bind(&[small.slice(..)]), too_small)?;
    let two = bind(&[enough.slice(..), small.slice(..)]);
    expect(two, Error::WorkspaceCount { op: "conv_weight_grad", expected: 1, actual: 2 })?;
    let large = buffer(gpu, 3600 * 4 + needed.next_multiple_of(256) + 256, BufferUsages::STORAGE);
    let shared = bindings.clone().input(large.slice(..3600 * 4)).workspaces(&[large.slice(14592..)]);
    expect(plan.bind(&shared), Error::Aliased { operand: "input", output: "workspace" })?;
    bind(&[enough.slice(..)]).map_err(text)?;
    bind(&[]).map(|_| ()).map_err(text)
}

/// In a plan's cost, an f16 counts as two bytes.
async fn cost_of_halves(gpu: &Gpu) -> Outcome {
    let up = Upsample2d { input_size: [3, 3], output_size: [6, 6], ..Default::default() };
    let cost =
        |storage| gpu.planner().plan_with(&up, &PlanOptions { storage, ..Default::default() }).map(|plan| plan.cost());
    match (cost(FloatType::F32).map_err(text)?.bytes, cost(FloatType::F16)) {
        (180, Ok(halves)) if halves.bytes == 90 => Ok(()),
        (180, Err(Error::MissingFeature { .. })) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// A tensor at any byte of a larger buffer is found by the slice and the layout that the planner gives.
async fn offsets(gpu: &Gpu) -> Outcome {
    let up = Upsample2d { input_size: [2, 3], output_size: [2, 3], ..Default::default() };
    let numbers: Vec<f32> = (0..600u16).map(f32::from).collect();
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
    let (all, out) = (buffer(gpu, 2400, usage), buffer(gpu, 2400, usage));
    gpu.queue().write_buffer(&all, 0, bytemuck::cast_slice(&numbers));
    let planner = gpu.planner();
    for (from, to) in [(0, 4), (252, 1020), (256, 260), (1028, 0), (2376, 2376)] {
        let layout = TensorLayout::contiguous(&[1, 1, 2, 3]);
        let (input, from_layout) = planner.slice_at(&all, from, layout.clone(), 4).map_err(text)?;
        let (output, to_layout) = planner.slice_at(&out, to, layout, 4).map_err(text)?;
        let options = PlanOptions { input: Some(from_layout), output: Some(to_layout), ..Default::default() };
        let plan = planner.plan_with(&up, &options).map_err(text)?;
        submit(gpu, &plan.bind(&Bindings::new().input(input).output(output)).map_err(text)?);
        let copied: Vec<f32> = gpu.download_async(&out, to, 24).await.map_err(text)?;
        let first = from as usize / 4;
        if copied != numbers[first..first + 6] {
            return Err(format!("from byte {from} to byte {to}: {copied:?}"));
        }
    }
    let at = |byte, bytes| planner.slice_at(&all, byte, TensorLayout::contiguous(&[6]), bytes).map(|_| ());
    let refused = [
        (at(2380, 4), Error::BufferTooSmall { operand: "slice_at", needed: 2404, available: 2400 }),
        (at(6, 4), Error::NotDivisible { what: "the tensor's first byte", value: 6, by: 4 }),
        (at(u64::MAX - 3, 4), Error::BufferTooSmall { operand: "slice_at", needed: u64::MAX, available: 2400 }),
        (at(0, 0), Error::ZeroCount { what: "element_bytes" }),
    ];
    match refused.into_iter().find(|(outcome, expected)| outcome.as_ref() != Err(expected)) {
        Some((outcome, expected)) => Err(format!("{outcome:?} where {expected:?} was expected")),
        None => Ok(()),
    }
}

pub fn rows() -> Vec<Row> {
    vec![
        Row::new("workspaces are checked", workspaces),
        Row::new("an f16 has two bytes", cost_of_halves),
        Row::new("bad slices are refused with their numbers", refusals),
        Row::new("encoding creates nothing and runs nothing", encoding_creates_nothing),
        Row::new("a recipe is forced or refused", recipes),
        Row::new("a recipe of subgroups is taken or refused", subgroups),
        Row::new("bad layouts are refused", layouts),
        Row::new("a tensor at any byte of a buffer", offsets),
        Row::new("required limits", limits),
    ]
}
