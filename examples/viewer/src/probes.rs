//! Where things were drawn, for whoever checks a screenshot.

use eframe::egui::Rect;

/// What lies in a rectangle of the window.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// A line of words without spaces in them, such as `cell output 0 3 2.5`.
    pub what: String,
    pub rect: Rect,
}

impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (at, size) = (self.rect.min, self.rect.size());
        write!(f, "{} at {} {} {} {}", self.what, at.x, at.y, size.x, size.y)
    }
}
