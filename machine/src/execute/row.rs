//! Rows: instructions that change registers, status flags and memory only, executed one after the other without looking in
//! between at what they cannot change: the mode, what is due, the segments, the right to fetch.
//!
//! A row goes on in one page of decoded code, and ends after an access that filled the TLB, wrote to a page that holds
//! code or reached a device. It gives the state that as many single steps give (`tests/instructions/row.rs`).

use super::{dispatch, explain, next_ip, plain, string};
use crate::bus::{Bus, STEP_NS};
use crate::cpu::flags::{RF, TF};
use crate::cpu::{Cpu, segment};
use crate::decode::{Insn, Kind, Op, Operand, Place};
use crate::fault::Exec;
use protocol::Mode;

/// How an instruction may stand in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// Not at all: something else must be looked at before or after it.
    Never,
    /// It may read and write memory, and fault.
    Memory,
    /// It touches registers and flags alone, see [`plain`].
    Plain,
}

/// How an instruction may stand in a row: asked once, when it is decoded.
pub fn row_of(insn: &Insn) -> Row {
    if plain::is_plain(insn) {
        return Row::Plain;
    }
    let is_usual =
        |operand: Operand| matches!(operand.kind, Kind::None | Kind::Gpr | Kind::GprHigh | Kind::Imm | Kind::Mem);
    if ![insn.dst, insn.src, insn.third].into_iter().all(is_usual) {
        return Row::Never;
    }
    match insn.op {
        Op::Mov | Op::Movzx | Op::Movsx | Op::Movsxd | Op::Movnti | Op::Xchg | Op::Cmovcc | Op::Setcc | Op::Xlatb => {
            Row::Memory
        }
        Op::Add | Op::Adc | Op::Sub | Op::Sbb | Op::Cmp | Op::Inc | Op::Dec | Op::Neg => Row::Memory,
        Op::Mul | Op::Imul | Op::Div | Op::Idiv | Op::Xadd | Op::Cmpxchg | Op::Cmpxchg8b => Row::Memory,
        Op::And | Op::Or | Op::Xor | Op::Test | Op::Not | Op::Bt | Op::Bts | Op::Btr | Op::Btc => Row::Memory,
        Op::Bsf | Op::Bsr | Op::Shl | Op::Shr | Op::Sar | Op::Rol | Op::Ror | Op::Shld | Op::Shrd => Row::Memory,
        Op::Push | Op::Pop | Op::Leave | Op::Jmp | Op::Call | Op::Ret => Row::Memory,
        Op::Loop | Op::Loope | Op::Loopne | Op::Jcxz | Op::Jecxz | Op::Jrcxz => Row::Memory,
        Op::Movs | Op::Stos | Op::Lods | Op::Cmps | Op::Scas | Op::Cld => Row::Memory,
        _ => Row::Never,
    }
}

/// Executes at most `most` instructions from CS:IP on, whose first one was fetched from `place`. Returns how many were
/// made, and the trap that the one after them raised. 0 and no trap: the first one stands in no row.
pub fn run(cpu: &mut Cpu, bus: &mut Bus, place: Place, most: u32) -> (u32, Exec<()>) {
    if cpu.rflags & (TF | RF) != 0 {
        return (0, Ok(()));
    }
    let (start_ns, fills, code_writes) = (bus.clock_ns, cpu.tlb.changes(), bus.ram.code_writes());
    let is_long = cpu.mode() == Mode::Long;
    let cs = &cpu.segments[segment::CS];
    let (cs_base, cs_limit) = if is_long { (0, u64::MAX) } else { (cs.base, u64::from(cs.limit)) };
    let page = cpu.linear_pc() & !0xfff;
    let mut made = 0;
    while let Some(code) = bus.code.page(place).filter(|_| made < most) {
        // As far as registers alone are touched, the decoded instructions are read where they are.
        let found = loop {
            let start = cpu.rip;
            let linear = if is_long { start } else { cs_base.wrapping_add(start) & 0xffff_ffff };
            let Some(insn) = code.insn_at(linear.wrapping_sub(page) as usize) else { break None };
            let next = start.wrapping_add(u64::from(insn.len));
            if insn.row != Row::Plain || made == most || next.wrapping_sub(1) > cs_limit {
                break (insn.row == Row::Memory && made < most && next.wrapping_sub(1) <= cs_limit).then_some(*insn);
            }
            cpu.rip = if is_long { next } else { next & 0xffff_ffff };
            if !plain::execute(cpu, insn) {
                cpu.rip = start;
                break None;
            }
            made += 1;
        };
        let Some(insn) = found else { break };
        let start = cpu.rip;
        bus.clock_ns = start_ns + STEP_NS * u64::from(made);
        cpu.rip = next_ip(cpu, start.wrapping_add(u64::from(insn.len)));
        if let Err(trap) = dispatch(cpu, bus, &insn) {
            cpu.rip = start;
            return (made, Err(explain(cpu, bus, trap, insn.op)));
        }
        made += 1;
        if cpu.tlb.changes() != fills || bus.ram.code_writes() != code_writes || bus.reached_device {
            break;
        }
        if cpu.rip == start && made < most {
            made += string::go_on(cpu, bus, &insn, most - made);
        }
    }
    (made, Ok(()))
}
