//! The breakpoints: those at instructions, and those on events, which can be added here.

use super::Cx;
use crate::command::Command;
use crate::model::breakpoints::words as breakpoint_words;
use crate::ui::theme::words;
use crate::ui::tree::{self, Spec};
use egui::{Align2, ComboBox, Ui, pos2, vec2};
use protocol::breakpoint::{Condition, EventFilter};
use protocol::event::{ControlRegister, Delivery};
use protocol::mode::{Activity, Mode};

/// What the panel remembers.
#[derive(Debug, Default)]
pub struct State {
    list: tree::State,
    /// Index in [`kinds`].
    kind: usize,
    /// Only the selected CPU.
    this_cpu: bool,
}

/// The events a run can stop at, with their names.
fn kinds() -> [(&'static str, EventFilter); 16] {
    use EventFilter as F;
    let ipi = |delivery| F::Ipi { delivery: Some(delivery), to: None };
    [
        ("any event", F::Any),
        ("any mode change", F::Mode(None)),
        ("real mode", F::Mode(Some(Mode::Real))),
        ("protected mode, 32-bit", F::Mode(Some(Mode::Protected32))),
        ("compatibility mode", F::Mode(Some(Mode::Compat))),
        ("64-bit mode", F::Mode(Some(Mode::Long))),
        ("a halt", F::Activity(Some(Activity::Halted))),
        ("a write of CR0", F::Cr(Some(ControlRegister::Cr0))),
        ("a write of CR3", F::Cr(Some(ControlRegister::Cr3))),
        ("a write of CR4", F::Cr(Some(ControlRegister::Cr4))),
        ("a write of EFER", F::Cr(Some(ControlRegister::Efer))),
        ("an INIT", ipi(Delivery::Init)),
        ("a SIPI", ipi(Delivery::Sipi)),
        ("any fault", F::Fault(None)),
        ("a load of a descriptor table", F::DescriptorTable),
        ("a CPU that comes online", F::Online(0)),
    ]
}

/// Draws the panel.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    add(ui, cx, state);
    let breakpoints = &cx.model.breakpoints;
    if breakpoints.list.is_empty() {
        let key = crate::ui::keys::hint("breakpoint");
        let or_press = if key.is_empty() { String::new() } else { format!(", or press {key},") };
        let text = format!("None. Click left of an instruction{or_press} to stop a run there.");
        ui.colored_label(cx.t.weak, text);
        return;
    }
    state.list.focus |= take_focus;
    let (t, model) = (cx.t, cx.model);
    let spec = Spec { id: "breakpoints", name: "Breakpoints", rows: breakpoints.list.len(), row_height: 22.0 };
    let mut removed = None;
    let outcome = tree::show(ui, t, spec, &mut state.list, |ui, at, rect| {
        let breakpoint = &breakpoints.list[at];
        let hit = breakpoints.hit == Some(breakpoint.id);
        ui.painter().circle_filled(pos2(rect.left() + 12.0, rect.center().y), 5.5, t.fault);
        if hit {
            ui.painter().circle_stroke(pos2(rect.left() + 12.0, rect.center().y), 8.0, egui::Stroke::new(1.5, t.fault));
        }
        let mut text = breakpoint_words(breakpoint, &model.symbols);
        if hit {
            text.push_str("   (stopped here)");
        }
        ui.painter().text(pos2(rect.left() + 28.0, rect.center().y), Align2::LEFT_CENTER, &text, words(14.0), t.text);
        let place = egui::Rect::from_min_size(rect.right_top() + vec2(-78.0, 1.0), vec2(70.0, 20.0));
        let button = egui::Button::new("Remove").small().sense(egui::Sense::CLICK);
        let response = ui.put(place, button);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, format!("Remove {text}")));
        if response.on_hover_text("Remove this breakpoint (Delete)").clicked() {
            removed = Some(breakpoint.id);
        }
        text
    });
    let delete = outcome.response.has_focus() && ui.input(|input| input.key_pressed(egui::Key::Delete));
    if delete {
        removed = breakpoints.list.get(state.list.cursor).map(|breakpoint| breakpoint.id);
    }
    cx.commands.extend(removed.map(Command::ClearBreakpoint));
}

/// The line that adds a breakpoint on an event.
fn add(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State) {
    ui.horizontal_wrapped(|ui| {
        let kinds = kinds();
        let label = ui.label("Stop at");
        let combo = ComboBox::from_id_salt("kind").width(210.0).selected_text(kinds[state.kind].0).height(380.0);
        let response = combo.show_ui(ui, |ui| {
            for (at, (name, _)) in kinds.iter().enumerate() {
                ui.selectable_value(&mut state.kind, at, *name);
            }
        });
        response.response.labelled_by(label.id).on_hover_text("What a run shall stop at");
        let cpu = cx.model.cpus.selected;
        ui.checkbox(&mut state.this_cpu, format!("only {cpu}")).on_hover_text("Not when another CPU does it");
        let enabled = cx.model.connection.ready() && cx.model.connection.offers.vendor;
        let response = ui.add_enabled(enabled, egui::Button::new("Add breakpoint"));
        if response.on_hover_text("A run stops right after this happened").clicked() {
            let only = state.this_cpu.then_some(cpu);
            cx.push(Command::SetBreakpoint(only, Condition::Event(kinds[state.kind].1.clone())));
        }
    });
    ui.add_space(2.0);
}
