//! Carries out what concerns the memory, descriptor and TLB panels.

use super::super::{Command, Reading};
use crate::model::memory::{self, Space};
use crate::model::{Model, follow_up};
use protocol::request::Direction;

/// Shows or hides a panel; a shown one is read.
pub(super) fn show(model: &mut Model, reading: Reading, shown: bool) {
    match reading {
        Reading::Memory => model.memory.shown = shown,
        Reading::Descriptors => model.descriptors.shown = shown,
        Reading::Tlb => model.tlb.shown = shown,
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
