//! DCGAN's generator: its layers, with the batch normalisations folded into them, from a file or from a seed.

#[path = "../common/tensors.rs"]
mod tensors;

use ndarray::{Array1, Array4, ArrayD, Axis, Ix4};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Normal};
use safetensors::SafeTensors;
use tensors::tensor;
use upconv::{Activation, ConvTranspose2d, cpu};

/// PyTorch's `BatchNorm2d.eps`.
const EPSILON: f32 = 1e-5;

/// Sizes of Radford, Metz and Chintala's generator as PyTorch's example has them: length of the latent vector, and
/// output channels of each layer.
const LATENT: usize = 100;
const CHANNELS: [usize; 5] = [512, 256, 128, 64, 3];

/// A transposed convolution, with its batch normalisation folded into weight and bias.
pub struct Layer {
    pub op: ConvTranspose2d,
    pub weight: Array4<f32>,
    pub bias: Array1<f32>,
}

/// What a batch normalisation does to each channel in `eval` mode.
struct BatchNorm {
    weight: Array1<f32>,
    bias: Array1<f32>,
    mean: Array1<f32>,
    variance: Array1<f32>,
}

/// The layers, for a batch of latent vectors.
pub struct Generator {
    pub layers: Vec<Layer>,
}

impl Layer {
    /// The layer of this number: the first turns a vector into an image as large as its kernel, the others double
    /// the image's size.
    fn new(number: usize, batch: usize, input_size: [usize; 2], weight: Array4<f32>) -> Self {
        let (in_channels, out_channels, height, width) = weight.dim();
        let op = ConvTranspose2d {
            batch,
            in_channels,
            out_channels,
            input_size,
            kernel_size: [height, width],
            stride: if number == 0 { [1, 1] } else { [2, 2] },
            padding: if number == 0 { [0, 0].into() } else { [1, 1].into() },
            bias: true,
            activation: Activation::Tanh,
            ..Default::default()
        };
        Self { op, weight, bias: Array1::zeros(out_channels) }
    }

    /// Folds `(x - mean) / sqrt(variance + eps) * weight + bias` of each output channel into the layer's weight and
    /// bias, and makes the activation a ReLU.
    fn fold(&mut self, norm: &BatchNorm) {
        let factor = &norm.weight / (&norm.variance + EPSILON).mapv(f32::sqrt);
        self.bias = &norm.bias + (&self.bias - &norm.mean) * &factor;
        for (mut channel, &factor) in self.weight.axis_iter_mut(Axis(1)).zip(&factor) {
            channel *= factor;
        }
        self.op.activation = Activation::Relu;
    }

    fn output_size(&self) -> upconv::Result<[usize; 2]> {
        let shape = upconv::Op::output(&self.op)?.shape;
        Ok([shape[2], shape[3]])
    }
}

impl Generator {
    /// The latent vectors' length.
    pub fn latent(&self) -> usize {
        self.layers[0].op.in_channels
    }

    /// From a file with the tensors of `netG.state_dict()` of PyTorch's example: `main.0.weight`, and for every layer
    /// but the last `main.1.weight`, `.bias`, `.running_mean` and `.running_var`; the layers are three numbers apart.
    pub fn load(bytes: &[u8], batch: usize) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let (mut layers, mut size) = (Vec::new(), [1, 1]);
        for number in 0.. {
            let weight = tensor(&file, &format!("main.{}.weight", 3 * number))?;
            let weight = weight.into_dimensionality::<Ix4>().map_err(|_| {
                format!("main.{}.weight is no weight of a ConvTranspose2d: it should have 4 axes", 3 * number)
            })?;
            let before = layers.last().map_or(weight.dim().0, |layer: &Layer| layer.op.out_channels);
            if weight.dim().0 != before {
                let shape = weight.shape();
                return Err(format!(
                    "main.{}.weight has shape {shape:?}; the layer before it has {before} channels",
                    3 * number
                ));
            }
            let mut layer = Layer::new(number, batch, size, weight);
            size = layer.output_size().map_err(|error| format!("main.{}: {error}", 3 * number))?;
            if file.names().iter().any(|name| **name == format!("main.{}.bias", 3 * number)) {
                layer.bias = vector(&file, &format!("main.{}.bias", 3 * number), layer.op.out_channels)?;
            }
            let norm = |name: &str| vector(&file, &format!("main.{}.{name}", 3 * number + 1), layer.op.out_channels);
            let last = !file.names().iter().any(|name| **name == format!("main.{}.running_mean", 3 * number + 1));
            if !last {
                let (weight, bias) = (norm("weight")?, norm("bias")?);
                let (mean, variance) = (norm("running_mean")?, norm("running_var")?);
                layer.fold(&BatchNorm { weight, bias, mean, variance });
            }
            layers.push(layer);
            if last {
                break;
            }
        }
        Ok(Self { layers })
    }

    /// DCGAN's generator before training: weights from a normal distribution of deviation 0.02 around 0, those of the
    /// normalisations around 1. Their means and variances are those of one batch, as in training.
    pub fn random(seed: u64, batch: usize) -> Result<Self, String> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut normal = |mean: f32| Normal::new(mean, 0.02).expect("a deviation above 0").sample(&mut random);
        let mut layers = Vec::new();
        let (mut input, mut size, mut ins) = (latent(seed, batch, LATENT), [1, 1], LATENT);
        for (number, outs) in CHANNELS.into_iter().enumerate() {
            let weight = Array4::from_shape_simple_fn((ins, outs, 4, 4), || normal(0.0));
            let mut layer = Layer::new(number, batch, size, weight);
            let message = |error: upconv::Error| error.to_string();
            size = layer.output_size().map_err(message)?;
            if number + 1 < CHANNELS.len() {
                let plain = ConvTranspose2d { bias: false, activation: Activation::None, ..layer.op.clone() };
                let output: Array4<f32> = cpu::run(&plain, &[input.view(), layer.weight.view()]).map_err(message)?;
                let weight = Array1::from_shape_simple_fn(outs, || normal(1.0));
                layer.fold(&statistics(&output, weight));
                let operands = [input.into_dyn(), layer.weight.clone().into_dyn(), layer.bias.clone().into_dyn()];
                let views = operands.each_ref().map(|operand| operand.view());
                let output: ArrayD<f32> = cpu::run(&layer.op, &views).map_err(message)?;
                input = output.into_dimensionality().map_err(|error| error.to_string())?;
            } else {
                input = Array4::zeros((0, 0, 0, 0));
            }
            ins = outs;
            layers.push(layer);
        }
        Ok(Self { layers })
    }
}

/// Vectors of standard normal numbers, (batch, length, 1, 1).
pub fn latent(seed: u64, batch: usize, length: usize) -> Array4<f32> {
    let mut random = StdRng::seed_from_u64(seed ^ 0x6c61_7465_6e74);
    let normal = Normal::new(0.0, 1.0).expect("a deviation above 0");
    Array4::from_shape_simple_fn((batch, length, 1, 1), || normal.sample(&mut random))
}

/// The normalisation that gives each channel of this batch mean 0 and variance 1, and then multiplies it by `weight`.
fn statistics(output: &Array4<f32>, weight: Array1<f32>) -> BatchNorm {
    let channels = output.axis_iter(Axis(1));
    let moments = channels.map(|channel| {
        let mean = channel.mean().unwrap_or_default();
        (mean, channel.mapv(|value| (value - mean).powi(2)).mean().unwrap_or_default())
    });
    let (mean, variance): (Vec<f32>, Vec<f32>) = moments.unzip();
    BatchNorm { bias: Array1::zeros(weight.len()), weight, mean: mean.into(), variance: variance.into() }
}

fn vector(file: &SafeTensors, name: &str, length: usize) -> Result<Array1<f32>, String> {
    let tensor = tensor(file, name)?;
    if tensor.shape() == [length] {
        return Ok(tensor.into_iter().collect());
    }
    Err(format!("{name} has shape {:?}; the layer before it has {length} channels", tensor.shape()))
}
