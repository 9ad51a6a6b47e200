//! FXSAVE, FXRSTOR, LDMXCSR, STMXCSR. [`super::xsave`] has the XSAVE family, whose areas begin alike.
//!
//! The 512-byte image (SDM 1, "Layout of the FXSAVE area"): FCW at 0, FSW 2, abridged tag word 4, FOP 6, instruction pointer
//! 8, data pointer 16, MXCSR 24, its mask 28, ST0 to ST7 from 32 on, XMM from 160 on, each in 16 bytes. Bytes from 416 on
//! (288 outside 64-bit mode) are not touched.

use crate::bus::Bus;
use crate::cpu::{Cpu, X87, cr0};
use crate::decode::{Insn, Op};
use crate::execute::operand::{check_aligned, mask, offset, read_dst, segment_of, write_dst};
use crate::fault::{Exec, Fault, vector};
use crate::mmu;
use protocol::Mode;
use std::ops::Range;

/// Bits of MXCSR that exist: all of 15:0 (with DAZ).
pub const MXCSR_MASK: u32 = 0xffff;
/// The image as 8-byte words.
pub(super) type Words = [u64; 52];
/// Words of the x87's registers before MXCSR.
pub(super) const X87_CONTROL: Range<usize> = 0..3;
/// The word of MXCSR and its mask.
pub(super) const MXCSR: Range<usize> = 3..4;
/// Words of ST0 to ST7.
pub(super) const X87_DATA: Range<usize> = 4..20;
/// First word of XMM0.
pub(super) const XMM: usize = 20;
/// The word of XSTATE_BV; XCOMP_BV and 48 bytes of zeros follow.
pub(super) const HEADER: u64 = 64;

/// Where an area is: segment, offset of the first byte, offset mask; and the form of pointers.
pub(super) struct Area {
    pub(super) seg: usize,
    pub(super) start: u64,
    mask: u64,
    /// 64-bit pointers (REX.W), else selectors and 32-bit offsets.
    pub(super) is_wide: bool,
    /// Words up to the last XMM register of this mode.
    pub(super) end: usize,
}

impl Area {
    pub(super) fn of(cpu: &Cpu, insn: &Insn, align: u64) -> Exec<Self> {
        let is_wide = matches!(
            insn.op,
            Op::Fxsave64 | Op::Fxrstor64 | Op::Xsave64 | Op::Xsaveopt64 | Op::Xsavec64 | Op::Xrstor64
        );
        let end = XMM + if cpu.mode() == Mode::Long { 32 } else { 16 };
        let (seg, start, mask) = (segment_of(insn), offset(cpu, insn), mask(insn.addr_size));
        check_aligned(cpu, seg, start, align)?;
        Ok(Self { seg, start, mask, is_wide, end })
    }

    pub(super) fn at(&self, word: u64) -> u64 {
        self.start.wrapping_add(8 * word) & self.mask
    }

    pub(super) fn read(&self, cpu: &mut Cpu, bus: &mut Bus, range: Range<usize>, words: &mut Words) -> Exec<()> {
        for index in range {
            words[index] = mmu::read_u64(cpu, bus, self.seg, self.at(index as u64))?;
        }
        Ok(())
    }

    pub(super) fn write(&self, cpu: &mut Cpu, bus: &mut Bus, range: Range<usize>, words: &Words) -> Exec<()> {
        for index in range {
            mmu::write_u64(cpu, bus, self.seg, self.at(index as u64), words[index])?;
        }
        Ok(())
    }
}

/// The state as an image.
pub(super) fn image(cpu: &Cpu, is_wide: bool) -> Words {
    let mut words = [0; 52];
    let x87 = &cpu.x87;
    words[0] = u64::from(x87.fcw) | u64::from(x87.fsw) << 16 | u64::from(x87.ftw) << 32 | u64::from(x87.fop) << 48;
    let pointer = |offset: u64, selector: u16| {
        if is_wide { offset } else { offset & 0xffff_ffff | u64::from(selector) << 32 }
    };
    (words[1], words[2]) = (pointer(x87.fip, x87.fcs), pointer(x87.fdp, x87.fds));
    words[3] = u64::from(cpu.mxcsr) | u64::from(MXCSR_MASK) << 32;
    let wide = (0..8).map(|i| x87.raw(i)).chain(cpu.xmm);
    for (pair, value) in words[X87_DATA.start..].chunks_exact_mut(2).zip(wide) {
        (pair[0], pair[1]) = (value as u64, (value >> 64) as u64);
    }
    words
}

fn wide(words: &Words, index: usize) -> u128 {
    u128::from(words[index]) | u128::from(words[index + 1]) << 64
}

pub(super) fn x87_of(words: &Words, is_wide: bool) -> X87 {
    const EIGHTY_BITS: u128 = (1 << 80) - 1;
    let control = words[0];
    let pointer = |word: u64| if is_wide { (word, 0) } else { (word & 0xffff_ffff, (word >> 32) as u16) };
    let mut x87 = X87::initialized([0; 8]);
    (x87.fsw, x87.ftw) = ((control >> 16) as u16, (control >> 32) as u8);
    x87.fop = (control >> 48) as u16 & 0x7ff;
    ((x87.fip, x87.fcs), (x87.fdp, x87.fds)) = (pointer(words[1]), pointer(words[2]));
    for i in 0..8 {
        let number = x87.number_of(i);
        x87.r[number] = wide(words, X87_DATA.start + 2 * i) & EIGHTY_BITS;
    }
    x87.load_control(control as u16);
    x87
}

/// FXSAVE, FXSAVE64.
pub fn fxsave(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    check_fx(cpu)?;
    let area = Area::of(cpu, insn, 16)?;
    mmu::check_write(cpu, bus, area.seg, area.start, 512)?;
    let words = image(cpu, area.is_wide);
    area.write(cpu, bus, 0..area.end, &words)
}

/// FXRSTOR, FXRSTOR64.
pub fn fxrstor(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    check_fx(cpu)?;
    let area = Area::of(cpu, insn, 16)?;
    let mut words = [0; 52];
    area.read(cpu, bus, 0..area.end, &mut words)?;
    let mxcsr = words[MXCSR.start] as u32;
    check_mxcsr(mxcsr)?;
    cpu.mxcsr = mxcsr;
    load_x87(cpu, x87_of(&words, area.is_wide));
    load_xmm(cpu, &words, area.end);
    Ok(())
}

pub(super) fn load_x87(cpu: &mut Cpu, x87: X87) {
    cpu.x87 = X87 { ignne: cpu.x87.ignne, ..x87 };
}

pub(super) fn load_xmm(cpu: &mut Cpu, words: &Words, end: usize) {
    for (register, index) in cpu.xmm.iter_mut().zip((XMM..end).step_by(2)) {
        *register = wide(words, index);
    }
}

fn check_fx(cpu: &Cpu) -> Exec<()> {
    if cpu.cr0 & (cr0::EM | cr0::TS) != 0 {
        return Err(Fault::plain(vector::DEVICE_NOT_AVAILABLE, "FXSAVE and FXRSTOR need CR0.EM = TS = 0").into());
    }
    Ok(())
}

pub(super) fn check_mxcsr(value: u32) -> Exec<()> {
    if value & !MXCSR_MASK != 0 {
        return Err(Fault::gp(0, "the new MXCSR sets reserved bits").into());
    }
    Ok(())
}

/// LDMXCSR.
pub fn ldmxcsr(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let value = read_dst(cpu, bus, insn)? as u32;
    check_mxcsr(value)?;
    cpu.mxcsr = value;
    Ok(())
}

/// STMXCSR.
pub fn stmxcsr(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    write_dst(cpu, bus, insn, u64::from(cpu.mxcsr))
}
