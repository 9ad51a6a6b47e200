//! `bs` and `bc`: back by one step of a CPU, back to a breakpoint. Both only note what is wanted.

use super::resume::Run;
use super::target::{Target, cpu_of};
use gdbstub::common::Tid;
use gdbstub::target::ext::base::reverse_exec::{ReverseCont, ReverseStep};
use std::convert::Infallible;

impl ReverseStep<Tid> for Target {
    fn reverse_step(&mut self, tid: Tid) -> Result<(), Infallible> {
        self.run = Some(Run::StepBack { cpu: cpu_of(tid) });
        Ok(())
    }
}

impl ReverseCont<Tid> for Target {
    fn reverse_cont(&mut self) -> Result<(), Infallible> {
        self.run = Some(Run::ContinueBack);
        Ok(())
    }
}
