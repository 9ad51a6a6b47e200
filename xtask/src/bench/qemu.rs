//! QEMU with its gdb server, stopped at a ROM that loops: something to step.

use crate::cmd::{self, Background};
use crate::project;
use anyhow::{Context, Result};
use std::process::{Command, Stdio};

/// Starts it; where its gdb server listens.
pub fn start(cpus: u16) -> Result<(Background, String)> {
    let rom = project::guest().join("loop.rom");
    std::fs::write(&rom, loop_rom()).with_context(|| format!("{} cannot be written", rom.display()))?;
    let address = crate::qemu::free_address()?;
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-machine", "pc,accel=tcg", "-display", "none", "-nodefaults", "-m", "64M", "-S"]);
    qemu.args(["-smp", &cpus.to_string(), "-gdb", &format!("tcp:{address}"), "-bios"]).arg(&rom);
    qemu.stdin(Stdio::null());
    Ok((Background(cmd::spawn(&mut qemu)?), address))
}

/// 64 KiB below 4 GiB. The reset vector, 16 bytes before the end, jumps to a loop of four instructions.
fn loop_rom() -> Vec<u8> {
    let mut rom = vec![0x90; 0x1_0000];
    let mut put = |at: usize, code: &[u8]| rom[at..at + code.len()].copy_from_slice(code);
    // inc ax; add bx, ax; xor cx, bx; jmp back to the first
    put(0xff00, &[0x40, 0x01, 0xc3, 0x31, 0xd9, 0xeb, 0xf9]);
    // jmp ff00h
    put(0xfff0, &[0xe9, 0x0d, 0xff]);
    rom
}
