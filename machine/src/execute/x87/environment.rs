//! Control instructions: control and status words, the environment (FNSTENV, FLDENV) and all of the state (FNSAVE,
//! FRSTOR), in the four forms that operand size and mode give (SDM 1, "Saving the x87 FPU's State").

use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::cpu::x87::{X87, fsw};
use crate::decode::{Insn, Op};
use crate::execute::operand::{mask, offset, read_dst, segment_of, write_dst};
use crate::fault::Exec;
use crate::mmu;
use crate::softfloat::flag;
use protocol::Mode;

/// Exception flags, stack fault, summary and busy: what FNCLEX clears.
const CLEARED: u16 = flag::ALL as u16 | fsw::SF | fsw::ES | fsw::B;

/// Executes a control instruction.
pub(super) fn execute(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    match insn.op {
        Op::Fninit => {
            let ignne = cpu.x87.ignne;
            cpu.x87 = X87 { ignne, ..X87::initialized(cpu.x87.r) };
        }
        Op::Fnclex => cpu.x87.fsw &= !CLEARED,
        Op::Fnstcw => write_dst(cpu, bus, insn, u64::from(cpu.x87.fcw))?,
        Op::Fnstsw => write_dst(cpu, bus, insn, u64::from(cpu.x87.fsw))?,
        Op::Fldcw => {
            let value = read_dst(cpu, bus, insn)? as u16;
            cpu.x87.load_control(value);
        }
        Op::Fnstenv | Op::Fnsave => save(cpu, bus, insn)?,
        _ => load(cpu, bus, insn)?,
    }
    Ok(())
}

/// Where the image is, and its form.
struct Image {
    seg: usize,
    start: u64,
    mask: u64,
    /// Fields of 4 bytes, else of 2.
    is_wide: bool,
    /// Pointers as linear addresses and opcode, else selectors and offsets.
    is_real: bool,
    /// With the data registers.
    is_whole: bool,
}

impl Image {
    fn of(cpu: &Cpu, insn: &Insn) -> Self {
        Self {
            seg: segment_of(insn),
            start: offset(cpu, insn),
            mask: mask(insn.addr_size),
            is_wide: matches!(insn.size, 28 | 108),
            is_real: matches!(cpu.mode(), Mode::Real | Mode::V86),
            is_whole: matches!(insn.op, Op::Fnsave | Op::Frstor),
        }
    }

    fn field_bytes(&self) -> u64 {
        if self.is_wide { 4 } else { 2 }
    }

    fn at(&self, bytes: u64) -> u64 {
        self.start.wrapping_add(bytes) & self.mask
    }

    fn bytes(&self) -> u64 {
        7 * self.field_bytes() + if self.is_whole { 80 } else { 0 }
    }
}

/// The seven fields of an environment.
fn fields(x87: &X87, image: &Image) -> [u32; 7] {
    let (ip, dp) = (x87.fip as u32, x87.fdp as u32);
    let (fcw, fsw, tags) = (u32::from(x87.fcw), u32::from(x87.fsw), u32::from(x87.tag_word()));
    let (fcs, fds, fop) = (u32::from(x87.fcs), u32::from(x87.fds), u32::from(x87.fop));
    // Reserved halves are stored as ones.
    const ONES: u32 = 0xffff_0000;
    match (image.is_wide, image.is_real) {
        (true, false) => [ONES | fcw, ONES | fsw, ONES | tags, ip, fop << 16 | fcs, dp, ONES | fds],
        (true, true) => {
            let (high_ip, high_dp) = ((ip & 0xffff_0000) >> 4, (dp & 0xffff_0000) >> 4);
            [ONES | fcw, ONES | fsw, ONES | tags, ONES | ip & 0xffff, high_ip | fop, ONES | dp & 0xffff, high_dp]
        }
        (false, false) => [fcw, fsw, tags, ip, fcs, dp, fds],
        (false, true) => [fcw, fsw, tags, ip, (ip & 0xf_0000) >> 4 | fop, dp, (dp & 0xf_0000) >> 4],
    }
}

fn save(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let image = Image::of(cpu, insn);
    mmu::check_write(cpu, bus, image.seg, image.start, image.bytes())?;
    let step = image.field_bytes();
    for (index, field) in fields(&cpu.x87, &image).into_iter().enumerate() {
        let at = image.at(index as u64 * step);
        if image.is_wide {
            mmu::write_u32(cpu, bus, image.seg, at, field)?;
        } else {
            mmu::write_u16(cpu, bus, image.seg, at, field as u16)?;
        }
    }
    if !image.is_whole {
        // All masked afterwards, so that nothing waits any more.
        cpu.x87.fcw |= u16::from(flag::ALL);
        cpu.x87.fsw &= !(fsw::ES | fsw::B);
        return Ok(());
    }
    for i in 0..8 {
        let raw = cpu.x87.raw(i);
        let start = 7 * step + 10 * i as u64;
        mmu::write_u64(cpu, bus, image.seg, image.at(start), raw as u64)?;
        mmu::write_u16(cpu, bus, image.seg, image.at(start + 8), (raw >> 64) as u16)?;
    }
    let ignne = cpu.x87.ignne;
    cpu.x87 = X87 { ignne, ..X87::initialized(cpu.x87.r) };
    Ok(())
}

fn load(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let image = Image::of(cpu, insn);
    let step = image.field_bytes();
    let mut fields = [0u32; 7];
    for (index, field) in fields.iter_mut().enumerate() {
        let at = image.at(index as u64 * step);
        *field = if image.is_wide {
            mmu::read_u32(cpu, bus, image.seg, at)?
        } else {
            mmu::read_u16(cpu, bus, image.seg, at)?.into()
        };
    }
    let mut x87 = cpu.x87.clone();
    let [fcw, fsw, tags, ip, code, dp, data] = fields;
    (x87.fsw, x87.fcs, x87.fds, x87.fop) = (fsw as u16, code as u16, data as u16, 0);
    (x87.fip, x87.fdp) = (ip.into(), dp.into());
    match (image.is_wide, image.is_real) {
        (true, false) => x87.fop = (code >> 16) as u16 & 0x7ff,
        (false, false) => {}
        (_, true) => {
            let high = |field: u32| u64::from(field & if image.is_wide { 0x0fff_f000 } else { 0xf000 }) << 4;
            (x87.fip, x87.fdp) = (high(code) | u64::from(ip & 0xffff), high(data) | u64::from(dp & 0xffff));
            (x87.fcs, x87.fds, x87.fop) = (0, 0, code as u16 & 0x7ff);
        }
    }
    x87.load_tag_word(tags as u16);
    x87.load_control(fcw as u16);
    if image.is_whole {
        for i in 0..8 {
            let start = 7 * step + 10 * i as u64;
            let low = mmu::read_u64(cpu, bus, image.seg, image.at(start))?;
            let high = mmu::read_u16(cpu, bus, image.seg, image.at(start + 8))?;
            let number = x87.number_of(i);
            x87.r[number] = u128::from(high) << 64 | u128::from(low);
        }
    }
    cpu.x87 = x87;
    Ok(())
}
