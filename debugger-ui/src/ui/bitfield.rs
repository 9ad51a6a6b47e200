//! A bit as a chip: its name and value. A set bit is filled, a changed one underlined and marked; the words come on
//! hover, and with `?` on focus.

use super::theme::{mono, words};
use super::tokens::Tokens;
use egui::{CornerRadius, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, vec2};

/// What a chip shows.
#[derive(Clone, Debug)]
pub struct Chip<'a> {
    /// Register in front of the name, for the screen reader: "CR0".
    pub register: &'a str,
    /// "PE".
    pub name: &'a str,
    /// The bit's or field's value.
    pub value: u64,
    /// It changed since the previous stop.
    pub changed: bool,
    /// A click flips it.
    pub editable: bool,
}

/// Draws a chip. Clicked means: flip it.
pub fn chip(ui: &mut Ui, t: &Tokens, chip: &Chip<'_>) -> Response {
    let name = ui.painter().layout_no_wrap(chip.name.to_owned(), words(12.5), t.text);
    let value = ui.painter().layout_no_wrap(chip.value.to_string(), mono(13.0), t.text);
    let size = vec2(name.size().x + value.size().x + 15.0, 21.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| {
        let was = if chip.changed { ", changed" } else { "" };
        let label = format!("{} {} = {}{was}", chip.register, chip.name, chip.value);
        WidgetInfo::selected(Role::CheckBox, chip.editable, chip.value != 0, label)
    });
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let set = chip.value != 0;
    let hovered = response.hovered() && chip.editable;
    let fill = match (hovered, set) {
        (true, _) => t.hover,
        (false, true) => t.chosen,
        (false, false) => t.panel,
    };
    let edge = if set { t.link } else { t.hairline };
    let rect = rect.shrink(0.5);
    ui.painter().rect(rect, CornerRadius::same(3), fill, t.stroke(1.0, edge), StrokeKind::Inside);
    let colour = if set { t.strong } else { t.weak };
    let baseline = rect.center().y;
    let name_at = rect.left_center() + vec2(5.0, -name.size().y / 2.0);
    ui.painter().galley_with_override_text_color(name_at, name, colour);
    let value_at = egui::pos2(rect.right() - 5.0 - value.size().x, baseline - value.size().y / 2.0);
    let value_width = value.size().x;
    ui.painter().galley_with_override_text_color(value_at, value, if chip.changed { t.changed } else { colour });
    if chip.changed {
        let y = rect.bottom() - 3.0;
        ui.painter().hline(value_at.x..=value_at.x + value_width, y, Stroke::new(2.0, t.changed));
        ui.painter().rect_filled(
            egui::Rect::from_min_max(rect.left_top(), egui::pos2(rect.left() + 3.0, rect.bottom())),
            CornerRadius::same(1),
            t.changed,
        );
    }
    response
}
