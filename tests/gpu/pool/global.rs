//! Global poolings: planes of one slice and of several, planes with special values, and gradients.

use ndarray::{ArrayD, IxDyn};
use upconv::gpu::GpuOp;
use upconv::{FloatType, GlobalAveragePool, GlobalLpPool, GlobalMaxPool, Gpu, IndexConvention, Op, Tensor, TensorView};

use crate::Row;
use crate::harness::{Data, Outcome, Random, check, check_made, check_reals, check_recipes, stored_as};

const CONVENTIONS: [IndexConvention; 4] = [
    IndexConvention::Plane,
    IndexConvention::Onnx,
    IndexConvention::OnnxColumnMajor,
    IndexConvention::TensorFlowWithBatch,
];

/// A size of a problem: images, channels and samples of a plane.
#[derive(Clone, Copy)]
struct Sizes<const R: usize>(usize, usize, [usize; R]);

impl<const R: usize> Sizes<R> {
    fn average(self) -> GlobalAveragePool<R> {
        GlobalAveragePool { batch: self.0, channels: self.1, input_size: self.2 }
    }

    fn maximum(self, indices: Option<IndexConvention>) -> GlobalMaxPool<R> {
        GlobalMaxPool { batch: self.0, channels: self.1, input_size: self.2, indices }
    }

    fn norm(self, p: u32) -> GlobalLpPool<R> {
        GlobalLpPool { batch: self.0, channels: self.1, input_size: self.2, p }
    }
}

async fn averages<const R: usize>(gpu: &Gpu, sizes: Sizes<R>) -> Outcome {
    check_reals(gpu, &sizes.average(), "average").await?;
    check_reals(gpu, &sizes.average().grad_input(), "average").await.map_err(|error| format!("gradient: {error}"))
}

/// Maxima are exact, and so is their gradient, which copies. Small integers have many equal maxima.
async fn maxima<const R: usize>(gpu: &Gpu, sizes: Sizes<R>) -> Outcome {
    check(gpu, &sizes.maximum(None), "maximum").await.map_err(|error| format!("without indices: {error}"))?;
    for convention in CONVENTIONS {
        let pool = sizes.maximum(Some(convention));
        check(gpu, &pool, "maximum").await.map_err(|error| format!("{convention:?}: {error}"))?;
    }
    let pool = sizes.maximum(Some(IndexConvention::Onnx));
    let make = |_, storage| {
        let text = |error: upconv::Error| error.to_string();
        let mut random = Random::new("gradient of a maximum");
        let input = random.tensor(&pool.inputs().map_err(text)?[0].shape, Data::Integers);
        let indices = pool.reference_integers(&[input.view()]).map_err(text)?.swap_remove(0);
        let gradient = random.tensor(indices.shape(), Data::Integers);
        Ok(vec![stored_as(gradient, storage), Tensor::I32(indices)])
    };
    check_made(gpu, &pool.grad_input(), &make).await.map_err(|error| format!("gradient: {error}"))
}

async fn norms<const R: usize>(gpu: &Gpu, sizes: Sizes<R>) -> Outcome {
    for p in [1, 2, 3, 7, 64] {
        let named = |what: &'static str| move |error: String| format!("p = {p}, {what}: {error}");
        check_reals(gpu, &sizes.norm(p), "norm").await.map_err(named("forward"))?;
        check_reals(gpu, &sizes.norm(p).grad_input(), "norm").await.map_err(named("gradient"))?;
    }
    Ok(())
}

fn of_size<const R: usize>(rows: &mut Vec<Row>, name: &str, sizes: Sizes<R>) {
    let named = |op: &str| format!("{R}d {op}, {name} n{} c{} {:?}", sizes.0, sizes.1, sizes.2);
    rows.push(Row::new(named("average"), async move |gpu| averages(gpu, sizes).await));
    rows.push(Row::new(named("maximum"), async move |gpu| maxima(gpu, sizes).await));
    rows.push(Row::new(named("norm"), async move |gpu| norms(gpu, sizes).await));
}

/// Planes of 5000 samples, each with something else in its second slice: nothing special, a NaN, infinities, one of
/// them and a NaN, zeros alone, the largest numbers, the smallest numbers, two NaN.
fn special(storage: FloatType) -> Tensor {
    let mut planes = Random::new("special").tensor(&[8, 5000], Data::Integers);
    let (largest, smallest) = if storage == FloatType::F16 { (65_504.0, 6.2e-5) } else { (3e38, 1.2e-38) };
    for (at, value) in [
        ([1, 4500], f32::NAN),
        ([2, 4500], f32::INFINITY),
        ([2, 4999], f32::NEG_INFINITY),
        ([3, 4400], f32::INFINITY),
        ([3, 70], f32::NAN),
        ([7, 4200], f32::NAN),
        ([7, 4999], f32::NAN),
    ] {
        planes[&at[..]] = value;
    }
    for at in 0..5000 {
        planes[[4, at]] = 0.0;
        planes[[5, at]] = if at == 4321 { -largest } else { largest / 4096.0 };
        planes[[6, at]] = if at % 3 == 0 { -smallest } else { smallest };
    }
    stored_as(planes.into_shape_with_order(IxDyn(&[1, 8, 50, 100])).expect("as many samples"), storage)
}

async fn special_values(gpu: &Gpu) -> Outcome {
    async fn one<O: GpuOp>(gpu: &Gpu, op: &O) -> Outcome {
        let make = |storage| {
            let mut tensors = vec![special(storage)];
            if op.inputs().map_err(|error| error.to_string())?.len() > 1 {
                let gradient = ArrayD::from_shape_fn(IxDyn(&[1, 8, 1, 1]), |at| at[1] as f32 - 3.5);
                tensors.push(stored_as(gradient, storage));
            }
            Ok(tensors)
        };
        check_recipes(gpu, op, Data::Reals, make).await.map_err(|error| format!("{}: {error}", op.problem()))
    }
    let sizes = Sizes(1, 8, [50, 100]);
    one(gpu, &sizes.average()).await?;
    for indices in [None, Some(IndexConvention::Plane), Some(IndexConvention::Onnx)] {
        one(gpu, &sizes.maximum(indices)).await?;
    }
    for p in [1, 2, 3, 64] {
        one(gpu, &sizes.norm(p)).await?;
        one(gpu, &sizes.norm(p).grad_input()).await?;
    }
    Ok(())
}

/// A NaN and a subnormal keep their bits, and of zeros the first is chosen.
async fn bits_of_maxima(gpu: &Gpu) -> Outcome {
    let text = |error: upconv::Error| error.to_string();
    let (odd, tiny) = (f32::from_bits(0x7fc1_2345), f32::from_bits(3));
    let samples = vec![1.0, odd, 2.0, -tiny, tiny, -1.0, -0.0, 0.0, -2.0];
    let input = ArrayD::from_shape_vec(IxDyn(&[1, 3, 3]), samples).map_err(|error| error.to_string())?;
    let pool = GlobalMaxPool::<1>::from_shape(&[1, 3, 3]).map_err(text)?;
    let outputs = gpu.run_tensors_async(&pool, &[TensorView::from(&input)]).await.map_err(text)?;
    let [Tensor::F32(values)] = &outputs[..] else { return Err(format!("{outputs:?}")) };
    let bits: Vec<_> = values.iter().map(|value| value.to_bits()).collect();
    if bits == [odd, tiny, -0.0].map(f32::to_bits) { Ok(()) } else { Err(format!("{values}")) }
}

/// A plane whose slices have several slices: three passes. The largest sample comes last.
async fn three_passes(gpu: &Gpu) -> Outcome {
    let sizes = Sizes(1, 1, [4100, 4200]);
    let make = |storage| {
        let most = if storage == FloatType::F16 { 2048.0 } else { 1e8 };
        let ascending = ArrayD::from_shape_fn(IxDyn(&[1, 1, 4100, 4200]), |at| {
            ((at[2] * 4200 + at[3]) as f32 / 4100.0 / 4200.0 * most).floor() / 64.0
        });
        Ok(vec![stored_as(ascending, storage)])
    };
    check_recipes(gpu, &sizes.average(), Data::Reals, make).await.map_err(|error| format!("average: {error}"))?;
    let maximum = sizes.maximum(Some(IndexConvention::Plane));
    check_recipes(gpu, &maximum, Data::Integers, make).await.map_err(|error| format!("maximum: {error}"))?;
    check_recipes(gpu, &sizes.norm(3), Data::Reals, make).await.map_err(|error| format!("norm: {error}"))
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    of_size(&mut rows, "one sample", Sizes(2, 3, [1, 1]));
    of_size(&mut rows, "small planes", Sizes(3, 19, [7, 7]));
    of_size(&mut rows, "ragged", Sizes(2, 5, [131]));
    of_size(&mut rows, "one plane", Sizes(1, 1, [13, 17]));
    of_size(&mut rows, "volumes", Sizes(2, 17, [3, 5, 7]));
    of_size(&mut rows, "several slices", Sizes(2, 3, [70, 61]));
    of_size(&mut rows, "several slices in a volume", Sizes(1, 17, [9, 11, 43]));
    of_size(&mut rows, "an empty batch", Sizes(0, 3, [4, 5]));
    of_size(&mut rows, "zero channels", Sizes(2, 0, [4, 5]));
    rows.push(Row::new("special values", special_values));
    rows.push(Row::new("bits of maxima", bits_of_maxima));
    rows.push(Row::new("three passes", three_passes));
    rows
}
