//! Restarting the machine, by each way that a PC has (Linux: arch/x86/kernel/reboot.c). The shell's `restart`.
#![allow(unsafe_code)]

use crate::arch::lapic::Destination;
use crate::arch::{cpu, port};
use crate::memlayout::phys_to_virt;
use crate::mistake::Mistake;
use crate::smp::{acpi_tables::ResetRegister, cpus, ipi, realmode};
use crate::{efi, println, time};
use spin::Once;
use x86_64::{PhysAddr, registers::control::Cr4Flags};

/// A way to restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Back through `trampoline_pgd` to real mode, and to the reset vector at F000:FFF0.
    Real,
    /// The firmware's ResetSystem.
    Efi,
    /// The reset register that the FADT names.
    Acpi,
    /// The keyboard controller pulses the reset line.
    Kbd,
    /// The chipset's reset control register.
    Cf9,
    /// A fault that cannot be delivered.
    Triple,
}

impl Method {
    /// All of them, with the shell's words.
    pub const ALL: [(&'static str, Self); 6] = [
        ("real", Self::Real),
        ("efi", Self::Efi),
        ("acpi", Self::Acpi),
        ("kbd", Self::Kbd),
        ("cf9", Self::Cf9),
        ("triple", Self::Triple),
    ];

    /// The way of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == word).map(|(_, method)| method)
    }
}

/// The FADT's reset register.
static RESET_REGISTER: Once<ResetRegister> = Once::new();

/// Keeps what the FADT says, for later: the tables are not mapped then.
pub fn remember(register: ResetRegister) {
    RESET_REGISTER.call_once(|| register);
}

/// Stops the other CPUs and restarts; returns where that did not work, with a sentence about it.
pub fn restart(method: Method) -> &'static str {
    match method {
        Method::Real => {
            let Some(real_mode) = realmode::placed() else { return "the real-mode blob has no place below 1 MiB" };
            stop_other_cpus();
            machine_real_restart(&real_mode)
        }
        Method::Efi => {
            let Some(runtime) = efi::runtime() else { return "there are no EFI runtime services" };
            stop_other_cpus();
            runtime.reset();
        }
        Method::Acpi => {
            let (number, value) = match RESET_REGISTER.get() {
                Some(&ResetRegister::Port { port, value }) => (port, value),
                Some(ResetRegister::Elsewhere) => return "the FADT's reset register is not a port",
                Some(ResetRegister::None) | None => return "the FADT names no reset register",
            };
            stop_other_cpus();
            port::write(number, value);
        }
        Method::Kbd => {
            stop_other_cpus();
            keyboard_controller();
        }
        Method::Cf9 => {
            stop_other_cpus();
            // Full reset: first what kind, then the edge of bit 2.
            port::write(0xcf9, 0x02);
            time::udelay(50);
            port::write(0xcf9, 0x06);
        }
        Method::Triple => {
            stop_other_cpus();
            cpu::triple_fault()
        }
    }
    time::udelay(100_000);
    "the machine did not restart that way; the other CPUs are stopped, try another one"
}

/// INIT for all others: they wait for a SIPI that nobody sends. Linux has them stop themselves, by an interrupt.
fn stop_other_cpus() {
    for cpu in cpus::list().filter(|cpu| cpu.number != 0 && cpu.state == cpus::State::Online) {
        cpus::set_reset(cpu.number);
    }
    ipi::send_init(Destination::AllOthers);
    println!("restart: the other CPUs are stopped");
}

/// Status register of the keyboard controller: it has not taken the last byte yet.
const INPUT_FULL: u8 = 1 << 1;

fn keyboard_controller() {
    for _ in 0..10 {
        time::wait_for(10_000, || port::read(0x64) & INPUT_FULL == 0);
        time::udelay(50);
        // Pulse output lines: bit 0 clear pulls reset.
        port::write(0x64, 0xfe);
        time::udelay(50);
    }
}

unsafe extern "C" {
    /// In `asm/restart.S`.
    #[link_name = "machine_real_restart"]
    fn leave_64_bit_mode(far_pointer: u64, trampoline_pgd: u64, cr4_mask: u64, flush_mask: u64) -> !;
}

/// CMOS: the byte that tells a BIOS what a reset is for; bit 7 of the index keeps NMIs off.
const SHUTDOWN_STATUS: u8 = 0x8f;
/// BIOS data area: 1234h here asks for a warm start.
const RESET_FLAG: u64 = 0x472;

fn machine_real_restart(real_mode: &realmode::RealMode) -> ! {
    port::write(0x70, SHUTDOWN_STATUS);
    port::write(0x71, 0);
    // SAFETY: this word belongs to the BIOS data area, which the kernel leaves to firmware; the direct map covers it.
    unsafe { phys_to_virt(PhysAddr::new(RESET_FLAG)).as_mut_ptr::<u16>().write_volatile(0) };
    println!("restart: CR3 = trampoline_pgd, then compatibility mode, real mode, F000:FFF0");
    let unless = |mistake, flag: Cr4Flags| if real_mode.mistakes.has(mistake) { u64::MAX } else { !flag.bits() };
    let cr4_mask = unless(Mistake::RestartPcide, Cr4Flags::PCID);
    let flush_mask = unless(Mistake::RestartNoFlush, Cr4Flags::PAGE_GLOBAL);
    // As in Linux it comes from the blob's header, which thereby is in the TLB: the far pointer lies beside it.
    let root = u64::from(real_mode.trampoline_pgd_in_header());
    // SAFETY: the pointer leads to machine_real_restart_asm, which slot 0 of trampoline_pgd maps executable; the kernel's
    // half of that table is init_top_pgt's, so that this code and the pointer stay mapped, unless a mistake is on that leaves
    // it out to show what comes of it. Nothing returns.
    unsafe { leave_64_bit_mode(real_mode.restart_pointer().as_u64(), root, cr4_mask, flush_mask) }
}
