//! The test cases of other libraries, run on the device.

#[path = "../../examples/conformance/runner/mod.rs"]
#[allow(dead_code, reason = "the example uses all of it")]
mod runner;

use std::path::{Path, PathBuf};

use runner::{Engine, Status};
use upconv::Gpu;

use crate::Row;
use crate::harness::Outcome;

async fn run(gpu: &Gpu, file: &Path) -> Outcome {
    let row = runner::run(file, &[Engine::Gpu(gpu)]).await?.swap_remove(0);
    if row.status == Status::Passed { Ok(()) } else { Err(format!("{}: {}", row.status.name(), row.reason)) }
}

pub fn rows() -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let files = runner::find(&[folder]).unwrap_or_default();
    let row = |file: PathBuf| {
        let names: Vec<_> = file.iter().rev().skip(1).take(2).map(|part| part.to_string_lossy().into_owned()).collect();
        Row::new(format!("{} {}", names[1], names[0]), async move |gpu| run(gpu, &file).await)
    };
    let some = Row::new("there are cases", {
        let count = files.len();
        async move |_| if count > 150 { Ok(()) } else { Err(format!("{count} cases")) }
    });
    [some].into_iter().chain(files.into_iter().map(row)).collect()
}
