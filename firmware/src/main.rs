//! The runtime services themselves (UEFI specification, "Services - Runtime Services"), called by a kernel that has left boot
//! services behind, first at linear = physical, after SetVirtualAddressMap where the kernel put them.
//!
//! As other firmware does, SetVirtualAddressMap relocates the image as one piece: by where its first byte went. A kernel that
//! maps code and data apart is lost. There is one call at a time, as the specification asks, so nothing is locked.
#![no_std]
#![no_main]
#![allow(unsafe_code)]

mod services;
mod variables;
mod virtual_map;

use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use firmware::{Header, MAGIC, Platform};
use uefi_raw::table::runtime::RuntimeServices;
use uefi_raw::table::{Header as TableHeader, Revision};

// The functions that compiled code calls.
global_asm!(include_str!("../../kernel/asm/mem.S"), options(raw));

/// Something that the machine or a service writes; who calls one service at a time makes that sound.
#[repr(transparent)]
struct Shared<T>(UnsafeCell<T>);

// SAFETY: the specification allows one call at a time, and the caller keeps to it.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    fn get(&self) -> *mut T {
        self.0.get()
    }
}

/// "RUNTSERV".
const SIGNATURE: u64 = 0x5652_4553_544e_5552;

static RUNTIME_SERVICES: Shared<RuntimeServices> = Shared::new(RuntimeServices {
    header: TableHeader {
        signature: SIGNATURE,
        revision: Revision::EFI_2_100,
        size: size_of::<RuntimeServices>() as u32,
        crc: 0,
        reserved: 0,
    },
    get_time: services::get_time,
    set_time: services::set_time,
    get_wakeup_time: services::get_wakeup_time,
    set_wakeup_time: services::set_wakeup_time,
    set_virtual_address_map: virtual_map::set_virtual_address_map,
    convert_pointer: virtual_map::convert_pointer,
    get_variable: variables::get_variable,
    get_next_variable_name: variables::get_next_variable_name,
    set_variable: variables::set_variable,
    get_next_high_monotonic_count: services::get_next_high_monotonic_count,
    reset_system: services::reset_system,
    update_capsule: services::update_capsule,
    query_capsule_capabilities: services::query_capsule_capabilities,
    query_variable_info: variables::query_variable_info,
});

static PLATFORM: Shared<Platform> =
    Shared::new(Platform { image: 0, system_table: 0, variables: 0, variables_bytes: 0, quirks: 0 });

/// What the machine wrote.
fn platform() -> Platform {
    // SAFETY: written before the first call, and by nobody after it.
    unsafe { PLATFORM.get().read_volatile() }
}

/// A header in constant memory.
#[repr(transparent)]
struct ConstHeader(Header);

// SAFETY: nobody writes it but a relocation, during which nobody reads it.
unsafe impl Sync for ConstHeader {}

// SAFETY: no other symbol has this name, and the linker script puts the section first.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".header")]
static firmware_header: ConstHeader = ConstHeader(Header {
    magic: MAGIC,
    runtime_services: &raw const RUNTIME_SERVICES as *const u8,
    platform: &raw const PLATFORM as *const u8,
});

/// OUT of a byte.
fn port_write(port: u16, value: u8) {
    // SAFETY: the ports that this firmware names change no memory.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags)) };
}

/// IN of a byte.
fn port_read(port: u16) -> u8 {
    let value;
    // SAFETY: as for writing.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags)) };
    value
}

fn halt() -> ! {
    loop {
        // SAFETY: nothing is left to be done.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}

/// A bug in the firmware: there is nobody to tell.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    halt()
}

/// The prebuilt `core` was compiled with unwinding and refers to this symbol and the next.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Never called: nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    halt()
}
