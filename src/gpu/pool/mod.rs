//! How the GPU runs poolings and max unpooling.

pub(crate) mod avg_pool;
pub(crate) mod max_pool;
pub(crate) mod max_unpool;
pub(crate) mod params;
