//! The contact sheet: the same detail by every method, labelled.

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_10X20;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::Text;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

/// Side of a tile's picture, height of its label, and the space around, in pixels.
const TILE: u32 = 320;
const LABEL: u32 = 28;
const GAP: u32 = 12;
const COLUMNS: u32 = 4;
const PAPER: Rgb<u8> = Rgb([24, 24, 28]);

/// Source pixels that a tile shows, if the picture has as many.
const DETAIL: u32 = 80;

/// A picture whose sides are `scale` times those of its source.
pub struct Tile<'a> {
    pub name: &'a str,
    pub picture: &'a RgbImage,
    pub scale: u32,
}

/// Draws the same detail of each picture, enlarged by repeating pixels.
pub fn draw(tiles: &[Tile]) -> RgbImage {
    let sides = tiles.iter().flat_map(|tile| [tile.picture.width() / tile.scale, tile.picture.height() / tile.scale]);
    let side = sides.fold(DETAIL, u32::min);
    // Above the middle: where a portrait's face is.
    let corner = |tile: &Tile| {
        let [width, height] = [tile.picture.width(), tile.picture.height()].map(|side| side / tile.scale);
        [(width - side) * 2 / 5, (height - side) / 6].map(|at| at * tile.scale)
    };
    let rows = (tiles.len() as u32).div_ceil(COLUMNS);
    let (width, height) = (COLUMNS * (TILE + GAP) + GAP, rows * (TILE + LABEL + GAP) + GAP);
    let mut sheet = RgbImage::from_pixel(width, height, PAPER);
    for (number, tile) in (0..).zip(tiles) {
        let [x, y] = [number % COLUMNS * (TILE + GAP) + GAP, number / COLUMNS * (TILE + LABEL + GAP) + GAP];
        let ([left, top], side) = (corner(tile), side * tile.scale);
        let detail = imageops::crop_imm(tile.picture, left, top, side, side);
        let detail = imageops::resize(&detail.to_image(), TILE, TILE, FilterType::Nearest);
        label(&mut sheet, tile.name, x, y);
        imageops::replace(&mut sheet, &detail, x.into(), (y + LABEL).into());
    }
    sheet
}

fn label(sheet: &mut RgbImage, text: &str, x: u32, y: u32) {
    let style = MonoTextStyle::new(&FONT_10X20, Rgb888::WHITE);
    // Drawing on a canvas cannot fail.
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
