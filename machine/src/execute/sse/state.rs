//! FXSAVE, FXRSTOR, LDMXCSR, STMXCSR.
//!
//! The 512-byte image (SDM 2A, FXSAVE): FCW at 0, FSW 2, abridged tag word 4, MXCSR 24, its mask 28, ST0 to ST7 from 32
//! on, XMM from 160 on, each in 16 bytes. The last instruction's opcode and pointers (6 to 23) are kept as 0; bytes from
//! 416 on (288 outside 64-bit mode) are not touched.

use crate::bus::Bus;
use crate::cpu::{Cpu, cr0};
use crate::decode::Insn;
use crate::execute::operand::{check_aligned, mask, offset, read_dst, segment_of, write_dst};
use crate::fault::{Exec, Fault, vector};
use crate::mmu;
use protocol::Mode;

/// Bits of MXCSR that exist: all of 15:0 (with DAZ).
const MXCSR_MASK: u32 = 0xffff;
/// 16-byte pieces before the XMM registers.
const XMM_PIECE: u64 = 10;
/// 16-byte piece of ST0.
const ST_PIECE: u64 = 2;

/// Where the image's pieces are: segment, offset of the first, offset mask.
struct Image {
    seg: usize,
    start: u64,
    mask: u64,
}

impl Image {
    fn of(cpu: &Cpu, insn: &Insn) -> Exec<Self> {
        if cpu.cr0 & (cr0::EM | cr0::TS) != 0 {
            return Err(Fault::plain(vector::DEVICE_NOT_AVAILABLE, "FXSAVE and FXRSTOR need CR0.EM = TS = 0").into());
        }
        let image = Self { seg: segment_of(insn), start: offset(cpu, insn), mask: mask(insn.addr_size) };
        check_aligned(cpu, image.seg, image.start, 16)?;
        Ok(image)
    }

    fn piece(&self, index: u64) -> u64 {
        self.start.wrapping_add(16 * index) & self.mask
    }
}

fn xmm_count(cpu: &Cpu) -> usize {
    if cpu.mode() == Mode::Long { 16 } else { 8 }
}

/// FXSAVE, FXSAVE64.
pub fn fxsave(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let image = Image::of(cpu, insn)?;
    let count = xmm_count(cpu);
    for index in 0..XMM_PIECE + count as u64 {
        mmu::check_write(cpu, bus, image.seg, image.piece(index), 16)?;
    }
    let x87 = cpu.x87.clone();
    let control = u128::from(x87.fcw) | u128::from(x87.fsw) << 16 | u128::from(x87.ftw) << 32;
    let mxcsr = u128::from(cpu.mxcsr) << 64 | u128::from(MXCSR_MASK) << 96;
    mmu::write_u128(cpu, bus, image.seg, image.piece(0), control)?;
    mmu::write_u128(cpu, bus, image.seg, image.piece(1), mxcsr)?;
    for (index, value) in x87.st.into_iter().enumerate() {
        mmu::write_u128(cpu, bus, image.seg, image.piece(ST_PIECE + index as u64), value)?;
    }
    for index in 0..count {
        let value = cpu.xmm[index];
        mmu::write_u128(cpu, bus, image.seg, image.piece(XMM_PIECE + index as u64), value)?;
    }
    Ok(())
}

/// FXRSTOR, FXRSTOR64.
pub fn fxrstor(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    const EIGHTY_BITS: u128 = (1 << 80) - 1;
    let image = Image::of(cpu, insn)?;
    let count = xmm_count(cpu);
    let mut pieces = [0; 26];
    for (index, piece) in pieces.iter_mut().enumerate().take(XMM_PIECE as usize + count) {
        *piece = mmu::read_u128(cpu, bus, image.seg, image.piece(index as u64))?;
    }
    let mxcsr = (pieces[1] >> 64) as u32;
    check_mxcsr(mxcsr)?;
    let control = pieces[0];
    (cpu.x87.fcw, cpu.x87.fsw, cpu.x87.ftw) = (control as u16, (control >> 16) as u16, (control >> 32) as u8);
    for (st, piece) in cpu.x87.st.iter_mut().zip(&pieces[ST_PIECE as usize..]) {
        *st = piece & EIGHTY_BITS;
    }
    cpu.mxcsr = mxcsr;
    cpu.xmm[..count].copy_from_slice(&pieces[XMM_PIECE as usize..][..count]);
    Ok(())
}

fn check_mxcsr(value: u32) -> Exec<()> {
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
