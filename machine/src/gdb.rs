//! gdb: a target of the `gdbstub` crate. The only user of that crate.
//!
//! [`filter`] stands in front of gdbstub and takes out what it has no hook for. `rip` is the linear address CS.base + IP
//! in every mode, because gdb compares breakpoints, disassembles and looks up symbols with it.

pub mod arch;
mod breakpoints;
pub mod filter;
mod monitor;
pub mod registers;
pub(crate) mod resume;
mod reverse;
pub mod target;
