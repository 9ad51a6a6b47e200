//! The walk of one address, ready to draw: a box for each level, and how it ended in a sentence.

use super::super::symbols::Symbols;
use super::rows::{rights_words, short, size_words, table_name};
use protocol::page_table::{EntryKind, WalkEnd, WalkTrace};

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
    /// `PML4[511]`, `page 2M`.
    pub title: String,
    /// "table 00345000, entry 0000000000346023".
    pub detail: String,
    /// Rights of the levels so far: "RW-".
    pub rights: String,
    /// The walk ended here without a page.
    pub failed: bool,
    /// Where the entry lies and how long it is; None for the page at the end.
    pub entry: Option<(protocol::PhysAddr, u8)>,
}

/// Makes a walk ready to draw.
pub fn walk(trace: WalkTrace, symbols: &Symbols) -> Walk {
    let bytes = if trace.mode.kind == protocol::page_table::PagingKind::Bits32 { 4 } else { 8 };
    let mut boxes: Vec<WalkBox> = trace
        .steps
        .iter()
        .map(|step| WalkBox {
            title: format!("{}[{}]", table_name(step.level), step.index),
            detail: format!("table {}, entry {:016x}", step.table, step.raw),
            rights: rights_words(step.effective, false),
            failed: matches!(step.kind, EntryKind::NotPresent | EntryKind::Malformed { .. }),
            entry: Some((
                protocol::PhysAddr(step.table.0.wrapping_add(u64::from(step.index) * u64::from(bytes))),
                bytes,
            )),
        })
        .collect();
    if let WalkEnd::Mapped { phys, size, rights, global } = &trace.end
        && *size != 0
    {
        boxes.push(WalkBox {
            title: format!("page {}", size_words(*size)),
            detail: format!("phys {phys}"),
            rights: rights_words(*rights, *global),
            failed: false,
            entry: None,
        });
    }
    let tlb = trace.tlb.map(|entry| {
        let offset = trace.linear.0.wrapping_sub(entry.linear.0);
        let phys = protocol::PhysAddr(entry.phys.0.wrapping_add(offset));
        let rights = rights_words(entry.rights, entry.global);
        if trace.stale {
            format!("The TLB still holds phys {phys} {rights}: stale, the CPU would use it and not these tables.")
        } else {
            format!("The TLB holds the same: phys {phys} {rights}.")
        }
    });
    let mapped = matches!(trace.end, WalkEnd::Mapped { .. });
    Walk { verdict: verdict(&trace, symbols), boxes, mapped, tlb, trace }
}

fn verdict(trace: &WalkTrace, symbols: &Symbols) -> String {
    let name = symbols.at(trace.linear).map(|symbol| format!(" ({symbol})")).unwrap_or_default();
    let linear = format!("{}{name}", short(trace.linear));
    match &trace.end {
        WalkEnd::Mapped { phys, size: 0, .. } => format!("Paging is off: linear {linear} is physical {phys}."),
        WalkEnd::Mapped { phys, size, rights, global } => {
            let (size, rights) = (size_words(*size), rights_words(*rights, *global));
            format!("{linear} -> phys {phys}, in a {size} page, {rights}.")
        }
        WalkEnd::NotPresent { level } => {
            let entry = trace.steps.last().map(|step| format!("[{}]", step.index)).unwrap_or_default();
            format!("{linear} is not mapped: P is 0 in {}{entry}. An access raises #PF.", table_name(*level))
        }
        WalkEnd::Malformed { level, why } => {
            format!("{linear} fails at {}: {why}. An access raises #PF with RSVD set.", table_name(*level))
        }
        WalkEnd::NonCanonical => {
            format!(
                "{linear} is not canonical: its upper bits are not all copies of the highest that is translated. An access raises #GP."
            )
        }
        WalkEnd::NoMemory { table } => {
            format!("{linear} fails: a table should lie at {table}, where there is no memory.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::page_table::{PagingKind, PagingMode, Rights, TlbEntry, WalkStep};
    use protocol::{LinearAddr, PhysAddr};

    fn trace(end: WalkEnd, kind: EntryKind) -> WalkTrace {
        let rights = Rights { write: true, user: false, execute: true };
        let step = WalkStep { level: 4, table: PhysAddr(0x345000), index: 511, raw: 0x346023, kind, effective: rights };
        WalkTrace {
            linear: LinearAddr(0xffff_ffff_8000_0000),
            root: PhysAddr(0x345000),
            mode: PagingMode { kind: PagingKind::Level4, nxe: true, wp: true, pse: false },
            steps: vec![step],
            end,
            tlb: None,
            stale: false,
        }
    }

    /// Goal: a failed walk says where and why; method: an absent PML4 entry.
    #[test]
    fn not_present() {
        let walk = walk(trace(WalkEnd::NotPresent { level: 4 }, EntryKind::NotPresent), &Symbols::default());
        assert_eq!(walk.verdict, "ffff_ffff_8000_0000 is not mapped: P is 0 in PML4[511]. An access raises #PF.");
        assert!(walk.boxes[0].failed && !walk.mapped);
    }

    /// Goal: a stale TLB entry is told; method: one that maps elsewhere.
    #[test]
    fn stale_tlb() {
        let rights = Rights { write: true, user: false, execute: true };
        let end = WalkEnd::Mapped { phys: PhysAddr(0x1000), size: 0x1000, rights, global: false };
        let mut trace = trace(end, EntryKind::Table { next: PhysAddr(0x346000) });
        let linear = trace.linear;
        trace.tlb = Some(TlbEntry {
            linear,
            phys: PhysAddr(0x9000),
            size: 0x1000,
            rights,
            global: true,
            dirty: false,
            pcid: 0,
        });
        trace.stale = true;
        let walk = walk(trace, &Symbols::default());
        assert!(walk.tlb.as_deref().unwrap().contains("still holds phys 00009000 RWX G: stale"));
        assert_eq!(walk.boxes.last().unwrap().title, "page 4K");
    }
}
