//! The window: controls on the left, and a page of a photograph or of matrices.

use eframe::egui::{CentralPanel, ComboBox, DragValue, Grid, Panel, ScrollArea, Ui};
use egui_wgpu::RenderState;
use upconv::wgpu;

use crate::compare::Compare;
use crate::dropped::Inbox;
use crate::kernel::{Fill, Kernel, MAX_SIDE};
use crate::matrices::Matrices;
use crate::photo::{self, Method, Photo, Settings};
use crate::probes::Probe;

/// Eileen Collins, NASA, public domain.
const PHOTOGRAPH: &[u8] = include_bytes!("../../upscale/astronaut.png");

const CONTROLS_WIDTH: f32 = 300.0;

/// Largest absolute value of a tap.
const MAX_TAP: f32 = 1e6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    Photograph,
    Matrices,
}

/// What the window starts with.
pub struct Start {
    /// A picture file's bytes; the built-in photograph if there are none.
    pub picture: Option<Vec<u8>>,
    pub page: Page,
    pub methods: [Method; 2],
    pub linear: bool,
}

impl Default for Start {
    fn default() -> Self {
        let methods = [Method::Nearest, Method::Bicubic];
        Self { picture: None, page: Page::Photograph, methods, linear: false }
    }
}

pub struct Viewer {
    state: RenderState,
    page: Page,
    settings: Settings,
    photo: Option<Photo>,
    compare: Compare,
    matrices: Matrices,
    inbox: Inbox,
    /// The kernel of the matrices' page.
    small: Kernel,
    /// What went wrong with a picture.
    load_error: Option<String>,
    /// Where things were drawn in this frame.
    pub probes: Vec<Probe>,
}

impl Viewer {
    /// On the device that eframe made; the error says what it lacks.
    pub fn new(state: Option<&RenderState>, start: &Start) -> Result<Self, String> {
        let state = state.ok_or("eframe gave no wgpu device")?.clone();
        photo::check(&state).map_err(|error| {
            let name = state.adapter.get_info().name;
            format!("{name} does not run the compute shaders that the viewer needs: {error}")
        })?;
        let mut matrices = Matrices::default();
        let mut viewer = Self {
            page: start.page,
            settings: Settings { methods: start.methods, kernel: Kernel::default(), linear: start.linear },
            photo: None,
            compare: Compare::default(),
            small: matrices.choose(0),
            matrices,
            inbox: Inbox::default(),
            load_error: None,
            probes: Vec::new(),
            state,
        };
        viewer.load(start.picture.as_deref().unwrap_or(PHOTOGRAPH))?;
        Ok(viewer)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), String> {
        let photo = photo::decode(bytes).and_then(|picture| Photo::new(&self.state, &picture))?;
        if let Some(mut old) = self.photo.replace(photo) {
            old.free_all(&self.state);
        }
        Ok(())
    }

    /// A picture that was dropped onto the window.
    fn take_dropped(&mut self, ui: &Ui) {
        if let Some(contents) = self.inbox.take(ui) {
            self.load_error = contents.and_then(|bytes| self.load(&bytes)).err();
        }
    }

    fn controls(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            ui.selectable_value(&mut self.page, Page::Photograph, "photograph");
            ui.selectable_value(&mut self.page, Page::Matrices, "matrices");
        });
        ui.separator();
        let input_size = match self.page {
            Page::Photograph => {
                self.photo_controls(ui);
                self.photo.as_ref().map_or([1, 1], |photo| photo.size)
            }
            Page::Matrices => {
                self.matrices.controls(ui, &mut self.small);
                self.matrices.input_size()
            }
        };
        ui.separator();
        let kernel = if self.page == Page::Photograph { &mut self.settings.kernel } else { &mut self.small };
        edit(ui, kernel);
        ui.separator();
        describe(ui, kernel, input_size);
    }

    fn photo_controls(&mut self, ui: &mut Ui) {
        for (number, label) in ["left", "right"].into_iter().enumerate() {
            let chosen = &mut self.settings.methods[number];
            ComboBox::from_label(label).width(190.0).selected_text(chosen.name()).show_ui(ui, |ui| {
                for (method, name) in Method::ALL {
                    ui.selectable_value(chosen, method, name);
                }
            });
        }
        ui.checkbox(&mut self.settings.linear, "resize linear values (decode and encode sRGB)");
        ui.horizontal(|ui| {
            ui.label("zoom");
            ui.add(DragValue::new(&mut self.compare.zoom).range(0.05..=40.0).speed(0.02).max_decimals(2));
            if ui.button("1:1").clicked() {
                self.compare.reset();
            }
        });
        let Some(photo) = &mut self.photo else { return };
        ui.label(match photo.milliseconds(&self.state) {
            Some(time) => format!("GPU time per frame: {time:.2} ms"),
            None if photo.has_clock() => {
                // The time arrives some frames later.
                ui.ctx().request_repaint_after(std::time::Duration::from_millis(50));
                "GPU time per frame: …".into()
            }
            None => "GPU time per frame: the device has no timestamps".into(),
        });
        for side in photo.sides.iter().flatten() {
            ui.weak(format!("{} to {}x{}", side.recipe, side.size[1], side.size[0]));
        }
        ui.weak("Drop a picture onto the window.");
    }
}

/// The kernel's numbers, height and width side by side.
fn edit(ui: &mut Ui, kernel: &mut Kernel) {
    let mut size = kernel.size;
    Grid::new("numbers").num_columns(3).spacing([10.0, 4.0]).show(ui, |ui| {
        let row = |ui: &mut Ui, name: &str, values: &mut [usize; 2], range: std::ops::RangeInclusive<usize>| {
            ui.label(name);
            for value in values {
                ui.add(DragValue::new(value).range(range.clone()).speed(0.05));
            }
            ui.end_row();
        };
        row(ui, "kernel size", &mut size, 1..=MAX_SIDE);
        row(ui, "stride", &mut kernel.stride, 1..=8);
        row(ui, "dilation", &mut kernel.dilation, 1..=8);
        row(ui, "output padding", &mut kernel.output_padding, 0..=7);
        ui.label("padding");
        for value in &mut kernel.padding {
            ui.add(DragValue::new(value).range(-8..=32).speed(0.05));
        }
        ui.end_row();
    });
    if size != kernel.size {
        kernel.resize(size);
    }
    ui.horizontal_wrapped(|ui| {
        for (fill, name) in Fill::ALL {
            if ui.button(name).clicked() {
                kernel.fill(fill);
            }
        }
        if ui.button("unit sum").on_hover_text("scales the taps so that a flat picture stays as bright").clicked() {
            kernel.normalise();
        }
    });
    ScrollArea::horizontal().id_salt("taps").show(ui, |ui| {
        Grid::new("taps").spacing([3.0, 3.0]).min_col_width(30.0).show(ui, |ui| {
            for (at, tap) in kernel.taps.iter_mut().enumerate() {
                ui.add(DragValue::new(tap).speed(0.01).max_decimals(3).range(-MAX_TAP..=MAX_TAP));
                // `DragValue` takes "nan" for a number.
                if !tap.is_finite() {
                    *tap = 0.0;
                }
                if (at + 1) % kernel.size[1] == 0 {
                    ui.end_row();
                }
            }
        });
    });
}

/// The output's size by its formula, and the checkerboard's report.
fn describe(ui: &mut Ui, kernel: &Kernel, input_size: [usize; 2]) {
    ui.label("output size = (input - 1)·stride + dilation·(kernel - 1) + 1 - 2·padding + output padding");
    for (axis, name) in ["height", "width"].into_iter().enumerate() {
        ui.label(format!("{name}: {}", kernel.formula(axis, input_size[axis])));
    }
    if let Err(error) = kernel.output_size(input_size) {
        ui.colored_label(ui.visuals().error_fg_color, error.to_string());
        return;
    }
    ui.separator();
    match kernel.report(input_size) {
        Ok(report) => ui.label(format!("checkerboard: {report}")),
        Err(error) => ui.label(error.to_string()),
    };
}

impl eframe::App for Viewer {
    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.probes.clear();
        self.take_dropped(ui);
        if let Some(photo) = &mut self.photo {
            photo.update(&self.state, &self.settings);
        }
        Panel::left("controls").exact_size(CONTROLS_WIDTH).resizable(false).show(ui, |ui| {
            ScrollArea::vertical().show(ui, |ui| self.controls(ui));
        });
        CentralPanel::default().show(ui, |ui| {
            if let Some(load_error) = &self.load_error {
                ui.colored_label(ui.visuals().error_fg_color, load_error);
            }
            match self.page {
                Page::Photograph => {
                    if let Some(photo) = &mut self.photo {
                        // The controls may have changed the settings.
                        photo.update(&self.state, &self.settings);
                        photo.compute(&self.state);
                        self.compare.show(ui, photo, &mut self.probes);
                    }
                }
                Page::Matrices => self.matrices.show(ui, &self.small, &mut self.probes),
            }
        });
    }
}

/// A device with wgpu's default limits, the adapter's largest textures, and timestamp queries where it has them.
pub fn device_descriptor(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    let offered = adapter.limits();
    let limits = wgpu::Limits { max_texture_dimension_2d: offered.max_texture_dimension_2d, ..Default::default() };
    // An adapter that cannot compute gives a device nonetheless, so that the window can say what is missing.
    let limits = if limits.check_limits(&offered) { limits } else { offered };
    wgpu::DeviceDescriptor {
        label: Some("viewer::device"),
        required_features: adapter.features() & wgpu::Features::TIMESTAMP_QUERY,
        required_limits: limits,
        ..Default::default()
    }
}

/// eframe's options for wgpu.
pub fn wgpu_options() -> egui_wgpu::WgpuConfiguration {
    let setup = egui_wgpu::WgpuSetupCreateNew {
        device_descriptor: std::sync::Arc::new(device_descriptor),
        ..egui_wgpu::WgpuSetupCreateNew::without_display_handle()
    };
    egui_wgpu::WgpuConfiguration { wgpu_setup: setup.into(), ..Default::default() }
}
