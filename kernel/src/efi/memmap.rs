//! EFI's memory map: descriptors in bytes, read one by one, and what is wrong with those that are no map. Pure.

use crate::mm::frame::{FRAME_SIZE, Region, RegionKind};
use core::fmt;
use uefi_raw::table::boot::{MemoryAttribute, MemoryDescriptor, MemoryType};

/// The largest map that is read, in bytes.
pub const MAX_MEMMAP: u64 = 1 << 20;

/// Why a descriptor's memory is not mapped for the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It has no pages.
    Empty,
    /// Its start is no multiple of 4 KiB, or its end lies beyond the processor's physical addresses.
    Range,
    /// The memory map that the loader gave counts (part of) it as free, or the kernel is in it.
    Overlaps,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it has no pages",
            Self::Range => "it does not begin on a page, or ends beyond the processor's addresses",
            Self::Overlaps => "the kernel has memory there",
        })
    }
}

/// A memory map.
#[derive(Clone, Copy, Debug)]
pub struct Memmap<'a> {
    bytes: &'a [u8],
    desc_size: usize,
}

impl<'a> Memmap<'a> {
    /// A map of descriptors that lie `desc_size` bytes apart; None if they have no room for what a descriptor has.
    pub fn new(bytes: &'a [u8], desc_size: usize) -> Option<Self> {
        let fits = desc_size >= size_of::<MemoryDescriptor>() && desc_size.is_multiple_of(8);
        fits.then_some(Self { bytes, desc_size })
    }

    /// Bytes at the end that are no whole descriptor.
    pub fn cut_off(&self) -> usize {
        self.bytes.len() % self.desc_size
    }

    /// The descriptors in the map's order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = MemoryDescriptor> + ExactSizeIterator + use<'a> {
        self.bytes.chunks_exact(self.desc_size).map(descriptor)
    }
}

/// A descriptor from its bytes, of which there are enough (UEFI specification, "EFI_MEMORY_DESCRIPTOR").
fn descriptor(bytes: &[u8]) -> MemoryDescriptor {
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(word)
    };
    MemoryDescriptor {
        ty: MemoryType(word(0) as u32),
        padding: 0,
        phys_start: word(8),
        virt_start: word(16),
        page_count: word(24),
        att: MemoryAttribute::from_bits_retain(word(32)),
    }
}

/// One past a descriptor's last byte, physical; None where that is no address.
pub fn end_of(descriptor: &MemoryDescriptor) -> Option<u64> {
    descriptor.phys_start.checked_add(descriptor.page_count.checked_mul(FRAME_SIZE)?)
}

/// Whether the firmware uses this memory at run time.
pub fn is_runtime(descriptor: &MemoryDescriptor) -> bool {
    descriptor.att.contains(MemoryAttribute::RUNTIME)
}

/// Whether the memory can be mapped for the firmware; `regions` is the kernel's memory map, and physical addresses end with
/// `physical_end`.
///
/// # Errors
/// [`Unusable`]
pub fn check(descriptor: &MemoryDescriptor, regions: &[Region], physical_end: u64) -> Result<(), Unusable> {
    if descriptor.page_count == 0 {
        return Err(Unusable::Empty);
    }
    let start = descriptor.phys_start;
    let end = end_of(descriptor).filter(|end| *end <= physical_end && start.is_multiple_of(FRAME_SIZE));
    let end = end.ok_or(Unusable::Range)?;
    let ours = |region: &Region| matches!(region.kind, RegionKind::Usable | RegionKind::Loader);
    if regions.iter().any(|region| ours(region) && region.start < end && start < region.end) {
        return Err(Unusable::Overlaps);
    }
    Ok(())
}

/// A memory type in words.
pub const fn type_name(kind: MemoryType) -> &'static str {
    match kind.0 {
        0 => "reserved",
        1 => "loader code",
        2 => "loader data",
        3 => "boot services code",
        4 => "boot services data",
        5 => "runtime services code",
        6 => "runtime services data",
        7 => "conventional",
        8 => "unusable",
        9 => "ACPI reclaim",
        10 => "ACPI NVS",
        11 => "memory-mapped I/O",
        12 => "memory-mapped I/O ports",
        13 => "PAL code",
        14 => "persistent",
        15 => "unaccepted",
        _ => "of no known type",
    }
}

/// Attributes by the names of the specification, without `EFI_MEMORY_`.
#[derive(Clone, Copy, Debug)]
pub struct Attributes(pub MemoryAttribute);

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(u32, &str); 15] = [
            (63, "RUNTIME"),
            (0, "UC"),
            (1, "WC"),
            (2, "WT"),
            (3, "WB"),
            (4, "UCE"),
            (12, "WP"),
            (13, "RP"),
            (14, "XP"),
            (15, "NV"),
            (16, "MORE_RELIABLE"),
            (17, "RO"),
            (18, "SP"),
            (19, "CPU_CRYPTO"),
            (62, "ISA_VALID"),
        ];
        let mut first = true;
        for (bit, name) in NAMES {
            if self.0.bits() >> bit & 1 != 0 {
                write!(f, "{}{name}", if first { "" } else { " " })?;
                first = false;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{format, vec, vec::Vec};

    fn bytes(of: &[(u32, u64, u64, u64)], desc_size: usize) -> Vec<u8> {
        let mut all = Vec::new();
        for &(kind, start, pages, attributes) in of {
            let mut one = vec![0xee; desc_size];
            for (at, word) in [(0, u64::from(kind)), (8, start), (16, 0), (24, pages), (32, attributes)] {
                one[at..at + 8].copy_from_slice(&word.to_le_bytes());
            }
            all.append(&mut one);
        }
        all
    }

    /// Goal: descriptors are found by desc_size, not by their own size, and a cut map ends before its cut. Method: descriptors
    /// of 48 bytes, the last without its end.
    #[test]
    fn descriptors_are_desc_size_apart() {
        let bytes = bytes(&[(7, 0, 0x9f, 0xf), (6, 0x7f0_0000, 2, 1 << 63 | 0xf), (0, 0, 1, 0)], 48);
        let map = Memmap::new(&bytes[..140], 48).expect("48 is enough");
        assert_eq!(map.cut_off(), 44);
        let read: Vec<_> = map.iter().map(|d| (d.ty.0, d.phys_start, d.page_count, is_runtime(&d))).collect();
        assert_eq!(read, [(7, 0, 0x9f, false), (6, 0x7f0_0000, 2, true)]);
        assert!(
            Memmap::new(&bytes, 32).is_none() && Memmap::new(&bytes, 0).is_none() && Memmap::new(&bytes, 44).is_none()
        );
    }

    /// Goal: what cannot be mapped is known before it is. Method: one descriptor of each kind.
    #[test]
    fn bad_regions_are_refused() {
        let regions = [Region { start: 0x10_0000, end: 0x7f0_0000, kind: RegionKind::Usable }];
        let check = |start, pages| {
            let bytes = bytes(&[(5, start, pages, 0)], 40);
            super::check(&Memmap::new(&bytes, 40).and_then(|map| map.iter().next()).expect("one"), &regions, 1 << 40)
        };
        assert_eq!(check(0x7f0_0000, 16), Ok(()));
        assert_eq!(check(0xffc0_0000, 16), Ok(()));
        assert_eq!(check(0x7f0_0000, 0), Err(Unusable::Empty));
        assert_eq!(check(0x7f0_0800, 1), Err(Unusable::Range));
        assert_eq!(check(0x7f0_0000, u64::MAX), Err(Unusable::Range));
        assert_eq!(check((1 << 40) - 0x1000, 1), Ok(()));
        assert_eq!(check(1 << 40, 1), Err(Unusable::Range));
        assert_eq!(check(0x7ef_f000, 2), Err(Unusable::Overlaps));
    }

    /// Goal: attributes are words. Method: none, one, several.
    #[test]
    fn attributes_in_words() {
        let words = |bits| format!("{}", Attributes(MemoryAttribute::from_bits_retain(bits)));
        assert_eq!(words(0), "");
        assert_eq!(words(1 << 3), "WB");
        assert_eq!(words(1 << 63 | 0xf | 1 << 17), "RUNTIME UC WC WT WB RO");
    }
}
