//! `--quick`: runs every problem a few times, prints one Markdown table, and writes the same as JSON.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use comfy_table::{Table, presets::ASCII_MARKDOWN};
use serde_json::{Value, json};
use upconv::cpu::CpuOp;
use upconv::gpu::GpuOp;
use upconv::{Gpu, Recipe};

use crate::problems::{Problem, Visit, named, selects};
use crate::run::Session;

/// The most multiply-adds that the reference is timed on; a larger problem is cut to a part of its output channels.
const REFERENCE_PRODUCTS: u128 = 100_000_000;

/// A problem is repeated until it took this long, eight times at most.
const TIME_PER_PROBLEM: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Options {
    filter: Option<String>,
    json: Option<PathBuf>,
    /// `--costs`: measures what there is besides the kernels, in place of the problems.
    pub costs: bool,
    /// `--figure`: the picture to draw, and the JSON files with the times to draw.
    pub figure: Option<(PathBuf, Vec<PathBuf>)>,
}

const USAGE: &str = "usage: cargo bench -- --quick [NAME] [--json FILE], --costs, or --figure FILE.svg INPUT.json...";

impl Options {
    /// `None` if no argument is ours, so that criterion takes them.
    pub fn from_args() -> Result<Option<Self>, String> {
        use lexopt::prelude::*;
        let ours = |argument: String| {
            ["--quick", "--costs", "--json", "--figure"].iter().any(|option| argument.starts_with(option))
        };
        if !std::env::args().any(ours) {
            return Ok(None);
        }
        let mut options = Self::default();
        let mut figure: Option<PathBuf> = None;
        let mut words = Vec::new();
        let mut parser = lexopt::Parser::from_env();
        let message = |error: lexopt::Error| format!("{error}; {USAGE}");
        while let Some(argument) = parser.next().map_err(message)? {
            match argument {
                // cargo adds --bench.
                Long("quick" | "bench") => {}
                Long("costs") => options.costs = true,
                Long("json") => options.json = Some(parser.value().map_err(message)?.into()),
                Long("figure") => figure = Some(parser.value().map_err(message)?.into()),
                Value(word) => words.push(word),
                other => return Err(message(other.unexpected())),
            }
        }
        match figure {
            Some(_) if words.is_empty() => return Err(format!("--figure needs files to draw; {USAGE}")),
            Some(figure) => options.figure = Some((figure, words.into_iter().map(PathBuf::from).collect())),
            None if words.len() > 1 => return Err(format!("one NAME at most; {USAGE}")),
            None => options.filter = words.pop().map(|name| name.string()).transpose().map_err(message)?,
        }
        Ok(Some(options))
    }
}

/// What was measured of one problem.
struct Measured {
    recipe: Option<Recipe>,
    gpu: Option<Duration>,
    cpu: Option<Duration>,
    flops: f64,
    bytes: f64,
}

struct TimeEngines<'a>(Option<&'a Gpu>);

impl Visit for TimeEngines<'_> {
    type Output = Result<Measured, String>;

    fn visit<O: GpuOp + CpuOp>(&mut self, op: &O) -> Self::Output {
        let session = Session::new(self.0, op)?;
        // CPU and GPU in turns, so that both see the same noise. The first run of each warms caches and is dropped.
        let (mut gpu, mut cpu) = (Vec::new(), Vec::new());
        let begin = Instant::now();
        while gpu.len() < 2 || (begin.elapsed() < TIME_PER_PROBLEM && gpu.len() < 8) {
            cpu.push(session.cpu_time()?);
            gpu.push(session.gpu_time().transpose()?);
        }
        let later = |times: Vec<Duration>| median(times.into_iter().skip(1).collect());
        Ok(Measured {
            recipe: session.recipe().cloned(),
            gpu: later(gpu.into_iter().flatten().collect()),
            cpu: later(cpu),
            flops: session.cost.flops as f64,
            bytes: session.cost.bytes as f64,
        })
    }
}

struct TimeReference;

impl Visit for TimeReference {
    type Output = Result<Duration, String>;

    fn visit<O: GpuOp + CpuOp>(&mut self, op: &O) -> Self::Output {
        let session = Session::new(None, op)?;
        let begin = Instant::now();
        session.reference();
        Ok(begin.elapsed())
    }
}

pub fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort();
    times.get(times.len() / 2).copied()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Measures and prints the table; writes the JSON file, which is opened first so that a bad path costs no time.
pub fn table(gpu: Option<&Gpu>, options: &Options) -> Result<(), String> {
    let message = |error: std::io::Error| {
        let path = options.json.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
        format!("cannot write {path}: {error}")
    };
    let file = options.json.as_ref().map(std::fs::File::create).transpose().map_err(message)?;
    let wanted = |name: &str| options.filter.as_deref().is_none_or(|filter| selects(filter, name));
    let problems: Vec<_> = named().into_iter().filter(|(name, _)| wanted(name)).collect();
    if problems.is_empty() {
        let names: Vec<_> = named().into_iter().map(|(name, _)| name).collect();
        return Err(format!("no problem of that name; there are {}", names.join(", ")));
    }
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN);
    table.set_header(["problem", "recipe", "GPU ms", "CPU ms", "reference ms", "GFLOP/s", "GB/s"]);
    let mut rows = Vec::new();
    let bar = indicatif::ProgressBar::new(problems.len() as u64)
        .with_style(indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").map_err(|e| e.to_string())?);
    for (name, problem) in problems {
        bar.set_message(name);
        let row = measure(gpu, name, &problem)?;
        table.add_row(cells(&row));
        rows.push(row);
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("{table}");
    if rows.iter().any(|row| row["reference_slice"] != 1) {
        println!("\n1/n: the reference was timed on that part of the output channels and multiplied.");
    }
    match file {
        Some(file) => serde_json::to_writer_pretty(file, &rows).map_err(|error| message(error.into())),
        None => Ok(()),
    }
}

fn measure(gpu: Option<&Gpu>, name: &str, problem: &Problem) -> Result<Value, String> {
    let message = |error: String| format!("{name}: {error}");
    let measured = problem.visit(&mut TimeEngines(gpu)).map_err(message)?;
    let (slice, divisor) = problem.reduced_to(REFERENCE_PRODUCTS);
    let reference = slice.visit(&mut TimeReference).map_err(message)? * divisor as u32;
    let per_second = |amount: f64| measured.gpu.map(|time| amount / time.as_secs_f64() / 1e9);
    Ok(json!({
        "problem": name,
        "device": gpu.map(|gpu| gpu.info().name.clone()),
        "recipe": measured.recipe.map(|recipe| recipe.to_string()),
        "gpu_ms": measured.gpu.map(milliseconds),
        "cpu_ms": measured.cpu.map(milliseconds),
        "reference_ms": milliseconds(reference),
        "reference_slice": divisor,
        "gflops": per_second(measured.flops),
        "gbps": per_second(measured.bytes),
    }))
}

fn cells(row: &Value) -> [String; 7] {
    let number = |key: &str| row[key].as_f64().map_or("-".into(), |value| format!("{value:.2}"));
    let text = |key: &str| row[key].as_str().unwrap_or("-").to_string();
    let slice = match row["reference_slice"].as_u64() {
        None | Some(1) => String::new(),
        Some(divisor) => format!(" (1/{divisor})"),
    };
    let reference = number("reference_ms") + &slice;
    [text("problem"), text("recipe"), number("gpu_ms"), number("cpu_ms"), reference, number("gflops"), number("gbps")]
}
