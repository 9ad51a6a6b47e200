//! A picture of a screen, and the text on it: read by the font that the kernel writes with, letter by letter.

use anyhow::{Context, Result, ensure};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// Red, green, blue.
pub type Colour = [u8; 3];

/// Width and height of a letter's box in pixels.
pub const LETTER: (usize, usize) =
    (get_raster_width(FontWeight::Regular, RasterHeight::Size16), RasterHeight::Size16.val());
/// How far a pixel may be from what the font says, for rounding.
const TOLERANCE: i32 = 4;

/// Letters on a ground.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Of the letters.
    pub ink: Colour,
    /// Behind them.
    pub ground: Colour,
    /// Bold letters.
    pub bold: bool,
}

/// Pixels, row by row.
#[derive(Debug)]
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// Reads a PPM file as QEMU writes it: "P6", width, height, 255, then three bytes for each pixel.
    pub fn read(file: &[u8]) -> Result<Self> {
        let mut words = file.splitn(4, u8::is_ascii_whitespace).map(|word| String::from_utf8_lossy(word).into_owned());
        let mut word = || words.next().context("the picture has no header");
        ensure!(word()? == "P6", "the picture is no PPM file");
        let (width, height): (usize, usize) = (word()?.parse()?, word()?.parse()?);
        let pixels = file.len().checked_sub(3 * width * height).context("the picture is cut off")?;
        Ok(Self { width, height, pixels: file[pixels..].to_vec() })
    }

    /// A pixel; black outside.
    pub fn pixel(&self, x: usize, y: usize) -> Colour {
        let at = 3 * (y * self.width + x);
        let inside = x < self.width;
        self.pixels.get(at..at + 3).filter(|_| inside).map_or([0; 3], |bytes| [bytes[0], bytes[1], bytes[2]])
    }

    /// The line of text whose first box has its upper left corner at `x`, `y`, up to the first box that holds no letter.
    pub fn text(&self, x: usize, y: usize, style: Style) -> String {
        let letters =
            (x..self.width.saturating_sub(LETTER.0)).step_by(LETTER.0).map_while(|x| self.letter(x, y, style));
        letters.collect::<String>().trim_end().to_string()
    }

    fn letter(&self, x: usize, y: usize, style: Style) -> Option<char> {
        let weight = if style.bold { FontWeight::Bold } else { FontWeight::Regular };
        (' '..='~').find(|letter| {
            let Some(raster) = get_raster(*letter, weight, RasterHeight::Size16) else { return false };
            let rows = raster.rows().enumerate();
            let mut points = rows.flat_map(|(dy, row)| row.iter().enumerate().map(move |(dx, share)| (dx, dy, *share)));
            points.all(|(dx, dy, share)| {
                let seen = self.pixel(x + dx, y + dy);
                (0..3).all(|channel| {
                    let (ground, ink) = (i32::from(style.ground[channel]), i32::from(style.ink[channel]));
                    let expected = ground + (ink - ground) * i32::from(share) / 255;
                    (i32::from(seen[channel]) - expected).abs() <= TOLERANCE
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style { ink: [220, 224, 230], ground: [16, 20, 28], bold: false };

    /// Goal: text is read as it was written; method: a PPM file with a word, and a pixel too much in it.
    #[test]
    fn reading() {
        let mut file = b"P6\n60 20\n255\n".to_vec();
        let header = file.len();
        file.extend([16, 20, 28].repeat(60 * 20));
        for (index, letter) in "at 0x9d".chars().enumerate() {
            let raster = get_raster(letter, FontWeight::Regular, RasterHeight::Size16).unwrap();
            for (dy, row) in raster.rows().enumerate() {
                for (dx, share) in row.iter().enumerate() {
                    for channel in 0..3 {
                        let (ground, ink) = (u32::from(STYLE.ground[channel]), u32::from(STYLE.ink[channel]));
                        let at = header + 3 * ((dy + 2) * 60 + 3 + index * LETTER.0 + dx) + channel;
                        file[at] = (ground + (ink - ground) * u32::from(*share) / 255) as u8;
                    }
                }
            }
        }
        assert_eq!(Picture::read(&file).unwrap().text(3, 2, STYLE), "at 0x9d");
        file[header + 3 * (5 * 60 + 4)] ^= 0x80;
        assert_eq!(Picture::read(&file).unwrap().text(3, 2, STYLE), "");
        assert!(Picture::read(&file[..200]).is_err());
    }
}
