//! Who leads through a lesson, as the window sees it: [`Player`] in the program; in tests a page that somebody made by
//! hand, so that every state of the panel can be drawn without a machine.

use lessons::player::orders::{Act, Order, Seen, Ticket};
use lessons::player::page::Page;
use lessons::progress::LessonProgress;
use protocol::request::{Answer, Refusal};
use std::fmt::Debug;

/// Leads through a lesson.
pub trait Guide: Debug + Send {
    /// What there is to see.
    fn page(&self) -> &Page;
    /// What it wants of the machine, taken once.
    fn take_orders(&mut self) -> Vec<Order> {
        Vec::new()
    }
    /// An answer to a question of its.
    fn answer(&mut self, _ticket: Ticket, _answer: Answer) {}
    /// The machine has stopped.
    fn stopped(&mut self, _seen: &Seen<'_>) {}
    /// A move was refused.
    fn refused(&mut self, _refusal: &Refusal) {}
    /// The learner does something.
    fn act(&mut self, act: Act);
    /// How far the learner is, where that has changed since it was last taken.
    fn take_progress(&mut self) -> Option<LessonProgress> {
        None
    }
}

/// The player of a lesson, where the learner left it.
pub fn player(_id: &str, _seed: u64, _saved: Option<Box<LessonProgress>>) -> Option<Box<dyn Guide>> {
    None
}
