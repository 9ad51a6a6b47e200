//! The local APIC's timer: one-shot and periodic by counting down, TSC-deadline by comparing (SDM 3A, "APIC Timer",
//! "TSC-Deadline Mode").
//!
//! One tick of the undivided clock is a nanosecond, as one of the time-stamp counter is. [`crate::machine`] asks
//! [`Lapic::deadline_ns`] for the first timer to expire.

use super::{LVT_MASKED, Lapic, lvt};
use crate::bus::Outbox;

/// Timer mode, bits 18:17 of the LVT entry.
mod mode {
    pub const PERIODIC: u32 = 1;
    pub const TSC_DEADLINE: u32 = 2;
}

impl Lapic {
    fn timer_mode(&self) -> u32 {
        self.lvt[lvt::TIMER] >> 17 & 3
    }

    /// Nanoseconds of one tick: the bus runs at 1 GHz, divided by 1 to 128.
    fn tick_ns(&self) -> u64 {
        let code = self.divide & 3 | self.divide >> 1 & 4;
        if code == 7 { 1 } else { 2 << code }
    }

    /// The initial-count register is written: the count begins, or with 0 stops. It does nothing in TSC-deadline mode.
    pub(super) fn write_initial_count(&mut self, value: u32, now_ns: u64, out: &mut Outbox) {
        if self.timer_mode() == mode::TSC_DEADLINE {
            return;
        }
        self.initial_count = value;
        self.count_from(value, now_ns, out);
    }

    fn count_from(&mut self, count: u32, now_ns: u64, out: &mut Outbox) {
        self.deadline_ns = (count != 0).then_some(now_ns + u64::from(count) * self.tick_ns());
        out.timers_changed = true;
    }

    /// The divide configuration is written: the count goes on at another pace.
    pub(super) fn write_divide(&mut self, value: u32, now_ns: u64, out: &mut Outbox) {
        let count = self.current_count(now_ns);
        self.divide = value & 0b1011;
        if count != 0 {
            self.count_from(count, now_ns, out);
        }
    }

    /// The timer's LVT entry was `old`. Into TSC-deadline mode and out of it the timer is disarmed; between one-shot and
    /// periodic the count goes on (docs/QUIRKS.md, "Time").
    pub(super) fn timer_entry_changed(&mut self, old: u32, out: &mut Outbox) {
        let was = old >> 17 & 3;
        if was != self.timer_mode() && (was == mode::TSC_DEADLINE || self.timer_mode() == mode::TSC_DEADLINE) {
            (self.initial_count, self.deadline_ns, self.tsc_deadline) = (0, None, 0);
            out.timers_changed = true;
        }
    }

    /// The current-count register.
    pub(super) fn current_count(&self, now_ns: u64) -> u32 {
        match self.deadline_ns {
            Some(deadline) if self.timer_mode() != mode::TSC_DEADLINE => {
                deadline.saturating_sub(now_ns).div_ceil(self.tick_ns()) as u32
            }
            _ => 0,
        }
    }

    /// IA32_TSC_DEADLINE: the value of the time-stamp counter at which the timer expires, 0: it is not armed.
    pub fn tsc_deadline(&self) -> u64 {
        self.tsc_deadline
    }

    /// A write of IA32_TSC_DEADLINE, which counts in its mode only; `tsc_offset` as in [`crate::cpu::Msrs`]. One that has
    /// passed already expires at once.
    pub fn set_tsc_deadline(&mut self, value: u64, tsc_offset: u64, now_ns: u64, out: &mut Outbox) {
        if self.timer_mode() == mode::TSC_DEADLINE {
            self.tsc_deadline = value;
            self.deadline_ns = None;
            self.tsc_changed(tsc_offset, now_ns, out);
            out.timers_changed = true;
        }
    }

    /// The time-stamp counter was written: an armed deadline is at another time now.
    pub fn tsc_changed(&mut self, tsc_offset: u64, now_ns: u64, out: &mut Outbox) {
        if self.tsc_deadline != 0 {
            let left_ns = self.tsc_deadline.saturating_sub(now_ns.wrapping_add(tsc_offset));
            self.deadline_ns = Some(now_ns.saturating_add(left_ns));
            out.timers_changed = true;
        }
    }

    /// When the timer expires next, in nanoseconds of the machine's clock.
    pub fn deadline_ns(&self) -> Option<u64> {
        self.deadline_ns
    }

    /// Expires the timer if its time has come: requests its interrupt, and counts again if periodic.
    pub fn tick(&mut self, now_ns: u64) {
        let Some(deadline) = self.deadline_ns.filter(|&deadline| deadline <= now_ns) else { return };
        let entry = self.lvt[lvt::TIMER];
        (self.deadline_ns, self.tsc_deadline) = (None, 0);
        let period_ns = u64::from(self.initial_count) * self.tick_ns();
        if self.timer_mode() == mode::PERIODIC && period_ns != 0 {
            let missed = (now_ns - deadline) / period_ns;
            self.deadline_ns = Some(deadline + (missed + 1) * period_ns);
        }
        if entry & LVT_MASKED == 0 {
            self.accept(entry as u8, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::enabled;
    use super::*;
    use protocol::CpuId;

    const LVT: u32 = 0x320;
    const INITIAL: u32 = 0x380;
    const CURRENT: u32 = 0x390;
    const DIVIDE: u32 = 0x3e0;
    const PERIODIC: u32 = 1 << 17;
    const DEADLINE: u32 = 2 << 17;

    /// An enabled APIC, and a way to write its registers.
    struct Bench(Lapic, Outbox);

    impl Bench {
        fn new(entry: u32) -> Self {
            let mut bench = Self(enabled(), Outbox::default());
            bench.write(LVT, entry, 0);
            bench
        }

        fn write(&mut self, offset: u32, value: u32, now_ns: u64) {
            self.0.write(CpuId(0), offset, value, now_ns, &mut self.1);
        }
    }

    /// Goal: the timer expires once or again and again; method: count 1000 at divide by 2.
    #[test]
    fn once_and_again() {
        let mut bench = Bench::new(0x50);
        bench.write(INITIAL, 1000, 0);
        assert_eq!(bench.0.deadline_ns(), Some(2000));
        assert_eq!(bench.0.read(CURRENT, 1000), 500);
        bench.0.tick(2000);
        assert_eq!((bench.0.request(), bench.0.deadline_ns(), bench.0.read(CURRENT, 2000)), (Some(0x50), None, 0));
        bench.write(LVT, PERIODIC | 0x50, 3000);
        assert_eq!(bench.0.deadline_ns(), None, "a count that has ended does not begin again by itself");
        bench.write(INITIAL, 1000, 3000);
        bench.0.tick(5000);
        assert_eq!(bench.0.deadline_ns(), Some(7000));
        bench.0.tick(12_345);
        assert_eq!(bench.0.deadline_ns(), Some(13_000), "missed periods are not made up for");
    }

    /// Goal: one-shot and periodic are exchanged, and the divider changed, in the middle of a count; method: both ways at half.
    #[test]
    fn goes_on_counting() {
        let mut bench = Bench::new(0x50);
        bench.write(INITIAL, 1000, 0);
        bench.write(LVT, PERIODIC | 0x50, 1000);
        assert_eq!(bench.0.read(CURRENT, 1000), 500);
        bench.write(DIVIDE, 0b1011, 1000);
        assert_eq!((bench.0.read(CURRENT, 1000), bench.0.deadline_ns()), (500, Some(1500)));
        bench.0.tick(1500);
        assert_eq!(bench.0.deadline_ns(), Some(2500));
        bench.write(LVT, 0x50, 2000);
        bench.0.tick(2500);
        assert_eq!(bench.0.deadline_ns(), None);
    }

    /// Goal: TSC-deadline mode; method: a deadline to come, one that has passed, one that is taken back, a new time-stamp counter,
    /// and the registers of the other modes, which do nothing.
    #[test]
    fn tsc_deadline() {
        let mut bench = Bench::new(DEADLINE | 0x50);
        let offset = 10_000;
        bench.write(INITIAL, 1000, 0);
        assert_eq!((bench.0.deadline_ns(), bench.0.read(INITIAL, 0)), (None, 0));
        bench.0.set_tsc_deadline(10_700, offset, 100, &mut bench.1);
        assert_eq!((bench.0.tsc_deadline(), bench.0.deadline_ns(), bench.0.read(CURRENT, 100)), (10_700, Some(700), 0));
        bench.0.tsc_changed(offset + 300, 200, &mut bench.1);
        assert_eq!(bench.0.deadline_ns(), Some(400));
        bench.0.tick(399);
        assert_eq!(bench.0.request(), None);
        bench.0.tick(400);
        assert_eq!((bench.0.request(), bench.0.tsc_deadline(), bench.0.deadline_ns()), (Some(0x50), 0, None));
        bench.0.set_tsc_deadline(1, offset, 500, &mut bench.1);
        assert_eq!(bench.0.deadline_ns(), Some(500), "it has passed: at once");
        bench.0.set_tsc_deadline(0, offset, 500, &mut bench.1);
        assert_eq!((bench.0.tsc_deadline(), bench.0.deadline_ns()), (0, None));
        bench.0.set_tsc_deadline(u64::MAX, offset, 500, &mut bench.1);
        bench.write(LVT, 0x50, 600);
        assert_eq!((bench.0.tsc_deadline(), bench.0.deadline_ns()), (0, None), "another mode disarms it");
        bench.0.set_tsc_deadline(20_000, offset, 600, &mut bench.1);
        assert_eq!(bench.0.deadline_ns(), None, "in another mode it does nothing");
    }
}
