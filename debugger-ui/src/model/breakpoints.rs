//! What a run stops at.

use super::cpus::{activity_phrase, mode_phrase};
use super::symbols::Symbols;
use super::timeline::fault_name;
use protocol::LinearAddr;
use protocol::breakpoint::{Breakpoint, Condition, EventFilter};

/// All breakpoints, in the order they were set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breakpoints {
    /// As the server has them.
    pub list: Vec<Breakpoint>,
    /// The one that the last run stopped at.
    pub hit: Option<u32>,
}

impl Breakpoints {
    /// The breakpoint at an instruction.
    pub fn at(&self, linear: LinearAddr) -> Option<&Breakpoint> {
        self.list.iter().find(|breakpoint| breakpoint.condition == Condition::Execute(linear))
    }

    /// Takes in one that was set.
    pub fn add(&mut self, breakpoint: Breakpoint) {
        self.list.retain(|known| known.id != breakpoint.id);
        self.list.push(breakpoint);
    }
}

/// A breakpoint as a line: "CPU 1 is about to execute tr_set_pe (0009b044)".
pub fn words(breakpoint: &Breakpoint, symbols: &Symbols) -> String {
    let who = breakpoint.cpu.map_or_else(|| "any CPU".to_owned(), |cpu| cpu.to_string());
    let place = |linear: LinearAddr| match symbols.at(linear) {
        Some(symbol) => format!("{symbol} ({linear})"),
        None => linear.to_string(),
    };
    match &breakpoint.condition {
        Condition::Execute(linear) => format!("{who} is about to execute {}", place(*linear)),
        Condition::Write { linear, len } => format!("{who} writes {len} bytes at {}", place(*linear)),
        Condition::Read { linear, len } => format!("{who} reads {len} bytes at {}", place(*linear)),
        Condition::Access { linear, len } => format!("{who} reads or writes {len} bytes at {}", place(*linear)),
        Condition::Event(filter) => format!("{who}: {}", filter_words(filter)),
    }
}

/// A filter of events in words.
pub fn filter_words(filter: &EventFilter) -> String {
    match filter {
        EventFilter::Any => "any event".to_owned(),
        EventFilter::Mode(None) => "any mode change".to_owned(),
        EventFilter::Mode(Some(mode)) => format!("enters {}", mode_phrase(*mode)),
        EventFilter::Activity(None) => "any change of activity".to_owned(),
        EventFilter::Activity(Some(activity)) => format!("becomes {}", activity_phrase(*activity)),
        EventFilter::Cr(None) => "any control register changes".to_owned(),
        EventFilter::Cr(Some(register)) => format!("{} changes", register.word().to_uppercase()),
        EventFilter::Ipi { delivery, to } => {
            let what = delivery.map_or("an IPI", |delivery| delivery.word());
            to.map_or_else(|| format!("{what} is sent"), |to| format!("{what} is sent to {to}"))
        }
        EventFilter::Fault(None) => "any fault".to_owned(),
        EventFilter::Fault(Some(vector)) => fault_name(*vector, None),
        EventFilter::DescriptorTable => "a descriptor table is loaded".to_owned(),
        EventFilter::TripleFault => "a triple fault".to_owned(),
        EventFilter::Online(0) => "a CPU says that it is online".to_owned(),
        EventFilter::Online(count) => format!("{count} CPUs are online"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{CpuId, Mode};

    /// Goal: a breakpoint is told by name; method: an instruction with a symbol, an event of one CPU.
    #[test]
    fn in_words() {
        let mut symbols = super::super::symbols::tests::sample();
        symbols.blob_bases[0] = Some(0x9a000);
        let at = Breakpoint { id: 1, cpu: None, condition: Condition::Execute(LinearAddr(0x9b000)) };
        assert_eq!(words(&at, &symbols), "any CPU is about to execute trampoline_start (0009b000)");
        let condition = Condition::Event(EventFilter::Mode(Some(Mode::Long)));
        let mode = Breakpoint { id: 2, cpu: Some(CpuId(1)), condition };
        assert_eq!(words(&mode, &symbols), "CPU 1: enters long mode, 64-bit");
    }
}
