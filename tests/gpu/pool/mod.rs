//! Rows of the poolings and the unpooling.

pub mod global;
pub mod pool;
