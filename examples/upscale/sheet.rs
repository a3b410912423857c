//! The contact sheet: the same detail by every method, labelled.

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_10X20;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::Text;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

/// Side of a tile's picture, height of its label, and the space around.
const TILE: u32 = 320;
const LABEL: u32 = 28;
const GAP: u32 = 12;
const COLUMNS: u32 = 4;
const PAPER: Rgb<u8> = Rgb([24, 24, 28]);

/// Source pixels that a tile shows, if the picture has as many.
const DETAIL: u32 = 80;

/// The original's detail enlarged by repeating pixels, and each method's picture of it.
pub fn draw(original: &RgbImage, pictures: &[(&str, RgbImage)], factor: u32) -> RgbImage {
    let side = DETAIL.min(original.width()).min(original.height());
    // Above the middle: where a portrait's face is.
    let at = [(original.width() - side) * 2 / 5, (original.height() - side) / 6];
    let tiles: Vec<_> = std::iter::once(("original", original, 1))
        .chain(pictures.iter().map(|(name, picture)| (*name, picture, factor)))
        .collect();
    let rows = (tiles.len() as u32).div_ceil(COLUMNS);
    let (width, height) = (COLUMNS * (TILE + GAP) + GAP, rows * (TILE + LABEL + GAP) + GAP);
    let mut sheet = RgbImage::from_pixel(width, height, PAPER);
    for (number, (name, picture, scale)) in (0..).zip(tiles) {
        let [x, y] = [number % COLUMNS * (TILE + GAP) + GAP, number / COLUMNS * (TILE + LABEL + GAP) + GAP];
        let detail = imageops::crop_imm(picture, at[0] * scale, at[1] * scale, side * scale, side * scale);
        let detail = imageops::resize(&detail.to_image(), TILE, TILE, FilterType::Nearest);
        label(&mut sheet, name, x, y);
        imageops::replace(&mut sheet, &detail, x.into(), (y + LABEL).into());
    }
    sheet
}

fn label(sheet: &mut RgbImage, text: &str, x: u32, y: u32) {
    let style = MonoTextStyle::new(&FONT_10X20, Rgb888::WHITE);
    // A canvas cannot fail.
    let _ = Text::new(text, Point::new(x as i32, y as i32 + 18), style).draw(&mut Canvas(sheet));
}

/// A picture that text can be drawn on.
struct Canvas<'a>(&'a mut RgbImage);

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(at, colour) in pixels {
            if let Some(pixel) = u32::try_from(at.x).ok().zip(u32::try_from(at.y).ok())
                && let Some(target) = self.0.get_pixel_mut_checked(pixel.0, pixel.1)
            {
                *target = Rgb([colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}
