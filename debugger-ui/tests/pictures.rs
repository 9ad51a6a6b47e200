//! Pictures of the window and of its settings in every theme, as they are, in grey, and as somebody sees them who lacks
//! the green cones: written to `target/screenshots`, for people to look at. They are not compared with earlier ones.

#[path = "support/picture.rs"]
mod picture;
#[path = "support/recording.rs"]
#[allow(dead_code)]
mod recording;
#[path = "support/scenes.rs"]
#[allow(dead_code)]
mod scenes;

use debugger_ui::command::{Command, UiCommand};
use debugger_ui::preferences::Theme;
use scenes::{Window, preferences};

/// Of the window, in pixels.
const SIZE: [f32; 2] = [1280.0, 800.0];

/// Draws a picture and writes its versions. It must show something: the theme's ground, and enough else.
fn draw(window: &mut Window, name: &str, crop: Option<[u32; 4]>) {
    window.harness.remove_cursor();
    window.harness.run();
    let mut image = window.harness.render().expect("a picture; it takes libegl1 and libgl1-mesa-dri");
    if let Some([x, y, width, height]) = crop {
        let (width, height) = (width.min(image.width() - x), height.min(image.height() - y));
        image = picture::crop(&image, x, y, width, height);
    }
    let ground = window.tokens().panel.to_array();
    let of_ground = image.pixels().filter(|pixel| pixel.0 == ground).count();
    let all = (image.width() * image.height()) as usize;
    assert!(of_ground > all / 10 && of_ground < all * 97 / 100, "{name}: {of_ground} of {all} pixels are the ground");
    picture::write_versions(&image, name);
}

fn theme_pictures(theme: Theme, name: &str) {
    let mut window = Window::open(SIZE, preferences(theme, 100));
    draw(&mut window, &format!("{name}/window"), None);
    for (id, command) in [("settings", UiCommand::Settings), ("preferences", UiCommand::Preferences)] {
        window.command(Command::Ui(command));
        draw(&mut window, &format!("{name}/{id}"), Some([0, 540, 1280, 260]));
    }
}

/// Goal: the themes can be looked at; method: pictures of each, with the share of their ground.
#[test]
fn themes_in_pictures() {
    for (theme, name) in [(Theme::Dark, "dark"), (Theme::Light, "light"), (Theme::Lecture, "lecture")] {
        theme_pictures(theme, name);
    }
}
