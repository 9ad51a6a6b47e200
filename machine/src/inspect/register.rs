//! Registers by gdb's names, read: the same names that [`super::edit`] writes. Used where one register is looked at over
//! many steps ([`crate::timeline`], what gave it its value), so that its name is looked up once.

use crate::cpu::Cpu;
use protocol::cpu::{GPR_NAMES, SEGMENT_NAMES};

/// One register, or one part of it.
#[derive(Clone, Copy, Debug)]
pub enum Register {
    /// By index in [`Cpu::gpr`].
    Gpr(usize),
    /// Index in `SEGMENT_NAMES`, and which part.
    Segment(usize, Part),
    /// Index in [`Cpu::dr`].
    Debug(usize),
    /// Which one, and the first bit of the half.
    Xmm(usize, u32),
    /// Any other.
    Plain(fn(&Cpu) -> u64),
}

/// A part of a segment register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What MOV reads.
    Selector,
    /// Hidden: where it begins.
    Base,
    /// Hidden: the last offset.
    Limit,
    /// Hidden: type and rights.
    Attributes,
}

impl Register {
    /// By gdb's name, lower case.
    pub fn named(name: &str) -> Option<Self> {
        if let Some(index) = GPR_NAMES.iter().position(|known| *known == name) {
            return Some(Self::Gpr(index));
        }
        if let Some(register) = segment(name) {
            return Some(register);
        }
        if let Some((index, half)) = super::edit::xmm_half(name) {
            return Some(Self::Xmm(index, half));
        }
        Some(match name {
            "rip" | "ip" => Self::Plain(|cpu| cpu.rip),
            "eflags" | "rflags" => Self::Plain(|cpu| cpu.rflags),
            "cr0" => Self::Plain(|cpu| cpu.cr0),
            "cr2" => Self::Plain(|cpu| cpu.cr2),
            "cr3" => Self::Plain(|cpu| cpu.cr3),
            "cr4" => Self::Plain(|cpu| cpu.cr4),
            "cr8" => Self::Plain(|cpu| cpu.lapic.cr8()),
            "efer" => Self::Plain(|cpu| cpu.efer),
            "apic_base" => Self::Plain(|cpu| cpu.lapic.base),
            "gdtr_base" => Self::Plain(|cpu| cpu.gdtr.base),
            "gdtr_limit" => Self::Plain(|cpu| cpu.gdtr.limit.into()),
            "idtr_base" => Self::Plain(|cpu| cpu.idtr.base),
            "idtr_limit" => Self::Plain(|cpu| cpu.idtr.limit.into()),
            "dr0" | "dr1" | "dr2" | "dr3" => Self::Debug(usize::from(name.as_bytes()[2] - b'0')),
            "dr6" => Self::Debug(4),
            "dr7" => Self::Debug(5),
            "mxcsr" => Self::Plain(|cpu| cpu.mxcsr.into()),
            "k_gs_base" | "kernel_gs_base" => Self::Plain(|cpu| cpu.msr.kernel_gs_base),
            "star" => Self::Plain(|cpu| cpu.msr.star),
            "lstar" => Self::Plain(|cpu| cpu.msr.lstar),
            "cstar" => Self::Plain(|cpu| cpu.msr.cstar),
            "sfmask" | "fmask" => Self::Plain(|cpu| cpu.msr.sfmask),
            "tsc_aux" => Self::Plain(|cpu| cpu.msr.tsc_aux),
            "sysenter_cs" => Self::Plain(|cpu| cpu.msr.sysenter_cs),
            "sysenter_esp" => Self::Plain(|cpu| cpu.msr.sysenter_esp),
            "sysenter_eip" => Self::Plain(|cpu| cpu.msr.sysenter_eip),
            "pat" => Self::Plain(|cpu| cpu.msr.pat),
            _ => return None,
        })
    }

    /// What this CPU has in it.
    #[inline]
    pub fn read(self, cpu: &Cpu) -> u64 {
        match self {
            Self::Gpr(index) => cpu.gpr[index],
            Self::Debug(index) => cpu.dr[index],
            Self::Xmm(index, half) => (cpu.xmm[index] >> half) as u64,
            Self::Plain(read) => read(cpu),
            Self::Segment(index, part) => {
                let segment = match index {
                    0..6 => &cpu.segments[index],
                    6 => &cpu.ldtr,
                    _ => &cpu.tr,
                };
                match part {
                    Part::Selector => segment.selector.into(),
                    Part::Base => segment.base,
                    Part::Limit => segment.limit.into(),
                    Part::Attributes => segment.attributes.into(),
                }
            }
        }
    }
}

fn segment(name: &str) -> Option<Register> {
    let (register, part) = name.split_once('_').unwrap_or((name, ""));
    let index = SEGMENT_NAMES.iter().position(|known| *known == register)?;
    let part = match part {
        "" => Part::Selector,
        "base" => Part::Base,
        "limit" => Part::Limit,
        "attr" => Part::Attributes,
        _ => return None,
    };
    Some(Register::Segment(index, part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Bus;
    use crate::inspect::edit;
    use crate::machine::Machine;
    use crate::schedule::Schedule;
    use protocol::CpuId;
    use protocol::request::Edit;

    /// Goal: what an edit writes is what is read by the same name; method: every name, with a value of its own.
    #[test]
    fn as_edited() {
        let mut machine =
            Machine::new(vec![Cpu::power_on(CpuId(0), 0, true)], Bus::new(1 << 20), Schedule::new(64, None));
        let mut names: Vec<String> = GPR_NAMES.map(str::to_owned).into();
        for segment in SEGMENT_NAMES {
            names.extend(["", "_base", "_limit", "_attr"].map(|part| format!("{segment}{part}")));
        }
        names.extend((0..16).flat_map(|index| [format!("xmm{index}_low"), format!("xmm{index}_high")]));
        let others = "rip ip cr0 cr2 cr3 cr4 cr8 efer gdtr_base gdtr_limit idtr_base idtr_limit dr0 dr1 dr2 dr3 dr6 dr7 \
                      mxcsr k_gs_base kernel_gs_base star lstar cstar sfmask fmask tsc_aux sysenter_cs sysenter_esp \
                      sysenter_eip pat";
        names.extend(others.split_whitespace().map(str::to_owned));
        for (index, name) in names.iter().enumerate() {
            let value = 1 + index as u64 % 15;
            let edit = Edit::Register { cpu: CpuId(0), name: name.clone(), value };
            edit::apply(&mut machine, &edit).unwrap_or_else(|why| panic!("{name}: {why}"));
            let register = Register::named(name).unwrap_or_else(|| panic!("{name} is not known"));
            assert_eq!(register.read(&machine.cpus()[0]), value, "{name}");
        }
        for name in ["raxx", "cs_size", "xmm16_low", ""] {
            assert!(Register::named(name).is_none(), "{name}");
        }
    }
}
