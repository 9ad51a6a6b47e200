//! The heap: the firmware's pool, and after boot services a reserve of our own for the last lists before the kernel.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use uefi::allocator::Allocator;

/// The memory map in a few copies; one of a thousand entries takes 24 KiB.
const RESERVE_BYTES: usize = 1 << 20;

#[global_allocator]
static HEAP: Heap = Heap { reserve: UnsafeCell::new([0; RESERVE_BYTES]), used: AtomicUsize::new(0) };

/// Boot services are there: pool and console can be used.
static BOOT_SERVICES: AtomicBool = AtomicBool::new(true);

/// Are boot services still there?
pub fn has_boot_services() -> bool {
    BOOT_SERVICES.load(Ordering::Relaxed)
}

/// Boot services were just exited: allocates from the reserve from here on.
pub fn boot_services_exited() {
    BOOT_SERVICES.store(false, Ordering::Relaxed);
}

struct Heap {
    reserve: UnsafeCell<[u8; RESERVE_BYTES]>,
    /// Bytes of the reserve handed out. They never come back: the kernel gets all of it.
    used: AtomicUsize,
}

// SAFETY: only `alloc` touches the reserve, and hands out each byte once.
unsafe impl Sync for Heap {}

// SAFETY: while boot services are there, uefi's allocator keeps the contract. After that each block is a fresh part of the
// reserve, aligned as asked.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if has_boot_services() {
            // SAFETY: the caller keeps GlobalAlloc's contract.
            return unsafe { Allocator.alloc(layout) };
        }
        let base = self.reserve.get().cast::<u8>();
        let used = self.used.load(Ordering::Relaxed);
        let start = used + base.wrapping_add(used).align_offset(layout.align());
        match start.checked_add(layout.size()) {
            Some(end) if end <= RESERVE_BYTES => {
                self.used.store(end, Ordering::Relaxed);
                base.wrapping_add(start)
            }
            _ => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if has_boot_services() {
            // SAFETY: the block is from `alloc` above, at a time when boot services were there too.
            unsafe { Allocator.dealloc(block, layout) }
        }
    }
}
