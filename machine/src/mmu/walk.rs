//! The page walk: pure functions over a way to read physical memory, so that the MMU ([`super::access`]) and a reader
//! ([`crate::inspect`]) do exactly the same. A walk changes nothing; it returns its steps, and its user sets A and D.
//!
//! Sources: SDM 3A, chapter "Paging": the formats of the entries, "Combined Page Rights" and "Reserved Bits".

use crate::cpu::{Cpu, cr0, cr4, efer};
use protocol::page_table::{PagingKind, PagingMode, Rights};

/// Width of physical addresses in bits, as CPUID.80000008H tells it.
pub const MAXPHYADDR: u32 = 40;
/// Deepest walk: PML5 to PT.
pub const MAX_LEVELS: usize = 5;

/// Bits of paging-structure entries (SDM 3A, "Formats of CR3 and Paging-Structure Entries").
pub mod pte {
    /// Present.
    pub const P: u64 = 1 << 0;
    /// Writes allowed.
    pub const RW: u64 = 1 << 1;
    /// User-mode accesses allowed.
    pub const US: u64 = 1 << 2;
    /// Accessed.
    pub const A: u64 = 1 << 5;
    /// Dirty.
    pub const D: u64 = 1 << 6;
    /// Maps a page, where the level can be a table too.
    pub const PS: u64 = 1 << 7;
    /// Global.
    pub const G: u64 = 1 << 8;
    /// Lowest bit of the protection key, 62:59, in what maps a page.
    pub const KEY_SHIFT: u32 = 59;
    /// Execute disable.
    pub const XD: u64 = 1 << 63;
}

/// Bits 51:12: where an entry points.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Physical-address bits that do not exist.
const ABOVE_MAXPHYADDR: u64 = ADDRESS & !((1 << MAXPHYADDR) - 1);
/// Bits 62:52, reserved in PAE paging, ignored in 4- and 5-level paging.
const PAE_IGNORED_IN_LONG: u64 = 0x7ff0_0000_0000_0000;
/// Bits 2:1 and 8:5 of a PDPTE in PAE paging.
const PDPTE_RESERVED: u64 = 0x1e6;

/// What a walk needs: how to read entries, and where they begin.
#[derive(Clone, Copy, Debug)]
pub struct Paging {
    /// What the entries mean.
    pub mode: PagingMode,
    /// CR3, or any root: bits that are not the table's address are ignored.
    pub root: u64,
    /// The PDPTE registers of PAE paging. None: read from the table at the root, as MOV CR3 would.
    pub pdptes: Option<[u64; 4]>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// P = 0.
    NotPresent,
    /// Points at a table of the next level, at this physical address.
    Table(u64),
    /// Maps a page.
    Page {
        /// Physical address of its first byte.
        phys: u64,
        /// Bytes.
        size: u64,
    },
    /// Present, with a reserved bit set: which, in words.
    Malformed(&'static str),
}

/// One entry read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// 5 = PML5 .. 1 = PT.
    pub level: u8,
    /// Physical address of the table. For PDPTE registers, where the table would be.
    pub table: u64,
    /// Index of the entry.
    pub index: u16,
    /// The entry.
    pub raw: u64,
    /// What it is.
    pub entry: Entry,
    /// Rights combined from the root down to here.
    pub effective: Rights,
    /// It came from a PDPTE register, not from memory.
    pub is_register: bool,
}

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At a page.
    Page(Page),
    /// At an entry with P = 0, at this level.
    NotPresent(u8),
    /// At an entry with a reserved bit set: level and which bit.
    Malformed(u8, &'static str),
    /// The table at this physical address is not in memory.
    NoMemory(u64),
    /// The linear address is not canonical.
    NonCanonical,
}

/// A translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Physical address of its first byte.
    pub phys: u64,
    /// Bytes.
    pub size: u64,
    /// Combined rights.
    pub rights: Rights,
    /// The leaf's G bit.
    pub global: bool,
    /// Protection key; 0 outside 4- and 5-level paging.
    pub key: u8,
}

/// A walk: the entries it read, root first, and its end.
#[derive(Clone, Debug)]
pub struct Walk {
    steps: [Step; MAX_LEVELS],
    count: usize,
    /// How it ended.
    pub end: End,
}

impl Walk {
    /// The entries read, root first.
    pub fn steps(&self) -> &[Step] {
        &self.steps[..self.count]
    }
}

/// How a CPU with these control registers translates (SDM 3A, "Three Paging Modes").
pub fn paging_mode(cr0: u64, cr4: u64, efer: u64) -> PagingMode {
    let kind = if cr0 & cr0::PG == 0 {
        PagingKind::Off
    } else if cr4 & cr4::PAE == 0 {
        PagingKind::Bits32
    } else if efer & efer::LMA == 0 {
        PagingKind::Pae
    } else if cr4 & cr4::LA57 == 0 {
        PagingKind::Level4
    } else {
        PagingKind::Level5
    };
    PagingMode { kind, nxe: efer & efer::NXE != 0, wp: cr0 & cr0::WP != 0, pse: cr4 & cr4::PSE != 0 }
}

impl Paging {
    /// How this CPU translates now.
    pub fn of(cpu: &Cpu) -> Self {
        Self { mode: paging_mode(cpu.cr0, cpu.cr4, cpu.efer), root: cpu.cr3, pdptes: Some(cpu.pdptes) }
    }

    /// The level at which a walk begins; 0: paging is off.
    pub fn top_level(&self) -> u8 {
        match self.mode.kind {
            PagingKind::Off => 0,
            PagingKind::Bits32 => 2,
            PagingKind::Pae => 3,
            PagingKind::Level4 => 4,
            PagingKind::Level5 => 5,
        }
    }

    /// Physical address of the first table.
    pub fn root_table(&self) -> u64 {
        match self.mode.kind {
            PagingKind::Bits32 => self.root & 0xffff_f000,
            PagingKind::Pae => self.root & 0xffff_ffe0,
            _ => self.root & ADDRESS & !ABOVE_MAXPHYADDR,
        }
    }

    /// Index of the entry that translates a linear address at a level.
    pub fn index(&self, level: u8, linear: u64) -> u16 {
        match self.mode.kind {
            PagingKind::Bits32 => (linear >> (2 + 10 * u32::from(level)) & 0x3ff) as u16,
            PagingKind::Pae if level == 3 => (linear >> 30 & 3) as u16,
            _ => (linear >> (3 + 9 * u32::from(level)) & 0x1ff) as u16,
        }
    }
}

/// A linear address that 4- or 5-level paging can translate: the bits above the top one equal it.
#[inline]
pub fn is_canonical(linear: u64, la57: bool) -> bool {
    let unused = if la57 { 7 } else { 16 };
    ((linear << unused) as i64 >> unused) as u64 == linear
}

/// A linear address as wide as the processor can have them (57 bits), whatever CR4.LA57 says: what MSRs, bases of segments and
/// descriptor tables and INVPCID take (SDM 3A, "Canonical Addressing" and "5-Level Paging").
pub fn is_canonical_to_the_processor(linear: u64) -> bool {
    is_canonical(linear, true)
}

/// What an entry is, at its level (5 = PML5 .. 1 = PT).
pub fn classify(mode: PagingMode, level: u8, raw: u64) -> Entry {
    if raw & pte::P == 0 {
        return Entry::NotPresent;
    }
    if mode.kind == PagingKind::Bits32 {
        return classify_32(mode, level, raw);
    }
    if mode.kind == PagingKind::Pae && level == 3 {
        return if raw & PDPTE_RESERVED != 0 {
            Entry::Malformed("bits 2:1 and 8:5 of a PDPTE of PAE paging are reserved")
        } else if raw & (ABOVE_MAXPHYADDR | PAE_IGNORED_IN_LONG | pte::XD) != 0 {
            Entry::Malformed("bits above the physical-address width are reserved")
        } else {
            Entry::Table(raw & ADDRESS)
        };
    }
    if raw & ABOVE_MAXPHYADDR != 0 || mode.kind == PagingKind::Pae && raw & PAE_IGNORED_IN_LONG != 0 {
        return Entry::Malformed("bits above the physical-address width are reserved");
    }
    if raw & pte::XD != 0 && !mode.nxe {
        return Entry::Malformed("bit 63 (XD) is reserved while EFER.NXE = 0");
    }
    let large = raw & pte::PS != 0;
    match level {
        1 => Entry::Page { phys: raw & ADDRESS, size: 1 << 12 },
        2 if large && raw & 0x001f_e000 != 0 => Entry::Malformed("bits 20:13 of a 2 MiB page's entry are reserved"),
        2 if large => Entry::Page { phys: raw & ADDRESS & !0x1f_ffff, size: 1 << 21 },
        3 if large && raw & 0x3fff_e000 != 0 => Entry::Malformed("bits 29:13 of a 1 GiB page's entry are reserved"),
        3 if large => Entry::Page { phys: raw & ADDRESS & !0x3fff_ffff, size: 1 << 30 },
        4 | 5 if large => Entry::Malformed("bit 7 (PS) of a PML4 or PML5 entry is reserved"),
        _ => Entry::Table(raw & ADDRESS),
    }
}

/// 32-bit paging. The address of a 4 MiB page has bits 39:32 in bits 20:13 of its entry (PSE-36).
fn classify_32(mode: PagingMode, level: u8, raw: u64) -> Entry {
    if level == 1 {
        Entry::Page { phys: raw & 0xffff_f000, size: 1 << 12 }
    } else if raw & pte::PS == 0 || !mode.pse {
        Entry::Table(raw & 0xffff_f000)
    } else if raw & 1 << 21 != 0 {
        Entry::Malformed("bit 21 of a 4 MiB page's entry is reserved")
    } else {
        Entry::Page { phys: raw & 0xffc0_0000 | (raw >> 13 & 0xff) << 32, size: 1 << 22 }
    }
}

/// The rights that an entry itself grants. PDPTEs of PAE paging have none of their own and grant all.
pub fn entry_rights(mode: PagingMode, level: u8, raw: u64) -> Rights {
    if mode.kind == PagingKind::Pae && level == 3 {
        return ALL_RIGHTS;
    }
    let wide = mode.kind != PagingKind::Bits32;
    Rights { write: raw & pte::RW != 0, user: raw & pte::US != 0, execute: !(wide && mode.nxe && raw & pte::XD != 0) }
}

/// Where a walk begins: nothing is forbidden yet.
pub const ALL_RIGHTS: Rights = Rights { write: true, user: true, execute: true };

/// Rights over two levels: all must grant what is granted.
pub fn combine(upper: Rights, lower: Rights) -> Rights {
    Rights {
        write: upper.write && lower.write,
        user: upper.user && lower.user,
        execute: upper.execute && lower.execute,
    }
}

/// Walks the tables for a linear address. `read` gets the physical address of 8 aligned bytes and returns them, None
/// where there is no memory. Paging must be on.
pub fn walk(paging: &Paging, linear: u64, mut read: impl FnMut(u64) -> Option<u64>) -> Walk {
    let blank = Step {
        level: 0,
        table: 0,
        index: 0,
        raw: 0,
        entry: Entry::NotPresent,
        effective: ALL_RIGHTS,
        is_register: false,
    };
    let mut walk = Walk { steps: [blank; MAX_LEVELS], count: 0, end: End::NonCanonical };
    let mode = paging.mode;
    match mode.kind {
        PagingKind::Level4 | PagingKind::Level5 if !is_canonical(linear, mode.kind == PagingKind::Level5) => {
            return walk;
        }
        _ => {}
    }
    let mut table = paging.root_table();
    let mut effective = ALL_RIGHTS;
    let mut level = paging.top_level();
    loop {
        let index = paging.index(level, linear);
        let register = paging.pdptes.filter(|_| mode.kind == PagingKind::Pae && level == 3);
        let raw = match register {
            Some(pdptes) => pdptes[usize::from(index)],
            None => match read_entry(mode, table, index, &mut read) {
                Some(raw) => raw,
                None => {
                    walk.end = End::NoMemory(table);
                    return walk;
                }
            },
        };
        let entry = classify(mode, level, raw);
        effective = combine(effective, entry_rights(mode, level, raw));
        let is_register = register.is_some();
        walk.steps[walk.count] = Step { level, table, index, raw, entry, effective, is_register };
        walk.count += 1;
        walk.end = match entry {
            Entry::Table(next) => {
                table = next;
                level -= 1;
                continue;
            }
            Entry::NotPresent => End::NotPresent(level),
            Entry::Malformed(why) => End::Malformed(level, why),
            Entry::Page { phys, size } => {
                let has_key = matches!(mode.kind, PagingKind::Level4 | PagingKind::Level5);
                let key = if has_key { (raw >> pte::KEY_SHIFT) as u8 & 15 } else { 0 };
                End::Page(Page { phys, size, rights: effective, global: raw & pte::G != 0, key })
            }
        };
        return walk;
    }
}

/// Physical address of an entry.
pub fn entry_address(mode: PagingMode, table: u64, index: u16) -> u64 {
    table + u64::from(index) * if mode.kind == PagingKind::Bits32 { 4 } else { 8 }
}

/// Reads an entry; those of 32-bit paging are half of 8 aligned bytes.
pub fn read_entry(mode: PagingMode, table: u64, index: u16, read: &mut impl FnMut(u64) -> Option<u64>) -> Option<u64> {
    let at = entry_address(mode, table, index);
    let raw = read(at & !7)?;
    Some(match (mode.kind, at & 4) {
        (PagingKind::Bits32, 0) => raw & 0xffff_ffff,
        (PagingKind::Bits32, _) => raw >> 32,
        _ => raw,
    })
}
