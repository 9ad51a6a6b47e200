//! Page tables as a reader sees them: tables, folded runs of entries, and the walk of one linear address.
//!
//! Filled in by `machine::inspect::page_table`; shown by `debugger-ui`'s `page_tables`. Sources: SDM 3A 4.2 to 4.7.

use crate::addr::{LinearAddr, PhysAddr};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// How CR0, CR4 and EFER make the CPU translate (SDM 3A 4.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PagingKind {
    /// CR0.PG = 0: linear = physical.
    #[default]
    Off,
    /// 32-bit paging.
    Bits32,
    /// PAE paging.
    Pae,
    /// 4-level paging.
    Level4,
    /// 5-level paging.
    Level5,
}

/// What a walk needs to know beside the root: these bits change what entries mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagingMode {
    /// Depth.
    pub kind: PagingKind,
    /// EFER.NXE: bit 63 of an entry forbids execution; without it, bit 63 is reserved.
    pub nxe: bool,
    /// CR0.WP: supervisor writes obey read-only pages.
    pub wp: bool,
    /// CR4.PSE: 4 MiB pages in 32-bit paging.
    pub pse: bool,
}

/// What may be done with a page, combined over the levels as the processor does (SDM 3A 4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// R/W set at every level.
    pub write: bool,
    /// U/S set at every level.
    pub user: bool,
    /// XD clear at every level.
    pub execute: bool,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// P = 0.
    NotPresent,
    /// Points at a table of the next level.
    Table {
        /// That table's address.
        next: PhysAddr,
    },
    /// Maps a page.
    Page {
        /// First byte.
        phys: PhysAddr,
        /// 4 KiB, 2 MiB, 4 MiB or 1 GiB, in bytes.
        size: u64,
    },
    /// Present, but a reserved bit is set: use of it raises #PF with RSVD.
    Malformed {
        /// Which bit and why it is reserved.
        why: String,
    },
}

/// A run of like entries. `Table` and `Malformed` entries are runs of one; pages run while physical addresses are
/// contiguous and bits other than the address, A and D are equal; absent entries run without condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRun {
    /// Index of the first entry in its table.
    pub first_index: u16,
    /// Number of entries.
    pub count: u16,
    /// Linear address that the first entry translates, sign-extended.
    pub linear: LinearAddr,
    /// The first entry's raw bits.
    pub raw: u64,
    /// What the first entry is.
    pub kind: EntryKind,
    /// This entry's own rights.
    pub rights: Rights,
    /// Rights combined from the root down to here.
    pub effective: Rights,
}

/// One table of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Physical address.
    pub phys: PhysAddr,
    /// 5 = PML5 .. 1 = PT. Level n entries translate bits from 12 + 9(n - 1) up in 4- and 5-level paging.
    pub level: u8,
    /// Linear address that its entry 0 translates, by the path by which it was reached first.
    pub linear: LinearAddr,
    /// Its entries, absent ones left out.
    pub runs: Vec<EntryRun>,
}

/// The tables below one root. A table that is reached twice stands here twice if by different linear addresses or
/// rights, since effective rights differ; `truncated` says that `max_tables` was reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// The root's physical address.
    pub root: PhysAddr,
    /// How it was read.
    pub mode: PagingMode,
    /// Root first, then depth first.
    pub tables: Vec<Table>,
    /// Not everything is here.
    pub truncated: bool,
}

/// One level of a walk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkStep {
    /// 5 = PML5 .. 1 = PT.
    pub level: u8,
    /// The table read.
    pub table: PhysAddr,
    /// Index from the linear address.
    pub index: u16,
    /// Raw entry.
    pub raw: u64,
    /// What it is.
    pub kind: EntryKind,
    /// Rights combined down to here.
    pub effective: Rights,
}

/// The end of a walk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WalkEnd {
    /// Paging is off, or the walk reached a page.
    Mapped {
        /// Physical address of the byte asked for.
        phys: PhysAddr,
        /// Size of the page in bytes, 0 where paging is off.
        size: u64,
        /// Combined rights.
        rights: Rights,
        /// The leaf's G bit.
        global: bool,
    },
    /// An entry was not present.
    NotPresent {
        /// At this level.
        level: u8,
    },
    /// An entry had a reserved bit set.
    Malformed {
        /// At this level.
        level: u8,
        /// Which bit and why.
        why: String,
    },
    /// The linear address is not canonical.
    NonCanonical,
    /// A table lies where there is no memory.
    NoMemory {
        /// The table.
        table: PhysAddr,
    },
}

/// The walk of one linear address, and what the CPU's TLB holds for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkTrace {
    /// The address.
    pub linear: LinearAddr,
    /// The root.
    pub root: PhysAddr,
    /// How it was read.
    pub mode: PagingMode,
    /// The levels, root first. Empty where paging is off.
    pub steps: Vec<WalkStep>,
    /// How it ended.
    pub end: WalkEnd,
    /// The TLB entry that the CPU would use instead of walking, where a CPU was asked for and has one.
    pub tlb: Option<TlbEntry>,
    /// The TLB entry says something else than memory does.
    pub stale: bool,
}

/// One entry of the architectural TLB (DESIGN.md: fixed size, replaced by fill order).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlbEntry {
    /// First linear address of the page.
    pub linear: LinearAddr,
    /// First physical address.
    pub phys: PhysAddr,
    /// Page size in bytes.
    pub size: u64,
    /// Combined rights.
    pub rights: Rights,
    /// Survives MOV CR3.
    pub global: bool,
    /// The dirty bit was set when it was filled or since.
    pub dirty: bool,
    /// Process-context identifier.
    pub pcid: u16,
}
