//! The transport bar: time forwards and backwards, whose steps are meant, and where we stand.

use super::Cx;
use crate::command::Command;
use crate::ui::hex;
use crate::ui::keys;
use crate::ui::words::Words;
use egui::{Align, Button, ComboBox, Layout, RichText, Ui};
use protocol::{Activity, CpuId};

/// So many CPUs get a chip of their own; more are chosen from a list.
const CHIPS: usize = 8;

/// Which buttons there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buttons {
    /// All.
    All,
    /// For a projector: those that a room watches, on one line. The others keep their keys and stand in the menu Go.
    Few,
}

/// Draws the bar.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, buttons: Buttons) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.spacing_mut().button_padding.x = 6.0;
        let model = cx.model;
        let cpu = model.cpus.selected;
        let offers = &model.connection.offers;
        let moves = cx.can_move();
        let back = moves && offers.reverse_step;
        let run_back = moves && offers.reverse_continue;
        let story = moves && offers.vendor;
        let only = if model.cpus.hold_others { " only" } else { "" };

        let all = buttons == Buttons::All;
        if all {
            cx.button(ui, "start", "|< Start", story);
            cx.button(ui, "run-back", "< Run", run_back);
        }
        cx.button(ui, "event-back", "< Event", story);
        if all {
            cx.button(ui, "over-back", "< Over", back && offers.vendor);
        }
        cx.button(ui, "step-cpu-back", "< Step", back);
        ui.add_space(4.0);
        main_step(ui, cx, &format!("Step CPU {}{only}", cpu.0), moves);
        let waits = |cpu: &protocol::CpuState| matches!(cpu.activity, Activity::WaitForSipi | Activity::Halted);
        if cx.model.cpus.selected().is_some_and(waits) {
            // It executes nothing that one could go over or out of.
            cx.button(ui, "run-to-wake", "Until it wakes", story);
        } else {
            cx.button(ui, "over", "Over", moves);
            if all {
                cx.button(ui, "out", "Out", moves && offers.reads_memory());
            }
        }
        cx.button(ui, "event", "Event >", story);
        if model.connection.long_run() {
            cx.button(ui, "pause", "Pause", true);
        } else {
            cx.button(ui, "run", "Run >", moves);
        }
        ui.add_space(4.0);
        if all {
            cx.button(ui, "step-machine-back", "< All", back);
            cx.button(ui, "step-machine", "All >", moves);
            ui.add_space(4.0);
        }
        if all || cx.model.cpus.hold_others {
            hold(ui, cx, moves);
            ui.add_space(6.0);
        }
        chips(ui, cx);
        let (words, font) = (position_text(cx), egui::TextStyle::Monospace.resolve(ui.style()));
        let width = ui.fonts_mut(|fonts| fonts.layout_no_wrap(words, font, cx.t.strong)).size().x;
        if ui.available_size_before_wrap().x < width + 4.0 {
            ui.end_row();
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| position(ui, cx));
    });
}

/// The one button that matters most stands out.
fn main_step(ui: &mut Ui, cx: &mut Cx<'_>, label: &str, enabled: bool) {
    // Not in a scope of its own: the row would not wrap before it, where the window is narrow or the text large.
    let usual = ui.visuals().widgets.clone();
    let accent = cx.t.chosen;
    let widgets = &mut ui.visuals_mut().widgets;
    for widget in [&mut widgets.inactive, &mut widgets.hovered] {
        widget.weak_bg_fill = accent;
        widget.bg_stroke.color = cx.t.link;
        widget.bg_stroke.width = 1.5;
    }
    cx.button(ui, "step-cpu", label, enabled);
    ui.visuals_mut().widgets = usual;
}

fn hold(ui: &mut Ui, cx: &mut Cx<'_>, enabled: bool) {
    let mut on = cx.model.cpus.hold_others;
    let key = keys::hint("hold");
    let response = ui.add_enabled_ui(enabled, |ui| ui.checkbox(&mut on, "Hold others")).inner;
    let mut words = Words::term("hold-others").unwrap_or_default();
    if !key.is_empty() {
        words.title = format!("{} ({key})", words.title);
    }
    if cx.explain(response, || words.clone()).changed() {
        cx.push(Command::ToggleHold);
    }
}

/// A chip for each CPU, or a list where there are many.
fn chips(ui: &mut Ui, cx: &mut Cx<'_>) {
    let count = cx.model.cpus.states.len();
    let selected = cx.model.cpus.selected;
    if count <= CHIPS {
        ui.label(RichText::new("CPU").color(cx.t.weak));
        for number in 0..count {
            let cpu = CpuId(number as u16);
            let response = ui.add(Button::selectable(cpu == selected, RichText::new(number.to_string()).monospace()));
            response.widget_info(|| {
                let label = format!("Select CPU {number}");
                egui::WidgetInfo::selected(egui::Role::RadioButton, true, cpu == selected, label)
            });
            let about = cx.model.cpus.get(cpu).map(super::cpu_card::in_a_line).unwrap_or_default();
            let words = Words::new(format!("CPU {number} ({number})"), about);
            if cx.explain(response, || words.clone()).clicked() {
                cx.push(Command::SelectCpu(cpu));
            }
        }
        return;
    }
    let combo = ComboBox::from_id_salt("cpu").selected_text(format!("CPU {} of {count}", selected.0)).height(360.0);
    let response = combo.show_ui(ui, |ui| {
        for state in &cx.model.cpus.states {
            let text = format!("CPU {}   {}", state.cpu.0, super::cpu_card::in_a_line(state));
            if ui.selectable_label(state.cpu == selected, text).clicked() {
                cx.commands.push(Command::SelectCpu(state.cpu));
            }
        }
    });
    response.response.on_hover_text("Select a CPU (0 to 9, or Up and Down in the lanes)");
}

/// Where we stand: "step 1 204 352", "stop 3".
fn position_text(cx: &Cx<'_>) -> String {
    let unit = if cx.model.connection.offers.foreign.is_some() { "stop" } else { "step" };
    format!("{unit} {}", hex::count(cx.model.timeline.position.0))
}

/// A server that counts no steps: its stops are counted.
fn stop_number(ui: &mut Ui, cx: &mut Cx<'_>) {
    let text = RichText::new(position_text(cx));
    let response = ui.add(egui::Label::new(text.monospace().color(cx.t.strong)).selectable(true));
    cx.explain(response, || {
        Words::new("Stop", "This server counts no steps and goes on, never back. The window counts its stops.")
    });
    if cx.model.connection.long_run() {
        ui.label(RichText::new("running").color(cx.t.changed));
    }
}

fn position(ui: &mut Ui, cx: &mut Cx<'_>) {
    let timeline = &cx.model.timeline;
    if cx.model.connection.offers.foreign.is_some() {
        return stop_number(ui, cx);
    }
    let label = egui::Label::new(RichText::new(position_text(cx)).monospace().color(cx.t.strong)).selectable(true);
    let response = ui.add(label);
    let end = hex::count(timeline.end.0);
    cx.explain(response, || {
        let mut words = Words::term("position").unwrap_or_default();
        words.says.push_str(&format!(" Recorded up to step {end}."));
        words
    });
    if ui.available_width() < 84.0 {
        return;
    }
    if cx.model.connection.long_run() {
        ui.label(RichText::new("running").color(cx.t.changed));
    } else if timeline.position < timeline.end {
        ui.label(RichText::new("in the past").color(cx.t.changed))
            .on_hover_text("There is a recorded future. A change here ends it; Undo brings it back.");
    }
}
