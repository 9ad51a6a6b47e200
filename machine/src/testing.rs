//! CPUs in each mode and page tables, for the unit tests of this crate.

use crate::bus::Bus;
use crate::cpu::segment::{self, Segment, attr};
use crate::cpu::{Cpu, cr0, cr4, efer};
use crate::fault::{Exec, Fault, Trap};
use crate::mmu::walk::pte;
use protocol::{CpuId, Mode};

/// RAM of a test's bus.
pub const RAM: u64 = 16 << 20;
/// Where [`long`] and [`map`] keep the root of the tables.
pub const ROOT: u64 = 0x10_0000;
/// Tables are allocated from here on; this word of RAM counts them.
const TABLE_COUNTER: u64 = ROOT + 0x1000;
/// P, R/W, U/S.
pub const FULL: u64 = pte::P | pte::RW | pte::US;
/// GDT of [`put_gdt`].
pub const GDT: u64 = 0x8000;

/// The attributes of flat segments.
pub const CODE32: u32 = attr::P | attr::S | attr::CODE | attr::WRITABLE | attr::ACCESSED | attr::DB | attr::G;
pub const CODE64: u32 = attr::P | attr::S | attr::CODE | attr::WRITABLE | attr::ACCESSED | attr::L | attr::G;
pub const CODE16: u32 = attr::P | attr::S | attr::CODE | attr::WRITABLE | attr::ACCESSED;
pub const DATA32: u32 = attr::P | attr::S | attr::WRITABLE | attr::ACCESSED | attr::DB | attr::G;
pub const RING3: u32 = 3 << attr::DPL_SHIFT;

/// A CPU after reset, CS:IP moved to 0000:7C00, as a boot sector finds it.
pub fn real() -> (Cpu, Bus) {
    let mut cpu = Cpu::power_on(CpuId(0), 0, true);
    cpu.segments[segment::CS].base = 0;
    cpu.segments[segment::CS].selector = 0;
    cpu.rip = 0x7c00;
    cpu.gpr[4] = 0x7000;
    (cpu, Bus::new(RAM))
}

/// Flat 32-bit protected mode without paging, ring 0, [`put_gdt`]'s GDT.
pub fn protected() -> (Cpu, Bus) {
    let (mut cpu, mut bus) = real();
    put_gdt(&mut cpu, &mut bus);
    cpu.cr0 |= cr0::PE;
    for seg in 0..6 {
        cpu.segments[seg] = Segment { selector: 0x10, attributes: DATA32, limit: u32::MAX, base: 0 };
    }
    cpu.segments[segment::CS] = Segment { selector: 0x08, attributes: CODE32, limit: u32::MAX, base: 0 };
    cpu.update_mode();
    assert_eq!(cpu.mode(), Mode::Protected32);
    (cpu, bus)
}

/// 64-bit mode, ring 0: the first 2 MiB mapped to themselves by 4 KiB pages at [`ROOT`]; NXE, PGE and WP set.
pub fn long() -> (Cpu, Bus) {
    let (mut cpu, mut bus) = protected();
    for page in 0..512 {
        map(&mut bus, page << 12, page << 12, FULL, 1);
    }
    cpu.cr3 = ROOT;
    cpu.cr4 = cr4::PAE | cr4::PGE;
    cpu.efer = efer::LME | efer::LMA | efer::NXE;
    cpu.cr0 |= cr0::PG | cr0::WP;
    cpu.segments[segment::CS] = Segment { selector: 0x18, attributes: CODE64, limit: u32::MAX, base: 0 };
    cpu.update_mode();
    assert_eq!(cpu.mode(), Mode::Long);
    (cpu, bus)
}

/// A descriptor from its hidden part; the limit is in its own units.
pub fn descriptor(base: u64, limit: u64, attributes: u32) -> u64 {
    limit & 0xffff
        | (base & 0xff_ffff) << 16
        | u64::from(attributes) << 40
        | (limit & 0xf_0000) << 32
        | (base & 0xff00_0000) << 32
}

/// 08 code32, 10 data32, 18 code64, 20 code16, 28 data16, 30 code32 ring 3, 38 data32 ring 3, 40 code64 ring 3, 48 a TSS of
/// 32 or 64 bits at 9000h (16 bytes). All with the accessed bit set.
pub fn put_gdt(cpu: &mut Cpu, bus: &mut Bus) {
    let flat = 0xf_ffff;
    let entries = [
        0,
        descriptor(0, flat, CODE32),
        descriptor(0, flat, DATA32),
        descriptor(0, flat, CODE64),
        descriptor(0, 0xffff, CODE16),
        descriptor(0, 0xffff, DATA32 & !(attr::DB | attr::G)),
        descriptor(0, flat, CODE32 | RING3),
        descriptor(0, flat, DATA32 | RING3),
        descriptor(0, flat, CODE64 | RING3),
        descriptor(0x9000, 0x67, attr::P | 0x9),
        0,
    ];
    for (index, entry) in entries.into_iter().enumerate() {
        bus.ram.write(GDT + 8 * index as u64, entry.to_le_bytes());
    }
    cpu.gdtr.base = GDT;
    cpu.gdtr.limit = (8 * entries.len() - 1) as u16;
}

/// Maps a page in 4-level tables at [`ROOT`]; `level` 1, 2 or 3 is the leaf's. Tables above get full rights. Returns the
/// physical address of the leaf entry.
pub fn map(bus: &mut Bus, linear: u64, phys: u64, flags: u64, level: u32) -> u64 {
    let mut table = ROOT;
    for above in (level + 1..=4).rev() {
        let at = table + (linear >> (3 + 9 * above) & 0x1ff) * 8;
        let entry = word(bus, at);
        table = if entry & pte::P != 0 {
            entry & !0xfff
        } else {
            let next = TABLE_COUNTER + 0x1000 * (1 + word(bus, TABLE_COUNTER));
            let count = word(bus, TABLE_COUNTER);
            put(bus, TABLE_COUNTER, count + 1);
            put(bus, at, next | FULL);
            next
        };
    }
    let at = table + (linear >> (3 + 9 * level) & 0x1ff) * 8;
    put(bus, at, phys | flags | if level > 1 { pte::PS } else { 0 });
    at
}

/// Eight bytes of RAM.
pub fn word(bus: &Bus, paddr: u64) -> u64 {
    u64::from_le_bytes(bus.ram.read(paddr).expect("RAM"))
}

/// Writes eight bytes of RAM.
pub fn put(bus: &mut Bus, paddr: u64, value: u64) {
    assert!(bus.ram.write(paddr, value.to_le_bytes()));
}

/// The fault that something raised.
pub fn fault<T: std::fmt::Debug>(result: Exec<T>) -> Fault {
    match result {
        Err(Trap::Fault(fault)) => *fault,
        other => panic!("a fault was expected: {other:?}"),
    }
}

/// Vector and error code of the fault that something raised.
pub fn code<T: std::fmt::Debug>(result: Exec<T>) -> (u8, Option<u32>) {
    let fault = fault(result);
    (fault.vector, fault.error)
}

/// What must not change where something faults.
pub fn visible(cpu: &Cpu) -> impl PartialEq + std::fmt::Debug + use<> {
    let control = (cpu.cr0, cpu.cr2, cpu.cr3, cpu.cr4, cpu.efer, cpu.mode());
    (cpu.gpr, cpu.rip, cpu.rflags, cpu.segments, cpu.gdtr, cpu.idtr, control, cpu.tlb.clone())
}
