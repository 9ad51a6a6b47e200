//! The thread that owns the connection: carries orders out one by one and reports.
//!
//! A run is a row of advances of a few milliseconds each. Between two of them orders are looked at: what is typed goes
//! with the next advance, questions are answered, and to cancel is not to send the next.

use super::exchange::{Exchange, LinkError, SHORT};
use super::standard::Standard;
use super::{Target, transport::Transport};
use crate::model::connection::Offers;
use crate::model::inbox::Incoming;
use crate::model::outbox::{Order, Purpose};
use crate::model::typed::Typed;
use crate::platform::Moment;
use crate::rsp::features::{Features, QUERY};
use protocol::request::{Advance, Answer, Direction, MachineConfig, Refusal, Request, StopReason, Stopped, Until};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

/// How long an advance of a run shall take.
const SLICE: Duration = Duration::from_millis(6);
/// Bounds of an advance, in machine steps.
const BUDGET: std::ops::RangeInclusive<u64> = 1_000..=50_000_000;
/// Steps for what cannot be cut in advances: forwards, where "over" and "out" end is known only where they began.
const WHOLE_BUDGET: u64 = 20_000_000;
/// How long nothing happens before that is reported: the window then looks whether another client has moved the machine.
const IDLE: Duration = Duration::from_secs(2);
/// The same while gdb drives or may come.
const OBSERVE: Duration = Duration::from_millis(200);
/// A step of a server that is not ours takes no longer.
const STEP: Duration = Duration::from_millis(150);

/// Why serving a connection ended.
enum Ended {
    /// The window has gone.
    Quit,
    /// The user asked for a new connection, perhaps with another machine.
    Reconnect(Option<Box<MachineConfig>>),
    /// The connection is lost.
    Lost(LinkError),
}

impl From<LinkError> for Ended {
    fn from(error: LinkError) -> Self {
        Self::Lost(error)
    }
}

/// The worker.
pub(super) struct Worker {
    target: Target,
    orders: Receiver<Order>,
    reports: Sender<Incoming>,
    wake: Box<dyn Fn() + Send>,
    /// Orders that came during a run and wait for its end.
    waiting: VecDeque<Order>,
    /// Typed, and no advance has taken it along yet.
    typed: Typed,
    /// gdb drives, by the last report.
    observes: bool,
    /// The socket for gdb is open.
    listens: bool,
}

impl Worker {
    pub(super) fn new(
        target: Target,
        orders: Receiver<Order>,
        reports: Sender<Incoming>,
        wake: Box<dyn Fn() + Send>,
    ) -> Self {
        Self {
            target,
            orders,
            reports,
            wake,
            waiting: VecDeque::new(),
            typed: Typed::default(),
            observes: false,
            listens: false,
        }
    }

    /// The life of the thread: connect, serve, and after a loss wait until the user asks to connect again.
    pub(super) fn work(mut self) {
        let mut config = None;
        loop {
            let again = match self.connect_and_serve(config.take()) {
                Ended::Quit => return,
                Ended::Reconnect(with) => Some(with),
                Ended::Lost(error) => {
                    let why = format!("Connection to {} lost: {error}.", self.target.words);
                    self.report(Incoming::Lost { why });
                    self.wait_for_reconnect()
                }
            };
            match again {
                Some(with) => config = with,
                None => return,
            }
            self.waiting.clear();
            self.typed = Typed::default();
        }
    }

    /// None: the window has gone.
    fn wait_for_reconnect(&mut self) -> Option<Option<Box<MachineConfig>>> {
        loop {
            match self.orders.recv() {
                Ok(Order::Reconnect | Order::Move(Request::Reload)) => return Some(None),
                Ok(Order::Move(Request::Restart { config })) => return Some(Some(Box::new(config))),
                // Nobody is there to be asked anything else.
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    fn connect_and_serve(&mut self, config: Option<Box<MachineConfig>>) -> Ended {
        self.report(Incoming::Connecting { target: self.target.words.clone() });
        let transport = match (self.target.open)(config.map(|config| *config)) {
            Ok(transport) => transport,
            Err(why) => {
                self.report(Incoming::Lost { why });
                return self.wait_for_reconnect().map_or(Ended::Quit, Ended::Reconnect);
            }
        };
        let ended = self.serve(transport);
        match ended {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    fn serve(&mut self, transport: Transport) -> Result<std::convert::Infallible, Ended> {
        let mut link = Exchange::new(transport);
        let features = Features::parse(&link.call(QUERY.as_bytes(), SHORT)?);
        if features.has("QStartNoAckMode") {
            link.stop_acks()?;
        }
        if !features.vendor() {
            let mut standard = Standard::connect(&mut link, &features, &self.target.aside)?;
            self.report(Incoming::Connected { offers: standard.offers(), hello: None });
            let first = standard.stopped(StopReason::None);
            self.report(Incoming::Stopped(Box::new(first)));
            return self.serve_standard(&mut link, &mut standard);
        }
        self.say_hello(&mut link)?;
        loop {
            match self.next_order(&mut link)? {
                Order::Run(advance) => self.run(&mut link, advance)?,
                Order::Move(request) => self.make_move(&mut link, &request)?,
                Order::Read(purpose, request) => self.read(&mut link, purpose, &request)?,
                Order::Type(typed) => self.typed.extend(typed),
                Order::Cancel => {}
                Order::Reconnect => return Err(Ended::Reconnect(None)),
            }
        }
    }

    fn say_hello(&mut self, link: &mut Exchange) -> Result<(), Ended> {
        match link.ask(&Request::Hello)? {
            Answer::Hello(hello) => {
                let offers = Offers {
                    vendor: true,
                    reverse_step: true,
                    reverse_continue: true,
                    hidden_state: true,
                    control_registers: true,
                    story: true,
                    reads: false,
                    tables: false,
                    foreign: None,
                };
                self.report(Incoming::Connected { offers, hello: Some(hello) });
                Ok(())
            }
            Answer::Refused(refusal) => {
                self.report(Incoming::Refused(refusal));
                Err(Ended::Lost(LinkError::Wire("it refuses to say who it is".to_owned())))
            }
            _ => Err(Ended::Lost(LinkError::Wire("it is no greeting".to_owned()))),
        }
    }

    /// The next order; while there is none, looks whether the connection still stands.
    fn next_order(&mut self, link: &mut Exchange) -> Result<Order, Ended> {
        if let Some(order) = self.waiting.pop_front() {
            return Ok(order);
        }
        loop {
            let patience = if self.observes || self.listens { OBSERVE } else { IDLE };
            match self.orders.recv_timeout(patience) {
                Ok(order) => return Ok(order),
                Err(RecvTimeoutError::Disconnected) => return Err(Ended::Quit),
                Err(RecvTimeoutError::Timeout) => {
                    // A packet that nobody asked for is left out; the end of the connection is not.
                    link.wait(Duration::ZERO)?;
                    self.report(Incoming::Idle);
                }
            }
        }
    }

    fn make_move(&mut self, link: &mut Exchange, request: &Request) -> Result<(), Ended> {
        match link.ask(request)? {
            Answer::Stopped(stopped) => self.report(Incoming::Stopped(stopped)),
            Answer::Refused(refusal) => self.report(Incoming::Refused(refusal)),
            Answer::Hello(_) => self.say_hello(link)?,
            _ => self.report(Incoming::Refused(no_fit(request))),
        }
        Ok(())
    }

    fn read(&mut self, link: &mut Exchange, purpose: Purpose, request: &Request) -> Result<(), Ended> {
        let answer = link.ask(request)?;
        self.report(Incoming::Answer(purpose, answer));
        Ok(())
    }

    /// A run, as a row of advances.
    fn run(&mut self, link: &mut Exchange, mut advance: Advance) -> Result<(), Ended> {
        let whole = matches!(advance.until, Until::Over | Until::Out) && advance.direction == Direction::Forward;
        if whole {
            advance.budget = WHOLE_BUDGET;
        }
        std::mem::take(&mut self.typed).put_before(&mut advance);
        loop {
            let begun = Moment::now();
            let mut stopped = match link.ask(&Request::Advance(advance.clone()))? {
                Answer::Stopped(stopped) => stopped,
                Answer::Refused(refusal) => {
                    self.report(Incoming::Refused(refusal));
                    return Ok(());
                }
                _ => {
                    self.report(Incoming::Refused(no_fit(&Request::Advance(advance))));
                    return Ok(());
                }
            };
            let took = begun.elapsed();
            let cancelled = self.look_at_orders(link)?;
            let more_to_type = stopped.reason == StopReason::AllWaiting && !self.typed.is_empty();
            let unfinished = stopped.reason == StopReason::Budget && !whole;
            if cancelled && unfinished {
                stopped.reason = StopReason::Interrupted;
            }
            if cancelled || !(unfinished || more_to_type) {
                self.report(Incoming::Stopped(stopped));
                return Ok(());
            }
            next_advance(&mut advance, &stopped, std::mem::take(&mut self.typed), took);
            self.report(Incoming::Progress(stopped));
        }
    }

    /// Looks at the orders that came during an advance. True: the run shall end.
    fn look_at_orders(&mut self, link: &mut Exchange) -> Result<bool, Ended> {
        let mut cancelled = false;
        loop {
            match self.orders.try_recv() {
                Ok(Order::Cancel) => cancelled = true,
                Ok(Order::Type(typed)) => self.typed.extend(typed),
                Ok(Order::Read(purpose, request)) => self.read(link, purpose, &request)?,
                Ok(Order::Reconnect) => return Err(Ended::Reconnect(None)),
                Ok(order @ (Order::Move(_) | Order::Run(_))) => {
                    cancelled = true;
                    self.waiting.push_back(order);
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => return Ok(cancelled),
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return Err(Ended::Quit),
            }
        }
    }

    fn serve_standard(
        &mut self,
        link: &mut Exchange,
        standard: &mut Standard,
    ) -> Result<std::convert::Infallible, Ended> {
        loop {
            match self.next_order(link)? {
                Order::Run(advance) => {
                    if let Err(refusal) = standard.start(link, &advance)? {
                        self.report(Incoming::Refused(refusal));
                        continue;
                    }
                    let reason = self.wait_for_stop(link, standard)?;
                    let stopped = standard.stopped(reason);
                    self.report(Incoming::Stopped(Box::new(stopped)));
                }
                Order::Move(request) => match standard.change(link, &request)? {
                    Ok(stopped) => self.report(Incoming::Stopped(Box::new(stopped))),
                    Err(refusal) => self.report(Incoming::Refused(refusal)),
                },
                Order::Read(purpose, request) => {
                    let mut moves = || self.about_to_move();
                    // Only what takes many packets is given up where the machine is to move anyway.
                    let answer = if is_slow(&request) {
                        standard.read(link, &request, &mut moves)?
                    } else {
                        standard.read(link, &request, &mut || false)?
                    };
                    if let Some(answer) = answer {
                        self.report(Incoming::Answer(purpose, answer));
                    }
                }
                Order::Type(_) | Order::Cancel => {}
                Order::Reconnect => return Err(Ended::Reconnect(None)),
            }
        }
    }

    /// Looks at what has come meanwhile: is the machine to move?
    fn about_to_move(&mut self) -> bool {
        self.waiting.extend(self.orders.try_iter());
        let moves = |order: &Order| matches!(order, Order::Run(_) | Order::Move(_) | Order::Reconnect);
        self.waiting.iter().any(moves)
    }

    /// A server that is not ours runs until it stops: ^C if the user asks for it.
    fn wait_for_stop(&mut self, link: &mut Exchange, standard: &mut Standard) -> Result<StopReason, Ended> {
        let begun = Moment::now();
        let (mut told, mut cancelled) = (false, false);
        loop {
            if let Some(reply) = link.wait(Duration::from_millis(10))?
                && let Some(reason) = standard.came(link, &reply, cancelled)?
            {
                return Ok(reason);
            }
            // A step ends at once; what lasts is shown as a run.
            if !told && begun.elapsed() > STEP {
                told = true;
                self.report(Incoming::Runs);
            }
            match self.orders.try_recv() {
                Ok(Order::Cancel) => {
                    cancelled = true;
                    link.interrupt()?;
                }
                Ok(Order::Reconnect) => return Err(Ended::Reconnect(None)),
                Ok(order) => self.waiting.push_back(order),
                Err(std::sync::mpsc::TryRecvError::Empty) => {}
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return Err(Ended::Quit),
            }
        }
    }

    fn report(&mut self, report: Incoming) {
        if let Incoming::Stopped(stopped) | Incoming::Answer(Purpose::Watch, Answer::Stopped(stopped)) = &report {
            self.observes = stopped.gdb_attached;
        }
        // gdb may come at any moment once it is let in, and shall not move the machine unseen for seconds.
        if let Incoming::Answer(Purpose::Gdb, Answer::Gdb { listening, .. }) = &report {
            self.listens = listening.is_some();
        }
        // Nobody listens any more only when the window has gone; the next look at the orders tells.
        let _ = self.reports.send(report);
        (self.wake)();
    }
}

/// What a server that is not ours needs many packets for.
fn is_slow(request: &Request) -> bool {
    matches!(request, Request::Tree { .. } | Request::Walk { .. } | Request::Code { .. } | Request::Listing { .. })
}

fn no_fit(request: &Request) -> Refusal {
    let text = format!("{request:?}");
    let name = text.split([' ', '{', '(']).next().unwrap_or_default().to_owned();
    Refusal::Invalid(format!("The server's answer to {name} is of another kind: client and server do not fit."))
}

/// The next advance of a run: goes on from what the last one told, for about [`SLICE`].
fn next_advance(advance: &mut Advance, stopped: &Stopped, typed: Typed, took: Duration) {
    (advance.serial_input, advance.keys) = (typed.serial, typed.keys);
    if let Some(text) = &stopped.console {
        advance.wanted.console_from = Some(text.total);
    }
    advance.wanted.events_from = advance.wanted.events_from.map(|known| known.max(stopped.position));
    let wanted = SLICE.as_micros() as u64;
    let took = (took.as_micros() as u64).max(1);
    let scaled = u128::from(advance.budget) * u128::from(wanted) / u128::from(took);
    let scaled = u64::try_from(scaled).unwrap_or(u64::MAX).clamp(advance.budget / 4, advance.budget.saturating_mul(4));
    advance.budget = scaled.clamp(*BUDGET.start(), *BUDGET.end());
}
