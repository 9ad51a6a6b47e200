//! The walk of each paging mode.

use crate::mmu::walk::*;
use protocol::page_table::{PagingKind, PagingMode, Rights};
use std::collections::BTreeMap;

const ROOT: u64 = 0x1000;

fn mode(kind: PagingKind) -> PagingMode {
    PagingMode { kind, nxe: true, wp: true, pse: true }
}

/// Walks tables given as entries by physical address; 32-bit entries share eight bytes.
fn run(mode: PagingMode, linear: u64, entries: &[(u64, u64)]) -> Walk {
    let memory: BTreeMap<u64, u64> = entries.iter().copied().collect();
    let paging = Paging { mode, root: ROOT, pdptes: None };
    walk(&paging, linear, |paddr| {
        assert_eq!(paddr % 8, 0);
        if mode.kind == PagingKind::Bits32 {
            let half = |at| memory.get(&at).copied().unwrap_or(0);
            Some(half(paddr) | half(paddr + 4) << 32)
        } else {
            Some(memory.get(&paddr).copied().unwrap_or(0))
        }
    })
}

fn page(walk: &Walk) -> Page {
    match walk.end {
        End::Page(page) => page,
        other => panic!("no page: {other:?}"),
    }
}

/// Goal: each depth and page size translates by the right index bits; method: tables with one path each.
#[test]
fn every_page_size() {
    let bits32 = mode(PagingKind::Bits32);
    let w = run(bits32, 0x0040_3abc, &[(ROOT + 4, 0x2007), (0x2000 + 12, 0x9007)]);
    assert_eq!((page(&w).phys, page(&w).size, w.steps().len()), (0x9000, 1 << 12, 2));
    let w = run(bits32, 0x0040_3abc, &[(ROOT + 4, 0x0080_2087)]);
    assert_eq!((page(&w).phys, page(&w).size), (0x1_0080_0000, 1 << 22), "PSE-36: bit 13 is address bit 32");

    let pae = mode(PagingKind::Pae);
    let path = [(ROOT + 8, 0x2001), (0x2000 + 8, 0x3007), (0x3000 + 24, 0x9007)];
    assert_eq!(page(&run(pae, 0x4020_3000, &path)).phys, 0x9000);
    let w = run(pae, 0x4020_3000, &[(ROOT + 8, 0x2001), (0x2000 + 8, 0x60_0087)]);
    assert_eq!((page(&w).phys, page(&w).size), (0x60_0000, 1 << 21));

    let four = mode(PagingKind::Level4);
    let linear = 0xffff_ff80_c060_5123;
    let table = |index: u64, at: u64, to: u64| (at + 8 * index, to | 7);
    let path = [table(511, ROOT, 0x2000), table(3, 0x2000, 0x3000), table(3, 0x3000, 0x4000), table(5, 0x4000, 0x9000)];
    assert_eq!((page(&run(four, linear, &path)).phys, page(&run(four, linear, &path)).size), (0x9000, 1 << 12));
    let w = run(four, linear, &[path[0], path[1], (0x3000 + 24, 0x60_0087)]);
    assert_eq!((page(&w).phys, page(&w).size, w.steps().len()), (0x60_0000, 1 << 21, 3));
    let w = run(four, linear, &[path[0], (0x2000 + 24, 0x4000_0087)]);
    assert_eq!((page(&w).phys, page(&w).size), (0x4000_0000, 1 << 30));

    let five = mode(PagingKind::Level5);
    let path = [
        table(1, ROOT, 0x2000),
        table(2, 0x2000, 0x3000),
        table(3, 0x3000, 0x4000),
        table(4, 0x4000, 0x5000),
        table(5, 0x5000, 0x9000),
    ];
    let linear = 1 << 48 | 2 << 39 | 3 << 30 | 4 << 21 | 5 << 12;
    let w = run(five, linear, &path);
    assert_eq!((page(&w).phys, w.steps().len()), (0x9000, 5));
    assert_eq!(w.steps().iter().map(|step| step.level).collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
}

/// Goal: a right holds only where every level grants it; method: take each bit away at each level in turn.
#[test]
fn rights_combine_over_levels() {
    for without in 0..4 {
        for (bit, expect) in [
            (pte::RW, Rights { write: false, ..ALL_RIGHTS }),
            (pte::US, Rights { user: false, ..ALL_RIGHTS }),
            (pte::XD, Rights { execute: false, ..ALL_RIGHTS }),
        ] {
            let mut path = [(ROOT, 0x2007), (0x2000, 0x3007), (0x3000, 0x4007), (0x4000, 0x9007u64)];
            path[without].1 ^= bit;
            let walk = run(mode(PagingKind::Level4), 0, &path);
            assert_eq!(page(&walk).rights, expect, "bit {bit:x} at level {}", 4 - without);
            assert_eq!(walk.steps()[3].effective, expect);
        }
    }
}

/// Goal: reserved bits are found where they are reserved and nowhere else; method: entries at each level.
#[test]
fn reserved_bits() {
    let malformed = |mode, level, raw| matches!(classify(mode, level, raw), Entry::Malformed(_));
    let four = mode(PagingKind::Level4);
    assert!(malformed(four, 4, 0x2087), "PS in PML4");
    assert!(malformed(four, 3, 0x4000_2087) && malformed(four, 2, 0x20_2087), "low address bits of large pages");
    assert!(!malformed(four, 3, 0x4000_1087) && !malformed(four, 2, 0x20_1087), "bit 12 there is PAT");
    assert!(malformed(four, 1, 1 << 40 | 7) && !malformed(four, 1, 1 << 39 | 7), "physical address width");
    assert!(!malformed(four, 1, 1 << 52 | 1 << 62 | 7), "bits 62:52 are ignored in 4-level paging");
    assert!(!malformed(four, 1, pte::XD | 7) && malformed(PagingMode { nxe: false, ..four }, 1, pte::XD | 7), "XD");
    assert!(!malformed(four, 4, 0x2086), "not present: nothing is reserved");
    let pae = mode(PagingKind::Pae);
    for bit in [1, 2, 5, 6, 7, 8, 63] {
        assert!(malformed(pae, 3, 0x2001 | 1 << bit), "PDPTE bit {bit}");
    }
    assert!(!malformed(pae, 3, 0x2001 | pte::P | 1 << 3 | 1 << 4) && malformed(pae, 1, 1 << 62 | 7));
    let bits32 = mode(PagingKind::Bits32);
    assert!(malformed(bits32, 2, 1 << 21 | 0x87) && !malformed(PagingMode { pse: false, ..bits32 }, 2, 1 << 21 | 0x87));
}

/// Goal: walks that fail say where; method: an absent entry, one malformed, no memory, a non-canonical address.
#[test]
fn ends() {
    let four = mode(PagingKind::Level4);
    assert_eq!(run(four, 0, &[(ROOT, 0x2007)]).end, End::NotPresent(3));
    assert!(matches!(run(four, 0, &[(ROOT, 0x2087)]).end, End::Malformed(4, _)));
    assert_eq!(run(four, 1 << 47, &[]).end, End::NonCanonical);
    assert_eq!(run(mode(PagingKind::Level5), 1 << 47, &[]).end, End::NotPresent(5));
    let paging = Paging { mode: four, root: ROOT, pdptes: None };
    assert_eq!(walk(&paging, 0, |_| None).end, End::NoMemory(ROOT));
    let paging = Paging { mode: mode(PagingKind::Pae), root: 0, pdptes: Some([0, 0x2001, 0, 0]) };
    let found = walk(&paging, 0x4000_0000, |paddr| (paddr == 0x2000).then_some(0x60_0087));
    assert_eq!((page(&found).phys, found.steps()[0].is_register), (0x60_0000, true), "PDPTE registers, not memory");
}
