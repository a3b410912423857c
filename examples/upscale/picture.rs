//! Pictures as tensors.

use image::RgbImage;
use ndarray::{Array4, ArrayView4};

/// Largest factor. The longest kernel has 6 * factor + 1 taps on each axis: without a limit it takes gigabytes.
const MAX_FACTOR: usize = 64;

/// The picture in a file of these bytes.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, String> {
    image::load_from_memory(bytes).map(|picture| picture.to_rgb8()).map_err(|error| error.to_string())
}

/// Refuses a factor that makes no picture, or one of more than `most` pixels.
pub fn check_size(picture: &RgbImage, factor: usize, most: u64) -> Result<(), String> {
    let (width, height) = (u64::from(picture.width()), u64::from(picture.height()));
    if factor == 0 {
        return Err("the factor is 0; it must be at least 1".into());
    }
    if factor > MAX_FACTOR {
        return Err(format!("the factor is {factor}; the largest that this example draws is {MAX_FACTOR}"));
    }
    let scaled = |side: u64| side.saturating_mul(factor as u64);
    if scaled(width).saturating_mul(scaled(height)) > most {
        return Err(format!(
            "factor {factor} makes {width}x{height} into {}x{}, more than the {most} pixels that this example draws",
            scaled(width),
            scaled(height)
        ));
    }
    Ok(())
}

/// (1, 3, height, width), from 0 to 255.
pub fn to_tensor(picture: &RgbImage) -> Array4<f32> {
    Array4::from_shape_fn((1, 3, picture.height() as usize, picture.width() as usize), |(_, c, y, x)| {
        picture.get_pixel(x as u32, y as u32)[c].into()
    })
}

/// The picture of such a tensor, rounded.
pub fn to_picture(tensor: &ArrayView4<f32>) -> RgbImage {
    let (_, _, height, width) = tensor.dim();
    let sample = |c, y: u32, x: u32| tensor[[0, c, y as usize, x as usize]].round().clamp(0.0, 255.0) as u8;
    RgbImage::from_fn(width as u32, height as u32, |x, y| [0, 1, 2].map(|c| sample(c, y, x)).into())
}
