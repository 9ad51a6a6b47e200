//! Protection keys: PKRU takes rights away from user pages, IA32_PKRS from supervisor pages, by the key in bits 62:59 of the
//! entry that maps the page (SDM 3A, "Protection Keys").
//!
//! The TLB keeps a page's key and what the registers say of it now ([`super::tlb::Tlb::set_keys`]), so that an access asks
//! one word. No flush is needed after a register changes.

use super::Access;
use super::walk::Page;
use crate::cpu::{Cpu, cr0, cr4, efer};

/// Access disable, in the two bits of a key.
const AD: u32 = 1 << 0;
/// Write disable.
const WD: u32 = 1 << 1;

/// Both registers as they count now; 0 forbids nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// For pages that user code may use.
    pub user: u32,
    /// For all others.
    pub supervisor: u32,
}

impl Keys {
    /// What counts on this CPU: CR4.PKE and CR4.PKS switch them on, in IA-32e mode.
    pub fn of(cpu: &Cpu) -> Self {
        let counts = |bit: u64| cpu.cr4 & bit != 0 && cpu.efer & efer::LMA != 0;
        Self {
            user: if counts(cr4::PKE) { cpu.pkru } else { 0 },
            supervisor: if counts(cr4::PKS) { cpu.msr.pkrs } else { 0 },
        }
    }

    /// AD and WD of a key: data cannot be read, data cannot be written.
    pub fn bars(self, key: u8, is_user_page: bool) -> (bool, bool) {
        let register = if is_user_page { self.user } else { self.supervisor };
        let bits = register >> (2 * (key & 15));
        (bits & AD != 0, bits & WD != 0)
    }
}

/// The page's key forbids this access. Fetches are free; WD holds for the supervisor with CR0.WP only.
pub fn forbid(cpu: &Cpu, page: &Page, access: Access, user: bool) -> bool {
    let (no_data, no_write) = Keys::of(cpu).bars(page.key, page.rights.user);
    match access {
        Access::Fetch => false,
        Access::Read => no_data,
        Access::Write => no_data || no_write && (user || cpu.cr0 & cr0::WP != 0),
    }
}
