//! Tensors stored as f16: sums in f32, coordinates in integers.

use ndarray::{Array3, Array4, ArrayD, IxDyn, s};
use upconv::half::f16;
use upconv::{
    Activation, Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, Error, FloatType, Gpu, IndexConvention, MaxPool1d,
    Op, Padding, PixelShuffle1d, PlanOptions, PytorchInterpolate, ShuffleDirection, Tensor, TensorView, Upsample1d,
    wgpu,
};

use crate::Row;
use crate::harness::{Data, Order, Outcome, Random, compare_all, operands, options, run_all};
use crate::problems::Fields;

fn text(error: Error) -> String {
    error.to_string()
}

/// Whether the device has f16; [`refusals`] tests that a plan for f16 is refused where it has not.
fn supports_f16(gpu: &Gpu) -> bool {
    gpu.device().features().contains(wgpu::Features::SHADER_F16)
}

fn halves(shape: &[usize], data: Data) -> Tensor {
    Tensor::F16(Random::new("halves").tensor(shape, data).mapv(f16::from_f32))
}

/// An f16 does not hold every integer past 2048, so that a coordinate computed in f16 would take a wrong sample here.
async fn long_sides(gpu: &Gpu) -> Outcome {
    if !supports_f16(gpu) {
        return Ok(());
    }
    let up = Upsample1d { input_size: [2501], output_size: [5003], ..Default::default() };
    for mode in [
        PytorchInterpolate::Nearest,
        PytorchInterpolate::NearestExact,
        PytorchInterpolate::Linear { align_corners: true },
    ] {
        run(gpu, &Upsample1d::pytorch(up.clone(), mode).map_err(text)?).await?;
    }
    run(gpu, &up.grad_input()).await?;
    run(gpu, &MaxPool1d { input_size: [5003], kernel_size: [3], stride: [2], ..Default::default() }).await?;
    run(gpu, &PixelShuffle1d { size: [2501], factor: [2], ..Default::default() }).await?;
    run(gpu, &Conv1d { input_size: [5003], kernel_size: [5], dilation: [3], ..Default::default() }).await?;
    run(gpu, &ConvTranspose1d { input_size: [2501], kernel_size: [4], stride: [2], ..Default::default() }).await?;
    let conv = Conv1d { input_size: [5003], kernel_size: [3], ..Default::default() };
    run(gpu, &conv.grad_weight().map_err(text)?).await?;
    run(gpu, &conv.grad_bias().map_err(text)?).await
}

async fn run<O: upconv::gpu::GpuOp>(gpu: &Gpu, op: &O) -> Outcome {
    let inputs = op.inputs().map_err(text)?;
    let tensors: Vec<Tensor> = inputs.iter().map(|operand| halves(&operand.shape, Data::Integers)).collect();
    let views: Vec<TensorView> = tensors.iter().map(TensorView::from).collect();
    let outputs = gpu.run_tensors_async(op, &views).await.map_err(text)?;
    compare_all(op, &tensors, &outputs, Data::Reals).map_err(|error| format!("{}: {error}", O::NAME))
}

/// 6000 terms of 1: a sum in f16 would stop growing at 2048.
async fn sums_are_f32(gpu: &Gpu) -> Outcome {
    if !supports_f16(gpu) {
        return Ok(());
    }
    let conv = Conv2d { in_channels: 6000, input_size: [1, 2], kernel_size: [1, 1], ..Default::default() };
    let x = Array4::from_elem((1, 6000, 1, 2), f16::ONE);
    let w = Array4::from_elem((1, 6000, 1, 1), f16::ONE);
    let y = gpu.run_async(&conv, &[x.view(), w.view()]).await.map_err(text)?;
    if y.iter().all(|&value| value == f16::from_f32(6000.0)) { Ok(()) } else { Err(format!("{y}")) }
}

/// One image larger than a binding: the sum goes through a workspace of f32, and the bits are those of one dispatch.
async fn split_sums(gpu: &Gpu) -> Outcome {
    if !supports_f16(gpu) {
        return Ok(());
    }
    let fields = || Fields::<2>::parse("ic24_oc2_i8x8_k3x3_s2x2_b1");
    split_sum(gpu, &ConvTranspose2d { activation: Activation::Relu, ..fields().conv_transpose() }).await?;
    split_sum(gpu, &Conv2d { activation: Activation::Tanh, ..fields().conv() }).await
}

async fn split_sum<O: upconv::gpu::GpuOp>(gpu: &Gpu, op: &O) -> Outcome {
    let (operands, storage) = (operands(op)?, FloatType::F16);
    let tensors: Vec<Tensor> =
        op.inputs().map_err(text)?.iter().map(|operand| halves(&operand.shape, Data::Reals)).collect();
    let options = PlanOptions { storage, ..options(&operands, Order::Nchw) };
    let plan = gpu.planner().plan_with(op, &options).map_err(text)?;
    let whole = run_all(gpu, op, &plan, &options, &tensors).await?;
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 1024, ..gpu.device().limits() };
    let parts = gpu.planner().limited_to(&limits).plan_with(op, &options).map_err(text)?;
    if plan.recipe().shape.split_k() || !parts.recipe().shape.split_k() {
        return Err(format!("{} and {}", plan.recipe(), parts.recipe()));
    }
    compare_all(op, &tensors, &whole, Data::Reals)?;
    if whole == run_all(gpu, op, &parts, &options, &tensors).await? { Ok(()) } else { Err("other bits".into()) }
}

/// An odd number of elements, which use half of the last 32-bit word, from a view that is not contiguous.
async fn odd_counts(gpu: &Gpu) -> Outcome {
    if !supports_f16(gpu) {
        return Ok(());
    }
    let values = Array3::from_shape_fn((1, 3, 10), |(_, c, i)| f16::from_f32((c * 10 + i) as f32));
    let x = values.slice(s![.., .., ..;2]);
    let up = Upsample1d::from_shape(x.shape(), [7]).map_err(text)?;
    let y = gpu.run_async(&up, &[x]).await.map_err(text)?;
    let expected = Array3::from_shape_fn((1, 3, 7), |(_, c, q)| x[[0, c, q * 5 / 7]]);
    if y != expected {
        return Err(format!("{y} where {expected} was expected"));
    }
    let shuffle = PixelShuffle1d::from_shape(x.shape(), [3], ShuffleDirection::ToSpace).map_err(text)?;
    let y = gpu.run_async(&shuffle, &[x]).await.map_err(text)?;
    let expected = Array3::from_shape_fn((1, 1, 15), |(_, _, q)| x[[0, q % 3, q / 3]]);
    if y != expected {
        return Err(format!("{y} where {expected} was expected"));
    }
    let pool = MaxPool1d::from_shape(x.shape(), [1]).map_err(text)?;
    let y = gpu.run_async(&pool, &[x]).await.map_err(text)?;
    if y == x { Ok(()) } else { Err(format!("{y} where {x} was expected")) }
}

/// A result past 65504 overflows, and no other result does.
async fn overflow(gpu: &Gpu) -> Outcome {
    if !supports_f16(gpu) {
        return Ok(());
    }
    let conv = Conv1d { input_size: [2], ..Default::default() };
    let x = Array3::from_shape_vec((1, 1, 2), vec![f16::from_f32(300.0), f16::from_f32(200.0)]);
    let w = Array3::from_elem((1, 1, 1), f16::from_f32(300.0));
    let y = gpu.run_async(&conv, &[x.map_err(|error| error.to_string())?.view(), w.view()]).await.map_err(text)?;
    let large = y[[0, 0, 0]];
    // WGSL lets a device saturate or give an infinity.
    let fine = (large.is_infinite() || large == f16::MAX) && y[[0, 0, 1]] == f16::from_f32(60000.0);
    if fine { Ok(()) } else { Err(format!("{y}")) }
}

/// A max pooling chooses a NaN before all numbers, the last NaN by PyTorch's convention and the first by ONNX's, and
/// the first of equal maxima, 0 and -0 among them. What it chooses keeps its bits; so does what is copied from there.
async fn special_values(gpu: &Gpu) -> Outcome {
    if !supports_f16(gpu) {
        return Ok(());
    }
    let nan = f16::from_bits(0x7e01);
    let [zero, one, infinity] = [f16::ZERO, f16::ONE, f16::INFINITY];
    let samples = vec![one, nan, infinity, nan, -one, zero, -zero, -one, -zero, zero, -one, f16::NEG_INFINITY];
    let input = ArrayD::from_shape_vec(IxDyn(&[1, 1, 12]), samples).map_err(|error| error.to_string())?;
    for (convention, first) in [(IndexConvention::Plane, 3), (IndexConvention::Onnx, 1)] {
        let pool = MaxPool1d { indices: Some(convention), ..MaxPool1d::from_shape(&[1, 1, 12], [4]).map_err(text)? };
        let outputs = gpu.run_tensors_async(&pool, &[(&input).into()]).await.map_err(text)?;
        let [values, indices] = &outputs[..] else { return Err(format!("{outputs:?}")) };
        let unpool = pool.unpool().map_err(text)?;
        let views = [TensorView::from(values), TensorView::from(indices)];
        let back = gpu.run_tensors_async(&unpool, &views).await.map_err(text)?;
        let mut expected = ArrayD::from_elem(IxDyn(&[1, 1, 12]), f16::ZERO);
        for (at, value) in [(first, nan), (5, zero), (8, -zero)] {
            expected[[0, 0, at]] = value;
        }
        let bits = |tensor: &ArrayD<f16>| tensor.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let (Tensor::F16(values), Tensor::I32(indices), Tensor::F16(back)) = (values, indices, &back[0]) else {
            return Err(format!("{outputs:?} {back:?}"));
        };
        let chosen: Vec<usize> = indices.iter().map(|&index| index as usize).collect();
        if bits(values) != [nan, zero, -zero].map(f16::to_bits) || chosen != [first, 5, 8] {
            return Err(format!("{convention:?}: {values} {indices}"));
        }
        if bits(back) != bits(&expected) {
            return Err(format!("{convention:?}: {back} where {expected} was expected"));
        }
    }
    Ok(())
}

/// Windows of 70,000 samples, which take several dispatches. The first of them find no sample for the first window, so
/// that its maximum so far is -infinity.
async fn windows_of_parts(gpu: &Gpu) -> Outcome {
    if !supports_f16(gpu) {
        return Ok(());
    }
    let padding = Padding::Explicit([[69_999, 0]]);
    let whole =
        MaxPool1d { input_size: [40_000], kernel_size: [70_000], stride: [10_000], padding, ..Default::default() };
    for samples in [[f16::NEG_INFINITY; 2], [f16::MIN; 2], [f16::NEG_INFINITY, f16::MIN], [-f16::ONE, f16::MIN]] {
        let input = Array3::from_shape_fn((1, 1, 40_000), |(_, _, i)| samples[i % 2]).into_dyn();
        for indices in [None, Some(IndexConvention::Plane)] {
            let pool = MaxPool1d { indices, ..whole.clone() };
            let outputs = gpu.run_tensors_async(&pool, &[TensorView::from(&input)]).await.map_err(text)?;
            let Tensor::F16(values) = &outputs[0] else { return Err(format!("{outputs:?}")) };
            let reference = pool.reference(&[TensorView::from(&input)]).map_err(text)?;
            reference.check_exact(values.mapv(f32::from).view()).map_err(text)?;
            compare_all(&pool, &[Tensor::F16(input.clone())], &outputs, Data::Reals)?;
        }
    }
    Ok(())
}

/// The gradients of 70,000 windows, most of them 0, take several dispatches. Their sum is 2048 + 1 + 1 + 1, of which an
/// f16 holds no 2049: rounded between two dispatches, it would stay 2048.
async fn gradient_sums(gpu: &Gpu) -> Outcome {
    if !supports_f16(gpu) {
        return Ok(());
    }
    let padding = Padding::Explicit([[69_997, 69_998]]);
    let pool = MaxPool1d { input_size: [5], kernel_size: [70_000], padding, ..Default::default() };
    let mut gradient = Array3::from_elem((1, 1, 70_001), f16::ZERO);
    gradient[[0, 0, 69_999]] = f16::from_f32(2048.0);
    [69_998, 35_000, 0].into_iter().for_each(|window| gradient[[0, 0, window]] = f16::ONE);
    let indices = Array3::from_elem((1, 1, 70_001), 2i32);
    let (gradient, indices) = (gradient.into_dyn(), indices.into_dyn());
    let views = [TensorView::from(&gradient), TensorView::from(&indices)];
    let outputs = gpu.run_tensors_async(&pool.grad_input(), &views).await.map_err(text)?;
    let Tensor::F16(sums) = &outputs[0] else { return Err(format!("{outputs:?}")) };
    // The device may round 2051 up or down.
    let rounded = [2050.0, 2052.0].map(f16::from_f32);
    let zeros = [0, 1, 3, 4].into_iter().all(|at| sums[[0, 0, at]] == f16::ZERO);
    if zeros && rounded.contains(&sums[[0, 0, 2]]) { Ok(()) } else { Err(format!("{sums}")) }
}

/// Refusals, each with its reason: a missing feature, two float types in one op.
async fn refusals(gpu: &Gpu) -> Outcome {
    let options = PlanOptions { storage: FloatType::F16, ..Default::default() };
    let conv = Conv2d { input_size: [3, 3], ..Default::default() };
    let missing = Error::MissingFeature { what: "f16 storage", feature: "SHADER_F16" };
    match gpu.planner().plan_with(&conv, &options) {
        Ok(_) if supports_f16(gpu) => {}
        Err(error) if !supports_f16(gpu) && error == missing => {}
        other => return Err(format!("{other:?}")),
    }
    if upconv::gpu::required_features(&options) != wgpu::Features::SHADER_F16 {
        return Err("required_features forgets SHADER_F16".into());
    }
    let [single, half] = [ArrayD::<f32>::ones(IxDyn(&[1, 1, 3, 3])), ArrayD::<f32>::ones(IxDyn(&[1, 1, 1, 1]))];
    let half = half.mapv(f16::from_f32);
    match gpu.run_tensors_async(&conv, &[(&single).into(), (&half).into()]).await {
        Err(Error::MixedStorage { singles: 1, halves: 1 }) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

pub fn rows() -> Vec<Row> {
    vec![
        Row::new("a side longer than 2048", long_sides),
        Row::new("sums are f32", sums_are_f32),
        Row::new("a split sum is rounded once", split_sums),
        Row::new("an odd number of elements", odd_counts),
        Row::new("an overflow stays where it is", overflow),
        Row::new("a maximum keeps its bits", special_values),
        Row::new("a maximum of several parts", windows_of_parts),
        Row::new("a gradient of several parts is rounded once", gradient_sums),
        Row::new("what cannot be is refused", refusals),
    ]
}
