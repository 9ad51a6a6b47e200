//! MADTs, made by hand.

extern crate std;
use super::*;
use std::vec::Vec;

fn table(flags: u32, entries: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::from(*b"APIC");
    bytes.resize(36, 0);
    bytes.extend(0xfee0_0000_u32.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    entries.iter().for_each(|entry| bytes.extend(*entry));
    bytes
}

const CPU_0: &[u8] = &[0, 8, 0, 0, 1, 0, 0, 0];
const CPU_4: &[u8] = &[0, 8, 1, 4, 1, 0, 0, 0];
const DISABLED_6: &[u8] = &[0, 8, 2, 6, 0, 0, 0, 0];
const IO_APIC: &[u8] = &[1, 12, 9, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0];
const COM1_TO_20: &[u8] = &[2, 10, 0, 4, 20, 0, 0, 0, 0, 0];
const TIMER_TO_2: &[u8] = &[2, 10, 0, 0, 2, 0, 0, 0, 0, 0];
const KEYBOARD_TO_21: &[u8] = &[2, 10, 0, 1, 21, 0, 0, 0, 0, 0];
const X2APIC_300: &[u8] = &[9, 16, 0, 0, 0x2c, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
const UNKNOWN: &[u8] = &[0x80, 3, 0xff];

/// Goal: processors, controllers and the override are found, what is disabled or unknown is not. Method: all at once.
#[test]
fn reads_what_the_kernel_needs() {
    let bytes = table(1, &[CPU_0, DISABLED_6, UNKNOWN, IO_APIC, TIMER_TO_2, COM1_TO_20, X2APIC_300, CPU_4]);
    let madt = Madt::parse(&bytes).expect("a good table");
    assert_eq!(madt.apic_ids(), [0, 4]);
    assert_eq!((madt.local_apic, madt.has_8259, madt.com1_gsi, madt.left_out), (0xfee0_0000, true, 20, 1));
    assert_eq!(madt.keyboard_gsi, 1);
    let moved = Madt::parse(&table(0, &[CPU_0, KEYBOARD_TO_21])).expect("a good table");
    assert_eq!((moved.keyboard_gsi, moved.com1_gsi), (21, 4));
    assert_eq!(madt.io_apic, Some(IoApic { physical: 0xfec0_0000, gsi_base: 0 }));
}

/// Goal: as many processors as xAPIC can name. Method: 255 of them, and the broadcast ID, which nobody may have.
#[test]
fn takes_255_processors() {
    let entries: Vec<[u8; 8]> = (0..=255).map(|id| [0, 8, id, id, 1, 0, 0, 0]).collect();
    let entries: Vec<&[u8]> = entries.iter().map(|e| &e[..]).collect();
    let madt = Madt::parse(&table(0, &entries)).expect("a good table");
    assert_eq!((madt.apic_ids().len(), madt.left_out, madt.has_8259), (255, 1, false));
}

/// Goal: no table can hang or crash the kernel. Method: lengths that are zero, too short, too long; every truncation.
#[test]
fn names_what_is_wrong() {
    let bad = |offset, kind, length| MadtError::BadEntry { offset, kind, length };
    let damaged = |entries: &[&[u8]]| {
        let madt = Madt::parse(&table(0, entries)).expect("its first processor is good");
        assert_eq!(madt.apic_ids(), [0], "what comes behind the damage is not read");
        madt.damaged
    };
    assert_eq!(damaged(&[CPU_0, &[0, 0], CPU_4]), Some(bad(52, 0, 0)));
    assert_eq!(damaged(&[CPU_0, &[0, 1], CPU_4]), Some(bad(52, 0, 1)));
    assert_eq!(damaged(&[CPU_0, &[7, 200, 0]]), Some(bad(52, 7, 200)));
    assert_eq!(damaged(&[CPU_0, &[7]]), Some(bad(52, 7, 0)));
    assert_eq!(damaged(&[CPU_0]), None);
    assert_eq!(Madt::parse(&table(0, &[&[0, 4, 0, 0], CPU_0])), Err(bad(44, 0, 4)));
    assert_eq!(Madt::parse(&table(0, &[DISABLED_6])), Err(MadtError::NoProcessors));
    let whole = table(0, &[CPU_0, IO_APIC, COM1_TO_20]);
    for length in 0..44 {
        assert_eq!(Madt::parse(&whole[..length]), Err(MadtError::TooShort { length }));
    }
    for length in 45..whole.len() {
        let whole_entries = [52, 64].contains(&length);
        let result = Madt::parse(&whole[..length]);
        assert_eq!(result.is_ok_and(|madt| madt.damaged.is_none()), whole_entries, "{length}");
    }
}

/// Goal: more processors than there can be, and the same one twice, are counted and left out. Method: 300 of them, APIC IDs from
/// 0 up in the entries that have room for more than a byte, then one again.
#[test]
fn leaves_out_what_cannot_be() {
    let entry = |id: u32| {
        let mut entry = [9, 16, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        entry[4..8].copy_from_slice(&id.to_le_bytes());
        entry
    };
    let entries: Vec<[u8; 16]> = (0..300).chain([7]).map(entry).collect();
    let entries: Vec<&[u8]> = entries.iter().map(|entry| &entry[..]).collect();
    let madt = Madt::parse(&table(0, &entries)).expect("a table");
    assert_eq!((madt.apic_ids().len(), madt.left_out, madt.twice), (255, 45, 1));
}

/// Goal: controllers that cannot be where the table says are named and not touched. Method: good places, then one of each kind.
#[test]
fn places_are_mended() {
    let regions = [Region { start: 0x10_0000, end: 0x800_0000, kind: RegionKind::Usable }];
    let check = |local_apic, physical| {
        let io_apic = Some(IoApic { physical, gsi_base: 0 });
        let mut madt = Madt { local_apic, io_apic, ..Madt::default() };
        let mut said = Vec::new();
        madt.mend_places(&regions, 1 << 40, |what, at| said.push((what, at)));
        (madt.local_apic, madt.io_apic.map(|io_apic| io_apic.physical), said)
    };
    assert_eq!(check(0xfee1_0000, 0xfec0_0000), (0xfee1_0000, Some(0xfec0_0000), Vec::new()));
    for wrong in [0xfee0_0010, 1 << 40, 0x20_0000] {
        let said = Vec::from([("the local APICs", wrong), ("the I/O APIC", wrong)]);
        assert_eq!(check(wrong, wrong), (0xfee0_0000, None, said), "{wrong:x}");
    }
}
