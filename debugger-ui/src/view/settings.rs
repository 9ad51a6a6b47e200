//! The machine's settings as text fields, with Restart: everything that decides what a run does, beside the image.

use super::Cx;
use crate::command::Command;
use crate::model::settings::{Draft, Keep};
use crate::ui::words::Words;
use egui::{Grid, Label, RichText, Role, Sense, TextEdit, Ui, WidgetInfo};
use protocol::firmware::Variable;

/// Name, sentence, hint and width of each field.
const FIELDS: [(&str, &str, &str, f32); 8] = [
    ("CPUs", "How many processors, 1 to 255.", "2", 60.0),
    ("APIC IDs", "One for each CPU, with commas. Empty: 0, 1, 2, …", "0,1", 160.0),
    ("Memory", "RAM, with K, M or G.", "128M", 90.0),
    ("Quantum", "Steps before the next CPU's turn; with a seed, the mean run length.", "64", 70.0),
    (
        "Seed",
        "Empty: round-robin. A number: order and run lengths are drawn from it; the same seed gives the same run.",
        "round-robin",
        120.0,
    ),
    (
        "CPU quirks",
        "Processors that are not as usual: efer-lma-gp, xd-disable, slow-init, x2apic-on, no-nx, no-x2apic. Empty: as usual.",
        "slow-init",
        200.0,
    ),
    (
        "Firmware quirks",
        "An EFI firmware that is not as usual: physical-pointers, touch-page-zero, no-hand-over. Empty: as usual.",
        "no-hand-over",
        200.0,
    ),
    ("Options", "Words for the kernel, such as bringup=parallel or cpu_init_udelay=10.", "bringup=serial", 330.0),
];

/// Draws the panel.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>) {
    let settings = &cx.model.settings;
    let running = cx.model.connection.hello.as_ref().map(|hello| Draft::of(&hello.config)).unwrap_or_default();
    let mut draft = settings.draft.clone();
    let (mut enter, mut beside) = (false, false);
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.horizontal_top(|ui| {
            for half in [0..4, 4..FIELDS.len()] {
                Grid::new(("settings", half.start)).num_columns(2).spacing([8.0, 6.0]).show(ui, |ui| {
                    for at in half {
                        enter |= field(ui, cx, at, text_of(&mut draft, at));
                        ui.end_row();
                    }
                });
                ui.add_space(20.0);
            }
            if ui.available_width() >= ASIDE {
                ui.vertical(|ui| variables(ui, cx, &mut draft));
                beside = true;
            }
        });
        if !beside {
            ui.horizontal_wrapped(|ui| variables(ui, cx, &mut draft));
        }
        ui.horizontal(|ui| {
            let can = cx.model.connection.ready() && cx.model.connection.offers.vendor;
            let label = if draft == running { "Restart" } else { "Restart with these settings" };
            let button = ui.add_enabled(can, egui::Button::new(label));
            let says = "Power off and on again. What was recorded until now is lost.";
            let restart = cx.explain(button, || Words::new(label, says)).clicked() || (enter && can);
            if draft != running
                && ui.button("Put back").on_hover_text("The settings of the machine that runs").clicked()
            {
                draft = running.clone();
            }
            if draft != settings.draft {
                cx.push(Command::EditSettings(draft));
            }
            if restart {
                cx.push(Command::ApplySettings);
            }
            if let Some(why) = &settings.error {
                ui.label(RichText::new(format!("This cannot be: {why}")).color(cx.t.fault));
            }
        });
        if let Some(hello) = &cx.model.connection.hello {
            let image = if hello.image_path.is_empty() { "the kernel built in" } else { &hello.image_path };
            let hash: String = hello.image_sha256.chars().take(12).collect();
            let text = format!("Image: {image}, SHA-256 {hash}…   Server: {}", hello.server);
            ui.label(RichText::new(text).color(cx.t.weak));
        }
    });
}

/// From this room on, in points, the variables stand beside the fields.
const ASIDE: f32 = 240.0;

/// What the choices of [`Keep`] are called, and what they mean.
const KEEP: [(Keep, &str, &str); 3] = [
    (Keep::PowerOn, "as at power-on", "The next machine begins with the variables with which this one began."),
    (Keep::Now, "as now", "The next machine begins with the variables that this one has when you restart."),
    (Keep::None, "none", "The next machine begins like a new computer: its firmware has no variables."),
];

/// Which of the firmware's variables the next machine keeps, and their names.
fn variables(ui: &mut Ui, cx: &mut Cx<'_>, draft: &mut Draft) {
    let settings = &cx.model.settings;
    ui.label("EFI variables");
    for (keep, name, says) in KEEP {
        let response = ui.radio(draft.keep == keep, name);
        let label = format!("EFI variables {name}");
        response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, draft.keep == keep, &label));
        if response.clicked() {
            draft.keep = keep;
        }
        cx.explain(response, || Words::new(&label, says));
    }
    let names = match settings.kept() {
        None => "(not read yet)".to_owned(),
        Some([]) => "(there are none)".to_owned(),
        Some(kept) => kept.iter().map(|variable| variable.name.as_str()).collect::<Vec<_>>().join(", "),
    };
    let label = Label::new(RichText::new(names).color(cx.t.weak)).truncate().sense(Sense::focusable_noninteractive());
    let response = ui.add(label);
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("The firmware's variables"));
    cx.explain(response, || {
        let line = |variable: &Variable| {
            let Variable { name, vendor, attributes, bytes } = variable;
            format!("{name}: {bytes} bytes, attributes {attributes:x}h, vendor {vendor}")
        };
        let lines: Vec<String> = settings.kept().unwrap_or_default().iter().map(line).collect();
        let none = "There are none. In the kernel's shell, efi var NAME VALUE makes one.";
        let says = if lines.is_empty() { none.to_owned() } else { lines.join("\n") };
        Words::new("The firmware's variables", says)
    });
}

fn text_of(draft: &mut Draft, at: usize) -> &mut String {
    match at {
        0 => &mut draft.cpus,
        1 => &mut draft.apic_ids,
        2 => &mut draft.memory,
        3 => &mut draft.quantum,
        4 => &mut draft.seed,
        5 => &mut draft.cpu_quirks,
        6 => &mut draft.firmware_quirks,
        _ => &mut draft.options,
    }
}

/// A labelled field; true when Enter was pressed in it.
fn field(ui: &mut Ui, cx: &mut Cx<'_>, at: usize, text: &mut String) -> bool {
    let (name, says, hint, width) = FIELDS[at];
    let label = ui.label(name);
    let edit = TextEdit::singleline(text).hint_text(hint).desired_width(width).font(egui::TextStyle::Monospace);
    let response = ui.add(edit).labelled_by(label.id);
    let entered = response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    cx.explain(response, || Words::new(name, says));
    entered
}

#[cfg(test)]
mod tests {
    use super::FIELDS;
    use protocol::request::{CpuQuirk, FirmwareQuirk};

    /// Goal: who looks at the field learns every word that it takes; method: each quirk's word in its sentence.
    #[test]
    fn all_quirks_are_named() {
        let says = |of: &str| FIELDS.iter().find(|(name, ..)| *name == of).expect("there is such a field").1;
        assert!(CpuQuirk::ALL.iter().all(|quirk| says("CPU quirks").contains(quirk.word())));
        assert!(FirmwareQuirk::ALL.iter().all(|quirk| says("Firmware quirks").contains(quirk.word())));
    }
}
