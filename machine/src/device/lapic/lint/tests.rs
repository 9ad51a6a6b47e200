//! LINT0 and LINT1 in each delivery mode, from the interrupt controllers' ports to the processor.

use super::super::{BASE_EXTD, tests::enabled};
use super::*;
use crate::bus::{Bus, Outbox, routing};
use crate::cpu::{Cpu, Pending};
use crate::exception;
use protocol::event::{EventKind, Ignored};
use protocol::{Activity, CpuId};
use std::sync::Arc;

const LINT0: u32 = 0x350;
const LINT1: u32 = 0x360;
const EOI: u32 = 0x0b0;
/// Vector of line 3 of the 8259 pair, as the machines below set it up.
const LINE3: u8 = 0x0b;

/// Two CPUs with enabled APICs, and the 8259 pair with line 3 unmasked.
struct Bench {
    cpus: Vec<Arc<Cpu>>,
    bus: Bus,
}

impl Bench {
    fn new() -> Self {
        let mut bus = Bus::new(1 << 20);
        bus.devices.irq.pic.initialize(!(1 << 3), 0xff);
        let cpu = |id: u16| {
            let mut cpu = Cpu::power_on(CpuId(id), id.into(), id == 0);
            cpu.activity = Activity::Running;
            cpu.lapic.write(CpuId(id), 0x0f0, 0x1ff, 0, &mut Outbox::default());
            Arc::new(cpu)
        };
        Self { cpus: vec![cpu(0), cpu(1)], bus }
    }

    fn cpu(&mut self, index: usize) -> &mut Cpu {
        Arc::make_mut(&mut self.cpus[index])
    }

    fn deliver(&mut self) {
        routing::deliver(&mut self.cpus, &mut self.bus);
    }

    /// Writes a register of a CPU's APIC.
    fn write(&mut self, index: usize, offset: u32, value: u32) {
        let cpu = Arc::make_mut(&mut self.cpus[index]);
        cpu.lapic.write(cpu.id, offset, value, 0, &mut self.bus.out);
        self.deliver();
    }

    fn line(&mut self, high: bool) {
        self.bus.devices.irq.set_line(3, high, &mut self.bus.out);
        self.deliver();
    }

    fn pulse(&mut self) {
        self.line(false);
        self.line(true);
    }

    fn remote_irr(&mut self) -> bool {
        self.cpu(0).lapic.read(LINT0, 0) & REMOTE_IRR != 0
    }
}

/// Goal: LINT0 as ExtINT asks each processor that listens, by the level, until one acknowledges; method: two CPUs, one, masked.
#[test]
fn extint() {
    let mut bench = Bench::new();
    bench.write(0, LINT0, DELIVER_EXTINT);
    bench.line(true);
    let asked = |bench: &Bench| [0, 1].map(|index: usize| bench.cpus[index].pending.extint);
    assert_eq!(asked(&bench), [Some(LINE3), None]);
    bench.write(1, LINT0, DELIVER_EXTINT);
    assert_eq!(asked(&bench), [Some(LINE3); 2], "each LINT0 has the wire");
    bench.write(0, LINT0, DELIVER_EXTINT | LVT_MASKED);
    assert_eq!(asked(&bench), [None, Some(LINE3)]);
    bench.write(0, LINT0, DELIVER_EXTINT);
    assert_eq!(bench.bus.devices.irq.pic.acknowledge(), LINE3);
    bench.bus.out.lines_changed = true;
    bench.deliver();
    assert_eq!(asked(&bench), [None; 2], "who comes second finds nothing");
    bench.write(0, LINT0, DELIVER_EXTINT | ACTIVE_LOW);
    assert_eq!(
        asked(&bench),
        [Some(0x0f), None],
        "active low: asked while the wire is low, and a spurious vector comes"
    );
}

/// Goal: an APIC that is off is past: the pins are INTR and NMI; method: IA32_APIC_BASE, both pins, entries that say otherwise.
#[test]
fn switched_off() {
    let mut bench = Bench::new();
    let base = bench.cpu(0).lapic.base;
    bench.cpu(0).lapic.set_base(base & !BASE_ENABLE).unwrap();
    bench.line(true);
    let lapic = &bench.cpu(0).lapic;
    assert!(lapic.asks_extint(Wire { high: true, ..Wire::default() }));
    assert_eq!((lapic.lint0(Wire::PULSE), lapic.lint1(Wire::PULSE).unwrap().delivery), (None, Delivery::Nmi));
    assert_eq!(bench.cpus[0].pending.extint, Some(LINE3));
}

/// Goal: a fixed interrupt by an edge comes once for each edge, and an edge that meets a mask is lost; method: line 3 and polls.
#[test]
fn fixed_edge() {
    let mut bench = Bench::new();
    bench.write(0, LINT0, 0x61);
    bench.line(true);
    assert_eq!(bench.cpu(0).lapic.acknowledge(), Some(0x61));
    bench.write(0, EOI, 0);
    assert_eq!(bench.cpu(0).lapic.request(), None, "the wire is still high");
    bench.pulse();
    assert_eq!(bench.cpu(0).lapic.acknowledge(), Some(0x61));
    bench.write(0, EOI, 0);
    bench.write(0, LINT0, LVT_MASKED | 0x61);
    bench.pulse();
    bench.write(0, LINT0, 0x61);
    assert_eq!(bench.cpu(0).lapic.request(), None);
    bench.write(0, LINT0, ACTIVE_LOW | 0x62);
    assert_eq!(bench.cpu(0).lapic.request(), None, "to change what counts as an edge makes none");
    bench.line(false);
    assert_eq!(bench.cpu(0).lapic.acknowledge(), Some(0x62), "active low: the falling edge");
    assert!(!bench.remote_irr());
}

/// Goal: the output goes down between two requests of the 8259 pair; method: automatic end of interrupt, two lines at once, a poll.
#[test]
fn edge_between_requests() {
    let mut bench = Bench::new();
    for (port, value) in [(0x20, 0x11), (0x21, 8), (0x21, 4), (0x21, 3), (0x21, 0)] {
        bench.bus.port_write(CpuId(0), port, value, 1);
    }
    bench.write(0, LINT0, 0x61);
    bench.line(true);
    bench.bus.devices.irq.set_line(4, true, &mut bench.bus.out);
    bench.deliver();
    assert_eq!(bench.cpu(0).lapic.acknowledge(), Some(0x61));
    bench.write(0, EOI, 0);
    assert_eq!(bench.cpu(0).lapic.request(), None, "it stays high where a second line joins");
    bench.bus.port_write(CpuId(0), 0x20, 0x0c, 1);
    assert_eq!(bench.bus.port_read(0x20, 1), 0x83, "the poll acknowledges line 3");
    bench.deliver();
    assert_eq!(bench.cpu(0).lapic.acknowledge(), Some(0x61), "for line 4");
    bench.write(0, EOI, 0);
    assert_eq!(bench.bus.devices.irq.pic.acknowledge(), 0x0c);
    bench.bus.out.lines_changed = true;
    bench.deliver();
    assert_eq!(bench.cpu(0).lapic.request(), None, "no request is left");
}

/// Goal: a fixed, level-triggered interrupt sets remote IRR, waits for EOI and comes again while the wire is high; method: all of
/// it by the registers, and a write of the entry in between.
#[test]
fn fixed_level() {
    let mut bench = Bench::new();
    bench.line(true);
    bench.write(0, LINT0, LVT_MASKED | LEVEL | 0x71);
    assert_eq!((bench.cpu(0).lapic.request(), bench.remote_irr()), (None, false));
    bench.write(0, LINT0, LEVEL | 0x71);
    assert!(bench.remote_irr(), "unmasked: the level counts");
    assert_eq!(bench.cpu(0).lapic.acknowledge(), Some(0x71));
    bench.bus.out.lines_changed = true;
    bench.deliver();
    assert_eq!(bench.cpu(0).lapic.request(), None, "it is not ended yet");
    bench.write(0, LINT0, LEVEL | REMOTE_IRR | 0x71);
    assert!(bench.remote_irr());
    bench.write(0, EOI, 0);
    assert_eq!((bench.cpu(0).lapic.acknowledge(), bench.remote_irr()), (Some(0x71), true), "still high: again");
    bench.line(false);
    bench.write(0, EOI, 0);
    assert_eq!((bench.cpu(0).lapic.request(), bench.remote_irr()), (None, false));
    bench.write(0, LINT0, LEVEL | ACTIVE_LOW | 0x72);
    assert_eq!((bench.cpu(0).lapic.acknowledge(), bench.remote_irr()), (Some(0x72), true), "active low");
    bench.write(0, LINT0, 0x72);
    assert!(!bench.remote_irr(), "an edge has none");
    bench.write(0, LINT0, LEVEL | REMOTE_IRR | 0x70);
    assert!(!bench.remote_irr(), "it cannot be written");
}

/// Goal: NMI, INIT and SMI at LINT0 come by an edge, whatever the trigger mode says; method: each, twice, with the level bit.
#[test]
fn nmi_init_smi() {
    for (mode, pending) in [
        (4, Pending { nmi: true, ..Pending::default() }),
        (5, Pending { init: true, ..Pending::default() }),
        (2, Pending::default()),
        // Reserved.
        (1, Pending::default()),
        (3, Pending::default()),
        (6, Pending::default()),
    ] {
        let mut bench = Bench::new();
        bench.write(1, LINT0, mode << 8 | LEVEL | 0x81);
        bench.line(true);
        assert_eq!((bench.cpus[1].pending, bench.cpus[0].pending), (pending, Pending::default()), "mode {mode}");
        assert_eq!(bench.cpu(1).lapic.request(), None, "mode {mode}: the vector means nothing");
        let said = bench.bus.out.events.pop().map(|(cpu, kind)| match kind {
            EventKind::Ipi { delivery: Delivery::Smi, ignored, .. } => (cpu, ignored),
            other => panic!("mode {mode}: {other:?}"),
        });
        assert_eq!(said, (mode == 2).then_some((CpuId(1), Some(Ignored::SmiNotModelled))), "mode {mode}");
        bench.cpu(1).pending = Pending::default();
        bench.write(1, LINT0, mode << 8 | LEVEL | 0x82);
        assert_eq!(bench.cpus[1].pending, Pending::default(), "mode {mode}: no second time without an edge");
    }
}

/// Goal: an INIT at the pin restarts the processor, which then listens to nothing; method: LINT0 as INIT on the second CPU.
#[test]
fn init_resets_the_entries() {
    let mut bench = Bench::new();
    bench.write(1, LINT0, 5 << 8);
    bench.line(true);
    let Bench { cpus, bus } = &mut bench;
    assert!(exception::service_pending(Arc::make_mut(&mut cpus[1]), bus));
    assert_eq!(bench.cpus[1].activity, Activity::WaitForSipi);
    assert_eq!(bench.cpu(1).lapic.read(LINT0, 0), LVT_MASKED);
    bench.write(0, LINT0, DELIVER_EXTINT);
    bench.cpu(0).pending.init = true;
    let Bench { cpus, bus } = &mut bench;
    assert!(exception::service_pending(Arc::make_mut(&mut cpus[0]), bus));
    bench.deliver();
    assert_eq!(bench.cpus[0].pending.extint, None, "what the 8259 asked for before the INIT is not delivered after it");
}

/// Goal: LINT1 does what its entry says, by edges alone, and a vector below 16 is an error; method: entries and a pulse.
#[test]
fn lint1() {
    let mut lapic = enabled();
    assert_eq!(lapic.lint1(Wire::PULSE), None, "masked");
    let mut check = |entry, expected: Option<(Delivery, u8)>| {
        lapic.write(CpuId(0), LINT1, entry, 0, &mut Outbox::default());
        let signalled = lapic.lint1(Wire::PULSE);
        assert_eq!(signalled.map(|local| (local.delivery, local.vector)), expected, "{entry:#x}");
        assert!(signalled.is_none_or(|local| !local.level));
        assert_eq!(lapic.lint1(Wire { high: true, ..Wire::default() }), None, "{entry:#x}: no edge");
    };
    check(DELIVER_NMI, Some((Delivery::Nmi, 0)));
    check(0x91, Some((Delivery::Fixed, 0x91)));
    check(LEVEL | 0x91, Some((Delivery::Fixed, 0x91)));
    check(5 << 8, Some((Delivery::Init, 0)));
    check(DELIVER_EXTINT, None);
    check(LVT_MASKED | DELIVER_NMI, None);
    let mut bench = Bench::new();
    let pulse = |bench: &mut Bench| routing::pulse_lint1(bench.cpu(1), 0);
    assert!(!pulse(&mut bench), "out of reset it is masked");
    bench.write(1, LINT1, 0x92);
    assert!(pulse(&mut bench));
    assert_eq!((bench.cpu(1).lapic.acknowledge(), bench.cpus[1].pending), (Some(0x92), Pending::default()));
    bench.write(1, LINT1, DELIVER_NMI);
    assert!(pulse(&mut bench) && bench.cpus[1].pending.nmi);
    bench.write(0, LINT0, 5);
    bench.line(true);
    bench.write(0, 0x280, 0);
    assert_eq!(bench.cpu(0).lapic.read(0x280, 0), 1 << 6, "ESR: illegal vector received");
}

/// Goal: in x2APIC mode the entries are the same; method: LINT0 by its MSR.
#[test]
fn by_msr() {
    let mut bench = Bench::new();
    let Bench { cpus, bus } = &mut bench;
    let lapic = &mut Arc::make_mut(&mut cpus[0]).lapic;
    lapic.set_base(lapic.base | BASE_EXTD).unwrap();
    lapic.write_msr(CpuId(0), 0x835, u64::from(LEVEL | 0x71), 0, &mut bus.out).unwrap();
    bench.line(true);
    assert!(bench.cpu(0).lapic.read_msr(0x835, 0).unwrap() & u64::from(REMOTE_IRR) != 0);
    assert_eq!(bench.cpu(0).lapic.acknowledge(), Some(0x71));
}
