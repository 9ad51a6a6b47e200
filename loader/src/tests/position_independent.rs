//! Position-independent kernels: where they go, what is written there, and tables of relocations such as no linker makes.

use super::elf_file::{Load, Part};
use super::*;

/// The first PML4 entry that is free: identity mappings lie in entry 0.
const FREE: u64 = 1 << 39;
const DYNAMIC: u64 = 0x2000;
const TABLE: u64 = 0x2100;

const DT_NEEDED: u64 = 1;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_RELAENT: u64 = 9;
const DT_REL: u64 = 17;
const DT_JMPREL: u64 = 23;
const DT_RELR: u64 = 36;
const RELATIVE: u64 = 8;

/// What is relocated: place and value, as linked. Words in the file, in memory that is not in it, and across a border of pages.
const WORDS: [(u64, u64); 4] = [(0x2200, 0x10), (0x4000, 0x1020), (0x2ffc, 0x2210), (0x4ff8, 0u64.wrapping_sub(0x50))];

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn table(entries: &[(u64, u64, u64)]) -> Vec<u8> {
    entries.iter().flat_map(|&(place, info, addend)| words(&[place, info, addend])).collect()
}

/// A kernel with this dynamic section and these relocations.
fn kernel(dynamic: &[u64], table: &[u8]) -> ElfFile {
    let mut data = words(dynamic);
    data.resize((TABLE - DYNAMIC) as usize, 0);
    data.extend(table);
    data.resize(0x1000, 0x44);
    let part = |kind, linear, bytes| Part { kind, linear, bytes };
    ElfFile {
        elf_type: 3,
        entry: 0x10,
        loads: vec![
            Load { linear: 0, bytes: vec![0x90; 0x20], mem_bytes: 0x20, flags: 5 },
            Load { linear: 0x1020, bytes: vec![0x22; 0x10], mem_bytes: 0x10, flags: 4 },
            Load { linear: DYNAMIC, bytes: data, mem_bytes: 0x3000, flags: 6 },
        ],
        parts: vec![part(2, DYNAMIC, 8 * dynamic.len() as u64), part(0x6474_e552, DYNAMIC, 0x1800), part(7, 0x3100, 8)],
        ..ElfFile::default()
    }
}

fn sound() -> ElfFile {
    let mut entries: Vec<_> = WORDS.iter().map(|&(place, value)| (place, RELATIVE, value)).collect();
    // R_X86_64_NONE: nothing is to be done, wherever that may be.
    entries.push((0x7000_0000, 0, 1));
    let bytes = 24 * entries.len() as u64;
    kernel(&[DT_RELA, TABLE, DT_RELASZ, bytes, DT_RELAENT, 24, 0, 0, DT_NEEDED, 1], &table(&entries))
}

fn with(change: impl FnOnce(&mut BootloaderConfig), mut file: ElfFile) -> Vec<u8> {
    let mut config = BootloaderConfig::new_default();
    change(&mut config);
    file.config = config.serialize().to_vec();
    file.build()
}

/// All of it is at `base`, relocated, with the rights that it wants; the file as the kernel gets it is untouched.
fn check(file: &[u8], base: u64) {
    let (memory, entry) = load_with(file, RAM, b"").unwrap();
    assert_eq!(entry.rip, base + 0x10);
    assert_eq!(read(&memory, entry.cr3, base, 0x20), [0x90; 0x20]);
    for (place, value) in WORDS {
        let word = read(&memory, entry.cr3, base + place, 8);
        assert_eq!(u64::from_le_bytes(word.try_into().unwrap()), base.wrapping_add(value), "{place:x}");
    }
    assert_eq!(read(&memory, entry.cr3, base + 0x2208, 8), [0x44; 8], "behind the first word");
    assert_eq!(read(&memory, entry.cr3, base + 0x3004, 0x100), [0; 0x100]);
    let rights = |linear| {
        walk(&memory, entry.cr3, base.wrapping_add(linear)).map(|(_, writable, executable)| (writable, executable))
    };
    let expected = [(0, (false, true)), (0x1000, (false, false)), (0x2000, (false, false)), (0x3000, (true, false))];
    for (linear, wanted) in expected {
        assert_eq!(rights(linear), Some(wanted), "{linear:x}");
    }
    assert_eq!(rights(0x5000), None);
    let runs: Vec<_> = entry.kernel_pages.iter().map(|run| (run.linear - base, run.bytes, run.writable)).collect();
    assert_eq!(runs, [(0, 0x1000, false), (0x1000, 0x1000, false), (0x2000, 0x1000, false), (0x3000, 0x2000, true)]);
    let info = read_info(&memory, &entry);
    assert_eq!(info.kernel_image_offset, base);
    assert_eq!(info.tls_template.into_option().map(|tls| tls.start_addr), Some(base + 0x3100));
    assert_eq!(memory.bytes[info.kernel_addr as usize..][..file.len()], *file);
}

/// Goal: a kernel goes where its configuration wants it, and works there. Method: the loader's choice, a range to choose from,
/// fixed addresses in both halves; read it all back through the tables.
#[test]
fn wherever_it_goes_it_is_relocated() {
    check(&with(|_| {}, sound()), FREE);
    let high = 0xffff_9000_0000_0000;
    check(&with(|config| config.mappings.dynamic_range_start = Some(high), sound()), high);
    for base in [0x4000_0000_0000, 0xffff_ffff_8000_0000, 0xffff_ffff_ffff_b000] {
        check(&with(|config| config.mappings.kernel_base = Mapping::FixedAddress(base), sound()), base);
    }
    // What has a fixed address is where the kernel is not.
    let file = with(|config| config.mappings.kernel_stack = Mapping::FixedAddress(FREE + 0x1000), sound());
    check(&file, 2 * FREE);
}

/// Goal: addresses keep what their segments' alignment promises. Method: linked at an odd multiple of pages, aligned to 2 MiB.
#[test]
fn alignment_is_kept() {
    let mut file = sound();
    file.alignment = 0x20_0000;
    let moved = |file: &ElfFile| load_with(&with(|_| {}, file.clone()), RAM, b"").map(|(_, entry)| entry.rip);
    assert_eq!(moved(&file), Ok(FREE + 0x10));
    for load in &mut file.loads {
        load.linear += 0x65_3000;
    }
    file.entry += 0x65_3000;
    file.parts.clear();
    assert_eq!(moved(&file), Ok(FREE + 0x5_3010));
    file.alignment = 0;
    assert_eq!(moved(&file), Ok(FREE + 0x10));
    file.alignment = 24;
    assert!(matches!(moved(&file), Err(LoadError::BadSegment { segment: 0, why }) if why.contains("no power of two")));
    file.alignment = 1 << 40;
    assert!(matches!(moved(&file), Err(LoadError::BadSegment { segment: 0, why }) if why.contains("512 GiB")));
}

/// Goal: places where it cannot be are refused by name. Method: one of each.
#[test]
fn impossible_places() {
    let at = |base| {
        let file = with(|config| config.mappings.kernel_base = Mapping::FixedAddress(base), sound());
        load_with(&file, RAM, b"").map(|_| ()).unwrap_err()
    };
    for base in [0x4000_0000_0800, 0x7fff_ffff_d000, 0x8000_0000_0000, 0xffff_ffff_ffff_e000] {
        assert!(matches!(at(base), LoadError::BadAddress { what: "image", linear, .. } if linear == base), "{base:x}");
    }
    let mut far = sound();
    far.loads[2].linear = 1 << 46;
    far.parts.clear();
    far.loads[0].linear = 0u64.wrapping_sub(1 << 40);
    far.entry = far.loads[0].linear;
    let error = load_with(&far.build(), RAM, b"").map(|_| ()).unwrap_err();
    assert_eq!(error, LoadError::NoFreeAddress { what: "image" });
}

/// Goal: tables of relocations that cannot be applied, or would write elsewhere, are refused in words. Method: one of each.
#[test]
fn hostile_tables() {
    let parse = |dynamic: &[u64], entries: &[(u64, u64, u64)]| {
        Image::parse(&kernel(dynamic, &table(entries)).build()).map(|_| ()).unwrap_err()
    };
    let one = |place, info| parse(&[DT_RELA, TABLE, DT_RELASZ, 24, DT_RELAENT, 24], &[(place, info, 0)]);
    let outside = |linear| LoadError::RelocationOutside { index: 0, linear };
    for place in [0x1018, 0x102c, 0x4ff9, 0x5000, u64::MAX, 0u64.wrapping_sub(8)] {
        assert_eq!(one(place, RELATIVE), outside(place));
    }
    assert_eq!(one(0x3000, 6), LoadError::OtherRelocation { index: 0, kind: 6, symbol: 0 });
    let with_symbol = one(0x3000, 7 << 32 | RELATIVE);
    assert_eq!(with_symbol, LoadError::OtherRelocation { index: 0, kind: 8, symbol: 7 });
    assert!(with_symbol.to_string().contains("refers to symbol 7"), "{with_symbol}");

    let says = |dynamic: &[u64], words: &str| {
        let error = parse(dynamic, &[]);
        assert!(matches!(error, LoadError::BadRelocations(_)) && error.to_string().contains(words), "{error}");
    };
    says(&[DT_RELA, TABLE, DT_RELASZ, 24], "(DT_RELAENT)");
    says(&[DT_RELA, TABLE, DT_RELAENT, 24], "(DT_RELASZ)");
    says(&[DT_RELASZ, 24, DT_RELAENT, 24], "(DT_RELA)");
    says(&[DT_RELA, TABLE, DT_RELASZ, 24, DT_RELAENT, 0], "24 bytes");
    says(&[DT_RELA, TABLE, DT_RELASZ, 25, DT_RELAENT, 24], "no multiple");
    says(&[DT_RELA, TABLE, DT_RELA, TABLE], "twice");
    says(&[DT_NEEDED, 1], "shared library");
    says(&[DT_REL, TABLE], "DT_REL");
    says(&[DT_RELR, TABLE], "nopack-relative-relocs");
    says(&[DT_JMPREL, TABLE], "DT_JMPREL");
    // Before the kernel, behind its bytes in the file, and beyond all addresses.
    for (linear, bytes) in [(0x1ff0, 24), (0x2ff0, 24), (0x3000, 24), (TABLE, 24 << 56), (u64::MAX, 24)] {
        says(&[DT_RELA, linear, DT_RELASZ, bytes, DT_RELAENT, 24], "no segment's bytes");
    }
    let mut twice = sound();
    twice.parts.push(twice.parts[0].clone());
    assert!(Image::parse(&twice.build()).unwrap_err().to_string().contains("two dynamic segments"));
    let mut beyond = sound();
    beyond.parts[0].bytes = 1 << 40;
    assert!(Image::parse(&beyond.build()).unwrap_err().to_string().contains("outside the file"));
}

/// Goal: no bytes in headers, dynamic section or table make the loader panic or write elsewhere. Method: each byte set to odd
/// values; what is loaded all the same can be entered.
#[test]
fn damaged_bytes() {
    let mut file = sound().build();
    let start = file.windows(16).position(|at| at == words(&[DT_RELA, TABLE])).unwrap();
    let end = start + (TABLE - DYNAMIC) as usize + 24 * (WORDS.len() + 1);
    for at in (0..64 + 6 * 56).chain(start..start + 80).chain(end - 120..end) {
        let good = file[at];
        for bad in [0, 1, 0x7f, 0x80, 0xff, good ^ 1, good ^ 8] {
            file[at] = bad;
            if let Ok((memory, entry)) = load_with(&file, RAM / 4, b"x") {
                assert!(walk(&memory, entry.cr3, entry.rip).is_some_and(|(_, _, executable)| executable));
            }
        }
        file[at] = good;
    }
}
