//! All the state of a [`super::Machine`] at a position, sharing what did not change with other snapshots: RAM by page,
//! CPUs (with TLB and local APIC) as a whole. Kept by [`crate::timeline`] as checkpoints.

use super::State;
use crate::bus::Bus;
use crate::bus::ram::RamImage;
use crate::cpu::Cpu;
use crate::device::Devices;
use protocol::{CpuId, Position};
use std::sync::Arc;

/// The state at a position. Cheap to clone; restored by [`super::Machine::restore`].
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) cpus: Vec<Arc<Cpu>>,
    pub(crate) ram: RamImage,
    pub(crate) devices: Devices,
    pub(crate) clock_ns: u64,
    pub(super) state: State,
}

impl Snapshot {
    pub(super) fn of(cpus: &[Arc<Cpu>], bus: &mut Bus, state: &State) -> Self {
        debug_assert!(bus.out.is_empty(), "a snapshot is taken between steps");
        Self {
            cpus: cpus.to_vec(),
            ram: bus.ram.checkpoint(),
            devices: bus.devices.clone(),
            clock_ns: bus.clock_ns,
            state: state.clone(),
        }
    }

    /// Where it was taken.
    pub fn position(&self) -> Position {
        Position(self.state.position)
    }

    /// Steps that a CPU had made by then.
    pub fn cpu_steps(&self, cpu: CpuId) -> u64 {
        self.cpus.get(usize::from(cpu.0)).map_or(0, |cpu| cpu.steps)
    }

    /// About how many bytes it holds that `older` does not share.
    pub fn cost_bytes(&self, older: &Self) -> usize {
        let cpus = self.cpus.iter().zip(&older.cpus).filter(|(new, old)| !Arc::ptr_eq(new, old)).count();
        let fixed = size_of::<Self>() + self.cpus.len() * size_of::<Arc<Cpu>>();
        fixed + cpus * size_of::<Cpu>() + self.ram.cost_bytes(&older.ram)
    }
}
