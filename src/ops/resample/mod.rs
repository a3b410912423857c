//! Resampling by tap tables: every mode of upsampling, by the conventions of several frameworks, and bed of nails.

pub(crate) mod bed_of_nails;
pub(crate) mod coordinates;
pub(crate) mod filters;
pub(crate) mod frameworks;
pub(crate) mod mode;
pub(crate) mod ratio;
pub(crate) mod scale;
pub(crate) mod separable;
pub(crate) mod tap_table;
pub(crate) mod upsample;
