//! Who leads through a lesson, as the window sees it: [`Player`] in the program; in tests a page that somebody made by
//! hand, so that every state of the panel can be drawn without a machine.

use lessons::player::Player;
use lessons::player::orders::{Act, Order, Seen, Ticket};
use lessons::player::page::Page;
use lessons::progress::LessonProgress;
use protocol::request::{Answer, Refusal};
use std::fmt::Debug;

/// Leads through a lesson.
pub trait Guide: Debug {
    /// What there is to see.
    fn page(&self) -> &Page;
    /// What it wants of the machine, taken once.
    fn take_orders(&mut self) -> Vec<Order> {
        Vec::new()
    }
    /// Among the orders that wait is one that moves the machine.
    fn wants_to_move(&self) -> bool {
        false
    }
    /// An answer to a question of its.
    fn answer(&mut self, _ticket: Ticket, _answer: Answer) {}
    /// The machine has stopped.
    fn stopped(&mut self, _seen: &Seen<'_>) {}
    /// A move was refused.
    fn refused(&mut self, _refusal: &Refusal) {}
    /// The learner does something.
    fn act(&mut self, act: Act);
    /// What to type, or which letter, to be right: for the picture in the README, which nobody plays by hand.
    fn right_answer(&self, _question: usize) -> Option<String> {
        None
    }
    /// How far the learner is.
    fn progress(&self) -> Option<LessonProgress> {
        None
    }
    /// How far the learner is, where that has changed since it was last taken.
    fn take_progress(&mut self) -> Option<LessonProgress> {
        None
    }
}

impl Guide for Player {
    fn page(&self) -> &Page {
        Player::page(self)
    }

    fn take_orders(&mut self) -> Vec<Order> {
        Player::take_orders(self)
    }

    fn wants_to_move(&self) -> bool {
        Player::wants_to_move(self)
    }

    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        Player::answer(self, ticket, answer);
    }

    fn stopped(&mut self, seen: &Seen<'_>) {
        Player::stopped(self, seen);
    }

    fn refused(&mut self, refusal: &Refusal) {
        Player::refused(self, refusal);
    }

    fn act(&mut self, act: Act) {
        Player::act(self, act);
    }

    fn right_answer(&self, question: usize) -> Option<String> {
        self.key(question)?.right
    }

    fn progress(&self) -> Option<LessonProgress> {
        Some(Player::progress(self))
    }

    fn take_progress(&mut self) -> Option<LessonProgress> {
        self.changed().then(|| self.progress())
    }
}

/// The player of a lesson, where the learner left it.
pub fn player(id: &str, seed: u64, saved: Option<Box<LessonProgress>>) -> Option<Box<dyn Guide>> {
    let lesson = lessons::catalog::lesson(id)?;
    Some(Box::new(Player::new(lesson, seed, saved.map(|saved| *saved))))
}
