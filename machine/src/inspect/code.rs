//! Instructions as a debugger shows them, and what kind of jump one is (for stepping over and out).

use super::memory::code_bytes;
use super::reader::{PhysReader, View};
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::disasm::decode_line;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};
use protocol::LinearAddr;
use protocol::request::CodeLine;

/// Longest instruction, in bytes (SDM 2A 2.3.11).
pub(super) const MAX_INSTRUCTION: usize = 15;

/// What an instruction does to the flow of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// CALL, INT n, SYSCALL, SYSENTER.
    Call,
    /// RET, IRET, SYSRET, SYSEXIT.
    Return,
    /// A string instruction with REP: each iteration is a step.
    Rep,
    /// A conditional jump backwards: the end of a loop.
    LoopEnd,
    /// HLT: goes on after an interrupt was served.
    Wait,
    /// Anything else.
    Plain,
}

/// The instruction at a linear address as this CPU would decode it; invalid where there is none. Its `ip` is the offset
/// in CS.
pub fn instruction_at(cpu: &Cpu, bus: &Bus, linear: u64) -> Instruction {
    instruction(&View::of(cpu), bus, linear)
}

/// The same for any machine.
pub fn instruction(view: &View, memory: &(impl PhysReader + ?Sized), linear: u64) -> Instruction {
    let (bytes, len) = code_bytes::<MAX_INSTRUCTION>(view, memory, linear);
    Decoder::with_ip(view.code_bits, &bytes[..len], view.offset_in_cs(linear), DecoderOptions::NONE).decode()
}

/// What kind of jump the instruction at a linear address is.
pub fn flow_at(cpu: &Cpu, bus: &Bus, linear: u64) -> Flow {
    flow(&instruction_at(cpu, bus, linear))
}

/// What kind of jump an instruction is.
pub fn flow(instruction: &Instruction) -> Flow {
    let is_rep = instruction.has_rep_prefix() || instruction.has_repne_prefix();
    match instruction.flow_control() {
        FlowControl::Call | FlowControl::IndirectCall | FlowControl::Interrupt => Flow::Call,
        FlowControl::Return => Flow::Return,
        FlowControl::ConditionalBranch if instruction.near_branch_target() <= instruction.ip() => Flow::LoopEnd,
        _ if instruction.mnemonic() == Mnemonic::Hlt => Flow::Wait,
        _ if is_rep && instruction.is_string_instruction() => Flow::Rep,
        _ => Flow::Plain,
    }
}

/// Instructions around a linear address in a CPU's mode: up to `before` ahead of it, as far as a decoding can be found
/// that meets it, then `count` from it on. Where nothing can be read there is one line that says so, a byte long.
pub fn lines(view: &View, memory: &(impl PhysReader + ?Sized), linear: u64, before: u16, count: u16) -> Vec<CodeLine> {
    let mut lines = lines_before(view, memory, linear, before);
    let mut at = linear;
    for _ in 0..count {
        let line = line_at(view, memory, at);
        let is_readable = !line.bytes.is_empty();
        at = at.wrapping_add(line.bytes.len().max(1) as u64);
        lines.push(line);
        if !is_readable {
            break;
        }
    }
    lines
}

/// Instructions in physical memory, decoded as code of this width whose offset 0 is at `base`.
pub fn listing(memory: &(impl PhysReader + ?Sized), phys: u64, base: u64, bits: u32, count: u16) -> Vec<CodeLine> {
    let mut lines = Vec::new();
    let mut at = phys;
    for _ in 0..count {
        let mut buffer = [0; MAX_INSTRUCTION];
        let len = memory.read(at, &mut buffer);
        let bytes = &buffer[..len];
        if bytes.is_empty() {
            break;
        }
        let line = decode_line(bytes, bits, at.wrapping_sub(base));
        lines.push(CodeLine {
            linear: LinearAddr(at),
            bytes: bytes[..line.len].to_vec(),
            intel: line.intel,
            att: line.att,
            bits: bits as u8,
            target: line.target.map(|offset| LinearAddr(base.wrapping_add(offset))),
        });
        at += line.len as u64;
    }
    lines
}

fn line_at(view: &View, memory: &(impl PhysReader + ?Sized), linear: u64) -> CodeLine {
    let bits = view.code_bits;
    let (bytes, len) = code_bytes::<MAX_INSTRUCTION>(view, memory, linear);
    if len == 0 {
        let why = || String::from("(not mapped)");
        let linear = LinearAddr(linear);
        return CodeLine { linear, bytes: Vec::new(), intel: why(), att: why(), bits: bits as u8, target: None };
    }
    let line = decode_line(&bytes[..len], bits, view.offset_in_cs(linear));
    CodeLine {
        linear: LinearAddr(linear),
        bytes: bytes[..line.len].to_vec(),
        intel: line.intel,
        att: line.att,
        bits: bits as u8,
        target: line.target.map(|offset| LinearAddr(view.linear_in_cs(offset))),
    }
}

/// x86 cannot be decoded backwards. From each start up to 15 bytes an instruction ahead, decodings soon fall into step
/// with the true one; the farthest start whose lines meet `linear` exactly and are all valid is the best guess.
fn lines_before(view: &View, memory: &(impl PhysReader + ?Sized), linear: u64, count: u16) -> Vec<CodeLine> {
    let count = usize::from(count);
    let farthest = (count * MAX_INSTRUCTION) as u64;
    // An instruction may begin neither before its segment nor before address 0.
    let most = farthest.min(view.offset_in_cs(linear)).min(linear);
    let starts = (1..=most).rev().map(|back| linear - back);
    for start in starts {
        if let Some(mut lines) = lines_between(view, memory, start, linear) {
            return lines.split_off(lines.len().saturating_sub(count));
        }
    }
    Vec::new()
}

/// The instructions from one address to another, None unless they are valid and end there.
fn lines_between(view: &View, memory: &(impl PhysReader + ?Sized), start: u64, end: u64) -> Option<Vec<CodeLine>> {
    let mut lines = Vec::new();
    let mut at = start;
    while at < end {
        let line = line_at(view, memory, at);
        if line.bytes.is_empty() || line.intel == "(bad)" {
            return None;
        }
        at += line.bytes.len() as u64;
        lines.push(line);
    }
    (at == end).then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::segment;
    use protocol::CpuId;

    /// Goal: lines ahead of an address meet it and are the true ones; method: instructions of several lengths in real
    /// mode, and the end of memory.
    #[test]
    fn around() {
        let mut bus = Bus::new(1 << 20);
        let mut cpu = Cpu::power_on(CpuId(0), 0, true);
        cpu.segments[segment::CS].base = 0x1_0000;
        // xor ax, ax; mov ds, ax; mov sp, 0x7000; call +2; hlt; jmp -5
        let code = [0x31, 0xc0, 0x8e, 0xd8, 0xbc, 0x00, 0x70, 0xe8, 0x02, 0x00, 0xf4, 0xeb, 0xf9];
        bus.ram.write_slice(0x1_8000, &code);
        let found = lines(&View::of(&cpu), &bus, 0x1_8007, 2, 3);
        let texts: Vec<&str> = found.iter().map(|line| line.intel.as_str()).collect();
        assert_eq!(texts[..2], ["mov ds, ax", "mov sp, 0x7000"]);
        assert_eq!((found[2].linear, found[2].target), (LinearAddr(0x1_8007), Some(LinearAddr(0x1_800c))));
        assert_eq!(flow_at(&cpu, &bus, 0x1_8007), Flow::Call);
        assert_eq!(flow_at(&cpu, &bus, 0x1_800a), Flow::Wait);
        let beyond = lines(&View::of(&cpu), &bus, 0x10_0000, 0, 4);
        assert_eq!((beyond.len(), beyond[0].intel.as_str()), (1, "(not mapped)"));
    }
}
