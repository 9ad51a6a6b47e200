//! What a debugger sees: the machine's state as `protocol` types, read only and without side effects.
//!
//! (Being built: the signatures stand, the bodies come.) Called by the server with [`crate::timeline::Timeline::machine`].

use crate::machine::Machine;
use protocol::page_table::{TlbEntry, Tree, WalkTrace};
use protocol::request::{CodeLine, Place, RootSpec};
use protocol::{CpuId, CpuState, LinearAddr};

/// One CPU. None: there is no such CPU.
pub fn cpu_state(_machine: &Machine, _cpu: CpuId) -> Option<CpuState> {
    panic!("being built")
}

/// The tables below a root, at most `max_tables`. Error, in words: no such CPU.
pub fn tree(_machine: &Machine, _root: RootSpec, _max_tables: usize) -> Result<Tree, String> {
    panic!("being built")
}

/// The walk of one address. Error, in words: no such CPU.
pub fn walk(_machine: &Machine, _root: RootSpec, _linear: LinearAddr) -> Result<WalkTrace, String> {
    panic!("being built")
}

/// A CPU's TLB, oldest entry first. Error, in words: no such CPU.
pub fn tlb(_machine: &Machine, _cpu: CpuId) -> Result<Vec<TlbEntry>, String> {
    panic!("being built")
}

/// Instructions around a linear address in a CPU's mode. Error, in words: no such CPU.
pub fn code(
    _machine: &Machine,
    _cpu: CpuId,
    _linear: LinearAddr,
    _before: u16,
    _count: u16,
) -> Result<Vec<CodeLine>, String> {
    panic!("being built")
}

/// Bytes of memory as far as they can be read, and why they end early.
pub fn memory(_machine: &Machine, _from: Place, _len: usize) -> (Vec<u8>, Option<String>) {
    panic!("being built")
}

/// The physical address behind a linear one through this CPU's tables as they are in memory. Error in words.
pub fn translate(_machine: &Machine, _cpu: CpuId, _linear: LinearAddr) -> Result<u64, String> {
    panic!("being built")
}
