//! What a step shows: when a panel is needed for the first time, one sentence says what it is.

use super::State;
use crate::ui::theme::words;
use crate::view::Cx;
use egui::{RichText, Ui};
use lessons::player::page::{Page, Show};

/// A new step has begun: notes which panels were never needed before.
pub fn begin(state: &mut State, page: &Page) {
    state.shown = (page.lesson.clone(), page.step_id.clone());
    state.to_top = true;
    for show in &page.show {
        state.introduced.entry(*show).or_insert_with(|| state.shown.clone());
    }
}

/// The sentences about panels that are needed for the first time.
pub fn introductions(ui: &mut Ui, cx: &mut Cx<'_>, state: &State, page: &Page) {
    let here = (page.lesson.clone(), page.step_id.clone());
    let mut new = page.show.iter().filter(|show| state.introduced.get(show) == Some(&here)).peekable();
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
