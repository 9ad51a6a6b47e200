//! Two roots side by side: which ranges both map, by the same table or each in its own way, and where they differ.
//!
//! Ranges are grouped by top-level entry. Two entries that point at the same table are *shared*: whatever is changed
//! below is changed in both. They need not translate the same addresses: slot 0 of one may be slot 273 of the other.

use super::rows::{Range, push_ranges, range_words, table_name};
use protocol::LinearAddr;
use protocol::page_table::{EntryKind, Table, Tree};

/// One row: what the left root maps, and what the right one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairRow {
    /// The left root's range.
    pub left: Option<Range>,
    /// The right root's.
    pub right: Option<Range>,
    /// How the two belong together.
    pub relation: Relation,
    /// The row as a sentence, for lists and screen readers.
    pub words: String,
}

/// How the two halves of a row belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same table lies behind both top-level entries.
    Shared {
        /// The first row of the group.
        first: bool,
        /// The last row of the group.
        last: bool,
        /// `PML4[0] = PML4[273]`.
        entries: String,
    },
    /// Tables of their own that map this range alike.
    Same,
    /// Mapped by both, to other places or with other rights.
    Differs,
    /// Only the left root maps it.
    OnlyLeft,
    /// Only the right root maps it.
    OnlyRight,
}

impl PairRow {
    /// The roots do not agree here.
    pub fn differs(&self) -> bool {
        matches!(self.relation, Relation::Differs | Relation::OnlyLeft | Relation::OnlyRight)
    }
}

/// A top-level entry, or a run of pages in the top-level table.
struct Top {
    index: u16,
    linear: LinearAddr,
    /// The table it points at.
    table: Option<u64>,
    ranges: Vec<Range>,
}

fn tops(tree: &Tree, walked: Option<LinearAddr>) -> Vec<Top> {
    let Some(root) = tree.tables.first() else { return Vec::new() };
    let top = |run: &protocol::page_table::EntryRun| {
        let mut ranges = Vec::new();
        push_ranges(tree, &Table { runs: vec![run.clone()], ..root.clone() }, false, None, &mut ranges);
        for range in &mut ranges {
            range.on_walk = walked.is_some_and(|linear| range.from <= linear && linear <= range.to);
            range.words = range_words(range);
        }
        let table = match run.kind {
            EntryKind::Table { next } => Some(next.0),
            _ => None,
        };
        Top { index: run.first_index, linear: run.linear, table, ranges }
    };
    root.runs.iter().filter(|run| run.kind != EntryKind::NotPresent).map(top).collect()
}

/// The rows of two trees.
pub fn pairs(left: &Tree, right: &Tree, walked: Option<LinearAddr>) -> Vec<PairRow> {
    let name = table_name(left.tables.first().map_or(4, |table| table.level));
    let (lefts, rights) = (tops(left, walked), tops(right, walked));
    let mut groups: Vec<(LinearAddr, Vec<PairRow>)> = Vec::new();
    let mut used = vec![false; rights.len()];
    for one in &lefts {
        let same_table = |other: &Top| one.table.is_some() && other.table == one.table;
        let here = rights.iter().position(|other| other.index == one.index && same_table(other));
        let shared = here.or_else(|| rights.iter().position(same_table));
        let rows = match shared {
            Some(at) => {
                used[at] = true;
                shared_rows(one, &rights[at], name)
            }
            None => {
                let same_place = rights.iter().position(|other| {
                    other.index == one.index
                        && !lefts.iter().any(|left| left.table.is_some() && left.table == other.table)
                });
                if let Some(at) = same_place {
                    used[at] = true;
                }
                merged_rows(&one.ranges, same_place.map_or(&[], |at| &rights[at].ranges))
            }
        };
        groups.push((one.linear, rows));
    }
    for (other, _) in rights.iter().zip(used).filter(|(_, used)| !used) {
        groups.push((other.linear, merged_rows(&[], &other.ranges)));
    }
    groups.sort_by_key(|(linear, _)| *linear);
    groups.into_iter().flat_map(|(_, rows)| rows).collect()
}

/// Both entries point at the same table: its ranges, as either root sees them.
fn shared_rows(left: &Top, right: &Top, name: &str) -> Vec<PairRow> {
    let count = left.ranges.len().max(right.ranges.len());
    let entries = format!("{name}[{}] = {name}[{}]", left.index, right.index);
    let row = |at: usize| {
        let relation = Relation::Shared { first: at == 0, last: at + 1 == count, entries: entries.clone() };
        row(left.ranges.get(at).cloned(), right.ranges.get(at).cloned(), relation)
    };
    (0..count).map(row).collect()
}

/// Tables of their own: rows in the order of addresses, what begins at the same address side by side.
fn merged_rows(left: &[Range], right: &[Range]) -> Vec<PairRow> {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    let mut rows = Vec::new();
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return rows,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(left), Some(right)) => left.from.cmp(&right.from),
        };
        rows.push(match order {
            std::cmp::Ordering::Less => row(left.next().cloned(), None, Relation::OnlyLeft),
            std::cmp::Ordering::Greater => row(None, right.next().cloned(), Relation::OnlyRight),
            std::cmp::Ordering::Equal => {
                let (left, right) = (left.next().cloned(), right.next().cloned());
                let alike = left.as_ref().map(what) == right.as_ref().map(what);
                row(left, right, if alike { Relation::Same } else { Relation::Differs })
            }
        });
    }
}

/// What a range maps, whether or not the walk goes through it.
fn what(range: &Range) -> (LinearAddr, LinearAddr, u64, u64, protocol::page_table::Rights, bool) {
    (range.from, range.to, range.phys.0, range.page_size, range.rights, range.global)
}

fn row(left: Option<Range>, right: Option<Range>, relation: Relation) -> PairRow {
    let side = |range: &Option<Range>| range.as_ref().map_or("not mapped", |range| range.words.as_str()).to_owned();
    let (one, other) = (side(&left), side(&right));
    let words = match &relation {
        Relation::Shared { entries, .. } if one == other => format!("shared, {entries}: {one}"),
        Relation::Shared { entries, .. } => format!("shared, {entries}: left {one}; right {other}"),
        Relation::Same => format!("the same in tables of their own: {one}"),
        Relation::Differs => format!("differs: left {one}; right {other}"),
        Relation::OnlyLeft => format!("only left: {one}"),
        Relation::OnlyRight => format!("only right: {other}"),
    };
    PairRow { left, right, relation, words }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::PhysAddr;
    use protocol::page_table::{EntryRun, PagingKind, PagingMode, Rights};

    const RWX: Rights = Rights { write: true, user: false, execute: true };

    fn pointer(index: u16, linear: u64, next: u64) -> EntryRun {
        let kind = EntryKind::Table { next: PhysAddr(next) };
        EntryRun {
            first_index: index,
            count: 1,
            linear: LinearAddr(linear),
            raw: next | 0x23,
            kind,
            rights: RWX,
            effective: RWX,
        }
    }

    fn gigabyte(linear: u64, phys: u64) -> EntryRun {
        let kind = EntryKind::Page { phys: PhysAddr(phys), size: 1 << 30 };
        EntryRun {
            first_index: 0,
            count: 1,
            linear: LinearAddr(linear),
            raw: phys | 0xe3,
            kind,
            rights: RWX,
            effective: RWX,
        }
    }

    fn table(level: u8, phys: u64, linear: u64, runs: Vec<EntryRun>) -> Table {
        Table { phys: PhysAddr(phys), level, linear: LinearAddr(linear), runs }
    }

    const DIRECT: u64 = 0xffff_8880_0000_0000;
    const KERNEL: u64 = 0xffff_ff80_0000_0000;

    fn tree(root: u64, tables: Vec<Table>) -> Tree {
        let mode = PagingMode { kind: PagingKind::Level4, nxe: true, wp: true, pse: false };
        Tree { root: PhysAddr(root), mode, tables, truncated: false }
    }

    /// Slot 0 is the direct map's table, slot 511 the kernel's.
    fn trampoline_pgd() -> Tree {
        tree(
            0x9c000,
            vec![
                table(4, 0x9c000, 0, vec![pointer(0, 0, 0x2000), pointer(511, KERNEL, 0x3000)]),
                table(3, 0x2000, 0, vec![gigabyte(0, 0)]),
                table(3, 0x3000, KERNEL, vec![gigabyte(KERNEL, 1 << 30)]),
            ],
        )
    }

    fn init_top_pgt(kernel_table: u64) -> Tree {
        tree(
            0x1000,
            vec![
                table(4, 0x1000, 0, vec![pointer(273, DIRECT, 0x2000), pointer(511, KERNEL, kernel_table)]),
                table(3, 0x2000, DIRECT, vec![gigabyte(DIRECT, 0)]),
                table(3, kernel_table, KERNEL, vec![gigabyte(KERNEL, 2 << 30)]),
            ],
        )
    }

    /// Goal: what is shared is found at whatever slot, with the entries named; method: trampoline_pgd's shape.
    #[test]
    fn sharing() {
        let rows = pairs(&trampoline_pgd(), &init_top_pgt(0x3000), None);
        let words: Vec<_> = rows.iter().map(|row| row.words.split(':').next().unwrap()).collect();
        assert_eq!(words, ["shared, PML4[0] = PML4[273]", "shared, PML4[511] = PML4[511]"]);
        assert!(!rows.iter().any(PairRow::differs));
        assert!(matches!(rows[0].relation, Relation::Shared { first: true, last: true, .. }));
    }

    /// Goal: another table behind the same slot differs or is the same by what it maps; method: both cases, one root
    /// against itself, and against nothing.
    #[test]
    fn differences() {
        let rows = pairs(&trampoline_pgd(), &init_top_pgt(0x4000), None);
        assert_eq!(rows[1].relation, Relation::Differs);
        let mut copy = trampoline_pgd();
        copy.tables[0].runs[1] = pointer(511, KERNEL, 0x5000);
        copy.tables[2].phys = PhysAddr(0x5000);
        let rows = pairs(&trampoline_pgd(), &copy, Some(LinearAddr(KERNEL + 5)));
        assert_eq!(rows[1].relation, Relation::Same);
        assert!(rows[1].left.as_ref().unwrap().on_walk);
        let empty = tree(0x6000, vec![table(4, 0x6000, 0, vec![])]);
        assert!(pairs(&trampoline_pgd(), &empty, None).iter().all(|row| row.relation == Relation::OnlyLeft));
        assert!(pairs(&empty, &trampoline_pgd(), None).iter().all(|row| row.relation == Relation::OnlyRight));
    }
}
