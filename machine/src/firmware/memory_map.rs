//! The memory map of a PC, as its firmware reports it (INT 15h function E820h).
//!
//! ```text
//!   0        9FC00h     A0000h          E0000h           100000h                 RAM size
//!   | usable | reserved | (nothing: VGA) | reserved: ACPI | usable . . . . . . . . |
//!            EBDA                          tables, ROM
//! ```

use loader::{MemoryRegion, MemoryRegionKind};

/// Start of the extended BIOS data area: the end of what real-mode code may use.
pub const LOW_MEMORY_END: u64 = 0x9_fc00;
/// Where the firmware keeps its tables, up to 1 MiB.
pub const FIRMWARE_AREA: u64 = 0xe_0000;
/// RAM as seen by programs starts again here.
pub const HIGH_MEMORY: u64 = 0x10_0000;
/// From here up to 4 GiB a PC has devices.
pub const MAX_MEMORY_BYTES: u64 = 0xc000_0000;

/// E820 type 2.
const RESERVED: MemoryRegionKind = MemoryRegionKind::UnknownBios(2);

/// The regions of a machine with so much RAM, which is more than 1 MiB; ascending.
pub fn memory_map(memory_bytes: u64) -> [MemoryRegion; 4] {
    [
        MemoryRegion { start: 0, end: LOW_MEMORY_END, kind: MemoryRegionKind::Usable },
        MemoryRegion { start: LOW_MEMORY_END, end: 0xa_0000, kind: RESERVED },
        MemoryRegion { start: FIRMWARE_AREA, end: HIGH_MEMORY, kind: RESERVED },
        MemoryRegion { start: HIGH_MEMORY, end: memory_bytes, kind: MemoryRegionKind::Usable },
    ]
}
