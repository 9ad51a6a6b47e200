//! Register rows of the CPU card. A changed value has a mark in the gutter, its changed digits underlined and "was ..."
//! on the same line. A click on a value of a stopped machine edits it in place.

use super::Cx;
use crate::command::Command;
use crate::model::diff::changed_digits;
use crate::model::registers::{
    RegisterRow, SegmentRow, WideRow, apic_rows, general_rows, msr_rows, segment_rows, system_rows, vector_rows,
    xmm_rows,
};
use crate::model::why::Target;
use crate::ui::hex;
use crate::ui::theme::{mono, words};
use crate::ui::words::Words;
use egui::text::{LayoutJob, TextFormat};
use egui::{Key, Label, RichText, Role, Sense, TextEdit, Ui, WidgetInfo, pos2, vec2};
use protocol::CpuId;
use protocol::cpu::{CS, CpuState};

const SIZE: f32 = 13.5;
/// Room for the registers' names, so that the digits of a section stand below each other.
const NAMES: f32 = 52.0;
/// The same for `KERNEL_GS` and the like.
const LONG_NAMES: f32 = 84.0;

/// The value being typed.
#[derive(Debug, Default)]
pub struct Editing {
    /// CPU and gdb's name of the register.
    of: Option<(CpuId, String)>,
    text: String,
    /// The field was opened in this frame and takes the focus.
    opened: bool,
    /// The value that gets the focus back, after its field was closed.
    back: Option<(CpuId, String)>,
}

/// The general registers, IP and flags.
pub fn general(ui: &mut Ui, cx: &mut Cx<'_>, edit: &mut Editing, cpu: &CpuState) {
    for row in general_rows(cpu, &cx.model.diff, &cx.model.symbols) {
        register(ui, cx, edit, cpu.cpu, &row, true, NAMES);
    }
}

/// Control registers, descriptor tables, MSRs.
pub fn system(ui: &mut Ui, cx: &mut Cx<'_>, edit: &mut Editing, cpu: &CpuState) {
    for row in system_rows(cpu, &cx.model.diff, &cx.model.symbols) {
        register(ui, cx, edit, cpu.cpu, &row, true, LONG_NAMES);
    }
    wide(ui, cx, &msr_rows(cpu, before(cx, cpu)));
}

/// The local APIC, read only: it is changed by writing its memory.
pub fn apic(ui: &mut Ui, cx: &mut Cx<'_>, cpu: &CpuState) {
    for row in apic_rows(cpu, &cx.model.diff) {
        register(ui, cx, &mut Editing::default(), cpu.cpu, &row, false, LONG_NAMES);
    }
    wide(ui, cx, &vector_rows(cpu, before(cx, cpu)));
}

/// The XMM registers.
pub fn xmm(ui: &mut Ui, cx: &mut Cx<'_>, cpu: &CpuState) {
    wide(ui, cx, &xmm_rows(cpu, before(cx, cpu)));
}

/// The CPU as it was at the previous stop.
fn before<'a>(cx: &Cx<'a>, cpu: &CpuState) -> Option<&'a CpuState> {
    cx.model.cpus.before.get(usize::from(cpu.cpu.0))
}

/// Values that are not for editing and not 64 bits wide.
fn wide(ui: &mut Ui, cx: &mut Cx<'_>, rows: &[WideRow]) {
    for row in rows {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 8.0;
            gutter(ui, cx, row.was.is_some());
            let (rect, _) = ui.allocate_exact_size(vec2(62.0, 19.0), Sense::hover());
            ui.painter().text(rect.left_center(), egui::Align2::LEFT_CENTER, &row.label, words(13.5), cx.t.weak);
            let mut text = RichText::new(&row.value).font(mono(12.5)).color(cx.t.text);
            if row.was.is_some() {
                text = text.color(cx.t.changed).underline();
            }
            let response = ui.add(Label::new(text).selectable(true).truncate());
            let was = row.was.as_ref().map(|was| format!(", was {was}")).unwrap_or_default();
            response
                .widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{} {}{was}", row.label, row.value)));
            if let Some(was) = &row.was {
                let was = RichText::new(format!("was {was}")).font(mono(12.0)).color(cx.t.weak);
                ui.add(Label::new(was).truncate());
            }
        });
    }
}

/// CS:IP, the linear address it makes, and the symbol there.
pub fn cs_ip(ui: &mut Ui, cx: &mut Cx<'_>, cpu: &CpuState) {
    let before = cx.model.cpus.before.get(usize::from(cpu.cpu.0));
    let digits = match crate::model::cpus::code_bits(cpu) {
        64 => 16,
        32 => 8,
        _ => 4,
    };
    let changed = |now: u64, of: fn(&CpuState) -> u64| before.map_or(0, |before| changed_digits(of(before), now));
    let t = cx.t;
    let mut job = LayoutJob::default();
    let cs = u64::from(cpu.segments[CS].selector);
    hex::append(&mut job, t, cs, 4, changed(cs, |cpu| u64::from(cpu.segments[CS].selector)), 15.0, t.strong);
    job.append(":", 0.0, TextFormat::simple(mono(15.0), t.strong));
    hex::append(&mut job, t, cpu.ip, digits, changed(cpu.ip, |cpu| cpu.ip), 15.0, t.strong);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("CS:IP").color(t.weak));
        let response = ui.add(Label::new(job).selectable(true));
        cx.explain(response, || Words::term("cs-ip").unwrap_or_default());
        let linear = cpu.linear_pc();
        let at_base_zero = cpu.segments[CS].base == 0 || digits == 16;
        if !at_base_zero {
            ui.label(RichText::new("= linear").color(t.weak));
            ui.label(RichText::new(linear.to_string()).font(mono(15.0)).color(t.text));
        }
        if let Some(row) = general_rows(cpu, &cx.model.diff, &cx.model.symbols).iter().find(|row| row.name == "rip")
            && let Some(symbol) = &row.points_at
        {
            ui.label(RichText::new(symbol).font(mono(SIZE)).color(t.link));
        }
    });
}

/// One register: name, digits, what it was, what it points at.
fn register(
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    edit: &mut Editing,
    cpu: CpuId,
    row: &RegisterRow,
    editable: bool,
    name_width: f32,
) {
    let t = cx.t;
    // gdb has a name for what can be written; the cause of the others cannot be asked for.
    let known = editable;
    let editable = editable && cx.can_move();
    ui.spacing_mut().interact_size.y = 18.0;
    ui.spacing_mut().item_spacing.y = 1.0;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        gutter(ui, cx, row.was.is_some());
        let (rect, _) = ui.allocate_exact_size(vec2(name_width, 19.0), Sense::hover());
        ui.painter().text(rect.left_center(), egui::Align2::LEFT_CENTER, row.label, words(13.5), t.weak);
        if edit.of.as_ref().is_some_and(|(of, name)| *of == cpu && name == row.name) {
            field(ui, cx, edit, cpu, row);
            return;
        }
        let mask = row.was.map_or(0, |was| changed_digits(was, row.value));
        let mut job = LayoutJob::default();
        hex::append(&mut job, t, row.value, row.digits, mask, SIZE, t.text);
        let response = ui.add(Label::new(job).sense(if editable { Sense::click() } else { Sense::hover() }));
        let digits = hex::grouped(row.value, row.digits);
        response.widget_info(|| {
            let was = row.was.map(|was| format!(", was {}", hex::grouped(was, row.digits))).unwrap_or_default();
            let role = if editable { Role::Button } else { Role::Label };
            WidgetInfo::labeled(role, true, format!("{} {digits}{was}", row.label))
        });
        if edit.back.as_ref().is_some_and(|(of, name)| *of == cpu && name == row.name) {
            edit.back = None;
            response.request_focus();
        }
        let response = cx.explain(response, || about(row, editable));
        if known {
            cx.value(&response, || Target::register(cpu, row.name, row.label));
        }
        response.context_menu(|ui| {
            if ui.button("Copy").clicked() {
                ui.ctx().copy_text(format!("{:x}", row.value));
                ui.close();
            }
            if row.digits >= 8 && ui.button("Walk this address").clicked() {
                cx.commands.push(Command::ShowPageTables(true));
                cx.commands.push(Command::SetWalkAddress(format!("{:x}", row.value)));
                ui.close();
            }
        });
        if editable && response.clicked() {
            edit.of = Some((cpu, row.name.to_owned()));
            edit.text = digits;
            edit.opened = true;
        }
        if let Some(was) = row.was {
            let text = format!("was {}", hex::ending(was, row.value, row.digits));
            ui.add(Label::new(RichText::new(text).font(mono(12.0)).color(t.weak)).truncate());
        } else if let Some(symbol) = &row.points_at {
            ui.add(Label::new(RichText::new(symbol).font(mono(12.0)).color(t.link)).truncate());
        }
    });
}

/// The text field in place of a value. Enter writes, Escape leaves all as it was.
fn field(ui: &mut Ui, cx: &mut Cx<'_>, edit: &mut Editing, cpu: CpuId, row: &RegisterRow) {
    // An id of its own: the value that takes its place again would be taken for a text field, and letters would do nothing.
    let field = TextEdit::singleline(&mut edit.text).id_salt("new value").font(mono(SIZE)).desired_width(180.0);
    let response = ui
        .add(field.cursor_at_end(true))
        .on_hover_text("Hexadecimal; 0x, h and _ may be there. Enter writes, Escape does not.");
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::TextInput, true, format!("New value of {}", row.label));
        info.current_text_value = Some(edit.text.clone());
        info
    });
    if std::mem::take(&mut edit.opened) {
        response.request_focus();
        return;
    }
    if response.lost_focus() {
        if ui.input(|input| input.key_pressed(Key::Enter)) {
            let value = edit.text.clone();
            cx.push(Command::EditRegister { cpu, name: row.name.to_owned(), value });
        }
        if ui.input(|input| input.key_pressed(Key::Enter) || input.key_pressed(Key::Escape)) {
            edit.back = edit.of.take();
        }
        edit.of = None;
    }
}

/// A mark that says "changed" beside the value, not only by colour.
fn gutter(ui: &mut Ui, cx: &Cx<'_>, changed: bool) {
    let (rect, _) = ui.allocate_exact_size(vec2(8.0, 19.0), Sense::hover());
    if changed {
        let (left, y) = (rect.left(), rect.center().y);
        let points = vec![pos2(left, y - 5.0), pos2(left + 7.0, y), pos2(left, y + 5.0)];
        ui.painter().add(egui::Shape::convex_polygon(points, cx.t.changed, egui::Stroke::NONE));
    }
}

fn about(row: &RegisterRow, editable: bool) -> Words {
    let glossary_name = if row.name == "eflags" { "rflags" } else { row.name };
    let mut words = lessons::glossary::register(glossary_name)
        .map(Words::register)
        .or_else(|| Words::term(row.name))
        .or_else(|| Words::term(&row.name.replace('_', "-")))
        .or_else(|| Words::term(row.name.trim_end_matches("_base").trim_end_matches("_limit")))
        .or_else(|| Words::term(if protocol::cpu::GPR_NAMES.contains(&row.name) { "general-register" } else { "" }))
        .unwrap_or_else(|| Words::new(row.label, ""));
    if !words.title.starts_with(row.label) {
        words.title = format!("{}: {}", row.label, words.title);
    }
    if let Some(symbol) = &row.points_at {
        words.says.push_str(&format!(" Points at {symbol}."));
    }
    if editable {
        words.says.push_str(" Click, or press Enter, to change it.");
    }
    words.says = words.says.trim_start().to_owned();
    words
}

/// The segment registers with their hidden parts.
pub fn segments(ui: &mut Ui, cx: &mut Cx<'_>, edit: &mut Editing, cpu: &CpuState) {
    for row in segment_rows(cpu, &cx.model.diff) {
        segment(ui, cx, edit, cpu.cpu, &row);
    }
}

fn segment(ui: &mut Ui, cx: &mut Cx<'_>, edit: &mut Editing, cpu: CpuId, row: &SegmentRow) {
    let selector = RegisterRow {
        name: row.name,
        label: row.label,
        value: u64::from(row.selector),
        digits: 4,
        was: row.was_selector.map(u64::from),
        points_at: None,
    };
    register(ui, cx, edit, cpu, &selector, true, NAMES);
    let t = cx.t;
    let digits = if row.base >> 32 == 0 { 8 } else { 16 };
    let mut job = LayoutJob::default();
    let plain = |text: &str, job: &mut LayoutJob| job.append(text, 0.0, TextFormat::simple(words(13.0), t.weak));
    plain("base ", &mut job);
    let mask = row.was_base.map_or(0, |was| changed_digits(was, row.base));
    hex::append(&mut job, t, row.base, digits, mask, 13.0, t.text);
    plain("  limit ", &mut job);
    let limit_mask = row.was_limit.map_or(0, |was| changed_digits(was, u64::from(row.limit)));
    hex::append(&mut job, t, u64::from(row.limit), 8, limit_mask, 13.0, t.text);
    let was = [row.was_base.map(|was| format!("base {was:x}")), row.was_limit.map(|was| format!("limit {was:x}"))];
    let was: Vec<String> = was.into_iter().flatten().collect();
    ui.horizontal(|ui| {
        gutter(ui, cx, !was.is_empty());
        ui.add_space(2.0);
        let response = ui.label(job);
        cx.value(&response, || Target::register(cpu, &format!("{}_base", row.name), &format!("{} base", row.label)));
        cx.explain(response, || Words::term("hidden-part").unwrap_or_default());
        if !was.is_empty() {
            let was = RichText::new(format!("was {}", was.join(", "))).size(12.0).color(t.weak);
            ui.add(Label::new(was).truncate());
        }
    });
    ui.horizontal(|ui| {
        gutter(ui, cx, row.changed[3]);
        ui.add_space(2.0);
        let mut text = RichText::new(&row.rights).size(13.0).color(t.weak);
        if row.changed[3] {
            text = text.color(t.changed).underline();
        }
        let response = ui.add(Label::new(text).truncate());
        cx.value(&response, || Target::register(cpu, &format!("{}_attr", row.name), &format!("{} rights", row.label)));
        cx.explain(response, || attributes(row));
        if let Some(was) = &row.was_rights {
            let was = RichText::new(format!("was {was}")).size(12.0).color(t.weak);
            ui.add(Label::new(was).truncate());
        }
    });
    if let Some(remark) = &row.remark {
        ui.horizontal(|ui| {
            ui.add_space(16.0);
            ui.add(Label::new(RichText::new(*remark).size(13.0).color(t.changed)).wrap());
        });
    }
    ui.add_space(3.0);
}

/// The set attribute bits, each with its words.
fn attributes(row: &SegmentRow) -> Words {
    let mut says = format!("{}.", row.rights);
    for bit in (0..=16).filter(|bit| row.attributes >> bit & 1 == 1) {
        if let Some(entry) = lessons::glossary::bit("segment", bit) {
            says.push_str(&format!("\n{}: {}", entry.name, entry.title));
        }
    }
    let source = lessons::glossary::register("segment").map(|entry| entry.source.clone()).unwrap_or_default();
    Words { title: format!("{} attributes {:05x}", row.label, row.attributes), says, source }
}
