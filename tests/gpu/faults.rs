//! What goes wrong while others use the device: a device lost between two calls, futures that are dropped, threads that
//! plan while another one renders. A browser can do none of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use ndarray::ArrayD;
use upconv::gpu::{Bindings, GpuOp};
use upconv::{Conv2d, ConvTranspose2d, Error, Gpu, Op, PlanOptions};

use crate::Row;
use crate::embedding::Fresh;
use crate::harness::{Data, Outcome, inputs, run_plan};
use crate::host::sample;
use crate::problems::Fields;

fn text(error: Error) -> String {
    error.to_string()
}

/// The call before which the device is destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Plan,
    Bind,
    Encode,
    Submit,
    Download,
}

/// Whether a call on a destroyed device failed as it may.
fn is_lost<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Ok(_) | Err(Error::DeviceLost(_)))
}

/// Plans, binds, encodes, submits and reads back on a device that is destroyed before one of these calls. No call
/// panics or hangs, the read-back says that the device is lost, and a new device works.
async fn destroyed_before(gpu: &Gpu, call: Call) -> Outcome {
    let own = Fresh::new(gpu).await?.0;
    let up = Fields::<2>::parse("ic2_oc3_i4x5_k3x2_s2x3").conv_transpose();
    let shapes = [up.inputs().map_err(text)?, up.outputs().map_err(text)?].concat();
    let bytes = |shape: &[usize]| 4 * shape.iter().product::<usize>() as u64;
    let buffers = shapes.iter().map(|operand| own.buffer("faults", bytes(&operand.shape)));
    let buffers = buffers.collect::<Result<Vec<_>, _>>().map_err(text)?;
    let destroy = |now| {
        if now == call {
            own.device().destroy();
        }
    };
    destroy(Call::Plan);
    let plan = own.planner().plan(&up);
    if !is_lost(&plan) {
        return Err(format!("planning: {:?}", plan.err()));
    }
    if let Ok(plan) = plan {
        destroy(Call::Bind);
        let slices = buffers.iter().map(|buffer| buffer.slice(..));
        let bindings: Bindings = shapes.iter().map(|operand| operand.role).zip(slices).collect();
        let bound = plan.bind(&bindings).map_err(text)?;
        destroy(Call::Encode);
        let mut encoder = own.device().create_command_encoder(&Default::default());
        bound.encode(&mut encoder.begin_compute_pass(&Default::default()));
        destroy(Call::Submit);
        own.queue().submit([encoder.finish()]);
    }
    destroy(Call::Download);
    match own.download::<f32>(&buffers[2], 0, buffers[2].size()) {
        Err(Error::DeviceLost(_)) => {}
        other => return Err(format!("reading back: {other:?}")),
    }
    drop(own);
    sample(&Fresh::new(gpu).await?.0).await.map(|_| ()).map_err(text)
}

async fn destroyed(gpu: &Gpu) -> Outcome {
    for call in [Call::Plan, Call::Bind, Call::Encode, Call::Submit, Call::Download] {
        destroyed_before(gpu, call).await.map_err(|error| format!("before {call:?}: {error}"))?;
    }
    Ok(())
}

/// Read-backs that are dropped before they start, while they wait, and in great number: nothing hangs, later ones get
/// their bytes, and every staging buffer is freed.
async fn dropped_read_backs(gpu: &Gpu) -> Outcome {
    let own = Fresh::new(gpu).await?.0;
    let buffer = own.upload(ArrayD::from_elem(vec![64], 3.0f32).view()).map_err(text)?;
    let read = || own.download_async::<f32>(&buffer, 0, 256);
    let buffers = || own.device().get_internal_counters().hal.buffers.read();
    read().await.map_err(text)?;
    let before = buffers();
    for _ in 0..50 {
        drop(read());
        let mut waiting = std::pin::pin!(read());
        std::future::poll_fn(|context| {
            let _ = waiting.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
    }
    let values = read().await.map_err(text)?;
    // The device frees what it no longer uses when it is polled.
    own.download::<f32>(&buffer, 0, 256).map_err(text)?;
    let after = buffers();
    if values != [3.0; 64] {
        return Err(format!("{values:?}"));
    }
    // One read-back may still be on its way to be freed.
    if after <= before + 1 { Ok(()) } else { Err(format!("{before} buffers became {after}")) }
}

/// Two threads plan problems that are new each time, while this one encodes, submits and reads back a bound plan: its
/// results stay the same, and what the threads planned is right.
async fn two_plan_and_one_renders(gpu: &Gpu) -> Outcome {
    let up = Fields::<2>::parse("ic5_oc4_i6x7_k4x4_s2x2_p1x1").conv_transpose();
    let tensors = inputs(&up, "renders", Data::Integers)?;
    let options = PlanOptions::default();
    let plan = gpu.planner().plan(&up).map_err(text)?;
    let first = run_plan(gpu, &up, &plan, &options, &tensors).await?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let planning: Vec<_> = (0..2).map(|number| scope.spawn(move || plan_many(gpu, number))).collect();
        let rendering = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if pollster::block_on(run_plan(gpu, &up, &plan, &options, &tensors))? != first {
                    return Err("a result changed".to_string());
                }
            }
            Ok(())
        });
        let planned: Vec<Outcome> = planning.into_iter().map(|thread| joined(thread.join())).collect();
        done.store(true, Ordering::Relaxed);
        planned.into_iter().chain([joined(rendering.join())]).collect()
    })
}

fn joined(outcome: std::thread::Result<Outcome>) -> Outcome {
    outcome.unwrap_or_else(|_| Err("a thread panicked".into()))
}

/// Plans and prewarms every recipe of problems that no other row has.
fn plan_many(gpu: &Gpu, number: usize) -> Outcome {
    for channels in 1..4 {
        let conv = Conv2d {
            in_channels: channels,
            out_channels: 2 + number,
            input_size: [6 + number, 7],
            kernel_size: [3, 1 + channels],
            ..Default::default()
        };
        let up: ConvTranspose2d = conv.grad_input().map_err(text)?;
        for recipe in up.recipes(gpu.planner().capabilities(), &PlanOptions::default()) {
            let options = PlanOptions { recipe: Some(recipe.clone()), ..Default::default() };
            let planned = gpu.planner().plan_with(&up, &options).map_err(text)?;
            if *planned.recipe() != recipe {
                return Err(format!("{recipe} became {}", planned.recipe()));
            }
        }
        gpu.planner().prewarm(&conv, &PlanOptions::default()).map_err(text)?;
    }
    Ok(())
}

/// The rows, which the module `host` adds to its own.
pub fn rows() -> Vec<Row> {
    vec![
        Row::new("a device destroyed between any two calls", destroyed),
        Row::new("read-backs that nobody waits for", dropped_read_backs),
        Row::new("two threads plan while one renders", two_plan_and_one_renders),
    ]
}
