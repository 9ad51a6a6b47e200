//! One CPU without a PC around it, on a wire: registers and memory in, steps, registers and memory out. Used by `cargo xtask
//! fuzz-cpu`, which compares it with QEMU.
//!
//! A request is a line of standard input, numbers in hex; what answers it is a line of standard output:
//!
//! ```text
//! reset               power-on, 1 MiB of zeros
//! put ADDRESS BYTES   into physical memory
//! get ADDRESS COUNT   answers the bytes
//! set INDEX VALUE     a register by its place in the answer below; selectors and CR2 cannot be set
//! go ADDRESS          CS becomes 0, IP this
//! run ADDRESS         steps until IP is this, answers the registers
//! step                one step with what it raises, answers the registers
//! ```
//!
//! Registers: the sixteen in encoding order, RIP, RFLAGS, ES, CS, SS, DS, FS, GS, CR2. `! WORDS`: it could not be done.

use machine::bus::Bus;
use machine::cpu::segment::CS;
use machine::cpu::{Cpu, flags};
use machine::fault::Trap;
use machine::{exception, execute};
use protocol::{Activity, CpuId};
use std::io::{BufRead, Write};

const RAM_BYTES: u64 = 1 << 20;
/// More steps than any way into a mode takes.
const MOST_STEPS: u32 = 10_000;

struct Lab {
    cpu: Cpu,
    bus: Bus,
}

impl Lab {
    fn new() -> Self {
        let mut cpu = Cpu::power_on(CpuId(0), 0, true);
        cpu.activity = Activity::Running;
        Self { cpu, bus: Bus::new(RAM_BYTES) }
    }

    fn step(&mut self) -> Result<(), String> {
        // No interrupt comes, but the shadow of MOV SS and STI ends.
        if exception::service_pending(&mut self.cpu, &mut self.bus) {
            return Ok(());
        }
        match execute::step_instruction(&mut self.cpu, &mut self.bus) {
            Ok(()) => {}
            Err(Trap::Fault(fault)) => {
                exception::raise(&mut self.cpu, &mut self.bus, *fault).map_err(|_| "shutdown".to_owned())?;
            }
            Err(Trap::Unsupported(what)) => return Err(what.into_string()),
        }
        self.bus.out.events.clear();
        Ok(())
    }

    fn run(&mut self, until: u64) -> Result<(), String> {
        for _ in 0..MOST_STEPS {
            if self.cpu.rip == until {
                return Ok(());
            }
            self.step()?;
        }
        Err(format!("stands at {:x}", self.cpu.rip))
    }

    fn registers(&self) -> String {
        let cpu = &self.cpu;
        let selectors = cpu.segments.iter().map(|segment| u64::from(segment.selector));
        let all = cpu.gpr.into_iter().chain([cpu.rip, cpu.rflags]).chain(selectors).chain([cpu.cr2]);
        all.map(|value| format!("{value:x}")).collect::<Vec<_>>().join(" ")
    }

    /// Carries a request out; the answer, if it has one.
    fn serve(&mut self, line: &str) -> Result<Option<String>, String> {
        let mut words = line.split_whitespace();
        let (name, first, second) = (words.next().unwrap_or_default(), words.next(), words.next().unwrap_or_default());
        let hex = |word: &str| u64::from_str_radix(word, 16).map_err(|_| format!("not a hex number: {word}"));
        let number = hex(first.unwrap_or("0"))?;
        match name {
            "reset" => *self = Self::new(),
            "put" => {
                let bytes = (0..second.len() / 2).map(|index| hex(second.get(2 * index..2 * index + 2).unwrap_or("")));
                let bytes = bytes.map(|byte| Ok(byte? as u8)).collect::<Result<Vec<u8>, String>>()?;
                if !self.bus.ram.write_slice(number, &bytes) {
                    return Err(format!("no memory at {number:x}"));
                }
            }
            "get" => {
                let bytes = self.bus.ram.slice(number, hex(second)? as usize);
                return Ok(Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()));
            }
            "set" => match number {
                0..=15 => self.cpu.gpr[number as usize] = hex(second)?,
                16 => self.cpu.rip = hex(second)?,
                _ => {
                    self.cpu.rflags = hex(second)? | flags::RESERVED_ONE;
                    self.cpu.update_mode();
                }
            },
            "go" => {
                let cs = &mut self.cpu.segments[CS];
                (cs.selector, cs.base, self.cpu.rip) = (0, 0, number);
            }
            "run" => return self.run(number).map(|()| Some(self.registers())),
            "step" => return self.step().map(|()| Some(self.registers())),
            other => return Err(format!("no such request: {other}")),
        }
        Ok(None)
    }
}

fn main() -> std::io::Result<()> {
    let mut lab = Lab::new();
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match lab.serve(&line?) {
            Ok(None) => continue,
            Ok(Some(answer)) => answer,
            Err(why) => format!("! {why}"),
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}
