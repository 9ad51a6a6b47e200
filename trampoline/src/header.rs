//! The structures that the blob's assembly and the kernel share. The kernel's build compares their layout with the
//! addresses of the linked symbols at compile time.

use core::mem::{offset_of, size_of};

/// The word at `end_signature`, the same as Linux's: a blob that ends with it was copied whole.
pub const END_SIGNATURE: u32 = 0x65a2_2c82;

/// `real_mode_header` at the start of the blob: 32-bit linear addresses, once relocated (Linux: `asm/realmode.h`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealModeHeader {
    /// First byte that must be executable; page-aligned.
    pub text_start: u32,
    /// End of what is only read; page-aligned.
    pub ro_end: u32,
    /// Where a SIPI lands; page-aligned.
    pub trampoline_start: u32,
    /// The [`TrampolineHeader`].
    pub trampoline_header: u32,
    /// The blob's PML4, or PML5 where there are five levels; page-aligned.
    pub trampoline_pgd: u32,
    /// Where a processor enters that is in 64-bit mode, on tables of another depth.
    pub trampoline_start64: u32,
    /// Where the way back to real mode begins, in 32-bit code.
    pub machine_real_restart_asm: u32,
    /// The selector of that code; with the field before it the operand of a far jump.
    pub machine_real_restart_seg: u32,
}

impl RealModeHeader {
    /// Size in bytes.
    pub const SIZE: usize = size_of::<Self>();

    /// Reads the header from the first bytes of a blob; `None` if there are too few.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let word = |offset: usize| Some(u32::from_le_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?));
        Some(Self {
            text_start: word(offset_of!(Self, text_start))?,
            ro_end: word(offset_of!(Self, ro_end))?,
            trampoline_start: word(offset_of!(Self, trampoline_start))?,
            trampoline_header: word(offset_of!(Self, trampoline_header))?,
            trampoline_pgd: word(offset_of!(Self, trampoline_pgd))?,
            trampoline_start64: word(offset_of!(Self, trampoline_start64))?,
            machine_real_restart_asm: word(offset_of!(Self, machine_real_restart_asm))?,
            machine_real_restart_seg: word(offset_of!(Self, machine_real_restart_seg))?,
        })
    }
}

/// `trampoline_header`: what the kernel tells a processor that is on its way up (Linux: `asm/realmode.h`, 64-bit form).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrampolineHeader {
    /// Linear address of `secondary_startup_64`, in the kernel's half.
    pub start: u64,
    /// EFER to load. LMA must be 0: the processor sets it, and some refuse to have it written.
    pub efer: u64,
    /// CR4 to load. PCIDE must be 0: it may only be set in long mode.
    pub cr4: u32,
    /// No flag is defined.
    pub flags: u32,
    /// Bit 0: a processor is on the real-mode stack.
    pub lock: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: each field comes from its own place, and bytes that are too few are no header. Method: eight different words,
    /// then every truncation.
    #[test]
    fn reads_the_header_from_bytes() {
        let mut bytes = [0; RealModeHeader::SIZE];
        for (word, value) in
            bytes.chunks_exact_mut(4).zip([0x9_b000_u32, 0x9_c000, 0x9_b001, 0x9_d000, 0x9_c001, 0x9_b003, 0x9_b002, 8])
        {
            word.copy_from_slice(&value.to_le_bytes());
        }
        let expected = RealModeHeader {
            text_start: 0x9_b000,
            ro_end: 0x9_c000,
            trampoline_start: 0x9_b001,
            trampoline_header: 0x9_d000,
            trampoline_pgd: 0x9_c001,
            trampoline_start64: 0x9_b003,
            machine_real_restart_asm: 0x9_b002,
            machine_real_restart_seg: 8,
        };
        assert_eq!(RealModeHeader::from_bytes(&bytes), Some(expected));
        for length in 0..bytes.len() {
            assert_eq!(RealModeHeader::from_bytes(&bytes[..length]), None);
        }
    }
}
