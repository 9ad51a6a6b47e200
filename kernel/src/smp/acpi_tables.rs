//! Finds the MADT. Runs while the loader's tables map all physical memory: the ACPI tables need not be in the direct map.
//!
//! The `acpi` crate believes addresses and lengths once a signature is right; here both are looked at before it sees a table.
#![allow(unsafe_code)]

use super::madt::{Madt, MadtError};
use crate::memlayout::phys_to_virt;
use crate::mm::direct_map::LoaderTables;
use crate::mm::page_table::walk;
use crate::println;
use acpi::address::AddressSpace;
use acpi::fadt::Fadt;
use acpi::{AcpiError, AcpiHandler, AcpiTables, PhysicalMapping};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use x86_64::PhysAddr;
use x86_64::registers::control::Cr3;

/// Why there is no MADT.
#[derive(Debug)]
pub enum AcpiFailure {
    /// The loader named no RSDP.
    NoRsdp,
    /// The tables are damaged, or there is no MADT among them.
    Tables(AcpiError),
    /// The MADT itself cannot be used.
    Madt(MadtError),
}

impl core::fmt::Display for AcpiFailure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoRsdp => write!(f, "the loader did not find the ACPI tables"),
            Self::Tables(AcpiError::TableMissing(signature)) => write!(f, "there is no good {signature} table"),
            Self::Tables(error) => write!(f, "the ACPI tables are damaged: {error:?}"),
            Self::Madt(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for AcpiFailure {}

/// Everything is mapped already: the loader maps physical memory where our direct map will be.
#[derive(Clone)]
struct Mapped {
    /// What is wrong with tables is to be told: whoever looks second does not repeat it.
    says: bool,
}

/// Length of the header that every table begins with, and of the whole RSDP.
const HEADER: usize = 36;
/// Longer tables than this are taken for damaged.
const MAX_TABLE: usize = 1 << 20;
/// Physical addresses beyond are not in the direct map, whoever names them.
const PHYSICAL_END: usize = 1 << 46;

/// What is shown in place of a table that cannot be one: no signature is all zeros.
#[repr(align(8))]
struct NoTable([u8; MAX_FIXED]);
/// As long as the longest fixed part of a table that is read here, the FADT's.
const MAX_FIXED: usize = 512;
static NO_TABLE: NoTable = NoTable([0; MAX_FIXED]);

/// The last address that was complained about.
static TOLD: AtomicUsize = AtomicUsize::new(0);

/// The bytes at a physical address, where the loader's tables map all of them.
fn mapped(physical: usize, len: usize) -> Option<&'static [u8]> {
    let end = physical.checked_add(len).filter(|end| *end <= PHYSICAL_END && len <= MAX_TABLE)?;
    let linear = |physical: usize| phys_to_virt(PhysAddr::new(physical as u64));
    let (root, _) = Cr3::read();
    let is_mapped = |page| walk(&LoaderTables, root.start_address(), linear(page).as_u64()).result.is_ok();
    if !(physical & !4095..end).step_by(4096).all(is_mapped) {
        return None;
    }
    // SAFETY: every page of them is mapped, as memory that nobody writes while this runs on the boot CPU alone.
    Some(unsafe { core::slice::from_raw_parts(linear(physical).as_ptr(), len) })
}

/// How long the table at an address says that it is, if that can be.
fn length(physical: usize) -> Option<usize> {
    let header = mapped(physical, HEADER)?;
    let word = |at: usize| header.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) as usize);
    let length = match (header.starts_with(b"RSD PTR "), header.get(15)?) {
        (true, 0) => HEADER,
        (true, _) => word(20)?,
        (false, _) => word(4)?,
    };
    (length >= HEADER && mapped(physical, length).is_some()).then_some(length)
}

impl AcpiHandler for Mapped {
    unsafe fn map_physical_region<T>(&self, physical: usize, size: usize) -> PhysicalMapping<Self, T> {
        // The crate first asks for a header, then for as many bytes as that says.
        let whole = length(physical).and_then(|length| mapped(physical, size.min(length)));
        if whole.is_none() && self.says && TOLD.swap(physical, Ordering::Relaxed) != physical {
            println!("acpi: the table at {physical:x} lies in no memory or has an impossible length; it is not used");
        }
        let bytes = whole.unwrap_or(&NO_TABLE.0);
        let pointer = NonNull::from(bytes).cast::<T>();
        // SAFETY: the pointer leads to bytes that are mapped, of a table or of none; unmapping does nothing.
        unsafe { PhysicalMapping::new(physical, pointer, size.min(bytes.len()), size.min(bytes.len()), self.clone()) }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {}
}

/// Finds and reads the MADT, given the RSDP's physical address.
///
/// # Errors
/// [`AcpiFailure`]
pub fn read_madt(rsdp: Option<u64>) -> Result<Madt, AcpiFailure> {
    let rsdp = rsdp.ok_or(AcpiFailure::NoRsdp)?;
    // SAFETY: the loader found the RSDP there; the crate checks its signature and sum before it believes it.
    let tables = unsafe { AcpiTables::from_rsdp(Mapped { says: true }, rsdp as usize) }.map_err(AcpiFailure::Tables)?;
    let madt = tables.find_table::<acpi::madt::Madt>().map_err(AcpiFailure::Tables)?;
    // SAFETY: the crate checked the sum over `region_length` bytes, which the loader maps.
    let bytes =
        unsafe { core::slice::from_raw_parts(madt.virtual_start().as_ptr().cast::<u8>(), madt.region_length()) };
    Madt::parse(bytes).map_err(AcpiFailure::Madt)
}

/// What the FADT says about restarting (ACPI 6.5, "Reset Register").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetRegister {
    /// There is none, or no good FADT.
    None,
    /// A byte to a port.
    Port {
        /// Its number.
        port: u16,
        /// The byte that restarts.
        value: u8,
    },
    /// It is in memory or in PCI configuration space, which this kernel does not map.
    Elsewhere,
}

/// An FADT that is shorter ends before its reset register and the value that goes there.
const FADT_WITH_RESET: usize = 129;

/// Reads the FADT, given the RSDP's physical address.
pub fn read_reset_register(rsdp: Option<u64>) -> ResetRegister {
    let Some(rsdp) = rsdp else { return ResetRegister::None };
    // SAFETY: as in read_madt.
    let Ok(tables) = (unsafe { AcpiTables::from_rsdp(Mapped { says: false }, rsdp as usize) }) else {
        return ResetRegister::None;
    };
    let Ok(fadt) = tables.find_table::<Fadt>() else { return ResetRegister::None };
    if fadt.region_length() < FADT_WITH_RESET {
        return ResetRegister::None;
    }
    let flags = fadt.flags;
    match fadt.reset_register() {
        Ok(register) if flags.supports_system_reset_via_fadt() => match u16::try_from(register.address) {
            Ok(port) if register.address_space == AddressSpace::SystemIo => {
                ResetRegister::Port { port, value: fadt.reset_value }
            }
            _ => ResetRegister::Elsewhere,
        },
        _ => ResetRegister::None,
    }
}
