//! Banners: what the user must know before anything else makes sense, with the way out as a button.

use super::Cx;
use crate::command::Command;
use crate::model::Model;
use crate::model::connection::Link;
use crate::ui::words::Words;
use egui::{RichText, Ui};
use protocol::request::StopReason;

/// Whether there is anything to say.
pub fn any(model: &Model) -> bool {
    let connection = &model.connection;
    let link = !matches!(connection.link, Link::Ready | Link::Running { .. });
    let ended = matches!(
        model.timeline.reason,
        Some(StopReason::Unsupported { .. } | StopReason::Exit { .. } | StopReason::PowerOff)
    );
    link || connection.gdb.attached
        || connection.image_changed
        || ended
        || model.notice.is_some()
        || model.lessons.warning.is_some()
}

/// Draws the banners, one below the other.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>) {
    let model = cx.model;
    match &model.connection.link {
        Link::Lost { why } => {
            banner(ui, cx, "Disconnected", why, |ui, cx| drop(cx.button(ui, "reconnect", "Reconnect", true)));
        }
        Link::Crashed { message } => {
            let text = format!("The machine's own thread ended with a panic, which is a bug of ours: {message}");
            banner(ui, cx, "Machine stopped working", &text, |ui, cx| {
                cx.button(ui, "reconnect", "Start it again", true);
            });
        }
        Link::Connecting => {
            let text = format!("Waiting for {}.", model.connection.target);
            banner(ui, cx, "Connecting", &text, |_, _| {});
        }
        Link::Ready | Link::Running { .. } => {}
    }
    if model.connection.gdb.attached {
        let text = "gdb is attached and drives; this window shows what it does.";
        banner(ui, cx, "gdb drives", text, |ui, cx| drop(cx.button(ui, "take-over", "Take over", true)));
    }
    if model.connection.image_changed {
        let text = "The kernel on disk is not the one that runs here.";
        banner(ui, cx, "Image changed", text, |ui, cx| drop(cx.button(ui, "reload", "Reload", true)));
    }
    ended(ui, cx);
    if let Some(warning) = &model.lessons.warning {
        banner(ui, cx, "Your progress", warning, |ui, cx| {
            if ui.button("Dismiss").on_hover_text("Close this message").clicked() {
                cx.push(Command::DismissWarning);
            }
        });
    }
    if let Some(notice) = &model.notice {
        banner(ui, cx, "Not done", notice, |ui, cx| {
            if ui.button("Dismiss").on_hover_text("Close this message").clicked() {
                cx.push(Command::DismissNotice);
            }
        });
    }
}

/// Why the machine can go no further.
fn ended(ui: &mut Ui, cx: &mut Cx<'_>) {
    match &cx.model.timeline.reason {
        Some(StopReason::Unsupported { cpu, what }) => {
            let text = format!("{cpu} met something that this machine does not have: {what}.");
            banner(ui, cx, "Not supported", &text, |ui, cx| {
                let moves = cx.can_move();
                cx.button(ui, "step-cpu-back", "Step back before it", moves);
            });
        }
        Some(StopReason::PowerOff) => banner(ui, cx, "Switched off", "The guest switched the machine off.", |_, _| {}),
        Some(StopReason::Exit { value }) => {
            let text = format!("The guest wrote {value:02x} to the debug exit port (F4h) and wants to end here.");
            banner(ui, cx, "The guest ended", &text, |_, _| {});
        }
        _ => {}
    }
}

fn banner(ui: &mut Ui, cx: &mut Cx<'_>, title: &str, text: &str, actions: impl FnOnce(&mut Ui, &mut Cx<'_>)) {
    ui.horizontal_wrapped(|ui| {
        let (rect, _) = ui.allocate_exact_size(egui::vec2(16.0, 16.0), egui::Sense::hover());
        let sign = egui::Stroke::new(2.0, cx.t.fault);
        ui.painter().circle_stroke(rect.center(), 7.0, sign);
        ui.painter().vline(rect.center().x, rect.center().y - 4.0..=rect.center().y + 1.0, sign);
        ui.painter().circle_filled(rect.center() + egui::vec2(0.0, 3.8), 1.3, cx.t.fault);
        let response = ui.label(RichText::new(title).strong().color(cx.t.fault));
        cx.explain(response, || Words::new(title, text));
        ui.add(egui::Label::new(RichText::new(text).color(cx.t.strong)).selectable(true).wrap());
        actions(ui, cx);
    });
}
