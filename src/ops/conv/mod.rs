//! Convolutions, their transposes and gradients, and their form as matrices.

pub(crate) mod bias_grad;
pub(crate) mod checkerboard;
pub(crate) mod conv;
pub(crate) mod conv_integer;
pub(crate) mod conv_transpose;
pub(crate) mod fold;
pub(crate) mod frameworks;
pub(crate) mod gradients;
pub mod matrix;
pub(crate) mod resize_conv;
pub(crate) mod runs;
pub(crate) mod weight_grad;
pub(crate) mod zero_insertion;
