//! Where everything goes in the kernel's linear address space, decided before the first frame is taken.

use crate::{
    boot_info,
    error::LoadError,
    image::{Image, PAGE, same_half},
    load::Platform,
    paging::{PageSize, tables_for},
    slots::{self, Slots},
};
use bootloader_api::config::Mapping;

/// The physical map reaches at least here, so that the devices below 4 GiB are in it, as bootloader_api promises.
const PHYSICAL_MAP_MIN: u64 = 1 << 32;
/// Regions in the memory map that can come to those of the platform: each run of frames taken splits one in three.
const SPARE_REGIONS: usize = 64;

/// Linear addresses and sizes.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What the kernel's addresses differ by from those that it was linked at; 0 unless it is position-independent.
    pub kernel_offset: u64,
    /// The stack's guard page; the stack begins one page above it.
    pub guard_page: u64,
    /// Size of the stack as configured.
    pub stack_bytes: u64,
    /// `BootInfo`, followed by the memory regions.
    pub boot_info: u64,
    /// How many memory regions there is room for.
    pub regions_room: usize,
    /// The ramdisk, if there is one.
    pub ramdisk: Option<u64>,
    /// The first page of the framebuffer, if there is one.
    pub framebuffer: Option<u64>,
    /// The map of all physical memory.
    pub physical_map: Option<PhysicalMap>,
    /// The entry of the PML4 that leads to itself.
    pub recursive_index: Option<usize>,
}

/// All of physical memory at one offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PhysicalMap {
    /// Linear address of physical address 0.
    pub offset: u64,
    /// Up to here; a multiple of the page size.
    pub bytes: u64,
    /// Made of such pages.
    pub page: PageSize,
}

impl Plan {
    /// Finds a place for everything: first what has a fixed address, then the rest where it is free.
    pub(crate) fn new(image: &Image<'_>, platform: &Platform<'_>) -> Result<Self, LoadError> {
        let wanted = &image.config.mappings;
        let kernel = match (image.position_independent, wanted.kernel_base) {
            (None, Mapping::Dynamic) => None,
            (None, Mapping::FixedAddress(linear)) => {
                let why = "only a position-independent kernel can have";
                return Err(LoadError::BadAddress { what: "image", linear, why });
            }
            // bootloader_api asks no more of it than that it be a page's; the first page goes there.
            (Some(span), mapping @ Mapping::FixedAddress(_)) => {
                Some((Item::new("image", mapping, span.bytes, PAGE), span.first_page))
            }
            // What is free begins at a PML4 entry, which is aligned to all that a segment can want.
            (Some(span), Mapping::Dynamic) => {
                let before = span.first_page % span.alignment;
                let bytes = span.bytes.saturating_add(before);
                Some((Item::new("image", Mapping::Dynamic, bytes, PAGE), span.first_page - before))
            }
        };
        let stack_bytes = image.config.kernel_stack_size;
        if stack_bytes == 0 {
            return Err(LoadError::BadConfig("kernel_stack_size is 0"));
        }
        let end = platform.regions.iter().map(|region| region.end).fold(PHYSICAL_MAP_MIN, u64::max);
        let page = if platform.huge_pages { PageSize::Huge } else { PageSize::Large };
        let physical_bytes = end.checked_next_multiple_of(page.bytes()).unwrap_or(!(page.bytes() - 1));
        let regions_room = platform.regions.len() + SPARE_REGIONS;

        let mut slots = Slots::new(wanted);
        slots.mark(0, physical_bytes);
        if kernel.is_none() {
            for segment in &image.segments {
                slots.mark(segment.linear, segment.mem_bytes);
            }
        }
        let stack = Item::new("kernel stack", wanted.kernel_stack, PAGE.saturating_add(stack_bytes), PAGE);
        let info = Item::new("boot information", wanted.boot_info, boot_info::bytes(regions_room), PAGE);
        let ramdisk = Item::new("ramdisk", wanted.ramdisk_memory, platform.ramdisk_len(), PAGE);
        let ramdisk = (platform.ramdisk_len() != 0).then_some(ramdisk);
        let framebuffer = platform.framebuffer.filter(|screen| screen.info.byte_len != 0);
        let framebuffer =
            framebuffer.map(|screen| Item::new("framebuffer", wanted.framebuffer, screen.pages().1, PAGE));
        // A fixed offset that huge pages do not fit gets large ones.
        let page = match wanted.physical_memory {
            Some(Mapping::FixedAddress(offset)) if !offset.is_multiple_of(page.bytes()) => PageSize::Large,
            _ => page,
        };
        let physical = wanted.physical_memory;
        let physical = physical.map(|mapping| Item::new("physical memory map", mapping, physical_bytes, page.bytes()));
        let recursive = wanted.page_table_recursive;
        let recursive = recursive.map(|mapping| Item::new("recursive page table", mapping, 1 << 39, 1 << 39));

        let image_item = kernel.as_ref().map(|(item, _)| item);
        let items = [image_item, Some(&stack), Some(&info), ramdisk.as_ref(), framebuffer.as_ref()];
        for item in items.into_iter().chain([physical.as_ref(), recursive.as_ref()]).flatten() {
            item.mark_if_fixed(&mut slots)?;
        }
        let kernel_offset = match &kernel {
            Some((item, linked_at)) => item.place(&mut slots)?.wrapping_sub(*linked_at),
            None => 0,
        };
        Ok(Self {
            kernel_offset,
            guard_page: stack.place(&mut slots)?,
            stack_bytes,
            boot_info: info.place(&mut slots)?,
            regions_room,
            ramdisk: ramdisk.map(|item| item.place(&mut slots)).transpose()?,
            framebuffer: framebuffer.map(|item| item.place(&mut slots)).transpose()?,
            physical_map: match physical {
                Some(item) => Some(PhysicalMap { offset: item.place(&mut slots)?, bytes: physical_bytes, page }),
                None => None,
            },
            recursive_index: recursive.map(|item| item.place(&mut slots)).transpose()?.map(slots::index),
        })
    }

    /// The frames that loading takes at most, of an image that was moved: what is mapped, the kept ELF file, and tables as if none were shared.
    pub(crate) fn frames(&self, image: &Image<'_>, platform: &Platform<'_>) -> u64 {
        let stack = (self.guard_page.saturating_add(PAGE), self.stack_bytes);
        let info = (self.boot_info, boot_info::bytes(self.regions_room));
        let ramdisk = self.ramdisk.map(|linear| (linear, platform.ramdisk_len()));
        let segments = image.segments.iter().map(|s| (s.first_page(), s.pages().saturating_mul(PAGE)));
        let own = segments.chain([stack, info]).chain(ramdisk);
        let mapped =
            own.map(|(linear, bytes)| bytes.div_ceil(PAGE).saturating_add(tables_for(linear, bytes, PageSize::Small)));
        let identity = platform
            .identity_map
            .iter()
            .map(|range| tables_for(range.start, range.end.saturating_sub(range.start), PageSize::Small));
        let screen = self.framebuffer.zip(platform.framebuffer.as_ref());
        let screen = screen.map_or(0, |(linear, screen)| tables_for(linear, screen.pages().1, PageSize::Small));
        let physical = self.physical_map.map_or(0, |map| tables_for(map.offset, map.bytes, map.page));
        // The PML4; the GDT and the three tables of its identity mapping.
        let fixed = 1 + 4;
        let elf = (image.bytes.len() as u64).div_ceil(PAGE);
        let efi = platform.efi.as_ref().map_or(0, |efi| efi.map_frames());
        mapped.chain(identity).chain([fixed, elf, efi, screen]).fold(physical, u64::saturating_add)
    }
}

/// Something that needs linear addresses.
struct Item {
    what: &'static str,
    mapping: Mapping,
    bytes: u64,
    alignment: u64,
}

impl Item {
    fn new(what: &'static str, mapping: Mapping, bytes: u64, alignment: u64) -> Self {
        Self { what, mapping, bytes, alignment }
    }

    /// Checks a fixed address and keeps dynamic ones away from it.
    fn mark_if_fixed(&self, slots: &mut Slots) -> Result<(), LoadError> {
        let Mapping::FixedAddress(linear) = self.mapping else { return Ok(()) };
        let bad = |why| LoadError::BadAddress { what: self.what, linear, why };
        if !linear.is_multiple_of(self.alignment) {
            return Err(bad("is not aligned as its pages are"));
        }
        let last =
            linear.checked_add(self.bytes - 1).ok_or(bad("leaves no room below the end of the address space"))?;
        if !same_half(linear, last) {
            return Err(bad("is not canonical, or reaches into addresses that are not"));
        }
        slots.mark(linear, self.bytes);
        Ok(())
    }

    fn place(&self, slots: &mut Slots) -> Result<u64, LoadError> {
        match self.mapping {
            Mapping::FixedAddress(linear) => Ok(linear),
            Mapping::Dynamic => slots.take(self.what, self.bytes),
        }
    }
}
