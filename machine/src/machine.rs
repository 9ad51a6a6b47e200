//! The machine: CPUs, bus, clock and schedule as one value, and [`Machine::step`], the only way its time moves.
//!
//! (Being built: the signatures stand.)

use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::schedule::Schedule;
use protocol::{CpuId, Position};
use std::sync::Arc;

/// A machine at a position. Plain data: same value, same future.
#[derive(Clone, Debug)]
pub struct Machine {
    cpus: Vec<Arc<Cpu>>,
    bus: Bus,
    schedule: Schedule,
    position: u64,
    last_cpu: Option<CpuId>,
}

impl Machine {
    /// A machine at position 0, as the firmware hands it over: `cpus` by index, the bootstrap processor first; `bus` with
    /// the image in RAM. A platform reset comes back to exactly this.
    pub fn new(cpus: Vec<Cpu>, bus: Bus, schedule: Schedule) -> Self {
        Self { cpus: cpus.into_iter().map(Arc::new).collect(), bus, schedule, position: 0, last_cpu: None }
    }

    /// Steps made since power-on.
    pub fn position(&self) -> Position {
        Position(self.position)
    }

    /// Nanoseconds since power-on.
    pub fn clock_ns(&self) -> u64 {
        self.bus.clock_ns
    }

    /// All CPUs by index.
    pub fn cpus(&self) -> &[Arc<Cpu>] {
        &self.cpus
    }

    /// One CPU.
    pub fn cpu(&self, id: CpuId) -> Option<&Cpu> {
        self.cpus.get(usize::from(id.0)).map(|cpu| &**cpu)
    }

    /// RAM, devices, clock.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Whose turn it is; None: all wait (a timer may still end that).
    pub fn next_cpu(&self) -> Option<CpuId> {
        let mut schedule = self.schedule;
        schedule.slice(self.cpus.len() as u16, |_| true).map(|(cpu, _)| cpu)
    }

    /// Who made the last step.
    pub fn last_cpu(&self) -> Option<CpuId> {
        self.last_cpu
    }
}
