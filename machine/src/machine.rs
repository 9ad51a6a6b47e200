//! The machine: CPUs, bus, clock and schedule as one value. Same value, same future.
//!
//! [`run`] makes steps, the only way its time moves; between steps [`Machine::serial_input`], [`Machine::nmi`],
//! [`Machine::reset`] and [`crate::inspect::edit`] put something in, always by way of the journal of
//! [`crate::timeline`], which also keeps [`Snapshot`]s to come back to.

pub mod run;
pub mod snapshot;

use crate::bus::{Bus, Outbox, routing};
use crate::cpu::Cpu;
use crate::device::Devices;
use crate::exception;
use crate::schedule::Schedule;
use protocol::event::EventKind;
use protocol::{Activity, CpuId, Event, Position};
pub use run::{Limits, Observer, Ran, Stop};
pub use snapshot::Snapshot;
use std::collections::VecDeque;
use std::sync::Arc;

/// A machine at a position.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(crate) cpus: Vec<Arc<Cpu>>,
    pub(crate) bus: Bus,
    pub(crate) state: State,
    /// What a platform reset comes back to.
    initial: Arc<Snapshot>,
    /// Derived: when the first local APIC timer expires, `u64::MAX` where none runs. May be too early (INIT stops a timer
    /// without telling), never too late.
    next_deadline_ns: u64,
    /// Derived: a bit for each CPU that [`can_step`]. None: to be looked up, something touched a CPU from outside.
    able: Option<[u64; 4]>,
}

/// What is neither a CPU's nor the bus's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Steps since power-on.
    pub position: u64,
    /// Who is next.
    pub schedule: Schedule,
    /// Who made the last step.
    pub last_cpu: Option<CpuId>,
    /// CPUs that announced that they are online.
    pub online: Vec<bool>,
    /// Serial input that found the receive FIFO full. Each byte goes in as soon as there is room.
    pub serial: VecDeque<u8>,
    /// The machine ended here, by a triple fault or by the debug exit port.
    pub ended: Option<Stop>,
}

impl Machine {
    /// A machine at position 0, as the firmware hands it over: `cpus` by index, the bootstrap processor first; `bus` with
    /// the image in RAM. A platform reset comes back to exactly this. At most 256 CPUs.
    pub fn new(cpus: Vec<Cpu>, mut bus: Bus, schedule: Schedule) -> Self {
        assert!((1..=256).contains(&cpus.len()), "a machine has 1 to 256 CPUs");
        let cpus: Vec<Arc<Cpu>> = cpus.into_iter().map(Arc::new).collect();
        let state = State {
            position: 0,
            schedule,
            last_cpu: None,
            online: vec![false; cpus.len()],
            serial: VecDeque::new(),
            ended: None,
        };
        let initial = Arc::new(Snapshot::of(&cpus, &mut bus, &state));
        let mut machine = Self { cpus, bus, state, initial, next_deadline_ns: u64::MAX, able: None };
        machine.look_up_derived();
        machine
    }

    /// Steps made since power-on.
    pub fn position(&self) -> Position {
        Position(self.state.position)
    }

    /// Nanoseconds since power-on.
    pub fn clock_ns(&self) -> u64 {
        self.bus.clock_ns
    }

    /// All CPUs by index.
    pub fn cpus(&self) -> &[Arc<Cpu>] {
        &self.cpus
    }

    /// One CPU.
    pub fn cpu(&self, id: CpuId) -> Option<&Cpu> {
        self.cpus.get(usize::from(id.0)).map(|cpu| &**cpu)
    }

    /// RAM, devices, clock.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Who made the last step.
    pub fn last_cpu(&self) -> Option<CpuId> {
        self.state.last_cpu
    }

    /// Why it ended, if it did: only a reset goes on from there.
    pub fn ended(&self) -> Option<&Stop> {
        self.state.ended.as_ref()
    }

    /// A CPU shut down, and nothing is on its way to it that would end that.
    pub fn waits_for_reset(&self) -> bool {
        matches!(self.ended(), Some(Stop::TripleFault { cpu }) if self.cpu(*cpu).is_some_and(|cpu| !exception::is_due(cpu)))
    }

    /// How many CPUs have announced that they are online.
    pub fn online(&self) -> u16 {
        self.state.online.iter().filter(|&&online| online).count() as u16
    }

    /// Whose turn it is; None: all wait (a timer may still end that).
    pub fn next_cpu(&self) -> Option<CpuId> {
        self.turn(can_step)
    }

    /// Who will make the next step, over the jump to the next timer where all wait. None: nobody can.
    pub fn next_stepper(&self) -> Option<CpuId> {
        self.next_cpu().or_else(|| {
            let ns = self.next_wake_ns(None)?;
            let shared = self.bus.devices.deadline_ns().filter(|&deadline| deadline <= ns);
            let cpus = shared.map_or_else(|| self.cpus.clone(), |_| self.after_devices(ns));
            let wakes = |cpu: &Cpu| wakes_at(cpu, ns) || is_woken(&cpus[usize::from(cpu.id.0)]);
            self.turn(wakes)
        })
    }

    fn turn(&self, able: impl Fn(&Cpu) -> bool) -> Option<CpuId> {
        let mut schedule = self.state.schedule;
        let able = |id: CpuId| able(&self.cpus[usize::from(id.0)]);
        schedule.slice(self.cpus.len() as u16, able).map(|(cpu, _)| cpu)
    }

    /// Bytes arrive on the serial line.
    pub fn serial_input(&mut self, bytes: &[u8]) {
        self.able = None;
        self.state.serial.extend(bytes);
        self.feed_serial();
        routing::deliver(&mut self.cpus, &mut self.bus);
    }

    /// The keyboard sends bytes, scan codes of set 2.
    pub fn press_keys(&mut self, codes: &[u8]) {
        self.able = None;
        let devices = &mut self.bus.devices;
        devices.i8042.press(codes, &mut devices.irq, &mut self.bus.out);
        routing::deliver(&mut self.cpus, &mut self.bus);
    }

    fn feed_serial(&mut self) {
        let devices = &mut self.bus.devices;
        while devices.uart.has_room() {
            let Some(byte) = self.state.serial.pop_front() else { return };
            devices.uart.receive(byte, &mut devices.irq, &mut self.bus.out);
        }
    }

    /// A non-maskable interrupt arrives at a CPU, by its LINT1 and with the delivery mode that the entry has; where the entry
    /// lets nothing through, at the processor itself. One in wait-for-SIPI takes none. False: there is no such CPU.
    pub fn nmi(&mut self, id: CpuId) -> bool {
        self.able = None;
        let Some(cpu) = self.cpus.get_mut(usize::from(id.0)) else { return false };
        if cpu.activity != Activity::WaitForSipi {
            let cpu = Arc::make_mut(cpu);
            if !routing::pulse_lint1(cpu, self.bus.clock_ns) {
                cpu.pending.nmi = true;
            }
        }
        true
    }

    /// Resets the platform: CPUs, devices and RAM are as the firmware handed them over at position 0, but for the memory that
    /// keeps the firmware's variables. Position, clock,
    /// step counters and the schedule go on; time-stamp counters begin again at zero. Returns what that changed, for the
    /// log.
    pub fn reset(&mut self, cpu: CpuId, by: &str) -> Vec<Event> {
        let initial = Arc::clone(&self.initial);
        let mut kinds = vec![(cpu, EventKind::Reset { by: by.into() })];
        for (cpu, first) in self.cpus.iter_mut().zip(&initial.cpus) {
            let (before, steps) = (Arc::clone(cpu), cpu.steps);
            *cpu = Arc::clone(first);
            let fresh = Arc::make_mut(cpu);
            fresh.steps = steps;
            fresh.msr.tsc_offset = first.msr.tsc_offset.wrapping_sub(self.bus.clock_ns);
            run::push_changes(&mut kinds, &before, fresh);
        }
        self.bus.ram.restore(&initial.ram);
        let nvram = std::mem::take(&mut self.bus.devices.nvram);
        self.bus.devices = Devices { nvram, ..initial.devices.clone() };
        self.state.online.fill(false);
        self.state.ended = None;
        self.look_up_derived();
        kinds.into_iter().map(|(cpu, kind)| self.event(cpu, kind)).collect()
    }

    /// An event that lies at this position.
    pub(crate) fn event(&self, cpu: CpuId, kind: EventKind) -> Event {
        Event { position: self.position(), clock_ns: self.bus.clock_ns, cpu, kind }
    }

    /// All of the state, sharing what did not change since the last call.
    pub fn snapshot(&mut self) -> Snapshot {
        Snapshot::of(&self.cpus, &mut self.bus, &self.state)
    }

    /// Back (or forth) to a snapshot of this machine.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.cpus.clone_from(&snapshot.cpus);
        self.bus.ram.restore(&snapshot.ram);
        self.bus.devices.clone_from(&snapshot.devices);
        self.bus.clock_ns = snapshot.clock_ns;
        self.state.clone_from(&snapshot.state);
        self.look_up_derived();
    }

    /// Another machine in the same state, for runs of its own. It shares what it can with this one: CPUs and the pages of
    /// checkpoints; RAM that holds something is copied. A `spare` machine of the same shape that is no longer needed
    /// saves the most of that: only pages in which the two differ are copied then.
    pub fn fork(&mut self, spare: Option<Self>) -> Self {
        let snapshot = self.snapshot();
        let fits = |spare: &Self| spare.bus.ram.size() == self.bus.ram.size();
        let mut machine = spare.filter(fits).unwrap_or_else(|| Self {
            cpus: self.cpus.clone(),
            bus: Bus::new(self.bus.ram.size()),
            state: self.state.clone(),
            initial: Arc::clone(&self.initial),
            next_deadline_ns: u64::MAX,
            able: None,
        });
        machine.initial = Arc::clone(&self.initial);
        machine.bus.ram.protect_like(&self.bus.ram);
        machine.restore(&snapshot);
        machine
    }

    /// To be called after any change of CPUs from outside their own steps.
    pub(crate) fn look_up_derived(&mut self) {
        self.able = None;
        let timers = self.cpus.iter().filter_map(|cpu| cpu.lapic.deadline_ns());
        self.next_deadline_ns = timers.chain(self.bus.devices.deadline_ns()).min().unwrap_or(u64::MAX);
    }

    /// When the first timer expires that wakes a CPU (of all, or this one). Timers that wake nobody, being masked or of a
    /// CPU that does not listen, are no reason to let time pass.
    fn next_wake_ns(&self, only: Option<CpuId>) -> Option<u64> {
        let wanted = |cpu: &Cpu| only.is_none_or(|only| only == cpu.id);
        let cpus = self.cpus.iter().filter(|cpu| wanted(cpu));
        let own = cpus.filter_map(|cpu| cpu.lapic.deadline_ns().filter(|&ns| wakes_at(cpu, ns)));
        let shared = self.bus.devices.deadline_ns().map(|ns| ns.max(self.bus.clock_ns));
        let shared = shared.filter(|&ns| self.after_devices(ns).iter().any(|cpu| wanted(cpu) && is_woken(cpu)));
        own.chain(shared).min()
    }

    /// The CPUs as they would be once the devices' timers have been served at this time.
    fn after_devices(&self, ns: u64) -> Vec<Arc<Cpu>> {
        let mut cpus = self.cpus.clone();
        let (mut devices, mut out) = (self.bus.devices.clone(), Outbox::default());
        devices.tick(ns, &mut out);
        routing::deliver_interrupts(&mut cpus, &mut devices, &mut out, ns);
        cpus
    }

    /// Expires the timers whose time has come.
    fn tick_timers(&mut self) {
        let now_ns = self.bus.clock_ns;
        for cpu in self.cpus.iter_mut().filter(|cpu| cpu.lapic.deadline_ns().is_some_and(|ns| ns <= now_ns)) {
            Arc::make_mut(cpu).lapic.tick(now_ns);
        }
        if self.bus.devices.deadline_ns().is_some_and(|ns| ns <= now_ns) {
            let Bus { devices, out, .. } = &mut self.bus;
            devices.tick(now_ns, out);
            routing::deliver_interrupts(&mut self.cpus, devices, out, now_ns);
        }
        self.look_up_derived();
    }
}

/// It executes, or something is due that ends its waiting.
#[inline]
pub(crate) fn can_step(cpu: &Cpu) -> bool {
    cpu.activity == Activity::Running || exception::is_due(cpu)
}

/// It halted, and something is due that ends that.
fn is_woken(cpu: &Cpu) -> bool {
    cpu.activity == Activity::Halted && exception::is_due(cpu)
}

/// Its own timer, expiring at this time or before, ends its waiting.
fn wakes_at(cpu: &Cpu, ns: u64) -> bool {
    if cpu.activity != Activity::Halted || cpu.lapic.deadline_ns().is_none_or(|deadline| deadline > ns) {
        return false;
    }
    let mut then = cpu.clone();
    then.lapic.tick(ns);
    exception::is_due(&then)
}
