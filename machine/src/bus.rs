//! The system bus: RAM, memory-mapped devices, ports, the clock, and what a step left to be done after it.
//!
//! [`crate::mmu`] reads and writes physical memory through it, [`crate::execute`] its ports. What a step causes outside
//! its own CPU collects in [`Outbox`]; [`crate::machine`] hands it on when the step is over ([`routing`]), so that a
//! CPU never touches another one in the middle of an instruction.

pub mod ports;
pub mod ram;
pub mod routing;

use crate::cpu::Cpu;
use crate::decode::CodeCache;
use crate::device::Devices;
use protocol::breakpoint::Breakpoint;
use protocol::event::{Delivery, EventKind};
use protocol::{CpuId, LinearAddr};
use ram::Ram;

/// The firmware's code below 1 MiB, and where its ROM is seen once more, at the end of 4 GiB: a CPU begins there.
const BIOS: u64 = 0xf_0000;
const BIOS_ALIAS: u64 = 0xffff_0000;
const BIOS_ALIAS_END: u64 = 0xffff_ffff;

/// What a step costs on the clock, in nanoseconds.
pub const STEP_NS: u64 = 10;

/// The physical address at which RAM has what is seen at this one: itself, but for the firmware's ROM at the end of 4 GiB.
pub fn seen_in_ram(paddr: u64) -> u64 {
    if (BIOS_ALIAS..=BIOS_ALIAS_END).contains(&paddr) { paddr - BIOS_ALIAS + BIOS } else { paddr }
}

/// Everything that the CPUs share.
#[derive(Clone, Debug)]
pub struct Bus {
    /// Memory from physical address 0 up.
    pub ram: Ram,
    /// Devices other than local APICs.
    pub devices: Devices,
    /// Nanoseconds since power-on. Only [`crate::machine`] moves it.
    pub clock_ns: u64,
    /// Time that the running step takes beyond the fixed amount (PAUSE), in nanoseconds. Zeroed before each step.
    pub extra_ns: u64,
    /// Derived: an access went beyond RAM since [`crate::execute`] last cleared this.
    pub reached_device: bool,
    /// What the running step caused.
    pub out: Outbox,
    /// Derived: decoded instructions by physical page.
    pub code: CodeCache,
    /// A debugger's watchpoints, looked at where [`Watch::active`]. Neither state nor hashed.
    pub watch: Watch,
}

/// What a step caused outside its CPU, in the order it was caused. Emptied after each step; keeps its capacity.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    /// For the event log.
    pub events: Vec<(CpuId, EventKind)>,
    /// Interprocessor interrupts, to be routed.
    pub ipis: Vec<Ipi>,
    /// Messages of the I/O APIC, to be routed.
    pub interrupts: Vec<InterruptMessage>,
    /// Vectors of level-triggered interrupts that a CPU ended, for the I/O APIC.
    pub level_eois: Vec<u8>,
    /// Bytes that the serial port sent.
    pub console: Vec<u8>,
    /// A CPU said that it is online (true) or offline.
    pub online: Vec<(CpuId, bool)>,
    /// The guest ended the run by port F4h.
    pub exit: Option<u8>,
    /// Somebody asked for a platform reset: who, in words.
    pub reset: Option<&'static str>,
    /// The guest switched the machine off.
    pub power_off: bool,
    /// A timer was set or stopped: the next deadline must be looked up again.
    pub timers_changed: bool,
    /// The 8259 pair's output, or who listens to it, may have changed.
    pub lines_changed: bool,
}

impl Outbox {
    /// Nothing is left to do. This is the hot path's only look at it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // One branch instead of nine: the lengths are all zero almost always.
        let lengths = self.events.len()
            | self.ipis.len()
            | self.interrupts.len()
            | self.level_eois.len()
            | self.console.len()
            | self.online.len();
        lengths == 0
            && !(self.exit.is_some() | self.reset.is_some() | self.power_off | self.timers_changed | self.lines_changed)
    }
}

/// A write of an ICR, as it goes over the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipi {
    /// Sender.
    pub from: CpuId,
    /// The whole register: destination 63:32 (xAPIC: 63:56), command 31:0.
    pub icr: u64,
    /// The sender is in x2APIC mode: 32-bit destination.
    pub x2apic: bool,
}

/// An interrupt message of the I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterruptMessage {
    /// Destination field of the redirection entry.
    pub destination: u8,
    /// Logical destination mode.
    pub logical: bool,
    /// Delivery mode.
    pub delivery: Delivery,
    /// Vector.
    pub vector: u8,
    /// Level-triggered.
    pub level: bool,
}

/// Watchpoints while a run looks for them.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// There is at least one; checked on each data access.
    pub active: bool,
    /// The watchpoints (conditions Write, Read, Access), as set by the timeline.
    pub points: Vec<Breakpoint>,
    /// The first one that the running step hit: its number, and the CPU.
    pub hit: Option<(u32, CpuId)>,
    /// Breakpoints on data that the guest set in its debug registers; there are some only while its CPU makes a step.
    pub guest: Vec<GuestWatch>,
    /// Those that the running step hit: a bit each.
    pub guest_hits: u8,
}

/// Do so many bytes from these two addresses on have one in common? Also where they end with the highest address.
pub(crate) fn overlap(first: u64, first_bytes: u64, second: u64, second_bytes: u64) -> bool {
    second.wrapping_sub(first) < first_bytes || first.wrapping_sub(second) < second_bytes
}

/// A guest's breakpoint on data (see [`crate::execute`]'s `debug`).
#[derive(Clone, Copy, Debug)]
pub struct GuestWatch {
    /// 0 to 3.
    pub number: usize,
    /// Linear address.
    pub start: u64,
    /// How many.
    pub bytes: u64,
    /// Reads count too, not only writes.
    pub reads: bool,
}

impl Watch {
    /// Told by the MMU of each data access while [`Watch::active`].
    #[cold]
    pub fn note(&mut self, cpu: CpuId, linear: u64, len: u64, is_write: bool) {
        use protocol::breakpoint::Condition;
        let overlaps = |start: LinearAddr, bytes: u64| overlap(start.0, bytes, linear, len);
        let hit = self.points.iter().find(|point| {
            point.cpu.is_none_or(|only| only == cpu)
                && match point.condition {
                    Condition::Write { linear, len } => is_write && overlaps(linear, len),
                    Condition::Read { linear, len } => !is_write && overlaps(linear, len),
                    Condition::Access { linear, len } => overlaps(linear, len),
                    Condition::Execute(_) | Condition::Event(_) => false,
                }
        });
        self.hit = self.hit.or(hit.map(|point| (point.id, cpu)));
        for watch in self.guest.iter().filter(|watch| watch.reads || is_write) {
            if overlaps(LinearAddr(watch.start), watch.bytes) {
                self.guest_hits |= 1 << watch.number;
            }
        }
    }
}

impl Bus {
    /// A bus with empty RAM.
    pub fn new(memory_bytes: u64) -> Self {
        Self {
            ram: Ram::new(memory_bytes),
            devices: Devices::default(),
            clock_ns: 0,
            extra_ns: 0,
            reached_device: false,
            out: Outbox::default(),
            code: CodeCache::default(),
            watch: Watch::default(),
        }
    }

    /// Reads `N` bytes of physical memory with side effects. Nobody there: all ones, as on a PC.
    #[inline]
    pub fn read_phys<const N: usize>(&mut self, cpu: &mut Cpu, paddr: u64) -> [u8; N] {
        match self.ram.read(paddr) {
            Some(bytes) => bytes,
            None => self.read_mmio(cpu, paddr),
        }
    }

    /// Writes `N` bytes of physical memory, which must not cross a page. Nobody there: nothing happens.
    #[inline]
    pub fn write_phys<const N: usize>(&mut self, cpu: &mut Cpu, paddr: u64, value: [u8; N]) {
        if !self.ram.write(paddr, value) {
            self.write_mmio(cpu, paddr, &value);
        }
    }

    #[cold]
    fn read_mmio<const N: usize>(&mut self, cpu: &mut Cpu, paddr: u64) -> [u8; N] {
        self.reached_device = true;
        let mut bytes = [0xff; N];
        if let BIOS_ALIAS..=BIOS_ALIAS_END = paddr {
            return self.ram.read(seen_in_ram(paddr)).unwrap_or(bytes);
        }
        if let Some(kept) = self.devices.nvram.read(paddr, N) {
            bytes.copy_from_slice(kept);
            return bytes;
        }
        let word = if let Some(offset) = cpu.lapic.mmio_offset(paddr) {
            cpu.lapic.read(offset & !0xf, self.clock_ns)
        } else if let Some(offset) = self.devices.irq.ioapic.mmio_offset(paddr) {
            self.devices.irq.ioapic.read(offset & !0xf)
        } else {
            let Devices { rom, test_memory, .. } = &self.devices;
            for (byte, paddr) in bytes.iter_mut().zip(paddr..) {
                *byte = rom.byte(paddr).or(test_memory.byte(paddr)).unwrap_or(0xff);
            }
            return bytes;
        };
        let skip = paddr as usize & 3;
        for (byte, value) in bytes.iter_mut().zip(word.to_le_bytes().into_iter().skip(skip)) {
            *byte = value;
        }
        bytes
    }

    #[cold]
    fn write_mmio(&mut self, cpu: &mut Cpu, paddr: u64, value: &[u8]) {
        self.reached_device = true;
        if self.devices.nvram.write(paddr, value) || self.devices.test_memory.write(paddr, value) {
            return;
        }
        // Both APICs define aligned 32-bit accesses only (SDM 3A, "Local APIC Register Address Map"); others are lost.
        let Some(word) = value.first_chunk::<4>().filter(|_| paddr & 3 == 0) else { return };
        let word = u32::from_le_bytes(*word);
        if let Some(offset) = cpu.lapic.mmio_offset(paddr) {
            let id = cpu.id;
            cpu.lapic.write(id, offset, word, self.clock_ns, &mut self.out);
        } else if let Some(offset) = self.devices.irq.ioapic.mmio_offset(paddr) {
            self.devices.irq.ioapic.write(offset, word, &mut self.out);
        }
    }
}
