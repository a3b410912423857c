//! upconv and its peers on the same problems, in turns:
//! `cargo run --release -- [gpu | cpu | torch | torch-cuda] [NAME] [--json FILE]`.
//!
//! `gpu` is against burn on wgpu, `cpu` is `upconv::cpu` against burn's flex, `torch` against PyTorch on the CPU, and
//! `torch-cuda` is against PyTorch on CUDA, without TF32. PyTorch is run by `$PYTHON`, or else `python3`.
//!
//! GPU times are as the host sees them, from the submission to the end, as burn gives no others. A peer's autotuning,
//! which happens in its first runs, is not counted. A peer runs in a process of its own, which is stopped while ours is
//! measured: one of burn's threads waits in a loop and would take a core from us.

#[path = "../../problems/mod.rs"]
mod problems;
#[path = "../../run.rs"]
#[allow(dead_code)]
mod run;
mod serve;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use problems::{Visit, named, selects};
use run::Session;
use serde_json::json;
use upconv::Gpu;
use upconv::cpu::CpuOp;
use upconv::gpu::GpuOp;

/// Runs of each that are measured, and runs before them that are not.
const RUNS: usize = 7;
const WARMING: usize = 3;

/// A peer in its process, which answers as `serve` does: burn's or `torch_times.py`.
struct Peer {
    process: Child,
    answers: BufReader<ChildStdout>,
    /// The peer's name, with its version and what it runs on.
    name: String,
}

impl Peer {
    fn start(mut command: Command) -> Result<Self, String> {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process =
            started.map_err(|error| format!("cannot start {}: {error}", command.get_program().to_string_lossy()))?;
        let answers = BufReader::new(process.stdout.take().ok_or("no output")?);
        let mut peer = Self { process, answers, name: String::new() };
        peer.name = peer.answer()?;
        Ok(peer)
    }

    fn answer(&mut self) -> Result<String, String> {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(message)?;
        match (answer.trim(), answer.strip_prefix("error: ")) {
            (_, Some(error)) => Err(error.trim().into()),
            ("", _) => Err(format!("{} ended early", if self.name.is_empty() { "the peer" } else { &self.name })),
            (answer, _) => Ok(answer.into()),
        }
    }

    /// Sends a line and reads the line that answers it.
    fn ask(&mut self, question: &str) -> Result<String, String> {
        let input = self.process.stdin.as_mut().ok_or("no input")?;
        // A peer that has ended takes no line; its missing answer shows that.
        let _ = writeln!(input, "{question}").and_then(|()| input.flush());
        self.answer()
    }

    fn signal(&self, signal: &str) -> Result<(), String> {
        Command::new("kill").args([signal, &self.process.id().to_string()]).status().map(|_| ()).map_err(message)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

fn message(error: impl std::fmt::Display) -> String {
    error.to_string()
}

struct InTurns<'a>(Option<&'a Gpu>, &'a mut Peer);

impl Visit for InTurns<'_> {
    type Output = Result<[Duration; 2], String>;

    /// The median times of ours and of the peer.
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
            let peer = Duration::from_nanos(self.1.ask("go")?.parse().map_err(message)?);
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

/// Prints a table of our times and the peer's and writes the JSON file, which is opened before measuring, so that a bad
/// path costs no time.
fn compare(gpu: Option<&Gpu>, peer: Command, filter: &str, json: Option<&Path>) -> Result<(), String> {
    let message = |error: std::io::Error| format!("cannot write {}: {error}", json.unwrap_or(Path::new("")).display());
    if !named().iter().any(|(name, _)| selects(filter, name)) {
        return Err(format!("no problem is named {filter}"));
    }
    let mut peer = Peer::start(peer)?;
    let file = json.map(File::create).transpose().map_err(message)?;
    let device = gpu.map_or("CPU".into(), |gpu| gpu.info().name.clone());
    let who = peer.name.split(' ').next().unwrap_or_default().to_string();
    println!("upconv on {device} and {}, in turns\n", peer.name);
    println!("| problem | ours ms | {who}'s ms | {who}'s / ours |\n|---|---|---|---|");
    let (mut rows, mut ratios) = (Vec::new(), Vec::new());
    // burn 0.22.1 does not finish unet_128 on llvmpipe.
    let skipped = |name: &str| gpu.is_some() && who == "burn" && name == "unet_128" && filter.is_empty();
    for (name, problem) in named().into_iter().filter(|(name, _)| selects(filter, name) && !skipped(name)) {
        if peer.ask(name)? != "ready" {
            continue;
        }
        let [ours, theirs] = problem.visit(&mut InTurns(gpu, &mut peer))?.map(|time| time.as_secs_f64() * 1e3);
        println!("| {name} | {ours:.3} | {theirs:.3} | {:.2} |", theirs / ours);
        rows.push(json!({"problem": name, "device": device, "ours_ms": ours, "peer": peer.name, "peer_ms": theirs}));
        if !name.starts_with("up_") {
            ratios.push(theirs / ours);
        }
    }
    if !ratios.is_empty() {
        let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
        println!("\ngeometric mean over {} convolutions: {mean:.2}", ratios.len());
    }
    file.map_or(Ok(()), |file| serde_json::to_writer_pretty(file, &rows).map_err(|error| message(error.into())))
}

fn burn(mode: &str) -> Result<Command, String> {
    let mut command = Command::new(std::env::current_exe().map_err(message)?);
    command.args(["serve", mode]);
    Ok(command)
}

/// The command that runs PyTorch, with as many threads as ours has.
fn torch(device: &str) -> Result<Command, String> {
    let threads = std::thread::available_parallelism().map_err(message)?;
    let mut command = Command::new(std::env::var_os("PYTHON").unwrap_or("python3".into()));
    command.args([concat!(env!("CARGO_MANIFEST_DIR"), "/torch_times.py"), "serve", device, &threads.to_string()]);
    Ok(command)
}

fn start() -> Result<(), String> {
    use lexopt::prelude::*;
    let (mut words, mut json) = (Vec::new(), None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next().map_err(message)? {
        match argument {
            Long("json") => json = Some(PathBuf::from(parser.value().map_err(message)?)),
            Value(word) if words.len() < 2 => words.push(word.string().map_err(message)?),
            other => return Err(message(other.unexpected())),
        }
    }
    let word = |at: usize| words.get(at).map(String::as_str);
    let (mode, filter) = (word(0).unwrap_or("gpu"), word(1).unwrap_or(""));
    let (on_gpu, peer) = match mode {
        "serve" => return serve::serve(filter),
        "gpu" => (true, burn(mode)?),
        "cpu" => (false, burn(mode)?),
        "torch" => (false, torch("cpu")?),
        "torch-cuda" => (true, torch("cuda")?),
        other => return Err(format!("{other} is none of gpu, cpu, torch and torch-cuda")),
    };
    let gpu = on_gpu.then(Gpu::new).transpose().map_err(message)?;
    compare(gpu.as_ref(), peer, filter, json.as_deref())
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}
