//! Runs DCGAN's generator from end to end on the GPU, in one submission, and checks each of its layers against the CPU
//! reference. The weights are random, by a seed, or come from a safetensors file with the names of PyTorch's example.

#[path = "../common/mod.rs"]
mod common;
mod generator;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use comfy_table::{Table, presets::ASCII_MARKDOWN};
use generator::Generator;
use image::RgbImage;
use ndarray::ArrayD;
use run::Network;
use upconv::Gpu;

const MISSING_HINT: &str = "this needs a GPU with its driver, or a software one (Debian, Ubuntu: mesa-vulkan-drivers)";

const USAGE: &str = "usage: dcgan [WEIGHTS.safetensors] [--seed N] [--count N] [--out FILE.png]";

/// Pictures in a row, and the space between them in pixels.
const COLUMNS: usize = 4;
const GAP: usize = 4;

/// Most pictures. With more, the reference would take minutes.
const MAX_COUNT: usize = 64;

struct Arguments {
    weights: Option<PathBuf>,
    seed: u64,
    count: usize,
    out: PathBuf,
}

fn arguments() -> Result<Option<Arguments>, String> {
    use lexopt::prelude::*;
    let mut arguments = Arguments { weights: None, seed: 1, count: 8, out: "target/dcgan.png".into() };
    let mut parser = lexopt::Parser::from_env();
    let message = |error: lexopt::Error| format!("{error}; {USAGE}");
    while let Some(argument) = parser.next().map_err(message)? {
        match argument {
            Long("seed") => arguments.seed = parser.value().and_then(|value| value.parse()).map_err(message)?,
            Long("count") => arguments.count = parser.value().and_then(|value| value.parse()).map_err(message)?,
            Long("out") => arguments.out = parser.value().map_err(message)?.into(),
            Long("help") | Short('h') => return Ok(None),
            Value(path) if arguments.weights.is_none() => arguments.weights = Some(path.into()),
            other => return Err(message(other.unexpected())),
        }
    }
    if !(1..=MAX_COUNT).contains(&arguments.count) {
        return Err(format!("--count is {}; it must be 1 to {MAX_COUNT}", arguments.count));
    }
    Ok(Some(arguments))
}

fn load(arguments: &Arguments) -> Result<Generator, String> {
    let Some(path) = &arguments.weights else { return Generator::random(arguments.seed, arguments.count) };
    let message = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|error| message(&error))?;
    Generator::load(&bytes, arguments.count).map_err(|error| message(&error))
}

/// The pictures in rows; values from -1 (black) to 1 (white), which is the range of `tanh`.
fn sheet(pictures: &ArrayD<f32>) -> Result<RgbImage, String> {
    let &[count, channels, height, width] = pictures.shape() else { return Err("no pictures".into()) };
    if channels != 3 && channels != 1 {
        return Err(format!("the generator makes {channels} channels; pictures have 3 or 1"));
    }
    let columns = count.min(COLUMNS);
    let (tile_width, tile_height) = (width + GAP, height + GAP);
    let (sheet_width, sheet_height) = (columns * tile_width + GAP, count.div_ceil(columns) * tile_height + GAP);
    let mut sheet = RgbImage::new(sheet_width as u32, sheet_height as u32);
    for (at, _) in pictures.indexed_iter().filter(|(at, _)| at[1] == 0) {
        let color = [0, 1, 2].map(|channel| {
            let value = pictures[[at[0], channel.min(channels - 1), at[2], at[3]]];
            ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8
        });
        let (x, y) = (at[0] % columns * tile_width + GAP + at[3], at[0] / columns * tile_height + GAP + at[2]);
        sheet.put_pixel(x as u32, y as u32, color.into());
    }
    Ok(sheet)
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let message = |error: upconv::Error| error.to_string();
    let generator = load(arguments)?;
    let gpu = Gpu::new().map_err(|error| format!("{error}; {MISSING_HINT}"))?;
    let network = Network::new(&gpu, &generator).map_err(message)?;
    let latent = generator::latent(arguments.seed, arguments.count, generator.latent());
    let outputs = network.run(&gpu, &generator, &latent).map_err(message)?;

    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN);
    table.set_header(["layer", "output", "recipe", "largest error of the allowed, in ulps"]);
    let mut input = latent.into_dyn();
    for (((number, layer), output), recipe) in (1..).zip(&generator.layers).zip(outputs).zip(network.recipes()) {
        let agreement = run::check(layer, &input, &output).map_err(|error| format!("layer {number}: {error}"))?;
        let error = format!("{:.2} of {}", agreement.worst_ulps, agreement.allowed_ulps);
        table.add_row([number.to_string(), format!("{:?}", output.shape()), recipe, error]);
        input = output;
    }
    println!("{table}");
    let time = network.time(&gpu).map_err(message)?;
    let refused = |error: &dyn std::fmt::Display| format!("cannot write {}: {error}", arguments.out.display());
    if let Some(folder) = arguments.out.parent() {
        std::fs::create_dir_all(folder).map_err(|error| refused(&error))?;
    }
    sheet(&input)?.save(&arguments.out).map_err(|error| refused(&error))?;
    let (count, milliseconds) = (arguments.count, time.as_secs_f64() * 1e3);
    println!(
        "every layer agrees with its reference; {count} pictures take {milliseconds:.1} ms on {}",
        gpu.info().name
    );
    println!("they are in {}", arguments.out.display());
    Ok(())
}

fn main() -> ExitCode {
    common::end("dcgan", USAGE, arguments(), |arguments| run(&arguments))
}
