//! The narrator's line: one sentence about what just happened, always in the same place, read aloud politely. A sentence that
//! is longer than the line goes on below: nothing of it is left out.

use super::Cx;
use crate::model::narrator::Tone;
use crate::ui::theme::words;
use egui::accesskit::Live;
use egui::{Align, Label, Layout, RichText, Role, Ui, WidgetInfo};

/// Draws the line.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>) {
    let narrator = &cx.model.narrator;
    let (sign, colour) = match narrator.tone {
        Tone::Plain => ("Just now", cx.t.weak),
        Tone::Moment => ("A turning point", cx.t.link),
        Tone::Fault => ("Fault", cx.t.fault),
        Tone::Refusal => ("Nothing moved", cx.t.changed),
    };
    ui.horizontal(|ui| {
        ui.set_min_height(22.0);
        ui.label(RichText::new(format!("{sign}:")).font(words(14.0)).color(colour));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            cx.button(ui, "copy-narration", "Copy", !narrator.sentence.is_empty());
            cx.button(ui, "why", "Why?", cx.model.connection.offers.vendor);
            if cx.model.timeline.can_undo {
                cx.button(ui, "undo", "Before my change", cx.can_move());
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let text = RichText::new(&narrator.sentence).font(words(16.0)).color(cx.t.strong);
                let response = ui.add(Label::new(text).wrap().selectable(true));
                response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &narrator.sentence));
                ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(Live::Polite));
                if !narrator.log.is_empty() {
                    response.on_hover_ui(|ui| log(ui, cx));
                }
            });
        });
    });
}

/// The sentences before this one.
fn log(ui: &mut Ui, cx: &Cx<'_>) {
    ui.set_max_width(620.0);
    for (position, sentence) in cx.model.narrator.log.iter().rev().take(8).rev() {
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(crate::ui::hex::count(position.0)).monospace().color(cx.t.weak));
            ui.label(sentence);
        });
    }
}
