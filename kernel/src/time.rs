//! Time: the TSC, whose frequency is measured against channel 2 of the PIT, and delays that count it.

use crate::arch::port;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, Ordering};

/// The PIT counts at this rate (Hz) on every PC.
const PIT_HZ: u64 = 1_193_182;
/// Length of a measurement: 4 ms.
const PIT_TICKS: u16 = (PIT_HZ * 4 / 1000) as u16;
/// How many measurements are made.
const MEASUREMENTS: u32 = 3;

/// A port read takes about a microsecond on a PC: the measurement must be over long before.
const PIT_POLLS_MAX: u32 = 1 << 20;

const PIT_CHANNEL_2: u16 = 0x42;
const PIT_COMMAND: u16 = 0x43;
/// System control port B: bit 0 gates channel 2, bit 1 connects it to the speaker, bit 5 is its output.
const PORT_B: u16 = 0x61;

/// TSC ticks per millisecond; 0 before [`calibrate`].
static TSC_KHZ: AtomicU64 = AtomicU64::new(0);

/// Ticks of this CPU's time stamp counter.
pub fn tsc() -> u64 {
    #[allow(unsafe_code)]
    // SAFETY: every 64-bit processor has RDTSC, and ring 0 may execute it.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
}

/// Measures the TSC's rate and returns it in kHz. Linux: `pit_calibrate_tsc()`. What disturbs a measurement (a hypervisor
/// that runs something else) only makes it longer, so the shortest of a few is taken.
///
/// # Panics
/// If there is no PIT to measure against.
pub fn calibrate() -> u64 {
    let ticks = (0..MEASUREMENTS).map(|_| tsc_ticks_during_pit_count()).min().unwrap_or_default();
    let khz = (ticks * PIT_HZ / u64::from(PIT_TICKS) / 1000).max(1);
    TSC_KHZ.store(khz, Ordering::Relaxed);
    khz
}

/// How far the TSC comes while the PIT counts down from [`PIT_TICKS`].
fn tsc_ticks_during_pit_count() -> u64 {
    // Gate on, speaker off.
    port::write(PORT_B, port::read(PORT_B) & !0x02 | 0x01);
    // Channel 2, low byte then high byte, mode 0: the output goes up when the count ends.
    port::write(PIT_COMMAND, 0xb0);
    port::write(PIT_CHANNEL_2, PIT_TICKS as u8);
    port::write(PIT_CHANNEL_2, (PIT_TICKS >> 8) as u8);
    let start = tsc();
    let mut polls = 0;
    while port::read(PORT_B) & 0x20 == 0 {
        polls += 1;
        assert!(polls < PIT_POLLS_MAX, "PIT channel 2 does not count: the TSC's rate cannot be measured");
        spin_loop();
    }
    tsc().saturating_sub(start)
}

/// Microseconds since an earlier value of [`tsc`].
pub fn micros_since(start: u64) -> u64 {
    tsc().saturating_sub(start) * 1000 / TSC_KHZ.load(Ordering::Relaxed).max(1)
}

/// Waits at least this long, polling, with PAUSE. Linux's name.
pub fn udelay(micros: u64) {
    let start = tsc();
    while micros_since(start) < micros {
        spin_loop();
    }
}

/// Polls until `condition` holds, for at most `micros`; returns whether it did.
pub fn wait_for(micros: u64, mut condition: impl FnMut() -> bool) -> bool {
    let start = tsc();
    loop {
        if condition() {
            return true;
        }
        if micros_since(start) >= micros {
            return condition();
        }
        spin_loop();
    }
}
