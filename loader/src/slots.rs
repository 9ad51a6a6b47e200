//! Which entries of the PML4 are spoken for: addresses that the loader may choose start at a free entry.
//!
//! One entry spans 512 GiB, so nothing that is placed later can run into what was placed before.

use crate::{error::LoadError, image::PAGE};
use bootloader_api::config::Mappings;

const SLOT_BYTES: u64 = 1 << 39;
/// Entries 0..256 map the lower half of the address space, the rest the upper half; between them lies the hole of
/// addresses that are not canonical.
const HALF: usize = 256;

/// The PML4's entries, used or free.
pub(crate) struct Slots {
    used: [bool; 2 * HALF],
}

impl Slots {
    /// All free but those outside the range that the kernel allows, and the first: identity mappings lie there.
    pub(crate) fn new(mappings: &Mappings) -> Self {
        let mut slots = Self { used: [false; 2 * HALF] };
        if let Some(start) = mappings.dynamic_range_start
            && start > 0
        {
            slots.mark_indices(0, index((start - 1) & !(PAGE - 1)));
        }
        if let Some(last) = mappings.dynamic_range_end
            && let Some(beyond) = last.checked_add(PAGE)
        {
            slots.mark_indices(index(beyond), 2 * HALF - 1);
        }
        slots
    }

    /// The `bytes` from `linear` on are spoken for.
    pub(crate) fn mark(&mut self, linear: u64, bytes: u64) {
        self.mark_indices(index(linear), index(linear.saturating_add(bytes.saturating_sub(1))));
    }

    fn mark_indices(&mut self, first: usize, last: usize) {
        if let Some(entries) = self.used.get_mut(first..=last) {
            entries.fill(true);
        }
    }

    /// The linear address of free entries for `bytes`; they are used from now on.
    pub(crate) fn take(&mut self, what: &'static str, bytes: u64) -> Result<u64, LoadError> {
        let count = bytes.div_ceil(SLOT_BYTES).max(1);
        let count = usize::try_from(count).ok().filter(|&count| count <= HALF);
        let count = count.ok_or(LoadError::NoFreeAddress { what })?;
        let fits = |&first: &usize| {
            let same_half = first / HALF == (first + count - 1) / HALF;
            same_half && self.used.get(first..first + count).is_some_and(|entries| !entries.contains(&true))
        };
        let first = (0..2 * HALF).find(fits).ok_or(LoadError::NoFreeAddress { what })?;
        self.mark_indices(first, first + count - 1);
        let linear = (first as u64) << 39;
        // Canonical: bits 63..48 repeat bit 47.
        Ok(if first >= HALF { linear | 0xffff << 48 } else { linear })
    }
}

/// The PML4 entry of a linear address.
pub(crate) fn index(linear: u64) -> usize {
    (linear >> 39 & 0x1ff) as usize
}
