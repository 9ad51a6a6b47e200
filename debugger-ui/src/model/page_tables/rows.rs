//! A tree as rows: entries that open and close, and the same folded to ranges of linear addresses.

use protocol::page_table::{EntryKind, EntryRun, Rights, Table, Tree};
use protocol::{LinearAddr, PhysAddr};
use std::collections::BTreeSet;

/// A row of a tree, to open and close it: level and first linear address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    /// Level of the table that the entry is in: 5 = PML5 .. 1 = PT.
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
    /// `PML4[511]`, `PT[0-3]`.
    pub entry: String,
    /// First linear address.
    pub from: LinearAddr,
    /// Last linear address.
    pub to: LinearAddr,
    /// Where the (first) entry itself lies.
    pub at: PhysAddr,
    /// Bytes of an entry: 4 in 32-bit paging, else 8.
    pub entry_bytes: u8,
    /// Pages: first physical byte. Table: where it lies.
    pub phys: PhysAddr,
    /// Bytes of one page, 0 for a table.
    pub page_size: u64,
    /// Pages in the run; for a table the number of pages below it.
    pub count: u64,
    /// The first entry's raw bits.
    pub raw: u64,
    /// This entry's own rights.
    pub own: Rights,
    /// Rights combined from the root down.
    pub effective: Rights,
    /// G bit of a page.
    pub global: bool,
    /// Effective rights as letters: "RWX G", "R--".
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
    /// The other root shown beside reaches the same table.
    pub shared: bool,
    /// The whole row in words: `0000_0000_0000-0000_3fff_ffff -> phys 0 RWX G 512 x 2M`.
    pub words: String,
}

/// Global page (SDM 3A 4.5, bit 8 of an entry that maps a page).
const ENTRY_G: u64 = 1 << 8;

/// The name of the table at a level.
pub fn table_name(level: u8) -> &'static str {
    match level {
        5 => "PML5",
        4 => "PML4",
        3 => "PDPT",
        2 => "PD",
        _ => "PT",
    }
}

/// Rights as letters, R always: "RWX", "R-- U".
pub fn rights_words(rights: Rights, global: bool) -> String {
    let mut words = String::from("R");
    words.push(if rights.write { 'W' } else { '-' });
    words.push(if rights.execute { 'X' } else { '-' });
    if rights.user {
        words.push_str(" U");
    }
    if global {
        words.push_str(" G");
    }
    words
}

/// The size of a page in words: "4K", "2M", "1G".
pub fn size_words(bytes: u64) -> String {
    match bytes.trailing_zeros() {
        30.. if bytes != 0 => format!("{}G", bytes >> 30),
        20..=29 => format!("{}M", bytes >> 20),
        10..=19 => format!("{}K", bytes >> 10),
        _ => bytes.to_string(),
    }
}

/// The physical addresses of all tables below a root, the root left out: what two roots may share.
pub(super) fn tables_of(tree: Option<&Tree>) -> BTreeSet<u64> {
    tree.iter().flat_map(|tree| tree.tables.iter().skip(1)).map(|table| table.phys.0).collect()
}

/// The rows of a tree with these rows open.
pub fn rows(
    tree: &Tree,
    open: &BTreeSet<RowKey>,
    walked: Option<LinearAddr>,
    shared: Option<&BTreeSet<u64>>,
) -> Vec<TreeRow> {
    let mut out = Vec::new();
    if let Some(root) = tree.tables.first() {
        push_table(&Context { tree, open, walked, shared }, root, 0, &mut out);
    }
    out
}

struct Context<'a> {
    tree: &'a Tree,
    open: &'a BTreeSet<RowKey>,
    walked: Option<LinearAddr>,
    shared: Option<&'a BTreeSet<u64>>,
}

fn push_table(context: &Context<'_>, table: &Table, depth: u8, out: &mut Vec<TreeRow>) {
    let entry_bytes = if context.tree.mode.kind == protocol::page_table::PagingKind::Bits32 { 4 } else { 8 };
    for run in &table.runs {
        let key = RowKey { level: table.level, linear: run.linear };
        let (kind, phys, page_size, child) = match &run.kind {
            EntryKind::NotPresent => continue,
            EntryKind::Table { next } => {
                (RowKind::Table, *next, 0, child(context.tree, table.level, *next, run.linear))
            }
            EntryKind::Page { phys, size } => (RowKind::Pages, *phys, *size, None),
            EntryKind::Malformed { .. } => (RowKind::Malformed, PhysAddr(0), 0, None),
        };
        let to = last_linear(table.level, run, context.tree);
        let global = kind == RowKind::Pages && run.raw & ENTRY_G != 0;
        let expanded = child.is_some() && context.open.contains(&key);
        out.push(TreeRow {
            key,
            kind,
            depth,
            entry: entry_words(table.level, run),
            from: run.linear,
            to,
            at: PhysAddr(table.phys.0.wrapping_add(u64::from(run.first_index) * u64::from(entry_bytes))),
            entry_bytes,
            phys,
            page_size,
            count: child.map_or(u64::from(run.count), |child| pages_below(context.tree, child)),
            raw: run.raw,
            own: run.rights,
            effective: run.effective,
            global,
            rights_words: rights_words(run.effective, global),
            on_walk: context.walked.is_some_and(|linear| run.linear <= linear && linear <= to),
            shared: kind == RowKind::Table && context.shared.is_some_and(|tables| tables.contains(&phys.0)),
            expandable: child.is_some(),
            expanded,
            remark: match &run.kind {
                EntryKind::Malformed { why } => Some(why.clone()),
                EntryKind::Table { .. } if child.is_none() => Some("not read: the tree is too large".to_owned()),
                _ => None,
            },
        });
        if let (true, Some(child)) = (expanded, child) {
            push_table(context, child, depth + 1, out);
        }
    }
}

/// The table that an entry points at, as reached through that entry.
fn child(tree: &Tree, level: u8, next: PhysAddr, linear: LinearAddr) -> Option<&Table> {
    let below = |table: &&Table| table.phys == next && table.level + 1 == level;
    let exact = tree.tables.iter().find(|table| below(table) && table.linear == linear);
    exact.or_else(|| tree.tables.iter().find(below))
}

fn pages_below(tree: &Tree, table: &Table) -> u64 {
    table
        .runs
        .iter()
        .map(|run| match &run.kind {
            EntryKind::Page { .. } => u64::from(run.count),
            EntryKind::Table { next } => {
                child(tree, table.level, *next, run.linear).map_or(0, |child| pages_below(tree, child))
            }
            EntryKind::NotPresent | EntryKind::Malformed { .. } => 0,
        })
        .sum()
}

fn entry_words(level: u8, run: &EntryRun) -> String {
    let (name, first) = (table_name(level), run.first_index);
    match run.count {
        0 | 1 => format!("{name}[{first}]"),
        count => format!("{name}[{first}-{}]", first.saturating_add(count - 1)),
    }
}

/// The last linear address of a run: entries of level n translate 2^(12 + 9(n - 1)) bytes, of 32-bit paging 4 MiB or 4 KiB.
fn last_linear(level: u8, run: &EntryRun, tree: &Tree) -> LinearAddr {
    let bits = match (tree.mode.kind, level) {
        (protocol::page_table::PagingKind::Bits32, 2) => 22,
        _ => 12 + 9 * u32::from(level.saturating_sub(1)),
    };
    let bytes = u64::from(run.count.max(1)) << bits;
    LinearAddr(run.linear.0.wrapping_add(bytes).wrapping_sub(1))
}

/// The tree folded to ranges, in the order of linear addresses.
pub fn ranges(tree: &Tree, walked: Option<LinearAddr>, shared: Option<&BTreeSet<u64>>) -> Vec<Range> {
    let mut out: Vec<Range> = Vec::new();
    if let Some(root) = tree.tables.first() {
        push_ranges(tree, root, false, shared, &mut out);
    }
    out.sort_by_key(|range| range.from);
    for range in &mut out {
        range.on_walk = walked.is_some_and(|linear| range.from <= linear && linear <= range.to);
        range.words = range_words(range);
    }
    out
}

pub(super) fn push_ranges(
    tree: &Tree,
    table: &Table,
    in_shared: bool,
    shared: Option<&BTreeSet<u64>>,
    out: &mut Vec<Range>,
) {
    for run in &table.runs {
        match &run.kind {
            EntryKind::Table { next } => {
                if let Some(child) = child(tree, table.level, *next, run.linear) {
                    let in_shared = in_shared || shared.is_some_and(|tables| tables.contains(&next.0));
                    push_ranges(tree, child, in_shared, shared, out);
                }
            }
            EntryKind::Page { phys, size } => {
                let piece = Range {
                    from: run.linear,
                    to: last_linear(table.level, run, tree),
                    phys: *phys,
                    page_size: *size,
                    count: u64::from(run.count),
                    rights: run.effective,
                    global: run.raw & ENTRY_G != 0,
                    on_walk: false,
                    shared: in_shared,
                    words: String::new(),
                };
                match out.last_mut().filter(|last| continues(last, &piece)) {
                    Some(last) => {
                        last.to = piece.to;
                        last.count += piece.count;
                    }
                    None => out.push(piece),
                }
            }
            EntryKind::NotPresent | EntryKind::Malformed { .. } => {}
        }
    }
}

fn continues(last: &Range, piece: &Range) -> bool {
    last.to.0.wrapping_add(1) == piece.from.0
        && last.phys.0.wrapping_add(last.count.wrapping_mul(last.page_size)) == piece.phys.0
        && (last.page_size, last.rights, last.global, last.shared)
            == (piece.page_size, piece.rights, piece.global, piece.shared)
}

pub(super) fn range_words(range: &Range) -> String {
    let (count, size) = (range.count, size_words(range.page_size));
    let rights = rights_words(range.rights, range.global);
    let shared = if range.shared { "  shared" } else { "" };
    format!("{}-{} -> phys {:x}  {rights}  {count} x {size}{shared}", short(range.from), short(range.to), range.phys.0)
}

/// A linear address as ranges show it: 12 digits in groups; all 16 where the upper ones are not zeros.
pub fn short(linear: LinearAddr) -> String {
    let text = format!("{:016x}", linear.0);
    let groups: Vec<&str> = (0..4).map(|at| &text[at * 4..at * 4 + 4]).collect();
    let from = usize::from(groups[0] == "0000");
    groups[from..].join("_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::page_table::{PagingKind, PagingMode};

    const RWX: Rights = Rights { write: true, user: false, execute: true };
    const RO: Rights = Rights { write: false, user: false, execute: false };

    fn pages(first_index: u16, count: u16, linear: u64, phys: u64, size: u64, rights: Rights) -> EntryRun {
        EntryRun {
            first_index,
            count,
            linear: LinearAddr(linear),
            raw: 0x1e3,
            kind: EntryKind::Page { phys: PhysAddr(phys), size },
            rights,
            effective: rights,
        }
    }

    fn pointer(first_index: u16, linear: u64, next: u64) -> EntryRun {
        EntryRun {
            first_index,
            count: 1,
            linear: LinearAddr(linear),
            raw: next | 0x23,
            kind: EntryKind::Table { next: PhysAddr(next) },
            rights: RWX,
            effective: RWX,
        }
    }

    fn table(level: u8, phys: u64, linear: u64, runs: Vec<EntryRun>) -> Table {
        Table { phys: PhysAddr(phys), level, linear: LinearAddr(linear), runs }
    }

    /// Slot 0 -> PDPT -> two PDs of contiguous 2 MiB pages, the second ends with a read-only page.
    fn tree() -> Tree {
        let size = 2 << 20;
        Tree {
            root: PhysAddr(0x1000),
            mode: PagingMode { kind: PagingKind::Level4, nxe: true, wp: true, pse: false },
            tables: vec![
                table(4, 0x1000, 0, vec![pointer(0, 0, 0x2000)]),
                table(3, 0x2000, 0, vec![pointer(0, 0, 0x3000), pointer(1, 1 << 30, 0x4000)]),
                table(2, 0x3000, 0, vec![pages(0, 512, 0, 0, size, RWX)]),
                table(
                    2,
                    0x4000,
                    1 << 30,
                    vec![pages(0, 3, 1 << 30, 1 << 30, size, RWX), pages(3, 1, (1 << 30) + 3 * size, 0, size, RO)],
                ),
            ],
            truncated: false,
        }
    }

    /// Goal: rows open and close; method: count rows closed, opened once, opened twice.
    #[test]
    fn opening() {
        let tree = tree();
        let mut open = BTreeSet::new();
        let closed = rows(&tree, &open, None, None);
        assert_eq!((closed.len(), closed[0].entry.as_str(), closed[0].count), (1, "PML4[0]", 516));
        open.insert(closed[0].key);
        let once = rows(&tree, &open, Some(LinearAddr(1 << 30)), None);
        assert_eq!(once.len(), 3);
        assert_eq!((once[1].on_walk, once[2].on_walk, once[2].depth), (false, true, 1));
        open.insert(once[1].key);
        let twice = rows(&tree, &open, None, None);
        assert_eq!((twice[2].entry.as_str(), twice[2].rights_words.as_str()), ("PD[0-511]", "RWX G"));
    }

    /// Goal: ranges fold over tables and break where rights change; method: the words of both rows.
    #[test]
    fn folding() {
        let words: Vec<String> = ranges(&tree(), None, None).into_iter().map(|range| range.words).collect();
        assert_eq!(
            words,
            [
                "0000_0000_0000-0000_405f_ffff -> phys 0  RWX G  515 x 2M",
                "0000_4060_0000-0000_407f_ffff -> phys 0  R-- G  1 x 2M",
            ]
        );
    }

    /// Goal: what two roots share is marked; method: the other root reaches one of the tables.
    #[test]
    fn sharing() {
        let other = BTreeSet::from([0x4000]);
        let marked: Vec<bool> = ranges(&tree(), None, Some(&other)).into_iter().map(|range| range.shared).collect();
        assert_eq!(marked, [false, true, true]);
    }
}
