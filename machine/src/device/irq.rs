//! ISA interrupt lines, each wired to an input of the 8259 pair and to a pin of the I/O APIC, as PC chipsets do.

use super::ioapic::IoApic;
use super::pic8259::Pic;
use crate::bus::Outbox;

/// Both interrupt controllers of the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Irq {
    /// The 8259 pair.
    pub pic: Pic,
    /// I/O APIC.
    pub ioapic: IoApic,
}

impl Irq {
    /// An ISA line (0 to 15) changes. Line 0 is pin 2 of the I/O APIC, where the 8259's output would be; the others are the
    /// pins of their numbers. Line 2 does not exist: it is where the second 8259 comes in.
    pub fn set_line(&mut self, line: u8, high: bool, out: &mut Outbox) {
        if self.pic.set_line(line, high) {
            out.lines_changed = true;
        }
        self.ioapic.set_line(if line == 0 { 2 } else { line }, high, out);
    }
}
