//! Pages of a lesson, made by hand, in every state that the lesson's panel has: a guide that goes from one to the next.

use debugger_ui::model::lesson::guide::Guide;
use lessons::player::orders::Act;
use lessons::player::page::{AnswerState, Choice, Ending, Input, Page, Question, Score, Show, Task};
use lessons::text::{Block, Span};

/// Goes through pages: [`Act::Next`] is the next one.
#[derive(Debug)]
pub struct Pages {
    pages: Vec<Page>,
    at: usize,
}

impl Pages {
    /// All of them, the end page last.
    pub fn new() -> Self {
        Self { pages: pages().into(), at: 0 }
    }
}

impl Guide for Pages {
    fn page(&self) -> &Page {
        &self.pages[self.at]
    }

    fn act(&mut self, act: Act) {
        if act == Act::Next {
            self.at = (self.at + 1).min(self.pages.len() - 1);
        }
    }
}

fn text(words: &str) -> Span {
    Span::Text(words.to_owned())
}

fn code(words: &str) -> Span {
    Span::Code(words.to_owned())
}

fn paragraph(words: &str) -> Block {
    Block::Paragraph(vec![text(words)])
}

fn number() -> Input {
    Input::Number { example: "like 0009a000".to_owned(), decimal: false }
}

fn choices() -> Input {
    let says = ["It wakes and starts at the vector.", "It stays asleep: an interrupt cannot wake it.", "It is reset."];
    let choices = says.iter().zip(["A", "B", "C"]);
    Input::Choice(choices.map(|(says, letter)| Choice { letter: letter.to_owned(), says: vec![text(says)] }).collect())
}

fn question(number: usize, ask: &str, input: Input, state: AnswerState) -> Question {
    let (given, feedback, right) = (None, Vec::new(), None);
    Question { number, ask: vec![text(ask)], predict: true, input, given, state, feedback, right }
}

fn step(id: &str, step: usize, title: &str) -> Page {
    Page {
        lesson: "wake".into(),
        lesson_title: "Wake one processor".into(),
        step_id: id.into(),
        step,
        steps: 11,
        title: title.into(),
        can_back: true,
        cpu: Some(1),
        ..Page::default()
    }
}

/// How many pages there are.
pub const COUNT: usize = 7;

/// A question that waits; choices with hints; a wrong answer; the verdicts; goals that are met; waiting and trouble;
/// the end.
fn pages() -> [Page; COUNT] {
    const ASK: &str = "Linear address of CPU 1's first instruction";
    const WAKES: &str = "What does an ordinary interrupt do to CPU 1?";
    let asks = Page {
        text: vec![
            Block::Paragraph(vec![
                text("CPU 0 is about to write "),
                code("0000459a"),
                text(" to the ICR. Bits 7:0 are the "),
                Span::Term { id: "sipi".into(), text: "vector".into() },
                text(". Press "),
                Span::Key("step-cpu".into()),
                text(" to send it."),
            ]),
            Block::Note(vec![text("Predict first. The future is covered until you have.")]),
        ],
        tasks: vec![
            Task::Question(question(0, ASK, number(), AnswerState::Open)),
            Task::Question(question(1, "And its CS:IP?", number(), AnswerState::Later)),
        ],
        show: vec![Show::Lanes, Show::Code, Show::Cpu],
        more_hints: 3,
        covered: true,
        highlight: Some("step-cpu".into()),
        ..step("sipi-target", 3, "Where will it wake?")
    };
    let chooses = Page {
        text: vec![paragraph("CPU 1 waits for a SIPI. CPU 0 can send it something else.")],
        tasks: vec![Task::Question(question(0, WAKES, choices(), AnswerState::Open))],
        hints: vec![vec![text("Look at the lane's label.")], vec![text("Which deliveries leave wait-for-SIPI?")]],
        can_show_me: true,
        ..step("ordinary", 4, "Try an ordinary interrupt")
    };
    let wrong = Question {
        given: Some("9a0".into()),
        feedback: vec![text("That treats the vector as a segment. It counts 4 KiB pages.")],
        ..question(0, ASK, number(), AnswerState::Wrong)
    };
    let wrong = Page {
        text: vec![paragraph("The vector says where.")],
        tasks: vec![Task::Question(wrong)],
        more_hints: 1,
        can_return: true,
        ..step("wrong", 5, "Where will it wake?")
    };
    let over = |at, state, given: &str, feedback: &str| {
        let feedback = if feedback.is_empty() { Vec::new() } else { vec![text(feedback)] };
        let (given, right) = (Some(given.to_owned()), Some("0009a000".to_owned()));
        Task::Question(Question { given, right, feedback, ..question(at, ASK, number(), state) })
    };
    let verdicts = Page {
        tasks: vec![
            over(0, AnswerState::Right, "9a000", "The vector is the page's number."),
            over(1, AnswerState::RightAfterLooking, "9a000", ""),
            over(2, AnswerState::Shown, "", ""),
            Task::Question(question(3, "And its CS:IP?", number(), AnswerState::Skipped)),
        ],
        done: true,
        ..step("verdicts", 6, "How it went")
    };
    let goal = |says: &str, met, open| Task::Goal { says: vec![text(says)], met, open };
    let goals = Page {
        text: vec![Block::List {
            numbered: true,
            items: vec![vec![text("Wake CPU 1.")], vec![text("Go back to before it woke.")]],
        }],
        tasks: vec![
            goal("CPU 1 has run", true, false),
            goal("CPU 1 is asleep again", false, true),
            goal("CPU 1 is in 64-bit mode", false, false),
            Task::Action { number: 0, label: "Send INIT again".into(), pressed: false },
            Task::Action { number: 1, label: "Take the page away".into(), pressed: true },
        ],
        then: vec![paragraph("That was time travel.")],
        done: true,
        show: vec![Show::Registers],
        ..step("goals", 7, "There and back")
    };
    let busy = Page {
        text: vec![
            paragraph("What it writes is in the blob."),
            Block::Code("movl %eax, %cr0\nljmpl $8, $9b100".into()),
        ],
        busy: Some("The machine goes to this step's place.".into()),
        trouble: Some("The image was built anew. This step's place is not in it. Begin the lesson anew.".into()),
        ..step("busy", 8, "The first bit")
    };
    let end = Page {
        step: 12,
        title: "Wake one processor".into(),
        ending: Some(Ending {
            text: vec![paragraph("You woke a processor. One write of CPU 0 did it.")],
            why: vec![paragraph("INIT resets the core, not the RAM; the vector is all that a SIPI can say.")],
            numbers: vec![("SIPI vector".into(), "9a".into()), ("First instruction".into(), "0009a000".into())],
            score: Score { first: 9, later: 1, shown: 1, ..Score::default() },
            next: Some(("sixteen-bits".into(), "One page, sixteen bits".into())),
            ..Ending::default()
        }),
        ..step("end", 12, "")
    };
    [asks, chooses, wrong, verdicts, goals, busy, end]
}
