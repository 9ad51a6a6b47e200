//! CPUID: an Intel processor of family 6 that tells only what this machine does.
//!
//! Each CPU is a package of its own: the topology leaf has one thread to a core and one core to a package. The
//! time-stamp counter and the APIC timer run at 1 GHz, one tick a nanosecond. Source: SDM 2A, "CPUID".

use super::msr::has_nx;
use super::sse::xsave::{self, XCR0_KNOWN, XCR0_PKRU};
use crate::cpu::{Cpu, cr4, gpr};
use crate::device::lapic;
use crate::fault::Exec;
use crate::mmu::walk::MAXPHYADDR;
use protocol::Mode;

/// CPUID.01H:EAX, and EDX after reset: family 6, model 6, stepping 3.
pub const SIGNATURE: u32 = 0x663;
/// Highest basic leaf.
const MAX_BASIC: u32 = 0x1f;
/// Highest extended leaf.
const MAX_EXTENDED: u32 = 0x8000_0008;
/// Frequency of time-stamp counter and crystal.
const TSC_HZ: u32 = 1_000_000_000;
/// Widest linear address, with CR4.LA57.
const LINEAR_BITS: u32 = 57;
/// Leaves 80000002H to 80000004H.
const BRAND: &[u8; 48] = b"Firstlight embedded machine @ 1.00GHz\0\0\0\0\0\0\0\0\0\0\0";

/// CPUID.01H:EDX.
mod leaf1_edx {
    pub const FPU: u32 = 1 << 0;
    pub const VME: u32 = 1 << 1;
    pub const DE: u32 = 1 << 2;
    pub const PSE: u32 = 1 << 3;
    pub const TSC: u32 = 1 << 4;
    pub const MSR: u32 = 1 << 5;
    pub const PAE: u32 = 1 << 6;
    pub const MCE: u32 = 1 << 7;
    pub const CX8: u32 = 1 << 8;
    pub const APIC: u32 = 1 << 9;
    pub const SEP: u32 = 1 << 11;
    pub const MTRR: u32 = 1 << 12;
    pub const PGE: u32 = 1 << 13;
    pub const MCA: u32 = 1 << 14;
    pub const CMOV: u32 = 1 << 15;
    pub const PAT: u32 = 1 << 16;
    pub const PSE36: u32 = 1 << 17;
    pub const CLFSH: u32 = 1 << 19;
    pub const MMX: u32 = 1 << 23;
    pub const FXSR: u32 = 1 << 24;
    pub const SSE: u32 = 1 << 25;
    pub const SSE2: u32 = 1 << 26;
    /// What there is.
    pub const ALL: u32 = FPU
        | VME
        | DE
        | PSE
        | TSC
        | MSR
        | PAE
        | MCE
        | CX8
        | APIC
        | SEP
        | MTRR
        | PGE
        | MCA
        | CMOV
        | PAT
        | PSE36
        | CLFSH
        | MMX
        | FXSR
        | SSE
        | SSE2;
}

/// CPUID.01H:ECX.
mod leaf1_ecx {
    pub const SSE3: u32 = 1 << 0;
    pub const MONITOR: u32 = 1 << 3;
    pub const SSSE3: u32 = 1 << 9;
    pub const CX16: u32 = 1 << 13;
    pub const PCID: u32 = 1 << 17;
    pub const SSE4_1: u32 = 1 << 19;
    pub const SSE4_2: u32 = 1 << 20;
    pub const X2APIC: u32 = 1 << 21;
    pub const MOVBE: u32 = 1 << 22;
    pub const POPCNT: u32 = 1 << 23;
    pub const TSC_DEADLINE: u32 = 1 << 24;
    pub const XSAVE: u32 = 1 << 26;
    pub const RDRAND: u32 = 1 << 30;
    /// Follows CR4.OSXSAVE.
    pub const OSXSAVE: u32 = 1 << 27;
    /// What there is, OSXSAVE aside.
    pub const ALL: u32 = SSE3
        | MONITOR
        | SSSE3
        | CX16
        | PCID
        | SSE4_1
        | SSE4_2
        | X2APIC
        | MOVBE
        | POPCNT
        | TSC_DEADLINE
        | XSAVE
        | RDRAND;
}

/// CPUID.(07H,0).
mod leaf7 {
    pub const EBX_FSGSBASE: u32 = 1 << 0;
    pub const EBX_TSC_ADJUST: u32 = 1 << 1;
    pub const EBX_BMI1: u32 = 1 << 3;
    pub const EBX_SMEP: u32 = 1 << 7;
    pub const EBX_BMI2: u32 = 1 << 8;
    pub const EBX_INVPCID: u32 = 1 << 10;
    pub const EBX_RDSEED: u32 = 1 << 18;
    pub const EBX_ADX: u32 = 1 << 19;
    pub const EBX_SMAP: u32 = 1 << 20;
    pub const ECX_UMIP: u32 = 1 << 2;
    pub const ECX_PKU: u32 = 1 << 3;
    /// Follows CR4.PKE.
    pub const ECX_OSPKE: u32 = 1 << 4;
    pub const ECX_LA57: u32 = 1 << 16;
    pub const ECX_PKS: u32 = 1 << 31;
    /// What there is of ECX, OSPKE aside.
    pub const ECX: u32 = ECX_UMIP | ECX_PKU | ECX_LA57 | ECX_PKS;
    /// What there is of EBX.
    pub const EBX: u32 =
        EBX_FSGSBASE | EBX_TSC_ADJUST | EBX_BMI1 | EBX_SMEP | EBX_BMI2 | EBX_INVPCID | EBX_RDSEED | EBX_ADX | EBX_SMAP;
}

/// CPUID.80000001H:EDX.
mod ext1_edx {
    pub const SYSCALL: u32 = 1 << 11;
    pub const NX: u32 = 1 << 20;
    pub const PAGES_1GIB: u32 = 1 << 26;
    pub const RDTSCP: u32 = 1 << 27;
    pub const LM: u32 = 1 << 29;
}

/// CPUID.80000001H:ECX.
mod ext1_ecx {
    /// LAHF and SAHF in 64-bit mode.
    pub const LAHF64: u32 = 1 << 0;
    pub const LZCNT: u32 = 1 << 5;
    pub const PREFETCHW: u32 = 1 << 8;
    /// What there is.
    pub const ALL: u32 = LAHF64 | LZCNT | PREFETCHW;
}

/// Bytes that MONITOR watches: a cache line.
const MONITOR_LINE_BYTES: u32 = 64;
/// CPUID.06H:EAX: the APIC timer always runs.
const LEAF6_EAX_ARAT: u32 = 1 << 2;
/// CPUID.(0DH,1):EAX: XSAVEOPT, XSAVEC, XGETBV with ECX = 1.
const LEAF_D1_EAX: u32 = 1 << 0 | 1 << 1 | 1 << 2;
/// CPUID.80000007H:EDX: the time-stamp counter is invariant.
const EXT7_EDX_INVARIANT_TSC: u32 = 1 << 8;

/// CPUID: EAX and ECX in, EAX to EDX out.
pub fn cpuid(cpu: &mut Cpu) -> Exec<()> {
    let [eax, ebx, ecx, edx] = leaf(cpu, cpu.gpr[gpr::RAX] as u32, cpu.gpr[gpr::RCX] as u32);
    cpu.gpr[gpr::RAX] = u64::from(eax);
    cpu.gpr[gpr::RBX] = u64::from(ebx);
    cpu.gpr[gpr::RCX] = u64::from(ecx);
    cpu.gpr[gpr::RDX] = u64::from(edx);
    Ok(())
}

/// EAX, EBX, ECX, EDX of a leaf. A leaf beyond the highest answers as the highest basic one, as Intel's do.
fn leaf(cpu: &Cpu, leaf: u32, subleaf: u32) -> [u32; 4] {
    let apic_id = cpu.lapic.initial_id;
    match leaf {
        0 => vendor(MAX_BASIC),
        1 => {
            // Initial APIC ID 31:24, CLFLUSH line size 15:8 in units of 8 bytes.
            let ebx = apic_id << 24 | 8 << 8;
            // An APIC that is switched off in IA32_APIC_BASE is as good as none (SDM 3A, "Detecting the Local APIC").
            let apic = if cpu.lapic.base & lapic::BASE_ENABLE == 0 { leaf1_edx::APIC } else { 0 };
            let os = if cpu.cr4 & cr4::OSXSAVE != 0 { leaf1_ecx::OSXSAVE } else { 0 };
            let x2apic = if cpu.quirks.no_x2apic { leaf1_ecx::X2APIC } else { 0 };
            [SIGNATURE, ebx, leaf1_ecx::ALL & !x2apic | os, leaf1_edx::ALL & !apic]
        }
        // The line that MONITOR watches; MWAIT has no extensions.
        5 => [MONITOR_LINE_BYTES, MONITOR_LINE_BYTES, 0, 0],
        6 => [LEAF6_EAX_ARAT, 0, 0, 0],
        7 if subleaf == 0 => {
            let os = if cpu.cr4 & cr4::PKE != 0 { leaf7::ECX_OSPKE } else { 0 };
            [0, leaf7::EBX, leaf7::ECX | os, 0]
        }
        // 0BH, and 1FH, which tells the same and could tell more levels.
        0xb | 0x1f => {
            // Level type 15:8 of ECX: 1 = thread, 2 = core, 0 = end. One of each, so that no bit of the ID is shifted out.
            let (count, kind) = match subleaf {
                0 => (1, 1),
                1 => (1, 2),
                _ => (0, 0),
            };
            [0, count, kind << 8 | subleaf & 0xff, apic_id]
        }
        // Components, bytes needed for those of XCR0 and for all.
        0xd if subleaf == 0 => [XCR0_KNOWN as u32, xsave::bytes_for(cpu.xcr0), xsave::bytes_for(XCR0_KNOWN), 0],
        // XSAVEOPT, XSAVEC and XGETBV of XCR1; bytes of the compacted form of XCR0's components, which lie alike in both.
        0xd if subleaf == 1 => [LEAF_D1_EAX, xsave::bytes_for(cpu.xcr0), 0, 0],
        // Size and place of PKRU.
        0xd if subleaf == XCR0_PKRU.trailing_zeros() => [xsave::PKRU_BYTES, xsave::PKRU_AT, 0, 0],
        // TSC = crystal * EBX / EAX; the crystal's frequency is ECX.
        0x15 => [1, 1, TSC_HZ, 0],
        2..=0x1e => [0; 4],
        0x8000_0000 => [MAX_EXTENDED, 0, 0, 0],
        0x8000_0001 => {
            let nx = if has_nx(cpu) { ext1_edx::NX } else { 0 };
            // Intel tells SYSCALL in 64-bit mode only.
            let syscall = if cpu.mode() == Mode::Long { ext1_edx::SYSCALL } else { 0 };
            [0, 0, ext1_ecx::ALL, syscall | nx | ext1_edx::PAGES_1GIB | ext1_edx::RDTSCP | ext1_edx::LM]
        }
        0x8000_0002..=0x8000_0004 => brand(leaf - 0x8000_0002),
        0x8000_0005 | 0x8000_0006 => [0; 4],
        0x8000_0007 => [0, 0, 0, EXT7_EDX_INVARIANT_TSC],
        0x8000_0008 => [MAXPHYADDR | LINEAR_BITS << 8, 0, 0, 0],
        _ => self::leaf(cpu, MAX_BASIC, subleaf),
    }
}

/// `GenuineIntel` in EBX, EDX, ECX.
fn vendor(max_leaf: u32) -> [u32; 4] {
    let word = |bytes: [u8; 4]| u32::from_le_bytes(bytes);
    [max_leaf, word(*b"Genu"), word(*b"ntel"), word(*b"ineI")]
}

fn brand(part: u32) -> [u32; 4] {
    let start = part as usize * 16;
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(BRAND[start..start + 16].chunks_exact(4)) {
        *word = bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte));
    }
    words
}
