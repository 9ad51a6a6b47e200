//! Where a lesson's machine stands: `before ipi(delivery=sipi, to=1)`, `at tr_set_pe on cpu1`, `step:sipi-target`.
//!
//! [`Stop::parse`] reads one, [`pattern`] says which events are meant. Neighbours: [`crate::lesson`] has lists of stops,
//! gone through one after the other; [`crate::player`] brings the machine there, each search beginning where the one
//! before ended.

pub mod pattern;
#[cfg(test)]
mod tests;

pub use pattern::{EventPattern, IgnoredPattern, NthEvent, PatternKind};

use crate::expr::lex::{self, Tok};
use protocol::CpuId;
use protocol::request::Until;

/// One place in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `here`: where the machine stands.
    Here,
    /// `start`: position 0.
    Start,
    /// `end`: nothing can run any more.
    End,
    /// `before EVENT`: the position whose next step causes it, `event.position - 1`.
    Before(NthEvent),
    /// `after EVENT`: the first position at which it lies in the past, `event.position`.
    After(NthEvent),
    /// `at SYMBOL on cpu1`: the CPU is about to execute the instruction there.
    At {
        /// The symbol's name.
        symbol: String,
        /// Which CPU; None: any.
        cpu: Option<CpuId>,
    },
    /// `step:ID`: where that step of the lesson stands.
    Step(String),
    /// `step cpu1`: after the CPU's next step.
    StepCpu(CpuId),
    /// `steps 1000`: so many machine steps on.
    Steps(u64),
}

/// What would be right.
const FORMS: &str = "a stop is `here`, `start`, `end`, `before EVENT`, `after EVENT`, `at SYMBOL on cpu1`, `step:ID`, \
                     `step cpu1` or `steps 1000`";

/// Most machine steps of one stop: beyond that, name an event.
const MAX_STEPS: u64 = 1_000_000_000;

impl Stop {
    /// Reads a stop. The error is a column, from 1, and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let trimmed = text.trim();
        let (word, rest) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
        let rest = rest.trim();
        let column = |part: &str| text.find(part).map_or(1, |at| text[..at].chars().count() + 1);
        match (word, rest) {
            ("here", "") => Ok(Self::Here),
            ("start", "") => Ok(Self::Start),
            ("end", "") => Ok(Self::End),
            ("before", _) => event(text, "before").map(Self::Before),
            ("after", _) => event(text, "after").map(Self::After),
            ("at", _) => {
                let (symbol, cpu) = match rest.split_once(" on ") {
                    Some((symbol, cpu)) => {
                        let id =
                            cpu_id(cpu.trim()).ok_or((column(cpu), "after `on` stands a CPU, as in `on cpu1`".into()));
                        (symbol.trim(), Some(id?))
                    }
                    None => (rest, None),
                };
                let symbol = symbol.trim_start_matches('@');
                if symbol.is_empty() || symbol.contains(char::is_whitespace) {
                    return Err((
                        column("at"),
                        "after `at` stands the name of a symbol, as in `at tr_set_pe on cpu1`".into(),
                    ));
                }
                Ok(Self::At { symbol: symbol.to_owned(), cpu })
            }
            ("step", cpu) if !cpu.is_empty() => {
                let what = "after `step` stands a CPU, as in `step cpu1`";
                cpu_id(cpu).map(Self::StepCpu).ok_or((column(cpu), what.to_owned()))
            }
            ("steps", count) if !count.is_empty() => match lex::number(count) {
                Ok(count @ 1..=MAX_STEPS) => Ok(Self::Steps(count)),
                Ok(_) => Err((column(count), format!("`steps` is 1 to {MAX_STEPS}; for more, name an event"))),
                Err(what) => Err((column(count), what)),
            },
            (step, "") if step.starts_with("step:") && step.len() > 5 => Ok(Self::Step(step[5..].to_owned())),
            _ => Err((column(trimmed), format!("`{trimmed}` is no stop; {FORMS}"))),
        }
    }

    /// The event that ends the search, and whether the machine stands before it.
    pub fn event(&self) -> Option<(&NthEvent, bool)> {
        match self {
            Self::Before(event) => Some((event, true)),
            Self::After(event) => Some((event, false)),
            _ => None,
        }
    }

    /// What to run until to come nearer: the CPU that is watched, and the end. A server's filter may let more events
    /// through than are meant, so that whoever runs asks [`EventPattern::matches`] and goes on. None: no run finds it
    /// (`here`, `start`, `end`, `step:ID`), or it is a symbol, whose address [`crate::expr::address_of`] tells.
    pub fn until(&self) -> Option<(Option<CpuId>, Until)> {
        match self {
            Self::Before(event) | Self::After(event) => {
                let watched = match event.pattern.kind {
                    // An IPI is logged at its sender: the filter names the receiver.
                    PatternKind::Ipi { .. } => None,
                    _ => event.pattern.cpu,
                };
                Some((watched, Until::Event(event.pattern.filter())))
            }
            Self::StepCpu(cpu) => Some((Some(*cpu), Until::Steps(1))),
            Self::Steps(count) => Some((None, Until::Steps(*count))),
            Self::Here | Self::Start | Self::End | Self::At { .. } | Self::Step(_) => None,
        }
    }
}

/// What stands after `before` or `after`.
fn event(text: &str, word: &str) -> Result<NthEvent, (usize, String)> {
    let tokens = lex::tokens(text)?;
    let mut rest = tokens.get(1..).unwrap_or_default();
    let event = pattern::parse(&mut rest)?;
    match rest.first() {
        Some(token) if token.kind != Tok::End => {
            Err((token.column, format!("{} stands after the event of `{word}`, where nothing may", token.kind.words())))
        }
        _ => Ok(event),
    }
}

/// The CPU that `cpu1` names.
pub(crate) fn cpu_id(word: &str) -> Option<CpuId> {
    let digits = word.strip_prefix("cpu").filter(|digits| digits.len() <= 3)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|number| *number < 255).map(CpuId)
}
