//! What a kernel does to a small matrix: input, kernel, output, the convolution's matrix W, and W transposed.

use eframe::egui::{ComboBox, DragValue, Grid, ScrollArea, Ui, Vec2};
use upconv::ndarray::Array4;

use crate::cells::Matrix;
use crate::kernel::Kernel;
use crate::presets::{PRESETS, Preset};
use crate::probes::Probe;

/// Largest side of the input.
const MAX_SIDE: usize = 6;

/// W is not drawn if it has more elements than this.
const MAX_PLACES: usize = 16_384;

pub struct Matrices {
    input: Array4<f32>,
    preset: usize,
}

impl Default for Matrices {
    fn default() -> Self {
        Self { input: array(&PRESETS[0]), preset: 0 }
    }
}

fn array(preset: &Preset) -> Array4<f32> {
    let [height, width] = preset.input;
    Array4::from_shape_fn((1, 1, height, width), |(_, _, row, column)| preset.values[row * width + column])
}

impl Matrices {
    pub fn input_size(&self) -> [usize; 2] {
        let (_, _, height, width) = self.input.dim();
        [height, width]
    }

    /// Takes a preset's input, and gives its kernel.
    pub fn choose(&mut self, number: usize) -> Kernel {
        let preset = &PRESETS[number % PRESETS.len()];
        (self.preset, self.input) = (number % PRESETS.len(), array(preset));
        Kernel {
            size: preset.kernel,
            stride: [preset.stride; 2],
            padding: [0, 0],
            dilation: [1, 1],
            output_padding: [0, 0],
            taps: preset.taps.into(),
        }
    }

    /// Controls for the example and the input.
    pub fn controls(&mut self, ui: &mut Ui, kernel: &mut Kernel) {
        let mut chosen = self.preset;
        ComboBox::from_label("example").width(170.0).selected_text(PRESETS[chosen].name).show_ui(ui, |ui| {
            for (number, preset) in PRESETS.iter().enumerate() {
                ui.selectable_value(&mut chosen, number, preset.name);
            }
        });
        if chosen != self.preset {
            *kernel = self.choose(chosen);
        }
        let mut size = self.input_size();
        ui.horizontal(|ui| {
            ui.label("input");
            for side in &mut size {
                ui.add(DragValue::new(side).range(1..=MAX_SIDE).speed(0.1));
            }
        });
        if size != self.input_size() {
            let old = self.input.clone();
            let shape = (1, 1, size[0], size[1]);
            self.input = Array4::from_shape_fn(shape, |at| old.get(at).copied().unwrap_or(1.0));
        }
        Grid::new("input numbers").spacing([4.0, 4.0]).show(ui, |ui| {
            for row in 0..size[0] {
                for column in 0..size[1] {
                    ui.add(DragValue::new(&mut self.input[[0, 0, row, column]]).speed(0.1).max_decimals(2));
                }
                ui.end_row();
            }
        });
    }

    /// Draws the matrices, or says what is wrong.
    pub fn show(&self, ui: &mut Ui, kernel: &Kernel, probes: &mut Vec<Probe>) {
        let output = match kernel.apply(&self.input) {
            Ok(output) => output,
            Err(error) => {
                ui.label(error.to_string());
                return;
            }
        };
        let (size, outputs) = (self.input_size(), [output.shape()[2], output.shape()[3]]);
        ScrollArea::both().show(ui, |ui| {
            let room = Vec2::new(300.0, 260.0);
            ui.horizontal_top(|ui| {
                let cell = |row: usize, column: usize| Some(f64::from(self.input[[0, 0, row, column]]));
                matrix("input", size, &cell, room).show(ui, probes);
                ui.label("with");
                let tap = |row: usize, column: usize| Some(f64::from(kernel.taps[row * kernel.size[1] + column]));
                matrix("kernel", kernel.size, &tap, room).show(ui, probes);
                ui.label("gives");
                let cell = |row: usize, column: usize| Some(output[[0, 0, row, column]]);
                matrix("output", outputs, &cell, room).show(ui, probes);
            });
            ui.add_space(10.0);
            self.show_w(ui, kernel, outputs, probes);
        });
    }

    /// Draws the matrix W of the convolution that leads from the output's size to the input's, and W transposed.
    fn show_w(&self, ui: &mut Ui, kernel: &Kernel, outputs: [usize; 2], probes: &mut Vec<Probe>) {
        let [wide, narrow] = [outputs, self.input_size()].map(|[height, width]| height * width);
        if wide * narrow > MAX_PLACES {
            ui.label(format!("W has {narrow} x {wide} elements, too many to draw"));
            return;
        }
        let layer = kernel.layer(1, self.input_size());
        let dense = layer.matrix(kernel.weight(1).view()).and_then(|matrix| matrix.to_dense());
        let dense = match dense {
            Ok(dense) => dense,
            Err(error) => {
                ui.label(error.to_string());
                return;
            }
        };
        let transposed = |row: usize, column: usize| {
            let value = f64::from(dense[(row, column)]);
            (value != 0.0).then_some(value)
        };
        let stored = |row: usize, column: usize| transposed(column, row);
        ui.label(format!(
            "The convolution multiplies the flattened {} x {} matrix by W; the product is a flattened {} x {} matrix. \
             The transposed convolution multiplies by W transposed, in the other direction.",
            outputs[0],
            outputs[1],
            self.input_size()[0],
            self.input_size()[1],
        ));
        ui.horizontal_top(|ui| {
            let room = Vec2::new(560.0, 340.0);
            matrix("W", [narrow, wide], &stored, room).show(ui, probes);
            matrix("W transposed", [wide, narrow], &transposed, Vec2::new(340.0, 420.0)).show(ui, probes);
        });
    }
}

fn matrix<'a>(
    name: &'a str,
    [rows, columns]: [usize; 2],
    value: &'a dyn Fn(usize, usize) -> Option<f64>,
    room: Vec2,
) -> Matrix<'a> {
    Matrix { name, rows, columns, value, room }
}
