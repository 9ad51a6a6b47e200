//! What is really painted can be read: contrast of each text and each line with what lies behind it, in every panel and
//! theme; in the Lecture theme also the size of text and the width of lines.

#[path = "support/painted.rs"]
mod painted;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/scenes.rs"]
#[expect(dead_code, reason = "shared with tests that use other parts of it")]
mod scenes;

use debugger_ui::preferences::Theme;
use debugger_ui::ui::tokens::{Tokens, contrast};
use egui::epaint::{ClippedShape, ColorMode, TextShape};
use egui::{Color32, Pos2, Rect, Shape, Stroke, vec2};
use scenes::{Window, places, preferences};
use std::collections::BTreeSet;

/// Something painted, in order.
enum Painted {
    /// A surface on which other things are painted.
    Fill(Rect, Color32),
    /// A text, with one point of it, its size and what it says.
    Text(Pos2, Color32, f32, String),
    /// A line or an outline: a point of what lies behind it, its stroke, and what it encloses.
    Line(Pos2, Stroke, Option<Color32>),
}

/// Takes a frame apart.
fn take_apart(frame: &[ClippedShape]) -> Vec<Painted> {
    let mut painted = Vec::new();
    painted::shapes(frame).into_iter().for_each(|(shape, clip)| take_shape(shape, clip, &mut painted));
    painted
}

fn take_shape(shape: &Shape, clip: Rect, painted: &mut Vec<Painted>) {
    let mut line = |at: Pos2, stroke: Stroke, fill: Color32| {
        if clip.contains(at) && stroke.width > 0.0 && stroke.color.a() > 0 {
            painted.push(Painted::Line(at, stroke, Some(fill).filter(|fill| fill.a() == 255)));
        }
    };
    match shape {
        Shape::LineSegment { points, stroke } => {
            line(points[0] + (points[1] - points[0]) / 2.0, *stroke, Color32::TRANSPARENT);
        }
        Shape::Circle(circle) => {
            if circle.stroke.width > 0.0 {
                line(circle.center, circle.stroke, circle.fill);
            } else {
                line(circle.center, Stroke::new(circle.radius * 2.0, circle.fill), Color32::TRANSPARENT);
            }
        }
        Shape::Path(path) => {
            if let (ColorMode::Solid(colour), [first, second, ..]) = (&path.stroke.color, &path.points[..]) {
                let stroke = Stroke::new(path.stroke.width, *colour);
                line(*first + (*second - *first) / 2.0, stroke, path.fill);
            }
        }
        Shape::Rect(rect) => {
            line(rect.rect.left_center() - vec2(rect.stroke.width / 2.0 + 0.5, 0.0), rect.stroke, rect.fill);
            if rect.fill.a() > 0 && rect.blur_width == 0.0 {
                painted.push(Painted::Fill(rect.rect.intersect(clip), rect.fill));
            }
        }
        Shape::Text(text) => take_text(text, clip, painted),
        _ => {}
    }
}

fn take_text(text: &TextShape, clip: Rect, painted: &mut Vec<Painted>) {
    let Some(row) = text.galley.rows.first() else { return };
    let at = text.pos + row.pos.to_vec2() + vec2(row.size.x.min(6.0) / 2.0, row.size.y / 2.0);
    if !clip.contains(at) || text.galley.text().trim().is_empty() {
        return;
    }
    for section in &text.galley.job.sections {
        let own = section.format.color;
        let colour =
            text.override_text_color.unwrap_or(if own == Color32::PLACEHOLDER { text.fallback_color } else { own });
        let colour = colour.gamma_multiply(text.opacity_factor);
        let says = text.galley.text()[section.byte_range.start.0..section.byte_range.end.0].to_owned();
        if !says.trim().is_empty() {
            painted.push(Painted::Text(at, colour, section.format.font_id.size, says));
        }
    }
}

/// `over` on `under`.
fn blend(under: Color32, over: Color32) -> Color32 {
    let share = 1.0 - f32::from(over.a()) / 255.0;
    let channel = |over: u8, under: u8| (f32::from(over) + f32::from(under) * share).round().min(255.0) as u8;
    Color32::from_rgb(channel(over.r(), under.r()), channel(over.g(), under.g()), channel(over.b(), under.b()))
}

/// What lies behind a point when thing number `until` is painted.
fn behind(painted: &[Painted], until: usize, at: Pos2, clear: Color32) -> Color32 {
    painted[..until].iter().fold(clear, |under, thing| match thing {
        Painted::Fill(rect, colour) if rect.contains(at) => blend(under, *colour),
        _ => under,
    })
}

/// The places of controls that are switched off: what cannot be used now may be faint (WCAG 2.2, 1.4.3).
fn switched_off(window: &Window) -> Vec<Rect> {
    let ctx = &window.harness.ctx;
    ctx.viewport(|viewport| {
        let layers = viewport.prev_pass.widgets.layers();
        layers
            .flat_map(|(_, widgets)| widgets.iter())
            .filter(|widget| !widget.enabled)
            .map(|widget| widget.rect)
            .collect()
    })
}

/// What is too faint in a frame, in words.
fn faint(window: &mut Window, text_least: f64, shape_least: f64) -> BTreeSet<String> {
    let t: &Tokens = window.tokens();
    let painted = take_apart(&window.harness.output().shapes);
    let off = switched_off(window);
    let mut found = BTreeSet::new();
    for (at, thing) in painted.iter().enumerate() {
        match thing {
            Painted::Text(place, colour, _, says) if !off.iter().any(|rect| rect.contains(*place)) => {
                let back = behind(&painted, at, *place, t.panel);
                let measured = contrast(blend(back, *colour), back);
                if measured < text_least {
                    found.insert(format!("text {says:?}: {colour:?} on {back:?} has {measured:.2}"));
                }
            }
            // Hairlines part what spacing parts already.
            Painted::Line(place, stroke, fill)
                if stroke.color != t.hairline && !off.iter().any(|rect| rect.contains(*place)) =>
            {
                let back = behind(&painted, at, *place, t.panel);
                let colour = blend(back, stroke.color);
                // An outline needs to stand out from one of its sides.
                let measured = fill.map_or(0.0, |fill| contrast(colour, fill)).max(contrast(colour, back));
                if measured < shape_least && stroke.color != back {
                    found.insert(format!("line {:?} on {back:?} has {measured:.2}", stroke.color));
                }
            }
            _ => {}
        }
    }
    found
}

fn assert_legible(theme: Theme, text_least: f64, shape_least: f64) {
    let mut found = BTreeSet::new();
    let mut window = Window::open([1280.0, 800.0], preferences(theme, 100));
    for (id, command) in places() {
        window.command(command);
        found.extend(faint(&mut window, text_least, shape_least).into_iter().map(|what| format!("{id}: {what}")));
        window.harness.key_press(egui::Key::Escape);
        window.harness.run();
    }
    assert!(found.is_empty(), "{theme:?}: {} too faint:\n{}", found.len(), Vec::from_iter(found).join("\n"));
}

/// Goal: all text and every shape of the dark theme can be seen; method: contrast of what is painted in every panel.
#[test]
fn dark_is_legible() {
    assert_legible(Theme::Dark, 4.5, 3.0);
}

/// Goal: the same of the light theme; method: the same.
#[test]
fn light_is_legible() {
    assert_legible(Theme::Light, 4.5, 3.0);
}

/// Goal: the Lecture theme stands a bad projector; method: the same with 7:1, and no small text, no thin line.
#[test]
fn lecture_is_legible() {
    assert_legible(Theme::Lecture, 7.0, 4.5);
    let mut window = Window::open([1280.0, 800.0], preferences(Theme::Lecture, 100));
    let mut found = BTreeSet::new();
    for (id, command) in places() {
        window.command(command);
        let scale = window.harness.ctx.pixels_per_point();
        for thing in take_apart(&window.harness.output().shapes) {
            match thing {
                Painted::Text(_, _, size, says) if size * scale < 17.9 => {
                    found.insert(format!("{id}: text {says:?} of {} px", size * scale));
                }
                Painted::Line(at, stroke, _) if stroke.width * scale < 1.95 => {
                    found.insert(format!("{id}: a line of {} px at {at:?}", stroke.width * scale));
                }
                _ => {}
            }
        }
        window.harness.key_press(egui::Key::Escape);
        window.harness.run();
    }
    assert!(found.is_empty(), "{} too small:\n{}", found.len(), Vec::from_iter(found).join("\n"));
}
