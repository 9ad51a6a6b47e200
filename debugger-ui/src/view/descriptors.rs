//! The descriptor tables: each entry in words, the ones that segment registers came from marked, and below the list the
//! bits of the chosen entry, which a click flips in the guest's memory.

use super::Cx;
use crate::command::Command;
use crate::model::descriptors::{Entry, Which};
use crate::model::why::{Of, Target};
use crate::ui::bitfield::{Chip, chip};
use crate::ui::line;
use crate::ui::theme::{mono, words};
use crate::ui::tree::{self, Spec};
use crate::ui::words::Words;
use egui::{Align2, Button, CornerRadius, Rect, RichText, Role, Stroke, Ui, WidgetInfo, pos2, vec2};
use protocol::request::Place;

const HEIGHT: f32 = 20.0;

/// What the panel remembers.
#[derive(Debug, Default)]
pub struct State {
    list: tree::State,
}

/// Draws the panel.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    let panel = &cx.model.descriptors;
    ui.horizontal_wrapped(|ui| {
        for (which, label, about) in [
            (Which::Gdt, "GDT", "The global descriptor table: segments. GDTR says where it is."),
            (
                Which::Idt,
                "IDT",
                "The interrupt descriptor table; in real mode the interrupt vectors. IDTR says where it is.",
            ),
        ] {
            let chosen = panel.which == which;
            let response = ui.add(Button::selectable(chosen, label));
            response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, chosen, format!("Show the {label}")));
            if cx.explain(response, || Words::new(label, about)).clicked() {
                cx.push(Command::ShowDescriptorTable(which));
            }
        }
        ui.label(RichText::new(&panel.title).color(cx.t.text));
    });
    for remark in &panel.remarks {
        ui.add(egui::Label::new(RichText::new(remark).size(13.0).color(cx.t.changed)).wrap());
    }
    // Kept until there are rows: they may still have to be read.
    state.list.focus |= take_focus;
    if panel.entries.is_empty() {
        if !cx.model.connection.offers.tells_hidden() {
            ui.label(RichText::new("This server does not tell GDTR and IDTR.").color(cx.t.weak));
        }
        return;
    }
    // What a row has no room for is told of the chosen one.
    let remarks = panel.entries.get(state.list.cursor).map(|entry| entry.remarks.join(" ")).unwrap_or_default();
    let remarks = Some(RichText::new(remarks).size(13.0).color(cx.t.changed)).filter(|text| !text.is_empty());
    let remarks = remarks.map(|text| {
        let wrapped = egui::WidgetText::from(text);
        wrapped.into_galley(ui, Some(egui::TextWrapMode::Wrap), ui.available_width(), egui::TextStyle::Body)
    });
    let bits_height = 27.0 + remarks.as_ref().map_or(0.0, |galley| galley.size().y + 4.0);
    let (t, list_height) = (cx.t, (ui.available_height() - bits_height).max(HEIGHT));
    let rect = Rect::from_min_size(ui.cursor().min, vec2(ui.available_width(), list_height));
    ui.scope_builder(egui::UiBuilder::new().max_rect(rect), |ui| {
        let spec = Spec { id: "descriptors", name: &panel.title, rows: panel.entries.len(), row_height: HEIGHT };
        let outcome = tree::show(ui, t, spec, &mut state.list, |ui, at, rect| row(ui, cx, rect, &panel.entries[at]));
        let about = outcome.hovered.map(|(at, _)| at);
        if let Some(entry) = about.and_then(|at| panel.entries.get(at)) {
            cx.hovered = Some(explained(entry));
        }
        if outcome.response.has_focus()
            && let Some(entry) = panel.entries.get(state.list.cursor)
        {
            cx.focused = Some(explained(entry));
            let of = Of::Linear(cx.model.cpus.selected, entry.at, entry.bytes.len().min(16) as u8);
            cx.focused_value = Some(Target { label: format!("Entry {}", entry.name), of });
        }
    });
    ui.add_space(3.0);
    if let Some(remarks) = remarks {
        ui.label(remarks);
    }
    if let Some(entry) = panel.entries.get(state.list.cursor) {
        bits(ui, cx, entry);
    }
}

/// One entry. Returns its accessible name.
fn row(ui: &Ui, cx: &Cx<'_>, rect: Rect, entry: &Entry) -> String {
    let (t, painter) = (cx.t, ui.painter());
    let middle = rect.center().y;
    let mut x = rect.left() + 8.0;
    if !entry.users.is_empty() {
        painter.rect_filled(rect.shrink2(vec2(0.0, 1.0)), 2, t.chosen);
        let galley = painter.layout_no_wrap(entry.users.join(" "), mono(12.5), t.strong);
        let tag = Rect::from_min_size(pos2(x, rect.top() + 2.0), galley.size() + vec2(10.0, 0.0));
        painter.rect_stroke(tag, CornerRadius::same(3), Stroke::new(1.5, t.focus), egui::StrokeKind::Inside);
        let width = tag.width();
        painter.galley(tag.min + vec2(5.0, 0.0), galley, t.strong);
        x += width + 8.0;
    }
    let x = x.max(rect.left() + 90.0);
    let x = painter.text(pos2(x, middle), Align2::LEFT_CENTER, &entry.name, mono(13.0), t.strong).right();
    let raw: String = entry.bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect();
    let x = x.max(rect.left() + 200.0) + 14.0;
    let colour = if entry.empty { t.weak } else { t.text };
    let x = line::fit(painter, pos2(x, middle), &entry.says, words(14.0), colour, rect.right()) + 16.0;
    if entry.remarks.is_empty() {
        if !entry.empty && rect.right() - x > raw.len() as f32 * 8.0 {
            painter.text(pos2(rect.right() - 8.0, middle), Align2::RIGHT_CENTER, raw, mono(12.0), t.weak);
        }
    } else {
        line::fit(painter, pos2(x, middle), &entry.remarks.join(" "), words(13.0), t.changed, rect.right());
    }
    entry.words()
}

/// The bits of the chosen entry.
fn bits(ui: &mut Ui, cx: &mut Cx<'_>, entry: &Entry) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.label(RichText::new(format!("{} at linear {}", entry.name, entry.at)).color(cx.t.weak));
        let editable = cx.can_move() && cx.model.connection.offers.vendor;
        let cpu = cx.model.cpus.selected;
        for bit in &entry.bits {
            let register = format!("entry {}", entry.name);
            let shown =
                Chip { register: &register, name: bit.name, value: u64::from(bit.set), changed: false, editable };
            let response = chip(ui, cx.t, &shown);
            let words = || {
                let mut words = match lessons::glossary::bit("segment", bit.attribute) {
                    Some(entry) => Words::bit("Descriptor", entry),
                    None => Words::new(bit.name, "A bit of the descriptor."),
                };
                words.says.push_str(" (A click, or Space, flips it in the guest's memory; u takes it back.)");
                words
            };
            if cx.explain(response, words).clicked()
                && editable
                && let Some((linear, byte)) = entry.flipped(bit)
            {
                cx.push(Command::EditMemory { at: Place::Linear { cpu, linear }, bytes: vec![byte] });
            }
        }
        if entry.bits.is_empty() {
            ui.label(RichText::new("has no bits to flip").color(cx.t.weak));
        }
    });
}

fn explained(entry: &Entry) -> Words {
    let bytes: Vec<String> = entry.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut words = Words::new(entry.name.clone(), format!("{}. Bytes {}.", entry.says, bytes.join(" ")));
    for remark in &entry.remarks {
        words.says.push(' ');
        words.says.push_str(remark);
    }
    words.source = "SDM 3A, Segment Descriptors".to_owned();
    words
}
