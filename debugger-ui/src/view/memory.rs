//! The memory panel: 16 bytes a row with their characters. Changed bytes are underlined, their row has a mark, and what
//! they were stands behind it. Arrows choose a byte, Enter edits it in place; `u` takes the edit back.

use super::Cx;
use crate::command::Command;
use crate::model::memory::{self, Cell, Memory, ROW, Row, Space};
use crate::model::why::{Of, Target};
use crate::ui::edit_line;
use crate::ui::hex;
use crate::ui::line;
use crate::ui::theme::{mono, words};
use crate::ui::tree::{self, Act, Spec};
use crate::ui::words::Words;
use egui::{Align2, Button, Key, Rect, RichText, Role, Stroke, TextEdit, Ui, WidgetInfo, pos2, vec2};
use protocol::LinearAddr;
use protocol::request::{Direction, Place};

const HEIGHT: f32 = 19.0;
const SIZE: f32 = 13.0;
/// Room for the mark of a changed row.
const GUTTER: f32 = 16.0;

/// What the panel remembers.
#[derive(Debug, Default)]
pub struct State {
    list: tree::State,
    /// The byte of the cursor's row that Enter edits.
    column: u64,
    /// The address field while it is being typed in.
    text: Option<String>,
    find: String,
    /// What the search found, or why it found nothing.
    found: String,
    /// The address being edited, and what was typed so far.
    edit: Option<(u64, String)>,
    /// The field was opened in this frame.
    opened: bool,
    /// The place that was brought into view.
    shown: Option<u64>,
}

/// Draws the panel.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    // The search is for bytes: it takes the command from the lists' own, which looks through names.
    let ours = state.list.has_focus || ui.memory(|memory| memory.focused()).is_none();
    let find = ours && tree::take_find(ui.ctx());
    ui.horizontal_wrapped(|ui| {
        address(ui, cx, state);
        spaces(ui, cx);
        pages(ui, cx);
        search(ui, cx, state, find);
    });
    let memory = &cx.model.memory;
    if let Some(why) = &memory.error {
        ui.label(RichText::new(why).color(cx.t.fault));
    }
    // Kept until there are rows: they may still have to be read.
    state.list.focus |= take_focus;
    if memory.rows() == 0 {
        let why = if cx.model.connection.offers.reads_memory() {
            "Not read yet."
        } else {
            "This server does not tell memory here."
        };
        ui.label(RichText::new(why).color(cx.t.weak));
        return;
    }
    if state.shown != Some(memory.at)
        && let Some(row) = memory.row_of(memory.at)
    {
        (state.list.cursor, state.list.reveal, state.column) = (row, Some(row), memory.at % ROW);
        state.shown = Some(memory.at);
    }
    list(ui, cx, state);
}

fn list(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State) {
    let memory = &cx.model.memory;
    let char_width = ui.fonts_mut(|fonts| fonts.glyph_width(&mono(SIZE), '0'));
    let name = match memory.space {
        Space::Linear => format!("Memory by linear address of {}", cx.model.cpus.selected),
        Space::Physical => "Memory by physical address".to_owned(),
    };
    let spec = Spec { id: "memory", name: &name, rows: memory.rows(), row_height: HEIGHT };
    let mut list = state.list;
    let had_cursor = list.cursor;
    let mut written = None;
    let (model, t) = (cx.model, cx.t);
    let outcome = tree::show(ui, t, spec, &mut list, |ui, at, rect| {
        let row = memory.row(at);
        let layout = Layout::new(rect, char_width, digits(row.address));
        let chosen = (at == had_cursor).then_some(state.column);
        let words = paint(ui, cx, rect, &row, layout, chosen);
        if let Some((edited, text)) = &mut state.edit
            && edited.wrapping_sub(row.address) < ROW
        {
            let x = layout.byte(edited.wrapping_sub(row.address));
            let field = Rect::from_min_size(pos2(x - 4.0, rect.top()), vec2(150.0, HEIGHT));
            let name = format!("New bytes at {}", LinearAddr(*edited));
            let ended = edit_line::show(ui, field, (&name, mono(SIZE)), text, &mut state.opened);
            written = ended.map(|ended| (*edited, ended));
        }
        words
    });
    if let Some((at, ended)) = written {
        if let edit_line::Ended::Entered(text) = ended {
            cx.push(Command::WriteMemory(at, text));
        }
        state.edit = None;
        list.focus = true;
    }
    state.list = list;
    let cursor_address = |row: usize, column: u64| memory.row(row).address.wrapping_add(column);
    match outcome.act {
        Some((row, Act::Click(point))) => {
            let layout = Layout::new(outcome.response.rect, char_width, digits(memory.row(row).address));
            state.column = layout.column_at(point.x).unwrap_or(state.column);
        }
        Some((_, Act::Left)) => step(state, memory.rows(), -1),
        Some((_, Act::Right)) => step(state, memory.rows(), 1),
        Some((row, Act::Open)) => {
            let at = cursor_address(row, state.column);
            match memory.byte(at) {
                Some(byte) if cx.can_move() => {
                    state.edit = Some((at, format!("{byte:02x}")));
                    state.opened = true;
                }
                _ => {}
            }
        }
        None => {}
    }
    let about = |row: usize| {
        let at = cursor_address(row, state.column);
        Words::new(
            format!("Byte at {}", LinearAddr(at)),
            "Left and Right choose a byte, Enter edits it. Several bytes may be typed: 0f 0b. Underlined: changed since \
             the previous stop.",
        )
    };
    if outcome.response.has_focus() {
        cx.focused = Some(about(state.list.cursor));
        cx.focused_value = Some(target(memory, cursor_address(state.list.cursor, state.column)));
        turn_at_the_ends(ui, cx, state, had_cursor, model.memory.rows());
    }
}

/// The byte at an address, as something that has a cause.
fn target(memory: &Memory, at: u64) -> Target {
    let of = match memory.place(at) {
        Place::Phys(phys) => Of::Phys(phys, 1),
        Place::Linear { cpu, linear } => Of::Linear(cpu, linear, 1),
    };
    Target { label: format!("The byte at {}", LinearAddr(at)), of }
}

/// Page Down on the last row, and Page Up on the first, turn to the next page of memory.
fn turn_at_the_ends(ui: &Ui, cx: &mut Cx<'_>, state: &State, before: usize, rows: usize) {
    let pressed = |key| ui.input(|input| input.modifiers.is_none() && input.key_pressed(key));
    if state.list.cursor != before {
        return;
    }
    if before + 1 == rows && pressed(Key::PageDown) {
        cx.push(Command::MemoryPage(Direction::Forward));
    } else if before == 0 && pressed(Key::PageUp) {
        cx.push(Command::MemoryPage(Direction::Backward));
    }
}

/// One byte on, over the ends of rows.
fn step(state: &mut State, rows: usize, by: i64) {
    let at = state.list.cursor as i64 * ROW as i64 + state.column as i64 + by;
    let at = at.clamp(0, (rows as i64 * ROW as i64 - 1).max(0));
    let row = (at / ROW as i64) as usize;
    if row != state.list.cursor {
        state.list.reveal = Some(row);
    }
    (state.list.cursor, state.column) = (row, (at % ROW as i64) as u64);
}

fn address(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State) {
    let memory = &cx.model.memory;
    let label = ui.label(RichText::new("at").color(cx.t.weak));
    let mut text = state.text.clone().unwrap_or_else(|| memory.text.clone());
    let edit = TextEdit::singleline(&mut text).desired_width(170.0).font(mono(SIZE));
    let response = ui.add(edit).labelled_by(label.id);
    let (changed, left) = (response.changed(), response.lost_focus());
    let about = Words::new("Address", "A number, seg:off, a symbol or a register, as rsp+20. Enter goes there.");
    cx.explain(response, || about.clone());
    if changed {
        state.text = Some(text.clone());
    }
    if left {
        if ui.input(|input| input.key_pressed(Key::Enter)) {
            cx.push(Command::MemoryAt(text, memory.follow));
            state.shown = None;
            state.list.focus = true;
        }
        state.text = None;
    }
    let mut follow = memory.follow;
    let response = ui.checkbox(&mut follow, "follow");
    let about =
        Words::new("Follow", "After each stop the address is worked out again: a register may point elsewhere then.");
    if cx.explain(response, || about.clone()).changed() {
        cx.push(Command::MemoryAt(memory.text.clone(), follow));
    }
}

fn spaces(ui: &mut Ui, cx: &mut Cx<'_>) {
    let now = cx.model.memory.space;
    let cpu = cx.model.cpus.selected;
    for (space, label, about) in [
        (
            Space::Linear,
            format!("linear, {cpu}"),
            "Addresses as this CPU's tables translate them now. No TLB is used or filled.",
        ),
        (Space::Physical, "physical".to_owned(), "Addresses as the bus sees them, whatever the tables say."),
    ] {
        let response = ui.add(Button::selectable(now == space, &label));
        response
            .widget_info(|| WidgetInfo::selected(Role::RadioButton, true, now == space, format!("Memory: {label}")));
        if cx.explain(response, || Words::new(label.clone(), about)).clicked() {
            cx.push(Command::MemorySpace(space));
        }
    }
}

fn pages(ui: &mut Ui, cx: &mut Cx<'_>) {
    for (label, name, direction) in [
        ("< Page", "Previous page of memory", Direction::Backward),
        ("Page >", "Next page of memory", Direction::Forward),
    ] {
        let response = ui.button(label);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
        let about = Words::new(name, "4 KiB on, or back. In the list Page Down on the last row does the same.");
        if cx.explain(response, || about.clone()).clicked() {
            cx.push(Command::MemoryPage(direction));
        }
    }
}

fn search(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    let label = ui.label(RichText::new("find").color(cx.t.weak));
    let edit = TextEdit::singleline(&mut state.find).desired_width(120.0).font(mono(SIZE)).hint_text("0f 0b or \"text");
    let response = ui.add(edit).labelled_by(label.id);
    if take_focus {
        response.request_focus();
    }
    let (changed, left) = (response.changed(), response.lost_focus());
    let about = Words::new(
        crate::ui::keys::with_hint("Find", "find"),
        "Bytes, or text after a quote. Enter goes to the next place in these two pages.",
    );
    cx.explain(response, || about.clone());
    if changed {
        state.found.clear();
    }
    if left && ui.input(|input| input.key_pressed(Key::Enter)) {
        let memory = &cx.model.memory;
        let from = memory.row(state.list.cursor).address.wrapping_add(state.column);
        state.found = match memory::pattern(&state.find) {
            Ok(pattern) => match memory.find(&pattern, from) {
                Some(at) => {
                    let row = memory.row_of(at).unwrap_or_default();
                    (state.list.cursor, state.list.reveal, state.column) = (row, Some(row), at % ROW);
                    state.list.focus = true;
                    format!("at {}", LinearAddr(at))
                }
                None => "not in these pages".to_owned(),
            },
            Err(why) => why,
        };
    }
    if !state.found.is_empty() {
        ui.label(RichText::new(&state.found).color(cx.t.weak));
    }
}

/// Digits of an address: 8, or 16 where it is longer.
fn digits(address: u64) -> usize {
    if address >> 32 == 0 { 8 } else { 19 }
}

/// Where what stands in a row.
#[derive(Clone, Copy, Debug)]
struct Layout {
    left: f32,
    char_width: f32,
    digits: usize,
    /// From one byte to the next, in characters: closer together where there is little room.
    pitch: f32,
}

impl Layout {
    fn new(rect: Rect, char_width: f32, digits: usize) -> Self {
        let left = rect.left() + GUTTER;
        let room = (rect.right() - left) / char_width - digits as f32 - 3.0;
        Self { left, char_width, digits, pitch: (room / ROW as f32).clamp(2.08, 3.0) }
    }

    /// Left edge of a byte. Between the eighth and the ninth there is room.
    fn byte(&self, column: u64) -> f32 {
        let chars = (self.digits + 2) as f32 + column as f32 * self.pitch + f32::from(u8::from(column > 7));
        self.left + chars * self.char_width
    }

    fn characters(&self) -> f32 {
        self.byte(ROW) + self.char_width
    }

    fn behind(&self) -> f32 {
        self.characters() + (ROW + 2) as f32 * self.char_width
    }

    fn column_at(&self, x: f32) -> Option<u64> {
        (0..ROW).find(|column| {
            let before = (self.pitch - 2.0).min(1.0) * self.char_width;
            (self.byte(*column) - before..self.byte(column + 1) - before).contains(&x)
        })
    }
}

/// One row. Returns its accessible name.
fn paint(ui: &Ui, cx: &Cx<'_>, rect: Rect, row: &Row, layout: Layout, chosen: Option<u64>) -> String {
    let (t, painter) = (cx.t, ui.painter());
    let middle = rect.center().y;
    let text = |x: f32, text: &str, colour| {
        painter.text(pos2(x, middle), Align2::LEFT_CENTER, text, mono(SIZE), colour);
    };
    let address = hex::grouped(row.address, if layout.digits > 8 { 16 } else { 8 });
    text(layout.left, &address, t.weak);
    if let Some(column) = chosen {
        let x = layout.byte(column) - 2.0;
        let around = Rect::from_min_size(pos2(x, rect.top() + 1.0), vec2(layout.char_width * 2.0 + 4.0, HEIGHT - 2.0));
        painter.rect_stroke(around, 2, Stroke::new(1.5, t.focus), egui::StrokeKind::Inside);
    }
    let mut bytes = String::new();
    let mut characters = String::new();
    let mut changes = Vec::new();
    for (column, cell) in row.cells.iter().enumerate() {
        let Some(Cell { value, was }) = cell else {
            text(layout.byte(column as u64), "--", t.weak);
            characters.push(' ');
            continue;
        };
        let word = format!("{value:02x}");
        let x = layout.byte(column as u64);
        text(x, &word, if was.is_some() { t.changed } else { t.text });
        if let Some(was) = was {
            painter.hline(x..=x + layout.char_width * 2.0, rect.bottom() - 2.5, Stroke::new(2.0, t.changed));
            changes.push(format!("+{column:x} was {was:02x}"));
        }
        bytes.push_str(&word);
        bytes.push(' ');
        characters.push(if (0x20..0x7f).contains(value) { char::from(*value) } else { '.' });
    }
    let end_of_characters = layout.characters() + ROW as f32 * layout.char_width;
    if !bytes.is_empty() && end_of_characters <= rect.right() {
        text(layout.characters(), &characters, t.weak);
    }
    if !changes.is_empty() {
        let (left, y) = (rect.left() + 4.0, middle);
        let points = vec![pos2(left, y - 5.0), pos2(left + 7.0, y), pos2(left, y + 5.0)];
        painter.add(egui::Shape::convex_polygon(points, t.changed, Stroke::NONE));
    }
    let changed = changes.join("  ");
    let remark = row.unreadable.as_deref().unwrap_or(&changed);
    let behind = if bytes.is_empty() { layout.byte(0) + 50.0 * layout.char_width } else { layout.behind() };
    let colour = if row.unreadable.is_some() { t.fault } else { t.weak };
    line::fit(painter, pos2(behind, middle), remark, words(13.0), colour, rect.right());
    match (&row.unreadable, changes.is_empty()) {
        (Some(why), _) => format!("{address}: {bytes}{why}"),
        (None, true) => format!("{address}: {bytes}text {characters}"),
        (None, false) => format!("{address}: {bytes}changed: {changed}, text {characters}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a click means the byte it hits; method: the middle of each byte, and places beside
    /// them, where there is much room and little.
    #[test]
    fn clicks_hit_bytes() {
        for width in [700.0, 400.0, 372.0] {
            let room = Rect::from_min_size(pos2(4.0, 0.0), vec2(width, 20.0));
            let layout = Layout::new(room, 8.0, 8);
            assert!(layout.byte(ROW - 1) + 16.0 <= room.right(), "{width} points: all bytes have room");
            for column in 0..ROW {
                assert_eq!(layout.column_at(layout.byte(column) + 8.0), Some(column));
            }
            assert_eq!(layout.column_at(30.0), None);
            assert_eq!(layout.column_at(layout.characters() + 30.0), None);
        }
    }

    /// Goal: Left and Right go over the ends of rows and stop at the ends; method: from both edges.
    #[test]
    fn stepping_through_bytes() {
        let mut state = State::default();
        step(&mut state, 4, -1);
        assert_eq!((state.list.cursor, state.column), (0, 0));
        state.column = 15;
        step(&mut state, 4, 1);
        assert_eq!((state.list.cursor, state.column, state.list.reveal), (1, 0, Some(1)));
        (state.list.cursor, state.column) = (3, 15);
        step(&mut state, 4, 1);
        assert_eq!((state.list.cursor, state.column), (3, 15));
    }
}
