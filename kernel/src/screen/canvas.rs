//! Rectangles and letters in a framebuffer's pixels. Pure over a slice of bytes, so that tests draw into memory of their own.
//!
//! Lengths are in points: a point is `scale` by `scale` pixels, so that letters stay readable on large screens. What lies
//! outside is not drawn.

use bootloader_api::info::{FrameBufferInfo, PixelFormat};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// Size of a letter's box in points.
pub const LETTER_HEIGHT: usize = RasterHeight::Size16.val();
/// See [`LETTER_HEIGHT`].
pub const LETTER_WIDTH: usize = get_raster_width(FontWeight::Regular, RasterHeight::Size16);

/// Screens at least so many pixels high for each unit of scale get larger points.
const HEIGHT_PER_SCALE: usize = 720;

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// Between `self` (0) and another (255).
    fn towards(self, other: Self, share: u8) -> Self {
        let mix = |from: u8, to: u8| {
            ((u32::from(from) * (255 - u32::from(share)) + u32::from(to) * u32::from(share)) / 255) as u8
        };
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }
}

/// A place and a size, in points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Left edge.
    pub x: usize,
    /// Upper edge.
    pub y: usize,
    /// Width.
    pub width: usize,
    /// Height.
    pub height: usize,
}

/// The letters' and the ground's colour, and whether the letters are bold.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Of the letters.
    pub ink: Colour,
    /// Behind them.
    pub ground: Colour,
    /// Bold letters.
    pub bold: bool,
}

/// Pixels and how they are laid out.
#[derive(Debug)]
pub struct Canvas<'a> {
    pixels: &'a mut [u8],
    info: FrameBufferInfo,
    scale: usize,
}

impl<'a> Canvas<'a> {
    /// Draws into `pixels`, which are as `info` says.
    pub fn new(pixels: &'a mut [u8], info: FrameBufferInfo) -> Self {
        Self { pixels, info, scale: (info.height / HEIGHT_PER_SCALE).max(1) }
    }

    /// Width in points.
    pub fn width(&self) -> usize {
        self.info.width / self.scale
    }

    /// Height in points.
    pub fn height(&self) -> usize {
        self.info.height / self.scale
    }

    /// Fills an area.
    pub fn fill(&mut self, area: Area, colour: Colour) {
        let bytes = self.encode(colour);
        let right = (area.x + area.width).min(self.width());
        for y in area.y..(area.y + area.height).min(self.height()) {
            (area.x..right).for_each(|x| self.put(x, y, bytes));
        }
    }

    /// Writes ASCII letters from the upper left corner of the first one's box on.
    pub fn text(&mut self, x: usize, y: usize, text: &str, style: Style) {
        for (index, letter) in text.chars().enumerate() {
            self.letter(x + index * LETTER_WIDTH, y, letter, style);
        }
    }

    /// One letter; what the font does not have is drawn as `?`.
    pub fn letter(&mut self, x: usize, y: usize, letter: char, style: Style) {
        let weight = if style.bold { FontWeight::Bold } else { FontWeight::Regular };
        let raster = |letter| get_raster(letter, weight, RasterHeight::Size16);
        let Some(raster) = raster(letter).or_else(|| raster('?')) else { return };
        if x + raster.width() > self.width() || y + raster.height() > self.height() {
            return;
        }
        for (dy, row) in raster.rows().enumerate() {
            for (dx, &share) in row.iter().enumerate() {
                let bytes = self.encode(style.ground.towards(style.ink, share));
                self.put(x + dx, y + dy, bytes);
            }
        }
    }

    /// A point; inside of the screen.
    fn put(&mut self, x: usize, y: usize, bytes: [u8; 4]) {
        let size = self.info.bytes_per_pixel.min(bytes.len());
        for row in y * self.scale..(y + 1) * self.scale {
            for column in x * self.scale..(x + 1) * self.scale {
                let at = (row * self.info.stride + column) * self.info.bytes_per_pixel;
                if let Some(pixel) = self.pixels.get_mut(at..at + size) {
                    pixel.copy_from_slice(&bytes[..size]);
                }
            }
        }
    }

    /// A colour as this screen wants it, lowest byte first.
    fn encode(&self, Colour(red, green, blue): Colour) -> [u8; 4] {
        match self.info.pixel_format {
            PixelFormat::Rgb => [red, green, blue, 0],
            PixelFormat::Bgr => [blue, green, red, 0],
            PixelFormat::Unknown { red_position, green_position, blue_position } => {
                let at = |value: u8, position: u8| u32::from(value).checked_shl(position.into()).unwrap_or(0);
                (at(red, red_position) | at(green, green_position) | at(blue, blue_position)).to_le_bytes()
            }
            // Grey, by what eyes take for brightness (ITU-R BT.601); also for formats that are not known yet.
            _ => [((u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114) / 1000) as u8; 4],
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{vec, vec::Vec};

    fn info(width: usize, height: usize, pixel_format: PixelFormat, bytes_per_pixel: usize) -> FrameBufferInfo {
        let stride = width + 3;
        let byte_len = stride * height * bytes_per_pixel;
        FrameBufferInfo { byte_len, width, height, pixel_format, bytes_per_pixel, stride }
    }

    fn pixel(pixels: &[u8], info: &FrameBufferInfo, x: usize, y: usize) -> Vec<u8> {
        let at = (y * info.stride + x) * info.bytes_per_pixel;
        pixels[at..at + info.bytes_per_pixel].to_vec()
    }

    /// Goal: every format gets its bytes. Method: one colour in each, and a corner that must stay as it was.
    #[test]
    fn formats() {
        let unknown = PixelFormat::Unknown { red_position: 16, green_position: 0, blue_position: 8 };
        for (format, size, expected) in [
            (PixelFormat::Rgb, 3, &[1, 2, 3][..]),
            (PixelFormat::Bgr, 4, &[3, 2, 1, 0]),
            (unknown, 4, &[2, 3, 1, 0]),
            (PixelFormat::U8, 1, &[1]),
        ] {
            let info = info(20, 10, format, size);
            let mut pixels = vec![0xee; info.byte_len];
            Canvas::new(&mut pixels, info).fill(Area { x: 2, y: 1, width: 100, height: 100 }, Colour(1, 2, 3));
            assert_eq!(pixel(&pixels, &info, 19, 9), expected, "{format:?}");
            assert_eq!(pixel(&pixels, &info, 1, 9), vec![0xee; size]);
            assert_eq!(pixel(&pixels, &info, 20, 5), vec![0xee; size], "beyond the right edge");
        }
    }

    /// Goal: letters have ink, also on a large screen, and none of it leaves the screen. Method: draw and count.
    #[test]
    fn letters() {
        let style = Style { ink: Colour(255, 255, 255), ground: Colour(0, 0, 0), bold: false };
        for (width, height, scale) in [(100, 40, 1), (3840, 2160, 3)] {
            let info = info(width, height, PixelFormat::Rgb, 4);
            let mut pixels = vec![0; info.byte_len];
            let mut canvas = Canvas::new(&mut pixels, info);
            assert_eq!(canvas.width(), width / scale);
            canvas.text(0, 0, "M", style);
            canvas.text(canvas.width() - 3, 0, "M", style);
            let inked = |area: core::ops::Range<usize>| {
                area.filter(|x| (0..height).any(|y| pixel(&pixels, &info, *x, y)[0] > 200)).count()
            };
            assert!(inked(0..LETTER_WIDTH * scale) >= 4 * scale);
            assert_eq!(inked(LETTER_WIDTH * scale..width), 0, "half a letter is none");
        }
    }
}
