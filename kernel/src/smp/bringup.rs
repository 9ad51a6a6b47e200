//! Starting the application processors: INIT-SIPI-SIPI and the handshake (Linux: arch/x86/kernel/smpboot.c; SDM volume
//! 3A, "MP Initialization Protocol").
//!
//! Handshake, per CPU: the AP sets *initialized* and spins; the boot CPU sets *callout*; the AP finishes its early set-up
//! and sets *callin*, then *online*. Serial bring-up goes through all of that for one CPU after the other. Parallel
//! bring-up sends INIT and SIPIs to all first, so that many are in the trampoline at once (its lock keeps them apart on
//! the one real-mode stack), and lets them on one by one.

use super::cpus::{self, CALLIN, CALLOUT, INITIALIZED, ONLINE};
use super::realmode::{self, RealMode};
use super::{ap_start, ipi};
use crate::arch::lapic::{self, Destination, Message};
use crate::arch::percpu::PerCpu;
use crate::arch::{cpuid, percpu};
use crate::options::{Bringup, Options};
use crate::{println, screen, time};
use spin::Once;

/// Pauses around INIT and SIPI, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delays {
    /// Between INIT assert and deassert.
    pub init: u32,
    /// After a SIPI, before the APIC is asked whether it has left.
    pub sipi_accept: u32,
    /// Then, before the next SIPI.
    pub between_sipis: u32,
}

impl Delays {
    /// With `sipi_udelay=N` both pauses around a SIPI have that length.
    pub fn with_sipi(self, option: Option<u32>) -> Self {
        option.map_or(self, |micros| Self { sipi_accept: micros, between_sipis: micros, ..self })
    }

    /// Linux's rule: processors since Intel family 6, AMD family 0Fh and Hygon family 18h need no 10 ms after INIT, and
    /// with that gone the pauses after SIPI shrink too. `cpu_init_udelay=N` sets the first by hand.
    pub fn new(option: Option<u32>, vendor: &[u8; 12], family: u32) -> Self {
        let modern = match vendor {
            b"GenuineIntel" => family == 6,
            b"AuthenticAMD" => family >= 0xf,
            b"HygonGenuine" => family >= 0x18,
            _ => false,
        };
        let init = option.unwrap_or(if modern { 0 } else { 10_000 });
        if init == 0 {
            Self { init, sipi_accept: 10, between_sipis: 10 }
        } else {
            Self { init, sipi_accept: 300, between_sipis: 200 }
        }
    }
}

/// How often and how long the APIC is asked whether a message has left, as in Linux: 1000 times 100 us.
const SEND_TIMEOUT_US: u64 = 100_000;

/// Where a start failed, for the boot CPU's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// The local APIC's error status after a SIPI.
    Apic(u32),
    /// The AP did not reach `start_secondary`.
    NotInitialized,
    /// It did not finish its early set-up.
    NotCalledIn,
    /// It did not come online.
    NotOnline,
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Apic(errors) => write!(f, "the local APIC reports error {errors:#04x} after the SIPI"),
            Self::NotInitialized => write!(f, "it did not answer: start_secondary was not reached"),
            Self::NotCalledIn => write!(f, "it reached start_secondary, but did not finish its set-up"),
            Self::NotOnline => write!(f, "it finished its set-up, but did not come online"),
        }
    }
}

/// Starts all CPUs but the boot CPU, which has number 0. One that does not come is reported and left out.
pub fn smp_init(real_mode: &RealMode, options: &Options) {
    let delays = Delays::new(options.cpu_init_udelay, &cpuid::vendor(), cpuid::family());
    let send = Send {
        vector: real_mode.sipi_vector(),
        sipis: options.sipi_count,
        delays: delays.with_sipi(options.sipi_udelay),
    };
    let timeout_us = u64::from(options.cpu_timeout_ms) * 1000;
    STARTED_WITH.call_once(|| (send, timeout_us));
    let (_, possible) = cpus::count();
    let others = || (1..possible as u32).filter_map(percpu::of);
    match options.bringup {
        Bringup::Serial => others().for_each(|cpu| start_one(cpu, send, timeout_us)),
        Bringup::Parallel | Bringup::ParallelNolock => {
            ap_start::expect_many();
            let whom = if options.sipi_broadcast { "all others at once" } else { "every CPU first" };
            println!("smp: parallel bring-up: {send} to {whom}");
            screen::woken(Destination::AllOthers);
            let start = time::tsc();
            let mut failed = [None; crate::memlayout::MAX_CPUS];
            if options.sipi_broadcast {
                failed.fill(wakeup_secondary_cpu_via_init(Destination::AllOthers, send).err());
            }
            for cpu in others().filter(|_| !options.sipi_broadcast) {
                failed[cpu.number as usize] = wakeup_secondary_cpu_via_init(Destination::Apic(cpu.apic_id), send).err();
            }
            let mut missing = false;
            for cpu in others() {
                let result = failed[cpu.number as usize].map_or_else(|| let_on(cpu, timeout_us), Err);
                report(cpu, send, start, result);
                // One that came late would wait for ever to be let on. Not with the mistake, which leaves them where they are.
                if result == Err(Failure::NotInitialized) && options.bringup == Bringup::Parallel {
                    ipi::send_init(Destination::Apic(cpu.apic_id));
                    missing = true;
                }
            }
            if missing {
                // All others have been on the real-mode stack, and left it.
                realmode::open_lock();
            }
        }
    }
    let (online, possible) = cpus::count();
    println!("smp: {online} of {possible} CPUs online");
}

/// What [`started_with`] tells.
static STARTED_WITH: Once<(Send, u64)> = Once::new();

/// How [`smp_init`] started CPUs, for [`start_one`]. None: it could start nobody.
pub(super) fn started_with() -> Option<(Send, u64)> {
    STARTED_WITH.get().copied()
}

/// Starts one CPU, from INIT until it is online or was waited for long enough (microseconds for each step), and reports. Its
/// block and stack are handed over in the globals of which there is one: an AP that comes late, when the next one is being
/// started, would take what is not its own. Linux before 6.5 trusts that none does; here an INIT sends it back, and opens the
/// lock on the real-mode stack, should it have had that.
pub(super) fn start_one(cpu: &PerCpu, send: Send, timeout_us: u64) {
    // Drawing takes time, which is not the processor's.
    screen::woken(Destination::Apic(cpu.apic_id));
    let start = time::tsc();
    ap_start::expect_one(cpu);
    let result =
        wakeup_secondary_cpu_via_init(Destination::Apic(cpu.apic_id), send).and_then(|()| let_on(cpu, timeout_us));
    ap_start::expect_nobody();
    report(cpu, send, start, result);
    if result == Err(Failure::NotInitialized) {
        ipi::send_init(Destination::Apic(cpu.apic_id));
        realmode::open_lock();
    }
}

/// What a CPU is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Send {
    vector: u8,
    sipis: u8,
    delays: Delays,
}

impl core::fmt::Display for Send {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "INIT, SIPI vector {:02x}h", self.vector)?;
        if self.sipis > 1 { write!(f, ", SIPI") } else { Ok(()) }
    }
}

/// Sends INIT and one or two SIPIs, to one CPU or to all others at once (SDM volume 3A, "MP Initialization Example"). The
/// second SIPI goes out even if the AP runs already: it is then ignored.
fn wakeup_secondary_cpu_via_init(to: Destination, send: Send) -> Result<(), Failure> {
    let Send { vector, sipis, delays } = send;
    lapic::clear_errors();
    lapic::send_to(to, Message::Init);
    time::wait_for(SEND_TIMEOUT_US, lapic::is_idle);
    time::udelay(delays.init.into());
    lapic::send_to(to, Message::InitDeassert);
    time::wait_for(SEND_TIMEOUT_US, lapic::is_idle);
    for _ in 0..sipis {
        lapic::clear_errors();
        lapic::send_to(to, Message::Startup(vector));
        time::udelay(delays.sipi_accept.into());
        time::wait_for(SEND_TIMEOUT_US, lapic::is_idle);
        time::udelay(delays.between_sipis.into());
        let errors = lapic::errors();
        if errors != 0 {
            return Err(Failure::Apic(errors));
        }
    }
    Ok(())
}

/// The boot CPU's side of the handshake.
fn let_on(cpu: &PerCpu, timeout_us: u64) -> Result<(), Failure> {
    let number = cpu.number;
    let reached = |mask: &cpus::CpuMask, failure| {
        if time::wait_for(timeout_us, || mask.contains(number)) { Ok(()) } else { Err(failure) }
    };
    reached(&INITIALIZED, Failure::NotInitialized)?;
    CALLOUT.set(number);
    reached(&CALLIN, Failure::NotCalledIn)?;
    reached(&ONLINE, Failure::NotOnline)
}

fn report(cpu: &PerCpu, send: Send, start: u64, result: Result<(), Failure>) {
    let (number, apic_id, micros) = (cpu.number, cpu.apic_id, time::micros_since(start));
    match result {
        Ok(()) => println!("smp: CPU {number} (APIC ID {apic_id}): {send}; online after {micros} us"),
        Err(failure) => {
            screen::left_out(number);
            println!("smp: CPU {number} (APIC ID {apic_id}): {send}; left out after {micros} us: {failure}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Delays;

    /// Goal: the pauses are those that Linux would make. Method: processors old and new, with and without the option.
    #[test]
    fn delays_follow_linux() {
        let short = Delays { init: 0, sipi_accept: 10, between_sipis: 10 };
        let long = |init| Delays { init, sipi_accept: 300, between_sipis: 200 };
        assert_eq!(Delays::new(None, b"GenuineIntel", 6), short);
        assert_eq!(Delays::new(None, b"GenuineIntel", 5), long(10_000));
        assert_eq!(Delays::new(None, b"AuthenticAMD", 0x19), short);
        assert_eq!(Delays::new(None, b"SomebodyElse", 6), long(10_000));
        assert_eq!(Delays::new(Some(500), b"GenuineIntel", 6), long(500));
        assert_eq!(Delays::new(Some(0), b"GenuineIntel", 5), short);
        assert_eq!(long(500).with_sipi(None), long(500));
        assert_eq!(long(500).with_sipi(Some(7)), Delays { init: 500, sipi_accept: 7, between_sipis: 7 });
    }
}
