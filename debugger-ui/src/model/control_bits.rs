//! The bits of CR0, CR4, EFER, RFLAGS and the APIC base, by name. What they mean is in the lessons' glossary.
//!
//! Names are those of the SDM (3A 2.3, 2.5, 2.2.1; 1 3.4.3; 3A "Local APIC Status and Location").

use super::diff::Diff;
use protocol::CpuId;
use protocol::cpu::{CS, CpuState};

/// One bit (or a field of two) of a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitRow {
    /// Register by gdb's name: "cr0", "cr4", "efer", "eflags", "apic_base", "cs_attr".
    pub register: &'static str,
    /// Bit number.
    pub bit: u8,
    /// The SDM's abbreviation: "PE".
    pub name: &'static str,
    /// Value of the bit; of the field for IOPL (two bits).
    pub value: u64,
    /// Number of bits: 1, or 2 for IOPL.
    pub width: u8,
    /// It changed since the previous stop.
    pub changed: bool,
}

/// The registers that have bits with names, with their titles.
pub const REGISTERS: [(&str, &str); 5] =
    [("cr0", "CR0"), ("cr4", "CR4"), ("efer", "EFER"), ("eflags", "RFLAGS"), ("apic_base", "APIC base")];

type Bits = &'static [(u8, &'static str)];

const CR0: Bits = &[
    (31, "PG"),
    (30, "CD"),
    (29, "NW"),
    (18, "AM"),
    (16, "WP"),
    (5, "NE"),
    (4, "ET"),
    (3, "TS"),
    (2, "EM"),
    (1, "MP"),
    (0, "PE"),
];
const CR4: Bits = &[
    (25, "UINTR"),
    (24, "PKS"),
    (23, "CET"),
    (22, "PKE"),
    (21, "SMAP"),
    (20, "SMEP"),
    (19, "KL"),
    (18, "OSXSAVE"),
    (17, "PCIDE"),
    (16, "FSGSBASE"),
    (14, "SMXE"),
    (13, "VMXE"),
    (12, "LA57"),
    (11, "UMIP"),
    (10, "OSXMMEXCPT"),
    (9, "OSFXSR"),
    (8, "PCE"),
    (7, "PGE"),
    (6, "MCE"),
    (5, "PAE"),
    (4, "PSE"),
    (3, "DE"),
    (2, "TSD"),
    (1, "PVI"),
    (0, "VME"),
];
const EFER: Bits = &[(11, "NXE"), (10, "LMA"), (8, "LME"), (0, "SCE")];
const EFLAGS: Bits = &[
    (21, "ID"),
    (20, "VIP"),
    (19, "VIF"),
    (18, "AC"),
    (17, "VM"),
    (16, "RF"),
    (14, "NT"),
    (12, "IOPL"),
    (11, "OF"),
    (10, "DF"),
    (9, "IF"),
    (8, "TF"),
    (7, "SF"),
    (6, "ZF"),
    (4, "AF"),
    (2, "PF"),
    (0, "CF"),
];
const APIC_BASE: Bits = &[(11, "EN"), (10, "EXTD"), (8, "BSP")];
/// L and D of the code segment's hidden part, numbered as in [`protocol::cpu::SegmentReg::attributes`].
const CS_ATTR: Bits = &[(14, "CS.D"), (13, "CS.L")];

/// The named bits of a register, highest first; none for a register without.
pub fn names_of(register: &str) -> Bits {
    match register {
        "cr0" => CR0,
        "cr4" => CR4,
        "efer" => EFER,
        "eflags" => EFLAGS,
        "apic_base" => APIC_BASE,
        "cs_attr" => CS_ATTR,
        _ => &[],
    }
}

/// The value of a register that has named bits.
pub fn value_of(register: &str, state: &CpuState) -> Option<u64> {
    Some(match register {
        "cr0" => state.cr0,
        "cr4" => state.cr4,
        "efer" => state.efer,
        "eflags" => state.rflags,
        "apic_base" => state.apic_base,
        "cs_attr" => u64::from(state.segments[CS].attributes),
        _ => return None,
    })
}

/// All named bits of one register, highest first.
pub fn bits_of(register: &str, state: &CpuState, diff: &Diff) -> Vec<BitRow> {
    names_of(register).iter().filter_map(|&(bit, _)| row(register, bit, state, diff)).collect()
}

/// The bits that make the mode, in the order in which a boot sets them: PE, PAE, LME, PG, LMA, CS.D, CS.L.
pub fn mode_bits(state: &CpuState, diff: &Diff) -> Vec<BitRow> {
    let wanted = [("cr0", 0), ("cr4", 5), ("efer", 8), ("cr0", 31), ("efer", 10), ("cs_attr", 14), ("cs_attr", 13)];
    wanted.into_iter().filter_map(|(register, bit)| row(register, bit, state, diff)).collect()
}

/// The bits by which two values of a register differ, as the narrator tells them: "PE 0 -> 1, WP 0 -> 1".
pub fn change_words(register: &str, old: u64, new: u64) -> String {
    let changed = names_of(register).iter().filter(|(bit, name)| {
        let mask = mask(*bit, name);
        old & mask != new & mask
    });
    let words = changed.map(|(bit, name)| {
        let mask = mask(*bit, name);
        format!("{name} {} -> {}", (old & mask) >> bit, (new & mask) >> bit)
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The same in few words: the bits that make the mode first, at most two unless these are all, and how many more.
pub fn brief_change_words(register: &str, old: u64, new: u64) -> String {
    let all = change_words(register, old, new);
    let mut bits: Vec<&str> = all.split(", ").filter(|bit| !bit.is_empty()).collect();
    if bits.len() <= 3 {
        return all;
    }
    bits.sort_by_key(|bit| !makes_mode(bit));
    format!("{}, {}, {} more", bits[0], bits[1], bits.len() - 2)
}

/// Only the bits that make the mode.
pub fn mode_change_words(register: &str, old: u64, new: u64) -> String {
    let all = change_words(register, old, new);
    all.split(", ").filter(|bit| makes_mode(bit)).collect::<Vec<_>>().join(", ")
}

fn makes_mode(change: &str) -> bool {
    matches!(change.split(' ').next(), Some("PE" | "PG" | "PAE" | "LME" | "LMA"))
}

fn mask(bit: u8, name: &str) -> u64 {
    (if name == "IOPL" { 3 } else { 1 }) << bit
}

fn row(register: &str, bit: u8, state: &CpuState, diff: &Diff) -> Option<BitRow> {
    let &(_, name) = names_of(register).iter().find(|(at, _)| *at == bit)?;
    let &register =
        ["cr0", "cr4", "efer", "eflags", "apic_base", "cs_attr"].iter().find(|known| **known == register)?;
    let value = value_of(register, state)?;
    let mask = mask(bit, name);
    let changed = diff.was(state.cpu, register).is_some_and(|old| old & mask != value & mask);
    Some(BitRow { register, bit, name, value: (value & mask) >> bit, width: mask.count_ones() as u8, changed })
}

/// The values that a register would have with one bit flipped.
pub fn flipped(register: &str, bit: u8, state: &CpuState) -> Option<(CpuId, u64)> {
    let value = value_of(register, state)?;
    (bit < 64).then(|| (state.cpu, value ^ (1 << bit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Position;

    /// Goal: bits carry value and change; method: set PE and look at all of CR0 and at the mode's bits.
    #[test]
    fn protected_mode_enable() {
        let before = CpuState { cr0: 0x10, ..CpuState::default() };
        let now = CpuState { cr0: 0x11, ..before.clone() };
        let diff = Diff::between(Position(0), &[before], std::slice::from_ref(&now));
        let changed: Vec<_> = bits_of("cr0", &now, &diff).into_iter().filter(|row| row.changed).collect();
        assert_eq!(changed.len(), 1);
        assert_eq!((changed[0].name, changed[0].value), ("PE", 1));
        assert_eq!(mode_bits(&now, &diff).len(), 7);
        assert_eq!(change_words("cr0", 0x10, 0x8000_0011), "PG 0 -> 1, PE 0 -> 1");
        assert_eq!(brief_change_words("cr4", 0, 0x6a0), "PAE 0 -> 1, OSXMMEXCPT 0 -> 1, 2 more");
        assert_eq!(brief_change_words("cr4", 0, 0), "");
        assert_eq!(mode_change_words("cr0", 0x6000_0011, 0x8005_0033), "PG 0 -> 1");
    }

    /// Goal: the two-bit field is one row; method: IOPL 3.
    #[test]
    fn iopl() {
        let state = CpuState { rflags: 0x3002, ..CpuState::default() };
        let rows = bits_of("eflags", &state, &Diff::default());
        let iopl = rows.iter().find(|row| row.name == "IOPL").unwrap();
        assert_eq!((iopl.value, iopl.width), (3, 2));
    }
}
