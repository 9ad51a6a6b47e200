//! A machine at one position, as far as it is known: what [`Facts`] asks, and what is missing.
//!
//! Whoever plays a lesson makes a moment after each stop, evaluates, sends what [`Moment::take_missing`] lists, tells the
//! answers with [`Moment::learn`], and evaluates again. Answers stay as long as the moment does.

use super::facts::Facts;
use crate::answer::Given;
use crate::seed::Drawn;
use protocol::profile::Profile;
use protocol::request::{Answer, MAX_EVENTS, Refusal, Request, Stopped, Wanted};
use protocol::{CpuId, CpuState, Event, Position};
use std::sync::Arc;

/// What is known of a machine at one position.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    profile: Option<Arc<Profile>>,
    drawn: Arc<Drawn>,
    position: Position,
    since: Position,
    clock_ns: Option<u64>,
    cpus: Option<Vec<CpuState>>,
    given: Option<Given>,
    before: Option<Box<Moment>>,
    answers: Vec<(Request, Answer)>,
    missing: Vec<Request>,
}

/// Most answers that a moment keeps and asks for: a lesson's step needs some dozens.
const MAX_ANSWERS: usize = 1024;

impl Moment {
    /// A machine of which only the position is known; `since` is where the step began.
    pub fn new(profile: Option<Arc<Profile>>, drawn: Arc<Drawn>, position: Position, since: Position) -> Self {
        Self { profile, drawn, position, since, ..Self::default() }
    }

    /// No machine at all, only drawn numbers: what a machine's configuration is made of.
    pub fn of_drawn(drawn: Arc<Drawn>) -> Self {
        Self { drawn, ..Self::default() }
    }

    /// Takes the CPUs' states in: all of them, as they are at this position.
    pub fn with_cpus(mut self, cpus: &[CpuState]) -> Self {
        self.cpus = Some(cpus.to_vec());
        self
    }

    /// What `before(...)` means here: the moment at the step's stop. `events.any_ever` sees the past of that one, too,
    /// since a private copy has none of its own.
    pub fn with_before(mut self, before: Moment) -> Self {
        self.before = Some(Box::new(before));
        self
    }

    /// The moment at the step's stop that was given with [`Self::with_before`].
    pub fn before_mut(&mut self) -> Option<&mut Moment> {
        self.before.as_deref_mut()
    }

    /// The answer that is to be judged.
    pub fn set_given(&mut self, given: Option<Given>) {
        self.given = given;
    }

    /// The drawn numbers.
    pub fn drawn_numbers(&self) -> &Arc<Drawn> {
        &self.drawn
    }

    /// The position.
    pub fn position(&self) -> Position {
        self.position
    }

    /// What has to be asked, each request once. They are noted again if they are not answered.
    pub fn take_missing(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.missing)
    }

    /// Takes an answer in, also a refusal.
    pub fn learn(&mut self, request: &Request, answer: Answer) {
        match (request, answer) {
            (Request::State { .. }, Answer::Stopped(stopped)) => self.learn_state(*stopped),
            (Request::State { .. }, _) => {}
            (request, answer) if self.answers.len() < MAX_ANSWERS => self.answers.push((request.clone(), answer)),
            _ => {}
        }
    }

    fn learn_state(&mut self, stopped: Stopped) {
        self.position = stopped.position;
        self.clock_ns = Some(stopped.clock_ns);
        self.cpus = Some(stopped.cpus);
    }

    fn note(&mut self, request: Request) {
        if !self.missing.contains(&request) {
            self.missing.push(request);
        }
    }

    fn note_state(&mut self) {
        self.note(Request::State { wanted: Wanted { all_cpus: true, ..Wanted::default() } });
    }
}

impl Facts for Moment {
    fn drawn(&self, name: &str) -> Option<u64> {
        self.drawn.get(name)
    }

    fn given(&self) -> Option<&Given> {
        self.given.as_ref()
    }

    fn position(&self) -> Position {
        self.position
    }

    fn clock_ns(&mut self) -> Option<u64> {
        if self.clock_ns.is_none() {
            self.note_state();
        }
        self.clock_ns
    }

    fn cpus(&mut self) -> Option<Vec<CpuState>> {
        if self.cpus.is_none() {
            self.note_state();
        }
        self.cpus.clone()
    }

    fn cpu(&mut self, cpu: CpuId) -> Option<Option<CpuState>> {
        if self.cpus.is_none() {
            self.note_state();
        }
        let all = self.cpus.as_ref()?;
        Some(all.iter().find(|state| state.cpu == cpu).cloned())
    }

    fn profile(&self) -> Option<&Profile> {
        self.profile.as_deref()
    }

    fn events(&mut self, ever: bool) -> Option<Vec<Event>> {
        let mut past = match &mut self.before {
            Some(before) if ever => before.events(true)?,
            _ => Vec::new(),
        };
        let from = if ever && self.before.is_none() { Position(0) } else { self.since };
        if from == self.position {
            return Some(past);
        }
        // A server that refuses to tell events: there are none to see.
        if let Answer::Events(events) = self.ask(Request::Events { from, to: self.position, limit: MAX_EVENTS })? {
            past.extend(events);
        }
        Some(past)
    }

    fn ask(&mut self, request: Request) -> Option<Answer> {
        if let Some((_, answer)) = self.answers.iter().find(|(known, _)| *known == request) {
            return Some(answer.clone());
        }
        if self.answers.len() >= MAX_ANSWERS {
            let why = "the step asks for more than a step may".to_owned();
            return Some(Answer::Refused(Refusal::Invalid(why)));
        }
        self.note(request);
        None
    }

    fn before(&mut self) -> Option<&mut dyn Facts> {
        self.before.as_deref_mut().map(|before| before as &mut dyn Facts)
    }
}
