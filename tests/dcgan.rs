//! DCGAN's generator from a file: batch normalisations are folded as PyTorch defines them, and bad files are refused.

mod common;

#[allow(dead_code, reason = "the example uses the rest")]
#[path = "../examples/dcgan/generator.rs"]
mod generator;

use generator::Generator;
use ndarray::{Array4, ArrayD, Axis, IxDyn};
use rand::{Rng, SeedableRng, rngs::StdRng};
use safetensors::{Dtype, tensor::TensorView};
use upconv::{Activation, ConvTranspose2d, cpu};

/// Names, shapes and values of a small generator: three latent numbers, four channels and two colours.
fn tensors() -> Vec<(String, ArrayD<f32>)> {
    let shapes: [(&str, &[usize]); 7] = [
        ("main.0.weight", &[3, 4, 4, 4]),
        ("main.1.weight", &[4]),
        ("main.1.bias", &[4]),
        ("main.1.running_mean", &[4]),
        ("main.1.running_var", &[4]),
        ("main.3.weight", &[4, 2, 4, 4]),
        ("main.0.bias", &[4]),
    ];
    let mut random = StdRng::seed_from_u64(7);
    let mut tensor = |shape: &[usize]| ArrayD::from_shape_simple_fn(IxDyn(shape), || random.random_range(0.1..1.0));
    shapes.map(|(name, shape)| (name.to_string(), tensor(shape))).into()
}

fn file(tensors: &[(String, ArrayD<f32>)]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, tensor)| {
        let bytes = bytemuck::cast_slice(tensor.as_slice().expect("row-major"));
        (name.as_str(), TensorView::new(Dtype::F32, tensor.shape().into(), bytes).expect("a tensor's bytes"))
    });
    safetensors::serialize(views, None).expect("a file")
}

#[test]
fn batch_normalisations_are_folded() {
    let tensors = tensors();
    let of = |name: &str| &tensors.iter().find(|(other, _)| other == name).expect("a tensor").1;
    let generator = Generator::load(&file(&tensors), 2).unwrap();
    let latent = generator::latent(3, 2, 3);
    let mut folded = latent.clone().into_dyn();
    for layer in &generator.layers {
        let operands = [folded, layer.weight.clone().into_dyn(), layer.bias.clone().into_dyn()];
        folded = cpu::run(&layer.op, &operands.each_ref().map(|operand| operand.view())).unwrap();
    }

    let plain = |op: &ConvTranspose2d| ConvTranspose2d { bias: false, activation: Activation::None, ..op.clone() };
    let [first, second] = [0, 1].map(|number| plain(&generator.layers[number].op));
    let mut middle: Array4<f32> =
        cpu::run(&first, &[latent.view(), of("main.0.weight").view().into_dimensionality().unwrap()]).unwrap();
    for (channel, mut values) in middle.axis_iter_mut(Axis(1)).enumerate() {
        let [weight, bias, mean, variance] =
            ["weight", "bias", "running_mean", "running_var"].map(|name| of(&format!("main.1.{name}"))[[channel]]);
        let own = of("main.0.bias")[[channel]];
        values.mapv_inplace(|x| ((x + own - mean) / (variance + 1e-5).sqrt() * weight + bias).max(0.0));
    }
    let weight = of("main.3.weight").view().into_dimensionality().unwrap();
    let expected: Array4<f32> = cpu::run(&second, &[middle.view(), weight]).unwrap();
    assert_eq!(folded.shape(), [2, 2, 8, 8]);
    for (actual, expected) in folded.iter().zip(&expected) {
        assert!((actual - expected.tanh()).abs() < 1e-4, "{actual} where {} was expected", expected.tanh());
    }
}

#[test]
fn files_that_are_no_generator_are_refused() {
    let refused = |tensors: &[(String, ArrayD<f32>)]| Generator::load(&file(tensors), 1).err().unwrap();
    let all = tensors();
    assert!(refused(&all[1..]).contains("main.0.weight"));
    assert!(refused(&all[..5]).contains("main.3.weight"));
    let mut wrong = all.clone();
    wrong[5].1 = ArrayD::zeros(IxDyn(&[3, 2, 4, 4]));
    assert!(refused(&wrong).contains("main.3.weight has shape [3, 2, 4, 4]; the layer before it has 4 channels"));
    let mut wrong = all.clone();
    wrong[2].1 = ArrayD::zeros(IxDyn(&[5]));
    assert!(refused(&wrong).contains("main.1.bias has shape [5]; the layer before it has 4 channels"));
    common::refused("dcgan", &["no/such.safetensors"], &["cannot read no/such.safetensors"]);
    common::refused("dcgan", &["Cargo.toml"], &["cannot read Cargo.toml"]);
    common::refused("dcgan", &["--count", "0"], &["--count is 0"]);
}
