//! The last page: the numbers that the learner computed, how it went, why, the picture and where to go next.

use super::{State, text};
use crate::command::Command;
use crate::ui::theme::{mono, words};
use crate::ui::words::Words;
use crate::view::Cx;
use egui::{Button, Grid, RichText, Stroke, TextEdit, Ui};
use lessons::player::page::{Ending, Score};
use protocol::request::MachineConfig;

/// Draws the end.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, ending: &Ending) {
    ui.push_id("end words", |ui| text::blocks(ui, cx, &ending.text));
    if !ending.numbers.is_empty() {
        ui.add_space(8.0);
        ui.label(RichText::new("YOUR NUMBERS").font(words(12.0)).color(cx.t.weak));
        Grid::new("numbers").num_columns(2).spacing([12.0, 4.0]).show(ui, |ui| {
            for (label, value) in &ending.numbers {
                // A column would be as narrow as the longest syllable.
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
        again(ui, cx, ending);
        cx.button(ui, "leave-lesson", "Explore freely", true);
        cx.button(ui, "lesson-again", "Play it again", true);
    });
}

/// The way once more, on a machine with more CPUs, without a lesson.
fn again(ui: &mut Ui, cx: &mut Cx<'_>, ending: &Ending) {
    let (Some((label, cpus)), Some(hello)) = (&ending.again, &cx.model.connection.hello) else { return };
    let config = with_cpus(&hello.config, *cpus);
    let button = Button::new(RichText::new(label).color(cx.t.strong)).stroke(Stroke::new(2.5, cx.t.link));
    let response = ui.add_enabled(cx.can_move(), button.wrap());
    let says = "Leaves the lesson, which is kept, and starts such a machine: run it, and click its lanes.";
    if cx.explain(response, || Words::new(label, says)).clicked() {
        cx.push(Command::LeaveLesson);
        cx.push(Command::RestartWith(config));
    }
}

/// The same machine with so many CPUs, their APIC IDs in order.
fn with_cpus(config: &MachineConfig, cpus: u16) -> MachineConfig {
    MachineConfig { cpus, apic_ids: Vec::new(), ..config.clone() }
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

    /// Goal: the larger machine differs in its CPUs alone; method: a lesson's machine with APIC IDs of its own.
    #[test]
    fn more_cpus() {
        let options = "bringup=serial trampoline=0x8c000".to_owned();
        let (apic_ids, memory_bytes) = (vec![0, 4], 128 << 20);
        let config = MachineConfig {
            cpus: 2,
            apic_ids,
            memory_bytes,
            quantum: 64,
            seed: None,
            options,
            cpu_quirks: Vec::new(),
            firmware: Default::default(),
        };
        let larger = with_cpus(&config, 8);
        assert_eq!((larger.cpus, larger.apic_ids.as_slice()), (8, [].as_slice()));
        assert_eq!((larger.memory_bytes, larger.options), (config.memory_bytes, config.options));
    }
}
