//! EVENT of a lesson: `ipi(delivery=sipi, to=1)`. Which events it takes, and the coarser filter for a server.

use crate::expr::lex::{Tok, Token};
use protocol::breakpoint::EventFilter;
use protocol::event::{ControlRegister, Delivery, Event, EventKind, Ignored, TableRegister};
use protocol::mode::{Activity, Mode};
use protocol::{CpuId, Position};

/// Which events a lesson means. A field that is not named takes any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventPattern {
    /// The kind of event.
    pub kind: PatternKind,
    /// The CPU that made the step (an IPI's sender).
    pub cpu: Option<CpuId>,
}

/// The kinds of events, with what else can be asked of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PatternKind {
    /// Any event.
    #[default]
    Any,
    /// `mode(from, to)`.
    Mode {
        /// Before.
        from: Option<Mode>,
        /// After.
        to: Option<Mode>,
    },
    /// `activity(from, to)`.
    Activity {
        /// Before.
        from: Option<Activity>,
        /// After.
        to: Option<Activity>,
    },
    /// `cr(register)`.
    Cr {
        /// Which.
        register: Option<ControlRegister>,
    },
    /// `descriptor-table(register)`.
    DescriptorTable {
        /// Which.
        register: Option<TableRegister>,
    },
    /// `ipi(delivery, from, to, vector, ignored)`.
    Ipi {
        /// Delivery mode.
        delivery: Option<Delivery>,
        /// Receiver.
        to: Option<CpuId>,
        /// Vector.
        vector: Option<u8>,
        /// Whether it had no effect.
        ignored: Option<IgnoredPattern>,
    },
    /// `interrupt(vector)`.
    Interrupt {
        /// Vector.
        vector: Option<u8>,
    },
    /// `fault(vector)`.
    Fault {
        /// Vector.
        vector: Option<u8>,
    },
    /// `far-transfer()`.
    FarTransfer,
    /// `triple-fault()`.
    TripleFault,
    /// `online(count)`.
    Online {
        /// So many CPUs.
        count: Option<u16>,
    },
    /// `edit()`: a debugger's change.
    Edit,
    /// `reset()`.
    Reset,
}

/// Whether an IPI had an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoredPattern {
    /// It had none, for any reason (`ignored=true`), or it had one (`ignored=false`).
    Was(bool),
    /// It had none, for this reason.
    Because(Ignored),
}

impl EventPattern {
    /// Takes this event.
    pub fn matches(&self, event: &Event) -> bool {
        fn fits<T: PartialEq>(wanted: Option<T>, is: T) -> bool {
            wanted.is_none_or(|wanted| wanted == is)
        }
        let kind = match (&self.kind, &event.kind) {
            (PatternKind::Any, _)
            | (PatternKind::FarTransfer, EventKind::FarTransfer { .. })
            | (PatternKind::TripleFault, EventKind::TripleFault { .. })
            | (PatternKind::Edit, EventKind::Edit { .. })
            | (PatternKind::Reset, EventKind::Reset { .. }) => true,
            (PatternKind::Mode { from, to }, EventKind::Mode { from: was, to: is }) => {
                (from.is_none() || from == was) && fits(*to, *is)
            }
            (PatternKind::Activity { from, to }, EventKind::Activity { from: was, to: is }) => {
                fits(*from, *was) && fits(*to, *is)
            }
            (PatternKind::Cr { register }, EventKind::Cr { register: is, .. }) => fits(*register, *is),
            (PatternKind::DescriptorTable { register }, EventKind::DescriptorTable { register: is, .. }) => {
                fits(*register, *is)
            }
            (
                PatternKind::Ipi { delivery, to, vector, ignored },
                EventKind::Ipi { delivery: d, to: t, vector: v, ignored: i, .. },
            ) => {
                fits(*delivery, *d)
                    && (to.is_none() || to == t)
                    && fits(*vector, *v)
                    && ignored.is_none_or(|wanted| match wanted {
                        IgnoredPattern::Was(was) => was == i.is_some(),
                        IgnoredPattern::Because(why) => Some(why) == *i,
                    })
            }
            (PatternKind::Interrupt { vector }, EventKind::Interrupt { vector: is })
            | (PatternKind::Fault { vector }, EventKind::Fault { vector: is, .. }) => fits(*vector, *is),
            (PatternKind::Online { count }, EventKind::Online { count: is }) => fits(*count, *is),
            _ => false,
        };
        kind && fits(self.cpu, event.cpu)
    }

    /// The narrowest filter of a server that lets all these events through; it may let others through as well.
    pub fn filter(&self) -> EventFilter {
        match &self.kind {
            PatternKind::Mode { to, .. } => EventFilter::Mode(*to),
            PatternKind::Activity { to, .. } => EventFilter::Activity(*to),
            PatternKind::Cr { register } => EventFilter::Cr(*register),
            PatternKind::DescriptorTable { .. } => EventFilter::DescriptorTable,
            PatternKind::Ipi { delivery, to, .. } => EventFilter::Ipi { delivery: *delivery, to: *to },
            PatternKind::Fault { vector } => EventFilter::Fault(*vector),
            PatternKind::TripleFault => EventFilter::TripleFault,
            PatternKind::Online { count } => EventFilter::Online(count.unwrap_or(0)),
            PatternKind::Any
            | PatternKind::Interrupt { .. }
            | PatternKind::FarTransfer
            | PatternKind::Edit
            | PatternKind::Reset => EventFilter::Any,
        }
    }

    /// The first event after a position that it takes.
    pub fn first_after<'a>(&self, events: &'a [Event], position: Position) -> Option<&'a Event> {
        events.iter().find(|event| event.position > position && self.matches(event))
    }
}

/// An EVENT with the number of the one that is meant: `ipi(to=1, nth=2)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NthEvent {
    /// Which events.
    pub pattern: EventPattern,
    /// The first, the second, ... of them.
    pub nth: u32,
}

/// The kinds with their keys, for reading and for messages.
const KINDS: [(&str, &[&str]); 13] = [
    ("any", &["cpu"]),
    ("mode", &["cpu", "from", "to"]),
    ("activity", &["cpu", "from", "to"]),
    ("cr", &["cpu", "register"]),
    ("descriptor-table", &["cpu", "register"]),
    ("ipi", &["cpu", "from", "delivery", "to", "vector", "ignored"]),
    ("interrupt", &["cpu", "vector"]),
    ("fault", &["cpu", "vector"]),
    ("far-transfer", &["cpu"]),
    ("triple-fault", &["cpu"]),
    ("online", &["cpu", "count"]),
    ("edit", &[]),
    ("reset", &[]),
];

pub(crate) const MODES: [Mode; 6] =
    [Mode::Real, Mode::Protected16, Mode::Protected32, Mode::V86, Mode::Compat, Mode::Long];
pub(crate) const ACTIVITIES: [Activity; 5] =
    [Activity::Running, Activity::Halted, Activity::WaitForSipi, Activity::Shutdown, Activity::Held];
pub(crate) const DELIVERIES: [Delivery; 9] = [
    Delivery::Fixed,
    Delivery::LowestPriority,
    Delivery::Smi,
    Delivery::Nmi,
    Delivery::Init,
    Delivery::InitDeassert,
    Delivery::Sipi,
    Delivery::ExtInt,
    Delivery::Reserved,
];
const CONTROL: [ControlRegister; 6] = [
    ControlRegister::Cr0,
    ControlRegister::Cr3,
    ControlRegister::Cr4,
    ControlRegister::Cr8,
    ControlRegister::Efer,
    ControlRegister::ApicBase,
];
const TABLES: [TableRegister; 4] = [TableRegister::Gdtr, TableRegister::Idtr, TableRegister::Ldtr, TableRegister::Tr];
const REASONS: [(&str, Ignored); 9] = [
    ("not-in-wait-for-sipi", Ignored::NotInWaitForSipi),
    ("apic-software-disabled", Ignored::ApicSoftwareDisabled),
    ("no-such-apic-id", Ignored::NoSuchApicId),
    ("init-deassert", Ignored::InitDeassert),
    ("illegal-vector", Ignored::IllegalVector),
    ("reserved", Ignored::ReservedDelivery),
    ("in-wait-for-sipi", Ignored::InWaitForSipi),
    ("smi", Ignored::SmiNotModelled),
    ("init-not-finished", Ignored::InitNotFinished),
];

/// The word that lessons have for the reason why an IPI was ignored.
pub(crate) fn reason_word(reason: Ignored) -> &'static str {
    REASONS.iter().find(|(_, known)| *known == reason).map_or("ignored", |(word, _)| word)
}

/// All words that stand for modes, activities, delivery modes, registers and reasons.
pub(crate) fn is_machine_word(word: &str) -> bool {
    MODES.iter().any(|known| known.word() == word)
        || ACTIVITIES.iter().any(|known| known.word() == word)
        || DELIVERIES.iter().any(|known| known.word() == word)
        || CONTROL.iter().any(|known| known.word() == word)
        || TABLES.iter().any(|known| known.word() == word)
        || REASONS.iter().any(|(known, _)| *known == word)
}

/// Reads EVENT from the front of the tokens; the rest is left to the caller. An error is a column and what is wrong.
pub(crate) fn parse(tokens: &mut &[Token]) -> Result<NthEvent, (usize, String)> {
    let token = next(tokens);
    let Tok::Name(kind) = &token.kind else {
        return Err((token.column, format!("an event is named here, {}, not {}", kinds(), token.kind.words())));
    };
    let known = KINDS.iter().find(|(name, _)| name == kind);
    let Some((_, keys)) = known else {
        return Err((token.column, format!("there is no event `{kind}`; there are {}", kinds())));
    };
    let mut found = Fields::default();
    if tokens.first().is_some_and(|token| token.kind == Tok::Op("(")) {
        next(tokens);
        while !matches!(tokens.first().map(|token| &token.kind), Some(Tok::Op(")"))) {
            field(tokens, kind, keys, &mut found)?;
            match tokens.first().map(|token| &token.kind) {
                Some(Tok::Op(",")) => _ = next(tokens),
                Some(Tok::Op(")")) => {}
                _ => {
                    let token = next(tokens);
                    let what = format!("`,` or `)` stands after a field of `{kind}`, not {}", token.kind.words());
                    return Err((token.column, what));
                }
            }
        }
        next(tokens);
    }
    Ok(found.event(kind))
}

/// What was written in the parentheses.
#[derive(Default)]
struct Fields {
    nth: Option<u32>,
    cpu: Option<CpuId>,
    to_cpu: Option<CpuId>,
    from_mode: Option<Mode>,
    to_mode: Option<Mode>,
    from_activity: Option<Activity>,
    to_activity: Option<Activity>,
    control: Option<ControlRegister>,
    table: Option<TableRegister>,
    delivery: Option<Delivery>,
    vector: Option<u8>,
    ignored: Option<IgnoredPattern>,
    count: Option<u16>,
}

impl Fields {
    fn event(self, kind: &str) -> NthEvent {
        let kind = match kind {
            "mode" => PatternKind::Mode { from: self.from_mode, to: self.to_mode },
            "activity" => PatternKind::Activity { from: self.from_activity, to: self.to_activity },
            "cr" => PatternKind::Cr { register: self.control },
            "descriptor-table" => PatternKind::DescriptorTable { register: self.table },
            "ipi" => PatternKind::Ipi {
                delivery: self.delivery,
                to: self.to_cpu,
                vector: self.vector,
                ignored: self.ignored,
            },
            "interrupt" => PatternKind::Interrupt { vector: self.vector },
            "fault" => PatternKind::Fault { vector: self.vector },
            "far-transfer" => PatternKind::FarTransfer,
            "triple-fault" => PatternKind::TripleFault,
            "online" => PatternKind::Online { count: self.count },
            "edit" => PatternKind::Edit,
            "reset" => PatternKind::Reset,
            _ => PatternKind::Any,
        };
        NthEvent { pattern: EventPattern { kind, cpu: self.cpu }, nth: self.nth.unwrap_or(1) }
    }
}

/// `key=value`.
fn field(tokens: &mut &[Token], kind: &str, keys: &[&str], found: &mut Fields) -> Result<(), (usize, String)> {
    let key_token = next(tokens);
    let allowed = || {
        let keys: Vec<String> = keys.iter().chain(&["nth"]).map(|key| format!("`{key}`")).collect();
        format!("`{kind}` has {}", keys.join(", "))
    };
    let Tok::Name(key) = &key_token.kind else {
        return Err((
            key_token.column,
            format!("a field is named here, not {}; {}", key_token.kind.words(), allowed()),
        ));
    };
    if key != "nth" && !keys.contains(&key.as_str()) {
        return Err((key_token.column, format!("an event `{kind}` has no `{key}`; {}", allowed())));
    }
    let equals = next(tokens);
    if equals.kind != Tok::Op("=") {
        return Err((equals.column, format!("`=` and a value stand after `{key}`, not {}", equals.kind.words())));
    }
    let token = next(tokens);
    let wrong = |what: String| (token.column, format!("`{key}` is {what}, not {}", token.kind.words()));
    let int = |most: u64, what: &str| match token.kind {
        Tok::Int(value) if value <= most => Ok(value),
        _ => Err(wrong(format!("{what}, at most {most}"))),
    };
    match (kind, key.as_str()) {
        (_, "nth") => found.nth = Some(int(1_000_000, "which one is meant, from 1")?.max(1) as u32),
        (_, "cpu") | ("ipi", "from") => found.cpu = Some(CpuId(int(254, "a CPU's number")? as u16)),
        ("ipi", "to") => found.to_cpu = Some(CpuId(int(254, "a CPU's number")? as u16)),
        (_, "vector") => found.vector = Some(int(255, "a vector")? as u8),
        (_, "count") => found.count = Some(int(255, "a number of CPUs")? as u16),
        ("mode", _) => {
            let mode = one_of(&token, MODES.map(|mode| (mode.word(), mode))).map_err(wrong)?;
            *(if key == "from" { &mut found.from_mode } else { &mut found.to_mode }) = Some(mode);
        }
        ("activity", _) => {
            let activity = one_of(&token, ACTIVITIES.map(|activity| (activity.word(), activity))).map_err(wrong)?;
            *(if key == "from" { &mut found.from_activity } else { &mut found.to_activity }) = Some(activity);
        }
        ("cr", _) => found.control = Some(one_of(&token, CONTROL.map(|cr| (cr.word(), cr))).map_err(wrong)?),
        ("descriptor-table", _) => {
            found.table = Some(one_of(&token, TABLES.map(|table| (table.word(), table))).map_err(wrong)?);
        }
        (_, "delivery") => found.delivery = Some(one_of(&token, DELIVERIES.map(|d| (d.word(), d))).map_err(wrong)?),
        _ => {
            let yes_no = [("true", IgnoredPattern::Was(true)), ("false", IgnoredPattern::Was(false))];
            let reasons = REASONS.map(|(word, why)| (word, IgnoredPattern::Because(why)));
            let all: Vec<_> = yes_no.into_iter().chain(reasons).collect();
            found.ignored = Some(one_of(&token, all).map_err(wrong)?);
        }
    }
    Ok(())
}

/// The thing that a word stands for, or the words that would be right.
fn one_of<T: Copy>(token: &Token, known: impl IntoIterator<Item = (&'static str, T)>) -> Result<T, String> {
    let mut words = Vec::new();
    for (word, thing) in known {
        if matches!(&token.kind, Tok::Name(name) | Tok::Quoted(name) if name == word) {
            return Ok(thing);
        }
        words.push(word);
    }
    Err(format!("one of {}", words.join(", ")))
}

fn kinds() -> String {
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// The next token; the last one, [`Tok::End`], stays.
fn next(tokens: &mut &[Token]) -> Token {
    match *tokens {
        [] => Token { column: 1, kind: Tok::End },
        [last] => last.clone(),
        [first, rest @ ..] => {
            *tokens = rest;
            first.clone()
        }
    }
}
