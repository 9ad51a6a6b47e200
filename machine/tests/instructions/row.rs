//! Rows of instructions that reach memory: the short way through them is the same as single steps.

use crate::lab::{CODE, DATA, HOLE, Lab, STACK};
use fastrand::Rng;
use machine::execute;
use machine::fault::{Exec, Trap};

/// Opcodes with ModRM, in both directions and widths: arithmetic, MOV, XCHG, TEST, POP, immediate groups, shifts, INC to
/// PUSH; some that stand in no row (MOV from and to segment registers).
const ONE_BYTE: [u8; 34] = [
    0x00, 0x01, 0x02, 0x03, 0x09, 0x0b, 0x11, 0x13, 0x19, 0x1b, 0x21, 0x23, 0x29, 0x2b, 0x31, 0x33, 0x39, 0x3b, 0x63,
    0x80, 0x83, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8f, 0xc1, 0xd3, 0xf7, 0xff, 0x8c,
];
/// The same after 0F: CMOVcc, SETcc, BT and its kin, SHLD, IMUL, CMPXCHG, MOVZX, MOVSX, XADD.
const TWO_BYTE: [u8; 14] = [0x42, 0x4f, 0x90, 0x9e, 0xa3, 0xab, 0xa4, 0xaf, 0xb0, 0xb1, 0xb6, 0xbe, 0xbf, 0xc1];
/// Whole instructions: PUSH, POP, string instructions with and without REP, LEAVE, near branches, CLD, STD, PUSHF, CLI.
const WHOLE: [&[u8]; 22] = [
    &[0x50],
    &[0x53],
    &[0x59],
    &[0x5f],
    &[0x6a, 0x81],
    &[0xaa],
    &[0xab],
    &[0xa5],
    &[0xf3, 0xaa],
    &[0xf3, 0xab],
    &[0xf3, 0xa4],
    &[0xf3, 0xa5],
    &[0xf3, 0xa6],
    &[0xf2, 0xae],
    &[0xc9],
    &[0xeb, 0x01],
    &[0x74, 0x02],
    &[0xe2, 0xf8],
    &[0xfc],
    &[0xfd],
    &[0x9c],
    &[0xfa],
];

fn instruction(random: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    if random.u8(..4) == 0 {
        bytes.push([0x66, 0x67, 0x48, 0x36][random.usize(..4)]);
    }
    if random.u8(..3) == 0 {
        bytes.extend(WHOLE[random.usize(..WHOLE.len())]);
        return bytes;
    }
    let opcode = if random.u8(..4) == 0 {
        bytes.push(0x0f);
        TWO_BYTE[random.usize(..TWO_BYTE.len())]
    } else {
        ONE_BYTE[random.usize(..ONE_BYTE.len())]
    };
    bytes.push(opcode);
    // [register], [register + disp8] or a register.
    let kind = [0x00, 0x40, 0xc0][random.usize(..3)];
    bytes.push(kind | random.u8(..) & 0x38 | [0, 1, 3, 6, 7][random.usize(..5)]);
    if kind == 0x40 {
        bytes.push(random.u8(..));
    }
    if matches!(opcode, 0x80 | 0x83 | 0xa4 | 0xc1) {
        bytes.push(random.u8(..));
    }
    bytes
}

/// Where a register may point to: data, the end of its page, code that is executed, the stack, an unmapped page, nowhere.
fn pointer(random: &mut Rng, bits: u32) -> u64 {
    match random.u8(..12) {
        0 => CODE + random.u64(..64),
        1 => DATA + 0x1000 - random.u64(..9),
        2 if bits == 64 => HOLE + random.u64(..16) - 8,
        3 => random.u64(..),
        4 | 5 => random.u64(..70),
        6 => STACK - 4 * random.u64(..16),
        _ => DATA + 4 * random.u64(..0x300),
    }
}

fn code_of(result: &Exec<()>) -> Option<(u8, Option<u32>)> {
    match result {
        Err(Trap::Fault(fault)) => Some((fault.vector, fault.error)),
        // No vector: what this machine lacks.
        Err(Trap::Unsupported(_)) => Some((u8::MAX, None)),
        Ok(()) => None,
    }
}

/// Goal: a row gives the state that as many single steps give: registers, flags, memory, TLB, and the fault that ends it;
/// also where it overwrites its own code, leaves its page or repeats strings; method: random code in each code size, both
/// ways, until something faults.
#[test]
fn rows_are_steps() {
    let mut random = Rng::with_seed(0x5eed);
    let (mut longest, mut faults) = (0, 0);
    for round in 0..12_000 {
        let bits = [16, 32, 64][round % 3];
        let code: Vec<u8> = (0..24).flat_map(|_| instruction(&mut random)).chain([0x90; 16]).collect();
        let mut rows = Lab::new(bits, &code);
        rows.cpu.gpr = std::array::from_fn(|_| pointer(&mut random, bits));
        rows.cpu.gpr[4] = STACK - 8 * random.u64(..8);
        rows.cpu.rflags |= random.u64(..) & 0x8d5;
        let mut steps = rows.clone();
        for _ in 0..12 {
            let most = 1 + random.u32(..60);
            let (made, ended) = execute::step_instructions(&mut rows.cpu, &mut rows.bus, most);
            assert!(made <= most && (made != 0 || ended.is_err()), "round {round}: {made} of {most}");
            for index in 0..made {
                let result = steps.step();
                assert_eq!(code_of(&result), None, "round {round}, step {index} of {made}: {code:x?}");
            }
            if ended.is_err() {
                assert_eq!(code_of(&steps.step()), code_of(&ended), "round {round}: {code:x?}");
                faults += 1;
            }
            let state = |lab: &Lab| (lab.cpu.gpr, lab.cpu.rip, lab.cpu.rflags, lab.cpu.cr2, lab.cpu.interrupt_shadow);
            assert_eq!(state(&rows), state(&steps), "round {round}, {bits} bits, after {made}: {code:x?}");
            assert_eq!(rows.cpu.tlb, steps.cpu.tlb, "round {round}: {code:x?}");
            assert!(rows.bus.ram.slice(0, 0x2_0000) == steps.bus.ram.slice(0, 0x2_0000), "round {round}: {code:x?}");
            longest = longest.max(made);
            if ended.is_err() {
                break;
            }
        }
    }
    assert!(longest > 50, "some rows are long, the longest has {longest}");
    assert!((1_000..11_500).contains(&faults), "some end with a fault and some do not: {faults}");
}
