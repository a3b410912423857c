//! Poolings, max unpooling and their gradients.

pub(crate) mod avg_pool;
pub(crate) mod global_average_pool;
pub(crate) mod global_lp_pool;
pub(crate) mod global_max_pool;
pub(crate) mod indices;
pub(crate) mod lp;
pub(crate) mod lp_pool;
pub(crate) mod max_pool;
pub(crate) mod max_unpool;
pub(crate) mod planes;
pub(crate) mod windows;
