//! Textures in tests: their texels as numbers, filled, read back, and guarded by the levels and layers beside the one
//! in use.

use upconv::gpu::{PixelFormat, TextureLevel};
use upconv::half::f16;
use upconv::{ColorEncoding, Gpu, wgpu};
use wgpu::TextureFormat::{self, *};

use crate::tensors::storage;

/// Every byte of the levels and layers that are not in use.
const POISON: u8 = 0x5a;

/// How a format stores a channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Integers of so many bits, which stand for 0 to 1.
    Unorm(u32),
    /// Integers of so many bits, which stand for -1 to 1.
    Snorm(u32),
    F16,
    F32,
}

pub fn kind(format: TextureFormat) -> Kind {
    match format {
        Rgba8Unorm | Rgba8UnormSrgb | Bgra8Unorm | Bgra8UnormSrgb | R8Unorm => Kind::Unorm(8),
        Rgba8Snorm => Kind::Snorm(8),
        R16Unorm | Rg16Unorm | Rgba16Unorm => Kind::Unorm(16),
        R16Snorm | Rg16Snorm | Rgba16Snorm => Kind::Snorm(16),
        Rgba16Float => Kind::F16,
        R32Float | Rg32Float | Rgba32Float => Kind::F32,
        other => panic!("no test knows {other:?}"),
    }
}

impl Kind {
    /// The integer that stands for 1; `None` for floats.
    pub fn levels(self) -> Option<f64> {
        match self {
            Self::Unorm(bits) => Some(f64::from((1u32 << bits) - 1)),
            Self::Snorm(bits) => Some(f64::from((1u32 << (bits - 1)) - 1)),
            Self::F16 | Self::F32 => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Unorm(bits) | Self::Snorm(bits) => bits as usize / 8,
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }

    /// The stored number nearest to `value`, and its bytes.
    fn store(self, value: f64) -> (f64, Vec<u8>) {
        match (self, self.levels()) {
            (Self::F16, _) => (f16::from_f64(value).into(), f16::from_f64(value).to_le_bytes().into()),
            (_, None) => ((value as f32).into(), (value as f32).to_le_bytes().into()),
            (_, Some(levels)) => {
                let code = (value * levels).round();
                (code / levels, (code as i32).to_le_bytes()[..self.bytes()].into())
            }
        }
    }

    fn load(self, bytes: &[u8]) -> f64 {
        match self {
            Self::F16 => f16::from_le_bytes([bytes[0], bytes[1]]).into(),
            Self::F32 => f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]).into(),
            Self::Unorm(8) => f64::from(bytes[0]) / 255.0,
            Self::Snorm(8) => f64::from(bytes[0] as i8) / 127.0,
            Self::Unorm(_) => f64::from(u16::from_le_bytes([bytes[0], bytes[1]])) / 65535.0,
            Self::Snorm(_) => f64::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32767.0,
        }
    }
}

/// A texture with a picture in the second mip level of its last layer.
pub struct Canvas {
    pub texture: wgpu::Texture,
    pub format: PixelFormat,
    /// Width and height of the picture.
    pub size: [usize; 2],
    /// Two layers, or one where a shader reads the texture through OpenGL, which cannot read one of several layers.
    layers: u32,
}

impl Canvas {
    /// Poisoned throughout.
    pub fn new(gpu: &Gpu, format: PixelFormat, [width, height]: [usize; 2], usage: wgpu::TextureUsages) -> Self {
        let read = usage.contains(wgpu::TextureUsages::TEXTURE_BINDING);
        let layers = if read && gpu.info().backend == wgpu::Backend::Gl { 1 } else { 2 };
        let texture = gpu.device().create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d { width: 2 * width as u32, height: 2 * height as u32, depth_or_array_layers: layers },
            mip_level_count: 2,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: format.format,
            usage: usage | wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let canvas = Self { texture, format, size: [width, height], layers };
        for (level, layer) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().filter(|(_, layer)| *layer < layers) {
            let texels = (4 * width * height) >> (2 * level);
            canvas.write(gpu, level, layer, &vec![POISON; texels * canvas.texel()]);
        }
        canvas
    }

    pub fn picture(&self) -> TextureLevel<'_> {
        TextureLevel { texture: &self.texture, mip_level: 1, array_layer: self.layers - 1 }
    }

    fn texel(&self) -> usize {
        self.format.format.block_copy_size(None).unwrap_or(0) as usize
    }

    fn write(&self, gpu: &Gpu, mip_level: u32, layer: u32, bytes: &[u8]) {
        let [width, height] = self.size.map(|side| (2 * side as u32) >> mip_level);
        gpu.queue().write_texture(
            wgpu::TexelCopyTextureInfo {
                texture: &self.texture,
                mip_level,
                origin: wgpu::Origin3d { x: 0, y: 0, z: layer },
                aspect: wgpu::TextureAspect::All,
            },
            bytes,
            wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(width * self.texel() as u32),
                rows_per_image: None,
            },
            wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        );
    }

    /// Fills the picture, and returns the linear values of its texels, row by row, with four channels each.
    pub fn fill(&self, gpu: &Gpu, mut number: impl FnMut() -> f64) -> Vec<[f64; 4]> {
        let (kind, format) = (kind(self.format.format), self.format.format);
        let mut bytes = Vec::new();
        let texel = |_| {
            // A channel that the format lacks is read as 0, and alpha as 1.
            let mut linear_values = [0.0, 0.0, 0.0, 1.0];
            let mut stored = vec![Vec::new(); format.components().into()];
            for (channel, slot) in stored.iter_mut().enumerate() {
                let (code, bytes) = kind.store(number());
                let encoding = if channel < 3 { self.format.encoding } else { ColorEncoding::Linear };
                (linear_values[channel], *slot) = (encoding.decode(code), bytes);
            }
            self.reorder(&mut stored);
            bytes.extend(stored.concat());
            linear_values
        };
        let linear_values = (0..self.size[0] * self.size[1]).map(texel).collect();
        self.write(gpu, 1, self.layers - 1, &bytes);
        linear_values
    }

    /// Exchanges red and blue in a format that stores blue first.
    fn reorder<T>(&self, channels: &mut [T]) {
        if matches!(self.format.format, Bgra8Unorm | Bgra8UnormSrgb) {
            channels.swap(0, 2);
        }
    }

    /// The stored values of the picture's texels, or an error if another level or layer was written.
    pub async fn read(&self, gpu: &Gpu) -> Result<Vec<Vec<f64>>, String> {
        for (level, layer) in [(0, 0), (0, 1), (1, 0)].into_iter().take(2 * self.layers as usize - 1) {
            if self.bytes(gpu, level, layer).await?.iter().any(|byte| *byte != POISON) {
                return Err(format!("level {level} of layer {layer} was written"));
            }
        }
        self.texels(gpu, 1, self.layers - 1).await
    }

    /// The stored values of the texels in one level of one layer.
    pub async fn texels(&self, gpu: &Gpu, level: u32, layer: u32) -> Result<Vec<Vec<f64>>, String> {
        let kind = kind(self.format.format);
        let texel = |bytes: &[u8]| {
            let mut channels: Vec<f64> = bytes.chunks(kind.bytes()).map(|bytes| kind.load(bytes)).collect();
            self.reorder(&mut channels);
            channels
        };
        Ok(self.bytes(gpu, level, layer).await?.chunks(self.texel()).map(texel).collect())
    }

    async fn bytes(&self, gpu: &Gpu, mip_level: u32, layer: u32) -> Result<Vec<u8>, String> {
        let [width, height] = self.size.map(|side| (2 * side as u32) >> mip_level);
        let row = width * self.texel() as u32;
        let pitch = row.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = storage(gpu, u64::from(pitch * height));
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        encoder.copy_texture_to_buffer(
            wgpu::TexelCopyTextureInfo {
                texture: &self.texture,
                mip_level,
                origin: wgpu::Origin3d { x: 0, y: 0, z: layer },
                aspect: wgpu::TextureAspect::All,
            },
            wgpu::TexelCopyBufferInfo {
                buffer: &buffer,
                layout: wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(pitch), rows_per_image: None },
            },
            wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        );
        gpu.queue().submit([encoder.finish()]);
        let all: Vec<u8> = gpu.download_async(&buffer, 0, buffer.size()).await.map_err(|error| error.to_string())?;
        Ok(all.chunks(pitch as usize).flat_map(|padded| padded[..row as usize].to_vec()).collect())
    }
}
