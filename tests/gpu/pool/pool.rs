//! Poolings and what undoes them: averages, maxima with indices in every convention, unpooling, bed of nails.

use ndarray::{ArrayD, IxDyn};
use upconv::gpu::GpuOp;
use upconv::{
    AvgPool, AvgPool1d, AvgPool2d, AvgPool3d, BedOfNails, Error, FloatType, Gpu, IndexConvention, LpPool, LpPool1d,
    LpPool2d, LpPool3d, MaxPool, MaxPool1d, MaxPool2d, MaxPool3d, MaxUnpool, MaxUnpool2d, Op, Padding, PlanOptions,
    Tensor, wgpu,
};

use crate::Row;
use crate::harness::{
    Data, Order, Outcome, Random, check, check_made, check_reals, check_recipes, compare_all, operands, options,
    run_all, stored_as,
};

const CONVENTIONS: [IndexConvention; 5] = [
    IndexConvention::Plane,
    IndexConvention::Onnx,
    IndexConvention::OnnxColumnMajor,
    IndexConvention::TensorFlow,
    IndexConvention::TensorFlowWithBatch,
];

fn text(error: Error) -> String {
    error.to_string()
}

async fn averages<const R: usize>(gpu: &Gpu, pool: &AvgPool<R>) -> Outcome {
    for (count_include_pad, divisor_override) in [(true, None), (false, None), (false, Some(7))] {
        let pool = AvgPool { count_include_pad, divisor_override, ..pool.clone() };
        check_reals(gpu, &pool, "average").await.map_err(|error| format!("{count_include_pad}: {error}"))?;
        check_reals(gpu, &pool.grad_input(), "average").await.map_err(|error| format!("gradient: {error}"))?;
    }
    Ok(())
}

/// Results of a max pooling are exact, and so is its gradient, which adds the integers of a few windows.
async fn maxima<const R: usize>(gpu: &Gpu, pool: &MaxPool<R>) -> Outcome {
    check(gpu, pool, "maximum").await.map_err(|error| format!("without indices: {error}"))?;
    for convention in CONVENTIONS {
        let named = |what| move |error: String| format!("{what}, {convention:?}: {error}");
        let pool = MaxPool { indices: Some(convention), ..pool.clone() };
        check(gpu, &pool, "maximum").await.map_err(named("forward"))?;
        let grad = pool.grad_input();
        check_made(gpu, &grad, &|_, storage| gradient_and_indices(&pool, storage)).await.map_err(named("gradient"))?;
        let unpool = pool.unpool().map_err(text)?;
        check_made(gpu, &unpool, &|_, storage| gradient_and_indices(&pool, storage))
            .await
            .map_err(named("unpooling"))?;
        let back = unpool.grad_input();
        let make = |_, storage| {
            let indices = gradient_and_indices(&pool, storage)?.swap_remove(1);
            let shape = unpool.output().map_err(text)?.shape;
            Ok(vec![stored_as(Random::new("back").tensor(&shape, Data::Integers), storage), indices])
        };
        check_made(gpu, &back, &make).await.map_err(named("unpooling's gradient"))?;
    }
    Ok(())
}

/// A tensor of the pooling's output shape, and the indices of a real pooling.
pub fn gradient_and_indices<const R: usize>(pool: &MaxPool<R>, storage: FloatType) -> Result<Vec<Tensor>, String> {
    let mut random = Random::new("gradients");
    let input = random.tensor(&pool.inputs().map_err(text)?[0].shape, Data::Integers);
    let indices = pool.reference_integers(&[input.view()]).map_err(text)?.swap_remove(0);
    let gradient = random.tensor(&pool.output().map_err(text)?.shape, Data::Integers);
    Ok(vec![stored_as(gradient, storage), Tensor::I32(indices)])
}

/// Random integers as floats, and indices: many repeat, some lie outside the plane or are the extremes of an i32.
fn random_indices(numbers: &[usize], indices: &[usize], most: u64, storage: FloatType) -> Vec<Tensor> {
    let mut random = Random::new("random indices");
    let numbers = random.tensor(numbers, Data::Integers);
    let indices = ArrayD::from_shape_simple_fn(IxDyn(indices), || match random.next() % 12 {
        0 => i32::MIN,
        1 => i32::MAX,
        2 => -1 - (random.next() % 50) as i32,
        _ => (random.next() % most) as i32,
    });
    vec![stored_as(numbers, storage), Tensor::I32(indices)]
}

/// An index outside its plane writes nothing and is counted; the gradient reads nothing for it.
async fn indices_out_of_order(gpu: &Gpu) -> Outcome {
    let flat = MaxUnpool { batch: 2, channels: 3, input_size: [1, 4, 5], output_size: [1, 5, 6], ..Default::default() };
    let deep = MaxUnpool { input_size: [2, 3, 4], output_size: [3, 2, 5], ..flat.clone() };
    for indices in CONVENTIONS {
        for (unpool, index_size) in
            [(&flat, None), (&flat, Some([1, 6, 4])), (&deep, None), (&deep, Some([2, 3, 4])), (&deep, Some([4, 1, 6]))]
        {
            let unpool = MaxUnpool { indices, index_size, ..unpool.clone() };
            let named = |error| format!("{unpool:?}: {error}");
            let [small, large] = [unpool.inputs(), unpool.outputs()].map(|of| of.map(|of| of[0].shape.clone()));
            let (small, large) = (small.map_err(text)?, large.map_err(text)?);
            check_made(gpu, &unpool, &|_, storage| Ok(random_indices(&small, &small, 250, storage)))
                .await
                .map_err(named)?;
            let grad = unpool.grad_input();
            check_made(gpu, &grad, &|_, storage| Ok(random_indices(&large, &small, 250, storage)))
                .await
                .map_err(named)?;
        }
    }
    Ok(())
}

/// An index that lies outside its window takes no part in the gradient, wherever else it points to.
async fn indices_of_other_windows(gpu: &Gpu) -> Outcome {
    let pool = MaxPool2d {
        batch: 2,
        input_size: [9, 8],
        kernel_size: [3, 2],
        stride: [3, 2],
        dilation: [2, 1],
        padding: PADDING,
        indices: Some(IndexConvention::Plane),
        ..Default::default()
    };
    let shape = pool.output().map_err(text)?.shape;
    check_made(gpu, &pool.grad_input(), &|_, storage| Ok(random_indices(&shape, &shape, 72, storage))).await?;
    // Every window has the index of the same sample, which only a few windows hold.
    for claimed in [0, 27, 35, 44, 71] {
        let gradient = Random::new("claimed").tensor(&shape, Data::Integers);
        let indices = Tensor::I32(ArrayD::from_elem(IxDyn(&shape), claimed));
        let make = |_, storage| Ok(vec![stored_as(gradient.clone(), storage), indices.clone()]);
        check_made(gpu, &pool.grad_input(), &make).await?;
    }
    Ok(())
}

/// One plane larger than a binding: places are marked, and samples gathered, part by part, of f32 and of f16.
async fn planes_past_a_binding(gpu: &Gpu) -> Outcome {
    let unpool = MaxUnpool2d { input_size: [40, 50], output_size: [80, 70], ..Default::default() };
    let (small, large) = ([1, 1, 40, 50], [1, 1, 80, 70]);
    for storage in storages(gpu) {
        split_planes(gpu, &unpool, &random_indices(&small, &small, 5600, storage), storage).await?;
        split_planes(gpu, &unpool.grad_input(), &random_indices(&large, &small, 5600, storage), storage).await?;
    }
    Ok(())
}

/// The storage types that the device has.
fn storages(gpu: &Gpu) -> impl Iterator<Item = FloatType> {
    let halves = gpu.device().features().contains(wgpu::Features::SHADER_F16);
    std::iter::once(FloatType::F32).chain(halves.then_some(FloatType::F16))
}

async fn split_planes<O: GpuOp>(gpu: &Gpu, op: &O, inputs: &[Tensor], storage: FloatType) -> Outcome {
    let options = PlanOptions { storage, ..options(&operands(op)?, Order::Nchw) };
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 2048, ..gpu.device().limits() };
    let plan = gpu.planner().limited_to(&limits).plan_with(op, &options).map_err(text)?;
    if plan.dispatches().len() < 20 {
        return Err("was not split".into());
    }
    compare_all(op, inputs, &run_all(gpu, op, &plan, &options, inputs).await?, Data::Integers)
}

/// A NaN wins and keeps its bits: the last of several in PyTorch's convention, the first in ONNX's. A subnormal maximum
/// keeps its bits, too. Of equal maxima, 0 and -0 among them, the first wins.
async fn special_values(gpu: &Gpu) -> Outcome {
    let tiny = f32::from_bits(3);
    let samples = [1.0, f32::NAN, f32::INFINITY, f32::NAN, tiny, 0.0, -tiny, 0.0, -0.0, 0.0, -3.0, -4.0];
    let input = ArrayD::from_shape_vec(IxDyn(&[1, 1, 12]), samples.to_vec()).map_err(|error| error.to_string())?;
    for (convention, first) in [(IndexConvention::Plane, 3), (IndexConvention::Onnx, 1)] {
        let pool = MaxPool1d { indices: Some(convention), ..MaxPool1d::from_shape(&[1, 1, 12], [4]).map_err(text)? };
        let outputs = gpu.run_tensors_async(&pool, &[(&input).into()]).await.map_err(text)?;
        let [Tensor::F32(values), Tensor::I32(indices)] = &outputs[..] else { return Err(format!("{outputs:?}")) };
        let bits: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
        let chosen: Vec<i32> = indices.iter().copied().collect();
        let expected = [f32::NAN, tiny, -0.0].map(f32::to_bits);
        if bits != expected || chosen != [first, 4, 8] {
            return Err(format!("{convention:?}: {values} {indices}"));
        }
    }
    Ok(())
}

/// `Gpu` turns an index out of range into an error.
async fn out_of_range(gpu: &Gpu) -> Outcome {
    let unpool = MaxUnpool::<1> { input_size: [3], output_size: [4], ..Default::default() };
    let input = ArrayD::from_elem(IxDyn(&[1, 1, 3]), 2.0f32);
    let indices = ArrayD::from_shape_vec(IxDyn(&[1, 1, 3]), vec![0, 4, -1]).map_err(|error| error.to_string())?;
    match gpu.run_tensors_async(&unpool, &[(&input).into(), (&indices).into()]).await {
        Err(Error::IndexOutOfRange { count: 2 }) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// A window as long as the axis, whose stride is past the limit of those that are taken.
async fn whole_axis(gpu: &Gpu) -> Outcome {
    let average = AvgPool1d::from_shape(&[1, 1, 70_000], [70_000]).map_err(text)?;
    check_reals(gpu, &average, "average").await?;
    check_reals(gpu, &average.grad_input(), "average").await.map_err(|error| format!("gradient: {error}"))?;
    let indices = Some(IndexConvention::Plane);
    let maximum = MaxPool1d { indices, ..MaxPool1d::from_shape(&[1, 1, 70_000], [70_000]).map_err(text)? };
    check(gpu, &maximum, "maximum").await?;
    check_made(gpu, &maximum.grad_input(), &|_, storage| gradient_and_indices(&maximum, storage)).await
}

async fn norms<const R: usize>(gpu: &Gpu, pool: &LpPool<R>) -> Outcome {
    for p in [1, 2, 3, 64] {
        let pool = LpPool { p, ..pool.clone() };
        check_reals(gpu, &pool, "norms").await.map_err(|error| format!("p = {p}: {error}"))?;
        let outcome = check_reals(gpu, &pool.grad_input(), "norms").await;
        outcome.map_err(|error| format!("p = {p}, gradient: {error}"))?;
    }
    Ok(())
}

/// Windows with a NaN, with infinities, of zeros, and of numbers at the ends of the range.
async fn special_norms(gpu: &Gpu) -> Outcome {
    let samples = |storage| {
        let (most, least) = if storage == FloatType::F16 { (65_504.0, 6.2e-5) } else { (3e38, 1.2e-38) };
        let inf = f32::INFINITY;
        vec![
            1.0,
            f32::NAN,
            2.0,
            -3.0,
            inf,
            -inf,
            inf,
            f32::NAN,
            0.0,
            -0.0,
            most,
            -most / 8.0,
            least,
            -least,
            most,
            least,
        ]
    };
    for p in [1, 2, 3, 64] {
        let pool = LpPool1d { p, ..LpPool1d::from_shape(&[1, 1, 16], [2]).map_err(text)? };
        let input = |storage| {
            let input =
                ArrayD::from_shape_vec(IxDyn(&[1, 1, 16]), samples(storage)).map_err(|error| error.to_string())?;
            Ok::<_, String>(stored_as(input, storage))
        };
        check_recipes(gpu, &pool, Data::Reals, |storage| Ok(vec![input(storage)?]))
            .await
            .map_err(|error| format!("p = {p}: {error}"))?;
        let gradient = ArrayD::from_shape_fn(IxDyn(&[1, 1, 8]), |at| at[2] as f32 / 4.0 - 0.875);
        let make = |storage| Ok(vec![input(storage)?, stored_as(gradient.clone(), storage)]);
        let outcome = check_recipes(gpu, &pool.grad_input(), Data::Reals, make).await;
        outcome.map_err(|error| format!("p = {p}, gradient: {error}"))?;
    }
    Ok(())
}

async fn nails<const R: usize>(gpu: &Gpu, nails: &BedOfNails<R>) -> Outcome {
    check(gpu, nails, "nails").await?;
    check(gpu, &nails.grad_input(), "nails").await.map_err(|error| format!("gradient: {error}"))
}

const PADDING: Padding<2> = Padding::Explicit([[1, 0], [1, 2]]);

pub fn rows() -> Vec<Row> {
    let average = AvgPool2d { batch: 2, channels: 3, input_size: [7, 9], kernel_size: [3, 2], ..Default::default() };
    let maximum = MaxPool2d { batch: 2, channels: 3, input_size: [7, 9], kernel_size: [3, 2], ..Default::default() };
    let norm = LpPool2d { batch: 2, channels: 3, input_size: [7, 9], kernel_size: [3, 2], ..Default::default() };
    let mut rows = Vec::new();
    for (name, stride, dilation, padding, ceil_mode) in [
        ("overlapping", [1, 1], [1, 1], Padding::Valid, false),
        ("apart", [4, 3], [1, 1], Padding::Valid, true),
        ("padded, rounded up", [2, 3], [1, 1], PADDING, true),
        ("dilated", [2, 1], [2, 3], PADDING, false),
        ("SAME", [3, 2], [1, 2], Padding::SameLower, false),
    ] {
        let pool = AvgPool2d { stride, dilation, padding, ceil_mode, ..average.clone() };
        rows.push(Row::new(format!("2d average {name}"), async move |gpu| averages(gpu, &pool).await));
        let pool = LpPool2d { stride, dilation, padding, ceil_mode, ..norm.clone() };
        rows.push(Row::new(format!("2d norm {name}"), async move |gpu| norms(gpu, &pool).await));
        let pool = MaxPool2d { stride, dilation, padding, ceil_mode, ..maximum.clone() };
        rows.push(Row::new(format!("2d maximum {name}"), async move |gpu| maxima(gpu, &pool).await));
    }
    let line = AvgPool1d { channels: 2, input_size: [11], kernel_size: [4], stride: [3], ..Default::default() };
    rows.push(Row::new("1d average", async move |gpu| {
        averages(gpu, &AvgPool1d { ceil_mode: true, ..line.clone() }).await
    }));
    let line = LpPool1d { channels: 2, input_size: [11], kernel_size: [4], stride: [3], ..Default::default() };
    rows.push(Row::new("1d norm", async move |gpu| norms(gpu, &LpPool1d { ceil_mode: true, ..line.clone() }).await));
    let line = MaxPool1d { channels: 2, input_size: [11], kernel_size: [4], stride: [3], ..Default::default() };
    rows.push(Row::new("1d maximum", async move |gpu| {
        maxima(gpu, &MaxPool1d { ceil_mode: true, ..line.clone() }).await
    }));
    let padding = Padding::Explicit([[1, 0], [0, 1], [1, 1]]);
    let block =
        AvgPool3d { input_size: [4, 5, 6], kernel_size: [2, 3, 2], stride: [2, 1, 2], padding, ..Default::default() };
    rows.push(Row::new("3d average", async move |gpu| averages(gpu, &block).await));
    let block =
        LpPool3d { input_size: [4, 5, 6], kernel_size: [2, 3, 2], stride: [2, 1, 2], padding, ..Default::default() };
    rows.push(Row::new("3d norm", async move |gpu| norms(gpu, &block).await));
    let block =
        MaxPool3d { input_size: [4, 5, 6], kernel_size: [2, 3, 2], stride: [2, 1, 2], padding, ..Default::default() };
    rows.push(Row::new("3d maximum", async move |gpu| {
        maxima(gpu, &MaxPool3d { batch: 2, channels: 2, ..block.clone() }).await
    }));
    let none = maximum.clone();
    rows.push(Row::new("2d an empty batch", async move |gpu| {
        maxima(gpu, &MaxPool2d { batch: 0, ..none.clone() }).await
    }));
    for (name, batch, channels) in [("an empty batch", 0, 3), ("zero channels", 2, 0)] {
        let pool = LpPool2d { batch, channels, ..norm.clone() };
        rows.push(Row::new(format!("2d norm, {name}"), async move |gpu| norms(gpu, &pool).await));
    }
    rows.push(Row::new("norms of special values", special_norms));
    rows.push(Row::new("2d zero channels", async move |gpu| {
        averages(gpu, &AvgPool2d { channels: 0, ..average.clone() }).await?;
        nails(gpu, &BedOfNails { batch: 2, channels: 0, input_size: [5, 4], stride: [2, 3], position: [0, 2] }).await?;
        maxima(gpu, &MaxPool2d { channels: 0, ..maximum.clone() }).await
    }));
    rows.push(Row::new("1d a window as long as the axis, with its default stride", whole_axis));
    rows.push(Row::new("NaN, subnormals and zeros", special_values));
    rows.push(Row::new("indices in any order, some outside", indices_out_of_order));
    rows.push(Row::new("indices of other windows", indices_of_other_windows));
    rows.push(Row::new("planes past a binding", planes_past_a_binding));
    rows.push(Row::new("an index out of range is an error", out_of_range));
    rows.push(Row::new("1d bed of nails", async move |gpu| {
        nails(gpu, &BedOfNails { batch: 2, channels: 3, input_size: [5], stride: [3], position: [1] }).await
    }));
    rows.push(Row::new("2d bed of nails", async move |gpu| {
        nails(gpu, &BedOfNails { batch: 2, channels: 3, input_size: [5, 4], stride: [2, 3], position: [0, 2] }).await
    }));
    rows.push(Row::new("3d bed of nails", async move |gpu| {
        nails(gpu, &BedOfNails { batch: 1, channels: 2, input_size: [2, 3, 2], stride: [3, 1, 2], position: [2, 0, 0] })
            .await
    }));
    rows
}
