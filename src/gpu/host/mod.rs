//! A host for those who have no wgpu device of their own.

pub(crate) mod gpu;
pub(crate) mod run;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod timing;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod tune;
