//! Devices: each is its registers (plain data), reads and writes, and a view of the clock handed in.
//!
//! Reached from [`crate::bus`]. Local APICs are a CPU's own, see [`lapic`].

pub mod acpi_pm;
pub mod cmos;
pub mod fw_cfg;
pub mod i8042;
pub mod ide;
pub mod ioapic;
pub mod irq;
pub mod lapic;
pub mod nvram;
pub mod pic8259;
pub mod pit;
pub mod rom;
pub mod test_memory;
pub mod uart16550;
pub mod vga;

use crate::bus::Outbox;

/// The devices of the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// The 8259 pair and the I/O APIC.
    pub irq: irq::Irq,
    /// Interval timer: channel 0 on line 0; channel 2 and its gate at port 61h.
    pub pit: pit::Pit,
    /// First serial port.
    pub uart: uart16550::Uart,
    /// Keyboard controller: self tests, reset, A20.
    pub i8042: i8042::I8042,
    /// Clock and CMOS memory.
    pub cmos: cmos::Cmos,
    /// Text mode's registers.
    pub vga: vga::Vga,
    /// Power management: timer and power-off.
    pub acpi_pm: acpi_pm::AcpiPm,
    /// QEMU's description of the machine.
    pub fw_cfg: fw_cfg::FwCfg,
    /// Disks.
    pub ide: ide::Ide,
    /// Firmware at the top of 4 GiB.
    pub rom: rom::Rom,
    /// Port CF8h: which PCI register CFCh would be.
    pub pci_address: u32,
    /// The firmware's variables.
    pub nvram: nvram::Nvram,
    /// Port CF9h.
    pub reset_control: u8,
    /// Port 80h: the last progress code.
    pub post_code: u8,
    /// Memory of QEMU's pc-testdev.
    pub test_memory: test_memory::TestMemory,
    /// Ports E0h to E3h, also seen at E8h: bytes that QEMU's pc-testdev keeps for test programs.
    pub test_bytes: [u8; 4],
}

impl Devices {
    /// When one of the timers has something to do next.
    pub fn deadline_ns(&self) -> Option<u64> {
        self.pit.deadline_ns().into_iter().chain(self.cmos.deadline_ns()).min()
    }

    /// Time went on: timers that are due raise their lines.
    pub fn tick(&mut self, now_ns: u64, out: &mut Outbox) {
        if self.pit.tick(now_ns) {
            // The output was low in between, if only for a moment.
            self.irq.set_line(0, false, out);
            self.irq.set_line(0, true, out);
        }
        if self.cmos.deadline_ns().is_some_and(|ns| ns <= now_ns) {
            self.cmos.tick(now_ns, &mut self.irq, out);
        }
    }
}
