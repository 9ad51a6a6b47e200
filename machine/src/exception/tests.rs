//! Deliveries, double and triple faults, and what is taken between instructions. Instructions are real code bytes.

use super::*;
use crate::bus::Bus;
use crate::cpu::segment::{self, CS, SS};
use crate::cpu::{cr4, gpr};
use crate::execute::{self, far_xfer};
use crate::random::SplitMix64;
use crate::testing::*;
use protocol::CpuId;

/// One step of a CPU, composed as the machine does it. Err: the chain of a triple fault.
fn step(cpu: &mut Cpu, bus: &mut Bus) -> Result<(), Vec<FaultCause>> {
    if service_pending(cpu, bus) {
        return Ok(());
    }
    match execute::step_instruction(cpu, bus) {
        Ok(()) => Ok(()),
        Err(Trap::Fault(fault)) => raise(cpu, bus, *fault),
        Err(Trap::Unsupported(what)) => panic!("{what}"),
    }
}

/// Puts code at the next instruction, where linear = physical.
fn code_here(cpu: &Cpu, bus: &mut Bus, bytes: &[u8]) {
    assert!(bus.ram.write_slice(cpu.linear_pc(), bytes));
}

fn vectors(chain: &[FaultCause]) -> Vec<(u8, Option<u32>)> {
    chain.iter().map(|link| (link.vector, link.error)).collect()
}

/// An IDT at 4000h, of 256 gates to `selector`:1000h + vector * 16. `kind` is the access byte.
fn put_idt(cpu: &mut Cpu, bus: &mut Bus, selector: u64, kind: u64, ist: u64) {
    let bytes = if cpu.efer & crate::cpu::efer::LMA != 0 { 16 } else { 8 };
    for vector in 0..256u64 {
        let target = 0x1000 + vector * 16;
        put(bus, 0x4000 + vector * bytes, target & 0xffff | selector << 16 | ist << 32 | kind << 40);
    }
    cpu.idtr.base = 0x4000;
    cpu.idtr.limit = (256 * bytes - 1) as u16;
}

/// Goal: lesson A2 step 6: UD2 in real mode with an IDT of limit 0; method: the chain, cause by cause.
#[test]
fn ud2_without_an_idt() {
    let (mut cpu, mut bus) = real();
    cpu.idtr.limit = 0;
    code_here(&cpu, &mut bus, &[0x0f, 0x0b]);
    let chain = step(&mut cpu, &mut bus).unwrap_err();
    assert_eq!(vectors(&chain), [(6, None), (13, None), (13, None), (8, None), (13, None)]);
    assert_eq!(chain[0].cause, "`ud2` (0f 0b) raises #UD: it is made for that");
    assert_eq!(chain[1].cause, "the IDT's limit is 0: no gate for vector 6");
    assert_eq!(chain[2].cause, "the IDT's limit is 0: no gate for vector 13");
    assert_eq!(chain[3].cause, "#GP was raised while #GP was being delivered: a double fault");
    assert_eq!(chain[4].cause, "the IDT's limit is 0: no gate for vector 8");
    assert_eq!((cpu.activity, cpu.rip), (Activity::Shutdown, 0x7c00));
    let faults: Vec<u8> = bus.out.events.iter().filter_map(|(_, kind)| fault_vector(kind)).collect();
    assert_eq!(faults, [6, 13, 13, 8, 13]);
    assert!(matches!(&bus.out.events.last().unwrap().1, EventKind::TripleFault { chain: told } if *told == chain));
}

fn fault_vector(kind: &EventKind) -> Option<u8> {
    match kind {
        EventKind::Fault { vector, .. } => Some(*vector),
        _ => None,
    }
}

/// Goal: lesson A2 step 10: the far jump to 32-bit code finds descriptor 08 not present; method: the chain.
#[test]
fn far_jump_to_an_absent_descriptor() {
    let (mut cpu, mut bus) = real();
    put_gdt(&mut cpu, &mut bus);
    let access = GDT + 8 + 5;
    bus.ram.write(access, [0x1bu8]);
    cpu.cr0 |= crate::cpu::cr0::PE;
    cpu.update_mode();
    cpu.idtr.limit = 0;
    // jmp dword 0008:00001234
    code_here(&cpu, &mut bus, &[0x66, 0xea, 0x34, 0x12, 0, 0, 0x08, 0]);
    let before = visible(&cpu);
    let chain = step(&mut cpu, &mut bus).unwrap_err();
    assert_eq!(vectors(&chain), [(11, Some(8)), (13, Some(0x5b)), (8, Some(0)), (13, Some(0x43))]);
    assert_eq!(chain[0].cause, "descriptor 08 is not present");
    assert_eq!(chain[1].cause, "the IDT's limit is 0: no gate for vector 11");
    assert_eq!(visible(&cpu), before, "a triple fault changes nothing but the activity");
    bus.ram.write(access, [0x9bu8]);
    cpu.activity = Activity::Running;
    step(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.mode(), cpu.rip), (Mode::Protected32, 0x1234));
}

/// Goal: lesson A3 step 7: setting CR0.PG after one mistake each; method: PAE cleared, CR3 = 0, LME cleared.
#[test]
fn three_ways_to_fail_at_paging() {
    let at_set_pg = || {
        let (mut cpu, mut bus) = long();
        cpu.segments[CS] = segment::Segment { selector: 8, attributes: CODE32, limit: u32::MAX, base: 0 };
        cpu.cr0 &= !crate::cpu::cr0::PG;
        cpu.efer &= !crate::cpu::efer::LMA;
        cpu.cr4 = cr4::PAE;
        cpu.idtr.limit = 0;
        cpu.update_mode();
        cpu.gpr[gpr::RAX] = cpu.cr0 | crate::cpu::cr0::PG;
        // mov cr0, eax; nop
        code_here(&cpu, &mut bus, &[0x0f, 0x22, 0xc0, 0x90]);
        (cpu, bus)
    };
    let (mut cpu, mut bus) = at_set_pg();
    step(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.mode(), cpu.rip), (Mode::Compat, 0x7c03));

    let (mut cpu, mut bus) = at_set_pg();
    cpu.cr4 = 0;
    let chain = step(&mut cpu, &mut bus).unwrap_err();
    assert_eq!((vectors(&chain)[0], cpu.rip), ((13, Some(0)), 0x7c00));
    assert!(chain[0].cause.contains("CR4.PAE"), "{}", chain[0].cause);

    let (mut cpu, mut bus) = at_set_pg();
    cpu.cr3 = 0;
    step(&mut cpu, &mut bus).unwrap();
    let chain = step(&mut cpu, &mut bus).unwrap_err();
    assert_eq!((vectors(&chain)[0], chain[0].cr2), ((14, Some(0x10)), Some(LinearAddr(0x7c03))));
    assert_eq!(cpu.cr2, 0x7c03);

    let (mut cpu, mut bus) = at_set_pg();
    cpu.efer &= !crate::cpu::efer::LME;
    let chain = step(&mut cpu, &mut bus).unwrap_err();
    assert_eq!((vectors(&chain)[0], cpu.rip), ((13, Some(0)), 0x7c00));
    assert!(chain[0].cause.contains("PDPTE"), "{}", chain[0].cause);
}

/// Goal: the double-fault table; method: pairs of SDM 3A.
#[test]
fn double_fault_table() {
    for (first, second, double) in [
        (6, 13, false),
        (13, 13, true),
        (13, 14, false),
        (14, 13, true),
        (14, 14, true),
        (11, 12, true),
        (3, 14, false),
        (8, 14, true),
        (14, 17, false),
    ] {
        assert_eq!(makes_double_fault(first, second), double, "{first} then {second}");
    }
}

/// Goal: real-mode delivery and IRET; method: INT 21h through the IVT and back.
#[test]
fn real_mode_interrupt_and_return() {
    let (mut cpu, mut bus) = real();
    bus.ram.write(0x21 * 4, [0x00u8, 0x20, 0x00, 0x01]);
    cpu.rflags |= flags::IF | flags::CF;
    code_here(&cpu, &mut bus, &[0xcd, 0x21]);
    step(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.segments[CS].selector, cpu.segments[CS].base, cpu.rip), (0x100, 0x1000, 0x2000));
    assert_eq!((cpu.gpr[gpr::RSP], cpu.rflags), (0x6ffa, 0x3));
    assert_eq!(bus.ram.read(0x6ffa), Some([0x02u8, 0x7c, 0, 0, 0x03, 0x02]));
    code_here(&cpu, &mut bus, &[0xcf]);
    step(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.linear_pc(), cpu.gpr[gpr::RSP], cpu.rflags), (0x7c02, 0x7000, 0x203));
}

/// Goal: 64-bit delivery: SS:RSP always pushed on an aligned stack, RF in a fault's frame, IST; method: UD2, then IRETQ.
#[test]
fn long_mode_frames() {
    let (mut cpu, mut bus) = long();
    put_idt(&mut cpu, &mut bus, 0x18, 0x8e, 0);
    cpu.gpr[gpr::RSP] = 0x6ff8;
    cpu.rflags |= flags::IF;
    code_here(&cpu, &mut bus, &[0x0f, 0x0b]);
    step(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.rip, cpu.gpr[gpr::RSP]), (0x1060, 0x6ff0 - 40));
    let frame: Vec<u64> = (0..5).map(|slot| word(&bus, 0x6ff0 - 40 + 8 * slot)).collect();
    assert_eq!(frame, [0x7c00, 0x18, 0x202 | flags::RF, 0x6ff8, 0x10]);
    assert_eq!(cpu.rflags, 0x2, "an interrupt gate clears IF");
    code_here(&cpu, &mut bus, &[0x48, 0xcf]);
    step(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.rip, cpu.gpr[gpr::RSP], cpu.rflags & flags::RF), (0x7c00, 0x6ff8, flags::RF));

    cpu.tr = segment::Segment { selector: 0x48, attributes: 0x8b, limit: 0x67, base: 0x9000 };
    put(&mut bus, 0x9000 + 0x24 + 8, 0x3000);
    put_idt(&mut cpu, &mut bus, 0x18, 0x8f, 2);
    step(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.rip, cpu.gpr[gpr::RSP]), (0x1060, 0x3000 - 40));
    assert_ne!(cpu.rflags & flags::IF, 0, "a trap gate leaves IF");
}

/// Goal: an interrupt of ring 3 takes the ring-0 stack out of the TSS and IRET goes back; method: 32 and 64 bits.
#[test]
fn ring_change() {
    let (mut cpu, mut bus) = protected();
    put_idt(&mut cpu, &mut bus, 0x08, 0xee, 0);
    cpu.tr = segment::Segment { selector: 0x48, attributes: 0x8b, limit: 0x67, base: 0x9000 };
    put(&mut bus, 0x9004, 0x6000 | 0x10 << 32);
    cpu.segments[CS] = segment::Segment { selector: 0x33, attributes: CODE32 | RING3, limit: u32::MAX, base: 0 };
    for seg in [SS, segment::DS] {
        cpu.segments[seg] = segment::Segment { selector: 0x3b, attributes: DATA32 | RING3, limit: u32::MAX, base: 0 };
    }
    cpu.segments[segment::ES].selector = 0;
    cpu.segments[segment::ES].attributes = segment::attr::UNUSABLE;
    cpu.update_mode();
    assert_eq!(cpu.cpl(), 3);
    code_here(&cpu, &mut bus, &[0xcd, 0x80]);
    step(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.cpl(), cpu.segments[SS].selector, cpu.gpr[gpr::RSP]), (0, 0x10, 0x6000 - 20));
    let frame: Vec<u32> =
        (0..5).map(|slot| u32::from_le_bytes(bus.ram.read(0x6000 - 20 + 4 * slot).unwrap())).collect();
    assert_eq!(frame, [0x7c02, 0x33, 0x2, 0x7000, 0x3b]);
    crate::execute::segment_load::load(&mut cpu, &mut bus, segment::FS, 0x10).unwrap();
    far_xfer::iret(&mut cpu, &mut bus, 4).unwrap();
    assert_eq!((cpu.cpl(), cpu.rip, cpu.gpr[gpr::RSP]), (3, 0x7c02, 0x7000));
    assert!(cpu.segments[segment::FS].is_unusable(), "ring 0's data is taken away");
    assert_eq!(cpu.segments[segment::DS].selector, 0x3b);

    // A gate of DPL 0 is not for INT n of ring 3; the error code names it and has EXT clear.
    put_idt(&mut cpu, &mut bus, 0x08, 0x8e, 0);
    cpu.rip = 0x7c00;
    let refused = execute::step_instruction(&mut cpu, &mut bus);
    assert_eq!(code(refused), (13, Some(0x80 * 8 + 2)));
}

/// Goal: a fault while an exception is delivered has EXT set; method: a gate to a null selector, in protected mode.
#[test]
fn external_bit() {
    let (mut cpu, mut bus) = protected();
    put_idt(&mut cpu, &mut bus, 0x08, 0x8e, 0);
    put(&mut bus, 0x4000 + 6 * 8, 0x8e00_0000_1000);
    code_here(&cpu, &mut bus, &[0x0f, 0x0b]);
    step(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.rip, bus.ram.read(cpu.gpr[gpr::RSP])), (0x10d0, Some(1u32.to_le_bytes())));
}

/// Goal: #PF sets CR2 and pushes its code, and a stack that cannot take the frame makes #DF; method: RSP unmapped, IST.
#[test]
fn page_fault_on_a_bad_stack() {
    let (mut cpu, mut bus) = long();
    put_idt(&mut cpu, &mut bus, 0x18, 0x8e, 0);
    cpu.tr = segment::Segment { selector: 0x48, attributes: 0x8b, limit: 0x67, base: 0x9000 };
    put(&mut bus, 0x9000 + 0x24, 0x3000);
    let double_fault = word(&bus, 0x4000 + 8 * 16) | 1 << 32;
    put(&mut bus, 0x4000 + 8 * 16, double_fault);
    cpu.gpr[gpr::RSP] = 0x40_0000_0000;
    // mov al, [rbx]
    cpu.gpr[gpr::RBX] = 0x7777_0000;
    code_here(&cpu, &mut bus, &[0x8a, 0x03]);
    step(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.rip, cpu.gpr[gpr::RSP]), (0x1080, 0x3000 - 48), "vector 8 on IST1, with error code");
    assert_eq!((word(&bus, 0x3000 - 48), cpu.cr2), (0, 0x40_0000_0000 - 8), "CR2 is the second page fault's");
}

/// Goal: interrupts wait for IF, the shadow and NMI blocking, and end HLT; method: one of each.
#[test]
fn acceptance() {
    let (mut cpu, mut bus) = long();
    put_idt(&mut cpu, &mut bus, 0x18, 0x8e, 0);
    cpu.lapic.write(CpuId(0), 0x0f0, 0x1ff, 0, &mut bus.out);
    cpu.lapic.accept(0x40, false);
    // sti; hlt
    code_here(&cpu, &mut bus, &[0xfb, 0xf4]);
    assert!(!is_due(&cpu));
    step(&mut cpu, &mut bus).unwrap();
    assert!(cpu.interrupt_shadow && !is_due(&cpu), "STI holds interrupts back for HLT");
    step(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.activity, cpu.rip, is_due(&cpu)), (Activity::Halted, 0x7c02, true));
    step(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.activity, cpu.rip), (Activity::Running, 0x1400));
    assert_eq!(word(&bus, cpu.gpr[gpr::RSP]), 0x7c02, "the frame has the instruction after HLT");
    assert!(matches!(bus.out.events.last(), Some((_, EventKind::Interrupt { vector: 0x40 }))));

    cpu.pending.nmi = true;
    assert!(service_pending(&mut cpu, &mut bus) && cpu.nmi_blocked);
    cpu.pending.nmi = true;
    assert!(!service_pending(&mut cpu, &mut bus) && !is_due(&cpu), "a second NMI waits for IRET");
    far_xfer::iret(&mut cpu, &mut bus, 8).unwrap();
    assert!(service_pending(&mut cpu, &mut bus));
    cpu.activity = Activity::Halted;
    cpu.rflags &= !flags::IF;
    cpu.lapic.accept(0x50, false);
    assert!(!is_due(&cpu) && !service_pending(&mut cpu, &mut bus), "HLT with IF = 0 is not ended by an interrupt");
}

/// Goal: a processor that is slow to finish its INIT takes no SIPI before; method: SIPIs by ICR before, during and after.
#[test]
fn a_slow_init_loses_early_sipis() {
    use crate::bus::{Ipi, routing};
    use protocol::event::{EventKind, Ignored};
    use std::sync::Arc;
    let (mut cpu, mut bus) = long();
    cpu.is_bsp = false;
    cpu.quirks.init_ns = 10_000;
    let mut cpus = [Arc::new(cpu)];
    let sipi = |cpus: &mut [Arc<crate::cpu::Cpu>], bus: &mut crate::bus::Bus| {
        let destination = u64::from(cpus[0].lapic.id()) << 56;
        bus.out.ipis.push(Ipi { from: protocol::CpuId(7), icr: destination | 0x69a, x2apic: false });
        routing::deliver(cpus, bus);
        match bus.out.events.pop() {
            Some((_, EventKind::Ipi { ignored, .. })) => ignored,
            other => panic!("no IPI was logged: {other:?}"),
        }
    };
    Arc::make_mut(&mut cpus[0]).pending.init = true;
    assert_eq!(sipi(&mut cpus, &mut bus), Some(Ignored::InitNotFinished), "not even begun");
    bus.clock_ns = 5_000;
    assert!(service_pending(Arc::make_mut(&mut cpus[0]), &mut bus));
    bus.clock_ns = 14_999;
    assert_eq!(sipi(&mut cpus, &mut bus), Some(Ignored::InitNotFinished));
    assert!(!is_due(&cpus[0]));
    bus.clock_ns = 15_000;
    assert_eq!(sipi(&mut cpus, &mut bus), None);
    assert!(is_due(&cpus[0]));
}

/// Goal: INIT and SIPI; method: an AP in the middle of 64-bit code, then vector 9Ah; the BSP restarts.
#[test]
fn init_and_sipi() {
    let (mut cpu, mut bus) = long();
    cpu.is_bsp = false;
    cpu.msr.lstar = 0x1234;
    cpu.lapic.base |= 0x1000;
    let base = cpu.lapic.base;
    cpu.pending.init = true;
    assert!(is_due(&cpu) && service_pending(&mut cpu, &mut bus));
    assert_eq!((cpu.activity, cpu.mode()), (Activity::WaitForSipi, Mode::Real));
    assert_eq!((cpu.cr0, cpu.cr3, cpu.cr4, cpu.efer, cpu.rflags), (0x6000_0010, 0, 0, 0, 2));
    let cs = cpu.segments[CS];
    assert_eq!((cs.selector, cs.base, cs.limit, cpu.rip), (0xf000, 0xffff_0000, 0xffff, 0xfff0));
    assert_eq!((cpu.gpr[gpr::RDX], cpu.gpr[gpr::RSP], cpu.dr[4], cpu.dr[5]), (0x663, 0, 0xffff_0ff0, 0x400));
    assert_eq!((cpu.gdtr.limit, cpu.idtr.limit, cpu.msr.lstar, cpu.lapic.base), (0xffff, 0xffff, 0x1234, base));
    assert!(cpu.tlb.is_empty());
    cpu.pending.nmi = true;
    assert!(!is_due(&cpu) && !service_pending(&mut cpu, &mut bus));
    cpu.pending.sipi = Some(0x9a);
    assert!(is_due(&cpu) && service_pending(&mut cpu, &mut bus));
    let cs = cpu.segments[CS];
    assert_eq!((cs.selector, cs.base, cpu.rip, cpu.activity), (0x9a00, 0x9_a000, 0, Activity::Running));
    assert_eq!(cpu.linear_pc(), 0x9_a000);

    let (mut bsp, mut bus) = long();
    bsp.pending.init = true;
    service_pending(&mut bsp, &mut bus);
    assert_eq!((bsp.activity, bsp.linear_pc()), (Activity::Running, 0xffff_fff0));
}

/// Goal: a CPU in shutdown is left by NMI and INIT only; method: an interrupt, then an NMI.
#[test]
fn shutdown() {
    let (mut cpu, mut bus) = long();
    put_idt(&mut cpu, &mut bus, 0x18, 0x8e, 0);
    cpu.activity = Activity::Shutdown;
    cpu.rflags |= flags::IF;
    cpu.lapic.write(CpuId(0), 0x0f0, 0x1ff, 0, &mut bus.out);
    cpu.lapic.accept(0x40, false);
    assert!(!is_due(&cpu) && !service_pending(&mut cpu, &mut bus));
    cpu.pending.nmi = true;
    assert!(is_due(&cpu) && service_pending(&mut cpu, &mut bus));
    assert_eq!((cpu.activity, cpu.rip), (Activity::Running, 0x1020));
}

/// Goal: a task that cannot run faults as itself, and its busy TSS cannot be switched to again; method: all gates name a
/// TSS of zeros.
#[test]
fn task_gates_to_an_empty_task() {
    let (mut cpu, mut bus) = protected();
    put_idt(&mut cpu, &mut bus, 0x48, 0x85, 0);
    cpu.tr = segment::Segment { selector: 0x10, attributes: 0x8b, limit: 0x67, base: 0x9800 };
    code_here(&cpu, &mut bus, &[0x0f, 0x0b]);
    let chain = step(&mut cpu, &mut bus).unwrap_err();
    assert_eq!(vectors(&chain), [(6, None), (10, Some(1)), (13, Some(0x49)), (8, Some(0)), (13, Some(0x49))]);
    assert_eq!(chain[1].cause, "selector 0000: CS in the TSS is null");
    assert_eq!((cpu.activity, cpu.tr.selector), (Activity::Shutdown, 0x48));
}

/// Goal: no state and no code, however absurd, panics the host, and `is_due` tells what `service_pending` does; method:
/// CPUs with random registers, as debugger edits can make them, on random tables and random bytes.
#[test]
fn nothing_panics() {
    let mut generator = SplitMix64::new(1);
    let mut random = move || generator.draw();
    let mut kinds = std::collections::BTreeSet::new();
    for round in 0..900 {
        let (mut cpu, mut bus) = [real, protected, long][round % 3]();
        put_idt(&mut cpu, &mut bus, 0x18, 0x8e, 0);
        for page in [0x4000u64, 0x8000, ROOT, 0x7000] {
            for _ in 0..random() % 8 {
                put(&mut bus, page + random() % 4089, random());
            }
        }
        for _ in 0..random() % 6 {
            let wild = [random(), random() & 0xffff, random() | 0xffff_ffff_0000_0000, 1 << (random() & 63)];
            let value = wild[random() as usize % 4];
            match random() % 16 {
                0 => cpu.cr0 ^= value,
                1 => cpu.cr3 = value,
                2 => cpu.cr4 ^= value,
                3 => cpu.efer ^= value,
                4 => cpu.rip = value & if cpu.mode() == Mode::Long { u64::MAX } else { 0xffff_ffff },
                5 => cpu.gdtr = segment::TableRegister { base: value, limit: random() as u16 },
                6 => cpu.idtr = segment::TableRegister { base: value, limit: random() as u16 },
                7 => cpu.rflags = value & 0x3f_ffff | 2,
                8 => cpu.tr = random_segment(value, random()),
                9 => cpu.ldtr = random_segment(value, random()),
                10..=12 => cpu.segments[random() as usize % 6] = random_segment(value, random()),
                13 => cpu.pending.nmi = true,
                14 => cpu.pdptes = [value, random(), value, random()],
                _ => cpu.gpr[random() as usize % 16] = value,
            }
        }
        cpu.update_mode();
        for _ in 0..8 {
            let at = cpu.linear_pc() % (RAM - 16);
            bus.ram.write_slice(at, &random().to_le_bytes());
            let due = is_due(&cpu);
            if cpu.activity != Activity::Running && !due {
                break;
            }
            assert_eq!(service_pending(&mut cpu, &mut bus), due, "round {round}");
            if due {
                continue;
            }
            match execute::step_instruction(&mut cpu, &mut bus) {
                Err(Trap::Fault(fault)) => {
                    kinds.insert(fault.vector);
                    let _ = raise(&mut cpu, &mut bus, *fault);
                }
                Err(Trap::Unsupported(_)) => break,
                Ok(()) => {}
            }
        }
    }
    assert!(kinds.len() >= 6, "the test reaches many exceptions: {kinds:?}");
}

fn random_segment(base: u64, rest: u64) -> segment::Segment {
    let limit = if rest & 1 == 0 { u32::MAX } else { (rest >> 8) as u32 };
    segment::Segment { selector: rest as u16, attributes: (rest >> 32) as u32 & 0x1_f0ff, limit, base }
}
