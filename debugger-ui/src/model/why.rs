//! Why a value is what it is: the step that wrote it. The first `w` tells, the second goes there.

use super::symbols::Symbols;
use super::timeline::position_words;
use protocol::page_table::{WalkEnd, WalkTrace};
use protocol::request::{Cause, CauseOf, Request, RootSpec};
use protocol::{CpuId, LinearAddr, PhysAddr, Position};

/// A value whose cause can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// "CR3 of CPU 1", "the byte at 0009d00d".
    pub label: String,
    /// Which.
    pub of: Of,
}

/// What kind of value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// A register, by gdb's name.
    Register(CpuId, String),
    /// Bytes of physical memory.
    Phys(PhysAddr, u8),
    /// Bytes at a linear address, through a CPU's tables as they are now.
    Linear(CpuId, LinearAddr, u8),
}

impl Target {
    /// A register of a CPU; `label` is what the card calls it.
    pub fn register(cpu: CpuId, name: &str, label: &str) -> Self {
        Self { label: format!("{label} of {cpu}"), of: Of::Register(cpu, name.to_owned()) }
    }

    /// What to ask first: the cause, or where a linear address lies.
    pub(crate) fn request(&self) -> Request {
        match &self.of {
            Of::Register(cpu, name) => Request::Cause { of: CauseOf::Register { cpu: *cpu, name: name.clone() } },
            Of::Phys(phys, len) => Request::Cause { of: CauseOf::Memory { phys: *phys, len: *len } },
            Of::Linear(cpu, linear, _) => Request::Walk { root: RootSpec::Cpu(*cpu), linear: *linear },
        }
    }

    /// After the walk of a linear address: what to ask then. Error: why there is nothing to ask.
    pub(crate) fn request_after(&self, trace: &WalkTrace) -> Result<Request, String> {
        let len = match self.of {
            Of::Linear(_, _, len) => len,
            _ => return Ok(self.request()),
        };
        match trace.end {
            WalkEnd::Mapped { phys, .. } => Ok(Request::Cause { of: CauseOf::Memory { phys, len } }),
            _ => Err(format!("{} is not mapped: nothing stands there.", self.label)),
        }
    }
}

/// The last question and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// What was asked, where the machine stood then, in which epoch, and what came out.
    answered: Option<(Target, (Position, u64), Cause)>,
}

impl Why {
    /// Takes an answer in and puts it into a sentence. `stood` is position and epoch.
    pub(crate) fn take(
        &mut self,
        target: Target,
        stood: (Position, u64),
        cause: Option<Cause>,
        symbols: &Symbols,
        intel: bool,
    ) -> String {
        let Some(cause) = cause else {
            self.answered = None;
            return format!("{} has been so since power-on: nothing recorded wrote it.", target.label);
        };
        let words = cause_words(&target.label, &cause, symbols, intel);
        self.answered = Some((target, stood, cause));
        words
    }

    /// Where the second `w` goes, and whose step it was, if the last answer still holds: to before the instruction, so
    /// that it is the next one; to an edit itself.
    pub(crate) fn place(&self, target: &Target, stood: (Position, u64)) -> Option<(Position, Option<CpuId>)> {
        let (of, at, cause) = self.answered.as_ref()?;
        let to = if cause.cpu.is_some() { Position(cause.position.0.saturating_sub(1)) } else { cause.position };
        (of == target && *at == stood).then_some((to, cause.cpu))
    }
}

fn cause_words(label: &str, cause: &Cause, symbols: &Symbols, intel: bool) -> String {
    let step = position_words(cause.position);
    let what = if intel || cause.what_att.is_empty() { &cause.what } else { &cause.what_att };
    let Some(cpu) = cause.cpu else {
        return format!("{label} was set by {what}, step {step}. w goes there.");
    };
    let place = cause.linear.and_then(|linear| symbols.at(linear));
    let place = place.map(|symbol| format!(" at {symbol}")).unwrap_or_default();
    format!("{label} was written by {cpu}: {what}{place}, step {step}. w goes there.")
}

#[cfg(test)]
mod tests {
    use super::super::symbols::tests::sample;
    use super::*;

    fn cr3() -> Target {
        Target::register(CpuId(1), "cr3", "CR3")
    }

    fn cause(cpu: Option<CpuId>) -> Cause {
        Cause {
            position: Position(1_204_411),
            cpu,
            linear: Some(LinearAddr(0xffff_ffff_8000_0010)),
            what: "mov cr3, rax".to_owned(),
            what_att: "mov %rax, %cr3".to_owned(),
            old: 0x9c000,
            new: 0x345_0000,
        }
    }

    /// Goal: the sentence names who, what, where and when, in the syntax chosen; method: both syntaxes and an edit.
    #[test]
    fn sentences() {
        let mut why = Why::default();
        let stood = (Position(1_300_000), 1);
        let mut say = |cause, intel| why.take(cr3(), stood, cause, &sample(), intel);
        assert_eq!(
            say(Some(cause(Some(CpuId(1)))), true),
            "CR3 of CPU 1 was written by CPU 1: mov cr3, rax at ss_load_cr3, step 1 204 411. w goes there."
        );
        assert!(say(Some(cause(Some(CpuId(1)))), false).contains("mov %rax, %cr3"));
        let edit = Cause { what: "an edit".to_owned(), what_att: String::new(), ..cause(None) };
        assert!(say(Some(edit), false).starts_with("CR3 of CPU 1 was set by an edit, step"));
        assert!(say(None, true).contains("since power-on"));
    }

    /// Goal: the second w goes to before the instruction, but only while the answer holds; method: the same question,
    /// another, and the same at another position.
    #[test]
    fn second_press() {
        let mut why = Why::default();
        let stood = (Position(1_300_000), 1);
        why.take(cr3(), stood, Some(cause(Some(CpuId(1)))), &sample(), true);
        assert_eq!(why.place(&cr3(), stood), Some((Position(1_204_410), Some(CpuId(1)))));
        assert_eq!(why.place(&Target::register(CpuId(1), "cr0", "CR0"), stood), None);
        assert_eq!(why.place(&cr3(), (Position(1_300_001), 1)), None);
        why.take(cr3(), stood, Some(cause(None)), &sample(), true);
        assert_eq!(why.place(&cr3(), stood), Some((Position(1_204_411), None)), "an edit is gone to itself");
    }

    /// Goal: a linear address is translated first; method: its walk, mapped and not.
    #[test]
    fn linear_bytes() {
        let target = Target { label: "the byte".to_owned(), of: Of::Linear(CpuId(0), LinearAddr(0x5000), 1) };
        assert!(matches!(target.request(), Request::Walk { .. }));
        let end = WalkEnd::Mapped { phys: PhysAddr(0x9000), size: 0x1000, rights: Default::default(), global: false };
        let mut trace = WalkTrace {
            linear: LinearAddr(0x5000),
            root: PhysAddr(0),
            mode: Default::default(),
            steps: Vec::new(),
            end,
            tlb: None,
            stale: false,
        };
        let expected = Request::Cause { of: CauseOf::Memory { phys: PhysAddr(0x9000), len: 1 } };
        assert_eq!(target.request_after(&trace), Ok(expected));
        trace.end = WalkEnd::NotPresent { level: 4 };
        assert!(target.request_after(&trace).unwrap_err().contains("not mapped"));
    }
}
