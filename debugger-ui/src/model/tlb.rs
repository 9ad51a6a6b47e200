//! The TLB of the selected CPU: its entries, whether memory still says the same, and what came and went since the
//! previous stop.
//!
//! The server is asked for the entries, then for the walk of each: the walk tells what the tables say now. A CPU uses
//! the entry as long as it has it, whatever they say.

use super::cpus::Cpus;
use super::page_tables::rows::{rights_words, short, size_words};
use super::timeline::Timeline;
use protocol::event::{ControlRegister, EventKind};
use protocol::page_table::{TlbEntry, WalkEnd, WalkTrace};
use protocol::request::{Request, RootSpec};
use protocol::{CpuId, LinearAddr, Position};

/// The panel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tlb {
    /// The panel is shown: only then TLBs are read.
    pub shown: bool,
    /// Whose it is.
    pub cpu: CpuId,
    /// Entries, oldest first, then those that are gone since the previous stop.
    pub rows: Vec<Row>,
    /// How many of which.
    pub counts: Counts,
    /// What the steps since the previous stop did to it, in a sentence; empty: nothing known to compare with.
    pub happened: String,
    entries: Option<Vec<TlbEntry>>,
    /// As it was at the previous stop, and where that was.
    before: Option<(CpuId, Position, Vec<TlbEntry>)>,
    /// Where the entries were read.
    read_at: Position,
}

/// Numbers of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub all: usize,
    /// Global ones, which MOV CR3 leaves.
    pub global: usize,
    /// Those of the lower half: linear addresses below 2^47.
    pub low: usize,
    /// Those that say something else than memory.
    pub stale: usize,
    /// New since the previous stop.
    pub new: usize,
    /// Gone since the previous stop.
    pub dropped: usize,
}

/// What became of an entry since the previous stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was there, or nothing is known about before.
    Kept,
    /// It was filled since.
    New,
    /// It is gone.
    Dropped,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The entry.
    pub entry: TlbEntry,
    /// What became of it.
    pub fate: Fate,
    /// What memory says instead, where it says something else.
    pub stale: Option<String>,
    /// The walk has been read.
    pub checked: bool,
}

impl Row {
    /// The row in words, for lists and screen readers.
    pub fn words(&self) -> String {
        let TlbEntry { linear, phys, size, rights, global, dirty, pcid } = self.entry;
        let fate = match self.fate {
            Fate::Kept => "",
            Fate::New => "new: ",
            Fate::Dropped => "dropped: ",
        };
        let stale = self.stale.as_ref().map(|says| format!(", stale: {says}")).unwrap_or_default();
        let dirty = if dirty { ", dirty" } else { "" };
        let pcid = if pcid == 0 { String::new() } else { format!(", PCID {pcid}") };
        let (from, size, rights) = (short(linear), size_words(size), rights_words(rights, global));
        format!("{fate}{from} -> phys {phys}, {size}, {rights}{dirty}{pcid}{stale}")
    }
}

impl Tlb {
    /// What was read until now is what the next is compared with.
    pub(crate) fn machine_moved(&mut self) {
        let entries = self.entries.take();
        self.before = entries.map(|entries| (self.cpu, self.read_at, entries));
    }

    /// Forgets what was read.
    pub(crate) fn forget(&mut self) {
        *self = Self { shown: self.shown, ..Self::default() };
    }

    /// Another CPU's TLB is to be read.
    pub(crate) fn of(&mut self, cpu: CpuId) {
        if self.cpu != cpu {
            *self = Self { shown: self.shown, cpu, ..Self::default() };
        }
    }

    /// Takes entries in, and asks for the walk of each.
    pub(crate) fn take(&mut self, cpu: CpuId, entries: Vec<TlbEntry>, timeline: &Timeline) -> Vec<Request> {
        if cpu != self.cpu {
            return Vec::new();
        }
        let before = self.before.as_ref().filter(|(of, ..)| *of == cpu);
        let was = |entry: &TlbEntry| before.is_none_or(|(.., old)| old.iter().any(|old| same(old, entry)));
        let row = |entry: &TlbEntry, fate| Row { entry: *entry, fate, stale: None, checked: false };
        self.rows = entries.iter().map(|entry| row(entry, if was(entry) { Fate::Kept } else { Fate::New })).collect();
        let gone = before.iter().flat_map(|(.., old)| old).filter(|old| !entries.iter().any(|entry| same(old, entry)));
        self.rows.extend(gone.map(|old| row(old, Fate::Dropped)));
        self.read_at = timeline.position;
        let since = before.map(|(_, since, _)| *since);
        let requests = entries.iter().map(|entry| Request::Walk { root: RootSpec::Cpu(cpu), linear: entry.linear });
        let requests = requests.collect();
        self.entries = Some(entries);
        self.count();
        self.happened = since.map(|since| self.tell(since, timeline)).unwrap_or_default();
        requests
    }

    /// Takes in what the tables say about an entry's page.
    pub(crate) fn take_walk(&mut self, trace: &WalkTrace) {
        let paging_off = matches!(trace.end, WalkEnd::Mapped { size: 0, .. });
        for row in self.rows.iter_mut().filter(|row| row.entry.linear == trace.linear && row.fate != Fate::Dropped) {
            // Of two entries for one page (of two PCIDs, or one global) the walk speaks of the one in use.
            let in_use = trace.tlb.is_none_or(|tlb| same(&tlb, &row.entry));
            row.checked = true;
            row.stale = (trace.stale && in_use && !paging_off).then(|| memory_says(&trace.end));
        }
        self.count();
    }

    fn count(&mut self) {
        let of = |test: fn(&Row) -> bool| self.rows.iter().filter(|row| test(row)).count();
        let here = |row: &Row| row.fate != Fate::Dropped;
        self.counts = Counts {
            all: of(here),
            global: of(|row| row.fate != Fate::Dropped && row.entry.global),
            low: of(|row| row.fate != Fate::Dropped && row.entry.linear < LinearAddr(1 << 47)),
            stale: of(|row| row.stale.is_some()),
            new: of(|row| row.fate == Fate::New),
            dropped: of(|row| row.fate == Fate::Dropped),
        };
    }

    /// What the steps since `since` did.
    fn tell(&self, since: Position, timeline: &Timeline) -> String {
        let Counts { global, new, dropped, all, .. } = self.counts;
        if timeline.position < since {
            return format!("Back in time: {new} entries are there again, {dropped} are not there yet.");
        }
        let wrote = |event: &protocol::event::Event| match event.kind {
            EventKind::Cr { register, old, new } if event.cpu == self.cpu => Some((register, old, new)),
            _ => None,
        };
        let last = timeline.between(since, timeline.position).iter().rev().find_map(wrote);
        let who = match last {
            Some((ControlRegister::Cr3, ..)) => "The write of CR3",
            Some((ControlRegister::Cr4, old, new)) if (old ^ new) >> 7 & 1 == 1 => "The write of CR4.PGE",
            Some((ControlRegister::Cr4, ..)) => "The write of CR4",
            Some((ControlRegister::Cr0, ..)) => "The write of CR0",
            _ if (dropped, new) == (0, 0) => return String::new(),
            _ if dropped == 0 => return format!("{new} new since the previous stop."),
            _ => return format!("{dropped} dropped, {new} new since the previous stop."),
        };
        if dropped == 0 {
            return format!("{who} dropped no entry; {new} new, {all} there.");
        }
        let entries = if dropped == 1 { "entry" } else { "entries" };
        format!("{who} dropped {dropped} {entries}; {global} global there, {new} new.")
    }
}

/// The same entry, whatever became of its dirty bit.
fn same(one: &TlbEntry, other: &TlbEntry) -> bool {
    TlbEntry { dirty: false, ..*one } == TlbEntry { dirty: false, ..*other }
}

fn memory_says(end: &WalkEnd) -> String {
    match end {
        WalkEnd::Mapped { phys, size, rights, global } => {
            format!("memory says phys {phys}, {}, {}", size_words(*size), rights_words(*rights, *global))
        }
        WalkEnd::NotPresent { level } => {
            format!("memory says not mapped, no {} entry", super::page_tables::rows::table_name(*level))
        }
        WalkEnd::Malformed { why, .. } => format!("memory says malformed, {why}"),
        WalkEnd::NonCanonical => "memory says not canonical".to_owned(),
        WalkEnd::NoMemory { table } => format!("memory says nothing, no table at {table}"),
    }
}

/// Why there is nothing to see, where a CPU has an empty TLB.
pub fn why_empty(cpus: &Cpus) -> &'static str {
    let paging = cpus.selected().is_some_and(|cpu| cpu.page_table_root().is_some());
    if paging {
        "No entry: nothing was translated since it was emptied."
    } else {
        "No entry: CR0.PG is 0, this CPU translates nothing."
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::PhysAddr;
    use protocol::event::Event;
    use protocol::page_table::{PagingMode, Rights};

    fn entry(linear: u64, global: bool) -> TlbEntry {
        TlbEntry {
            linear: LinearAddr(linear),
            phys: PhysAddr(linear & 0xffff_f000),
            size: 0x1000,
            rights: Rights { write: true, user: false, execute: true },
            global,
            dirty: false,
            pcid: 0,
        }
    }

    fn at(position: u64, events: Vec<Event>) -> Timeline {
        Timeline { position: Position(position), events, ..Timeline::default() }
    }

    fn walk(linear: u64, end: WalkEnd, tlb: TlbEntry) -> WalkTrace {
        let mode = PagingMode::default();
        WalkTrace {
            linear: LinearAddr(linear),
            root: PhysAddr(0),
            mode,
            steps: vec![],
            end,
            tlb: Some(tlb),
            stale: true,
        }
    }

    /// Goal: what a write of CR3 dropped is told, and global entries stay; method: two stops around it.
    #[test]
    fn cr3_drops() {
        let (low, high) = (entry(0x9a000, false), entry(0xffff_ffff_8000_0000, true));
        let mut tlb = Tlb::default();
        tlb.take(CpuId(0), vec![low, high], &at(10, Vec::new()));
        assert_eq!((tlb.happened.as_str(), tlb.counts.new), ("", 0), "nothing is known about before");
        tlb.machine_moved();
        let kind = EventKind::Cr { register: ControlRegister::Cr3, old: 0x9c000, new: 0x345_0000 };
        let cr3 = Event { position: Position(11), clock_ns: 0, cpu: CpuId(0), kind };
        let requests = tlb.take(CpuId(0), vec![high], &at(11, vec![cr3]));
        assert_eq!(requests.len(), 1);
        assert_eq!(tlb.happened, "The write of CR3 dropped 1 entry; 1 global there, 0 new.");
        assert_eq!(tlb.counts, Counts { all: 1, global: 1, low: 0, stale: 0, new: 0, dropped: 1 });
        assert!(tlb.rows[1].words().starts_with("dropped: 0000_0009_a000"), "{}", tlb.rows[1].words());
    }

    /// Goal: a stale entry says what memory says now; method: its walk is not present any more.
    #[test]
    fn stale() {
        let global = entry(0x9a000, true);
        let mut tlb = Tlb::default();
        tlb.take(CpuId(0), vec![global], &at(10, Vec::new()));
        tlb.take_walk(&walk(0x9a000, WalkEnd::NotPresent { level: 4 }, global));
        assert_eq!((tlb.counts.stale, tlb.counts.low), (1, 1));
        assert!(
            tlb.rows[0].words().ends_with("stale: memory says not mapped, no PML4 entry"),
            "{}",
            tlb.rows[0].words()
        );
        let off = WalkEnd::Mapped { phys: PhysAddr(0), size: 0, rights: Rights::default(), global: false };
        tlb.take_walk(&walk(0x9a000, off, global));
        assert_eq!(tlb.counts.stale, 0, "while paging is off no entry is used");
    }
}
