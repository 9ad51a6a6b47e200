//! Moves a machine to where a lesson wants it: the learner's, in the open, or the private copy, unseen.
//!
//! Written so that it does not matter who else moved the learner's machine meanwhile: after each stop it looks where the
//! machine stands, and goes on from there. Each search is bounded. Neighbours: [`super::desk`] waits, [`super::prepare`]
//! and [`super::perform`] say where to go.

use super::desk::{Desk, Seat};
use super::trouble::Trouble;
use crate::stop::{NthEvent, Stop};
use protocol::breakpoint::EventFilter;
use protocol::event::Delivery;
use protocol::request::{Advance, Answer, Direction, Edit, MAX_EVENTS, Request, StopReason, Until, Wanted};
use protocol::run::Run;
use protocol::{Activity, CpuId, Event, LinearAddr, Position};

/// Machine steps after which a place that did not come is given up: two hundred boots of a lesson's machine.
pub const MAX_SEARCH: u64 = 400_000_000;
/// How often a search goes on after a stop that was not the one.
const MAX_TURNS: usize = 20_000;
/// Steps in one piece of a private run.
const PIECE: u64 = 20_000_000;
/// How often a seek is repeated because somebody else moved the machine.
const MAX_SEEKS: usize = 8;

/// Which machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The learner's, which everybody sees.
    Learner,
    /// The private copy.
    Copy,
}

/// A machine that is being moved.
#[derive(Clone, Debug)]
pub struct Traveller {
    /// Asks and waits.
    pub desk: Desk,
    /// Which machine.
    pub side: Side,
    /// Where it stood last.
    pub seat: Seat,
}

/// Everything of every CPU: what is seen of a machine must be whole.
fn wanted() -> Wanted {
    Wanted { all_cpus: true, ..Wanted::default() }
}

impl Traveller {
    /// The learner's machine as it was last seen.
    pub fn learner(desk: &Desk) -> Self {
        Self { desk: desk.clone(), side: Side::Learner, seat: desk.seat() }
    }

    /// A new private copy of the learner's machine.
    pub async fn copy(desk: &Desk) -> Result<Self, Trouble> {
        match desk.ask(Request::Copy).await {
            Answer::Done => {}
            Answer::Refused(refusal) => return Err(Trouble::Refused(refusal)),
            _ => return Err(Trouble::NoFit("Copy")),
        }
        let mut copy = Self { desk: desk.clone(), side: Side::Copy, seat: Seat::default() };
        copy.change(Request::State { wanted: wanted() }).await?;
        Ok(copy)
    }

    /// The request, to this machine.
    pub fn addressed(&self, request: Request) -> Request {
        match self.side {
            Side::Learner => request,
            Side::Copy => Request::Private(Box::new(request)),
        }
    }

    /// Asks something that does not move this machine.
    pub async fn ask(&self, request: Request) -> Answer {
        self.desk.ask(self.addressed(request)).await
    }

    /// A move, as one request.
    async fn change(&mut self, request: Request) -> Result<(), Trouble> {
        self.seat = match self.side {
            Side::Learner => self.desk.make_move(request).await?,
            Side::Copy => match self.ask(request).await {
                Answer::Stopped(stopped) => Seat {
                    reason: Some(stopped.reason),
                    position: stopped.position,
                    end: stopped.end,
                    epoch: stopped.epoch,
                    cpus: std::sync::Arc::new(stopped.cpus),
                },
                Answer::Refused(refusal) => return Err(Trouble::Refused(refusal)),
                _ => return Err(Trouble::NoFit("a move")),
            },
        };
        Ok(())
    }

    /// A run, until it stops for another reason than its budget, or has gone beyond `limit`.
    pub async fn run(&mut self, cpu: Option<CpuId>, until: Until, limit: Position) -> Result<(), Trouble> {
        self.advance(cpu, Direction::Forward, until, Vec::new(), limit).await
    }

    /// A run in either direction, with bytes for the serial line.
    pub async fn advance(
        &mut self,
        cpu: Option<CpuId>,
        direction: Direction,
        until: Until,
        serial_input: Vec<u8>,
        limit: Position,
    ) -> Result<(), Trouble> {
        let whole = matches!(until, Until::Over | Until::Out);
        let mut advance = Advance {
            cpu,
            hold_others: false,
            direction,
            until,
            budget: if whole { MAX_SEARCH / 4 } else { PIECE },
            serial_input,
            keys: Vec::new(),
            wanted: wanted(),
        };
        if self.side == Side::Learner {
            let begun = self.seat.position;
            match self.desk.run(advance, limit).await {
                Ok(seat) => self.seat = seat,
                Err(trouble) => {
                    // It may still be running: a move ends that.
                    let back = Request::Seek { position: begun, wanted: wanted() };
                    if trouble == Trouble::NeverCame {
                        self.seat = self.desk.make_move(back).await?;
                    }
                    return Err(trouble);
                }
            }
            return match self.seat.reason {
                Some(StopReason::Interrupted) => Err(Trouble::Paused),
                _ => Ok(()),
            };
        }
        loop {
            let before = self.seat.position;
            self.change(Request::Advance(advance.clone())).await?;
            advance.serial_input.clear();
            if self.seat.reason != Some(StopReason::Budget) || whole {
                return Ok(());
            }
            if self.seat.position > limit {
                return Err(Trouble::NeverCame);
            }
            if let (Until::Steps(left), None) = (&mut advance.until, cpu) {
                *left = left.saturating_sub(self.seat.position.0.abs_diff(before.0));
            }
        }
    }

    /// Events with `from < position <= to`.
    pub async fn events(&self, from: Position, to: Position) -> Result<Vec<Event>, Trouble> {
        match self.ask(Request::Events { from, to, limit: MAX_EVENTS }).await {
            Answer::Events(events) => Ok(events),
            Answer::Refused(refusal) => Err(Trouble::Refused(refusal)),
            _ => Err(Trouble::NoFit("Events")),
        }
    }

    /// To the first position, also where nobody has told yet where the machine stands.
    pub async fn start(&mut self) -> Result<(), Trouble> {
        self.change(Request::Seek { position: Position(0), wanted: wanted() }).await
    }

    /// To a recorded position.
    pub async fn seek(&mut self, position: Position) -> Result<(), Trouble> {
        for _ in 0..MAX_SEEKS {
            if self.seat.position == position {
                return Ok(());
            }
            self.change(Request::Seek { position, wanted: wanted() }).await?;
        }
        if self.seat.position == position { Ok(()) } else { Err(Trouble::Disturbed) }
    }

    /// To a position, running on where it is not recorded yet.
    pub async fn go_to(&mut self, position: Position) -> Result<(), Trouble> {
        for _ in 0..MAX_SEEKS {
            if position <= self.seat.end {
                return self.seek(position).await;
            }
            let end = self.seat.end;
            self.seek(end).await?;
            self.run(None, Until::Steps(position.0 - end.0), Position(position.0.saturating_add(PIECE))).await?;
            self.must_run_on()?;
        }
        Err(Trouble::Disturbed)
    }

    /// Power on with a run and go to a position of it.
    pub async fn load(&mut self, run: Run, position: Position) -> Result<(), Trouble> {
        self.change(Request::LoadRun { run: Box::new(run), position, wanted: wanted() }).await?;
        self.seek(position).await
    }

    /// A debugger's change.
    pub async fn edit(&mut self, edit: Edit) -> Result<(), Trouble> {
        self.change(Request::Edit { edit, wanted: wanted() }).await
    }

    /// Takes the last change back.
    pub async fn undo(&mut self) -> Result<(), Trouble> {
        self.change(Request::Undo { wanted: wanted() }).await
    }

    /// The last run ended where no further run leads on.
    fn must_run_on(&self) -> Result<(), Trouble> {
        match &self.seat.reason {
            Some(
                reason @ (StopReason::AllWaiting
                | StopReason::TripleFault { .. }
                | StopReason::Unsupported { .. }
                | StopReason::Exit { .. }
                | StopReason::PowerOff
                | StopReason::CannotStep { .. }
                | StopReason::EndOfRecording),
            ) => Err(Trouble::Ended(reason.clone())),
            _ => Ok(()),
        }
    }

    /// Runs on from `from` to a stop. `address` is that of the symbol of [`Stop::At`], if it is known yet.
    pub async fn find_event(&mut self, event: &NthEvent, before: bool, from: Position) -> Result<(), Trouble> {
        let limit = Position(from.0.saturating_add(MAX_SEARCH));
        let watched = Stop::After(event.clone()).until();
        let Some((cpu, until)) = watched else { return Err(Trouble::NeverCame) };
        let nth = event.nth.max(1);
        let (mut epoch, mut looked_to, mut count) = (self.seat.epoch, from, 0);
        for _ in 0..MAX_TURNS {
            if self.seat.epoch != epoch {
                (epoch, looked_to, count) = (self.seat.epoch, from, 0);
            }
            if self.seat.position > looked_to {
                for found in self.events(looked_to, self.seat.position).await? {
                    count += u32::from(event.pattern.matches(&found));
                    if count == nth && event.pattern.matches(&found) {
                        let back = u64::from(before);
                        return self.seek(Position(found.position.0.saturating_sub(back))).await;
                    }
                }
                looked_to = self.seat.position;
                self.must_run_on()?;
            }
            if self.seat.position > limit {
                return Err(Trouble::NeverCame);
            }
            let here = self.seat.position;
            self.run(cpu, until.clone(), limit).await?;
            if self.seat.position == here {
                self.must_run_on()?;
            }
        }
        Err(Trouble::NeverCame)
    }

    /// Runs on until the CPU is about to execute the instruction there; where it is already, it stays.
    pub async fn find_address(
        &mut self,
        cpu: Option<CpuId>,
        linear: LinearAddr,
        from: Position,
    ) -> Result<(), Trouble> {
        let limit = Position(from.0.saturating_add(MAX_SEARCH));
        for _ in 0..MAX_TURNS {
            let there = |state: &&protocol::CpuState| {
                cpu.is_none_or(|cpu| cpu == state.cpu)
                    && state.activity == Activity::Running
                    && state.due.is_none()
                    && state.linear_pc() == linear
            };
            if self.seat.position >= from && self.seat.cpus.iter().any(|state| there(&state)) {
                return Ok(());
            }
            self.must_run_on()?;
            if self.seat.position > limit {
                return Err(Trouble::NeverCame);
            }
            self.run(cpu, Until::Address(linear), limit).await?;
        }
        Err(Trouble::NeverCame)
    }

    /// Runs on to the next start-up IPI: by then the kernel has put its real-mode code below 1 MiB.
    pub async fn run_to_next_sipi(&mut self, from: Position) -> Result<(), Trouble> {
        let limit = Position(from.0.saturating_add(MAX_SEARCH));
        let sipi = EventFilter::Ipi { delivery: Some(Delivery::Sipi), to: None };
        self.run(None, Until::Event(sipi), limit).await?;
        self.must_run_on()
    }

    /// One step of a CPU.
    pub async fn step_cpu(&mut self, cpu: CpuId) -> Result<(), Trouble> {
        let steps = |seat: &Seat| seat.cpus.iter().find(|state| state.cpu == cpu).map_or(0, |state| state.steps);
        let before = steps(&self.seat);
        let limit = Position(self.seat.position.0.saturating_add(MAX_SEARCH));
        for _ in 0..MAX_SEEKS {
            self.run(Some(cpu), Until::Steps(1), limit).await?;
            if steps(&self.seat) > before {
                return Ok(());
            }
            self.must_run_on()?;
        }
        Err(Trouble::Disturbed)
    }

    /// Runs until nothing can run any more.
    pub async fn run_to_end(&mut self) -> Result<(), Trouble> {
        let limit = Position(self.seat.position.0.saturating_add(MAX_SEARCH));
        for _ in 0..MAX_TURNS {
            self.run(None, Until::Breakpoint, limit).await?;
            if self.must_run_on().is_err() {
                return Ok(());
            }
        }
        Err(Trouble::NeverCame)
    }
}
