//! Port I/O with a meaning: the debug exit and the announcement that a CPU is online (docs/PROTOCOL.md). Neither port
//! exists on a PC, where writing them does nothing.
#![allow(unsafe_code)]

use x86_64::instructions::port::Port;

const DEBUG_EXIT: u16 = 0xf4;
const ONLINE: u16 = 0xe4;

/// Why the kernel ends. Where the debug exit exists, the machine's exit status is (value << 1) | 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Asked to: status 33.
    Done = 0x10,
    /// A panic: status 35.
    Panic = 0x11,
    /// An exception in the kernel: status 37.
    Fault = 0x12,
}

/// Ends the machine, or stops this CPU where there is no debug exit.
pub fn exit(code: ExitCode) -> ! {
    write(DEBUG_EXIT, code as u8);
    super::cpu::stop()
}

/// Tells whoever watches that the CPU which executes this is online.
pub fn announce_online() {
    write(ONLINE, 1);
}

/// Writes a byte to a port.
pub(crate) fn write(port: u16, value: u8) {
    // SAFETY: private to the kernel, which only names ports whose effect on memory is none.
    unsafe { Port::new(port).write(value) }
}

/// Reads a byte from a port.
pub(crate) fn read(port: u16) -> u8 {
    // SAFETY: as for write.
    unsafe { Port::new(port).read() }
}
