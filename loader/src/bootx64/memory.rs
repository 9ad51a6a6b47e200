//! Physical memory from the firmware, which maps all of it at linear = physical (UEFI specification, "x64 Platforms").

use crate::error::BootError;
use alloc::vec::Vec;
use core::ptr;
use loader::{EfiMap, MemoryRegion, PhysMemory, uefi_region};
use uefi::boot::{self, AllocateType};
use uefi::mem::memory_map::{MemoryMap, MemoryMapOwned, MemoryType};

const PAGE: u64 = 4096;
/// Application processors start below: not for us.
const LOW_MEMORY_END: u64 = 0x10_0000;

/// The memory map as it is now.
pub fn map() -> Result<MemoryMapOwned, BootError> {
    boot::memory_map(MemoryType::LOADER_DATA).map_err(|error| BootError::NoMemoryMap(error.status()))
}

/// The regions that the kernel will find.
pub fn regions(map: &MemoryMapOwned) -> Vec<MemoryRegion> {
    map.entries().filter_map(|entry| uefi_region(entry.ty.0, entry.phys_start, entry.page_count)).collect()
}

/// The map as the firmware wrote it, for the kernel to read itself.
pub fn efi_map(map: &MemoryMapOwned) -> EfiMap<'_> {
    let meta = map.meta();
    let bytes = map.buffer().get(..meta.map_size).unwrap_or_default();
    EfiMap { bytes, desc_size: meta.desc_size as u64, desc_version: meta.desc_version }
}

/// Frames of type LoaderData, which the firmware never takes back.
#[derive(Debug)]
pub struct FirmwareMemory {
    /// Free frames above 1 MiB.
    available_frames: u64,
}

impl FirmwareMemory {
    /// Counts what is free.
    pub fn new() -> Result<Self, BootError> {
        let map = map()?;
        let free = map.entries().filter(|e| e.ty == MemoryType::CONVENTIONAL && e.phys_start >= LOW_MEMORY_END);
        Ok(Self { available_frames: free.map(|entry| entry.page_count).sum() })
    }
}

impl PhysMemory for FirmwareMemory {
    fn allocate(&mut self, frames: u64) -> Option<u64> {
        let count = usize::try_from(frames).ok()?;
        loop {
            let pages = boot::allocate_pages(AllocateType::AnyPages, MemoryType::LOADER_DATA, count).ok()?;
            let paddr = pages.as_ptr() as u64;
            // A low one is kept, so that the next call gets another; the kernel finds it free.
            if paddr >= LOW_MEMORY_END {
                // SAFETY: the firmware just gave us these pages, mapped at linear = physical and writable.
                unsafe { ptr::write_bytes(pages.as_ptr(), 0, count * PAGE as usize) };
                self.available_frames = self.available_frames.saturating_sub(frames);
                return Some(paddr);
            }
        }
    }

    fn available_frames(&self) -> u64 {
        self.available_frames
    }

    fn write(&mut self, paddr: u64, bytes: &[u8]) {
        // SAFETY: 1. the library writes only to frames that `allocate` gave it; 2. they are mapped at linear = physical;
        // 3. nobody holds a reference into them, so `bytes` lies elsewhere.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), paddr as *mut u8, bytes.len()) };
    }

    fn read_u64(&self, paddr: u64) -> u64 {
        // SAFETY: as for `write`.
        unsafe { ptr::read_unaligned(paddr as *const u64) }
    }
}
