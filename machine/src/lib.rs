//! A deterministic x86-64 SMP PC in safe Rust: CPUs, an MMU with a TLB that can be looked at, APICs, devices, time travel.
//!
//! Reading order: [`machine`] (what a step is), [`cpu`], [`decode`], [`execute`], [`mmu`], [`exception`], [`bus`],
//! [`device`], [`timeline`] (going back), [`inspect`] (what a debugger sees). Tests that want no PC: [`bare`].
//!
//! Principles. One step is the only way time moves. Guest faults are values ([`fault::Fault`]), host bugs assert.
//! Whatever is made for speed is derived from architectural state and cannot change it. No clock, thread or hash-map
//! order outside the server.

pub mod bare;
pub mod bus;
pub mod cpu;
pub mod decode;
pub mod device;
pub mod disasm;
pub mod exception;
pub mod execute;
pub mod fault;
pub mod firmware;
pub mod gdb;
pub mod hash;
pub mod inspect;
pub mod machine;
pub mod mmu;
pub mod random;
pub mod schedule;
pub mod server;
pub mod softfloat;
pub mod timeline;

#[cfg(test)]
mod testing;
