//! Rows of the convolutions, their transposes and their gradients.

pub mod activations;
pub mod conv;
pub mod conv_transpose;
pub mod fold;
pub mod gradients;
pub mod integer;
pub mod resize_conv;
