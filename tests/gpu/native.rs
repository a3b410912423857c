//! The rows on every adapter that answers, by libtest's arguments.

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use libtest_mimic::{Arguments, Trial};
use upconv::{Gpu, wgpu};

use crate::Row;

const NO_ADAPTER: &str = "no GPU adapter was found, and these tests need one: install your GPU's Vulkan driver, or a \
    software one (Debian, Ubuntu: apt-get install mesa-vulkan-drivers; tests/run does it for you)";

macro_rules! rows_of {
    ($($name:ident = $($module:ident)::+),*) => {
        const MODULES: &[(&str, fn() -> Vec<Row>)] = &[$((stringify!($name), crate::$($module::)+rows)),*];
    };
}
with_modules!(rows_of);

static OPENGL: Mutex<()> = Mutex::new(());

fn rows() -> Vec<Row> {
    let named = |module: &'static str| move |row: Row| Row { name: format!("{module}::{}", row.name), ..row };
    MODULES.iter().flat_map(|(module, rows)| rows().into_iter().map(named(module))).collect()
}

pub fn main() -> ExitCode {
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
        // An OpenGL adapter has one context, for which wgpu waits no longer than some seconds: a row at a time.
        let alone = (info.backend == wgpu::Backend::Gl).then_some(&OPENGL);
        let run = move || {
            let _guard = alone.map(|one| one.lock().unwrap_or_else(PoisonError::into_inner));
            pollster::block_on(row.test.run(gpu)).map_err(Into::into)
        };
        Trial::test(row.name.clone(), run).with_kind(adapter)
    };
    let trials = gpus.iter().flat_map(|gpu| rows.iter().map(move |row| trial(gpu, row))).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
