//! The boot processor's way to page tables of five levels (CR4.LA57). The loader leaves it in 64-bit mode on four levels, and
//! LA57 cannot change while paging is on (SDM volume 3A, "Paging-Mode Enable"): it goes down to 32 bits through the real-mode blob
//! and comes up again like an AP, on `trampoline_pgd`, which has five levels then. Linux: arch/x86/boot/compressed/pgtable_64.c.
//!
//! The upper half's linear addresses stay as they are: all of them lie in the last slot of the PML5.
#![allow(unsafe_code)]

use super::direct_map::{self, LoaderTables};
use super::frame::FRAME_SIZE;
use super::page_table::{MapError, PageSize, TableMemory, map_page};
use crate::arch::percpu::PerCpu;
use crate::smp::ap_start;
use crate::smp::realmode::RealMode;
use x86_64::registers::control::Cr3;
use x86_64::{PhysAddr, structures::paging::PageTableFlags as Flags};

unsafe extern "C" {
    /// In `asm/la57.S`.
    fn la57_switch(way_out: u64, trampoline_start64: u64) -> !;
}

/// Goes through the blob to `init_top_pgt`, which has five levels, and on at `go_on`, on the boot CPU's own stack. What the
/// loader mapped is gone then.
///
/// # Panics
/// If no frame is left.
pub fn switch_to(real_mode: &RealMode, boot_cpu: &'static PerCpu, go_on: extern "C" fn() -> !) -> ! {
    let way_out = way_out(real_mode).unwrap_or_else(|error| panic!("la57=on: {error}"));
    ap_start::expect_boot_cpu(boot_cpu, go_on);
    // SAFETY: 1. these tables have the kernel's half of the loader's and the blob at its physical address, executable; 2. the
    // blob's header has CR4 with LA57, and trampoline_pgd five levels with the same kernel in its last slot; 3. nothing
    // returns, so that the stack is not needed again.
    unsafe { la57_switch(way_out.as_u64(), real_mode.header.trampoline_start64.into()) }
}

/// Tables of four levels: the loader's upper half, and the blob at linear = physical.
fn way_out(real_mode: &RealMode) -> Result<PhysAddr, MapError> {
    let memory = &mut LoaderTables;
    let (loader_root, _) = Cr3::read();
    let root = direct_map::allocate(1, FRAME_SIZE);
    for slot in 256..512 {
        let entry = memory.read_entry(loader_root.start_address(), slot);
        memory.write_entry(root, slot, entry);
    }
    let first = real_mode.base.as_u64() & !(FRAME_SIZE - 1);
    for page in (first..real_mode.base.as_u64() + real_mode.size).step_by(FRAME_SIZE as usize) {
        map_page(memory, root, page, page, PageSize::Size4K, Flags::empty())?;
    }
    Ok(root)
}
