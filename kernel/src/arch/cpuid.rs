//! What CPUID says about this processor (SDM volume 2A, CPUID).

use core::arch::x86_64::{__cpuid, __cpuid_count};

/// Family, as Linux computes it: base family, plus the extended family where the base is 15.
pub fn family() -> u32 {
    let signature = __cpuid(1).eax;
    let base = signature >> 8 & 0xf;
    if base == 0xf { base + (signature >> 20 & 0xff) } else { base }
}

/// The twelve characters that name the maker.
pub fn vendor() -> [u8; 12] {
    let leaf = __cpuid(0);
    let mut name = [0; 12];
    for (part, register) in name.chunks_exact_mut(4).zip([leaf.ebx, leaf.edx, leaf.ecx]) {
        part.copy_from_slice(&register.to_le_bytes());
    }
    name
}

/// Whether pages of 1 GiB exist (Page1GB: leaf 80000001h, EDX bit 26).
pub fn has_1g_pages() -> bool {
    __cpuid(0x8000_0000).eax >= 0x8000_0001 && __cpuid(0x8000_0001).edx >> 26 & 1 != 0
}

/// The local APIC ID that this processor got at reset: bits 31:24 of leaf 1's EBX.
pub fn initial_apic_id() -> u32 {
    __cpuid(1).ebx >> 24
}

/// Whether the local APIC has x2APIC mode (x2APIC: leaf 1, ECX bit 21).
pub fn has_x2apic() -> bool {
    __cpuid(1).ecx >> 21 & 1 != 0
}

/// Whether page-table entries can forbid execution (NX: leaf 80000001h, EDX bit 20).
pub fn has_nx() -> bool {
    __cpuid(0x8000_0000).eax >= 0x8000_0001 && __cpuid(0x8000_0001).edx >> 20 & 1 != 0
}

/// Whether INVPCID exists (leaf 7, EBX bit 10).
pub fn has_invpcid() -> bool {
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ebx >> 10 & 1 != 0
}

/// Whether there are process-context identifiers (PCID: leaf 1, ECX bit 17).
pub fn has_pcid() -> bool {
    __cpuid(1).ecx >> 17 & 1 != 0
}

/// Where physical addresses end: by MAXPHYADDR (leaf 80000008h, EAX bits 7:0), 2^36 where no leaf says it, and by what a direct
/// map has room for, 64 TiB (Linux: `MAXMEM`).
pub fn physical_end() -> u64 {
    const DIRECT_MAP_BITS: u32 = 46;
    let told = if __cpuid(0x8000_0000).eax >= 0x8000_0008 { __cpuid(0x8000_0008).eax & 0xff } else { 36 };
    1 << told.clamp(32, DIRECT_MAP_BITS)
}

/// Whether there is 5-level paging (LA57: leaf 7, ECX bit 16).
pub fn has_la57() -> bool {
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ecx >> 16 & 1 != 0
}
