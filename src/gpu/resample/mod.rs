//! How the GPU runs ops whose outputs are sums over tap tables.

pub(crate) mod bed_of_nails;
pub(crate) mod candidates;
pub(crate) mod lower;
pub(crate) mod row_blocks;
pub(crate) mod table;
pub(crate) mod taps;
pub(crate) mod texture;
pub(crate) mod upsample;
