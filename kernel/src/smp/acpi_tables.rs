//! Finds the MADT. Runs while the loader's tables map all physical memory: the ACPI tables need not be in the direct map.
#![allow(unsafe_code)]

use super::madt::{Madt, MadtError};
use crate::memlayout::phys_to_virt;
use acpi::address::AddressSpace;
use acpi::fadt::Fadt;
use acpi::{AcpiError, AcpiHandler, AcpiTables, PhysicalMapping};
use core::ptr::NonNull;
use x86_64::PhysAddr;

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
struct Mapped;

impl AcpiHandler for Mapped {
    unsafe fn map_physical_region<T>(&self, physical: usize, size: usize) -> PhysicalMapping<Self, T> {
        let linear = phys_to_virt(PhysAddr::new_truncate(physical as u64)).as_mut_ptr::<T>();
        let pointer = NonNull::new(linear).expect("the direct map is not at 0");
        // SAFETY: the loader maps all physical memory; unmapping does nothing.
        unsafe { PhysicalMapping::new(physical, pointer, size, size, Self) }
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
    let tables = unsafe { AcpiTables::from_rsdp(Mapped, rsdp as usize) }.map_err(AcpiFailure::Tables)?;
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

/// Reads the FADT, given the RSDP's physical address.
pub fn read_reset_register(rsdp: Option<u64>) -> ResetRegister {
    let Some(rsdp) = rsdp else { return ResetRegister::None };
    // SAFETY: as in read_madt.
    let Ok(tables) = (unsafe { AcpiTables::from_rsdp(Mapped, rsdp as usize) }) else { return ResetRegister::None };
    let Ok(fadt) = tables.find_table::<Fadt>() else { return ResetRegister::None };
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
