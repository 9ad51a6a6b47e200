//! x2APIC mode: the local APIC's registers as MSRs 800h to 83Fh, 32-bit IDs, and the transitions of IA32_APIC_BASE (SDM 3A,
//! "Extended XAPIC (x2APIC)").
//!
//! Called by [`crate::execute::msr`]. An access that the architecture refuses with #GP(0) is told in words, and has changed
//! nothing.

use super::{BASE_ENABLE, BASE_EXTD, ESR_SEND_ILLEGAL, Lapic};
use crate::bus::{Ipi, Outbox};
use protocol::CpuId;

/// The first of the MSRs. The others follow as the registers do in memory, one for each 16 bytes.
pub const FIRST_MSR: u32 = 0x800;
/// The last MSR that is the APIC's, also where no register is.
pub const LAST_MSR: u32 = 0x8ff;

/// Numbers of those MSRs that are not simply a register of the xAPIC.
mod msr {
    pub const ID: u32 = 0x802;
    pub const EOI: u32 = 0x80b;
    pub const LDR: u32 = 0x80d;
    pub const ICR: u32 = 0x830;
    pub const SELF_IPI: u32 = 0x83f;
}

/// ICR: bits 31:20, 17:16, and 13:12, where xAPIC has the delivery status.
const ICR_RESERVED: u64 = 0xfff3_3000;
/// LVT: delivery status, which only the APIC changes.
const LVT_STATUS: u64 = 1 << 12;

/// Why an access is #GP(0).
pub type Refused = &'static str;

const WRONG_MODE: Refused = "the local APIC is not in x2APIC mode: its MSRs do not exist";
const NO_REGISTER: Refused = "the local APIC has no such register in x2APIC mode";

/// Bits that may be written, for the MSRs that may be written; None: there is none of that number, or it is read-only.
fn writable(index: u32) -> Option<u64> {
    Some(match index {
        // TPR.
        0x808 => 0xff,
        // EOI and ESR take 0 alone.
        msr::EOI | 0x828 => 0,
        // SVR: vector, software enable.
        0x80f => 0x1ff,
        msr::ICR => !ICR_RESERVED,
        // LVT: timer, thermal sensor and performance counters, LINT0 and LINT1, error.
        0x832 => 0x0007_00ff | LVT_STATUS,
        0x833 | 0x834 => 0x0001_07ff | LVT_STATUS,
        0x835 | 0x836 => 0x0001_e7ff | LVT_STATUS,
        0x837 => 0x0001_00ff | LVT_STATUS,
        // Initial count, divide configuration, SELF IPI.
        0x838 => 0xffff_ffff,
        0x83e => 0b1011,
        msr::SELF_IPI => 0xff,
        _ => return None,
    })
}

/// Registers that are read: version, TPR, PPR, SVR, ISR, TMR, IRR, ESR, LVT, timer. ID, LDR and ICR come besides them.
fn is_readable(index: u32) -> bool {
    matches!(index, 0x803 | 0x808 | 0x80a | 0x80f..=0x828 | 0x832..=0x839 | 0x83e)
}

impl Lapic {
    /// In x2APIC mode.
    #[inline]
    pub fn is_x2apic(&self) -> bool {
        self.base & (BASE_ENABLE | BASE_EXTD) == BASE_ENABLE | BASE_EXTD
    }

    /// Reads an MSR of x2APIC mode. No side effects.
    ///
    /// # Errors
    /// Outside that mode, or where none can be read.
    pub fn read_msr(&self, index: u32, now_ns: u64) -> Result<u64, Refused> {
        if !self.is_x2apic() {
            return Err(WRONG_MODE);
        }
        match index {
            msr::ID => Ok(self.id.into()),
            msr::LDR => Ok(self.ldr.into()),
            msr::ICR => Ok(self.icr),
            msr::EOI | msr::SELF_IPI => Err("this register of the local APIC is write-only"),
            // A read changes an APIC only where there is no register, and that is not readable.
            index if is_readable(index) => Ok(self.clone().read((index - FIRST_MSR) << 4, now_ns).into()),
            _ => Err(NO_REGISTER),
        }
    }

    /// Writes an MSR of x2APIC mode.
    ///
    /// # Errors
    /// Outside that mode, where none can be written, or with a reserved bit set.
    pub fn write_msr(
        &mut self,
        cpu: CpuId,
        index: u32,
        value: u64,
        now_ns: u64,
        out: &mut Outbox,
    ) -> Result<(), Refused> {
        if !self.is_x2apic() {
            return Err(WRONG_MODE);
        }
        let is_read_only = is_readable(index) || matches!(index, msr::ID | msr::LDR);
        let Some(bits) = writable(index) else {
            return Err(if is_read_only { "this register of the local APIC is read-only" } else { NO_REGISTER });
        };
        if value & !bits != 0 {
            return Err("a reserved bit of a local APIC register was written");
        }
        match index {
            msr::ICR | msr::SELF_IPI => {
                if value >> 8 & 7 == 0 && value & 0xff < 16 {
                    self.raise_error(ESR_SEND_ILLEGAL);
                }
                // SELF IPI is an ICR write with shorthand self that leaves the ICR alone.
                let icr = if index == msr::ICR { value } else { 1 << 18 | value };
                if index == msr::ICR {
                    self.icr = value;
                }
                out.ipis.push(Ipi { from: cpu, icr, x2apic: true });
                self.update_request();
            }
            _ => self.write(cpu, (index - FIRST_MSR) << 4, value as u32, now_ns, out),
        }
        Ok(())
    }

    /// A write of IA32_APIC_BASE: the mode and the place of the registers. Which bits exist is checked before.
    ///
    /// # Errors
    /// The mode cannot be reached from the one that is on (SDM 3A, "x2APIC State Transitions").
    pub fn set_base(&mut self, base: u64) -> Result<(), Refused> {
        const DISABLED: u64 = 0;
        const XAPIC: u64 = BASE_ENABLE;
        const X2APIC: u64 = BASE_ENABLE | BASE_EXTD;
        let mode = |base: u64| base & (BASE_ENABLE | BASE_EXTD);
        match (mode(self.base), mode(base)) {
            (_, BASE_EXTD) => return Err("IA32_APIC_BASE: EXTD without EN is no mode of the local APIC"),
            (X2APIC, XAPIC) => {
                return Err("IA32_APIC_BASE: from x2APIC mode there is no way to xAPIC mode but by switching it off");
            }
            (DISABLED, X2APIC) => {
                return Err("IA32_APIC_BASE: the local APIC is off, and only xAPIC mode leads to x2APIC mode");
            }
            (XAPIC, X2APIC) => {
                self.base = base;
                // The ID is the processor's again, whatever was written in xAPIC mode; the ICR's upper half is not kept.
                self.id = self.initial_id;
                self.icr &= 0xffff_ffff;
                self.derive_ldr();
            }
            // Off: nothing of it is kept (SDM 3A, "Enabling or Disabling the Local APIC").
            (XAPIC | X2APIC, DISABLED) => *self = Self { base, ..Self::new(self.initial_id, false) },
            _ => self.base = base,
        }
        self.update_request();
        Ok(())
    }

    /// In x2APIC mode the logical ID follows from the ID: cluster in 31:16, a bit for each of 16 in 15:0.
    pub(super) fn derive_ldr(&mut self) {
        if self.is_x2apic() {
            self.ldr = (self.id >> 4) << 16 | 1 << (self.id & 0xf);
        }
    }

    /// Cluster model of x2APIC mode: cluster and bits. All ones are everybody.
    pub(super) fn matches_x2apic_cluster(&self, destination: u32) -> bool {
        destination == u32::MAX || destination >> 16 == self.ldr >> 16 && destination & self.ldr & 0xffff != 0
    }
}

#[cfg(test)]
mod tests;
