//! A network that doubles a picture's size: convolutions that find features, and a transposed convolution that draws
//! them. It takes one channel with values between 0 and 1; a colour picture is a batch of three.

#[path = "../common/tensors.rs"]
mod tensors;

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::{Array4, ArrayD, ArrayView1, ArrayViewD, Ix4, IxDyn, s};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Normal};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tensors::tensor;
use upconv::{Activation, Conv2d, ConvTranspose2d, Gpu, Result};

/// Slope of the leaky ReLUs.
pub const SLOPE: f32 = 0.1;

/// How many times larger the output is on each axis.
pub const FACTOR: usize = 2;

/// Features, and the sides of the convolutions' kernels.
const FEATURES: usize = 16;
const KERNELS: [usize; 2] = [5, 3];

/// Taps of the transposed convolution on each axis: as many as bilinear interpolation has.
const UP_KERNEL: usize = 2 * FACTOR;

/// The network's weights before training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// Bilinear interpolation of the picture, which the convolutions pass on unchanged as their first feature.
    Bilinear,
    /// Random weights in every layer, as is usual.
    Random,
}

/// A layer's parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// As in PyTorch's `state_dict`, without `.weight`.
    pub name: String,
    pub weight: Array4<f32>,
    pub bias: Vec<f32>,
}

/// The parameters: convolutions, and last the transposed convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    pub layers: Vec<Parameters>,
}

/// A layer for one size of its input.
#[derive(Clone, Debug)]
pub enum Layer {
    Conv(Conv2d),
    Up(ConvTranspose2d),
}

impl Network {
    /// A network with random weights after He et al., except those that [`Init::Bilinear`] sets.
    pub fn new(init: Init, seed: u64) -> Result<Self> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut normal = |shape: [usize; 4], fan_in: usize| {
            let deviation = (2.0 / ((1.0 + SLOPE * SLOPE) * fan_in as f32)).sqrt();
            let normal = Normal::new(0.0, deviation).expect("a deviation above 0");
            Array4::from_shape_simple_fn(shape, || normal.sample(&mut random))
        };
        let (mut layers, mut ins) = (Vec::new(), 1);
        for (number, side) in KERNELS.into_iter().enumerate() {
            let mut weight = normal([FEATURES, ins, side, side], ins * side * side);
            if init == Init::Bilinear {
                weight.slice_mut(s![0, .., .., ..]).fill(0.0);
                weight[[0, 0, side / 2, side / 2]] = 1.0;
            }
            layers.push(Parameters { name: format!("convs.{number}"), weight, bias: vec![0.0; FEATURES] });
            ins = FEATURES;
        }
        let shape = [FEATURES, 1, UP_KERNEL, UP_KERNEL];
        let weight = match init {
            // Each output sums a quarter of the taps.
            Init::Random => normal(shape, FEATURES * UP_KERNEL * UP_KERNEL / (FACTOR * FACTOR)),
            Init::Bilinear => {
                let filler = ConvTranspose2d::caffe_bilinear(ConvTranspose2d::default(), FACTOR)?.bilinear_filler()?;
                let mut weight = Array4::zeros(shape);
                weight.slice_mut(s![..1, .., .., ..]).assign(&filler);
                weight
            }
        };
        layers.push(Parameters { name: "up".into(), weight, bias: vec![0.0] });
        Ok(Self { layers })
    }

    /// The layers for a batch of pictures of this size, padded so that each keeps the size, and the last doubles it.
    pub fn layers(&self, batch: usize, input_size: [usize; 2]) -> Vec<Layer> {
        let layer = |(number, parameters): (usize, &Parameters)| {
            let (first, second, height, width) = parameters.weight.dim();
            let kernel_size = [height, width];
            if number + 1 == self.layers.len() {
                let padding = kernel_size.map(|side| (side - FACTOR) / 2).into();
                let (in_channels, out_channels, stride) = (first, second, [FACTOR; 2]);
                let base = ConvTranspose2d { batch, in_channels, out_channels, input_size, ..Default::default() };
                return Layer::Up(ConvTranspose2d { kernel_size, stride, padding, bias: true, ..base });
            }
            let padding = kernel_size.map(|side| side / 2).into();
            let (in_channels, out_channels) = (second, first);
            let activation = Activation::LeakyRelu { slope: SLOPE };
            let base = Conv2d { batch, in_channels, out_channels, input_size, ..Default::default() };
            Layer::Conv(Conv2d { kernel_size, padding, bias: true, activation, ..base })
        };
        self.layers.iter().enumerate().map(layer).collect()
    }

    /// How many input samples on each side an output depends on: so many are repeated beyond a picture's edge.
    pub fn reach(&self) -> usize {
        let side = |parameters: &Parameters| parameters.weight.dim().2.max(parameters.weight.dim().3) / 2;
        self.layers.iter().map(side).sum()
    }

    /// Reads a safetensors file with these names: `convs.0.weight`, `convs.0.bias`, ..., `up.weight`, `up.bias`.
    pub fn load(path: &Path) -> std::result::Result<Self, String> {
        let message = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
        let bytes = std::fs::read(path).map_err(|error| message(&error))?;
        Self::parse(&bytes).map_err(|error| message(&error))
    }

    fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let convs = (0..).take_while(|number| file.tensor(&format!("convs.{number}.weight")).is_ok());
        let names: Vec<_> = convs.map(|number| format!("convs.{number}")).chain(["up".to_string()]).collect();
        let mut layers: Vec<Parameters> = Vec::new();
        for name in names {
            let weight = tensor(&file, &format!("{name}.weight"))?;
            let shape = weight.shape().to_vec();
            let weight = weight.into_dimensionality::<Ix4>();
            let weight = weight.map_err(|_| format!("{name}.weight has shape {shape:?}; it should have 4 axes"))?;
            let bias: Vec<f32> = tensor(&file, &format!("{name}.bias"))?.into_iter().collect();
            let is_up = name == "up";
            let (ins, outs) = if is_up { (shape[0], shape[1]) } else { (shape[1], shape[0]) };
            let before = layers.last().map_or(1, |layer| layer.bias.len());
            // Kernel sizes for which equal padding on both sides lets a layer keep, or double, its input's size.
            let fits =
                |side: &usize| if is_up { *side >= FACTOR && side.is_multiple_of(2) } else { !side.is_multiple_of(2) };
            let fits = shape[2..].iter().all(fits);
            if ins != before || bias.len() != outs || (is_up && outs != 1) || outs == 0 || !fits {
                let bias = bias.len();
                return Err(format!(
                    "{name}.weight of shape {shape:?} with {bias} biases does not follow {before} channels"
                ));
            }
            layers.push(Parameters { name, weight, bias });
        }
        Ok(Self { layers })
    }

    /// Writes a safetensors file that [`Network::load`] reads.
    pub fn save(&self, path: &Path) -> std::result::Result<(), String> {
        let mut tensors = BTreeMap::new();
        for layer in &self.layers {
            let values: Vec<f32> = layer.weight.iter().copied().collect();
            tensors.insert(format!("{}.weight", layer.name), (layer.weight.shape().to_vec(), values));
            tensors.insert(format!("{}.bias", layer.name), (vec![layer.bias.len()], layer.bias.clone()));
        }
        let views = tensors.iter().map(|(name, (shape, values))| {
            let bytes = bytemuck::cast_slice(values);
            (name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("as many numbers as the shape has"))
        });
        let bytes = safetensors::serialize(views, None).map_err(|error| error.to_string())?;
        std::fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    /// Doubles the size of a picture (1, 3, height, width) of numbers between 0 and 1: `run` computes each layer from
    /// its input, weight and bias. The edge is repeated beyond the picture, by [`Network::reach`] samples.
    pub fn double(
        &self,
        picture: &Array4<f32>,
        mut run: impl FnMut(&Layer, &[ArrayViewD<f32>]) -> std::result::Result<ArrayD<f32>, String>,
    ) -> std::result::Result<Array4<f32>, String> {
        let (_, channels, height, width) = picture.dim();
        let reach = self.reach();
        let inside = |at: usize, size: usize| at.saturating_sub(reach).min(size - 1);
        let padded = [height, width].map(|size| size + 2 * reach);
        let mut values = ArrayD::from_shape_fn(IxDyn(&[channels, 1, padded[0], padded[1]]), |at| {
            picture[[0, at[0], inside(at[2], height), inside(at[3], width)]]
        });
        for (layer, parameters) in self.layers(channels, padded).iter().zip(&self.layers) {
            let bias = ArrayView1::from(&parameters.bias);
            values = run(layer, &[values.view(), parameters.weight.view().into_dyn(), bias.into_dyn()])?;
        }
        let edge = reach * FACTOR;
        let shape = (1, channels, height * FACTOR, width * FACTOR);
        Ok(Array4::from_shape_fn(shape, |(_, c, y, x)| values[[c, 0, y + edge, x + edge]]))
    }
}

impl Layer {
    /// Runs the layer on the GPU, on its input, weight and bias.
    pub fn run(&self, gpu: &Gpu, operands: &[ArrayViewD<f32>]) -> std::result::Result<ArrayD<f32>, String> {
        match self {
            Self::Conv(conv) => gpu.run(conv, operands),
            Self::Up(up) => gpu.run(up, operands),
        }
        .map_err(|error| error.to_string())
    }
}
