//! The XSAVE family with three components: x87, SSE and PKRU (SDM 1, "Managing State Using the XSAVE Feature Set").
//!
//! An area is the 512 bytes of FXSAVE, a header (XSTATE_BV at 512, XCOMP_BV at 520), and PKRU at 576, in the standard form and
//! in the compacted one alike, since it is the only component that is beyond the first two.

use super::state::{Area, HEADER, MXCSR, X87_CONTROL, X87_DATA, XMM, check_mxcsr, image, load_x87, load_xmm, x87_of};
use crate::bus::Bus;
use crate::cpu::gpr::{RAX, RCX, RDX};
use crate::cpu::{Cpu, X87, cr0, cr4};
use crate::decode::{Insn, Op};
use crate::execute::control_reg::need_ring_0;
use crate::execute::operand::set_gpr;
use crate::fault::{Exec, Fault, vector};
use crate::mmu;

/// Component x87 of XCR0 and of the instructions' mask.
pub const XCR0_X87: u64 = 1 << 0;
/// Component SSE: the XMM registers and MXCSR.
pub const XCR0_SSE: u64 = 1 << 1;
/// Component PKRU.
pub const XCR0_PKRU: u64 = 1 << 9;
/// All that there are.
pub const XCR0_KNOWN: u64 = XCR0_X87 | XCR0_SSE | XCR0_PKRU;
/// Bytes of legacy region and header, which come with any component.
const LEGACY_BYTES: u32 = 576;
/// Where PKRU is in an area.
pub const PKRU_AT: u32 = LEGACY_BYTES;
/// Bytes of its component: PKRU and 4 of zeros.
pub const PKRU_BYTES: u32 = 8;
/// XCOMP_BV: the area is in the compacted form.
const COMPACTED: u64 = 1 << 63;
/// MXCSR in its initial state.
const MXCSR_INIT: u32 = 0x1f80;

/// Bytes of an area with these components.
pub fn bytes_for(components: u64) -> u32 {
    if components & XCR0_PKRU != 0 { PKRU_AT + PKRU_BYTES } else { LEGACY_BYTES }
}

/// XSAVE, XSAVEOPT, XSAVEC, XRSTOR and their forms with REX.W, XGETBV, XSETBV.
pub fn execute(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
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
    match insn.op {
        Op::Xsave | Op::Xsave64 => save(cpu, bus, &area, wanted, wanted),
        Op::Xsaveopt | Op::Xsaveopt64 => {
            // What is in its initial state need not be written; MXCSR is, with its component.
            let used = in_use(cpu);
            save(cpu, bus, &area, wanted, wanted & used)
        }
        Op::Xsavec | Op::Xsavec64 => save_compacted(cpu, bus, &area, wanted),
        _ => restore(cpu, bus, &area, wanted),
    }
}

fn xcr(cpu: &mut Cpu, op: Op) -> Exec<()> {
    let index = cpu.gpr[RCX] as u32;
    if op == Op::Xsetbv {
        need_ring_0(cpu, "XSETBV")?;
    }
    let value = match (index, op) {
        (0, Op::Xgetbv) => cpu.xcr0,
        // What of XCR0 is in use.
        (1, Op::Xgetbv) => cpu.xcr0 & in_use(cpu),
        (0, _) => {
            let value = cpu.gpr[RDX] << 32 | cpu.gpr[RAX] & 0xffff_ffff;
            if value & XCR0_X87 == 0 || value & !XCR0_KNOWN != 0 {
                return Err(Fault::gp(0, "XCR0 has bits 0 (x87, always set), 1 (SSE) and 9 (PKRU)").into());
            }
            cpu.xcr0 = value;
            return Ok(());
        }
        _ => return Err(Fault::gp(0, format!("there is no XCR{index}")).into()),
    };
    set_gpr(cpu, RAX, 4, value & 0xffff_ffff);
    set_gpr(cpu, RDX, 4, value >> 32);
    Ok(())
}

/// Components that are not in their initial state. MXCSR is not looked at.
fn in_use(cpu: &Cpu) -> u64 {
    let x87 = cpu.x87 != X87 { ignne: cpu.x87.ignne, ..X87::initialized([0; 8]) };
    let sse = cpu.xmm != [0; 16];
    let bit = |on: bool, component: u64| if on { component } else { 0 };
    bit(x87, XCR0_X87) | bit(sse, XCR0_SSE) | bit(cpu.pkru != 0, XCR0_PKRU)
}

/// The standard form: XSTATE_BV tells of the `wanted` components whether they are in use; `written` ones are stored.
fn save(cpu: &mut Cpu, bus: &mut Bus, area: &Area, wanted: u64, written: u64) -> Exec<()> {
    mmu::check_write(cpu, bus, area.seg, area.start, bytes_for(wanted).into())?;
    let old = mmu::read_u64(cpu, bus, area.seg, area.at(HEADER))?;
    if wanted & XCR0_SSE != 0 {
        area.write(cpu, bus, MXCSR, &image(cpu, area.is_wide))?;
    }
    write_components(cpu, bus, area, written)?;
    let new = old & !wanted | in_use(cpu) & wanted;
    mmu::write_u64(cpu, bus, area.seg, area.at(HEADER), new)
}

/// XSAVEC: what is in its initial state is neither stored nor told of in XSTATE_BV, and XCOMP_BV names what was wanted.
fn save_compacted(cpu: &mut Cpu, bus: &mut Bus, area: &Area, wanted: u64) -> Exec<()> {
    mmu::check_write(cpu, bus, area.seg, area.start, bytes_for(wanted).into())?;
    let sse = if cpu.mxcsr != MXCSR_INIT { XCR0_SSE } else { 0 };
    let used = (in_use(cpu) | sse) & wanted;
    if used & XCR0_SSE != 0 {
        area.write(cpu, bus, MXCSR, &image(cpu, area.is_wide))?;
    }
    write_components(cpu, bus, area, used)?;
    mmu::write_u64(cpu, bus, area.seg, area.at(HEADER), used)?;
    mmu::write_u64(cpu, bus, area.seg, area.at(HEADER + 1), COMPACTED | wanted)
}

fn write_components(cpu: &mut Cpu, bus: &mut Bus, area: &Area, components: u64) -> Exec<()> {
    let words = image(cpu, area.is_wide);
    if components & XCR0_X87 != 0 {
        area.write(cpu, bus, X87_CONTROL, &words)?;
        area.write(cpu, bus, X87_DATA, &words)?;
    }
    if components & XCR0_SSE != 0 {
        area.write(cpu, bus, XMM..area.end, &words)?;
    }
    if components & XCR0_PKRU != 0 {
        let pkru = cpu.pkru.into();
        mmu::write_u64(cpu, bus, area.seg, area.at(u64::from(PKRU_AT) / 8), pkru)?;
    }
    Ok(())
}

/// XRSTOR: both forms.
fn restore(cpu: &mut Cpu, bus: &mut Bus, area: &Area, wanted: u64) -> Exec<()> {
    let mut words = [0; 52];
    let mut header = [0; 8];
    for (index, word) in header.iter_mut().enumerate() {
        *word = mmu::read_u64(cpu, bus, area.seg, area.at(HEADER + index as u64))?;
    }
    let present = header[0];
    let is_compacted = header[1] & COMPACTED != 0;
    check_header(cpu, &header, is_compacted)?;
    let loaded = wanted & present;
    words[MXCSR.start] = MXCSR_INIT.into();
    // In the compacted form MXCSR is part of its component, in the standard one it always is there.
    if (if is_compacted { loaded } else { wanted }) & XCR0_SSE != 0 {
        area.read(cpu, bus, MXCSR, &mut words)?;
        check_mxcsr(words[MXCSR.start] as u32)?;
    }
    if loaded & XCR0_X87 != 0 {
        area.read(cpu, bus, X87_CONTROL, &mut words)?;
        area.read(cpu, bus, X87_DATA, &mut words)?;
    }
    if loaded & XCR0_SSE != 0 {
        area.read(cpu, bus, XMM..area.end, &mut words)?;
    }
    let mut pkru = 0;
    if loaded & XCR0_PKRU != 0 {
        pkru = mmu::read_u64(cpu, bus, area.seg, area.at(u64::from(PKRU_AT) / 8))? as u32;
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
    if wanted & XCR0_PKRU != 0 {
        cpu.pkru = pkru;
        cpu.update_keys();
    }
    Ok(())
}

/// What XRSTOR refuses in a header.
fn check_header(cpu: &Cpu, header: &[u64; 8], is_compacted: bool) -> Exec<()> {
    let (present, compacted) = (header[0], header[1] & !COMPACTED);
    let why = if is_compacted {
        if compacted & !cpu.xcr0 != 0 {
            "XCOMP_BV names components that XCR0 does not enable"
        } else if present & !compacted != 0 {
            "XSTATE_BV names components that XCOMP_BV does not"
        } else if header[2..] != [0; 6] {
            "bytes 63:16 of the XSAVE header must be 0"
        } else {
            return Ok(());
        }
    } else if present & !cpu.xcr0 != 0 {
        "XSTATE_BV names components that XCR0 does not enable"
    } else if compacted != 0 || header[2] != 0 {
        "bytes 23:8 of the XSAVE header must be 0"
    } else {
        return Ok(());
    };
    Err(Fault::gp(0, why).into())
}
