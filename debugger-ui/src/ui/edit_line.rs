//! A field that opens over a row of a list to give what is there another text. Used by bookmarks and memory.

use egui::{FontId, Key, Rect, Role, TextEdit, Ui, WidgetInfo, vec2};

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With Enter: this is the text.
    Entered(String),
    /// In any other way: all stays as it was.
    Left,
}

/// Draws the field. `opened`: it takes the focus in this frame. None: it is still open.
pub fn show(
    ui: &mut Ui,
    rect: Rect,
    (name, font): (&str, FontId),
    text: &mut String,
    opened: &mut bool,
) -> Option<Ended> {
    let field = TextEdit::singleline(text).font(font).cursor_at_end(true).margin(vec2(4.0, 1.0));
    let response = ui.put(rect, field);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::TextInput, true, name);
        info.current_text_value = Some(text.clone());
        info
    });
    if std::mem::take(opened) {
        response.request_focus();
        return None;
    }
    if !response.lost_focus() {
        return None;
    }
    let entered = ui.input(|input| input.key_pressed(Key::Enter));
    Some(if entered { Ended::Entered(text.clone()) } else { Ended::Left })
}
