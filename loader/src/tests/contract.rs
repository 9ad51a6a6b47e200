//! The contract of `bootloader_api` 0.11 (the documentation of its `config` and `info`), kept for whatever configuration its
//! own parser takes: hundreds of them, drawn from a seed, in every mixture of fixed and free addresses.

use super::*;
use crate::{FrameBufferInfo, PixelFormat};

/// A screen whose memory begins within a page, above all RAM.
const SCREEN: Framebuffer = Framebuffer {
    paddr: 0x8000_0800,
    info: FrameBufferInfo {
        byte_len: 64 * 10 * 4,
        width: 60,
        height: 10,
        pixel_format: PixelFormat::Bgr,
        bytes_per_pixel: 4,
        stride: 64,
    },
};
const CONFIGURATIONS: u64 = 400;

/// Configurations from a seed.
struct Draw(fastrand::Rng);

impl Draw {
    fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    fn next(&mut self) -> u64 {
        self.0.u64(..)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    /// In a slot of 512 GiB that nobody else gets: fixed addresses do not collide. Slot 511 is the kernel's.
    fn mapping(&mut self, slots: &mut Vec<u64>, alignment: u64) -> Mapping {
        if self.one_in(2) {
            return Mapping::Dynamic;
        }
        let slot = slots.swap_remove(self.next() as usize % slots.len());
        let within = self.next() % (1 << 38) / alignment * alignment;
        Mapping::FixedAddress((((slot << 39) as i64) << 16 >> 16) as u64 + within)
    }

    fn config(&mut self) -> BootloaderConfig {
        let mut slots: Vec<u64> = (1..511).collect();
        let mut config = BootloaderConfig::new_default();
        config.kernel_stack_size = 4096 * (1 + self.next() % 32) + if self.one_in(4) { 8 } else { 0 };
        let mappings = &mut config.mappings;
        mappings.kernel_stack = self.mapping(&mut slots, 4096);
        mappings.boot_info = self.mapping(&mut slots, 4096);
        mappings.framebuffer = self.mapping(&mut slots, 4096);
        mappings.ramdisk_memory = self.mapping(&mut slots, 4096);
        mappings.physical_memory = (!self.one_in(3)).then(|| self.mapping(&mut slots, 1 << 21));
        mappings.page_table_recursive = (!self.one_in(3)).then(|| self.mapping(&mut slots, 1 << 39));
        mappings.aslr = self.one_in(2);
        if self.one_in(3) {
            mappings.dynamic_range_start = Some(0xffff_8000_0000_0000 + self.next() % (1 << 44));
        }
        if self.one_in(3) {
            mappings.dynamic_range_end = Some(0xffff_f000_0000_0000 + self.next() % (1 << 43));
        }
        config
    }
}

/// What a configuration says about an address, against where the thing is.
fn check_place(config: &BootloaderConfig, what: &str, wanted: Mapping, linear: u64, bytes: u64) {
    match wanted {
        Mapping::FixedAddress(address) => assert_eq!(linear, address, "{what}"),
        Mapping::Dynamic => {
            let range = config.mappings.dynamic_range_start.unwrap_or(0)
                ..=config.mappings.dynamic_range_end.unwrap_or(0xffff_ffff_ffff_f000);
            assert!(range.contains(&linear) && linear + (bytes - 1) <= *range.end() + 4095, "{what} at {linear:x}");
        }
    }
}

/// Goal: every promise holds for every configuration; method: look at tables and BootInfo with eyes of their own.
#[test]
fn every_configuration_is_honoured() {
    let mut draw = Draw::new(1);
    for _ in 0..CONFIGURATIONS {
        let wanted = draw.config();
        let section = wanted.serialize();
        assert_eq!(BootloaderConfig::deserialize(&section), Ok(wanted), "bootloader_api reads what it wrote");
        let file = ElfFile { config: section.to_vec(), ..ElfFile::default() }.build();
        let screen = (!draw.one_in(4)).then_some(SCREEN);
        let ramdisk = if draw.one_in(4) { &b""[..] } else { &[7; 5000] };
        let (memory, entry) = load_with_screen(&file, RAM, ramdisk, screen)
            .unwrap_or_else(|error| panic!("{error}, with the configuration {wanted:?}"));
        check(&wanted, &memory, &entry, &file, ramdisk, screen);
    }
}

fn check(
    wanted: &BootloaderConfig,
    memory: &TestMemory,
    entry: &Entry,
    file: &[u8],
    ramdisk: &[u8],
    screen: Option<Framebuffer>,
) {
    let mappings = &wanted.mappings;
    let info = read_info(memory, entry);
    // What was given to whom, by linear address: no two overlap.
    let mut places = vec![(KERNEL, 0x4000)];
    let data = |linear, bytes: u64| {
        for page in (linear..linear + bytes).step_by(4096) {
            assert_eq!(walk(memory, entry.cr3, page).map(|(_, w, x)| (w, x)), Some((true, false)), "{page:x}");
        }
    };

    let stack = info.kernel_stack_bottom;
    check_place(wanted, "stack", mappings.kernel_stack, stack - 4096, info.kernel_stack_len + 4096);
    assert_eq!(info.kernel_stack_len, wanted.kernel_stack_size);
    data(stack, info.kernel_stack_len);
    assert_eq!(walk(memory, entry.cr3, stack - 1), None, "the guard page");
    assert!(entry.rsp % 16 == 8 && entry.rsp < stack + info.kernel_stack_len, "RSP as after a call");
    places.push((stack - 4096, 4096 + info.kernel_stack_len));

    let info_bytes = size_of::<BootInfo>() as u64 + (info.memory_regions.len() * size_of::<MemoryRegion>()) as u64;
    check_place(wanted, "boot information", mappings.boot_info, entry.rdi, info_bytes);
    data(entry.rdi, info_bytes);
    places.push((entry.rdi, info_bytes));

    match info.ramdisk_addr.into_option() {
        None => assert!(ramdisk.is_empty() && info.ramdisk_len == 0),
        Some(linear) => {
            check_place(wanted, "ramdisk", mappings.ramdisk_memory, linear, info.ramdisk_len);
            assert_eq!(read(memory, entry.cr3, linear, info.ramdisk_len), ramdisk);
            places.push((linear, info.ramdisk_len));
        }
    }
    assert_eq!(info.framebuffer.as_ref().is_some(), screen.is_some());
    if let (Some(handed_over), Some(screen)) = (info.framebuffer.as_ref(), screen) {
        let at = core::mem::offset_of!(BootInfo, framebuffer) as u64 + 8;
        let linear = u64::from_le_bytes(read(memory, entry.cr3, entry.rdi + at, 8).try_into().unwrap());
        let bytes = screen.info.byte_len as u64;
        check_place(wanted, "framebuffer", mappings.framebuffer, linear & !4095, bytes + linear % 4096);
        for offset in [0, bytes / 2, bytes - 1] {
            assert_eq!(walk(memory, entry.cr3, linear + offset), Some((screen.paddr + offset, true, false)));
        }
        let (info, expected) = (handed_over.info(), screen.info);
        assert_eq!((info.byte_len, info.width, info.height), (expected.byte_len, expected.width, expected.height));
        assert_eq!((info.bytes_per_pixel, info.stride), (expected.bytes_per_pixel, expected.stride));
        assert_eq!(info.pixel_format, expected.pixel_format);
        places.push((linear & !4095, bytes + linear % 4096));
    }
    assert_eq!(info.physical_memory_offset.into_option().is_some(), mappings.physical_memory.is_some());
    if let (Some(offset), Some(place)) = (info.physical_memory_offset.into_option(), mappings.physical_memory) {
        check_place(wanted, "physical memory", place, offset, 1 << 32);
        for paddr in [0, 0x9_a000, RAM, 0xfee0_0000, 0xffff_ffff] {
            assert_eq!(walk(memory, entry.cr3, offset + paddr), Some((paddr, true, false)));
        }
        places.push((offset, 1 << 32));
    }
    assert_eq!(info.recursive_index.into_option().is_some(), mappings.page_table_recursive.is_some());
    if let (Some(index), Some(place)) = (info.recursive_index.into_option(), mappings.page_table_recursive) {
        let linear = (((u64::from(index) << 39) as i64) << 16 >> 16) as u64;
        check_place(wanted, "recursive table", place, linear, 1 << 39);
        // The PML4 seen through itself four times.
        let index = u64::from(index);
        let table = linear | index << 30 | index << 21 | index << 12;
        assert_eq!(walk(memory, entry.cr3, table).map(|found| found.0), Some(entry.cr3));
        places.push((linear, 1 << 39));
    }
    places.sort_unstable();
    for pair in places.windows(2) {
        assert!(pair[0].0 + (pair[0].1 - 1) < pair[1].0, "{:x?} overlap", pair);
    }

    check_regions(info, memory, entry, file);
}

/// The memory map: sorted, all of it, and what is in use is not usable.
fn check_regions(info: &BootInfo, memory: &TestMemory, entry: &Entry, file: &[u8]) {
    let regions = &info.memory_regions;
    assert!(regions.iter().all(|region| region.start < region.end));
    assert!(regions.windows(2).all(|pair| pair[0].end <= pair[1].start));
    let bytes = |regions: &[MemoryRegion]| regions.iter().map(|region| region.end - region.start).sum::<u64>();
    assert_eq!(bytes(regions), bytes(&super::regions(RAM)));
    let kind = |paddr| regions.iter().find(|region| (region.start..region.end).contains(&paddr)).map(|r| r.kind);
    let used = [entry.cr3, entry.gdt_paddr, info.kernel_addr, info.kernel_addr + info.kernel_len - 1];
    let mapped = [KERNEL, KERNEL + 0x3000, entry.rsp, info.kernel_stack_bottom, entry.rdi];
    let mapped = mapped.map(|linear| walk(memory, entry.cr3, linear).expect("mapped").0);
    for paddr in used.into_iter().chain(mapped) {
        assert_eq!(kind(paddr), Some(MemoryRegionKind::Bootloader), "{paddr:x}");
        assert!(paddr >= 0x10_0000, "below 1 MiB nothing is taken");
    }
    assert_eq!(memory.bytes[info.kernel_addr as usize..][..file.len()], *file);
}

/// Goal: what the API's parser refuses is refused by the loader, in its words; method: each byte of a section set to
/// values that some field does not take.
#[test]
fn refused_as_the_parser_does() {
    let good = Draw::new(7).config().serialize();
    let mut refused = 0;
    for at in 0..good.len() {
        for value in [2, 0x7f, 0xff] {
            let mut section = good.to_vec();
            section[at] = value;
            let file = ElfFile { config: section.clone(), ..ElfFile::default() }.build();
            if let Err(why) = BootloaderConfig::deserialize(&section) {
                assert_eq!(Image::parse(&file).unwrap_err(), LoadError::BadConfig(why), "byte {at}");
                refused += 1;
            }
        }
    }
    assert!(refused > 16 * 3, "the UUID alone has 16 bytes");
}
