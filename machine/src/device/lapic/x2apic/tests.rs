//! Tests of x2APIC mode.

use super::*;
use crate::bus::{Bus, routing};
use crate::cpu::Cpu;
use crate::execute::msr as instruction;
use crate::testing::{code, long};
use protocol::event::{EventKind, Ignored};
use std::sync::Arc;

const XAPIC: u64 = 0xfee0_0800;
const X2APIC: u64 = 0xfee0_0c00;
const OFF: u64 = 0xfee0_0000;

fn lapic(id: u32) -> Lapic {
    let mut lapic = Lapic::new(id, false);
    lapic.set_base(X2APIC).unwrap();
    lapic
}

fn write(lapic: &mut Lapic, index: u32, value: u64) -> Result<(), Refused> {
    lapic.write_msr(CpuId(0), index, value, 0, &mut Outbox::default())
}

/// Goal: IA32_APIC_BASE goes from mode to mode as the SDM's figure has it; method: all nine pairs, and EXTD alone.
#[test]
fn transitions() {
    let start = |mode: u64| {
        let mut lapic = Lapic::new(3, false);
        match mode {
            OFF => lapic.set_base(OFF).unwrap(),
            X2APIC => lapic.set_base(X2APIC).unwrap(),
            _ => {}
        }
        lapic
    };
    for from in [OFF, XAPIC, X2APIC] {
        for to in [OFF, XAPIC, X2APIC, 0xfee0_0400] {
            let mut lapic = start(from);
            let before = lapic.clone();
            let refused = to == 0xfee0_0400 || (from, to) == (X2APIC, XAPIC) || (from, to) == (OFF, X2APIC);
            assert_eq!(lapic.set_base(to).is_err(), refused, "{from:x} to {to:x}");
            assert_eq!(if refused { before.base } else { to }, lapic.base);
        }
    }
}

/// Goal: in x2APIC mode the ID is the processor's, the logical ID follows from it, and an INIT changes neither; method: an
/// ID changed in xAPIC mode, one with more than four bits.
#[test]
fn identity() {
    let mut lapic = Lapic::new(0x25, false);
    lapic.write(CpuId(0), 0x20, 0x7700_0000, 0, &mut Outbox::default());
    assert_eq!(lapic.id(), 0x77);
    lapic.set_base(X2APIC).unwrap();
    write(&mut lapic, 0x80f, 0x1ff).unwrap();
    lapic.init();
    assert_eq!((lapic.read_msr(0x802, 0), lapic.read_msr(0x80d, 0)), (Ok(0x25), Ok(0x2_0020)));
    assert_eq!((lapic.read_msr(0x80f, 0), lapic.mmio_offset(0xfee0_0020)), (Ok(0xff), None));
    lapic.set_base(OFF).unwrap();
    lapic.set_base(XAPIC).unwrap();
    assert_eq!((lapic.read(0x20, 0), lapic.read(0xd0, 0)), (0x2500_0000, 0), "off and on is a reset");
}

/// Goal: what exists, what is read-only and which bits are reserved is the SDM's table; method: every number from 800h to
/// 8FFh is read and written with 0, then reserved bits one register at a time.
#[test]
fn registers() {
    let readable: Vec<u32> = (0x800..0x900).filter(|&index| lapic(1).read_msr(index, 0).is_ok()).collect();
    let expected = [0x802, 0x803, 0x808, 0x80a, 0x80d, 0x80f].into_iter().chain(0x810..=0x828).chain([0x830]);
    assert_eq!(readable, expected.chain(0x832..=0x839).chain([0x83e]).collect::<Vec<_>>());
    let writable: Vec<u32> = (0x800..0x900).filter(|&index| write(&mut lapic(1), index, 0).is_ok()).collect();
    let expected = [0x808, 0x80b, 0x80f, 0x828, 0x830].into_iter().chain(0x832..=0x838).chain([0x83e, 0x83f]);
    assert_eq!(writable, expected.collect::<Vec<_>>());
    let reserved = [
        (0x808, 1 << 8),
        (0x80b, 1),
        (0x80f, 1 << 9),
        (0x828, 1),
        (0x830, 1 << 12),
        (0x830, 1 << 20),
        (0x832, 1 << 19),
        (0x837, 1 << 8),
        (0x838, 1 << 32),
        (0x83e, 1 << 2),
        (0x83f, 1 << 8),
    ];
    for (index, value) in reserved {
        let mut lapic = lapic(1);
        let before = lapic.clone();
        assert!(write(&mut lapic, index, value).is_err(), "{index:x} {value:x}");
        assert!(lapic == before, "{index:x} {value:x} changed something");
    }
}

/// Goal: what is written is what is read, in all its bits; method: ones in each register of plain storage.
#[test]
fn storage() {
    let stored =
        [(0x808, 0xff), (0x838, 0xffff_ffff), (0x83e, 0b1011), (0x832, 0x3_00ff), (0x835, 0xa7ff), (0x837, 0xff)];
    for (index, bits) in stored {
        let mut lapic = lapic(1);
        write(&mut lapic, 0x80f, 0x1ff).unwrap();
        write(&mut lapic, index, bits).unwrap();
        assert_eq!(lapic.read_msr(index, 0), Ok(bits), "{index:x}");
    }
    // The delivery status of an LVT entry is the APIC's: a write of it is taken, and ignored.
    let mut lapic = lapic(1);
    write(&mut lapic, 0x835, 0x1_1020).unwrap();
    assert_eq!(lapic.read_msr(0x835, 0), Ok(0x1_0020));
}

/// Goal: the instructions refuse with #GP(0) and read 64 bits; method: RDMSR and WRMSR outside the mode and in it.
#[test]
fn by_instruction() {
    let (mut cpu, mut bus) = long();
    let set = |cpu: &mut Cpu, index: u64, value: u64| {
        (cpu.gpr[1], cpu.gpr[0], cpu.gpr[2]) = (index, value & 0xffff_ffff, value >> 32);
    };
    set(&mut cpu, 0x802, 0);
    assert_eq!(code(instruction::rdmsr(&mut cpu, &mut bus)), (13, Some(0)));
    assert_eq!(code(instruction::wrmsr(&mut cpu, &mut bus)), (13, Some(0)));
    set(&mut cpu, 0x1b, X2APIC);
    instruction::wrmsr(&mut cpu, &mut bus).unwrap();
    set(&mut cpu, 0x1b, XAPIC);
    assert_eq!(code(instruction::wrmsr(&mut cpu, &mut bus)), (13, Some(0)));
    set(&mut cpu, 0x830, 0x1234_5678_0000_40fd);
    instruction::wrmsr(&mut cpu, &mut bus).unwrap();
    assert_eq!(bus.out.ipis, [Ipi { from: cpu.id, icr: 0x1234_5678_0000_40fd, x2apic: true }]);
    instruction::rdmsr(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.gpr[0], cpu.gpr[2]), (0x40fd, 0x1234_5678));
}

/// CPUs whose APIC IDs are 0, 1, 2, 11h, 12h; the first `x2apic` of them in x2APIC mode. All are software-enabled.
fn cpus(x2apic: usize) -> Vec<Arc<Cpu>> {
    (0..)
        .zip([0, 1, 2, 0x11, 0x12])
        .map(|(number, id)| {
            let mut cpu = Cpu::power_on(CpuId(number), id, number == 0);
            cpu.lapic.write(CpuId(number), 0xf0, 0x1ff, 0, &mut Outbox::default());
            if usize::from(number) < x2apic {
                cpu.lapic.set_base(X2APIC).unwrap();
            }
            Arc::new(cpu)
        })
        .collect()
}

/// Who took what an ICR write of CPU 0 sent.
fn takers(cpus: &mut [Arc<Cpu>], icr: u64, x2apic: bool) -> Vec<u32> {
    let mut bus = Bus::new(1 << 20);
    bus.out.ipis.push(Ipi { from: CpuId(0), icr, x2apic });
    routing::deliver(cpus, &mut bus);
    let taker = |(_, kind)| match kind {
        EventKind::Ipi { to: Some(cpu), ignored: None, .. } => Some(u32::from(cpu.0)),
        EventKind::Ipi { to: None, ignored: Some(Ignored::NoSuchApicId), .. } => None,
        other => panic!("not expected: {other:?}"),
    };
    bus.out.events.drain(..).filter_map(taker).collect()
}

/// Goal: physical and logical destinations of 32 bits name whom they should, also where some APICs are still in xAPIC mode;
/// method: IDs, clusters, broadcasts.
#[test]
fn destinations() {
    let mut all = cpus(5);
    let logical = |destination: u64| destination << 32 | 1 << 11 | 0x40;
    assert_eq!(takers(&mut all, 0x11 << 32 | 0x40, true), [3]);
    assert!(takers(&mut all, 0x111 << 32 | 0x40, true).is_empty());
    assert_eq!(takers(&mut all, 0xffff_ffff << 32 | 0x40, true), [0, 1, 2, 3, 4]);
    assert!(takers(&mut all, 0xff << 32 | 0x40, true).is_empty(), "FFh is an ID here");
    assert_eq!(takers(&mut all, logical(0x0000_0006), true), [1, 2]);
    assert_eq!(takers(&mut all, logical(0x0001_0006), true), [3, 4]);
    assert_eq!(takers(&mut all, logical(0xffff_ffff), true), [0, 1, 2, 3, 4]);
    assert_eq!(takers(&mut all, 1 << 18 | 0x40, true), [0]);
    let mut some = cpus(1);
    assert_eq!(takers(&mut some, 0x11 << 32 | 0x40, true), [3]);
    assert_eq!(takers(&mut some, 0xffff_ffff << 32 | 0x40, true), [0, 1, 2, 3, 4]);
}

/// Goal: xAPIC's cluster model; method: two clusters, both models, the broadcast to all clusters.
#[test]
fn xapic_clusters() {
    let mut cpus = cpus(0);
    for (cpu, ldr) in cpus.iter_mut().zip([0x01, 0x02, 0x12, 0x21, 0x28]) {
        let lapic = &mut Arc::make_mut(cpu).lapic;
        lapic.write(CpuId(0), 0xd0, ldr << 24, 0, &mut Outbox::default());
        lapic.write(CpuId(0), 0xe0, 0x0fff_ffff, 0, &mut Outbox::default());
    }
    let logical = |destination: u64| destination << 56 | 1 << 11 | 0x40;
    assert_eq!(takers(&mut cpus, logical(0x03), false), [0, 1]);
    assert_eq!(takers(&mut cpus, logical(0x2f), false), [3, 4]);
    assert_eq!(takers(&mut cpus, logical(0xf2), false), [1, 2]);
    assert_eq!(takers(&mut cpus, logical(0xff), false), [0, 1, 2, 3, 4]);
    for cpu in &mut cpus {
        Arc::make_mut(cpu).lapic.write(CpuId(0), 0xe0, 0xffff_ffff, 0, &mut Outbox::default());
    }
    assert_eq!(takers(&mut cpus, logical(0x02), false), [1, 2], "flat: bits alone");
}
