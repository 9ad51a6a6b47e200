//! The embedded machine's EFI runtime services: guest code, which the machine puts into memory beside the kernel, with a system
//! table and a memory map that tell of it. A kernel calls it, and it talks to hardware as a kernel would.
//!
//! The library is what needs no hardware: variables in a few kilobytes ([`store`]), what the real-time clock's registers mean
//! ([`clock`]), and what image and machine must agree on ([`Header`], [`Platform`]). The services are in the binary.
#![cfg_attr(not(test), no_std)]

pub mod clock;
pub mod store;

/// First in the image: where the machine finds what it must read and write. Addresses are the image's own, once it is
/// relocated. `machine/src/firmware/image.rs` reads it by offsets.
#[derive(Debug)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: u64,
    /// The runtime services' table.
    pub runtime_services: *const u8,
    /// What the machine says, see [`Platform`].
    pub platform: *const u8,
}

/// "FLEFIRT1".
pub const MAGIC: u64 = u64::from_le_bytes(*b"FLEFIRT1");

/// What the machine tells the firmware, written before its first service is called. All addresses are physical.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Platform {
    /// Where the image lies.
    pub image: u64,
    /// The system table.
    pub system_table: u64,
    /// Memory that keeps what is in it when power goes off.
    pub variables: u64,
    /// Its size in bytes.
    pub variables_bytes: u64,
    /// Peculiarities, see [`quirk`].
    pub quirks: u64,
}

/// Bits of [`Platform::quirks`].
pub mod quirk {
    /// After SetVirtualAddressMap variables are still used by their physical address.
    pub const PHYSICAL_POINTERS: u64 = 1 << 0;
    /// SetVirtualAddressMap writes into page 0, which nobody calls the firmware's.
    pub const TOUCH_PAGE_ZERO: u64 = 1 << 1;
}
