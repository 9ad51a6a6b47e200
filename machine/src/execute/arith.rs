//! Binary arithmetic: ADD to CMP, INC, DEC, NEG, MUL to IDIV, the sign extensions of the accumulator, XADD and CMPXCHG.
//! Decimal arithmetic is in [`super::decimal`].

use super::operand::{
    check_aligned, gpr, load, mask, modify, offset, read, read_dst, read_src, segment_of, set_gpr, sign_extend, store,
    write_dst,
};
use super::status::{self, when};
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::cpu::flags::{CF, OF, ZF};
use crate::cpu::gpr::{RAX, RBX, RCX, RDX};
use crate::decode::{Insn, Kind, Op};
use crate::fault::{Exec, Fault, Trap, vector};
use crate::mmu;

/// ADD: OF SF ZF AF PF CF by the sum.
pub fn add(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let b = read(cpu, bus, insn, insn.src, insn.size)?;
    modify(cpu, bus, insn, |a, flags| status::add(flags, a, b, 0, insn.size))
}

/// ADC: OF SF ZF AF PF CF by the sum.
pub fn adc(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let b = read(cpu, bus, insn, insn.src, insn.size)?;
    modify(cpu, bus, insn, |a, flags| status::add(flags, a, b, flags & CF, insn.size))
}

/// SUB: OF SF ZF AF PF CF by the difference.
pub fn sub(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let b = read(cpu, bus, insn, insn.src, insn.size)?;
    modify(cpu, bus, insn, |a, flags| status::sub(flags, a, b, 0, insn.size))
}

/// SBB: OF SF ZF AF PF CF by the difference.
pub fn sbb(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let b = read(cpu, bus, insn, insn.src, insn.size)?;
    modify(cpu, bus, insn, |a, flags| status::sub(flags, a, b, flags & CF, insn.size))
}

/// CMP: the flags of SUB.
pub fn cmp(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let a = read_dst(cpu, bus, insn)?;
    let b = read(cpu, bus, insn, insn.src, insn.size)?;
    cpu.rflags = status::sub(cpu.rflags, a, b, 0, insn.size).1;
    Ok(())
}

/// INC: OF SF ZF AF PF; CF stays.
pub fn inc(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    modify(cpu, bus, insn, |a, flags| incremented(flags, a, insn.size))
}

/// What INC makes of a value and the flags.
#[inline]
pub fn incremented(flags: u64, value: u64, size: u8) -> (u64, u64) {
    let (sum, new) = status::add(flags, value, 1, 0, size);
    (sum, new & !CF | flags & CF)
}

/// DEC: OF SF ZF AF PF; CF stays.
pub fn dec(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    modify(cpu, bus, insn, |a, flags| decremented(flags, a, insn.size))
}

/// What DEC makes of a value and the flags.
#[inline]
pub fn decremented(flags: u64, value: u64, size: u8) -> (u64, u64) {
    let (difference, new) = status::sub(flags, value, 1, 0, size);
    (difference, new & !CF | flags & CF)
}

/// NEG: the flags of 0 - operand, so CF is set unless the operand is 0.
pub fn neg(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    modify(cpu, bus, insn, |a, flags| status::sub(flags, 0, a, 0, insn.size))
}

/// Writes a double-width result: AX for bytes, else DX:AX, EDX:EAX, RDX:RAX.
fn set_double(cpu: &mut Cpu, size: u8, low: u64, high: u64) {
    if size == 1 {
        set_gpr(cpu, RAX, 2, low & 0xff | (high & 0xff) << 8);
    } else {
        set_gpr(cpu, RAX, size, low);
        set_gpr(cpu, RDX, size, high);
    }
}

fn double(cpu: &Cpu, size: u8) -> u128 {
    if size == 1 {
        return u128::from(gpr(cpu, RAX, 2));
    }
    u128::from(gpr(cpu, RDX, size)) << (8 * u32::from(size)) | u128::from(gpr(cpu, RAX, size))
}

/// CF and OF say that the product does not fit one operand.
fn multiply_flags(flags: u64, low: u64, overflow: bool, size: u8) -> u64 {
    status::logic(flags, low, size) | when(overflow, CF | OF)
}

/// MUL: CF and OF set if the upper half is not zero; SF ZF AF PF undefined (see [`status`]).
pub fn mul(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let size = insn.size;
    let product = u128::from(read_dst(cpu, bus, insn)?) * u128::from(gpr(cpu, RAX, size));
    let (low, high) = (product as u64 & mask(size), (product >> (8 * u32::from(size))) as u64);
    set_double(cpu, size, low, high);
    cpu.rflags = multiply_flags(cpu.rflags, low, high & mask(size) != 0, size);
    Ok(())
}

/// IMUL of one, two or three operands: CF and OF set if the product does not fit; SF ZF AF PF undefined.
pub fn imul(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let size = insn.size;
    let (a, b) = if insn.src.kind == Kind::None {
        (read_dst(cpu, bus, insn)?, gpr(cpu, RAX, size))
    } else if insn.third.kind == Kind::None {
        (read_src(cpu, bus, insn)?, read_dst(cpu, bus, insn)?)
    } else {
        (read_src(cpu, bus, insn)?, insn.imm)
    };
    let product = i128::from(sign_extend(a, size) as i64) * i128::from(sign_extend(b, size) as i64);
    let low = product as u64 & mask(size);
    let overflow = product != i128::from(sign_extend(low, size) as i64);
    if insn.src.kind == Kind::None {
        set_double(cpu, size, low, (product >> (8 * u32::from(size))) as u64);
    } else {
        write_dst(cpu, bus, insn, low)?;
    }
    cpu.rflags = multiply_flags(cpu.rflags, low, overflow, size);
    Ok(())
}

#[cold]
fn divide_error(cause: &'static str) -> Trap {
    Fault::plain(vector::DIVIDE_ERROR, cause).into()
}

/// DIV: #DE if the divisor is 0 or the quotient does not fit. All status flags are undefined and stay.
pub fn div(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let size = insn.size;
    let (divisor, dividend) = (u128::from(read_dst(cpu, bus, insn)?), double(cpu, size));
    if divisor == 0 {
        return Err(divide_error("division by zero"));
    }
    let (quotient, remainder) = (dividend / divisor, dividend % divisor);
    if quotient > u128::from(mask(size)) {
        return Err(divide_error("the quotient does not fit its register"));
    }
    set_double(cpu, size, quotient as u64, remainder as u64);
    Ok(())
}

/// IDIV: rounds towards zero; #DE if the divisor is 0 or the quotient does not fit. All status flags stay.
pub fn idiv(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let size = insn.size;
    let divisor = i128::from(sign_extend(read_dst(cpu, bus, insn)?, size) as i64);
    let bits = if size == 8 { 128 } else { 16 * u32::from(size) };
    let dividend = (double(cpu, size) << (128 - bits)) as i128 >> (128 - bits);
    if divisor == 0 {
        return Err(divide_error("division by zero"));
    }
    let (quotient, overflow) = dividend.overflowing_div(divisor);
    let fits = i128::from(sign_extend(quotient as u64, size) as i64) == quotient;
    if overflow || !fits {
        return Err(divide_error("the quotient does not fit its register"));
    }
    set_double(cpu, size, quotient as u64, dividend.wrapping_rem(divisor) as u64);
    Ok(())
}

/// CBW, CWDE, CDQE extend the accumulator in itself; CWD, CDQ, CQO into rDX. No flags.
pub fn extend_accumulator(cpu: &mut Cpu, op: Op) {
    let sign = |size: u8| if cpu.gpr[RAX] & super::operand::sign_bit(size) != 0 { u64::MAX } else { 0 };
    match op {
        Op::Cbw => set_gpr(cpu, RAX, 2, sign_extend(cpu.gpr[RAX], 1)),
        Op::Cwde => set_gpr(cpu, RAX, 4, sign_extend(cpu.gpr[RAX], 2)),
        Op::Cdqe => set_gpr(cpu, RAX, 8, sign_extend(cpu.gpr[RAX], 4)),
        Op::Cwd => set_gpr(cpu, RDX, 2, sign(2)),
        Op::Cdq => set_gpr(cpu, RDX, 4, sign(4)),
        _ => set_gpr(cpu, RDX, 8, sign(8)),
    }
}

/// XADD: the source gets the old first operand, which gets the sum; flags of ADD.
pub fn xadd(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let b = read_src(cpu, bus, insn)?;
    if insn.dst.kind == Kind::Mem {
        let mut old = 0;
        modify(cpu, bus, insn, |a, flags| {
            old = a;
            status::add(flags, a, b, 0, insn.size)
        })?;
        return super::operand::write(cpu, bus, insn, insn.src, insn.size, old);
    }
    let a = read_dst(cpu, bus, insn)?;
    let (sum, flags) = status::add(cpu.rflags, a, b, 0, insn.size);
    super::operand::write(cpu, bus, insn, insn.src, insn.size, a)?;
    write_dst(cpu, bus, insn, sum)?;
    cpu.rflags = flags;
    Ok(())
}

/// CMPXCHG: flags of CMP accumulator, operand. Equal: the operand gets the source; else the accumulator the operand.
/// The operand is written in both cases, so that it must be writable.
pub fn cmpxchg(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let size = insn.size;
    let source = read_src(cpu, bus, insn)?;
    let accumulator = gpr(cpu, RAX, size);
    if insn.dst.kind == Kind::Mem {
        let mut old = 0;
        modify(cpu, bus, insn, |value, flags| {
            old = value;
            let (_, flags) = status::sub(flags, accumulator, value, 0, size);
            (if value == accumulator { source } else { value }, flags)
        })?;
        if old != accumulator {
            set_gpr(cpu, RAX, size, old);
        }
        return Ok(());
    }
    let old = read_dst(cpu, bus, insn)?;
    cpu.rflags = status::sub(cpu.rflags, accumulator, old, 0, size).1;
    if old == accumulator {
        write_dst(cpu, bus, insn, source)
    } else {
        set_gpr(cpu, RAX, size, old);
        Ok(())
    }
}

/// CMPXCHG8B: compares EDX:EAX, stores ECX:EBX; ZF only.
pub fn cmpxchg8b(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let (seg, offset) = (segment_of(insn), offset(cpu, insn));
    mmu::check_write(cpu, bus, seg, offset, 8)?;
    let old = load(cpu, bus, seg, offset, 8)?;
    let expected = gpr(cpu, RDX, 4) << 32 | gpr(cpu, RAX, 4);
    let new = gpr(cpu, RCX, 4) << 32 | gpr(cpu, RBX, 4);
    store(cpu, bus, seg, offset, 8, if old == expected { new } else { old })?;
    if old != expected {
        set_gpr(cpu, RAX, 4, old);
        set_gpr(cpu, RDX, 4, old >> 32);
    }
    cpu.rflags = cpu.rflags & !ZF | when(old == expected, ZF);
    Ok(())
}

/// CMPXCHG16B: compares RDX:RAX, stores RCX:RBX; ZF only. #GP(0) unless the operand is aligned to 16 bytes.
pub fn cmpxchg16b(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let (seg, offset) = (segment_of(insn), offset(cpu, insn));
    check_aligned(cpu, seg, offset, 16)?;
    mmu::check_write(cpu, bus, seg, offset, 16)?;
    let old = mmu::read_u128(cpu, bus, seg, offset)?;
    let expected = u128::from(cpu.gpr[RDX]) << 64 | u128::from(cpu.gpr[RAX]);
    let new = u128::from(cpu.gpr[RCX]) << 64 | u128::from(cpu.gpr[RBX]);
    mmu::write_u128(cpu, bus, seg, offset, if old == expected { new } else { old })?;
    if old != expected {
        cpu.gpr[RAX] = old as u64;
        cpu.gpr[RDX] = (old >> 64) as u64;
    }
    cpu.rflags = cpu.rflags & !ZF | when(old == expected, ZF);
    Ok(())
}
