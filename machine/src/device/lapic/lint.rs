//! Local interrupt pins: LINT0 has the 8259 pair's output, LINT1 the NMI (SDM 3A, "Local Vector Table"; MP specification,
//! "Virtual Wire Mode"). What a pin does to the processor is what its LVT entry says; [`crate::bus::routing`] carries it out.
//!
//! NMI, SMI and INIT come by an edge whatever the entry's trigger mode, ExtINT by the level, and fixed interrupts by either
//! on LINT0, by an edge on LINT1. An edge that meets a masked entry is lost.

use super::{BASE_ENABLE, LVT_MASKED, Lapic, SVR_ENABLE, lvt};
use crate::bus::Outbox;
use protocol::event::Delivery;

/// LVT: delivery mode ExtINT.
const DELIVER_EXTINT: u32 = 7 << 8;
/// LVT: delivery mode NMI.
const DELIVER_NMI: u32 = 4 << 8;
/// LVT: the pin is active when its wire is low.
const ACTIVE_LOW: u32 = 1 << 13;
/// LVT: a level-triggered interrupt was accepted and is not ended yet.
const REMOTE_IRR: u32 = 1 << 14;
/// LVT: level-triggered.
const LEVEL: u32 = 1 << 15;

/// A wire that leads to a pin: how it is, and what it did since it was last looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// It is high.
    pub high: bool,
    /// It went from low to high.
    pub rose: bool,
    /// It went from high to low.
    pub fell: bool,
}

impl Wire {
    /// High for a moment.
    pub const PULSE: Self = Self { high: false, rose: true, fell: true };
}

/// What a pin signals to its processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Fixed, SMI, NMI or INIT.
    pub delivery: Delivery,
    /// Vector, of a fixed interrupt.
    pub vector: u8,
    /// It is level-triggered: [`Lapic::lint0_accepted`] is to be told.
    pub level: bool,
}

/// What an entry makes of its wire. Nothing: masked, no edge, ExtINT, or a delivery mode that is reserved here.
fn signal(entry: u32, wire: Wire) -> Option<Local> {
    let is_low_active = entry & ACTIVE_LOW != 0;
    let edge = if is_low_active { wire.fell } else { wire.rose };
    let (delivery, level) = match entry >> 8 & 7 {
        0 => (Delivery::Fixed, entry & LEVEL != 0),
        2 => (Delivery::Smi, false),
        4 => (Delivery::Nmi, false),
        5 => (Delivery::Init, false),
        _ => return None,
    };
    let comes = if level { wire.high != is_low_active && entry & REMOTE_IRR == 0 } else { edge };
    (comes && entry & LVT_MASKED == 0).then_some(Local { delivery, vector: entry as u8, level })
}

impl Lapic {
    /// The processor is asked for an interrupt whose vector the 8259 pair gives: by LINT0 as ExtINT, or past an APIC that is
    /// switched off, where the pin is the processor's INTR.
    pub fn asks_extint(&self, wire: Wire) -> bool {
        let entry = self.lvt[lvt::LINT0];
        if self.base & BASE_ENABLE == 0 {
            return wire.high;
        }
        entry & LVT_MASKED == 0 && entry >> 8 & 7 == DELIVER_EXTINT >> 8 && wire.high != (entry & ACTIVE_LOW != 0)
    }

    /// What LINT0 signals, ExtINT aside.
    pub fn lint0(&self, wire: Wire) -> Option<Local> {
        signal(self.lvt[lvt::LINT0], wire).filter(|_| self.base & BASE_ENABLE != 0)
    }

    /// What LINT1 signals. It has no level-triggered interrupts. With the APIC switched off it is the processor's NMI.
    pub fn lint1(&self, wire: Wire) -> Option<Local> {
        let entry = if self.base & BASE_ENABLE == 0 { DELIVER_NMI } else { self.lvt[lvt::LINT1] };
        signal(entry & !LEVEL, wire)
    }

    /// The level-triggered interrupt that [`Lapic::lint0`] signalled was accepted: the next one waits for its end.
    pub fn lint0_accepted(&mut self) {
        self.lvt[lvt::LINT0] |= REMOTE_IRR;
    }

    /// A level-triggered interrupt has ended: where it was LINT0's, the pin counts again.
    pub(super) fn lint0_ended(&mut self, vector: u8, out: &mut Outbox) {
        let entry = &mut self.lvt[lvt::LINT0];
        if *entry & REMOTE_IRR != 0 && *entry as u8 == vector {
            *entry &= !REMOTE_IRR;
            out.lines_changed = true;
        }
    }

    /// Remote IRR of LINT0 after its entry was written. It means something for fixed, level-triggered interrupts only, and
    /// belongs to the vector that was accepted.
    pub(super) fn kept_remote_irr(old: u32, new: u32) -> u32 {
        let is_same = (old ^ new) & 0xff == 0 && new >> 8 & 7 == 0 && new & LEVEL != 0;
        if is_same { old & REMOTE_IRR } else { 0 }
    }

    /// As a PC's firmware leaves the boot processor's: enabled, the 8259 pair on LINT0, NMI on LINT1.
    pub fn set_virtual_wire(&mut self) {
        self.svr |= SVR_ENABLE;
        self.lvt[lvt::LINT0] = DELIVER_EXTINT;
        self.lvt[lvt::LINT1] = DELIVER_NMI;
    }
}

#[cfg(test)]
mod tests;
