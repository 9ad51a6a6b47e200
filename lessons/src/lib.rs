//! Words, lessons and the engine that checks them.
//!
//! So far the words: [`glossary`] explains every mode, activity, vector and control bit in a sentence or two. The
//! window shows them on hover and on demand. Knows [`protocol`] and nothing else of the project.

pub mod glossary;
pub mod platform;
pub mod player;
pub mod progress;
pub mod text;
