//! Segment and system descriptors: reading them from GDT and LDT, and what their bits say.
//!
//! Used by `segment_load`, `far_xfer`, `descriptor_table` and [`crate::exception`]. Sources: SDM 3A, "Segment
//! Descriptors", "System Descriptor Types" and, for 64-bit mode, "System-Segment Descriptors in IA-32e Mode".

use crate::bus::Bus;
use crate::cpu::segment::{Segment, attr};
use crate::cpu::{Cpu, efer};
use crate::fault::{Exec, Fault, Trap, vector};
use crate::mmu::access;

/// Types of system descriptors (bits 3:0 of the access byte where S = 0).
pub mod system {
    /// 16-bit TSS, available.
    pub const TSS16: u32 = 0x1;
    /// LDT.
    pub const LDT: u32 = 0x2;
    /// 16-bit TSS, busy.
    pub const TSS16_BUSY: u32 = 0x3;
    /// 16-bit call gate.
    pub const CALL_GATE16: u32 = 0x4;
    /// Task gate.
    pub const TASK_GATE: u32 = 0x5;
    /// 16-bit interrupt gate.
    pub const INTERRUPT_GATE16: u32 = 0x6;
    /// 16-bit trap gate.
    pub const TRAP_GATE16: u32 = 0x7;
    /// 32-bit TSS, 64-bit in IA-32e mode, available.
    pub const TSS: u32 = 0x9;
    /// 32-bit TSS, 64-bit in IA-32e mode, busy.
    pub const TSS_BUSY: u32 = 0xb;
    /// 32-bit call gate, 64-bit in IA-32e mode.
    pub const CALL_GATE: u32 = 0xc;
    /// 32-bit interrupt gate, 64-bit in IA-32e mode.
    pub const INTERRUPT_GATE: u32 = 0xe;
    /// 32-bit trap gate, 64-bit in IA-32e mode.
    pub const TRAP_GATE: u32 = 0xf;
}

/// A descriptor as it stands in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The eight bytes.
    pub raw: u64,
    /// Bits 63:32 of the base: the upper half of a 16-byte system descriptor, else 0.
    pub base_high: u32,
    /// Linear address of the eight bytes.
    pub linear: u64,
}

impl Descriptor {
    /// Access rights as in [`attr`].
    pub fn attributes(&self) -> u32 {
        (self.raw >> 40) as u32 & 0xf0ff
    }

    /// Type, bits 3:0 of the access byte.
    pub fn kind(&self) -> u32 {
        self.attributes() & 0xf
    }

    /// Has all these attribute bits.
    pub fn has(&self, bits: u32) -> bool {
        self.attributes() & bits == bits
    }

    /// Code or data, not system.
    pub fn is_segment(&self) -> bool {
        self.has(attr::S)
    }

    /// A code segment.
    pub fn is_code(&self) -> bool {
        self.has(attr::S | attr::CODE)
    }

    /// A data segment that can be written.
    pub fn is_writable_data(&self) -> bool {
        self.attributes() & (attr::S | attr::CODE | attr::WRITABLE) == attr::S | attr::WRITABLE
    }

    /// A conforming code segment.
    pub fn is_conforming(&self) -> bool {
        self.has(attr::S | attr::CODE | attr::EXPAND_DOWN)
    }

    /// Descriptor privilege level.
    pub fn dpl(&self) -> u8 {
        (self.attributes() >> attr::DPL_SHIFT) as u8 & 3
    }

    /// Present.
    pub fn is_present(&self) -> bool {
        self.has(attr::P)
    }

    /// Limit in bytes.
    pub fn limit(&self) -> u32 {
        let limit = (self.raw & 0xffff | self.raw >> 32 & 0xf_0000) as u32;
        if self.has(attr::G) { limit << 12 | 0xfff } else { limit }
    }

    /// Base, linear.
    pub fn base(&self) -> u64 {
        self.raw >> 16 & 0xff_ffff | self.raw >> 32 & 0xff00_0000 | u64::from(self.base_high) << 32
    }

    /// The hidden part that a segment register gets.
    pub fn segment(&self, selector: u16) -> Segment {
        Segment { selector, attributes: self.attributes(), limit: self.limit(), base: self.base() }
    }

    /// A gate's selector.
    pub fn gate_selector(&self) -> u16 {
        (self.raw >> 16) as u16
    }

    /// A gate's offset; that of a 16-byte gate with its upper half.
    pub fn gate_offset(&self) -> u64 {
        self.raw & 0xffff | self.raw >> 32 & 0xffff_0000 | u64::from(self.base_high) << 32
    }
}

/// A selector that names no descriptor: index 0 of the GDT, any RPL.
pub fn is_null(selector: u16) -> bool {
    selector & !3 == 0
}

/// A selector as the error code of a fault: RPL cleared.
pub fn error_code(selector: u16) -> u32 {
    u32::from(selector & !3)
}

/// Reads the descriptor that a selector names, with supervisor rights. A selector beyond its table raises this vector
/// (#GP, or #TS where a TSS named it), with `external` (the EXT bit) in the error code.
pub fn read_for(cpu: &mut Cpu, bus: &mut Bus, selector: u16, vector: u8, external: u32) -> Exec<Descriptor> {
    let offset = u64::from(selector & !7);
    let (base, limit, table) = if selector & 4 == 0 {
        (cpu.gdtr.base, u32::from(cpu.gdtr.limit), "GDT")
    } else if cpu.ldtr.is_unusable() {
        let cause = format!("selector {selector:04x} is in the LDT, and LDTR holds a null selector");
        return Err(Fault::with_error(vector, error_code(selector) | external, cause).into());
    } else {
        (cpu.ldtr.base, cpu.ldtr.limit, "LDT")
    };
    if offset + 7 > u64::from(limit) {
        return Err(beyond_table(selector, vector, external, table, limit));
    }
    let linear = table_address(cpu, base, offset);
    let raw = u64::from_le_bytes(access::linear_read(cpu, bus, linear, false)?);
    Ok(Descriptor { raw, base_high: 0, linear })
}

/// Reads the descriptor that a selector names; beyond its table: #GP.
pub fn read(cpu: &mut Cpu, bus: &mut Bus, selector: u16) -> Exec<Descriptor> {
    read_for(cpu, bus, selector, vector::GENERAL_PROTECTION, 0)
}

/// Reads a system descriptor: 16 bytes where IA-32e mode is active.
pub fn read_system(cpu: &mut Cpu, bus: &mut Bus, selector: u16) -> Exec<Descriptor> {
    let mut descriptor = read(cpu, bus, selector)?;
    if cpu.efer & efer::LMA != 0 && !descriptor.is_segment() {
        let limit = if selector & 4 == 0 { u32::from(cpu.gdtr.limit) } else { cpu.ldtr.limit };
        if u64::from(selector & !7) + 15 > u64::from(limit) {
            let table = if selector & 4 == 0 { "GDT" } else { "LDT" };
            return Err(beyond_table(selector, vector::GENERAL_PROTECTION, 0, table, limit));
        }
        let upper = table_address(cpu, descriptor.linear, 8);
        let high = u64::from_le_bytes(access::linear_read(cpu, bus, upper, false)?);
        if high >> 40 & 0x1f != 0 {
            let cause = format!("the upper half of descriptor {selector:04x} has a type other than 0");
            return Err(Fault::gp(error_code(selector), cause).into());
        }
        descriptor.base_high = high as u32;
    }
    Ok(descriptor)
}

#[cold]
fn beyond_table(selector: u16, vector: u8, external: u32, table: &str, limit: u32) -> Trap {
    let cause = format!("selector {selector:04x} is beyond the {table}, whose limit is {limit:x}");
    Fault::with_error(vector, error_code(selector) | external, cause).into()
}

/// Linear address in a descriptor table; it wraps at 32 bits outside IA-32e mode.
pub fn table_address(cpu: &Cpu, base: u64, offset: u64) -> u64 {
    let linear = base.wrapping_add(offset);
    if cpu.efer & efer::LMA != 0 { linear } else { linear & 0xffff_ffff }
}

/// Sets the accessed bit in memory, if it is clear, as each load of a segment register does. Where the table cannot be
/// written this faults, and nothing has changed.
pub fn mark_accessed(cpu: &mut Cpu, bus: &mut Bus, descriptor: &mut Descriptor) -> Exec<()> {
    if !descriptor.has(attr::ACCESSED) {
        set_type_bits(cpu, bus, descriptor, attr::ACCESSED)?;
    }
    Ok(())
}

/// Sets bits of the access byte in memory.
pub fn set_type_bits(cpu: &mut Cpu, bus: &mut Bus, descriptor: &mut Descriptor, bits: u32) -> Exec<()> {
    let access_byte = table_address(cpu, descriptor.linear, 5);
    let value = (descriptor.raw >> 40) as u8 | bits as u8;
    access::linear_write(cpu, bus, access_byte, false, [value])?;
    descriptor.raw |= u64::from(bits) << 40;
    Ok(())
}

/// #NP for a descriptor that is not present (#SS for a stack segment).
#[cold]
pub fn not_present(selector: u16, external: u32) -> Trap {
    Fault::with_error(
        vector::SEGMENT_NOT_PRESENT,
        error_code(selector) | external,
        format!("descriptor {:02x} is not present", selector & !7),
    )
    .into()
}

/// A #GP, or another selector fault, that names a selector.
#[cold]
pub fn selector_fault(vector: u8, selector: u16, external: u32, why: &str) -> Trap {
    Fault::with_error(vector, error_code(selector) | external, format!("selector {selector:04x}: {why}")).into()
}
