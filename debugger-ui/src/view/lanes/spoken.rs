//! The lanes for who listens: the track as a slider with its place in words and actions to go on and back, and a table
//! with a row for each CPU in view.

use super::{column_words, kept_words, last_shown};
use crate::command::Command;
use crate::model::Model;
use crate::model::cpus::{activity_phrase, mode_phrase};
use crate::model::lanes::Row;
use crate::model::timeline::event_words;
use crate::view::Cx;
use egui::accesskit::{Action, ActionData};
use egui::{Rect, Response, Role, Sense, Ui, UiBuilder, WidgetInfo, vec2};
use protocol::cpu::CpuState;

/// A cell of the table, in words.
type Cell = fn(&Model, &CpuState) -> String;

/// What the table tells of a CPU, beside its number.
const COLUMNS: [(&str, Cell); 5] = [
    ("activity", |_, cpu| activity_phrase(cpu.activity).to_owned()),
    ("mode", |_, cpu| mode_phrase(cpu.mode).to_owned()),
    ("label", |model, cpu| model.symbols.at(cpu.linear_pc()).map_or_else(|| "none".to_owned(), |at| at.to_string())),
    ("root", root),
    ("last event", last_event),
];

fn root(model: &Model, cpu: &CpuState) -> String {
    match cpu.page_table_root() {
        None => "none".to_owned(),
        Some(phys) => model.symbols.root_name(phys).map_or_else(|| phys.to_string(), str::to_owned),
    }
}

fn last_event(model: &Model, cpu: &CpuState) -> String {
    let last = model.timeline.past().iter().rev().find(|event| event.cpu == cpu.cpu);
    last.map_or_else(|| "none".to_owned(), |event| event_words(event, &model.symbols))
}

/// Tells the track as a slider, and does what a screen reader asks of it: the next column, the one before, or one by
/// its number. The machine goes there at once.
pub fn slider(ui: &Ui, cx: &mut Cx<'_>, cursor: Option<usize>, track: &Response) {
    let model = cx.model;
    let last = last_shown(model);
    let now = model.lanes.now.column.min(last);
    let at = cursor.unwrap_or(now).min(last);
    track.widget_info(|| WidgetInfo::labeled(Role::Slider, true, "Timeline"));
    ui.ctx().accesskit_node_builder(track.id, |node| {
        node.set_value(words(model, at, at == now));
        node.set_numeric_value((at + 1) as f64);
        node.set_min_numeric_value(1.0);
        node.set_max_numeric_value((last + 1) as f64);
        node.set_numeric_value_step(1.0);
        for action in [Action::Increment, Action::Decrement, Action::SetValue] {
            node.add_action(action);
        }
    });
    let wanted = ui.input(|input| {
        let times = |action| input.num_accesskit_action_requests(track.id, action);
        let chosen =
            input.accesskit_action_requests(track.id, Action::SetValue).find_map(|request| match request.data {
                Some(ActionData::NumericValue(value)) => Some((value.max(1.0) as usize - 1).min(last)),
                _ => None,
            });
        chosen.unwrap_or_else(|| (at + times(Action::Increment)).saturating_sub(times(Action::Decrement)).min(last))
    });
    if wanted != at
        && cx.can_move()
        && let Some(column) = model.lanes.columns.get(wanted)
    {
        cx.push(Command::Seek(column.to));
    }
}

/// A column as the slider's value: "SIPI 9A, step 1 204 311, NOW, column 7 of 14".
fn words(model: &Model, column: usize, now: bool) -> String {
    let what = column_words(model, column).replace('\n', ", ");
    let now = if now { ", NOW" } else { "" };
    let covered = if model.lessons.covered() { ". The future is covered while you predict" } else { "" };
    let kept = model.timeline.kept.map(|kept| format!("; {}", kept_words(kept))).unwrap_or_default();
    format!("{what}{now}, column {} of {}{covered}{kept}", column + 1, last_shown(model) + 1)
}

/// The table, in which the rows' names are drawn.
pub fn table(ui: &mut Ui, model: &Model, names: Rect) -> Ui {
    let builder = UiBuilder::new().id_salt("lanes table").max_rect(names);
    let table = ui.new_child(builder.accessibility_role(Role::Table).accessibility_label("CPUs"));
    ui.ctx().accesskit_node_builder(table.unique_id(), |node| {
        node.set_row_count(model.lanes.rows.len());
        node.set_column_count(COLUMNS.len() + 1);
    });
    table
}

/// One row of it.
pub fn row(table: &mut Ui, at: usize, rect: Rect) -> Ui {
    let builder = UiBuilder::new().id_salt(("row", at)).max_rect(rect);
    let row = table.new_child(builder.accessibility_role(Role::Row));
    table.ctx().accesskit_node_builder(row.unique_id(), |node| node.set_row_index(at));
    row
}

/// The cells of a row, below its name, so that the pointer finds the name.
pub fn cells(row_ui: &Ui, model: &Model, row: &Row, at: usize, rect: Rect) {
    let width = rect.width() / COLUMNS.len() as f32;
    for (column, (title, text)) in COLUMNS.iter().enumerate() {
        let place = Rect::from_min_size(rect.min + vec2(column as f32 * width, 0.0), vec2(width, rect.height()));
        let cell = row_ui.interact(place, row_ui.unique_id().with(title), Sense::hover());
        row_ui.ctx().accesskit_node_builder(cell.id, |node| {
            node.set_role(Role::Cell);
            let says = model.cpus.get(row.first).map(|cpu| text(model, cpu)).unwrap_or_default();
            node.set_label(format!("{title}: {says}"));
            node.set_row_index(at);
            node.set_column_index(column + 1);
        });
    }
}
