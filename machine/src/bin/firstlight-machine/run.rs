//! What the program does with its machine: runs it to its goal, puts out what happened once, and ends with a status.

use crate::events_json;
use crate::serial_stdio::Output;
use crate::until::Condition;
use machine::gdb::target::Target;
use machine::server::names::Names;
use machine::server::narrate;
use machine::server::program::{Goal, Moved, Program};
use protocol::breakpoint::EventFilter;
use protocol::event::Delivery;
use protocol::request::{StopReason, Until};
use protocol::{LinearAddr, Position};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// Exit statuses; see the manual in `flags`.
mod status {
    pub const DONE: u8 = 0;
    pub const MAX_STEPS: u8 = 4;
    pub const TRIPLE_FAULT: u8 = 6;
    pub const ALL_WAITING: u8 = 8;
    pub const UNSUPPORTED: u8 = 10;
}

/// Where the guest's serial output goes.
pub enum SerialOut {
    /// To standard output.
    Stdio(Output),
    /// To a file.
    File(std::fs::File),
    /// Nowhere.
    Null,
}

/// The run.
pub struct Run {
    pub until: Option<Condition>,
    pub max_steps: Option<u64>,
    pub wait: bool,
    pub narrate: bool,
    pub serial: SerialOut,
    pub events: Option<std::io::BufWriter<std::fs::File>>,
    /// The terminal is raw: lines of ours need carriage returns.
    pub raw: bool,
    /// Bytes of console output already put out.
    pub console_done: u64,
    /// Events up to here are put out.
    pub events_done: Position,
    /// An output that could not be written; told once.
    pub broken: bool,
    /// Where the run goes when the program ends.
    pub save: Option<std::fs::File>,
    /// Where the firmware's variables go when the program ends, and what they are now.
    pub variables: Option<(PathBuf, Option<Arc<Vec<u8>>>)>,
}

impl Run {
    fn say(&self, line: &str) {
        let end = if self.raw { "\r\n" } else { "\n" };
        // Where standard error is closed nobody wants to know.
        let _ = write!(std::io::stderr(), "{line}{end}");
    }

    /// Puts out what happened since the last time.
    fn put_out(&mut self, target: &Target) -> std::io::Result<()> {
        let timeline = &target.timeline;
        let text = timeline.console(self.console_done);
        if text.total > self.console_done {
            match &mut self.serial {
                SerialOut::Stdio(output) => output.write(&text.bytes)?,
                SerialOut::File(file) => file.write_all(&text.bytes)?,
                SerialOut::Null => {}
            }
            self.console_done = text.total;
        }
        let now = timeline.position();
        if now > self.events_done && (self.narrate || self.events.is_some()) {
            let names = Names::new(target.image.profile(), timeline.machine());
            for event in timeline.events(self.events_done, now, usize::MAX) {
                if let Some(file) = &mut self.events {
                    writeln!(file, "{}", events_json::line(&event))?;
                }
                if self.narrate {
                    self.say(&format!("{:>10}  {}", event.position, narrate::event(&event, &names)));
                }
            }
            if let Some(file) = &mut self.events {
                file.flush()?;
            }
        }
        self.events_done = self.events_done.max(now);
        Ok(())
    }
}

impl Program for Run {
    fn waits_for_client(&self) -> bool {
        self.wait
    }

    fn reads_input(&self) -> bool {
        matches!(self.serial, SerialOut::Stdio(_))
    }

    fn goal(&mut self, target: &Target) -> Goal {
        let now = target.timeline.position().0;
        let max_steps = self.max_steps.map_or(u64::MAX, |max| max.saturating_sub(now));
        let (cpu, until) = match &self.until {
            // Nothing to look for: run until something stops it.
            None => (None, Until::Breakpoint),
            Some(Condition::Steps(steps)) => (None, Until::Steps(steps.saturating_sub(now).max(1))),
            Some(Condition::Event(cpu, filter)) => (*cpu, Until::Event(filter.clone())),
            Some(Condition::Address(cpu, linear)) => (*cpu, Until::Address(LinearAddr(*linear))),
            Some(Condition::Symbol(cpu, name)) => {
                match Names::new(target.image.profile(), target.timeline.machine()).address(name) {
                    Some(linear) => (*cpu, Until::Address(LinearAddr(linear))),
                    // A symbol of the real-mode blob, which has no place yet. It is there before the first SIPI is sent.
                    None => (None, Until::Event(EventFilter::Ipi { delivery: Some(Delivery::Sipi), to: None })),
                }
            }
        };
        Goal { cpu, until, max_steps }
    }

    fn observe(&mut self, target: &Target, moved: Moved) {
        if moved.new_future {
            self.console_done = self.console_done.min(moved.console_from);
            self.events_done = self.events_done.min(moved.from);
        }
        if let Some((_, now)) = &mut self.variables {
            *now = Some(Arc::clone(target.timeline.machine().bus().devices.nvram.bytes()));
        }
        if let Err(error) = self.put_out(target)
            && !std::mem::replace(&mut self.broken, true)
        {
            self.say(&format!("firstlight-machine: output was lost: {error}"));
        }
    }

    fn stopped(&mut self, target: &Target, reason: &StopReason) -> Option<u8> {
        let max_reached = self.max_steps.is_some_and(|max| target.timeline.position().0 >= max);
        match reason {
            StopReason::Reached => {
                let placed = |name: &str| {
                    Names::new(target.image.profile(), target.timeline.machine()).address(name).is_some_and(|linear| {
                        target.timeline.machine().cpus().iter().any(|cpu| cpu.linear_pc() == linear)
                    })
                };
                match &self.until {
                    // The SIPI that was run to first, for the blob to be in its place.
                    Some(Condition::Symbol(_, name)) if !placed(name) => None,
                    _ => Some(status::DONE),
                }
            }
            StopReason::TripleFault { .. }
                if matches!(self.until, Some(Condition::Event(_, EventFilter::TripleFault))) =>
            {
                Some(status::DONE)
            }
            StopReason::PowerOff => Some(status::DONE),
            StopReason::Exit { value } => Some(value << 1 | 1),
            StopReason::TripleFault { .. } => {
                self.tell_triple_fault(target);
                Some(status::TRIPLE_FAULT)
            }
            StopReason::AllWaiting => {
                self.say("firstlight-machine: all CPUs wait, no timer runs and no input can come.");
                Some(status::ALL_WAITING)
            }
            StopReason::Unsupported { .. } | StopReason::CannotStep { .. } => {
                let why = narrate::stop(reason).unwrap_or_default();
                self.say(&format!("firstlight-machine: {why}"));
                Some(status::UNSUPPORTED)
            }
            _ if max_reached => {
                self.say(&format!("firstlight-machine: --max-steps {} were made.", self.max_steps.unwrap_or_default()));
                Some(status::MAX_STEPS)
            }
            // A window's breakpoint, or the end of a piece.
            _ => None,
        }
    }

    fn ended(&mut self, run: &dyn Fn() -> protocol::run::Run) {
        if let Some((path, Some(bytes))) = self.variables.take()
            && let Err(error) = std::fs::write(&path, &*bytes)
        {
            let path = path.display();
            self.say(&format!("firstlight-machine: --efi-variables {path}: {error}: they are lost."));
        }
        let Some(mut file) = self.save.take() else { return };
        let text = serde_json::to_string_pretty(&run()).map_err(std::io::Error::other);
        let written = text.and_then(|text| {
            file.set_len(0)?;
            writeln!(file, "{text}")
        });
        if let Err(error) = written {
            self.say(&format!("firstlight-machine: --save-run: {error}: the run is not saved."));
        }
    }

    fn crashed(&mut self, message: &str) {
        self.say(&format!(
            "firstlight-machine: the machine crashed: {message}. This is a bug in Firstlight, please report it."
        ));
    }

    fn session_ended(&mut self, why: &str) {
        self.say(&format!("firstlight-machine: a debugger's session ended: {why}."));
    }
}

impl Run {
    fn tell_triple_fault(&self, target: &Target) {
        let names = Names::new(target.image.profile(), target.timeline.machine());
        let now = target.timeline.position();
        let last = target.timeline.events(Position(now.0.saturating_sub(1)), now, usize::MAX);
        let told = last.iter().find(|event| matches!(event.kind, protocol::EventKind::TripleFault { .. }));
        match told {
            Some(event) => self.say(&format!("firstlight-machine: {}", narrate::event(event, &names))),
            None => self.say("firstlight-machine: a CPU shut down after a triple fault."),
        }
    }
}
