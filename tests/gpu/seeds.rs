//! The tutorials' numbers, on the device: whatever the reference agrees with, the shaders must give.

#[path = "../seeds/mod.rs"]
mod literals;

use literals::{CASES, Case, Kind};
use ndarray::{Array4, ArrayView, ArrayView4, Ix4};
use upconv::gpu::GpuOp;
use upconv::{Conv2d, ConvTranspose2d, Gpu, Interpolate, Upsample2d};

use super::Row;
use super::harness::Outcome;

fn tensor((size, values): ([usize; 2], &'static [f32])) -> ArrayView4<'static, f32> {
    ArrayView::from_shape((1, 1, size[0], size[1]), values).expect("a literal's shape")
}

fn run<O: GpuOp>(gpu: &Gpu, op: &O, inputs: &[ArrayView4<f32>]) -> Result<Array4<f32>, String> {
    gpu.run::<O, Ix4>(op, inputs).map_err(|error| error.to_string())
}

/// Within an ulp of the largest number, as the computed ones were rounded once from f64; the printed ones are integers.
fn same(actual: &Array4<f32>, expected: ArrayView4<f32>) -> Outcome {
    let scale = expected.iter().fold(1.0f32, |most, value| most.max(value.abs()));
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 2.0 * f32::EPSILON * scale;
    let agrees = actual.dim() == expected.dim() && actual.iter().zip(expected).all(near);
    if agrees { Ok(()) } else { Err(format!("{actual} where the text has {expected}")) }
}

fn check(gpu: &Gpu, case: &Case) -> Outcome {
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
            let op = ConvTranspose2d { input_size, kernel_size, stride, padding, ..Default::default() };
            run(gpu, &op, &[input, weight])?
        }
        Kind::Conv => {
            let op = Conv2d { input_size: case.input.0, kernel_size: case.weight.0, ..Default::default() };
            run(gpu, &op, &[input, weight])?
        }
        Kind::Nearest => run(gpu, &upsample(Interpolate::Nearest)?, &[input])?,
        Kind::BilinearFloor => {
            run(gpu, &upsample(Interpolate::Linear { align_corners: false })?, &[input])?.mapv(f32::floor)
        }
        // The matrices are the CPU's oracle; `cargo test --lib` holds them to these numbers.
        Kind::Matrix(_) => return Ok(()),
    };
    same(&actual, expected)
}

pub fn rows() -> Vec<Row> {
    let on_device = CASES.iter().filter(|case| !matches!(case.kind, Kind::Matrix(_)));
    on_device.map(|case| Row::new(format!("{} ({})", case.name, case.source), move |gpu| check(gpu, case))).collect()
}
