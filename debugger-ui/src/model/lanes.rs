//! The lanes in story time: one column for each position with events or labels; stretches without any fold into gaps.
//!
//! Columns run over the whole recorded run; NOW stands somewhere in them. Each row is one CPU, or several that stand
//! alike. Segments and marks name columns, so that a view draws only the columns it shows. `story` makes columns and
//! tracks from events, only from the new ones while the run grows; `rows` makes the rows;
//! `stops` has the columns of a server that tells no events.

mod rows;
mod stops;
mod story;

use super::cpus::Cpus;
use super::symbols::Symbols;
use super::timeline::Timeline;
use protocol::event::Delivery;
use protocol::{Activity, CpuId, Mode, PhysAddr, Position};
use std::collections::BTreeSet;

/// What the lanes show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// Left to right.
    pub columns: Vec<Column>,
    /// Top to bottom.
    pub rows: Vec<Row>,
    /// IPIs, by column.
    pub arrows: Vec<Arrow>,
    /// Where we stand.
    pub now: Now,
    /// Gaps that the user has opened, by their first position.
    pub open: BTreeSet<Position>,
    /// What is remembered to go on from when the run grows.
    story: story::Story,
}

/// Where we stand among the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Now {
    /// In this column (or right after the last: `columns.len()`).
    pub column: usize,
    /// How far into it, 0.0 to 1.0: 1.0 where its events have happened, less in a gap or before it.
    pub inside: f32,
}

impl Eq for Now {}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// What it is.
    pub kind: ColumnKind,
    /// First position that belongs to it. For an event column the position after the step.
    pub from: Position,
    /// Last position that belongs to it.
    pub to: Position,
    /// A few words: "SIPI 9A to CPU 1", "CPU 0 waits 10 ms, 1.2 M steps", "tr_set_pe".
    pub label: String,
}

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Power-on and what lies before: drawn hatched, "before us".
    Start,
    /// One or more events at one position.
    Event,
    /// A label at which the user has stopped.
    Label,
    /// A stretch in which nothing happened, folded.
    Gap {
        /// Steps in it.
        steps: u64,
        /// Time in it, in nanoseconds.
        ns: u64,
    },
    /// A part of a gap that was opened: a place to go to, in which no event lies.
    Slice {
        /// Its number, from 0.
        part: u64,
        /// First position of the gap.
        gap: Position,
    },
    /// What was run after the last event.
    Tail {
        /// Steps in it.
        steps: u64,
    },
}

/// One row of the lanes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// First CPU.
    pub first: CpuId,
    /// Last CPU; the same for a row of one.
    pub last: CpuId,
    /// "CPU 1", or "CPU 4-63: long, init_top_pgt" for a fold.
    pub label: String,
    /// The selected CPU's row.
    pub selected: bool,
    /// The state NOW in words, for a screen reader: "real mode, running, no paging".
    pub words: String,
    /// From left to right, without holes.
    pub segments: Vec<Segment>,
    /// Small marks for events on this CPU that are neither arrows nor changes of segment.
    pub marks: Vec<Mark>,
}

/// A stretch of a lane in which the CPU's activity, mode and root are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First column.
    pub from: usize,
    /// One past the last column.
    pub to: usize,
    /// What it does; None where the CPUs of a fold differ.
    pub activity: Option<Activity>,
    /// Its mode; None where the CPUs of a fold differ.
    pub mode: Option<Mode>,
    /// Its page-table root while paging is on.
    pub root: Option<PhysAddr>,
    /// The root's name: "trampoline_pgd", "none", or its address.
    pub root_name: String,
}

/// A mark on a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Column.
    pub column: usize,
    /// Index in [`super::timeline::Timeline::events`].
    pub event: usize,
    /// What kind of mark.
    pub kind: MarkKind,
}

/// Kinds of marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// A control register, EFER or descriptor-table register was written.
    Register,
    /// A fault.
    Fault,
    /// The triple fault.
    TripleFault,
    /// An interrupt was delivered.
    Interrupt,
    /// A far transfer.
    FarTransfer,
    /// It announced that it is online.
    Online,
    /// The user's edit.
    Edit,
    /// Reset.
    Reset,
}

/// An IPI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// Column.
    pub column: usize,
    /// Sender.
    pub from: CpuId,
    /// Receiver; None where no APIC has that ID.
    pub to: Option<CpuId>,
    /// "INIT", "SIPI 9A", "NMI", "IPI 40".
    pub label: String,
    /// What kind.
    pub delivery: Delivery,
    /// Why it had no effect: then it ends in a cross.
    pub ignored: Option<&'static str>,
}

impl Lanes {
    /// Takes in where the run has come and where we stand in it.
    pub(crate) fn update(&mut self, timeline: &Timeline, cpus: &Cpus, symbols: &Symbols) {
        if timeline.stops.is_empty() {
            story::extend(self, timeline, cpus);
        } else {
            stops::lay_out(self, timeline);
        }
        self.now = story::now(&self.columns, timeline.position);
        self.rows = rows::rows(&self.story, self.columns.len(), cpus, symbols);
    }

    /// The segments of a row that lie in these columns.
    pub fn visible<'a>(row: &'a Row, columns: &std::ops::Range<usize>) -> &'a [Segment] {
        let from = row.segments.partition_point(|segment| segment.to <= columns.start);
        let to = row.segments.partition_point(|segment| segment.from < columns.end);
        &row.segments[from..to.max(from)]
    }

    /// The arrows that lie in these columns.
    pub fn visible_arrows(&self, columns: &std::ops::Range<usize>) -> &[Arrow] {
        let from = self.arrows.partition_point(|arrow| arrow.column < columns.start);
        let to = self.arrows.partition_point(|arrow| arrow.column < columns.end);
        &self.arrows[from..to.max(from)]
    }

    /// The gap that a column is, or is a part of, by its first position.
    pub fn gap_at(&self, column: usize) -> Option<Position> {
        let column = self.columns.get(column)?;
        match column.kind {
            ColumnKind::Gap { .. } => Some(column.from),
            ColumnKind::Slice { gap, .. } => Some(gap),
            _ => None,
        }
    }

    /// The row that shows a CPU.
    pub fn row_of(&self, cpu: CpuId) -> Option<usize> {
        self.rows.iter().position(|row| row.first <= cpu && cpu <= row.last)
    }
}
