//! The two machines that are compared: QEMU through its gdb server, ours by `machine/examples/lab.rs`. Both are set up, stepped
//! and read in the same way.

use super::modes::{self, CODE, Mode};
use crate::cmd::{self, Background};
use crate::rsp::Client;
use crate::{project, qemu};
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// General registers in encoding order, RIP, RFLAGS, ES, CS, SS, DS, FS, GS, CR2.
pub type Registers = [u64; REGISTERS];
pub const REGISTERS: usize = 25;
pub const RIP: usize = 16;
pub const RFLAGS: usize = 17;
pub const CR2: usize = 24;
pub const NAMES: [&str; REGISTERS] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    "rip", "rflags", "es", "cs", "ss", "ds", "fs", "gs", "cr2",
];

/// Where a step led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// The registers after it.
    Here(Registers),
    /// A triple fault.
    Shutdown,
}

/// A machine under test.
pub trait Side {
    /// Into a mode, at the program's first instruction, everything in memory but program, data and stacks.
    fn enter(&mut self, mode: Mode) -> Result<()>;
    fn put(&mut self, address: u64, bytes: &[u8]) -> Result<()>;
    fn get(&mut self, address: u64, count: usize) -> Result<Vec<u8>>;
    /// A general register, RIP or RFLAGS.
    fn set(&mut self, register: usize, value: u64) -> Result<()>;
    fn step(&mut self) -> Result<Stepped>;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Result<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    ensure!(rest.is_empty(), "half a byte: {digits}");
    pairs.iter().map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}

/// Our machine.
#[derive(Debug)]
pub struct Lab {
    _program: Background,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Lab {
    /// Builds and starts it.
    pub fn start() -> Result<Self> {
        cmd::run(cmd::cargo().args(["build", "--quiet", "--package", "machine", "--example", "lab"]))?;
        let path = project::program("firstlight-machine", false).with_file_name("examples").join("lab");
        let mut child = cmd::spawn(Command::new(path).stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let input = input.context("no way to talk to lab")?;
        let output = BufReader::new(output.context("no way to hear lab")?);
        Ok(Self { _program: Background(child), input, output })
    }

    fn say(&mut self, request: &str) -> Result<()> {
        writeln!(self.input, "{request}").with_context(|| format!("lab is gone before `{request}`"))
    }

    fn ask(&mut self, request: &str) -> Result<String> {
        self.say(request)?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(line.ends_with('\n'), "lab ended at `{request}`");
        Ok(line.trim_end().to_owned())
    }

    fn registers(&mut self, request: &str) -> Result<Stepped> {
        let answer = self.ask(request)?;
        if answer == "! shutdown" {
            return Ok(Stepped::Shutdown);
        }
        ensure!(!answer.starts_with('!'), "lab: {answer}");
        let numbers = answer.split(' ').map(|word| u64::from_str_radix(word, 16));
        let numbers = numbers.collect::<Result<Vec<u64>, _>>()?;
        numbers.try_into().map(Stepped::Here).map_err(|_| anyhow::anyhow!("lab answers `{answer}`"))
    }
}

impl Side for Lab {
    fn enter(&mut self, mode: Mode) -> Result<()> {
        self.say("reset")?;
        for (address, bytes) in mode.memory() {
            self.put(address, &bytes)?;
        }
        self.say(&format!("go {:x}", modes::WAY))?;
        match self.registers(&format!("run {CODE:x}"))? {
            Stepped::Here(_) => Ok(()),
            Stepped::Shutdown => bail!("a triple fault on the way into {mode:?}"),
        }
    }

    fn put(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() { Ok(()) } else { self.say(&format!("put {address:x} {}", hex(bytes))) }
    }

    fn get(&mut self, address: u64, count: usize) -> Result<Vec<u8>> {
        unhex(&self.ask(&format!("get {address:x} {count:x}"))?)
    }

    fn set(&mut self, register: usize, value: u64) -> Result<()> {
        self.say(&format!("set {register:x} {value:x}"))
    }

    fn step(&mut self) -> Result<Stepped> {
        self.registers("step")
    }
}

/// Numbers of our [`NAMES`] in QEMU's packets: its order of the general registers is gdb's.
const QEMU_NUMBERS: [usize; REGISTERS] =
    [0, 2, 3, 1, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 21, 18, 19, 20, 22, 23, 28];
/// Bytes of memory that a program can reach: segments of 64 KiB whose selectors have 12 bits at most.
const REACHED: usize = 0x2_0000;
/// CR0, CR2, CR3, CR4 and EFER.
const QEMU_CONTROL: [usize; 5] = [27, 28, 29, 30, 32];
/// Where they are in the `g` packet: eight bytes each, but four for EFLAGS and selectors, numbers 17 to 23.
fn qemu_place(number: usize) -> (usize, usize) {
    match number {
        0..=16 => (8 * number, 8),
        17..=23 => (8 * 17 + 4 * (number - 17), 4),
        _ => (8 * 17 + 4 * 7 + 8 * (number - 24), 8),
    }
}

/// QEMU's.
#[derive(Debug)]
pub struct Qemu {
    _program: Background,
    client: Client,
}

impl Qemu {
    /// Starts it, with every feature that TCG has. It stands at its reset vector.
    pub fn start() -> Result<Self> {
        let address = qemu::free_address()?;
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-machine", "pc,accel=tcg", "-cpu", "max", "-nodefaults", "-display", "none", "-m", "16"]);
        qemu.args(["-S", "-gdb", &format!("tcp:{address}")]).stdin(Stdio::null());
        let program = Background(cmd::spawn(&mut qemu)?);
        let mut client = Client::connect(&address)?;
        // Only who has read its description may set single registers.
        client.ask("qXfer:features:read:target.xml:0,7f0")?;
        // Also behind paging that a program left on.
        ensure!(client.ask("Qqemu.PhyMemMode:1")? == "OK", "this QEMU's gdb server has no physical memory");
        Ok(Self { _program: program, client })
    }

    fn set_number(&mut self, number: usize, value: u64) -> Result<()> {
        let (_, bytes) = qemu_place(number);
        let answer = self.client.ask(&format!("P{number:x}={}", hex(&value.to_le_bytes()[..bytes])))?;
        ensure!(answer == "OK", "QEMU does not set register {number} to {value:x}: {answer}");
        Ok(())
    }
}

impl Side for Qemu {
    fn enter(&mut self, mode: Mode) -> Result<()> {
        // Nothing of the program before may stay, as in a machine that is made anew.
        self.put(0, &vec![0; REACHED])?;
        for (address, bytes) in mode.memory() {
            self.put(address, &bytes)?;
        }
        for (number, value) in QEMU_CONTROL.into_iter().zip([0x10, 0, 0, 0, 0]) {
            self.set_number(number, value)?;
        }
        self.set(RFLAGS, 2)?;
        // A selector that does not change is not loaded.
        for selector in [1, 0] {
            for number in 18..=23 {
                self.set_number(number, selector)?;
            }
        }
        for register in 0..8 {
            self.set(register, 0)?;
        }
        self.set(RIP, modes::WAY)?;
        ensure!(self.client.ask(&format!("Z1,{CODE:x},1"))? == "OK", "QEMU sets no breakpoint");
        let stop = self.client.ask_within("vCont;c", Duration::from_secs(20))?;
        ensure!(self.client.ask(&format!("z1,{CODE:x},1"))? == "OK", "QEMU keeps a breakpoint");
        ensure!(stop.starts_with("T05"), "QEMU does not come into {mode:?}: {stop}");
        Ok(())
    }

    fn put(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        for (index, part) in bytes.chunks(0x700).enumerate() {
            let at = address + 0x700 * index as u64;
            let answer = self.client.ask(&format!("M{at:x},{:x}:{}", part.len(), hex(part)))?;
            ensure!(answer == "OK", "QEMU does not write to {at:x}: {answer}");
        }
        Ok(())
    }

    fn get(&mut self, address: u64, count: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            let want = (count - bytes.len()).min(0x700);
            let answer = self.client.ask(&format!("m{:x},{want:x}", address + bytes.len() as u64))?;
            bytes.extend(unhex(&answer).with_context(|| format!("QEMU does not read at {address:x}"))?);
        }
        Ok(bytes)
    }

    fn set(&mut self, register: usize, value: u64) -> Result<()> {
        self.set_number(QEMU_NUMBERS[register], value)
    }

    fn step(&mut self) -> Result<Stepped> {
        let stop = self.client.ask("vCont;s:1")?;
        ensure!(stop.starts_with("T05"), "QEMU made no step: {stop}");
        let bytes = unhex(&self.client.ask("g")?)?;
        let mut registers = [0; REGISTERS];
        for (register, number) in registers.iter_mut().zip(QEMU_NUMBERS) {
            let (start, count) = qemu_place(number);
            let value = bytes.get(start..start + count).context("QEMU's registers are too few")?;
            *register = value.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
        }
        // A triple fault resets the PC: it stands at the reset vector, or the same step has made the BIOS's jump from there.
        if matches!(registers[RIP], 0xfff0 | 0xe05b) && registers[19] == 0xf000 {
            return Ok(Stepped::Shutdown);
        }
        Ok(Stepped::Here(registers))
    }
}
