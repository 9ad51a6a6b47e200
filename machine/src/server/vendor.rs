//! Vendor requests: what Firstlight's own programs ask, answered from the timeline. See `docs/PROTOCOL.md`.
//!
//! One client drives, all see. A request that moves or changes the machine is refused while gdb is attached, or while
//! another window drives; [`Request::TakeOver`] changes that.

use super::NAME;
use super::driver::{Driver, take_serial};
use super::mail::ClientId;
use super::pace::Pace;
use super::platform::Stopwatch;
use crate::firmware::variables::variables;
use crate::inspect;
use crate::timeline::Timeline;
use protocol::page_table::Tree;
use protocol::request::{
    Advance, Answer, Direction, Hello, MAX_CODE, MAX_EVENTS, MAX_MEMORY, MAX_TABLES, MachineConfig, Refusal, Request,
    RootSpec, StopReason, Stopped, Until, Wanted,
};
use protocol::{CpuState, Position};

/// What a client was sent last: only what differs goes out again.
#[derive(Debug, Default)]
pub struct SentCache {
    cpus: Vec<CpuState>,
    trees: Vec<(RootSpec, Tree)>,
}

/// What the search for a cause may cost, in pieces of a run: about a second.
const CAUSE_PIECES: u64 = 300;
/// Trees that are remembered for one client; beyond that the oldest is sent again.
const MAX_CACHED_TREES: usize = 64;

pub(super) fn invalid(why: impl Into<String>) -> Refusal {
    Refusal::Invalid(why.into())
}

fn within(what: &str, asked: u32, most: u32) -> Result<(), Refusal> {
    if asked > most { Err(invalid(format!("{asked} {what} in one request; at most {most}"))) } else { Ok(()) }
}

impl Driver {
    /// Answers a request.
    pub(super) fn vendor(&mut self, client: ClientId, request: Request) -> Answer {
        self.answer(client, request).unwrap_or_else(Answer::Refused)
    }

    fn answer(&mut self, client: ClientId, request: Request) -> Result<Answer, Refusal> {
        let drives = matches!(
            request,
            Request::Advance(_)
                | Request::Seek { .. }
                | Request::Edit { .. }
                | Request::Undo { .. }
                | Request::Restart { .. }
                | Request::LoadRun { .. }
                | Request::Reload
        );
        if drives {
            self.drive(client)?;
        }
        Ok(match request {
            Request::Hello => self.hello(),
            Request::Advance(request) => self.advance(client, request)?,
            Request::Seek { position, wanted } => {
                self.target.timeline.seek(position)?;
                self.stopped(client, StopReason::Reached, &wanted)
            }
            Request::State { wanted } => self.stopped(client, StopReason::None, &wanted),
            Request::SetBreakpoint { cpu, condition } => {
                Answer::BreakpointSet(self.target.timeline.set_breakpoint(cpu, condition)?)
            }
            Request::ClearBreakpoint { id } => {
                self.target.timeline.clear_breakpoint(id)?;
                Answer::Done
            }
            Request::Breakpoints => Answer::Breakpoints(self.target.timeline.breakpoints().to_vec()),
            Request::Edit { edit, wanted } => {
                self.target.timeline.edit(&edit)?;
                self.stopped(client, StopReason::None, &wanted)
            }
            Request::Undo { wanted } => {
                self.target.timeline.undo()?;
                self.stopped(client, StopReason::None, &wanted)
            }
            Request::Restart { config } => self.power_cycle(config)?,
            Request::Reload => {
                self.target.image.reload().map_err(invalid)?;
                self.power_cycle(self.config.clone())?
            }
            Request::OpenGdb { port } => {
                let open = self.mailbox.sockets.listening().is_some_and(|at| port == 0 || at.port() == port);
                if !open {
                    self.listen(&format!("127.0.0.1:{port}")).map_err(invalid)?;
                }
                self.gdb_socket()
            }
            Request::CloseGdb => {
                self.end_gdb("the window closed the gdb socket");
                self.mailbox.sockets.close_listener();
                self.gdb_socket()
            }
            Request::TakeOver => {
                self.end_gdb("the window has taken over the machine; connect again to get it back");
                self.driving = Some(client);
                self.waiting = false;
                Answer::Done
            }
            Request::Profile => Answer::Profile(self.target.image.profile().cloned()),
            Request::Copy => self.copy(client)?,
            Request::Private(request) => self.private(client, *request)?,
            reading @ (Request::Memory { .. }
            | Request::Tree { .. }
            | Request::Walk { .. }
            | Request::Tlb { .. }
            | Request::Code { .. }
            | Request::Listing { .. }
            | Request::Events { .. }
            | Request::Console { .. }
            | Request::Screen) => {
                let timeline = &self.target.timeline;
                return read(timeline, &reading).unwrap_or_else(|| Err(invalid("this server does not answer that")));
            }
            Request::Cause { of } => Answer::Cause(self.target.timeline.cause(&of, self.pace.steps() * CAUSE_PIECES)?),
            Request::FirmwareVariables => {
                let machine = self.target.timeline.machine();
                Answer::FirmwareVariables(variables(machine, &self.config.firmware.variables))
            }
            Request::Image { linear, len } => {
                within("bytes", len, MAX_MEMORY)?;
                let (bytes, unreadable) = self.target.image.linked(linear.0, len as usize);
                Answer::Memory { bytes, unreadable }
            }
            Request::SaveRun => Answer::Run(Box::new(self.run_file())),
            Request::LoadRun { run, position, wanted } => {
                self.load_run(&run, position)?;
                self.stopped(client, StopReason::Reached, &wanted)
            }
        })
    }

    /// This client wants to move or change the machine.
    fn drive(&mut self, client: ClientId) -> Result<(), Refusal> {
        if self.gdb.is_some() {
            return Err(Refusal::GdbDrives);
        }
        if self.driving.is_some_and(|other| other != client) {
            return Err(invalid("another window drives this machine; take over first"));
        }
        self.driving = Some(client);
        self.waiting = false;
        Ok(())
    }

    fn hello(&mut self) -> Answer {
        Answer::Hello(Hello {
            server: NAME.to_owned(),
            config: self.config.clone(),
            image_sha256: self.target.image.sha256().to_owned(),
            image_path: self.target.image.path(),
            image_changed: self.target.image.changed(),
            gdb_attached: self.gdb.is_some(),
        })
    }

    fn gdb_socket(&self) -> Answer {
        let listening = self.mailbox.sockets.listening().map(|address| address.to_string());
        Answer::Gdb { listening, attached: self.gdb.is_some() }
    }

    /// A piece of a run, with what was typed meanwhile.
    fn advance(&mut self, client: ClientId, mut request: Advance) -> Result<Answer, Refusal> {
        if request.direction == Direction::Forward {
            request.serial_input.extend(take_serial(&mut self.serial, &self.target));
        }
        let reason = run_piece(&mut self.target.timeline, &mut self.pace, &mut request)?;
        Ok(self.stopped(client, reason, &request.wanted))
    }

    /// Power off, power on. Breakpoints are a debugger's and stay; a machine that cannot be built leaves the old one.
    fn power_cycle(&mut self, config: MachineConfig) -> Result<Answer, Refusal> {
        let machine = self.target.image.power_on(&config).map_err(invalid)?;
        self.install(Timeline::new(machine, self.history_bytes), config);
        self.serial.clear();
        Ok(self.hello())
    }

    /// Puts another machine in the place of this one.
    pub(super) fn install(&mut self, timeline: Timeline, config: MachineConfig) {
        let epoch = self.epoch();
        let breakpoints = self.target.timeline.breakpoints().to_vec();
        self.target.timeline = timeline;
        for point in breakpoints {
            // One for a CPU that the new machine lacks is dropped.
            let _ = self.target.timeline.set_breakpoint(point.cpu, point.condition);
        }
        self.epoch_base = epoch + 1;
        self.config = config;
    }

    /// Where the machine is, with what the client wants and does not have yet.
    fn stopped(&mut self, client: ClientId, reason: StopReason, wanted: &Wanted) -> Answer {
        let image_changed = self.target.image.changed();
        let told = Told { gdb_attached: self.gdb.is_some(), image_changed, epoch: self.epoch() };
        let (mut answer, states, trees) = stopped(&self.target.timeline, reason, wanted, told);
        match self.index(client) {
            Some(index) => self.clients[index].sent.take_news(states, trees, wanted.all_cpus, &mut answer),
            None => answer.cpus = states,
        }
        Answer::Stopped(Box::new(answer))
    }
}

/// What an answer tells beside the timeline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub gdb_attached: bool,
    pub image_changed: bool,
    pub epoch: u64,
}

/// Requests that only read a machine and its past. None: it is another kind.
pub(super) fn read(timeline: &Timeline, request: &Request) -> Option<Result<Answer, Refusal>> {
    let machine = timeline.machine();
    Some(match *request {
        Request::Memory { from, len } => within("bytes", len, MAX_MEMORY).map(|()| {
            let (bytes, unreadable) = inspect::memory(machine, from, len as usize);
            Answer::Memory { bytes, unreadable }
        }),
        Request::Tree { root, max_tables } => within("tables", max_tables, MAX_TABLES)
            .and_then(|()| inspect::tree(machine, root, max_tables as usize).map_err(invalid))
            .map(Answer::Tree),
        Request::Walk { root, linear } => inspect::walk(machine, root, linear).map_err(invalid).map(Answer::Walk),
        Request::Tlb { cpu } => inspect::tlb(machine, cpu).map_err(invalid).map(Answer::Tlb),
        Request::Code { cpu, linear, before, count } => {
            within("instructions", u32::from(before) + u32::from(count), u32::from(MAX_CODE))
                .and_then(|()| inspect::code(machine, cpu, linear, before, count).map_err(invalid))
                .map(Answer::Code)
        }
        Request::Listing { phys, base, bits, count } => within("instructions", u32::from(count), u32::from(MAX_CODE))
            .and_then(|()| inspect::listing(machine, phys, base, bits, count).map_err(invalid))
            .map(Answer::Code),
        Request::Events { from, to, limit } => {
            within("events", limit, MAX_EVENTS).map(|()| Answer::Events(timeline.events(from, to, limit as usize)))
        }
        Request::Screen => Ok(Answer::Screen(inspect::screen(machine))),
        Request::Console { offset } => Ok(Answer::Console(timeline.console(offset))),
        _ => return None,
    })
}

/// A piece of a run: bounded by what is asked and by host time.
pub(super) fn run_piece(
    timeline: &mut Timeline,
    pace: &mut Pace,
    request: &mut Advance,
) -> Result<StopReason, Refusal> {
    // Forwards, over and out begin anew with each request: cut in pieces they would never end. The client bounds them.
    let whole = matches!(request.until, Until::Over | Until::Out) && request.direction == Direction::Forward;
    if !whole {
        request.budget = request.budget.min(pace.steps());
    }
    let watch = Stopwatch::start();
    let from = timeline.position().0;
    let reason = timeline.advance(request)?;
    pace.learn(timeline.position().0.abs_diff(from), watch.elapsed());
    Ok(reason)
}

/// Where a machine is, but for its CPUs and trees, which are beside it: what goes out of them is the caller's to say.
pub(super) fn stopped(
    timeline: &Timeline,
    reason: StopReason,
    wanted: &Wanted,
    told: Told,
) -> (Stopped, Vec<CpuState>, Vec<(RootSpec, Tree)>) {
    let machine = timeline.machine();
    let mut trees = Vec::new();
    for &root in &wanted.trees {
        // A root of a CPU that is not there has no tree; the client asked before it knew.
        if let Ok(tree) = inspect::tree(machine, root, MAX_TABLES as usize) {
            trees.push((root, tree));
        }
    }
    let stopped = Stopped {
        reason,
        position: timeline.position(),
        end: timeline.end(),
        clock_ns: machine.clock_ns(),
        next_cpu: machine.next_cpu(),
        moved_cpu: timeline.moved_cpu(),
        cpus: Vec::new(),
        console: wanted.console_from.map(|offset| timeline.console(offset)),
        events: wanted
            .events_from
            .map(|from| timeline.events(from, Position(u64::MAX), MAX_EVENTS as usize))
            .unwrap_or_default(),
        trees: Vec::new(),
        can_undo: timeline.can_undo(),
        gdb_attached: told.gdb_attached,
        image_changed: told.image_changed,
        epoch: told.epoch,
    };
    (stopped, timeline.cpu_states(), trees)
}

impl SentCache {
    /// Puts what is new into the answer and remembers it.
    fn take_news(&mut self, states: Vec<CpuState>, trees: Vec<(RootSpec, Tree)>, all: bool, answer: &mut Stopped) {
        let is_news = |(index, state): &(usize, &CpuState)| all || self.cpus.get(*index) != Some(state);
        answer.cpus = states.iter().enumerate().filter(is_news).map(|(_, state)| state.clone()).collect();
        self.cpus = states;
        for (root, tree) in trees {
            match self.trees.iter_mut().find(|(known, _)| *known == root) {
                Some((_, known)) if *known == tree => continue,
                Some((_, known)) => known.clone_from(&tree),
                None => {
                    if self.trees.len() == MAX_CACHED_TREES {
                        self.trees.remove(0);
                    }
                    self.trees.push((root, tree.clone()));
                }
            }
            answer.trees.push(tree);
        }
    }
}
