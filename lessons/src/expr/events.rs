//! What an expression asks of events: whether there was one, how many, and the fields of one of them.

use super::tree::{EventField, EventsWhat, Which};
use super::value::Value;
use crate::stop::EventPattern;
use crate::stop::pattern::reason_word;
use protocol::{CpuId, Event, EventKind};

/// Fields by the names that lessons use.
pub(super) const FIELDS: [(&str, EventField); 18] = [
    ("position", EventField::Position),
    ("clock", EventField::Clock),
    ("cpu", EventField::Cpu),
    ("from", EventField::From),
    ("to", EventField::To),
    ("old", EventField::Old),
    ("new", EventField::New),
    ("register", EventField::Register),
    ("base", EventField::Base),
    ("limit", EventField::Limit),
    ("delivery", EventField::Delivery),
    ("vector", EventField::Vector),
    ("ignored", EventField::Ignored),
    ("error", EventField::Error),
    ("at", EventField::At),
    ("cr2", EventField::Cr2),
    ("faults", EventField::Faults),
    ("count", EventField::Count),
];

/// The answer to a question about events. A field of an event that did not happen is `none`.
pub(super) fn value(events: &[Event], what: EventsWhat, pattern: &EventPattern) -> Value {
    let mut matching = events.iter().filter(|event| pattern.matches(event));
    match what {
        EventsWhat::Any => Value::Bool(matching.next().is_some()),
        EventsWhat::Count => Value::Int(matching.count() as u64),
        EventsWhat::Field(Which::Last, field) => matching.next_back().map_or_else(Value::none, |e| of(e, field)),
        EventsWhat::Field(Which::Nth(nth), field) => {
            let skipped = usize::try_from(nth).unwrap_or(usize::MAX).saturating_sub(1);
            matching.nth(skipped).map_or_else(Value::none, |event| of(event, field))
        }
    }
}

/// A field of an event; `none` where this kind has no such field, or it is empty.
fn of(event: &Event, field: EventField) -> Value {
    let cpu = |cpu: CpuId| Value::Int(cpu.0.into());
    match field {
        EventField::Position => return Value::Int(event.position.0),
        EventField::Clock => return Value::Int(event.clock_ns),
        EventField::Cpu => return cpu(event.cpu),
        _ => {}
    }
    match (&event.kind, field) {
        (EventKind::Mode { from, .. }, EventField::From) => {
            from.map_or_else(|| Value::word("wait-for-sipi"), |mode| Value::word(mode.word()))
        }
        (EventKind::Mode { to, .. }, EventField::To) => Value::word(to.word()),
        (EventKind::Activity { from, .. }, EventField::From) => Value::word(from.word()),
        (EventKind::Activity { to, .. }, EventField::To) => Value::word(to.word()),
        (EventKind::Cr { register, .. }, EventField::Register) => Value::word(register.word()),
        (EventKind::Cr { old, .. }, EventField::Old) => Value::Int(*old),
        (EventKind::Cr { new, .. }, EventField::New) => Value::Int(*new),
        (EventKind::DescriptorTable { register, .. }, EventField::Register) => Value::word(register.word()),
        (EventKind::DescriptorTable { base, .. }, EventField::Base) => Value::Int(*base),
        (EventKind::DescriptorTable { limit, .. }, EventField::Limit) => Value::Int((*limit).into()),
        (EventKind::Ipi { delivery, .. }, EventField::Delivery) => Value::word(delivery.word()),
        (EventKind::Ipi { from, .. }, EventField::From) => cpu(*from),
        (EventKind::Ipi { to, .. }, EventField::To) => to.map_or_else(Value::none, cpu),
        (EventKind::Ipi { ignored, .. }, EventField::Ignored) => {
            ignored.map_or_else(Value::none, |reason| Value::word(reason_word(reason)))
        }
        (
            EventKind::Ipi { vector, .. } | EventKind::Interrupt { vector } | EventKind::Fault { vector, .. },
            EventField::Vector,
        ) => Value::Int((*vector).into()),
        (EventKind::Fault { error, .. }, EventField::Error) => Value::optional(error.map(u64::from)),
        (EventKind::Fault { at, .. }, EventField::At) => Value::Int(at.0),
        (EventKind::Fault { cr2, .. }, EventField::Cr2) => Value::optional(cr2.map(|cr2| cr2.0)),
        (EventKind::FarTransfer { from_cs, .. }, EventField::Old) => Value::Int((*from_cs).into()),
        (EventKind::FarTransfer { to_cs, .. }, EventField::New) => Value::Int((*to_cs).into()),
        (EventKind::FarTransfer { to, .. }, EventField::To) => Value::Int(to.0),
        (EventKind::TripleFault { chain }, EventField::Faults) => Value::Int(chain.len() as u64),
        (EventKind::TripleFault { chain }, EventField::Vector) => {
            Value::optional(chain.first().map(|first| first.vector.into()))
        }
        (EventKind::TripleFault { chain }, EventField::Error) => {
            Value::optional(chain.first().and_then(|first| first.error).map(u64::from))
        }
        (EventKind::TripleFault { chain }, EventField::Cr2) => {
            Value::optional(chain.first().and_then(|first| first.cr2).map(|cr2| cr2.0))
        }
        (EventKind::Online { count }, EventField::Count) => Value::Int((*count).into()),
        _ => Value::none(),
    }
}
