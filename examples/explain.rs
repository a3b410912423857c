//! Prints how a problem can be run on this device: every recipe with its workgroups, its predicted and its measured
//! time, and which one the planner chooses. `cargo run --release --example explain -- PROBLEM` takes the name of a
//! problem of the benchmark (or a part of several names), or a problem's text such as
//! `conv_transpose:n2_ic6_oc4_i5x7_k2x5_s3x2`.

#[path = "../benches/problems/mod.rs"]
mod problems;

use std::process::ExitCode;
use std::time::Duration;

use comfy_table::{Table, presets::ASCII_MARKDOWN};
use problems::{Problem, Visit, named, parse, selects};
use upconv::cpu::CpuOp;
use upconv::gpu::{GpuOp, Measured};
use upconv::{Gpu, PlanOptions};

struct Explain<'a>(&'a Gpu);

impl Visit for Explain<'_> {
    type Output = upconv::Result<()>;

    fn visit<O: GpuOp + CpuOp>(&mut self, op: &O) -> upconv::Result<()> {
        let (planner, options) = (self.0.planner(), PlanOptions::default());
        let plan = planner.plan_with(op, &options)?;
        let cost = plan.cost();
        println!("{} FLOPs, {} bytes if each tensor is read or written once", cost.flops, cost.bytes);
        let mut table = Table::new();
        table.load_preset(ASCII_MARKDOWN);
        table.set_header(["", "recipe", "workgroups", "predicted ms", "measured ms", "GFLOP/s", "GB/s"]);
        for Measured { recipe, time, predicted, workgroups, .. } in self.0.measure(op, &options)? {
            let per_second = |amount: u64| format!("{:.2}", amount as f64 / time.as_secs_f64() / 1e9);
            table.add_row([
                if recipe == *plan.recipe() { "chosen" } else { "" }.into(),
                recipe.to_string(),
                workgroups.to_string(),
                milliseconds(predicted),
                milliseconds(time),
                per_second(cost.flops),
                per_second(cost.bytes),
            ]);
        }
        println!("{table}\n");
        Ok(())
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}

/// The named problems that the argument selects, or the one that it spells out.
fn problems(argument: &str) -> Result<Vec<(String, Problem)>, String> {
    if let Some(problem) = parse(argument)? {
        return Ok(vec![(argument.into(), problem)]);
    }
    let chosen = named().into_iter().filter(|(name, _)| selects(argument, name));
    let chosen: Vec<_> = chosen.map(|(name, problem)| (name.to_string(), problem)).collect();
    let names: Vec<_> = named().into_iter().map(|(name, _)| name).collect();
    if chosen.is_empty() { Err(format!("no problem of that name; there are {}", names.join(", "))) } else { Ok(chosen) }
}

fn explain() -> Result<(), String> {
    let argument = std::env::args().nth(1).ok_or("usage: cargo run --release --example explain -- PROBLEM")?;
    let problems = problems(&argument)?;
    let gpu = Gpu::new().map_err(|error| error.to_string())?;
    println!("on {} ({:?}, {})\n", gpu.info().name, gpu.info().backend, gpu.info().driver_info);
    for (name, problem) in problems {
        println!("{name}: {problem:?}");
        problem.visit(&mut Explain(&gpu)).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match explain() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("explain: {error}");
            ExitCode::FAILURE
        }
    }
}
