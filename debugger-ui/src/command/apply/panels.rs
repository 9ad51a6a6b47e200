//! Carries out what concerns the memory, descriptor, TLB and machine panels, bookmarks, and the question why.

use super::super::{Command, Reading};
use crate::model::memory::{self, Space};
use crate::model::outbox::Purpose;
use crate::model::timeline::position_words;
use crate::model::why::Target;
use crate::model::{Model, follow_up};
use protocol::request::Direction;

/// Shows or hides a panel; a shown one is read.
pub(super) fn show(model: &mut Model, reading: Reading, shown: bool) {
    match reading {
        Reading::Memory => model.memory.shown = shown,
        Reading::Descriptors => model.descriptors.shown = shown,
        Reading::Tlb => model.tlb.shown = shown,
        Reading::Firmware => model.settings.shown = shown,
        Reading::Screen => model.screen.shown = shown,
    }
    if !shown {
        return;
    }
    match reading {
        Reading::Memory => {
            model.memory.forget();
            follow_memory(model);
        }
        Reading::Descriptors => follow_up::descriptors(model),
        Reading::Tlb => {
            // What was read before the panel was hidden is not the previous stop's.
            model.tlb.forget();
            follow_up::tlb(model);
        }
        Reading::Firmware => follow_up::firmware(model),
        Reading::Screen => follow_up::screen(model),
    }
}

pub(super) fn memory_at(model: &mut Model, text: String, follow: bool) {
    (model.memory.text, model.memory.follow) = (text, follow);
    follow_memory(model);
}

pub(super) fn memory_space(model: &mut Model, space: Space) {
    model.memory.space = space;
    follow_memory(model);
}

fn follow_memory(model: &mut Model) {
    model.memory.resolve(&model.symbols, &model.cpus);
    follow_up::memory(model);
}

pub(super) fn memory_page(model: &mut Model, direction: Direction) {
    model.memory.turn(direction == Direction::Forward, model.cpus.selected);
    follow_up::memory(model);
}

pub(super) fn write_memory(model: &mut Model, at: u64, text: &str) {
    match memory::bytes(text) {
        Ok(bytes) => super::apply(Command::EditMemory { at: model.memory.place(at), bytes }, model),
        Err(why) => model.notice = Some(why),
    }
}

/// Marks where the machine stands, named after where the selected CPU is.
pub(super) fn set_bookmark(model: &mut Model) {
    let position = model.timeline.position;
    let cpu = model.cpus.selected();
    let symbol = cpu.and_then(|cpu| model.symbols.at(cpu.linear_pc())).map(|symbol| symbol.to_string());
    let place = symbol.or_else(|| cpu.map(|cpu| cpu.linear_pc().to_string())).unwrap_or_default();
    let name = format!("{}: {place}", model.cpus.selected);
    match model.bookmarks.set(position, name) {
        Ok(mark) => {
            let words = format!("Bookmark \"{}\" is at step {}.", mark.name, position_words(mark.position));
            model.narrator.tell(position, crate::model::narrator::Tone::Plain, words);
        }
        Err(why) => model.notice = Some(why),
    }
    model.keep_progress();
}

pub(super) fn go_bookmark(model: &mut Model, id: u32) {
    let Some(mark) = model.bookmarks.get(id) else { return };
    let (position, void) = (mark.position, mark.void.clone());
    match void {
        Some(void) => {
            let why = format!("This bookmark is {void}. Undo (u) may bring its future back.");
            model.narrator.refuse(model.timeline.position, why);
        }
        None => super::seek(model, position),
    }
}

/// Asks for the cause of a value; where the answer is known and holds, goes there.
pub(super) fn why(model: &mut Model, target: Option<Target>) {
    let here = model.timeline.position;
    let Some(target) = target else {
        let why = "Choose a value first: Tab to a register, bit, entry or byte, or point at it; then w.".to_owned();
        return model.narrator.refuse(here, why);
    };
    if !model.connection.offers.vendor {
        let why = "This server cannot tell: it keeps no past.".to_owned();
        return model.narrator.refuse(here, why);
    }
    match model.why.place(&target, (here, model.timeline.epoch)) {
        Some((position, cpu)) => {
            if let Some(cpu) = cpu {
                super::select(model, cpu);
            }
            super::apply(Command::Seek(position), model);
        }
        None => {
            let request = target.request();
            model.outbox.read(Purpose::Why(target), request);
        }
    }
}
