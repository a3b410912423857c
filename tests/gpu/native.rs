//! Runs the rows on every adapter that answers; takes libtest's arguments.

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use libtest_mimic::{Arguments, Trial};
use upconv::wgpu::Features;
use upconv::{Gpu, wgpu};

use crate::Row;
use crate::harness::PRODUCT_SPLITS;

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
    // Never dropped: some drivers crash when a device is destroyed at exit.
    let gpus: &'static [Gpu] = Box::leak(gpus.into_boxed_slice());
    let rows: &'static [Row] = Box::leak(rows().into_boxed_slice());
    let trial = |gpu: &'static Gpu, row: &'static Row| {
        // An OpenGL adapter has one context, which wgpu waits for only a few seconds, so that its rows run one at a
        // time.
        let alone = (gpu.info().backend == wgpu::Backend::Gl).then_some(&OPENGL);
        let run = move || {
            let _guard = alone.map(|one| one.lock().unwrap_or_else(PoisonError::into_inner));
            pollster::block_on(row.test.run(gpu)).map_err(Into::into)
        };
        Trial::test(row.name.clone(), run).with_kind(name(gpu))
    };
    let trials = gpus.iter().flat_map(|gpu| rows.iter().map(move |row| trial(gpu, row))).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if arguments.list {
        return conclusion.exit_code();
    }
    for gpu in gpus {
        println!("{}: {}", name(gpu), coverage(gpu));
    }
    let everywhere = FEATURES.iter().filter(|(feature, _)| gpus.iter().all(|gpu| !has(gpu, *feature)));
    let missing: Vec<_> = everywhere.map(|(_, what)| *what).collect();
    println!("covered on no adapter: {}", if missing.is_empty() { "nothing".into() } else { missing.join(", ") });
    let [whole, split] = PRODUCT_SPLITS.each_ref().map(|count| count.load(Ordering::Relaxed));
    println!("products and blocks: {split} were split and compared with the whole, {whole} were too small to split");
    let all = arguments.filter.is_none() && arguments.skip.is_empty();
    if all && gpus.iter().any(|gpu| gpu.info().backend != wgpu::Backend::Gl) && split == 0 {
        eprintln!("no product was split: the comparison with the whole is not made");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// The adapter's name and back end, as in the rows' names.
fn name(gpu: &Gpu) -> String {
    let info = gpu.info();
    format!("{} ({:?})", info.name.split(" (").next().unwrap_or_default(), info.backend)
}

/// Features that some rows need, and what is not tested on an adapter without them.
const FEATURES: &[(Features, &str)] = &[
    (Features::SHADER_F16, "tensors of f16"),
    (Features::SUBGROUP, "recipes of subgroups"),
    (Features::EXPERIMENTAL_COOPERATIVE_MATRIX, "recipes of cooperative matrices"),
    (Features::TIMESTAMP_QUERY, "times measured on the GPU"),
    (Features::BGRA8UNORM_STORAGE, "output textures of bgra8unorm"),
    (Features::TEXTURE_FORMAT_16BIT_NORM, "textures of 16-bit integers"),
];

fn has(gpu: &Gpu, feature: Features) -> bool {
    gpu.planner().capabilities().features.contains(feature)
}

/// How many rows there are, and what they leave out on this adapter.
fn coverage(gpu: &Gpu) -> String {
    let missing: Vec<_> = FEATURES.iter().filter(|(feature, _)| !has(gpu, *feature)).map(|(_, what)| *what).collect();
    let rows = rows().len();
    if missing.is_empty() { format!("{rows} rows") } else { format!("{rows} rows, without {}", missing.join(", ")) }
}
