//! What there is to see of a lesson now: plain data for views, made anew by [`crate::player::Player`] after each change.

use crate::text::{Block, Span};
use serde::{Deserialize, Serialize};

/// The lesson panel's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The lesson's id: `wake`.
    pub lesson: String,
    /// The lesson's title: "Wake one processor".
    pub lesson_title: String,
    /// The step's id: `sipi-target`.
    pub step_id: String,
    /// Which step, from 1. The end page is `steps + 1`.
    pub step: usize,
    /// How many steps.
    pub steps: usize,
    /// The step's title.
    pub title: String,
    /// The step's text, with the learner's numbers.
    pub text: Vec<Block>,
    /// What is to be done, in order.
    pub tasks: Vec<Task>,
    /// Text that appears when all tasks are done.
    pub then: Vec<Block>,
    /// Panels that this step needs, in the words of a lesson's `show`.
    pub show: Vec<Show>,
    /// Whose CPU card, where the step says so.
    pub show_cpu: Option<u16>,
    /// Where the memory panel begins, where the step says so.
    pub memory_at: Option<u64>,
    /// The hints that were asked for, in order.
    pub hints: Vec<Vec<Span>>,
    /// How many more there are.
    pub more_hints: usize,
    /// Button [Show me] is there: the hints were used up, or there are none.
    pub can_show_me: bool,
    /// The machine does what the learner did not find: it is being shown now.
    pub showing: bool,
    /// All tasks are done (or there are none): \[Next\] is the button that matters.
    pub done: bool,
    /// There is a step before.
    pub can_back: bool,
    /// The machine does not stand where this step begins: [Back to this step's place] is offered.
    pub can_return: bool,
    /// The future is covered: a prediction is open. Views show nothing right of NOW.
    pub covered: bool,
    /// The command whose button is to stand out, by its id in the window's catalog: `step-cpu`.
    pub highlight: Option<String>,
    /// The CPU to be selected when the step begins.
    pub cpu: Option<u16>,
    /// What the player waits for, in words: "The machine goes to this step's place."
    pub busy: Option<String>,
    /// The machine is brought to a place where the lesson goes on: what it passes on its way is no news.
    pub travelling: bool,
    /// What went wrong, in words: what happened, what it means, what to do.
    pub trouble: Option<String>,
    /// The lesson is over: the picture and its numbers.
    pub ending: Option<Ending>,
}

/// A panel that a step needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Show {
    /// The lanes.
    Lanes,
    /// The code.
    Code,
    /// The CPU card.
    Cpu,
    /// All registers.
    Registers,
    /// The segment registers with their hidden parts.
    Segments,
    /// Control registers, descriptor-table registers, MSRs.
    SystemRegisters,
    /// The page tables.
    PageTables,
    /// Two roots side by side: `trampoline_pgd` and `init_top_pgt`.
    TwoRoots,
    /// The TLB.
    Tlb,
    /// The GDT.
    Gdt,
    /// The IDT.
    Idt,
    /// Memory, at [`Task`]'s or the step's address.
    Memory,
    /// The console.
    Console,
    /// The list of events.
    Events,
    /// The local APIC.
    Apic,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// A question.
    Question(Question),
    /// Something that must come true in the machine.
    Goal {
        /// In words.
        says: Vec<Span>,
        /// It did.
        met: bool,
        /// It is the next one that must.
        open: bool,
    },
    /// A button that does something to the machine; pressing it is never wrong.
    Action {
        /// Its number, for [`crate::player::Act::Do`].
        number: usize,
        /// On the button.
        label: String,
        /// It was pressed in this step.
        pressed: bool,
    },
}

/// A question and how far the learner is with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its number, for [`crate::player::Act::Check`].
    pub number: usize,
    /// What is asked.
    pub ask: Vec<Span>,
    /// It is a prediction: the machine has not done it yet.
    pub predict: bool,
    /// How it is answered.
    pub input: Input,
    /// What was answered last, as typed or the choice's letter.
    pub given: Option<String>,
    /// How far.
    pub state: AnswerState,
    /// What was wrong with the last answer, or what the right one means.
    pub feedback: Vec<Span>,
    /// The right answer, once it is right or shown, as a person writes it.
    pub right: Option<String>,
}

/// How a question is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A number or an address: a text field. The example shows the form, with other digits.
    Number {
        /// "like 0009a000"
        example: String,
        /// Read in decimal; else in hexadecimal.
        decimal: bool,
    },
    /// seg:off.
    SegOff {
        /// "like 1234:0010"
        example: String,
    },
    /// A word of the machine: a symbol or a mode.
    Word {
        /// "like startup_32"
        example: String,
    },
    /// One of these.
    Choice(Vec<Choice>),
}

/// One answer to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// "A", "B", ...
    pub letter: String,
    /// What it says.
    pub says: Vec<Span>,
}

/// How far the learner is with a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AnswerState {
    /// It waits for the ones before it.
    #[default]
    Later,
    /// It is to be answered.
    Open,
    /// The last answer was wrong; it is to be answered again.
    Wrong,
    /// It is right.
    Right,
    /// It is right, given after the machine had shown it.
    RightAfterLooking,
    /// The answer was shown.
    Shown,
    /// It was skipped.
    Skipped,
}

impl AnswerState {
    /// Nothing is left to be done.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Right | Self::RightAfterLooking | Self::Shown | Self::Skipped)
    }
}

/// The end of a lesson: what the picture shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Closing words.
    pub text: Vec<Block>,
    /// "Why": the longer explanation.
    pub why: Vec<Block>,
    /// The numbers that the learner computed: label and value.
    pub numbers: Vec<(String, String)>,
    /// Questions right at once, right after looking, after wrong answers, shown, skipped.
    pub score: Score,
    /// The next lesson's id and title.
    pub next: Option<(String, String)>,
    /// A larger machine to explore: what the button says, and how many CPUs it has.
    pub again: Option<(String, u16)>,
}

/// How it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Right at the first answer.
    pub first: usize,
    /// Right, after wrong answers.
    pub later: usize,
    /// Right, but after the machine had shown it.
    pub after_looking: usize,
    /// Shown.
    pub shown: usize,
    /// Skipped.
    pub skipped: usize,
}
