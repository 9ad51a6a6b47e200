//! The local APIC of one CPU: registers as memory shows them in xAPIC mode, priorities, the timer (SDM 3A, "Advanced
//! Programmable Interrupt Controller"). The timer itself is in `timer`, local pins in `lint`; [`x2apic`] has the registers as
//! MSRs and the way from mode to mode.
//!
//! Register writes that concern others (ICR, EOI of a level interrupt) go to the outbox; [`crate::bus::routing`] brings
//! what others send. [`crate::exception`] asks [`Lapic::request`] before each instruction.

pub mod lint;
mod timer;
pub mod x2apic;

use crate::bus::{Ipi, Outbox};
use protocol::CpuId;

/// IA32_APIC_BASE: this is the bootstrap processor.
pub const BASE_BSP: u64 = 1 << 8;
/// IA32_APIC_BASE: x2APIC mode.
pub const BASE_EXTD: u64 = 1 << 10;
/// IA32_APIC_BASE: enabled.
pub const BASE_ENABLE: u64 = 1 << 11;
/// Where the registers are after reset.
const DEFAULT_BASE: u64 = 0xfee0_0000;

/// SVR: software enable.
const SVR_ENABLE: u32 = 1 << 8;
/// LVT: masked.
const LVT_MASKED: u32 = 1 << 16;
/// Number of LVT entries that the version register announces, less one.
const MAX_LVT: u32 = 5;
/// Integrated APIC version.
const VERSION: u32 = 0x14;
/// ICR: delivery status; never busy here.
const ICR_PENDING: u32 = 1 << 12;
/// ESR: illegal vector sent.
const ESR_SEND_ILLEGAL: u32 = 1 << 5;
/// ESR: illegal vector received.
const ESR_RECEIVE_ILLEGAL: u32 = 1 << 6;
/// ESR: illegal register address.
const ESR_ILLEGAL_REGISTER: u32 = 1 << 7;

/// Order of [`Lapic::lvt`].
mod lvt {
    pub const TIMER: usize = 0;
    pub const LINT0: usize = 3;
    pub const LINT1: usize = 4;
    pub const ERROR: usize = 5;
    /// Bits that can be written. Delivery status and remote IRR are the APIC's.
    pub const WRITABLE: [u32; 6] = [
        // Timer: vector, mask, mode. Thermal sensor and performance counters: vector, delivery mode, mask.
        0x0007_00ff,
        0x0001_07ff,
        0x0001_07ff,
        // LINT0 and LINT1: polarity and trigger mode too.
        0x0001_a7ff,
        0x0001_a7ff,
        // Error: vector, mask.
        0x0001_00ff,
    ];
}

/// A 256-bit vector map. Word 0 holds vectors 0 to 63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VectorMap(pub [u64; 4]);

impl VectorMap {
    fn set(&mut self, vector: u8) {
        self.0[usize::from(vector >> 6)] |= 1 << (vector & 63);
    }

    fn clear(&mut self, vector: u8) {
        self.0[usize::from(vector >> 6)] &= !(1 << (vector & 63));
    }

    fn contains(&self, vector: u8) -> bool {
        self.0[usize::from(vector >> 6)] & 1 << (vector & 63) != 0
    }

    fn highest(&self) -> Option<u8> {
        (0..4).rev().find(|&word| self.0[word] != 0).map(|word| (word as u8) << 6 | self.0[word].ilog2() as u8)
    }

    fn word32(&self, index: u32) -> u32 {
        (self.0[index as usize / 2] >> (32 * (index & 1))) as u32
    }
}

/// Registers of one local APIC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lapic {
    /// IA32_APIC_BASE.
    pub base: u64,
    /// The ID at power-on, as strapped.
    pub initial_id: u32,
    id: u32,
    tpr: u32,
    ldr: u32,
    dfr: u32,
    svr: u32,
    icr: u64,
    esr: u32,
    esr_pending: u32,
    lvt: [u32; 6],
    divide: u32,
    initial_count: u32,
    /// IA32_TSC_DEADLINE, 0: not armed.
    tsc_deadline: u64,
    /// Clock at which the timer next expires, None: stopped.
    deadline_ns: Option<u64>,
    isr: VectorMap,
    irr: VectorMap,
    tmr: VectorMap,
    /// Cached: the highest request above the processor priority.
    request: Option<u8>,
}

impl Lapic {
    /// State after power-on.
    pub fn new(apic_id: u32, is_bsp: bool) -> Self {
        let mut lapic = Self {
            base: DEFAULT_BASE | BASE_ENABLE | if is_bsp { BASE_BSP } else { 0 },
            initial_id: apic_id,
            id: apic_id,
            tpr: 0,
            ldr: 0,
            dfr: 0xffff_ffff,
            svr: 0xff,
            icr: 0,
            esr: 0,
            esr_pending: 0,
            lvt: [LVT_MASKED; 6],
            divide: 0,
            initial_count: 0,
            tsc_deadline: 0,
            deadline_ns: None,
            isr: VectorMap::default(),
            irr: VectorMap::default(),
            tmr: VectorMap::default(),
            request: None,
        };
        lapic.update_request();
        lapic
    }

    /// INIT resets all but the base register and the ID, with it the mode (SDM 3A, "Local APIC State After It Receives an
    /// INIT Reset" and "x2APIC States").
    pub fn init(&mut self) {
        *self = Self { base: self.base, id: self.id, ..Self::new(self.initial_id, false) };
        self.derive_ldr();
    }

    /// Offset into the register page; None outside it or where MMIO is off (disabled or x2APIC).
    #[inline]
    pub fn mmio_offset(&self, paddr: u64) -> Option<u32> {
        let enabled = self.base & (BASE_ENABLE | BASE_EXTD) == BASE_ENABLE;
        (enabled && paddr & !0xfff == self.base & 0x000f_ffff_ffff_f000).then_some(paddr as u32 & 0xfff)
    }

    /// The ID by which others address it.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Accepts fixed interrupts at all: globally and by software enabled.
    pub fn is_software_enabled(&self) -> bool {
        self.base & BASE_ENABLE != 0 && self.svr & SVR_ENABLE != 0
    }

    /// A logical destination names it: flat model compares bits, cluster model cluster and bits. One of more than eight bits
    /// comes from a sender in x2APIC mode.
    pub fn matches_logical(&self, destination: u32) -> bool {
        if self.is_x2apic() {
            return self.matches_x2apic_cluster(destination);
        }
        let Ok(destination) = u8::try_from(destination) else { return destination == u32::MAX };
        let ldr = (self.ldr >> 24) as u8;
        if self.dfr >> 28 == 0xf {
            ldr & destination != 0
        } else {
            (destination >> 4 == 0xf || destination >> 4 == ldr >> 4) && destination & ldr & 0xf != 0
        }
    }

    /// Reads a register.
    pub fn read(&mut self, offset: u32, now_ns: u64) -> u32 {
        match offset {
            0x020 => self.id << 24,
            0x030 => VERSION | MAX_LVT << 16,
            0x080 => self.tpr,
            0x090 | 0x0a0 => u32::from(self.processor_priority()),
            0x0d0 => self.ldr,
            0x0e0 => self.dfr,
            0x0f0 => self.svr,
            0x100..=0x170 => self.isr.word32((offset - 0x100) >> 4),
            0x180..=0x1f0 => self.tmr.word32((offset - 0x180) >> 4),
            0x200..=0x270 => self.irr.word32((offset - 0x200) >> 4),
            0x280 => self.esr,
            0x300 => self.icr as u32,
            0x310 => (self.icr >> 32) as u32,
            0x320..=0x370 => self.lvt[Self::lvt_index(offset)],
            0x380 => self.initial_count,
            0x390 => self.current_count(now_ns),
            0x3e0 => self.divide,
            // EOI is write-only; the rest does not exist.
            0x0b0 => 0,
            _ => {
                self.esr_pending |= ESR_ILLEGAL_REGISTER;
                0
            }
        }
    }

    /// Writes a register.
    pub fn write(&mut self, cpu: CpuId, offset: u32, value: u32, now_ns: u64, out: &mut Outbox) {
        match offset {
            0x020 => self.id = value >> 24,
            0x080 => self.tpr = value & 0xff,
            0x0b0 => self.end_of_interrupt(out),
            0x0d0 => self.ldr = value & 0xff00_0000,
            0x0e0 => self.dfr = value | 0x0fff_ffff,
            0x0f0 => {
                self.svr = value & 0x1ff;
                out.lines_changed = true;
                if value & SVR_ENABLE == 0 {
                    self.lvt.iter_mut().for_each(|entry| *entry |= LVT_MASKED);
                }
            }
            0x280 => self.esr = std::mem::take(&mut self.esr_pending),
            0x300 => {
                self.icr = self.icr & !0xffff_ffff | u64::from(value & !ICR_PENDING);
                if value >> 8 & 7 == 0 && value & 0xff < 16 {
                    self.raise_error(ESR_SEND_ILLEGAL);
                }
                out.ipis.push(Ipi { from: cpu, icr: self.icr, x2apic: false });
            }
            0x310 => self.icr = self.icr & 0xffff_ffff | u64::from(value) << 32,
            0x320..=0x370 => self.write_lvt(Self::lvt_index(offset), value, out),
            0x380 => self.write_initial_count(value, now_ns, out),
            0x3e0 => self.write_divide(value, now_ns, out),
            _ => self.esr_pending |= ESR_ILLEGAL_REGISTER,
        }
        self.update_request();
    }

    /// LVT registers stand at 320h (timer) to 370h (error).
    fn lvt_index(offset: u32) -> usize {
        ((offset - 0x320) >> 4) as usize
    }

    fn write_lvt(&mut self, index: usize, value: u32, out: &mut Outbox) {
        let forced = if self.svr & SVR_ENABLE == 0 { LVT_MASKED } else { 0 };
        out.lines_changed = true;
        let old = std::mem::replace(&mut self.lvt[index], value & lvt::WRITABLE[index] | forced);
        match index {
            lvt::TIMER => self.timer_entry_changed(old, out),
            lvt::LINT0 => self.lvt[index] |= Self::kept_remote_irr(old, self.lvt[index]),
            _ => {}
        }
    }

    fn end_of_interrupt(&mut self, out: &mut Outbox) {
        if let Some(vector) = self.isr.highest() {
            self.isr.clear(vector);
            if self.tmr.contains(vector) {
                out.level_eois.push(vector);
                self.lint0_ended(vector, out);
            }
        }
    }

    fn raise_error(&mut self, bit: u32) {
        self.esr_pending |= bit;
        let entry = self.lvt[lvt::ERROR];
        if entry & LVT_MASKED == 0 && entry & 0xff >= 16 {
            self.irr.set(entry as u8);
        }
    }

    /// A fixed interrupt arrives. False: the APIC drops it (software-disabled, or an illegal vector).
    pub fn accept(&mut self, vector: u8, level: bool) -> bool {
        if !self.is_software_enabled() {
            return false;
        }
        if vector < 16 {
            self.raise_error(ESR_RECEIVE_ILLEGAL);
            return false;
        }
        self.irr.set(vector);
        if level {
            self.tmr.set(vector);
        } else {
            self.tmr.clear(vector);
        }
        self.update_request();
        true
    }

    /// The vector that the processor would take now if interrupts are enabled.
    #[inline]
    pub fn request(&self) -> Option<u8> {
        self.request
    }

    /// The processor takes [`Lapic::request`]: it moves from requested to in service.
    pub fn acknowledge(&mut self) -> Option<u8> {
        let vector = self.request?;
        self.irr.clear(vector);
        self.isr.set(vector);
        self.update_request();
        Some(vector)
    }

    /// Task priority as CR8 shows it: bits 7:4 of the TPR.
    pub fn cr8(&self) -> u64 {
        u64::from(self.tpr >> 4)
    }

    /// A write of CR8.
    pub fn set_cr8(&mut self, value: u64) {
        self.tpr = (value as u32 & 0xf) << 4;
        self.update_request();
    }

    fn processor_priority(&self) -> u8 {
        let in_service = self.isr.highest().unwrap_or(0) & 0xf0;
        let task = self.tpr as u8;
        if task & 0xf0 >= in_service { task } else { in_service }
    }

    fn update_request(&mut self) {
        let highest = self.irr.highest().filter(|vector| vector & 0xf0 > self.processor_priority() & 0xf0);
        self.request = highest.filter(|_| self.base & BASE_ENABLE != 0);
    }

    /// What a debugger shows.
    pub fn snapshot(&self, now_ns: u64) -> protocol::cpu::LapicState {
        protocol::cpu::LapicState {
            svr: self.svr,
            tpr: self.tpr,
            icr: self.icr,
            esr: self.esr,
            lvt_timer: self.lvt[lvt::TIMER],
            timer_initial: self.initial_count,
            timer_current: self.current_count(now_ns),
            isr: self.isr.0,
            irr: self.irr.0,
        }
    }

    /// Registers in a fixed order, for the state hash.
    pub fn state(&self, mut put: impl FnMut(u64)) {
        put(self.base);
        put(self.icr);
        put(u64::from(self.initial_id) | u64::from(self.id) << 32);
        put(u64::from(self.tpr) | u64::from(self.svr) << 32);
        put(u64::from(self.ldr) | u64::from(self.dfr) << 32);
        put(u64::from(self.esr) | u64::from(self.esr_pending) << 32);
        self.lvt.iter().for_each(|&entry| put(u64::from(entry)));
        put(u64::from(self.divide) | u64::from(self.initial_count) << 32);
        put(self.tsc_deadline);
        put(self.deadline_ns.unwrap_or(u64::MAX));
        for map in [&self.isr, &self.irr, &self.tmr] {
            map.0.iter().for_each(|&word| put(word));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn enabled() -> Lapic {
        let mut lapic = Lapic::new(0, true);
        lapic.write(CpuId(0), 0x0f0, 0x1ff, 0, &mut Outbox::default());
        lapic
    }

    /// Goal: priorities decide what is taken and when; method: two vectors, one in service, EOI.
    #[test]
    fn higher_class_first() {
        let mut lapic = enabled();
        lapic.accept(0x31, false);
        lapic.accept(0x42, false);
        assert_eq!(lapic.acknowledge(), Some(0x42));
        assert_eq!(lapic.request(), None);
        lapic.write(CpuId(0), 0x0b0, 0, 0, &mut Outbox::default());
        assert_eq!(lapic.request(), Some(0x31));
        lapic.set_cr8(3);
        assert_eq!(lapic.request(), None);
    }

    /// Goal: after reset an APIC drops fixed interrupts; method: accept before and after the software enable.
    #[test]
    fn software_disabled_drops() {
        let mut lapic = Lapic::new(1, false);
        assert!(!lapic.accept(0x40, false));
        assert!(enabled().accept(0x40, false));
    }
}
