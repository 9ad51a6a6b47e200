//! What the memory of a machine that is not ours means, by the functions that the embedded machine is inspected with.
//! Pure: it reads [`Pages`], and what is not there yet is noted there.

use crate::session::standard::pages::Pages;
use machine::inspect::code::{self, Flow};
use machine::inspect::{self, PhysReader, View};
use machine::mmu::walk::Paging;
use protocol::page_table::{PagingKind, PagingMode, Tree, WalkTrace};
use protocol::request::{CodeLine, RootSpec};
use protocol::{CpuState, LinearAddr};

impl PhysReader for Pages {
    fn read(&self, paddr: u64, buffer: &mut [u8]) -> usize {
        Self::read(self, paddr, buffer)
    }
}

/// How a CPU's memory is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Pages are physical; the walk is ours.
    Physical,
    /// Pages are linear: the server walks, through the CPU's own tables.
    Linear,
}

fn view(state: &CpuState, reached: Reached) -> View {
    let mut view = View::of_state(state);
    if reached == Reached::Linear {
        view.paging.mode = PagingMode { kind: PagingKind::Off, ..PagingMode::default() };
    }
    view
}

/// Instructions around a linear address in a CPU's mode.
pub fn code(
    pages: &Pages,
    state: &CpuState,
    reached: Reached,
    linear: LinearAddr,
    before: u16,
    count: u16,
) -> Vec<CodeLine> {
    code::lines(&view(state, reached), pages, linear.0, before, count)
}

/// Instructions in physical memory, whatever mode the CPUs are in.
pub fn listing(pages: &Pages, phys: u64, base: u64, bits: u8, count: u16) -> Vec<CodeLine> {
    code::listing(pages, phys, base, u32::from(bits), count)
}

/// Bytes of physical memory, and why they end early.
pub fn physical(pages: &Pages, phys: u64, len: usize) -> (Vec<u8>, Option<String>) {
    inspect::read_physical(pages, phys, len)
}

/// Bytes at a linear address, and why they end early.
pub fn linear(pages: &Pages, state: &CpuState, reached: Reached, at: u64, len: usize) -> (Vec<u8>, Option<String>) {
    inspect::read_linear(&view(state, reached), pages, at, len)
}

/// How a root is read; the CPU's state where the root is a CPU's.
fn paging(root: RootSpec, state: Option<&CpuState>) -> Option<Paging> {
    match root {
        RootSpec::Cpu(_) => state.map(|state| View::of_state(state).paging),
        RootSpec::Phys { root, mode } => Some(Paging { mode, root: root.0, pdptes: None }),
    }
}

/// The tables below a root. None: it is the root of a CPU that there is not.
pub fn tree(pages: &Pages, root: RootSpec, state: Option<&CpuState>, max_tables: u32) -> Option<Tree> {
    Some(inspect::tree_below(pages, paging(root, state)?, max_tables as usize))
}

/// The walk of one address. None: as for [`tree`].
pub fn walk(pages: &Pages, root: RootSpec, state: Option<&CpuState>, linear: LinearAddr) -> Option<WalkTrace> {
    Some(inspect::trace(pages, paging(root, state)?, linear))
}

/// What stepping over the next instruction of a CPU takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A step.
    Step,
    /// It leaves the function: a step.
    Return,
    /// A run up to this linear address: it is a call, a repeated string instruction or the end of a loop.
    RunTo(LinearAddr),
}

/// Looks at the next instruction of a CPU.
pub fn next(pages: &Pages, state: &CpuState, reached: Reached) -> Next {
    let view = view(state, reached);
    let at = state.linear_pc();
    let instruction = code::instruction(&view, pages, at.0);
    match code::flow(&instruction) {
        _ if instruction.is_invalid() => Next::Step,
        Flow::Return => Next::Return,
        Flow::Call | Flow::Rep | Flow::LoopEnd | Flow::Wait => {
            let after = at.0.wrapping_add(instruction.len() as u64);
            Next::RunTo(LinearAddr(if view.long { after } else { after & 0xffff_ffff }))
        }
        Flow::Plain => Next::Step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Mode;
    use protocol::cpu::CS;

    fn real_mode(code: &[u8]) -> (Pages, CpuState) {
        let mut state = CpuState { mode: Mode::Real, ip: 0x10, ..CpuState::default() };
        (state.segments[CS].selector, state.segments[CS].base) = (0x9a00, 0x9_a000);
        let mut page = vec![0x90; 4096];
        page[0x10..0x10 + code.len()].copy_from_slice(code);
        let mut pages = Pages::default();
        pages.put(0x9_a000, Some(page));
        (pages, state)
    }

    /// Goal: over a call is a run to what follows it, over anything else a step; method: call, ret, mov in real mode.
    #[test]
    fn over() {
        let next = |code: &[u8]| {
            let (pages, state) = real_mode(code);
            next(&pages, &state, Reached::Physical)
        };
        assert_eq!(next(&[0xe8, 0x10, 0x00]), Next::RunTo(LinearAddr(0x9_a013)));
        assert_eq!(next(&[0xc3]), Next::Return);
        assert_eq!(next(&[0x8e, 0xd8]), Next::Step);
    }

    /// Goal: code of a foreign machine is decoded in the CPU's mode; method: 16-bit code at a segment base.
    #[test]
    fn decodes() {
        let (pages, state) = real_mode(&[0x8e, 0xd8, 0xeb, 0xfe]);
        let lines = code(&pages, &state, Reached::Physical, LinearAddr(0x9_a010), 0, 2);
        assert_eq!(lines[0].intel, "mov ds, ax");
        assert_eq!(lines[1].target, Some(LinearAddr(0x9_a012)));
    }
}
