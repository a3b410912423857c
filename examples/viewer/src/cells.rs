//! A matrix as coloured cells with their numbers.

use eframe::egui::{self, Align2, Color32, FontId, Pos2, Rect, Sense, Ui, Vec2};

use crate::probes::Probe;

/// A cell's side where there is room, and the smallest side of a cell that a number is written into, in points.
const SIDE: f32 = 40.0;
const MIN_TEXT_SIDE: f32 = 17.0;

const NEGATIVE: [f32; 3] = [0.13, 0.40, 0.67];
const ZERO: [f32; 3] = [0.97, 0.97, 0.97];
const POSITIVE: [f32; 3] = [0.70, 0.22, 0.10];

/// Colour of a cell without a value, such as a zero of W.
const EMPTY_COLOR: Color32 = Color32::from_rgb(43, 43, 47);

/// A matrix to draw.
pub struct Matrix<'a> {
    pub name: &'a str,
    pub rows: usize,
    pub columns: usize,
    /// The value of a row and a column; none where there is no entry.
    pub value: &'a dyn Fn(usize, usize) -> Option<f64>,
    /// Room for the drawing, in points.
    pub room: Vec2,
}

/// The colour of a value: from blue for `-largest` through white for 0 to red for `largest`.
pub fn color(value: Option<f64>, largest: f64) -> Color32 {
    let Some(value) = value else { return EMPTY_COLOR };
    let share = if largest > 0.0 { (value / largest).clamp(-1.0, 1.0) as f32 } else { 0.0 };
    let end = if share < 0.0 { NEGATIVE } else { POSITIVE };
    let mixed = [0, 1, 2].map(|i| ((ZERO[i] + (end[i] - ZERO[i]) * share.abs()) * 255.0).round() as u8);
    Color32::from_rgb(mixed[0], mixed[1], mixed[2])
}

/// A number with at most two decimal places, and no more than needed.
pub fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".into() } else { short.into() }
}

impl Matrix<'_> {
    /// Draws the matrix with its name and size above, and adds a probe for each cell. Returns a cell that was clicked.
    pub fn show(&self, ui: &mut Ui, probes: &mut Vec<Probe>) -> Option<(usize, usize)> {
        let values = || (0..self.rows).flat_map(|row| (0..self.columns).map(move |column| (row, column)));
        let largest =
            values().filter_map(|(row, column)| (self.value)(row, column)).fold(0.0, |a: f64, b| a.max(b.abs()));
        let fits = (self.room.x / self.columns as f32).min(self.room.y / self.rows as f32);
        let side = fits.min(SIDE).floor().max(1.0);
        let longest = values()
            .filter_map(|(row, column)| (self.value)(row, column))
            .map(|value| number(value).len())
            .max()
            .unwrap_or(1);
        ui.vertical(|ui| {
            ui.label(format!("{} ({} x {})", self.name, self.rows, self.columns));
            let size = Vec2::new(side * self.columns as f32, side * self.rows as f32);
            let (rect, response) = ui.allocate_exact_size(size, Sense::click());
            let origin = rect.min.round();
            for (row, column) in values() {
                let value = (self.value)(row, column);
                let at = origin + Vec2::new(column as f32, row as f32) * side;
                let cell = Rect::from_min_size(at, Vec2::splat(side - 1.0));
                let fill = color(value, largest);
                ui.painter().rect_filled(cell, 0.0, fill);
                if let Some(value) = value {
                    write(ui, cell, &number(value), longest, fill);
                    let what = format!("cell {} {row} {column} {value}", self.name.replace(' ', "_"));
                    probes.push(Probe { what, rect: cell });
                }
            }
            let place = |at: Pos2| {
                let cell = (at - origin) / side;
                (cell.y.max(0.0) as usize, cell.x.max(0.0) as usize)
            };
            let clicked = response.clicked().then(|| response.interact_pointer_pos()).flatten().map(place);
            clicked.filter(|&(row, column)| row < self.rows && column < self.columns)
        })
        .inner
    }
}

/// Writes a number in a font size at which the longest number of the matrix fits a cell, or nothing if that is too
/// small to read.
fn write(ui: &Ui, cell: Rect, text: &str, longest: usize, fill: Color32) {
    let size = (cell.width() * 1.55 / longest.max(2) as f32).min(cell.height() * 0.45);
    if cell.width() < MIN_TEXT_SIDE || size < 7.0 {
        return;
    }
    let bright = [fill.r(), fill.g(), fill.b()].map(u32::from).iter().sum::<u32>() > 3 * 130;
    let ink = if bright { Color32::BLACK } else { Color32::WHITE };
    ui.painter().text(
        cell.center(),
        Align2::CENTER_CENTER,
        text,
        FontId::new(size, egui::FontFamily::Proportional),
        ink,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([1.0, 0.25, -0.001, 1.005, 120.0, 0.1].map(number), ["1", "0.25", "0", "1", "120", "0.1"]);
    }

    #[test]
    fn colors_tell_signs_apart() {
        let [low, zero, high] = [-2.0, 0.0, 2.0].map(|value| color(Some(value), 2.0));
        assert!(low.b() > low.r() && high.r() > high.b() && zero.r() == zero.b());
        assert_eq!(color(None, 1.0), EMPTY_COLOR);
    }
}
