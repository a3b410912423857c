//! A host for those who have no wgpu device of their own.

pub(crate) mod gpu;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod poller;
pub(crate) mod read_back;
pub(crate) mod run;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod timing;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod tune;
