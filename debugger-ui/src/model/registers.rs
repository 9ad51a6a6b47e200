//! The rows of the CPU card: registers and segments in the widths that the mode gives them, with what changed.

use super::diff::Diff;
use super::symbols::Symbols;
use protocol::cpu::{CS, CpuState, SEGMENT_NAMES, SegmentReg};
use protocol::{LinearAddr, Mode};

/// One register as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterRow {
    /// gdb's name; also the name for [`crate::command::Command::EditRegister`].
    pub name: &'static str,
    /// What to call it in this mode: "EAX" outside long mode, "RAX" in it.
    pub label: &'static str,
    /// Value.
    pub value: u64,
    /// Digits that the mode uses: 2, 4, 8 or 16.
    pub digits: u8,
    /// The value at the previous stop, where it was another.
    pub was: Option<u64>,
    /// The symbol it points at, in long mode: "start_secondary+12".
    pub points_at: Option<String>,
}

/// One segment register as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRow {
    /// "CS".
    pub label: &'static str,
    /// gdb's name of the selector: "cs".
    pub name: &'static str,
    /// Visible part.
    pub selector: u16,
    /// Hidden base.
    pub base: u64,
    /// Hidden limit in bytes.
    pub limit: u32,
    /// Hidden rights in words: "code, execute/read, 16-bit, DPL 0".
    pub rights: String,
    /// Raw rights.
    pub attributes: u32,
    /// One sentence where hidden part and selector do not agree.
    pub remark: Option<&'static str>,
    /// The parts that changed: selector, base, limit, rights.
    pub changed: [bool; 4],
    /// Selector at the previous stop, where it was another.
    pub was_selector: Option<u16>,
    /// Base at the previous stop, where it was another.
    pub was_base: Option<u64>,
    /// Limit at the previous stop, where it was another.
    pub was_limit: Option<u64>,
    /// Rights at the previous stop in words, where they were others.
    pub was_rights: Option<String>,
}

/// A value that is not a number of 64 bits: wider ones, sets of vectors, numbered MSRs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WideRow {
    /// "XMM3", "IRR".
    pub label: String,
    /// The value as it is read.
    pub value: String,
    /// The value at the previous stop, where it was another.
    pub was: Option<String>,
}

const LABELS_32: [&str; 16] =
    ["EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"];
const LABELS_64: [&str; 16] =
    ["RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"];

/// What a register of gdb's name is called in the CPU's mode: "EAX" for rax, "DS base" for ds_base.
pub fn title(state: &CpuState, name: &str) -> String {
    let long = state.mode == Mode::Long;
    if let Some(at) = protocol::cpu::GPR_NAMES.iter().position(|known| *known == name) {
        return if long { LABELS_64 } else { LABELS_32 }[at].to_owned();
    }
    let (ip, flags) = ip_and_flags(state.mode);
    match (name, name.split_once('_')) {
        ("rip", _) => ip.to_owned(),
        ("eflags", _) => flags.to_owned(),
        ("k_gs_base", _) => "KERNEL_GS".to_owned(),
        (_, Some((register, "attr"))) => format!("{} rights", register.to_uppercase()),
        (_, Some((register, part))) => format!("{} {part}", register.to_uppercase()),
        (_, None) => name.to_uppercase(),
    }
}

/// The names of instruction pointer and flags, which go with the mode.
fn ip_and_flags(mode: Mode) -> (&'static str, &'static str) {
    match mode {
        Mode::Long => ("RIP", "RFLAGS"),
        Mode::Real | Mode::V86 | Mode::Protected16 => ("IP", "FLAGS"),
        Mode::Protected32 | Mode::Compat => ("EIP", "EFLAGS"),
    }
}

/// General registers, IP and flags. Outside long mode R8 to R15 do not exist and 32 bits are shown, unless more are set.
pub fn general_rows(state: &CpuState, diff: &Diff, symbols: &Symbols) -> Vec<RegisterRow> {
    let long = state.mode == Mode::Long;
    let count = if long { 16 } else { 8 };
    let labels = if long { LABELS_64 } else { LABELS_32 };
    let mut rows: Vec<RegisterRow> = (0..count)
        .map(|at| {
            let value = state.gpr[at];
            let points_at = if long { symbols.at(LinearAddr(value)).map(|symbol| symbol.to_string()) } else { None };
            RegisterRow {
                points_at,
                ..row(state, diff, protocol::cpu::GPR_NAMES[at], labels[at], value, width(long, value))
            }
        })
        .collect();
    let (ip_label, flags_label) = ip_and_flags(state.mode);
    let ip_digits = if ip_label == "IP" && state.ip <= 0xffff { 4 } else { width(long, state.ip) };
    let at_ip = symbols.at(state.linear_pc()).map(|symbol| symbol.to_string());
    rows.push(RegisterRow { points_at: at_ip, ..row(state, diff, "rip", ip_label, state.ip, ip_digits) });
    rows.push(row(state, diff, "eflags", flags_label, state.rflags, width(long, state.rflags)));
    rows
}

/// Control registers, descriptor tables, task priority and the MSRs with names of their own.
pub fn system_rows(state: &CpuState, diff: &Diff, symbols: &Symbols) -> Vec<RegisterRow> {
    let long = state.mode == Mode::Long;
    let mut rows = Vec::new();
    for (name, label, value) in [
        ("cr0", "CR0", state.cr0),
        ("cr2", "CR2", state.cr2),
        ("cr3", "CR3", state.cr3),
        ("cr4", "CR4", state.cr4),
        ("cr8", "CR8", state.cr8),
        ("efer", "EFER", state.efer),
        ("apic_base", "APIC base", state.apic_base),
        ("k_gs_base", "KERNEL_GS", state.kernel_gs_base),
        ("gdtr_base", "GDTR base", state.gdtr.base),
        ("idtr_base", "IDTR base", state.idtr.base),
    ] {
        let points_at = match name {
            "cr3" => symbols.root_name(protocol::PhysAddr(value & !0xfff)).map(str::to_owned),
            "gdtr_base" | "idtr_base" => symbols.at(LinearAddr(value)).map(|symbol| symbol.to_string()),
            _ => None,
        };
        rows.push(RegisterRow { points_at, ..row(state, diff, name, label, value, width(long, value)) });
    }
    rows.push(row(state, diff, "gdtr_limit", "GDTR limit", u64::from(state.gdtr.limit), 4));
    rows.push(row(state, diff, "idtr_limit", "IDTR limit", u64::from(state.idtr.limit), 4));
    const DEBUG: [(&str, &str); 6] =
        [("dr0", "DR0"), ("dr1", "DR1"), ("dr2", "DR2"), ("dr3", "DR3"), ("dr6", "DR6"), ("dr7", "DR7")];
    for ((name, label), value) in DEBUG.into_iter().zip(state.dr) {
        rows.push(row(state, diff, name, label, value, width(long, value)));
    }
    rows.push(row(state, diff, "mxcsr", "MXCSR", u64::from(state.mxcsr), 8));
    rows
}

/// The MSRs that have no row of their own, by number.
pub fn msr_rows(state: &CpuState, before: Option<&CpuState>) -> Vec<WideRow> {
    let was = |number: u32| before?.msrs.iter().find(|(known, _)| *known == number).map(|(_, value)| *value);
    let row = |&(number, value): &(u32, u64)| WideRow {
        label: format!("MSR {number:x}"),
        value: format!("{value:016x}"),
        was: was(number).filter(|was| *was != value).map(|was| format!("{was:016x}")),
    };
    state.msrs.iter().map(row).collect()
}

/// XMM0 to XMM15, as one number each.
pub fn xmm_rows(state: &CpuState, before: Option<&CpuState>) -> Vec<WideRow> {
    let words = |value: u128| format!("{:016x}_{:016x}", (value >> 64) as u64, value as u64);
    let row = |(at, &value): (usize, &u128)| WideRow {
        label: format!("XMM{at}"),
        value: words(value),
        was: before.map(|before| before.xmm[at]).filter(|was| *was != value).map(words),
    };
    state.xmm.iter().enumerate().map(row).collect()
}

/// The vectors that the local APIC has in service, and those that wait in it.
pub fn vector_rows(state: &CpuState, before: Option<&CpuState>) -> Vec<WideRow> {
    type Get = fn(&CpuState) -> &[u64; 4];
    let rows: [(&str, Get); 2] = [("ISR", |cpu| &cpu.lapic.isr), ("IRR", |cpu| &cpu.lapic.irr)];
    let row = |(label, get): (&str, Get)| WideRow {
        label: label.to_owned(),
        value: vectors(get(state)),
        was: before.filter(|before| get(before) != get(state)).map(|before| vectors(get(before))),
    };
    rows.into_iter().map(row).collect()
}

/// A bitmap of vectors in words: "20 41", "none".
fn vectors(bitmap: &[u64; 4]) -> String {
    let set = |vector: &usize| bitmap[vector / 64] >> (vector % 64) & 1 == 1;
    let words: Vec<String> = (0..256).filter(set).map(|vector| format!("{vector:02x}")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(" ") }
}

/// The local APIC's registers. They are not for editing here.
pub fn apic_rows(state: &CpuState, diff: &Diff) -> Vec<RegisterRow> {
    let apic = &state.lapic;
    [
        ("svr", "SVR", u64::from(apic.svr), 8),
        ("tpr", "TPR", u64::from(apic.tpr), 2),
        ("icr", "ICR", apic.icr, 16),
        ("esr", "ESR", u64::from(apic.esr), 2),
        ("lvt_timer", "LVT timer", u64::from(apic.lvt_timer), 8),
        ("timer_initial", "Timer initial", u64::from(apic.timer_initial), 8),
        ("timer_current", "Timer current", u64::from(apic.timer_current), 8),
    ]
    .into_iter()
    .map(|(name, label, value, digits)| row(state, diff, name, label, value, digits))
    .collect()
}

/// The segment registers, CS first, then the system segments.
pub fn segment_rows(state: &CpuState, diff: &Diff) -> Vec<SegmentRow> {
    const LABELS: [&str; 8] = ["ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"];
    let order = [CS, 2, 3, 0, 4, 5, 6, 7];
    order.into_iter().map(|at| segment_row(state, diff, at, LABELS[at])).collect()
}

fn segment_row(state: &CpuState, diff: &Diff, at: usize, label: &'static str) -> SegmentRow {
    let segment = state.segments[at];
    let name = SEGMENT_NAMES[at];
    let part = |suffix: &str| diff.was(state.cpu, &format!("{name}{suffix}"));
    let (was_selector, was_base) = (part(""), part("_base"));
    SegmentRow {
        label,
        name,
        selector: segment.selector,
        base: segment.base,
        limit: segment.limit,
        rights: rights_words(segment, at),
        attributes: segment.attributes,
        remark: remark(state, at),
        changed: [was_selector.is_some(), was_base.is_some(), part("_limit").is_some(), part("_attr").is_some()],
        was_selector: was_selector.map(|value| value as u16),
        was_base,
        was_limit: part("_limit"),
        was_rights: part("_attr").map(|was| rights_words(SegmentReg { attributes: was as u32, ..segment }, at)),
    }
}

/// The access rights of a hidden part in words (SDM 3A 3.4.5 and 3.5).
pub fn rights_words(segment: SegmentReg, at: usize) -> String {
    let bits = segment.attributes;
    if bits & SegmentReg::ATTR_UNUSABLE != 0 {
        return "unusable: a null selector was loaded".to_owned();
    }
    let mut words = Vec::new();
    if bits & SegmentReg::ATTR_S == 0 {
        words.push(match bits & 15 {
            0x2 => "LDT",
            0x1 => "16-bit TSS, available",
            0x3 => "16-bit TSS, busy",
            0x9 => "TSS, available",
            0xb => "TSS, busy",
            _ => "system segment",
        });
    } else if bits & 8 != 0 {
        words.push(if bits & 2 != 0 { "code, execute/read" } else { "code, execute only" });
        words.push(match (bits & SegmentReg::ATTR_L != 0, bits & SegmentReg::ATTR_DB != 0) {
            (true, _) => "64-bit",
            (false, true) => "32-bit",
            (false, false) => "16-bit",
        });
    } else {
        words.push(if bits & 2 != 0 { "data, read/write" } else { "data, read only" });
        if at == protocol::cpu::SS {
            words.push(if bits & SegmentReg::ATTR_DB != 0 { "32-bit stack" } else { "16-bit stack" });
        }
    }
    let dpl = format!("DPL {}", bits >> 5 & 3);
    words.push(&dpl);
    if bits & SegmentReg::ATTR_P == 0 {
        words.push("not present");
    }
    words.join(", ")
}

fn remark(state: &CpuState, at: usize) -> Option<&'static str> {
    let segment = state.segments[at];
    let usable = segment.attributes & SegmentReg::ATTR_UNUSABLE == 0;
    match state.mode {
        Mode::Real | Mode::V86 if at < 6 && segment.base != u64::from(segment.selector) << 4 => {
            Some("The base is not selector * 16: the hidden part rules until the register is loaded again.")
        }
        Mode::Protected16 if at == CS && segment.base != 0 && segment.base == u64::from(segment.selector) << 4 => {
            Some("Still the base of real mode: the hidden part stays until a far transfer loads CS.")
        }
        Mode::Long if at < 4 && usable && segment.base != 0 => {
            Some("In 64-bit mode the base of this segment is not used.")
        }
        _ => None,
    }
}

fn width(long: bool, value: u64) -> u8 {
    if long || value >> 32 != 0 { 16 } else { 8 }
}

fn row(state: &CpuState, diff: &Diff, name: &'static str, label: &'static str, value: u64, digits: u8) -> RegisterRow {
    RegisterRow { name, label, value, digits, was: diff.was(state.cpu, name), points_at: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Position;

    fn just_after_pe() -> CpuState {
        let mut state = CpuState { mode: Mode::Protected16, cr0: 0x11, ip: 0x4f, ..CpuState::default() };
        state.segments[CS] = SegmentReg { selector: 0x9a00, base: 0x9a000, limit: 0xffff, attributes: 0x9b };
        state
    }

    /// Goal: the card names registers as the mode does; method: 16-bit protected mode against long mode.
    #[test]
    fn labels_follow_the_mode() {
        let state = just_after_pe();
        let rows = general_rows(&state, &Diff::default(), &Symbols::default());
        let ip = rows.iter().find(|row| row.name == "rip").unwrap();
        assert_eq!((ip.label, ip.digits, rows.len()), ("IP", 4, 10));
        let long = CpuState { mode: Mode::Long, ..state };
        let rows = general_rows(&long, &Diff::default(), &Symbols::default());
        assert_eq!((rows[0].label, rows[0].digits, rows.len()), ("RAX", 16, 18));
        let named = |state: &CpuState| ["rsp", "rip", "ds_base", "cs_attr", "cr0"].map(|name| title(state, name));
        assert_eq!(named(&just_after_pe()), ["ESP", "IP", "DS base", "CS rights", "CR0"]);
        assert_eq!(named(&long)[..2], ["RSP", "RIP"]);
    }

    /// Goal: the hidden part is explained where it surprises; method: CS right after PE was set, and at reset.
    #[test]
    fn remarks() {
        let rows = segment_rows(&just_after_pe(), &Diff::default());
        assert_eq!(rows[0].rights, "code, execute/read, 16-bit, DPL 0");
        assert!(rows[0].remark.unwrap().contains("Still the base of real mode"));
        let mut reset = CpuState::default();
        reset.segments[CS] = SegmentReg { selector: 0xf000, base: 0xffff_0000, limit: 0xffff, attributes: 0x9b };
        assert!(segment_rows(&reset, &Diff::default())[0].remark.unwrap().contains("not selector * 16"));
    }

    /// Goal: what a segment was is told; method: a far jump's change.
    #[test]
    fn segment_changes() {
        let before = just_after_pe();
        let mut now = before.clone();
        now.segments[CS] = SegmentReg { selector: 8, base: 0, limit: u32::MAX, attributes: 0xc09b };
        let diff = Diff::between(Position(3), &[before], std::slice::from_ref(&now));
        let row = &segment_rows(&now, &diff)[0];
        assert_eq!((row.was_selector, row.was_base, row.changed), (Some(0x9a00), Some(0x9a000), [true; 4]));
        assert_eq!(row.was_limit, Some(0xffff));
        assert_eq!(row.was_rights.as_deref(), Some("code, execute/read, 16-bit, DPL 0"));
    }

    /// Goal: wide values and vector sets read easily and say what they were; method: a change of each.
    #[test]
    fn wide_values() {
        let mut before = CpuState::default();
        before.msrs.push((0x174, 1));
        let mut now = before.clone();
        now.lapic.irr[1] = 1 << 1 | 1;
        now.xmm[3] = 1 << 64 | 5;
        now.msrs[0].1 = 2;
        let vectors = vector_rows(&now, Some(&before));
        assert_eq!((vectors[0].value.as_str(), vectors[1].value.as_str()), ("none", "40 41"));
        assert_eq!((vectors[0].was.as_deref(), vectors[1].was.as_deref()), (None, Some("none")));
        assert_eq!(xmm_rows(&now, Some(&before))[3].value, "0000000000000001_0000000000000005");
        let msr = &msr_rows(&now, Some(&before))[0];
        assert_eq!((msr.label.as_str(), msr.was.as_deref()), ("MSR 174", Some("0000000000000001")));
    }
}
