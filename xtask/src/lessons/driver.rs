//! A machine of its own for a lesson's player: carries the player's orders to it and the answers back, one by one, and
//! returns when there is nothing left to do.

use crate::cmd::Background;
use crate::{gdb, rsp};
use anyhow::{Result, bail};
use lessons::expr::{Moment, name_at};
use lessons::player::{Order, Player, Seen};
use protocol::profile::Profile;
use protocol::request::{
    Advance, Answer, CodeLine, Direction, MAX_EVENTS, Refusal, Request, StopReason, Stopped, Until, Wanted,
};
use protocol::{CpuId, CpuState, Position};
use std::sync::Arc;

/// Steps in one piece of a run.
const PIECE: u64 = 5_000_000;
/// Orders that one act of a learner may cost; more is an endless loop.
const MAX_ORDERS: usize = 50_000;

/// The machine and the last thing it told.
pub struct Driver {
    address: String,
    client: rsp::Client,
    _machine: Background,
    last: Option<Stopped>,
    refusal: Option<Refusal>,
    /// The names in the image, once they were asked for.
    profile: Option<Arc<Profile>>,
}

impl Driver {
    /// Starts a machine. It stands at its first step.
    pub fn start() -> Result<Self> {
        let (child, address) = gdb::start_machine(&[], false)?;
        let machine = Background(child);
        let client = rsp::Client::connect(&address)?;
        Ok(Self { address, client, _machine: machine, last: None, refusal: None, profile: None })
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
    pub fn narration(&mut self, events: usize) -> Result<Vec<String>> {
        self.monitor(&format!("narrate {events}"))
    }

    /// How many events lie after a position, up to now.
    pub fn events_since(&mut self, position: Position) -> Result<usize> {
        let to = Position(u64::MAX);
        match self.client.request(&Request::Events { from: position, to, limit: MAX_EVENTS })? {
            Answer::Events(events) => Ok(events.len()),
            _ => Ok(0),
        }
    }

    /// What the kernel printed from a byte on, up to now, and how many bytes there are.
    pub fn console(&mut self, offset: u64) -> Result<(String, u64)> {
        match self.client.request(&Request::Console { offset })? {
            Answer::Console(text) => Ok((String::from_utf8_lossy(&text.bytes).into_owned(), text.total)),
            _ => Ok((String::new(), offset)),
        }
    }

    /// The code from where a CPU stands.
    pub fn code(&mut self, cpu: CpuId, count: u16) -> Result<Vec<String>> {
        let Some(state) = self.state(cpu) else { return Ok(Vec::new()) };
        let linear = state.linear_pc();
        match self.client.request(&Request::Code { cpu, linear, before: 0, count })? {
            Answer::Code(lines) => {
                let text = |line: &CodeLine| format!("{}  {}", line.linear, line.intel);
                Ok(lines.iter().map(text).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Where a CPU stands, with the name of the place.
    pub fn place(&mut self, cpu: CpuId) -> Result<String> {
        let Some(state) = self.state(cpu) else { return Ok(String::new()) };
        let linear = state.linear_pc();
        let name = self.name(linear.0)?.map(|name| format!(" <{name}>")).unwrap_or_default();
        Ok(format!("{cpu}: {}, {}, at {} = {linear}{name}", state.activity, state.mode, state.cs_ip()))
    }

    fn state(&self, cpu: CpuId) -> Option<CpuState> {
        self.last.as_ref()?.cpus.get(usize::from(cpu.0)).cloned()
    }

    /// The symbol at or before an address, as the lessons' own expressions find it.
    fn name(&mut self, linear: u64) -> Result<Option<String>> {
        const ROUNDS: usize = 8;
        if self.profile.is_none()
            && let Answer::Profile(Some(profile)) = self.client.request(&Request::Profile)?
        {
            self.profile = Some(Arc::new(profile));
        }
        let Some(last) = &self.last else { return Ok(None) };
        let here = last.position;
        let mut moment = Moment::new(self.profile.clone(), Arc::default(), here, here).with_cpus(&last.cpus);
        for _ in 0..ROUNDS {
            if let Some(found) = name_at(&mut moment, linear) {
                let written = |(name, behind): (String, u64)| match behind {
                    0 => name,
                    behind => format!("{name}+{behind:#x}"),
                };
                return Ok(found.map(written));
            }
            for request in moment.take_missing() {
                let answer = self.client.request(&request)?;
                moment.learn(&request, answer);
            }
        }
        Ok(None)
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

    /// What a `monitor` command prints. It comes over a connection of its own: whoever sends one is a gdb to the server,
    /// and drives the machine until it goes.
    pub fn monitor(&mut self, command: &str) -> Result<Vec<String>> {
        let text = rsp::Client::connect(&self.address)?.monitor(command)?;
        self.client.request(&Request::TakeOver)?;
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
            advance.keys.clear();
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
