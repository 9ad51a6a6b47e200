//! The loader as a UEFI application, `\EFI\BOOT\BOOTX64.EFI`: reads the kernel and its options from the volume it was
//! started from, lets the library place them, ends boot services and jumps.
//!
//! Its parts, in the order in which they act: `files` (the volume), `memory` (frames from the firmware), `screen` (its
//! memory, and sentences on it), `handoff` (the jump), `heap` (allocation, also after boot services), `error` (what goes wrong, in words).
//!
//! xtask links it as a position-independent ELF executable and makes a PE file of it (docs/DEVELOPING.md).
#![no_std]
#![no_main]
#![allow(unsafe_code)]

extern crate alloc;

mod error;
mod files;
mod handoff;
mod heap;
mod memory;
mod screen;

use core::arch::global_asm;
use error::BootError;
use loader::{Efi, Image, Placed, Platform, place};
use memory::FirmwareMemory;
use uefi::table::cfg::ConfigTableEntry;
use uefi::{Status, boot, entry, println, runtime, system, table};

global_asm!(include_str!("../../asm/enter_kernel.S"), options(raw));
// The functions that compiled code calls; firmware and kernel have the same calling convention for these.
global_asm!(include_str!("../../../kernel/asm/mem.S"), options(raw));

#[entry]
fn main() -> Status {
    match prepare() {
        Ok((placed, memory)) => leave(placed, memory),
        Err(error) => {
            screen::say(&format_args!("Firstlight cannot start: {error}"));
            screen::say(&"Press a key to go back to the firmware.");
            wait_for_key();
            Status::LOAD_ERROR
        }
    }
}

/// Everything that can fail, while the firmware can still show why.
fn prepare() -> Result<(Placed, FirmwareMemory), BootError> {
    let processor = handoff::processor()?;
    let (kernel, options) = files::read()?;
    let image = Image::parse(&kernel).map_err(BootError::Load)?;
    let mut memory = FirmwareMemory::new()?;
    let map = memory::map()?;
    let regions = memory::regions(&map);
    let system_table = table::system_table_raw().map(|table| table.as_ptr() as u64);
    let platform = Platform {
        regions: &regions,
        rsdp_paddr: Some(rsdp().ok_or(BootError::NoRsdp)?),
        ramdisk: &options,
        efi: system_table.map(|system_table_paddr| Efi { system_table_paddr, map: memory::efi_map(&map) }),
        framebuffer: screen::framebuffer(image.least_screen()),
        identity_map: Some(handoff::code()),
        huge_pages: processor.huge_pages,
        // Processors without are refused above.
        no_execute: true,
    };
    let placed = place(&image, &platform, &mut memory).map_err(BootError::Load)?;
    Ok((placed, memory))
}

/// Ends boot services and enters the kernel.
fn leave(placed: Placed, mut memory: FirmwareMemory) -> ! {
    // SAFETY: 1. the files, tables and protocols of `prepare` were closed and dropped; 2. what lives on (`placed`) is in
    // memory of type LoaderData and freed by nobody; 3. from here on `heap` asks the firmware for nothing.
    let map = unsafe { boot::exit_boot_services(None) };
    heap::boot_services_exited();
    handoff::disable_interrupts();
    match placed.finish(&memory::regions(&map), Some(memory::efi_map(&map)), &mut memory) {
        Ok(entry) => handoff::enter(&entry),
        // The memory map grew by dozens of entries within a moment. There is no console left to tell it on.
        Err(_) => runtime::reset(runtime::ResetType::COLD, Status::LOAD_ERROR, None),
    }
}

/// Physical address of the ACPI Root System Description Pointer: ACPI 2.0's, or the older one.
fn rsdp() -> Option<u64> {
    system::with_config_table(|tables| {
        let find = |guid| tables.iter().find(|table| table.guid == guid).map(|table| table.address as u64);
        find(ConfigTableEntry::ACPI2_GUID).or_else(|| find(ConfigTableEntry::ACPI_GUID))
    })
}

fn wait_for_key() {
    let event = system::with_stdin(|stdin| stdin.wait_for_key_event());
    if let Ok(event) = event {
        // Nothing is left to do if the firmware cannot even wait.
        let _ = boot::wait_for_event(&[event]);
    }
}

/// A bug in the loader: says where, where that is still possible, and starts the computer again.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    if heap::has_boot_services() {
        println!("\nFirstlight's loader has a bug: {info}");
        println!("Press a key to restart.");
        wait_for_key();
    }
    runtime::reset(runtime::ResetType::COLD, Status::ABORTED, None)
}

/// The prebuilt `core` and `alloc` were compiled with unwinding and refer to this symbol and the next.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Never called: a panic ends in [`panic`], and nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    runtime::reset(runtime::ResetType::COLD, Status::ABORTED, None)
}
