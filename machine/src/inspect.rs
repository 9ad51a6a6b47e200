//! What a debugger sees: the machine's state as `protocol` types, read only and without side effects; and, apart from
//! that, what its edits do ([`edit`]).
//!
//! Called by the server with [`crate::timeline::Timeline::machine`]. Errors are words for a person. What works on
//! [`PhysReader`] and [`View`] alone also reads a machine that is not ours: the window does so with what a foreign gdb
//! server tells.

pub mod code;
mod cpu;
pub mod edit;
mod memory;
mod page_table;
mod reader;
pub mod register;
mod screen;

use crate::cpu::Cpu;
use crate::machine::Machine;
pub use cpu::state_of;
pub use memory::{read as memory, read_linear, read_physical};
pub use page_table::{tlb, trace, tree, tree_below, walk};
use protocol::request::CodeLine;
use protocol::{CpuId, CpuState, LinearAddr, PhysAddr};
pub use reader::{PhysReader, View};
pub use screen::screen;

/// The CPU, or in words that there is none.
fn cpu_of(machine: &Machine, cpu: CpuId) -> Result<&Cpu, String> {
    let last = machine.cpus().len().saturating_sub(1);
    machine.cpu(cpu).ok_or_else(|| format!("There is no {cpu}. This machine has CPU 0 to CPU {last}."))
}

/// One CPU. None: there is no such CPU.
pub fn cpu_state(machine: &Machine, cpu: CpuId) -> Option<CpuState> {
    machine.cpu(cpu).map(|cpu| state_of(machine, cpu))
}

/// Instructions around a linear address in a CPU's mode: at most `before` ahead of it (best effort), `count` from it on.
pub fn code(
    machine: &Machine,
    cpu: CpuId,
    linear: LinearAddr,
    before: u16,
    count: u16,
) -> Result<Vec<CodeLine>, String> {
    Ok(code::lines(&View::of(cpu_of(machine, cpu)?), machine.bus(), linear.0, before, count))
}

/// Instructions in physical memory as code of 16, 32 or 64 bits whose offset 0 is at `base`.
pub fn listing(
    machine: &Machine,
    phys: PhysAddr,
    base: PhysAddr,
    bits: u8,
    count: u16,
) -> Result<Vec<CodeLine>, String> {
    if !matches!(bits, 16 | 32 | 64) {
        return Err(format!("code is 16, 32 or 64 bits wide, not {bits}"));
    }
    Ok(code::listing(machine.bus(), phys.0, base.0, u32::from(bits), count))
}

/// The physical address behind a linear one through this CPU's tables as they are in memory.
pub fn translate(machine: &Machine, cpu: CpuId, linear: LinearAddr) -> Result<u64, String> {
    memory::translate(&View::of(cpu_of(machine, cpu)?), machine.bus(), linear.0)
}
