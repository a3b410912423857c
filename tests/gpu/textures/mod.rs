//! Rows of plans between textures.

pub mod mixed;
pub mod texels;
pub mod texture_bindings;
pub mod textures;
