//! The layout for a projector: lanes, narrator and one big panel; a ring round the pointer; an open question fills the
//! panel as a poll that is answered by raising hands. [`crate::ui::tokens::LECTURE`] makes everything large and light.

use super::lesson::{progress_words, text};
use super::{Cx, View, code, cpu_card, lanes, layout, lesson, narrator, page_tables, transport, triple_fault};
use crate::command::{Command, Panel as Place, UiCommand};
use crate::ui::theme::words;
use egui::{CentralPanel, Frame, Label, Margin, Panel, RichText, ScrollArea, Stroke, Ui};
use lessons::player::orders::Act;
use lessons::player::page::{AnswerState, Input, Page, Question, Task};

/// Draws everything below the menu.
pub fn show(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>) {
    let take = view.takes_focus(Place::Lanes);
    let height = lanes::height(cx.model, ui.available_height());
    let frame = Frame::new().fill(cx.t.sunken);
    Panel::top("lecture lanes").frame(frame).resizable(false).exact_size(height).show(ui, |ui| {
        lanes::show(ui, cx, &mut view.lanes, take);
    });
    let sentence = Frame::new().fill(cx.t.raised).inner_margin(Margin::symmetric(10, 7));
    Panel::top("lecture narrator").frame(sentence).resizable(false).show(ui, |ui| narrator::show(ui, cx));
    let bar = layout::bar(cx);
    Panel::bottom("lecture transport")
        .frame(bar)
        .resizable(false)
        .show(ui, |ui| transport::show(ui, cx, transport::Buttons::Few));
    reveals(cx);
    CentralPanel::default().frame(layout::column(cx)).show(ui, |ui| big_panel(view, ui, cx));
    pointer_ring(ui, cx);
}

/// The question that the room is asked now.
fn asked(page: &Page) -> Option<&Question> {
    let questions = || {
        page.tasks.iter().filter_map(|task| match task {
            Task::Question(question) if question.state != AnswerState::Later => Some(question),
            _ => None,
        })
    };
    questions().find(|question| !question.state.is_over()).or_else(|| questions().next_back())
}

/// While a question is open, `r` reveals its answer, instead of running until the CPU wakes.
fn reveals(cx: &mut Cx<'_>) {
    let Some(page) = cx.model.lessons.page() else { return };
    let open = asked(page).is_some_and(|question| !question.state.is_over());
    if open && cx.commands.contains(&Command::RunToWake) {
        cx.commands.retain(|command| *command != Command::RunToWake);
        reveal(cx, page);
    }
}

/// The machine does it and the answer is shown. A learner uses up the hints before that; a room has raised its hands.
fn reveal(cx: &mut Cx<'_>, page: &Page) {
    cx.commands.extend((0..page.more_hints).map(|_| Command::Lesson(Act::Hint)));
    cx.push(Command::Lesson(Act::ShowMe));
}

fn big_panel(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>) {
    if let Some(place @ (Place::Code | Place::Cpu | Place::PageTables | Place::Lesson)) = view.focus {
        view.lecture = place;
    }
    ui.horizontal(|ui| {
        for (place, label) in
            [(Place::Lesson, "Lesson"), (Place::Code, "Code"), (Place::Cpu, "CPU"), (Place::PageTables, "Page tables")]
        {
            let open = view.lecture == place;
            let response = ui.add(egui::Button::selectable(open, label)).on_hover_text("Show this large");
            response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Tab, true, open, label));
            if response.clicked() {
                cx.push(Command::Ui(UiCommand::Focus(place)));
            }
        }
    });
    let place = view.lecture;
    let take = view.takes_focus(place);
    if triple_fault::any(cx.model) && place != Place::Lesson {
        return triple_fault::show(ui, cx);
    }
    match (place, cx.model.lessons.page()) {
        (Place::Cpu, _) => cpu_card::show(ui, cx, &mut view.card, take),
        (Place::PageTables, _) => {
            if !cx.model.page_tables.shown {
                cx.push(Command::ShowPageTables(true));
            }
            page_tables::show(ui, cx, &mut view.tables, take);
        }
        (Place::Lesson, Some(page)) => match asked(page) {
            Some(question) => poll(ui, cx, page, question),
            None => lesson::show(ui, cx, &mut view.lesson, take),
        },
        (Place::Lesson, None) => lesson::show(ui, cx, &mut view.lesson, take),
        _ => code::show(ui, cx, &mut view.code, take),
    }
}

/// The question large, its answers as A to D.
fn poll(ui: &mut Ui, cx: &mut Cx<'_>, page: &Page, question: &Question) {
    ui.label(RichText::new(format!("{}, {}", page.title, progress_words(page))).color(cx.t.weak));
    let over = question.state.is_over();
    ScrollArea::vertical().id_salt("poll").auto_shrink(false).show(ui, |ui| {
        // Not below the scroll bar, which lies over what is scrolled.
        ui.set_max_width(ui.available_width() - ui.spacing().scroll.allocated_width().max(10.0));
        text::line(ui, cx, &question.ask, 19.0, cx.t.strong);
        ui.add_space(6.0);
        if let Input::Choice(choices) = &question.input {
            for choice in choices {
                let right = over && question.right.as_deref() == Some(choice.letter.as_str());
                answer_box(ui, cx, &choice.letter, &text::plain(&choice.says, cx.model.settings.intel), right);
            }
        } else if !over {
            ui.label(RichText::new("What do you say?").font(words(16.0)).color(cx.t.text));
        }
        if over {
            let letter_only = matches!(question.input, Input::Choice(_));
            if let Some(right) = question.right.as_ref().filter(|_| !letter_only) {
                answer_box(ui, cx, "", right, true);
            }
            text::line(ui, cx, &question.feedback, 16.0, cx.t.text);
        }
        ui.add_space(8.0);
        ui.horizontal(|ui| {
            if over {
                let id = if page.done { "lesson-next" } else { "lesson-skip" };
                cx.button(ui, id, "Go on", page.busy.is_none());
            } else {
                let button = egui::Button::new("Reveal").right_text(RichText::new("r").monospace());
                let response = ui.add_enabled(page.busy.is_none(), button);
                if response.on_hover_text("The machine does it, and the answer is shown").clicked() {
                    reveal(cx, page);
                }
            }
        });
    });
}

/// A letter and an answer; the right one, once revealed, has a tick, a word and a thick frame.
fn answer_box(ui: &mut Ui, cx: &Cx<'_>, letter: &str, says: &str, right: bool) {
    let (width, colour) = if right { (3.0, cx.t.good) } else { (1.5, cx.t.frame) };
    let frame = Frame::new().fill(cx.t.raised).corner_radius(5).inner_margin(Margin::symmetric(10, 5));
    frame.stroke(Stroke::new(width, colour)).show(ui, |ui| {
        ui.take_available_width();
        ui.horizontal(|ui| {
            if !letter.is_empty() {
                ui.label(RichText::new(letter).font(words(19.0)).strong().color(cx.t.strong));
            }
            if right {
                lesson::sign::show(ui, lesson::sign::Sign::Tick, cx.t.good);
                ui.label(RichText::new("right:").font(words(16.0)).color(cx.t.good));
            }
            ui.add(Label::new(RichText::new(says).font(words(17.0)).color(cx.t.strong)).wrap());
        });
    });
    ui.add_space(2.0);
}

/// What the teacher points at.
fn pointer_ring(ui: &Ui, cx: &Cx<'_>) {
    let Some(at) = ui.ctx().pointer_latest_pos() else { return };
    let layer = egui::LayerId::new(egui::Order::Tooltip, egui::Id::unique("pointer ring"));
    let painter = egui::Painter::new(ui.ctx().clone(), layer, ui.ctx().content_rect());
    painter.circle_stroke(at, 20.0, Stroke::new(5.0, cx.t.sunken));
    painter.circle_stroke(at, 20.0, Stroke::new(3.0, cx.t.fault));
}
