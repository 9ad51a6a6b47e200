//! Bit tests, bit scans, BSWAP.

use super::operand::{gpr, load, mask, offset, read_dst, read_src, segment_of, set_gpr, sign_extend, store, write_dst};
use super::status::when;
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::cpu::flags::{CF, ZF};
use crate::decode::{Insn, Kind, Op};
use crate::fault::Exec;
use crate::mmu;

/// BT, BTS, BTR, BTC: CF gets the bit; the others are undefined (ZF stays by the SDM, here all stay). With a register
/// as index a memory operand is a bit string that extends both ways from its address.
pub fn test(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let size = insn.size;
    let bits = 8 * u64::from(size);
    let index = if insn.src.kind == Kind::Imm { insn.imm & (bits - 1) } else { read_src(cpu, bus, insn)? };
    let bit = 1 << (index & (bits - 1));
    let change = |value: u64| match insn.op {
        Op::Bts => value | bit,
        Op::Btr => value & !bit,
        _ => value ^ bit,
    };
    let old;
    if insn.dst.kind == Kind::Mem {
        let words = (sign_extend(index, size) as i64).div_euclid(bits as i64);
        let offset = offset(cpu, insn).wrapping_add(words.wrapping_mul(i64::from(size)) as u64) & mask(insn.addr_size);
        if insn.op == Op::Bt {
            old = load(cpu, bus, segment_of(insn), offset, size)?;
        } else {
            mmu::check_write(cpu, bus, segment_of(insn), offset, u64::from(size))?;
            old = load(cpu, bus, segment_of(insn), offset, size)?;
            store(cpu, bus, segment_of(insn), offset, size, change(old))?;
        }
    } else {
        old = read_dst(cpu, bus, insn)?;
        if insn.op != Op::Bt {
            write_dst(cpu, bus, insn, change(old))?;
        }
    }
    cpu.rflags = cpu.rflags & !CF | when(old & bit != 0, CF);
    Ok(())
}

/// BSF, BSR: ZF says that the source is 0; then the destination stays as it is (undefined by Intel's manual, defined so
/// by AMD's and by what processors do). The other flags are undefined and stay.
pub fn scan(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let source = read_src(cpu, bus, insn)?;
    if source != 0 {
        let index = if insn.op == Op::Bsf { source.trailing_zeros() } else { 63 - source.leading_zeros() };
        write_dst(cpu, bus, insn, u64::from(index))?;
    }
    cpu.rflags = cpu.rflags & !ZF | when(source == 0, ZF);
    Ok(())
}

/// BSWAP: no flags. Of a 16-bit register it is undefined; processors clear it.
pub fn swap(cpu: &mut Cpu, insn: &Insn) {
    let reg = usize::from(insn.dst.reg);
    let value = match insn.size {
        8 => cpu.gpr[reg & 15].swap_bytes(),
        4 => u64::from((gpr(cpu, reg, 4) as u32).swap_bytes()),
        _ => 0,
    };
    set_gpr(cpu, reg, insn.size, value);
}
