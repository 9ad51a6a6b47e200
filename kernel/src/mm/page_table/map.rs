//! Writing page tables: map, split, protect. NX stays out of the entries where the processor has none (Linux:
//! `__supported_pte_mask`).

use super::{
    ADDRESS_MASK, Level, PageSize, TABLE_FLAGS, TableMemory, entry_span, flags_of, index_of, is_leaf, leaf_address,
    level_name, table_address,
};
use core::sync::atomic::{AtomicBool, Ordering};
use x86_64::{PhysAddr, structures::paging::PageTableFlags};

/// Bit 63 of an entry is reserved on this processor.
static NO_NX: AtomicBool = AtomicBool::new(false);

/// To be called before the first table is made, where the processor has no NX.
pub fn leave_nx_out() {
    NO_NX.store(true, Ordering::Relaxed);
}

/// The flags that the processor has.
pub fn supported(flags: PageTableFlags) -> PageTableFlags {
    if NO_NX.load(Ordering::Relaxed) { flags - PageTableFlags::NO_EXECUTE } else { flags }
}

/// Why page tables were not changed as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// No memory is left for a table.
    OutOfFrames,
    /// An address is not a multiple of the page size.
    Misaligned {
        /// The linear address.
        linear: u64,
        /// The physical address.
        physical: u64,
    },
    /// Something is mapped there already.
    AlreadyMapped {
        /// The linear address.
        linear: u64,
        /// Level of the table whose entry is present.
        level: Level,
    },
    /// Nothing is mapped there, or not by a page of the size that was expected.
    NotMapped {
        /// The linear address.
        linear: u64,
        /// Level of the table where the walk ended.
        level: Level,
    },
}

impl core::fmt::Display for MapError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::OutOfFrames => write!(f, "no frame is left for a page table"),
            Self::Misaligned { linear, physical } => {
                write!(f, "linear {linear:016x} and physical {physical:x} are not both multiples of the page size")
            }
            Self::AlreadyMapped { linear, level } => {
                write!(f, "linear {linear:016x} is mapped already, in the {}", level_name(level))
            }
            Self::NotMapped { linear, level } => {
                write!(f, "linear {linear:016x} has no such page: the walk ends in the {}", level_name(level))
            }
        }
    }
}

impl core::error::Error for MapError {}

/// Maps one page of `size` with `flags`; PRESENT, and PS where the size asks for it, are added.
///
/// # Errors
/// [`MapError`]; tables made on the way stay.
pub fn map_page(
    memory: &mut impl TableMemory,
    root: PhysAddr,
    linear: u64,
    physical: u64,
    size: PageSize,
    flags: PageTableFlags,
) -> Result<(), MapError> {
    if !(linear | physical).is_multiple_of(size.bytes()) {
        return Err(MapError::Misaligned { linear, physical });
    }
    let mut table = root;
    for level in (size.level() + 1..=memory.levels()).rev() {
        let index = index_of(linear, level);
        let entry = memory.read_entry(table, index);
        if !flags_of(entry).contains(PageTableFlags::PRESENT) {
            let new = memory.allocate_table().ok_or(MapError::OutOfFrames)?;
            memory.write_entry(table, index, new.as_u64() | TABLE_FLAGS.bits());
            table = new;
        } else if is_leaf(entry, level) {
            return Err(MapError::AlreadyMapped { linear, level });
        } else {
            table = table_address(entry);
        }
    }
    let index = index_of(linear, size.level());
    if flags_of(memory.read_entry(table, index)).contains(PageTableFlags::PRESENT) {
        return Err(MapError::AlreadyMapped { linear, level: size.level() });
    }
    let large = if size == PageSize::Size4K { PageTableFlags::empty() } else { PageTableFlags::HUGE_PAGE };
    memory.write_entry(table, index, physical | (supported(flags) | large | PageTableFlags::PRESENT).bits());
    Ok(())
}

/// Maps `bytes` bytes, whole pages, each time with the largest page that fits and is at most `largest`.
///
/// # Errors
/// [`MapError`]; what was mapped before the error stays.
pub fn map_range(
    memory: &mut impl TableMemory,
    root: PhysAddr,
    (linear, physical, bytes): (u64, u64, u64),
    largest: PageSize,
    flags: PageTableFlags,
) -> Result<(), MapError> {
    let mut done = 0;
    while done < bytes {
        let fits = |size: &PageSize| {
            *size <= largest
                && ((linear + done) | (physical + done)).is_multiple_of(size.bytes())
                && bytes - done >= size.bytes()
        };
        let size = [PageSize::Size1G, PageSize::Size2M].into_iter().find(fits).unwrap_or(PageSize::Size4K);
        map_page(memory, root, linear + done, physical + done, size, flags)?;
        done += size.bytes();
    }
    Ok(())
}

/// Makes sure that `linear` is mapped by a 4 KiB page: a large page there becomes a table of smaller ones that map the
/// same memory with the same rights. The TLB may keep the large one until it is flushed.
///
/// # Errors
/// [`MapError::NotMapped`] if nothing is mapped there, [`MapError::OutOfFrames`].
pub fn split(memory: &mut impl TableMemory, root: PhysAddr, linear: u64) -> Result<(), MapError> {
    let mut table = root;
    for level in (2..=memory.levels()).rev() {
        let index = index_of(linear, level);
        let entry = memory.read_entry(table, index);
        if !flags_of(entry).contains(PageTableFlags::PRESENT) {
            return Err(MapError::NotMapped { linear, level });
        }
        table = if is_leaf(entry, level) {
            let smaller = memory.allocate_table().ok_or(MapError::OutOfFrames)?;
            // The parts of a 1 GiB page are 2 MiB pages, which keep PS; those of a 2 MiB page are 4 KiB pages.
            let mut flags = flags_of(entry);
            flags.set(PageTableFlags::HUGE_PAGE, level == 3);
            let first = leaf_address(entry, level).as_u64();
            for part in 0..512 {
                memory.write_entry(smaller, part, (first + part as u64 * entry_span(level - 1)) | flags.bits());
            }
            // Only now: at every moment the tables map the same memory.
            memory.write_entry(table, index, smaller.as_u64() | TABLE_FLAGS.bits());
            smaller
        } else {
            table_address(entry)
        };
    }
    Ok(())
}

/// Changes the rights of the 4 KiB page at `linear`. The TLB may keep the old ones until it is flushed.
///
/// # Errors
/// [`MapError::NotMapped`] if no 4 KiB page is mapped there; see [`split`].
pub fn protect_page(
    memory: &mut impl TableMemory,
    root: PhysAddr,
    linear: u64,
    change: impl FnOnce(PageTableFlags) -> PageTableFlags,
) -> Result<(), MapError> {
    let mut table = root;
    for level in (2..=memory.levels()).rev() {
        let entry = memory.read_entry(table, index_of(linear, level));
        if !flags_of(entry).contains(PageTableFlags::PRESENT) || is_leaf(entry, level) {
            return Err(MapError::NotMapped { linear, level });
        }
        table = table_address(entry);
    }
    let index = index_of(linear, 1);
    let entry = memory.read_entry(table, index);
    if !flags_of(entry).contains(PageTableFlags::PRESENT) {
        return Err(MapError::NotMapped { linear, level: 1 });
    }
    memory.write_entry(table, index, (entry & ADDRESS_MASK) | supported(change(flags_of(entry))).bits());
    Ok(())
}
