//! The driver: the one thread that owns the machine. It takes mail, and between mails moves the machine on in pieces of
//! a few milliseconds, so that nobody waits.
//!
//! Who moves the machine: gdb while it is attached; else the window that drives ([`super::vendor`]); else the
//! [`Program`], if there is one. A panic of the machine is caught here: from then on requests are refused with its
//! message until a restart.

use super::ServerConfig;
use super::connection::Client;
use super::mail::{ClientId, Mail, Mailbox};
use super::pace::Pace;
use super::platform::Stopwatch;
use super::program::{Moved, Program};
use crate::gdb::resume::{Piece, refusal_in_words};
use crate::gdb::target::Target;
use crate::timeline::Timeline;
use protocol::Position;
use protocol::request::{Advance, Direction, MachineConfig, StopReason, Wanted};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Longest wait of an idle machine for its own clock, so that mail is looked at.
const MAX_PACING: Duration = Duration::from_millis(50);
/// Exit status after a crash of the machine, as Rust's programs have after a panic.
const CRASHED: u8 = 101;

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
    /// Added to the timeline's epoch, which begins anew with each machine.
    pub(super) epoch_base: u64,
    pub(super) pace: Pace,
    /// Mail, and the sockets.
    pub(super) mailbox: Mailbox,
    pub(super) program: Option<Box<dyn Program>>,
    /// No client has come yet that the program waits for.
    pub(super) waiting: bool,
    /// All CPUs wait; only mail can change that.
    pub(super) idle: bool,
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
    pub(super) fn new(config: ServerConfig, mailbox: Mailbox) -> Result<Self, String> {
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
            epoch_base: 0,
            pace: Pace::default(),
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
            if let Some(mail) = self.next_mail() {
                self.handle(mail);
            }
            if self.exit.is_none() {
                self.move_on();
            }
            if let Some(status) = self.exit {
                self.clients.iter_mut().for_each(|client| drop(client.flush()));
                if let Some(mut program) = self.program.take().filter(|_| self.crashed.is_none()) {
                    program.ended(&|| self.run_file());
                }
                return status;
            }
        }
    }

    /// The next mail; None: there is none, and the machine has to move.
    fn next_mail(&mut self) -> Option<Mail> {
        let at_most = self.has_work().then(|| self.pacing_wait().unwrap_or_default());
        self.mailbox.next(at_most)
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
                if self.mailbox.sockets.listening().is_none() && self.clients.is_empty() {
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

    fn program_piece(&mut self) {
        let Some(program) = &mut self.program else { return };
        let goal = program.goal(&self.target);
        // What is typed must not cut a run short that is being played.
        let plays = self.target.timeline.position() < self.target.timeline.end();
        let serial_input = if plays { Vec::new() } else { take_serial(&mut self.serial, &self.target) };
        let request = Advance {
            cpu: goal.cpu,
            hold_others: false,
            direction: Direction::Forward,
            until: goal.until,
            budget: goal.max_steps.min(self.pace.steps()),
            serial_input,
            keys: Vec::new(),
            wanted: Wanted::default(),
        };
        // A refusal here is a goal that makes no sense, which the program checks when it starts.
        let reason = match self.target.timeline.advance(&request) {
            // The CPU that the goal is about cannot step because all wait: the same to somebody who only looks on.
            Ok(StopReason::CannotStep { .. }) => StopReason::AllWaiting,
            Ok(reason) => reason,
            Err(refusal) => StopReason::CannotStep { why: refusal_in_words(&refusal) },
        };
        if matches!(reason, StopReason::AllWaiting) {
            // Typed while this piece ran, and the guest listens: that goes on.
            if !self.serial.is_empty() && guest_listens(&self.target) {
                return;
            }
            // A debugger that may still come can wake it as well.
            if program.reads_input() && !self.serial_closed || self.mailbox.sockets.listening().is_some() {
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
        self.mailbox.sockets.listen(address).map_err(|error| error.to_string())
    }

    pub(super) fn index(&self, id: ClientId) -> Option<usize> {
        self.clients.iter().position(|client| client.id == id)
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
pub(super) fn catch<T>(what: &str, act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        format!("a panic while {what}: {message}")
    })
}
