//! What a step shows: when a panel is needed for the first time, one sentence says what it is.

use super::State;
use crate::ui::theme::words;
use crate::view::Cx;
use egui::{RichText, Ui};
use lessons::lesson::{Lesson, Step};
use lessons::player::page::{Page, Show};
use std::sync::Arc;

/// A new step has begun.
pub fn begin(state: &mut State, page: &Page) {
    state.shown = (page.lesson.clone(), page.step_id.clone());
    state.to_top = true;
}

/// A panel is introduced by the first step of the course that needs it: in no lesson that comes before this one, and in
/// no step before. That follows from the lessons, so that whoever resumes one is not told everything again.
fn is_new(shelf: &[Arc<Lesson>], page: &Page, show: Show) -> bool {
    let Some(lesson) = shelf.iter().find(|lesson| lesson.id == page.lesson) else { return true };
    if lesson.steps.iter().all(|step| step.id != page.step_id) {
        return true;
    }
    let shows = |step: &Step| step.show.iter().any(|item| item.panel == show);
    let mut before = lesson.needs.clone();
    while let Some(id) = before.pop() {
        let Some(earlier) = shelf.iter().find(|lesson| lesson.id == id) else { continue };
        if earlier.steps.iter().any(shows) {
            return false;
        }
        before.extend(earlier.needs.iter().cloned());
    }
    lesson.steps.iter().find(|step| shows(step)).is_some_and(|step| step.id == page.step_id)
}

/// The sentences about panels that are needed for the first time.
pub fn introductions(ui: &mut Ui, cx: &mut Cx<'_>, page: &Page) {
    let shelf = crate::model::lesson::shelf();
    let mut new = page.show.iter().filter(|show| is_new(shelf, page, **show)).peekable();
    if new.peek().is_some() {
        ui.add_space(6.0);
    }
    for show in new {
        let (name, says) = introduction(*show);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 5.0;
            ui.label(RichText::new(name).font(words(13.0)).strong().color(cx.t.link));
            ui.add(egui::Label::new(RichText::new(says).font(words(13.0)).color(cx.t.weak)).wrap());
        });
    }
}

/// A panel's name, and what it is.
pub fn introduction(show: Show) -> (&'static str, &'static str) {
    match show {
        Show::Lanes => ("Lanes", "above: one row for each processor, time runs to the right, NOW is where you stand."),
        Show::Code => ("Code", "in the middle: what the chosen CPU executes; > marks its next instruction."),
        Show::Cpu => ("CPU", "at the right: how the chosen CPU works now, and what its last step changed."),
        Show::Registers => ("All registers", "in the CPU's card: every register; what changed is underlined."),
        Show::Segments => ("Segments", "in the CPU's card: each selector, and the hidden part behind it."),
        Show::SystemRegisters => ("System registers", "in the CPU's card: CR0 to CR4 and more; a click changes one."),
        Show::PageTables => ("Page tables", "how this CPU turns linear addresses into physical ones."),
        Show::TwoRoots => ("Two roots", "two sets of page tables side by side; what they share is joined."),
        Show::Tlb => ("TLB", "translations that this CPU remembers, whatever the tables say now."),
        Show::Gdt => ("GDT", "the descriptors that selectors name, decoded."),
        Show::Idt => ("IDT", "where each interrupt and fault would go."),
        Show::Memory => ("Memory", "bytes as they stand in RAM; a click changes one."),
        Show::Console => ("Console", "below: what the kernel prints, and where you type to it."),
        Show::Events => ("Events", "below: everything that happened, as a list."),
        Show::Apic => ("APIC", "in the CPU's card: the part that sends and receives interrupts between CPUs."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: each panel is introduced once in the course, where it is needed first. Method: ask for every step of the
    /// embedded lessons.
    #[test]
    fn introduced_once() {
        let shelf = crate::model::lesson::shelf();
        let mut told: Vec<(Show, &str)> = Vec::new();
        for lesson in shelf {
            for step in &lesson.steps {
                let page = Page { lesson: lesson.id.clone(), step_id: step.id.clone(), ..Page::default() };
                for item in &step.show {
                    if is_new(shelf, &page, item.panel) {
                        told.push((item.panel, &step.id));
                    }
                }
            }
        }
        assert!(told.contains(&(Show::Lanes, "two-lanes")) && told.contains(&(Show::Console, "a-knock")), "{told:?}");
        for (at, (show, step)) in told.iter().enumerate() {
            assert!(told[at + 1..].iter().all(|(other, _)| other != show), "{show:?} again at {step}: {told:?}");
        }
    }
}
