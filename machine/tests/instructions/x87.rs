//! The x87: what the native tests (`tests/native`) cannot see: availability, #MF and FERR#, pointers, the environment in its
//! four forms, transcendentals against known constants.

use crate::lab::{CODE, DATA, Lab};
use machine::cpu::gpr::{RAX, RSI};
use machine::cpu::x87::fsw;
use machine::cpu::{X87, cr0, cr4};
use machine::fault::vector;
use protocol::Activity;

const ONE: u128 = 0x3fff_8000_0000_0000_0000;
const PI: u128 = 0x4000_c90f_daa2_2168_c235;

fn lab(bits: u32, code: &[u8]) -> Lab {
    let mut lab = Lab::new(bits, code).with(RSI, DATA);
    lab.cpu.cr0 |= cr0::NE | cr0::MP;
    lab.cpu.x87 = X87::initialized([0; 8]);
    lab
}

/// Goal: who may use the x87; method: the control bits one by one, for FLD1 and WAIT.
#[test]
fn availability() {
    for (code, bits, expected) in [
        (&[0xd9, 0xe8][..], cr0::EM, true),
        (&[0xd9, 0xe8], cr0::TS, true),
        (&[0xdb, 0xe3], cr0::EM, true),
        (&[0x9b], cr0::EM, false),
        (&[0x9b], cr0::TS | cr0::MP, true),
    ] {
        let mut lab = lab(64, code);
        lab.cpu.cr0 |= bits;
        if expected {
            assert_eq!(lab.fault().vector, vector::DEVICE_NOT_AVAILABLE, "{code:x?}");
        } else {
            lab.run(1);
        }
    }
    let mut lab = lab(64, &[0x9b]);
    lab.cpu.cr0 = lab.cpu.cr0 & !cr0::MP | cr0::TS;
    lab.run(1);
}

/// Goal: an unmasked exception is reported by the next waiting instruction, and by no other; method: FLD1, FLDZ, FDIV with
/// ZM clear, then each kind.
#[test]
fn math_fault() {
    // fld1; fldz; fdivp st1, st0
    let divide = [0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9];
    let after = |next: &[u8]| {
        let mut lab = lab(64, &[&divide[..], next].concat());
        lab.cpu.x87.load_control(0x37b);
        let lab = lab.run(3);
        assert_eq!(lab.cpu.x87.fsw & 0xff, 0x84, "ZE and ES");
        // Divided, but not popped nor written: both operands are there.
        assert_eq!((lab.cpu.x87.raw(0), lab.cpu.x87.raw(1)), (0, ONE));
        lab
    };
    for waiting in [&[0x9b][..], &[0xd9, 0xe8], &[0xd9, 0x2e]] {
        assert_eq!(after(waiting).fault().vector, vector::X87_FLOATING_POINT, "{waiting:x?}");
    }
    // fnstsw ax; fnstcw, fnclex, fninit
    assert_eq!(after(&[0xdf, 0xe0]).run(1).reg(RAX), 0xb084);
    after(&[0xd9, 0x3e]).run(1);
    assert_eq!(after(&[0xdb, 0xe2]).run(1).cpu.x87.fsw, 0x3000);
    let lab = after(&[0xdb, 0xe3]).run(1);
    assert_eq!((lab.cpu.x87.fcw, lab.cpu.x87.fsw, lab.cpu.x87.ftw), (0x37f, 0, 0));
}

/// Goal: with NE clear the CPU waits at the instruction, and IGNNE# lets it go on; method: the same division, WAIT, then
/// OUT to port F0h.
#[test]
fn error_line() {
    // fld1; fldz; fdivp; out f0h, al; wait; fnclex; wait
    let code = [0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0xe6, 0xf0, 0x9b, 0xdb, 0xe2, 0x9b];
    let mut first = lab(32, &code);
    first.cpu.cr0 &= !cr0::NE;
    first.cpu.x87.load_control(0x37b);
    let first = first.run(3);
    let mut waits = first.clone();
    waits.cpu.rip += 2;
    let at = waits.cpu.rip;
    let waits = waits.run(1);
    assert_eq!((waits.cpu.rip, waits.cpu.activity), (at, Activity::Halted));
    let goes = first.run(2);
    assert_eq!((goes.cpu.activity, goes.cpu.x87.ignne), (Activity::Running, true));
    let goes = goes.run(2);
    assert_eq!((goes.cpu.x87.ignne, goes.cpu.rip), (false, CODE + code.len() as u64));
}

/// Goal: pointers and opcode; method: an instruction with memory operand, one without, a control instruction.
#[test]
fn pointers() {
    // fld1; fadd qword [rsi]; fnop; fstcw [rsi]
    let lab = lab(64, &[0xd9, 0xe8, 0xdc, 0x06, 0xd9, 0xd0, 0xd9, 0x3e]).run(2);
    let x87 = &lab.cpu.x87;
    assert_eq!((x87.fip, x87.fcs, x87.fdp, x87.fds, x87.fop), (CODE + 2, 8, DATA, 0x10, 0x406));
    let lab = lab.run(2);
    let x87 = &lab.cpu.x87;
    assert_eq!((x87.fip, x87.fdp, x87.fop), (CODE + 4, DATA, 0x1d0));
}

/// Goal: the environment in each mode and size; method: literal fields by the SDM's figures.
#[test]
fn environment() {
    let saved = |bits: u32, code: &[u8]| {
        let mut lab = lab(bits, code);
        lab.cpu.x87 = X87 { fip: 0xa_1234, fcs: 8, fdp: 0xb_5678, fds: 0x10, fop: 0x406, ..lab.cpu.x87 };
        lab.cpu.x87.push_raw(ONE);
        lab.cpu.x87.push_raw(0);
        lab.bus.ram.write_slice(DATA, &[0xaa; 128]);
        lab.run(1)
    };
    let words = |lab: &Lab| {
        lab.memory::<128>(DATA).chunks_exact(2).map(|w| u16::from_le_bytes([w[0], w[1]])).collect::<Vec<_>>()
    };
    let head = [0x37f, 0x3000, 0x1fff];
    let lab = saved(32, &[0xd9, 0x36]);
    let expected =
        [0x37f, 0xffff, 0x3000, 0xffff, 0x1fff, 0xffff, 0x1234, 0xa, 8, 0x406, 0x5678, 0xb, 0x10, 0xffff, 0xaaaa];
    assert_eq!(words(&lab)[..15], expected);
    assert_eq!(lab.cpu.x87.fcw, 0x37f);
    assert_eq!(
        words(&saved(32, &[0x66, 0xd9, 0x36]))[..8],
        [head[0], head[1], head[2], 0x1234, 8, 0x5678, 0x10, 0xaaaa]
    );
    // fnstenv [si] in real mode: linear addresses and opcode.
    assert_eq!(
        words(&saved(16, &[0xd9, 0x34]))[..8],
        [head[0], head[1], head[2], 0x1234, 0xa406, 0x5678, 0xb000, 0xaaaa]
    );
    let real32 = words(&saved(16, &[0x66, 0xd9, 0x34]));
    assert_eq!(real32[6..15], [0x1234, 0xffff, 0xa406, 0, 0x5678, 0xffff, 0xb000, 0, 0xaaaa]);
    // fnsave: the data registers follow, ST0 first; then it is as after FNINIT.
    let lab = saved(64, &[0xdd, 0x36]);
    assert_eq!(lab.memory::<10>(DATA + 28), [0; 10]);
    assert_eq!(lab.memory::<10>(DATA + 38), ONE.to_le_bytes()[..10]);
    assert_eq!(lab.memory::<1>(DATA + 108), [0xaa]);
    assert_eq!((lab.cpu.x87.fsw, lab.cpu.x87.ftw), (0, 0));
}

/// Goal: what is saved is restored; method: FNSAVE and FRSTOR in each form, FNSTENV and FLDENV.
#[test]
fn round_trips() {
    let forms: [(u32, &[u8]); 6] = [
        (64, &[0xdd, 0x36, 0xdd, 0x26]),
        (32, &[0x66, 0xdd, 0x36, 0x66, 0xdd, 0x26]),
        (32, &[0xdd, 0x36, 0xdd, 0x26]),
        (16, &[0xdd, 0x34, 0xdd, 0x24]),
        (16, &[0x66, 0xdd, 0x34, 0x66, 0xdd, 0x24]),
        (64, &[0xd9, 0x36, 0xd9, 0x26]),
    ];
    for (bits, code) in forms {
        let mut lab = lab(bits, code);
        for value in [ONE, 0, PI, 1] {
            lab.cpu.x87.push_raw(value);
        }
        (lab.cpu.x87.fip, lab.cpu.x87.fdp) = (0x1234, 0x5678);
        lab.cpu.x87.load_control(0xf7f);
        let before = lab.cpu.x87.clone();
        let after = lab.run(2).cpu.x87;
        assert_eq!(
            (after.r, after.fcw, after.fsw, after.ftw),
            (before.r, before.fcw, before.fsw, before.ftw),
            "{code:x?}"
        );
        assert_eq!((after.fip, after.fdp), (0x1234, 0x5678), "{code:x?}");
    }
}

/// Goal: a fault in the middle leaves the registers; method: FSTP to a page that is not there, FNSAVE that runs into it.
#[test]
fn faults_change_nothing() {
    for (code, at) in [(&[0xdb, 0x3e][..], crate::lab::HOLE - 4), (&[0xdd, 0x36], crate::lab::HOLE - 60)] {
        let mut lab = lab(64, code).with(RSI, at);
        lab.cpu.x87.push_raw(ONE);
        let before = lab.cpu.x87.clone();
        assert!(lab.step().is_err());
        assert_eq!(lab.cpu.x87, before);
    }
}

/// Goal: transcendental functions on any host; method: values known to all digits.
#[test]
fn constants_of_nature() {
    // fld1; fld1; fpatan; fldpi / 4
    let lab = lab(64, &[0xd9, 0xe8, 0xd9, 0xe8, 0xd9, 0xf3]).run(3);
    assert_eq!(lab.cpu.x87.raw(0), PI - (2 << 64));
    let of = |code: &[u8], st0: u128| {
        let mut lab = self::lab(64, code);
        lab.cpu.x87.push_raw(ONE);
        lab.cpu.x87.push_raw(st0);
        let lab = lab.run(1);
        (lab.cpu.x87.raw(0), lab.cpu.x87.fsw & fsw::C2)
    };
    // sin(1), cos(1), 2^0.5 - 1, log2(10), log2(1.25)
    assert_eq!(of(&[0xd9, 0xfe], ONE).0, 0x3ffe_d76a_a478_4867_7021);
    assert_eq!(of(&[0xd9, 0xff], ONE).0, 0x3ffe_8a51_407d_a834_5c92);
    assert_eq!(of(&[0xd9, 0xf0], ONE - (1 << 64)).0, 0x3ffd_d413_cccf_e779_9211);
    assert_eq!(of(&[0xd9, 0xf1], 0x4002_a000_0000_0000_0000).0, 0x4000_d49a_784b_cd1b_8afe);
    assert_eq!(of(&[0xd9, 0xf9], ONE - (2 << 64)).0, 0x3ffd_a4d3_c25e_68dc_57f2);
    // 2^63 is out of range.
    let far = 0x403e_8000_0000_0000_0000;
    assert_eq!(of(&[0xd9, 0xfe], far), (far, fsw::C2));
}

/// Goal: FXSAVE's form of tags and pointers; method: save with and without REX.W.
#[test]
fn fxsave() {
    let mut lab = lab(64, &[0x0f, 0xae, 0x06, 0x48, 0x0f, 0xae, 0x06]);
    lab.cpu.cr4 |= cr4::OSFXSR;
    lab.cpu.x87 = X87 { fip: 0x1_0000_1234, fcs: 8, fdp: 0x2_0000_5678, fds: 0x10, fop: 0x406, ..lab.cpu.x87 };
    lab.cpu.x87.push_raw(ONE);
    let lab = lab.run(1);
    assert_eq!(lab.memory::<8>(DATA), [0x7f, 3, 0, 0x38, 0x80, 0, 6, 4]);
    assert_eq!(lab.memory(DATA + 8), 0x8_0000_1234u64.to_le_bytes());
    assert_eq!(lab.memory(DATA + 16), 0x10_0000_5678u64.to_le_bytes());
    assert_eq!(lab.memory(DATA + 32), ONE.to_le_bytes());
    let lab = lab.run(1);
    assert_eq!(lab.memory(DATA + 8), 0x1_0000_1234u64.to_le_bytes());
    assert_eq!(lab.memory(DATA + 16), 0x2_0000_5678u64.to_le_bytes());
}
