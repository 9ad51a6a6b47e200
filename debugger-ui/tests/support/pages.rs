//! Pages of a lesson, made by hand, for the scenes of [`super`]: what a learner sees at a question, after answers and at
//! the end, with everything that such a page can hold.

use debugger_ui::model::lesson::guide::Guide;
use lessons::player::orders::Act;
use lessons::player::page::{AnswerState, Choice, Ending, Input, Page, Question, Score, Show, Task};
use lessons::text::{Block, Span};

/// Shows a page; nothing comes of what the learner does.
#[derive(Debug)]
pub struct Still(pub Page);

impl Guide for Still {
    fn page(&self) -> &Page {
        &self.0
    }

    fn act(&mut self, _act: Act) {}
}

fn text(words: &str) -> Span {
    Span::Text(words.to_owned())
}

fn asked(number: usize, input: Input, state: AnswerState) -> Question {
    Question {
        number,
        ask: vec![text("Linear address of CPU 1's first instruction")],
        predict: true,
        input,
        given: None,
        state,
        feedback: Vec::new(),
        right: None,
    }
}

fn number() -> Input {
    Input::Number { example: "like 0009a000".to_owned(), decimal: false }
}

fn choices() -> Input {
    let says = [
        "It wakes, and begins at the reset vector, as a bootstrap processor would",
        "It stays asleep",
        "It halts until an interrupt comes",
    ];
    let choice = |(letter, says): (&str, &str)| Choice { letter: letter.to_owned(), says: vec![text(says)] };
    Input::Choice(["A", "B", "C"].into_iter().zip(says).map(choice).collect())
}

/// A prediction is open: two fields, a goal, a button, hints.
pub fn question() -> Page {
    Page {
        lesson: "wake".into(),
        lesson_title: "Wake one processor".into(),
        step_id: "sipi-target".into(),
        step: 7,
        steps: 14,
        title: "Where will it wake?".into(),
        text: vec![
            Block::Paragraph(vec![
                text("CPU 0 is about to write "),
                Span::Code("0000069a".into()),
                text(" to the "),
                Span::Term { id: "icr".into(), text: "interrupt command register".into() },
                text(". Press "),
                Span::Key("step-cpu".into()),
                text(" to see what becomes of it."),
            ]),
            Block::Note(vec![text("A byte cannot hold an address.")]),
        ],
        tasks: vec![
            Task::Question(asked(0, number(), AnswerState::Open)),
            Task::Question(asked(1, choices(), AnswerState::Open)),
            Task::Goal { says: vec![text("CPU 1 is awake")], met: false, open: true },
            Task::Action { number: 0, label: "Try an ordinary interrupt first".into(), pressed: false },
        ],
        show: vec![Show::Lanes, Show::Code, Show::Cpu],
        hints: vec![vec![text("The vector is the last two hex digits of EAX.")]],
        more_hints: 2,
        can_back: true,
        can_return: true,
        covered: true,
        highlight: Some("step-cpu".into()),
        cpu: Some(1),
        ..Page::default()
    }
}

/// Everything is answered: wrong at first, right, shown; the way on.
pub fn answered() -> Page {
    let feedback = vec![text("That treats the vector as a segment. It counts 4 KiB pages.")];
    let wrong = Question {
        given: Some("000009a0".into()),
        feedback: feedback.clone(),
        ..asked(0, number(), AnswerState::Wrong)
    };
    let right = Question { right: Some("0009a000".into()), feedback, ..asked(1, number(), AnswerState::Right) };
    let shown = Question { right: Some("B".into()), ..asked(2, choices(), AnswerState::Shown) };
    Page {
        tasks: vec![
            Task::Question(wrong),
            Task::Question(right),
            Task::Question(shown),
            Task::Goal { says: vec![text("CPU 1 is awake")], met: true, open: false },
        ],
        then: vec![Block::Paragraph(vec![text("One byte, 256 pages: that is why the code lies below 1 MiB.")])],
        trouble: Some("The machine does not come to this step's place. Begin the lesson again.".into()),
        hints: Vec::new(),
        more_hints: 0,
        can_show_me: true,
        covered: false,
        ..question()
    }
}

/// The question that a room is asked.
pub fn poll() -> Page {
    Page { tasks: vec![Task::Question(asked(0, choices(), AnswerState::Open))], ..question() }
}

/// The lesson is over.
pub fn ending() -> Page {
    Page {
        tasks: Vec::new(),
        step: 15,
        hints: Vec::new(),
        more_hints: 0,
        can_return: false,
        covered: false,
        highlight: None,
        ending: Some(Ending {
            again: None,
            text: vec![Block::Paragraph(vec![text("One processor spoke, another woke, and you computed where.")])],
            why: vec![Block::Paragraph(vec![text("INIT resets the core, not the RAM.")])],
            numbers: vec![
                ("SIPI vector".into(), "9ah".into()),
                ("First instruction".into(), "0009a000".into()),
                ("CS at the first instruction".into(), "9a00".into()),
            ],
            score: Score { first: 9, later: 2, after_looking: 1, shown: 1, skipped: 1 },
            next: Some(("sixteen-bits".into(), "One page, sixteen bits".into())),
        }),
        ..question()
    }
}
