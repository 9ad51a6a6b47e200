//! INVPCID: forgets translations by process-context identifier, of this CPU (SDM 2A, "INVPCID").

use super::operand::{offset, read, segment_of};
use crate::bus::Bus;
use crate::cpu::{Cpu, cr4};
use crate::decode::Insn;
use crate::fault::{Exec, Fault, Trap};
use crate::mmu::{self, walk};
use protocol::{LinearAddr, Mode};

/// Values of the register operand.
mod kind {
    pub const ADDRESS: u64 = 0;
    pub const CONTEXT: u64 = 1;
    pub const ALL: u64 = 2;
    pub const ALL_BUT_GLOBAL: u64 = 3;
}

/// INVPCID: the type in a register, the descriptor in memory (PCID in bits 11:0, linear address in 127:64).
pub fn invpcid(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    if cpu.cpl() != 0 {
        return Err(refuse("INVPCID needs CPL 0"));
    }
    let size = if cpu.mode() == Mode::Long { 8 } else { 4 };
    let kind = read(cpu, bus, insn, insn.dst, size)?;
    if kind > kind::ALL_BUT_GLOBAL {
        return Err(refuse(format!("INVPCID has types 0 to 3, and this is {kind:x}h")));
    }
    let offset = offset(cpu, insn);
    let descriptor = mmu::read_u128(cpu, bus, segment_of(insn), offset)?;
    let (context, linear) = (descriptor as u64, (descriptor >> 64) as u64);
    if context >> 12 != 0 {
        return Err(refuse("bits 63:12 of INVPCID's descriptor are reserved"));
    }
    if matches!(kind, kind::ADDRESS | kind::CONTEXT) && context != 0 && cpu.cr4 & cr4::PCIDE == 0 {
        return Err(refuse("INVPCID names a PCID, and CR4.PCIDE is 0"));
    }
    if kind == kind::ADDRESS && !walk::is_canonical_to_the_processor(linear) {
        return Err(refuse(format!("INVPCID's linear address {} is not canonical", LinearAddr(linear))));
    }
    match kind {
        kind::ADDRESS => cpu.tlb.flush_page_but_global(linear, context as u16),
        kind::CONTEXT => cpu.tlb.flush_context(context as u16),
        kind::ALL => cpu.tlb.flush_all(),
        _ => cpu.tlb.flush_all_but_global(),
    }
    Ok(())
}

#[cold]
fn refuse(cause: impl Into<std::borrow::Cow<'static, str>>) -> Trap {
    Fault::gp(0, cause).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::translate;
    use crate::execute::control_reg;
    use crate::mmu::walk::pte;
    use crate::testing::{FULL, ROOT, code, long, map};

    const DESCRIPTOR: u64 = 0x5000;
    const PAGE: u64 = 0x40_0000_0000;
    const GLOBAL_PAGE: u64 = PAGE + 0x1000;

    /// `invpcid rax, [rbx]`.
    fn run(cpu: &mut Cpu, bus: &mut Bus, kind: u64, context: u64, linear: u64) -> Exec<()> {
        bus.ram.write(DESCRIPTOR, context.to_le_bytes());
        bus.ram.write(DESCRIPTOR + 8, linear.to_le_bytes());
        (cpu.gpr[0], cpu.gpr[3]) = (kind, DESCRIPTOR);
        let insn = translate(&[0x66, 0x0f, 0x38, 0x82, 0x03], 64).expect("five bytes");
        invpcid(cpu, bus, &insn)
    }

    /// A CPU with PCIDs that has read a page in contexts 1 and 2, which is in use, and a global one.
    fn filled() -> (Cpu, Bus) {
        let (mut cpu, mut bus) = long();
        map(&mut bus, PAGE, 0x6000, FULL, 1);
        map(&mut bus, GLOBAL_PAGE, 0x7000, FULL | pte::G, 1);
        let cr4 = cpu.cr4 | cr4::PCIDE;
        control_reg::write(&mut cpu, &mut bus, 4, cr4).unwrap();
        for context in [1, 2] {
            control_reg::write(&mut cpu, &mut bus, 3, ROOT | context).unwrap();
            mmu::read_u8(&mut cpu, &mut bus, 3, PAGE).unwrap();
        }
        mmu::read_u8(&mut cpu, &mut bus, 3, GLOBAL_PAGE).unwrap();
        (cpu, bus)
    }

    /// Goal: each type forgets what it names and nothing else; method: one page in two contexts and a global one.
    #[test]
    fn types() {
        let left = |kind, context, linear| {
            let (mut cpu, mut bus) = filled();
            run(&mut cpu, &mut bus, kind, context, linear).unwrap();
            let has = |linear, pcid| cpu.tlb.lookup_quiet(linear, pcid).is_some();
            [has(PAGE, 1), has(PAGE, 2), has(GLOBAL_PAGE, 2)]
        };
        assert_eq!(left(0, 1, PAGE + 0x123), [false, true, true]);
        assert_eq!(left(0, 2, GLOBAL_PAGE), [true, true, true], "one address, but not if global");
        assert_eq!(left(1, 2, 0), [true, false, true]);
        assert_eq!(left(2, 0, 0), [false, false, false]);
        assert_eq!(left(3, 0, 0), [false, false, true]);
    }

    /// Goal: what the SDM refuses is #GP(0); method: a bad type, reserved bits, a PCID without PCIDE, a bad address, ring 3.
    #[test]
    fn refused() {
        let gp = (13, Some(0));
        let (mut cpu, mut bus) = filled();
        assert_eq!(code(run(&mut cpu, &mut bus, 4, 0, 0)), gp);
        assert_eq!(code(run(&mut cpu, &mut bus, 2, 1 << 12, 0)), gp);
        assert_eq!(code(run(&mut cpu, &mut bus, 0, 1, 1 << 56)), gp);
        let (mut cpu, mut bus) = long();
        assert_eq!(code(run(&mut cpu, &mut bus, 1, 1, 0)), gp);
        assert!(run(&mut cpu, &mut bus, 2, 1, 0).is_ok(), "type 2 does not look at the PCID");
        cpu.segments[crate::cpu::segment::SS].attributes |= crate::testing::RING3;
        assert_eq!(code(run(&mut cpu, &mut bus, 2, 0, 0)), gp);
    }
}
