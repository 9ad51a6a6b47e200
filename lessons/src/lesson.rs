//! A lesson, as its file says it: `content/<id>/lesson.md`, read by [`parse`].
//!
//! A file is front matter (TOML between two `+++` lines), then Markdown: opening words, one `## Title {#id}` for each step
//! with a `~~~step` block of TOML, and `## Why {#why}` and `## End {#end}` at the end. Everything that can be wrong in one
//! file is found when it is read; what needs the profile, the glossary or other lessons is found by [`crate::check`].
//! Neighbours: [`crate::catalog`] has the embedded ones, [`crate::player`] plays them.

pub mod parse;

#[cfg(test)]
pub(crate) mod tests;

pub use crate::player::page::Show;

use crate::command::Command;
use crate::expr::{Expr, Moment, NoValue, Value};
use crate::seed::{Drawn, Vary};
use crate::stop::Stop;
use crate::template::{Format, Line, Template};
use protocol::request::MachineConfig;
use std::sync::Arc;

/// A lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// Its file, from the project's root, for messages.
    pub file: String,
    /// A word: `wake`.
    pub id: String,
    /// "Wake one processor".
    pub title: String,
    /// How long it takes.
    pub minutes: u32,
    /// The part of the course: "A".
    pub part: String,
    /// Ids of lessons that come before.
    pub needs: Vec<String>,
    /// Id of the lesson that comes after.
    pub next: Option<String>,
    /// What the learner can do afterwards.
    pub goals: Vec<String>,
    /// Where the facts are from.
    pub sources: Vec<String>,
    /// Ids of the glossary terms that it introduces, in order.
    pub terms: Vec<String>,
    /// The machine it is played on.
    pub machine: Machine,
    /// The numbers that differ for each learner.
    pub vary: Vec<Vary>,
    /// Opening words.
    pub opening: Template,
    /// The steps.
    pub steps: Vec<Step>,
    /// The longer explanation at the end.
    pub why: Template,
    /// Closing words.
    pub end: Template,
    /// Labels and values of the picture at the end, evaluated when the lesson ends.
    pub numbers: Vec<Number>,
    /// The way once more, on a larger machine.
    pub again: Option<Again>,
    /// Lines of the front matter's keys, for [`crate::check`].
    pub lines: Lines,
}

/// A button at the end: a machine with more CPUs, to explore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// What the button says.
    pub label: String,
    /// How many CPUs that machine has.
    pub cpus: u16,
}

/// Where in the file the front matter says what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// `title`.
    pub title: usize,
    /// `needs`.
    pub needs: usize,
    /// `next`.
    pub next: usize,
    /// `terms`.
    pub terms: usize,
    /// The opening words.
    pub opening: usize,
    /// `## Why`.
    pub why: usize,
    /// `## End`.
    pub end: usize,
}

/// The machine that a lesson is played on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// How many CPUs.
    pub cpus: Expr,
    /// APIC IDs, one for each CPU; empty: 0, 1, 2, ...
    pub apic_ids: Vec<Expr>,
    /// RAM in MiB.
    pub memory_mib: u64,
    /// Steps before the next CPU's turn.
    pub quantum: u32,
    /// The schedule is drawn from this seed; None: round-robin.
    pub seed: Option<Expr>,
    /// The text for the kernel, with drawn numbers in it.
    pub options: Vec<crate::template::Part>,
    /// The line of `[machine]`.
    pub line: usize,
}

/// The label of a number, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// "SIPI vector".
    pub label: String,
    /// What.
    pub value: Expr,
    /// How it is written.
    pub format: Format,
    /// The line of the file.
    pub line: usize,
}

/// What a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Find it.
    Observe,
    /// Commit, then step.
    Predict,
    /// Break it, and see how.
    Break,
    /// Mend it.
    Mend,
    /// Choose the true sentence.
    Explain,
    /// Try; nothing is asked.
    Explore,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// A word: `sipi-target`.
    pub id: String,
    /// "Where will it wake?".
    pub title: String,
    /// The line of the heading.
    pub line: usize,
    /// The line of `~~~step`.
    pub block_line: usize,
    /// The text before the task.
    pub text: Template,
    /// What it is about.
    pub kind: StepKind,
    /// Where the machine stands: gone through one after the other, beginning at the stop of the step before. Empty: `here`.
    pub stop: Vec<Stop>,
    /// What the step needs to be seen.
    pub show: Vec<ShowItem>,
    /// Id of the command whose button stands out.
    pub highlight: Option<String>,
    /// The CPU that is selected.
    pub cpu: Option<u16>,
    /// The questions, in order.
    pub questions: Vec<Question>,
    /// What must come true, in order.
    pub goals: Vec<Goal>,
    /// Buttons.
    pub actions: Vec<Action>,
    /// What [Show me] does, beside answering the questions.
    pub script: Vec<Command>,
    /// Three hints, or none.
    pub hints: Vec<Line>,
    /// Text when the step is done.
    pub then: Template,
}

/// A panel that a step needs, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShowItem {
    /// The panel.
    pub panel: Show,
    /// `cpu:1`: whose.
    pub cpu: Option<u16>,
    /// `memory:EXPR`: from where on.
    pub at: Option<Expr>,
}

/// How an answer is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputKind {
    /// A number or an address.
    #[default]
    Number,
    /// segment:offset.
    SegOff,
    /// A word of the machine.
    Word,
    /// One of several.
    Choice,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The line of the file.
    pub line: usize,
    /// What is asked.
    pub ask: Line,
    /// The machine has not done it yet: the future is covered while the question is open.
    pub predict: bool,
    /// How it is answered.
    pub input: InputKind,
    /// How numbers of the answer are read and written.
    pub format: Format,
    /// "like 0009a000".
    pub example: String,
    /// Where the answer is read, on a private copy run ahead from the step's stop; empty: at the stop.
    pub reveal: Vec<Stop>,
    /// What is done to the copy before it runs ahead.
    pub ahead: Vec<Command>,
    /// The right answer; with `accept`, one of the right ones: what [Show me] shows. None: a choice says which is right.
    pub answer: Option<Expr>,
    /// Whether the learner's answer is right: over `answer`, `answer.seg`, `answer.off`.
    pub accept: Option<Expr>,
    /// A sentence after the right answer.
    pub right: Line,
    /// Wrong answers that have a reason.
    pub wrong: Vec<Wrong>,
    /// The answers to choose from.
    pub choices: Vec<Choice>,
}

/// A wrong answer that has a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What the learner would answer.
    pub value: Expr,
    /// The misconception: `M-vector-is-segment`.
    pub id: String,
    /// A sentence about it.
    pub says: Line,
    /// The line of the file.
    pub line: usize,
}

/// An answer to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What it says.
    pub says: Line,
    /// What it stands for: the right one is the one that equals the question's answer.
    pub value: Option<Expr>,
    /// It is the right one, whatever the machine says.
    pub right: bool,
    /// The misconception of whoever chooses it.
    pub id: Option<String>,
    /// A sentence about it.
    pub feedback: Line,
    /// The line of the file.
    pub line: usize,
}

/// Something that must come true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// In words.
    pub says: Line,
    /// When it is met.
    pub when: Expr,
    /// The line of the file.
    pub line: usize,
}

/// A button that does something to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// On the button.
    pub label: String,
    /// What it does.
    pub commands: Vec<Command>,
    /// The line of the file.
    pub line: usize,
}

impl Lesson {
    /// The step with an id.
    pub fn step(&self, id: &str) -> Option<(usize, &Step)> {
        self.steps.iter().enumerate().find(|(_, step)| step.id == id)
    }

    /// The numbers of a learner.
    pub fn draw(&self, seed: u64) -> Drawn {
        Drawn::draw(seed, &self.vary)
    }

    /// Names of the numbers that are drawn.
    pub fn drawn_names(&self) -> Vec<String> {
        self.vary.iter().map(|vary| vary.name.clone()).collect()
    }
}

/// RAM where a lesson says nothing.
pub(crate) const DEFAULT_MEMORY_MIB: u64 = 128;
/// Steps of a turn where a lesson says nothing.
pub(crate) const DEFAULT_QUANTUM: u32 = 64;

impl Machine {
    /// The configuration for a learner. The error says what of it makes no sense with these numbers.
    pub fn config(&self, drawn: &Drawn) -> Result<MachineConfig, String> {
        let mut facts = Moment::of_drawn(Arc::new(drawn.clone()));
        let mut number = |expr: &Expr, least: u64, most: u64, what: &str| match expr.eval(&mut facts) {
            Ok(Value::Int(value)) if (least..=most).contains(&value) => Ok(value),
            Ok(value) => Err(format!("{what} is {value}; it is {least} to {most}")),
            Err(NoValue::Wrong(wrong)) => Err(format!("{what}: {wrong}")),
            Err(NoValue::Missing) => Err(format!("{what} may use drawn numbers only, there is no machine yet")),
        };
        let cpus = number(&self.cpus, 1, 255, "the number of CPUs")? as u16;
        let seed = self.seed.as_ref().map(|seed| number(seed, 0, u64::MAX, "the schedule's seed")).transpose()?;
        let mut apic_ids: Vec<u8> = Vec::new();
        for expr in &self.apic_ids {
            let id = number(expr, 0, 254, "an APIC ID")? as u8;
            if apic_ids.contains(&id) {
                return Err(format!("two CPUs have the APIC ID {id}"));
            }
            apic_ids.push(id);
        }
        if !apic_ids.is_empty() && apic_ids.len() != usize::from(cpus) {
            return Err(format!("there are {} APIC IDs for {cpus} CPUs", apic_ids.len()));
        }
        let options = crate::template::fill_words(&self.options, &mut facts)?;
        let memory_bytes = self.memory_mib << 20;
        Ok(MachineConfig {
            cpus,
            apic_ids,
            memory_bytes,
            quantum: self.quantum,
            seed,
            options,
            cpu_quirks: Vec::new(),
            firmware: Default::default(),
        })
    }
}

impl StepKind {
    /// As a lesson writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Predict => "predict",
            Self::Break => "break",
            Self::Mend => "mend",
            Self::Explain => "explain",
            Self::Explore => "explore",
        }
    }
}
