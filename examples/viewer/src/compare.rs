//! Two pictures over each other with a divider between them that can be dragged.

use eframe::egui::{self, Color32, CursorIcon, Pos2, Rect, Sense, Stroke, Ui, Vec2};

use crate::photo::Photo;
use crate::probes::Probe;

/// A drag that begins nearer to the divider than this, in points, moves the divider.
const GRIP: f32 = 10.0;

pub struct Compare {
    /// Where the divider is, as a share of the width.
    pub divider: f32,
    /// Points for each pixel of the upsampled picture.
    pub zoom: f32,
    /// From the middle of the view to that of the picture, in points.
    pub pan: Vec2,
    dragging: bool,
}

impl Default for Compare {
    fn default() -> Self {
        Self { divider: 0.5, zoom: 1.0, pan: Vec2::ZERO, dragging: false }
    }
}

impl Compare {
    /// Shows one pixel per point, with the picture in the middle.
    pub fn reset(&mut self) {
        (self.zoom, self.pan) = (1.0, Vec2::ZERO);
    }

    /// Draws both sides with the same upper left corner and the same size of a texel.
    pub fn show(&mut self, ui: &mut Ui, photo: &Photo, probes: &mut Vec<Probe>) {
        let (view, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
        let mut split = view.left() + view.width() * self.divider;
        if response.drag_started() {
            let pressed = ui.input(|input| input.pointer.press_origin());
            self.dragging = pressed.is_some_and(|at| (at.x - split).abs() < GRIP);
        }
        if response.dragged() {
            if self.dragging {
                split = (split + response.drag_delta().x).clamp(view.left(), view.right());
                self.divider = (split - view.left()) / view.width();
            } else {
                self.pan += response.drag_delta();
            }
        }
        self.scroll(ui, &response, view);
        if response.hover_pos().is_some_and(|at| (at.x - split).abs() < GRIP) {
            ui.set_cursor_icon(CursorIcon::ResizeHorizontal);
        }
        let split = split.round();
        let halves = [view.with_max_x(split), view.with_min_x(split)];
        for (number, half) in halves.into_iter().enumerate() {
            let name = ["left", "right"][number];
            let Some(side) = &photo.sides[number] else {
                let text = photo.errors[number].clone().unwrap_or_default();
                let job = egui::text::LayoutJob::simple(
                    text,
                    egui::FontId::proportional(15.0),
                    Color32::LIGHT_RED,
                    half.width() - 24.0,
                );
                let galley = ui.painter().layout_job(job);
                ui.painter().with_clip_rect(half).galley(half.min + Vec2::splat(12.0), galley, Color32::LIGHT_RED);
                continue;
            };
            let corner = self.corner(view, photo, side.size);
            let picture = Rect::from_min_size(corner, Vec2::new(side.size[1] as f32, side.size[0] as f32) * self.zoom);
            let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
            ui.painter().with_clip_rect(half).image(side.id, picture, whole, Color32::WHITE);
            probes.push(Probe { what: format!("picture {name} {} {}", side.size[1], side.size[0]), rect: picture });
            probes.push(Probe { what: format!("half {name}"), rect: half });
        }
        let line = [Pos2::new(split, view.top()), Pos2::new(split, view.bottom())];
        ui.painter().line_segment(line, Stroke::new(2.0, Color32::WHITE));
        ui.painter().circle_filled(Pos2::new(split, view.center().y), 7.0, Color32::WHITE);
    }

    /// The pictures' upper left corner, on a whole point: the middle of the left picture, or of the
    /// right one if there is no left, lies in the middle of the view, moved by `pan`.
    fn corner(&self, view: Rect, photo: &Photo, fallback: [usize; 2]) -> Pos2 {
        let size = photo.sides.iter().flatten().map(|side| side.size).next().unwrap_or(fallback);
        let half = Vec2::new(size[1] as f32, size[0] as f32) * self.zoom / 2.0;
        (view.center() + self.pan - half).round()
    }

    /// Zooms about the pointer.
    fn scroll(&mut self, ui: &Ui, response: &egui::Response, view: Rect) {
        let Some(at) = response.hover_pos() else { return };
        let (scrolled, pinched) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
        let factor = (scrolled / 300.0).exp() * pinched;
        let zoom = (self.zoom * factor).clamp(0.05, 40.0);
        let offset = at - view.center() - self.pan;
        self.pan += offset * (1.0 - zoom / self.zoom);
        self.zoom = zoom;
    }
}
