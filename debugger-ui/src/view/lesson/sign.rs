//! Signs that stand beside words: tick, cross, dash, an empty box. Drawn, since no font is sure to have them.

use egui::{Color32, Rect, Sense, Stroke, StrokeKind, Ui, vec2};

/// Which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It is right, it is done.
    Tick,
    /// It is not right yet.
    Cross,
    /// Neither.
    Dash,
    /// To be done.
    Box,
    /// Done, in a box.
    TickedBox,
}

/// Draws a sign as large as a letter.
pub fn show(ui: &mut Ui, sign: Sign, colour: Color32) {
    let (rect, _) = ui.allocate_exact_size(vec2(16.0, 18.0), Sense::hover());
    let rect = Rect::from_center_size(rect.center(), vec2(14.0, 14.0));
    let stroke = Stroke::new(2.5, colour);
    let at = |x: f32, y: f32| rect.min + vec2(x, y);
    let painter = ui.painter();
    if matches!(sign, Sign::Box | Sign::TickedBox) {
        painter.rect_stroke(rect, 2, Stroke::new(1.5, colour), StrokeKind::Inside);
    }
    match sign {
        Sign::Tick | Sign::TickedBox => {
            painter.line(vec![at(2.0, 7.5), at(5.5, 11.0), at(12.0, 3.0)], stroke);
        }
        Sign::Cross => {
            painter.line_segment([at(2.5, 2.5), at(11.5, 11.5)], stroke);
            painter.line_segment([at(11.5, 2.5), at(2.5, 11.5)], stroke);
        }
        Sign::Dash => {
            painter.line_segment([at(2.0, 7.0), at(12.0, 7.0)], stroke);
        }
        Sign::Box => {}
    }
}
