//! Segmentation and paging: from an instruction's `segment:offset` to the bytes, or to the fault.
//!
//! [`access`] has what instructions call (re-exported here), [`walk`] the pure page walk, [`tlb`] the architectural TLB,
//! [`keys`] protection keys, [`fault`] the error codes and words of page faults. Physical memory is reached through [`crate::bus`].

pub mod access;
pub mod fault;
pub mod keys;
pub mod tlb;
pub mod walk;

#[cfg(test)]
mod tests;

pub use access::{
    check_write, fetch, fetch_page, invlpg, read_u8, read_u16, read_u32, read_u64, read_u128, row_of_elements,
    write_u8, write_u16, write_u32, write_u64, write_u128,
};

use crate::bus::Bus;
use crate::cpu::{Cpu, cr4, efer};
use crate::fault::{Exec, Fault};
use protocol::page_table::{PagingKind, PagingMode};
use walk::{Entry, Paging};

/// What is done with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Data is read.
    Read,
    /// Data is written.
    Write,
    /// An instruction is fetched.
    Fetch,
}

/// The process-context identifier that TLB entries are tagged with: CR3 bits 11:0 where CR4.PCIDE is set, else 0.
#[inline]
pub fn pcid(cpu: &Cpu) -> u16 {
    if cpu.cr4 & cr4::PCIDE != 0 { cpu.cr3 as u16 & 0xfff } else { 0 }
}

/// Reads the four PDPTEs of PAE paging, as MOV to CR3, CR0 or CR4 does before it takes effect (SDM 3A, "PDPTE
/// Registers"). #GP(0) where one is malformed.
pub fn read_pdptes(bus: &Bus, cr3: u64) -> Exec<[u64; 4]> {
    let mode = PagingMode { kind: PagingKind::Pae, ..PagingMode::default() };
    let table = Paging { mode, root: cr3, pdptes: None }.root_table();
    let mut pdptes = [0; 4];
    for (index, pdpte) in pdptes.iter_mut().enumerate() {
        let paddr = table + 8 * index as u64;
        // Nobody there reads as all ones, which is malformed.
        *pdpte = bus.ram.read(paddr).map_or(u64::MAX, u64::from_le_bytes);
        if let Entry::Malformed(why) = walk::classify(mode, 3, *pdpte) {
            return Err(Fault::gp(
                0,
                format!(
                    "CR3 = {cr3:08x} is read as a table of PAE PDPTEs (EFER.LME = 0), and entry {index} = {pdpte:016x} \
                     is malformed: {why}"
                ),
            )
            .into());
        }
    }
    Ok(pdptes)
}

/// MOV CR0, CR3 and CR4 load PDPTEs where these values select PAE paging.
pub fn uses_pdptes(cr0: u64, cr4: u64, efer: u64) -> bool {
    cr0 & crate::cpu::cr0::PG != 0 && cr4 & cr4::PAE != 0 && efer & efer::LMA == 0
}
