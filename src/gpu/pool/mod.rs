//! How the GPU runs poolings and max unpooling.

pub(crate) mod avg_pool;
pub(crate) mod global;
pub(crate) mod global_lp_grad;
pub(crate) mod global_pool;
pub(crate) mod lp_pool;
pub(crate) mod max_pool;
pub(crate) mod max_unpool;
pub(crate) mod unpool;
pub(crate) mod unpool_gather;
pub(crate) mod unpool_grad;
pub(crate) mod unpool_mark;
pub(crate) mod zero_fill;
