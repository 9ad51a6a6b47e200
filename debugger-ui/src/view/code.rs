//! The code panel: instructions in the mode the CPU is in, with symbols, the assembly's own comments and breakpoints.
//! The current instruction is marked `>` and by its background; a click in the gutter, or `b`, sets a breakpoint.

use super::Cx;
use crate::command::Command;
use crate::model::code::{CodeInstruction, CodeRow, Repeated};
use crate::ui::hex::count;
use crate::ui::theme::{mono, words};
use crate::ui::tree::{self, Act, Spec};
use crate::ui::words::Words;
use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Align, Layout, Painter, Rect, RichText, Stroke, Ui, pos2, vec2};
use protocol::{CpuId, LinearAddr};

const ROW: f32 = 20.0;
/// Width of the breakpoint gutter and the current mark.
const GUTTER: f32 = 36.0;
const SIZE: f32 = 13.0;

/// Draws the panel.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut tree::State, take_focus: bool) {
    let code = &cx.model.code;
    heading(ui, cx);
    if let Some(why) = &code.empty {
        ui.add_space(12.0);
        ui.label(RichText::new(why).color(cx.t.weak));
    }
    if code.follow && code.current.is_some() && code.current != Some(state.cursor) && !ui.ctx().is_pointer_over_egui() {
        state.cursor = code.current.unwrap_or_default();
    }
    follow(ui, cx, state);
    state.focus |= take_focus;
    let name = format!("Code of {}", code.cpu);
    let spec = Spec { id: "code", name: &name, rows: code.rows.len(), row_height: ROW };
    let (model, t) = (cx.model, cx.t);
    let char_width = ui.fonts_mut(|fonts| fonts.glyph_width(&mono(SIZE), '0'));
    let outcome = tree::show(ui, t, spec, state, |ui, at, rect| match &model.code.rows[at] {
        CodeRow::Label { name, linear } => label(ui, cx, rect, name, *linear),
        CodeRow::Note(text) => {
            let at = rect.left_center() + vec2(GUTTER, 0.0);
            ui.painter().text(at, egui::Align2::LEFT_CENTER, text, words(13.0), t.weak);
            text.clone()
        }
        CodeRow::Instruction(line) => instruction(ui, cx, rect, line, char_width),
    });
    still_out_of_view(ui, cx, state, &outcome.drawn);
    let line_at = |at: usize| match model.code.rows.get(at) {
        Some(CodeRow::Instruction(line)) => Some(line),
        _ => None,
    };
    if let Some((at, act)) = outcome.act
        && let Some(line) = line_at(at)
    {
        let in_gutter = |x: f32| x < outcome.response.rect.left() + GUTTER - 14.0;
        match act {
            Act::Click(point) if in_gutter(point.x) => cx.push(Command::ToggleBreakpoint(line.linear)),
            Act::Open => cx.push(Command::ToggleBreakpoint(line.linear)),
            Act::Right => cx.commands.extend(line.target_linear.map(Command::ShowCode)),
            Act::Left => cx.push(Command::FollowCode(true)),
            Act::Click(_) => {}
        }
    }
    breakpoint_at_cursor(cx, state, outcome.response.has_focus(), line_at(state.cursor));
    if outcome.response.has_focus()
        && let Some(line) = line_at(state.cursor)
    {
        cx.focused = Some(line_words(cx, line));
    }
    if let Some((at, rect)) = outcome.hovered
        && let Some(line) = line_at(at)
    {
        hover(ui, cx, rect, line);
    }
}

/// While the list has the focus, `b` means the cursor's line, not the current instruction.
fn breakpoint_at_cursor(cx: &mut Cx<'_>, state: &tree::State, focused: bool, line: Option<&CodeInstruction>) {
    if let Some(line) = line.filter(|_| focused && Some(state.cursor) != cx.model.code.current) {
        for command in cx.commands.iter_mut().filter(|command| **command == Command::ToggleBreakpointHere) {
            *command = Command::ToggleBreakpoint(line.linear);
        }
    }
}

fn heading(ui: &mut Ui, cx: &mut Cx<'_>) {
    let code = &cx.model.code;
    ui.horizontal(|ui| {
        ui.label(RichText::new("CODE").font(words(12.0)).color(cx.t.weak));
        let whose = if code.ahead {
            format!("{}-bit, where {} is not yet", code.bits, code.cpu)
        } else {
            format!("{}, {}-bit", code.cpu, code.bits)
        };
        ui.label(RichText::new(whose).color(cx.t.text));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let mut follow = code.follow;
            let response = ui.checkbox(&mut follow, "follow");
            let words =
                Words::new("Follow", "The panel shows the CPU's next instruction after every stop. (Left in the list)");
            if cx.explain(response, || words.clone()).changed() {
                cx.push(Command::FollowCode(follow));
            }
            let reads = cx.model.connection.offers.reads_memory();
            cx.button(ui, "go-to", "Go to…", reads);
        });
    });
    ui.add_space(2.0);
}

/// After a move, or when the panel's height changes, the current instruction comes into view.
fn follow(ui: &Ui, cx: &Cx<'_>, state: &mut tree::State) {
    let code = &cx.model.code;
    let height = ui.available_height() as u32;
    let current = code.current.and_then(|at| match &code.rows.get(at)? {
        CodeRow::Instruction(line) => Some((at, line.linear.0, cx.model.timeline.position.0, height)),
        _ => None,
    });
    let id = egui::Id::unique("code follows");
    let before = ui.data(|data| data.get_temp::<Option<(usize, u64, u64, u32)>>(id)).flatten();
    if code.follow && current != before {
        if let Some((at, ..)) = current {
            state.reveal = Some(at);
            state.cursor = at;
        }
        ui.data_mut(|data| data.insert_temp(id, current));
    }
    go_to(ui, cx, state);
}

/// A listing that was exchanged while it was being scrolled may have missed: tries again, but not for ever, and not when
/// the user has scrolled away from an instruction that was in view.
fn still_out_of_view(ui: &Ui, cx: &Cx<'_>, state: &mut tree::State, drawn: &std::ops::Range<usize>) {
    const TRIES: u8 = 4;
    let id = egui::Id::unique("code tries");
    let Some(at) = cx.model.code.current.filter(|_| cx.model.code.follow) else { return };
    let place = (at, cx.model.timeline.position.0);
    let before = ui.data(|data| data.get_temp::<((usize, u64), u8)>(id)).filter(|(other, _)| *other == place);
    let tries = match before {
        _ if drawn.contains(&at) => TRIES,
        Some((_, tries)) if tries >= TRIES => return,
        before => before.map_or(0, |(_, tries)| tries) + 1,
    };
    if !drawn.contains(&at) {
        state.reveal = Some(at);
        ui.ctx().request_repaint();
    }
    ui.data_mut(|data| data.insert_temp(id, (place, tries)));
}

/// Who goes to a place wants to work there: its line gets the cursor and the keyboard, so that `b` means it.
fn go_to(ui: &Ui, cx: &Cx<'_>, state: &mut tree::State) {
    let id = egui::Id::unique("code shows");
    let asked = cx.model.code.shown_row().filter(|_| cx.model.code.peek);
    let before = ui.data(|data| data.get_temp::<Option<LinearAddr>>(id)).flatten();
    let now = asked.map(|(linear, _)| linear);
    if now == before {
        return;
    }
    if let Some((_, row)) = asked {
        (state.cursor, state.reveal, state.focus) = (row, Some(row), true);
    }
    ui.data_mut(|data| data.insert_temp(id, now));
}

fn label(ui: &Ui, cx: &Cx<'_>, rect: Rect, name: &str, linear: LinearAddr) -> String {
    let at = pos2(rect.left() + GUTTER - 10.0, rect.center().y);
    ui.painter().text(at, egui::Align2::LEFT_CENTER, format!("{name}:"), mono(SIZE), cx.t.link);
    format!("label {name} at {linear}")
}

fn instruction(ui: &Ui, cx: &Cx<'_>, rect: Rect, line: &CodeInstruction, char_width: f32) -> String {
    let t = cx.t;
    let painter = ui.painter();
    if line.current {
        painter.rect_filled(rect, 2, t.chosen);
        painter.rect_filled(Rect::from_min_size(rect.min, vec2(3.0, rect.height())), 0, t.focus);
        painter.text(
            pos2(rect.left() + GUTTER - 11.0, rect.center().y),
            egui::Align2::CENTER_CENTER,
            ">",
            mono(14.0),
            t.focus,
        );
    }
    breakpoint(ui, cx, rect, line);
    let address = line.seg_off.map_or_else(|| line.linear.to_string(), |at| at.to_string());
    let columns = match cx.model.code.bits {
        64 => 19,
        32 => 13,
        _ => 9,
    };
    let x = rect.left() + GUTTER;
    let at = |column: usize| x + column as f32 * char_width;
    let text = |column: usize, text: &str, size: f32, colour| {
        let galley = painter.layout_no_wrap(text.to_owned(), mono(size), colour);
        painter.galley(pos2(at(column), rect.center().y - galley.size().y / 2.0), galley, colour);
    };
    text(0, &address, SIZE, t.weak);
    let room = ((rect.right() - x) / char_width) as usize;
    let mut column = columns + 2;
    // The bytes yield to the comments, which tell more.
    if room > columns + 92 {
        let bytes: String = line.bytes.iter().take(8).map(|byte| format!("{byte:02x} ")).collect();
        text(column, &bytes, 12.0, t.weak);
        column += 25;
    }
    let assembly = line.text(cx.model.settings.intel);
    let shown = if assembly.is_empty() { "(not readable)" } else { assembly };
    text(column, shown, SIZE, if line.current { t.strong } else { t.text });
    column += shown.chars().count() + 2;
    if let Some(target) = &line.target {
        text(column, target, SIZE, t.link);
        column += target.chars().count() + 2;
    }
    if !line.comment.is_empty() {
        comment(painter, cx, rect, at(column.max(columns + 24)), &line.comment);
    }
    if let Some(repeated) = line.repeated {
        bracket(painter, cx, rect, repeated);
    }
    if !line.others.is_empty() {
        others_here(painter, cx, rect, &line.others);
    }
    let mut name = String::new();
    if line.current {
        name.push_str("next: ");
    }
    if let Some(number) = line.breakpoint {
        name.push_str(&format!("breakpoint {number}: "));
    }
    if let Some(repeated) = line.repeated.filter(|repeated| repeated.last) {
        name.push_str(&format!("end of a loop, x {} in the last run: ", repeated.times));
    }
    format!("{name}{address} {shown} {}", line.comment)
}

/// A bracket at the right edge of the loop that went round in the last run, with how often.
fn bracket(painter: &Painter, cx: &Cx<'_>, rect: Rect, repeated: Repeated) {
    let (x, stroke) = (rect.right() - 6.0, Stroke::new(2.0, cx.t.link));
    let top = if repeated.first { rect.top() + 3.0 } else { rect.top() };
    let bottom = if repeated.last { rect.bottom() - 3.0 } else { rect.bottom() };
    painter.vline(x, top..=bottom, stroke);
    for (end, y) in [(repeated.first, top), (repeated.last, bottom)] {
        if end {
            painter.hline(x - 6.0..=x, y, stroke);
        }
    }
    if repeated.last {
        let galley = painter.layout_no_wrap(format!("x {}", count(repeated.times)), mono(SIZE), cx.t.link);
        let at = pos2(x - 10.0 - galley.size().x, rect.center().y - galley.size().y / 2.0);
        painter.rect_filled(Rect::from_min_size(at, galley.size()).expand(2.0), 2, cx.t.raised);
        painter.galley(at, galley, cx.t.link);
    }
}

/// The source's comment, cut with a sign where the panel ends; hovering shows it whole.
fn comment(painter: &Painter, cx: &Cx<'_>, rect: Rect, x: f32, comment: &str) {
    let room = rect.right() - 6.0 - x;
    if room < 40.0 {
        return;
    }
    let mut job = LayoutJob::single_section(format!("; {comment}"), TextFormat::simple(mono(12.0), cx.t.weak));
    job.wrap = TextWrapping::truncate_at_width(room);
    let galley = painter.layout_job(job);
    painter.galley(pos2(x, rect.center().y - galley.size().y / 2.0), galley, cx.t.weak);
}

/// A filled circle for a breakpoint, an outline where a click would set one.
fn breakpoint(ui: &Ui, cx: &Cx<'_>, rect: Rect, line: &CodeInstruction) {
    let at = pos2(rect.left() + 12.0, rect.center().y);
    if line.breakpoint.is_some() {
        ui.painter().circle_filled(at, 5.5, cx.t.fault);
        let hit = line.breakpoint == cx.model.breakpoints.hit && line.current;
        if hit {
            ui.painter().circle_stroke(at, 8.0, Stroke::new(1.5, cx.t.fault));
        }
    } else if ui.rect_contains_pointer(rect) {
        ui.painter().circle_stroke(at, 5.0, Stroke::new(1.5, cx.t.frame));
    }
}

/// Other CPUs that stand at the same instruction.
fn others_here(painter: &Painter, cx: &Cx<'_>, rect: Rect, others: &[CpuId]) {
    let text = match others {
        [one] => format!("also {one}"),
        [one, two] => format!("also CPU {} {}", one.0, two.0),
        many => format!("also {} CPUs", many.len()),
    };
    let galley = painter.layout_no_wrap(text, words(12.0), cx.t.text);
    let box_ =
        Rect::from_min_size(rect.right_top() + vec2(-galley.size().x - 12.0, 2.0), galley.size() + vec2(8.0, 2.0));
    painter.rect_filled(box_, 3, cx.t.raised);
    painter.galley(box_.min + vec2(4.0, 1.0), galley, cx.t.text);
}

fn line_words(cx: &Cx<'_>, line: &CodeInstruction) -> Words {
    let mut says = String::new();
    if !line.source.is_empty() {
        says.push_str(&format!("{}\n", line.source));
    }
    if !line.comment.is_empty() {
        says.push_str(&format!("{}\n", line.comment));
    }
    let bytes: Vec<String> = line.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    says.push_str(&format!("Linear {}, bytes {}", line.linear, bytes.join(" ")));
    Words { title: line.text(cx.model.settings.intel).to_owned(), says, source: line.at.clone() }
}

fn hover(ui: &Ui, cx: &mut Cx<'_>, rect: Rect, line: &CodeInstruction) {
    let words = line_words(cx, line);
    cx.hovered = Some(words.clone());
    // Not while the pointer moves, and not for ever where it was left.
    let still = ui.ctx().input(|input| input.pointer.time_since_last_movement());
    if !(0.35..8.0).contains(&still) {
        ui.ctx().request_repaint_after(std::time::Duration::from_millis(360));
        return;
    }
    let id = egui::Id::unique("code line");
    egui::Tooltip::always_open(ui.ctx().clone(), ui.layer_id(), id, egui::PopupAnchor::ParentRect(rect))
        .gap(4.0)
        .show(|ui| words.show(ui));
}
