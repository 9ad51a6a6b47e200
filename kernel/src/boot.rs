//! What the loader hands over, copied to where it stays: the loader's own memory is not mapped in `init_top_pgt`.
#![allow(unsafe_code)]

use crate::arch::cpuid;
use crate::memlayout::DIRECT_MAP_BASE;
use crate::mm::frame::{Region, RegionKind};
use bootloader_api::{
    BootInfo, BootloaderConfig,
    config::Mapping,
    info::{MemoryRegion, MemoryRegionKind},
};
use spin::{Mutex, MutexGuard, Once};

/// What the kernel asks of the loader: all physical memory at [`DIRECT_MAP_BASE`].
pub const CONFIG: BootloaderConfig = {
    let mut config = BootloaderConfig::new_default();
    config.mappings.physical_memory = Some(Mapping::FixedAddress(DIRECT_MAP_BASE));
    config.kernel_stack_size = 64 * 1024;
    config
};

/// The most regions that are kept; more are not used, and the kernel says so.
pub const MAX_REGIONS: usize = 256;
/// The longest options text in bytes.
pub const MAX_OPTIONS: usize = 4096;

/// The copy.
#[derive(Debug)]
pub struct Boot {
    regions: [Region; MAX_REGIONS],
    region_count: usize,
    /// Regions that did not fit.
    pub regions_lost: usize,
    /// Regions that reach beyond where physical addresses end.
    pub beyond: usize,
    /// Stretches that one region calls free and another in use.
    pub contradictions: usize,
    options: [u8; MAX_OPTIONS],
    options_len: usize,
    /// Length of the options text as handed over.
    pub options_given: u64,
    /// Physical address of the ACPI RSDP.
    pub rsdp: Option<u64>,
}

/// Filled in place: it is too large to be moved about on a stack.
static STORAGE: Mutex<Boot> = Mutex::new(Boot {
    regions: [Region { start: 0, end: 0, kind: RegionKind::Loader }; MAX_REGIONS],
    region_count: 0,
    regions_lost: 0,
    beyond: 0,
    contradictions: 0,
    options: [0; MAX_OPTIONS],
    options_len: 0,
    options_given: 0,
    rsdp: None,
});

static BOOT: Once<&'static Boot> = Once::new();

impl Boot {
    /// The memory map, sorted by address.
    pub fn regions(&self) -> &[Region] {
        &self.regions[..self.region_count]
    }

    /// Adds a region where its address belongs.
    fn add(&mut self, region: Region) {
        if self.region_count == MAX_REGIONS {
            self.regions_lost += 1;
            return;
        }
        let place = self.regions().partition_point(|before| before.start <= region.start);
        self.regions.copy_within(place..self.region_count, place + 1);
        self.regions[place] = region;
        self.region_count += 1;
    }

    /// Adds what lies below `end` of a region that is not empty.
    fn add_below(&mut self, region: Region, end: u64) {
        let cut = Region { end: region.end.min(end), ..region };
        self.beyond += usize::from(region.end > end);
        if cut.start < cut.end {
            self.add(cut);
        }
    }

    /// Takes what is in use out of what is free. Who says that memory is in use is believed.
    fn settle(&mut self) {
        let mut index = 0;
        while index < self.region_count {
            let region = self.regions[index];
            let overlaps = |other: &&Region| {
                other.kind != RegionKind::Usable && other.start < region.end && region.start < other.end
            };
            let used = self.regions().iter().find(overlaps).copied();
            let Some(used) = used.filter(|_| region.kind == RegionKind::Usable) else {
                index += 1;
                continue;
            };
            self.contradictions += 1;
            // Out, and what is left of it back in: in front, and behind.
            self.regions.copy_within(index + 1..self.region_count, index);
            self.region_count -= 1;
            for (start, end) in [(region.start, used.start), (used.end, region.end)] {
                if start < end {
                    self.add(Region { start, end, ..region });
                }
            }
        }
    }

    /// The options text up to its first byte that is not UTF-8.
    pub fn options(&self) -> &str {
        let bytes = &self.options[..self.options_len];
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        }
    }
}

/// The copy, once [`copy`] made it.
///
/// # Panics
/// Before that.
pub fn info() -> &'static Boot {
    BOOT.get().expect("boot::copy is the first thing that the kernel does")
}

/// Copies what the loader handed over.
///
/// # Panics
/// If the loader did not map physical memory where [`CONFIG`] asks for it.
pub fn copy(handed_over: &BootInfo) -> &'static Boot {
    let offset = handed_over.physical_memory_offset.into_option();
    assert!(
        offset == Some(DIRECT_MAP_BASE),
        "the loader mapped physical memory at {offset:x?}, not at {DIRECT_MAP_BASE:x} as the kernel's configuration asks"
    );
    BOOT.call_once(|| {
        let boot = MutexGuard::leak(STORAGE.lock());
        boot.rsdp = handed_over.rsdp_addr.into_option();
        if let Some(framebuffer) = handed_over.framebuffer.as_ref() {
            crate::screen::init(framebuffer);
        }
        let end = cpuid::physical_end();
        for region in handed_over.memory_regions.iter() {
            boot.add_below(region_of(region), end);
        }
        boot.settle();
        if let Some(linear) = handed_over.ramdisk_addr.into_option() {
            boot.options_given = handed_over.ramdisk_len;
            boot.options_len = handed_over.ramdisk_len.min(MAX_OPTIONS as u64) as usize;
            // SAFETY: the loader mapped `ramdisk_len` bytes at this linear address and nobody writes them.
            let text = unsafe { core::slice::from_raw_parts(linear as *const u8, boot.options_len) };
            boot.options[..boot.options_len].copy_from_slice(text);
        }
        boot
    })
}

/// Whole pages: usable memory shrinks to them, other memory grows.
fn region_of(region: &MemoryRegion) -> Region {
    let kind = match region.kind {
        MemoryRegionKind::Usable => RegionKind::Usable,
        MemoryRegionKind::Bootloader => RegionKind::Loader,
        // UEFI specification, "EFI_MEMORY_TYPE": loader, boot and runtime services, conventional; ACPI reclaim and NVS.
        MemoryRegionKind::UnknownUefi(kind @ (1..=7 | 9 | 10)) => RegionKind::Firmware(kind),
        // ACPI specification, "System Address Map": ACPI reclaim and NVS.
        MemoryRegionKind::UnknownBios(kind @ (3 | 4)) => RegionKind::Firmware(kind),
        MemoryRegionKind::UnknownUefi(kind) | MemoryRegionKind::UnknownBios(kind) => RegionKind::Reserved(kind),
        _ => RegionKind::Reserved(u32::MAX),
    };
    let (up, down) = (|a: u64| a.saturating_add(4095) & !4095, |a: u64| a & !4095);
    if kind == RegionKind::Usable {
        let start = up(region.start);
        Region { start, end: down(region.end).max(start), kind }
    } else {
        let start = down(region.start);
        Region { start, end: up(region.end).max(start), kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the memory map is sorted and bounded. Method: regions in falling order, one more than fit.
    #[test]
    fn regions_are_sorted_and_bounded() {
        let boot = MutexGuard::leak(STORAGE.lock());
        for start in (0..=MAX_REGIONS as u64).rev() {
            boot.add(Region { start, end: start + 1, kind: RegionKind::Usable });
        }
        assert!(boot.regions().is_sorted_by_key(|region| region.start));
        assert_eq!((boot.regions().len(), boot.regions_lost), (MAX_REGIONS, 1));
    }

    fn empty() -> Boot {
        let regions = [Region { start: 0, end: 0, kind: RegionKind::Loader }; MAX_REGIONS];
        let options = [0; MAX_OPTIONS];
        let (regions_lost, beyond, contradictions) = (0, 0, 0);
        let (region_count, options_len, options_given, rsdp) = (0, 0, 0, None);
        Boot { regions, region_count, regions_lost, beyond, contradictions, options, options_len, options_given, rsdp }
    }

    /// Goal: regions that are empty or beyond the processor's addresses are left out, and counted where something is lost.
    /// Method: one of each, and one that reaches across the end.
    #[test]
    fn regions_end_with_the_addresses() {
        let mut boot = empty();
        let mut add = |start, end| boot.add_below(Region { start, end, kind: RegionKind::Usable }, 1 << 40);
        add(0x1000, 0x1000);
        add(0x2000, 0x4000);
        add((1 << 40) - 0x1000, 1 << 41);
        add(1 << 41, 1 << 42);
        add(1 << 52, !4095);
        let kept = [(0x2000, 0x4000), ((1 << 40) - 0x1000, 1 << 40)];
        assert!(boot.regions().iter().map(|region| (region.start, region.end)).eq(kept));
        assert_eq!(boot.beyond, 3);
    }

    /// Goal: no memory is free that somebody uses. Method: regions in use at the start, in the middle, at the end of free ones,
    /// and over a whole one; free ones that overlap each other.
    #[test]
    fn what_is_in_use_is_not_free() {
        let mut boot = empty();
        let free = [(0, 0x10), (0x20, 0x30), (0x28, 0x40), (0x50, 0x60)];
        for (start, end) in free {
            boot.add(Region { start: start << 12, end: end << 12, kind: RegionKind::Usable });
        }
        for (start, end) in [(0, 2), (5, 6), (0xf, 0x12), (0x4f, 0x61)] {
            boot.add(Region { start: start << 12, end: end << 12, kind: RegionKind::Loader });
        }
        boot.settle();
        let free = boot.regions().iter().filter(|region| region.kind == RegionKind::Usable);
        assert!(free.map(|region| (region.start >> 12, region.end >> 12)).eq([
            (2, 5),
            (6, 0xf),
            (0x20, 0x30),
            (0x28, 0x40)
        ]));
        assert_eq!((boot.contradictions, boot.regions_lost), (4, 0));
        assert!(boot.regions().is_sorted_by_key(|region| region.start));
    }

    /// Goal: usable memory never grows, other memory never shrinks. Method: regions that are not whole pages.
    #[test]
    fn regions_become_whole_pages() {
        let region = |start, end, kind| region_of(&MemoryRegion { start, end, kind });
        let usable = region(0x1001, 0x3fff, MemoryRegionKind::Usable);
        assert_eq!((usable.start, usable.end), (0x2000, 0x3000));
        let backwards = region(0x5000, 0x1000, MemoryRegionKind::UnknownUefi(10));
        assert_eq!((backwards.start, backwards.end), (0x5000, 0x5000));
        let tiny = region(0x1001, 0x1fff, MemoryRegionKind::Usable);
        assert_eq!((tiny.start, tiny.end), (0x2000, 0x2000));
        let firmware = region(0x1001, 0x3001, MemoryRegionKind::UnknownUefi(10));
        assert_eq!((firmware.start, firmware.end, firmware.kind), (0x1000, 0x4000, RegionKind::Firmware(10)));
    }
}
