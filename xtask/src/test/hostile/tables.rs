//! What a firmware and a loader leave in memory, found and changed before the kernel's first instruction: ACPI's tables, the
//! boot information's memory map, the lines about EFI and the firmware's own map.
//!
//! Layouts by offsets, as the specifications have them; `BootInfo` by its type.

use super::guest::Guest;
use anyhow::{Context, Result, ensure};
use bootloader_api::BootInfo;
use std::mem::offset_of;

/// Where the embedded machine has its RSDP, and room behind its tables for other ones.
pub const RSDP: u64 = 0xe_0000;
pub const ROOM: u64 = 0xe_8000;
const RSDP_XSDT: u64 = 24;
/// Header of ACPI's tables: signature, length, revision, sum, ...
const HEADER: usize = 36;
const SUM: usize = 9;
/// In the machine's XSDT.
const FADT: u64 = 0;
const MADT: u64 = 1;

/// Kinds of the boot information's regions.
pub const USABLE: u64 = 0;
pub const LOADER: u64 = 1;
/// EFI's reserved memory, type 0.
pub const RESERVED: u64 = 2;

/// A region: start, end, kind with the firmware's type in the upper half.
pub type Region = (u64, u64, u64);

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

/// Linear address of the boot information: the kernel's argument.
fn boot_info(guest: &mut Guest) -> Result<u64> {
    const RDI: usize = 7;
    Ok(guest.cpu(0)?.gpr[RDI])
}

/// The memory map that the loader hands over.
pub fn regions(guest: &mut Guest) -> Result<Vec<Region>> {
    let info = boot_info(guest)?;
    let slice = words(&guest.read_linear(info + offset_of!(BootInfo, memory_regions) as u64, 16)?);
    let all = words(&guest.read_linear(slice[0], slice[1] as usize * 24)?);
    Ok(all.chunks(3).map(|words| (words[0], words[1], words[2])).collect())
}

/// Another one in its place; the loader leaves room for some regions more.
pub fn set_regions(guest: &mut Guest, regions: &[Region]) -> Result<()> {
    let at = boot_info(guest)? + offset_of!(BootInfo, memory_regions) as u64;
    let slice = words(&guest.read_linear(at, 16)?);
    let bytes: Vec<u8> = regions.iter().flat_map(|(a, b, c)| [*a, *b, *c]).flat_map(u64::to_le_bytes).collect();
    guest.write_linear(slice[0], &bytes)?;
    guest.write_linear(at + 8, &(regions.len() as u64).to_le_bytes())
}

/// The loader names another RSDP, or none.
pub fn set_rsdp(guest: &mut Guest, physical: Option<u64>) -> Result<()> {
    let at = boot_info(guest)? + offset_of!(BootInfo, rsdp_addr) as u64;
    // `Optional`: its tag, then the value.
    let mut bytes = u64::from(physical.is_none()).to_le_bytes().to_vec();
    bytes.extend(physical.unwrap_or(0).to_le_bytes());
    guest.write_linear(at, &bytes)
}

/// A table with this signature, its sum right.
pub fn table(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut table = signature.to_vec();
    table.extend(((HEADER + body.len()) as u32).to_le_bytes());
    table.extend([1, 0]);
    table.extend(b"HOSTILHOSTILE_");
    table.resize(HEADER, 0);
    table.extend(body);
    seal(&mut table);
    table
}

/// Makes a table's sum right.
pub fn seal(table: &mut [u8]) {
    table[SUM] = 0;
    table[SUM] = table.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
}

/// A MADT with these entries, the local APICs at their usual place.
pub fn madt(entries: &[&[u8]]) -> Vec<u8> {
    let mut body = 0xfee0_0000_u32.to_le_bytes().to_vec();
    body.extend([0; 4]);
    entries.iter().for_each(|entry| body.extend(*entry));
    table(b"APIC", &body)
}

/// A MADT's entries: a processor, by the short and by the long form; the I/O APIC at an address; the local APICs at one.
pub const fn processor(apic_id: u8) -> [u8; 8] {
    [0, 8, apic_id, apic_id, 1, 0, 0, 0]
}

pub fn x2apic_processor(apic_id: u32) -> [u8; 16] {
    let id = apic_id.to_le_bytes();
    [9, 16, 0, 0, id[0], id[1], id[2], id[3], 1, 0, 0, 0, id[0], id[1], id[2], id[3]]
}

pub fn io_apic(physical: u32) -> [u8; 12] {
    let at = physical.to_le_bytes();
    [1, 12, 0, 0, at[0], at[1], at[2], at[3], 0, 0, 0, 0]
}

pub fn local_apic(physical: u64) -> [u8; 12] {
    let mut entry = [5, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    entry[4..].copy_from_slice(&physical.to_le_bytes());
    entry
}

/// Where the XSDT is.
pub fn xsdt(guest: &mut Guest) -> Result<u64> {
    guest.word(RSDP + RSDP_XSDT)
}

/// Where the MADT is.
pub fn madt_at(guest: &mut Guest) -> Result<u64> {
    let xsdt = xsdt(guest)?;
    guest.word(xsdt + HEADER as u64 + 8 * MADT)
}

/// Replaces the MADT.
pub fn set_madt(guest: &mut Guest, madt: &[u8]) -> Result<()> {
    guest.write(ROOM, madt)?;
    let xsdt = xsdt(guest)?;
    let fadt = guest.word(xsdt + HEADER as u64 + 8 * FADT)?;
    set_xsdt(guest, &[fadt, ROOM])
}

/// Gives the XSDT these entries.
pub fn set_xsdt(guest: &mut Guest, entries: &[u64]) -> Result<()> {
    const PLACE: u64 = 0xe_7000;
    let body: Vec<u8> = entries.iter().flat_map(|entry| entry.to_le_bytes()).collect();
    guest.write(PLACE, &table(b"XSDT", &body))?;
    point_rsdp_at(guest, PLACE)
}

/// Has the RSDP name another XSDT.
pub fn point_rsdp_at(guest: &mut Guest, xsdt: u64) -> Result<()> {
    let mut rsdp = guest.read(RSDP, 36)?;
    rsdp[RSDP_XSDT as usize..][..8].copy_from_slice(&xsdt.to_le_bytes());
    // Its second sum, over all of it.
    rsdp[32] = 0;
    rsdp[32] = rsdp.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    guest.write(RSDP, &rsdp)
}

/// Linear address of a number in the lines that tell of EFI, its 16 digits.
fn efi_number(guest: &mut Guest, name: &str) -> Result<(u64, u64)> {
    let info = boot_info(guest)?;
    let at = words(&guest.read_linear(info + offset_of!(BootInfo, ramdisk_addr) as u64 + 8, 8)?)[0];
    let text = String::from_utf8_lossy(&guest.read_linear(at, 240)?).into_owned();
    let name = format!("{name}=0x");
    let start = text.find(&name).with_context(|| format!("the loader does not tell {name}"))? + name.len();
    Ok((at + start as u64, u64::from_str_radix(&text[start..start + 16], 16)?))
}

/// What the loader tells of EFI.
pub fn efi(guest: &mut Guest, name: &str) -> Result<u64> {
    efi_number(guest, name).map(|(_, value)| value)
}

/// Has it tell something else.
pub fn set_efi(guest: &mut Guest, name: &str, value: u64) -> Result<()> {
    let (at, _) = efi_number(guest, name)?;
    guest.write_linear(at, format!("{value:016x}").as_bytes())
}

/// Adds a region that the firmware uses at run time to its memory map: type, first byte, pages.
pub fn add_runtime_region(guest: &mut Guest, kind: u64, start: u64, pages: u64) -> Result<()> {
    const RUNTIME: u64 = 1 << 63 | 0xf;
    let (map, size, step) =
        (efi(guest, "efi_memmap")?, efi(guest, "efi_memmap_size")?, efi(guest, "efi_memdesc_size")?);
    ensure!(step == 48, "the machine's descriptors have {step} bytes");
    let bytes: Vec<u8> = [kind, start, 0, pages, RUNTIME, 0].into_iter().flat_map(u64::to_le_bytes).collect();
    guest.write(map + size, &bytes)?;
    set_efi(guest, "efi_memmap_size", size + step)
}

/// Offsets in the runtime services' table.
pub const GET_TIME: u64 = 24;
pub const SET_TIME: u64 = 32;
pub const GET_VARIABLE: u64 = 72;
pub const NEXT_VARIABLE: u64 = 80;
pub const SET_VARIABLE: u64 = 88;
pub const UPDATE_CAPSULE: u64 = 112;

/// Physical address of the runtime services' table; to be asked before the kernel has run.
pub fn services(guest: &mut Guest) -> Result<u64> {
    const RUNTIME_SERVICES: u64 = 88;
    let system_table = efi(guest, "efi_system_table")?;
    guest.word(system_table + RUNTIME_SERVICES)
}
