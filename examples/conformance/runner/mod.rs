//! Runs the test cases of other libraries; shared by the example and the tests.

mod case;
mod engine;
#[cfg(not(target_arch = "wasm32"))]
mod files;
#[cfg(target_arch = "wasm32")]
#[path = "files_of_browser.rs"]
mod files;
mod folding;
mod images;
pub mod judge;
mod onnx;
mod ops;
mod pooling;
mod resize;
mod tensorflow;

use std::path::Path;

pub use case::Case;
pub use engine::Engine;
pub use files::find;

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

/// A case's rows, one for each engine.
pub async fn run(file: &Path, engines: &[Engine<'_>]) -> Result<Vec<Row>, String> {
    let case = Case::read(file)?;
    let mut rows = Vec::new();
    for engine in engines {
        rows.push(row(&case, engine).await);
    }
    Ok(rows)
}

async fn row(case: &Case, engine: &Engine<'_>) -> Row {
    let (status, reason, max_error) = match (case.distrust(), compute_and_judge(case, engine).await) {
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
async fn compute_and_judge(case: &Case, engine: &Engine<'_>) -> Result<(f64, Option<String>), Failure> {
    let results = ops::compute(case, engine).await?;
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
