//! Compiles pipelines and runs nothing, for `benches/isa/run`.
//!
//!     upconv-isa recipes [PART]           every recipe of the named problems whose names contain PART
//!     upconv-isa wgsl FILE CHECKS [NAME=VALUE]...
//!                                         one shader with these constants and these of naga's checks
//!
//! What the layer (`layer.c`) prints of a pipeline on standard error stands between the lines `#@ TITLE` and `#@ end`.
//! A recipe whose pipelines were all compiled before has nothing there. Standard output has the adapter in its first
//! line, then the recipe that each problem would be run by.

#[path = "../../problems/mod.rs"]
mod problems;

use std::collections::HashSet;

use problems::Visit;
use upconv::cpu::CpuOp;
use upconv::gpu::{GpuOp, Planner};
use upconv::{FloatType, Gpu, PlanOptions, Recipe};

struct Recipes<'a> {
    planner: &'a Planner,
    /// The problem's name.
    name: &'a str,
    storage: FloatType,
    storage_name: &'static str,
}

impl Visit for Recipes<'_> {
    type Output = ();

    fn visit<O: GpuOp + CpuOp>(&mut self, op: &O) {
        let Self { planner, name, storage, storage_name } = *self;
        let options = PlanOptions { storage, ..Default::default() };
        let plan =
            |recipe: &Recipe| planner.plan_with(op, &PlanOptions { recipe: Some(recipe.clone()), ..options.clone() });
        // f16 storage changes loads and stores alone, but for cooperative matrices.
        let is_counted = |recipe: &Recipe| storage == FloatType::F32 || recipe.shader.contains("cooperative");
        let recipes = planner.recipes(op, &options);
        // A plain recipe comes in several sizes of workgroup. Split-K has the same code, and another pass.
        let mut seen = HashSet::new();
        for recipe in recipes.iter().filter(|recipe| is_counted(recipe) && !recipe.shape.split_k()) {
            if seen.insert((recipe.shader, recipe.shape)) {
                eprintln!("#@ {name} | {storage_name} | {recipe}");
                if let Err(error) = plan(recipe) {
                    eprintln!("#! {error}");
                }
                eprintln!("#@ end");
            }
        }
        let Some(chosen) = recipes.first().filter(|recipe| is_counted(recipe)) else { return };
        let workgroups = plan(chosen).map(|plan| {
            plan.dispatches().iter().map(|dispatch| dispatch.workgroups.map(u64::from)).map(|[x, y]| x * y).sum::<u64>()
        });
        match workgroups {
            Ok(workgroups) => println!("{name} | {storage_name} | {chosen} | {workgroups} workgroups"),
            Err(error) => println!("{name} | {storage_name} | {chosen} | {error}"),
        }
    }
}

fn recipes(gpu: &Gpu, part: &str) {
    for (name, problem) in problems::named().iter().filter(|(name, _)| problems::selects(part, name)) {
        for (storage, storage_name) in [(FloatType::F32, "f32"), (FloatType::F16, "f16")] {
            problem.visit(&mut Recipes { planner: gpu.planner(), name, storage, storage_name });
        }
    }
}

fn wgsl(gpu: &Gpu, file: &str, checks_name: &str, constants: &[String]) {
    let text = std::fs::read_to_string(file).expect("a readable shader");
    let constants: Vec<(&str, f64)> = constants
        .iter()
        .map(|constant| constant.split_once('=').expect("NAME=VALUE"))
        .map(|(name, value)| (name, value.parse().expect("a number")))
        .collect();
    let mut checks = wgpu::ShaderRuntimeChecks::checked();
    match checks_name {
        "checked" => {}
        "unbounded loops" => checks.force_loop_bounding = false,
        "unchecked indices" => checks.bounds_checks = false,
        "unchecked" => checks = wgpu::ShaderRuntimeChecks::unchecked(),
        _ => panic!("no checks are called {checks_name}"),
    }
    let descriptor = wgpu::ShaderModuleDescriptor { label: None, source: wgpu::ShaderSource::Wgsl(text.into()) };
    let device = gpu.device();
    let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
    eprintln!("#@ {file} | {checks_name} | {constants:?}");
    // SAFETY: the shader is compiled and never run.
    let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
    let _pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &constants,
            zero_initialize_workgroup_memory: false,
        },
        cache: None,
    });
    if let Some(error) = pollster::block_on(scope.pop()) {
        eprintln!("#! {error}");
    }
    eprintln!("#@ end");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let gpu = Gpu::new().expect("an adapter");
    let info = gpu.info();
    println!("{} | {} | {}", info.name, info.driver, info.driver_info);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["recipes"] => recipes(&gpu, ""),
        ["recipes", part] => recipes(&gpu, part),
        ["wgsl", file, checks, ..] => wgsl(&gpu, file, checks, &arguments[3..]),
        _ => panic!("recipes [PART] | wgsl FILE CHECKS [NAME=VALUE]..."),
    }
}
