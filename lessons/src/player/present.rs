//! Makes the [`Page`] from what the player knows. Reads only.

use super::page::{AnswerState, Choice, Ending, Input, Page, Question, Score, Show, Task};
use super::prepare::{Asked, Prepared};
use super::{Doing, Player};
use crate::lesson::{self, InputKind, Step, StepKind};
use crate::progress::{QuestionRecord, StepRecord};
use crate::template::Format;

impl Doing {
    /// What the learner waits for.
    fn words(self) -> Option<&'static str> {
        match self {
            Self::Nothing | Self::Looking => None,
            Self::Beginning => Some("The lesson's machine starts."),
            Self::Entering => Some("The machine goes to this step's place."),
            Self::GoingBack => Some("The machine goes back to this step's place."),
            Self::Acting => Some("The machine does it."),
            Self::Showing => Some("The machine shows it."),
            Self::Ending => Some("The last page is being made."),
        }
    }
}

impl Player {
    /// The page anew.
    pub(super) fn present(&mut self) {
        let lesson = &self.lesson;
        let mut page = Page {
            lesson: lesson.id.clone(),
            lesson_title: lesson.title.clone(),
            step: self.step + 1,
            steps: lesson.steps.len(),
            can_back: self.step > 0,
            busy: self.doing.words().map(str::to_owned),
            travelling: matches!(self.doing, Doing::Beginning | Doing::Entering | Doing::GoingBack),
            trouble: self.trouble.as_ref().map(ToString::to_string),
            showing: self.doing == Doing::Showing,
            done: self.is_done(),
            can_show_me: self.can_show_me(),
            ..Page::default()
        };
        match lesson.steps.get(self.step) {
            Some(step) => self.present_step(&mut page, step),
            None => self.present_end(&mut page),
        }
        self.page = page;
    }

    fn present_step(&self, page: &mut Page, step: &Step) {
        let record = &self.records[self.step];
        page.step_id = step.id.clone();
        page.title = step.title.clone();
        page.highlight = step.highlight.clone();
        page.cpu = step.cpu;
        page.show = step.show.iter().map(|item| item.panel).collect();
        page.show_cpu = step.show.iter().find(|item| item.panel == Show::Cpu).and_then(|item| item.cpu);
        page.more_hints = step.hints.len().saturating_sub(record.hints);
        let Some(prepared) = &self.prepared else {
            // What is asked about the future is not known yet; it stays covered.
            page.covered = page.trouble.is_none() && step.questions.iter().any(|question| question.predict);
            return;
        };
        let seat = self.desk.seat();
        page.can_return = seat.position != prepared.place || seat.epoch != prepared.epoch;
        page.text = prepared.text.clone();
        page.memory_at = prepared.memory_at;
        page.hints = prepared.hints.iter().take(record.hints).cloned().collect();
        page.tasks = self.tasks(step, record, prepared);
        if page.done {
            page.then = prepared.then.clone();
        }
        let mut open = step.questions.iter().zip(&record.questions).filter(|(_, record)| !record.state.is_over());
        page.covered = open.any(|(question, _)| question.predict);
    }

    fn tasks(&self, step: &Step, record: &StepRecord, prepared: &Prepared) -> Vec<Task> {
        let mut tasks = Vec::new();
        let actions = step.actions.iter().enumerate().map(|(number, action)| {
            let pressed = record.pressed.contains(&number);
            Task::Action { number, label: action.label.clone(), pressed }
        });
        // What breaks something is to be done after the prediction; elsewhere the button helps to answer.
        let breaks = matches!(step.kind, StepKind::Break | StepKind::Mend);
        tasks.extend(actions.clone().filter(|_| !breaks));
        let mut open = true;
        for (number, (of, asked)) in step.questions.iter().zip(&prepared.questions).enumerate() {
            let Some(record) = record.questions.get(number) else { continue };
            let state = match record.state {
                AnswerState::Later | AnswerState::Open if open => AnswerState::Open,
                AnswerState::Open => AnswerState::Later,
                state => state,
            };
            open &= state.is_over();
            let feedback = self.feedback.get(number).cloned().unwrap_or_default();
            tasks.push(Task::Question(question(number, of, asked, record, state, feedback)));
        }
        tasks.extend(actions.filter(|_| breaks));
        for (number, says) in prepared.goals.iter().enumerate() {
            let met = number < record.goals;
            let over = record.shown || record.skipped;
            tasks.push(Task::Goal { says: says.clone(), met, open: number == record.goals && !over });
        }
        tasks
    }

    fn present_end(&self, page: &mut Page) {
        END.clone_into(&mut page.step_id);
        END_TITLE.clone_into(&mut page.title);
        page.done = true;
        let Some(closing) = &self.closing else { return };
        let next = self.lesson.next.as_ref().map(|id| {
            let title = crate::catalog::lesson(id).map_or_else(|| id.clone(), |lesson| lesson.title.clone());
            (id.clone(), title)
        });
        page.ending = Some(Ending {
            text: closing.text.clone(),
            why: closing.why.clone(),
            numbers: closing.numbers.clone(),
            score: score(&self.records),
            next,
            again: self.lesson.again.as_ref().map(|again| (again.label.clone(), again.cpus)),
        });
    }
}

const END: &str = super::END;
const END_TITLE: &str = "Done";

fn question(
    number: usize,
    of: &lesson::Question,
    asked: &Asked,
    record: &QuestionRecord,
    state: AnswerState,
    feedback: Vec<crate::text::Span>,
) -> Question {
    let example = of.example.clone();
    let input = match of.input {
        InputKind::Number => Input::Number { example, decimal: of.format == Format::Dec },
        InputKind::SegOff => Input::SegOff { example },
        InputKind::Word => Input::Word { example },
        InputKind::Choice => {
            let choice =
                |offer: &super::prepare::Offer| Choice { letter: offer.letter.clone(), says: offer.says.clone() };
            Input::Choice(asked.offers.iter().map(choice).collect())
        }
    };
    let is_right = matches!(state, AnswerState::Right | AnswerState::RightAfterLooking);
    let right = match state {
        // Where many answers are right, the learner's own is the one to show.
        _ if is_right && of.accept.is_some() => record.given.clone(),
        AnswerState::Right | AnswerState::RightAfterLooking | AnswerState::Shown => asked.written.clone(),
        _ => None,
    };
    Question {
        number,
        ask: asked.ask.clone(),
        predict: of.predict,
        input,
        given: record.given.clone(),
        state,
        feedback,
        right,
    }
}

/// How it went.
fn score(records: &[StepRecord]) -> Score {
    let mut score = Score::default();
    for question in records.iter().flat_map(|record| &record.questions) {
        match question.state {
            AnswerState::Right if question.wrong.is_empty() => score.first += 1,
            AnswerState::Right => score.later += 1,
            AnswerState::RightAfterLooking => score.after_looking += 1,
            AnswerState::Shown => score.shown += 1,
            AnswerState::Skipped => score.skipped += 1,
            AnswerState::Later | AnswerState::Open | AnswerState::Wrong => {}
        }
    }
    score
}
