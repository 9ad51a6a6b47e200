//! What of a CPU an expression can name: `rax`, `cr4.pae`, `cs.base`, `mode`. The names are the SDM's; bits are named as in
//! the glossary. Neighbours: [`super::parse`], [`super::eval`], and [`crate::command`], which edits what can be edited.

use super::value::Value;
use crate::glossary;
use protocol::CpuState;
use protocol::cpu::{GPR_NAMES, SEGMENT_NAMES, SegmentReg};
use protocol::event::Delivery;

/// A part of a CPU's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CpuField {
    /// General register: its number, its lowest bit (8 for AH) and width.
    General {
        index: usize,
        low: u8,
        width: u8,
    },
    /// A whole 64-bit register, or bits of it.
    Register(Register, Option<Bits>),
    /// A segment register: its number in [`SEGMENT_NAMES`].
    Segment(usize, SegmentPart),
    /// GDTR or IDTR: base or limit.
    Table {
        idtr: bool,
        limit: bool,
    },
    /// Linear address of the next instruction.
    Rip,
    /// Offset of the next instruction in CS.
    Ip,
    Mode,
    Activity,
    Steps,
    ApicId,
    /// Physical address of the page tables in use.
    Root,
    /// Their name: `trampoline_pgd`.
    RootName,
    Icr(IcrPart),
    /// The name of the symbol at or before the next instruction.
    Label,
}

/// Lowest and highest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bits {
    pub low: u8,
    pub high: u8,
}

impl Bits {
    /// The bits of a value, shifted down.
    pub fn of(self, value: u64) -> u64 {
        value >> self.low & self.mask()
    }

    /// A value with these bits replaced.
    pub fn put(self, whole: u64, part: u64) -> u64 {
        whole & !(self.mask() << self.low) | (part & self.mask()) << self.low
    }

    /// As many ones as there are bits.
    pub fn mask(self) -> u64 {
        u64::MAX >> (63 - (self.high - self.low))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Register {
    Rflags,
    Cr0,
    Cr2,
    Cr3,
    Cr4,
    Cr8,
    Efer,
    ApicBase,
    KernelGsBase,
    Svr,
    Tpr,
    Esr,
    LvtTimer,
}

/// Names of whole registers; the glossary knows the bits of those that have a file there.
const REGISTERS: [(&str, Register); 14] = [
    ("rflags", Register::Rflags),
    ("eflags", Register::Rflags),
    ("cr0", Register::Cr0),
    ("cr2", Register::Cr2),
    ("cr3", Register::Cr3),
    ("cr4", Register::Cr4),
    ("cr8", Register::Cr8),
    ("efer", Register::Efer),
    ("apic_base", Register::ApicBase),
    ("kernel_gs_base", Register::KernelGsBase),
    ("svr", Register::Svr),
    ("tpr", Register::Tpr),
    ("esr", Register::Esr),
    ("lvt_timer", Register::LvtTimer),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentPart {
    Selector,
    Base,
    Limit,
    Attributes,
    Bits(Bits),
}

const SEGMENT_PARTS: [(&str, SegmentPart); 15] = [
    ("sel", SegmentPart::Selector),
    ("base", SegmentPart::Base),
    ("limit", SegmentPart::Limit),
    ("attr", SegmentPart::Attributes),
    ("type", SegmentPart::Bits(Bits { low: 0, high: 3 })),
    ("s", SegmentPart::Bits(Bits { low: 4, high: 4 })),
    ("dpl", SegmentPart::Bits(Bits { low: 5, high: 6 })),
    ("p", SegmentPart::Bits(Bits { low: 7, high: 7 })),
    ("avl", SegmentPart::Bits(Bits { low: 12, high: 12 })),
    ("l", SegmentPart::Bits(Bits { low: 13, high: 13 })),
    ("d", SegmentPart::Bits(Bits { low: 14, high: 14 })),
    ("b", SegmentPart::Bits(Bits { low: 14, high: 14 })),
    ("g", SegmentPart::Bits(Bits { low: 15, high: 15 })),
    ("null", SegmentPart::Bits(Bits { low: 16, high: 16 })),
    ("selector", SegmentPart::Selector),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IcrPart {
    Whole,
    Vector,
    Delivery,
    Dest,
}

impl CpuField {
    /// The field that a path names: `["cs", "base"]`. The error says which of the parts is wrong, and why.
    pub fn parse(path: &[&str]) -> Result<Self, (usize, String)> {
        let (name, rest) = path.split_first().ok_or((0, NAMES.to_owned()))?;
        if let Some(field) = general(name) {
            return no_more(field, name, rest);
        }
        if let Some((_, register)) = REGISTERS.iter().find(|(known, _)| known == name) {
            return bits(name, *register, rest);
        }
        if let Some(index) = SEGMENT_NAMES.iter().position(|known| known == name) {
            return segment(index, name, rest);
        }
        match *name {
            "rip" => no_more(Self::Rip, name, rest),
            "ip" | "eip" => no_more(Self::Ip, name, rest),
            "mode" => no_more(Self::Mode, name, rest),
            "activity" => no_more(Self::Activity, name, rest),
            "steps" | "retired" => no_more(Self::Steps, name, rest),
            "apic_id" => no_more(Self::ApicId, name, rest),
            "root" => no_more(Self::Root, name, rest),
            "root_name" => no_more(Self::RootName, name, rest),
            "label" => no_more(Self::Label, name, rest),
            "gdtr" | "idtr" => match rest {
                [part @ ("base" | "limit")] => Ok(Self::Table { idtr: *name == "idtr", limit: *part == "limit" }),
                _ => Err((1, format!("`{name}` has `.base` and `.limit`"))),
            },
            "icr" => icr(rest),
            _ => Err((0, format!("a CPU has no `{name}`; {NAMES}"))),
        }
    }

    /// What it holds. Names need the profile and are read elsewhere: `none` here.
    pub fn read(&self, cpu: &CpuState) -> Value {
        Value::Int(match self {
            Self::General { index, low, width } => {
                let value = cpu.gpr.get(*index).copied().unwrap_or(0);
                Bits { low: *low, high: low + width - 1 }.of(value)
            }
            Self::Register(register, part) => {
                let value = register.read(cpu);
                part.map_or(value, |bits| bits.of(value))
            }
            Self::Segment(index, part) => part.read(&cpu.segments[*index]),
            Self::Table { idtr, limit } => {
                let table = if *idtr { &cpu.idtr } else { &cpu.gdtr };
                if *limit { table.limit.into() } else { table.base }
            }
            Self::Rip => cpu.linear_pc().0,
            Self::Ip => cpu.ip,
            Self::Mode => return Value::word(cpu.mode.word()),
            Self::Activity => return Value::word(cpu.activity.word()),
            Self::Steps => cpu.steps,
            Self::ApicId => cpu.apic_id.into(),
            Self::Root => return Value::optional(cpu.page_table_root().map(|root| root.0)),
            Self::Icr(part) => match part {
                IcrPart::Whole => cpu.lapic.icr,
                IcrPart::Vector => cpu.lapic.icr & 0xff,
                IcrPart::Dest => cpu.lapic.icr >> 56,
                IcrPart::Delivery => return Value::word(Delivery::from_bits(cpu.lapic.icr as u32).word()),
            },
            Self::Label | Self::RootName => return Value::none(),
        })
    }
}

/// What would be right.
const NAMES: &str = "it has rax .. r15 (eax, ax, al), rip (linear), ip, rflags, cr0, cr2, cr3, cr4, cr8, efer, cs.base \
                     and the other segments, gdtr, idtr, mode, activity, steps, apic_id, root, root_name, icr, svr, label";

fn no_more(field: CpuField, name: &str, rest: &[&str]) -> Result<CpuField, (usize, String)> {
    match rest.first() {
        None => Ok(field),
        Some(part) => Err((1, format!("`{name}` has no part `{part}`"))),
    }
}

/// A register by its name in the glossary, and its bits.
fn bits(name: &str, register: Register, rest: &[&str]) -> Result<CpuField, (usize, String)> {
    let [part] = rest else {
        return match rest.first() {
            None => Ok(CpuField::Register(register, None)),
            Some(_) => Err((2, "a bit has no parts".to_owned())),
        };
    };
    if register == Register::Svr && *part == "enabled" {
        return Ok(CpuField::Register(register, Some(Bits { low: 8, high: 8 })));
    }
    let file = if name == "eflags" { "rflags" } else { name };
    let entry =
        glossary::register(file).ok_or_else(|| (1, format!("the bits of `{name}` have no names; use bits(...)")))?;
    let bit = entry.bits.iter().find(|bit| bit.name.eq_ignore_ascii_case(part)).ok_or_else(|| {
        let names: Vec<String> = entry.bits.iter().map(|bit| bit.name.to_ascii_lowercase()).collect();
        (1, format!("`{name}` has no bit `{part}`; it has {}", names.join(", ")))
    })?;
    Ok(CpuField::Register(register, Some(Bits { low: bit.low, high: bit.high })))
}

fn segment(index: usize, name: &str, rest: &[&str]) -> Result<CpuField, (usize, String)> {
    let known = || {
        let names: Vec<&str> = SEGMENT_PARTS.iter().take(14).map(|(name, _)| *name).collect();
        format!("`{name}` has the parts {}", names.join(", "))
    };
    let [part] = rest else { return Err((1, format!("say which part is meant: {}", known()))) };
    match SEGMENT_PARTS.iter().find(|(name, _)| name == part) {
        Some((_, part)) => Ok(CpuField::Segment(index, *part)),
        None => Err((1, format!("there is no `{name}.{part}`; {}", known()))),
    }
}

fn icr(rest: &[&str]) -> Result<CpuField, (usize, String)> {
    let part = match rest {
        [] => IcrPart::Whole,
        ["vector"] => IcrPart::Vector,
        ["delivery"] => IcrPart::Delivery,
        ["dest"] => IcrPart::Dest,
        [other, ..] => return Err((1, format!("`icr` has `.vector`, `.delivery` and `.dest`, not `.{other}`"))),
    };
    Ok(CpuField::Icr(part))
}

/// A general register by any of its names: `rax`, `eax`, `ax`, `al`, `ah`, `r8`, `r8d`, `r8w`, `r8b`.
fn general(name: &str) -> Option<CpuField> {
    let field = |index, low, width| Some(CpuField::General { index, low, width });
    if let Some(index) = GPR_NAMES.iter().position(|known| *known == name) {
        return field(index, 0, 64);
    }
    if let Some(number) = name.strip_prefix('r') {
        let (digits, width) = match number.as_bytes().last()? {
            b'd' => (&number[..number.len() - 1], 32),
            b'w' => (&number[..number.len() - 1], 16),
            b'b' => (&number[..number.len() - 1], 8),
            _ => return None,
        };
        return match digits.parse() {
            Ok(index @ 8..16) => field(index, 0, width),
            _ => None,
        };
    }
    let old: [&str; 8] = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
    if let Some(index) = old.iter().position(|known| *known == name) {
        return field(index, 0, 16);
    }
    if let Some(index) = name.strip_prefix('e').and_then(|rest| old.iter().position(|known| *known == rest)) {
        return field(index, 0, 32);
    }
    let low: [&str; 8] = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"];
    if let Some(index) = low.iter().position(|known| *known == name) {
        return field(index, 0, 8);
    }
    let high: [&str; 4] = ["ah", "ch", "dh", "bh"];
    high.iter().position(|known| *known == name).and_then(|index| field(index, 8, 8))
}

impl Register {
    fn read(self, cpu: &CpuState) -> u64 {
        match self {
            Self::Rflags => cpu.rflags,
            Self::Cr0 => cpu.cr0,
            Self::Cr2 => cpu.cr2,
            Self::Cr3 => cpu.cr3,
            Self::Cr4 => cpu.cr4,
            Self::Cr8 => cpu.cr8,
            Self::Efer => cpu.efer,
            Self::ApicBase => cpu.apic_base,
            Self::KernelGsBase => cpu.kernel_gs_base,
            Self::Svr => cpu.lapic.svr.into(),
            Self::Tpr => cpu.lapic.tpr.into(),
            Self::Esr => cpu.lapic.esr.into(),
            Self::LvtTimer => cpu.lapic.lvt_timer.into(),
        }
    }

    /// The name by which an edit knows it; None: it cannot be edited.
    pub fn edit_name(self) -> Option<&'static str> {
        match self {
            Self::ApicBase | Self::Svr | Self::Tpr | Self::Esr | Self::LvtTimer => None,
            _ => REGISTERS.iter().find(|(_, register)| *register == self).map(|(name, _)| *name),
        }
    }
}

impl SegmentPart {
    fn read(self, segment: &SegmentReg) -> u64 {
        match self {
            Self::Selector => segment.selector.into(),
            Self::Base => segment.base,
            Self::Limit => segment.limit.into(),
            Self::Attributes => segment.attributes.into(),
            Self::Bits(bits) => bits.of(segment.attributes.into()),
        }
    }
}
