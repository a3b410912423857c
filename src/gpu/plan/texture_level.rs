//! Which part of a texture is bound.

use wgpu::{
    Backend, Texture, TextureDimension, TextureFormat, TextureUsages, TextureView, TextureViewDescriptor,
    TextureViewDimension,
};

use crate::error::texture::TextureError;
use crate::error::{Error, Result};
use crate::gpu::program::uniform::to_u32;

/// One picture in a texture: one mip level of one array layer. A `&Texture` converts to level 0 of layer 0.
#[derive(Clone, Copy, Debug)]
pub struct TextureLevel<'a> {
    /// The texture, with two dimensions and one sample per texel.
    pub texture: &'a Texture,
    /// The mip level, from 0.
    pub mip_level: u32,
    /// The array layer, from 0.
    pub array_layer: u32,
}

impl<'a> From<&'a Texture> for TextureLevel<'a> {
    fn from(texture: &'a Texture) -> Self {
        Self { texture, mip_level: 0, array_layer: 0 }
    }
}

impl TextureLevel<'_> {
    /// Refuses a texture that is not what the plan was made for.
    pub(crate) fn check(
        &self,
        operand: &'static str,
        written: bool,
        format: TextureFormat,
        size: [usize; 2],
    ) -> Result<()> {
        let texture = self.texture;
        let refused = |error| Err(Error::Texture { operand, error });
        let (usage, name) = match written {
            true => (TextureUsages::STORAGE_BINDING, "STORAGE_BINDING"),
            false => (TextureUsages::TEXTURE_BINDING, "TEXTURE_BINDING"),
        };
        if texture.format() != format {
            let [expected, actual] = [format, texture.format()].map(|format| format!("{format:?}"));
            return refused(TextureError::Format { expected, actual });
        }
        if !texture.usage().contains(usage) {
            return Err(Error::MissingUsage { operand, usage: name });
        }
        if texture.dimension() != TextureDimension::D2 || texture.sample_count() != 1 {
            let (dimension, samples) = (format!("{:?}", texture.dimension()), texture.sample_count());
            return refused(TextureError::Kind { dimension, samples });
        }
        let parts = [
            ("mip level", self.mip_level, texture.mip_level_count()),
            ("array layer", self.array_layer, texture.depth_or_array_layers()),
        ];
        if let Some((what, number, count)) = parts.into_iter().find(|&(_, number, count)| number >= count) {
            return refused(TextureError::Part { what, number, count });
        }
        let actual = [texture.width(), texture.height()].map(|side| (side >> self.mip_level).max(1));
        let expected = size.map(to_u32);
        if actual != expected {
            return refused(TextureError::Size { expected, actual });
        }
        Ok(())
    }

    /// Refuses an input texture of several layers through OpenGL, which binds a texture with all its layers.
    pub(crate) fn check_layers(&self, backend: Backend) -> Result<()> {
        let layers = self.texture.depth_or_array_layers();
        if backend == Backend::Gl && layers > 1 {
            return Err(Error::Texture { operand: "input", error: TextureError::Layers { layers } });
        }
        Ok(())
    }

    /// Whether both are the same picture.
    pub(crate) fn is(&self, other: &TextureLevel) -> bool {
        self.texture == other.texture && (self.mip_level, self.array_layer) == (other.mip_level, other.array_layer)
    }

    pub(crate) fn view(&self, label: &str) -> TextureView {
        self.texture.create_view(&TextureViewDescriptor {
            label: Some(label),
            dimension: Some(TextureViewDimension::D2),
            base_mip_level: self.mip_level,
            mip_level_count: Some(1),
            base_array_layer: self.array_layer,
            array_layer_count: Some(1),
            ..Default::default()
        })
    }
}
