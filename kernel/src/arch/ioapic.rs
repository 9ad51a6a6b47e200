//! The I/O APIC (Intel 82093AA datasheet): one line of it is used, COM1's.
#![allow(unsafe_code)]

use crate::memlayout::IO_APIC_LINEAR;

const SELECT: u64 = 0x00;
const WINDOW: u64 = 0x10;
const VERSION: u32 = 1;
const REDIRECTION: u32 = 0x10;
const MASKED: u32 = 1 << 16;

fn read(register: u32) -> u32 {
    // SAFETY: init_top_pgt maps the I/O APIC's page here, uncached; only the boot CPU uses it.
    unsafe {
        ((IO_APIC_LINEAR + SELECT) as *mut u32).write_volatile(register);
        ((IO_APIC_LINEAR + WINDOW) as *const u32).read_volatile()
    }
}

fn write(register: u32, value: u32) {
    // SAFETY: as for read.
    unsafe {
        ((IO_APIC_LINEAR + SELECT) as *mut u32).write_volatile(register);
        ((IO_APIC_LINEAR + WINDOW) as *mut u32).write_volatile(value);
    }
}

/// Masks every pin and returns how many there are.
pub fn mask_all() -> u32 {
    let pins = (read(VERSION) >> 16 & 0xff) + 1;
    for pin in 0..pins {
        write(REDIRECTION + 2 * pin, MASKED);
    }
    pins
}

/// Routes a pin: edge-triggered, active high (ISA), fixed delivery of `vector` to one CPU.
pub fn route_isa(pin: u32, vector: u8, apic_id: u32) {
    write(REDIRECTION + 2 * pin + 1, apic_id << 24);
    write(REDIRECTION + 2 * pin, vector.into());
}
