//! Long procedures without I/O: an `async` function asks and waits; the [`Desk`] collects its orders and hands it what
//! the driver brings. Polled by hand after each answer and each stop: no executor, no thread.
//!
//! [`super::travel`], [`super::prepare`] and [`super::play`] are written on it. To drop a procedure is to give it up;
//! answers that still come are for nobody then.

use super::orders::{Order, Seen, Ticket};
use super::trouble::Trouble;
use protocol::request::{Advance, Answer, Refusal, Request, StopReason};
use protocol::{CpuState, Position};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A machine at a stop: the learner's or the private copy.
#[derive(Clone, Debug, Default)]
pub struct Seat {
    /// Why it stopped.
    pub reason: Option<StopReason>,
    /// Where.
    pub position: Position,
    /// The last recorded position.
    pub end: Position,
    /// Of the learner's machine.
    pub epoch: u64,
    /// All CPUs. Shared: many look at it, nobody changes it.
    pub cpus: Arc<Vec<CpuState>>,
}

impl From<&Seen<'_>> for Seat {
    fn from(seen: &Seen<'_>) -> Self {
        Self {
            reason: Some(seen.reason.clone()),
            position: seen.position,
            end: seen.end,
            epoch: seen.epoch,
            cpus: Arc::new(seen.cpus.to_vec()),
        }
    }
}

/// What a procedure tells while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// So many goals are met.
    Goals(usize),
}

#[derive(Debug, Default)]
struct State {
    orders: VecDeque<Order>,
    next_ticket: u64,
    /// The ticket that a procedure waits for.
    waits_for: Option<Ticket>,
    answer: Option<Answer>,
    /// The learner's machine at its last stop, and how many stops there were.
    seat: Seat,
    stops: u64,
    refusal: Option<Refusal>,
    /// Where a run is given up.
    limit: Option<Position>,
    beyond: bool,
    notes: Vec<Note>,
}

/// Orders out, answers and stops in. A clone is the same desk.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    state: Arc<Mutex<State>>,
}

impl Desk {
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    // ---- the driver's side

    /// Orders so far, oldest first.
    pub fn take_orders(&self) -> Vec<Order> {
        self.with(|state| state.orders.drain(..).collect())
    }

    /// The learner's machine is to be moved.
    pub fn wants_to_move(&self) -> bool {
        self.with(|state| state.orders.iter().any(|order| !matches!(order, Order::Read(..))))
    }

    /// An answer came. True: somebody waited for it.
    pub fn answer(&self, ticket: Ticket, answer: Answer) -> bool {
        self.with(|state| {
            let waited = state.waits_for == Some(ticket);
            if waited {
                state.answer = Some(answer);
            }
            waited
        })
    }

    /// The learner's machine stopped, or goes on running.
    pub fn seen(&self, seen: &Seen<'_>) {
        self.with(|state| {
            if seen.running {
                state.beyond |= state.limit.is_some_and(|limit| seen.position > limit);
            } else {
                state.seat = Seat::from(seen);
                state.stops += 1;
            }
        });
    }

    /// A move or run was refused.
    pub fn refused(&self, refusal: &Refusal) {
        self.with(|state| state.refusal = Some(refusal.clone()));
    }

    /// What was told since the last call.
    pub fn take_notes(&self) -> Vec<Note> {
        self.with(|state| std::mem::take(&mut state.notes))
    }

    /// The procedure was given up: what it still wants is not wanted any more.
    pub fn clear(&self) {
        self.with(|state| {
            state.orders.clear();
            state.waits_for = None;
            state.answer = None;
            state.refusal = None;
            state.limit = None;
            state.beyond = false;
        });
    }

    // ---- the procedure's side

    /// The learner's machine at its last stop.
    pub fn seat(&self) -> Seat {
        self.with(|state| state.seat.clone())
    }

    /// Tells something.
    pub fn note(&self, note: Note) {
        self.with(|state| state.notes.push(note));
    }

    /// Asks and waits for the answer.
    pub async fn ask(&self, request: Request) -> Answer {
        self.with(|state| {
            let ticket = Ticket(state.next_ticket);
            state.next_ticket += 1;
            state.waits_for = Some(ticket);
            state.answer = None;
            state.orders.push_back(Order::Read(ticket, request));
        });
        std::future::poll_fn(|_| {
            self.with(|state| match state.answer.take() {
                Some(answer) => {
                    state.waits_for = None;
                    Poll::Ready(answer)
                }
                None => Poll::Pending,
            })
        })
        .await
    }

    /// Moves the learner's machine and waits until it has stopped.
    pub async fn make_move(&self, request: Request) -> Result<Seat, Trouble> {
        self.order(Order::Move(request), None).await
    }

    /// Runs the learner's machine and waits until it has stopped; not further than `limit`.
    pub async fn run(&self, advance: Advance, limit: Position) -> Result<Seat, Trouble> {
        self.order(Order::Run(advance), Some(limit)).await
    }

    async fn order(&self, order: Order, limit: Option<Position>) -> Result<Seat, Trouble> {
        let before = self.with(|state| {
            state.orders.push_back(order);
            state.limit = limit;
            state.beyond = false;
            state.refusal = None;
            state.stops
        });
        std::future::poll_fn(|_| {
            self.with(|state| {
                if let Some(refusal) = state.refusal.take() {
                    return Poll::Ready(Err(Trouble::Refused(refusal)));
                }
                if std::mem::take(&mut state.beyond) {
                    return Poll::Ready(Err(Trouble::NeverCame));
                }
                if state.stops == before { Poll::Pending } else { Poll::Ready(Ok(state.seat.clone())) }
            })
        })
        .await
    }
}

/// A procedure under way.
pub struct Procedure<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
}

impl<T> std::fmt::Debug for Procedure<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Procedure").finish_non_exhaustive()
    }
}

impl<T> Procedure<T> {
    /// Does not begin before it is polled.
    pub fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { future: Box::pin(future) }
    }

    /// Goes on as far as it can. Some: it is over, and must not be polled again.
    pub fn poll(&mut self) -> Option<T> {
        match self.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }
}
