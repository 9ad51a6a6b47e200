//! The processors and how far each is. The states are Linux's cpumasks: initialized -> callout -> callin -> online.

use crate::arch::percpu::{self, CpuNumber, PerCpu};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A set of CPUs, one bit each.
#[derive(Debug)]
pub struct CpuMask([AtomicU64; 4]);

impl CpuMask {
    /// No CPU.
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; 4])
    }

    /// Adds a CPU.
    pub fn set(&self, cpu: CpuNumber) {
        self.0[cpu as usize / 64].fetch_or(1 << (cpu % 64), Ordering::AcqRel);
    }

    /// Removes a CPU.
    pub fn clear(&self, cpu: CpuNumber) {
        self.0[cpu as usize / 64].fetch_and(!(1 << (cpu % 64)), Ordering::AcqRel);
    }

    /// Whether the CPU is in the set.
    pub fn contains(&self, cpu: CpuNumber) -> bool {
        self.0.get(cpu as usize / 64).is_some_and(|word| word.load(Ordering::Acquire) >> (cpu % 64) & 1 != 0)
    }

    /// How many CPUs are in the set.
    pub fn count(&self) -> usize {
        self.0.iter().map(|word| word.load(Ordering::Acquire).count_ones() as usize).sum()
    }
}

impl Default for CpuMask {
    fn default() -> Self {
        Self::new()
    }
}

/// Set by the AP: it executes the kernel's code.
pub static INITIALIZED: CpuMask = CpuMask::new();
/// Set by the boot CPU: the AP may go on.
pub static CALLOUT: CpuMask = CpuMask::new();
/// Set by the AP: its early set-up is done.
pub static CALLIN: CpuMask = CpuMask::new();
/// Set by the AP: it takes work and interrupts.
pub static ONLINE: CpuMask = CpuMask::new();
/// Set by the boot CPU: it sent INIT to this CPU after it was online.
pub static RESET: CpuMask = CpuMask::new();

/// Set by a CPU that went offline: it stands in HLT, with interrupts off.
pub static OFFLINE: CpuMask = CpuMask::new();

/// INIT is sent to a CPU that may be online.
pub fn set_reset(cpu: CpuNumber) {
    ONLINE.clear(cpu);
    RESET.set(cpu);
}

/// Forgets how far a CPU was: it is started anew.
pub fn forget(cpu: CpuNumber) {
    for mask in [&INITIALIZED, &CALLOUT, &CALLIN, &ONLINE, &RESET, &OFFLINE] {
        mask.clear(cpu);
    }
}

/// How many CPUs there are, numbered from 0; read by [`list`].
static POSSIBLE: AtomicUsize = AtomicUsize::new(0);

/// Sets the number of CPUs that have a [`PerCpu`].
pub fn set_possible(count: usize) {
    POSSIBLE.store(count, Ordering::Release);
}

/// How far a CPU is, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not executed the kernel's code: never started, or it did not come.
    Absent,
    /// It came as far as `start_secondary`.
    Initialized,
    /// It may go on, or has finished its early set-up.
    Starting,
    /// It takes work and interrupts.
    Online,
    /// It was online, until INIT was sent to it.
    Reset,
    /// It was online, until it was asked to go.
    Offline,
}

impl State {
    /// For a table.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Absent => "did not come",
            Self::Initialized => "initialized",
            Self::Starting => "starting",
            Self::Online => "online",
            Self::Reset => "reset by INIT",
            Self::Offline => "offline, halted",
        }
    }
}

/// A processor, for the shell.
#[derive(Clone, Copy, Debug)]
pub struct CpuInfo {
    /// CPU number.
    pub number: CpuNumber,
    /// Local APIC ID.
    pub apic_id: u32,
    /// How far it is.
    pub state: State,
    /// IPIs it took, NMIs included.
    pub ipis: u64,
}

/// How far a CPU is.
pub fn state(cpu: CpuNumber) -> State {
    if ONLINE.contains(cpu) {
        State::Online
    } else if RESET.contains(cpu) {
        State::Reset
    } else if OFFLINE.contains(cpu) {
        State::Offline
    } else if CALLOUT.contains(cpu) {
        State::Starting
    } else if INITIALIZED.contains(cpu) {
        State::Initialized
    } else {
        State::Absent
    }
}

/// All processors that the kernel knows, by number.
pub fn list() -> impl Iterator<Item = CpuInfo> {
    (0..POSSIBLE.load(Ordering::Acquire) as CpuNumber).filter_map(percpu::of).map(|cpu: &PerCpu| CpuInfo {
        number: cpu.number,
        apic_id: cpu.apic_id,
        state: state(cpu.number),
        ipis: cpu.ipis.load(Ordering::Relaxed),
    })
}

/// How many are online, and how many there are.
pub fn count() -> (usize, usize) {
    (ONLINE.count(), POSSIBLE.load(Ordering::Acquire))
}

#[cfg(test)]
mod tests {
    use super::CpuMask;

    /// Goal: each CPU has its own bit, also at word borders. Method: set, test the neighbours, clear.
    #[test]
    fn masks_hold_single_cpus() {
        let mask = CpuMask::new();
        for cpu in [0, 63, 64, 254] {
            mask.set(cpu);
        }
        assert_eq!(mask.count(), 4);
        assert!(mask.contains(64) && !mask.contains(65) && !mask.contains(1) && !mask.contains(1000));
        mask.clear(64);
        assert!(!mask.contains(64) && mask.contains(63));
    }
}
