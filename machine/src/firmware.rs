//! What a PC's firmware and boot loader leave behind when the kernel begins: memory map, ACPI tables, the kernel in
//! memory, the bootstrap processor at its entry point, all other processors waiting for SIPI.
//!
//! No firmware code runs before the kernel does: [`boot`] writes the result straight into RAM and registers. The kernel is put in place by the
//! `loader` library, which the UEFI application uses too, so that the kernel cannot tell the difference.
//! The EFI runtime services that it may call later are guest code ([`efi`], [`image`]).

pub mod acpi;
pub mod boot;
pub mod efi;
pub mod image;
pub mod memory_map;
pub mod pc;
mod quirks;
pub mod variables;
