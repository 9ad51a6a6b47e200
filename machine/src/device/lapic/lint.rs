//! Local interrupt pins: LINT0 has the 8259 pair's output, LINT1 the NMI (SDM 3A, "Local Vector Table"; MP specification,
//! "Virtual Wire Mode").

use super::{BASE_ENABLE, LVT_MASKED, Lapic, SVR_ENABLE};

/// LVT: delivery mode ExtINT.
const DELIVER_EXTINT: u32 = 7 << 8;
/// LVT: delivery mode NMI.
const DELIVER_NMI: u32 = 4 << 8;
/// Index of LINT0 in the LVT.
const LINT0: usize = 3;
/// Index of LINT1.
const LINT1: usize = 4;

impl Lapic {
    /// What the 8259 pair asks for reaches the processor: by LINT0 as ExtINT, or past an APIC that is switched off.
    pub fn takes_extint(&self) -> bool {
        let entry = self.lvt[LINT0];
        self.base & BASE_ENABLE == 0 || entry & LVT_MASKED == 0 && entry >> 8 & 7 == DELIVER_EXTINT >> 8
    }

    /// As a PC's firmware leaves the boot processor's: enabled, the 8259 pair on LINT0, NMI on LINT1.
    pub fn set_virtual_wire(&mut self) {
        self.svr |= SVR_ENABLE;
        self.lvt[LINT0] = DELIVER_EXTINT;
        self.lvt[LINT1] = DELIVER_NMI;
    }
}
