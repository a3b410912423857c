//! Checks screenshots of the window: every pixel of both pictures against the library's CPU reference, and every cell's
//! colour against `cells::color`. Needs a display, or Xvfb, which is started if there is none.

#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use image::RgbaImage;
use upconv::ndarray::Array4;
use upconv::{ColorEncoding, Op};
use viewer::cells;
use viewer::kernel::Kernel;
use viewer::photo::Method;
use viewer::presets::PRESETS;

/// The photograph that the window shows at first.
const PHOTOGRAPH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../upscale/astronaut.png");

/// The display of the environment, or an Xvfb that runs until this is dropped.
struct Display {
    name: String,
    server: Option<Child>,
}

impl Display {
    fn new() -> Self {
        if let Ok(name) = std::env::var("DISPLAY") {
            return Self { name, server: None };
        }
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1400x1000x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect(
                "there is no DISPLAY, and Xvfb cannot be started: install it (Debian, Ubuntu: apt-get install xvfb)",
            );
        let mut line = String::new();
        let output = server.stdout.take().expect("it is piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).expect("Xvfb tells its number");
        Self { name: format!(":{}", line.trim()), server: Some(server) }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            // Xvfb may have ended already.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// A probe that the program printed: its words, and its rectangle (x, y, width, height) in pixels.
struct Probe {
    words: Vec<String>,
    at: [i64; 4],
}

/// Runs the program on an X display.
fn run(display: &str, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_viewer"));
    program.args(arguments).env("DISPLAY", display).env_remove("WAYLAND_DISPLAY");
    program.output().expect("the viewer starts")
}

/// Runs the program for a screenshot; returns the picture, and the probes that the program prints.
fn screenshot(name: &str, arguments: &[&str]) -> (RgbaImage, Vec<Probe>) {
    let display = Display::new();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
    let file = path.to_str().expect("a path of letters");
    let program = run(&display.name, &[arguments, &["--screenshot", file]].concat());
    assert!(program.status.success(), "{}", String::from_utf8_lossy(&program.stderr));
    let text = String::from_utf8_lossy(&program.stdout).into_owned();
    let probe = |line: &str| {
        let (words, rect) = line.split_once(" at ")?;
        let at: Vec<i64> = rect.split(' ').filter_map(|number| number.parse::<f64>().ok()).map(|n| n as i64).collect();
        Some(Probe { words: words.split(' ').map(String::from).collect(), at: at.try_into().ok()? })
    };
    (image::open(path).expect("the screenshot").to_rgba8(), text.lines().filter_map(probe).collect())
}

fn find<'a>(probes: &'a [Probe], words: &[&str]) -> &'a Probe {
    let found = probes.iter().find(|probe| probe.words.iter().zip(words).all(|(a, b)| a == b));
    found.unwrap_or_else(|| panic!("the window has no {words:?}"))
}

/// The picture that a method makes of the photograph, between 0 and 1, by the reference on the CPU.
fn reference(method: Method, encoding: ColorEncoding) -> Array4<f64> {
    let picture = image::open(PHOTOGRAPH).expect("the photograph").to_rgb8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let input = Array4::from_shape_fn((1, 3, height, width), |(_, c, y, x)| {
        encoding.decode(f64::from(picture.get_pixel(x as u32, y as u32)[c]) / 255.0) as f32
    });
    let kernel = Kernel::default();
    let values = match method.upsample([height, width], kernel.stride) {
        Some(up) => up.and_then(|up| up.reference(&[input.view()])).expect("a legal upsampling").values,
        None => {
            let layer = kernel.layer(3, [height, width]);
            layer.reference(&[input.view(), kernel.weight(3).view()]).expect("a legal layer").values
        }
    };
    values.into_dimensionality().expect("a picture")
}

/// Checks that every visible pixel of a side, except near the divider, is within one 8-bit step of the reference.
fn check_side(shot: &RgbaImage, probes: &[Probe], side: &str, method: Method, encoding: ColorEncoding) {
    let expected = reference(method, encoding);
    let [left, top, width, height] = find(probes, &["picture", side]).at;
    assert_eq!([height, width].map(|side| side as usize), [expected.dim().2, expected.dim().3]);
    let [half_left, half_top, half_width, half_height] = find(probes, &["half", side]).at;
    let mut seen = 0;
    // The divider and its handle are a few pixels wide.
    let edge = 9;
    for y in half_top.max(top)..(half_top + half_height).min(top + height) {
        for x in (half_left + edge).max(left)..(half_left + half_width - edge).min(left + width) {
            let pixel = shot.get_pixel(x as u32, y as u32);
            for channel in 0..3 {
                let amount = expected[[0, channel, (y - top) as usize, (x - left) as usize]];
                let code = encoding.encode(amount).clamp(0.0, 1.0) * 255.0;
                let actual = f64::from(pixel[channel]);
                assert!(
                    (actual - code).abs() <= 1.0,
                    "{side} {method:?} at {x},{y}: {actual} where {code} was expected"
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 100_000, "only {seen} pixels are seen");
}

#[test]
fn both_sides_are_the_photograph_by_their_methods() {
    let (shot, probes) = screenshot("photograph", &[]);
    check_side(&shot, &probes, "left", Method::Nearest, ColorEncoding::Linear);
    check_side(&shot, &probes, "right", Method::Bicubic, ColorEncoding::Linear);
}

#[test]
fn light_is_what_is_filtered_if_asked_for() {
    let (shot, probes) = screenshot("light", &["--left", "kernel", "--right", "lanczos", "--linear"]);
    check_side(&shot, &probes, "left", Method::Kernel, ColorEncoding::Srgb);
    check_side(&shot, &probes, "right", Method::Lanczos, ColorEncoding::Srgb);
}

/// The first preset's matrices are drawn with every value in its place and its colour.
#[test]
fn cells_show_the_matrices() {
    let (shot, probes) = screenshot("matrices", &["--page", "matrices"]);
    let preset = &PRESETS[0];
    let input = Array4::from_shape_vec((1, 1, 2, 2), preset.values.to_vec()).expect("a matrix");
    let mut kernel = Kernel::default();
    (kernel.size, kernel.stride, kernel.padding, kernel.taps) = ([3, 3], [1, 1], [0, 0], preset.taps.to_vec());
    let output = kernel.apply(&input).expect("a legal layer");
    let wide =
        kernel.layer(1, [2, 2]).matrix(kernel.weight(1).view()).expect("a matrix").to_dense().expect("a small one");
    let taps = Array4::from_shape_vec((1, 1, 3, 3), preset.taps.to_vec()).expect("a kernel");
    let dense = |row: usize, column: usize| f64::from(wide[(row, column)]);
    check_cells(&shot, &probes, "input", [2, 2], &|row, column| f64::from(input[[0, 0, row, column]]));
    check_cells(&shot, &probes, "kernel", [3, 3], &|row, column| f64::from(taps[[0, 0, row, column]]));
    check_cells(&shot, &probes, "output", [4, 4], &|row, column| output[[0, 0, row, column]]);
    check_cells(&shot, &probes, "W", [4, 16], &|row, column| dense(column, row));
    check_cells(&shot, &probes, "W_transposed", [16, 4], &dense);
}

fn check_cells(
    shot: &RgbaImage,
    probes: &[Probe],
    name: &str,
    [rows, columns]: [usize; 2],
    value: &dyn Fn(usize, usize) -> f64,
) {
    let places = || (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let largest = places().map(|(row, column)| value(row, column).abs()).fold(0.0, f64::max);
    let first = find(probes, &["cell", name]).at;
    for (row, column) in places().filter(|&(row, column)| value(row, column) != 0.0) {
        let (value, [r, c]) = (value(row, column), [row, column].map(|index| index.to_string()));
        let [x, y, width, height] = find(probes, &["cell", name, &r, &c, &value.to_string()]).at;
        // Rows go down and columns to the right.
        assert!(row == 0 || y > first[1] && column == 0 || x >= first[0], "{name} {row} {column} at {x},{y}");
        let expected = cells::color(Some(value), largest).to_array();
        // Its corner, where no number is written.
        let pixel = shot.get_pixel(x as u32 + 1, y as u32 + 1).0;
        assert!(
            pixel.iter().zip(expected).all(|(&a, b)| a.abs_diff(b) <= 1),
            "{name} {row} {column}: {pixel:?}, {expected:?}"
        );
        assert!(x + width <= i64::from(shot.width()) && y + height <= i64::from(shot.height()), "{name} is cut off");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |arguments: &[&str], words: &[&str]| {
        let program = run(":987", arguments);
        let error = String::from_utf8_lossy(&program.stderr);
        assert_eq!(program.status.code(), Some(1), "{error}");
        assert!(words.iter().all(|word| error.contains(word)) && !error.contains("panicked"), "{error}");
    };
    refused(&["no/such.png"], &["cannot read no/such.png"]);
    refused(&["--page", "none"], &["\"none\"", "matrices"]);
    refused(&["--left", "magic"], &["\"magic\"", "lanczos"]);
    refused(&["--bogus"], &["usage"]);
    refused(&[], &["display", "Xvfb"]);
}
