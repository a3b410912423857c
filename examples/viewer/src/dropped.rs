//! Files that are dropped onto the window: read at once by a native program, later in a browser.

use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui::{Context, Ui};

/// A file's contents, or why there are none.
type Contents = Result<Vec<u8>, String>;

#[derive(Clone, Default)]
pub struct Inbox(Arc<Mutex<Option<Contents>>>);

impl Inbox {
    /// Begins to read a file that was dropped in this frame, and returns a file that has been read.
    pub fn take(&self, ui: &Ui) -> Option<Contents> {
        if let Some(file) = ui.input(|input| input.raw.dropped_files.first().cloned()) {
            let (inbox, context) = (self.clone(), ui.ctx().clone());
            #[cfg(not(target_arch = "wasm32"))]
            inbox.put(file.bytes(), &context);
            #[cfg(target_arch = "wasm32")]
            wasm_bindgen_futures::spawn_local(async move { inbox.put(file.bytes_async().await, &context) });
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, contents: Contents, context: &Context) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(contents);
        context.request_repaint();
    }
}
