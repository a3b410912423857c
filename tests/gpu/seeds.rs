//! The tutorials' numbers on the device: the shaders must give the literals that the reference is tested with.

#[path = "../seeds/mod.rs"]
mod literals;

use literals::{CASES, Case, Kind};
use ndarray::{Array4, ArrayView, ArrayView4, Ix4};
use upconv::gpu::GpuOp;
use upconv::{Conv2d, ConvTranspose2d, Gpu, PytorchInterpolate, Upsample2d};

use crate::Row;
use crate::harness::Outcome;

fn tensor((size, values): ([usize; 2], &'static [f32])) -> ArrayView4<'static, f32> {
    ArrayView::from_shape((1, 1, size[0], size[1]), values).expect("a literal's shape")
}

async fn run<O: GpuOp>(gpu: &Gpu, op: &O, inputs: &[ArrayView4<'_, f32>]) -> Result<Array4<f32>, String> {
    gpu.run_async::<O, f32, Ix4>(op, inputs).await.map_err(|error| error.to_string())
}

/// Within 2⁻²² of the largest number, or of 1: computed literals were rounded once from f64, and printed ones are
/// integers.
fn same(actual: &Array4<f32>, expected: ArrayView4<f32>) -> Outcome {
    let scale = expected.iter().fold(1.0f32, |most, value| most.max(value.abs()));
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 2.0 * f32::EPSILON * scale;
    let agrees = actual.dim() == expected.dim() && actual.iter().zip(expected).all(near);
    if agrees { Ok(()) } else { Err(format!("{actual} where the text has {expected}")) }
}

async fn check(gpu: &Gpu, case: &Case) -> Outcome {
    let (input, expected) = (tensor(case.input), tensor(case.output));
    let weight = tensor(case.weight);
    let upsample = |mode| {
        let base = Upsample2d { input_size: case.input.0, output_size: case.output.0, ..Default::default() };
        Upsample2d::pytorch(base, mode).map_err(|error| error.to_string())
    };
    let actual = match case.kind {
        Kind::ConvTranspose(stride, padding) => {
            let (input_size, kernel_size) = (case.input.0, case.weight.0);
            let padding = [padding; 2];
            let op = ConvTranspose2d { input_size, kernel_size, stride, padding: padding.into(), ..Default::default() };
            run(gpu, &op, &[input, weight]).await?
        }
        Kind::Conv => {
            let op = Conv2d { input_size: case.input.0, kernel_size: case.weight.0, ..Default::default() };
            run(gpu, &op, &[input, weight]).await?
        }
        Kind::Nearest => run(gpu, &upsample(PytorchInterpolate::Nearest)?, &[input]).await?,
        Kind::BilinearFloor => {
            run(gpu, &upsample(PytorchInterpolate::Linear { align_corners: false })?, &[input]).await?.mapv(f32::floor)
        }
        Kind::Matrix(transposed) => multiply(gpu, transposed, &weight, &input).await?,
    };
    same(&actual, expected)
}

/// The tutorial's matrix is that of a 3x3 kernel on a 4x4 image: multiplying by it is a convolution of the image, and
/// multiplying by its transpose is a transposed convolution of a 2x2 image.
async fn multiply(
    gpu: &Gpu,
    transposed: bool,
    matrix: &ArrayView4<'_, f32>,
    vector: &ArrayView4<'_, f32>,
) -> Result<Array4<f32>, String> {
    let kernel = Array4::from_shape_fn((1, 1, 3, 3), |(_, _, row, column)| matrix[[0, 0, 0, 4 * row + column]]);
    let (from, to) = if transposed { (2, 4) } else { (4, 2) };
    let image = Array4::from_shape_fn((1, 1, from, from), |(_, _, row, column)| vector[[0, 0, from * row + column, 0]]);
    let (input_size, kernel_size) = ([from; 2], [3, 3]);
    let product = if transposed {
        run(gpu, &ConvTranspose2d { input_size, kernel_size, ..Default::default() }, &[image.view(), kernel.view()])
            .await?
    } else {
        run(gpu, &Conv2d { input_size, kernel_size, ..Default::default() }, &[image.view(), kernel.view()]).await?
    };
    product.into_shape_with_order((1, 1, to * to, 1)).map_err(|error| error.to_string())
}

pub fn rows() -> Vec<Row> {
    CASES
        .iter()
        .map(|case| Row::new(format!("{} ({})", case.name, case.source), async move |gpu| check(gpu, case).await))
        .collect()
}
