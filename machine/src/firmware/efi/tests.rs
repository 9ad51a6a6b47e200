//! EFI's tables, read by offsets of the specification.

use super::*;
use protocol::request::FirmwareConfig;

const MEMORY: u64 = 64 << 20;

fn placed(quirks: &[FirmwareQuirk]) -> (Ram, Placed) {
    let config = MachineConfig {
        cpus: 1,
        apic_ids: Vec::new(),
        memory_bytes: MEMORY,
        quantum: 64,
        seed: None,
        options: String::new(),
        cpu_quirks: Vec::new(),
        firmware: FirmwareConfig { quirks: quirks.to_vec(), variables: Vec::new() },
    };
    let mut ram = Ram::new(MEMORY);
    let placed = place(&mut ram, &config).expect("a good image").expect("`cargo xtask build` comes before this test");
    (ram, placed)
}

fn word(ram: &Ram, at: u64) -> u64 {
    u64::from_le_bytes(ram.read(at).expect("in RAM"))
}

fn crc_holds(ram: &Ram, at: u64, bytes: u64) -> bool {
    let mut table: Vec<u8> = (0..bytes).map(|offset| ram.read::<1>(at + offset).expect("in RAM")[0]).collect();
    let told = table[CRC_AT..CRC_AT + 4].to_vec();
    table[CRC_AT..CRC_AT + 4].fill(0);
    told == crc32(&table).to_le_bytes()
}

/// Goal: a debugger finds the system table as the specification says, and a kernel the services from there. Method: from the
/// end of RAM down in steps of 4 MiB, then by offsets; all CRCs.
#[test]
fn tables_are_found() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    let (ram, placed) = placed(&[]);
    let places = (1..MEMORY >> 22).rev().map(|step| step << 22);
    let pointer = places.into_iter().find(|&at| word(&ram, at) == SYSTEM_TABLE_SIGNATURE).expect("a pointer");
    assert!(crc_holds(&ram, pointer, 24));
    let table = word(&ram, pointer + 8);
    assert_eq!(Some(table), placed.efi().map(|efi| efi.system_table_paddr));
    assert!(word(&ram, table) == SYSTEM_TABLE_SIGNATURE && crc_holds(&ram, table, SYSTEM_TABLE_BYTES as u64));
    let services = word(&ram, table + 88);
    assert_eq!(word(&ram, services).to_le_bytes(), *b"RUNTSERV");
    assert!(crc_holds(&ram, services, RUNTIME_SERVICES_BYTES as u64));
    let code = placed.map.chunks(DESC_SIZE).find(|entry| entry[0] == 5).expect("code");
    let start = u64::from_le_bytes(code[8..16].try_into().unwrap());
    let end = start + u64::from_le_bytes(code[24..32].try_into().unwrap()) * PAGE;
    for service in (services + HEADER_BYTES as u64..services + RUNTIME_SERVICES_BYTES as u64).step_by(8) {
        assert!((start..end).contains(&word(&ram, service)), "{service:#x}");
    }
    assert_eq!(word(&ram, table + 104), 2);
}

/// Goal: the map covers all of RAM once, in order. Method: each begins where the one before ended, but for the gap of VGA.
#[test]
fn the_map_is_whole() {
    let (_, placed) = placed(&[FirmwareQuirk::NoHandOver]);
    assert!(placed.efi().is_none());
    let entries: Vec<(u64, u64)> = placed
        .map
        .chunks(DESC_SIZE)
        .map(|entry| {
            let word = |at: usize| u64::from_le_bytes(entry[at..at + 8].try_into().unwrap());
            (word(8), word(8) + word(24) * PAGE)
        })
        .collect();
    let mut at = 0;
    for (start, end) in &entries[..entries.len() - 1] {
        assert!(*start == at || (at, *start) == (0xa_0000, FIRMWARE_AREA), "{start:#x} after {at:#x}");
        at = *end;
    }
    assert_eq!(at, MEMORY);
    assert_eq!(entries.last(), Some(&(nvram::BASE, nvram::BASE + nvram::BYTES as u64)));
    assert_eq!(placed.regions.len(), entries.len() - 1);
}

/// Goal: what the loader takes is zero and nobody's; method: take all of it (found by `cargo xtask fuzz loader`: a large kernel's
/// page table came to lie on the pointer to the system table).
#[test]
fn free_memory_is_zero() {
    let (ram, placed) = placed(&[]);
    let mut allocator = loader::RegionAllocator::new(&placed.free);
    let frames = allocator.available_frames();
    assert!(frames > MEMORY / PAGE * 9 / 10, "{frames}");
    for _ in 0..frames {
        let frame = allocator.allocate(1).expect("there is one left");
        assert_eq!(ram.read::<4096>(frame), Some([0; 4096]), "{frame:x}");
    }
}
