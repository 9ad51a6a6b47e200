//! SSE4.2's string comparisons: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM.
//!
//! Source: SDM 1, "SSE4.2 String Processing Instructions"; SDM 2B, "Imm8 Control Byte Operation".

use super::lanes::{bytes, from_bytes, from_words, words};
use super::{Alignment, read_source};
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::cpu::flags::{AF, CF, OF, PF, SF, ZF};
use crate::cpu::gpr::{RAX, RCX, RDX};
use crate::decode::{Insn, Op};
use crate::execute::operand::set_gpr;
use crate::fault::Exec;

/// A string: its elements as numbers, and how many of them count.
struct Text {
    elements: Vec<i32>,
    len: usize,
}

impl Text {
    fn of(value: u128, imm: u8, len: Option<i64>) -> Self {
        let elements: Vec<i32> = match imm & 3 {
            0 => bytes(value).map(i32::from).into(),
            1 => words(value).map(i32::from).into(),
            2 => bytes(value).map(|x| (x as i8).into()).into(),
            _ => words(value).map(|x| (x as i16).into()).into(),
        };
        let len = match len {
            Some(len) => len.unsigned_abs().min(elements.len() as u64) as usize,
            None => elements.iter().position(|&element| element == 0).unwrap_or(elements.len()),
        };
        Self { elements, len }
    }

    /// Element i, None where the string has ended.
    fn at(&self, i: usize) -> Option<i32> {
        self.elements[..self.len].get(i).copied()
    }
}

/// Executes one of the four; false: it is another kind of instruction.
pub fn execute(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<bool> {
    let is_explicit = matches!(insn.op, Op::Pcmpestri | Op::Pcmpestri64 | Op::Pcmpestrm | Op::Pcmpestrm64);
    if !is_explicit && !matches!(insn.op, Op::Pcmpistri | Op::Pcmpistrm) {
        return Ok(false);
    }
    let second = read_source(cpu, bus, insn, Alignment::Free)?;
    let first = cpu.xmm[usize::from(insn.dst.reg & 15)];
    let imm = insn.imm as u8;
    let len = |register: usize| match insn.op {
        _ if !is_explicit => None,
        Op::Pcmpestri64 | Op::Pcmpestrm64 => Some(cpu.gpr[register] as i64),
        _ => Some((cpu.gpr[register] as i32).into()),
    };
    let (a, b) = (Text::of(first, imm, len(RAX)), Text::of(second, imm, len(RDX)));
    let count = a.elements.len();
    let bits = negated(aggregate(&a, &b, imm), imm, &b);
    if matches!(insn.op, Op::Pcmpestrm | Op::Pcmpestrm64 | Op::Pcmpistrm) {
        cpu.xmm[0] = match (imm & 0x40 != 0, count) {
            (false, _) => bits.into(),
            (true, 16) => from_bytes(std::array::from_fn(|i| if bits >> i & 1 != 0 { u8::MAX } else { 0 })),
            (true, _) => from_words(std::array::from_fn(|i| if bits >> i & 1 != 0 { u16::MAX } else { 0 })),
        };
    } else {
        let index = match bits {
            0 => count as u32,
            _ if imm & 0x40 != 0 => 31 - bits.leading_zeros(),
            _ => bits.trailing_zeros(),
        };
        set_gpr(cpu, RCX, 4, index.into());
    }
    let conditions = [(CF, bits != 0), (ZF, b.len < count), (SF, a.len < count), (OF, bits & 1 != 0)];
    let set = conditions.into_iter().filter(|(_, on)| *on).fold(0, |set, (flag, _)| set | flag);
    cpu.rflags = cpu.rflags & !(CF | ZF | SF | OF | AF | PF) | set;
    Ok(true)
}

/// A bit for each place of b (IntRes1).
fn aggregate(a: &Text, b: &Text, imm: u8) -> u32 {
    let count = a.elements.len();
    let holds = |j: usize| match imm >> 2 & 3 {
        // Any of a.
        0 => b.at(j).is_some_and(|element| a.elements[..a.len].contains(&element)),
        // In a range, of which a holds lower and upper bounds by turns.
        1 => b.at(j).is_some_and(|element| {
            a.elements[..a.len].chunks_exact(2).any(|range| range[0] <= element && element <= range[1])
        }),
        // The same in both, or both have ended.
        2 => a.at(j) == b.at(j),
        // All of a is found from here on, as far as the register goes.
        _ => (0..count - j).all(|i| a.at(i).is_none_or(|element| b.at(i + j) == Some(element))),
    };
    (0..count).filter(|&j| holds(j)).fold(0, |bits, j| bits | 1 << j)
}

/// By bits 5:4: as it is, all negated, or negated where b has not ended (IntRes2).
fn negated(bits: u32, imm: u8, b: &Text) -> u32 {
    let all = (1u32 << b.elements.len()) - 1;
    match imm >> 4 & 3 {
        1 => !bits & all,
        3 => bits ^ ((1u32 << b.len) - 1),
        _ => bits,
    }
}
