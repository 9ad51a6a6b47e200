//! The lanes: one row for each CPU in story time, with its mode as height, pattern and word, its activity over it, its
//! page-table root below it, and IPIs as arrows between the rows.
//!
//! What stands in which column is worked out by [`crate::model::lanes`]; here columns get widths (`axis`) and are
//! painted (`paint`), only those in view. For the keyboard and the screen reader the track is a slider, and the lanes
//! are a table with a row for each CPU (`spoken`).

mod axis;
mod paint;
mod spoken;

use super::Cx;
use crate::command::Command;
use crate::model::Model;
use crate::model::lanes::ColumnKind;
use crate::model::timeline::{Kept, position_words, time_words};
use crate::ui::theme::{mono, words};
use crate::ui::words::Words;
use axis::Axis;
use egui::{Align2, EventFilter, Key, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};
use protocol::request::Direction;

/// Height of the column labels above the rows.
const HEAD: f32 = 22.0;
/// Height of a row: the lane, and the root's line below it.
const ROW: f32 = 54.0;
/// Height of the scale below the rows.
const FOOT: f32 = 18.0;
/// Width of the names.
const NAMES: f32 = 152.0;

/// What brings NOW and the selected row into view again: position, columns, selected CPU, height.
type Followed = (u64, usize, protocol::CpuId, u32);

/// What the lanes remember.
#[derive(Debug, Default)]
pub struct State {
    /// Left edge of the view, in points from the first column.
    offset: f32,
    /// First row in view.
    top: f32,
    /// Where NOW was, to follow it when it moves.
    followed: Option<Followed>,
    /// The column that the keys act on, while the track has the focus.
    cursor: Option<usize>,
    axis: Axis,
}

/// Height that the lanes want: four rows at most, and no more than a third of the window; the rest scrolls.
pub fn height(model: &Model, window: f32) -> f32 {
    let fit = ((window * 0.34 - HEAD - FOOT) / ROW).floor().clamp(1.0, 4.0);
    HEAD + FOOT + ROW * (model.lanes.rows.len().max(1) as f32).min(fit)
}

/// Draws the lanes.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    let area = ui.available_rect_before_wrap();
    ui.allocate_rect(area, Sense::hover());
    let names = Rect::from_min_max(area.min, pos2(area.left() + NAMES, area.bottom() - FOOT));
    let track = Rect::from_min_max(pos2(names.right(), area.top()), area.max);
    state.axis.lay_out(&cx.model.lanes);
    scroll_rows(ui, cx, state, area);
    follow_now(cx, state, track);

    let response = ui.interact(track, ui.scope_id().with("track"), Sense::click_and_drag());
    if take_focus {
        response.request_focus();
    }
    pointer(ui, cx, state, &response, track);
    if response.has_focus() {
        keys(ui, cx, state, response.id);
    } else {
        state.cursor = None;
    }
    spoken::slider(ui, cx, state.cursor, &response);
    cx.explain(response, || Words::term("story-time").unwrap_or_default());

    let rows = Rect::from_min_max(pos2(track.left(), track.top() + HEAD), pos2(track.right(), track.bottom() - FOOT));
    paint::track(ui, cx, state, track, rows);
    row_names(ui, cx, state, names);
    scale(ui, cx, area);
    ui.painter().vline(names.right(), area.y_range(), cx.t.stroke(1.0, cx.t.hairline));
    ui.painter().hline(area.x_range(), area.bottom() - 0.5, cx.t.stroke(1.0, cx.t.hairline));
}

/// Keeps the selected CPU's row in view, and lets the wheel scroll where there are more rows than fit.
fn scroll_rows(ui: &Ui, cx: &Cx<'_>, state: &mut State, area: Rect) {
    let rows = cx.model.lanes.rows.len() as f32;
    let room = (area.height() - HEAD - FOOT) / ROW;
    let hovered = ui.rect_contains_pointer(area);
    let (scroll, shift) = ui.input(|input| (input.smooth_scroll_delta(), input.modifiers.shift));
    if hovered && rows > room && !shift {
        state.top -= scroll.y / ROW;
    } else if hovered {
        state.offset -= scroll.x + scroll.y;
    }
    if hovered && shift {
        state.offset -= scroll.x;
    }
    state.top = state.top.clamp(0.0, (rows - room).max(0.0));
}

/// After a move in time NOW is brought into view.
fn follow_now(cx: &Cx<'_>, state: &mut State, track: Rect) {
    let position = cx.model.timeline.position.0;
    let columns = cx.model.lanes.columns.len();
    let most = (state.axis.width() + 80.0 - track.width()).max(0.0);
    let followed = (position, columns, cx.model.cpus.selected, track.height() as u32);
    if state.followed != Some(followed) {
        state.followed = Some(followed);
        let now = state.axis.now(&cx.model.lanes);
        if now < state.offset + track.width() * 0.12 || now > state.offset + track.width() * 0.8 {
            state.offset = now - track.width() * 0.62;
        }
        if let Some(row) = cx.model.lanes.row_of(cx.model.cpus.selected) {
            let room = ((track.height() - HEAD - FOOT) / ROW).floor().max(1.0);
            state.top = state.top.clamp((row as f32 - room + 1.0).max(0.0), row as f32);
        }
    }
    state.offset = state.offset.clamp(0.0, most);
}

/// A click goes to the column's position, a drag scrolls, hovering tells what the column is.
fn pointer(ui: &Ui, cx: &mut Cx<'_>, state: &mut State, response: &egui::Response, track: Rect) {
    if response.dragged() {
        state.offset -= response.drag_delta().x;
    }
    let column_at = |x: f32| state.axis.column_at(x - track.left() + state.offset);
    let last = last_shown(cx.model);
    let covered = response.hover_pos().and_then(|at| column_at(at.x)).is_some_and(|column| column > last);
    if covered {
        let says = "Covered while you predict. The keys go there all the same; an answer then counts as after looking.";
        let id = response.id.with("covered");
        egui::Tooltip::always_open(ui.ctx().clone(), ui.layer_id(), id, egui::PopupAnchor::Pointer).gap(14.0).show(
            |ui| {
                ui.label(says);
            },
        );
    }
    let column_at = |x: f32| column_at(x).filter(|column| *column <= last);
    if response.clicked()
        && let Some(column) = response.interact_pointer_pos().and_then(|at| column_at(at.x))
        && cx.can_move()
        && cx.model.connection.offers.foreign.is_none()
    {
        cx.push(Command::Seek(cx.model.lanes.columns[column].to));
    }
    if let Some(column) = response.hover_pos().and_then(|at| column_at(at.x)) {
        let zoom = ui.input(egui::InputState::zoom_delta);
        if let Some(gap) = cx.model.lanes.gap_at(column).filter(|_| zoom != 1.0) {
            cx.push(Command::OpenGap(gap, zoom > 1.0));
        }
        let text = column_words(cx.model, column);
        egui::Tooltip::always_open(
            ui.ctx().clone(),
            ui.layer_id(),
            response.id.with("column"),
            egui::PopupAnchor::Pointer,
        )
        .gap(14.0)
        .show(|ui| {
            ui.label(text);
            if cx.model.connection.offers.foreign.is_some() {
                return;
            }
            ui.weak(match cx.model.lanes.columns[column].kind {
                ColumnKind::Gap { .. } => "Click: go to its end. Ctrl+wheel, or + in the lanes: open it",
                ColumnKind::Slice { .. } => "Click: go there. Ctrl+wheel, or - in the lanes: close the gap",
                _ => "Click: go there",
            });
        });
    }
}

/// Left and Right choose a column, Enter goes there; Up and Down select a CPU.
fn keys(ui: &Ui, cx: &mut Cx<'_>, state: &mut State, id: egui::Id) {
    let filter = EventFilter { tab: false, horizontal_arrows: true, vertical_arrows: true, escape: false };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
    let last = last_shown(cx.model);
    let here = state.cursor.unwrap_or(cx.model.lanes.now.column).min(last);
    let pressed = |key| ui.input(|input| input.modifiers.is_none() && input.key_pressed(key));
    if pressed(Key::ArrowLeft) {
        state.cursor = Some(here.saturating_sub(1));
    } else if pressed(Key::ArrowRight) {
        state.cursor = Some((here + 1).min(last));
    } else if pressed(Key::Home) {
        state.cursor = Some(0);
    } else if pressed(Key::End) {
        state.cursor = Some(last);
    } else if pressed(Key::ArrowUp) {
        cx.push(Command::SelectNeighbour(Direction::Backward));
    } else if pressed(Key::ArrowDown) {
        cx.push(Command::SelectNeighbour(Direction::Forward));
    } else if let Some(gap) = cx.model.lanes.gap_at(here)
        && let Some(open) = zoomed(ui)
    {
        cx.push(Command::OpenGap(gap, open));
    } else if pressed(Key::Enter)
        && cx.can_move()
        && let Some(column) = cx.model.lanes.columns.get(here)
    {
        cx.push(Command::Seek(column.to));
    }
    if let Some(cursor) = state.cursor {
        let (from, to) = state.axis.span(cursor);
        // A column wider than that shows its beginning.
        state.offset = state.offset.max(to - 600.0).min(from).max(0.0);
    }
}

/// The keys + and - open and close a gap.
fn zoomed(ui: &Ui) -> Option<bool> {
    let pressed = |key| ui.input(|input| !input.modifiers.command && !input.modifiers.alt && input.key_pressed(key));
    if pressed(Key::Plus) || pressed(Key::Equals) { Some(true) } else { pressed(Key::Minus).then_some(false) }
}

/// The last column that may be shown: while a prediction is open, that of NOW.
fn last_shown(model: &Model) -> usize {
    let columns = &model.lanes.columns;
    let past = || columns.partition_point(|column| column.from <= model.timeline.position);
    let shown = if model.lessons.covered() { past() } else { columns.len() };
    shown.saturating_sub(1)
}

/// A column in words: what happened there and at which step.
fn column_words(model: &Model, column: usize) -> String {
    let Some(it) = model.lanes.columns.get(column) else { return String::new() };
    let at = match it.kind {
        ColumnKind::Gap { .. } | ColumnKind::Slice { .. } => {
            format!("steps {} to {}", position_words(it.from), position_words(it.to))
        }
        _ if model.connection.offers.foreign.is_some() => format!("stop {}", position_words(it.to)),
        _ => format!("step {}", position_words(it.to)),
    };
    if it.label.is_empty() { at } else { format!("{}\n{at}", it.label) }
}

/// The names at the left: a button for each row in view.
fn row_names(ui: &mut Ui, cx: &mut Cx<'_>, state: &State, names: Rect) {
    let model = cx.model;
    let rows = Rect::from_min_max(pos2(names.left(), names.top() + HEAD), names.max);
    ui.painter().text(
        pos2(names.left() + 10.0, names.top() + HEAD / 2.0),
        Align2::LEFT_CENTER,
        "LANES",
        words(12.0),
        cx.t.weak,
    );
    let clip = ui.painter().with_clip_rect(rows);
    let ui = &mut spoken::table(ui, model, names);
    for (at, row) in model.lanes.rows.iter().enumerate() {
        let y = rows.top() + (at as f32 - state.top) * ROW;
        let rect = Rect::from_min_size(pos2(names.left(), y), vec2(NAMES, ROW));
        if !rect.intersects(rows) {
            continue;
        }
        let mut child = spoken::row(ui, at, rect);
        child.set_clip_rect(rows.intersect(ui.clip_rect()));
        spoken::cells(&child, model, row, at, rect);
        let response = child.interact(rect.intersect(rows), child.scope_id().with("name"), Sense::click());
        response.widget_info(|| {
            WidgetInfo::selected(Role::Button, true, row.selected, format!("{}: {}", row.label, row.words))
        });
        if row.selected {
            clip.rect_filled(rect.shrink2(vec2(0.0, 1.0)), 0, cx.t.chosen);
            clip.rect_filled(Rect::from_min_size(rect.min + vec2(0.0, 1.0), vec2(4.0, ROW - 2.0)), 0, cx.t.focus);
        } else if response.hovered() {
            clip.rect_filled(rect.shrink2(vec2(0.0, 1.0)), 0, cx.t.raised);
        }
        let single = row.first == row.last;
        let name = if single { row.label.clone() } else { format!("CPU {}-{}", row.first.0, row.last.0) };
        let colour = if row.selected { cx.t.strong } else { cx.t.text };
        clip.text(rect.min + vec2(12.0, 15.0), Align2::LEFT_CENTER, name, words(14.5), colour);
        if let Some(cpu) = model.cpus.get(row.first) {
            let hue = cx.t.mode(cpu.mode);
            let word = if cpu.activity == protocol::Activity::WaitForSipi { "asleep" } else { short_word(cpu.mode) };
            let at = pos2(rect.right() - 8.0, rect.top() + 15.0);
            let hue = if word == "asleep" { cx.t.weak } else { hue };
            clip.text(at, Align2::RIGHT_CENTER, word, words(12.5), hue);
        }
        let line = if single { "root" } else { "all alike" };
        clip.text(rect.min + vec2(12.0, 46.0), Align2::LEFT_CENTER, line, words(12.0), cx.t.weak);
        if response.clicked() {
            cx.push(Command::SelectCpu(row.first));
        }
        let row_words = Words::new(row.label.clone(), row.words.clone());
        cx.explain(response, || row_words.clone());
    }
}

/// The mode's word where there is little room.
pub(super) const fn short_word(mode: protocol::Mode) -> &'static str {
    match mode {
        protocol::Mode::Protected16 => "PROT 16",
        protocol::Mode::Protected32 => "PROT 32",
        protocol::Mode::V86 => "V86",
        mode => crate::model::cpus::mode_word(mode),
    }
}

/// That the future before the user's change is kept, and the key to it.
fn kept_words(kept: Kept) -> String {
    let (from, to) = (position_words(kept.from), position_words(kept.to));
    let ran = if kept.to > kept.from { format!(", run up to step {to}") } else { String::new() };
    crate::ui::keys::with_hint(&format!("before my change at step {from}: kept{ran}"), "undo")
}

/// The scale: step and time of NOW.
fn scale(ui: &Ui, cx: &Cx<'_>, area: Rect) {
    let line = Rect::from_min_max(pos2(area.left(), area.bottom() - FOOT), area.max);
    let painter = ui.painter();
    painter.rect_filled(line, 0, cx.t.panel);
    let foreign = cx.model.connection.offers.foreign.is_some();
    let clock = match foreign {
        true => "not told by this server".to_owned(),
        false => format!("{} since power-on", time_words(cx.model.timeline.clock_ns)),
    };
    let at = pos2(line.left() + 12.0, line.center().y);
    painter.text(at, Align2::LEFT_CENTER, "time", words(12.0), cx.t.weak);
    painter.text(pos2(line.left() + NAMES + 8.0, line.center().y), Align2::LEFT_CENTER, clock, mono(12.0), cx.t.text);
    if let Some(kept) = cx.model.timeline.kept {
        let words_ = kept_words(kept);
        painter.text(
            pos2(line.right() - 10.0, line.center().y),
            Align2::RIGHT_CENTER,
            words_,
            words(12.5),
            cx.t.changed,
        );
    } else if line.width() > 760.0 {
        let hint = if foreign {
            "one column for each stop; what happened between stops, and what is to come, is not told by this server"
        } else {
            "story time: one column for each event; click a column to go there"
        };
        painter.text(pos2(line.right() - 10.0, line.center().y), Align2::RIGHT_CENTER, hint, words(12.0), cx.t.weak);
    }
}
