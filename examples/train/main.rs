//! Teaches a network to double a photograph's size, on the GPU: its layers, and their gradients, are this library's.
//!
//! It learns from crops of two photographs and is tested on a third: against PyTorch's bicubic, by PSNR.

#[path = "../common/mod.rs"]
mod common;
mod curve;
mod pictures;
#[path = "../upscale/sheet.rs"]
mod sheet;
#[allow(dead_code, reason = "the other example loads")]
#[path = "../super_resolution/mod.rs"]
mod super_resolution;
mod trainer;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::Array4;
use pictures::{Pair, psnr, to_image};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sheet::Tile;
use super_resolution::{FACTOR, Init, Layer, Network};
use trainer::{Batch, LOSSES, Trainer};
use upconv::{Checkerboard, Gpu};

const MISSING_HINT: &str = "this needs a GPU with its driver, or a software one (Debian, Ubuntu: mesa-vulkan-drivers)";

const USAGE: &str = "usage: train [--init bilinear|random] [--steps N] [--seed N] [--out DIR]";

/// The photographs: Stéfan van der Walt's cat and Rachel Michetti's coffee, CC0; Eileen Collins by NASA, public domain.
const TRAINING_PHOTOS: [(&str, &[u8]); 2] =
    [("chelsea", include_bytes!("photos/chelsea.png")), ("coffee", include_bytes!("photos/coffee.png"))];
const TESTED_ON: (&str, &[u8]) = ("astronaut", include_bytes!("../upscale/astronaut.png"));

const BATCH: Batch = Batch { count: 16, side: 24 };

/// The largest learning rate, and the steps in which the rate rises to it; over all steps it falls to 0 as a cosine.
const RATE: f32 = 2e-3;
const WARM_UP: u32 = 40;

struct Arguments {
    init: Init,
    steps: u32,
    seed: u64,
    out: PathBuf,
}

fn arguments() -> Result<Option<Arguments>, String> {
    use lexopt::prelude::*;
    let mut arguments = Arguments { init: Init::Bilinear, steps: 2000, seed: 1, out: "target/train".into() };
    let mut parser = lexopt::Parser::from_env();
    let message = |error: lexopt::Error| format!("{error}; {USAGE}");
    while let Some(argument) = parser.next().map_err(message)? {
        match argument {
            Long("init") => {
                let value = parser.value().map_err(message)?;
                arguments.init = match value.to_str() {
                    Some("bilinear") => Init::Bilinear,
                    Some("random") => Init::Random,
                    _ => return Err(format!("--init is {value:?}; it must be bilinear or random")),
                };
            }
            Long("steps") => arguments.steps = parser.value().and_then(|value| value.parse()).map_err(message)?,
            Long("seed") => arguments.seed = parser.value().and_then(|value| value.parse()).map_err(message)?,
            Long("out") => arguments.out = parser.value().map_err(message)?.into(),
            Long("help") | Short('h') => return Ok(None),
            other => return Err(message(other.unexpected())),
        }
    }
    if arguments.steps == 0 {
        return Err("--steps is 0; it must be at least 1".into());
    }
    Ok(Some(arguments))
}

fn rate(step: u32, steps: u32) -> f32 {
    let rise = ((step + 1) as f32 / WARM_UP as f32).min(1.0);
    RATE * rise * 0.5 * (1.0 + (std::f32::consts::PI * step as f32 / steps as f32).cos())
}

/// Trains; gives the network and the mean squared error of each step.
fn train(gpu: &Gpu, network: Network, pairs: &[Pair], arguments: &Arguments) -> upconv::Result<(Network, Vec<f32>)> {
    let mut trainer = Trainer::new(gpu, network, BATCH)?;
    let mut random = StdRng::seed_from_u64(arguments.seed);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} left, {msg}");
    let bar = ProgressBar::new(arguments.steps.into()).with_style(style.unwrap_or(ProgressStyle::default_bar()));
    let mut losses = Vec::new();
    for step in 0..arguments.steps {
        let [small, large] = pictures::crops(pairs, BATCH, &mut random);
        trainer.step(&small, &large, rate(step, arguments.steps));
        bar.inc(1);
        let kept = step % LOSSES + 1;
        if kept == LOSSES || step + 1 == arguments.steps {
            let last = &trainer.losses()?[..kept as usize];
            let mean = last.iter().sum::<f32>() / kept as f32;
            bar.set_message(format!("loss {mean:.6} ({:.2} dB)", -10.0 * mean.log10()));
            losses.extend(last);
        }
    }
    bar.finish_and_clear();
    Ok((trainer.network()?, losses))
}

/// Why the last layer draws a checkerboard, if it does.
fn report(network: &Network) -> upconv::Result<Checkerboard> {
    let layers = network.layers(1, [8, 8]);
    let (Some(Layer::Up(up)), Some(parameters)) = (layers.last(), network.layers.last()) else {
        unreachable!("the last layer is the transposed convolution")
    };
    up.checkerboard(parameters.weight.view())
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let message = |error: upconv::Error| error.to_string();
    let refused = |error: &dyn std::fmt::Display| format!("cannot write to {}: {error}", arguments.out.display());
    std::fs::create_dir_all(&arguments.out).map_err(|error| refused(&error))?;
    let gpu = Gpu::new().map_err(|error| format!("{error}; {MISSING_HINT}"))?;
    let pair = |(name, photograph): (&'static str, &[u8])| Pair::new(&gpu, name, photograph);
    let pairs = TRAINING_PHOTOS.into_iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    let test = pair(TESTED_ON)?;
    let network = Network::new(arguments.init, arguments.seed).map_err(message)?;
    let before = network.double(&test.small, |layer, operands| layer.run(&gpu, operands))?;
    let name = if arguments.init == Init::Bilinear { "bilinear" } else { "random" };
    println!("before training, the {name} transposed convolution: {}", report(&network).map_err(message)?);

    let begin = Instant::now();
    let (learned, losses) = train(&gpu, network, &pairs, arguments).map_err(message)?;
    let seconds = begin.elapsed().as_secs_f64();
    let after = learned.double(&test.small, |layer, operands| layer.run(&gpu, operands))?;
    let bicubic = test.bicubic(&gpu).map_err(message)?;
    let [at_first, cubic, at_last] = [&before, &bicubic, &after].map(|picture| psnr(picture, &test.large));
    println!("{} steps in {seconds:.0} s on {}", arguments.steps, gpu.info().name);
    println!(
        "on {}, which it has not seen: {at_first:.2} dB before, bicubic {cubic:.2} dB, learned {at_last:.2} dB",
        test.name
    );
    println!("after training: {}", report(&learned).map_err(message)?);

    learned.save(&arguments.out.join("weights.safetensors"))?;
    curve::draw(&arguments.out.join("loss.svg"), &losses)?;
    let tiles: [(&str, &Array4<f32>); 4] =
        [("before", &before), ("bicubic", &bicubic), ("learned", &after), ("truth", &test.large)];
    let pictures = tiles.map(|(name, picture)| (name, to_image(picture)));
    let tiles = pictures.each_ref().map(|(name, picture)| Tile { name, picture, scale: FACTOR as u32 });
    let sheet = sheet::draw(&tiles);
    sheet.save(arguments.out.join("pictures.png")).map_err(|error| refused(&error))?;
    println!("weights.safetensors, loss.svg and pictures.png are in {}", arguments.out.display());
    Ok(())
}

fn main() -> ExitCode {
    common::end("train", USAGE, arguments(), |arguments| run(&arguments))
}
