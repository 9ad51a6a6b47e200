//! The glossary: a field to type what is looked for, the entries, and beside them the chosen one in full.

use super::Cx;
use crate::model::glossary::{self, Row};
use crate::ui::line;
use crate::ui::theme::{mono, words};
use crate::ui::tree::{self, Spec};
use egui::{Align2, Key, Rect, RichText, Role, ScrollArea, TextEdit, Ui, UiBuilder, WidgetInfo, pos2, vec2};

const HEIGHT: f32 = 22.0;

/// What the panel remembers.
#[derive(Debug, Default)]
pub struct State {
    list: tree::State,
    typed: String,
}

/// Draws the panel.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    let found = glossary::found(&state.typed);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Look up").color(cx.t.weak));
        let field = TextEdit::singleline(&mut state.typed).desired_width(260.0).hint_text("a word, a bit, a vector");
        let response = ui.add(field);
        let text = state.typed.clone();
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::SearchInput, true, "Look up in the glossary");
            info.current_text_value = Some(text.clone());
            info
        });
        if take_focus {
            response.request_focus();
        }
        if response.changed() {
            (state.list.cursor, state.list.reveal) = (0, Some(0));
        }
        let chosen = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        state.list.focus |= chosen;
        let count = if found.len() == 1 { "1 entry".to_owned() } else { format!("{} entries", found.len()) };
        ui.label(RichText::new(count).color(cx.t.weak));
    });
    if found.is_empty() {
        let text = "Nothing has these words. Fewer words, or a part of one, find more.";
        ui.add(egui::Label::new(RichText::new(text).color(cx.t.weak)).wrap());
        return;
    }
    state.list.cursor = state.list.cursor.min(found.len() - 1);
    let area = ui.available_rect_before_wrap();
    // Beside the list where there is room for both, else below it.
    let (list, full) = if area.width() >= 700.0 {
        area.split_left_right_at_fraction(0.45)
    } else {
        area.split_top_bottom_at_fraction(0.5)
    };
    ui.scope_builder(UiBuilder::new().id_salt("entries").max_rect(list), |ui| entries(ui, cx, state, &found));
    let inner = full.with_min_x(full.left() + if full.top() > area.top() { 0.0 } else { 14.0 });
    ui.scope_builder(UiBuilder::new().id_salt("entry").max_rect(inner), |ui| entry(ui, cx, found[state.list.cursor]));
    ui.advance_cursor_after_rect(area);
}

/// The list.
fn entries(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, found: &[&'static Row]) {
    let t = cx.t;
    let spec = Spec { id: "glossary", name: "Glossary", rows: found.len(), row_height: HEIGHT };
    let outcome = tree::show(ui, t, spec, &mut state.list, |ui, at, rect| {
        let row = found[at];
        line_of(ui, cx, rect, row);
        let lesson = row.lesson.as_ref().map(|lesson| format!(", from the lesson {lesson}")).unwrap_or_default();
        format!("{}, {}{lesson}. {}", row.words.title, row.kind, row.words.says)
    });
    if outcome.response.has_focus() {
        cx.focused = Some(found[state.list.cursor.min(found.len() - 1)].words.clone());
    }
}

/// A row: what it is in a word, and its title.
fn line_of(ui: &Ui, cx: &Cx<'_>, rect: Rect, row: &Row) {
    let middle = rect.center().y;
    let x = rect.left() + 8.0;
    ui.painter().text(pos2(x, middle), Align2::LEFT_CENTER, row.kind, mono(12.0), cx.t.weak);
    let indent = if row.kind == "bit" { 14.0 } else { 0.0 };
    let at = pos2(x + 76.0 + indent, middle);
    line::fit(ui.painter(), at, &row.words.title, words(14.0), cx.t.text, rect.right() - 4.0);
}

/// The chosen entry in full.
fn entry(ui: &mut Ui, cx: &Cx<'_>, row: &Row) {
    ScrollArea::vertical().id_salt("entry in full").auto_shrink(false).min_scrolled_height(0.0).show(ui, |ui| {
        ui.spacing_mut().item_spacing = vec2(6.0, 6.0);
        let text = |text: &str, size| RichText::new(text).font(words(size));
        let label = |text: RichText| egui::Label::new(text).wrap().selectable(true);
        ui.add(label(text(&row.words.title, 16.0).strong().color(cx.t.strong)));
        ui.add(label(text(&row.words.says, 15.0).color(cx.t.text)));
        if let Some(lesson) = &row.lesson {
            ui.add(label(text(&format!("Introduced in the lesson \"{lesson}\"."), 13.0).color(cx.t.weak)));
        }
        if !row.words.source.is_empty() {
            ui.add(label(text(&row.words.source, 13.0).color(cx.t.weak)));
        }
    });
}
