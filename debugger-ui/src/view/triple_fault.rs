//! A CPU has given up: the chain of faults in words, in the room of code and card, with the way back.

use super::Cx;
use super::lesson::sign::{self, Sign};
use crate::command::{Command, Panel, UiCommand};
use crate::model::Model;
use crate::model::descriptors::Which;
use crate::model::timeline::fault_name;
use crate::ui::theme::words;
use crate::ui::words::Words;
use egui::{Label, RichText, ScrollArea, Ui};
use protocol::event::{EventKind, FaultCause};
use protocol::{Activity, CpuState};

/// The selected CPU is in shutdown.
pub fn any(model: &Model) -> bool {
    model.cpus.selected().is_some_and(|cpu| cpu.activity == Activity::Shutdown)
}

/// Why it is: the chain of its last triple fault.
fn chain<'a>(model: &'a Model, cpu: &CpuState) -> Option<&'a [FaultCause]> {
    model.timeline.past().iter().rev().find_map(|event| match &event.kind {
        EventKind::TripleFault { chain } if event.cpu == cpu.cpu => Some(chain.as_slice()),
        _ => None,
    })
}

/// Draws the page.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>) {
    let Some(cpu) = cx.model.cpus.selected() else { return };
    let chain = chain(cx.model, cpu).unwrap_or(&[]);
    ui.take_available_width();
    ScrollArea::vertical().id_salt("triple fault").auto_shrink(false).show(ui, |ui| {
        ui.add_space(10.0);
        ui.horizontal(|ui| {
            sign::show(ui, Sign::Cross, cx.t.fault);
            let title = format!("{} gave up", cpu.cpu);
            let response =
                ui.add(Label::new(RichText::new(&title).font(words(24.0)).color(cx.t.strong)).selectable(true));
            cx.explain(response, || {
                lessons::glossary::activity(Activity::Shutdown).map(Words::entry).unwrap_or_default()
            });
        });
        let said = "A fault that cannot be handled is not an error message: the processor stops until it is reset. \
                    This is how it came to that.";
        ui.add(Label::new(RichText::new(said).font(words(15.0)).color(cx.t.text)).wrap());
        ui.add_space(10.0);
        for (at, sentence) in sentences(chain).into_iter().enumerate() {
            ui.horizontal_top(|ui| {
                let number = RichText::new(format!("{}", at + 1)).font(words(18.0)).color(cx.t.fault);
                ui.add_sized([26.0, 22.0], Label::new(number));
                ui.vertical(|ui| {
                    let text = RichText::new(&sentence).font(words(16.0)).color(cx.t.strong);
                    let response = ui.add(Label::new(text).wrap().selectable(true));
                    if let Some(link) = chain.get(at) {
                        let entry = || lessons::glossary::vector(link.vector).map(Words::entry).unwrap_or_default();
                        cx.explain(response, entry);
                    }
                });
            });
            ui.add_space(6.0);
        }
        ui.add_space(8.0);
        ui.horizontal_wrapped(|ui| {
            let moves = cx.can_move();
            cx.button(ui, "step-cpu-back", "Step back before 1", moves);
            if let Some(selector) = chain.first().and_then(selector) {
                let label = "Show the descriptor";
                let says = format!("Opens the GDT, in which selector {selector:02x} names the entry.");
                let response = ui.button(label);
                if cx.explain(response, || Words::new(label, &says)).clicked() {
                    cx.push(Command::ShowDescriptorTable(Which::Gdt));
                    cx.push(Command::Ui(UiCommand::Focus(Panel::Descriptors)));
                }
            }
            if cx.model.timeline.can_undo {
                cx.button(ui, "undo", "Undo my edit", moves);
            }
        });
    });
}

/// The GDT's selector that a fault is about: those faults push it as their error code.
fn selector(link: &FaultCause) -> Option<u32> {
    let about_selector = (10..=13).contains(&link.vector);
    // Bit 1: an IDT entry. Bit 2: the LDT.
    link.error.filter(|error| about_selector && error & 6 == 0 && error & 0xfff8 != 0).map(|error| error & 0xfff8)
}

/// The chain as sentences, the last of which says why that was the end.
pub fn sentences(chain: &[FaultCause]) -> Vec<String> {
    let mut sentences: Vec<String> = chain
        .iter()
        .map(|link| {
            let cr2 = link.cr2.map(|linear| format!(" at {linear}")).unwrap_or_default();
            let cause = link.cause.trim_end_matches('.');
            format!("{}{cr2}: {cause}.", fault_name(link.vector, link.error))
        })
        .collect();
    sentences.push("There is no handler for that either: shutdown.".to_owned());
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the descriptor is offered where the first fault names one in the GDT; method: error codes of each kind.
    #[test]
    fn descriptors_are_offered() {
        let link = |vector, error| FaultCause { vector, error, cr2: None, cause: String::new() };
        assert_eq!(selector(&link(11, Some(0x08))), Some(8));
        assert_eq!(selector(&link(13, Some(0x1a))), None, "an IDT entry");
        assert_eq!(selector(&link(13, Some(0))), None, "no selector");
        assert_eq!(selector(&link(14, Some(0x10))), None, "a page fault's bits");
    }

    /// Goal: a shutdown is told as its causes; method: the chain of a jump through an absent descriptor with no IDT.
    #[test]
    fn chains_are_sentences() {
        let link = |vector, error, cause: &str| FaultCause { vector, error, cr2: None, cause: cause.into() };
        let chain = [link(11, Some(8), "descriptor 08 is not present"), link(8, Some(0), "the IDT has limit 0.")];
        let told = sentences(&chain);
        assert_eq!(told[0], "#NP(0008): descriptor 08 is not present.");
        assert_eq!(told[1], "#DF(0000): the IDT has limit 0.");
        assert!(told[2].ends_with("shutdown."));
        assert_eq!(sentences(&[]).len(), 1, "a server that tells no chain");
    }
}
