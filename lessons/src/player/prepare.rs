//! Entering a step: the learner's machine is brought to the step's place, and everything that texts, questions and wrong
//! answers need is read from a private copy, run ahead to each reveal. Wrong numbers never touch the learner's machine.

use super::travel::Traveller;
use super::trouble::Trouble;
use super::world::{World, expect};
use crate::expr::{self, Expr, Moment, NoValue, Value};
use crate::lesson::{Question, Step};
use crate::stop::Stop;
use crate::template::{self, Format, Line, Template};
use crate::text::{Block, Span};
use protocol::Position;
use protocol::request::{Answer, Request};
use protocol::run::Run;

/// A step, ready to be played.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Where it begins.
    pub place: Position,
    /// The machine's epoch there.
    pub epoch: u64,
    /// The learner's run as it was there.
    pub run: Run,
    /// The step's text.
    pub text: Vec<Block>,
    /// What is said when it is done.
    pub then: Vec<Block>,
    /// All hints.
    pub hints: Vec<Vec<Span>>,
    /// What each goal says.
    pub goals: Vec<Vec<Span>>,
    /// The questions, in order.
    pub questions: Vec<Asked>,
    /// The machine at the place: for `before(...)` in goals.
    pub moment: Moment,
    /// What the memory panel shows: `memory:EXPR`.
    pub memory_at: Option<u64>,
    /// Mistakes of the lesson, by file and line.
    pub problems: Vec<String>,
}

/// A question with its answers, as this machine has them.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// What is asked.
    pub ask: Vec<Span>,
    /// The right answer, where it is a value.
    pub right: Option<Value>,
    /// The right answer as a person writes it.
    pub written: Option<String>,
    /// The machine where the answer was read: for `accept`.
    pub moment: Moment,
    /// Where the answer is to be seen.
    pub reveal: Option<Position>,
    /// What is said to the right answer.
    pub says: Vec<Span>,
    /// The wrong answers that are listed.
    pub wrong: Vec<Listed>,
    /// What there is to choose from.
    pub offers: Vec<Offer>,
}

/// A wrong answer that the lesson knows.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What it is worth here.
    pub value: Value,
    /// As a person writes it.
    pub written: String,
    /// The misconception.
    pub id: String,
    /// What is said to it.
    pub says: Vec<Span>,
}

/// One answer to choose.
#[derive(Clone, Debug)]
pub struct Offer {
    /// "A", "B", ...
    pub letter: String,
    /// What it says.
    pub says: Vec<Span>,
    /// It is right.
    pub right: bool,
    /// The misconception of a wrong one.
    pub id: String,
    /// What is said to it.
    pub feedback: Vec<Span>,
}

/// How often a step is prepared anew because somebody moved the machine meanwhile.
const MAX_TRIES: usize = 4;

impl World {
    /// Brings the learner's machine to the place of a step, unedited, and prepares the step. `places` are those of the
    /// steps, as far as they are known; new ones are added. `entry` is the learner's run where a step begins `here`.
    pub async fn enter(
        &self,
        step: usize,
        places: &mut Vec<Option<Position>>,
        entry: Option<&(Run, Position)>,
    ) -> Result<Prepared, Trouble> {
        for _ in 0..MAX_TRIES {
            let place = self.bring(step, places, entry).await?;
            match self.prepare(step, place).await {
                Err(Trouble::Disturbed) => {}
                done => return done,
            }
        }
        Err(Trouble::Disturbed)
    }

    /// The learner's run.
    pub async fn save_run(&self) -> Result<Run, Trouble> {
        expect(self.desk.ask(Request::SaveRun).await, "SaveRun", |answer| match answer {
            Answer::Run(run) => Some(*run),
            _ => None,
        })
    }

    /// Brings the learner's machine to the place of a step.
    pub async fn bring(
        &self,
        step: usize,
        places: &mut Vec<Option<Position>>,
        entry: Option<&(Run, Position)>,
    ) -> Result<Position, Trouble> {
        places.resize(self.lesson.steps.len(), None);
        let mut machine = Traveller::learner(&self.desk);
        if let Some((run, position)) = entry {
            machine.load(run.clone(), *position).await?;
            return Ok(*position);
        }
        let mut clean = self.save_run().await.map(|run| self.is_clean(&run))?;
        if is_here(&self.lesson.steps[step]) {
            let run = self.save_run().await?;
            if self.is_ours(&run) && step > 0 {
                return Ok(machine.seat.position);
            }
        }
        let mut base = Position(0);
        for earlier in 0..=step {
            let of = &self.lesson.steps[earlier];
            if is_here(of) {
                continue;
            }
            if let Some(known) = places[earlier] {
                base = known;
                continue;
            }
            if !clean {
                machine.load(self.clean_run(base), base).await?;
                clean = true;
            }
            match self.find_place(&mut machine, of, base, places).await {
                Ok(place) => {
                    places[earlier] = Some(place);
                    base = place;
                }
                // An earlier step that has no place in this machine keeps nobody from the later ones.
                Err(Trouble::NeverCame | Trouble::Ended(_) | Trouble::Lesson(_)) if earlier < step => {}
                Err(trouble) => return Err(trouble),
            }
        }
        if !clean || base > machine.seat.end {
            machine.load(self.clean_run(base), base).await?;
        }
        machine.seek(base).await?;
        Ok(base)
    }

    /// Goes through the stops of a step, from the place of the step before on.
    async fn find_place(
        &self,
        machine: &mut Traveller,
        step: &Step,
        base: Position,
        places: &[Option<Position>],
    ) -> Result<Position, Trouble> {
        machine.go_to(base).await?;
        let mut from = base;
        for stop in &step.stop {
            if let Stop::Step(id) = stop {
                let place = self.lesson.step(id).and_then(|(at, _)| places.get(at).copied().flatten());
                let Some(place) = place else {
                    let what = format!("the step `{}` stands where `{id}` does, which has no place", step.id);
                    return Err(Trouble::Lesson(format!("{}:{}: {what}", self.lesson.file, step.block_line)));
                };
                machine.go_to(place).await?;
            } else {
                self.find(machine, stop, from).await?;
            }
            from = machine.seat.position;
        }
        Ok(from)
    }

    /// Reads everything a step needs, from private copies of the machine as it stands.
    async fn prepare(&self, number: usize, place: Position) -> Result<Prepared, Trouble> {
        let epoch = self.desk.seat().epoch;
        let run = self.save_run().await?;
        let step = &self.lesson.steps[number];
        let mut copy = self.copy_at(place, epoch).await?;
        let mut reader = Reader { world: self, problems: Vec::new(), file: &self.lesson.file };
        let mut moment = self.moment(&copy.seat, place);
        let mut text = Vec::new();
        if number == 0 {
            // The lesson's opening words stand before its first step.
            text = reader.template(&copy, &mut moment, &self.lesson.opening).await?;
        }
        text.extend(reader.template(&copy, &mut moment, &step.text).await?);
        let mut hints = Vec::new();
        for hint in &step.hints {
            hints.push(reader.line(&copy, &mut moment, hint).await?);
        }
        let mut goals = Vec::new();
        for goal in &step.goals {
            goals.push(reader.line(&copy, &mut moment, &goal.says).await?);
            reader.ahead(&copy, &mut moment, &goal.when).await?;
        }
        let memory_at = match step.show.iter().find_map(|item| item.at.as_ref()) {
            Some(at) => {
                let found = self.know(&copy, &mut moment, |moment| at.number(moment)).await;
                reader.note(step.block_line, found)?
            }
            None => None,
        };
        for (_, expr) in step.then.expressions() {
            reader.ahead(&copy, &mut moment, expr).await?;
        }
        let mut questions: Vec<Asked> = Vec::new();
        for question in &step.questions {
            let ask = reader.line(&copy, &mut moment, &question.ask).await?;
            for expr in expressions(question) {
                reader.ahead(&copy, &mut moment, expr).await?;
            }
            questions.push(Asked { ask, ..Asked::default() });
        }
        // First those that are answered where the machine stands, then those that let the copy run, last those that change it.
        let order = |question: &Question| (!question.reveal.is_empty(), !question.ahead.is_empty());
        let mut indices: Vec<usize> = (0..step.questions.len()).collect();
        indices.sort_by_key(|&index| order(&step.questions[index]));
        let mut last_reveal: Option<(usize, Moment)> = None;
        let mut then = None;
        for index in indices {
            let question = &step.questions[index];
            let mut there = moment.clone();
            if !question.reveal.is_empty() {
                if question.ahead.is_empty() {
                    copy.seek(place).await?;
                } else {
                    copy = self.copy_at(place, epoch).await?;
                }
                for command in &question.ahead {
                    self.perform(&mut copy, step, command, place).await?;
                }
                let mut from = place;
                for stop in &question.reveal {
                    self.find(&mut copy, stop, from).await?;
                    from = copy.seat.position;
                }
                there = self.moment(&copy.seat, place).with_before(moment.clone());
            }
            let asked = reader.question(&copy, &mut there, question, std::mem::take(&mut questions[index])).await?;
            questions[index] = asked;
            if !question.reveal.is_empty() {
                questions[index].reveal = Some(copy.seat.position);
                if last_reveal.as_ref().is_none_or(|(last, _)| *last < index) {
                    // Where the answer to the last prediction is to be seen, what is said afterwards is true.
                    then = Some(reader.template(&copy, &mut there, &step.then).await?);
                    last_reveal = Some((index, there));
                }
            }
        }
        let then = match then {
            Some(then) => then,
            None => reader.template(&copy, &mut moment, &step.then).await?,
        };
        let seat = self.desk.seat();
        if seat.epoch != epoch || seat.position != place {
            return Err(Trouble::Disturbed);
        }
        let problems = reader.problems;
        Ok(Prepared { place, epoch, run, text, then, hints, goals, questions, moment, memory_at, problems })
    }

    /// A copy of the machine, if it still stands where the step begins.
    async fn copy_at(&self, place: Position, epoch: u64) -> Result<Traveller, Trouble> {
        let copy = Traveller::copy(&self.desk).await?;
        if copy.seat.position != place || self.desk.seat().epoch != epoch {
            return Err(Trouble::Disturbed);
        }
        Ok(copy)
    }
}

/// The step leaves the machine as it is.
pub fn is_here(step: &Step) -> bool {
    step.stop.iter().all(|stop| *stop == Stop::Here)
}

/// Evaluates texts and answers; a mistake of the lesson costs the words, not the step.
struct Reader<'a> {
    world: &'a World,
    problems: Vec<String>,
    file: &'a str,
}

impl Reader<'_> {
    /// Takes note of a mistake of the lesson; anything else goes on.
    fn note<T>(&mut self, line: usize, result: Result<T, Trouble>) -> Result<Option<T>, Trouble> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Trouble::Lesson(what)) => {
                self.problems.push(format!("{}:{line}: {what}", self.file));
                Ok(None)
            }
            Err(trouble) => Err(trouble),
        }
    }

    async fn template(
        &mut self,
        machine: &Traveller,
        moment: &mut Moment,
        text: &Template,
    ) -> Result<Vec<Block>, Trouble> {
        let line = text.blocks.first().map_or(0, |(line, _)| *line);
        let filled = self.world.know(machine, moment, |moment| template::fill(text, moment)).await;
        let filled = self.note(line, filled)?;
        Ok(filled.unwrap_or_else(|| vec![Block::Paragraph(vec![Span::Text(MISTAKE.into())])]))
    }

    async fn line(&mut self, machine: &Traveller, moment: &mut Moment, line: &Line) -> Result<Vec<Span>, Trouble> {
        let at = template::expressions(line).next().map_or(0, |(at, _)| at);
        let filled = self.world.know(machine, moment, |moment| template::fill_line(line, moment)).await;
        Ok(self.note(at, filled)?.unwrap_or_else(|| vec![Span::Text(MISTAKE.into())]))
    }

    /// Reads what an expression that is evaluated later needs of the machine as it stands at the step's place.
    async fn ahead(&mut self, machine: &Traveller, moment: &mut Moment, expr: &Expr) -> Result<(), Trouble> {
        match self.world.know(machine, moment, |moment| expr.prepare(moment)).await {
            // Where it fails, the whole expression fails later, and says why.
            Ok(()) | Err(Trouble::Lesson(_)) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// A value as a person writes it.
    async fn written(
        &mut self,
        machine: &Traveller,
        moment: &mut Moment,
        format: Format,
        value: &Value,
    ) -> Result<String, Trouble> {
        let symbol = match (format, value.as_int()) {
            (Format::Sym, Some(linear)) => {
                let find = |moment: &mut Moment| expr::name_at(moment, linear).ok_or(NoValue::Missing);
                self.world.know(machine, moment, find).await?
            }
            _ => None,
        };
        Ok(format.write(value, symbol.as_ref()))
    }

    /// The answers of a question, read where the machine stands now.
    async fn question(
        &mut self,
        machine: &Traveller,
        moment: &mut Moment,
        question: &Question,
        asked: Asked,
    ) -> Result<Asked, Trouble> {
        let mut asked = asked;
        if let Some(answer) = &question.answer {
            let value = self.world.know(machine, moment, |moment| answer.eval(moment)).await;
            asked.right = self.note(question.line, value)?;
            if let Some(value) = asked.right.clone() {
                asked.written = Some(self.written(machine, moment, question.format, &value).await?);
            }
        }
        asked.says = self.line(machine, moment, &question.right).await?;
        for wrong in &question.wrong {
            let value = self.world.know(machine, moment, |moment| wrong.value.eval(moment)).await;
            let Some(value) = self.note(wrong.line, value)? else { continue };
            let written = self.written(machine, moment, question.format, &value).await?;
            let says = self.line(machine, moment, &wrong.says).await?;
            asked.wrong.push(Listed { value, written, id: wrong.id.clone(), says });
        }
        for (number, choice) in question.choices.iter().enumerate() {
            let mut right = choice.right;
            if let Some(expr) = &choice.value {
                let value = self.world.know(machine, moment, |moment| expr.eval(moment)).await;
                let value = self.note(choice.line, value)?;
                right |= value.zip(asked.right.as_ref()).is_some_and(|(value, right)| value.same(right) == Some(true));
            }
            let letter = char::from(b'A' + (number % 26) as u8).to_string();
            let feedback = self.line(machine, moment, &choice.feedback).await?;
            if right {
                asked.written = Some(letter.clone());
                if asked.says.is_empty() {
                    asked.says.clone_from(&feedback);
                }
            }
            asked.offers.push(Offer {
                letter,
                says: self.line(machine, moment, &choice.says).await?,
                right,
                id: choice.id.clone().unwrap_or_default(),
                feedback,
            });
        }
        if let Some(accept) = &question.accept {
            // What it needs of the machine is the same for each answer: reading it now lets an answer be judged at once.
            let known = self.world.know(machine, moment, |moment| match accept.holds(moment) {
                Err(NoValue::Missing) => Err(NoValue::Missing),
                _ => Ok(()),
            });
            known.await?;
        }
        asked.moment = moment.clone();
        Ok(asked)
    }
}

/// Everything that is evaluated where the answer is to be seen.
fn expressions(question: &Question) -> Vec<&Expr> {
    let values = question.answer.iter().chain(&question.accept);
    let values = values.chain(question.wrong.iter().map(|wrong| &wrong.value));
    let values = values.chain(question.choices.iter().filter_map(|choice| choice.value.as_ref()));
    let says = question.wrong.iter().map(|wrong| &wrong.says);
    let lines = says.chain(question.choices.iter().flat_map(|choice| [&choice.says, &choice.feedback]));
    let lines = lines.chain([&question.right]).flat_map(template::expressions).map(|(_, expr)| expr);
    values.chain(lines).collect()
}

/// Stands where a text should be.
const MISTAKE: &str = "(There is a mistake in the lesson here.)";
