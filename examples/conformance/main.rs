//! Runs test cases of other libraries on every adapter and on the CPU reference:
//! `cargo run --release --example conformance -- DIR... [--json FILE]`.
//!
//! A case is a folder with a `case.json` and one .npy file per tensor. The exit status is 1 where a case failed or
//! asked for something that the crate does not compute.

mod runner;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use lexopt::prelude::*;
use runner::{Engine, Row, Status};
use serde_json::json;
use upconv::Gpu;

const USAGE: &str = "usage: conformance DIR... [--json FILE]";

struct Arguments {
    folders: Vec<PathBuf>,
    json: Option<PathBuf>,
}

fn arguments() -> Result<Arguments, String> {
    let mut parser = lexopt::Parser::from_env();
    let mut arguments = Arguments { folders: Vec::new(), json: None };
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Long("json") => arguments.json = Some(parser.value().map_err(|error| error.to_string())?.into()),
            Value(folder) => arguments.folders.push(folder.into()),
            other => return Err(format!("{}\n{USAGE}", other.unexpected())),
        }
    }
    if arguments.folders.is_empty() { Err(USAGE.into()) } else { Ok(arguments) }
}

fn run(arguments: &Arguments) -> Result<Vec<Row>, String> {
    let files = runner::find(&arguments.folders)?;
    if files.is_empty() {
        return Err("no case.json in these folders".into());
    }
    let gpus = Gpu::all().unwrap_or_default();
    if gpus.is_empty() {
        eprintln!("no GPU adapter answers: only the CPU reference is checked");
    }
    // Kept until the process ends: some drivers crash when a device is dropped at exit.
    let gpus: &'static [Gpu] = Box::leak(gpus.into_boxed_slice());
    let engines: Vec<Engine> = [Engine::Reference].into_iter().chain(gpus.iter().map(Engine::Gpu)).collect();
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").map_err(|error| error.to_string())?;
    let progress = ProgressBar::new(files.len() as u64).with_style(style);
    let mut rows = Vec::new();
    for file in &files {
        let folder = file.parent().and_then(|folder| folder.file_name()).unwrap_or_default();
        progress.set_message(folder.to_string_lossy().into_owned());
        rows.extend(pollster::block_on(runner::run(file, &engines))?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(rows)
}

/// Passed, failed, unsupported and untrusted, by suite, op type and engine.
fn print(rows: &[Row]) {
    let mut counts: BTreeMap<(&str, &str, &str), [usize; 4]> = BTreeMap::new();
    for row in rows {
        counts.entry((&row.suite, &row.op_type, &row.engine)).or_default()[row.status as usize] += 1;
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["suite", "op type", "engine", "passed", "failed", "unsupported", "untrusted"]);
    for ((suite, op, engine), counts) in counts {
        let counts = counts.map(|count| if count == 0 { String::new() } else { count.to_string() });
        table.add_row([suite, op, engine].into_iter().map(String::from).chain(counts));
    }
    println!("{table}");
    for status in [Status::Untrusted, Status::Unsupported, Status::Failed] {
        for row in rows.iter().filter(|row| row.status == status) {
            println!("{} {}/{} on {}: {}", status.name(), row.suite, row.name, row.engine, row.reason);
        }
    }
    let count = |status| rows.iter().filter(|row| row.status == status).count();
    let [passed, failed, unsupported, untrusted] =
        [Status::Passed, Status::Failed, Status::Unsupported, Status::Untrusted].map(count);
    println!("{passed} passed, {failed} failed, {unsupported} unsupported, {untrusted} untrusted and not counted");
}

fn write(file: &PathBuf, rows: &[Row]) -> Result<(), String> {
    let list: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "suite": row.suite, "name": row.name, "op_type": row.op_type, "engine": row.engine,
                "status": row.status.name(), "reason": row.reason, "max_error": row.max_error,
            })
        })
        .collect();
    let text = serde_json::to_string_pretty(&list).map_err(|error| error.to_string())?;
    std::fs::write(file, text + "\n").map_err(|error| format!("{}: {error}", file.display()))
}

fn main() -> ExitCode {
    let outcome = arguments().and_then(|arguments| {
        let rows = run(&arguments)?;
        print(&rows);
        arguments.json.map_or(Ok(()), |file| write(&file, &rows))?;
        Ok(rows.iter().all(|row| matches!(row.status, Status::Passed | Status::Untrusted)))
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
