//! What the kernel is told of EFI, which `bootloader_api` has no word for: lines in front of the options in the ramdisk, and
//! the firmware's memory map in frames of the loader's, as `GetMemoryMap()` gave it.
//!
//! ```text
//!   efi_system_table=0x000000000f9ee018       physical address of EFI_SYSTEM_TABLE
//!   efi_memmap=0x0000000001234000             physical address of the memory map's copy, page-aligned
//!   efi_memmap_size=0x00000000000012f0        its size in bytes
//!   efi_memdesc_size=0x0000000000000030       bytes from one descriptor to the next
//!   efi_memdesc_version=0x0000000000000001    version of a descriptor
//! ```
//!
//! The lines have a fixed length: a UEFI application gets the memory map with ExitBootServices, when the ramdisk has its place.

use crate::{error::LoadError, image::PAGE, memory::PhysMemory};
use alloc::{string::String, vec::Vec};
use core::fmt::Write;

/// A memory map as `GetMemoryMap()` writes it (UEFI specification).
#[derive(Clone, Copy, Debug)]
pub struct EfiMap<'a> {
    /// The descriptors.
    pub bytes: &'a [u8],
    /// Bytes from one descriptor to the next.
    pub desc_size: u64,
    /// Version of a descriptor.
    pub desc_version: u32,
}

/// A firmware that the kernel is told of.
#[derive(Clone, Copy, Debug)]
pub struct Efi<'a> {
    /// Physical address of its EFI_SYSTEM_TABLE.
    pub system_table_paddr: u64,
    /// Its memory map: the last one, or one that is not much smaller than the last one will be.
    pub map: EfiMap<'a>,
}

/// Descriptors for which there is room beside those of [`Efi::map`].
const SPARE_DESCRIPTORS: u64 = 64;

impl Efi<'_> {
    /// Frames for the map's copy.
    pub(crate) fn map_frames(&self) -> u64 {
        let spare = self.map.desc_size.saturating_mul(SPARE_DESCRIPTORS);
        (self.map.bytes.len() as u64).saturating_add(spare).div_ceil(PAGE)
    }
}

/// Lengths are the same whatever the numbers are.
const LINE_NAMES: [&str; 5] =
    ["efi_system_table", "efi_memmap", "efi_memmap_size", "efi_memdesc_size", "efi_memdesc_version"];

/// The length of the lines in bytes.
pub(crate) fn lines_len() -> u64 {
    LINE_NAMES.iter().map(|name| (name.len() + "=0x\n".len() + 16) as u64).sum()
}

/// Where the lines and the map's copy are.
#[derive(Clone, Debug)]
pub(crate) struct PlacedEfi {
    pub system_table_paddr: u64,
    pub map_paddr: u64,
    pub map_frames: u64,
    /// The lines are the ramdisk's beginning.
    pub ramdisk_paddr: u64,
}

impl PlacedEfi {
    /// Writes the map and the lines.
    pub(crate) fn write<M: PhysMemory>(&self, map: &EfiMap<'_>, memory: &mut M) -> Result<(), LoadError> {
        let (size, room) = (map.bytes.len() as u64, self.map_frames * PAGE);
        if size > room {
            return Err(LoadError::TooManyRegions { room: (room / map.desc_size.max(1)) as usize });
        }
        memory.write(self.map_paddr, map.bytes);
        let numbers = [self.system_table_paddr, self.map_paddr, size, map.desc_size, map.desc_version.into()];
        let mut lines = String::new();
        for (name, number) in LINE_NAMES.iter().zip(numbers) {
            // A String takes everything.
            let _ = writeln!(lines, "{name}={number:#018x}");
        }
        memory.write(self.ramdisk_paddr, lines.as_bytes());
        Ok(())
    }
}

/// The ramdisk: room for the lines, where there are some, then the options.
pub(crate) fn ramdisk(efi: bool, options: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    if efi {
        text.resize(lines_len() as usize, b'\n');
    }
    text.extend_from_slice(options);
    text
}
