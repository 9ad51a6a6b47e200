//! `cargo xtask lessons check`: proves that a lesson can be played, with many seeds, on a real machine.
//!
//! For each seed somebody plays it who first gives every wrong answer that is listed (it must be refused with its
//! feedback), then something unreadable (it must not count), asks for every hint, answers right, and lets [Show me] do
//! what is to be done to the machine: the goals must come true by it. An idle learner, who presses only Next, must get past
//! no step that has a task.

use super::driver::Driver;
use super::words;
use crate::project;
use crate::test::Report;
use anyhow::{Context, Result, bail};
use lessons::check::Against;
use lessons::lesson::{InputKind, Lesson};
use lessons::player::page::{AnswerState, Question, Task};
use lessons::player::{Act, Player};
use protocol::profile::Profile;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Proves that lessons can be played to their end.
///
/// Reads each lesson, checks what can be told without a machine (symbols, links, terms, the text budget), and plays it with
/// many seeds: every listed wrong answer must be refused with its feedback, the right one accepted, the script must
/// meet the goals, and whoever does nothing must not get on. Prints a line for each lesson, and one for each mistake, with
/// file and line.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only these lessons; all if none is named
    ids: Vec<String>,
    /// How many seeds each is played with
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// Only this seed
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Tell what is done in each step
    #[arg(long)]
    verbose: bool,
}

/// The seeds of `cargo xtask test lessons`.
const SEEDS: u64 = 20;
/// Machines that play at once.
const MACHINES: usize = 2;

pub fn main(args: &Args) -> Result<ExitCode> {
    let mut report = Report::default();
    let seeds = args.seed.map_or_else(|| (1..=args.seeds).collect(), |seed| vec![seed]);
    let ids = if args.ids.is_empty() { super::ids()? } else { args.ids.clone() };
    check(&ids, &seeds, args.verbose, &mut report)?;
    println!("{} passed, {} failed", report.passed(), report.failed());
    Ok(if report.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The part `lessons` of `cargo xtask test`.
pub fn run(report: &mut Report) -> Result<()> {
    check(&super::ids()?, &(1..=SEEDS).collect::<Vec<_>>(), false, report)
}

/// One game to be played.
struct Game {
    lesson: Arc<Lesson>,
    seed: u64,
    /// By somebody who does nothing.
    idle: bool,
}

/// What came of a game.
struct Played {
    id: String,
    seed: u64,
    idle: bool,
    problems: Vec<String>,
    counts: Counts,
    seconds: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    steps: usize,
    questions: usize,
    wrong: usize,
    goals: usize,
    hints: usize,
    actions: usize,
}

fn check(ids: &[String], seeds: &[u64], verbose: bool, report: &mut Report) -> Result<()> {
    let mut lessons = Vec::new();
    for id in ids {
        match super::read(id)? {
            Ok(lesson) => lessons.push(Arc::new(lesson)),
            Err(error) => report.case(&format!("lesson {id}: its file"), Err(anyhow::anyhow!("{error}"))),
        }
    }
    statically(&lessons, report)?;
    let mut games: Vec<Game> = Vec::new();
    for lesson in &lessons {
        games.push(Game { lesson: Arc::clone(lesson), seed: seeds.first().copied().unwrap_or(1), idle: true });
        games.extend(seeds.iter().map(|&seed| Game { lesson: Arc::clone(lesson), seed, idle: false }));
    }
    let played = play_all(&games, verbose)?;
    for lesson in &lessons {
        tell(lesson, &played, report);
    }
    Ok(())
}

/// What can be told without a machine.
fn statically(lessons: &[Arc<Lesson>], report: &mut Report) -> Result<()> {
    let path = project::profile();
    let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let profile: Profile = serde_json::from_str(&text).with_context(|| format!("{} is no profile", path.display()))?;
    let mut course: Vec<Arc<Lesson>> = lessons.to_vec();
    for id in super::ids()? {
        if !course.iter().any(|lesson| lesson.id == id) {
            course.extend(super::read(&id)?.ok().map(Arc::new));
        }
    }
    let catalog = commands()?;
    let commands: Vec<&str> = catalog.iter().map(String::as_str).collect();
    let against = Against { lessons: &course, profile: Some(&profile), commands: &commands };
    for lesson in lessons {
        let problems = lessons::check::check(lesson, &against);
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        told.iter().for_each(|problem| report.tell(format_args!("FAILED  {problem}")));
        let failed = told.iter().map(|problem| format!("lesson {}: {problem}", lesson.id));
        report.cases(u64::from(told.is_empty()), failed);
    }
    Ok(())
}

/// Ids of the window's commands: the words in quotation marks in its catalog. xtask does not link the window.
fn commands() -> Result<Vec<String>> {
    let path = project::root().join("debugger-ui/src/command/catalog.rs");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let is_id = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    Ok(text.split('"').skip(1).step_by(2).filter(is_id).map(str::to_owned).collect())
}

/// Plays all games, on a few machines at once.
fn play_all(games: &[Game], verbose: bool) -> Result<Vec<Played>> {
    let next = AtomicUsize::new(0);
    let played: Mutex<Vec<Played>> = Mutex::default();
    let machines = MACHINES.min(games.len());
    std::thread::scope(|scope| {
        let worker = || -> Result<()> {
            let mut driver = Driver::start()?;
            while let Some(game) = games.get(next.fetch_add(1, Ordering::Relaxed)) {
                let start = Instant::now();
                let mut run = Run { problems: Vec::new(), counts: Counts::default(), verbose };
                let result = if game.idle { run.idle(&mut driver, game) } else { run.play(&mut driver, game) };
                if let Err(error) = result {
                    run.problems.push(format!("{}:1: {error:#}", game.lesson.file));
                    driver = Driver::start()?;
                }
                let (id, seed, idle) = (game.lesson.id.clone(), game.seed, game.idle);
                let seconds = start.elapsed().as_secs_f64();
                let done = Played { id, seed, idle, problems: run.problems, counts: run.counts, seconds };
                played.lock().unwrap_or_else(PoisonError::into_inner).push(done);
            }
            Ok(())
        };
        let workers: Vec<_> = (0..machines).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            match worker.join() {
                Ok(result) => result?,
                Err(_) => bail!("a game ended with a panic; its message is above"),
            }
        }
        Ok(())
    })?;
    Ok(played.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// A line for the lesson and one for each mistake. A mistake that all seeds show is told once.
fn tell(lesson: &Lesson, played: &[Played], report: &mut Report) {
    let mine: Vec<&Played> = played.iter().filter(|game| game.id == lesson.id).collect();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    let mut failed = Vec::new();
    let mut passed = 0;
    for game in &mine {
        if game.problems.is_empty() {
            passed += 1;
            continue;
        }
        let who = if game.idle { "idle learner".to_owned() } else { format!("seed {}", game.seed) };
        for problem in &game.problems {
            if told.insert(problem) {
                report.tell(format_args!("FAILED  {problem} ({who})"));
            }
        }
        failed.push(format!("lesson {}, {who}: {}", lesson.id, game.problems.join("; ")));
    }
    let counts = mine.iter().find(|game| !game.idle).map(|game| game.counts).unwrap_or_default();
    let seconds: f64 = mine.iter().map(|game| game.seconds).sum();
    report.tell(format_args!(
        "{}  lesson {}: {} seeds, {} steps, {} questions, {} wrong answers, {} goals, {} hints, {} actions ({seconds:.1} s)",
        if failed.is_empty() { "ok    " } else { "FAILED" },
        lesson.id,
        mine.iter().filter(|game| !game.idle).count(),
        counts.steps,
        counts.questions,
        counts.wrong,
        counts.goals,
        counts.hints,
        counts.actions,
    ));
    report.cases(passed, failed);
}

/// A game under way.
struct Run {
    problems: Vec<String>,
    counts: Counts,
    verbose: bool,
}

impl Run {
    fn problem(&mut self, lesson: &Lesson, line: usize, what: &str) {
        self.problems.push(format!("{}:{line}: {what}", lesson.file));
    }

    /// By somebody who presses only Next, and Skip where that leads nowhere.
    fn idle(&mut self, driver: &mut Driver, game: &Game) -> Result<()> {
        let lesson = &*game.lesson;
        let mut player = Player::new(Arc::clone(&game.lesson), game.seed, None);
        driver.serve(&mut player)?;
        for (number, step) in lesson.steps.iter().enumerate() {
            if player.page().step != number + 1 {
                bail!(
                    "the idle learner is on page {} instead of step {} (`{}`)",
                    player.page().step,
                    number + 1,
                    step.id
                );
            }
            if has_task(player.page()) {
                act(driver, &mut player, Act::Next)?;
                if player.page().step != number + 1 {
                    self.problem(lesson, step.block_line, &format!("who does nothing passes the step `{}`", step.id));
                    continue;
                }
            }
            act(driver, &mut player, Act::Skip)?;
        }
        if player.page().ending.is_none() {
            let said = player.page().trouble.clone().unwrap_or_default();
            self.problem(lesson, 1, &format!("the idle learner does not come to the end: {said}"));
        }
        Ok(())
    }

    fn play(&mut self, driver: &mut Driver, game: &Game) -> Result<()> {
        let lesson = &*game.lesson;
        let mut player = Player::new(Arc::clone(&game.lesson), game.seed, None);
        driver.serve(&mut player)?;
        for (number, step) in lesson.steps.iter().enumerate() {
            self.counts.steps += 1;
            let page = player.page().clone();
            if let Some(trouble) = &page.trouble {
                self.problem(lesson, step.block_line, &format!("step `{}`: {trouble}", step.id));
                act(driver, &mut player, Act::Skip)?;
                continue;
            }
            if page.step != number + 1 {
                bail!("page {} is shown instead of step {} (`{}`)", page.step, number + 1, step.id);
            }
            if self.verbose {
                println!("-- {} seed {}: {} {}", lesson.id, game.seed, step.id, words::blocks(&page.text).join("\n"));
            }
            if has_task(&page) && page.done {
                self.problem(lesson, step.block_line, &format!("step `{}` is done before anything was done", step.id));
            }
            for question in 0..step.questions.len() {
                self.ask(driver, &mut player, game, number, question)?;
            }
            self.hints(driver, &mut player, lesson, number)?;
            if !player.page().done {
                act(driver, &mut player, Act::ShowMe)?;
                let page = player.page();
                if let Some(trouble) = &page.trouble {
                    let trouble = trouble.clone();
                    self.problem(lesson, step.block_line, &format!("step `{}`, [Show me]: {trouble}", step.id));
                }
                if let Some(why) = player.goal_trouble() {
                    self.problem(
                        lesson,
                        step.block_line,
                        &format!("step `{}`, a goal cannot be looked at: {why}", step.id),
                    );
                }
            }
            self.counts.goals += step.goals.len();
            self.actions(driver, &mut player, lesson, number)?;
            self.problems.append(&mut player.take_problems());
            if !player.page().done {
                self.problem(lesson, step.block_line, &format!("step `{}` is not done by its script", step.id));
                act(driver, &mut player, Act::Skip)?;
            } else {
                act(driver, &mut player, Act::Next)?;
            }
        }
        self.problems.append(&mut player.take_problems());
        match &player.page().ending {
            Some(ending) if self.verbose => println!("-- {} seed {}: {:?}", lesson.id, game.seed, ending.numbers),
            Some(_) => {}
            None => self.problem(lesson, lesson.lines.end, "the lesson does not come to its end"),
        }
        Ok(())
    }

    /// Every wrong answer, something unreadable, the right answer.
    fn ask(&mut self, driver: &mut Driver, player: &mut Player, game: &Game, step: usize, number: usize) -> Result<()> {
        let lesson = &*game.lesson;
        let of = &lesson.steps[step].questions[number];
        self.counts.questions += 1;
        let Some(key) = player.key(number) else {
            self.problem(lesson, of.line, "this question has no answers: the step could not be prepared");
            return Ok(());
        };
        for (index, (id, typed, says)) in key.wrong.iter().enumerate() {
            self.counts.wrong += 1;
            let line = match of.input {
                InputKind::Choice => {
                    of.choices.iter().find(|choice| choice.id.as_ref() == Some(id)).map(|choice| choice.line)
                }
                _ => of.wrong.get(index).map(|wrong| wrong.line),
            };
            let line = line.unwrap_or(of.line);
            if of.input != InputKind::Choice && player.collides(number, index) {
                self.problem(
                    lesson,
                    line,
                    &format!("the wrong answer {id} ({typed}) is the right one with these numbers"),
                );
                continue;
            }
            act(driver, player, Act::Check { question: number, text: typed.clone() })?;
            let Some(shown) = question(player, number) else { bail!("question {number} has gone") };
            if shown.state != AnswerState::Wrong {
                let what = format!("the wrong answer {id} ({typed}) is not refused: {:?}", shown.state);
                self.problem(lesson, line, &what);
            } else if shown.feedback.is_empty() || (!says.is_empty() && shown.feedback != *says) {
                let got = words::line(&shown.feedback);
                let what = format!("the wrong answer {id} ({typed}) gets another feedback than its own: {got}");
                self.problem(lesson, line, &what);
            }
        }
        let before = question(player, number).map(|question| question.state);
        act(driver, player, Act::Check { question: number, text: "?!".into() })?;
        if question(player, number).map(|question| question.state) != before {
            self.problem(lesson, of.line, "an unreadable answer is counted");
        }
        let Some(right) = key.right else {
            self.problem(lesson, of.line, "this question has no right answer");
            return Ok(());
        };
        act(driver, player, Act::Check { question: number, text: right.clone() })?;
        let Some(shown) = question(player, number) else { bail!("question {number} has gone") };
        if self.verbose {
            println!("   {} = {right}", words::line(&shown.ask));
        }
        if shown.state != AnswerState::Right {
            let why = words::line(&shown.feedback);
            self.problem(
                lesson,
                of.line,
                &format!("the right answer ({right}) is not accepted: {:?}, {why}", shown.state),
            );
        }
        Ok(())
    }

    fn hints(&mut self, driver: &mut Driver, player: &mut Player, lesson: &Lesson, step: usize) -> Result<()> {
        let of = &lesson.steps[step];
        for number in 1..=of.hints.len() {
            self.counts.hints += 1;
            act(driver, player, Act::Hint)?;
            if player.page().hints.len() != number {
                self.problem(lesson, of.block_line, &format!("hint {number} of step `{}` does not come", of.id));
            }
        }
        if !player.page().done && !player.page().can_show_me {
            self.problem(lesson, of.block_line, &format!("[Show me] does not come in step `{}`", of.id));
        }
        Ok(())
    }

    /// Every button works, and its doing can be taken back.
    fn actions(&mut self, driver: &mut Driver, player: &mut Player, lesson: &Lesson, step: usize) -> Result<()> {
        let of = &lesson.steps[step];
        for (number, action) in of.actions.iter().enumerate() {
            self.counts.actions += 1;
            act(driver, player, Act::Return)?;
            act(driver, player, Act::Do(number))?;
            if let Some(trouble) = player.page().trouble.clone() {
                self.problem(lesson, action.line, &format!("the action `{}`: {trouble}", action.label));
            }
        }
        Ok(())
    }
}

fn act(driver: &mut Driver, player: &mut Player, act: Act) -> Result<()> {
    player.act(act);
    driver.serve(player)
}

fn has_task(page: &lessons::player::Page) -> bool {
    page.tasks.iter().any(|task| !matches!(task, Task::Action { .. }))
}

fn question(player: &Player, number: usize) -> Option<Question> {
    player.page().tasks.iter().find_map(|task| match task {
        Task::Question(question) if question.number == number => Some(question.clone()),
        _ => None,
    })
}
