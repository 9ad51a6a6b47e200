//! The I/O APIC: 24 pins, each with a redirection entry (Intel 82093AA data sheet).

use crate::bus::{InterruptMessage, Outbox};
use protocol::event::Delivery;

/// Physical address of its registers.
pub const BASE: u64 = 0xfec0_0000;
/// Pins.
pub const PINS: usize = 24;

/// Redirection entry: delivery status and remote IRR are read-only.
const READ_ONLY: u64 = 1 << 12 | 1 << 14;
const LOGICAL: u64 = 1 << 11;
const REMOTE_IRR: u64 = 1 << 14;
const LEVEL: u64 = 1 << 15;
const MASKED: u64 = 1 << 16;

/// Its registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoApic {
    id: u8,
    select: u8,
    redirection: [u64; PINS],
    lines: u32,
}

impl Default for IoApic {
    fn default() -> Self {
        Self { id: 0, select: 0, redirection: [MASKED; PINS], lines: 0 }
    }
}

impl IoApic {
    /// Offset into the register window, None where the address is not in it.
    pub fn mmio_offset(&self, paddr: u64) -> Option<u32> {
        paddr.checked_sub(BASE).filter(|&offset| offset < 0x1000).map(|offset| offset as u32)
    }

    /// The window: 00h selects, 10h is the register selected.
    pub fn read(&self, offset: u32) -> u32 {
        match (offset, self.select) {
            (0x00, _) => u32::from(self.select),
            (0x10, 0 | 2) => u32::from(self.id) << 24,
            (0x10, 1) => ((PINS as u32 - 1) << 16) | 0x11,
            (0x10, index @ 0x10..) => {
                let entry = self.redirection.get(usize::from(index - 0x10) / 2).copied().unwrap_or(0);
                if index & 1 == 0 { entry as u32 } else { (entry >> 32) as u32 }
            }
            _ => 0,
        }
    }

    /// A write of the window.
    pub fn write(&mut self, offset: u32, value: u32, out: &mut Outbox) {
        match (offset, self.select) {
            (0x00, _) => self.select = value as u8,
            (0x10, 0) => self.id = (value >> 24) as u8 & 0x0f,
            (0x10, index @ 0x10..) => {
                let pin = usize::from(index - 0x10) / 2;
                let Some(entry) = self.redirection.get_mut(pin) else { return };
                let (shift, keep) = if index & 1 == 0 { (0, 0xffff_ffff_0000_0000) } else { (32, 0xffff_ffff) };
                *entry = *entry & (keep | READ_ONLY) | u64::from(value) << shift & !READ_ONLY;
                // A level-triggered line that is still high sends again once it is unmasked.
                if *entry & LEVEL != 0 && self.lines & 1 << pin != 0 {
                    self.send(pin, out);
                }
            }
            _ => {}
        }
    }

    /// An input line changes: edge-triggered pins send on the rising edge, level-triggered ones while it is high.
    pub fn set_line(&mut self, pin: u8, high: bool, out: &mut Outbox) {
        let was_high = self.lines & 1 << pin != 0;
        self.lines = self.lines & !(1 << pin) | u32::from(high) << pin;
        if high && !was_high {
            self.send(usize::from(pin), out);
        }
    }

    /// A local APIC ended a level-triggered interrupt: pins with that vector may send again.
    pub fn end_of_interrupt(&mut self, vector: u8, out: &mut Outbox) {
        for pin in 0..PINS {
            let entry = &mut self.redirection[pin];
            if *entry & LEVEL != 0 && *entry as u8 == vector && *entry & REMOTE_IRR != 0 {
                *entry &= !REMOTE_IRR;
                if self.lines & 1 << pin != 0 {
                    self.send(pin, out);
                }
            }
        }
    }

    fn send(&mut self, pin: usize, out: &mut Outbox) {
        let entry = &mut self.redirection[pin];
        if *entry & MASKED != 0 || *entry & LEVEL != 0 && *entry & REMOTE_IRR != 0 {
            return;
        }
        if *entry & LEVEL != 0 {
            *entry |= REMOTE_IRR;
        }
        out.interrupts.push(InterruptMessage {
            destination: (*entry >> 56) as u8,
            logical: *entry & LOGICAL != 0,
            delivery: Delivery::from_bits(*entry as u32),
            vector: *entry as u8,
            level: *entry & LEVEL != 0,
        });
    }

    /// Registers in a fixed order, for the state hash.
    pub fn state(&self, mut put: impl FnMut(u64)) {
        put(u64::from(self.id) | u64::from(self.select) << 8 | u64::from(self.lines) << 32);
        self.redirection.iter().for_each(|&entry| put(entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: an edge sends once, a masked pin never; method: toggle the line of pin 4.
    #[test]
    fn edge_and_mask() {
        let (mut ioapic, mut out) = (IoApic::default(), Outbox::default());
        ioapic.set_line(4, true, &mut out);
        assert_eq!(out.interrupts, []);
        ioapic.set_line(4, false, &mut out);
        ioapic.write(0x00, 0x18, &mut out);
        ioapic.write(0x10, 0x24, &mut out);
        ioapic.set_line(4, true, &mut out);
        ioapic.set_line(4, true, &mut out);
        assert_eq!(out.interrupts.len(), 1);
        assert_eq!(out.interrupts[0].vector, 0x24);
    }

    /// Goal: a level stays pending until EOI and comes again while the line is high; method: EOI with the line high.
    #[test]
    fn level_repeats_after_eoi() {
        let (mut ioapic, mut out) = (IoApic::default(), Outbox::default());
        ioapic.write(0x00, 0x1a, &mut out);
        ioapic.write(0x10, 0x8030, &mut out);
        ioapic.set_line(5, true, &mut out);
        assert_eq!(out.interrupts.len(), 1);
        ioapic.end_of_interrupt(0x30, &mut out);
        assert_eq!(out.interrupts.len(), 2);
    }
}
