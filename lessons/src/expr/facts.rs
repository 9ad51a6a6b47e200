//! What an expression can ask. [`super::Moment`] answers for a machine at one position.

use crate::answer::Given;
use protocol::profile::Profile;
use protocol::request::{Answer, Request};
use protocol::{CpuId, CpuState, Event, Position};

/// The world as an expression sees it. Whatever is not known yet is None, and noted as missing by who implements this.
pub trait Facts {
    /// A number drawn from the learner's seed.
    fn drawn(&self, name: &str) -> Option<u64>;
    /// The learner's answer, where one is being judged.
    fn given(&self) -> Option<&Given>;
    /// The position of the machine.
    fn position(&self) -> Position;
    /// The machine's clock, in nanoseconds.
    fn clock_ns(&mut self) -> Option<u64>;
    /// The state of all CPUs.
    fn cpus(&mut self) -> Option<Vec<CpuState>>;
    /// The state of one CPU; `Some(None)`: the machine has no such CPU.
    fn cpu(&mut self, cpu: CpuId) -> Option<Option<CpuState>> {
        Some(self.cpus()?.into_iter().find(|state| state.cpu == cpu))
    }
    /// The names in the image.
    fn profile(&self) -> Option<&Profile>;
    /// The events since the step began, or since power-on.
    fn events(&mut self, ever: bool) -> Option<Vec<Event>>;
    /// The answer to a request that only reads.
    fn ask(&mut self, request: Request) -> Option<Answer>;
    /// The world where the step stands, for `before(...)`. None: this is it.
    fn before(&mut self) -> Option<&mut dyn Facts>;
}
