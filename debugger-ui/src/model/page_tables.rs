//! Page tables: which roots there are, the tree of one (or two), ranges folded, and the walk of one address.

use protocol::page_table::{PagingMode, Rights, Tree, WalkTrace};
use protocol::{CpuId, LinearAddr, PhysAddr};
use std::collections::BTreeSet;

/// A root that can be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RootKey {
    /// What the selected CPU uses, whichever that is.
    Selected,
    /// What this CPU uses.
    Cpu(CpuId),
    /// A named root of the profile.
    Named(String),
    /// An address typed in.
    Typed(PhysAddr),
}

/// A root in the list of choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootChoice {
    /// Which.
    pub key: RootKey,
    /// "CPU 1 (trampoline_pgd)", "init_top_pgt".
    pub label: String,
    /// Its address; None while it is not made or paging is off.
    pub phys: Option<PhysAddr>,
    /// The CPUs that use it now.
    pub used_by: Vec<CpuId>,
}

/// A row of a tree, to open and close it: level and first linear address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    /// Level of the entry: 5 = in the PML5 .. 1 = in a page table.
    pub level: u8,
    /// First linear address it translates.
    pub linear: LinearAddr,
}

/// What a row of the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// An entry that points at a table.
    Table,
    /// A run of pages.
    Pages,
    /// A malformed entry.
    Malformed,
}

/// One row of a tree, ready to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// To open and close it.
    pub key: RowKey,
    /// What it is.
    pub kind: RowKind,
    /// Indentation: 0 for the root's entries.
    pub depth: u8,
    /// "PML4[511]", "PT[0-3]".
    pub entry: String,
    /// First linear address.
    pub from: LinearAddr,
    /// Last linear address.
    pub to: LinearAddr,
    /// Pages: first physical byte. Table: where it lies.
    pub phys: PhysAddr,
    /// Bytes of one page, 0 for a table.
    pub page_size: u64,
    /// Pages in the run; for a closed table the number of pages below it.
    pub count: u64,
    /// This entry's own rights.
    pub own: Rights,
    /// Rights combined from the root down.
    pub effective: Rights,
    /// G bit of a page.
    pub global: bool,
    /// "RWX G": effective rights as letters, R always, `-` where not.
    pub rights_words: String,
    /// The walk goes through here.
    pub on_walk: bool,
    /// The other root shown beside reaches the same table.
    pub shared: bool,
    /// Can be opened.
    pub expandable: bool,
    /// Is open.
    pub expanded: bool,
    /// What is wrong with it, for a malformed one.
    pub remark: Option<String>,
}

/// A range of linear addresses folded over tables: contiguous, same rights, same page size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// First linear address.
    pub from: LinearAddr,
    /// Last linear address.
    pub to: LinearAddr,
    /// First physical address.
    pub phys: PhysAddr,
    /// Bytes of one page.
    pub page_size: u64,
    /// Pages.
    pub count: u64,
    /// Combined rights.
    pub rights: Rights,
    /// G bit.
    pub global: bool,
    /// The walked address lies in it.
    pub on_walk: bool,
    /// The other root shown beside maps it through the same table.
    pub shared: bool,
    /// The whole row in words: `0000_0000_0000-003f_ffff -> phys 0 RWX G 512 x 2M`.
    pub words: String,
}

/// One root's panel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeView {
    /// Which root is shown.
    pub key: Option<RootKey>,
    /// "init_top_pgt at phys 0034_5000".
    pub title: String,
    /// The tree as read last.
    pub tree: Option<Tree>,
    /// Open rows.
    pub open: BTreeSet<RowKey>,
    /// Rows as they are to be drawn.
    pub rows: Vec<TreeRow>,
    /// The same, folded to ranges.
    pub ranges: Vec<Range>,
    /// The walk of the address in this root.
    pub walk: Option<Walk>,
    /// Why there is no tree: "CPU 1 does not page: CR0.PG is 0, linear addresses are physical".
    pub empty: Option<String>,
}

/// A walk, ready to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// As it came.
    pub trace: WalkTrace,
    /// One box for each level and one for the end.
    pub boxes: Vec<WalkBox>,
    /// How it ended in a sentence; why, where it failed.
    pub verdict: String,
    /// It reached a page.
    pub mapped: bool,
    /// What the TLB says, where it has an entry; a stale one is said to be stale.
    pub tlb: Option<String>,
}

/// One box of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkBox {
    /// "PML4[511]", "page".
    pub title: String,
    /// "table 0034_5000, entry 0000_0000_0034_6023".
    pub detail: String,
    /// Rights of the levels so far: "RW-".
    pub rights: String,
    /// The walk ended here without a page.
    pub failed: bool,
}

/// The page-table panel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageTables {
    /// The panel is shown: only then trees are read.
    pub shown: bool,
    /// What can be chosen.
    pub roots: Vec<RootChoice>,
    /// One or two roots side by side.
    pub views: Vec<TreeView>,
    /// The address typed in for the walk; empty: the selected CPU's next instruction.
    pub walk_text: String,
    /// The address walked.
    pub walk_linear: Option<LinearAddr>,
    /// What is wrong with the text.
    pub walk_error: Option<String>,
    /// How the selected CPU translates.
    pub mode: PagingMode,
}
