//! A CPU's state from what a server that is not ours sends: the `g` packet, and QEMU's monitor where there is one.
//!
//! Where hidden parts of segments are told the mode is certain. Else it is worked out from CR0, EFER and RFLAGS, and
//! [`Certainty::words`] says so.

use super::monitor::Told;
use crate::rsp::features::Register;
use protocol::cpu::{CS, CpuState, GPR_NAMES, SEGMENT_NAMES, SegmentReg};
use protocol::{Activity, CpuId, Mode};

/// How much of a CPU is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// Hidden parts of segments too.
    Hidden,
    /// Control registers, no hidden parts.
    Control,
    /// Neither.
    Neither,
}

impl Certainty {
    /// What a reader must know about modes and segments.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Hidden => {
                "Hidden parts and descriptor tables come from QEMU's monitor (info registers). That a halted CPU waits for a \
                 SIPI is worked out: it stands at its reset address."
            }
            Self::Control => {
                "This server sends no hidden parts. The mode is worked out from CR0, EFER and RFLAGS: long mode is taken for \
                 64-bit, protected mode for 32-bit, a base in real mode for selector * 16."
            }
            Self::Neither => {
                "This server sends no control registers and no hidden parts: the mode is taken for 64-bit."
            }
        }
    }
}

/// Reads a state.
pub fn state(cpu: CpuId, layout: &[Register], bytes: &[u8], told: Option<&Told>) -> (CpuState, Certainty) {
    let part = |name: &str, most: usize| {
        let register = layout.iter().find(|register| register.name == name)?;
        let bytes = bytes.get(register.offset..register.offset + register.size.min(most))?;
        Some(bytes.iter().rev().fold(0u128, |value, byte| value << 8 | u128::from(*byte)))
    };
    let get = |name: &str| part(name, 8).unwrap_or(0) as u64;
    let mut state = CpuState {
        cpu,
        ip: get("rip"),
        rflags: get("eflags"),
        cr0: get("cr0"),
        cr2: get("cr2"),
        cr3: get("cr3"),
        cr4: get("cr4"),
        cr8: get("cr8"),
        efer: get("efer"),
        kernel_gs_base: get("k_gs_base"),
        mxcsr: get("mxcsr") as u32,
        ..CpuState::default()
    };
    for (slot, name) in state.gpr.iter_mut().zip(GPR_NAMES) {
        *slot = get(name);
    }
    for (at, slot) in state.xmm.iter_mut().enumerate() {
        *slot = part(&format!("xmm{at}"), 16).unwrap_or(0);
    }
    for (slot, name) in state.segments.iter_mut().zip(&SEGMENT_NAMES[..6]) {
        slot.selector = get(name) as u16;
        slot.base = get(&format!("{name}_base"));
    }
    let certainty = match told.filter(|told| told.complete()) {
        Some(told) => {
            told.complete_state(&mut state);
            Certainty::Hidden
        }
        None if part("cr0", 8).is_some() => Certainty::Control,
        None => Certainty::Neither,
    };
    state.mode = mode(&state, certainty);
    if certainty == Certainty::Control && matches!(state.mode, Mode::Real | Mode::V86) {
        // In these modes the base follows from the selector, unless a trick has changed it.
        state.segments[..6].iter_mut().for_each(|segment| segment.base = u64::from(segment.selector) << 4);
    }
    if certainty != Certainty::Hidden && state.mode == Mode::Long {
        state.segments[CS].attributes = SegmentReg::ATTR_L;
    }
    if told.is_some_and(|told| told.halted) {
        state.activity = if at_reset(&state) { Activity::WaitForSipi } else { Activity::Halted };
    }
    (state, certainty)
}

/// INIT leaves a CPU there, and an AP that it has left there executes nothing until a SIPI comes.
fn at_reset(state: &CpuState) -> bool {
    state.mode == Mode::Real && state.segments[CS].selector == 0xf000 && state.ip == 0xfff0
}

/// SDM 3A 2.2.
fn mode(state: &CpuState, certainty: Certainty) -> Mode {
    let bit = |value: u64, at: u8| value >> at & 1 != 0;
    let cs = |attribute| certainty != Certainty::Hidden || state.segments[CS].attributes & attribute != 0;
    if certainty == Certainty::Neither {
        return Mode::Long;
    }
    match (bit(state.cr0, 0), bit(state.efer, 10), bit(state.rflags, 17)) {
        (false, ..) => Mode::Real,
        (true, true, _) if cs(SegmentReg::ATTR_L) => Mode::Long,
        (true, true, _) => Mode::Compat,
        (true, false, true) => Mode::V86,
        (true, false, false) if cs(SegmentReg::ATTR_DB) => Mode::Protected32,
        (true, false, false) => Mode::Protected16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [(&str, usize); 5] = [("rip", 8), ("eflags", 4), ("cs", 4), ("cr0", 8), ("efer", 8)];

    fn read(values: [u64; 5], told: Option<&Told>, control: bool) -> (CpuState, Certainty) {
        let (mut layout, mut bytes) = (Vec::new(), Vec::new());
        for (number, ((name, size), value)) in NAMES.iter().zip(values).enumerate() {
            if control || number < 3 {
                layout.push(Register { name: (*name).to_owned(), number, offset: bytes.len(), size: *size });
                bytes.extend(&value.to_le_bytes()[..*size]);
            }
        }
        state(CpuId(1), &layout, &bytes, told)
    }

    /// Goal: the mode is certain with hidden parts and worked out without; method: right after PE was set, with both.
    #[test]
    fn modes() {
        let after_pe = [0x4f, 2, 0x9c00, 0x6000_0011, 0];
        let mut told = Told::default();
        let real = SegmentReg { selector: 0x9c00, base: 0x9_c000, limit: 0xffff, attributes: 0x9b };
        told.segments = [Some(real); 8];
        let (state, certainty) = read(after_pe, Some(&told), true);
        assert_eq!((state.mode, certainty), (Mode::Protected16, Certainty::Hidden));
        assert_eq!(state.linear_pc().0, 0x9_c04f);
        let (state, certainty) = read(after_pe, None, true);
        assert_eq!((state.mode, certainty), (Mode::Protected32, Certainty::Control));
        assert!(certainty.words().contains("worked out"));
        let (state, certainty) = read(after_pe, None, false);
        assert_eq!((state.mode, certainty), (Mode::Long, Certainty::Neither));
        let (state, _) = read([0x10, 2, 0x9a00, 0x10, 0], None, true);
        assert_eq!((state.mode, state.linear_pc().0), (Mode::Real, 0x9_a010), "selector * 16");
        let (state, _) = read([0, 2, 8, 0x8000_0011, 0x500], Some(&told), true);
        assert_eq!(state.mode, Mode::Compat, "LMA, and the hidden part has no L");
    }

    /// Goal: a halted AP at its reset address waits for a SIPI, elsewhere it is halted; method: both.
    #[test]
    fn activities() {
        let cs = SegmentReg { selector: 0xf000, base: 0xffff_0000, limit: 0xffff, attributes: 0x9b };
        let told = Told { segments: [Some(cs); 8], halted: true, ..Told::default() };
        assert_eq!(read([0xfff0, 2, 0xf000, 0x10, 0], Some(&told), true).0.activity, Activity::WaitForSipi);
        assert_eq!(read([0x12, 2, 0xf000, 0x10, 0], Some(&told), true).0.activity, Activity::Halted);
        assert_eq!(read([0x12, 2, 0xf000, 0x10, 0], None, true).0.activity, Activity::Running);
    }
}
