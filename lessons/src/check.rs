//! What can be said of a lesson without playing it: its length, its terms, its links and names, its parts.
//!
//! [`crate::lesson::parse`] finds what is wrong inside one file; here is what needs the glossary, the other lessons, the
//! image's profile or the window's commands, and what is a matter of teaching (teaching.md, "Text budget"). All problems
//! are returned, each with file and line. Neighbours: `words` counts and reads sentences, `terms` follows the glossary's
//! terms through a lesson, `names` looks up links, symbols and commands, `parts` lists a lesson's texts and
//! expressions. `cargo xtask lessons check` prints what it finds and then plays the lesson.

mod names;
mod parts;
mod terms;
#[cfg(test)]
mod tests;
mod words;

use crate::content::ContentError;
use crate::lesson::{InputKind, Lesson, StepKind};
use protocol::profile::Profile;
use std::sync::Arc;

/// What a lesson is checked against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Against<'a> {
    /// All lessons of the course, the checked one among them.
    pub lessons: &'a [Arc<Lesson>],
    /// The names in the image; None: symbols are not looked up.
    pub profile: Option<&'a Profile>,
    /// Ids of the window's commands; empty: they are not looked up.
    pub commands: &'a [&'a str],
}

/// Steps of kind predict that a lesson has at least.
const LEAST_PREDICTS: usize = 4;
/// Hints of a step with a task.
const HINTS: usize = 3;
/// Learners whose numbers are tried.
const SEEDS: u64 = 20;

/// All problems of a lesson, in the order of its file.
pub fn check(lesson: &Lesson, against: &Against<'_>) -> Vec<ContentError> {
    let mut problems = Problems { file: &lesson.file, found: Vec::new() };
    words::check(lesson, &mut problems);
    terms::check(lesson, against, &mut problems);
    names::check(lesson, against, &mut problems);
    teaching(lesson, &mut problems);
    course(lesson, against, &mut problems);
    numbers(lesson, &mut problems);
    problems.found.sort();
    problems.found.dedup();
    problems.found
}

/// All problems of all lessons.
pub fn check_all(against: &Against<'_>) -> Vec<ContentError> {
    against.lessons.iter().flat_map(|lesson| check(lesson, against)).collect()
}

/// What was found.
struct Problems<'a> {
    file: &'a str,
    found: Vec<ContentError>,
}

impl Problems<'_> {
    fn add(&mut self, line: usize, what: impl Into<String>) {
        self.found.push(ContentError { file: self.file.to_owned(), line, what: what.into() });
    }
}

/// What makes a lesson more than text.
fn teaching(lesson: &Lesson, problems: &mut Problems<'_>) {
    let count = |kinds: &[StepKind]| lesson.steps.iter().filter(|step| kinds.contains(&step.kind)).count();
    let predicts = count(&[StepKind::Predict]);
    if predicts < LEAST_PREDICTS {
        let what = format!("the lesson has {predicts} steps of kind predict; it needs at least {LEAST_PREDICTS}");
        problems.add(lesson.lines.title, what);
    }
    if count(&[StepKind::Break, StepKind::Mend]) == 0 {
        problems.add(lesson.lines.title, "the lesson has no step of kind break or mend; it needs at least one");
    }
    for step in &lesson.steps {
        let has_task = !step.questions.is_empty() || !step.goals.is_empty();
        if has_task && step.hints.len() != HINTS {
            let what = format!(
                "the step `{}` has {} hints; it needs {HINTS}: where to look, which rule, the calculation with other numbers",
                step.id,
                step.hints.len()
            );
            problems.add(step.block_line, what);
        }
        if step.kind == StepKind::Predict && !step.questions.iter().any(|question| question.predict) {
            let what = format!("the step `{}` is of kind predict, but no question has a `reveal`", step.id);
            problems.add(step.block_line, what);
        }
        if !step.goals.is_empty() && step.script.is_empty() {
            let what = format!("the step `{}` has goals and no [script]: [Show me] could not meet them", step.id);
            problems.add(step.block_line, what);
        }
        if step.show.is_empty() {
            problems.add(step.block_line, format!("the step `{}` shows no panel; name them in `show`", step.id));
        }
        for question in &step.questions {
            if question.input != InputKind::Choice && question.wrong.is_empty() {
                let what = "the question lists no wrong answer; name at least one misconception in `wrong`";
                problems.add(question.line, what);
            }
        }
    }
}

/// How the lesson stands among the others.
fn course(lesson: &Lesson, against: &Against<'_>, problems: &mut Problems<'_>) {
    let known = |id: &str| against.lessons.iter().any(|other| other.id == id);
    for id in &lesson.needs {
        if id == &lesson.id {
            problems.add(lesson.lines.needs, "the lesson needs itself");
        } else if !known(id) {
            problems.add(lesson.lines.needs, format!("`needs` names `{id}`, which is no lesson"));
        } else if needed(lesson, against).iter().any(|other| other.id == lesson.id) {
            problems.add(lesson.lines.needs, format!("the lesson and `{id}` need each other"));
        }
    }
    if let Some(next) = &lesson.next
        && (!known(next) || *next == lesson.id)
    {
        problems.add(lesson.lines.next, format!("`next` names `{next}`, which is no other lesson"));
    }
    if against.lessons.iter().filter(|other| other.id == lesson.id).count() > 1 {
        problems.add(1, format!("two lessons have the id `{}`", lesson.id));
    }
    let folder = lesson.file.rsplit('/').nth(1);
    if folder.is_some_and(|folder| folder != lesson.id) {
        problems.add(1, format!("the lesson's id is `{}`, and its folder should have that name", lesson.id));
    }
}

/// The lessons that come before a lesson, also by way of others.
fn needed<'a>(lesson: &Lesson, against: &Against<'a>) -> Vec<&'a Lesson> {
    let mut open: Vec<&str> = lesson.needs.iter().map(String::as_str).collect();
    let mut found: Vec<&Lesson> = Vec::new();
    while let Some(id) = open.pop() {
        let Some(other) = against.lessons.iter().find(|other| other.id == id) else { continue };
        if !found.iter().any(|known| known.id == other.id) {
            found.push(other);
            open.extend(other.needs.iter().map(String::as_str));
        }
    }
    found
}

/// The machine can be made with the numbers of any learner, and each number is used.
fn numbers(lesson: &Lesson, problems: &mut Problems<'_>) {
    let configs = (0..SEEDS).map(|seed| lesson.machine.config(&lesson.draw(seed)));
    let mut cpus = 1;
    for config in configs {
        match config {
            Ok(config) => cpus = cpus.max(config.cpus),
            Err(what) => {
                problems.add(lesson.machine.line, format!("some learners get a machine that cannot be: {what}"));
                break;
            }
        }
    }
    let all = parts::expressions(lesson);
    for (line, expr) in &all {
        if let Some(cpu) = expr.cpus().into_iter().find(|cpu| cpu.0 >= cpus) {
            problems.add(*line, format!("`{}` asks for {cpu}; the machine has {cpus}", expr.text().trim()));
        }
    }
    for vary in &lesson.vary {
        if !all.iter().any(|(_, expr)| expr.uses(&vary.name)) {
            problems.add(lesson.machine.line, format!("`{}` is drawn and never used", vary.name));
        }
    }
}
