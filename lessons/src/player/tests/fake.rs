//! A machine for tests: two CPUs, a hundred steps, a few events, edits, undo, private copies; and a driver around it and a
//! player. It keeps the promises of `protocol::request` that the player relies on, and can be told to misbehave.

use crate::lesson;
use crate::player::{Act, Order, Player, Seen};
use crate::progress::LessonProgress;
use protocol::cpu::{CS, CpuState};
use protocol::event::{Delivery, EventKind};
use protocol::request::{
    Advance, Answer, Direction, Edit, Hello, MachineConfig, Refusal, Request, StopReason, Stopped, Until,
};
use protocol::run::{self, Input, InputKind, Run};
use protocol::{Activity, CpuId, Event, Mode, Position};
use std::sync::Arc;

/// The machine's last step: all wait there.
pub const LAST: u64 = 100;
/// The step that sends INIT, the one that sends the SIPI, the one that takes it: positions after them.
pub const INIT: u64 = 10;
pub const SIPI: u64 = 20;
pub const WAKES: u64 = 22;
/// The SIPI's vector.
pub const VECTOR: u8 = 0x9a;

#[derive(Clone, Debug)]
pub struct FakeMachine {
    pub position: u64,
    pub end: u64,
    pub epoch: u64,
    pub inputs: Vec<Input>,
    pub config: MachineConfig,
    kept: Option<(u64, u64, Vec<Input>)>,
    /// No past before this: a copy.
    born: u64,
}

impl FakeMachine {
    fn new(config: MachineConfig, epoch: u64) -> Self {
        Self { position: 0, end: 0, epoch, inputs: Vec::new(), config, kept: None, born: 0 }
    }

    /// RAX of CPU 0: counts from 1000h, or from what was written into it.
    fn rax(&self) -> u64 {
        let written = self.inputs.iter().rev().filter(|input| input.position.0 <= self.position);
        let mut written = written.filter_map(|input| match &input.kind {
            InputKind::Edit(Edit::Register { value, .. }) => Some((input.position.0, *value)),
            _ => None,
        });
        let (at, value) = written.next().unwrap_or((0, 0x1000));
        value + (self.position - at)
    }

    /// An edit before the SIPI keeps CPU 1 asleep.
    fn wakes(&self) -> bool {
        !self.inputs.iter().any(|input| input.position.0 < SIPI && matches!(input.kind, InputKind::Edit(_)))
    }

    fn cpus(&self) -> Vec<CpuState> {
        let mut cpus = vec![CpuState::default(), CpuState::default()];
        cpus[0].gpr[0] = self.rax();
        cpus[0].steps = self.position;
        cpus[0].mode = Mode::Long;
        cpus[0].ip = 0x8000 + self.position;
        cpus[1].cpu = CpuId(1);
        let awake = self.position >= WAKES && self.wakes();
        cpus[1].activity = if awake { Activity::Running } else { Activity::WaitForSipi };
        cpus[1].steps = if awake { self.position - WAKES + 1 } else { 0 };
        cpus[1].segments[CS].base = if awake { u64::from(VECTOR) << 12 } else { 0xffff_0000 };
        cpus
    }

    fn all_events(&self) -> Vec<Event> {
        let event = |position: u64, cpu: u16, kind| Event {
            position: Position(position),
            clock_ns: position * 10,
            cpu: CpuId(cpu),
            kind,
        };
        let ipi =
            |delivery, vector| EventKind::Ipi { delivery, from: CpuId(0), to: Some(CpuId(1)), vector, ignored: None };
        let mut events = vec![event(INIT, 0, ipi(Delivery::Init, 0)), event(SIPI, 0, ipi(Delivery::Sipi, VECTOR))];
        if self.wakes() {
            let kind = EventKind::Activity { from: Activity::WaitForSipi, to: Activity::Running };
            events.push(event(WAKES, 1, kind));
        }
        events
    }

    fn events(&self, from: u64, to: u64) -> Vec<Event> {
        let to = to.min(self.position);
        let mut events = self.all_events();
        events.retain(|event| event.position.0 > from.max(self.born) && event.position.0 <= to);
        events
    }

    fn advance(&mut self, advance: &Advance) -> StopReason {
        if advance.direction == Direction::Backward {
            let Until::Steps(steps) = advance.until else { return StopReason::StartOfTime };
            self.position = self.position.saturating_sub(steps).max(self.born);
            return StopReason::Reached;
        }
        if !advance.serial_input.is_empty() {
            let kind = InputKind::Serial(advance.serial_input.clone());
            self.inputs.push(Input { position: Position(self.position), kind });
        }
        let limit = self.position.saturating_add(advance.budget);
        let target = match &advance.until {
            Until::Steps(steps) if advance.cpu == Some(CpuId(1)) && !self.wakes() => {
                return StopReason::CannotStep { why: format!("CPU 1 waits, {steps} steps are too many.") };
            }
            Until::Steps(_) if advance.cpu == Some(CpuId(1)) && self.position < WAKES => WAKES,
            Until::Steps(steps) => self.position + steps,
            Until::Event(_) => {
                let next = self.all_events().into_iter().find(|event| event.position.0 > self.position);
                next.map_or(u64::MAX, |event| event.position.0)
            }
            _ => u64::MAX,
        };
        let stop = target.min(limit).min(LAST);
        self.position = stop;
        self.end = self.end.max(stop);
        match stop {
            _ if stop == target => StopReason::Reached,
            LAST => StopReason::AllWaiting,
            _ => StopReason::Budget,
        }
    }

    fn stopped(&self, reason: StopReason) -> Answer {
        Answer::Stopped(Box::new(Stopped {
            reason,
            position: Position(self.position),
            end: Position(self.end),
            clock_ns: self.position * 10,
            next_cpu: Some(CpuId(0)),
            moved_cpu: Some(CpuId(0)),
            cpus: self.cpus(),
            console: None,
            events: Vec::new(),
            trees: Vec::new(),
            can_undo: self.kept.is_some(),
            gdb_attached: false,
            image_changed: false,
            epoch: self.epoch,
        }))
    }

    /// What a machine and a private copy answer alike.
    fn answer(&mut self, request: &Request) -> Answer {
        match request {
            Request::Advance(advance) => {
                let reason = self.advance(advance);
                self.stopped(reason)
            }
            Request::Seek { position, .. } if position.0 <= self.end && position.0 >= self.born => {
                self.position = position.0;
                self.stopped(StopReason::Reached)
            }
            Request::State { .. } => self.stopped(StopReason::None),
            Request::Events { from, to, .. } => Answer::Events(self.events(from.0, to.0)),
            Request::Edit { edit, .. } => {
                self.kept = Some((self.position, self.end, self.inputs.clone()));
                self.inputs.retain(|input| input.position.0 <= self.position);
                self.inputs.push(Input { position: Position(self.position), kind: InputKind::Edit(edit.clone()) });
                self.end = self.position;
                self.epoch += 1;
                self.stopped(StopReason::None)
            }
            Request::Undo { .. } => match self.kept.take() {
                Some((position, end, inputs)) => {
                    (self.position, self.end, self.inputs) = (position, end, inputs);
                    self.epoch += 1;
                    self.stopped(StopReason::None)
                }
                None => Answer::Refused(Refusal::NothingToUndo),
            },
            other => Answer::Refused(Refusal::Invalid(format!("{other:?} is not answered here."))),
        }
    }
}

/// A server with its machine, a player, and what goes on between them.
pub struct Bench {
    pub machine: FakeMachine,
    pub copy: Option<FakeMachine>,
    pub player: Player,
    pub image: &'static str,
    /// Moves are refused: gdb drives.
    pub gdb: bool,
    /// The machine's thread is dead until it is restarted.
    pub crashed: bool,
    /// Steps that the learner makes between two orders, as long as there are some.
    pub disturb: Vec<u64>,
    /// Every run is told piece by piece.
    pub pieces: Option<u64>,
    /// Requests that were answered.
    pub asked: usize,
}

pub const IMAGE: &str = "one";

fn some_config() -> MachineConfig {
    MachineConfig {
        cpus: 4,
        apic_ids: vec![],
        memory_bytes: 1 << 27,
        quantum: 64,
        seed: None,
        options: String::new(),
        cpu_quirks: Vec::new(),
        firmware: Default::default(),
    }
}

pub fn read(text: &str) -> Arc<lesson::Lesson> {
    Arc::new(lesson::parse::parse("test.md", text).unwrap_or_else(|error| panic!("{error}\n{text}")))
}

impl Bench {
    pub fn new(text: &str, saved: Option<LessonProgress>) -> Self {
        let mut bench = Self::idle(text, saved);
        bench.serve();
        bench
    }

    /// Nothing has been answered yet.
    pub fn idle(text: &str, saved: Option<LessonProgress>) -> Self {
        let player = Player::new(read(text), 7, saved);
        let machine = FakeMachine::new(some_config(), 0);
        let (copy, disturb) = (None, Vec::new());
        Self { machine, copy, player, image: IMAGE, gdb: false, crashed: false, disturb, pieces: None, asked: 0 }
    }

    /// Carries orders until there are none.
    pub fn serve(&mut self) {
        for _ in 0..5000 {
            let orders = self.player.take_orders();
            if orders.is_empty() {
                return;
            }
            self.carry(orders);
        }
        panic!("the player orders without end");
    }

    /// Carries these orders.
    pub fn carry(&mut self, orders: Vec<Order>) {
        for order in orders {
            match order {
                Order::Read(ticket, request) => {
                    let answer = self.ask(&request);
                    self.player.answer(ticket, answer);
                }
                Order::Move(request) => self.make_move(&request),
                Order::Run(advance) => self.run(advance),
            }
            match self.disturb.pop() {
                Some(steps) if steps > 0 => self.step(steps),
                _ => {}
            }
        }
    }

    /// The machine as a server tells it.
    pub fn stopped(&self, reason: StopReason) -> Stopped {
        match self.machine.stopped(reason) {
            Answer::Stopped(stopped) => *stopped,
            other => panic!("{other:?}"),
        }
    }

    pub fn act(&mut self, act: Act) {
        self.player.act(act);
        self.serve();
    }

    pub fn check(&mut self, question: usize, text: &str) {
        self.act(Act::Check { question, text: text.into() });
    }

    /// The learner runs the machine on.
    pub fn step(&mut self, steps: u64) {
        let reason = self.machine.advance(&advance(Until::Steps(steps)));
        let answer = self.machine.stopped(reason);
        self.report(answer);
    }

    pub fn learner(&mut self, request: &Request) {
        self.make_move(request);
        self.serve();
    }

    fn run(&mut self, mut advance: Advance) {
        if let Some(piece) = self.pieces {
            advance.budget = piece;
            loop {
                let Answer::Stopped(stopped) = self.ask(&Request::Advance(advance.clone())) else { return };
                let unfinished = stopped.reason == StopReason::Budget;
                self.player.stopped(&Seen::of(&stopped, unfinished));
                if !unfinished || self.player.wants_to_move() {
                    return;
                }
            }
        }
        self.make_move(&Request::Advance(advance));
    }

    fn make_move(&mut self, request: &Request) {
        let answer = self.ask(request);
        let answer = if matches!(answer, Answer::Hello(_)) { self.machine.stopped(StopReason::None) } else { answer };
        self.report(answer);
    }

    fn report(&mut self, answer: Answer) {
        match answer {
            Answer::Stopped(stopped) => self.player.stopped(&Seen::of(&stopped, false)),
            Answer::Refused(refusal) => self.player.refused(&refusal),
            other => panic!("a move is not answered by {other:?}"),
        }
    }

    fn ask(&mut self, request: &Request) -> Answer {
        self.asked += 1;
        let restarts = matches!(request, Request::Restart { .. });
        if self.crashed && !restarts {
            return Answer::Refused(Refusal::Crashed("index out of bounds".into()));
        }
        let moves = restarts
            || matches!(
                request,
                Request::Advance(_)
                    | Request::Seek { .. }
                    | Request::Edit { .. }
                    | Request::Undo { .. }
                    | Request::LoadRun { .. }
            );
        if self.gdb && moves {
            return Answer::Refused(Refusal::GdbDrives);
        }
        match request {
            Request::Hello => self.hello(),
            Request::Profile => Answer::Profile(None),
            Request::Restart { config } => {
                self.crashed = false;
                self.machine = FakeMachine::new(config.clone(), self.machine.epoch + 1);
                self.hello()
            }
            Request::Copy => {
                let born = self.machine.position;
                self.copy = Some(FakeMachine { born, end: born, kept: None, ..self.machine.clone() });
                Answer::Done
            }
            Request::Private(inner) => match &mut self.copy {
                Some(copy) => copy.answer(inner),
                None => Answer::Refused(Refusal::Invalid("There is no copy.".into())),
            },
            Request::SaveRun => Answer::Run(Box::new(Run {
                version: run::VERSION,
                image_sha256: self.image.into(),
                firmware_sha256: None,
                machine: "fake".into(),
                config: self.machine.config.clone(),
                inputs: self.machine.inputs.clone(),
                holds: Vec::new(),
                end: Position(self.machine.end),
            })),
            Request::LoadRun { run, position, .. } if run.image_sha256 == self.image && *position <= run.end => {
                let mut machine = FakeMachine::new(run.config.clone(), self.machine.epoch + 1);
                machine.inputs.clone_from(&run.inputs);
                machine.end = run.end.0;
                machine.position = position.0;
                self.machine = machine;
                self.machine.stopped(StopReason::Reached)
            }
            Request::LoadRun { .. } => Answer::Refused(Refusal::Invalid("That run is of another image.".into())),
            other => self.machine.answer(other),
        }
    }

    fn hello(&self) -> Answer {
        Answer::Hello(Hello {
            server: "fake".into(),
            config: self.machine.config.clone(),
            image_sha256: self.image.into(),
            image_path: String::new(),
            image_changed: false,
            gdb_attached: self.gdb,
        })
    }
}

pub fn advance(until: Until) -> Advance {
    Advance {
        cpu: None,
        hold_others: false,
        direction: Direction::Forward,
        until,
        budget: u64::MAX,
        serial_input: Vec::new(),
        keys: Vec::new(),
        wanted: Default::default(),
    }
}
