//! Upsamples a picture by seven methods on the GPU, and by a trained network if one is given, checks each against the
//! CPU reference, and writes the pictures with a labelled contact sheet.

#[path = "../common/mod.rs"]
mod common;
mod methods;
mod picture;
mod sheet;
#[allow(dead_code, reason = "the other example trains and saves")]
#[path = "../super_resolution/mod.rs"]
mod super_resolution;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use comfy_table::{Table, presets::ASCII_MARKDOWN};
use image::RgbImage;
use indicatif::{ProgressBar, ProgressStyle};
use methods::{Computed, Method};
use sheet::Tile;
use super_resolution::Network;
use upconv::{Error, Gpu};

const USAGE: &str = "usage: upscale [IN.png] [--factor N] [--weights FILE.safetensors] [--out DIR]";

/// The picture that is taken if none is named: Eileen Collins, NASA, public domain.
const PHOTOGRAPH: &[u8] = include_bytes!("astronaut.png");

/// Most output pixels. With more, the pictures and the reference would take gigabytes.
const MAX_PIXELS: u64 = 1 << 26;

/// Most output pixels of a network, which has many features for each pixel.
const MAX_PIXELS_OF_NETWORK: u64 = 1 << 22;

struct Arguments {
    input: Option<PathBuf>,
    factor: usize,
    /// Weights of a network that `examples/train` trained.
    weights: Option<PathBuf>,
    out: PathBuf,
}

fn arguments() -> Result<Option<Arguments>, String> {
    use lexopt::prelude::*;
    let mut arguments = Arguments { input: None, factor: 2, weights: None, out: "target/upscale".into() };
    let mut parser = lexopt::Parser::from_env();
    let message = |error: lexopt::Error| format!("{error}; {USAGE}");
    while let Some(argument) = parser.next().map_err(message)? {
        match argument {
            Long("factor") => arguments.factor = parser.value().and_then(|value| value.parse()).map_err(message)?,
            Long("weights") => arguments.weights = Some(parser.value().map_err(message)?.into()),
            Long("out") => arguments.out = parser.value().map_err(message)?.into(),
            Long("help") | Short('h') => return Ok(None),
            Value(path) if arguments.input.is_none() => arguments.input = Some(path.into()),
            other => return Err(message(other.unexpected())),
        }
    }
    Ok(Some(arguments))
}

fn read(input: Option<&Path>) -> Result<RgbImage, String> {
    let picture = match input {
        None => picture::decode(PHOTOGRAPH),
        Some(path) => std::fs::read(path).map_err(|error| error.to_string()).and_then(|bytes| picture::decode(&bytes)),
    };
    let name = input.map_or("the built-in photograph".into(), |path| path.display().to_string());
    picture.map_err(|error| format!("cannot read {name}: {error}"))
}

fn milliseconds(time: Option<Duration>) -> String {
    time.map_or("-".into(), |time| format!("{:.2}", time.as_secs_f64() * 1e3))
}

/// A row of the table: method, output size, largest error, GPU and reference time.
fn line(method: &Method, computed: &Computed) -> [String; 5] {
    let (_, _, height, width) = computed.output.dim();
    let error = match &computed.agreement {
        Some(agreement) => format!("{:.2} of {}", agreement.worst_ulps, agreement.allowed_ulps),
        None => "-".into(),
    };
    let times = [milliseconds(computed.gpu_time), milliseconds(Some(computed.reference_time))];
    let [gpu, reference] = times;
    [method.name.into(), format!("{width}x{height}"), error, gpu, reference]
}

fn progress(steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}").unwrap_or(ProgressStyle::default_bar());
    ProgressBar::new(steps as u64).with_style(style)
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let picture = read(arguments.input.as_deref())?;
    let most = if arguments.weights.is_some() { MAX_PIXELS_OF_NETWORK } else { MAX_PIXELS };
    picture::check_size(&picture, arguments.factor, most)?;
    let network = arguments.weights.as_deref().map(Network::load).transpose()?;
    if network.is_some() && arguments.factor != super_resolution::FACTOR {
        return Err(format!("--weights doubles a picture's size; --factor is {}", arguments.factor));
    }
    let refused = |error: &dyn std::fmt::Display| format!("cannot write to {}: {error}", arguments.out.display());
    std::fs::create_dir_all(&arguments.out).map_err(|error| refused(&error))?;
    let begin = Instant::now();
    let gpu = match Gpu::new() {
        Ok(gpu) => Some(gpu),
        Err(error @ (Error::NoAdapter(_) | Error::NoDevice(_))) => {
            println!("{}; computing on the CPU instead", error.to_string().lines().next().unwrap_or_default());
            None
        }
        Err(error) => return Err(error.to_string()),
    };
    let input = picture::to_tensor(&picture);
    let mut methods = methods::all(input.shape(), arguments.factor).map_err(|error| error.to_string())?;
    methods.extend(network.map(Method::learned));
    let bar = progress(2 * methods.len() + 1);
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN);
    table.set_header(["method", "size", "largest error of the allowed, in ulps", "GPU ms", "reference ms"]);
    let mut pictures = Vec::new();
    for method in &methods {
        bar.set_message(method.name);
        let computed = method.compute(gpu.as_ref(), &input)?;
        bar.inc(1);
        table.add_row(line(method, &computed));
        let picture = picture::to_picture(&computed.output.view());
        let path = arguments.out.join(format!("{}.png", method.name.replace(' ', "_")));
        picture.save(path).map_err(|error| refused(&error))?;
        pictures.push((method.name, picture));
        bar.inc(1);
    }
    bar.set_message("contact sheet");
    let original = Tile { name: "original", picture: &picture, scale: 1 };
    let tiles = pictures.iter().map(|(name, picture)| Tile { name, picture, scale: arguments.factor as u32 });
    let sheet = sheet::draw(&std::iter::once(original).chain(tiles).collect::<Vec<_>>());
    sheet.save(arguments.out.join("contact_sheet.png")).map_err(|error| refused(&error))?;
    bar.finish_and_clear();
    println!("{table}");
    let device = gpu.as_ref().map_or("the CPU", |gpu| gpu.info().name.as_str());
    let (count, out, seconds) = (methods.len(), arguments.out.display(), begin.elapsed().as_secs_f64());
    println!("{count} pictures and contact_sheet.png written to {out} in {seconds:.1} s, computed by {device}");
    Ok(())
}

fn main() -> ExitCode {
    common::end("upscale", USAGE, arguments(), |arguments| run(&arguments))
}
