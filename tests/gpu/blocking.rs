//! The calls of `Gpu` that block, and tuning. A browser has neither.

use std::task::Poll;

use ndarray::Array4;
use upconv::gpu::GpuOp;
use upconv::{ConvTranspose2d, Error, Gpu, Op, PlanOptions, Planner, TunedError};

use crate::Row;
use crate::embedding::Fresh;
use crate::harness::{Data, Outcome, Random, inputs};
use crate::host::sample;
use crate::problems::Fields;

fn text(error: Error) -> String {
    error.to_string()
}

/// The future is `Send`, runs on any executor and gives what the blocking call gives; dropping a future does no harm.
async fn future(gpu: &Gpu) -> Outcome {
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    let (x, w) = (Array4::<f32>::ones((1, 2, 3, 4)), Array4::<f32>::ones((2, 3, 2, 2)));
    let up = ConvTranspose2d::from_shapes(x.shape(), w.shape(), 1).map_err(text)?;
    let inputs = [x.view(), w.view()];
    drop(gpu.run_async(&up, &inputs));
    let awaited = sendable(gpu.run_async(&up, &inputs)).await;
    let blocking = gpu.run(&up, &inputs);
    if awaited.is_ok() && awaited == blocking { Ok(()) } else { Err(format!("{awaited:?} and {blocking:?}")) }
}

/// A tensor of any strides is uploaded, and downloaded whole and in part; a new buffer of `Gpu::buffer` holds zeros.
async fn uploads(gpu: &Gpu) -> Outcome {
    let tensor = Random::new("upload").tensor(&[5, 7], Data::Reals);
    let turned = tensor.view().reversed_axes();
    let buffer = gpu.upload(turned.view()).map_err(text)?;
    let expected: Vec<f32> = turned.iter().copied().collect();
    let whole: Vec<f32> = gpu.download(&buffer, 0, buffer.size()).map_err(text)?;
    let part: Vec<f32> = gpu.download(&buffer, 8, 12).map_err(text)?;
    let zeros: Vec<f32> = gpu.download(&gpu.buffer("zeros", 8).map_err(text)?, 0, 8).map_err(text)?;
    let past = gpu.download::<f32>(&buffer, 136, 8);
    if !matches!(past, Err(Error::BufferTooSmall { needed: 144, available: 140, .. })) {
        return Err(format!("{past:?}"));
    }
    if (&whole[..], &part[..], &zeros[..]) == (&expected[..], &expected[2..5], &[0.0; 2]) {
        Ok(())
    } else {
        Err(format!("{whole:?} {part:?} {zeros:?} where {expected:?} was uploaded"))
    }
}

/// A planner uses the recipe that it tuned, and another planner the tuned recipes that it loads; recipes that were
/// tuned on another adapter are refused.
async fn tuned(gpu: &Gpu) -> Outcome {
    let own = Gpu::from_device(gpu.device(), gpu.queue());
    let up = Fields::<2>::parse("ic16_oc5_i9x9_k4x4_s2x2_p1x1").conv_transpose();
    let options = PlanOptions::default();
    let fastest = own.tune(&up, &options).map_err(text)?;
    let planned = |planner: &Planner| planner.plan_with(&up, &options).map(|plan| plan.recipe().clone()).map_err(text);
    if planned(own.planner())? != fastest {
        return Err("the planner forgot".into());
    }
    // Saves a recipe other than the predicted one, to see that the planner uses the loaded one.
    let recipes = up.recipes(gpu.planner().capabilities(), &PlanOptions::default());
    let (first, other) = (&recipes[0], recipes.last().ok_or("no recipe")?);
    let saved = own.planner().tuned().to_string().replace(&format!("    {fastest}\n"), &format!("    {other}\n"));
    let planner = Planner::new(gpu.device());
    planner.use_tuned(saved.parse().map_err(text)?).map_err(text)?;
    if planned(&planner)? != *other || planned(gpu.planner())? != *first {
        return Err(format!("{} and not {other}", planned(&planner)?));
    }
    let foreign = saved.replacen("adapter ", "adapter another ", 1).parse().map_err(text)?;
    match planner.use_tuned(foreign) {
        Err(Error::Tuned(TunedError::Elsewhere { .. })) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// A buffer larger than the device's limit is refused; one that the limit allows but memory cannot hold is
/// `Error::OutOfMemory`, and the device stays usable.
async fn out_of_memory(gpu: &Gpu) -> Outcome {
    let limit = gpu.device().limits().max_buffer_size;
    match gpu.buffer("too large", limit.saturating_add(4)) {
        Err(Error::TooLarge { .. }) => {}
        other => return Err(format!("{other:?} for {} bytes", limit.saturating_add(4))),
    }
    match gpu.buffer("as large as allowed", limit / 4 * 4) {
        Ok(_) | Err(Error::OutOfMemory(_)) => {}
        other => return Err(format!("{other:?} for {limit} bytes")),
    }
    sample(gpu).await.map(|_| ()).map_err(text)
}

/// The same inputs give the same bits, whichever thread asks.
async fn repeatable(gpu: &Gpu) -> Outcome {
    let up = Fields::<2>::parse("n2_ic5_oc4_i6x7_k5x4_s2x3_p1x2").conv_transpose();
    let inputs = inputs(&up, "repeatable", Data::Reals)?;
    let once = || gpu.run(&up, &[inputs[0].view(), inputs[1].view()]);
    let first = once().map_err(text)?;
    let again: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(once)).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")).collect::<Result<_, _>>()
    })?;
    let shape = up.output().map_err(text)?.shape;
    if first.shape() == shape && again.iter().all(|result| result.as_ref() == Ok(&first)) {
        Ok(())
    } else {
        Err("two runs differ".into())
    }
}

/// A pending future ends when its device is lost: with the bytes, or with `Error::DeviceLost`.
async fn lost_meanwhile(gpu: &Gpu) -> Outcome {
    let own = Fresh::new(gpu).await?.0;
    let buffer = own.buffer("waiting", 4).map_err(text)?;
    let mut download = std::pin::pin!(own.download_async::<f32>(&buffer, 0, 4));
    let first = std::future::poll_fn(|context| Poll::Ready(download.as_mut().poll(context))).await;
    own.device().destroy();
    let outcome = if let Poll::Ready(outcome) = first { outcome } else { download.await };
    match outcome {
        Ok(bytes) if bytes == [0.0] => {}
        Err(Error::DeviceLost(_)) => {}
        other => return Err(format!("{other:?}")),
    }
    match own.download_async::<f32>(&buffer, 0, 4).await {
        Err(Error::DeviceLost(_)) => Ok(()),
        other => Err(format!("{other:?} from a lost device")),
    }
}

/// The rows, which the module `host` adds to its own.
pub fn rows() -> Vec<Row> {
    vec![
        Row::new("the future gives what the blocking form gives", future),
        Row::new("what is uploaded is downloaded", uploads),
        Row::new("the fastest recipe is kept, saved and loaded", tuned),
        Row::new("a buffer too large is an error", out_of_memory),
        Row::new("a device lost while a future waits", lost_meanwhile),
        Row::new("two runs give the same bits", repeatable),
    ]
}
