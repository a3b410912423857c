//! Where the viewer has drawn what, for tests that check a screenshot.

use eframe::egui::Rect;

/// A rectangle of the window, and what is drawn in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Words separated by spaces, such as `cell output 0 3 2.5`.
    pub what: String,
    pub rect: Rect,
}

impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (at, size) = (self.rect.min, self.rect.size());
        write!(f, "{} at {} {} {} {}", self.what, at.x, at.y, size.x, size.y)
    }
}
