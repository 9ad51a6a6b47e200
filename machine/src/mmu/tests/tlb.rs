//! What the TLB remembers, and what makes it forget.

use crate::bus::Bus;
use crate::cpu::segment::DS;
use crate::cpu::{Cpu, cr4};
use crate::execute::control_reg;
use crate::mmu::tlb::{TLB_ENTRIES, Tlb};
use crate::mmu::walk::{ALL_RIGHTS, Page, pte};
use crate::mmu::{self};
use crate::testing::*;

/// 4 KiB pages in a slot of their own, so that nothing else touches them.
const LINEAR: u64 = 0x40_0000_0000;

fn read(cpu: &mut Cpu, bus: &mut Bus, linear: u64) -> Result<u8, u8> {
    match mmu::read_u8(cpu, bus, DS, linear) {
        Ok(value) => Ok(value),
        other => Err(code(other).0),
    }
}

/// Two pages that hold 1 and 2; the entry leads to the first.
fn with_page(flags: u64) -> (Cpu, Bus, u64) {
    let (mut cpu, mut bus) = long();
    bus.ram.write(0x6000, [1u8]);
    bus.ram.write(0x7000, [2u8]);
    let entry = map(&mut bus, LINEAR, 0x6000, flags, 1);
    assert_eq!(read(&mut cpu, &mut bus, LINEAR), Ok(1));
    (cpu, bus, entry)
}

fn write_cr(cpu: &mut Cpu, bus: &mut Bus, n: u8, value: u64) {
    control_reg::write(cpu, bus, n, value).unwrap();
}

/// Goal: a stale entry is really used until INVLPG; method: change the table behind the TLB's back.
#[test]
fn stale_until_flushed() {
    let (mut cpu, mut bus, entry) = with_page(FULL);
    put(&mut bus, entry, 0x7000 | FULL);
    assert_eq!(read(&mut cpu, &mut bus, LINEAR), Ok(1), "the TLB still says page 6000h");
    mmu::invlpg(&mut cpu, &mut bus, DS, LINEAR + 0x123).unwrap();
    assert_eq!(read(&mut cpu, &mut bus, LINEAR), Ok(2));
    put(&mut bus, entry, 0);
    assert_eq!(read(&mut cpu, &mut bus, LINEAR), Ok(2), "unmapped, and still readable");
    let cr3 = cpu.cr3;
    write_cr(&mut cpu, &mut bus, 3, cr3);
    assert_eq!(read(&mut cpu, &mut bus, LINEAR), Err(14));
}

/// Goal: global pages survive MOV CR3 and die by CR4.PGE; method: the two flushes that lesson A3 shows.
#[test]
fn global_entries() {
    let (mut cpu, mut bus, entry) = with_page(FULL | pte::G);
    put(&mut bus, entry, 0);
    let cr3 = cpu.cr3;
    write_cr(&mut cpu, &mut bus, 3, cr3);
    assert_eq!(read(&mut cpu, &mut bus, LINEAR), Ok(1));
    assert!(cpu.tlb.lookup_quiet(LINEAR, 0).unwrap().global);
    let with_pge = cpu.cr4;
    write_cr(&mut cpu, &mut bus, 4, with_pge & !cr4::PGE);
    assert!(cpu.tlb.is_empty());
    assert_eq!(read(&mut cpu, &mut bus, LINEAR), Err(14));
}

/// Goal: G means nothing while CR4.PGE is clear; method: fill without PGE, then MOV CR3.
#[test]
fn global_needs_pge() {
    let (mut cpu, mut bus) = long();
    cpu.cr4 &= !cr4::PGE;
    map(&mut bus, LINEAR, 0x6000, FULL | pte::G, 1);
    read(&mut cpu, &mut bus, LINEAR).unwrap();
    let cr3 = cpu.cr3;
    write_cr(&mut cpu, &mut bus, 3, cr3);
    assert_eq!(cpu.tlb.lookup_quiet(LINEAR, 0), None);
}

/// Goal: entries go in the order they came, whatever was used last; method: fill, hit the first, fill one more.
#[test]
fn replaced_in_fill_order() {
    let mut tlb = Tlb::default();
    let fill = |tlb: &mut Tlb, page: u64| {
        let at = page << 12;
        tlb.fill(at, &Page { phys: at, size: 4096, rights: ALL_RIGHTS, global: false, key: 0 }, 0, false, false);
    };
    for page in 0..TLB_ENTRIES as u64 {
        fill(&mut tlb, page);
        assert!(tlb.lookup(0, 0).is_some(), "hits of page 0 do not make it younger");
    }
    fill(&mut tlb, 1000);
    assert!(tlb.lookup(0, 0).is_none() && tlb.lookup(1 << 12, 0).is_some() && tlb.lookup(1000 << 12, 0).is_some());
    tlb.flush_page(5 << 12, 0);
    assert_eq!(tlb.len(), TLB_ENTRIES - 1);
    fill(&mut tlb, 1001);
    assert!(tlb.lookup(1 << 12, 0).is_some(), "a free place is taken first");
    fill(&mut tlb, 1002);
    assert!(tlb.lookup(1 << 12, 0).is_none() && tlb.lookup(2 << 12, 0).is_some(), "then the oldest");
    let order: Vec<u64> = tlb.entries().map(|entry| entry.linear.0 >> 12).collect();
    assert_eq!((order[0], order[1], order[TLB_ENTRIES - 1]), (2, 3, 1002));
}

/// Goal: no address ever has two entries; method: a small page inside a large one filled later, and the other way.
#[test]
fn no_overlap() {
    let mut tlb = Tlb::default();
    let small = Page { phys: 0x9000, size: 4096, rights: ALL_RIGHTS, global: false, key: 0 };
    let large = Page { phys: 0x40_0000, size: 1 << 21, rights: ALL_RIGHTS, global: false, key: 0 };
    tlb.fill(0x3000, &small, 0, false, false);
    tlb.fill(0x5000, &large, 0, false, false);
    assert_eq!((tlb.len(), tlb.lookup(0x3000, 0).map(|slot| slot.physical(0x3004))), (1, Some(0x40_3004)));
    tlb.fill(0x3000, &small, 0, false, false);
    assert_eq!((tlb.len(), tlb.lookup(0x5000, 0).is_none()), (1, true));
}

/// Goal: what is derived does not show: two TLBs that were asked differently are equal; method: compare state words.
#[test]
fn hints_are_not_state() {
    let words = |tlb: &Tlb| {
        let mut words = Vec::new();
        tlb.state(|word| words.push(word));
        words
    };
    let mut asked = Tlb::default();
    let page = Page { phys: 0x9000, size: 4096, rights: ALL_RIGHTS, global: false, key: 0 };
    asked.fill(0x3000, &page, 0, false, false);
    let fresh = asked.clone();
    for linear in (0..1 << 21).step_by(4096) {
        assert_eq!(asked.lookup(linear, 0).is_some(), linear == 0x3000);
    }
    assert_eq!((words(&asked), &asked), (words(&fresh), &fresh));
}

/// Goal: process contexts keep their own entries; method: two PCIDs, CR3 bit 63.
#[test]
fn contexts() {
    let (mut cpu, mut bus, entry) = with_page(FULL);
    let on = cpu.cr4 | cr4::PCIDE;
    write_cr(&mut cpu, &mut bus, 4, on);
    put(&mut bus, entry, 0x7000 | FULL);
    write_cr(&mut cpu, &mut bus, 3, ROOT | 1);
    assert_eq!(read(&mut cpu, &mut bus, LINEAR), Ok(2), "context 1 walks for itself");
    write_cr(&mut cpu, &mut bus, 3, ROOT | 1 << 63);
    assert_eq!((cpu.cr3, read(&mut cpu, &mut bus, LINEAR)), (ROOT, Ok(1)), "bit 63: context 0 was not flushed");
    write_cr(&mut cpu, &mut bus, 3, ROOT);
    assert_eq!(read(&mut cpu, &mut bus, LINEAR), Ok(2));
}

/// Goal: leaving paging forgets everything; method: a compatibility-mode CPU clears CR0.PG.
#[test]
fn paging_off_flushes() {
    let (mut cpu, mut bus, _) = with_page(FULL | pte::G);
    cpu.segments[crate::cpu::segment::CS].attributes = CODE32;
    cpu.update_mode();
    let off = cpu.cr0 & !crate::cpu::cr0::PG;
    write_cr(&mut cpu, &mut bus, 0, off);
    assert!(cpu.tlb.is_empty());
}
