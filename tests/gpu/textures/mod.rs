//! Rows of plans between textures.

pub mod texels;
pub mod texture_bindings;
pub mod textures;
