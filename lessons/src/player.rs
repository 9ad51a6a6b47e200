//! A lesson being played, without I/O: the window, `cargo xtask lessons` and the tests drive the same [`Player`].
//!
//! The driver carries [`Order`]s to the machine and answers back, tells each stop, and passes on what the learner does
//! ([`Act`]); [`Page`] is what there is to see then. Procedures that wait for the machine are in [`play`], [`prepare`],
//! [`perform`] and [`travel`], on a [`desk`]; [`judge`] judges answers, [`present`] makes the page, [`trouble`] has the words
//! for what goes wrong. The learner may move, change or restart the machine at any time: the player looks again.

mod desk;
mod judge;
pub mod orders;
pub mod page;
mod perform;
mod play;
mod prepare;
mod present;
#[cfg(test)]
mod tests;
mod travel;
mod trouble;
mod world;

pub use orders::{Act, Order, Seen, Ticket};
pub use page::Page;
pub use trouble::Trouble;

use crate::expr::Value;
use crate::lesson::{InputKind, Lesson, Step};
use crate::progress::{LessonProgress, QuestionRecord, StepRecord};
use crate::seed::Drawn;
use crate::text::Span;
use desk::{Desk, Note, Procedure};
use judge::Verdict;
use page::AnswerState;
use play::{Closing, Outcome};
use prepare::{Prepared, is_here};
use protocol::Position;
use protocol::request::{Answer, Refusal};
use protocol::run::Run;
use std::sync::Arc;
use world::World;

/// The id of the page after the last step.
const END: &str = "end";

/// What the player is doing with the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Doing {
    /// Nothing: it is the learner's turn.
    #[default]
    Nothing,
    /// It looks at the goals; the learner does not wait for that.
    Looking,
    Beginning,
    Entering,
    GoingBack,
    Acting,
    Showing,
    Ending,
}

/// One lesson being played.
#[derive(Debug)]
pub struct Player {
    lesson: Arc<Lesson>,
    seed: u64,
    drawn: Arc<Drawn>,
    desk: Desk,
    world: Option<Box<World>>,
    work: Option<Procedure<Outcome>>,
    doing: Doing,
    /// The step; as many as there are steps: the end.
    step: usize,
    /// Where the steps begin, as far as is known.
    places: Vec<Option<Position>>,
    /// The learner's run where a step begins `here`.
    entries: Vec<Option<(Run, Position)>>,
    prepared: Option<Arc<Prepared>>,
    closing: Option<Box<Closing>>,
    /// One for each step of the lesson.
    records: Vec<StepRecord>,
    /// So many steps were begun.
    begun: usize,
    /// What is said to the last answer of each question of this step.
    feedback: Vec<Vec<Span>>,
    /// To be restored once the step is entered.
    saved: Option<(Run, Position)>,
    run: Option<Run>,
    finished: bool,
    trouble: Option<Trouble>,
    problems: Vec<String>,
    goal_trouble: Option<Trouble>,
    changed: bool,
    page: Page,
}

/// What the answers to a question are, for graders and for `cargo xtask lessons check`: never for the learner's eyes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// What to type, or the letter, to be right. None: the lesson has a mistake here.
    pub right: Option<String>,
    /// The wrong answers that are listed: misconception, what to type, what is said to it.
    pub wrong: Vec<(String, String, Vec<Span>)>,
}

impl Player {
    /// Begins a lesson, or takes it up where `saved` left it; its seed is the learner's then. The driver tells the state of
    /// the machine by [`Self::stopped`] whenever it changes.
    pub fn new(lesson: Arc<Lesson>, seed: u64, saved: Option<LessonProgress>) -> Self {
        let seed = saved.as_ref().map_or(seed, |saved| saved.seed);
        let drawn = Arc::new(lesson.draw(seed));
        let steps = lesson.steps.len();
        let mut player = Self {
            seed,
            drawn,
            desk: Desk::default(),
            world: None,
            work: None,
            doing: Doing::Nothing,
            step: 0,
            places: vec![None; steps],
            entries: vec![None; steps],
            prepared: None,
            closing: None,
            records: lesson.steps.iter().map(blank).collect(),
            begun: 0,
            feedback: Vec::new(),
            saved: None,
            run: None,
            finished: false,
            trouble: None,
            problems: Vec::new(),
            goal_trouble: None,
            changed: false,
            page: Page::default(),
            lesson,
        };
        if let Some(saved) = saved {
            player.take_up(saved);
        }
        player.begin(false);
        player
    }

    /// What is to be done, oldest first. The driver asks after each call of any other method.
    pub fn take_orders(&mut self) -> Vec<Order> {
        self.desk.take_orders()
    }

    /// Orders wait that move the learner's machine: a run that is on ends first.
    pub fn wants_to_move(&self) -> bool {
        self.desk.wants_to_move()
    }

    /// The answer to an [`Order::Read`].
    pub fn answer(&mut self, ticket: Ticket, answer: Answer) {
        if self.desk.answer(ticket, answer) {
            self.drive();
        }
    }

    /// The learner's machine stopped, whoever moved it, or was found somewhere else; or it goes on (`running`).
    pub fn stopped(&mut self, seen: &Seen<'_>) {
        self.desk.seen(seen);
        if seen.running && self.work.is_none() {
            return;
        }
        if !seen.running && matches!(self.doing, Doing::Nothing | Doing::Looking) {
            self.notice(seen.position);
            self.look();
        }
        self.drive();
    }

    /// A [`Order::Move`] or [`Order::Run`] was refused.
    pub fn refused(&mut self, refusal: &Refusal) {
        if !matches!(self.doing, Doing::Nothing | Doing::Looking) {
            self.desk.refused(refusal);
        }
        self.drive();
    }

    /// The learner does something.
    pub fn act(&mut self, act: Act) {
        match act {
            Act::Check { question, text } => self.judge(question, &text),
            Act::Choose { question, letter } => self.judge(question, &letter),
            Act::Do(number) => self.press(number),
            Act::Hint => self.hint(),
            Act::ShowMe => self.show_me(),
            Act::Next if self.is_done() => self.go_to(self.step + 1, false),
            Act::Next => {}
            Act::Skip => self.skip(),
            Act::Back if self.step > 0 => self.go_to(self.step - 1, true),
            Act::Back => {}
            Act::Return => self.go_back(),
            Act::Again => self.again(),
            Act::GoTo(id) => {
                let found = self.lesson.steps.iter().position(|step| step.id == id);
                if let Some(step) = found.filter(|step| *step < self.begun) {
                    self.go_to(step, true);
                }
            }
        }
        self.drive();
    }

    /// What there is to see.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// The lesson.
    pub fn lesson(&self) -> &Arc<Lesson> {
        &self.lesson
    }

    /// What is to be stored.
    pub fn progress(&self) -> LessonProgress {
        let step = self.lesson.steps.get(self.step).map_or(END, |step| &step.id);
        let (run, position) = match &self.saved {
            // It was not restored yet, and must not be lost by that.
            Some((run, position)) => (Some(run.clone()), *position),
            None => (self.run.clone(), self.desk.seat().position),
        };
        LessonProgress {
            lesson: self.lesson.id.clone(),
            seed: self.seed,
            step: step.to_owned(),
            steps: self.records[..self.begun.min(self.records.len())].to_vec(),
            finished: self.finished,
            run,
            position,
            bookmarks: Vec::new(), // Theirs who shows the machine: the player knows none.
        }
    }

    /// [`Self::progress`] is another than at the last call of this.
    pub fn changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The answers to a question of this step, once it is prepared.
    pub fn key(&self, question: usize) -> Option<Key> {
        let asked = self.prepared.as_ref()?.questions.get(question)?;
        let of = self.lesson.steps.get(self.step)?.questions.get(question)?;
        let mut key = Key { right: asked.written.clone(), wrong: Vec::new() };
        if of.input == InputKind::Choice {
            let wrong = asked.offers.iter().filter(|offer| !offer.right);
            key.wrong = wrong.map(|offer| (offer.id.clone(), offer.letter.clone(), offer.feedback.clone())).collect();
        } else {
            let listed = asked.wrong.iter();
            key.wrong = listed.map(|wrong| (wrong.id.clone(), wrong.written.clone(), wrong.says.clone())).collect();
        }
        Some(key)
    }

    /// The value of a listed wrong answer is the right one's, with these numbers: a mistake of the lesson.
    pub fn collides(&self, question: usize, wrong: usize) -> bool {
        let asked = self.prepared.as_ref().and_then(|prepared| prepared.questions.get(question));
        let values: Option<(&Value, &Value)> =
            asked.and_then(|asked| asked.right.as_ref().zip(asked.wrong.get(wrong).map(|wrong| &wrong.value)));
        values.is_some_and(|(right, wrong)| right.same(wrong) == Some(true))
    }

    /// Mistakes of the lesson that this machine showed, by file and line, since the last call.
    pub fn take_problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }

    /// Why the next goal cannot be looked at now: it counts as not met.
    pub fn goal_trouble(&self) -> Option<String> {
        self.goal_trouble.as_ref().map(ToString::to_string)
    }

    // ---- what is under way

    fn start(&mut self, doing: Doing, procedure: Procedure<Outcome>) {
        self.desk.clear();
        self.work = Some(procedure);
        self.doing = doing;
    }

    /// Lets the procedure go on, and the next one after it, as far as they come.
    fn drive(&mut self) {
        while let Some(work) = &mut self.work {
            let outcome = work.poll();
            for Note::Goals(met) in self.desk.take_notes() {
                if let Some(record) = self.records.get_mut(self.step)
                    && met > record.goals
                {
                    record.goals = met;
                    self.changed = true;
                }
            }
            let Some(outcome) = outcome else { break };
            self.work = None;
            self.doing = Doing::Nothing;
            self.settle(outcome);
        }
        self.present();
    }

    fn settle(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Begun(Ok(world)) => {
                self.world = Some(world);
                self.go_to(self.step, false);
            }
            Outcome::Begun(Err(trouble)) | Outcome::Moved(Err(trouble)) => self.trouble = Some(trouble),
            Outcome::Entered { places, result, state } => {
                self.places = places;
                self.saved = None;
                match result {
                    Ok(prepared) => self.entered(*prepared, state.err()),
                    Err(trouble) => self.trouble = Some(trouble),
                }
            }
            Outcome::Looked { run, goal } => {
                self.goal_trouble = goal;
                match run {
                    Ok(run) => self.see_run(*run),
                    Err(trouble) => self.trouble = Some(trouble),
                }
            }
            Outcome::Moved(Ok(())) => self.look(),
            Outcome::Shown(result) => self.shown(result),
            Outcome::Ended(closing) => {
                self.problems.extend(closing.problems.iter().cloned());
                self.trouble = closing.trouble.clone();
                self.run = closing.run.clone();
                self.finished = true;
                self.changed = true;
                self.closing = Some(closing);
            }
        }
    }

    fn entered(&mut self, prepared: Prepared, state: Option<Trouble>) {
        self.trouble = state;
        self.problems.extend(prepared.problems.iter().cloned());
        if is_here(&self.lesson.steps[self.step]) {
            self.entries[self.step] = Some((prepared.run.clone(), prepared.place));
        }
        self.run = Some(prepared.run.clone());
        self.prepared = Some(Arc::new(prepared));
        self.begun = self.begun.max(self.step + 1);
        self.changed = true;
        self.remember_feedback();
        self.look();
    }

    /// What became of the learner's machine.
    fn see_run(&mut self, run: Run) {
        let Some(world) = &self.world else { return };
        let trouble = if run.image_sha256 != world.image_sha256 {
            Some(Trouble::OtherImage)
        } else if run.config != world.config {
            Some(Trouble::OtherMachine)
        } else {
            None
        };
        let was_other = matches!(self.trouble, Some(Trouble::OtherImage | Trouble::OtherMachine));
        if trouble.is_some() || was_other {
            self.trouble = trouble.clone();
        }
        if trouble.is_none() {
            // A run in another machine is no part of this lesson.
            self.changed |= self.run.as_ref() != Some(&run);
            self.run = Some(run);
        }
    }

    /// Who looks at the answer before giving it is right all the same, but that is told.
    fn notice(&mut self, position: Position) {
        let (Some(prepared), Some(step)) = (&self.prepared, self.lesson.steps.get(self.step)) else { return };
        self.changed = true;
        for (index, record) in self.records[self.step].questions.iter_mut().enumerate() {
            let reveal = prepared.questions.get(index).and_then(|asked| asked.reveal);
            if step.questions[index].predict && !record.state.is_over() && reveal.is_some_and(|at| position >= at) {
                record.looked = true;
            }
        }
    }

    fn look(&mut self) {
        let Some(world) = self.world.clone() else { return };
        let first = self.records.get(self.step).map_or(0, |record| record.goals);
        let prepared = self.prepared.clone();
        let step = self.step;
        self.start(Doing::Looking, Procedure::new(async move { world.look(prepared, step, first).await }));
    }

    // ---- from step to step

    fn begin(&mut self, anew: bool) {
        let (desk, lesson, drawn) = (self.desk.clone(), Arc::clone(&self.lesson), Arc::clone(&self.drawn));
        self.world = None;
        self.places.fill(None);
        let procedure = Procedure::new(async move { Outcome::Begun(play::begin(desk, lesson, drawn, anew).await) });
        self.start(Doing::Beginning, procedure);
        self.drive();
    }

    /// To a step. `again`: it was there before, and begins where it began then.
    fn go_to(&mut self, step: usize, again: bool) {
        self.step = step.min(self.lesson.steps.len());
        self.trouble = None;
        self.goal_trouble = None;
        self.feedback.clear();
        self.changed = true;
        let Some(world) = self.world.clone() else { return };
        let prepared = self.prepared.take();
        if self.step == self.lesson.steps.len() {
            let saved = self.saved.take();
            let procedure = Procedure::new(async move { world.restore_and_close(saved).await });
            self.start(Doing::Ending, procedure);
            return;
        }
        drop(prepared);
        self.closing = None;
        let saved = self.saved.clone();
        let here = is_here(&self.lesson.steps[self.step]);
        // A step that begins wherever the machine is begins again where it began, or where it was left.
        let entry = match (here, again) {
            (true, true) => self.entries[self.step].clone(),
            (true, false) => saved.clone(),
            (false, _) => None,
        };
        let (step, places) = (self.step, self.places.clone());
        let procedure = Procedure::new(async move { world.enter_and_restore(step, places, entry, saved).await });
        self.start(Doing::Entering, procedure);
    }

    fn go_back(&mut self) {
        if self.step == self.lesson.steps.len() && self.world.is_some() {
            return;
        }
        let lost = match &self.trouble {
            Some(Trouble::OtherImage | Trouble::OtherMachine) => Some(false),
            Some(Trouble::Refused(Refusal::Crashed(_))) => Some(true),
            _ => self.world.is_none().then_some(false),
        };
        self.trouble = None;
        if let Some(anew) = lost {
            return self.begin(anew);
        }
        match (self.world.clone(), self.prepared.clone()) {
            (Some(world), Some(prepared)) => {
                self.start(Doing::GoingBack, Procedure::new(async move { world.go_back(prepared).await }));
            }
            _ => self.go_to(self.step, true),
        }
    }

    fn skip(&mut self) {
        if let Some(record) = self.records.get_mut(self.step) {
            let goals = self.lesson.steps[self.step].goals.len();
            record.skipped |= record.goals < goals;
            for question in record.questions.iter_mut().filter(|question| !question.state.is_over()) {
                question.state = AnswerState::Skipped;
            }
            self.begun = self.begun.max(self.step + 1);
            self.go_to(self.step + 1, false);
        }
    }

    fn again(&mut self) {
        let crashed = matches!(self.trouble, Some(Trouble::Refused(Refusal::Crashed(_))));
        self.records = self.lesson.steps.iter().map(blank).collect();
        self.entries.fill(None);
        self.step = 0;
        self.begun = 0;
        self.saved = None;
        self.prepared = None;
        self.closing = None;
        self.trouble = None;
        self.changed = true;
        self.begin(crashed);
    }

    /// Takes up what was stored.
    fn take_up(&mut self, saved: LessonProgress) {
        for record in saved.steps {
            let Some((index, step)) = self.lesson.step(&record.id) else { continue };
            let mut record = record;
            // The lesson may have been changed since.
            record.questions.resize_with(step.questions.len(), QuestionRecord::default);
            record.goals = record.goals.min(step.goals.len());
            record.hints = record.hints.min(step.hints.len());
            self.records[index] = record;
            self.begun = self.begun.max(index + 1);
        }
        let at_end = saved.step == END;
        let found = self.lesson.steps.iter().position(|step| step.id == saved.step);
        self.step = if at_end { self.lesson.steps.len() } else { found.unwrap_or(0) };
        self.finished = saved.finished;
        self.saved = saved.run.map(|run| (run, saved.position)).filter(|_| at_end || found.is_some());
    }

    // ---- in a step

    /// The step, if the learner can do something in it now.
    fn open_step(&self) -> Option<(&Step, &Arc<Prepared>)> {
        let busy = matches!(self.doing, Doing::Beginning | Doing::Entering | Doing::Showing | Doing::Ending);
        self.lesson.steps.get(self.step).zip(self.prepared.as_ref()).filter(|_| !busy)
    }

    /// Nothing is left to do in this step.
    fn is_done(&self) -> bool {
        match (self.lesson.steps.get(self.step), self.records.get(self.step)) {
            (Some(step), Some(record)) => {
                let goals = record.goals >= step.goals.len() || record.shown || record.skipped;
                self.prepared.is_some() && goals && record.questions.iter().all(|question| question.state.is_over())
            }
            _ => false,
        }
    }

    fn judge(&mut self, question: usize, text: &str) {
        let Some((step, prepared)) = self.open_step() else { return };
        let (Some(of), Some(asked)) = (step.questions.get(question), prepared.questions.get(question)) else { return };
        let records = &self.records[self.step].questions;
        let waits = records.iter().take(question).any(|record| !record.state.is_over());
        if waits || records.get(question).is_none_or(|record| record.state.is_over()) {
            return;
        }
        let verdict = judge::typed(of, asked, text);
        let says = asked.says.clone();
        let record = &mut self.records[self.step].questions[question];
        record.given = Some(text.trim().to_owned());
        self.changed = true;
        self.feedback[question] = match verdict {
            Verdict::Unread(why) => vec![Span::Text(why)],
            Verdict::Right => {
                record.state = if record.looked { AnswerState::RightAfterLooking } else { AnswerState::Right };
                says
            }
            Verdict::Wrong { id, says } => {
                record.state = AnswerState::Wrong;
                record.wrong.push(if id.is_empty() { text.trim().to_owned() } else { id });
                says
            }
        };
    }

    /// What was said to the answers that are there already.
    fn remember_feedback(&mut self) {
        let (Some(prepared), Some(step)) = (&self.prepared, self.lesson.steps.get(self.step)) else { return };
        let records = &self.records[self.step].questions;
        let said = |index: usize| {
            let (of, asked, record) = (&step.questions[index], prepared.questions.get(index)?, records.get(index)?);
            match record.state {
                AnswerState::Wrong => match judge::typed(of, asked, record.given.as_deref()?) {
                    Verdict::Wrong { says, .. } => Some(says),
                    _ => None,
                },
                state => state.is_over().then(|| asked.says.clone()),
            }
        };
        self.feedback = (0..step.questions.len()).map(|index| said(index).unwrap_or_default()).collect();
    }

    fn press(&mut self, number: usize) {
        let Some((step, prepared)) = self.open_step() else { return };
        if number >= step.actions.len() {
            return;
        }
        let (prepared, step) = (Arc::clone(prepared), self.step);
        let Some(world) = self.world.clone() else { return };
        let pressed = &mut self.records[step].pressed;
        if !pressed.contains(&number) {
            pressed.push(number);
        }
        self.trouble = None;
        self.changed = true;
        self.start(Doing::Acting, Procedure::new(async move { world.act(prepared, step, number).await }));
    }

    fn hint(&mut self) {
        let Some((step, _)) = self.open_step() else { return };
        let most = step.hints.len();
        let record = &mut self.records[self.step];
        if record.hints < most {
            record.hints += 1;
            self.changed = true;
        }
    }

    /// The hints were used up, and something is left to be shown.
    fn can_show_me(&self) -> bool {
        let record = self.records.get(self.step);
        self.open_step()
            .zip(record)
            .is_some_and(|((step, _), record)| record.hints >= step.hints.len() && !self.is_done())
    }

    fn show_me(&mut self) {
        if !self.can_show_me() {
            return;
        }
        let (Some(world), Some(prepared)) = (self.world.clone(), self.prepared.clone()) else { return };
        let step = self.step;
        for (index, question) in self.records[step].questions.iter_mut().enumerate() {
            if !question.state.is_over() {
                question.state = AnswerState::Shown;
                question.given = prepared.questions.get(index).and_then(|asked| asked.written.clone());
            }
        }
        self.trouble = None;
        self.changed = true;
        self.remember_feedback();
        self.start(Doing::Showing, Procedure::new(async move { world.show(prepared, step).await }));
    }

    fn shown(&mut self, result: Result<(), Trouble>) {
        let step = &self.lesson.steps[self.step];
        let record = &mut self.records[self.step];
        match result {
            Err(trouble) => {
                self.problems.push(format!("{}:{}: [Show me] fails: {trouble}", self.lesson.file, step.block_line));
                self.trouble = Some(trouble);
            }
            Ok(()) if record.goals < step.goals.len() => {
                let line = step.goals[record.goals].line;
                self.problems.push(format!("{}:{line}: the script does not meet this goal", self.lesson.file));
            }
            Ok(()) => {}
        }
        // Whatever the machine did: nobody is kept in a step.
        record.shown = true;
        self.changed = true;
        self.look();
    }
}

/// Nothing was done yet.
fn blank(step: &Step) -> StepRecord {
    let questions = step.questions.iter().map(|_| QuestionRecord::default()).collect();
    StepRecord { id: step.id.clone(), questions, ..StepRecord::default() }
}
