//! Rows of plain instructions: the short way through them is the same as single steps.

use crate::lab::{CODE, Lab};
use fastrand::Rng;
use machine::execute;

/// ModRM opcodes of plain instructions: ADD to CMP in both directions and widths, TEST, MOV, LEA, MOVSXD, INC and its
/// kin, shifts and immediate groups.
const ONE_BYTE: [u8; 40] = [
    0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x18, 0x19, 0x1a, 0x1b, 0x20, 0x21, 0x28,
    0x29, 0x30, 0x31, 0x38, 0x39, 0x63, 0x80, 0x81, 0x83, 0x84, 0x85, 0x88, 0x89, 0x8d, 0xc0, 0xc1, 0xd1, 0xd2, 0xd3,
    0xf6, 0xfe,
];
/// The same after 0F: CMOVcc, SETcc, MOVZX, MOVSX, BSWAP, long NOP.
const TWO_BYTE: [u8; 16] =
    [0x1f, 0x40, 0x42, 0x44, 0x47, 0x4c, 0x4f, 0x90, 0x93, 0x98, 0x9e, 0xb6, 0xb7, 0xbe, 0xc8, 0xcb];
/// Whole instructions: short jumps, sign extensions of the accumulator.
const WHOLE: [&[u8]; 8] =
    [&[0xeb, 0x00], &[0x74, 0x02], &[0x7c, 0x01], &[0x77, 0xf0], &[0x98], &[0x99], &[0x48, 0x98], &[0x48, 0x99]];

/// One instruction, most often a plain one.
fn instruction(random: &mut Rng) -> Vec<u8> {
    let draw = |random: &mut Rng, from: &[u8]| from[random.u64(..) as usize % from.len()];
    let mut bytes = Vec::new();
    if random.u64(..).is_multiple_of(8) {
        return WHOLE[random.u64(..) as usize % WHOLE.len()].to_vec();
    }
    if random.u64(..).is_multiple_of(4) {
        bytes.push(0x66);
    }
    if random.u64(..).is_multiple_of(2) {
        bytes.push(0x40 | random.u64(..) as u8 & 0xf);
    }
    let opcode = if random.u64(..).is_multiple_of(4) {
        bytes.push(0x0f);
        draw(random, &TWO_BYTE)
    } else {
        draw(random, &ONE_BYTE)
    };
    bytes.push(opcode);
    // Registers only, but for LEA, whose operand is [reg + disp8].
    let (kind, low) = if opcode == 0x8d { (0x40, 3) } else { (0xc0, random.u64(..) as u8 & 7) };
    bytes.push(kind | random.u64(..) as u8 & 0x38 | low);
    if opcode == 0x8d || matches!(opcode, 0x80 | 0x83 | 0xc0 | 0xc1) {
        bytes.push(random.u64(..) as u8);
    } else if opcode == 0x81 {
        bytes.extend(&random.u64(..).to_le_bytes()[..4]);
    }
    bytes
}

/// Goal: a row of plain instructions gives the state that as many single steps give, also where it ends at an instruction
/// that is not plain, at a branch and at its limit; method: random code, registers and flags, both ways, three times each.
#[test]
fn rows_are_steps() {
    let mut random = Rng::with_seed(0x1a4e);
    let mut longest = 0;
    for round in 0..20_000 {
        let mut code: Vec<u8> = (0..8).flat_map(|_| instruction(&mut random)).collect();
        code.resize(128, 0x90);
        let mut rows = Lab::new(64, &code);
        rows.cpu.gpr = std::array::from_fn(|_| {
            let value = random.u64(..);
            if value & 1 == 0 { value } else { (value >> 8) % 66 }
        });
        rows.cpu.rflags |= random.u64(..) & 0x8d5;
        // What was not decoded yet ends a row: once through all of it.
        let before = rows.cpu.clone();
        for _ in 0..30 {
            if rows.step().is_err() {
                break;
            }
        }
        rows.cpu = before;
        let mut steps = rows.clone();
        for _ in 0..3 {
            let most = 1 + random.u64(..) as u32 % 9;
            let (made, row) = execute::step_instructions(&mut rows.cpu, &mut rows.bus, most);
            let count = made + u32::from(row.is_err());
            assert!((1..=most).contains(&count), "round {round}: {count} of {most}");
            longest = longest.max(count);
            for index in 1..=count {
                let result = steps.step();
                assert!(result.is_ok() || index == count && row.is_err(), "round {round}: {code:x?}: {result:?}");
            }
            assert_eq!(
                (rows.cpu.gpr, rows.cpu.rip, rows.cpu.rflags),
                (steps.cpu.gpr, steps.cpu.rip, steps.cpu.rflags),
                "round {round}, {count} from {CODE:x} on: {code:x?}"
            );
            if row.is_err() {
                break;
            }
        }
    }
    assert_eq!(longest, 9, "some rows are as long as they may be");
}
