//! The viewer's parts: an eframe application, native and in the browser.

pub mod app;
pub mod cells;
mod compare;
mod dropped;
pub mod kernel;
mod matrices;
pub mod photo;
pub mod presets;
pub mod probes;
mod timing;
