//! Page tables in a small test memory.

extern crate std;
use super::test_memory::{TestMemory, new_root, new_root_of};
use super::*;
use std::vec::Vec;

const RW_NX_G: PageTableFlags =
    PageTableFlags::WRITABLE.union(PageTableFlags::NO_EXECUTE).union(PageTableFlags::GLOBAL);
const RX: PageTableFlags = PageTableFlags::empty();

/// Goal: the entries are the SDM's. Method: one 4 KiB page in the kernel's slot, all four entries as numbers.
#[test]
fn writes_the_entries_that_the_manual_describes() {
    let (mut memory, root) = new_root(8);
    map_page(&mut memory, root, 0xffff_ffff_8000_1000, 0x1234_5000, PageSize::Size4K, RW_NX_G).expect("maps");
    assert_eq!(memory.read_entry(root, 511), 0x2003);
    assert_eq!(memory.read_entry(PhysAddr::new(0x2000), 510), 0x3003);
    assert_eq!(memory.read_entry(PhysAddr::new(0x3000), 0), 0x4003);
    assert_eq!(memory.read_entry(PhysAddr::new(0x4000), 1), 0x8000_0000_1234_5103);
}

/// Goal: the largest pages that fit are used, and the ranges read back are what was mapped. Method: 4 KiB below 2 MiB to
/// 4 KiB above 1 GiB + 2 MiB.
#[test]
fn maps_with_the_largest_pages_that_fit() {
    let (mut memory, root) = new_root(16);
    let base = 0xffff_8880_0000_0000_u64;
    let (start, end) = (0x1f_f000_u64, 0x8020_1000_u64);
    map_range(&mut memory, root, (base + start, start, end - start), PageSize::Size1G, RW_NX_G).expect("maps");
    let mut ranges = Vec::new();
    for_each_range(&memory, root, |range| ranges.push((range.linear - base, range.bytes, range.page_size)));
    let expected = [
        (0x1f_f000, 0x1000, PageSize::Size4K),
        (0x20_0000, 0x3fe0_0000, PageSize::Size2M),
        (0x4000_0000, 0x4000_0000, PageSize::Size1G),
        (0x8000_0000, 0x20_0000, PageSize::Size2M),
        (0x8020_0000, 0x1000, PageSize::Size4K),
    ];
    assert_eq!(ranges, expected);
}

/// Goal: splitting changes no translation. Method: a 1 GiB page, walks before and after, entries counted.
#[test]
fn splitting_keeps_every_translation() {
    let (mut memory, root) = new_root(16);
    map_page(&mut memory, root, 0x4000_0000, 0x8000_0000, PageSize::Size1G, RW_NX_G).expect("maps");
    let addresses = [0x4000_0000, 0x4009_afff, 0x4020_0123, 0x7fff_ffff];
    let translate = |memory: &TestMemory| addresses.map(|a| walk(memory, root, a).result.map(|(p, _, r)| (p, r)));
    let before = translate(&memory);
    assert_eq!(before[1], Ok((PhysAddr::new(0x8009_afff), rights(true, false, true))));
    split(&mut memory, root, 0x4009_a000).expect("splits");
    assert_eq!(translate(&memory), before);
    assert_eq!(walk(&memory, root, 0x4009_a000).result.map(|(_, size, _)| size), Ok(PageSize::Size4K));
    assert_eq!(walk(&memory, root, 0x4020_0000).result.map(|(_, size, _)| size), Ok(PageSize::Size2M));
    let tables = memory.tables.len();
    split(&mut memory, root, 0x4009_b000).expect("is split already");
    assert_eq!(memory.tables.len(), tables);
}

fn rights(writable: bool, executable: bool, global: bool) -> Rights {
    Rights { writable, user: false, executable, global }
}

/// Goal: only the page named changes its rights. Method: protect one page of a split range, look at its neighbours.
#[test]
fn protects_one_page() {
    let (mut memory, root) = new_root(16);
    map_page(&mut memory, root, 0, 0, PageSize::Size2M, RW_NX_G).expect("maps");
    let change = |flags: PageTableFlags| flags - PageTableFlags::WRITABLE - PageTableFlags::NO_EXECUTE;
    assert_eq!(
        protect_page(&mut memory, root, 0x9_b000, change),
        Err(MapError::NotMapped { linear: 0x9_b000, level: 2 })
    );
    split(&mut memory, root, 0x9_b000).expect("splits");
    protect_page(&mut memory, root, 0x9_b000, change).expect("protects");
    for (linear, expected) in [
        (0x9_a000, rights(true, false, true)),
        (0x9_b000, rights(false, true, true)),
        (0x9_c000, rights(true, false, true)),
    ] {
        assert_eq!(walk(&memory, root, linear).result, Ok((PhysAddr::new(linear), PageSize::Size4K, expected)));
    }
}

/// Goal: a walk tells where and why it ends. Method: addresses that are not canonical, not mapped at three levels.
#[test]
fn walks_say_where_they_end() {
    let (mut memory, root) = new_root(8);
    map_page(&mut memory, root, 0x40_0000, 0x5000_0000, PageSize::Size2M, RX).expect("maps");
    map_page(&mut memory, root, 0x0, 0x7000, PageSize::Size4K, RX).expect("maps");
    let ends = |linear| {
        let walk = walk(&memory, root, linear);
        (walk.result.map(|(physical, ..)| physical.as_u64()), walk.steps().len())
    };
    assert_eq!(ends(0x0000_8000_0000_0000), (Err(Missing::NotCanonical), 0));
    assert_eq!(ends(0xffff_8000_0000_0000), (Err(Missing::NotPresent), 1));
    assert_eq!(ends(0x4000_0000), (Err(Missing::NotPresent), 2));
    assert_eq!(ends(0x20_0000), (Err(Missing::NotPresent), 3));
    assert_eq!(ends(0x1000), (Err(Missing::NotPresent), 4));
    assert_eq!(ends(0x41_2345), (Ok(0x5001_2345), 3));
    assert_eq!(ends(0xfff), (Ok(0x7fff), 4));
}

/// Goal: mistakes are errors, not overwritten mappings. Method: misaligned, mapped twice, below a large page, no memory.
#[test]
fn refuses_what_cannot_be_mapped() {
    let (mut memory, root) = new_root(3);
    let mut map = |linear, physical, size| map_page(&mut memory, root, linear, physical, size, RX);
    assert_eq!(
        map(0x20_0000, 0x1000, PageSize::Size2M),
        Err(MapError::Misaligned { linear: 0x20_0000, physical: 0x1000 })
    );
    assert_eq!(map(0x20_0000, 0, PageSize::Size2M), Ok(()));
    assert_eq!(map(0x20_0000, 0, PageSize::Size2M), Err(MapError::AlreadyMapped { linear: 0x20_0000, level: 2 }));
    assert_eq!(map(0x20_1000, 0, PageSize::Size4K), Err(MapError::AlreadyMapped { linear: 0x20_1000, level: 2 }));
    assert_eq!(map(0x1000, 0, PageSize::Size4K), Err(MapError::OutOfFrames));
}

/// Goal: with five levels there is one table more, and one bit more in nine of an address. Method: a page in the kernel's half and
/// one beyond what four levels reach: entries as numbers, walks, ranges, a split.
#[test]
fn five_levels() {
    const HIGH: u64 = 0xff11_0000_0000_0000;
    const IMAGE: u64 = 0xffff_ffff_8000_1000;
    let (mut memory, root) = new_root_of(5, 16);
    map_page(&mut memory, root, IMAGE, 0x1234_5000, PageSize::Size4K, RW_NX_G).expect("maps");
    assert_eq!((memory.read_entry(root, 511), memory.read_entry(PhysAddr::new(0x2000), 511)), (0x2003, 0x3003));
    assert_eq!(upper_pml4(&memory, root), Some(PhysAddr::new(0x2000)));
    map_page(&mut memory, root, HIGH, 0x4000_0000, PageSize::Size1G, RX).expect("maps");
    assert_ne!(memory.read_entry(root, 273), 0);
    let steps = |linear| walk(&memory, root, linear).steps().iter().map(|step| step.level).collect::<Vec<_>>();
    assert_eq!(steps(IMAGE), [5, 4, 3, 2, 1]);
    assert_eq!(steps(HIGH), [5, 4, 3]);
    assert_eq!(walk(&memory, root, 0x0100_0000_0000_0000).result, Err(Missing::NotCanonical));
    assert_eq!(walk(&memory, root, 0x0000_8000_0000_0000).result, Err(Missing::NotPresent));
    let mut ranges = Vec::new();
    for_each_range(&memory, root, |range| ranges.push((range.linear, range.physical)));
    assert_eq!(ranges, [(HIGH, 0x4000_0000), (IMAGE, 0x1234_5000)]);
    split(&mut memory, root, HIGH + 0x1000).expect("splits");
    protect_page(&mut memory, root, HIGH + 0x1000, |flags| flags - PageTableFlags::PRESENT).expect("protects");
    assert_eq!(walk(&memory, root, HIGH + 0x1000).result, Err(Missing::NotPresent));
    assert_eq!(walk(&memory, root, HIGH + 0x2000).result.map(|(physical, ..)| physical.as_u64()), Ok(0x4000_2000));
}
