//! What changed between two stops, register by register, down to the digits.

use protocol::cpu::{CpuState, GPR_NAMES};
use protocol::{CpuId, Position};

/// One register's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// gdb's name of the register: "rax", "cs", "cs_base", "cr0".
    pub name: &'static str,
    /// Before.
    pub old: u64,
    /// After.
    pub new: u64,
}

/// The changes of one CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuDiff {
    /// In the order of [`registers`].
    pub changes: Vec<Change>,
    /// It does something else than before.
    pub activity: bool,
    /// It is in another mode.
    pub mode: bool,
}

/// All changes since the previous stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Position of the previous stop.
    pub since: Position,
    /// By CPU.
    pub cpus: Vec<CpuDiff>,
}

impl Diff {
    /// Compares the states of two stops. A CPU that was not known before has no changes.
    pub fn between(since: Position, before: &[CpuState], now: &[CpuState]) -> Self {
        let cpus = now
            .iter()
            .enumerate()
            .map(|(at, now)| before.get(at).map_or_else(CpuDiff::default, |old| cpu_diff(old, now)));
        Self { since, cpus: cpus.collect() }
    }

    /// The change of one register, if it changed.
    pub fn of(&self, cpu: CpuId, name: &str) -> Option<&Change> {
        self.cpu(cpu).iter().find(|change| change.name == name)
    }

    /// The changes of one CPU.
    pub fn cpu(&self, cpu: CpuId) -> &[Change] {
        self.cpus.get(usize::from(cpu.0)).map_or(&[], |diff| &diff.changes)
    }

    /// The value before, where it was another.
    pub fn was(&self, cpu: CpuId, name: &str) -> Option<u64> {
        self.of(cpu, name).map(|change| change.old)
    }
}

fn cpu_diff(old: &CpuState, new: &CpuState) -> CpuDiff {
    if old == new {
        return CpuDiff::default();
    }
    let pairs = registers(old).into_iter().zip(registers(new));
    let changes = pairs
        .filter(|((_, old), (_, new))| old != new)
        .map(|((name, old), (_, new))| Change { name, old, new })
        .collect();
    CpuDiff { changes, activity: old.activity != new.activity, mode: old.mode != new.mode }
}

/// Which hex digits differ, as a mask: bit 0 is the lowest digit.
pub fn changed_digits(old: u64, new: u64) -> u16 {
    let differing = old ^ new;
    (0..16).fold(0, |mask, digit| mask | (u16::from(differing >> (digit * 4) & 15 != 0) << digit))
}

const SELECTORS: [&str; 8] = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"];
const BASES: [&str; 8] = ["es_base", "cs_base", "ss_base", "ds_base", "fs_base", "gs_base", "ldtr_base", "tr_base"];
const LIMITS: [&str; 8] =
    ["es_limit", "cs_limit", "ss_limit", "ds_limit", "fs_limit", "gs_limit", "ldtr_limit", "tr_limit"];
const RIGHTS: [&str; 8] = ["es_attr", "cs_attr", "ss_attr", "ds_attr", "fs_attr", "gs_attr", "ldtr_attr", "tr_attr"];
const DEBUG: [&str; 6] = ["dr0", "dr1", "dr2", "dr3", "dr6", "dr7"];

/// Every register of a CPU that fits 64 bits as (name, value), in the order of the card; XMM registers as two halves.
pub fn registers(state: &CpuState) -> Vec<(&'static str, u64)> {
    let mut all = Vec::with_capacity(96);
    all.extend(GPR_NAMES.into_iter().zip(state.gpr));
    all.extend([("rip", state.ip), ("eflags", state.rflags)]);
    for (at, segment) in state.segments.iter().enumerate() {
        all.push((SELECTORS[at], u64::from(segment.selector)));
        all.push((BASES[at], segment.base));
        all.push((LIMITS[at], u64::from(segment.limit)));
        all.push((RIGHTS[at], u64::from(segment.attributes)));
    }
    all.extend([
        ("gdtr_base", state.gdtr.base),
        ("gdtr_limit", u64::from(state.gdtr.limit)),
        ("idtr_base", state.idtr.base),
        ("idtr_limit", u64::from(state.idtr.limit)),
        ("cr0", state.cr0),
        ("cr2", state.cr2),
        ("cr3", state.cr3),
        ("cr4", state.cr4),
        ("cr8", state.cr8),
        ("efer", state.efer),
        ("apic_base", state.apic_base),
        ("k_gs_base", state.kernel_gs_base),
        ("mxcsr", u64::from(state.mxcsr)),
        ("svr", u64::from(state.lapic.svr)),
        ("tpr", u64::from(state.lapic.tpr)),
        ("icr", state.lapic.icr),
        ("esr", u64::from(state.lapic.esr)),
        ("lvt_timer", u64::from(state.lapic.lvt_timer)),
        ("timer_initial", u64::from(state.lapic.timer_initial)),
        ("timer_current", u64::from(state.lapic.timer_current)),
    ]);
    all.extend(DEBUG.into_iter().zip(state.dr));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Mode;

    /// Goal: exactly what changed is told; method: change a register, a hidden base and the mode of CPU 1 of 2.
    #[test]
    fn changes_by_register() {
        let before = vec![CpuState::default(), CpuState { cpu: CpuId(1), ..CpuState::default() }];
        let mut now = before.clone();
        now[1].cr0 = 0x11;
        now[1].segments[protocol::cpu::CS].base = 0x9a000;
        now[1].mode = Mode::Protected16;
        let diff = Diff::between(Position(7), &before, &now);
        let names: Vec<_> = diff.cpu(CpuId(1)).iter().map(|change| change.name).collect();
        assert_eq!(names, ["cs_base", "cr0"]);
        assert_eq!(diff.was(CpuId(1), "cs_base"), Some(0));
        assert!(diff.cpus[1].mode && !diff.cpus[1].activity);
        assert_eq!(diff.cpu(CpuId(0)), []);
    }

    /// Goal: the digits that differ are marked; method: lowest, highest and none.
    #[test]
    fn digits() {
        assert_eq!(changed_digits(0x10, 0x11), 1);
        assert_eq!(changed_digits(0xf000_0000_0000_0020, 0x0000_0000_0000_00a0), 0x8002);
        assert_eq!(changed_digits(5, 5), 0);
    }
}
