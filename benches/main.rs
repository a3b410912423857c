//! CPU against GPU on named problems.
//!
//! `cargo bench` measures all of them with criterion, `cargo bench -- NAME` those whose name contains NAME.
//! `cargo bench -- --quick [NAME]` prints one Markdown table instead, and `--json FILE` also writes it as JSON.
//! `cargo bench -- --costs` measures planning, binding, recording and copies, and how times grow with the size.
//! `cargo bench -- --figure FILE.svg INPUT.json...` measures nothing: it draws the times in such files and in those of
//! `benches/peers`, a row for each problem. Where two files have the same measurement, the later file counts.

mod costs;
mod figure;
mod problems;
mod quick;
mod run;

use std::process::ExitCode;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use problems::{Visit, named, selects};
use run::Session;
use upconv::Gpu;
use upconv::cpu::CpuOp;
use upconv::gpu::GpuOp;

#[global_allocator]
static COUNTING: costs::Counting = costs::Counting;

/// Measures one problem with criterion.
struct Measure<'a, 'b> {
    gpu: Option<&'a Gpu>,
    group: BenchmarkGroup<'b, WallTime>,
}

impl Visit for Measure<'_, '_> {
    type Output = Result<(), String>;

    fn visit<O: GpuOp + CpuOp>(&mut self, op: &O) -> Self::Output {
        let session = Session::new(self.gpu, op)?;
        if session.recipe().is_some() {
            self.group.bench_function("gpu", |bencher| {
                bencher.iter_custom(|times| {
                    (0..times).filter_map(|_| session.gpu_time()).map(|time| time.expect("a timed run")).sum()
                });
            });
        }
        self.group.bench_function("cpu", |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| session.cpu_time().expect("a timed run")).sum());
        });
        self.group.bench_function("reference", |bencher| bencher.iter(|| session.reference()));
        Ok(())
    }
}

/// The argument that selects problems: the first word that names one and is neither an option nor the word after an
/// option.
fn filter() -> Option<String> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let plain = |at: &usize| {
        let after_option = *at > 0 && arguments[at - 1].starts_with('-') && arguments[at - 1] != "--bench";
        !arguments[*at].starts_with('-')
            && !after_option
            && named().iter().any(|(name, _)| selects(&arguments[*at], name))
    };
    (0..arguments.len()).find(plain).map(|at| arguments[at].clone())
}

fn with_criterion(gpu: Option<&Gpu>) -> Result<(), String> {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    // Criterion filters too, but only after a problem's tensors were made and uploaded.
    let filter = filter();
    for (name, problem) in named() {
        if filter.as_deref().is_some_and(|filter| !selects(filter, name)) {
            continue;
        }
        let group = criterion.benchmark_group(name);
        problem.visit(&mut Measure { gpu, group })?;
    }
    criterion.final_summary();
    Ok(())
}

fn measure(options: Option<quick::Options>) -> Result<(), String> {
    if let Some((path, inputs)) = options.as_ref().and_then(|options| options.figure.as_ref()) {
        return figure::draw(path, inputs);
    }
    let gpu = Gpu::new();
    match &gpu {
        Ok(gpu) => eprintln!("on {} ({:?}, {})", gpu.info().name, gpu.info().backend, gpu.info().driver_info),
        Err(error) => eprintln!("{error}; measuring the reference alone"),
    }
    let gpu = gpu.as_ref().ok();
    match options {
        Some(options) if options.costs => costs::tables(gpu.ok_or("--costs needs a device")?),
        Some(options) => quick::table(gpu, &options),
        None => with_criterion(gpu),
    }
}

fn main() -> ExitCode {
    match quick::Options::from_args().and_then(measure) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
