//! Loads made-up kernels into made-up memory and looks at the result with eyes of its own.

mod contract;
mod elf_file;
mod position_independent;

use crate::{
    Efi, EfiMap, Entry, Framebuffer, Image, LoadError, MemoryRegion, MemoryRegionKind, PhysMemory, Platform,
    RegionAllocator, load, place,
};
use bootloader_api::{BootInfo, BootloaderConfig, config::Mapping};
use elf_file::{ElfFile, KERNEL};

const RAM: u64 = 8 << 20;

struct TestMemory {
    bytes: Vec<u8>,
    allocator: RegionAllocator,
}

impl PhysMemory for TestMemory {
    fn allocate(&mut self, frames: u64) -> Option<u64> {
        self.allocator.allocate(frames)
    }

    fn available_frames(&self) -> u64 {
        self.allocator.available_frames()
    }

    fn write(&mut self, paddr: u64, bytes: &[u8]) {
        let at = paddr as usize;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn read_u64(&self, paddr: u64) -> u64 {
        let at = paddr as usize;
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap())
    }
}

fn regions(ram: u64) -> Vec<MemoryRegion> {
    vec![
        MemoryRegion { start: 0x10_0000, end: ram, kind: MemoryRegionKind::Usable },
        MemoryRegion { start: 0, end: 0x9_fc00, kind: MemoryRegionKind::Usable },
        MemoryRegion { start: 0xf_0000, end: 0x10_0000, kind: MemoryRegionKind::UnknownBios(2) },
    ]
}

fn load_with(file: &[u8], ram: u64, ramdisk: &[u8]) -> Result<(TestMemory, Entry), LoadError> {
    load_with_screen(file, ram, ramdisk, None)
}

fn load_with_screen(
    file: &[u8],
    ram: u64,
    ramdisk: &[u8],
    framebuffer: Option<Framebuffer>,
) -> Result<(TestMemory, Entry), LoadError> {
    let regions = regions(ram);
    let mut memory = TestMemory { bytes: vec![0; ram as usize], allocator: RegionAllocator::new(&regions) };
    let image = Image::parse(file)?;
    let platform = Platform {
        regions: &regions,
        rsdp_paddr: Some(0xe_0000),
        ramdisk,
        efi: None,
        framebuffer,
        identity_map: Some(0xf_f000..0x10_0000),
        huge_pages: false,
        no_execute: true,
    };
    let entry = load(&image, &platform, &mut memory)?;
    Ok((memory, entry))
}

/// Walks the tables as the SDM says: physical address, and whether W and X are allowed all the way.
fn walk(memory: &TestMemory, cr3: u64, linear: u64) -> Option<(u64, bool, bool)> {
    let (mut table, mut writable, mut executable) = (cr3, true, true);
    for shift in [39, 30, 21, 12] {
        let entry = memory.read_u64(table + (linear >> shift & 511) * 8);
        if entry & 1 == 0 {
            return None;
        }
        writable &= entry & 2 != 0;
        executable &= entry >> 63 == 0;
        table = entry & 0x000f_ffff_ffff_f000;
        if shift == 12 || (shift < 39 && entry & 0x80 != 0) {
            let inside = (1 << shift) - 1;
            return Some((table & !inside | linear & inside, writable, executable));
        }
    }
    None
}

fn read(memory: &TestMemory, cr3: u64, linear: u64, len: u64) -> Vec<u8> {
    (0..len).map(|at| memory.bytes[walk(memory, cr3, linear + at).expect("mapped").0 as usize]).collect()
}

/// Goal: bytes, zeroes and rights of every segment are as in the file; method: read them through the tables.
#[test]
fn segments() {
    let (memory, entry) = load_with(&ElfFile::default().build(), RAM, b"").unwrap();
    assert_eq!(entry.rip, KERNEL + 0x10);
    let rights = |linear| walk(&memory, entry.cr3, linear).map(|(_, writable, executable)| (writable, executable));
    assert_eq!(rights(KERNEL), Some((false, true)));
    assert_eq!(rights(KERNEL + 0x1000), Some((false, false)));
    assert_eq!(rights(KERNEL + 0x2000), Some((true, false)));
    assert_eq!(rights(KERNEL + 0x3fff), Some((true, false)));
    assert_eq!(rights(KERNEL + 0x4000), None);
    assert_eq!(read(&memory, entry.cr3, KERNEL, 0x20), [0x90; 0x20]);
    let data = read(&memory, entry.cr3, KERNEL + 0x2008, 0x1000);
    assert_eq!(data[..0x10], [0x44; 0x10]);
    assert!(data[0x10..].iter().all(|&byte| byte == 0));
    let pages: Vec<_> = entry.kernel_pages.iter().map(|run| (run.linear, run.bytes)).collect();
    assert_eq!(pages, [(KERNEL, 0x1000), (KERNEL + 0x1000, 0x1000), (KERNEL + 0x2000, 0x2000)]);
    assert!(entry.kernel_pages.iter().all(|run| Some(run.paddr) == walk(&memory, entry.cr3, run.linear).map(|w| w.0)));
}

/// Goal: the stack is there, aligned, with nothing below it; method: look at both ends.
#[test]
fn stack() {
    let (memory, entry) = load_with(&ElfFile::default().build(), RAM, b"").unwrap();
    assert_eq!(entry.rsp % 16, 8);
    assert_eq!(read(&memory, entry.cr3, entry.rsp, 8), [0; 8]);
    let bottom = entry.rsp + 8 - 80 * 1024;
    assert_eq!(walk(&memory, entry.cr3, bottom).map(|w| (w.1, w.2)), Some((true, false)));
    assert_eq!(walk(&memory, entry.cr3, bottom - 1), None);
}

/// The kernel's BootInfo as the type it is. Its pointer to the memory regions leads to a copy of them; the others mean
/// nothing here.
#[allow(unsafe_code)]
fn read_info(memory: &TestMemory, entry: &Entry) -> &'static BootInfo {
    let words = |linear, bytes| -> Vec<u64> {
        let bytes = read(memory, entry.cr3, linear, bytes);
        bytes.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect()
    };
    let size = size_of::<BootInfo>() as u64;
    let mut info = words(entry.rdi, size);
    // The regions lie right behind; give the slice a pointer that means something here.
    let at = core::mem::offset_of!(BootInfo, memory_regions) / 8;
    assert_eq!(info[at], entry.rdi + size);
    let regions = words(entry.rdi + size, info[at + 1] * size_of::<MemoryRegion>() as u64);
    info[at] = Vec::leak(regions).as_ptr() as u64;
    // SAFETY: (1) the words are as long and as aligned as a BootInfo, and leaked; (2) its tags and bools are valid, which
    // is what these tests are about; (3) the pointer in it was replaced by one to words that are leaked too.
    unsafe { &*Vec::leak(info).as_ptr().cast() }
}

/// Goal: BootInfo says what bootloader_api's types understand; method: read it back as those types.
#[test]
fn boot_info() {
    let mut config = BootloaderConfig::new_default();
    config.mappings.physical_memory = Some(Mapping::FixedAddress(0xffff_8880_0000_0000));
    config.mappings.page_table_recursive = Some(Mapping::Dynamic);
    config.mappings.dynamic_range_start = Some(0xffff_9000_0000_0000);
    let file = ElfFile { config: config.serialize().to_vec(), tls: true, ..ElfFile::default() }.build();
    let (memory, entry) = load_with(&file, RAM, b"bringup=serial").unwrap();
    assert!(entry.rdi >= 0xffff_9000_0000_0000);
    let info = read_info(&memory, &entry);

    let expected = BootInfo::new(Vec::leak(Vec::new()).into());
    assert_eq!(info.api_version, expected.api_version);
    assert_eq!(info.physical_memory_offset.into_option(), Some(0xffff_8880_0000_0000));
    assert_eq!(info.rsdp_addr.into_option(), Some(0xe_0000));
    assert!(info.framebuffer.as_ref().is_none());
    assert_eq!(info.tls_template.into_option().map(|tls| (tls.file_size, tls.mem_size)), Some((8, 16)));
    assert_eq!(info.ramdisk_len, 14);
    let ramdisk = info.ramdisk_addr.into_option().unwrap();
    assert_eq!(read(&memory, entry.cr3, ramdisk, 14), b"bringup=serial");
    assert_eq!((info.kernel_image_offset, info.kernel_len), (0, file.len() as u64));
    assert_eq!(memory.bytes[info.kernel_addr as usize..][..file.len()], file);
    assert_eq!(info.kernel_stack_len, 80 * 1024);
    assert_eq!(info.kernel_stack_bottom, entry.rsp + 8 - 80 * 1024);
    let recursive = u64::from(info.recursive_index.into_option().unwrap());
    assert_eq!(memory.read_u64(entry.cr3 + recursive * 8) & !0xfff & !(1 << 63), entry.cr3);

    let map: Vec<_> = info.memory_regions.iter().map(|region| (region.start, region.end, region.kind)).collect();
    assert_eq!(map[0], (0, 0x9_fc00, MemoryRegionKind::Usable));
    assert_eq!(map[1], (0xf_0000, 0x10_0000, MemoryRegionKind::UnknownBios(2)));
    let taken = map[2].1;
    assert_eq!(map[2], (0x10_0000, taken, MemoryRegionKind::Bootloader));
    assert_eq!(map[3], (taken, RAM, MemoryRegionKind::Usable));
    assert!(taken > entry.cr3 && memory.bytes[taken as usize..].iter().all(|&byte| byte == 0));
}

/// Goal: all physical memory is there at its offset, devices below 4 GiB included; method: a few addresses.
#[test]
fn physical_map() {
    let mut config = BootloaderConfig::new_default();
    config.mappings.physical_memory = Some(Mapping::FixedAddress(0xffff_8880_0000_0000));
    let file = ElfFile { config: config.serialize().to_vec(), ..ElfFile::default() }.build();
    let (memory, entry) = load_with(&file, RAM, b"").unwrap();
    for paddr in [0, 0x9_a000, 0xfee0_0000, 0xffff_ffff] {
        let found = walk(&memory, entry.cr3, 0xffff_8880_0000_0000 + paddr);
        assert_eq!(found, Some((paddr, true, false)));
    }
    assert_eq!(walk(&memory, entry.cr3, 0xffff_8881_0000_0000), None);
}

/// Goal: what the entering code runs on is mapped at its physical address, and the GDT too; method: walk.
#[test]
fn identity_map() {
    let (memory, entry) = load_with(&ElfFile::default().build(), RAM, b"").unwrap();
    assert_eq!(walk(&memory, entry.cr3, 0xf_f123), Some((0xf_f123, false, true)));
    assert_eq!(walk(&memory, entry.cr3, entry.gdt_paddr), Some((entry.gdt_paddr, false, false)));
    assert_eq!(memory.read_u64(entry.gdt_paddr + 8) >> 53 & 1, 1, "the L bit of the code segment");
    assert_eq!(walk(&memory, entry.cr3, 0x10_0000 - 0x2000), None);
}

/// Goal: the amount of memory that an error names is enough, and less is not; method: try both.
#[test]
fn too_little_memory() {
    let file = ElfFile::default().build();
    let Err(LoadError::NotEnoughMemory { needed, available }) = load_with(&file, 0x11_0000, b"") else {
        panic!("64 KiB cannot be enough")
    };
    assert_eq!(available, 0x1_0000);
    assert!(load_with(&file, 0x10_0000 + needed, b"").is_ok());
    assert!(matches!(load_with(&file, 0x10_0000 + needed - 4096, b""), Err(LoadError::NotEnoughMemory { .. })));
}

/// Goal: impossible configurations are refused by name; method: one of each.
#[test]
fn impossible_configurations() {
    let check = |change: fn(&mut BootloaderConfig)| {
        let mut config = BootloaderConfig::new_default();
        change(&mut config);
        load_with(&ElfFile { config: config.serialize().to_vec(), ..ElfFile::default() }.build(), RAM, b"").map(|_| ())
    };
    let bad = |result, expected| assert!(matches!(result, Err(LoadError::BadAddress { what, .. }) if what == expected));
    bad(check(|c| c.mappings.kernel_stack = Mapping::FixedAddress(0x123)), "kernel stack");
    bad(check(|c| c.mappings.boot_info = Mapping::FixedAddress(0x8000_0000_0000)), "boot information");
    bad(check(|c| c.mappings.kernel_base = Mapping::FixedAddress(0x20_0000)), "image");
    bad(check(|c| c.mappings.physical_memory = Some(Mapping::FixedAddress(0x1000))), "physical memory map");
    let taken = check(|c| c.mappings.kernel_stack = Mapping::FixedAddress(KERNEL - 0x1000));
    assert_eq!(taken, Err(LoadError::AddressTaken { what: "kernel stack", linear: KERNEL }));
    let none_free = check(|c| c.mappings.dynamic_range_start = Some(0xffff_ffff_ffff_f000));
    assert_eq!(none_free, Err(LoadError::NoFreeAddress { what: "kernel stack" }));
    assert!(matches!(check(|c| c.kernel_stack_size = 0), Err(LoadError::BadConfig(_))));
    assert!(matches!(check(|c| c.kernel_stack_size = 1 << 46), Err(LoadError::NotEnoughMemory { .. })));
    assert!(check(|c| c.kernel_stack_size = u64::MAX).is_err());
}

/// Goal: files that are no kernels are refused by name; method: one of each kind.
#[test]
fn not_a_kernel() {
    let parse = |file: ElfFile| Image::parse(&file.build()).map(|_| ()).unwrap_err();
    let good = ElfFile::default();
    assert_eq!(Image::parse(b"").unwrap_err(), LoadError::NotElf);
    assert_eq!(
        Image::parse(b"#!/bin/sh\n# a script, long enough to hold an ELF header, and even more than that").unwrap_err(),
        LoadError::NotElf
    );
    assert_eq!(parse(ElfFile { machine: 183, ..good.clone() }), LoadError::OtherMachine(183));
    assert_eq!(parse(ElfFile { elf_type: 4, ..good.clone() }), LoadError::NotExecutable(4));
    assert_eq!(
        parse(ElfFile { entry: KERNEL + 0x1000, ..good.clone() }),
        LoadError::EntryOutside { entry: KERNEL + 0x1000 }
    );
    assert_eq!(parse(ElfFile { config_name: b".other", ..good.clone() }), LoadError::NoConfig);
    assert!(matches!(parse(ElfFile { config: vec![1; 133], ..good.clone() }), LoadError::BadConfig(_)));
    let mut other = good.config.clone();
    other[18] = 99;
    assert!(matches!(
        parse(ElfFile { config: other, ..good.clone() }),
        LoadError::OtherApiVersion { kernel: (0, 99), .. }
    ));
    let mut overlapping = good.clone();
    overlapping.loads[1].linear = KERNEL + 0x800;
    assert_eq!(parse(overlapping), LoadError::Overlap { first: 0, second: 1, page: KERNEL });
    let mut wrapping = good.clone();
    wrapping.loads[2].mem_bytes = u64::MAX;
    assert!(matches!(parse(wrapping), LoadError::BadSegment { segment: 2, .. }));
    let mut outside = good.clone();
    outside.loads[2].linear = 0x8000_0000_0000;
    assert!(matches!(parse(outside), LoadError::BadSegment { segment: 2, .. }));
    let mut huge = good.clone();
    huge.loads.truncate(1);
    huge.loads[0].linear = 0x10_0000;
    huge.loads[0].mem_bytes = 1 << 40;
    huge.entry = 0x10_0000;
    assert!(matches!(load_with(&huge.build(), RAM, b""), Err(LoadError::NotEnoughMemory { .. })));
    assert_eq!(parse(ElfFile { loads: Vec::new(), ..good }), LoadError::NoSegments);
}

/// Goal: a file cut short anywhere is refused; method: every length.
#[test]
fn truncated() {
    let file = ElfFile::default().build();
    for len in 0..file.len() {
        assert!(Image::parse(&file[..len]).is_err(), "cut to {len} of {} bytes", file.len());
    }
    assert!(Image::parse(&file).is_ok());
}

/// Goal: no bytes whatever make the loader panic; method: set each byte of headers and configuration to odd values.
#[test]
fn damaged_bytes() {
    let mut file = ElfFile { tls: true, ..ElfFile::default() }.build();
    for at in 0..file.len() {
        let good = file[at];
        for bad in [0, 1, 0x3f, 0x7f, 0x80, 0xff, good ^ 1, good ^ 0x80] {
            file[at] = bad;
            // Sound or refused: what matters is that it comes back with either.
            if let Ok((memory, entry)) = load_with(&file, RAM / 4, b"x") {
                assert!(walk(&memory, entry.cr3, entry.rip).is_some_and(|(_, _, executable)| executable));
            }
        }
        file[at] = good;
    }
}

/// Goal: a kernel finds the firmware's memory map by the lines in front of its options, also where the map grew since it was
/// placed. Method: two maps, the lines read as text, the bytes from where they point.
#[test]
fn efi_is_handed_over() {
    let file = ElfFile::default().build();
    let regions = regions(RAM);
    let mut memory = TestMemory { bytes: vec![0; RAM as usize], allocator: RegionAllocator::new(&regions) };
    let image = Image::parse(&file).unwrap();
    let map = |bytes| EfiMap { bytes, desc_size: 48, desc_version: 1 };
    let efi = Some(Efi { system_table_paddr: 0x7fe_9018, map: map(&[0x11; 96]) });
    let platform = Platform {
        regions: &regions,
        rsdp_paddr: None,
        ramdisk: b"pcid=on",
        efi,
        framebuffer: None,
        identity_map: None,
        huge_pages: false,
        no_execute: true,
    };
    let placed = place(&image, &platform, &mut memory).unwrap();
    let entry = placed.clone().finish(&regions, Some(map(&[0x22; 48 * 60])), &mut memory).unwrap();
    let info = entry.rdi;
    let field = |memory: &TestMemory, at: usize| {
        u64::from_le_bytes(read(memory, entry.cr3, info + at as u64, 8).try_into().unwrap())
    };
    let linear = field(&memory, std::mem::offset_of!(BootInfo, ramdisk_addr) + 8);
    let len = field(&memory, std::mem::offset_of!(BootInfo, ramdisk_len));
    let text = String::from_utf8(read(&memory, entry.cr3, linear, len)).unwrap();
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("=0x")).expect(name);
        u64::from_str_radix(line, 16).unwrap()
    };
    assert_eq!(number("efi_system_table"), 0x7fe_9018);
    assert_eq!((number("efi_memdesc_size"), number("efi_memdesc_version")), (48, 1));
    let (at, size) = (number("efi_memmap") as usize, number("efi_memmap_size") as usize);
    assert!(at.is_multiple_of(4096) && memory.bytes[at..at + size] == [0x22; 48 * 60]);
    assert_eq!(text.lines().last(), Some("pcid=on"));
    assert_eq!(text.len() as u64, platform.ramdisk_len());
    let grown = placed.finish(&regions, Some(map(&[0x33; 48 * 1000])), &mut memory);
    assert!(matches!(grown, Err(LoadError::TooManyRegions { room: 85 })), "{grown:?}");
}
