//! Poolings, max unpooling and their gradients.

pub(crate) mod avg_pool;
pub(crate) mod indices;
pub(crate) mod max_pool;
pub(crate) mod max_unpool;
pub(crate) mod windows;
