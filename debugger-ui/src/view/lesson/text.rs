//! Draws a lesson's blocks and spans. Terms are explained on hover and by `?`, keys are the learner's, instructions
//! stand in the learner's syntax, names of symbols lead to the code.

use crate::command::Command;
use crate::ui::keys;
use crate::ui::theme::{mono, words};
use crate::ui::words::Words;
use crate::view::Cx;
use egui::text::{LayoutJob, TextFormat};
use egui::{Align, Color32, FontId, Frame, Label, Margin, RichText, Role, Sense, Ui, WidgetInfo, vec2};
use lessons::player::orders::Act;
use lessons::text::{Block, Span};

/// Size of a lesson's words, in points.
pub const SIZE: f32 = 15.0;

/// Draws blocks, one below the other.
pub fn blocks(ui: &mut Ui, cx: &mut Cx<'_>, blocks: &[Block]) {
    for (at, block) in blocks.iter().enumerate() {
        if at > 0 {
            ui.add_space(5.0);
        }
        ui.push_id(at, |ui| self::block(ui, cx, block));
    }
}

fn block(ui: &mut Ui, cx: &mut Cx<'_>, block: &Block) {
    match block {
        Block::Paragraph(spans) => line(ui, cx, spans, SIZE, cx.t.text),
        Block::List { numbered, items } => {
            for (at, item) in items.iter().enumerate() {
                ui.horizontal_top(|ui| {
                    let mark = if *numbered { format!("{}.", at + 1) } else { "-".to_owned() };
                    let mark = RichText::new(mark).font(words(SIZE)).color(cx.t.weak);
                    ui.add_sized(vec2(18.0, SIZE + 4.0), Label::new(mark));
                    ui.push_id(at, |ui| ui.vertical(|ui| line(ui, cx, item, SIZE, cx.t.text)));
                });
            }
        }
        Block::Code(text) => {
            Frame::new().fill(cx.t.sunken).corner_radius(4).inner_margin(Margin::symmetric(8, 5)).show(ui, |ui| {
                let text = RichText::new(text.trim_end()).font(mono(13.0)).color(cx.t.text);
                ui.add(Label::new(text).selectable(true).wrap());
            });
        }
        Block::Note(spans) => {
            let frame = Frame::new().fill(cx.t.raised).corner_radius(4).inner_margin(Margin::symmetric(8, 5));
            let stroke = cx.t.stroke(1.0, cx.t.hairline);
            frame.stroke(stroke).show(ui, |ui| line(ui, cx, spans, SIZE - 1.0, cx.t.text));
        }
    }
}

/// Draws spans as one paragraph.
pub fn line(ui: &mut Ui, cx: &mut Cx<'_>, spans: &[Span], size: f32, colour: Color32) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(0.0, 2.0);
        ui.spacing_mut().interact_size.y = size + 4.0;
        // Straight into the line, not in parts of their own: only so one span begins where the last one ended.
        let mut rest = spans;
        while let Some(first) = rest.first() {
            let words = rest.iter().take_while(|span| is_words(span)).count();
            if words > 0 {
                ui.add(Label::new(sentence(cx, &rest[..words], size, colour)).selectable(true));
            } else {
                keep_with_sign(ui, cx, first, rest.get(1), size);
                span(ui, cx, first, size);
            }
            rest = &rest[words.max(1)..];
        }
    });
}

/// Words alone, plain or marked.
fn is_words(span: &Span) -> bool {
    matches!(span, Span::Text(_) | Span::Strong(_) | Span::Emphasis(_))
}

/// Words in one piece: so no line begins with the full stop behind a marked word, and a screen reader reads them in one.
fn sentence(cx: &Cx<'_>, spans: &[Span], size: f32, colour: Color32) -> LayoutJob {
    let mut job = LayoutJob::default();
    // A first row is as high as the line it begins in, where chips of code stand in the middle.
    let valign = Align::Center;
    for span in spans {
        let (text, colour, italics) = match span {
            Span::Strong(text) => (text, cx.t.strong, false),
            Span::Emphasis(text) => (text, colour, true),
            Span::Text(text) => (text, colour, false),
            _ => continue,
        };
        job.append(text, 0.0, TextFormat { italics, valign, ..TextFormat::simple(words(size), colour) });
    }
    job
}

/// Begins a new line before something to click if the full stop or comma behind it has no room on this one: it would
/// stand at the head of the next, alone.
fn keep_with_sign(ui: &mut Ui, cx: &Cx<'_>, span: &Span, next: Option<&Span>, size: f32) {
    let Some(Span::Text(next)) = next else { return };
    // With the space behind it: a line is broken after that.
    let sign: String = next.chars().take_while(|sign| ".,;:!?) ".contains(*sign)).collect();
    if sign.trim().is_empty() {
        return;
    }
    let font = if matches!(span, Span::Term { .. } | Span::Link { .. }) { words(size) } else { mono(size - 1.5) };
    let text = plain(std::slice::from_ref(span), cx.model.settings.intel);
    let width = |text: String, font| ui.painter().layout_no_wrap(text, font, Color32::PLACEHOLDER).size().x;
    let frame = if matches!(span, Span::Key(_)) { width("  ".to_owned(), font.clone()) } else { 0.0 };
    let alone = width(text, font) + frame;
    let room = ui.available_size_before_wrap().x;
    if alone <= room && room < alone + width(sign, words(size)) + 1.0 {
        ui.end_row();
    }
}

fn span(ui: &mut Ui, cx: &mut Cx<'_>, span: &Span, size: f32) {
    match span {
        Span::Text(_) | Span::Strong(_) | Span::Emphasis(_) => {} // In `sentence`.
        Span::Code(text) => code(ui, cx, text, size),
        Span::Term { id, text } => term(ui, cx, id, text, size),
        Span::Key(id) => key(ui, cx, id, size),
        Span::Instruction { intel, att } => {
            let text = if cx.model.settings.intel { intel } else { att };
            let text = RichText::new(text).font(mono(size - 1.5)).color(cx.t.strong).background_color(cx.t.sunken);
            ui.add(Label::new(text).selectable(true));
        }
        Span::Link { to, text } => link(ui, cx, to, text, size),
    }
}

/// A value or a name. The name of a symbol leads to its code.
fn code(ui: &mut Ui, cx: &mut Cx<'_>, text: &str, size: f32) {
    let rich = RichText::new(text).font(mono(size - 1.5)).color(cx.t.strong).background_color(cx.t.sunken);
    // A root is data: its bytes would make no sense as code.
    let code_at = cx.model.symbols.address_of(text).filter(|_| cx.model.symbols.root_named(text).is_none());
    let Some(linear) = code_at else {
        ui.add(Label::new(rich).selectable(true));
        return;
    };
    let label = one_piece(ui, rich.color(cx.t.link), text, mono(size - 1.5));
    let response = ui.add(label);
    response.widget_info(|| WidgetInfo::labeled(Role::Link, true, format!("{text}, show its code")));
    let words = || Words::new(text, format!("A place in the code, at {linear}. Enter or a click shows it."));
    if cx.explain(response, words).clicked() {
        cx.push(Command::ShowCode(linear));
    }
}

/// Something to click in a line. It is never broken over two lines: for keyboard and screen reader each further line would
/// be a stop of its own, without a name.
fn one_piece(ui: &Ui, rich: RichText, text: &str, font: FontId) -> Label {
    let width = ui.painter().layout_no_wrap(text.to_owned(), font.clone(), Color32::PLACEHOLDER).size().x;
    let label = Label::new(rich.font(font)).sense(Sense::click());
    if width <= ui.max_rect().width() { label.extend() } else { label.truncate() }
}

/// A term of the glossary: underlined with dots, explained on hover, and by `?` while it has the focus.
fn term(ui: &mut Ui, cx: &mut Cx<'_>, id: &str, text: &str, size: f32) {
    let label = one_piece(ui, RichText::new(text).color(cx.t.strong), text, words(size));
    let response = ui.add(label);
    let (rect, y) = (response.rect, response.rect.bottom() - 1.0);
    let ends = [egui::pos2(rect.left(), y), egui::pos2(rect.right(), y)];
    ui.painter().add(egui::Shape::dotted_line(&ends, cx.t.link, 3.0, 0.8));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{text}, a term; ? explains it")));
    let missing = || Words::new(text, "The glossary has no entry for this term.");
    if cx.explain(response, || explained(id).unwrap_or_else(missing)).clicked() {
        cx.keep_note(explained(id).unwrap_or_else(missing));
    }
}

/// A term, or anything else in the glossary that has an id.
fn explained(id: &str) -> Option<Words> {
    Words::term(id).or_else(|| lessons::glossary::register(id).map(Words::register))
}

/// A key as it stands on the keyboard; the command's own name where it has none.
fn key(ui: &mut Ui, cx: &mut Cx<'_>, id: &str, size: f32) {
    let shown = key_words(id);
    let text = RichText::new(format!(" {shown} ")).font(mono(size - 1.5)).color(cx.t.strong);
    // In one piece: broken over two lines its frame would go round both.
    let response = ui.add(Label::new(text.background_color(cx.t.raised)).extend());
    ui.painter().rect_stroke(response.rect, 3, cx.t.stroke(1.0, cx.t.frame), egui::StrokeKind::Inside);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("key {shown}")));
}

/// What stands for `{key:...}`: the first key of the command, or its name.
pub fn key_words(id: &str) -> String {
    let key = keys::hint(id);
    if !key.is_empty() {
        return key;
    }
    keys::entry(id).map_or_else(|| id.to_owned(), |entry| entry.name.to_owned())
}

/// A link to another step or lesson.
fn link(ui: &mut Ui, cx: &mut Cx<'_>, to: &str, text: &str, size: f32) {
    let response = ui.add(egui::Link::new(RichText::new(text).font(words(size))));
    let (says, command) = match to.split_once(':') {
        Some(("lesson", id)) => {
            ("Opens that lesson. What you did here is kept.", Some(Command::OpenLesson(id.to_owned())))
        }
        Some(("step", id)) => {
            ("Goes to that step, if you were there before.", Some(Command::Lesson(Act::GoTo(id.to_owned()))))
        }
        _ => ("Leads nowhere.", None),
    };
    let name = text.to_owned();
    if cx.explain(response, || Words::new(name.clone(), says)).clicked() {
        cx.commands.extend(command);
    }
}

/// Spans as one plain text: for names, the clipboard, and where only text can stand.
pub fn plain(spans: &[Span], intel: bool) -> String {
    let mut text = String::new();
    for span in spans {
        match span {
            Span::Text(words) | Span::Strong(words) | Span::Emphasis(words) | Span::Code(words) => text.push_str(words),
            Span::Term { text: words, .. } | Span::Link { text: words, .. } => text.push_str(words),
            Span::Key(id) => text.push_str(&key_words(id)),
            Span::Instruction { intel: words, .. } if intel => text.push_str(words),
            Span::Instruction { att, .. } => text.push_str(att),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a sentence reads the same without colours; method: one span of each kind, both syntaxes.
    #[test]
    fn spans_as_text() {
        let word = |text: &str| text.to_owned();
        let spans = [
            Span::Text(word("Press ")),
            Span::Key(word("step-cpu")),
            Span::Text(word(": ")),
            Span::Instruction { intel: word("mov cr0,eax"), att: word("movl %eax, %cr0") },
            Span::Term { id: word("root"), text: word(" sets the root") },
        ];
        assert_eq!(plain(&spans, true), "Press s: mov cr0,eax sets the root");
        assert_eq!(plain(&spans, false), "Press s: movl %eax, %cr0 sets the root");
        assert_eq!(key_words("step-cpu-back"), "Shift+S");
        assert_eq!(key_words("restart"), "Restart", "no key: its name");
        assert_eq!(key_words("no-such"), "no-such");
    }
}
