//! A machine that a case makes hostile: started, changed as a debugger changes it, run until it waits, typed at.

use crate::cmd::Background;
use crate::guest::symbols::Linked;
use crate::{gdb, project, rsp};
use anyhow::{Context, Result, bail, ensure};
use protocol::request::{Advance, Answer, Direction, Edit, Place, Request, StopReason, Stopped, Until, Wanted};
use protocol::{CpuId, CpuState, LinearAddr, PhysAddr};

/// Steps in one piece of a run, and in a whole one: what takes longer hangs.
const PIECE: u64 = 5_000_000;
const MOST_STEPS: u64 = 400_000_000;
/// The machine reads at most so much at once.
const CHUNK: usize = 0x8000;

/// It.
pub struct Guest {
    client: rsp::Client,
    address: String,
    kernel: Linked,
    _machine: Background,
}

impl Guest {
    /// Stands at the kernel's first instruction.
    pub fn start(cpus: u16, options: &str, arguments: &[&str]) -> Result<Self> {
        let mut all = ["--cpus", &cpus.to_string(), "--options", options].map(String::from).to_vec();
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let (machine, address) = gdb::start_machine(&all, false)?;
        let machine = Background(machine);
        let kernel = Linked::read(&project::kernel(), 64)?;
        Ok(Self { client: rsp::Client::connect(&address)?, address, kernel, _machine: machine })
    }

    /// Address of a symbol of the kernel's, by the last part of its name.
    pub fn symbol(&self, name: &str) -> Result<u64> {
        let is = |found: &str| found == name || found.ends_with(&format!("::{name}"));
        let found = self.kernel.symbols.iter().find(|symbol| is(&symbol.name));
        Ok(found.with_context(|| format!("the kernel has no symbol {name}"))?.address)
    }

    /// A CPU's state.
    pub fn cpu(&mut self, cpu: u16) -> Result<CpuState> {
        let wanted = Wanted { all_cpus: true, ..Wanted::default() };
        let stopped = self.stopped(&Request::State { wanted })?;
        stopped.cpus.get(usize::from(cpu)).cloned().with_context(|| format!("there is no CPU {cpu}"))
    }

    /// Physical memory.
    pub fn read(&mut self, phys: u64, len: usize) -> Result<Vec<u8>> {
        self.memory(Place::Phys(PhysAddr(phys)), len)
    }

    /// Memory as CPU 0 sees it.
    pub fn read_linear(&mut self, linear: u64, len: usize) -> Result<Vec<u8>> {
        self.memory(Place::Linear { cpu: CpuId(0), linear: LinearAddr(linear) }, len)
    }

    /// A little-endian word of physical memory.
    pub fn word(&mut self, phys: u64) -> Result<u64> {
        Ok(u64::from_le_bytes(*self.read(phys, 8)?.first_chunk().context("8 bytes")?))
    }

    /// Changes physical memory.
    pub fn write(&mut self, phys: u64, bytes: &[u8]) -> Result<()> {
        let edit = Edit::Memory { at: Place::Phys(PhysAddr(phys)), bytes: bytes.to_vec() };
        self.edit(edit)
    }

    /// Changes memory as CPU 0 sees it.
    pub fn write_linear(&mut self, linear: u64, bytes: &[u8]) -> Result<()> {
        let at = Place::Linear { cpu: CpuId(0), linear: LinearAddr(linear) };
        self.edit(Edit::Memory { at, bytes: bytes.to_vec() })
    }

    /// Changes a register.
    pub fn set(&mut self, cpu: u16, name: &str, value: u64) -> Result<()> {
        self.edit(Edit::Register { cpu: CpuId(cpu), name: name.to_owned(), value })
    }

    /// Sends a CPU an NMI. That is gdb's to ask, which drives while it is there.
    pub fn nmi(&mut self, cpu: u16) -> Result<()> {
        rsp::Client::connect(&self.address)?.monitor(&format!("nmi {cpu}"))?;
        match self.client.request(&Request::TakeOver)? {
            Answer::Done => Ok(()),
            other => bail!("gdb does not go: {other:?}"),
        }
    }

    /// What was printed so far.
    pub fn console(&mut self) -> Result<String> {
        match self.client.request(&Request::Console { offset: 0 })? {
            Answer::Console(text) => Ok(String::from_utf8_lossy(&text.bytes).into_owned()),
            other => bail!("no console, but {other:?}"),
        }
    }

    /// Runs until all CPUs wait, or the machine ends.
    pub fn run(&mut self) -> Result<StopReason> {
        self.advance(None, false, Until::Steps(MOST_STEPS), &[])
    }

    /// Types a line and runs until all CPUs wait again.
    pub fn type_line(&mut self, line: &str) -> Result<StopReason> {
        self.advance(None, false, Until::Steps(MOST_STEPS), format!("{line}\r").as_bytes())
    }

    /// Types a line and runs until a CPU is about to execute the instruction at an address.
    pub fn type_up_to(&mut self, line: &str, cpu: u16, linear: u64) -> Result<()> {
        let until = Until::Address(LinearAddr(linear));
        let stop = self.advance(Some(cpu), false, until, format!("{line}\r").as_bytes())?;
        self.reached(stop, linear)
    }

    /// Runs until a CPU is about to execute the instruction at an address.
    pub fn run_to(&mut self, cpu: u16, linear: u64) -> Result<()> {
        let stop = self.advance(Some(cpu), false, Until::Address(LinearAddr(linear)), &[])?;
        self.reached(stop, linear)
    }

    /// A CPU alone makes so many steps; the others are held.
    pub fn run_alone(&mut self, cpu: u16, steps: u64) -> Result<StopReason> {
        self.advance(Some(cpu), true, Until::Steps(steps), &[])
    }

    fn reached(&mut self, stop: StopReason, linear: u64) -> Result<()> {
        let console = self.console()?;
        ensure!(stop == StopReason::Reached, "{linear:016x} was not reached: {stop:?}; the console:\n{console}");
        Ok(())
    }

    fn advance(&mut self, cpu: Option<u16>, hold_others: bool, until: Until, typed: &[u8]) -> Result<StopReason> {
        let wanted = Wanted::default();
        let (cpu, direction) = (cpu.map(CpuId), Direction::Forward);
        let mut advance = Advance {
            cpu,
            hold_others,
            direction,
            until,
            budget: PIECE,
            serial_input: typed.to_vec(),
            keys: Vec::new(),
            wanted,
        };
        let mut first = None;
        loop {
            let stopped = self.stopped(&Request::Advance(advance.clone()))?;
            if stopped.reason != StopReason::Budget {
                return Ok(stopped.reason);
            }
            // The machine may end a piece early, to be looked at.
            if stopped.position.0 - *first.get_or_insert(stopped.position.0) > MOST_STEPS {
                break;
            }
            advance.serial_input.clear();
        }
        bail!("it goes on for ever; the console:\n{}", self.console()?)
    }

    fn edit(&mut self, edit: Edit) -> Result<()> {
        self.stopped(&Request::Edit { edit, wanted: Wanted::default() }).map(|_| ())
    }

    fn stopped(&mut self, request: &Request) -> Result<Stopped> {
        match self.client.request(request)? {
            Answer::Stopped(stopped) => Ok(*stopped),
            other => bail!("the machine answered with {other:?}"),
        }
    }

    fn memory(&mut self, from: Place, len: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let done = bytes.len() as u64;
            let from = match from {
                Place::Phys(phys) => Place::Phys(PhysAddr(phys.0 + done)),
                Place::Linear { cpu, linear } => Place::Linear { cpu, linear: LinearAddr(linear.0 + done) },
            };
            let want = (len - bytes.len()).min(CHUNK) as u32;
            match self.client.request(&Request::Memory { from, len: want })? {
                Answer::Memory { bytes: more, .. } if !more.is_empty() => bytes.extend(more),
                other => bail!("memory cannot be read: {other:?}"),
            }
        }
        Ok(bytes)
    }
}
