//! Runs the test cases of other libraries; shared by the example and the tests.

mod case;
mod engine;
mod images;
mod judge;
mod onnx;
mod ops;
mod pooling;
mod resize;
mod tensorflow;

use std::path::{Path, PathBuf};

pub use case::Case;
pub use engine::Engine;

use case::Failure;

/// How a case ended on one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    Passed,
    Failed,
    Unsupported,
    /// The case itself says that its values are not to be trusted.
    Untrusted,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unsupported => "unsupported",
            Self::Untrusted => "untrusted",
        }
    }
}

/// One case on one engine.
#[derive(Clone, Debug)]
pub struct Row {
    pub suite: String,
    pub name: String,
    pub op_type: String,
    pub engine: String,
    pub status: Status,
    pub reason: String,
    pub max_error: Option<f64>,
}

/// The `case.json` files under these folders, sorted.
pub fn find(folders: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut open = folders.to_vec();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        let told = |error| format!("{}: {error}", folder.display());
        for entry in std::fs::read_dir(&folder).map_err(told)? {
            let path = entry.map_err(told)?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|name| name == "case.json") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A case's rows, one for each engine.
pub fn run(file: &Path, engines: &[Engine]) -> Result<Vec<Row>, String> {
    let case = Case::read(file)?;
    Ok(engines.iter().map(|engine| row(&case, engine)).collect())
}

fn row(case: &Case, engine: &Engine) -> Row {
    let (status, reason, max_error) = match (case.distrust(), judged(case, engine)) {
        (Some(reason), judged) => (Status::Untrusted, reason, judged.ok().map(|judged| judged.0)),
        (None, Ok((error, None))) => (Status::Passed, String::new(), Some(error)),
        (None, Ok((error, Some(complaint)))) => (Status::Failed, complaint, Some(error)),
        (None, Err(Failure::Unsupported(what))) => (Status::Unsupported, what, None),
        (None, Err(Failure::Failed(what))) => (Status::Failed, what, None),
    };
    Row {
        suite: case.suite().into(),
        name: case.name().into(),
        op_type: case.op_type().into(),
        engine: engine.name(),
        status,
        reason,
        max_error,
    }
}

/// The largest error over all outputs, and the first complaint.
fn judged(case: &Case, engine: &Engine) -> Result<(f64, Option<String>), Failure> {
    let results = ops::compute(case, engine)?;
    let mut largest = 0.0f64;
    let mut complaint = None;
    for output in case.outputs() {
        let Some((_, actual)) = results.iter().find(|(name, _)| *name == output) else {
            return Err(Failure::Failed(format!("output {output} was not computed")));
        };
        let verdict = judge::judge(case, &output, actual, &case.expected(&output)?);
        largest = largest.max(verdict.max_error);
        complaint = complaint.or(verdict.complaint);
    }
    Ok((largest, complaint))
}
