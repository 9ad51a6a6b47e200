//! UEFI's memory descriptors as regions of `bootloader_api` (UEFI specification, "GetMemoryMap()": EFI_MEMORY_TYPE).
//!
//! Used by the UEFI application (`src/bootx64/`); here because it is pure and tested on the host.

use crate::image::PAGE;
use bootloader_api::info::{MemoryRegion, MemoryRegionKind};

/// EFI_MEMORY_TYPE, as far as it matters who may use the memory once the kernel runs.
mod kind {
    pub const LOADER_CODE: u32 = 1;
    pub const LOADER_DATA: u32 = 2;
    pub const BOOT_SERVICES_CODE: u32 = 3;
    pub const BOOT_SERVICES_DATA: u32 = 4;
    pub const CONVENTIONAL: u32 = 7;
    pub const MEMORY_MAPPED_IO: u32 = 11;
    pub const MEMORY_MAPPED_IO_PORT_SPACE: u32 = 12;
}

/// A descriptor of `pages` pages of 4 KiB from physical address `start` on. None: it is empty, or no memory.
///
/// Valid after ExitBootServices: what belonged to boot services and to the loader is the kernel's then, but for what the
/// loader gave to the kernel, which [`crate::Placed::finish`] marks.
pub fn uefi_region(kind: u32, start: u64, pages: u64) -> Option<MemoryRegion> {
    let end = start.saturating_add(pages.saturating_mul(PAGE));
    let kind = match kind {
        kind::MEMORY_MAPPED_IO | kind::MEMORY_MAPPED_IO_PORT_SPACE => return None,
        kind::LOADER_CODE
        | kind::LOADER_DATA
        | kind::BOOT_SERVICES_CODE
        | kind::BOOT_SERVICES_DATA
        | kind::CONVENTIONAL => MemoryRegionKind::Usable,
        other => MemoryRegionKind::UnknownUefi(other),
    };
    (start < end).then_some(MemoryRegion { start, end, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the kernel gets what nobody needs any more and nothing else; method: all types of the specification.
    #[test]
    fn kinds() {
        let is = |kind: u32| uefi_region(kind, 0x1000, 2).map(|region| region.kind);
        for usable in [1, 2, 3, 4, 7] {
            assert_eq!(is(usable), Some(MemoryRegionKind::Usable), "type {usable}");
        }
        // Reserved (other processors wait in it), runtime services, unusable, ACPI, firmware code, persistent, unaccepted.
        for kept in [0, 5, 6, 8, 9, 10, 13, 14, 15, 0x8000_0000] {
            assert_eq!(is(kept), Some(MemoryRegionKind::UnknownUefi(kept)));
        }
        assert_eq!((is(11), is(12)), (None, None));
    }

    /// Goal: a descriptor's size counts in pages and cannot overflow; method: a small, an empty and a nonsensical one.
    #[test]
    fn sizes() {
        let region = |start, pages| uefi_region(7, start, pages).map(|region| (region.start, region.end));
        assert_eq!(region(0x10_0000, 3), Some((0x10_0000, 0x10_3000)));
        assert_eq!(region(0x10_0000, 0), None);
        assert_eq!(region(0x10_0000, u64::MAX), Some((0x10_0000, u64::MAX)));
    }
}
