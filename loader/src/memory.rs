//! Physical memory as the loader needs it, and an allocator for platforms that have none of their own.

use crate::image::PAGE;
use alloc::vec::Vec;
use bootloader_api::info::{MemoryRegion, MemoryRegionKind};

/// The end of the memory that real-mode code can reach, where application processors start: never taken from.
const LOW_MEMORY_END: u64 = 0x10_0000;

/// The platform's physical memory: a machine's RAM, or the firmware's allocator and an identity map.
pub trait PhysMemory {
    /// Takes `frames` zeroed, adjacent 4 KiB frames above 1 MiB: the physical address of the first, None if there are
    /// not as many.
    fn allocate(&mut self, frames: u64) -> Option<u64>;

    /// How many frames can still be taken, not necessarily adjacent ones.
    fn available_frames(&self) -> u64;

    /// Writes bytes to frames that were allocated.
    fn write(&mut self, paddr: u64, bytes: &[u8]);

    /// Reads 8 bytes, little endian, from frames that were allocated.
    fn read_u64(&self, paddr: u64) -> u64;
}

/// Hands out frames from usable regions, lowest address first, from 1 MiB on. It does not clear them.
#[derive(Clone, Debug)]
pub struct RegionAllocator {
    /// What is left: start and end, whole frames.
    free: Vec<(u64, u64)>,
}

impl RegionAllocator {
    /// An allocator over the usable ones of `regions`.
    pub fn new(regions: &[MemoryRegion]) -> Self {
        let usable = regions.iter().filter(|region| region.kind == MemoryRegionKind::Usable);
        let whole_frames = usable.map(|region| {
            let start = region.start.max(LOW_MEMORY_END).checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
            (start, region.end & !(PAGE - 1))
        });
        let mut free: Vec<_> = whole_frames.filter(|(start, end)| start < end).collect();
        free.sort_unstable();
        Self { free }
    }

    /// Takes adjacent frames; see [`PhysMemory::allocate`].
    pub fn allocate(&mut self, frames: u64) -> Option<u64> {
        let bytes = frames.checked_mul(PAGE)?;
        let (start, _) = self.free.iter_mut().find(|(start, end)| *end - *start >= bytes)?;
        let paddr = *start;
        *start += bytes;
        Some(paddr)
    }

    /// See [`PhysMemory::available_frames`].
    pub fn available_frames(&self) -> u64 {
        self.free.iter().map(|(start, end)| (end - start) / PAGE).sum()
    }
}
