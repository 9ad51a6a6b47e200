//! The later general-register instructions: POPCNT, LZCNT, TZCNT, BMI1 and BMI2, ADCX and ADOX, CRC32, MOVBE.
//!
//! Sources: SDM 2A and 2B, the instructions by name. Flags that the SDM calls undefined: AF and PF are 0, but after LZCNT
//! and TZCNT all four (OF SF AF PF) stay.

use super::operand::{gpr, mask, read, read_dst, read_src, set_gpr, sign_bit, sign_extend, write_dst};
use super::status::when;
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::cpu::flags::{CF, OF, SF, STATUS, ZF};
use crate::cpu::gpr::RDX;
use crate::decode::{Insn, Op};
use crate::fault::{Exec, Fault};
use protocol::Mode;

/// The polynomial 11EDC6F41h of CRC32, its bits in reverse.
const CRC32_POLYNOMIAL: u32 = 0x82f6_3b78;

/// The one of them that is meant.
pub fn execute(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    match insn.op {
        Op::Popcnt => popcnt(cpu, bus, insn),
        Op::Lzcnt | Op::Tzcnt => count_zeros(cpu, bus, insn),
        Op::Movbe => movbe(cpu, bus, insn),
        Op::Crc32 => crc32(cpu, bus, insn),
        Op::Adcx | Op::Adox => add_with(cpu, bus, insn),
        _ => vex(cpu, bus, insn),
    }
}

/// POPCNT: ZF, the others 0.
fn popcnt(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let source = read_src(cpu, bus, insn)?;
    write_dst(cpu, bus, insn, u64::from(source.count_ones()))?;
    cpu.rflags = cpu.rflags & !STATUS | when(source == 0, ZF);
    Ok(())
}

/// LZCNT, TZCNT: CF says that the source is 0, ZF that the result is.
fn count_zeros(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let source = read_src(cpu, bus, insn)?;
    let bits = 8 * u32::from(insn.size);
    let count = match insn.op {
        Op::Tzcnt => source.trailing_zeros().min(bits),
        _ => source.leading_zeros() + bits - 64,
    };
    write_dst(cpu, bus, insn, u64::from(count))?;
    cpu.rflags = cpu.rflags & !(CF | ZF) | when(source == 0, CF) | when(count == 0, ZF);
    Ok(())
}

/// MOVBE: moves to or from memory, the bytes in reverse. No flags.
fn movbe(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let value = read(cpu, bus, insn, insn.src, insn.size)?;
    write_dst(cpu, bus, insn, value.swap_bytes() >> (64 - 8 * u32::from(insn.size)))
}

/// CRC32: the first operand goes on over the bytes of the second. No flags.
fn crc32(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let source = read_src(cpu, bus, insn)?;
    let mut crc = read_dst(cpu, bus, insn)? as u32;
    for byte in &source.to_le_bytes()[..usize::from(insn.src_size).min(8)] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 != 0 { CRC32_POLYNOMIAL } else { 0 };
        }
    }
    write_dst(cpu, bus, insn, u64::from(crc))
}

/// ADCX and ADOX: an addition whose carry is CF or OF alone.
fn add_with(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let flag = if insn.op == Op::Adcx { CF } else { OF };
    let (a, b) = (read_dst(cpu, bus, insn)?, read_src(cpu, bus, insn)?);
    let sum = u128::from(a) + u128::from(b) + u128::from(cpu.rflags & flag != 0);
    write_dst(cpu, bus, insn, sum as u64 & mask(insn.size))?;
    cpu.rflags = cpu.rflags & !flag | when(sum > u128::from(mask(insn.size)), flag);
    Ok(())
}

/// The instructions with a VEX prefix. They are not recognised in real and virtual-8086 mode.
fn vex(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    if matches!(cpu.mode(), Mode::Real | Mode::V86) {
        return Err(Fault::ud("instructions with a VEX prefix need protected mode").into());
    }
    let size = insn.size;
    let first = read(cpu, bus, insn, insn.src, size)?;
    let second = read(cpu, bus, insn, insn.third, size)?;
    let bits = 8 * u32::from(size);
    let (result, carry) = match insn.op {
        Op::Andn => (!first & second, false),
        Op::Blsi => (first & first.wrapping_neg(), first != 0),
        Op::Blsr => (first & first.wrapping_sub(1), first == 0),
        Op::Blsmsk => (first ^ first.wrapping_sub(1), first == 0),
        Op::Bextr => {
            let (start, len) = (second as u32 & 0xff, second as u32 >> 8 & 0xff);
            (low_bits(first.checked_shr(start).unwrap_or(0), len), false)
        }
        Op::Bzhi => {
            let index = second as u32 & 0xff;
            (low_bits(first, index), index > bits - 1)
        }
        op => {
            move_bits(cpu, insn, op, first, second);
            return Ok(());
        }
    };
    let result = result & mask(size);
    write_dst(cpu, bus, insn, result)?;
    let sign = when(result & sign_bit(size) != 0 && insn.op != Op::Bextr, SF);
    // BLSMSK never gives 0.
    cpu.rflags = cpu.rflags & !STATUS | sign | when(result == 0, ZF) | when(carry, CF);
    Ok(())
}

/// Those with a VEX prefix that change no flags.
fn move_bits(cpu: &mut Cpu, insn: &Insn, op: Op, first: u64, second: u64) {
    let size = insn.size;
    let bits = 8 * u32::from(size);
    let dst = usize::from(insn.dst.reg);
    let count = second as u32 & (bits - 1);
    let result = match op {
        Op::Shlx => first << count,
        Op::Shrx => first >> count,
        Op::Sarx => (sign_extend(first, size) as i64 >> count) as u64,
        Op::Rorx if count == 0 => first,
        Op::Rorx => first >> count | first << (bits - count),
        Op::Pdep => deposit(first, second),
        Op::Pext => extract(first, second),
        // MULX: the high half in the first operand, the low one in the second; the same register keeps the high one.
        _ => {
            let product = u128::from(gpr(cpu, RDX, size)) * u128::from(second);
            set_gpr(cpu, usize::from(insn.src.reg), size, product as u64);
            (product >> bits) as u64
        }
    };
    set_gpr(cpu, dst, size, result);
}

/// The low `count` bits of a value.
fn low_bits(value: u64, count: u32) -> u64 {
    if count >= 64 { value } else { value & ((1 << count) - 1) }
}

/// PDEP: the low bits of `source` go where the mask has ones.
fn deposit(mut source: u64, mask: u64) -> u64 {
    let (mut left, mut result) = (mask, 0);
    while left != 0 {
        let lowest = left & left.wrapping_neg();
        result |= if source & 1 != 0 { lowest } else { 0 };
        source >>= 1;
        left ^= lowest;
    }
    result
}

/// PEXT: the bits of `source` where the mask has ones, pushed together.
fn extract(source: u64, mask: u64) -> u64 {
    let (mut left, mut result) = (mask, 0);
    for place in 0..mask.count_ones() {
        let lowest = left & left.wrapping_neg();
        result |= u64::from(source & lowest != 0) << place;
        left ^= lowest;
    }
    result
}
