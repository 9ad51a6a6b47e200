//! FXSAVE, FXRSTOR, LDMXCSR, STMXCSR, and the XSAVE family with two components: x87 and SSE.
//!
//! The 512-byte image (SDM 1, "Layout of the FXSAVE area"): FCW at 0, FSW 2, abridged tag word 4, FOP 6, instruction pointer
//! 8, data pointer 16, MXCSR 24, its mask 28, ST0 to ST7 from 32 on, XMM from 160 on, each in 16 bytes. Bytes from 416 on
//! (288 outside 64-bit mode) are not touched. XSAVE's header follows at 512: XSTATE_BV, XCOMP_BV (SDM 1, "Managing State
//! Using the XSAVE Feature Set").

use crate::bus::Bus;
use crate::cpu::gpr::{RAX, RCX, RDX};
use crate::cpu::{Cpu, X87, cr0, cr4};
use crate::decode::{Insn, Op};
use crate::execute::control_reg::need_ring_0;
use crate::execute::operand::{check_aligned, mask, offset, read_dst, segment_of, set_gpr, write_dst};
use crate::fault::{Exec, Fault, vector};
use crate::mmu;
use protocol::Mode;
use std::ops::Range;

/// Bits of MXCSR that exist: all of 15:0 (with DAZ).
pub const MXCSR_MASK: u32 = 0xffff;
/// Component x87 of XCR0 and of the instructions' mask.
pub const XCR0_X87: u64 = 1 << 0;
/// Component SSE: the XMM registers.
pub const XCR0_SSE: u64 = 1 << 1;
/// Bytes of the area with both components: legacy region and header.
pub const XSAVE_BYTES: u32 = 576;

/// The image as 8-byte words.
type Words = [u64; 52];
/// Words of the x87's registers before MXCSR.
const X87_CONTROL: Range<usize> = 0..3;
/// The word of MXCSR and its mask.
const MXCSR: Range<usize> = 3..4;
/// Words of ST0 to ST7.
const X87_DATA: Range<usize> = 4..20;
/// First word of XMM0.
const XMM: usize = 20;
/// The word of XSTATE_BV; XCOMP_BV and 48 bytes of zeros follow.
const HEADER: u64 = 64;

/// Where an area is: segment, offset of the first byte, offset mask; and the form of pointers.
struct Area {
    seg: usize,
    start: u64,
    mask: u64,
    /// 64-bit pointers (REX.W), else selectors and 32-bit offsets.
    is_wide: bool,
    /// Words up to the last XMM register of this mode.
    end: usize,
}

impl Area {
    fn of(cpu: &Cpu, insn: &Insn, align: u64) -> Exec<Self> {
        let is_wide = matches!(insn.op, Op::Fxsave64 | Op::Fxrstor64 | Op::Xsave64 | Op::Xrstor64);
        let end = XMM + if cpu.mode() == Mode::Long { 32 } else { 16 };
        let (seg, start, mask) = (segment_of(insn), offset(cpu, insn), mask(insn.addr_size));
        check_aligned(cpu, seg, start, align)?;
        Ok(Self { seg, start, mask, is_wide, end })
    }

    fn at(&self, word: u64) -> u64 {
        self.start.wrapping_add(8 * word) & self.mask
    }

    fn read(&self, cpu: &mut Cpu, bus: &mut Bus, range: Range<usize>, words: &mut Words) -> Exec<()> {
        for index in range {
            words[index] = mmu::read_u64(cpu, bus, self.seg, self.at(index as u64))?;
        }
        Ok(())
    }

    fn write(&self, cpu: &mut Cpu, bus: &mut Bus, range: Range<usize>, words: &Words) -> Exec<()> {
        for index in range {
            mmu::write_u64(cpu, bus, self.seg, self.at(index as u64), words[index])?;
        }
        Ok(())
    }
}

/// The state as an image.
fn image(cpu: &Cpu, is_wide: bool) -> Words {
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

fn x87_of(words: &Words, is_wide: bool) -> X87 {
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

fn load_x87(cpu: &mut Cpu, x87: X87) {
    cpu.x87 = X87 { ignne: cpu.x87.ignne, ..x87 };
}

fn load_xmm(cpu: &mut Cpu, words: &Words, end: usize) {
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

/// XSAVE, XRSTOR and their forms with REX.W, XGETBV, XSETBV.
pub fn xsave_family(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    if cpu.cr4 & cr4::OSXSAVE == 0 {
        return Err(Fault::ud("the XSAVE instructions need CR4.OSXSAVE").into());
    }
    match insn.op {
        Op::Xgetbv | Op::Xsetbv => return xcr(cpu, insn.op),
        _ => {}
    }
    if cpu.cr0 & cr0::TS != 0 {
        return Err(Fault::plain(vector::DEVICE_NOT_AVAILABLE, "CR0.TS is set: the state is another task's").into());
    }
    let wanted = (cpu.gpr[RDX] << 32 | cpu.gpr[RAX] & 0xffff_ffff) & cpu.xcr0;
    let area = Area::of(cpu, insn, 64)?;
    if matches!(insn.op, Op::Xsave | Op::Xsave64) {
        xsave(cpu, bus, &area, wanted)
    } else {
        xrstor(cpu, bus, &area, wanted)
    }
}

fn xcr(cpu: &mut Cpu, op: Op) -> Exec<()> {
    let index = cpu.gpr[RCX] as u32;
    if op == Op::Xsetbv {
        need_ring_0(cpu, "XSETBV")?;
    }
    if index != 0 {
        return Err(Fault::gp(0, format!("there is no XCR{index}")).into());
    }
    if op == Op::Xgetbv {
        let value = cpu.xcr0;
        set_gpr(cpu, RAX, 4, value & 0xffff_ffff);
        set_gpr(cpu, RDX, 4, value >> 32);
        return Ok(());
    }
    let value = cpu.gpr[RDX] << 32 | cpu.gpr[RAX] & 0xffff_ffff;
    if value & XCR0_X87 == 0 || value & !(XCR0_X87 | XCR0_SSE) != 0 {
        return Err(Fault::gp(0, "XCR0 has bits 0 (x87, always set) and 1 (SSE)").into());
    }
    cpu.xcr0 = value;
    Ok(())
}

/// Components that are not in their initial state.
fn in_use(cpu: &Cpu) -> u64 {
    let x87 = cpu.x87 != X87 { ignne: cpu.x87.ignne, ..X87::initialized([0; 8]) };
    let sse = cpu.xmm != [0; 16];
    let bit = |on: bool, component: u64| if on { component } else { 0 };
    bit(x87, XCR0_X87) | bit(sse, XCR0_SSE)
}

fn xsave(cpu: &mut Cpu, bus: &mut Bus, area: &Area, wanted: u64) -> Exec<()> {
    mmu::check_write(cpu, bus, area.seg, area.start, XSAVE_BYTES.into())?;
    let old = mmu::read_u64(cpu, bus, area.seg, area.at(HEADER))?;
    let words = image(cpu, area.is_wide);
    if wanted & XCR0_X87 != 0 {
        area.write(cpu, bus, X87_CONTROL, &words)?;
        area.write(cpu, bus, X87_DATA, &words)?;
    }
    if wanted & XCR0_SSE != 0 {
        area.write(cpu, bus, MXCSR, &words)?;
        area.write(cpu, bus, XMM..area.end, &words)?;
    }
    let new = old & !wanted | in_use(cpu) & wanted;
    mmu::write_u64(cpu, bus, area.seg, area.at(HEADER), new)
}

fn xrstor(cpu: &mut Cpu, bus: &mut Bus, area: &Area, wanted: u64) -> Exec<()> {
    let refuse = |cause: &'static str| Err(Fault::gp(0, cause).into());
    let mut words = [0; 52];
    let mut header = [0; 3];
    for (index, word) in header.iter_mut().enumerate() {
        *word = mmu::read_u64(cpu, bus, area.seg, area.at(HEADER + index as u64))?;
    }
    let [present, compacted, reserved] = header;
    if compacted >> 63 != 0 {
        return refuse("XCOMP_BV asks for the compacted form, which CPUID does not tell");
    }
    if present & !cpu.xcr0 != 0 {
        return refuse("XSTATE_BV names components that XCR0 does not enable");
    }
    if compacted != 0 || reserved != 0 {
        return refuse("bytes 23:8 of the XSAVE header must be 0");
    }
    if wanted & XCR0_SSE != 0 {
        area.read(cpu, bus, MXCSR, &mut words)?;
        check_mxcsr(words[MXCSR.start] as u32)?;
    }
    let loaded = wanted & present;
    if loaded & XCR0_X87 != 0 {
        area.read(cpu, bus, X87_CONTROL, &mut words)?;
        area.read(cpu, bus, X87_DATA, &mut words)?;
    }
    if loaded & XCR0_SSE != 0 {
        area.read(cpu, bus, XMM..area.end, &mut words)?;
    }
    if wanted & XCR0_X87 != 0 {
        let x87 = x87_of(&words, area.is_wide);
        load_x87(cpu, if loaded & XCR0_X87 != 0 { x87 } else { X87::initialized([0; 8]) });
    }
    if wanted & XCR0_SSE != 0 {
        cpu.mxcsr = words[MXCSR.start] as u32;
        // Where the area holds none, the words are the initial state: zeros.
        load_xmm(cpu, &words, area.end);
    }
    Ok(())
}
