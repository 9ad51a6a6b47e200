//! What BIOS leaves in memory and devices: interrupt vectors, its data area, ACPI and MP tables, a GDT for the boot loader;
//! the 8259 pair and the timer set up, CMOS filled in.
//!
//! ```text
//!   0       400h     500h            9FC00h  A0000h           E0000h      F0000h        FE000h   FFFF0h
//!   | IVT   | BDA    | free          | EBDA  | (display)      | ACPI      | MP table    | GDT    | reset
//! ```

use super::super::boot::{RESET_CODE, RESET_VECTOR};
use super::super::memory_map::{FIRMWARE_AREA, HIGH_MEMORY, LOW_MEMORY_END};
use super::{acpi, mp_table};
use crate::bus::{Bus, Outbox};
use crate::device::Devices;
use crate::device::fw_cfg::FwCfg;
use protocol::request::MachineConfig;

/// Where the MP table is.
const MP_TABLE: u64 = 0xf_0000;
/// Where the boot loader's GDT is: null, code, data, flat.
pub const GDT: u64 = 0xf_e000;
const GDT_ENTRIES: [u64; 3] = [0, 0x00cf_9b00_0000_ffff, 0x00cf_9300_0000_ffff];
/// Its size.
pub const GDT_BYTES: usize = 8 * GDT_ENTRIES.len();
/// Interrupt handlers: one that returns, and those for lines of the first and the second 8259, which end the interrupt first.
const IRET: (u64, &[u8]) = (0xf_ff53, &[0xcf]);
/// `push ax; mov al, 20h; out 20h, al; pop ax; iret`
const END_FIRST: (u64, &[u8]) = (0xf_ff60, &[0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf]);
/// The same, `out a0h, al` before `out 20h, al`.
const END_SECOND: (u64, &[u8]) = (0xf_ff70, &[0x50, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0x58, 0xcf]);

/// Whether a range may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// E820 type 1.
    Usable,
    /// E820 type 2.
    Reserved,
}

/// Start, end and kind of the ranges of memory, ascending.
pub fn memory_map(memory_bytes: u64) -> [(u64, u64, Kind); 5] {
    [
        (0, LOW_MEMORY_END, Kind::Usable),
        (LOW_MEMORY_END, 0xa_0000, Kind::Reserved),
        (FIRMWARE_AREA, HIGH_MEMORY, Kind::Reserved),
        (HIGH_MEMORY, memory_bytes, Kind::Usable),
        (0xfffc_0000, 0x1_0000_0000, Kind::Reserved),
    ]
}

/// Fills the firmware's parts of memory.
pub fn write(apic_ids: &[u8], memory_bytes: u64, bus: &mut Bus) {
    debug_assert!(memory_bytes > HIGH_MEMORY);
    let ram = &mut bus.ram;
    for (paddr, code) in [IRET, END_FIRST, END_SECOND, (RESET_VECTOR, RESET_CODE.as_slice())] {
        ram.write_slice(paddr, code);
    }
    for vector in 0..256u64 {
        let (handler, _) = match vector {
            0x08..=0x0f => END_FIRST,
            0x70..=0x77 => END_SECOND,
            _ => IRET,
        };
        ram.write(4 * vector, (0xf000_0000 | handler as u32 & 0xffff).to_le_bytes());
    }
    // BIOS data: COM1, the extended area's segment, KiB of low memory, columns, the display controller's port.
    for (paddr, word) in [(0x400, 0x3f8), (0x40e, 0x9fc0), (0x413, 639), (0x44a, 80), (0x463, 0x3d4u16)] {
        ram.write(paddr, word.to_le_bytes());
    }
    // Its extended area tells its size in KiB.
    ram.write(LOW_MEMORY_END, [1u8]);
    ram.write_slice(FIRMWARE_AREA, &acpi::tables(apic_ids, FIRMWARE_AREA));
    ram.write_slice(MP_TABLE, &mp_table::table(apic_ids, MP_TABLE));
    for (index, entry) in GDT_ENTRIES.iter().enumerate() {
        ram.write(GDT + 8 * index as u64, entry.to_le_bytes());
    }
}

/// Leaves devices as BIOS does.
pub fn set_devices(config: &MachineConfig, disks: usize, devices: &mut Devices) {
    let mut out = Outbox::default();
    // Open: timer, keyboard, second 8259, diskette; clock, mouse, first disk channel.
    devices.irq.pic.initialize(0xb8, 0x8e);
    for (port, value) in [(0x43, 0x34), (0x40, 0), (0x40, 0)] {
        devices.pit.write(port, value, 0);
    }
    for (port, value) in [(0x64, 0x60), (0x60, 0x45)] {
        devices.i8042.write(port, value, &mut devices.irq, &mut out);
    }
    devices.vga.set_text_mode();
    devices.fw_cfg = FwCfg::new(config.memory_bytes, config.cpus);
    let kib_above_1m = ((config.memory_bytes - HIGH_MEMORY) >> 10).min(0xffff) as u16;
    let blocks_above_16m = (config.memory_bytes.saturating_sub(16 << 20) >> 16).min(0xffff) as u16;
    for (index, word) in [(0x15, 640), (0x17, kib_above_1m), (0x30, kib_above_1m), (0x34, blocks_above_16m)] {
        let [low, high] = word.to_le_bytes();
        devices.cmos.store(index, low);
        devices.cmos.store(index + 1, high);
    }
    // Disk types: 47 "see elsewhere" for each disk. Equipment: colour display, coprocessor. Processors but the first.
    devices.cmos.store(0x12, [0, 0xf0, 0xff][disks.min(2)]);
    devices.cmos.store(0x14, 0x06);
    devices.cmos.store(0x5f, config.cpus.saturating_sub(1).min(255) as u8);
    debug_assert!(out.interrupts.is_empty(), "all pins are masked");
}
