//! The lesson panel: the step's text, what is to be done, how it went, and the way on. Everything in it comes from
//! [`Page`]; what the learner types and has not checked yet is the view's.
//!
//! `text` draws blocks and spans, `question` a question, `panels` says what a panel is when it is needed first,
//! `ending` the last page with the picture, `follow` keeps what is new in view.

mod ending;
mod follow;
pub(super) mod panels;
mod question;
pub(super) mod sign;
pub mod text;

use super::Cx;
use crate::command::{Command, UiCommand};
use crate::ui::theme::words;
use crate::ui::words::Words;
use egui::{Button, Frame, Margin, ProgressBar, RichText, Role, ScrollArea, Stroke, Ui, WidgetInfo};
use follow::Look;
use lessons::player::orders::Act;
use lessons::player::page::{AnswerState, Page, Task};
use std::collections::BTreeMap;

/// What the panel remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Typed or chosen and not yet checked, by step and question.
    pub(super) drafts: BTreeMap<(String, usize), String>,
    /// The step that is shown: lesson and step id.
    pub(super) shown: (String, String),
    /// The first open field takes the focus.
    focus_field: bool,
    /// Where the picture is saved, as typed.
    picture: String,
    /// Scroll to the top in the next frame.
    to_top: bool,
    /// What was drawn last, to see what is new.
    follow: follow::Follow,
    /// An answer was checked from its field: the field that is open then takes the focus.
    refocus: bool,
    /// A field or a choice of the open question had the focus in the last frame.
    answering: bool,
}

/// Draws the panel.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    ui.take_available_width();
    let Some(page) = cx.model.lessons.page() else {
        nothing_open(ui, cx, take_focus);
        return;
    };
    let to_top = std::mem::take(&mut state.to_top);
    let has_field = page.tasks.iter().any(|task| matches!(task, Task::Question(q) if is_open(q.state)));
    let refocus = std::mem::take(&mut state.refocus);
    let answering = std::mem::take(&mut state.answering);
    let look = state.follow.look(page);
    // Who answers by keyboard goes on so.
    let goes_on = refocus || answering && matches!(look, Some(Look::Task(_)));
    state.focus_field = (take_focus || goes_on) && has_field;
    heading(ui, cx, page, take_focus && !has_field);
    let mut scroll = ScrollArea::vertical().id_salt(("lesson", &page.step_id)).auto_shrink(false);
    if to_top {
        scroll = scroll.vertical_scroll_offset(0.0);
    }
    let foot = footer_height(ui, page);
    scroll.max_height((ui.available_height() - foot).max(60.0)).show(ui, |ui| {
        if let Some(trouble) = &page.trouble {
            told(ui, cx, "Trouble", trouble, cx.t.fault);
        }
        text::blocks(ui, cx, &page.text);
        panels::introductions(ui, cx, page);
        tasks(ui, cx, state, page, look);
        hints(ui, cx, page, look);
        if page.done && !page.then.is_empty() {
            ui.add_space(8.0);
            let then = ui.push_id("then", |ui| text::blocks(ui, cx, &page.then)).response;
            if look == Some(Look::Then) {
                then.scroll_to_me(None);
            }
        }
        if let Some(ending) = &page.ending {
            ending::show(ui, cx, state, ending);
        }
        ui.add_space(8.0);
    });
    footer(ui, cx, page);
}

/// A question that can be answered.
fn is_open(state: AnswerState) -> bool {
    matches!(state, AnswerState::Open | AnswerState::Wrong)
}

fn nothing_open(ui: &mut Ui, cx: &mut Cx<'_>, take_focus: bool) {
    ui.label(RichText::new("LESSON").font(words(12.0)).color(cx.t.weak));
    ui.add_space(6.0);
    if let Some(id) = &cx.model.lessons.awaited {
        ui.label(format!("The lesson {id} is being opened."));
        return;
    }
    ui.label("No lesson is open.");
    ui.add_space(6.0);
    let mut first = take_focus;
    for lesson in crate::model::lesson::shelf() {
        let label = format!("{}, {} min", lesson.title, lesson.minutes);
        let response = ui.button(label);
        if std::mem::take(&mut first) {
            response.request_focus();
        }
        if response.on_hover_text("Open this lesson").clicked() {
            cx.push(Command::OpenLesson(lesson.id.clone()));
        }
    }
}

fn heading(ui: &mut Ui, cx: &mut Cx<'_>, page: &Page, take_focus: bool) {
    ui.horizontal(|ui| {
        ui.label(RichText::new("LESSON").font(words(12.0)).color(cx.t.weak));
        ui.label(RichText::new(progress_words(page)).font(words(13.0)).color(cx.t.weak));
    });
    let title = RichText::new(&page.title).font(words(20.0)).color(cx.t.strong);
    let response = ui.add(egui::Label::new(title).wrap().sense(egui::Sense::click()));
    let label = format!("{}, {}", page.title, progress_words(page));
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, &label));
    if take_focus {
        response.request_focus();
    }
    let goals = Words::new(page.lesson_title.clone(), "The lesson that is open. F1 finds what can be done in it.");
    cx.explain(response, || goals.clone());
    progress_bar(ui, page);
    ui.add_space(4.0);
    if let Some(busy) = &page.busy {
        told(ui, cx, "Wait", busy, cx.t.link);
    } else if page.showing {
        told(ui, cx, "Look", "You are being shown how it goes.", cx.t.link);
    }
}

/// "step 3 of 11", or that it is over.
pub fn progress_words(page: &Page) -> String {
    if page.ending.is_some() { "done".to_owned() } else { format!("step {} of {}", page.step, page.steps) }
}

/// How far, as a bar.
pub fn progress_bar(ui: &mut Ui, page: &Page) {
    let over = if page.ending.is_some() { page.steps } else { page.step.saturating_sub(1) };
    let share = over as f32 / page.steps.max(1) as f32;
    let response = ui.add(ProgressBar::new(share).desired_height(7.0).corner_radius(3));
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, progress_words(page)));
}

/// A sentence with a word in front.
fn told(ui: &mut Ui, cx: &Cx<'_>, word: &str, says: &str, colour: egui::Color32) {
    let frame = Frame::new().fill(cx.t.raised).corner_radius(4).inner_margin(Margin::symmetric(8, 4));
    frame.stroke(Stroke::new(1.5, colour)).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(format!("{word}:")).strong().color(colour));
            let response = ui.add(egui::Label::new(RichText::new(says).color(cx.t.strong)).wrap().selectable(true));
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{word}: {says}")));
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(egui::accesskit::Live::Polite));
        });
    });
    ui.add_space(4.0);
}

fn tasks(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, page: &Page, look: Option<Look>) {
    for (at, task) in page.tasks.iter().enumerate() {
        ui.add_space(7.0);
        let drawn = ui.push_id(("task", at), |ui| match task {
            Task::Question(question) => question::show(ui, cx, state, question, &page.step_id),
            Task::Goal { says, met, open } => goal(ui, cx, says, *met, *open),
            Task::Action { number, label, pressed } => action(ui, cx, page, *number, label, *pressed),
        });
        if look == Some(Look::Task(at)) {
            drawn.response.scroll_to_me(None);
        }
    }
}

fn goal(ui: &mut Ui, cx: &mut Cx<'_>, says: &[lessons::text::Span], met: bool, open: bool) {
    let (sign, colour, word) = match (met, open) {
        (true, _) => (sign::Sign::TickedBox, cx.t.good, "done"),
        (false, true) => (sign::Sign::Box, cx.t.link, "to do"),
        (false, false) => (sign::Sign::Box, cx.t.weak, "later"),
    };
    ui.horizontal_top(|ui| {
        sign::show(ui, sign, colour);
        let label = egui::Label::new(RichText::new(word).font(words(12.0)).color(colour));
        let response = ui.add_sized(egui::vec2(34.0, 19.0), label);
        let name = text::plain(says, cx.model.settings.intel);
        response.widget_info(|| WidgetInfo::selected(Role::CheckBox, false, met, format!("Goal, {word}: {name}")));
        ui.vertical(|ui| text::line(ui, cx, says, 14.5, if met { cx.t.weak } else { cx.t.strong }));
    });
}

fn action(ui: &mut Ui, cx: &mut Cx<'_>, page: &Page, number: usize, label: &str, pressed: bool) {
    let enabled = page.busy.is_none() && cx.can_move();
    let text = if pressed { format!("{label} (again)") } else { label.to_owned() };
    let button = Button::new(RichText::new(text).color(cx.t.strong)).wrap().stroke(Stroke::new(1.5, cx.t.frame));
    let response = ui.add_enabled(enabled, button);
    let says = "Does this to your machine. It is never wrong; the step's place can be reached again.";
    if cx.explain(response, || Words::new(label, says)).clicked() {
        cx.push(Command::Lesson(Act::Do(number)));
    }
}

fn hints(ui: &mut Ui, cx: &mut Cx<'_>, page: &Page, look: Option<Look>) {
    for (at, hint) in page.hints.iter().enumerate() {
        ui.add_space(6.0);
        let drawn = ui.push_id(("hint", at), |ui| {
            let frame = Frame::new().fill(cx.t.raised).corner_radius(4).inner_margin(Margin::symmetric(8, 5));
            frame.show(ui, |ui| {
                ui.take_available_width();
                let response = ui.label(RichText::new(format!("Hint {}", at + 1)).strong().color(cx.t.link));
                ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(egui::accesskit::Live::Polite));
                text::line(ui, cx, hint, 14.5, cx.t.text);
            });
        });
        if look == Some(Look::Hint(at)) {
            drawn.response.scroll_to_me(None);
        }
    }
}

/// Height that the buttons below need.
fn footer_height(ui: &Ui, page: &Page) -> f32 {
    let rows = 1.0 + f32::from(u8::from(page.more_hints > 0 || page.can_show_me || page.can_return));
    rows * (ui.spacing().interact_size.y + 10.0) + 6.0
}

/// Help on the first line, the way on below it.
fn footer(ui: &mut Ui, cx: &mut Cx<'_>, page: &Page) {
    ui.separator();
    let idle = page.busy.is_none();
    if page.more_hints > 0 || page.can_show_me || page.can_return {
        ui.horizontal_wrapped(|ui| {
            if page.more_hints > 0 {
                cx.button(ui, "hint", &format!("Hint ({} left)", page.more_hints), true);
            }
            if page.can_show_me {
                cx.button(ui, "show-me", "Show me", idle);
            }
            if page.can_return {
                cx.button(ui, "lesson-return", "Back to this step's place", idle);
            }
        });
    }
    ui.horizontal_wrapped(|ui| {
        cx.button(ui, "lesson-back", "Back", page.can_back && idle);
        if page.ending.is_some() {
            return;
        }
        let last = page.step == page.steps;
        if page.done {
            let usual = ui.visuals().widgets.clone();
            let widgets = &mut ui.visuals_mut().widgets;
            for widget in [&mut widgets.inactive, &mut widgets.hovered] {
                widget.weak_bg_fill = cx.t.chosen;
                widget.bg_stroke = Stroke::new(2.5, cx.t.link);
            }
            let label = if last { "Finish" } else { "Next" };
            if cx.plain_button(ui, "check-or-next", label, idle).clicked() {
                cx.push(Command::Lesson(Act::Next));
            }
            ui.visuals_mut().widgets = usual;
        } else {
            cx.button(ui, "lesson-skip", "Skip this step", idle);
        }
    });
}

/// What Ctrl+Enter means now: check the first open question that has an answer, else go on.
pub fn check_or_next(state: &State, page: &Page) -> Option<Command> {
    let mut open = page.tasks.iter().filter_map(|task| match task {
        Task::Question(question) if is_open(question.state) => Some(question),
        _ => None,
    });
    if let Some(question) = open.next() {
        let draft = state.drafts.get(&(page.step_id.clone(), question.number));
        let text = draft.map(|draft| draft.trim().to_owned()).filter(|text| !text.is_empty());
        return Some(match text {
            Some(text) => Command::Lesson(question::act(question, text)),
            None => Command::Ui(UiCommand::Focus(crate::command::Panel::Lesson)),
        });
    }
    page.done.then_some(Command::Lesson(Act::Next))
}
