//! Pictures of the window, put together, and as other eyes see them: in grey, and without green cones (deuteranopia).
//! Pure functions on pixels, one that draws, and one that writes to `target/screenshots`.

use egui_kittest::Harness;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{GenericImage, Rgba, RgbaImage};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Draws what the window shows now.
///
/// # Panics
/// Where nothing on this computer can draw, with the packages that can.
pub fn of<State>(harness: &mut Harness<'_, State>) -> RgbaImage {
    harness.remove_cursor();
    harness.run();
    // It is the processor that draws, with all its threads: one picture at a time is faster.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // On a computer with much else to do the drawing may take longer than the ten seconds that wgpu waits for it.
    for _ in 0..12 {
        match catch_unwind(AssertUnwindSafe(|| harness.render())) {
            Ok(Ok(mut image)) => {
                // Around the window there is nothing; kept pictures have no transparency.
                image.pixels_mut().for_each(|pixel| pixel.0[3] = 255);
                return image;
            }
            Ok(Err(late)) => {
                println!("once more, since the picture failed: {late}");
                std::thread::sleep(Duration::from_secs(10));
            }
            Err(_) => panic!(
                "No picture: wgpu found nothing to draw with. It takes the packages libegl1 and libgl1-mesa-dri, or \
                 mesa-vulkan-drivers: apt-get install libegl1 libgl1-mesa-dri, or `cargo xtask setup`."
            ),
        }
    }
    panic!("no picture in twelve attempts");
}

/// Pictures beside each other.
pub fn beside(pictures: &[RgbaImage]) -> RgbaImage {
    let width = pictures.iter().map(RgbaImage::width).sum();
    let height = pictures.iter().map(RgbaImage::height).max().unwrap_or(0);
    let mut sheet = RgbaImage::from_pixel(width, height, Rgba([0, 0, 0, 255]));
    let mut x = 0;
    for picture in pictures {
        sheet.copy_from(picture, x, 0).expect("there is room for it");
        x += picture.width();
    }
    sheet
}

/// Pictures below each other.
pub fn below(pictures: &[RgbaImage]) -> RgbaImage {
    let width = pictures.iter().map(RgbaImage::width).max().unwrap_or(0);
    let height = pictures.iter().map(RgbaImage::height).sum();
    let mut sheet = RgbaImage::from_pixel(width, height, Rgba([0, 0, 0, 255]));
    let mut y = 0;
    for picture in pictures {
        sheet.copy_from(picture, 0, y).expect("there is room for it");
        y += picture.height();
    }
    sheet
}

/// Writes a PNG file anew, small, since these are kept in the repository: with 32 shades of red, green and blue. What
/// that changes is below the threshold in `kittest.toml`.
pub fn squeeze(path: &Path) {
    let mut image = image::open(path).expect("a picture that was just written").to_rgb8();
    for channel in image.iter_mut() {
        let shade = (u32::from(*channel) * 31 + 127) / 255;
        *channel = ((shade * 255 + 15) / 31) as u8;
    }
    let file = std::fs::File::create(path).expect("it was written before");
    let encoder = PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::Sub);
    image.write_with_encoder(encoder).expect("a picture can be written");
}

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
    // Neighbours are mostly alike.
    let mut last = (Rgba([0; 4]), Rgba([0; 4]));
    let mut seen = image.clone();
    for pixel in seen.pixels_mut() {
        if *pixel == last.0 {
            *pixel = last.1;
            continue;
        }
        let before = *pixel;
        let Rgba([red, green, blue, alpha]) = before;
        let [red, green, blue] = [red, green, blue].map(|channel| light[usize::from(channel)]);
        let [r, g, b] = matrix.map(|[a, b, c]| to_byte(a * red + b * green + c * blue));
        *pixel = Rgba([r, g, b, alpha]);
        last = (before, *pixel);
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
