//! The methods: three interpolations and four transposed convolutions, each channel by itself; and a trained network,
//! if one is given.

use std::f64::consts::PI;
use std::time::{Duration, Instant};

use ndarray::{Array4, ArrayD, Ix4, IxDyn};
use upconv::gpu::GpuOp;

use super::super_resolution::{Layer, Network};
use upconv::{Agreement, Bindings, ConvTranspose2d, Gpu, PytorchInterpolate, Upsample2d};

/// What a method computes, with the weight of a transposed convolution.
pub enum Kind {
    Upsample(Upsample2d),
    ConvTranspose(ConvTranspose2d, ArrayD<f32>),
    Learned(Network),
}

pub struct Method {
    pub name: &'static str,
    kind: Kind,
}

/// A method's result.
pub struct Computed {
    pub output: Array4<f32>,
    /// How close the GPU's output is to the reference; none without a GPU.
    pub agreement: Option<Agreement>,
    /// By timestamp queries; none without a GPU that has them.
    pub gpu_time: Option<Duration>,
    pub reference_time: Duration,
}

/// Every method for an input of this shape.
pub fn all(shape: &[usize], factor: usize) -> upconv::Result<Vec<Method>> {
    let output_size = [shape[2] * factor, shape[3] * factor];
    let upsample = |mode| Upsample2d::pytorch(Upsample2d::from_shape(shape, output_size)?, mode).map(Kind::Upsample);
    let nails = depthwise(shape, factor, &[1.0], 0)?;
    let caffe = ConvTranspose2d {
        batch: shape[0],
        in_channels: shape[1],
        input_size: [shape[2], shape[3]],
        ..Default::default()
    };
    let caffe = ConvTranspose2d::caffe_bilinear(caffe, factor)?;
    let caffe_weight = caffe.bilinear_filler()?;
    let (lanczos, pad) = lanczos(factor, 3.0);
    // A box one tap wider than the stride: outputs that sum two taps are brighter than outputs that sum one.
    let uneven = vec![factor as f64 / (factor + 1) as f64; factor + 1];
    let methods = [
        ("nearest", upsample(PytorchInterpolate::Nearest)?),
        ("bilinear", upsample(PytorchInterpolate::Linear { align_corners: false })?),
        ("bicubic", upsample(PytorchInterpolate::Cubic { align_corners: false })?),
        ("bed of nails", nails),
        ("caffe bilinear", Kind::ConvTranspose(caffe, caffe_weight)),
        ("lanczos", depthwise(shape, factor, &lanczos, pad)?),
        ("uneven", depthwise(shape, factor, &uneven, 0)?),
    ];
    Ok(methods.into_iter().map(|(name, kind)| Method { name, kind }).collect())
}

/// A depthwise transposed convolution of stride `factor` with a separable kernel; whatever the kernel's size, the
/// padding after makes the output `factor` times the input.
fn depthwise(shape: &[usize], factor: usize, taps: &[f64], before: i64) -> upconv::Result<Kind> {
    let after = taps.len() as i64 - factor as i64 - before;
    let up = ConvTranspose2d {
        batch: shape[0],
        in_channels: shape[1],
        out_channels: shape[1],
        groups: shape[1],
        input_size: [shape[2], shape[3]],
        kernel_size: [taps.len(); 2],
        stride: [factor; 2],
        padding: [[before, after]; 2].into(),
        ..Default::default()
    };
    let shape = up.geometry()?.weight_shape();
    let weight = ArrayD::from_shape_fn(IxDyn(&shape), |at| (taps[at[2]] * taps[at[3]]) as f32);
    Ok(Kind::ConvTranspose(up, weight))
}

/// The taps of a Lanczos kernel of `lobes` lobes stretched by `factor`, and the padding before the first output that
/// aligns pixel centres. Each phase's taps sum to 1, so that flat areas stay flat.
fn lanczos(factor: usize, lobes: f64) -> (Vec<f64>, i64) {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    let kernel = |x: f64| if x.abs() < lobes { sinc(x) * sinc(x / lobes) } else { 0.0 };
    let stretched = factor as f64;
    // Tap t lies (t - before + 0.5) / factor - 0.5 input samples from its sample's centre.
    let before = ((lobes - 0.5) * stretched + 0.5).floor();
    let length = (2.0 * lobes * stretched).ceil() as usize + 1;
    let mut taps: Vec<f64> = (0..length).map(|t| kernel((t as f64 - before + 0.5) / stretched - 0.5)).collect();
    for phase in 0..factor {
        let sum: f64 = taps.iter().skip(phase).step_by(factor).sum();
        taps.iter_mut().skip(phase).step_by(factor).for_each(|tap| *tap /= sum);
    }
    (taps, before as i64)
}

impl Method {
    /// Doubling the size by a network that `examples/train` trained.
    pub fn learned(network: Network) -> Self {
        Self { name: "learned", kind: Kind::Learned(network) }
    }

    /// Computes the method on the GPU and the CPU and compares them; without a GPU, on the CPU alone.
    pub fn compute(&self, gpu: Option<&Gpu>, input: &Array4<f32>) -> Result<Computed, String> {
        let picture = input;
        let input = input.view().into_dyn();
        match &self.kind {
            Kind::Learned(network) => learned(self.name, gpu, network, picture),
            Kind::Upsample(up) => compute(self.name, gpu, up, &[input]),
            Kind::ConvTranspose(up, weight) => compute(self.name, gpu, up, &[input, weight.view()]),
        }
    }
}

/// Runs the network layer by layer. The agreement is that of the worst layer, the times are sums over all layers.
fn learned(name: &str, gpu: Option<&Gpu>, network: &Network, picture: &Array4<f32>) -> Result<Computed, String> {
    let mut layers: Vec<Computed> = Vec::new();
    let output = network.double(&picture.mapv(|code| code / 255.0), |layer, operands| {
        let computed = match layer {
            Layer::Conv(conv) => compute(name, gpu, conv, operands)?,
            Layer::Up(up) => compute(name, gpu, up, operands)?,
        };
        let output = computed.output.clone().into_dyn();
        layers.push(computed);
        Ok(output)
    })?;
    let share = |agreement: &Agreement| agreement.worst_ulps / agreement.allowed_ulps;
    let agreements = layers.iter().filter_map(|layer| layer.agreement);
    Ok(Computed {
        output: output.mapv(|amount| amount * 255.0),
        agreement: agreements.max_by(|a, b| share(a).total_cmp(&share(b))),
        gpu_time: layers.iter().map(|layer| layer.gpu_time).sum(),
        reference_time: layers.iter().map(|layer| layer.reference_time).sum(),
    })
}

fn compute<O: GpuOp>(
    name: &str,
    gpu: Option<&Gpu>,
    op: &O,
    inputs: &[ndarray::ArrayViewD<f32>],
) -> Result<Computed, String> {
    let begin = Instant::now();
    let reference = op.reference(inputs).map_err(|error| error.to_string())?;
    let reference_time = begin.elapsed();
    let on_gpu = gpu.map(|gpu| run(gpu, op, inputs)).transpose().map_err(|error| error.to_string())?;
    let Some((output, gpu_time)) = on_gpu else {
        let output = reference.to_f32().into_dimensionality::<Ix4>().map_err(|error| error.to_string())?;
        return Ok(Computed { output, agreement: None, gpu_time: None, reference_time });
    };
    let agreement = reference.check(output.view()).map_err(|error| format!("{name}: {error}"))?;
    Ok(Computed { output, agreement: Some(agreement), gpu_time, reference_time })
}

/// Uploads the inputs, runs the op twice, takes the time of the second run, and reads the output back.
fn run<O: GpuOp>(
    gpu: &Gpu,
    op: &O,
    inputs: &[ndarray::ArrayViewD<f32>],
) -> upconv::Result<(Array4<f32>, Option<Duration>)> {
    let plan = gpu.planner().plan(op)?;
    let buffers = inputs.iter().map(|input| gpu.upload(input.view())).collect::<upconv::Result<Vec<_>>>()?;
    let shape = op.output()?.shape;
    let bytes = shape.iter().product::<usize>() as u64 * 4;
    let output = gpu.buffer("output", bytes)?;
    let roles = op.inputs()?.into_iter().map(|operand| operand.role);
    let bindings: Bindings = roles.zip(buffers.iter().map(|buffer| buffer.slice(..))).collect();
    let bound = plan.bind(&bindings.output(output.slice(..)))?;
    gpu.time(&bound)?;
    let time = gpu.time(&bound)?.gpu;
    let values = gpu.download(&output, 0, bytes)?;
    let size = [shape[0], shape[1], shape[2], shape[3]];
    let tensor = Array4::from_shape_vec(size, values);
    Ok((tensor.map_err(|_| upconv::Error::Device("the output has another size".into()))?, time))
}
