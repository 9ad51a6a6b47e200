//! The walk of one address through the first root: a box for each level, how it ended, and what the TLB holds instead.

use super::Cx;
use crate::command::Command;
use crate::model::page_tables::{Walk, WalkBox};
use crate::model::why::{Of, Target};
use crate::ui::theme::{mono, words};
use crate::ui::words::Words;
use egui::{CornerRadius, Key, RichText, TextEdit, Ui, vec2};

/// What is being typed.
#[derive(Debug, Default)]
pub struct State {
    /// None: the model's text is shown.
    text: Option<String>,
}

/// Draws the address field, the boxes and the verdict, for each root shown.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State) {
    address(ui, cx, state);
    let views = &cx.model.page_tables.views;
    for view in views {
        if let Some(walk) = &view.walk {
            if views.len() > 1 {
                ui.label(RichText::new(&view.title).size(12.5).color(cx.t.weak));
            }
            one(ui, cx, walk, views.len() > 1);
        }
    }
}

pub(super) fn address(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State) {
    let tables = &cx.model.page_tables;
    ui.horizontal(|ui| {
        let label = ui.label(RichText::new("walk of").color(cx.t.weak));
        let mut text = state.text.clone().unwrap_or_else(|| tables.walk_text.clone());
        let hint = match tables.walk_linear {
            Some(linear) if tables.walk_text.is_empty() => format!("next instruction, {linear}"),
            _ => "next instruction".to_owned(),
        };
        let other = if tables.walk_text.is_empty() { 12.0 } else { 70.0 };
        let width = (ui.available_width() - other).max(120.0);
        let edit = TextEdit::singleline(&mut text).hint_text(hint).desired_width(width).font(mono(13.0));
        let response = ui.add(edit).labelled_by(label.id);
        let about = Words::new(
            "The walk's address",
            "A linear address, seg:off, a symbol or a register. Empty: the CPU's next instruction. Enter walks.",
        );
        let (changed, left) = (response.changed(), response.lost_focus());
        cx.explain(response, || about.clone());
        if changed {
            state.text = Some(text.clone());
        }
        if left && ui.input(|input| input.key_pressed(Key::Enter)) {
            cx.push(Command::SetWalkAddress(text));
            state.text = None;
        } else if left {
            state.text = None;
        }
        if !tables.walk_text.is_empty()
            && ui.button("Next").on_hover_text("Walk the CPU's next instruction again").clicked()
        {
            cx.push(Command::SetWalkAddress(String::new()));
            state.text = None;
        }
    });
    if let Some(why) = &tables.walk_error {
        ui.label(RichText::new(why).color(cx.t.fault));
    }
}

/// One root's walk; where two share the height, a TLB entry that agrees with the tables is not worth a line.
pub(super) fn one(ui: &mut Ui, cx: &mut Cx<'_>, walk: &Walk, brief: bool) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        for (at, level) in walk.boxes.iter().enumerate() {
            if at > 0 {
                ui.label(RichText::new(">").font(mono(13.0)).color(cx.t.weak));
            }
            level_box(ui, cx, level);
        }
    });
    let (sign, colour) = if walk.mapped { ("maps", cx.t.good) } else { ("fails", cx.t.fault) };
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(sign).strong().color(colour));
        ui.add(egui::Label::new(RichText::new(&walk.verdict).color(cx.t.text)).selectable(true).wrap());
    });
    let stale = walk.trace.stale;
    if let Some(tlb) = walk.tlb.as_ref().filter(|_| stale || !brief) {
        let colour = if stale { cx.t.fault } else { cx.t.weak };
        let response = ui.add(egui::Label::new(RichText::new(tlb).size(13.0).color(colour)).wrap());
        if stale {
            cx.explain(response, || Words::term("stale-tlb").unwrap_or_default());
        }
    }
}

/// A box of known size, so that a row of them wraps in a narrow column.
fn level_box(ui: &mut Ui, cx: &mut Cx<'_>, level: &WalkBox) {
    let below = if level.failed { "ends here" } else { level.rights.as_str() };
    let colour = if level.failed { cx.t.fault } else { cx.t.weak };
    let title = ui.painter().layout_no_wrap(level.title.clone(), mono(13.0), cx.t.strong);
    let below = ui.painter().layout_no_wrap(below.to_owned(), words(12.0), colour);
    let size = vec2(title.size().x.max(below.size().x) + 12.0, 34.0);
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click());
    let (edge, width) = if level.failed { (cx.t.fault, 2.5) } else { (cx.t.frame, 1.0) };
    let stroke = cx.t.stroke(width, edge);
    ui.painter().rect(rect, CornerRadius::same(4), cx.t.raised, stroke, egui::StrokeKind::Inside);
    ui.painter().galley(rect.min + vec2(6.0, 1.5), title, cx.t.strong);
    ui.painter().galley(rect.min + vec2(6.0, 17.0), below, colour);
    response.widget_info(|| {
        let ends = if level.failed { ", the walk ends here" } else { "" };
        let label = format!("{}: {}, rights {}{ends}", level.title, level.detail, level.rights);
        egui::WidgetInfo::labeled(egui::Role::Button, true, label)
    });
    if let Some((at, bytes)) = level.entry {
        let label = format!("{} at phys {at}", level.title);
        cx.value(&response, || Target { label: label.clone(), of: Of::Phys(at, bytes) });
    }
    cx.explain(response, || {
        let mut words = Words::term("walk").unwrap_or_default();
        words.title = format!("{}: {}", level.title, level.detail);
        words
    });
}
