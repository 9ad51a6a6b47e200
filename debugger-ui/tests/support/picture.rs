//! Pictures as other eyes see them: in grey, and without green cones (deuteranopia). Pure functions on pixels, and one
//! that writes them to `target/screenshots`.

use image::{Rgba, RgbaImage};
use std::path::Path;

/// A part of a picture.
pub fn crop(image: &RgbaImage, x: u32, y: u32, width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |column, row| *image.get_pixel(x + column, y + row))
}

/// What each of red, green and blue gives to red, green and blue, in linear light.
type Matrix = [[f32; 3]; 3];

/// Luminance for all three.
const GREY: Matrix = [[0.2126, 0.7152, 0.0722]; 3];
/// Full deuteranopia, after Machado, Oliveira and Fernandes (2009).
const DEUTERANOPIA: Matrix =
    [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]];

fn to_linear(byte: u8) -> f32 {
    let value = f32::from(byte) / 255.0;
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

fn to_byte(linear: f32) -> u8 {
    let linear = linear.clamp(0.0, 1.0);
    let value = if linear <= 0.003_130_8 { linear * 12.92 } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    (value * 255.0).round() as u8
}

/// The picture through a filter.
fn filtered(image: &RgbaImage, matrix: Matrix) -> RgbaImage {
    let light: Vec<f32> = (0..=255).map(to_linear).collect();
    let mut seen = image.clone();
    for pixel in seen.pixels_mut() {
        let Rgba([red, green, blue, alpha]) = *pixel;
        let [red, green, blue] = [red, green, blue].map(|channel| light[usize::from(channel)]);
        let [r, g, b] = matrix.map(|[a, b, c]| to_byte(a * red + b * green + c * blue));
        *pixel = Rgba([r, g, b, alpha]);
    }
    seen
}

/// Writes `NAME.png`, `NAME.grey.png` and `NAME.deuteranopia.png` to `target/screenshots`.
pub fn write_versions(image: &RgbaImage, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    let versions =
        [("", image.clone()), (".grey", filtered(image, GREY)), (".deuteranopia", filtered(image, DEUTERANOPIA))];
    for (ending, image) in versions {
        let path = folder.join(format!("{name}{ending}.png"));
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder for pictures");
        image.save(&path).expect("a picture can be written");
    }
}

/// Goal: the filters do what they say; method: white stays, a red and a green become alike, grey has no hue.
#[test]
fn filters_of_known_colours() {
    let image =
        RgbaImage::from_fn(3, 1, |x, _| Rgba([[255, 255, 255, 255], [213, 94, 0, 255], [0, 128, 0, 255]][x as usize]));
    let grey = filtered(&image, GREY);
    assert!(grey.pixels().all(|Rgba([red, green, blue, _])| red == green && green == blue));
    let seen = filtered(&image, DEUTERANOPIA);
    assert!(seen.get_pixel(0, 0).0.iter().all(|channel| *channel >= 254), "white stays white");
    let hue = |x: u32| i32::from(seen.get_pixel(x, 0).0[0]) - i32::from(seen.get_pixel(x, 0).0[1]);
    assert!(hue(1).abs() < 60 && hue(2).abs() < 60, "red and green are both yellowish: {} {}", hue(1), hue(2));
}
