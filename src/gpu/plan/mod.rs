//! From a program to GPU objects: pipelines, plans, and plans bound to buffers or textures.

pub(crate) mod bindings;
pub(crate) mod bound;
pub(crate) mod once_per_key;
pub(crate) mod pipeline;
pub(crate) mod plan;
pub(crate) mod planner;
pub(crate) mod prediction;
pub(crate) mod slice_at;
pub(crate) mod texture_level;
pub(crate) mod tuned;
