//! Page faults: error code and the cause in words (SDM 3A, "Page-Fault Exceptions").

use super::walk::{End, Page, Walk, pte};
use super::{Access, keys};
use crate::cpu::{Cpu, cr0, cr4, efer, flags};
use crate::fault::{Fault, Trap};
use protocol::LinearAddr;

/// Error-code bits of #PF.
pub mod error {
    /// The translation exists: a right was missing, or a reserved bit set.
    pub const P: u32 = 1 << 0;
    /// The access was a write.
    pub const WR: u32 = 1 << 1;
    /// The access was made in user mode.
    pub const US: u32 = 1 << 2;
    /// A reserved bit was set in an entry.
    pub const RSVD: u32 = 1 << 3;
    /// The access was an instruction fetch.
    pub const ID: u32 = 1 << 4;
    /// A protection key forbids it.
    pub const PK: u32 = 1 << 5;
}

/// Why a page that a walk found may not be used like this, None: it may.
pub fn denied(cpu: &Cpu, page: &Page, access: Access, user: bool) -> Option<&'static str> {
    let rights = page.rights;
    if user && !rights.user {
        return Some("user code may not use it (U/S = 0)");
    }
    if access != Access::Fetch && rights.user && smap_bars(cpu, user) {
        return Some("it is a user page (U/S = 1), which CR4.SMAP keeps the supervisor from while RFLAGS.AC = 0");
    }
    if keys::forbid(cpu, page, access, user) {
        return Some("its protection key (bits 62:59 of the entry) is closed to this in PKRU or IA32_PKRS");
    }
    match access {
        Access::Read => None,
        Access::Write if rights.write || !user && cpu.cr0 & cr0::WP == 0 => None,
        Access::Write if user => Some("it is read-only (R/W = 0)"),
        Access::Write => Some("it is read-only (R/W = 0), and CR0.WP makes that hold for the supervisor too"),
        Access::Fetch if !rights.execute => Some("it may not be executed (XD = 1)"),
        Access::Fetch if !user && rights.user && cpu.cr4 & cr4::SMEP != 0 => {
            Some("it is a user page (U/S = 1), which CR4.SMEP forbids the supervisor to execute")
        }
        Access::Fetch => None,
    }
}

/// Supervisor accesses to user pages fault: CR4.SMAP, unless RFLAGS.AC lifts it. What the processor does by itself while
/// user code runs is never lifted.
#[inline]
pub fn smap_bars(cpu: &Cpu, user: bool) -> bool {
    cpu.cr4 & cr4::SMAP != 0 && !user && (cpu.rflags & flags::AC == 0 || cpu.cpl() == 3)
}

/// The page fault at the end of a walk. `denied` is given where the walk reached a page.
#[cold]
pub fn page_fault(
    cpu: &Cpu,
    walk: &Walk,
    linear: u64,
    access: Access,
    user: bool,
    denied: Option<&'static str>,
) -> Trap {
    let at = LinearAddr(linear);
    let (bits, cause) = match walk.end {
        End::NotPresent(level) => (0, format!("{at} is not mapped: {} is not present", entry_name(walk, level))),
        End::Malformed(level, why) => {
            let raw = walk.steps().last().map_or(0, |step| step.raw);
            let entry = entry_name(walk, level);
            (error::P | error::RSVD, format!("the walk for {at} read {entry} = {raw:016x}: {why}"))
        }
        End::NoMemory(table) => (
            error::P | error::RSVD,
            format!("the walk for {at} came to a table at physical {table:08x}, where there is no memory (all ones)"),
        ),
        End::NonCanonical => return Fault::gp(0, format!("{at} is not canonical")).into(),
        End::Page(page) => {
            let why = denied.unwrap_or("it is not allowed");
            let key = if keys::forbid(cpu, &page, access, user) { error::PK } else { 0 };
            (error::P | key, format!("{} {at}: {why}{}", verb(access), forbidding(walk, access, user)))
        }
    };
    let tells_fetches = cpu.cr4 & cr4::SMEP != 0 || cpu.cr4 & cr4::PAE != 0 && cpu.efer & efer::NXE != 0;
    let bits = bits
        | if access == Access::Write { error::WR } else { 0 }
        | if user { error::US } else { 0 }
        | if access == Access::Fetch && tells_fetches { error::ID } else { 0 };
    Fault::page_fault(linear, bits, cause).into()
}

fn verb(access: Access) -> &'static str {
    match access {
        Access::Read => "read of",
        Access::Write => "write to",
        Access::Fetch => "fetch from",
    }
}

/// Which entry took the right away: the first one on the way down.
fn forbidding(walk: &Walk, access: Access, user: bool) -> String {
    let takes = |effective: protocol::page_table::Rights| {
        user && !effective.user
            || access == Access::Write && !effective.write
            || access == Access::Fetch && !effective.execute
    };
    match walk.steps().iter().find(|step| takes(step.effective)) {
        Some(step) => {
            let bit = if access == Access::Fetch && step.raw & pte::XD != 0 { ", its XD bit" } else { "" };
            format!("; {} says so{bit}", entry_name(walk, step.level))
        }
        None => String::new(),
    }
}

/// An entry of a walk by name and index: `PML4[511]`.
fn entry_name(walk: &Walk, level: u8) -> String {
    let index = walk.steps().iter().find(|step| step.level == level).map_or(0, |step| step.index);
    format!("{}[{index}]", level_name(level))
}

/// Name of the table at a level.
pub fn level_name(level: u8) -> &'static str {
    match level {
        5 => "PML5",
        4 => "PML4",
        3 => "PDPT",
        2 => "PD",
        _ => "PT",
    }
}
