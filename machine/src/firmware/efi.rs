//! EFI as a firmware leaves it when boot services are over: runtime services ([`super::image`]), system table, configuration
//! tables, the memory map, and EFI_SYSTEM_TABLE_POINTER for debuggers. No boot services ever ran here.
//!
//! ```text
//!   ... conventional |pointer| conventional |attributes| code | data: image, system table | end of RAM
//!                     4 MiB boundary         table       runtime services
//! ```

use crate::bus::ram::Ram;
use crate::device::nvram;
use crate::firmware::image::{FirmwareImage, IMAGE};
use crate::firmware::memory_map::{FIRMWARE_AREA, HIGH_MEMORY, LOW_MEMORY_END};
use loader::{Efi, EfiMap, MemoryRegion, uefi_region};
use protocol::request::{FirmwareQuirk, MachineConfig};

const PAGE: u64 = 4096;
/// A machine with less RAM has no EFI.
const LEAST_MEMORY: u64 = 16 << 20;
/// Alignment of EFI_SYSTEM_TABLE_POINTER (UEFI specification, "EFI System Table Pointer").
const POINTER_ALIGNMENT: u64 = 4 << 20;

/// EFI_MEMORY_TYPE.
mod kind {
    pub const RESERVED: u32 = 0;
    pub const BOOT_SERVICES_DATA: u32 = 4;
    pub const RUNTIME_SERVICES_CODE: u32 = 5;
    pub const RUNTIME_SERVICES_DATA: u32 = 6;
    pub const CONVENTIONAL: u32 = 7;
    pub const MEMORY_MAPPED_IO: u32 = 11;
}

/// EFI_MEMORY_ATTRIBUTE.
mod attribute {
    pub const UC: u64 = 1 << 0;
    /// Uncached, write-combining, write-through and write-back are possible: RAM.
    pub const RAM: u64 = 0xf;
    pub const XP: u64 = 1 << 14;
    pub const RO: u64 = 1 << 17;
    pub const RUNTIME: u64 = 1 << 63;
}

/// Bytes from one descriptor to the next, as firmware has it today: more than a descriptor's 40.
const DESC_SIZE: usize = 48;
const DESC_VERSION: u32 = 1;

/// GUIDs as they are in memory.
const ACPI_20_TABLE: [u8; 16] = *b"\x71\xe8\x68\x88\xf1\xe4\xd3\x11\xbc\x22\x00\x80\xc7\x3c\x88\x81";
const MEMORY_ATTRIBUTES_TABLE: [u8; 16] = *b"\x1d\x91\xfa\xdc\xeb\x26\x9f\x46\xa2\x20\x38\xb7\xdc\x46\x12\x20";

/// Header of all tables: signature, revision, size, CRC, reserved.
const HEADER_BYTES: usize = 24;
const CRC_AT: usize = 16;
/// EFI_SYSTEM_TABLE of 64-bit firmware.
const SYSTEM_TABLE_BYTES: usize = 120;
const SYSTEM_TABLE_SIGNATURE: u64 = u64::from_le_bytes(*b"IBI SYST");
/// UEFI 2.10.
const REVISION: u32 = 2 << 16 | 100;
const RUNTIME_SERVICES_BYTES: usize = 136;

/// What is in memory now.
#[derive(Debug)]
pub struct Placed {
    system_table: u64,
    map: Vec<u8>,
    /// The memory map as the loader wants it.
    pub regions: Vec<MemoryRegion>,
    /// Where the loader may take frames: nothing of the firmware's is there. What its boot services leave behind is the
    /// kernel's as well, but not before it runs.
    pub free: Vec<MemoryRegion>,
    handed_over: bool,
}

impl Placed {
    /// For the loader to tell the kernel of; None: it shall not.
    pub fn efi(&self) -> Option<Efi<'_>> {
        let map = EfiMap { bytes: &self.map, desc_size: DESC_SIZE as u64, desc_version: DESC_VERSION };
        self.handed_over.then_some(Efi { system_table_paddr: self.system_table, map })
    }
}

/// Puts the firmware into RAM. None: this machine has none; there is too little RAM, or this program was built without it.
///
/// # Errors
/// The image that this program was built with is not what it must be.
pub fn place(ram: &mut Ram, config: &MachineConfig) -> Result<Option<Placed>, &'static str> {
    let Some(file) = IMAGE.filter(|_| config.memory_bytes >= LEAST_MEMORY) else { return Ok(None) };
    let image = FirmwareImage::parse(file)?;
    let quirks = &config.firmware.quirks;
    let end = config.memory_bytes;
    let system_table = end - PAGE;
    let base = system_table - image.bytes;
    let attributes_table = base - PAGE;
    let pointer = (attributes_table - PAGE) / POINTER_ALIGNMENT * POINTER_ALIGNMENT;
    let bit = |quirk, bit| if quirks.contains(&quirk) { bit } else { 0 };
    let bits = bit(FirmwareQuirk::PhysicalPointers, 1 << 0) | bit(FirmwareQuirk::TouchPageZero, 1 << 1);
    let services = image.place(ram, base, [base, system_table, nvram::BASE, nvram::BYTES as u64, bits])?;
    seal_in_place(ram, services, RUNTIME_SERVICES_BYTES).ok_or("its runtime services lie outside RAM")?;

    let map = [
        (kind::CONVENTIONAL, 0, LOW_MEMORY_END & !(PAGE - 1), attribute::RAM),
        (kind::RESERVED, LOW_MEMORY_END & !(PAGE - 1), 0xa_0000, attribute::RAM),
        (kind::RESERVED, FIRMWARE_AREA, HIGH_MEMORY, attribute::RAM),
        (kind::CONVENTIONAL, HIGH_MEMORY, pointer, attribute::RAM),
        (kind::BOOT_SERVICES_DATA, pointer, pointer + PAGE, attribute::RAM),
        (kind::CONVENTIONAL, pointer + PAGE, attributes_table, attribute::RAM),
        (kind::BOOT_SERVICES_DATA, attributes_table, base, attribute::RAM),
        (kind::RUNTIME_SERVICES_CODE, base, base + image.code_bytes, attribute::RAM | attribute::RUNTIME),
        (kind::RUNTIME_SERVICES_DATA, base + image.code_bytes, end, attribute::RAM | attribute::RUNTIME),
        (kind::MEMORY_MAPPED_IO, nvram::BASE, nvram::BASE + nvram::BYTES as u64, attribute::UC | attribute::RUNTIME),
    ];
    let region = |(kind, start, end, _): &(u32, u64, u64, u64)| uefi_region(*kind, *start, (end - start) / PAGE);
    let regions = map.iter().filter_map(region).collect();
    let free = map.iter().filter(|(kind, ..)| *kind == kind::CONVENTIONAL).filter_map(region).collect();
    ram.write_slice(attributes_table, &attributes(base, base + image.code_bytes, end));
    ram.write_slice(system_table, &tables(system_table, services, attributes_table));
    ram.write_slice(pointer, &system_table_pointer(system_table));
    let map = map.iter().filter(|(_, start, end, _)| start < end).flat_map(|entry| descriptor(*entry)).collect();
    Ok(Some(Placed { system_table, map, regions, free, handed_over: !quirks.contains(&FirmwareQuirk::NoHandOver) }))
}

/// EFI_MEMORY_DESCRIPTOR: type, start, virtual start, pages, attributes.
fn descriptor((kind, start, end, attributes): (u32, u64, u64, u64)) -> [u8; DESC_SIZE] {
    let mut bytes = [0; DESC_SIZE];
    for (at, word) in [(0, u64::from(kind)), (8, start), (24, (end - start) / PAGE), (32, attributes)] {
        put(&mut bytes, at, word);
    }
    bytes
}

/// EFI_MEMORY_ATTRIBUTES_TABLE: code is not written, data not executed, once it is where it stays.
fn attributes(code: u64, data: u64, end: u64) -> Vec<u8> {
    const VERSION: u32 = 1;
    const ENTRIES: u32 = 2;
    let header = [VERSION, ENTRIES, DESC_SIZE as u32, 0];
    let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend(descriptor((kind::RUNTIME_SERVICES_CODE, code, data, attribute::RUNTIME | attribute::RO)));
    bytes.extend(descriptor((kind::RUNTIME_SERVICES_DATA, data, end, attribute::RUNTIME | attribute::XP)));
    bytes
}

/// The system table, then the configuration tables, then the vendor's name.
fn tables(at: u64, services: u64, attributes_table: u64) -> Vec<u8> {
    let configuration = at + SYSTEM_TABLE_BYTES as u64;
    let entries = [(ACPI_20_TABLE, FIRMWARE_AREA), (MEMORY_ATTRIBUTES_TABLE, attributes_table)];
    let vendor = configuration + entries.len() as u64 * 24;
    let mut bytes = vec![0; SYSTEM_TABLE_BYTES];
    put(&mut bytes, 0, SYSTEM_TABLE_SIGNATURE);
    put(&mut bytes, 8, u64::from(REVISION) | (SYSTEM_TABLE_BYTES as u64) << 32);
    put(&mut bytes, 24, vendor);
    put(&mut bytes, 32, u64::from(1u32 << 16));
    put(&mut bytes, 88, services);
    put(&mut bytes, 104, entries.len() as u64);
    put(&mut bytes, 112, configuration);
    seal(&mut bytes);
    for (guid, table) in entries {
        bytes.extend(guid);
        bytes.extend(table.to_le_bytes());
    }
    bytes.extend("Firstlight\0".encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}

/// EFI_SYSTEM_TABLE_POINTER: signature, address, CRC.
fn system_table_pointer(system_table: u64) -> [u8; 24] {
    let mut bytes = [0; 24];
    put(&mut bytes, 0, SYSTEM_TABLE_SIGNATURE);
    put(&mut bytes, 8, system_table);
    let crc = crc32(&bytes);
    bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn put(bytes: &mut [u8], at: usize, word: u64) {
    bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
}

/// A table gets the CRC of itself with the CRC as zero.
fn seal(table: &mut [u8]) {
    table[CRC_AT..CRC_AT + 4].fill(0);
    let crc = crc32(table);
    table[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
}

fn seal_in_place(ram: &mut Ram, at: u64, bytes: usize) -> Option<()> {
    debug_assert!(bytes > HEADER_BYTES, "a table is more than its header");
    let mut table: Vec<u8> = Vec::with_capacity(bytes);
    for offset in 0..bytes as u64 {
        table.push(ram.read::<1>(at + offset)?[0]);
    }
    seal(&mut table);
    ram.write_slice(at, &table).then_some(())
}

/// CRC-32 of UEFI's tables: polynomial 04C11DB7h, bits reversed.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xedb8_8320 })
    })
}

#[cfg(test)]
mod tests;
