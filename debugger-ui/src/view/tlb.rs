//! The TLB of the selected CPU: each entry with what it maps; stale ones hatched and told in words, with what memory says
//! now; new and dropped ones marked. Enter walks the address of an entry in the page-table panel.

use super::Cx;
use crate::command::Command;
use crate::model::page_tables::rows::{rights_words, short, size_words};
use crate::model::tlb::{Counts, Fate, Row, why_empty};
use crate::ui::line;
use crate::ui::theme::{mono, words};
use crate::ui::tree::{self, Act, Spec};
use crate::ui::words::Words;
use egui::{Align2, Rect, RichText, Stroke, Ui, pos2};

const HEIGHT: f32 = 20.0;

/// Draws the panel.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut tree::State, take_focus: bool) {
    let tlb = &cx.model.tlb;
    let Counts { all, global, low, stale, new, dropped } = tlb.counts;
    ui.horizontal_wrapped(|ui| {
        let counts = format!(
            "TLB of {}: {all} entries, {global} global, {low} below 2^47, {stale} stale; {new} new, {dropped} dropped",
            tlb.cpu
        );
        let response = ui.label(RichText::new(counts).color(cx.t.text));
        cx.explain(response, || Words::term("stale-tlb").unwrap_or_default());
        ui.label(RichText::new(&tlb.happened).color(cx.t.changed));
    });
    // Kept until there are rows: they may still have to be read.
    state.focus |= take_focus;
    if tlb.rows.is_empty() {
        let why = if cx.model.connection.offers.vendor {
            why_empty(&cx.model.cpus)
        } else {
            "Not told by this server: the TLB."
        };
        ui.label(RichText::new(why).color(cx.t.weak));
        return;
    }
    let (t, name) = (cx.t, format!("TLB of {}", tlb.cpu));
    let spec = Spec { id: "tlb", name: &name, rows: tlb.rows.len(), row_height: HEIGHT };
    let outcome = tree::show(ui, t, spec, state, |ui, at, rect| row(ui, cx, rect, &tlb.rows[at]));
    if let Some((at, Act::Open)) = outcome.act
        && let Some(row) = tlb.rows.get(at)
    {
        cx.push(Command::ShowPageTables(true));
        cx.push(Command::SetWalkAddress(format!("{:x}", row.entry.linear.0)));
    }
    let explained = |row: &Row| {
        let mut words = Words::term("stale-tlb").unwrap_or_default();
        words.title = row.words();
        words.says.push_str(" Enter walks its address.");
        words
    };
    if let Some(row) = outcome.hovered.and_then(|(at, _)| tlb.rows.get(at)) {
        cx.hovered = Some(explained(row));
    }
    if outcome.response.has_focus()
        && let Some(row) = tlb.rows.get(state.cursor)
    {
        cx.focused = Some(explained(row));
    }
}

/// One entry. Returns its accessible name.
fn row(ui: &Ui, cx: &Cx<'_>, rect: Rect, row: &Row) -> String {
    let (t, painter) = (cx.t, ui.painter());
    let stale = row.stale.is_some();
    if stale {
        // In front of the numbers, so that they stay readable.
        let front = Rect::from_min_max(rect.min, pos2(rect.left() + 96.0, rect.bottom()));
        hatch(&painter.with_clip_rect(front.intersect(ui.clip_rect())), front, t.stroke(1.0, t.frame));
        painter.rect_filled(Rect::from_min_max(rect.min, pos2(rect.left() + 4.0, rect.bottom())), 0, t.fault);
    }
    let gone = row.fate == Fate::Dropped;
    let colour = if gone { t.weak } else { t.text };
    let middle = rect.center().y;
    let text = |x: f32, words: &str, font, colour| {
        let right = painter.text(pos2(rect.left() + x, middle), Align2::LEFT_CENTER, words, font, colour).right();
        right - rect.left()
    };
    let fate = match row.fate {
        Fate::Kept => "",
        Fate::New => "new",
        Fate::Dropped => "dropped",
    };
    text(8.0, fate, words(13.0), t.changed);
    let entry = &row.entry;
    let line = format!("{:>19} -> {}", short(entry.linear), entry.phys);
    let end = text(62.0, &line, mono(13.0), colour);
    if gone {
        painter.hline(rect.left() + 62.0..=rect.left() + end, middle, Stroke::new(1.5, t.weak));
    }
    text(352.0, &size_words(entry.size), mono(13.0), colour);
    text(386.0, &rights_words(entry.rights, entry.global), mono(13.0), colour);
    let mut rest = String::new();
    if entry.dirty {
        rest.push_str("dirty  ");
    }
    if entry.pcid != 0 {
        rest.push_str(&format!("PCID {}  ", entry.pcid));
    }
    text(440.0, &rest, words(13.0), colour);
    if let Some(says) = &row.stale {
        let left = rect.left() + 482.0;
        let galley = line::galley(painter, &format!("stale: {says}"), words(13.5), t.fault, rect.right() - left);
        let at = pos2(left, middle - galley.size().y / 2.0);
        painter.rect_filled(Rect::from_min_size(at, galley.size()).expand(2.0), 2, t.sunken);
        painter.galley(at, galley, t.fault);
    }
    row.words()
}

/// Slanted lines behind a stale entry: not by colour alone.
fn hatch(painter: &egui::Painter, rect: Rect, stroke: Stroke) {
    let mut x = rect.left() - rect.height();
    while x < rect.right() {
        painter.line_segment([pos2(x, rect.bottom()), pos2(x + rect.height(), rect.top())], stroke);
        x += 11.0;
    }
}
