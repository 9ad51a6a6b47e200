//! `efi=old_map`: the firmware's regions in the kernel's own tables, as Linux had it before 2013, and until 5.7 by this option
//! (arch/x86/platform/efi/efi_64.c).
//!
//! The regions are where the kernel sees them anyway, in the direct map; code becomes executable there. For
//! SetVirtualAddressMap alone, which is called at its physical address, the user's half of the tables becomes an identity map.
#![allow(unsafe_code)]

use crate::arch::flush;
use crate::efi::virt::VirtError;
use crate::memlayout::{IOREMAP_BASE, page_offset, phys_to_virt};
use crate::mistake::{Mistake, Mistakes};
use crate::mm::direct_map::DirectMap;
use crate::mm::frame::FRAME_SIZE;
use crate::mm::page_table::{TableMemory, walk};
use crate::mm::{efi_pgd, trampoline_pgd};
use uefi_raw::table::boot::{MemoryDescriptor, MemoryType};
use x86_64::{PhysAddr, structures::paging::PageTableFlags as Flags};

/// Where the firmware shall find a region: in the direct map, or for devices, which are not in it, where they are mapped now.
pub(super) fn map_region(root: PhysAddr, descriptor: &MemoryDescriptor, flags: Flags) -> Result<u64, VirtError> {
    let (physical, bytes) = (descriptor.phys_start, descriptor.page_count * FRAME_SIZE);
    let linear = phys_to_virt(PhysAddr::new(physical)).as_u64();
    if walk(&DirectMap, root, linear).result.is_err() {
        let linear = IOREMAP_BASE + physical;
        efi_pgd::map_region(&mut DirectMap, root, (linear, physical, bytes), flags)?;
        return Ok(linear);
    }
    if descriptor.ty == MemoryType::RUNTIME_SERVICES_CODE {
        // Linux: efi_runtime_mkexec().
        efi_pgd::protect_region(&mut DirectMap, root, (linear, bytes), true, true)?;
    }
    Ok(linear)
}

/// Slots of the user's half that become the identity map: all of the direct map's.
const SLOTS: usize = 1;

/// The identity map while it is there.
pub(super) struct Prologue {
    root: PhysAddr,
    saved: [u64; SLOTS],
}

impl Prologue {
    /// Linux: `efi_call_phys_prolog()`. Each of the direct map's entries of the top level appears at slot 0 and up, by
    /// [`set_pgd`], and since that is the user's half gets NX, which has to be taken away again by hand: it would forbid
    /// execution whatever the pages below say. By mistake, and in Linux until de53c3786a3c, that is left out.
    pub(super) fn begin(root: PhysAddr, mistakes: Mistakes) -> Self {
        let memory = &mut DirectMap;
        let mut saved = [0; SLOTS];
        for (slot, saved) in saved.iter_mut().enumerate() {
            *saved = memory.read_entry(root, slot);
            let entry = trampoline_pgd::identity_entry(memory, root, page_offset(), mistakes)
                .unwrap_or_else(|error| panic!("efi=old_map: {error}"));
            set_pgd(memory, root, slot, entry);
            if !mistakes.has(Mistake::EfiNxPoison) {
                memory.write_entry(root, slot, entry & !Flags::NO_EXECUTE.bits());
            }
        }
        flush::all();
        Self { root, saved }
    }

    /// Linux: `efi_call_phys_epilog()`.
    pub(super) fn end(self) {
        for (slot, saved) in self.saved.into_iter().enumerate() {
            DirectMap.write_entry(self.root, slot, saved);
        }
        flush::all();
    }
}

/// An entry of the top level, as kernels with page-table isolation write it (Linux 4.15, `pti_set_user_pgd()`): what is in the
/// user's half is for user mode's copy of the table, and must not be executed by accident with the kernel's.
fn set_pgd(memory: &mut impl TableMemory, root: PhysAddr, slot: usize, entry: u64) {
    let users_half = slot < 256;
    let present = entry & Flags::PRESENT.bits() != 0;
    let poison = if users_half && present { Flags::NO_EXECUTE.bits() } else { 0 };
    memory.write_entry(root, slot, entry | poison);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::page_table::test_memory::new_root;

    /// Goal: entries of the user's half are poisoned, the kernel's are not, nor is nothing. Method: one of each.
    #[test]
    fn the_users_half_is_poisoned() {
        let (mut memory, root) = new_root(1);
        for (slot, entry, poisoned) in [(0, 0x5003, true), (255, 0x5003, true), (256, 0x5003, false), (1, 0, false)] {
            set_pgd(&mut memory, root, slot, entry);
            assert_eq!(memory.read_entry(root, slot) >> 63 != 0, poisoned, "{slot}");
        }
    }
}
