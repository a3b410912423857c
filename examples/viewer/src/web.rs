//! The program on a page of a browser.

use eframe::wasm_bindgen::JsCast;
use viewer::app::{Page, Start, Viewer, wgpu_options};
use web_sys::{Document, HtmlCanvasElement};

/// Ids of the page's elements.
const CANVAS: &str = "viewer";
const MESSAGE: &str = "message";

pub fn main() {
    console_error_panic_hook::set_once();
    wasm_bindgen_futures::spawn_local(async {
        let Some(document) = web_sys::window().and_then(|window| window.document()) else { return };
        let message = match start(&document).await {
            Ok(()) => String::new(),
            Err(error) => error,
        };
        if let Some(element) = document.get_element_by_id(MESSAGE) {
            element.set_text_content(Some(&message));
        }
    });
}

async fn start(document: &Document) -> Result<(), String> {
    let canvas = document.get_element_by_id(CANVAS).ok_or("the page has no canvas")?;
    let canvas =
        canvas.dyn_into::<HtmlCanvasElement>().map_err(|_| "the page's element for the canvas is of another kind")?;
    let page = match document.location().and_then(|location| location.hash().ok()).as_deref() {
        Some("#matrices") => Page::Matrices,
        _ => Page::Photograph,
    };
    let options = eframe::WebOptions { wgpu_options: wgpu_options(), ..Default::default() };
    let make: eframe::AppCreator = Box::new(move |context| {
        let start = Start { page, ..Default::default() };
        Ok(Box::new(Viewer::new(context.wgpu_render_state.as_ref(), &start)?))
    });
    let failed = |error: eframe::wasm_bindgen::JsValue| format!("the viewer could not start: {error:?}");
    eframe::WebRunner::new().start(canvas, options, make).await.map_err(failed)
}
