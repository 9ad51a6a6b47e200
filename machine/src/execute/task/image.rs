//! The part of a TSS that a task switch saves and loads, 32 or 16 bits wide.
//!
//! Source: SDM 3A, "Task-State Segment (TSS)" and "16-Bit Task-State Segment (TSS)". Offsets in bytes:
//!
//! ```text
//!            link  CR3  EIP  EFLAGS  EAX..EDI  ES CS SS DS FS GS  LDT  T
//!  32 bits   00    1C   20   24      28..44    48 ..          5C  60   64 (bit 0)
//!  16 bits   00    -    0E   10      12..20    22 ..    28    -   2A   -
//! ```

use crate::bus::Bus;
use crate::cpu::segment::{CS, DS, ES, FS, GS, SS, Segment};
use crate::cpu::{Cpu, flags};
use crate::fault::Exec;
use crate::mmu::access::{linear_read, linear_write};

/// Segment registers in their order in the TSS.
const SEGMENTS: [usize; 6] = [ES, CS, SS, DS, FS, GS];
/// Flags that a TSS can hold.
pub const FLAGS: u64 = flags::STATUS
    | flags::TF
    | flags::IF
    | flags::DF
    | flags::IOPL
    | flags::NT
    | flags::RF
    | flags::VM
    | flags::AC
    | flags::VIF
    | flags::VIP
    | flags::ID;
/// What a 16-bit TSS leaves in the upper halves of registers (the SDM does not say; as Bochs and QEMU have it).
const UPPER_ONES: u64 = 0xffff_0000;

/// State of a task.
#[derive(Clone, Debug)]
pub struct Image {
    pub is_wide: bool,
    pub cr3: Option<u64>,
    pub rip: u64,
    pub flags: u64,
    pub gpr: [u64; 8],
    /// In the order of `Cpu::segments`.
    pub segments: [u16; 6],
    pub ldt: u16,
    /// The debug trap flag T.
    pub traps: bool,
}

/// The smallest limit of a TSS that can be switched to or from.
pub fn min_limit(is_wide: bool) -> u32 {
    if is_wide { 0x67 } else { 0x2b }
}

/// Offset and bytes of what [`save`] writes.
pub fn saved_range(is_wide: bool) -> (u64, u64) {
    if is_wide { (0x20, 0x40) } else { (0x0e, 0x1c) }
}

impl Image {
    /// Reads the TSS at a linear address.
    pub fn read(cpu: &mut Cpu, bus: &mut Bus, base: u64, is_wide: bool) -> Exec<Self> {
        let mut word = |offset: u64| -> Exec<u64> {
            let linear = base.wrapping_add(offset) & 0xffff_ffff;
            Ok(u64::from(u16::from_le_bytes(linear_read(cpu, bus, linear, false)?)))
        };
        let mut segments = [0; 6];
        let mut gpr = [0; 8];
        if !is_wide {
            for (reg, value) in gpr.iter_mut().enumerate() {
                *value = word(0x12 + 2 * reg as u64)? | UPPER_ONES;
            }
            for (index, seg) in SEGMENTS.into_iter().take(4).enumerate() {
                segments[seg] = word(0x22 + 2 * index as u64)? as u16;
            }
            let (rip, flags, ldt) = (word(0x0e)?, word(0x10)?, word(0x2a)? as u16);
            return Ok(Self { is_wide, cr3: None, rip, flags, gpr, segments, ldt, traps: false });
        }
        let mut dword = |offset: u64| -> Exec<u64> { Ok(word(offset)? | word(offset + 2)? << 16) };
        for (reg, value) in gpr.iter_mut().enumerate() {
            *value = dword(0x28 + 4 * reg as u64)?;
        }
        for (index, seg) in SEGMENTS.into_iter().enumerate() {
            segments[seg] = dword(0x48 + 4 * index as u64)? as u16;
        }
        Ok(Self {
            is_wide,
            cr3: Some(dword(0x1c)?),
            rip: dword(0x20)?,
            flags: dword(0x24)?,
            gpr,
            segments,
            ldt: dword(0x60)? as u16,
            traps: dword(0x64)? & 1 != 0,
        })
    }
}

/// Saves the running task, with these flags, into its TSS.
pub fn save(cpu: &mut Cpu, bus: &mut Bus, tss: &Segment, is_wide: bool, flags: u64) -> Exec<()> {
    let at = |offset: u64| tss.base.wrapping_add(offset) & 0xffff_ffff;
    let (rip, gpr, segments) = (cpu.rip, cpu.gpr, cpu.segments);
    let numbers = [rip, flags].into_iter().chain(gpr.into_iter().take(8));
    if is_wide {
        for (index, value) in numbers.enumerate() {
            linear_write(cpu, bus, at(0x20 + 4 * index as u64), false, (value as u32).to_le_bytes())?;
        }
        for (index, seg) in SEGMENTS.into_iter().enumerate() {
            linear_write(cpu, bus, at(0x48 + 4 * index as u64), false, segments[seg].selector.to_le_bytes())?;
        }
    } else {
        for (index, value) in numbers.enumerate() {
            linear_write(cpu, bus, at(0x0e + 2 * index as u64), false, (value as u16).to_le_bytes())?;
        }
        for (index, seg) in SEGMENTS.into_iter().take(4).enumerate() {
            linear_write(cpu, bus, at(0x22 + 2 * index as u64), false, segments[seg].selector.to_le_bytes())?;
        }
    }
    Ok(())
}
