//! The rows in a browser: a test for each module, on a device that all of them share.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};

use upconv::Gpu;
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

use crate::Row;

wasm_bindgen_test_configure!(run_in_browser);

thread_local! {
    static GPU: Cell<Option<&'static Gpu>> = const { Cell::new(None) };
    /// The name of the running row, which a panic prints.
    static RUNNING: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Rows run so far.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Errors that the device reported outside any error scope; natively such an error panics.
static COMPLAINTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn complaints() -> Vec<String> {
    std::mem::take(&mut COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The device, made by the first test that asks for it.
async fn gpu() -> &'static Gpu {
    if let Some(gpu) = GPU.get() {
        return gpu;
    }
    let gpu: &'static Gpu = Box::leak(Box::new(Gpu::request().await.expect("a WebGPU adapter")));
    gpu.device().on_uncaptured_error(Arc::new(|error| {
        COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
    }));
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        RUNNING.with_borrow(|row| row.iter().for_each(|row| console_log!("panicked: {row}")));
        hook(panic);
    }));
    GPU.set(Some(gpu));
    gpu
}

async fn run(module: &str, rows: Vec<Row>) {
    assert!(!rows.is_empty(), "{module} has no rows");
    let gpu = gpu().await;
    let mut failed = 0;
    for row in &rows {
        let name = format!("{module}::{}", row.name);
        RUNNING.set(Some(name.clone()));
        let outcome = row.test.run(gpu).await;
        let complaints: Vec<_> = outcome.err().into_iter().chain(complaints()).collect();
        if !complaints.is_empty() {
            console_log!("failed: {name}: {}", complaints.join("; "));
            failed += 1;
        }
    }
    RUNNING.set(None);
    COUNT.set(COUNT.get() + rows.len());
    console_log!("{module}: {} rows, {failed} of them failed; {} rows so far", rows.len(), COUNT.get());
    assert!(failed == 0, "{failed} rows of {module} failed");
}

macro_rules! tests_of {
    ($($name:ident = $($module:ident)::+),*) => {
        $(
            #[wasm_bindgen_test]
            async fn $name() {
                run(stringify!($name), crate::$($module::)+rows()).await;
            }
        )*
    };
}
with_modules!(tests_of);
