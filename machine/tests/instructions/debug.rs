//! The guest's breakpoints: on instructions, data and ports, GD, and what MOV SS and REP do to them.

use crate::lab::{CODE, DATA, Lab};
use machine::cpu::flags::{RF, TF};
use machine::cpu::gpr::{RAX, RBX, RCX, RDI};
use machine::cpu::{cr4, flags};
use machine::fault::{Fault, Trap, vector};

/// DR7 that enables breakpoint `number` globally, with this R/W and LEN.
fn enable(number: usize, kind: u64, len: u64) -> u64 {
    0x400 | 2 << (2 * number) | (kind | len << 2) << (16 + 4 * number)
}

fn with_breakpoint(mut lab: Lab, number: usize, at: u64, kind: u64, len: u64) -> Lab {
    lab.cpu.dr[number] = at;
    lab.cpu.dr[5] |= enable(number, kind, len);
    lab
}

/// A step that raises #DB.
#[track_caller]
fn debug_exception(lab: &mut Lab) -> Fault {
    match lab.step() {
        Err(Trap::Fault(fault)) if fault.vector == vector::DEBUG => *fault,
        other => panic!("#DB was expected: {other:?}"),
    }
}

/// Goal: an instruction breakpoint faults before its instruction, RF lets it pass once; method: two NOPs.
#[test]
fn instruction() {
    let mut lab = with_breakpoint(Lab::new(64, &[0x90, 0x90, 0xeb, 0xfd]), 2, CODE + 1, 0, 0).run(1);
    let fault = debug_exception(&mut lab);
    assert_eq!((fault.is_trap, lab.cpu.rip, lab.cpu.dr[4]), (false, CODE + 1, 0xffff_0ff4));
    lab.cpu.rflags |= RF;
    let mut lab = lab.run(2);
    assert_eq!(lab.cpu.rflags & RF, 0);
    debug_exception(&mut lab);
    // Not enabled: nothing.
    let mut lab = with_breakpoint(Lab::new(64, &[0x90]), 2, CODE, 0, 0);
    lab.cpu.dr[5] &= !0xff;
    lab.run(1);
}

/// Goal: data breakpoints trap after the instruction, by kind, length and overlap; method: reads and writes around one.
#[test]
fn data() {
    let read = [0x8b, 0x03];
    let write = [0x89, 0x03];
    for (code, kind, len, offset, hits) in [
        (write, 1, 0, 0u64, true),
        (write, 1, 0, 3, true),
        (write, 1, 0, 4, false),
        (write, 1, 3, 4, false),
        (write, 3, 3, 2, true),
        (read, 1, 3, 0, false),
        (read, 3, 3, 0, true),
        (read, 3, 2, 7, true),
    ] {
        let lab = Lab::new(64, &code).with(RBX, DATA).with_memory(DATA, &[7]);
        let mut lab = with_breakpoint(lab, 1, DATA + offset, kind, len);
        if hits {
            let fault = debug_exception(&mut lab);
            assert_eq!((fault.is_trap, lab.cpu.rip, lab.cpu.dr[4]), (true, CODE + 2, 0xffff_0ff2), "{offset}");
        } else {
            lab.step().expect("no breakpoint is hit");
        }
        assert_eq!(lab.cpu.rip, CODE + 2);
        assert!(!lab.bus.watch.active && lab.bus.watch.guest.is_empty());
    }
    // Together with a single step: one exception, both reasons.
    let lab = Lab::new(64, &write).with(RBX, DATA).with_flags(TF);
    let mut lab = with_breakpoint(lab, 0, DATA, 1, 3);
    debug_exception(&mut lab);
    assert_eq!(lab.cpu.dr[4], 0xffff_4ff1);
}

/// Goal: breakpoints on ports need CR4.DE; method: IN with and without.
#[test]
fn ports() {
    let mut lab = with_breakpoint(Lab::new(64, &[0xe4, 0xee, 0xe4, 0xee]), 3, 0xee, 2, 0).run(1);
    lab.cpu.cr4 |= cr4::DE;
    let fault = debug_exception(&mut lab);
    assert_eq!((fault.is_trap, lab.cpu.rip, lab.cpu.dr[4]), (true, CODE + 4, 0xffff_0ff8));
    // There is no such port, and nothing beyond it (found by `cargo xtask fuzz step`).
    let mut lab = with_breakpoint(Lab::new(64, &[0xe4, 0xee]), 0, u64::MAX, 2, 3);
    lab.cpu.cr4 |= cr4::DE;
    lab.run(1);
}

/// Goal: GD guards the debug registers; method: MOV from DR0, in ring 0 and 3.
#[test]
fn general_detect() {
    let guarded = |mut lab: Lab| {
        lab.cpu.dr[5] |= 1 << 13;
        lab
    };
    let mut lab = guarded(Lab::new(64, &[0x0f, 0x21, 0xc0]));
    let fault = debug_exception(&mut lab);
    assert_eq!((fault.is_trap, lab.cpu.rip, lab.cpu.dr[4]), (false, CODE, 0xffff_2ff0));
    let lab = guarded(Lab::ring3(64, &[0x0f, 0x21, 0xc0]));
    assert_eq!(lab.fault().vector, vector::GENERAL_PROTECTION);
}

/// Goal: MOV SS holds breakpoints and single steps back for one instruction; method: MOV SS from watched memory, with a
/// breakpoint on the next instruction too.
#[test]
fn after_mov_ss() {
    // mov ss, [ebx]; nop; nop
    let lab = Lab::new(16, &[0x67, 0x8e, 0x13, 0x90, 0x90]).with(RBX, DATA).with_flags(TF);
    let lab = with_breakpoint(lab, 0, DATA, 3, 1);
    let mut lab = with_breakpoint(lab, 1, CODE + 3, 0, 0);
    lab.step().expect("held back");
    machine::exception::service_pending(&mut lab.cpu, &mut lab.bus);
    let fault = debug_exception(&mut lab);
    assert_eq!((fault.is_trap, lab.cpu.rip, lab.cpu.dr[4]), (true, CODE + 4, 0xffff_4ff1));
}

/// Goal: an instruction breakpoint on REP hits once, a data breakpoint after its iteration; method: REP STOSB.
#[test]
fn repeated() {
    let lab = Lab::new(64, &[0xf3, 0xaa]).with(RCX, 4).with(RDI, DATA).with(RAX, 1).with_flags(RF);
    let lab = with_breakpoint(lab, 0, CODE, 0, 0);
    let mut lab = with_breakpoint(lab, 1, DATA + 1, 1, 0).run(1);
    debug_exception(&mut lab);
    assert_eq!((lab.reg(RCX), lab.cpu.rip, lab.cpu.dr[4] & 15), (2, CODE, 2));
    assert_ne!(lab.cpu.rflags & flags::RF, 0);
    let lab = lab.run(2);
    assert_eq!((lab.reg(RCX), lab.cpu.rip, lab.cpu.rflags & flags::RF), (0, CODE + 2, 0));
}

/// Goal: INT1 takes along what MOV SS held back: one exception, not two; method: MOV SS from watched memory, then INT1.
#[test]
fn int1_after_mov_ss() {
    // mov ss, [ebx]; int1
    let lab = Lab::new(16, &[0x67, 0x8e, 0x13, 0xf1]).with(RBX, DATA).with_memory(4, &[0x34, 0x12, 0, 0]);
    let mut lab = with_breakpoint(lab, 0, DATA, 3, 1);
    lab.cpu.idtr.limit = 0x3ff;
    lab.step().expect("held back");
    machine::exception::service_pending(&mut lab.cpu, &mut lab.bus);
    lab.step().expect("INT1 delivers by itself");
    assert_eq!((lab.cpu.rip, lab.cpu.dr[4], lab.cpu.debug_held), (0x1234, 0xffff_0ff1, 0));
}

/// Goal: for SYSCALL and SYSRET TF counts as it is afterwards; method: IA32_FMASK with TF and without, a return that sets TF and
/// one that does not.
#[test]
fn single_step_of_system_calls() {
    let lab = |code: &[u8], user: bool| {
        let mut lab = if user { Lab::ring3(64, code) } else { Lab::new(64, code) };
        lab.cpu.efer |= machine::cpu::efer::SCE;
        (lab.cpu.msr.star, lab.cpu.msr.lstar) = (0x10_0008 << 32, CODE + 0x100);
        lab
    };
    const SYSCALL: [u8; 2] = [0x0f, 0x05];
    const SYSRETQ: [u8; 3] = [0x48, 0x0f, 0x07];
    let mut traced = lab(&SYSCALL, true).with_flags(TF);
    let fault = debug_exception(&mut traced);
    assert_eq!((fault.is_trap, traced.cpu.rip, traced.cpu.dr[4]), (true, CODE + 0x100, 0xffff_4ff0));
    let mut masked = lab(&SYSCALL, true).with_flags(TF);
    masked.cpu.msr.sfmask = TF;
    let masked = masked.run(1);
    assert_eq!((masked.cpu.rip, masked.cpu.rflags & TF, masked.reg(11) & TF), (CODE + 0x100, 0, TF));
    let mut back = lab(&SYSRETQ, false).with(RCX, CODE + 0x40).with(11, TF | 2);
    let fault = debug_exception(&mut back);
    assert_eq!((fault.is_trap, back.cpu.rip, back.cpu.cpl()), (true, CODE + 0x40, 3));
    let untraced = lab(&SYSRETQ, false).with(RCX, CODE + 0x40).with(11, 2).with_flags(TF).run(1);
    assert_eq!((untraced.cpu.rip, untraced.cpu.rflags & TF), (CODE + 0x40, 0));
}
