//! The viewer as a native program with a window.

#[path = "../../common/mod.rs"]
mod common;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui::{self, ColorImage, ScreenshotCallback, ViewportBuilder, ViewportCommand};
use viewer::app::{Page, Start, Viewer, wgpu_options};
use viewer::photo::Method;

const USAGE: &str = "usage: viewer [PICTURE] [--page photograph|matrices] [--left METHOD] [--right METHOD] \
    [--linear] [--screenshot FILE.png]; a METHOD is nearest, bilinear, bicubic, lanczos or kernel";

/// What may be missing if no window opens.
const MISSING_HINT: &str = "a window needs a display (X11 or Wayland, or the virtual display Xvfb) with its libraries, \
    and a GPU or a software Vulkan driver. In Debian and Ubuntu these are the packages xvfb libx11-xcb1 libxcursor1 \
    libxi6 libxkbcommon-x11-0 mesa-vulkan-drivers";

/// The window's size at first, in points.
const SIZE: [f32; 2] = [1280.0, 820.0];

/// Frames until the layout has settled and a screenshot can be taken.
const FRAMES: u32 = 6;

struct Arguments {
    picture: Option<PathBuf>,
    page: Page,
    methods: [Method; 2],
    linear: bool,
    screenshot: Option<PathBuf>,
}

fn arguments() -> Result<Option<Arguments>, String> {
    use lexopt::prelude::*;
    let Start { page, methods, linear, .. } = Start::default();
    let mut arguments = Arguments { picture: None, page, methods, linear, screenshot: None };
    let mut parser = lexopt::Parser::from_env();
    let message = |error: lexopt::Error| format!("{error}; {USAGE}");
    while let Some(argument) = parser.next().map_err(message)? {
        match argument {
            Long("page") => {
                let value = parser.value().map_err(message)?;
                arguments.page = match value.to_str() {
                    Some("photograph") => Page::Photograph,
                    Some("matrices") => Page::Matrices,
                    _ => return Err(format!("--page is {value:?}; it must be photograph or matrices")),
                };
            }
            Long(side @ ("left" | "right")) => {
                let number = usize::from(side == "right");
                let name = parser.value().map_err(message)?.to_string_lossy().into_owned();
                let found = Method::from_name(&name);
                arguments.methods[number] = found.ok_or(format!("there is no method \"{name}\"; {USAGE}"))?;
            }
            Long("linear") => arguments.linear = true,
            Long("screenshot") => arguments.screenshot = Some(parser.value().map_err(message)?.into()),
            Long("help") | Short('h') => return Ok(None),
            Value(path) if arguments.picture.is_none() => arguments.picture = Some(path.into()),
            other => return Err(message(other.unexpected())),
        }
    }
    Ok(Some(arguments))
}

/// The viewer; with `--screenshot` it takes a screenshot of itself and ends.
struct Window {
    viewer: Viewer,
    screenshot: Option<PathBuf>,
    frames: u32,
    taken: Arc<Mutex<Option<Arc<ColorImage>>>>,
    outcome: Arc<Mutex<Result<(), String>>>,
}

impl Window {
    /// Requests a screenshot after some frames, and saves it when it has arrived.
    fn take_screenshot(&mut self, context: &egui::Context) {
        let Some(path) = &self.screenshot else { return };
        self.frames += 1;
        context.request_repaint();
        if self.frames == FRAMES {
            let taken = self.taken.clone();
            let callback = ScreenshotCallback::new(move |image| {
                *taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(image);
            });
            context.send_viewport_cmd(ViewportCommand::Screenshot(callback));
            let mut output = std::io::stdout().lock();
            // Failing to write is no error: nobody may be reading the probes.
            let _ = self.viewer.probes.iter().try_for_each(|probe| writeln!(output, "{probe}"));
        }
        if let Some(image) = self.taken.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let [width, height] = image.size.map(|side| side as u32);
            let bytes: Vec<u8> = image.pixels.iter().flat_map(|pixel| pixel.to_array()).collect();
            let saved =
                image::RgbaImage::from_raw(width, height, bytes).ok_or("the pixels do not fill the image".to_string());
            let saved = saved.and_then(|picture| picture.save(path).map_err(|error| error.to_string()));
            let message = saved.map_err(|error| format!("cannot write {}: {error}", path.display()));
            *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = message;
            context.send_viewport_cmd(ViewportCommand::Close);
        }
    }
}

impl eframe::App for Window {
    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.viewer.ui(ui, frame);
        self.take_screenshot(&ui.ctx().clone());
    }
}

fn run(arguments: Arguments) -> Result<(), String> {
    let read = |path: PathBuf| std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()));
    let Arguments { picture, page, methods, linear, screenshot } = arguments;
    let start = Start { picture: picture.map(read).transpose()?, page, methods, linear };
    let outcome = if screenshot.is_some() { Err("the window was closed before its screenshot".into()) } else { Ok(()) };
    let outcome = Arc::new(Mutex::new(outcome));
    let window = ViewportBuilder::default().with_title("upconv viewer").with_inner_size(SIZE);
    let options = eframe::NativeOptions { viewport: window, wgpu_options: wgpu_options(), ..Default::default() };
    let message = outcome.clone();
    let make: eframe::AppCreator = Box::new(move |context| {
        if screenshot.is_some() {
            context.egui_ctx.set_pixels_per_point(1.0);
        }
        let viewer = Viewer::new(context.wgpu_render_state.as_ref(), &start)?;
        Ok(Box::new(Window { viewer, screenshot, frames: 0, taken: Arc::default(), outcome: message }))
    });
    eframe::run_native("upconv viewer", options, make).map_err(|error| match error {
        eframe::Error::AppCreation(error) => error.to_string(),
        error => format!("{error}; {MISSING_HINT}"),
    })?;
    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *outcome, Ok(()))
}

pub fn main() -> ExitCode {
    common::end("viewer", USAGE, arguments(), run)
}
