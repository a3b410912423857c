//! What an op *is*: its descriptor, its sizes and its definition on the CPU. Nothing here knows of a GPU.

pub(crate) mod activation;
pub(crate) mod conv;
pub(crate) mod op;
pub(crate) mod pixel_shuffle;
pub(crate) mod pool;
pub(crate) mod problem;
pub(crate) mod reference;
pub(crate) mod resample;
