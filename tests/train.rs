//! The super-resolution network of `train`: its weights are saved and loaded, training improves it, and bad files are
//! refused.

mod common;

#[allow(dead_code, reason = "the examples use the rest")]
#[path = "../examples/super_resolution/mod.rs"]
mod super_resolution;

use std::path::PathBuf;

use super_resolution::{Init, Network};
use upconv::cpu;

/// A folder for one test, in the build directory.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn weights_are_saved_as_they_are_loaded() {
    let path = folder("weights").join("weights.safetensors");
    for init in [Init::Bilinear, Init::Random] {
        let network = Network::new(init, 5).unwrap();
        network.save(&path).unwrap();
        assert_eq!(Network::load(&path), Ok(network));
    }
}

/// With `Init::Bilinear` the untrained network is bilinear interpolation, at the picture's edge too.
#[test]
fn it_begins_as_bilinear_interpolation() {
    use upconv::{PytorchInterpolate, Upsample2d};
    let picture = ndarray::Array4::from_shape_fn((1, 3, 9, 11), |(_, c, y, x)| ((c + 3 * y + 5 * x) % 7) as f32 / 7.0);
    let run = |layer: &super_resolution::Layer, operands: &[ndarray::ArrayViewD<f32>]| match layer {
        super_resolution::Layer::Conv(conv) => cpu::run(conv, operands).map_err(|error| error.to_string()),
        super_resolution::Layer::Up(up) => cpu::run(up, operands).map_err(|error| error.to_string()),
    };
    let doubled = Network::new(Init::Bilinear, 1).unwrap().double(&picture, run).unwrap();
    let up = Upsample2d::from_shape(picture.shape(), [18, 22]).unwrap();
    let up = Upsample2d::pytorch(up, PytorchInterpolate::Linear { align_corners: false }).unwrap();
    let expected = cpu::run(&up, &[picture.view()]).unwrap();
    for (actual, expected) in doubled.iter().zip(&expected) {
        assert!((actual - expected).abs() < 1e-5, "{actual} where {expected} was expected");
    }
}

/// Trains for some steps from random weights, then upscales a picture with the learned weights.
#[test]
fn it_learns_and_its_weights_are_used() {
    let folder = folder("trained");
    let out = folder.to_str().unwrap();
    let trained = common::example("train", &["--init", "random", "--steps", "60", "--out", out]);
    let text = String::from_utf8_lossy(&trained.stdout).to_string();
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
    let decibels: Vec<f64> = text.split(" dB").filter_map(|part| part.rsplit(' ').next()?.parse().ok()).collect();
    let [before, _, after] = decibels[..] else { panic!("{text}") };
    assert!(after > before + 5.0 && text.contains("ripple"), "{text}");
    for name in ["weights.safetensors", "loss.svg", "pictures.png"] {
        assert!(folder.join(name).exists(), "{name}");
    }
    let small = folder.join("small.png");
    image::RgbImage::from_fn(12, 10, |x, y| [20 * x as u8, 25 * y as u8, 90].into()).save(&small).unwrap();
    let (small, weights) = (small.to_str().unwrap(), folder.join("weights.safetensors"));
    let used = common::example("upscale", &[small, "--weights", weights.to_str().unwrap(), "--out", out]);
    assert!(used.status.success(), "{}", String::from_utf8_lossy(&used.stderr));
    assert_eq!(image::open(folder.join("learned.png")).unwrap().to_rgb8().dimensions(), (24, 20));
    common::refused("upscale", &[small, "--weights", weights.to_str().unwrap(), "--factor", "3"], &["--factor is 3"]);
}

#[test]
fn networks_that_do_not_fit_together_are_refused() {
    let path = folder("misfits").join("weights.safetensors");
    let refused = |change: &dyn Fn(&mut Network)| {
        let mut network = Network::new(Init::Bilinear, 1).unwrap();
        change(&mut network);
        network.save(&path).unwrap();
        Network::load(&path).unwrap_err()
    };
    let zeros = |shape: [usize; 4]| ndarray::Array4::zeros(shape);
    assert!(
        refused(&|network| network.layers[2].weight = zeros([16, 1, 0, 0]))
            .contains("up.weight of shape [16, 1, 0, 0]")
    );
    assert!(refused(&|network| network.layers[2].weight = zeros([16, 1, 5, 5])).contains("up.weight"));
    assert!(refused(&|network| network.layers[1].weight = zeros([16, 8, 3, 3])).contains("follow 16 channels"));
    assert!(refused(&|network| network.layers[0].bias.clear()).contains("with 0 biases"));
}

#[test]
fn what_cannot_be_is_refused() {
    common::refused("train", &["--steps", "0"], &["--steps is 0"]);
    common::refused("train", &["--init", "zero"], &["\"zero\"", "bilinear or random"]);
    common::refused("upscale", &["--weights", "no/such.safetensors"], &["cannot read no/such.safetensors"]);
    common::refused("upscale", &["--weights", "Cargo.toml"], &["cannot read Cargo.toml"]);
}
