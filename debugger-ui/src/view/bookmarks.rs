//! The bookmarks: named positions. Enter goes there, F2 gives a name, Delete removes.

use super::Cx;
use crate::command::Command;
use crate::model::timeline::position_words;
use crate::ui::edit_line;
use crate::ui::theme::{mono, words};
use crate::ui::tree::{self, Act, Spec};
use crate::ui::words::Words;
use egui::{Align2, Key, Rect, RichText, Ui, pos2, vec2};

/// What the panel remembers.
#[derive(Debug, Default)]
pub struct State {
    list: tree::State,
    /// The bookmark being named, and what was typed so far.
    edit: Option<(u32, String)>,
    /// The field was opened in this frame.
    opened: bool,
}

/// Draws the panel.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    let bookmarks = &cx.model.bookmarks.list;
    let chosen = bookmarks.get(state.list.cursor).map(|mark| (mark.id, mark.name.clone()));
    let mut rename = false;
    ui.horizontal_wrapped(|ui| {
        cx.button(ui, "bookmark", "Bookmark this position", cx.model.connection.ready());
        if let Some((id, name)) = &chosen {
            let go = ui.add_enabled(cx.can_move(), egui::Button::new("Go there"));
            if go.on_hover_text(format!("Go to {name} (Enter)")).clicked() {
                cx.push(Command::GoBookmark(*id));
            }
            rename = ui.button("Rename").on_hover_text(format!("Give {name} another name (F2)")).clicked();
            if ui.button("Remove").on_hover_text(format!("Remove {name} (Delete)")).clicked() {
                cx.push(Command::RemoveBookmark(*id));
            }
        }
    });
    if bookmarks.is_empty() {
        let text = "None. k sets one where the machine stands; Go to… (g) takes its name.";
        ui.label(RichText::new(text).color(cx.t.weak));
        return;
    }
    state.list.focus |= take_focus;
    let (t, here) = (cx.t, cx.model.timeline.position);
    let spec = Spec { id: "bookmarks", name: "Bookmarks", rows: bookmarks.len(), row_height: 22.0 };
    let mut named = None;
    let mut list = state.list;
    let outcome = tree::show(ui, t, spec, &mut list, |ui, at, rect| {
        let mark = &bookmarks[at];
        let middle = rect.center().y;
        if mark.position == here && mark.void.is_none() {
            ui.painter().rect_filled(rect, 2, t.chosen);
        }
        let step = position_words(mark.position);
        ui.painter().text(pos2(rect.left() + 120.0, middle), Align2::RIGHT_CENTER, &step, mono(12.5), t.weak);
        if let Some((_, text)) = state.edit.as_mut().filter(|(id, _)| *id == mark.id) {
            let place = Rect::from_min_size(pos2(rect.left() + 132.0, rect.top() + 1.0), vec2(320.0, 20.0));
            let name = format!("New name of {}", mark.name);
            let ended = edit_line::show(ui, place, (&name, words(14.0)), text, &mut state.opened);
            named = ended.map(|ended| (mark.id, ended));
        } else {
            let colour = if mark.void.is_some() { t.weak } else { t.text };
            let at = pos2(rect.left() + 136.0, middle);
            let x = ui.painter().text(at, Align2::LEFT_CENTER, &mark.name, words(14.0), colour).right();
            if let Some(void) = &mark.void {
                ui.painter().hline(rect.left() + 136.0..=x, middle, egui::Stroke::new(1.5, t.weak));
                ui.painter().text(pos2(x + 12.0, middle), Align2::LEFT_CENTER, void, words(13.0), t.changed);
            }
        }
        let now = if mark.position == here { ", here" } else { "" };
        let void = mark.void.as_ref().map(|void| format!(", {void}")).unwrap_or_default();
        format!("{}, step {step}{now}{void}", mark.name)
    });
    state.list = list;
    let keys = outcome.response.has_focus();
    let pressed = |key| keys && ui.input(|input| input.modifiers.is_none() && input.key_pressed(key));
    if let Some((id, name)) = chosen {
        if pressed(Key::Delete) {
            cx.push(Command::RemoveBookmark(id));
        }
        if rename || pressed(Key::F2) {
            (state.edit, state.opened) = (Some((id, name)), true);
        }
    }
    if let Some((id, ended)) = named {
        if let edit_line::Ended::Entered(name) = ended {
            cx.push(Command::RenameBookmark(id, name));
        }
        (state.edit, state.list.focus) = (None, true);
    }
    if let Some((at, Act::Open)) = outcome.act
        && let Some(mark) = bookmarks.get(at)
    {
        cx.push(Command::GoBookmark(mark.id));
    }
    if keys {
        cx.focused = Some(Words::new("Bookmark", "Enter goes to it, F2 gives it a name, Delete removes it."));
    }
}
