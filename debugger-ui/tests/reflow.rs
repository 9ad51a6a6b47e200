//! No text runs over another and none is cut off at a side, in every scene, at three window sizes and five text sizes: what
//! is really painted is measured, text against text and text against where it may be painted.
//!
//! Not measured: what is cut off at top or bottom, since most panels scroll that way, and text that ends with an ellipsis.

#[path = "support/painted.rs"]
mod painted;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/scenes.rs"]
#[expect(dead_code, reason = "shared with tests that use other parts of it")]
mod scenes;

use debugger_ui::preferences::Theme;
use egui::epaint::ClippedShape;
use egui::{Rect, Role, Shape};
use egui_kittest::kittest::AccessKitNode;
use scenes::{Window, preferences, scenes};
use std::collections::BTreeSet;

/// How far two texts may come into each other, in points: their boxes are higher, and a little wider, than their letters.
const NEAR: egui::Vec2 = egui::vec2(2.0, 4.5);
/// How far a text may reach beyond its place, in points: a letter's box ends behind the letter.
const BEYOND: f32 = 2.0;

/// A row of text, or a surface that hides what was painted before it, in the order of painting.
enum Painted {
    Row { rect: Rect, clip: Rect, says: String },
    Cover(Rect),
}

fn take_apart(frame: &[ClippedShape]) -> Vec<Painted> {
    let mut painted = Vec::new();
    painted::shapes(frame).into_iter().for_each(|(shape, clip)| take_shape(shape, clip, &mut painted));
    painted
}

fn take_shape(shape: &Shape, clip: Rect, painted: &mut Vec<Painted>) {
    match shape {
        Shape::Rect(rect) if rect.fill.a() == 255 && rect.blur_width == 0.0 => {
            painted.push(Painted::Cover(rect.rect.intersect(clip)));
        }
        Shape::Text(text) => {
            for row in &text.galley.rows {
                let says = row.text();
                // Blanks at the ends take no room that anybody sees.
                let ink = row.glyphs.iter().filter(|glyph| !glyph.chr.is_whitespace());
                let ends = ink.map(|glyph| (glyph.pos.x, glyph.pos.x + glyph.advance_width));
                let Some((left, right)) = ends.reduce(|all, glyph| (all.0.min(glyph.0), all.1.max(glyph.1))) else {
                    continue;
                };
                let origin = text.pos + row.pos.to_vec2();
                let rect = Rect::from_x_y_ranges(origin.x + left..=origin.x + right, origin.y..=origin.y + row.size.y);
                if clip.intersect(rect).is_positive() && text.angle == 0.0 {
                    painted.push(Painted::Row { rect, clip, says });
                }
            }
        }
        _ => {}
    }
}

/// Panels that are scrolled sideways: what ends at their sides goes on behind them.
fn scrolled(window: &Window) -> Vec<Rect> {
    let sideways = |node: &AccessKitNode<'_>| match node.role() {
        Role::Slider => node.label().as_deref() == Some("Timeline"),
        role => role == Role::Terminal,
    };
    let scale = window.harness.ctx.pixels_per_point();
    let bounds = |node: &AccessKitNode<'_>| {
        let bounds = node.bounding_box()?;
        let (min, max) = ([bounds.x0, bounds.y0], [bounds.x1, bounds.y1]);
        let point = |[x, y]: [f64; 2]| egui::pos2(x as f32 / scale, y as f32 / scale);
        Some(Rect::from_min_max(point(min), point(max)))
    };
    let root = window.harness.kittest_state().root();
    let mut open = vec![root];
    let mut found = Vec::new();
    while let Some(node) = open.pop() {
        found.extend(Some(&node).filter(|node| sideways(node)).and_then(bounds));
        open.extend(node.children());
    }
    found
}

/// What runs over what, and what is cut off at a side, in words.
fn found(painted: &[Painted], scrolled: &[Rect]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, thing) in painted.iter().enumerate() {
        let Painted::Row { rect, clip, says } = thing else { continue };
        let hidden = |part: Rect, until: usize| {
            painted[at + 1..until].iter().any(|over| matches!(over, Painted::Cover(cover) if cover.contains_rect(part)))
        };
        let seen = rect.intersect(*clip);
        if hidden(seen.shrink(1.0), painted.len()) {
            continue;
        }
        // A text that begins before NOW and ends after it is painted in two parts.
        let parts = painted.iter().filter_map(|thing| match thing {
            Painted::Row { rect: same, clip, says: same_words } if same == rect && same_words == says => Some(*clip),
            _ => None,
        });
        let place = parts.reduce(Rect::union).unwrap_or(*clip);
        let goes_on = scrolled.iter().any(|panel| panel.expand(8.0).contains_rect(place));
        if !goes_on && (rect.right() > place.right() + BEYOND || rect.left() < place.left() - BEYOND) {
            found.insert(format!("{says:?} is cut off: it is {rect:?}, its place {clip:?}"));
        }
        for (later, thing) in painted.iter().enumerate().skip(at + 1) {
            let Painted::Row { rect: other, clip: clip_of_other, says: says_other } = thing else { continue };
            let both = seen.intersect(other.intersect(*clip_of_other));
            let over = both.width() > NEAR.x && both.height() > NEAR.y;
            if over && !hidden(both, later) && !hidden(both.shrink(1.0), painted.len()) {
                found.insert(format!("{says_other:?} runs over {says:?} in {both:?}"));
            }
        }
    }
    found
}

/// What is wrong at this size and these text sizes.
fn measure(size: [f32; 2], text_sizes: &[u16]) -> Vec<String> {
    let mut all = Vec::new();
    for &percent in text_sizes {
        let mut window = Window::open(size, preferences(Theme::Dark, percent));
        for (id, scene) in scenes() {
            window.enter(&scene);
            let sideways = scrolled(&window);
            for what in found(&take_apart(&window.harness.output().shapes), &sideways) {
                all.push(format!("{}x{} at {percent} %, {id}: {what}", size[0], size[1]));
            }
            window.leave(&scene);
        }
    }
    all
}

fn assert_room(size: [f32; 2], text_sizes: &[u16]) {
    let wrong = measure(size, text_sizes);
    assert!(wrong.is_empty(), "{} places:\n{}", wrong.len(), wrong.join("\n"));
}

/// Goal: there is room for every text in a usual window; method: all scenes at all text sizes, measured.
#[test]
fn a_usual_window() {
    assert_room([1280.0, 800.0], &[80, 100, 150, 200, 250]);
}

/// Goal: the same in a low one, as projectors have it; method: the same.
#[test]
fn a_low_window() {
    assert_room([1280.0, 720.0], &[80, 100, 150, 200, 250]);
}

/// Goal: the same in a small one; method: the same, up to where it has 400 by 250 points.
#[test]
fn a_small_window() {
    assert_room([800.0, 500.0], &[80, 100, 150, 200]);
}
