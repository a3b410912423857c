//! Rows of the poolings and the unpooling.

pub mod pool;
