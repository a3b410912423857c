//! upconv and burn on the same problems, in turns: `cargo run --release -- [gpu | cpu] [NAME]`.
//!
//! The GPU's times are those of the host: from the submission to the end, as burn gives no others; burn's tuning, which
//! its first runs make, is not counted. The CPU's are of `upconv::cpu` and burn's flex. burn runs in a process of its own,
//! which is stopped while ours is measured: one of its threads waits in a loop and would take a core from us.

#[path = "../../problems/mod.rs"]
mod problems;
#[path = "../../run.rs"]
#[allow(dead_code)]
mod run;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use burn::tensor::module::{conv_transpose2d, conv2d, interpolate};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, DeviceKind, Distribution, Tensor};
use problems::{Problem, Visit, named, selects};
use run::Session;
use upconv::cpu::CpuOp;
use upconv::gpu::GpuOp;
use upconv::{Gpu, Padding};

/// Runs of each that are measured, and those before.
const RUNS: usize = 7;
const WARMING: usize = 3;

/// burn in its process.
struct Peer {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    fn start(mode: &str) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(told)?;
        let mut command = Command::new(program);
        let mut process = command.args(["serve", mode]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(told)?;
        let answers = BufReader::new(process.stdout.take().ok_or("no output")?);
        Ok(Self { process, answers })
    }

    /// A line there and a line back.
    fn ask(&mut self, question: &str) -> Result<String, String> {
        let input = self.process.stdin.as_mut().ok_or("no input")?;
        writeln!(input, "{question}").and_then(|()| input.flush()).map_err(told)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(told)?;
        Ok(answer.trim().into())
    }

    fn signal(&self, signal: &str) -> Result<(), String> {
        Command::new("kill").args([signal, &self.process.id().to_string()]).status().map(|_| ()).map_err(told)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

/// The process that runs burn: a problem's name is answered with `ready` or `none`, `go` with the nanoseconds of a run.
fn serve(mode: &str) -> Result<(), String> {
    let device = if mode == "gpu" { Device::wgpu(DeviceKind::DefaultDevice) } else { Device::flex() };
    let mut run: Option<Box<dyn Fn()>> = None;
    for line in std::io::stdin().lines() {
        let line = line.map_err(told)?;
        if line == "go" {
            let begin = Instant::now();
            run.as_ref().ok_or("no problem yet")?();
            println!("{}", begin.elapsed().as_nanos());
            continue;
        }
        let problem = named().into_iter().find(|(name, _)| *name == line).ok_or("no such problem")?.1;
        run = peer(&problem, &device);
        // It tunes itself in its first runs.
        run.iter().for_each(|run| (0..WARMING).for_each(|_| run()));
        println!("{}", if run.is_some() { "ready" } else { "none" });
    }
    Ok(())
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

struct InTurns<'a>(Option<&'a Gpu>, &'a mut Peer);

impl Visit for InTurns<'_> {
    type Output = Result<[Duration; 2], String>;

    /// The medians of ours and of the peer's.
    fn visit<O: GpuOp + CpuOp>(&mut self, op: &O) -> Self::Output {
        let session = Session::new(self.0, op)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for run in 0..RUNS + WARMING {
            self.1.signal("-STOP")?;
            let own = match self.0 {
                Some(_) => session.wall_time().transpose()?.unwrap_or_default(),
                None => session.cpu_time()?,
            };
            self.1.signal("-CONT")?;
            let peer = Duration::from_nanos(self.1.ask("go")?.parse().map_err(told)?);
            if run >= WARMING {
                ours.push(own);
                theirs.push(peer);
            }
        }
        Ok([ours, theirs].map(|mut times| {
            times.sort();
            times[times.len() / 2]
        }))
    }
}

/// The same problem for burn: a run to its end.
fn peer(problem: &Problem, device: &Device) -> Option<Box<dyn Fn()>> {
    let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), device);
    let ends = device.clone();
    let run = move |work: Box<dyn Fn() -> Tensor<4>>| -> Box<dyn Fn()> {
        Box::new(move || {
            let kept = work();
            ends.sync().expect("a device that goes on");
            drop(kept);
        })
    };
    let even = |pads: [i64; 2]| usize::try_from(pads[0]).ok().filter(|_| pads[0] == pads[1]);
    match problem.clone() {
        Problem::ConvTranspose(op) => {
            let [h, w] = op.input_size;
            let x = random([op.batch, op.in_channels, h, w]);
            let [kh, kw] = op.kernel_size;
            let weight = random([op.in_channels, op.out_channels / op.groups, kh, kw]);
            let padding = [even(op.padding[0])?, even(op.padding[1])?];
            let options = ConvTransposeOptions::new(op.stride, padding, op.output_padding, op.dilation, op.groups);
            Some(run(Box::new(move || conv_transpose2d(x.clone(), weight.clone(), None, options.clone()))))
        }
        Problem::Conv(op) => {
            let [h, w] = op.input_size;
            let x = random([op.batch, op.in_channels, h, w]);
            let [kh, kw] = op.kernel_size;
            let weight = random([op.out_channels, op.in_channels / op.groups, kh, kw]);
            let Padding::Explicit(pads) = op.padding else { return None };
            let padding = [even(pads[0])?, even(pads[1])?];
            let options = ConvOptions::new(op.stride, padding, op.dilation, op.groups);
            Some(run(Box::new(move || conv2d(x.clone(), weight.clone(), None, options.clone()))))
        }
        Problem::Upsample(op) => {
            let [h, w] = op.input_size;
            let x = random([op.batch, op.channels, h, w]);
            let mode = match op.mode {
                upconv::UpsampleMode::Nearest(_) => InterpolateMode::Nearest,
                upconv::UpsampleMode::Linear => InterpolateMode::Bilinear,
                _ => InterpolateMode::Bicubic,
            };
            let options = InterpolateOptions::new(mode).with_output_size(op.output_size).with_align_corners(false);
            Some(run(Box::new(move || interpolate(x.clone(), options.clone()))))
        }
    }
}

fn compare(gpu: Option<&Gpu>, filter: &str) -> Result<(), String> {
    let mut peer = Peer::start(if gpu.is_some() { "gpu" } else { "cpu" })?;
    println!("| problem | ours ms | burn's ms | burn's / ours |\n|---|---|---|---|");
    let mut ratios = Vec::new();
    // burn 0.22.1 does not finish unet_128 on llvmpipe.
    let skipped = |name: &str| gpu.is_some() && name == "unet_128" && filter.is_empty();
    for (name, problem) in named().into_iter().filter(|(name, _)| selects(filter, name) && !skipped(name)) {
        if peer.ask(name)? != "ready" {
            continue;
        }
        let [ours, theirs] = problem.visit(&mut InTurns(gpu, &mut peer))?.map(|time| time.as_secs_f64() * 1e3);
        println!("| {name} | {ours:.3} | {theirs:.3} | {:.2} |", theirs / ours);
        if !name.starts_with("up_") {
            ratios.push(theirs / ours);
        }
    }
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    println!("\ngeometric mean over {} convolutions: {mean:.2}", ratios.len());
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let filter = arguments.get(1).map_or("", String::as_str);
    let outcome = match arguments.first().map_or("gpu", String::as_str) {
        "serve" => serve(filter),
        "cpu" => compare(None, filter),
        "gpu" => Gpu::new().map_err(|error| error.to_string()).and_then(|gpu| compare(Some(&gpu), filter)),
        other => Err(format!("{other} is neither gpu nor cpu")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}
