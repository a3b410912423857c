//! The GPU's tests: every row on every adapter. `cargo test --test gpu NAME` runs some of them.

mod activations;
mod conformance;
mod conv;
mod conv_transpose;
mod embedding;
mod gradients;
mod halves;
mod harness;
mod host;
mod layouts;
mod named;
mod pixel_shuffle;
mod pool;
mod properties;
mod resize_conv;
mod seeds;
mod splitting;
mod tensors;
mod texels;
mod textures;
mod upsample;

#[path = "../../benches/problems/mod.rs"]
mod problems;

use std::process::ExitCode;

use harness::Outcome;
use libtest_mimic::{Arguments, Trial};
use upconv::Gpu;

const NO_ADAPTER: &str = "no GPU adapter was found, and these tests need one: install your GPU's Vulkan driver, or a \
    software one (Debian, Ubuntu: apt-get install mesa-vulkan-drivers; tests/run does it for you)";

/// A test of one device.
pub struct Row {
    name: String,
    run: Box<dyn Fn(&Gpu) -> Outcome + Send + Sync>,
}

impl Row {
    /// A row of this name; its module's name is put before it.
    pub fn new(name: impl Into<String>, run: impl Fn(&Gpu) -> Outcome + Send + Sync + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

fn rows() -> Vec<Row> {
    [
        ("tensors", tensors::rows as fn() -> Vec<Row>),
        ("conv_transpose", conv_transpose::rows),
        ("conv", conv::rows),
        ("activations", activations::rows),
        ("gradients", gradients::rows),
        ("upsample", upsample::rows),
        ("pixel_shuffle", pixel_shuffle::rows),
        ("pool", pool::rows),
        ("resize_conv", resize_conv::rows),
        ("halves", halves::rows),
        ("layouts", layouts::rows),
        ("seeds", seeds::rows),
        ("conformance", conformance::rows),
        ("named", named::rows),
        ("properties", properties::rows),
        ("splitting", splitting::rows),
        ("textures", textures::rows),
        ("embedding", embedding::rows),
        ("host", host::rows),
    ]
    .into_iter()
    .flat_map(|(module, rows)| {
        rows().into_iter().map(move |row| Row { name: format!("{module}::{}", row.name), ..row })
    })
    .collect()
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let gpus = Gpu::all().unwrap_or_default();
    if gpus.is_empty() {
        eprintln!("{NO_ADAPTER}");
        return ExitCode::FAILURE;
    }
    // Kept until the process ends: some drivers crash when a device goes at exit.
    let gpus: &'static [Gpu] = Box::leak(gpus.into_boxed_slice());
    let rows: &'static [Row] = Box::leak(rows().into_boxed_slice());
    let trial = |gpu: &'static Gpu, row: &'static Row| {
        let info = gpu.info();
        let adapter = format!("{} ({:?})", info.name.split(" (").next().unwrap_or_default(), info.backend);
        Trial::test(row.name.clone(), move || (row.run)(gpu).map_err(Into::into)).with_kind(adapter)
    };
    let trials = gpus.iter().flat_map(|gpu| rows.iter().map(move |row| trial(gpu, row))).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
