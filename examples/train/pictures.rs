//! Photographs at half their size, crops of them to train on, and how near one picture is to another.

use image::RgbImage;
use ndarray::{Array4, s};
use rand::Rng;
use rand::rngs::StdRng;
use upconv::{Border, Coordinates, Filter, Gpu, PytorchInterpolate, Result, Upsample2d, UpsampleMode};

use super::super_resolution::FACTOR;
use super::trainer::Batch;

/// A photograph, and the same at half the size: both (1, 3, height, width), with values between 0 and 1.
pub struct Pair {
    pub name: &'static str,
    pub large: Array4<f32>,
    pub small: Array4<f32>,
}

impl Pair {
    /// Halves a photograph by an antialiasing bicubic filter, and rounds to the 256 values of an 8-bit file.
    pub fn new(gpu: &Gpu, name: &'static str, photograph: &[u8]) -> std::result::Result<Self, String> {
        let picture = image::load_from_memory(photograph).map_err(|error| format!("{name}: {error}"))?.to_rgb8();
        let [width, height] = [picture.width(), picture.height()].map(|side| side as usize / FACTOR * FACTOR);
        let large = Array4::from_shape_fn((1, 3, height, width), |(_, c, y, x)| {
            f32::from(picture.get_pixel(x as u32, y as u32)[c]) / 255.0
        });
        let half = Upsample2d {
            channels: 3,
            input_size: [height, width],
            output_size: [height / FACTOR, width / FACTOR],
            coordinates: Coordinates::HalfPixel,
            mode: UpsampleMode::Filtered {
                filter: Filter::Cubic { a: -0.5 },
                antialias: true,
                border: Border::Renormalise,
            },
            ..Default::default()
        };
        let small = gpu.run(&half, &[large.view()]).map_err(|error| error.to_string())?;
        Ok(Self { name, large, small: small.mapv(round_to_8_bits) })
    }

    /// PyTorch's bicubic upsampling, the best of the usual methods here, with which the network is compared.
    pub fn bicubic(&self, gpu: &Gpu) -> Result<Array4<f32>> {
        let (_, _, height, width) = self.large.dim();
        let up = Upsample2d::from_shape(self.small.shape(), [height, width])?;
        let up = Upsample2d::pytorch(up, PytorchInterpolate::Cubic { align_corners: false })?;
        gpu.run(&up, &[self.small.view()])
    }
}

/// Rounds a value to the nearest of the 256 values between 0 and 1 that an 8-bit file can hold.
pub fn round_to_8_bits(value: f32) -> f32 {
    (value.clamp(0.0, 1.0) * 255.0).round() / 255.0
}

/// Peak signal-to-noise ratio in dB over all channels, of two pictures rounded to 8 bits.
pub fn psnr(picture: &Array4<f32>, truth: &Array4<f32>) -> f64 {
    let squares = picture.iter().zip(truth).map(|(&a, &b)| f64::from(round_to_8_bits(a) - round_to_8_bits(b)).powi(2));
    -10.0 * (squares.sum::<f64>() / truth.len() as f64).log10()
}

pub fn to_image(picture: &Array4<f32>) -> RgbImage {
    let (_, _, height, width) = picture.dim();
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        [0, 1, 2].map(|c| (round_to_8_bits(picture[[0, c, y as usize, x as usize]]) * 255.0).round() as u8).into()
    })
}

/// Random crops of one channel each, turned and mirrored at random: of the small pictures, and the same details of the
/// large ones.
pub fn crops(pairs: &[Pair], batch: Batch, random: &mut StdRng) -> [Vec<f32>; 2] {
    let [mut small, mut large] = [Vec::new(), Vec::new()];
    for _ in 0..batch.count {
        let pair = &pairs[random.random_range(0..pairs.len())];
        let (_, channels, height, width) = pair.small.dim();
        let channel = random.random_range(0..channels);
        let [y, x] = [height, width].map(|size| random.random_range(0..=size - batch.side));
        let turns: [bool; 3] = random.random();
        for (crop, of, scale) in [(&mut small, &pair.small, 1), (&mut large, &pair.large, FACTOR)] {
            let side = batch.side * scale;
            let [y, x] = [y * scale, x * scale];
            let mut view = of.slice(s![0, channel, y..y + side, x..x + side]);
            if turns[0] {
                view.invert_axis(ndarray::Axis(0));
            }
            if turns[1] {
                view.invert_axis(ndarray::Axis(1));
            }
            if turns[2] {
                view.swap_axes(0, 1);
            }
            crop.extend(view.iter());
        }
    }
    [small, large]
}
