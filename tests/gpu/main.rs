//! The GPU's tests: every row on every adapter. `cargo test --test gpu NAME` runs some of them, and `web/test` runs
//! them in a browser.

/// Calls a macro with every module that has rows: the prefix of the rows' names, and the module's path.
macro_rules! with_modules {
    ($take:ident) => {
        $take!(
            tensors = harness,
            conv_transpose = conv::conv_transpose,
            conv = conv::conv,
            activations = conv::activations,
            gradients = conv::gradients,
            conv_integer = conv::integer,
            fold = conv::fold,
            upsample = resample::upsample,
            pixel_shuffle = pixel_shuffle,
            pool = pool::pool,
            global = pool::global,
            resize_conv = conv::resize_conv,
            halves = halves,
            layouts = layouts,
            seeds = seeds,
            conformance = conformance,
            named = named,
            properties = properties,
            splitting = splitting,
            long_sums = long_sums,
            non_finite = non_finite,
            texture_bindings = textures::texture_bindings,
            textures = textures::textures,
            mixed = textures::mixed,
            embedding = embedding,
            host = host
        );
    };
}

#[cfg(not(target_arch = "wasm32"))]
mod blocking;
#[cfg(target_arch = "wasm32")]
mod browser;
mod conformance;
mod conv;
mod embedding;
mod expected;
#[cfg(not(target_arch = "wasm32"))]
mod faults;
mod halves;
mod harness;
mod host;
mod layouts;
#[cfg(not(target_arch = "wasm32"))]
mod limits;
mod long_sums;
mod named;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod non_finite;
mod pixel_shuffle;
mod pool;
mod properties;
mod resample;
mod seeds;
mod splitting;
mod tensors;
mod textures;

#[path = "../../benches/problems/mod.rs"]
mod problems;

use std::pin::Pin;

use harness::Outcome;
use upconv::Gpu;

/// A test that runs on one device. A row that browsers run too never blocks and only awaits futures.
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

/// In a browser, the tests are those of `browser`.
#[cfg(target_arch = "wasm32")]
fn main() {}
