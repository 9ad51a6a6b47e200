//! Physical frames, handed out upwards from the memory map's usable regions above 1 MiB. Nothing is given back: the
//! kernel allocates its tables, stacks and per-CPU data once.

use x86_64::PhysAddr;

/// What a stretch of physical memory is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionKind {
    /// Free when the kernel started.
    Usable,
    /// Holds the kernel's image, the loader's tables or what it handed over.
    Loader,
    /// Memory in which firmware keeps something: ACPI tables, EFI. The number is the firmware's own type.
    Firmware(u32),
    /// Reserved, or no memory at all (devices): never mapped. The number is the firmware's own type.
    Reserved(u32),
}

/// A stretch of physical memory, whole pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First byte, physical.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// What it is.
    pub kind: RegionKind,
}

/// Hands out frames.
#[derive(Debug)]
pub struct FrameAllocator<'a> {
    regions: &'a [Region],
    /// Nothing below is free any more.
    next: u64,
    allocated: u64,
}

/// Size of a frame in bytes.
pub const FRAME_SIZE: u64 = 4096;

impl<'a> FrameAllocator<'a> {
    /// An allocator over the usable ones of `regions`, which are sorted by address, from `lowest` upwards.
    pub const fn new(regions: &'a [Region], lowest: u64) -> Self {
        Self { regions, next: lowest, allocated: 0 }
    }

    /// The lowest run of `count` frames that follow each other, starting at a multiple of `align` bytes (a power of two,
    /// at least a frame). `None` when no region has room; smaller requests may still succeed.
    pub fn allocate(&mut self, count: u64, align: u64) -> Option<PhysAddr> {
        let bytes = count.checked_mul(FRAME_SIZE)?;
        let align = align.max(FRAME_SIZE);
        for region in self.regions.iter().filter(|r| r.kind == RegionKind::Usable) {
            let Some(start) = region.start.max(self.next).checked_next_multiple_of(align) else { continue };
            if start.checked_add(bytes).is_some_and(|end| end <= region.end) {
                self.next = start + bytes;
                self.allocated += count;
                return Some(PhysAddr::new(start));
            }
        }
        None
    }

    /// Frames handed out so far.
    pub fn allocated(&self) -> u64 {
        self.allocated
    }

    /// Frames that can still be handed out one by one.
    pub fn free(&self) -> u64 {
        let usable = self.regions.iter().filter(|r| r.kind == RegionKind::Usable);
        usable.map(|r| r.end.saturating_sub(r.start.max(self.next)) / FRAME_SIZE).sum()
    }
}

/// The highest place for `size` bytes in usable memory below `limit`, page-aligned: how Linux's memblock looks for the
/// real-mode blob.
pub fn find_below(regions: &[Region], size: u64, limit: u64) -> Option<u64> {
    let usable = regions.iter().filter(|r| r.kind == RegionKind::Usable);
    let places = usable.filter_map(|r| {
        let start = r.end.min(limit).checked_sub(size)? & !(FRAME_SIZE - 1);
        // Physical page 0 holds the real-mode interrupt table; nothing is placed there.
        (start >= r.start.max(FRAME_SIZE)).then_some(start)
    });
    places.max()
}

/// Whether `size` bytes at `start` lie in one usable region.
pub fn is_usable(regions: &[Region], start: u64, size: u64) -> bool {
    let Some(end) = start.checked_add(size) else { return false };
    regions.iter().any(|r| r.kind == RegionKind::Usable && r.start <= start && end <= r.end)
}

#[cfg(test)]
mod tests;
