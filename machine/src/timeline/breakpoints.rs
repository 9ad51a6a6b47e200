//! Breakpoints, watchpoints and event breakpoints: a debugger's, not the machine's. Which events a filter takes.

use crate::machine::Machine;
use protocol::breakpoint::{Breakpoint, Condition, EventFilter};
use protocol::request::Refusal;
use protocol::{CpuId, Event, EventKind};

/// All that are set.
#[derive(Clone, Debug, Default)]
pub(super) struct Breakpoints {
    list: Vec<Breakpoint>,
    /// Goes up with each change.
    pub generation: u64,
    last_id: u32,
}

impl Breakpoints {
    pub fn set(&mut self, machine: &Machine, cpu: Option<CpuId>, condition: Condition) -> Result<Breakpoint, Refusal> {
        if let Some(cpu) = cpu {
            known(machine, cpu)?;
        }
        match condition {
            Condition::Write { len: 0, .. } | Condition::Read { len: 0, .. } | Condition::Access { len: 0, .. } => {
                return Err(Refusal::Invalid("A watchpoint of 0 bytes never hits. Give its length in bytes.".into()));
            }
            _ => {}
        }
        self.last_id += 1;
        self.generation += 1;
        let breakpoint = Breakpoint { id: self.last_id, cpu, condition };
        self.list.push(breakpoint.clone());
        Ok(breakpoint)
    }

    pub fn clear(&mut self, id: u32) -> Result<(), Refusal> {
        let before = self.list.len();
        self.list.retain(|breakpoint| breakpoint.id != id);
        self.generation += 1;
        if self.list.len() == before {
            return Err(Refusal::Invalid(format!("There is no breakpoint {id}.")));
        }
        Ok(())
    }

    pub fn list(&self) -> &[Breakpoint] {
        &self.list
    }

    /// Those on data accesses.
    pub fn watchpoints(&self) -> Vec<Breakpoint> {
        let is_watch = |point: &&Breakpoint| !matches!(point.condition, Condition::Execute(_) | Condition::Event(_));
        self.list.iter().filter(is_watch).cloned().collect()
    }
}

/// An error in words unless the machine has that CPU.
pub(super) fn known(machine: &Machine, cpu: CpuId) -> Result<(), Refusal> {
    match machine.cpu(cpu) {
        Some(_) => Ok(()),
        None => {
            let last = machine.cpus().len().saturating_sub(1);
            Err(Refusal::Invalid(format!("There is no {cpu}. This machine has CPU 0 to CPU {last}.")))
        }
    }
}

/// The event is of a kind that the filter takes, and concerns the CPU (was caused by it or sent to it) if one is named.
pub fn takes(filter: &EventFilter, cpu: Option<CpuId>, event: &Event) -> bool {
    let sent_to = match event.kind {
        EventKind::Ipi { to, .. } => to,
        _ => None,
    };
    let concerns = cpu.is_none_or(|cpu| event.cpu == cpu || sent_to == Some(cpu));
    concerns && takes_kind(filter, &event.kind)
}

fn takes_kind(filter: &EventFilter, kind: &EventKind) -> bool {
    match (filter, kind) {
        (EventFilter::Any, _) => true,
        (EventFilter::Mode(want), EventKind::Mode { to, .. }) => want.is_none_or(|want| want == *to),
        (EventFilter::Activity(want), EventKind::Activity { to, .. }) => want.is_none_or(|want| want == *to),
        (EventFilter::Cr(want), EventKind::Cr { register, .. }) => want.is_none_or(|want| want == *register),
        (EventFilter::Ipi { delivery, to }, EventKind::Ipi { delivery: sent, to: receiver, .. }) => {
            delivery.is_none_or(|want| want == *sent) && to.is_none_or(|want| *receiver == Some(want))
        }
        (EventFilter::Fault(want), EventKind::Fault { vector, .. }) => want.is_none_or(|want| want == *vector),
        (EventFilter::DescriptorTable, EventKind::DescriptorTable { .. }) => true,
        (EventFilter::TripleFault, EventKind::TripleFault { .. }) => true,
        (EventFilter::Online(want), EventKind::Online { count }) => *want == 0 || want == count,
        _ => false,
    }
}
