//! Words, lessons and the engine that checks them.
//!
//! [`glossary`] explains every mode, activity, vector and control bit in a sentence or two. [`lesson`] is a lesson as its
//! file says it: text ([`template`]), stops ([`stop`]), commands ([`command`]), questions with right answers that are
//! expressions over the machine ([`expr`]). [`seed`] draws a learner's numbers, [`answer`] reads what a learner types,
//! [`check`] says what is wrong with a lesson, [`catalog`] has those that are part of the program.
//! [`player`] plays a lesson, [`progress`] keeps it. Knows [`protocol`] and nothing else of the project; no I/O but in
//! [`platform`].

pub mod answer;
pub mod catalog;
pub mod check;
pub mod command;
pub mod content;
pub mod expr;
pub mod glossary;
pub mod lesson;
pub mod platform;
pub mod player;
pub mod progress;
pub mod seed;
pub mod stop;
pub mod template;
pub mod text;
