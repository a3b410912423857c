//! The GPU's tests: every row on every adapter. `cargo test --test gpu NAME` runs some of them, and `web/test` runs them in
//! a browser.

/// Gives the names of the modules that have rows to a macro.
macro_rules! with_modules {
    ($take:ident) => {
        $take!(
            tensors,
            conv_transpose,
            conv,
            activations,
            gradients,
            upsample,
            pixel_shuffle,
            pool,
            resize_conv,
            halves,
            layouts,
            seeds,
            conformance,
            named,
            properties,
            splitting,
            texture_bindings,
            textures,
            embedding,
            host
        );
    };
}

mod activations;
#[cfg(not(target_arch = "wasm32"))]
mod blocking;
#[cfg(target_arch = "wasm32")]
mod browser;
mod conformance;
mod conv;
mod conv_transpose;
mod embedding;
mod gradients;
mod halves;
mod harness;
mod host;
mod layouts;
mod named;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod pixel_shuffle;
mod pool;
mod properties;
mod resize_conv;
mod seeds;
mod splitting;
mod tensors;
mod texels;
mod texture_bindings;
mod textures;
mod upsample;

#[path = "../../benches/problems/mod.rs"]
mod problems;

use std::pin::Pin;

use harness::Outcome;
use upconv::Gpu;

/// A test of one device. It waits for nothing but futures, as a browser has it.
pub struct Row {
    name: String,
    test: Box<dyn Test>,
}

trait Test: Send + Sync {
    fn run<'a>(&'a self, gpu: &'a Gpu) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>;
}

impl<F: AsyncFn(&Gpu) -> Outcome + Send + Sync> Test for F {
    fn run<'a>(&'a self, gpu: &'a Gpu) -> Pin<Box<dyn Future<Output = Outcome> + 'a>> {
        Box::pin(self(gpu))
    }
}

impl Row {
    /// A row of this name; its module's name is put before it.
    pub fn new(name: impl Into<String>, test: impl AsyncFn(&Gpu) -> Outcome + Send + Sync + 'static) -> Self {
        Self { name: name.into(), test: Box::new(test) }
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    native::main()
}

/// A browser is given the tests one by one.
#[cfg(target_arch = "wasm32")]
fn main() {}
