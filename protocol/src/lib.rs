//! The words both ends of the debugger connection share: data only, no behaviour beyond encode, decode and `Display`.
//!
//! `machine` fills these types in (`machine::inspect`, `machine::gdb`), `debugger-ui` reads them, `lessons` asks about
//! them, `xtask` writes [`profile`]. Nothing here knows how a machine works or what a window looks like.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod addr;
pub mod breakpoint;
pub mod cpu;
pub mod event;
pub mod firmware;
pub mod mode;
pub mod page_table;
pub mod profile;
pub mod request;
pub mod run;
pub mod screen;
pub mod wire;

pub use addr::{CpuId, LinearAddr, PhysAddr, Position, SegOff};
pub use cpu::CpuState;
pub use event::{Event, EventKind};
pub use mode::{Activity, Mode};
