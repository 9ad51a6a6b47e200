//! A question: what is asked, a field or a list of choices, `Check`, and how it went as sign and word.

use super::text::{self, plain};
use super::{State, sign};
use crate::command::Command;
use crate::ui::theme::{mono, words};
use crate::ui::words::Words;
use crate::view::Cx;
use egui::{Frame, Label, Margin, RichText, Role, Sense, TextEdit, Ui, WidgetInfo};
use lessons::player::orders::Act;
use lessons::player::page::{AnswerState, Choice, Input, Question};

/// Draws a question.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, question: &Question, step: &str) {
    if question.state == AnswerState::Later {
        let says = format!("Then: {}", plain(&question.ask, cx.model.settings.intel));
        ui.add(egui::Label::new(RichText::new(says).font(words(13.5)).color(cx.t.weak)).wrap());
        return;
    }
    let open = !question.state.is_over();
    let edge = if open { cx.t.link } else { cx.t.hairline };
    let frame = Frame::new().fill(cx.t.sunken).corner_radius(5).inner_margin(Margin::symmetric(9, 7));
    frame.stroke(cx.t.stroke(if open { 2.0 } else { 1.0 }, edge)).show(ui, |ui| {
        ui.take_available_width();
        if question.predict {
            let kind = if open { "PREDICTION: the machine has not done it yet" } else { "YOUR PREDICTION" };
            let kind = RichText::new(kind).font(words(12.0)).color(cx.t.link);
            ui.add(egui::Label::new(kind).wrap());
        }
        text::line(ui, cx, &question.ask, text::SIZE, cx.t.strong);
        ui.add_space(4.0);
        if open {
            answer(ui, cx, state, question, step);
        } else {
            given(ui, cx, question);
        }
        verdict(ui, cx, question);
    });
}

/// The field or the choices, and `Check`.
fn answer(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, question: &Question, step: &str) {
    let key = (step.to_owned(), question.number);
    let before = question.given.clone().unwrap_or_default();
    let draft = state.drafts.entry(key).or_insert(before);
    let focus = std::mem::take(&mut state.focus_field);
    let mut enter = false;
    match &question.input {
        Input::Choice(choices) => state.answering |= choose(ui, cx, draft, choices, focus),
        Input::Number { example, .. } | Input::SegOff { example } | Input::Word { example } => {
            let name = if question.predict { "Your prediction" } else { "Your answer" };
            ui.horizontal(|ui| {
                let label = ui.label(RichText::new(format!("{name}:")).color(cx.t.text));
                let width = (ui.available_width() - 8.0).clamp(90.0, 190.0);
                let hint = RichText::new(example).font(mono(13.0)).color(cx.t.weak);
                let field = TextEdit::singleline(draft).hint_text(hint).desired_width(width).font(mono(14.0));
                let response = ui.add(field).labelled_by(label.id);
                if focus {
                    response.request_focus();
                    mark_all(ui, response.id, draft);
                }
                state.answering |= response.has_focus() || response.lost_focus();
                enter = response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
                let says = format!("{} ({example})", says_form(&question.input));
                cx.explain(response, || Words::new(name, says.clone()));
            });
        }
    }
    let text = draft.trim().to_owned();
    ui.add_space(3.0);
    let clicked = cx.plain_button(ui, "check-or-next", "Check", !text.is_empty()).clicked();
    if (clicked || enter) && !text.is_empty() {
        // What is typed next belongs to a field, not to the window's keys.
        state.refocus = enter;
        cx.push(Command::Lesson(act(question, text)));
    }
}

/// Marks what stands in a field, so that typing replaces it.
fn mark_all(ui: &Ui, id: egui::Id, text: &str) {
    let mut state = TextEdit::load_state(ui.ctx(), id).unwrap_or_default();
    let end = egui::text::CCursor::new(text.chars().count());
    state.cursor.set_char_range(Some(egui::text::CCursorRange::two(egui::text::CCursor::new(0), end)));
    state.store(ui.ctx(), id);
}

fn says_form(input: &Input) -> &'static str {
    match input {
        Input::Number { decimal: true, .. } => "A number, in decimal. Enter or Ctrl+Enter checks it.",
        Input::Number { .. } => "A number: 9A000, 0x9a000 and 9a000h are one answer. Enter or Ctrl+Enter checks it.",
        Input::SegOff { .. } => "Segment, colon, offset, in hexadecimal. Enter or Ctrl+Enter checks it.",
        _ => "A word: a symbol, a mode, an activity. Enter or Ctrl+Enter checks it.",
    }
}

/// What the player is told.
pub fn act(question: &Question, text: String) -> Act {
    match question.input {
        Input::Choice(_) => Act::Choose { question: question.number, letter: text },
        _ => Act::Check { question: question.number, text },
    }
}

/// One of several: a list of radio buttons with letters. The draft holds the letter. True: one of them has the focus.
fn choose(ui: &mut Ui, cx: &mut Cx<'_>, draft: &mut String, choices: &[Choice], mut focus: bool) -> bool {
    let mut focused = false;
    for choice in choices {
        let says = plain(&choice.says, cx.model.settings.intel);
        let label = format!("{}  {says}", choice.letter);
        let chosen = *draft == choice.letter;
        ui.horizontal_top(|ui| {
            let response = ui.radio(chosen, RichText::new(&choice.letter).font(words(14.5)).strong());
            response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, chosen, &label));
            if focus && (chosen || !choices.iter().any(|choice| *draft == choice.letter)) {
                focus = false;
                response.request_focus();
            }
            focused |= response.has_focus();
            let title = format!("Answer {}", choice.letter);
            // The words can be clicked too, but are no stop of their own for the keyboard.
            let text = Label::new(RichText::new(&says).font(words(14.5)).color(cx.t.text)).wrap().sense(Sense::CLICK);
            // On the letter's line: its button is a little higher than a line of words.
            let below = |ui: &mut Ui| {
                ui.add_space(2.5);
                ui.add(text)
            };
            let on_words = ui.vertical(below).inner.clicked();
            if cx.explain(response, || Words::new(title.clone(), says.clone())).clicked() || on_words {
                *draft = choice.letter.clone();
            }
        });
    }
    focused
}

/// What was answered, once nothing is left to be done.
fn given(ui: &mut Ui, cx: &mut Cx<'_>, question: &Question) {
    if let Input::Choice(choices) = &question.input {
        let letter = question.right.as_ref().or(question.given.as_ref());
        if let Some(choice) = choices.iter().find(|choice| Some(&choice.letter) == letter) {
            let says = format!("{}  {}", choice.letter, plain(&choice.says, cx.model.settings.intel));
            ui.add(egui::Label::new(RichText::new(says).font(words(14.5)).color(cx.t.strong)).wrap());
            return;
        }
    }
    let Some(right) = question.right.as_ref().or(question.given.as_ref()) else { return };
    ui.horizontal_wrapped(|ui| {
        let label = if question.state == AnswerState::Shown { "The answer:" } else { "Your answer:" };
        ui.label(RichText::new(label).color(cx.t.weak));
        ui.add(egui::Label::new(RichText::new(right).font(mono(14.0)).color(cx.t.strong)).selectable(true));
    });
}

/// A sign and a word, and what there is to say about it.
fn verdict(ui: &mut Ui, cx: &mut Cx<'_>, question: &Question) {
    let word = match question.state {
        // It could not be read, and why is told.
        AnswerState::Open if !question.feedback.is_empty() => "Not counted.",
        AnswerState::Later | AnswerState::Open => return,
        AnswerState::Wrong => "Not yet.",
        AnswerState::Right => "Right.",
        AnswerState::RightAfterLooking => "Right, after looking.",
        AnswerState::Shown => "Shown.",
        AnswerState::Skipped => "Skipped.",
    };
    ui.add_space(3.0);
    let (mark, colour) = match question.state {
        AnswerState::Wrong => (sign::Sign::Cross, cx.t.changed),
        AnswerState::Right | AnswerState::RightAfterLooking => (sign::Sign::Tick, cx.t.good),
        _ => (sign::Sign::Dash, cx.t.weak),
    };
    ui.horizontal_top(|ui| {
        sign::show(ui, mark, colour);
        ui.vertical(|ui| {
            let given = question.given.as_deref().filter(|_| question.state == AnswerState::Wrong);
            let says = given.map_or(word.to_owned(), |given| format!("{word} You answered {given}."));
            let response = ui.add(egui::Label::new(RichText::new(&says).strong().color(colour)).wrap());
            response.widget_info(|| {
                let feedback = plain(&question.feedback, cx.model.settings.intel);
                egui::WidgetInfo::labeled(egui::Role::Label, true, format!("{says} {feedback}"))
            });
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(egui::accesskit::Live::Polite));
            if !question.feedback.is_empty() {
                text::line(ui, cx, &question.feedback, 14.0, cx.t.text);
            }
        });
    });
}
