//! The last page: the numbers that the learner computed, how it went, why, the picture and where to go next.

use super::{State, text};
use crate::command::Command;
use crate::ui::theme::{mono, words};
use crate::ui::words::Words;
use crate::view::Cx;
use egui::{Button, Grid, RichText, Stroke, TextEdit, Ui};
use lessons::player::page::{Ending, Score};

/// Draws the end.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, ending: &Ending) {
    ui.push_id("end words", |ui| text::blocks(ui, cx, &ending.text));
    if !ending.numbers.is_empty() {
        ui.add_space(8.0);
        ui.label(RichText::new("YOUR NUMBERS").font(words(12.0)).color(cx.t.weak));
        Grid::new("numbers").num_columns(2).spacing([12.0, 4.0]).show(ui, |ui| {
            for (label, value) in &ending.numbers {
                ui.add(egui::Label::new(RichText::new(label).font(words(14.0)).color(cx.t.text)).extend());
                let value = RichText::new(value).font(mono(14.0)).color(cx.t.strong);
                ui.add(egui::Label::new(value).selectable(true));
                ui.end_row();
            }
        });
    }
    ui.add_space(6.0);
    ui.add(egui::Label::new(RichText::new(score_words(ending.score)).color(cx.t.weak)).wrap());
    picture(ui, cx, state);
    next(ui, cx, ending);
    if !ending.why.is_empty() {
        ui.add_space(10.0);
        ui.label(RichText::new("WHY").font(words(12.0)).color(cx.t.weak));
        ui.push_id("why", |ui| text::blocks(ui, cx, &ending.why));
    }
}

/// How it went, in words.
pub fn score_words(score: Score) -> String {
    let parts = [
        (score.first, "right at once"),
        (score.later, "right after another try"),
        (score.after_looking, "right after looking"),
        (score.shown, "shown"),
        (score.skipped, "skipped"),
    ];
    let words: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")).collect();
    if words.is_empty() { "No questions.".to_owned() } else { format!("Questions: {}.", words.join(", ")) }
}

/// The field for the path, and the button.
fn picture(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State) {
    if state.picture.is_empty() {
        state.picture.clone_from(&cx.model.lessons.picture_path);
    }
    ui.add_space(10.0);
    ui.label(RichText::new("A PICTURE OF YOUR RUN").font(words(12.0)).color(cx.t.weak));
    let label = ui.label(RichText::new("The lanes and your numbers, as a PNG file:").color(cx.t.text));
    let field = TextEdit::singleline(&mut state.picture).desired_width(f32::INFINITY).font(mono(12.5));
    let response = ui.add(field).labelled_by(label.id);
    let says = "A path that ends in .png or .svg. A file of that name is replaced.";
    cx.explain(response, || Words::new("Where the picture is saved", says));
    let path = state.picture.trim().to_owned();
    let response = ui.add_enabled(!path.is_empty(), Button::new("Save picture"));
    let response = cx.explain(response, || Words::new("Save picture", "Writes the picture to this file."));
    if response.clicked() {
        cx.push(Command::SavePicture(path));
    }
    if let Some(told) = &cx.model.lessons.picture_told {
        let response = ui.add(egui::Label::new(RichText::new(told).color(cx.t.strong)).wrap().selectable(true));
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(egui::accesskit::Live::Polite));
    }
}

fn next(ui: &mut Ui, cx: &mut Cx<'_>, ending: &Ending) {
    ui.add_space(10.0);
    ui.horizontal_wrapped(|ui| {
        if let Some((id, title)) = &ending.next {
            let known = crate::model::lesson::shelf().iter().any(|lesson| lesson.id == *id);
            let label = format!("Next lesson: {title}");
            let button = Button::new(RichText::new(&label).color(cx.t.strong)).stroke(Stroke::new(2.5, cx.t.link));
            let says = if known { "Opens it. This one is kept." } else { "This program does not have it." };
            let response = ui.add_enabled(known, button.wrap());
            if cx.explain(response, || Words::new(&label, says)).clicked() {
                cx.push(Command::OpenLesson(id.clone()));
            }
        }
        cx.button(ui, "leave-lesson", "Explore freely", true);
        cx.button(ui, "lesson-again", "Play it again", true);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the score is a sentence that leaves out what did not happen; method: some and none.
    #[test]
    fn scores() {
        let score = Score { first: 7, after_looking: 1, ..Score::default() };
        assert_eq!(score_words(score), "Questions: 7 right at once, 1 right after looking.");
        assert_eq!(score_words(Score::default()), "No questions.");
    }
}
