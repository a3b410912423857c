//! Rows of the resampling.

pub mod upsample;
