//! Devices: each is its registers (plain data), reads and writes, and a view of the clock handed in.
//!
//! Reached from [`crate::bus`]. Local APICs are a CPU's own, see [`lapic`].

pub mod cmos;
pub mod i8042;
pub mod ioapic;
pub mod lapic;
pub mod pit;
pub mod uart16550;

/// The devices of the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// Interval timer; channel 2 and its gate at port 61h.
    pub pit: pit::Pit,
    /// First serial port.
    pub uart: uart16550::Uart,
    /// Keyboard controller: self test and reset.
    pub i8042: i8042::I8042,
    /// CMOS memory: shutdown status byte and the rest as plain storage.
    pub cmos: cmos::Cmos,
    /// I/O APIC.
    pub ioapic: ioapic::IoApic,
    /// Port CF9h.
    pub reset_control: u8,
}
