//! Puts a kernel where bootloader_api promises it: segments, stack, boot information, page tables.
//!
//! The library knows no machine. Whoever calls it (the embedded machine's direct boot, a UEFI application) owns physical
//! memory behind [`PhysMemory`] and says what else there is in a [`Platform`]; [`load()`] answers with the register
//! values at the kernel's first instruction. The UEFI application is this package's binary, `src/bootx64/`: its firmware
//! settles the memory map last, so it calls the two halves of [`load()`], [`place()`] and [`Placed::finish`].
//!
//! ```text
//!   ELF bytes --[image]--> Image --[plan]--> linear addresses --[load]--> guest memory
//!                                              ^ slots            | tables: paging
//!                                                                 | BootInfo, MemoryRegions: boot_info
//!                                                                 v
//!                                                        Entry { cr3, rip, rsp, rdi }
//! ```
//!
//! A kernel that is started by a UEFI firmware is told where that is by lines in its ramdisk ([`efi`]).
//!
//! A position-independent kernel ([`Span`]) goes where its configuration wants it, or to the first free entry of the PML4, and is
//! relocated there.
//!
//! What the kernel may rely on is the documentation of `bootloader_api` 0.11: the mappings of its `.bootloader-config`
//! section, one PML4 with rights as in the ELF segments, memory below 1 MiB left alone, a stack with a guard page.
//! Addresses are always the first that are free: `aslr` is accepted and not applied, so that a run can be repeated.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod boot_info;
mod efi;
mod error;
mod image;
mod load;
mod memory;
mod paging;
mod plan;
mod processor;
mod relocate;
mod slots;
#[cfg(test)]
mod tests;
mod uefi_memory;

pub use bootloader_api::info::{FrameBufferInfo, MemoryRegion, MemoryRegionKind, PixelFormat};
pub use efi::{Efi, EfiMap};
pub use error::LoadError;
pub use image::{Image, Segment};
pub use load::{Entry, Framebuffer, KernelPages, Placed, Platform, load, place};
pub use memory::{PhysMemory, RegionAllocator};
pub use processor::{Processor, ProcessorError};
pub use relocate::{Relocation, Span};
pub use uefi_memory::uefi_region;
