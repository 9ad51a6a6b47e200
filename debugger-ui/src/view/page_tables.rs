//! The page-table panel: one root, or two side by side; above them the walk of an address ([`super::walk`]), below each
//! the tree by levels or, folded over tables, the ranges it maps.

pub mod pairs;

use super::{Cx, walk};
use crate::command::Command;
use crate::model::Model;
use crate::model::page_tables::rows::{rights_words, size_words};
use crate::model::page_tables::{Range, RootChoice, RootKey, RowKind, TreeRow, TreeView};
use crate::model::why::{Of, Target};
use crate::ui::theme::{mono, words};
use crate::ui::tree::{self, Act, RowName, Spec};
use crate::ui::words::Words;
use crate::ui::{Tokens, keys};
use egui::{Align, Align2, Button, ComboBox, Layout, Rect, RichText, Ui, pos2, vec2};
use protocol::LinearAddr;

/// Two lines a row: the entry and its rights; the addresses.
const ROW: f32 = 37.0;

/// What the panel remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Ranges instead of the tree.
    pub(super) ranges: bool,
    lists: [tree::State; 2],
    pub(super) walk: walk::State,
    pub(super) pairs: pairs::State,
}

/// Draws the panel.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    ui.take_available_width();
    let two = cx.model.page_tables.views.len() > 1;
    ui.horizontal(|ui| {
        ui.label(RichText::new("PAGE TABLES").font(words(12.0)).color(cx.t.weak));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            close(ui, cx);
            let mut split = two;
            if ui
                .checkbox(&mut split, "two roots")
                .on_hover_text("A second root beside the first, to compare")
                .changed()
            {
                cx.push(Command::SplitPageTables(split));
                state.ranges = split; // What two roots have in common is seen by ranges.
                // Beside the first root stands one that differs from it.
                if split && let Some(other) = another_root(cx) {
                    cx.push(Command::SelectRoot(1, other));
                }
            }
            for (ranges, label, hint) in
                [(true, "Ranges", "What is mapped where, folded over tables"), (false, "Tree", "Table by table")]
            {
                if ui.add(Button::selectable(state.ranges == ranges, label)).on_hover_text(hint).clicked() {
                    state.ranges = ranges;
                }
            }
        });
    });
    if two && state.ranges && ui.available_width() > 620.0 {
        walk::address(ui, cx, &mut state.walk);
        pairs::show(ui, cx, &mut state.pairs, take_focus);
        return;
    }
    walk::show(ui, cx, &mut state.walk);
    ui.separator();
    let count = cx.model.page_tables.views.len().clamp(1, 2);
    let height = ui.available_height();
    if two && ui.available_width() > 620.0 {
        ui.columns(2, |columns| {
            for (slot, ui) in columns.iter_mut().enumerate() {
                one(ui, cx, state, slot, take_focus && slot == 0);
            }
        });
        return;
    }
    for slot in 0..count {
        // A low window leaves nothing for the trees; a size below 0 would be a panic.
        let each = ((height - 6.0 * (count as f32 - 1.0)) / count as f32).max(0.0);
        ui.allocate_ui(vec2(ui.available_width(), each), |ui| one(ui, cx, state, slot, take_focus && slot == 0));
    }
}

/// There is one root to show, and it has no tables: mostly a CPU that does not page yet.
pub fn nothing_to_show(model: &Model) -> bool {
    matches!(&model.page_tables.views[..], [only] if only.empty.is_some())
}

/// The panel in a narrow column, while [`nothing_to_show`]: why, and which roots there are to look at instead.
pub fn show_nothing(ui: &mut Ui, cx: &mut Cx<'_>, take_focus: bool) {
    ui.take_available_width();
    ui.horizontal(|ui| {
        ui.label(RichText::new("PAGE TABLES").font(words(12.0)).color(cx.t.weak));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| close(ui, cx));
    });
    let tables = &cx.model.page_tables;
    let Some(view) = tables.views.first() else { return };
    ui.add_space(6.0);
    ui.label(view.empty.as_deref().unwrap_or_default());
    ui.add_space(6.0);
    let named = |root: &&RootChoice| matches!(root.key, RootKey::Named(_)) && root.phys.is_some();
    let others: Vec<_> = tables.roots.iter().filter(named).collect();
    if !others.is_empty() {
        ui.label(RichText::new("Look at").color(cx.t.weak));
    }
    for (at, root) in others.into_iter().enumerate() {
        let name = root.label.clone();
        let response = ui.add(Button::new(&name).truncate());
        if take_focus && at == 0 {
            response.request_focus();
        }
        if response.on_hover_text(root_words(root)).clicked() {
            cx.push(Command::SelectRoot(0, root.key.clone()));
        }
    }
    if view.key.as_ref().is_some_and(|key| *key != RootKey::Selected) {
        ui.add_space(6.0);
        let back = ui.button("The selected CPU's").on_hover_text("Show the tables of the CPU that is selected");
        if back.clicked() {
            cx.push(Command::SelectRoot(0, RootKey::Selected));
        }
    }
}

fn close(ui: &mut Ui, cx: &mut Cx<'_>) {
    if ui.button("Close").on_hover_text(keys::with_hint("Hide this column; back again", "go-page-tables")).clicked() {
        cx.push(Command::ShowPageTables(false));
    }
}

/// A named root that is made and is not the one shown.
fn another_root(cx: &Cx<'_>) -> Option<RootKey> {
    let tables = &cx.model.page_tables;
    let shown = tables.views.first().and_then(|view| view.tree.as_ref()).map(|tree| tree.root);
    let named = |root: &&RootChoice| matches!(root.key, RootKey::Named(_)) && root.phys.is_some() && root.phys != shown;
    tables.roots.iter().find(named).map(|root| root.key.clone())
}

/// One root.
fn one(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, slot: usize, take_focus: bool) {
    let Some(view) = cx.model.page_tables.views.get(slot) else {
        ui.label(RichText::new("The tables have not been read yet.").color(cx.t.weak));
        return;
    };
    ui.push_id(slot, |ui| {
        root_choice(ui, cx, slot, view);
        if let Some(why) = &view.empty {
            ui.add_space(6.0);
            ui.label(RichText::new(why).color(cx.t.weak));
            return;
        }
        let list = &mut state.lists[slot.min(1)];
        list.focus |= take_focus;
        if state.ranges { ranges(ui, cx, list, view) } else { rows(ui, cx, list, slot, view) }
    });
}

fn root_choice(ui: &mut Ui, cx: &mut Cx<'_>, slot: usize, view: &TreeView) {
    ui.horizontal(|ui| {
        let label = ui.label(RichText::new("root").color(cx.t.weak));
        let roots = &cx.model.page_tables.roots;
        let current = roots.iter().find(|root| Some(&root.key) == view.key.as_ref());
        let text = current.map_or_else(|| view.title.clone(), |root| root.label.clone());
        let width = (ui.available_width() - 20.0).max(40.0);
        let combo = ComboBox::from_id_salt("root").width(width).truncate().selected_text(text);
        let response = combo.show_ui(ui, |ui| {
            for root in roots {
                let chosen = Some(&root.key) == view.key.as_ref();
                if ui.selectable_label(chosen, root_words(root)).clicked() {
                    cx.commands.push(Command::SelectRoot(slot, root.key.clone()));
                }
            }
        });
        let named = match &view.key {
            Some(RootKey::Named(name)) => Words::term(name),
            _ => None,
        };
        let response = response.response.labelled_by(label.id);
        let title = view.title.clone();
        cx.explain(response, || {
            let mut words = named.clone().or_else(|| Words::term("root")).unwrap_or_default();
            words.title = format!("{}: {title}", words.title);
            words
        });
    });
}

fn root_words(root: &RootChoice) -> String {
    // A named root that is not made says so itself, a CPU that does not page has none.
    let at = root.phys.map(|phys| format!("   phys {phys}")).unwrap_or_default();
    match root.used_by.len() {
        1 if matches!(root.key, RootKey::Cpu(_)) => format!("{}{at}", root.label),
        0 => format!("{}{at}", root.label),
        1 => format!("{}{at}   used by {}", root.label, root.used_by[0]),
        count => format!("{}{at}   used by {count} CPUs", root.label),
    }
}

/// The tree, level by level.
fn rows(ui: &mut Ui, cx: &mut Cx<'_>, list: &mut tree::State, slot: usize, view: &TreeView) {
    let name = format!("Tree of {}", view.title);
    let spec = Spec { id: "tree", name: &name, rows: view.rows.len(), row_height: ROW };
    let outcome = tree::show(ui, cx.t, spec, list, |ui, at, rect| row(ui, cx, rect, &view.rows[at]));
    if let Some((at, act)) = outcome.act
        && let Some(row) = view.rows.get(at)
    {
        let toggles = match act {
            Act::Right => row.expandable && !row.expanded,
            Act::Left => row.expanded,
            Act::Click(point) => row.expandable && point.x < outcome.response.rect.left() + indent(row) + 22.0,
            Act::Open => row.expandable,
        };
        if toggles {
            cx.push(Command::ToggleTreeRow(slot, row.key));
        } else if act == Act::Open {
            cx.push(Command::SetWalkAddress(format!("{:x}", row.from.0)));
        }
    }
    let about = outcome.hovered.map(|(at, _)| at);
    if let Some(row) = about.and_then(|at| view.rows.get(at)) {
        cx.hovered = Some(row_words(row));
        cx.hovered_value = Some(entry_value(row));
    }
    if outcome.response.has_focus()
        && let Some(row) = view.rows.get(list.cursor)
    {
        cx.focused = Some(row_words(row));
        cx.focused_value = Some(entry_value(row));
    }
}

/// The (first) entry of a row, as something that has a cause.
fn entry_value(row: &TreeRow) -> Target {
    Target { label: format!("{} at phys {}", row.entry, row.at), of: Of::Phys(row.at, row.entry_bytes) }
}

fn indent(row: &TreeRow) -> f32 {
    4.0 + f32::from(row.depth) * 14.0
}

/// One entry. Returns its accessible name.
fn row(ui: &Ui, cx: &Cx<'_>, rect: Rect, row: &TreeRow) -> RowName {
    let t = cx.t;
    let painter = ui.painter();
    if row.on_walk {
        painter.rect_filled(rect.shrink2(vec2(0.0, 1.0)), 2, t.chosen);
        painter.rect_filled(Rect::from_min_size(rect.min + vec2(0.0, 1.0), vec2(3.0, rect.height() - 2.0)), 0, t.focus);
    }
    for depth in 0..row.depth {
        let x = rect.left() + 11.0 + f32::from(depth) * 14.0;
        painter.vline(x, rect.y_range(), t.stroke(1.0, t.hairline));
    }
    let left = rect.left() + indent(row);
    let (upper, lower) = (rect.top() + 11.0, rect.top() + 26.5);
    if row.expandable {
        fold_sign(ui, t, pos2(left + 7.0, upper), row.expanded);
    }
    let text = |x: f32, y: f32, text: &str, font, colour| {
        painter.text(pos2(x, y), Align2::LEFT_CENTER, text, font, colour).right()
    };
    let mut x = text(left + 18.0, upper, &row.entry, mono(13.0), t.strong);
    let size = amount(row);
    if row.kind != RowKind::Malformed {
        x = text(x + 6.0, upper, &format!("> {}", row.phys), mono(13.0), t.text);
    }
    text(x + 8.0, upper, &size, words(13.0), t.weak);
    let x = rights(ui, pos2(rect.right() - 8.0, upper), cx, row);
    if row.shared {
        painter.text(pos2(x - 8.0, upper), Align2::RIGHT_CENTER, "shared", words(12.5), t.good);
    }
    let addresses = row.remark.clone().unwrap_or_else(|| span(row.from, row.to));
    let colour = if row.remark.is_some() { t.fault } else { t.weak };
    text(left + 18.0, lower, &addresses, mono(12.0), colour);
    let walked = if row.on_walk { ", on the walk" } else { "" };
    let shared = if row.shared { ", shared" } else { "" };
    let fold = match (row.expandable, row.expanded) {
        (true, true) => ", expanded",
        (true, false) => ", collapsed",
        _ => "",
    };
    let name = format!(
        "level {}: {} {size}, {addresses}, rights {}{shared}{walked}{fold}",
        row.key.level, row.entry, row.rights_words
    );
    let level = Some(usize::from(row.depth) + 1);
    RowName { name, level, expanded: row.expandable.then_some(row.expanded) }
}

/// "512 x 2M", or what a closed table holds.
fn amount(row: &TreeRow) -> String {
    match row.kind {
        RowKind::Pages => format!("{} x {}", row.count, size_words(row.page_size)),
        RowKind::Table if row.count == 1 => "1 page".to_owned(),
        RowKind::Table if row.count > 1 => format!("{} pages", row.count),
        RowKind::Table => String::new(),
        RowKind::Malformed => "malformed".to_owned(),
    }
}

/// Two addresses, the second without the digits it shares with the first.
fn span(from: LinearAddr, to: LinearAddr) -> String {
    let (first, last) = (crate::ui::hex::grouped(from.0, 16), crate::ui::hex::grouped(to.0, 16));
    let same = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    let cut = first[..same.min(15)].rfind('_').map_or(0, |at| at + 1);
    format!("{first}-{}", &last[cut..])
}

/// Rights as letters, right-aligned; the effective ones, and the entry's own where it alone would allow more.
/// Returns the left edge.
fn rights(ui: &Ui, right: egui::Pos2, cx: &Cx<'_>, row: &TreeRow) -> f32 {
    let t = cx.t;
    let mut x = ui.painter().text(right, Align2::RIGHT_CENTER, &row.rights_words, mono(13.0), t.strong).left();
    if row.own != row.effective && row.kind != RowKind::Malformed {
        let own = format!("own {}", rights_words(row.own, false));
        x = ui.painter().text(pos2(x - 8.0, right.y), Align2::RIGHT_CENTER, own, mono(12.0), t.weak).left();
    }
    x
}

/// A plus or a minus in a box.
fn fold_sign(ui: &Ui, t: &Tokens, at: egui::Pos2, open: bool) {
    let rect = Rect::from_center_size(at, vec2(11.0, 11.0));
    let stroke = t.stroke(1.2, t.text);
    ui.painter().rect_stroke(rect, 2, stroke, egui::StrokeKind::Inside);
    ui.painter().hline(rect.left() + 3.0..=rect.right() - 3.0, at.y, stroke);
    if !open {
        ui.painter().vline(at.x, rect.top() + 3.0..=rect.bottom() - 3.0, stroke);
    }
}

fn row_words(row: &TreeRow) -> Words {
    let mut words = Words::term("effective-rights").unwrap_or_default();
    let own = if row.own == row.effective {
        String::new()
    } else {
        format!(" This entry alone: {}.", rights_words(row.own, false))
    };
    words.title = format!("{}: {}", row.entry, row.rights_words);
    words.says = format!("R read, W write, X execute, U user, G global.{own} {}", words.says);
    words
}

/// What is mapped where, folded.
fn ranges(ui: &mut Ui, cx: &mut Cx<'_>, list: &mut tree::State, view: &TreeView) {
    let name = format!("Ranges of {}", view.title);
    let spec = Spec { id: "ranges", name: &name, rows: view.ranges.len(), row_height: ROW };
    let outcome = tree::show(ui, cx.t, spec, list, |ui, at, rect| range(ui, cx, rect, &view.ranges[at]));
    if let Some((at, Act::Open)) = outcome.act
        && let Some(range) = view.ranges.get(at)
    {
        cx.push(Command::SetWalkAddress(format!("{:x}", range.from.0)));
    }
    if outcome.response.has_focus() {
        cx.focused = Words::term("effective-rights");
    }
}

fn range(ui: &Ui, cx: &Cx<'_>, rect: Rect, range: &Range) -> String {
    let t = cx.t;
    let painter = ui.painter();
    if range.on_walk {
        painter.rect_filled(rect.shrink2(vec2(0.0, 1.0)), 2, t.chosen);
        painter.rect_filled(Rect::from_min_size(rect.min + vec2(0.0, 1.0), vec2(3.0, rect.height() - 2.0)), 0, t.focus);
    }
    let (upper, lower) = (rect.top() + 11.0, rect.top() + 26.5);
    let left = rect.left() + 8.0;
    painter.text(pos2(left, upper), Align2::LEFT_CENTER, span(range.from, range.to), mono(13.0), t.strong);
    let rights = rights_words(range.rights, range.global);
    painter.text(pos2(rect.right() - 8.0, upper), Align2::RIGHT_CENTER, rights, mono(13.0), t.strong);
    let below = format!("> phys {}   {} x {}", range.phys, range.count, size_words(range.page_size));
    painter.text(pos2(left + 8.0, lower), Align2::LEFT_CENTER, below, mono(12.0), t.weak);
    if range.shared {
        painter.text(pos2(rect.right() - 8.0, lower), Align2::RIGHT_CENTER, "shared", words(12.5), t.good);
    }
    format!("{}{}", range.words, if range.on_walk { ", the walked address is here" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the second address repeats no digits that the first has; method: near, far and equal ends.
    #[test]
    fn spans_are_short() {
        let span_of = |from, to| span(LinearAddr(from), LinearAddr(to));
        assert_eq!(span_of(0xffff_ffff_8000_0000, 0xffff_ffff_801f_ffff), "ffff_ffff_8000_0000-801f_ffff");
        assert_eq!(span_of(0, 0x003f_ffff), "0000_0000_0000_0000-003f_ffff");
        assert_eq!(span_of(0x9a000, 0x9afff), "0000_0000_0009_a000-afff");
    }
}
