//! Page tables as trees and walks, by the same functions that the MMU walks with ([`crate::mmu::walk`]). Reads memory,
//! changes nothing.

use super::cpu_of;
use super::reader::PhysReader;
use crate::machine::Machine;
use crate::mmu::walk::{self, ALL_RIGHTS, End, Entry, Paging, pte};
use protocol::page_table::{
    EntryKind, EntryRun, PagingKind, Rights, Table, TlbEntry, Tree, WalkEnd, WalkStep, WalkTrace,
};
use protocol::request::RootSpec;
use protocol::{CpuId, LinearAddr, PhysAddr};

/// Bits that do not break a run of entries: accessed and dirty.
const RUN_IGNORES: u64 = pte::A | pte::D;

/// How to walk from a root, and whose TLB to compare with.
fn paging_of(machine: &Machine, root: RootSpec) -> Result<(Paging, Option<CpuId>), String> {
    match root {
        RootSpec::Cpu(cpu) => Ok((Paging::of(cpu_of(machine, cpu)?), Some(cpu))),
        RootSpec::Phys { root, mode } => Ok((Paging { mode, root: root.0, pdptes: None }, None)),
    }
}

/// The tables below a root, root first, then depth first, at most `max_tables`. Since the depth is bounded by the paging
/// mode and the number by `max_tables`, tables that point at each other cannot hang it.
pub fn tree(machine: &Machine, root: RootSpec, max_tables: usize) -> Result<Tree, String> {
    let (paging, _) = paging_of(machine, root)?;
    Ok(tree_below(&machine.bus, paging, max_tables))
}

/// The same for any machine.
pub fn tree_below(memory: &(impl PhysReader + ?Sized), paging: Paging, max_tables: usize) -> Tree {
    let mut tree = Tree { root: PhysAddr(paging.root_table()), mode: paging.mode, ..Tree::default() };
    if paging.mode.kind != PagingKind::Off {
        let mut builder = Builder { paging, memory, max_tables, tree: &mut tree };
        builder.add_table(paging.root_table(), paging.top_level(), 0, ALL_RIGHTS);
    }
    tree
}

struct Builder<'a, M: ?Sized> {
    paging: Paging,
    memory: &'a M,
    max_tables: usize,
    tree: &'a mut Tree,
}

impl<M: PhysReader + ?Sized> Builder<'_, M> {
    fn add_table(&mut self, phys: u64, level: u8, linear: u64, rights: Rights) {
        if self.tree.tables.len() >= self.max_tables {
            self.tree.truncated = true;
            return;
        }
        let runs = self.runs(phys, level, linear, rights);
        let children: Vec<_> = runs
            .iter()
            .filter_map(|run| match run.kind {
                EntryKind::Table { next } => Some((next.0, run.linear.0, run.effective)),
                _ => None,
            })
            .collect();
        self.tree.tables.push(Table { phys: PhysAddr(phys), level, linear: LinearAddr(self.extend(linear)), runs });
        for (next, linear, rights) in children {
            self.add_table(next, level - 1, linear, rights);
        }
    }

    fn runs(&self, table: u64, level: u8, linear: u64, upper: Rights) -> Vec<EntryRun> {
        let mode = self.paging.mode;
        let mut runs: Vec<EntryRun> = Vec::new();
        for index in 0..self.entries(level) {
            let Some(raw) = self.raw(table, level, index) else { break };
            let entry = walk::classify(mode, level, raw);
            if entry == Entry::NotPresent {
                continue;
            }
            let own = walk::entry_rights(mode, level, raw);
            let run = EntryRun {
                first_index: index,
                count: 1,
                linear: LinearAddr(self.extend(linear | u64::from(index) << self.shift(level))),
                raw,
                kind: kind(entry),
                rights: own,
                effective: walk::combine(upper, own),
            };
            match runs.last_mut() {
                Some(last) if goes_on(last, &run) => last.count += 1,
                _ => runs.push(run),
            }
        }
        runs
    }

    fn raw(&self, table: u64, level: u8, index: u16) -> Option<u64> {
        match self.paging.pdptes {
            Some(pdptes) if self.paging.mode.kind == PagingKind::Pae && level == 3 => {
                pdptes.get(usize::from(index)).copied()
            }
            _ => walk::read_entry(self.paging.mode, table, index, &mut |paddr| self.memory.word(paddr)),
        }
    }

    fn entries(&self, level: u8) -> u16 {
        match self.paging.mode.kind {
            PagingKind::Bits32 => 1024,
            PagingKind::Pae if level == 3 => 4,
            _ => 512,
        }
    }

    /// Lowest linear-address bit that a level translates.
    fn shift(&self, level: u8) -> u32 {
        if self.paging.mode.kind == PagingKind::Bits32 { 2 + 10 * u32::from(level) } else { 3 + 9 * u32::from(level) }
    }

    /// Sign-extends a linear address in the paging modes that have canonical addresses.
    fn extend(&self, linear: u64) -> u64 {
        let unused = match self.paging.mode.kind {
            PagingKind::Level4 => 16,
            PagingKind::Level5 => 7,
            _ => return linear,
        };
        ((linear << unused) as i64 >> unused) as u64
    }
}

/// A page entry goes on with the run before it: next index, next physical page, other bits equal.
fn goes_on(run: &EntryRun, next: &EntryRun) -> bool {
    let (EntryKind::Page { phys, size }, EntryKind::Page { phys: next_phys, size: next_size }) =
        (&run.kind, &next.kind)
    else {
        return false;
    };
    let count = u64::from(run.count);
    let bits = |run: &EntryRun, phys: PhysAddr| (run.raw & !RUN_IGNORES) ^ phys.0;
    run.first_index + run.count == next.first_index
        && size == next_size
        && next_phys.0 == phys.0.wrapping_add(count * size)
        && bits(run, *phys) == bits(next, *next_phys)
}

fn kind(entry: Entry) -> EntryKind {
    match entry {
        Entry::NotPresent => EntryKind::NotPresent,
        Entry::Table(next) => EntryKind::Table { next: PhysAddr(next) },
        Entry::Page { phys, size } => EntryKind::Page { phys: PhysAddr(phys), size },
        Entry::Malformed(why) => EntryKind::Malformed { why: why.into() },
    }
}

/// The walk of one address, and what the TLB of the CPU, where one was named, holds for it.
pub fn walk(machine: &Machine, root: RootSpec, linear: LinearAddr) -> Result<WalkTrace, String> {
    let (paging, cpu) = paging_of(machine, root)?;
    let mut walked = trace(&machine.bus, paging, linear);
    if let Some(cpu) = cpu.filter(|_| paging.mode.kind != PagingKind::Off) {
        let cpu = cpu_of(machine, cpu)?;
        walked.tlb = cpu.tlb.lookup_quiet(linear.0, crate::mmu::pcid(cpu));
        let end = walk::walk(&paging, linear.0, |paddr| machine.bus.word(paddr)).end;
        walked.stale = walked.tlb.is_some_and(|entry| disagrees(&entry, &end));
    }
    Ok(walked)
}

/// The walk of one address in any machine; no TLB.
pub fn trace(memory: &(impl PhysReader + ?Sized), paging: Paging, linear: LinearAddr) -> WalkTrace {
    let mut trace = WalkTrace {
        linear,
        root: PhysAddr(paging.root_table()),
        mode: paging.mode,
        steps: Vec::new(),
        end: WalkEnd::Mapped { phys: PhysAddr(linear.0), size: 0, rights: ALL_RIGHTS, global: false },
        tlb: None,
        stale: false,
    };
    if paging.mode.kind == PagingKind::Off {
        return trace;
    }
    let walked = walk::walk(&paging, linear.0, |paddr| memory.word(paddr));
    trace.steps = walked.steps().iter().map(step).collect();
    trace.end = match walked.end {
        End::Page(page) => WalkEnd::Mapped {
            phys: PhysAddr(page.phys | linear.0 & (page.size - 1)),
            size: page.size,
            rights: page.rights,
            global: page.global,
        },
        End::NotPresent(level) => WalkEnd::NotPresent { level },
        End::Malformed(level, why) => WalkEnd::Malformed { level, why: why.into() },
        End::NoMemory(table) => WalkEnd::NoMemory { table: PhysAddr(table) },
        End::NonCanonical => WalkEnd::NonCanonical,
    };
    trace
}

fn step(step: &walk::Step) -> WalkStep {
    WalkStep {
        level: step.level,
        table: PhysAddr(step.table),
        index: step.index,
        raw: step.raw,
        kind: kind(step.entry),
        effective: step.effective,
    }
}

/// The TLB says something else than the tables in memory. A page size of its own makes no difference by itself.
fn disagrees(entry: &TlbEntry, end: &End) -> bool {
    let End::Page(page) = end else { return true };
    let size = page.size.min(entry.size);
    let at = entry.linear.0 & (page.size - 1);
    let same_page = if entry.size <= page.size {
        entry.phys.0 == page.phys | at
    } else {
        entry.phys.0 & !(size - 1) <= page.phys && page.phys - entry.phys.0 < entry.size
    };
    !same_page || entry.rights != page.rights
}

/// A CPU's TLB, the oldest entry first.
pub fn tlb(machine: &Machine, cpu: CpuId) -> Result<Vec<TlbEntry>, String> {
    Ok(cpu_of(machine, cpu)?.tlb.entries().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Bus;
    use crate::cpu::Cpu;
    use crate::schedule::Schedule;
    use protocol::page_table::PagingMode;

    const ROOT: u64 = 0x1000;
    const P_RW: u64 = 3;

    /// A machine with these entries (physical address and value), and how to read its tables.
    fn machine(entries: &[(u64, u64)]) -> (Machine, RootSpec) {
        let mut bus = Bus::new(1 << 20);
        for &(paddr, entry) in entries {
            assert!(bus.ram.write(paddr, entry.to_le_bytes()));
        }
        let mode = PagingMode { kind: PagingKind::Level4, nxe: true, wp: true, pse: false };
        let machine = Machine::new(vec![Cpu::power_on(CpuId(0), 0, true)], bus, Schedule::new(64, None));
        (machine, RootSpec::Phys { root: PhysAddr(ROOT), mode })
    }

    /// Goal: contiguous pages fold into a run that A and D do not break, and rights combine; method: four page entries.
    #[test]
    fn folds() {
        let pages = [(0x4008, 0x5003), (0x4010, 0x6063), (0x4018, 0x7001), (0x4020, 0x9001)];
        let tables = [(ROOT + 511 * 8, 0x2001), (0x2000, 0x3003), (0x3000, 0x4003)];
        let (machine, root) = machine(&[&tables[..], &pages[..]].concat());
        let tree = tree(&machine, root, 99).unwrap();
        assert_eq!(tree.tables.iter().map(|table| table.level).collect::<Vec<_>>(), [4, 3, 2, 1]);
        let runs = &tree.tables[3].runs;
        let found: Vec<_> = runs.iter().map(|run| (run.first_index, run.count, run.linear.0)).collect();
        let base = 0xffff_ff80_0000_0000;
        assert_eq!(found, [(1, 2, base + 0x1000), (3, 1, base + 0x3000), (4, 1, base + 0x4000)]);
        assert!(runs[0].rights.write && !runs[0].effective.write, "the PML4 entry forbids writes");
    }

    /// Goal: tables that point at themselves end, and too many are cut off and said so; method: a full self-map.
    #[test]
    fn loops_end() {
        let entries: Vec<(u64, u64)> = (0..512).map(|index| (ROOT + index * 8, ROOT | P_RW)).collect();
        let (machine, root) = machine(&entries);
        let tree = tree(&machine, root, 1000).unwrap();
        assert_eq!((tree.tables.len(), tree.truncated), (1000, true));
        let trace = walk(&machine, root, LinearAddr(0)).unwrap();
        assert_eq!(trace.steps.len(), 4);
        assert!(matches!(trace.end, WalkEnd::Mapped { phys: PhysAddr(ROOT), .. }));
    }

    /// Goal: why a walk fails is told; method: an absent entry, a reserved bit, a table beyond memory, a hole.
    #[test]
    fn failing_walks() {
        let tables = [(ROOT, 0x2003), (0x2000, 0x20_0000_0003), (0x2008, 1 << 45 | 3), (0x2010, 0x3003)];
        let (machine, root) = machine(&tables);
        let end = |linear| walk(&machine, root, LinearAddr(linear)).unwrap().end;
        assert_eq!(end(0), WalkEnd::NoMemory { table: PhysAddr(0x20_0000_0000) });
        assert!(matches!(end(1 << 30), WalkEnd::Malformed { level: 3, .. }));
        assert_eq!(end(2 << 30), WalkEnd::NotPresent { level: 2 });
        assert_eq!(end(1 << 39), WalkEnd::NotPresent { level: 4 });
        assert_eq!(end(1 << 47), WalkEnd::NonCanonical);
    }
}
