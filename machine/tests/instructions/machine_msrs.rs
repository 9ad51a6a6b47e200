//! Model-specific registers by RDMSR and WRMSR: time-stamp counter and its deadline, machine check; and instructions of
//! virtualization, which the processor has not.

use crate::lab::{CODE, Lab};
use machine::bus::Bus;
use machine::cpu::Cpu;
use machine::cpu::flags::{CF, STATUS};
use machine::cpu::gpr::{RAX, RCX, RDX};
use machine::execute::cpuid;
use machine::execute::msr::{self, number};
use machine::fault::vector;

/// RDMSR.
const RDMSR: [u8; 2] = [0x0f, 0x32];
/// WRMSR.
const WRMSR: [u8; 2] = [0x0f, 0x30];

fn read(cpu: &Cpu, bus: &Bus, index: u32) -> u64 {
    msr::peek(cpu, bus.clock_ns, index).expect("it exists")
}

/// EAX to EDX of a leaf.
fn leaf(eax: u64, ecx: u64) -> [u64; 4] {
    let mut lab = Lab::new(64, &[]).with(RAX, eax).with(RCX, ecx);
    cpuid::cpuid(&mut lab.cpu).expect("CPUID raises nothing");
    [0, 3, 1, 2].map(|register| lab.reg(register))
}

/// Goal: the counter, what was added to it, and the deadline move together; method: writes of each, at two times.
#[test]
fn time_stamp_counter() {
    let mut lab = Lab::new(64, &[]);
    let (cpu, bus) = (&mut lab.cpu, &mut lab.bus);
    bus.clock_ns = 1000;
    msr::write(cpu, bus, number::TSC_ADJUST, 500).unwrap();
    assert_eq!(read(cpu, bus, number::TSC), 1500);
    bus.clock_ns = 2000;
    msr::write(cpu, bus, number::TSC, 10_000).unwrap();
    assert_eq!((read(cpu, bus, number::TSC), read(cpu, bus, number::TSC_ADJUST)), (10_000, 8000));
    // In one-shot mode, as after reset, the deadline stays 0.
    msr::write(cpu, bus, number::TSC_DEADLINE, 12_000).unwrap();
    assert_eq!((read(cpu, bus, number::TSC_DEADLINE), cpu.lapic.deadline_ns()), (0, None));
    cpu.lapic.write(cpu.id, 0xf0, 0x1ff, 2000, &mut bus.out);
    cpu.lapic.write(cpu.id, 0x320, 2 << 17 | 0x40, 2000, &mut bus.out);
    msr::write(cpu, bus, number::TSC_DEADLINE, 12_000).unwrap();
    assert_eq!((read(cpu, bus, number::TSC_DEADLINE), cpu.lapic.deadline_ns()), (12_000, Some(4000)));
    msr::write(cpu, bus, number::TSC_ADJUST, 9000).unwrap();
    assert_eq!(cpu.lapic.deadline_ns(), Some(3000));
    let [_, _, features, _] = leaf(1, 0);
    assert_eq!((features >> 24 & 1, leaf(7, 0)[1] >> 1 & 1), (1, 1), "CPUID tells both");
}

/// Goal: machine check without banks: the capabilities say so, the status can be written, no register of a bank exists; method:
/// RDMSR and WRMSR of each.
#[test]
fn machine_check() {
    let at = |code: &[u8], index: u64, value: u64| Lab::new(64, code).with(RCX, index).with(RAX, value);
    assert_eq!(leaf(1, 0)[3] >> 14 & 1, 1, "CPUID.MCA");
    let capabilities = at(&RDMSR, 0x179, 7).with(RDX, 7).run(1);
    assert_eq!((capabilities.reg(RAX), capabilities.reg(RDX)), (0, 0));
    let status = at(&[WRMSR, RDMSR].concat(), 0x17a, 5).run(2);
    assert_eq!(status.reg(RAX), 5);
    for (code, index, value) in [
        (WRMSR, 0x179, 0),
        (WRMSR, 0x17a, 8),
        (RDMSR, 0x17b, 0),
        (RDMSR, 0x400, 0),
        (WRMSR, 0x401, 0),
        (RDMSR, 0x280, 0),
    ] {
        assert_eq!(at(&code, index, value).fault().vector, vector::GENERAL_PROTECTION, "{index:x}");
    }
}

/// Goal: every instruction of virtualization is #UD in every mode, as where CPUID tells neither VMX nor SVM; method: their
/// encodings.
#[test]
fn no_virtualization() {
    const CODES: [&[u8]; 20] = [
        &[0x0f, 0x01, 0xc1],
        &[0x0f, 0x01, 0xc2],
        &[0x0f, 0x01, 0xc3],
        &[0x0f, 0x01, 0xc4],
        &[0x0f, 0x01, 0xd4],
        &[0x0f, 0x01, 0xd8],
        &[0x0f, 0x01, 0xd9],
        &[0x0f, 0x01, 0xda],
        &[0x0f, 0x01, 0xdb],
        &[0x0f, 0x01, 0xdc],
        &[0x0f, 0x01, 0xdd],
        &[0x0f, 0x01, 0xde],
        &[0x0f, 0x01, 0xdf],
        &[0x0f, 0xc7, 0x30],
        &[0xf3, 0x0f, 0xc7, 0x30],
        &[0x66, 0x0f, 0xc7, 0x30],
        &[0x0f, 0x78, 0xc0],
        &[0x0f, 0x79, 0xc0],
        &[0x66, 0x0f, 0x38, 0x80, 0x00],
        &[0x66, 0x0f, 0x38, 0x81, 0x00],
    ];
    for bits in [16, 32, 64] {
        for code in CODES {
            assert_eq!(Lab::new(bits, code).fault().vector, vector::INVALID_OPCODE, "{code:x?} in {bits} bits");
        }
    }
    let [_, _, ecx, _] = leaf(1, 0);
    assert_eq!((ecx >> 5 & 1, ecx >> 31), (0, 0), "neither VMX nor a hypervisor");
    assert_eq!(leaf(0x4000_0000, 0), leaf(0x1f, 0), "no leaves of a hypervisor");
}

/// Goal: instructions of features that CPUID does not tell are #UD, and those that are no-ops without their feature do nothing;
/// method: some of each kind.
#[test]
fn untold_features() {
    const UNDEFINED: [&[u8]; 9] = [
        // rdpru, xsaves, rdpid, clwb, umwait, xend, wrssd, setssbsy, getsec
        &[0x0f, 0x01, 0xfd],
        &[0x0f, 0xc7, 0x28],
        &[0xf3, 0x0f, 0xc7, 0xf8],
        &[0x66, 0x0f, 0xae, 0x30],
        &[0xf2, 0x0f, 0xae, 0xf0],
        &[0x0f, 0x01, 0xd5],
        &[0x0f, 0x38, 0xf6, 0x00],
        &[0xf3, 0x0f, 0x01, 0xe8],
        &[0x0f, 0x37],
    ];
    for code in UNDEFINED {
        assert_eq!(Lab::new(64, code).fault().vector, vector::INVALID_OPCODE, "{code:x?}");
    }
    // rdsspq rax, cldemote [rax], wbnoinvd
    for code in [&[0xf3, 0x48, 0x0f, 0x1e, 0xc8][..], &[0x0f, 0x1c, 0x00], &[0xf3, 0x0f, 0x09]] {
        let lab = Lab::new(64, code).with(RAX, 7).run(1);
        assert_eq!((lab.reg(RAX), lab.cpu.rip), (7, CODE + code.len() as u64), "{code:x?}");
    }
}

/// Goal: RDRAND and RDSEED give numbers in three sizes, say so in CF, and are the same on each run; method: twice the same CPU.
#[test]
fn random_numbers() {
    // rdrand rax; rdseed ecx; rdrand dx
    let code = [0x48, 0x0f, 0xc7, 0xf0, 0x0f, 0xc7, 0xf9, 0x66, 0x0f, 0xc7, 0xf2];
    let lab = || Lab::new(64, &code).with(RCX, u64::MAX).with(RDX, u64::MAX).with_flags(STATUS);
    let first = lab().run(3);
    assert_eq!((first.cpu.rflags & STATUS, first.reg(RCX) >> 32, first.reg(RDX) >> 16), (CF, 0, u64::MAX >> 16));
    assert_ne!((first.reg(RAX), first.reg(RCX)), (0, 0));
    assert_eq!(first.cpu.gpr, lab().run(3).cpu.gpr);
    assert_ne!(first.reg(RAX) as u32, first.reg(RCX) as u32);
    assert_eq!((leaf(1, 0)[2] >> 30 & 1, leaf(7, 0)[1] >> 18 & 1), (1, 1), "CPUID tells both");
}
