//! The process that runs burn, and its answers.

use std::time::Instant;

use burn::tensor::module::{conv_transpose2d, conv2d, interpolate};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, DeviceKind, Distribution, Tensor};

use crate::problems::{Problem, named};
use crate::{WARMING, message};

/// burn's version, as this package's `Cargo.toml` asks for it.
fn version() -> &'static str {
    let wanted = include_str!("../Cargo.toml").split_once("burn = { version = \"=");
    wanted.and_then(|(_, rest)| rest.split('"').next()).expect("a version of burn")
}

/// Prints who answers, and then answers each line of the standard input: a problem's name with `ready` or `none`, `go`
/// with the nanoseconds of a run.
pub fn serve(mode: &str) -> Result<(), String> {
    let device = if mode == "gpu" { Device::wgpu(DeviceKind::DefaultDevice) } else { Device::flex() };
    println!("burn {} ({})", version(), if mode == "gpu" { "wgpu" } else { "flex" });
    let mut run: Option<Box<dyn Fn()>> = None;
    for line in std::io::stdin().lines() {
        let line = line.map_err(message)?;
        if line == "go" {
            let begin = Instant::now();
            run.as_ref().ok_or("no problem yet")?();
            println!("{}", begin.elapsed().as_nanos());
            continue;
        }
        let problem = named().into_iter().find(|(name, _)| *name == line).ok_or("no such problem")?.1;
        run = work(&problem, &device);
        // burn tunes itself in its first runs.
        run.iter().for_each(|run| (0..WARMING).for_each(|_| run()));
        println!("{}", if run.is_some() { "ready" } else { "none" });
    }
    Ok(())
}

/// A closure that runs the problem in burn to its end; `None` if burn is not given the problem.
fn work(problem: &Problem, device: &Device) -> Option<Box<dyn Fn()>> {
    let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), device);
    let ends = device.clone();
    let run = move |work: Box<dyn Fn() -> Tensor<4>>| -> Box<dyn Fn()> {
        Box::new(move || {
            let kept = work();
            ends.sync().expect("a device that goes on");
            drop(kept);
        })
    };
    let even = |pads: [i64; 2]| usize::try_from(pads[0]).ok().filter(|_| pads[0] == pads[1]);
    match problem.clone() {
        Problem::ConvTranspose(op) => {
            let [h, w] = op.input_size;
            let x = random([op.batch, op.in_channels, h, w]);
            let [kh, kw] = op.kernel_size;
            let weight = random([op.in_channels, op.out_channels / op.groups, kh, kw]);
            let pads = op.pads().ok()?;
            let padding = [even(pads[0])?, even(pads[1])?];
            let options = ConvTransposeOptions::new(op.stride, padding, op.output_padding, op.dilation, op.groups);
            Some(run(Box::new(move || conv_transpose2d(x.clone(), weight.clone(), None, options.clone()))))
        }
        Problem::Conv(op) => {
            let [h, w] = op.input_size;
            let x = random([op.batch, op.in_channels, h, w]);
            let [kh, kw] = op.kernel_size;
            let weight = random([op.out_channels, op.in_channels / op.groups, kh, kw]);
            let pads = op.pads().ok()?;
            let padding = [even(pads[0])?, even(pads[1])?];
            let options = ConvOptions::new(op.stride, padding, op.dilation, op.groups);
            Some(run(Box::new(move || conv2d(x.clone(), weight.clone(), None, options.clone()))))
        }
        Problem::Upsample(op) => {
            let [h, w] = op.input_size;
            let x = random([op.batch, op.channels, h, w]);
            let mode = match op.mode {
                upconv::UpsampleMode::Nearest(_) => InterpolateMode::Nearest,
                upconv::UpsampleMode::Linear => InterpolateMode::Bilinear,
                _ => InterpolateMode::Bicubic,
            };
            let options = InterpolateOptions::new(mode).with_output_size(op.output_size).with_align_corners(false);
            Some(run(Box::new(move || interpolate(x.clone(), options.clone()))))
        }
        // burn's gradients need its autodiff backend.
        Problem::ConvTransposeWeight(_) | Problem::ConvWeight(_) => None,
    }
}
