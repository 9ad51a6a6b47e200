//! The local APIC in xAPIC mode (SDM volume 3A, chapter "Advanced Programmable Interrupt Controller"). Every CPU finds
//! its own at the same address.
#![allow(unsafe_code)]

use crate::memlayout::LOCAL_APIC_LINEAR;
use x86_64::instructions::interrupts::without_interrupts;
use x86_64::registers::model_specific::{ApicBase, ApicBaseFlags};

/// Register offsets in bytes.
mod offset {
    pub const ID: u64 = 0x20;
    pub const TASK_PRIORITY: u64 = 0x80;
    pub const END_OF_INTERRUPT: u64 = 0xb0;
    pub const SPURIOUS_VECTOR: u64 = 0xf0;
    pub const ERROR_STATUS: u64 = 0x280;
    pub const ICR_LOW: u64 = 0x300;
    pub const LVT_TIMER: u64 = 0x320;
    pub const LVT_LINT0: u64 = 0x350;
    pub const LVT_LINT1: u64 = 0x360;
    pub const LVT_ERROR: u64 = 0x370;
}

const SOFTWARE_ENABLE: u32 = 1 << 8;
const LVT_MASKED: u32 = 1 << 16;
const DELIVERY_PENDING: u32 = 1 << 12;

/// The spurious interrupt's vector, as in Linux: all of it that can be set is set.
pub const SPURIOUS_VECTOR: u8 = 0xff;

/// What an ICR write sends (ICR low: delivery mode in bits 10:8, level in 14, trigger in 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// An interrupt with this vector.
    Fixed(u8),
    /// A non-maskable interrupt.
    Nmi,
    /// INIT, level assert: the CPU resets and waits for a SIPI.
    Init,
    /// INIT, level deassert: a synchronisation message for old APICs; others ignore it.
    InitDeassert,
    /// Start-up: a waiting CPU begins at page `vector`.
    Startup(u8),
}

impl Message {
    /// The low half of the ICR.
    pub const fn icr_low(self) -> u32 {
        const ASSERT: u32 = 1 << 14;
        const LEVEL_TRIGGERED: u32 = 1 << 15;
        match self {
            Self::Fixed(vector) => ASSERT | vector as u32,
            Self::Nmi => ASSERT | 0x400,
            Self::Init => LEVEL_TRIGGERED | ASSERT | 0x500,
            Self::InitDeassert => LEVEL_TRIGGERED | 0x500,
            Self::Startup(vector) => 0x600 | vector as u32,
        }
    }
}

/// ICR, bits 19:18: everybody but the sender (SDM volume 3A, "Interrupt Command Register").
const ALL_EXCLUDING_SELF: u32 = 3 << 18;

/// Why the local APIC cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LapicError {
    /// The enable bit of IA32_APIC_BASE is 0.
    Disabled,
    /// Firmware switched to x2APIC, which this kernel does not use.
    X2Apic,
}

impl core::fmt::Display for LapicError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Disabled => "the local APIC is switched off in IA32_APIC_BASE: no other CPU can be started",
            Self::X2Apic => "firmware left the local APIC in x2APIC mode; this kernel drives xAPIC only",
        })
    }
}

impl core::error::Error for LapicError {}

fn read(register: u64) -> u32 {
    // SAFETY: init_top_pgt maps the local APIC's page here, uncached; the registers are aligned 32-bit words.
    unsafe { ((LOCAL_APIC_LINEAR + register) as *const u32).read_volatile() }
}

fn write(register: u64, value: u32) {
    // SAFETY: as for read; no register used here makes the processor touch Rust's memory.
    unsafe { ((LOCAL_APIC_LINEAR + register) as *mut u32).write_volatile(value) }
}

/// Whether this CPU's local APIC is in the mode that the kernel drives.
///
/// # Errors
/// [`LapicError`]
pub fn check_mode() -> Result<(), LapicError> {
    let (_, flags) = ApicBase::read();
    if !flags.contains(ApicBaseFlags::LAPIC_ENABLE) {
        Err(LapicError::Disabled)
    } else if flags.contains(ApicBaseFlags::X2APIC_ENABLE) {
        Err(LapicError::X2Apic)
    } else {
        Ok(())
    }
}

/// Enables this CPU's local APIC: after a reset it is software-disabled and drops fixed interrupts.
pub fn enable() {
    write(offset::TASK_PRIORITY, 0);
    // Firmware may have left its timer running.
    write(offset::LVT_TIMER, LVT_MASKED);
    write(offset::LVT_LINT0, LVT_MASKED);
    write(offset::LVT_LINT1, LVT_MASKED);
    write(offset::LVT_ERROR, LVT_MASKED);
    write(offset::SPURIOUS_VECTOR, SOFTWARE_ENABLE | u32::from(SPURIOUS_VECTOR));
}

/// This CPU's APIC ID.
pub fn id() -> u32 {
    read(offset::ID) >> 24
}

/// Ends the interrupt in service: the next one of its priority may come.
pub fn end_of_interrupt() {
    write(offset::END_OF_INTERRUPT, 0);
}

/// Clears the error status: a write latches and arms it anew.
pub fn clear_errors() {
    write(offset::ERROR_STATUS, 0);
    let _ = read(offset::ERROR_STATUS);
}

/// Errors since [`clear_errors`]; bit 4 (redirectable IPI) is left out, as in Linux.
pub fn errors() -> u32 {
    write(offset::ERROR_STATUS, 0);
    read(offset::ERROR_STATUS) & 0xef
}

/// Whether the last message has left.
pub fn is_idle() -> bool {
    read(offset::ICR_LOW) & DELIVERY_PENDING == 0
}

unsafe extern "C" {
    /// In `asm/lapic.S`: the two halves of the ICR, each one `mov` from EAX.
    fn lapic_write_icr(high: u32, low: u32);
}

/// Who gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The CPU with this APIC ID.
    Apic(u32),
    /// All but this CPU, by a shorthand; also those that no table names.
    AllOthers,
}

impl Destination {
    /// The ICR's upper half, and the shorthand in its lower one.
    const fn icr(self) -> (u32, u32) {
        match self {
            Self::Apic(id) => (id << 24, 0),
            Self::AllOthers => (0, ALL_EXCLUDING_SELF),
        }
    }
}

/// Sends a message to the CPU with this APIC ID.
pub fn send(apic_id: u32, message: Message) {
    send_to(Destination::Apic(apic_id), message);
}

/// Sends a message.
pub fn send_to(destination: Destination, message: Message) {
    let (high, shorthand) = destination.icr();
    // An interrupt between the two halves could send something of its own.
    without_interrupts(|| {
        // SAFETY: the local APIC's page is mapped; what the message does to the other CPU is the caller's purpose.
        unsafe { lapic_write_icr(high, message.icr_low() | shorthand) }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the ICR values are those that Linux and the SDM use. Method: the numbers.
    #[test]
    fn icr_values_are_the_manuals() {
        let expected = [
            (Message::Init, 0xc500),
            (Message::InitDeassert, 0x8500),
            (Message::Startup(0x9b), 0x69b),
            (Message::Nmi, 0x4400),
            (Message::Fixed(0xfd), 0x40fd),
        ];
        for (message, low) in expected {
            assert_eq!(message.icr_low(), low, "{message:?}");
        }
        assert_eq!(Destination::AllOthers.icr(), (0, 0xc_0000));
        assert_eq!(Destination::Apic(5).icr(), (0x500_0000, 0));
    }
}
