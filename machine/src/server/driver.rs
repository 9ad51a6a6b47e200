//! The driver: the one thread that owns the machine. It takes mail, and between mails moves the machine on in pieces of
//! a few milliseconds, so that nobody waits.
//!
//! Who moves the machine: gdb while it is attached; else the window that drives ([`super::vendor`]); else the
//! [`Program`], if there is one. A panic of the machine is caught here: from then on requests are refused with its
//! message until a restart.

use super::ServerConfig;
use super::connection::{Client, Session, checked};
use super::platform::{Listener, Stopwatch};
use crate::gdb::filter::Incoming;
use crate::gdb::resume::{Piece, refusal_in_words};
use crate::gdb::target::Target;
use crate::timeline::Timeline;
use protocol::request::{Advance, Answer, Direction, MachineConfig, Refusal, Request, StopReason, Until, Wanted};
use protocol::{CpuId, Position};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::Duration;

/// Host time for one piece of a run.
const PIECE_TIME: Duration = Duration::from_millis(3);
/// Bounds of a piece's steps while its speed is not known yet.
const PIECE_STEPS: std::ops::RangeInclusive<u64> = 2_000..=1_000_000;
/// Longest wait of an idle machine for its own clock, so that mail is looked at.
const MAX_PACING: Duration = Duration::from_millis(50);
/// Exit status after a crash of the machine, as Rust's programs have after a panic.
const CRASHED: u8 = 101;

/// A client by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(u64);

impl ClientId {
    /// One that nobody has.
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// What reaches the driver.
pub enum Mail {
    /// A client with the writing end of its connection.
    Connected(ClientId, Box<dyn Write + Send>),
    /// Bytes from a client.
    Bytes(ClientId, Vec<u8>),
    /// A client's connection has ended.
    Gone(ClientId),
    /// Open the gdb socket.
    Listen {
        /// `HOST:PORT`.
        address: String,
        /// Where it listens, or why it cannot.
        reply: Sender<Result<std::net::SocketAddr, String>>,
    },
    /// Bytes for the serial port.
    Serial(Vec<u8>),
    /// No more of them will come.
    SerialClosed,
    /// End the server.
    Quit,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connected(..) => "Connected",
            Self::Bytes(..) => "Bytes",
            Self::Gone(_) => "Gone",
            Self::Listen { .. } => "Listen",
            Self::Serial(_) => "Serial",
            Self::SerialClosed => "SerialClosed",
            Self::Quit => "Quit",
        })
    }
}

/// What moves a machine that no client drives, and sees every movement, whoever causes it: `firstlight-machine`.
pub trait Program: Send {
    /// The machine stays put until the first client that drives has come and gone.
    fn waits_for_client(&self) -> bool;

    /// Bytes may come for the serial port, so that a machine in which all wait is no end.
    fn reads_input(&self) -> bool;

    /// What to run next.
    fn goal(&mut self, machine: &Target) -> Goal;

    /// The machine moved, or its past was changed.
    fn observe(&mut self, machine: &Target, moved: Moved);

    /// The run came to a stop. Some: the program ends with this exit status; None: go on.
    fn stopped(&mut self, machine: &Target, reason: &StopReason) -> Option<u8>;

    /// The machine's thread panicked, with this message.
    fn crashed(&mut self, message: &str);

    /// A client's session ended, why in words.
    fn session_ended(&mut self, why: &str);
}

/// A piece of a program's run.
#[derive(Clone, Debug)]
pub struct Goal {
    /// Whose steps, events and instructions count; None: anyone's.
    pub cpu: Option<CpuId>,
    /// What ends the run.
    pub until: Until,
    /// At most so many steps in this piece.
    pub max_steps: u64,
}

/// Where the machine was before it moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The position.
    pub from: Position,
    /// Bytes of console output up to there.
    pub console_from: u64,
    /// What was recorded after `from` is void.
    pub new_future: bool,
}

/// Steps for a piece, from how fast the last ones went.
#[derive(Debug)]
pub(super) struct Pace {
    steps: u64,
}

impl Pace {
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    pub(super) fn learn(&mut self, steps: u64, took: Duration) {
        // Short runs say nothing about speed.
        if steps >= self.steps / 2 {
            let fitting = u128::from(steps) * PIECE_TIME.as_nanos() / took.as_nanos().max(1);
            let fitting = u64::try_from(fitting).unwrap_or(u64::MAX);
            self.steps = fitting.min(self.steps.saturating_mul(4)).clamp(*PIECE_STEPS.start(), *PIECE_STEPS.end());
        } else if took > PIECE_TIME * 2 {
            self.steps = (self.steps / 2).max(*PIECE_STEPS.start());
        }
    }
}

/// The owner of the machine.
pub struct Driver {
    pub(super) target: Target,
    pub(super) config: MachineConfig,
    pub(super) history_bytes: usize,
    pub(super) clients: Vec<Client>,
    /// The gdb that is attached.
    pub(super) gdb: Option<ClientId>,
    /// The window that drives.
    pub(super) driving: Option<ClientId>,
    /// The message of the panic that the machine died of.
    pub(super) crashed: Option<String>,
    pub(super) listener: Option<Listener>,
    pub(super) sender: Sender<Mail>,
    /// Added to the timeline's epoch, which begins anew with each machine.
    pub(super) epoch_base: u64,
    pub(super) pace: Pace,
    mailbox: Receiver<Mail>,
    program: Option<Box<dyn Program>>,
    /// No client has come yet that the program waits for.
    pub(super) waiting: bool,
    /// All CPUs wait; only mail can change that.
    idle: bool,
    /// Typed, and not yet put into the machine.
    pub(super) serial: Vec<u8>,
    serial_closed: bool,
    /// Host time since the machine's clock was set to pace it, and the clock then.
    pacing: (Stopwatch, u64),
    exit: Option<u8>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("target", &self.target).field("clients", &self.clients).finish()
    }
}

impl Driver {
    /// Powers the machine on.
    pub(super) fn new(config: ServerConfig, mailbox: Receiver<Mail>, sender: Sender<Mail>) -> Result<Self, String> {
        let ServerConfig { mut image, machine: config, history_bytes, program } = config;
        let machine = catch("powering the machine on", || image.power_on(&config)).and_then(|machine| machine)?;
        let target = Target::new(Timeline::new(machine, history_bytes), image);
        let waiting = program.as_ref().is_some_and(|program| program.waits_for_client());
        Ok(Self {
            target,
            config,
            history_bytes,
            clients: Vec::new(),
            gdb: None,
            driving: None,
            crashed: None,
            listener: None,
            sender,
            epoch_base: 0,
            pace: Pace { steps: *PIECE_STEPS.start() * 10 },
            mailbox,
            program,
            waiting,
            idle: false,
            serial: Vec::new(),
            serial_closed: false,
            pacing: (Stopwatch::start(), 0),
            exit: None,
        })
    }

    /// Until the program ends or somebody asks to quit. The exit status.
    pub(super) fn run(mut self) -> u8 {
        loop {
            match self.next_mail() {
                Ok(Some(mail)) => self.handle(mail),
                Ok(None) => {}
                Err(()) => return 0,
            }
            if self.exit.is_none() {
                self.move_on();
            }
            if let Some(status) = self.exit {
                self.clients.iter_mut().for_each(|client| drop(client.flush()));
                return status;
            }
        }
    }

    /// The next mail; None: there is none, and the machine has to move. Err: nobody can send any more.
    fn next_mail(&self) -> Result<Option<Mail>, ()> {
        if !self.has_work() {
            return self.mailbox.recv().map(Some).map_err(drop);
        }
        match self.pacing_wait() {
            Some(wait) => match self.mailbox.recv_timeout(wait) {
                Ok(mail) => Ok(Some(mail)),
                Err(RecvTimeoutError::Timeout) => Ok(None),
                Err(RecvTimeoutError::Disconnected) => Err(()),
            },
            None => match self.mailbox.try_recv() {
                Ok(mail) => Ok(Some(mail)),
                Err(TryRecvError::Empty) => Ok(None),
                Err(TryRecvError::Disconnected) => Err(()),
            },
        }
    }

    fn gdb_runs(&self) -> bool {
        self.gdb.is_some_and(|id| self.clients.iter().any(|client| client.id == id && client.is_running()))
    }

    /// Nobody looks or drives. A window that only looks must not see the machine run away under it.
    fn program_runs(&self) -> bool {
        let watched = self.clients.iter().any(|client| client.is_window);
        self.program.is_some() && self.gdb.is_none() && !watched && !self.waiting
    }

    fn has_work(&self) -> bool {
        self.crashed.is_none() && !self.idle && (self.gdb_runs() || self.program_runs())
    }

    /// How long a machine that waits for its own timer has to wait for its clock to be the user's: a program that a
    /// person types at must not let virtual seconds fly by. A machine that computes is never held back.
    fn pacing_wait(&self) -> Option<Duration> {
        let interactive = self.program.as_ref().is_some_and(|program| program.reads_input()) && !self.serial_closed;
        let machine = self.target.timeline.machine();
        if !interactive || machine.next_cpu().is_some() {
            return None;
        }
        let (since, clock_then) = &self.pacing;
        let ahead =
            Duration::from_nanos(machine.clock_ns().saturating_sub(*clock_then)).checked_sub(since.elapsed())?;
        (!ahead.is_zero()).then(|| ahead.min(MAX_PACING))
    }

    /// What is known of the machine before something may move it.
    fn before(&self) -> (Position, u64, u64) {
        let timeline = &self.target.timeline;
        (timeline.position(), timeline.console(u64::MAX).total, self.epoch())
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch_base + self.target.timeline.epoch()
    }

    fn after(&mut self, (from, console_from, epoch): (Position, u64, u64)) {
        let new_future = self.epoch() != epoch;
        if let Some(program) = &mut self.program
            && (new_future || self.target.timeline.position() != from)
        {
            // Undo and restart also go back, beyond where the machine was.
            let from = from.min(self.target.timeline.position());
            let console_from = console_from.min(self.target.timeline.console(u64::MAX).total);
            program.observe(&self.target, Moved { from, console_from, new_future });
        }
    }

    /// Does something with the machine; a panic in it ends the machine, not the server.
    pub(super) fn guarded<T>(&mut self, what: &str, act: impl FnOnce(&mut Self) -> T) -> Result<T, String> {
        if let Some(message) = &self.crashed {
            return Err(message.clone());
        }
        let result = catch(what, || {
            let before = self.before();
            let result = act(self);
            self.after(before);
            result
        });
        result.inspect_err(|message| {
            self.crashed = Some(message.clone());
            if let Some(program) = &mut self.program {
                program.crashed(message);
                // Nobody could ever restart it: end.
                if self.listener.is_none() && self.clients.is_empty() {
                    self.exit = Some(CRASHED);
                }
            }
        })
    }

    /// One piece of whatever run is on.
    fn move_on(&mut self) {
        if !self.has_work() || self.pacing_wait().is_some() {
            return;
        }
        let watch = Stopwatch::start();
        let from = self.target.timeline.position().0;
        // A crash was noted by `guarded`, and clients learn of it by their next request or below.
        let result = if self.gdb_runs() {
            self.guarded("running the machine", Self::gdb_piece)
        } else {
            self.guarded("running the machine", Self::program_piece)
        };
        match result {
            Ok(()) => {
                let moved = self.target.timeline.position().0.abs_diff(from);
                self.pace.learn(moved, watch.elapsed());
                let behind = self.target.timeline.machine().clock_ns().saturating_sub(self.pacing.1);
                if Duration::from_nanos(behind) <= self.pacing.0.elapsed() {
                    self.pacing = (Stopwatch::start(), self.target.timeline.machine().clock_ns());
                }
            }
            Err(message) => self.end_gdb(&format!("The machine's thread crashed: {message}")),
        }
    }

    fn gdb_piece(&mut self) {
        let forward = self.target.run.as_ref().is_some_and(|run| !run.is_backward());
        if forward {
            let bytes = take_serial(&mut self.serial, &self.target);
            if !bytes.is_empty() {
                self.target.timeline.serial_input(&bytes);
            }
        }
        let input = self.program.as_ref().is_some_and(|program| program.reads_input()) && !self.serial_closed;
        match self.target.run_piece(self.pace.steps(), input) {
            Piece::Stopped(reason) => self.tell_gdb(reason),
            Piece::GoesOn => {}
            Piece::Idle => self.idle = true,
        }
    }

    fn tell_gdb(&mut self, reason: gdbstub::stub::MultiThreadStopReason<u64>) {
        self.idle = false;
        self.target.run = None;
        let Some(index) = self.gdb.and_then(|id| self.clients.iter().position(|client| client.id == id)) else {
            return;
        };
        let told = self.clients[index].stopped(&mut self.target, reason);
        if told.is_err() || self.clients[index].flush().is_err() {
            self.remove_client(index);
        }
    }

    fn program_piece(&mut self) {
        let Some(program) = &mut self.program else { return };
        let goal = program.goal(&self.target);
        let serial_input = take_serial(&mut self.serial, &self.target);
        let request = Advance {
            cpu: goal.cpu,
            hold_others: false,
            direction: Direction::Forward,
            until: goal.until,
            budget: goal.max_steps.min(self.pace.steps()),
            serial_input,
            wanted: Wanted::default(),
        };
        // A refusal here is a goal that makes no sense, which the program checks when it starts.
        let reason = self
            .target
            .timeline
            .advance(&request)
            .unwrap_or_else(|refusal| StopReason::CannotStep { why: refusal_in_words(&refusal) });
        if matches!(reason, StopReason::AllWaiting) {
            // Typed while this piece ran, and the guest listens: that goes on.
            if !self.serial.is_empty() && guest_listens(&self.target) {
                return;
            }
            // A debugger that may still come can wake it as well.
            if program.reads_input() && !self.serial_closed || self.listener.is_some() {
                self.idle = true;
                return;
            }
        }
        self.exit = program.stopped(&self.target, &reason);
    }

    fn handle(&mut self, mail: Mail) {
        self.idle = false;
        match mail {
            Mail::Connected(id, writer) => {
                let client = Client::new(id, writer, &mut self.target);
                self.clients.push(client);
            }
            Mail::Gone(id) => {
                if let Some(index) = self.index(id) {
                    self.remove_client(index);
                }
            }
            Mail::Bytes(id, bytes) => self.bytes(id, &bytes),
            Mail::Listen { address, reply } => {
                // The one who asked may be gone: the socket is open all the same.
                let _ = reply.send(self.listen(&address));
            }
            Mail::Serial(bytes) => self.serial.extend_from_slice(&bytes),
            Mail::SerialClosed => self.serial_closed = true,
            Mail::Quit => self.exit = Some(0),
        }
    }

    pub(super) fn listen(&mut self, address: &str) -> Result<std::net::SocketAddr, String> {
        let listener = Listener::open(address, self.sender.clone()).map_err(|error| error.to_string())?;
        let at = listener.address();
        self.listener = Some(listener);
        Ok(at)
    }

    pub(super) fn index(&self, id: ClientId) -> Option<usize> {
        self.clients.iter().position(|client| client.id == id)
    }

    fn bytes(&mut self, id: ClientId, bytes: &[u8]) {
        let Some(index) = self.index(id) else { return };
        let items = self.clients[index].feed(bytes);
        for item in items {
            // An item can end this session or another one: look it up each time.
            let Some(index) = self.index(id) else { return };
            if let Err(why) = self.item(index, item) {
                if let Some(program) = &mut self.program {
                    program.session_ended(&why);
                }
                if let Some(index) = self.index(id) {
                    self.remove_client(index);
                }
                return;
            }
        }
        if let Some(index) = self.index(id)
            && self.clients[index].flush().is_err()
        {
            self.remove_client(index);
        }
    }

    /// One thing that a client sent. Err: the session is over, why in words.
    fn item(&mut self, index: usize, item: Incoming) -> Result<(), String> {
        let asks = matches!(item, Incoming::Packet(_) | Incoming::Request(_));
        if asks && let Some(message) = self.clients[index].farewell() {
            let message = format!("E.{message}");
            self.clients[index].answer(message.as_bytes());
            return self.hang_up(index);
        }
        if self.clients[index].is_gdb && matches!(item, Incoming::Packet(_)) && !self.attach(index) {
            self.clients[index].answer(b"E.another gdb is attached to this machine; detach it first");
            return self.hang_up(index);
        }
        match item {
            Incoming::Packet(body) => return self.packet(index, &body, false),
            Incoming::Silent(body) => return self.packet(index, &body, true),
            Incoming::Request(request) => {
                let id = self.clients[index].id;
                self.clients[index].is_window = true;
                let answer = match checked(request) {
                    Ok(request) => self.request(id, request),
                    Err(refusal) => Answer::Refused(refusal),
                };
                // A request can end another client's session, so look this one up again.
                if let Some(index) = self.index(id) {
                    self.clients[index].vendor_answer(&answer);
                }
            }
            Incoming::Answer(body) => self.clients[index].answer(&body),
            Incoming::Raw(bytes) => self.clients[index].raw(&bytes),
            Incoming::SetPhysical(physical) => {
                self.target.physical = physical;
                self.clients[index].answer(b"OK");
            }
            Incoming::IsPhysical => {
                let digit = if self.target.physical { b"1" } else { b"0" };
                self.clients[index].answer(digit);
            }
            // ^C that crosses a stop on its way has done its work already.
            Incoming::Interrupt => {
                if self.clients[index].is_running() {
                    let reason = self.target.interrupted();
                    self.tell_gdb(reason);
                }
            }
            Incoming::Hopeless(why) => return Err(why),
        }
        Ok(())
    }

    /// A vendor request. Power off and on is also the way back from a crash.
    fn request(&mut self, id: ClientId, request: Request) -> Answer {
        let power_cycle = matches!(request, Request::Restart { .. } | Request::Reload);
        let crashed = if power_cycle { self.crashed.take() } else { None };
        let answer = self
            .guarded("answering a request", |driver| driver.vendor(id, request))
            .unwrap_or_else(|message| Answer::Refused(Refusal::Crashed(message)));
        if matches!(answer, Answer::Refused(_)) && self.crashed.is_none() {
            self.crashed = crashed;
        }
        answer
    }

    /// Sends the last answer and ends the session.
    fn hang_up(&mut self, index: usize) -> Result<(), String> {
        // It ends in any case.
        let _ = self.clients[index].flush();
        Err("told to leave".into())
    }

    fn packet(&mut self, index: usize, body: &[u8], silent: bool) -> Result<(), String> {
        let session =
            self.guarded("answering gdb", |driver| driver.clients[index].packet(&mut driver.target, body, silent))??;
        match session {
            Session::Open => Ok(()),
            Session::Left => {
                // The answer to detach has to get out first.
                let _ = self.clients[index].flush();
                Err("gdb detached".into())
            }
        }
    }

    /// gdb takes the machine. False: another one has it.
    fn attach(&mut self, index: usize) -> bool {
        let id = self.clients[index].id;
        if self.gdb.is_none() {
            self.gdb = Some(id);
            self.waiting = false;
        }
        self.gdb == Some(id)
    }

    /// Ends gdb's session, so that others may drive.
    pub(super) fn end_gdb(&mut self, message: &str) {
        let Some(index) = self.gdb.and_then(|id| self.index(id)) else { return };
        if self.clients[index].end_with(message) {
            // The client goes in any case.
            let _ = self.clients[index].flush();
            self.remove_client(index);
        } else {
            self.release_gdb();
        }
    }

    /// The machine is nobody's.
    fn release_gdb(&mut self) {
        self.gdb = None;
        self.target.run = None;
        self.target.physical = false;
        self.target.clear_gdb_breakpoints();
    }

    fn remove_client(&mut self, index: usize) {
        let client = self.clients.remove(index);
        if self.gdb == Some(client.id) {
            self.release_gdb();
        }
        if self.driving == Some(client.id) {
            self.driving = None;
        }
    }
}

/// What was typed, once the guest listens: keys typed ahead would be lost when it sets its line up.
pub(super) fn take_serial(typed: &mut Vec<u8>, target: &Target) -> Vec<u8> {
    if guest_listens(target) { std::mem::take(typed) } else { Vec::new() }
}

fn guest_listens(target: &Target) -> bool {
    target.timeline.machine().bus().devices.uart.requests_to_send()
}

/// Runs something of the machine's; a panic becomes its message.
fn catch<T>(what: &str, act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        format!("a panic while {what}: {message}")
    })
}
