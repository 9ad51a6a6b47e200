//! Decimal arithmetic of the 8086: AAA, AAS, AAM, AAD, DAA, DAS. The decoder lets them through outside 64-bit mode only.
//!
//! Flags that the SDM calls undefined: OF is 0; after AAA and AAS SF, ZF and PF follow AL.

use super::operand::set_gpr;
use super::status::{self, when};
use crate::cpu::Cpu;
use crate::cpu::flags::{AF, CF, STATUS};
use crate::cpu::gpr::RAX;
use crate::decode::Op;
use crate::fault::{Exec, Fault, vector};

/// Executes one of them; `imm` is the base of AAM and AAD.
pub fn execute(cpu: &mut Cpu, op: Op, imm: u64) -> Exec<()> {
    let ax = cpu.gpr[RAX] as u16;
    let al = ax as u8;
    let old = cpu.rflags;
    let base = imm as u8;
    let adjust_low = al & 15 > 9 || old & AF != 0;
    let (ax, status) = match op {
        Op::Aaa | Op::Aas => {
            let ax = match (adjust_low, op) {
                (false, _) => ax,
                (true, Op::Aaa) => ax.wrapping_add(0x106),
                (true, _) => ax.wrapping_sub(0x106),
            };
            (ax & 0xff0f, when(adjust_low, AF | CF))
        }
        Op::Aam => {
            if base == 0 {
                return Err(Fault::plain(vector::DIVIDE_ERROR, "AAM by base 0").into());
            }
            (u16::from(al / base) << 8 | u16::from(al % base), 0)
        }
        Op::Aad => (u16::from(al.wrapping_add(((ax >> 8) as u8).wrapping_mul(base))), 0),
        _ => {
            let adjust_high = al > 0x99 || old & CF != 0;
            let change = if adjust_low { 6 } else { 0 } + if adjust_high { 0x60 } else { 0 };
            let result = if op == Op::Daa { al.wrapping_add(change) } else { al.wrapping_sub(change) };
            // DAS also carries where the low adjustment borrows (SDM 2A, DAS, the order of its steps).
            let borrow = op == Op::Das && adjust_low && al < 6;
            (ax & 0xff00 | u16::from(result), when(adjust_low, AF) | when(adjust_high || borrow, CF))
        }
    };
    set_gpr(cpu, RAX, 2, u64::from(ax));
    cpu.rflags = old & !STATUS | status::of_result(u64::from(ax), 1) | status;
    Ok(())
}
