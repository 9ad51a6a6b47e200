//! CPUs that go offline and come back (Linux: kernel/cpu.c, `cpu_down()` and `cpu_up()`). Where a CPU goes is in
//! `ap_start.rs`; how it is started in `bringup.rs`.

use super::{bringup, cpus, cpus::ONLINE, hung, ipi};
use crate::arch::lapic::{self, Destination, Message};
use crate::arch::percpu::{self, CpuNumber, PerCpu};
use crate::{console, time};
use core::sync::atomic::Ordering;

/// How long a CPU may take to obey an INIT.
const INIT_SETTLE_US: u64 = 100;
/// How long it may take to go.
const ANSWER_US: u64 = 10_000;

/// Why a CPU did not go offline or come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HotplugError {
    /// There is no CPU of that number.
    NoSuchCpu(CpuNumber),
    /// CPU 0 runs the shell.
    BootCpu,
    /// It is so already, or cannot be asked.
    State(cpus::State),
    /// It was asked, and did not go.
    NoAnswer,
    /// There is no place for the real-mode blob, so nobody can be started.
    NoTrampoline,
}

impl core::fmt::Display for HotplugError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSuchCpu(cpu) => write!(f, "there is no CPU {cpu}"),
            Self::BootCpu => write!(f, "CPU 0 runs the shell: it stays online"),
            Self::State(state) => write!(f, "that CPU is: {}", state.word()),
            Self::NoAnswer => write!(f, "it was asked to go offline, but did not answer"),
            Self::NoTrampoline => write!(f, "there was no place below 1 MiB for the code that a CPU starts with"),
        }
    }
}

impl core::error::Error for HotplugError {}

fn other(number: CpuNumber) -> Result<&'static PerCpu, HotplugError> {
    if number == 0 {
        return Err(HotplugError::BootCpu);
    }
    percpu::of(number).ok_or(HotplugError::NoSuchCpu(number))
}

/// Has a CPU go offline: it takes no work and no interrupts any more, and stands in HLT.
///
/// # Errors
/// [`HotplugError`]
pub fn cpu_down(number: CpuNumber) -> Result<(), HotplugError> {
    let cpu = other(number)?;
    if cpus::state(number) != cpus::State::Online {
        return Err(HotplugError::State(cpus::state(number)));
    }
    cpu.leaving.store(true, Ordering::Release);
    cpu.ipi_sender.store(percpu::current().number + 1, Ordering::Release);
    lapic::send(cpu.apic_id, Message::Fixed(ipi::DEFAULT_VECTOR));
    if time::wait_for(ANSWER_US, || !ONLINE.contains(number)) { Ok(()) } else { Err(HotplugError::NoAnswer) }
}

/// Starts a CPU that went offline, was reset or did not come; reports as bring-up does.
///
/// # Errors
/// [`HotplugError`]
pub fn cpu_up(number: CpuNumber) -> Result<(), HotplugError> {
    let cpu = other(number)?;
    if cpus::state(number) == cpus::State::Online {
        return Err(HotplugError::State(cpus::State::Online));
    }
    let (send, timeout_us) = bringup::started_with().ok_or(HotplugError::NoTrampoline)?;
    // If it still runs somewhere, the INIT ends that; only then its block may be touched.
    ipi::send_init(Destination::Apic(cpu.apic_id));
    time::udelay(INIT_SETTLE_US);
    console::forget(number);
    cpus::forget(number);
    hung::forget(number);
    cpu.prepare_start();
    bringup::start_one(cpu, send, timeout_us);
    Ok(())
}
