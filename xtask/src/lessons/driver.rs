//! A machine of its own for a lesson's player: carries the player's orders to it and the answers back, one by one, and
//! returns when there is nothing left to do.

use crate::cmd::Background;
use crate::{gdb, rsp};
use anyhow::{Result, bail};
use lessons::player::{Order, Player, Seen};
use protocol::request::{Advance, Answer, Direction, Refusal, Request, StopReason, Stopped, Until, Wanted};

/// Steps in one piece of a run.
const PIECE: u64 = 5_000_000;
/// Orders that one act of a learner may cost; more is an endless loop.
const MAX_ORDERS: usize = 50_000;

/// The machine and the last thing it told.
pub struct Driver {
    client: rsp::Client,
    _machine: Background,
    last: Option<Stopped>,
    refusal: Option<Refusal>,
}

impl Driver {
    /// Starts a machine. It stands at its first step.
    pub fn start() -> Result<Self> {
        let (child, address) = gdb::start_machine(&[], false)?;
        let machine = Background(child);
        Ok(Self { client: rsp::Client::connect(&address)?, _machine: machine, last: None, refusal: None })
    }

    /// Does what the player orders, until it orders nothing more.
    pub fn serve(&mut self, player: &mut Player) -> Result<()> {
        let mut done = 0;
        let mut orders = player.take_orders().into_iter();
        loop {
            let Some(order) = orders.next() else {
                let more = player.take_orders();
                if more.is_empty() {
                    return Ok(());
                }
                orders = more.into_iter();
                continue;
            };
            done += 1;
            if done > MAX_ORDERS {
                bail!("the player orders without end; the last order was {order:?}");
            }
            match order {
                Order::Read(ticket, request) => player.answer(ticket, self.client.request(&request)?),
                Order::Move(request) => self.make_move(player, request)?,
                Order::Run(advance) => self.run(player, advance)?,
            }
        }
    }

    /// What the machine's own narrator says of the last events.
    pub fn narration(&mut self, lines: usize) -> Result<Vec<String>> {
        self.monitor(&format!("narrate {lines}"))
    }

    /// The code from where a CPU stands.
    pub fn code(&mut self, cpu: usize) -> Result<Vec<String>> {
        self.monitor(&format!("code {} {cpu} 4", self.pc(cpu)))
    }

    /// What the machine told last.
    pub fn last(&self) -> Option<&Stopped> {
        self.last.as_ref()
    }

    /// Why the last move was refused, in words.
    pub fn take_refusal(&mut self) -> Option<String> {
        self.refusal.take().map(|refusal| match refusal {
            Refusal::Invalid(why) => why,
            Refusal::NothingToUndo => "there is no change to take back".to_owned(),
            Refusal::GdbDrives => "a gdb is attached and drives".to_owned(),
            Refusal::Crashed(why) => format!("it failed: {why}"),
            Refusal::Version(other) => format!("it speaks version {other}"),
        })
    }

    fn pc(&self, cpu: usize) -> String {
        let state = self.last.as_ref().and_then(|stopped| stopped.cpus.get(cpu));
        state.map_or_else(String::new, |state| format!("{:#x}", state.linear_pc().0))
    }

    /// What a `monitor` command prints.
    pub fn monitor(&mut self, command: &str) -> Result<Vec<String>> {
        let text = self.client.monitor(command)?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Moves the machine by somebody's wish and tells the player.
    pub fn make_move(&mut self, player: &mut Player, mut request: Request) -> Result<()> {
        if let Request::Seek { wanted, .. }
        | Request::Edit { wanted, .. }
        | Request::Undo { wanted }
        | Request::LoadRun { wanted, .. } = &mut request
        {
            wanted.all_cpus = true;
        }
        let mut answer = self.client.request(&request)?;
        if matches!(answer, Answer::Hello(_)) {
            answer = self.client.request(&Request::State { wanted: all_cpus() })?;
        }
        self.report(player, answer, false)
    }

    /// Runs as a row of pieces; an order of the player that moves the machine ends it.
    pub fn run(&mut self, player: &mut Player, mut advance: Advance) -> Result<()> {
        advance.wanted.all_cpus = true;
        let whole = matches!(advance.until, Until::Over | Until::Out) && advance.direction == Direction::Forward;
        let given = advance.budget;
        loop {
            advance.budget = if whole { given } else { PIECE };
            let from = self.last.as_ref().map_or(0, |stopped| stopped.position.0);
            let answer = self.client.request(&Request::Advance(advance.clone()))?;
            let unfinished = matches!(&answer, Answer::Stopped(stopped) if stopped.reason == StopReason::Budget);
            let goes_on = unfinished && !whole;
            self.report(player, answer, goes_on)?;
            if !goes_on {
                return Ok(());
            }
            advance.serial_input.clear();
            if let (Until::Steps(steps), None, Some(last)) = (&mut advance.until, advance.cpu, &self.last) {
                *steps = steps.saturating_sub(last.position.0.abs_diff(from));
            }
            if player.wants_to_move() {
                if let Some(last) = &mut self.last {
                    last.reason = StopReason::Interrupted;
                    player.stopped(&Seen::of(last, false));
                }
                return Ok(());
            }
        }
    }

    fn report(&mut self, player: &mut Player, answer: Answer, running: bool) -> Result<()> {
        match answer {
            Answer::Stopped(stopped) => {
                player.stopped(&Seen::of(&stopped, running));
                self.last = Some(*stopped);
            }
            Answer::Refused(refusal) => {
                player.refused(&refusal);
                self.refusal = Some(refusal);
            }
            other => bail!("the machine answered a move with {other:?}"),
        }
        Ok(())
    }
}

fn all_cpus() -> Wanted {
    Wanted { all_cpus: true, ..Wanted::default() }
}
