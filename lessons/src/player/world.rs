//! What a player knows of the machine it plays on, and how an expression gets its value: evaluate, ask what is missing,
//! evaluate again. Neighbours: [`crate::expr`] evaluates, [`super::travel`] moves the machine that is asked.

use super::desk::{Desk, Seat};
use super::travel::Traveller;
use super::trouble::Trouble;
use crate::expr::{self, Moment, NoValue};
use crate::lesson::Lesson;
use crate::seed::Drawn;
use crate::stop::Stop;
use protocol::profile::Profile;
use protocol::request::{Answer, MachineConfig, Request};
use protocol::run::{self, Run};
use protocol::{CpuId, LinearAddr, Position};
use std::sync::Arc;

/// How often an expression is evaluated again because something was missing: each time it gets further.
const MAX_ROUNDS: usize = 64;

/// The lesson, the learner's numbers and the machine.
#[derive(Clone, Debug)]
pub struct World {
    /// Asks and waits.
    pub desk: Desk,
    /// What is played.
    pub lesson: Arc<Lesson>,
    /// The learner's numbers.
    pub drawn: Arc<Drawn>,
    /// The names in the image.
    pub profile: Option<Arc<Profile>>,
    /// The lesson's machine.
    pub config: MachineConfig,
    /// The image.
    pub image_sha256: String,
    /// The server's name for itself.
    pub server: String,
}

impl World {
    /// A run in which nobody changed anything.
    pub fn clean_run(&self, end: Position) -> Run {
        Run {
            version: run::VERSION,
            image_sha256: self.image_sha256.clone(),
            // Whatever there is: nothing was recorded on it.
            firmware_sha256: None,
            machine: self.server.clone(),
            config: self.config.clone(),
            inputs: Vec::new(),
            holds: Vec::new(),
            end,
        }
    }

    /// It is a run of this machine with nothing changed.
    pub fn is_clean(&self, run: &Run) -> bool {
        self.is_ours(run) && run.inputs.is_empty() && run.holds.is_empty()
    }

    /// It is a run of this image in this configuration.
    pub fn is_ours(&self, run: &Run) -> bool {
        run.config == self.config && run.image_sha256 == self.image_sha256
    }

    /// What is known of a machine at a stop; `since` is where the step began.
    pub fn moment(&self, seat: &Seat, since: Position) -> Moment {
        Moment::new(self.profile.clone(), Arc::clone(&self.drawn), seat.position, since).with_cpus(&seat.cpus)
    }

    /// Evaluates something with what is known, asking the machine for the rest.
    pub async fn know<T>(
        &self,
        machine: &Traveller,
        moment: &mut Moment,
        mut evaluate: impl FnMut(&mut Moment) -> Result<T, NoValue> + Send,
    ) -> Result<T, Trouble> {
        for _ in 0..MAX_ROUNDS {
            match evaluate(moment) {
                Ok(value) => return Ok(value),
                Err(NoValue::Wrong(error)) => return Err(Trouble::Lesson(error.to_string())),
                Err(NoValue::Missing) => {}
            }
            let at_stop = moment.before_mut().is_none();
            for request in moment.take_missing() {
                let answer = self.desk.ask(addressed(machine, at_stop, &request)).await;
                moment.learn(&request, answer);
            }
            let Some(before) = moment.before_mut() else { continue };
            for request in before.take_missing() {
                // What `before(...)` needs was read while the machine stood there; only the past can still be asked for.
                if !matches!(request, Request::Events { .. }) {
                    return Err(Trouble::Lesson(format!("before(...) needs what was not read in time: {request:?}")));
                }
                let answer = self.desk.ask(request.clone()).await;
                before.learn(&request, answer);
            }
        }
        Err(Trouble::Lesson("an expression needs more and more of the machine".into()))
    }

    /// The address of a symbol in a machine as it stands; None: it is not placed yet.
    async fn address(&self, machine: &Traveller, name: &str) -> Result<Option<LinearAddr>, Trouble> {
        let mut moment = self.moment(&machine.seat, machine.seat.position);
        let found =
            self.know(machine, &mut moment, |moment| expr::address_of(moment, name).ok_or(NoValue::Missing)).await?;
        Ok(found.ok())
    }

    /// Runs on from `from` to a stop. `step:ID` and `here` are the caller's to resolve.
    pub async fn find(&self, machine: &mut Traveller, stop: &Stop, from: Position) -> Result<(), Trouble> {
        match stop {
            Stop::Here | Stop::Step(_) => Ok(()),
            Stop::Start => machine.seek(Position(0)).await,
            Stop::End => machine.run_to_end().await,
            Stop::Before(event) => machine.find_event(event, true, from).await,
            Stop::After(event) => machine.find_event(event, false, from).await,
            Stop::StepCpu(cpu) => machine.step_cpu(*cpu).await,
            Stop::Steps(count) => machine.go_to(Position(from.0.saturating_add(*count))).await,
            Stop::At { symbol, cpu } => self.find_symbol(machine, symbol, *cpu, from).await,
        }
    }

    async fn find_symbol(
        &self,
        machine: &mut Traveller,
        symbol: &str,
        cpu: Option<CpuId>,
        from: Position,
    ) -> Result<(), Trouble> {
        const MAX_SIPIS: usize = 512;
        for _ in 0..MAX_SIPIS {
            if let Some(linear) = self.address(machine, symbol).await? {
                return machine.find_address(cpu, linear, from).await;
            }
            machine.run_to_next_sipi(from).await?;
        }
        Err(Trouble::NeverCame)
    }
}

/// To whom a request goes. What was before the step is in the learner's machine alone: the copy has no past.
fn addressed(machine: &Traveller, at_stop: bool, request: &Request) -> Request {
    let everybody = match request {
        Request::Image { .. } | Request::Profile => true,
        Request::Events { .. } => at_stop,
        _ => false,
    };
    if everybody { request.clone() } else { machine.addressed(request.clone()) }
}

/// The answer that a request has to have, or what went wrong.
pub fn expect<T>(answer: Answer, what: &'static str, take: impl FnOnce(Answer) -> Option<T>) -> Result<T, Trouble> {
    match answer {
        Answer::Refused(refusal) => Err(Trouble::Refused(refusal)),
        answer => take(answer).ok_or(Trouble::NoFit(what)),
    }
}
