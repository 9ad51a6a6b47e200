//! The library's CPU with RAM, by the name that these tests have for it.

pub use machine::bare::{Bare as Lab, CODE, DATA, HOLE, STACK};
