//! Moves, operand sizes, addresses, conditions, flags instructions, ports, HLT and its kin.

use crate::lab::{DATA, HOLE, Lab};
use machine::cpu::flags::{CF, DF, IF, OF, PF, SF, ZF};
use machine::cpu::gpr::{RAX, RBP, RBX, RCX, RDI, RDX, RSI};
use machine::cpu::segment::{FS, GS, Segment, attr};
use machine::cpu::{cr4, flags};
use machine::fault::{Trap, vector};
use protocol::Activity;

const PATTERN: u64 = 0x1122_3344_5566_7788;

/// Goal: what a write of each width does to the rest of a register; method: MOV of immediates to parts of RAX.
#[test]
fn register_parts() {
    for (code, expected) in [
        (&[0xb0, 0xaa][..], 0x1122_3344_5566_77aa),
        (&[0xb4, 0xaa], 0x1122_3344_5566_aa88),
        (&[0x66, 0xb8, 0xaa, 0xbb], 0x1122_3344_5566_bbaa),
        (&[0xb8, 0xaa, 0xbb, 0xcc, 0xdd], 0xddcc_bbaa),
        (&[0x48, 0xc7, 0xc0, 0xaa, 0xbb, 0xcc, 0xdd], 0xffff_ffff_ddcc_bbaa),
    ] {
        assert_eq!(Lab::new(64, code).with(RAX, PATTERN).run(1).reg(RAX), expected, "{code:x?}");
    }
    // mov spl, al: a REX prefix turns AH's encoding into SPL's
    let lab = Lab::new(64, &[0x40, 0x88, 0xc4]).with(RAX, 0x55).run(1);
    assert_eq!((lab.reg(4) & 0xff, lab.reg(RAX)), (0x55, 0x55));
    // movzx ecx, ah; movsx rcx, ah is not encodable; movsx cx, ah
    assert_eq!(Lab::new(64, &[0x0f, 0xb6, 0xcc]).with(RAX, PATTERN).with(RCX, PATTERN).run(1).reg(RCX), 0x77);
    assert_eq!(Lab::new(64, &[0x66, 0x0f, 0xbe, 0xcc]).with(RAX, 0x8000).run(1).reg(RCX), 0xff80);
    // movsxd rcx, eax; movsx ecx, ax
    assert_eq!(Lab::new(64, &[0x48, 0x63, 0xc8]).with(RAX, 0x8000_0000).run(1).reg(RCX), 0xffff_ffff_8000_0000);
    assert_eq!(Lab::new(64, &[0x0f, 0xbf, 0xc8]).with(RAX, 0x8000).run(1).reg(RCX), 0xffff_8000);
}

/// Goal: offsets are computed and cut as the address size says; method: LEA and loads in all three code sizes.
#[test]
fn addresses() {
    // lea rax, [rbx+rcx*4-8]
    let lab = Lab::new(64, &[0x48, 0x8d, 0x44, 0x8b, 0xf8]).with(RBX, 0x1_0000_0000).with(RCX, 3).run(1);
    assert_eq!(lab.reg(RAX), 0x1_0000_0004);
    // lea eax, [same]; lea rax, [ebx+ecx*4-8]
    let lab = Lab::new(64, &[0x8d, 0x44, 0x8b, 0xf8]).with(RBX, 0x1_0000_0000).with(RCX, 3).run(1);
    assert_eq!(lab.reg(RAX), 4);
    let lab = Lab::new(64, &[0x67, 0x48, 0x8d, 0x44, 0x8b, 0xf8]).with(RBX, 0x1_0000_0000).run(1);
    assert_eq!(lab.reg(RAX), 0xffff_fff8);
    // lea rax, [rip+0x10]; lea rax, [eip-0x9000]
    assert_eq!(Lab::new(64, &[0x48, 0x8d, 0x05, 0x10, 0, 0, 0]).run(1).reg(RAX), 0x8017);
    assert_eq!(Lab::new(64, &[0x67, 0x48, 0x8d, 0x05, 0, 0x70, 0xff, 0xff]).run(1).reg(RAX), 0xffff_f008);
    // 16-bit code: mov al, [bx+si+0x7fff] wraps at 64 KiB
    let lab = Lab::new(16, &[0x8a, 0x80, 0xff, 0x7f]).with(RBX, 0x8002).with(RSI, DATA).with_memory(DATA + 1, &[0x42]);
    assert_eq!(lab.run(1).reg(RAX), 0x42);
    // mov rax, [moffs64] and mov [moffs64], al
    let bytes = DATA.to_le_bytes();
    let lab = Lab::new(64, &[&[0x48, 0xa1][..], &bytes].concat()).with_memory(DATA, &PATTERN.to_le_bytes()).run(1);
    assert_eq!(lab.reg(RAX), PATTERN);
    let lab = Lab::new(64, &[&[0xa2][..], &bytes].concat()).with(RAX, PATTERN).run(1);
    assert_eq!(lab.memory(DATA), [0x88u8, 0]);
    // mov eax, gs:[rcx]
    let mut lab = Lab::new(64, &[0x65, 0x8b, 0x01]).with(RCX, 0x10).with_memory(DATA + 0x10, &[7]);
    lab.cpu.segments[GS].base = DATA;
    assert_eq!(lab.run(1).reg(RAX), 7);
    // real mode: mov al, [bp+2] uses SS, fs overrides it
    let mut lab = Lab::new(16, &[0x64, 0x8a, 0x46, 0x02]).with(RBP, 0x10).with_memory(0x1_0012, &[9]);
    lab.cpu.segments[FS].base = 0x1_0000;
    assert_eq!(lab.run(1).reg(RAX), 9);
}

/// Goal: each condition reads the flags it names; method: SETcc, CMOVcc under all 32 combinations of the five flags.
#[test]
fn conditions() {
    for bits in 0..32u64 {
        let has = |index: u64| bits >> index & 1 != 0;
        let (cf, pf, zf, sf, of) = (has(0), has(1), has(2), has(3), has(4));
        let flags = [(cf, CF), (pf, PF), (zf, ZF), (sf, SF), (of, OF)];
        let flags = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum::<u64>();
        let expected = [of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of];
        for cond in 0..16u8 {
            let holds = expected[usize::from(cond >> 1)] != (cond & 1 != 0);
            let lab = Lab::new(64, &[0x0f, 0x90 | cond, 0xc0]).with(RAX, PATTERN).with_flags(flags).run(1);
            assert_eq!(lab.reg(RAX), PATTERN & !0xff | u64::from(holds), "setcc {cond:x} {flags:x}");
            let lab = Lab::new(64, &[0x0f, 0x40 | cond, 0xc1]).with(RAX, PATTERN).with(RCX, 5).with_flags(flags).run(1);
            assert_eq!(lab.reg(RAX), if holds { 5 } else { PATTERN & 0xffff_ffff }, "cmovcc {cond:x} {flags:x}");
            let lab = Lab::new(64, &[0x70 | cond, 0x10]).with_flags(flags).run(1);
            assert_eq!(lab.cpu.rip, if holds { 0x8012 } else { 0x8002 }, "jcc {cond:x} {flags:x}");
        }
    }
    // CMOVcc reads its source also where the condition is false.
    let fault = Lab::new(64, &[0x0f, 0x44, 0x01]).with(RCX, HOLE).fault();
    assert_eq!((fault.vector, fault.cr2), (vector::PAGE_FAULT, Some(HOLE)));
}

/// Goal: XCHG, XLAT, LAHF, SAHF, MOVNTI; method: literal values.
#[test]
fn other_moves() {
    let lab = Lab::new(64, &[0x48, 0x87, 0x0e]).with(RSI, DATA).with(RCX, 1).with_memory(DATA, &[2]).run(1);
    assert_eq!((lab.memory(DATA), lab.reg(RCX)), (1u64.to_le_bytes(), 2));
    let lab = Lab::new(64, &[0x86, 0xe0]).with(RAX, 0x1234).run(1);
    assert_eq!(lab.reg(RAX), 0x3412);
    // xchg eax, r8d clears both upper halves
    let lab = Lab::new(64, &[0x41, 0x90]).with(RAX, PATTERN).with(8, u64::MAX).run(1);
    assert_eq!((lab.reg(RAX), lab.reg(8)), (0xffff_ffff, 0x5566_7788));
    assert_eq!(Lab::new(64, &[0xd7]).with(RBX, DATA).with(RAX, 3).with_memory(DATA + 3, &[0x99]).run(1).reg(RAX), 0x99);
    assert_eq!(Lab::new(64, &[0x9f]).with_flags(SF | CF).run(1).reg(RAX), 0x8300);
    let lab = Lab::new(64, &[0x9e]).with(RAX, 0xff00).with_flags(OF).run(1);
    assert!(lab.flag(OF) && lab.flag(CF) && lab.cpu.rflags & 0x28 == 0);
    let lab = Lab::new(64, &[0x0f, 0xc3, 0x0e]).with(RSI, DATA).with(RCX, 7).run(1);
    assert_eq!(lab.memory(DATA), 7u32.to_le_bytes());
}

/// Goal: a store that faults changes nothing, and says that it was a write; method: a read-modify-write of no page.
#[test]
fn faults_change_nothing() {
    for code in [&[0x01, 0x0e][..], &[0x87, 0x0e], &[0xff, 0x06], &[0xd1, 0x26], &[0x0f, 0xab, 0x0e], &[0x89, 0x0e]] {
        let fault = Lab::new(64, code).with(RSI, HOLE).with(RCX, 1).fault();
        assert_eq!((fault.vector, fault.error, fault.cr2), (vector::PAGE_FAULT, Some(2), Some(HOLE)), "{code:x?}");
    }
    // add ecx, [rsi] reads
    assert_eq!(Lab::new(64, &[0x03, 0x0e]).with(RSI, HOLE).fault().error, Some(0));
}

/// Goal: LOCK is allowed where the SDM allows it only; method: a register form, an instruction that takes none.
#[test]
fn lock_prefix() {
    assert_eq!(Lab::new(64, &[0xf0, 0x01, 0xc8]).fault().vector, vector::INVALID_OPCODE);
    assert_eq!(Lab::new(64, &[0xf0, 0x89, 0x0e]).with(RSI, DATA).fault().vector, vector::INVALID_OPCODE);
    Lab::new(64, &[0xf0, 0x01, 0x0e]).with(RSI, DATA).run(1);
}

/// Goal: flags instructions, and that CLI and STI need CPL <= IOPL; STI's shadow; method: ring 0 and 3.
#[test]
fn flag_control() {
    assert!(!Lab::new(64, &[0xf8]).with_flags(CF).run(1).flag(CF));
    assert!(Lab::new(64, &[0xf9]).run(1).flag(CF));
    assert!(Lab::new(64, &[0xf5]).run(1).flag(CF));
    assert!(Lab::new(64, &[0xfd]).run(1).flag(DF));
    assert!(!Lab::new(64, &[0xfc]).with_flags(DF).run(1).flag(DF));
    let lab = Lab::new(64, &[0xfb]).run(1);
    assert!(lab.flag(IF) && lab.cpu.interrupt_shadow);
    assert!(!Lab::new(64, &[0xfb]).with_flags(IF).run(1).cpu.interrupt_shadow);
    for code in [0xfa, 0xfb] {
        assert_eq!(Lab::ring3(64, &[code]).fault().vector, vector::GENERAL_PROTECTION);
        Lab::ring3(64, &[code]).with_flags(flags::IOPL).run(1);
    }
}

/// Goal: ring 0 instructions fault in ring 3; HLT, PAUSE and RDTSC act; method: both rings.
#[test]
fn processor_control() {
    for code in [&[0xf4][..], &[0x0f, 0x09], &[0x0f, 0x08], &[0x0f, 0x20, 0xc0], &[0x0f, 0x01, 0xf8], &[0x0f, 0x06]] {
        assert_eq!(Lab::ring3(64, code).fault().vector, vector::GENERAL_PROTECTION, "{code:x?}");
    }
    let lab = Lab::new(64, &[0xf4]).run(1);
    assert_eq!((lab.cpu.activity, lab.cpu.rip), (Activity::Halted, 0x8001));
    assert_eq!(Lab::new(64, &[0xf3, 0x90]).run(1).bus.extra_ns, 990);
    let mut lab = Lab::new(64, &[0x0f, 0x31]).with(RAX, u64::MAX).with(RDX, u64::MAX);
    lab.bus.clock_ns = 0x1_0000_0005;
    let lab = lab.run(1);
    assert_eq!((lab.reg(RDX), lab.reg(RAX)), (1, 5));
    let mut lab = Lab::ring3(64, &[0x0f, 0x31]);
    lab.cpu.cr4 |= cr4::TSD;
    assert_eq!(lab.fault().vector, vector::GENERAL_PROTECTION);
    for code in [&[0x90][..], &[0xf3, 0x0f, 0x1e, 0xfa], &[0x0f, 0xae, 0xf0], &[0x0f, 0x18, 0x0e], &[0x0f, 0x1f, 0]] {
        let lab = Lab::new(64, code).run(1);
        assert_eq!((lab.cpu.rip, lab.cpu.gpr[RAX]), (0x8000 + code.len() as u64, 0), "{code:x?}");
    }
}

/// Goal: IN and OUT reach the bus in the right width; ring 3 needs IOPL or the TSS's bitmap; method: a port that
/// nobody answers, the port by which a CPU says that it is online, a bitmap with single bits set.
#[test]
fn ports() {
    let lab = Lab::new(64, &[0xe4, 0xee]).with(RAX, 0).run(1);
    assert_eq!(lab.reg(RAX), 0xff);
    assert_eq!(Lab::new(64, &[0xed]).with(RDX, 0x1234).run(1).reg(RAX), 0xffff_ffff);
    let lab = Lab::new(16, &[0xe6, 0xe4]).with(RAX, 1).run(1);
    assert_eq!(lab.bus.out.online.len(), 1);
    Lab::ring3(64, &[0xe4, 0xee]).with_flags(flags::IOPL).run(1);
    // in ax, 0xee above IOPL: the TSS at DATA has its bitmap at 0x80; bits 6 and 7 of byte 0x1d are these two ports.
    let guarded = |denied: u8, limit: u32| {
        let mut lab = Lab::ring3(64, &[0x66, 0xe5, 0xee]).with_memory(DATA + 0x66, &[0x80, 0]);
        lab.cpu.tr = Segment { selector: 0x18, attributes: attr::P | 0xb, limit, base: DATA };
        lab.with_memory(DATA + 0x80 + 0x1d, &[denied, 0xff])
    };
    guarded(0x3f, 0x9e).run(1);
    for (denied, limit) in [(0x40, 0x9e), (0x80, 0x9e), (0, 0x9d), (0, 0x60)] {
        assert_eq!(guarded(denied, limit).fault().vector, vector::GENERAL_PROTECTION, "{denied:x} {limit:x}");
    }
}

/// Goal: what is lacking stops with its name and bytes, what is undefined is #UD with its bytes; method: one of each.
#[test]
fn unknown_instructions() {
    let mut lab = Lab::new(64, &[0xc5, 0xf8, 0x58, 0xc1]);
    match lab.step() {
        Err(Trap::Unsupported(what)) => {
            assert!(what.contains("`vaddps xmm0, xmm0, xmm1`") && what.contains("c5 f8 58 c1"), "{what}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(lab.cpu.rip, 0x8000);
    for code in [&[0x0f, 0x0b][..], &[0x0f, 0x04], &[0x06], &[0xfe, 0xff]] {
        assert_eq!(Lab::new(64, code).fault().vector, vector::INVALID_OPCODE, "{code:x?}");
    }
    // Fifteen bytes are the most.
    let long = [&[0x3e; 14][..], &[0x90]].concat();
    assert_eq!(Lab::new(64, &long).run(1).cpu.rip, 0x800f);
    let too_long = [&[0x3e; 15][..], &[0x90]].concat();
    assert_eq!(Lab::new(64, &too_long).fault().vector, vector::GENERAL_PROTECTION);
    let too_long = [&[0x3e; 12][..], &[0xb8, 1, 2, 3, 4]].concat();
    assert_eq!(Lab::new(64, &too_long).with(RDI, 0).fault().vector, vector::GENERAL_PROTECTION);
}
