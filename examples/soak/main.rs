//! Runs random small problems of every op, by random recipes, layouts, storage types and limits, on every adapter, and
//! compares each with the reference, for as long as it is told to.

mod batch;
mod case;
#[path = "../common/mod.rs"]
mod common;
#[path = "../../tests/common/draws.rs"]
mod draws;
#[path = "../../tests/gpu/expected.rs"]
mod expected;
mod report;
#[allow(dead_code, reason = "the rest is for the tests")]
#[path = "../../tests/gpu/tensors.rs"]
mod tensors;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use case::Case;
use report::Report;
use upconv::{Gpu, wgpu};

const USAGE: &str = "usage: soak [--minutes M | --cases N] [--seed N] [--case K] [--op NAME] [--adapter NAME]";

/// Cases of one submission.
const BATCH: u64 = 96;

/// Failures after which it stops.
const MAX_FAILURES: usize = 20;

struct Arguments {
    time: Duration,
    cases: u64,
    seed: u64,
    /// The only case to run.
    case: Option<u64>,
    op: Option<String>,
    /// A part of the adapter's name or back end.
    adapter: Option<String>,
}

fn arguments() -> Result<Option<Arguments>, String> {
    use lexopt::prelude::*;
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let time = Duration::from_secs(60);
    let mut arguments = Arguments { time, cases: u64::MAX, seed: seconds, case: None, op: None, adapter: None };
    let mut parser = lexopt::Parser::from_env();
    let message = |error: lexopt::Error| format!("{error}; {USAGE}");
    while let Some(argument) = parser.next().map_err(message)? {
        match argument {
            Long("minutes") => {
                let minutes: f64 = parser.value().and_then(|value| value.parse()).map_err(message)?;
                arguments.time = Duration::try_from_secs_f64(60.0 * minutes).map_err(|error| error.to_string())?;
            }
            Long("cases") => {
                arguments.cases = parser.value().and_then(|value| value.parse()).map_err(message)?;
                arguments.time = Duration::MAX;
            }
            Long("seed") => arguments.seed = parser.value().and_then(|value| value.parse()).map_err(message)?,
            Long("case") => arguments.case = Some(parser.value().and_then(|value| value.parse()).map_err(message)?),
            Long("op") => arguments.op = Some(parser.value().and_then(|value| value.parse()).map_err(message)?),
            Long("adapter") => {
                arguments.adapter = Some(parser.value().and_then(|value| value.parse()).map_err(message)?)
            }
            Long("help") | Short('h') => return Ok(None),
            other => return Err(message(other.unexpected())),
        }
    }
    match &arguments.op {
        Some(op) if !draws::OPS.contains(&op.as_str()) => {
            Err(format!("there is no op {op:?}; there are {}", draws::OPS.join(", ")))
        }
        _ => Ok(Some(arguments)),
    }
}

/// An adapter to test.
struct Adapter {
    gpu: Gpu,
    name: String,
    /// OpenGL has one context, for which wgpu waits only a few seconds.
    alone: Option<Mutex<()>>,
}

fn adapters(arguments: &Arguments) -> Result<Vec<Adapter>, String> {
    let named = |gpu: Gpu| {
        let info = gpu.info();
        let name = format!("{} ({:?})", info.name.split(" (").next().unwrap_or_default(), info.backend);
        let alone = (info.backend == wgpu::Backend::Gl).then(Mutex::default);
        Adapter { gpu, name, alone }
    };
    let mut all: Vec<_> = Gpu::all().map_err(|error| error.to_string())?.into_iter().map(named).collect();
    if let Some(part) = &arguments.adapter {
        all.retain(|adapter| adapter.name.to_lowercase().contains(&part.to_lowercase()));
    }
    if all.is_empty() { Err("no such adapter answers".into()) } else { Ok(all) }
}

/// Runs a range of cases on every adapter.
fn run_batch(adapters: &[Adapter], arguments: &Arguments, numbers: std::ops::Range<u64>, report: &Report) {
    let drawn = |number| Some((number, case::case(arguments.seed, number, arguments.op.as_deref())?));
    let cases: Vec<(u64, Box<dyn Case>)> = numbers.filter_map(drawn).collect();
    let all: Vec<&dyn Case> = cases.iter().map(|(_, case)| &**case).collect();
    for adapter in adapters {
        let outcomes = {
            let _guard = adapter.alone.as_ref().map(|one| one.lock().unwrap_or_else(PoisonError::into_inner));
            batch::run(&adapter.gpu, &all)
        };
        for ((number, case), outcome) in cases.iter().zip(&outcomes) {
            report.add(&adapter.name, *number, &**case, outcome);
        }
    }
}

/// Runs one case and prints all that there is to know of it.
fn run_case(adapters: &[Adapter], arguments: &Arguments, number: u64) -> Result<(), String> {
    let case = case::case(arguments.seed, number, None).ok_or("there is no such case")?;
    println!("{}\n{}", case.problem(), case.details());
    let mut failed = 0;
    for adapter in adapters {
        match &batch::run(&adapter.gpu, &[&*case])[0] {
            Ok(ran) => println!(
                "{}: {} in {} dispatches, lower limits refused {} times: error {:.4} of its bound",
                adapter.name, ran.recipe, ran.dispatches, ran.refused, ran.worst
            ),
            Err(error) => {
                failed += 1;
                println!("{}: {error}", adapter.name);
            }
        }
    }
    if failed == 0 { Ok(()) } else { Err(format!("case {number} of seed {} fails", arguments.seed)) }
}

fn run(arguments: Arguments) -> Result<(), String> {
    let adapters = adapters(&arguments)?;
    if let Some(number) = arguments.case {
        return run_case(&adapters, &arguments, number);
    }
    let (seed, next, start) = (arguments.seed, AtomicU64::new(0), Instant::now());
    let names: Vec<_> = adapters.iter().map(|adapter| adapter.name.as_str()).collect();
    println!("seed {seed} on {}", names.join(", "));
    let report = Report::new(seed);
    // With a filter, most numbers have no case.
    let step = if arguments.op.is_some() { BATCH * draws::OPS.len() as u64 } else { BATCH };
    let work = || {
        while start.elapsed() < arguments.time && report.failures() < MAX_FAILURES {
            let first = next.fetch_add(step, Ordering::Relaxed);
            if first >= arguments.cases {
                break;
            }
            run_batch(&adapters, &arguments, first..(first + step).min(arguments.cases), &report);
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    let outcome = report.finish();
    // Some drivers crash when a device is destroyed at exit.
    std::mem::forget(adapters);
    outcome
}

fn main() -> ExitCode {
    common::end("soak", USAGE, arguments(), run)
}
