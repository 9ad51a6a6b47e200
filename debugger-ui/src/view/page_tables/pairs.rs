//! Two roots side by side by ranges: above each its walk, between them a bracket round what is shared.

use super::{root_choice, span};
use crate::command::Command;
use crate::model::page_tables::pair::{PairRow, Relation};
use crate::model::page_tables::rows::{Range, rights_words, size_words};
use crate::ui::theme::{mono, words};
use crate::ui::tree::{self, Act, Spec};
use crate::ui::words::Words;
use crate::view::{Cx, walk};
use egui::{Align2, Rect, RichText, Stroke, Ui, pos2, vec2};
use protocol::request::Direction;

/// Width of the middle, with the bracket and its word.
const MIDDLE: f32 = 84.0;

/// What the two roots remember.
#[derive(Debug, Default)]
pub struct State {
    list: tree::State,
}

/// Puts the cursor on the next row, or the one before, where the roots differ.
pub fn difference(state: &mut State, rows: &[PairRow], direction: Direction) {
    let (count, from) = (rows.len(), state.list.cursor);
    let step = |by: usize| match direction {
        Direction::Forward => (from + by) % count,
        Direction::Backward => (from + count - by % count) % count,
    };
    if let Some(row) = (1..=count).map(step).find(|row| rows[*row].differs()) {
        (state.list.cursor, state.list.reveal, state.list.focus) = (row, Some(row), true);
    }
}

/// Draws both.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    let tables = &cx.model.page_tables;
    ui.columns(2, |columns| {
        for (slot, ui) in columns.iter_mut().enumerate() {
            let Some(view) = tables.views.get(slot) else { continue };
            ui.push_id(slot, |ui| {
                root_choice(ui, cx, slot, view);
                if let Some(walk) = &view.walk {
                    walk::one(ui, cx, walk, true);
                }
                if let Some(why) = &view.empty {
                    ui.label(RichText::new(why).color(cx.t.weak));
                }
            });
        }
    });
    let rows = &tables.pairs;
    ui.horizontal(|ui| {
        let differences = rows.iter().filter(|row| row.differs()).count();
        let shared = rows.iter().filter(|row| matches!(row.relation, Relation::Shared { .. })).count();
        ui.label(RichText::new(format!("{} rows: {shared} shared, {differences} differ", rows.len())).color(cx.t.weak));
        cx.button(ui, "next-difference", "Next difference", differences > 0);
        cx.button(ui, "previous-difference", "Previous", differences > 0);
    });
    if rows.is_empty() {
        return;
    }
    state.list.focus |= take_focus;
    let half = (ui.available_width() - MIDDLE) / 2.0;
    let two_lines = half < 500.0;
    let name = match &tables.views[..] {
        [left, right, ..] => format!("Left {}, right {}", left.title, right.title),
        _ => "Two roots".to_owned(),
    };
    let height = if two_lines { 37.0 } else { 21.0 };
    let spec = Spec { id: "pairs", name: &name, rows: rows.len(), row_height: height };
    let t = cx.t;
    let outcome = tree::show(ui, t, spec, &mut state.list, |ui, at, rect| {
        let row = &rows[at];
        let half = (rect.width() - MIDDLE) / 2.0;
        let left = Rect::from_min_size(rect.min, vec2(half, rect.height()));
        let right = Rect::from_min_size(pos2(rect.right() - half, rect.top()), left.size());
        for (side, range) in [(left, &row.left), (right, &row.right)] {
            half_row(ui, cx, side, range.as_ref(), two_lines);
        }
        relation(ui, cx, Rect::from_min_max(left.right_top(), right.left_bottom()), row, two_lines);
        row.words.clone()
    });
    let range_of = |row: &PairRow| row.left.as_ref().or(row.right.as_ref()).map(|range| range.from);
    if let Some((at, Act::Open)) = outcome.act
        && let Some(from) = rows.get(at).and_then(range_of)
    {
        cx.push(Command::SetWalkAddress(format!("{:x}", from.0)));
    }
    let about = |row: &PairRow| {
        Words::new(
            row.words.clone(),
            "Shared: the same table lies behind both top-level entries, so that a change below is seen through both. \
             Enter walks the range's first address.",
        )
    };
    if let Some(row) = outcome.hovered.and_then(|(at, _)| rows.get(at)) {
        cx.hovered = Some(about(row));
    }
    if outcome.response.has_focus()
        && let Some(row) = rows.get(state.list.cursor)
    {
        cx.focused = Some(about(row));
    }
}

/// One root's half of a row.
fn half_row(ui: &Ui, cx: &Cx<'_>, rect: Rect, range: Option<&Range>, two_lines: bool) {
    let (t, painter) = (cx.t, ui.painter().with_clip_rect(rect.intersect(ui.clip_rect())));
    let Some(range) = range else {
        let at = rect.left_center() + vec2(12.0, 0.0);
        painter.text(at, Align2::LEFT_CENTER, "not mapped", words(13.0), t.weak);
        return;
    };
    if range.on_walk {
        painter.rect_filled(rect.shrink2(vec2(0.0, 1.0)), 2, t.chosen);
        painter.rect_filled(Rect::from_min_size(rect.min + vec2(0.0, 1.0), vec2(3.0, rect.height() - 2.0)), 0, t.focus);
    }
    let rights = rights_words(range.rights, range.global);
    let addresses = span(range.from, range.to);
    let size = format!("{} x {}", range.count, size_words(range.page_size));
    let left = rect.left() + 8.0;
    if two_lines {
        painter.text(pos2(left, rect.top() + 11.0), Align2::LEFT_CENTER, addresses, mono(13.0), t.strong);
        let below = format!("> phys {:x}  {rights}  {size}", range.phys.0);
        painter.text(pos2(left, rect.top() + 26.5), Align2::LEFT_CENTER, below, mono(12.5), t.text);
        return;
    }
    let y = rect.center().y;
    let x = painter.text(pos2(left, y), Align2::LEFT_CENTER, addresses, mono(13.0), t.strong).right();
    let phys = format!("> phys {:x}", range.phys.0);
    painter.text(pos2(x.max(left + 245.0) + 10.0, y), Align2::LEFT_CENTER, phys, mono(13.0), t.text);
    let x = painter.text(pos2(rect.right() - 8.0, y), Align2::RIGHT_CENTER, size, mono(13.0), t.weak).left();
    painter.text(pos2(x.min(rect.right() - 90.0) - 10.0, y), Align2::RIGHT_CENTER, rights, mono(13.0), t.strong);
}

/// The middle: a bracket round shared rows with the word, else what the two have to do with each other.
fn relation(ui: &Ui, cx: &Cx<'_>, rect: Rect, row: &PairRow, two_lines: bool) {
    let (t, painter) = (cx.t, ui.painter());
    let (word, colour) = match &row.relation {
        Relation::Shared { first, last, entries } => {
            let stroke = Stroke::new(2.0, t.good);
            let top = if *first { rect.top() + 3.0 } else { rect.top() };
            let bottom = if *last { rect.bottom() - 3.0 } else { rect.bottom() };
            for (x, inwards) in [(rect.left() + 4.0, -6.0), (rect.right() - 4.0, 6.0)] {
                painter.vline(x, top..=bottom, stroke);
                for (end, y) in [(*first, top), (*last, bottom)] {
                    if end {
                        painter.line_segment([pos2(x, y), pos2(x + inwards, y)], stroke);
                    }
                }
            }
            if two_lines {
                // By which entries: slot 0 of one may be slot 273 of the other.
                let at = rect.center() + vec2(0.0, 8.0);
                let index = |entry: &str| entry.find('[').map(|at| entry[at..].to_owned());
                let slots: Vec<String> = entries.split(" = ").filter_map(index).collect();
                let slots = slots.join(" = ");
                painter.text(at, Align2::CENTER_CENTER, slots, mono(11.0), t.weak);
                painter.text(rect.center() - vec2(0.0, 8.0), Align2::CENTER_CENTER, "shared", words(13.0), t.good);
                return;
            }
            ("shared", t.good)
        }
        Relation::Same => ("same", t.weak),
        Relation::Differs => ("differs", t.changed),
        Relation::OnlyLeft => ("< only", t.changed),
        Relation::OnlyRight => ("only >", t.changed),
    };
    painter.text(rect.center(), Align2::CENTER_CENTER, word, words(13.0), colour);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(differ: &[bool]) -> Vec<PairRow> {
        let relation = |differs: bool| if differs { Relation::Differs } else { Relation::Same };
        let row =
            |differs: &bool| PairRow { left: None, right: None, relation: relation(*differs), words: String::new() };
        differ.iter().map(row).collect()
    }

    /// Goal: the next and the previous difference are found, going round; method: five rows with two, then none.
    #[test]
    fn differences_by_key() {
        let mut state = State::default();
        let five = rows(&[false, true, false, true, false]);
        let mut go = |direction| {
            difference(&mut state, &five, direction);
            state.list.cursor
        };
        use Direction::{Backward, Forward};
        assert_eq!([go(Forward), go(Forward), go(Forward), go(Backward)], [1, 3, 1, 3]);
        let mut state = State::default();
        difference(&mut state, &rows(&[false, false]), Forward);
        difference(&mut state, &[], Backward);
        assert_eq!(state.list.cursor, 0);
    }
}
