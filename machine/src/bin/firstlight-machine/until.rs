//! `--until`: the conditions that a run can end at, from text.

use protocol::breakpoint::EventFilter;
use protocol::event::{ControlRegister, Delivery};
use protocol::{Activity, CpuId, Mode};
use std::str::FromStr;

/// What ends the run well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// So many machine steps.
    Steps(u64),
    /// An event, of this CPU or any.
    Event(Option<CpuId>, EventFilter),
    /// The instruction at a linear address.
    Address(Option<CpuId>, u64),
    /// The instruction at a symbol.
    Symbol(Option<CpuId>, String),
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let (kind, first, second) = (parts.next().unwrap_or(""), parts.next(), parts.next());
        let rust_path = text.contains("::");
        if first.is_none() && !KINDS.contains(&kind) || rust_path && kind != "at" {
            return place(None, text);
        }
        if kind == "at" {
            let rest = &text["at:".len()..];
            return match rest.split_once(':') {
                Some((head, name)) if !name.starts_with(':') && (head == "*" || head.parse::<u16>().is_ok()) => {
                    place(cpu(head)?, name)
                }
                _ => place(None, rest),
            };
        }
        let no_second = ["online", "steps", "descriptor-table", "triple-fault"].contains(&kind);
        if parts.next().is_some() || second.is_some() && no_second {
            return Err(format!("{text:?} has too many parts; --help lists the conditions"));
        }
        let number = |what: &str, word: Option<&str>| match word.map(str::parse::<u64>) {
            Some(Ok(number)) => Ok(number),
            _ => Err(format!("{kind} wants a number of {what}, for example {kind}:4")),
        };
        if kind == "triple-fault" {
            let whose = first.map(cpu).transpose()?.flatten();
            return Ok(Self::Event(whose, EventFilter::TripleFault));
        }
        if kind == "steps" {
            let steps = number("steps", first)?;
            return if steps == 0 { Err("steps:0 is where the machine begins".into()) } else { Ok(Self::Steps(steps)) };
        }
        if kind == "online" {
            let count = u16::try_from(number("CPUs", first)?).map_err(|_| "that is more CPUs than a machine has")?;
            if count == 0 {
                return Err("online:0 is true before the machine begins".into());
            }
            return Ok(Self::Event(None, EventFilter::Online(count)));
        }
        let whose = cpu(first.unwrap_or("*"))?;
        let event = |filter| Ok(Self::Event(whose, filter));
        match kind {
            "mode" => event(EventFilter::Mode(word("mode", second, &MODES, Mode::word)?)),
            "activity" => event(EventFilter::Activity(word("activity", second, &ACTIVITIES, Activity::word)?)),
            "cr" => event(EventFilter::Cr(word("register", second, &REGISTERS, ControlRegister::word)?)),
            "ipi" => {
                let delivery = word("delivery mode", second, &DELIVERIES, Delivery::word)?;
                Ok(Self::Event(None, EventFilter::Ipi { delivery, to: whose }))
            }
            "fault" => {
                let number = second.filter(|second| *second != "*").map(str::parse::<u8>).transpose();
                match number.map_err(|_| ()) {
                    Ok(vector) if vector.is_none_or(|vector| vector < 32) => event(EventFilter::Fault(vector)),
                    _ => Err("an exception's vector is a number from 0 to 31".into()),
                }
            }
            "descriptor-table" => event(EventFilter::DescriptorTable),
            _ => Err(format!("there is no condition {kind:?}; --help lists them")),
        }
    }
}

/// Conditions that mean something without any part; a symbol of such a name is `at:NAME`.
const KINDS: [&str; 7] = ["mode", "activity", "cr", "ipi", "fault", "descriptor-table", "triple-fault"];
const MODES: [Mode; 6] = [Mode::Real, Mode::Protected16, Mode::Protected32, Mode::V86, Mode::Compat, Mode::Long];
const ACTIVITIES: [Activity; 4] = [Activity::Running, Activity::Halted, Activity::WaitForSipi, Activity::Shutdown];
const REGISTERS: [ControlRegister; 6] = [
    ControlRegister::Cr0,
    ControlRegister::Cr3,
    ControlRegister::Cr4,
    ControlRegister::Cr8,
    ControlRegister::Efer,
    ControlRegister::ApicBase,
];
const DELIVERIES: [Delivery; 8] = [
    Delivery::Fixed,
    Delivery::LowestPriority,
    Delivery::Smi,
    Delivery::Nmi,
    Delivery::Init,
    Delivery::InitDeassert,
    Delivery::Sipi,
    Delivery::ExtInt,
];

/// One of these values by its word; None: the word is left out.
fn word<T: Copy>(what: &str, given: Option<&str>, all: &[T], of: fn(T) -> &'static str) -> Result<Option<T>, String> {
    let Some(given) = given.filter(|given| *given != "*") else { return Ok(None) };
    all.iter().copied().find(|&value| of(value) == given).map(Some).ok_or_else(|| {
        let words: Vec<&str> = all.iter().map(|&value| of(value)).collect();
        format!("there is no {what} {given:?}; there are {}", words.join(", "))
    })
}

fn cpu(text: &str) -> Result<Option<CpuId>, String> {
    match text {
        "*" => Ok(None),
        _ => text
            .parse()
            .map(|id| Some(CpuId(id)))
            .map_err(|_| format!("{text:?} is no CPU; give a number, or * for any")),
    }
}

fn place(cpu: Option<CpuId>, text: &str) -> Result<Condition, String> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(&digits.replace('_', ""), 16)
            .map(|linear| Condition::Address(cpu, linear))
            .map_err(|_| format!("{text:?} is no address; give hex digits after 0x")),
        None if text.is_empty() => Err("a condition is missing; --help lists them".into()),
        None => Ok(Condition::Symbol(cpu, text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Condition) {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }

    /// Goal: every condition of the manual is understood; method: one text of each kind, with and without its parts.
    #[test]
    fn understood() {
        let one = Some(CpuId(1));
        check("online:4", Condition::Event(None, EventFilter::Online(4)));
        check("steps:100", Condition::Steps(100));
        check("mode:1:long", Condition::Event(one, EventFilter::Mode(Some(Mode::Long))));
        check("mode:*", Condition::Event(None, EventFilter::Mode(None)));
        check("activity:1:halted", Condition::Event(one, EventFilter::Activity(Some(Activity::Halted))));
        check("cr:1:cr3", Condition::Event(one, EventFilter::Cr(Some(ControlRegister::Cr3))));
        check("ipi:1:sipi", Condition::Event(None, EventFilter::Ipi { delivery: Some(Delivery::Sipi), to: one }));
        check("fault:*:14", Condition::Event(None, EventFilter::Fault(Some(14))));
        check("descriptor-table:1", Condition::Event(one, EventFilter::DescriptorTable));
        check("fault", Condition::Event(None, EventFilter::Fault(None)));
        check("fault:1:*", Condition::Event(one, EventFilter::Fault(None)));
        check("ipi", Condition::Event(None, EventFilter::Ipi { delivery: None, to: None }));
        check("at:mode", Condition::Symbol(None, "mode".into()));
        check("triple-fault", Condition::Event(None, EventFilter::TripleFault));
        check("0x9a000", Condition::Address(None, 0x9a000));
        check("at:1:0xffff_8000", Condition::Address(one, 0xffff_8000));
        check("at:*:startup_32", Condition::Symbol(None, "startup_32".into()));
        check("secondary_startup_64", Condition::Symbol(None, "secondary_startup_64".into()));
        check("kernel::smp::start", Condition::Symbol(None, "kernel::smp::start".into()));
        check("at:kernel::main", Condition::Symbol(None, "kernel::main".into()));
    }

    /// Goal: what makes no sense is refused with a reason; method: one text of each kind of mistake.
    #[test]
    fn refused() {
        for (text, word) in [
            ("online:x", "number"),
            ("steps:0", "begins"),
            ("online:0", "begins"),
            ("online:2:3", "too many"),
            ("descriptor-table:1:gdtr", "too many"),
            ("fault:*:32", "0 to 31"),
            ("mode:1:virtual", "protected16"),
            ("mode:one:long", "no CPU"),
            ("0xzz", "hex digits"),
            ("nonsense:1", "no condition"),
            ("mode:1:long:2", "too many"),
            ("", "missing"),
        ] {
            let error = text.parse::<Condition>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
