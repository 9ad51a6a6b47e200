//! What the player does between two looks at the page, as procedures: begin, enter a step, look at the goals, perform an
//! action, show how it is done, end. Each runs on [`super::desk`] and ends with an [`Outcome`] for [`super::Player`].

use super::desk::{Desk, Note};
use super::prepare::Prepared;
use super::travel::Traveller;
use super::trouble::Trouble;
use super::world::{World, expect};
use crate::lesson::Lesson;
use crate::seed::Drawn;
use crate::template;
use crate::text::Block;
use protocol::Position;
use protocol::request::{Answer, Request};
use protocol::run::Run;
use std::sync::Arc;

/// What came of a procedure.
#[derive(Debug)]
pub enum Outcome {
    /// The lesson's machine is there.
    Begun(Result<Box<World>, Trouble>),
    /// A step was entered. `state` says what became of the saved state, where one was to be restored.
    Entered {
        /// Places found on the way.
        places: Vec<Option<Position>>,
        /// The step.
        result: Result<Box<Prepared>, Trouble>,
        /// The saved state.
        state: Result<(), Trouble>,
    },
    /// The goals were looked at.
    Looked {
        /// The learner's run.
        run: Result<Box<Run>, Trouble>,
        /// Why the next goal could not be looked at: it counts as not met.
        goal: Option<Trouble>,
    },
    /// The machine was moved, or not.
    Moved(Result<(), Trouble>),
    /// Everything was shown.
    Shown(Result<(), Trouble>),
    /// The lesson is over.
    Ended(Box<Closing>),
}

/// The last page's texts and numbers.
#[derive(Clone, Debug, Default)]
pub struct Closing {
    /// Closing words.
    pub text: Vec<Block>,
    /// The longer explanation.
    pub why: Vec<Block>,
    /// Labels and values.
    pub numbers: Vec<(String, String)>,
    /// Mistakes of the lesson.
    pub problems: Vec<String>,
    /// The learner's run.
    pub run: Option<Run>,
    /// Why the machine could not be asked.
    pub trouble: Option<Trouble>,
}

/// Starts the lesson's machine. `anew`: in any case, also where it runs already.
pub async fn begin(desk: Desk, lesson: Arc<Lesson>, drawn: Arc<Drawn>, anew: bool) -> Result<Box<World>, Trouble> {
    let config = lesson
        .machine
        .config(&drawn)
        .map_err(|what| Trouble::Lesson(format!("{}:{}: {what}", lesson.file, lesson.machine.line)))?;
    let hello = expect(desk.ask(Request::Hello).await, "Hello", |answer| match answer {
        Answer::Hello(hello) => Some(hello),
        _ => None,
    })?;
    let profile = expect(desk.ask(Request::Profile).await, "Profile", |answer| match answer {
        Answer::Profile(profile) => Some(profile),
        _ => None,
    })?;
    if anew || hello.config != config {
        desk.make_move(Request::Restart { config: config.clone() }).await?;
    } else {
        // It stands somewhere, and nobody has said where yet.
        Traveller::learner(&desk).start().await?;
    }
    let profile = profile.map(Arc::new);
    let (image_sha256, server) = (hello.image_sha256, hello.server);
    Ok(Box::new(World { desk, lesson, drawn, profile, config, image_sha256, server }))
}

impl World {
    /// Enters a step, and restores the state in which the learner left it.
    pub async fn enter_and_restore(
        self,
        step: usize,
        mut places: Vec<Option<Position>>,
        entry: Option<(Run, Position)>,
        saved: Option<(Run, Position)>,
    ) -> Outcome {
        let result = self.enter(step, &mut places, entry.as_ref()).await;
        let state = match (&result, saved) {
            (Ok(prepared), Some((run, position))) => self.restore(prepared, run, position).await,
            _ => Ok(()),
        };
        Outcome::Entered { places, result: result.map(Box::new), state }
    }

    async fn restore(&self, prepared: &Prepared, run: Run, position: Position) -> Result<(), Trouble> {
        if run.image_sha256 != self.image_sha256 {
            return Err(Trouble::StateLost("it belongs to another kernel than the one that runs now".into()));
        }
        if run.config != self.config {
            return Err(Trouble::StateLost("it belongs to a machine with other settings".into()));
        }
        if self.is_clean(&run) && position == prepared.place {
            return Ok(());
        }
        let mut machine = Traveller::learner(&self.desk);
        let lost = |trouble: Trouble| Trouble::StateLost(trouble.to_string());
        machine.load(run, position).await.map_err(lost)
    }

    /// Looks which of the open goals are met, from `first` on, in order: the next open one, and why it could not be looked at.
    async fn look_at_goals(&self, prepared: &Prepared, step: usize, first: usize) -> (usize, Option<Trouble>) {
        let goals = &self.lesson.steps[step].goals;
        let machine = Traveller::learner(&self.desk);
        let mut moment = self.moment(&machine.seat, prepared.place).with_before(prepared.moment.clone());
        for (number, goal) in goals.iter().enumerate().skip(first) {
            match self.know(&machine, &mut moment, |moment| goal.when.holds(moment)).await {
                Ok(true) => self.desk.note(Note::Goals(number + 1)),
                Ok(false) => return (number, None),
                Err(Trouble::Lesson(what)) => {
                    let what = format!("{}:{}: {what}", self.lesson.file, goal.line);
                    return (number, Some(Trouble::Lesson(what)));
                }
                Err(trouble) => return (number, Some(trouble)),
            }
        }
        (goals.len(), None)
    }

    /// After a stop of the learner's machine.
    pub async fn look(self, prepared: Option<Arc<Prepared>>, step: usize, first: usize) -> Outcome {
        let goal = match prepared {
            Some(prepared) => self.look_at_goals(&prepared, step, first).await.1,
            None => None,
        };
        Outcome::Looked { run: self.save_run().await.map(Box::new), goal }
    }

    /// Back to the step's place.
    pub async fn go_back(self, prepared: Arc<Prepared>) -> Outcome {
        Outcome::Moved(self.to_place(&prepared).await)
    }

    async fn to_place(&self, prepared: &Prepared) -> Result<(), Trouble> {
        let run = self.save_run().await?;
        let mut machine = Traveller::learner(&self.desk);
        let same = run.inputs == prepared.run.inputs && run.holds == prepared.run.holds && self.is_ours(&run);
        if same && prepared.place <= machine.seat.end {
            return machine.seek(prepared.place).await;
        }
        let mut run = prepared.run.clone();
        if run.inputs.is_empty() && run.holds.is_empty() {
            run.end = prepared.place;
        }
        machine.load(run, prepared.place).await
    }

    /// The button of an action.
    pub async fn act(self, prepared: Arc<Prepared>, step: usize, number: usize) -> Outcome {
        let of = &self.lesson.steps[step];
        let Some(action) = of.actions.get(number) else { return Outcome::Moved(Ok(())) };
        let mut machine = Traveller::learner(&self.desk);
        for command in &action.commands {
            if let Err(trouble) = self.perform(&mut machine, of, command, prepared.place).await {
                return Outcome::Moved(Err(trouble));
            }
        }
        Outcome::Moved(Ok(()))
    }

    /// The machine does what the learner did not find: the step's script, from its place on.
    pub async fn show(self, prepared: Arc<Prepared>, step: usize) -> Outcome {
        Outcome::Shown(self.play_script(&prepared, step).await)
    }

    async fn play_script(&self, prepared: &Prepared, step: usize) -> Result<(), Trouble> {
        let of = &self.lesson.steps[step];
        if of.script.is_empty() {
            return Ok(());
        }
        self.to_place(prepared).await?;
        let mut first = 0;
        let mut machine = Traveller::learner(&self.desk);
        for command in &of.script {
            self.perform(&mut machine, of, command, prepared.place).await?;
            // A goal that was met is met, also if the script goes on from there.
            first = self.look_at_goals(prepared, step, first).await.0;
        }
        Ok(())
    }

    /// The lesson's end, with the state in which the learner left it.
    pub async fn restore_and_close(self, saved: Option<(Run, Position)>) -> Outcome {
        let mut lost = None;
        if let Some((run, position)) = saved {
            if self.is_ours(&run) {
                lost = Traveller::learner(&self.desk).load(run, position).await.err();
            } else {
                lost = Some(Trouble::StateLost("it belongs to another kernel, or to other settings".into()));
            }
        }
        let mut closing = self.close().await;
        closing.trouble = lost.or(closing.trouble);
        Outcome::Ended(Box::new(closing))
    }

    /// The lesson's end: texts and numbers, as the machine stands.
    async fn close(&self) -> Closing {
        let machine = Traveller::learner(&self.desk);
        let mut moment = self.moment(&machine.seat, Position(0));
        let mut closing = Closing::default();
        let lesson = &self.lesson;
        for (of, line, into) in
            [(&lesson.end, lesson.lines.end, &mut closing.text), (&lesson.why, lesson.lines.why, &mut closing.why)]
        {
            match self.know(&machine, &mut moment, |moment| template::fill(of, moment)).await {
                Ok(blocks) => *into = blocks,
                Err(Trouble::Lesson(what)) => closing.problems.push(format!("{}:{line}: {what}", lesson.file)),
                Err(trouble) => closing.trouble = Some(trouble),
            }
        }
        for number in &lesson.numbers {
            match self.know(&machine, &mut moment, |moment| number.value.eval(moment)).await {
                Ok(value) => {
                    let written = number.format.write(&value, None);
                    closing.numbers.push((number.label.clone(), written));
                }
                Err(Trouble::Lesson(what)) => {
                    closing.problems.push(format!("{}:{}: {what}", lesson.file, number.line));
                }
                Err(trouble) => closing.trouble = Some(trouble),
            }
        }
        closing.run = self.save_run().await.ok();
        closing
    }
}
