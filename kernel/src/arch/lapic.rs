//! The local APIC (SDM volume 3A, chapter "Advanced Programmable Interrupt Controller"). In xAPIC mode every CPU finds its own
//! at the same address, in x2APIC mode its registers are MSRs. All CPUs are in the same mode, which the boot CPU chooses.
#![allow(unsafe_code)]

use super::cpuid;
use crate::memlayout::LOCAL_APIC_LINEAR;
use core::sync::atomic::{AtomicU32, Ordering};
use x86_64::instructions::interrupts::without_interrupts;
use x86_64::registers::model_specific::Msr;

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
}

impl core::fmt::Display for LapicError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Disabled => "the local APIC is switched off in IA32_APIC_BASE: no other CPU can be started",
        })
    }
}

impl core::error::Error for LapicError {}

/// IA32_APIC_BASE and its bits: x2APIC mode, enabled.
const APIC_BASE: u32 = 0x1b;
const EXTD: u64 = 1 << 10;
const ENABLE: u64 = 1 << 11;
/// MSR of the register at offset 0; the others follow, one for each 16 bytes.
const X2APIC_MSR: u32 = 0x800;

/// 1: the CPUs are in x2APIC mode. Linux's name.
static X2APIC_MODE: AtomicU32 = AtomicU32::new(0);

/// 1: an AP that comes in xAPIC mode switches before it reads its ID; read by `secondary_startup_64`.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
static x2apic_switch_ap: AtomicU32 = AtomicU32::new(0);

/// Whether the CPUs are in x2APIC mode.
pub fn is_x2apic() -> bool {
    X2APIC_MODE.load(Ordering::Relaxed) != 0
}

fn msr(register: u64) -> Msr {
    Msr::new(X2APIC_MSR + (register >> 4) as u32)
}

fn read(register: u64) -> u32 {
    if is_x2apic() {
        // SAFETY: the registers that are used here exist as MSRs too, and reading them touches no memory.
        return unsafe { msr(register).read() } as u32;
    }
    // SAFETY: init_top_pgt maps the local APIC's page here, uncached; the registers are aligned 32-bit words.
    unsafe { ((LOCAL_APIC_LINEAR + register) as *const u32).read_volatile() }
}

fn write(register: u64, value: u32) {
    if is_x2apic() {
        // SAFETY: as for read; no reserved bit is set in what is written here.
        return unsafe { msr(register).write(value.into()) };
    }
    // SAFETY: as for read; no register used here makes the processor touch Rust's memory.
    unsafe { ((LOCAL_APIC_LINEAR + register) as *mut u32).write_volatile(value) }
}

/// Chooses the mode for all CPUs: as firmware left the boot CPU, or as `x2apic=on|off` wants it; and brings the boot CPU
/// there. `mismatch`: by mistake an AP is not switched before it reads its ID. Returns a sentence for the log, if there is
/// something to say.
///
/// # Errors
/// [`LapicError`]
pub fn choose_mode(wanted: Option<bool>, mismatch: bool) -> Result<Option<&'static str>, LapicError> {
    // SAFETY: every processor with a local APIC has this MSR.
    let base = unsafe { Msr::new(APIC_BASE).read() };
    if base & ENABLE == 0 {
        return Err(LapicError::Disabled);
    }
    let found = base & EXTD != 0;
    let mode = wanted.unwrap_or(found) && (found || cpuid::has_x2apic());
    X2APIC_MODE.store(mode.into(), Ordering::Relaxed);
    x2apic_switch_ap.store((mode && !mismatch).into(), Ordering::Relaxed);
    enter_mode();
    Ok(match (found, mode) {
        _ if wanted == Some(true) && !mode => Some("x2apic=on: this processor has no x2APIC"),
        (true, true) => Some("firmware left x2APIC mode on; the kernel keeps it"),
        (true, false) => Some("firmware left x2APIC mode on; the kernel switched it off"),
        (false, true) => Some("x2APIC mode is on"),
        (false, false) => None,
    })
}

/// Brings this CPU's local APIC to the mode of all. From x2APIC mode the way back is by switching it off.
fn enter_mode() {
    let mut register = Msr::new(APIC_BASE);
    // SAFETY: the transitions are those of SDM volume 3A, "x2APIC State Transitions"; the place of the registers stays, and
    // nothing is mapped differently by it.
    unsafe {
        let base = register.read();
        match (base & EXTD != 0, is_x2apic()) {
            (false, true) => register.write(base | EXTD),
            (true, false) => {
                register.write(base & !(EXTD | ENABLE));
                register.write(base & !EXTD);
            }
            _ => {}
        }
    }
}

/// Enables this CPU's local APIC: after a reset it is software-disabled and drops fixed interrupts.
pub fn enable() {
    enter_mode();
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
    if is_x2apic() { read(offset::ID) } else { read(offset::ID) >> 24 }
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

/// Whether the last message has left. In x2APIC mode a message is gone as soon as it is written.
pub fn is_idle() -> bool {
    is_x2apic() || read(offset::ICR_LOW) & DELIVERY_PENDING == 0
}

unsafe extern "C" {
    /// In `asm/lapic.S`: the two halves of the ICR, each one `mov` from EAX.
    fn lapic_write_icr(high: u32, low: u32);
    /// The same in x2APIC mode: one WRMSR.
    fn lapic_write_x2apic_icr(destination: u32, low: u32);
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
    /// The ICR's upper half, and the shorthand in its lower one. In x2APIC mode the ID has all 32 bits.
    const fn icr(self, x2apic: bool) -> (u32, u32) {
        match self {
            Self::Apic(id) if x2apic => (id, 0),
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
    let (high, shorthand) = destination.icr(is_x2apic());
    if is_x2apic() {
        // Unlike a write to memory, WRMSR of these registers does not wait for earlier stores: what is sent may speak of them.
        core::sync::atomic::fence(Ordering::SeqCst);
        // SAFETY: what the message does to the other CPU is the caller's purpose.
        return unsafe { lapic_write_x2apic_icr(high, message.icr_low() | shorthand) };
    }
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
        assert_eq!(Destination::AllOthers.icr(false), (0, 0xc_0000));
        assert_eq!(Destination::Apic(5).icr(false), (0x500_0000, 0));
        assert_eq!(Destination::Apic(0x105).icr(true), (0x105, 0));
    }
}
