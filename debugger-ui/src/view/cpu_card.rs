//! The CPU card: the mode as a big word, activity, CS:IP and the linear address it makes, the page-table root by name and
//! the six bits that make the mode; below, on demand, every register, segment, control bit and the local APIC.

use super::{Cx, registers};
use crate::command::Command;
use crate::model::control_bits::{self, BitRow};
use crate::model::cpus::{activity_phrase, mode_word};
use crate::model::why::Target;
use crate::ui::bitfield::{Chip, chip};
use crate::ui::theme::{mono, words};
use crate::ui::words::Words;
use egui::{CollapsingHeader, Label, Rect, RichText, ScrollArea, Ui, vec2};
use lessons::player::page::Show;
use protocol::cpu::CpuState;
use protocol::{Activity, Mode};

/// What the card remembers.
#[derive(Debug, Default)]
pub struct State {
    pub(super) edit: registers::Editing,
    /// A lesson's step needs this section: it is opened and brought into view.
    pub(super) open_section: Option<Show>,
    /// A lesson's step needs the mode and what belongs to it: the top is brought into view.
    pub(super) to_top: bool,
}

/// A CPU in a few words, for lists: "long mode, halted".
pub fn in_a_line(state: &CpuState) -> String {
    format!("{}, {}", crate::model::cpus::mode_phrase(state.mode), activity_phrase(state.activity))
}

/// Draws the card.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    ui.take_available_width();
    let Some(cpu) = cx.model.cpus.selected() else {
        ui.add_space(12.0);
        ui.label(RichText::new("No CPU is known yet.").color(cx.t.weak));
        return;
    };
    let mut scroll = ScrollArea::vertical().id_salt("card").auto_shrink(false);
    if std::mem::take(&mut state.to_top) {
        scroll = scroll.vertical_scroll_offset(0.0);
    }
    scroll.show(ui, |ui| {
        head(ui, cx, cpu, take_focus);
        ui.add_space(6.0);
        place(ui, cx, cpu);
        ui.add_space(4.0);
        mode_bits(ui, cx, cpu);
        ui.add_space(4.0);
        what_changed(ui, cx, cpu);
        ui.separator();
        let asked = state.open_section;
        let mut opening = false;
        // A lesson shows what it needs; without one everything is wanted.
        let alone = cx.model.lessons.page().is_none();
        let registers_asked = asked == Some(Show::Registers);
        let segments_asked = asked == Some(Show::Segments);
        let system_asked = asked == Some(Show::SystemRegisters);
        opening |=
            section(ui, "All registers", alone, registers_asked, |ui| registers::general(ui, cx, &mut state.edit, cpu));
        opening |=
            section(ui, "Segments", false, segments_asked, |ui| registers::segments(ui, cx, &mut state.edit, cpu));
        section(ui, "Control bits", false, false, |ui| control(ui, cx, cpu));
        opening |=
            section(ui, "System registers", false, system_asked, |ui| registers::system(ui, cx, &mut state.edit, cpu));
        section(ui, "XMM registers", false, false, |ui| registers::xmm(ui, cx, cpu));
        let apic_asked = asked == Some(Show::Apic);
        opening |= section(ui, "APIC", false, apic_asked, |ui| match cx.model.connection.offers.foreign {
            Some(_) => drop(ui.label(RichText::new("Not told by this server.").color(cx.t.weak))),
            None => registers::apic(ui, cx, cpu),
        });
        if !opening {
            state.open_section = None;
        }
        if let Some(foreign) = &cx.model.connection.offers.foreign {
            ui.add_space(4.0);
            let words = format!("{} {}", foreign.cpus, foreign.memory);
            ui.add(Label::new(RichText::new(words).color(cx.t.weak)).wrap());
        }
    });
}

/// One part of the card. True while it is still being opened for a lesson.
fn section(ui: &mut Ui, title: &str, open: bool, asked: bool, body: impl FnOnce(&mut Ui)) -> bool {
    let header = CollapsingHeader::new(RichText::new(title).strong()).id_salt((title, open)).default_open(open);
    let response = header.open(asked.then_some(true)).show_unindented(ui, body);
    if asked {
        // Below others that are open it would be out of sight.
        response.header_response.scroll_to_me(Some(egui::Align::TOP));
    }
    let opening = asked && response.openness < 1.0;
    response.header_response.on_hover_text("Open or close (Enter)");
    opening
}

/// The big word, with the mode's hue and height beside it.
fn head(ui: &mut Ui, cx: &mut Cx<'_>, cpu: &CpuState, take_focus: bool) {
    ui.horizontal(|ui| {
        let asleep = cpu.activity == Activity::WaitForSipi;
        let hue = if asleep { cx.t.weak } else { cx.t.mode(cpu.mode) };
        stairs(ui, cx, cpu.mode, asleep);
        let word = if asleep { "ASLEEP".to_owned() } else { mode_word(cpu.mode).to_owned() };
        let response =
            ui.add(Label::new(RichText::new(&word).font(words(24.0)).color(hue)).sense(egui::Sense::click()));
        response.widget_info(|| {
            let label = format!("{}: {}", cpu.cpu, in_a_line(cpu));
            egui::WidgetInfo::labeled(egui::Role::Button, true, label)
        });
        if take_focus {
            response.request_focus();
        }
        cx.explain(response, || lessons::glossary::mode(cpu.mode).map(Words::entry).unwrap_or_default());
        ui.add_space(4.0);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let title = match cx.model.connection.offers.foreign {
                Some(_) => format!("{}   APIC ID not told", cpu.cpu),
                None => format!("{}   APIC ID {}", cpu.cpu, cpu.apic_id),
            };
            ui.label(RichText::new(title).color(cx.t.text));
            let phrase = activity_phrase(cpu.activity);
            let phrase = cpu.due.map_or(phrase.to_owned(), |due| format!("{phrase}; next step takes {due}"));
            let colour = if cpu.activity == Activity::Shutdown { cx.t.fault } else { cx.t.weak };
            let response = ui.label(RichText::new(phrase).color(colour));
            cx.explain(response, || lessons::glossary::activity(cpu.activity).map(Words::entry).unwrap_or_default());
        });
    });
}

/// Six steps, of which as many are filled as the mode is high.
fn stairs(ui: &mut Ui, cx: &Cx<'_>, mode: Mode, asleep: bool) {
    let (rect, _) = ui.allocate_exact_size(vec2(34.0, 28.0), egui::Sense::hover());
    let steps = [Mode::Real, Mode::Protected16, Mode::Protected32, Mode::Compat, Mode::Long];
    for (at, step) in steps.into_iter().enumerate() {
        let height = 8.0 + 5.0 * at as f32;
        let left = rect.left() + at as f32 * 6.8;
        let bar = Rect::from_min_max(egui::pos2(left, rect.bottom() - height), egui::pos2(left + 5.0, rect.bottom()));
        if step == mode && !asleep {
            ui.painter().rect_filled(bar, 1, cx.t.mode(step));
        } else {
            ui.painter().rect_stroke(bar, 1, cx.t.stroke(1.0, cx.t.frame), egui::StrokeKind::Inside);
        }
    }
}

/// Where it executes and by which tables.
fn place(ui: &mut Ui, cx: &mut Cx<'_>, cpu: &CpuState) {
    registers::cs_ip(ui, cx, cpu);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        ui.label(RichText::new("root").color(cx.t.weak));
        let (name, phys) = match cpu.page_table_root() {
            None => ("none, paging is off: linear = physical".to_owned(), None),
            Some(phys) => match cx.model.symbols.root_name(phys) {
                Some(name) => (name.to_owned(), Some(phys)),
                None => ("no name".to_owned(), Some(phys)),
            },
        };
        // Also where paging went on or off; a CR3 that is not used yet changes no root.
        let was = |name: &str, now: u64| cx.model.diff.was(cpu.cpu, name).unwrap_or(now);
        let before = CpuState { cr0: was("cr0", cpu.cr0), cr3: was("cr3", cpu.cr3), ..cpu.clone() };
        let changed = before.page_table_root() != cpu.page_table_root();
        let colour = if changed { cx.t.changed } else { cx.t.strong };
        let mut text = RichText::new(&name).color(colour);
        if changed {
            text = text.underline();
        }
        let response = ui.label(text);
        cx.value(&response, || Target::register(cpu.cpu, "cr3", "CR3"));
        cx.explain(response, || Words::term(&name).or_else(|| Words::term("root")).unwrap_or_default());
        if let Some(phys) = phys {
            ui.label(RichText::new(format!("phys {phys}")).font(mono(13.0)).color(cx.t.text));
        }
    });
}

/// The six bits, in the order in which a boot sets them.
fn mode_bits(ui: &mut Ui, cx: &mut Cx<'_>, cpu: &CpuState) {
    let rows = control_bits::mode_bits(cpu, &cx.model.diff);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for row in &rows {
            bit(ui, cx, cpu, row);
        }
    });
}

/// Every control bit, by register.
fn control(ui: &mut Ui, cx: &mut Cx<'_>, cpu: &CpuState) {
    for (name, title) in control_bits::REGISTERS {
        let rows = control_bits::bits_of(name, cpu, &cx.model.diff);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
            let response = ui.label(RichText::new(title).strong());
            cx.explain(response, || {
                lessons::glossary::register(glossary_name(name)).map(Words::register).unwrap_or_default()
            });
            for row in &rows {
                bit(ui, cx, cpu, row);
            }
        });
        ui.add_space(5.0);
    }
}

/// gdb says eflags where the manual's 64-bit register is RFLAGS.
fn glossary_name(register: &str) -> &str {
    match register {
        "eflags" => "rflags",
        "cs" | "cs_base" => "segment",
        other => other,
    }
}

/// A bit as a chip; a click flips it in the stopped machine.
fn bit(ui: &mut Ui, cx: &mut Cx<'_>, cpu: &CpuState, row: &BitRow) {
    let register = glossary_name(row.register);
    let title = lessons::glossary::register(register).map_or(row.register, |entry| entry.title.as_str());
    let editable = cx.can_move() && cx.model.connection.offers.vendor && row.width == 1 && register != "segment";
    let shown = Chip { register: title, name: row.name, value: row.value, changed: row.changed, editable };
    let response = chip(ui, cx.t, &shown);
    cx.value(&response, || Target::register(cpu.cpu, row.register, title));
    let words = || {
        let mut words = match lessons::glossary::bit(register, row.bit) {
            Some(entry) => Words::bit(title, entry),
            None => Words::new(format!("{title} bit {}, {}", row.bit, row.name), "Reserved, or not in this manual."),
        };
        if editable {
            words.says.push_str(" (A click, or Space, flips it.)");
        }
        words
    };
    if cx.explain(response, words).clicked() && editable {
        cx.push(Command::ToggleBit { cpu: cpu.cpu, name: row.register.to_owned(), bit: row.bit });
    }
}

/// The names of what the last stop changed on this CPU.
fn what_changed(ui: &mut Ui, cx: &mut Cx<'_>, cpu: &CpuState) {
    let changes = cx.model.diff.cpu(cpu.cpu);
    let names: Vec<String> =
        changes.iter().take(9).map(|change| crate::model::registers::title(cpu, change.name)).collect();
    let text = match changes.len() {
        0 => "nothing changed on this CPU".to_owned(),
        count if count > names.len() => format!("changed: {} and {} more", names.join(", "), count - names.len()),
        _ => format!("changed: {}", names.join(", ")),
    };
    let colour = if changes.is_empty() { cx.t.weak } else { cx.t.changed };
    ui.add(Label::new(RichText::new(text).color(colour)).truncate());
}
