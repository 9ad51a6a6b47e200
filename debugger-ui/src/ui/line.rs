//! A text on one line that ends with an ellipsis where there is no room for all of it. Used by lists, whose rows are
//! painted; the whole text is then the row's accessible name or is told elsewhere.

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Color32, FontId, Galley, Painter, Pos2, pos2};
use std::sync::Arc;

/// Lays the text out in `room` points.
pub fn galley(painter: &Painter, text: &str, font: FontId, colour: Color32, room: f32) -> Arc<Galley> {
    let mut job = LayoutJob::single_section(text.to_owned(), TextFormat::simple(font, colour));
    job.wrap = TextWrapping::truncate_at_width(room.max(0.0));
    painter.layout_job(job)
}

/// Paints the text from `at` on, which is at the middle of its height, up to `right` at most. Returns where it ends.
pub fn fit(painter: &Painter, at: Pos2, text: &str, font: FontId, colour: Color32, right: f32) -> f32 {
    if right - at.x < font.size {
        return at.x;
    }
    let galley = galley(painter, text, font, colour, right - at.x);
    let end = at.x + galley.size().x;
    painter.galley(pos2(at.x, at.y - galley.size().y / 2.0), galley, colour);
    end
}
