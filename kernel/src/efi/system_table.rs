//! The firmware's tables in physical memory, read through the direct map: the system table, the runtime services' table, the
//! memory attributes table. All of it is the firmware's word, so it is checked before it is used.
#![allow(unsafe_code)]

use super::memmap::Memmap;
use crate::memlayout::phys_to_virt;
use crate::mm::frame::{Region, RegionKind};
use spin::{Mutex, MutexGuard};
use uefi_raw::table::configuration::ConfigurationTable;
use uefi_raw::table::runtime::RuntimeServices;
use uefi_raw::table::{Header, system::SystemTable};
use uefi_raw::{Guid, guid};
use x86_64::PhysAddr;

/// "RUNTSERV".
const RUNTIME_SERVICES_SIGNATURE: u64 = 0x5652_4553_544e_5552;
/// EFI_MEMORY_ATTRIBUTES_TABLE_GUID.
const MEMORY_ATTRIBUTES: Guid = guid!("dcfa911d-26eb-469f-a220-38b7dc461220");
/// The most configuration tables that are looked at.
const MAX_CONFIGURATION_TABLES: usize = 256;
/// The longest memory attributes table in bytes; it has some two descriptors for each of the firmware's runtime images.
const MAX_ATTRIBUTES: usize = 16 * 1024;

/// CRC-32 as UEFI uses it: polynomial 04C11DB7h, bits reversed (UEFI specification, "EFI_TABLE_HEADER").
pub fn crc32(bytes: impl IntoIterator<Item = u8>) -> u32 {
    !bytes.into_iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xedb8_8320 })
    })
}

/// The bytes at a physical address, if all of them are memory of the map: the direct map leads there, in the loader's tables
/// as well.
pub fn bytes_at(regions: &[Region], physical: u64, len: usize) -> Option<&'static [u8]> {
    let end = physical.checked_add(len as u64)?;
    let mut at = physical;
    // The map is sorted; what touches may be of several kinds.
    for region in regions.iter().filter(|region| !matches!(region.kind, RegionKind::Reserved(_))) {
        if region.start <= at && at < region.end {
            at = region.end;
        }
    }
    if at < end || physical == 0 {
        return None;
    }
    // SAFETY: the direct map covers all memory of the map; nothing but bytes is read, which the firmware may change at most
    // during a call.
    Some(unsafe { core::slice::from_raw_parts(phys_to_virt(PhysAddr::new(physical)).as_ptr(), len) })
}

/// A table of the firmware's, copied out.
fn read<T>(regions: &[Region], physical: u64) -> Option<T> {
    let bytes = bytes_at(regions, physical, size_of::<T>())?;
    // SAFETY: the types that this is called with are numbers and raw pointers, for which all bytes are good.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// What the firmware's tables say.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    /// Physical address of the runtime services' table.
    pub runtime_services: u64,
    /// The firmware's revision.
    pub firmware_revision: u32,
    /// The memory attributes table's descriptors, copied: it lies in memory that is free after boot services.
    pub attributes: Option<Memmap<'static>>,
}

/// Follows the system table, before the first frame is taken.
///
/// # Errors
/// In words: what is wrong.
pub fn read_tables(regions: &[Region], system_table: u64) -> Result<Tables, &'static str> {
    let table = checked(regions, system_table, SystemTable::SIGNATURE, size_of::<SystemTable>())
        .ok_or("there is no system table where the loader says")?;
    crc_holds(table).then_some(()).ok_or("the system table's CRC is wrong")?;
    let table: SystemTable = read(regions, system_table).ok_or("the system table lies in no memory")?;
    let runtime_services = table.runtime_services as u64;
    let services = checked(regions, runtime_services, RUNTIME_SERVICES_SIGNATURE, size_of::<RuntimeServices>())
        .ok_or("there are no runtime services where the system table says")?;
    is_whole(services).then_some(()).ok_or("a runtime service is missing")?;
    let mut attributes = None;
    let count = table.number_of_configuration_table_entries.min(MAX_CONFIGURATION_TABLES);
    for index in 0..count {
        let at = (table.configuration_table as u64).wrapping_add((index * size_of::<ConfigurationTable>()) as u64);
        let Some(entry) = read::<ConfigurationTable>(regions, at) else { break };
        if entry.vendor_guid == MEMORY_ATTRIBUTES {
            attributes = copy_attributes(regions, entry.vendor_table as u64);
        }
    }
    Ok(Tables { runtime_services, firmware_revision: table.firmware_revision, attributes })
}

/// A table with this signature that is as long as it must be: all of its bytes.
fn checked(regions: &[Region], physical: u64, signature: u64, least: usize) -> Option<&'static [u8]> {
    let header: Header = read(regions, physical)?;
    let size = header.size as usize;
    if header.signature != signature || size < least || size > 4096 {
        return None;
    }
    bytes_at(regions, physical, size)
}

/// The CRC of a table is that of its bytes with the CRC's own as zeros.
fn crc_holds(table: &[u8]) -> bool {
    let field = core::mem::offset_of!(Header, crc)..core::mem::offset_of!(Header, crc) + 4;
    let told =
        table.get(field.clone()).and_then(|bytes| bytes.first_chunk::<4>()).map(|bytes| u32::from_le_bytes(*bytes));
    let zeroed = table.iter().enumerate().map(|(at, byte)| if field.contains(&at) { 0 } else { *byte });
    told == Some(crc32(zeroed))
}

/// All services of UEFI 2.0 are there.
fn is_whole(services: &[u8]) -> bool {
    let pointers = services.get(size_of::<Header>()..size_of::<RuntimeServices>()).unwrap_or_default();
    pointers.chunks_exact(8).all(|pointer| pointer != [0; 8])
}

static ATTRIBUTES: Mutex<[u8; MAX_ATTRIBUTES]> = Mutex::new([0; MAX_ATTRIBUTES]);

/// EFI_MEMORY_ATTRIBUTES_TABLE: version, number of entries, size of an entry, flags, entries.
fn copy_attributes(regions: &[Region], physical: u64) -> Option<Memmap<'static>> {
    const HEADER: usize = 16;
    let word = |bytes: &[u8], at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk::<4>()?) as usize);
    let header = bytes_at(regions, physical, HEADER)?;
    let (entries, size) = (word(header, 4)?, word(header, 8)?);
    let bytes = entries.checked_mul(size).filter(|bytes| *bytes <= MAX_ATTRIBUTES)?;
    let source = bytes_at(regions, physical.checked_add(HEADER as u64)?, bytes)?;
    // Taken once: there is one such table.
    let copy: &'static mut [u8; MAX_ATTRIBUTES] = MutexGuard::leak(ATTRIBUTES.try_lock()?);
    copy[..bytes].copy_from_slice(source);
    Memmap::new(&copy[..bytes], size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the CRC is the usual one. Method: the check value of CRC-32 catalogues.
    #[test]
    fn crc_of_digits() {
        assert_eq!(crc32(*b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32([]), 0);
    }

    /// Goal: a table's CRC is computed with its own field as zeros. Method: a header that tells its own, then a bit changed.
    #[test]
    fn crc_of_a_table() {
        let mut table = [7u8; 40];
        table[16..20].fill(0);
        let crc = crc32(table);
        table[16..20].copy_from_slice(&crc.to_le_bytes());
        assert!(crc_holds(&table));
        table[30] ^= 1;
        assert!(!crc_holds(&table) && !crc_holds(&table[..10]));
    }
}
