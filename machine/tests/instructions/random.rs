//! Arbitrary bytes in any mode: the machine may fault or stop, but never panics and never half-executes.

use crate::lab::{CODE, DATA, Lab, STACK};
use fastrand::Rng;
use machine::fault::Trap;

/// Goal: stepping arbitrary bytes never panics, and a fault leaves the registers as they were; method: random code and
/// registers in each code size, rings 0 and 3, opcode bytes spread evenly over both maps.
#[test]
fn arbitrary_bytes() {
    let mut random = Rng::with_seed(0x5eed);
    for round in 0..60_000u64 {
        let bits = [16, 32, 64][round as usize % 3];
        let mut code: Vec<u8> = (0..16).map(|_| random.u64(..) as u8).collect();
        let prefix_count = (random.u64(..) % 3) as usize;
        for byte in code.iter_mut().take(prefix_count) {
            *byte = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x48][random.u64(..) as usize % 8];
        }
        if random.u64(..) & 1 == 0 {
            code[prefix_count] = 0x0f;
        }
        let mut lab = if random.u64(..) & 1 == 0 { Lab::new(bits, &code) } else { Lab::ring3(bits, &code) };
        for reg in 0..16 {
            let value = random.u64(..);
            lab.cpu.gpr[reg] = match value & 3 {
                0 => value,
                1 => DATA + (value >> 8) % 0x1000,
                2 => (value >> 8) % 64,
                _ => STACK,
            };
        }
        lab.cpu.rflags |= random.u64(..) & 0xcd5;
        let before = lab.cpu.clone();
        match lab.step() {
            Ok(()) => assert_ne!(lab.cpu.rflags & 2, 0, "round {round}"),
            Err(Trap::Fault(fault)) if fault.is_trap => {}
            Err(_) => assert_eq!(
                (lab.cpu.gpr, lab.cpu.rip, lab.cpu.rflags, lab.cpu.xmm, lab.cpu.mode()),
                (before.gpr, CODE, before.rflags, before.xmm, before.mode()),
                "round {round}: {code:x?}"
            ),
        }
    }
}
