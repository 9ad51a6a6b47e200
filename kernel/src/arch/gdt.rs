//! The kernel's GDT, one per CPU because each has a TSS of its own. Selectors as in Linux (asm/segment.h), so that the
//! trampoline's `tr_gdt` and this table agree on 08h, 10h and 18h.

/// 32-bit code: the way back to real mode goes through it.
pub const KERNEL32_CS: u16 = 0x08;
/// 64-bit code.
pub const KERNEL_CS: u16 = 0x10;
/// Data.
pub const KERNEL_DS: u16 = 0x18;
/// The TSS; its descriptor takes two slots.
pub const TSS_SELECTOR: u16 = 0x40;

/// Number of 8-byte slots.
pub const SLOTS: usize = TSS_SELECTOR as usize / 8 + 2;

/// The table for a CPU whose TSS lies at `tss`; accessed bits are preset.
pub fn table(tss: u64, tss_size: u64) -> [u64; SLOTS] {
    let mut slots = [0; SLOTS];
    slots[KERNEL32_CS as usize / 8] = 0x00cf_9b00_0000_ffff;
    slots[KERNEL_CS as usize / 8] = 0x00af_9b00_0000_ffff;
    slots[KERNEL_DS as usize / 8] = 0x00cf_9300_0000_ffff;
    // SDM volume 3A, "TSS Descriptor in 64-bit Mode": type 9 (available), P; the upper slot has base 63:32.
    let limit = tss_size - 1;
    let base_low = (tss & 0x00ff_ffff) << 16 | (tss >> 24 & 0xff) << 56;
    slots[TSS_SELECTOR as usize / 8] = limit | base_low | 0x89 << 40;
    slots[TSS_SELECTOR as usize / 8 + 1] = tss >> 32;
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the TSS descriptor is the SDM's. Method: a base whose bytes all differ, read back field by field.
    #[test]
    fn tss_descriptor_holds_base_and_limit() {
        let slots = table(0xffff_8880_1234_5678, 104);
        let (low, high) = (slots[8], slots[9]);
        assert_eq!(high << 32 | (low >> 56) << 24 | low >> 16 & 0x00ff_ffff, 0xffff_8880_1234_5678);
        assert_eq!(low & 0xffff, 103);
        assert_eq!(low >> 40 & 0xff, 0x89);
    }
}
