//! `--costs`: what an op costs besides its kernel, and how its time grows with the size.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use comfy_table::{Table, presets::ASCII_MARKDOWN};
use ndarray::{ArrayD, IxDyn};
use upconv::gpu::GpuOp;
use upconv::{Conv2d, ConvTranspose2d, Gpu, Op, PlanOptions, Planner, PytorchInterpolate, Upsample2d};

use crate::quick::median;
use crate::run::Session;

/// Counts allocations, to show that encoding makes none.
pub struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code, reason = "a global allocator is unsafe by its trait; it only counts")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The median time of `times` calls, and the allocations of the last.
fn measure<T>(times: usize, mut work: impl FnMut() -> Result<T, String>) -> Result<(Duration, u64), String> {
    let (mut taken, mut allocations) = (Vec::new(), 0);
    for _ in 0..times {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let begin = Instant::now();
        let kept = work()?;
        taken.push(begin.elapsed());
        allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
        drop(kept);
    }
    Ok((median(taken).unwrap_or_default(), allocations))
}

fn layer() -> ConvTranspose2d {
    ConvTranspose2d {
        in_channels: 64,
        out_channels: 32,
        input_size: [28, 28],
        kernel_size: [4, 4],
        stride: [2, 2],
        padding: [1, 1].into(),
        ..Default::default()
    }
}

/// Prints both tables.
pub fn tables(gpu: &Gpu) -> Result<(), String> {
    println!("{}\n", besides_the_kernel(gpu)?);
    println!("{}", growth(gpu)?);
    Ok(())
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN);
    table.set_header(header);
    table
}

fn besides_the_kernel(gpu: &Gpu) -> Result<Table, String> {
    let message = |error: upconv::Error| error.to_string();
    let (op, options) = (layer(), PlanOptions::default());
    let mut table = table(&["cost", "median us", "allocations"]);
    let mut row = |name: &str, (time, allocations): (Duration, u64)| {
        table.add_row([name.into(), format!("{:.2}", time.as_secs_f64() * 1e6), allocations.to_string()]);
    };
    // A new planner each time: only the driver's own caches are warm.
    row(
        "plan, pipeline not cached",
        measure(5, || Planner::new(gpu.device()).plan_with(&op, &options).map_err(message))?,
    );
    let planner = gpu.planner();
    planner.prewarm(&op, &options).map_err(message)?;
    row("plan, pipeline cached", measure(200, || planner.plan_with(&op, &options).map_err(message))?);
    let plan = planner.plan_with(&op, &options).map_err(message)?;
    let session = Session::new(Some(gpu), &op)?;
    let bytes = |shape: &[usize]| shape.iter().product::<usize>() as u64 * 4;
    let mut buffers = Vec::new();
    for operand in op.inputs().map_err(message)?.into_iter().chain([op.output().map_err(message)?]) {
        let buffer = gpu.buffer(operand.role.name(), bytes(&operand.shape)).map_err(message)?;
        buffers.push((operand.role, buffer));
    }
    let bindings = || buffers.iter().map(|(role, buffer)| (*role, buffer.slice(..))).collect();
    row("bind", measure(200, || plan.bind(&bindings()).map_err(message))?);
    // Some drivers put off compiling until the first run.
    let first = || {
        let plan = Planner::new(gpu.device()).plan_with(&op, &options).map_err(message)?;
        gpu.time(&plan.bind(&bindings()).map_err(message)?).map_err(message)
    };
    row("plan, pipeline not cached, and its first run", measure(5, first)?);
    let bound = session.bound().ok_or("no device")?;
    row("a later run", measure(5, || gpu.time(bound).map_err(message))?);
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    row(
        "encode",
        measure(2000, || {
            bound.encode(&mut pass);
            Ok(())
        })?,
    );
    drop(pass);
    drop(encoder);
    let image = ArrayD::<f32>::ones(IxDyn(&[1, 3, 1024, 1024]));
    let source = gpu.upload(image.view()).map_err(message)?;
    row("copy of 12 MiB in memory", measure(9, || Ok(image.clone()))?);
    row("upload of 12 MiB", measure(9, || gpu.upload(image.view()).map_err(message))?);
    row("read-back of 12 MiB", measure(9, || gpu.download::<f32>(&source, 0, source.size()).map_err(message))?);
    Ok(table)
}

fn growth(gpu: &Gpu) -> Result<Table, String> {
    let mut table = table(&["op", "input", "ns per output", "recipe"]);
    for side in [64, 128, 256, 512, 1024, 2048] {
        let up = ConvTranspose2d { in_channels: 3, out_channels: 3, input_size: [side; 2], ..layer() };
        table.add_row(per_output(gpu, "conv_transpose 3 to 3", &up, &format!("1x3x{side}x{side}"))?);
    }
    for side in [64, 128, 256, 512, 1024] {
        let conv = Conv2d {
            in_channels: 16,
            out_channels: 16,
            input_size: [side; 2],
            kernel_size: [3, 3],
            padding: upconv::Padding::SameUpper,
            ..Default::default()
        };
        table.add_row(per_output(gpu, "conv 16 to 16", &conv, &format!("1x16x{side}x{side}"))?);
    }
    for side in [64, 128, 256, 512, 1024, 2048] {
        let base = Upsample2d { input_size: [side; 2], output_size: [side * 2; 2], ..Default::default() };
        let up = Upsample2d::pytorch(base, PytorchInterpolate::Linear { align_corners: false });
        let up = up.map_err(|error| error.to_string())?;
        table.add_row(per_output(gpu, "bilinear to twice the size", &up, &format!("1x1x{side}x{side}"))?);
    }
    for batch in [1, 4, 16, 64] {
        let up = ConvTranspose2d { batch, input_size: [8, 8], ..layer() };
        table.add_row(per_output(gpu, "conv_transpose 64 to 32", &up, &format!("{batch}x64x8x8"))?);
    }
    Ok(table)
}

fn per_output<O: GpuOp>(gpu: &Gpu, name: &str, op: &O, input: &str) -> Result<[String; 4], String> {
    let session = Session::new(Some(gpu), op)?;
    let outputs = op.output().map_err(|error| error.to_string())?.shape.iter().product::<usize>();
    let times = (0..6).filter_map(|_| session.gpu_time()).skip(1).collect::<Result<Vec<_>, _>>()?;
    let time = median(times).unwrap_or_default().as_secs_f64() * 1e9 / outputs as f64;
    let recipe = session.recipe().map(ToString::to_string).unwrap_or_default();
    Ok([name.into(), input.into(), format!("{time:.2}"), recipe])
}
