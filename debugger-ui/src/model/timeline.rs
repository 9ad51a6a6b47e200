//! Where in the run we stand, what happened up to where it was run, and where the user has been.

use super::cpus::Cpus;
use super::symbols::Symbols;
use protocol::event::{Delivery, Event, EventKind};
use protocol::request::{StopReason, Stopped};
use protocol::{Activity, CpuId, CpuState, Mode, PhysAddr, Position};
use std::collections::BTreeMap;

/// Position, clock, events, history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Where we stand.
    pub position: Position,
    /// The last position that was run: beyond it nothing is known.
    pub end: Position,
    /// The machine's clock in nanoseconds since power-on.
    pub clock_ns: u64,
    /// Whose turn is next.
    pub next_cpu: Option<CpuId>,
    /// Who made the last step.
    pub moved_cpu: Option<CpuId>,
    /// Why we stopped here.
    pub reason: Option<StopReason>,
    /// Changes with each restart, edit and undo.
    pub epoch: u64,
    /// An edit can be taken back.
    pub can_undo: bool,
    /// The future before the last change: it is kept until the next one.
    pub kept: Option<Kept>,
    /// Events in order, up to where they were read; those after `position` are the recorded future.
    pub events: Vec<Event>,
    /// Events are known up to here.
    pub events_to: Position,
    /// Labels at which the user has stopped: they are columns of the lanes.
    pub visits: BTreeMap<Position, Visit>,
    /// Stops of a server that tells no events, oldest first.
    pub stops: Vec<SeenStop>,
    /// Where the user was before jumps in time.
    pub back: Vec<Position>,
    /// Where the user was after them.
    pub forward: Vec<Position>,
}

/// A future that a change has ended, and that undo brings back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where the change was made.
    pub from: Position,
    /// Up to where the old future was run.
    pub to: Position,
}

/// A stop at a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Who stood there.
    pub cpu: CpuId,
    /// The label.
    pub label: String,
}

/// How the CPUs stood at a stop of a server that tells no events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenStop {
    /// The number of the stop.
    pub position: Position,
    /// Where the CPU stood that stopped: "trampoline_start", "stop 4".
    pub label: String,
    /// Activity, mode and root of each CPU.
    pub cpus: Vec<(Activity, Mode, Option<PhysAddr>)>,
}

/// How many stops at labels are remembered.
const VISITS: usize = 1024;

/// How many jumps in time are remembered.
const HISTORY: usize = 256;

impl Timeline {
    /// The events that lie in the past of where we stand.
    pub fn past(&self) -> &[Event] {
        &self.events[..self.events.partition_point(|event| event.position <= self.position)]
    }

    /// The recorded future's events.
    pub fn future(&self) -> &[Event] {
        &self.events[self.events.partition_point(|event| event.position <= self.position)..]
    }

    /// The events after `from` and up to `to`.
    pub fn between(&self, from: Position, to: Position) -> &[Event] {
        let first = self.events.partition_point(|event| event.position <= from);
        let last = self.events.partition_point(|event| event.position <= to);
        &self.events[first..last.max(first)]
    }

    /// Takes in where a stop is. An old future that is void is forgotten; its events are read anew.
    pub fn take_stop(&mut self, stopped: &Stopped) {
        if stopped.epoch != self.epoch {
            let old_end = self.end;
            self.kept = (stopped.can_undo && self.epoch != 0).then_some(Kept { from: stopped.position, to: old_end });
            self.epoch = stopped.epoch;
            let valid = self.events.partition_point(|event| event.position < stopped.position);
            self.events.truncate(valid);
            self.events_to = self.events_to.min(Position(stopped.position.0.saturating_sub(1)));
            self.visits.split_off(&stopped.position);
        }
        self.position = stopped.position;
        self.end = stopped.end.max(stopped.position);
        self.clock_ns = stopped.clock_ns;
        self.next_cpu = stopped.next_cpu;
        self.moved_cpu = stopped.moved_cpu;
        self.reason = Some(stopped.reason.clone());
        self.can_undo = stopped.can_undo;
    }

    /// Takes in events that are known up to `to`. What is known already is left out.
    pub fn take_events(&mut self, events: Vec<Event>, to: Position) {
        let known = self.events_to;
        self.events.extend(events.into_iter().filter(|event| event.position > known));
        self.events_to = self.events_to.max(to);
    }

    /// Remembers that a CPU stood at a label here.
    pub fn visit(&mut self, cpu: CpuId, label: String) {
        if self.visits.len() < VISITS {
            self.visits.insert(self.position, Visit { cpu, label });
        }
    }

    /// Remembers a stop of a server that tells no events; at the same one again how it stands now.
    pub fn remember_stop(&mut self, cpus: &Cpus, symbols: &Symbols) {
        let mover = self.moved_cpu.or(Some(CpuId(0))).and_then(|cpu| cpus.get(cpu));
        let symbol = mover.and_then(|cpu| symbols.at(cpu.linear_pc()));
        let label = symbol.map_or_else(|| format!("stop {}", self.position), |symbol| symbol.to_string());
        let stand = |cpu: &CpuState| (cpu.activity, cpu.mode, cpu.page_table_root());
        let stop = SeenStop { position: self.position, label, cpus: cpus.states.iter().map(stand).collect() };
        match self.stops.last_mut() {
            Some(last) if last.position == stop.position => *last = stop,
            _ => self.stops.push(stop),
        }
        if self.stops.len() > VISITS {
            self.stops.remove(0);
        }
    }

    /// Remembers where the user was before a jump in time.
    pub fn remember(&mut self, from: Position) {
        if self.back.last() != Some(&from) {
            self.back.push(from);
        }
        if self.back.len() > HISTORY {
            self.back.remove(0);
        }
        self.forward.clear();
    }
}

/// An event as a line for lists and tooltips: "CPU 0 sends SIPI 9A to CPU 1: ignored, not in wait-for-SIPI".
pub fn event_words(event: &Event, symbols: &Symbols) -> String {
    let cpu = event.cpu;
    let place = |linear| symbols.at(linear).map_or_else(|| linear.to_string(), |symbol| symbol.to_string());
    match &event.kind {
        EventKind::Mode { from: None, to } => format!("{cpu} starts in {}", super::cpus::mode_phrase(*to)),
        EventKind::Mode { from: Some(from), to } => {
            format!("{cpu}: {} -> {}", super::cpus::mode_phrase(*from), super::cpus::mode_phrase(*to))
        }
        EventKind::Activity { from, to } => {
            format!("{cpu}: {} -> {}", super::cpus::activity_phrase(*from), super::cpus::activity_phrase(*to))
        }
        EventKind::Cr { register, old, new } => {
            let name = register.word().to_uppercase();
            let bits = super::control_bits::change_words(register.word(), *old, *new);
            let root = symbols.root_name(protocol::PhysAddr(new & !0xfff)).filter(|_| register.word() == "cr3");
            let about = root.map(str::to_owned).or((!bits.is_empty()).then_some(bits));
            let about = about.map(|about| format!(" ({about})")).unwrap_or_default();
            format!("{cpu}: {name} {old:x} -> {new:x}{about}")
        }
        EventKind::DescriptorTable { register, base, limit } => {
            format!("{cpu}: {} base {base:x} limit {limit:x}", register.word().to_uppercase())
        }
        EventKind::Ipi { delivery, from, to, vector, ignored } => {
            let to = to.map_or_else(|| "an APIC ID that nobody has".to_owned(), |to| to.to_string());
            let ignored = ignored.map(|why| format!(": ignored, {}", why.words())).unwrap_or_default();
            format!("{from} sends {} to {to}{ignored}", ipi_label(*delivery, *vector))
        }
        EventKind::Interrupt { vector } => format!("{cpu} takes interrupt {vector:02x}"),
        EventKind::Fault { vector, error, at, cause, .. } => {
            format!("{cpu}: {} at {}: {cause}", fault_name(*vector, *error), place(*at))
        }
        EventKind::FarTransfer { from_cs, to_cs, to } => {
            format!("{cpu}: far transfer, CS {from_cs:04x} -> {to_cs:04x}, to {}", place(*to))
        }
        EventKind::TripleFault { chain } => format!("{cpu}: triple fault after {} faults, shutdown", chain.len()),
        EventKind::Online { count } => format!("{cpu} is online, {count} in all"),
        EventKind::Edit { what } => format!("your edit: {what}"),
        EventKind::Reset { by } => format!("platform reset by {by}"),
    }
}

/// An IPI in a word or two: "INIT", "SIPI 9A", "NMI", "IPI 40".
pub fn ipi_label(delivery: Delivery, vector: u8) -> String {
    match delivery {
        Delivery::Init => "INIT".to_owned(),
        Delivery::InitDeassert => "INIT de-assert".to_owned(),
        Delivery::Sipi => format!("SIPI {vector:02X}"),
        Delivery::Nmi => "NMI".to_owned(),
        Delivery::Smi => "SMI".to_owned(),
        Delivery::Fixed => format!("IPI {vector:02X}"),
        Delivery::LowestPriority => format!("IPI {vector:02X} (lowest priority)"),
        Delivery::ExtInt => "ExtINT".to_owned(),
        Delivery::Reserved => "reserved IPI".to_owned(),
    }
}

/// An exception by the SDM's mnemonic with its error code: "#GP(0008)", "#UD", "#PF(0010)".
pub fn fault_name(vector: u8, error: Option<u32>) -> String {
    const NAMES: [&str; 22] = [
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#9", "#TS", "#NP", "#SS", "#GP", "#PF", "#15",
        "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
    ];
    let name = NAMES.get(usize::from(vector)).map_or_else(|| format!("exception {vector}"), |name| (*name).to_owned());
    error.map_or(name.clone(), |error| format!("{name}({error:04x})"))
}

/// A count in words: "1.2 M", "38 k", "117".
pub fn count_words(count: u64) -> String {
    match count {
        0..=9_999 => count.to_string(),
        10_000..=999_999 => format!("{} k", count / 1000),
        1_000_000..=999_999_999 => format!("{}.{} M", count / 1_000_000, count / 100_000 % 10),
        _ => format!("{}.{} G", count / 1_000_000_000, count / 100_000_000 % 10),
    }
}

/// A time span in words: "640 ns", "200 us", "10 ms", "1.5 s".
pub fn time_words(ns: u64) -> String {
    match ns {
        0..=999 => format!("{ns} ns"),
        1_000..=999_999 => format!("{} us", ns / 1_000),
        1_000_000..=999_999_999 => format!("{} ms", ns / 1_000_000),
        _ => format!("{}.{} s", ns / 1_000_000_000, ns / 100_000_000 % 10),
    }
}

/// A position with its digits in groups: "1 204 311".
pub fn position_words(position: Position) -> String {
    let digits = position.0.to_string();
    let mut words = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at != 0 && (digits.len() - at).is_multiple_of(3) {
            words.push(' ');
        }
        words.push(digit);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::event::{ControlRegister, Ignored};

    fn event(position: u64, kind: EventKind) -> Event {
        Event { position: Position(position), clock_ns: position * 10, cpu: CpuId(0), kind }
    }

    /// Goal: numbers read easily; method: one of each size.
    #[test]
    fn words_for_numbers() {
        assert_eq!(count_words(117), "117");
        assert_eq!(count_words(38_400), "38 k");
        assert_eq!(count_words(1_240_000), "1.2 M");
        assert_eq!(time_words(10_003_000), "10 ms");
        assert_eq!(time_words(200_700), "200 us");
        assert_eq!(position_words(Position(1_204_311)), "1 204 311");
        assert_eq!(position_words(Position(12)), "12");
    }

    /// Goal: events read as sentences; method: an ignored SIPI, a CR0 write, a fault.
    #[test]
    fn words_for_events() {
        let symbols = Symbols::default();
        let sipi = EventKind::Ipi {
            delivery: Delivery::Sipi,
            from: CpuId(0),
            to: Some(CpuId(1)),
            vector: 0x9a,
            ignored: Some(Ignored::NotInWaitForSipi),
        };
        assert_eq!(
            event_words(&event(1, sipi), &symbols),
            "CPU 0 sends SIPI 9A to CPU 1: ignored, not in wait-for-SIPI"
        );
        let cr0 = EventKind::Cr { register: ControlRegister::Cr0, old: 0x10, new: 0x11 };
        assert_eq!(event_words(&event(1, cr0), &symbols), "CPU 0: CR0 10 -> 11 (PE 0 -> 1)");
        assert_eq!(fault_name(13, Some(8)), "#GP(0008)");
        assert_eq!(fault_name(6, None), "#UD");
    }

    /// Goal: past, future and a void future are kept apart; method: go back, then edit.
    #[test]
    fn events_and_epochs() {
        let halt = |position| event(position, EventKind::Activity { from: Activity::Running, to: Activity::Halted });
        let mut timeline = Timeline { epoch: 1, position: Position(30), ..Timeline::default() };
        timeline.take_events(vec![halt(10), halt(20), halt(30)], Position(30));
        timeline.take_events(vec![halt(20), halt(40)], Position(40));
        assert_eq!(timeline.events.len(), 4, "known events are not taken twice");
        assert_eq!((timeline.past().len(), timeline.future().len()), (3, 1));
        assert_eq!(timeline.between(Position(10), Position(30)).len(), 2);
        let mut stopped = crate::model::inbox::tests::stopped(Position(20));
        stopped.epoch = 2;
        timeline.take_stop(&stopped);
        assert_eq!(timeline.events.len(), 1, "an edit at 20 leaves what lies before it");
        assert_eq!(timeline.events_to, Position(19));
    }
}
