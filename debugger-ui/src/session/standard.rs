//! A server that is not ours, as QEMU's: gdb's own packets, what QEMU adds to them, and nothing guessed. What such a server
//! does not tell is refused or left out in words.
//!
//! It has no positions, events or history: stops are numbered. Code, walks and trees are decoded here, by the embedded
//! machine's own functions ([`super::hosted::decode`]), from physical memory that is read as it is needed ([`pages`]); a
//! server that reads none is asked for linear memory, and shows no page tables. [`state`] makes a CPU's state of what is
//! sent, [`plan`] has the runs that such a server does not know.

pub mod console;
pub mod monitor;
pub mod pages;
pub mod plan;
mod reads;
pub mod state;

use super::exchange::{Exchange, LinkError, SHORT};
use super::hosted::decode::{self, Next, Reached};
use crate::model::connection::{Foreign, Offers};
use crate::platform::FileTail;
use crate::rsp::features::{Features, Register, includes, registers};
use crate::rsp::packet::{self, StopReply, ThreadId};
use console::Console;
use pages::Pages;
use plan::{After, Plan};
use protocol::breakpoint::{Breakpoint, Condition};
use protocol::cpu::CpuState;
use protocol::profile::Profile;
use protocol::request::{Advance, Direction, Edit, Place, Refusal, Request, StopReason, Stopped, Until};
use protocol::{Activity, CpuId, LinearAddr, Position};
use state::Certainty;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Largest file of a target description, in bytes.
const MAX_XML: usize = 1 << 20;

/// What the user says about a machine elsewhere, beside where it is.
#[derive(Clone, Debug, Default)]
pub struct Aside {
    /// The names in its kernel.
    pub names: Option<Profile>,
    /// The file that its console goes to.
    pub console: Option<PathBuf>,
}

/// What is known of such a server.
#[derive(Debug)]
pub struct Standard {
    offers: Offers,
    registers: Vec<Register>,
    threads: Vec<ThreadId>,
    breakpoints: Vec<Breakpoint>,
    next_id: u32,
    moved: Option<CpuId>,
    packet_size: usize,
    /// It reads physical memory (`Qqemu.PhyMemMode`).
    physical: bool,
    /// It has QEMU's monitor.
    monitor: bool,
    names: Option<Profile>,
    console: Option<Console>,
    /// The CPUs as they stood at the last stop.
    cpus: Vec<CpuState>,
    /// Physical memory, as far as it was read since then.
    pages: Pages,
    /// Linear memory of each CPU, where physical memory cannot be read.
    linear: BTreeMap<CpuId, Pages>,
    /// How many stops there were.
    stops: u64,
    plan: Option<Plan>,
}

impl Standard {
    /// Learns what the server has.
    pub fn connect(link: &mut Exchange, features: &Features, aside: &Aside) -> Result<Self, LinkError> {
        let mut files = Vec::new();
        if features.has("qXfer:features:read") {
            let top = read_xml(link, "target.xml")?;
            let names = includes(&top);
            files.push(top);
            for name in names {
                files.push(read_xml(link, &name)?);
            }
        }
        let registers = registers(&files).map_err(LinkError::Wire)?;
        if !registers.iter().any(|register| register.name == "rip") {
            return Err(LinkError::Wire("it does not describe the registers of an x86-64 CPU".to_owned()));
        }
        let mut standard = Self {
            offers: Offers::default(),
            registers,
            threads: Vec::new(),
            breakpoints: Vec::new(),
            next_id: 1,
            moved: None,
            packet_size: features.packet_size(),
            physical: link.call(b"Qqemu.PhyMemMode:0", SHORT)? == b"OK",
            monitor: true,
            names: aside.names.clone(),
            console: aside.console.clone().map(|path| Console::new(FileTail::new(path))),
            cpus: Vec::new(),
            pages: Pages::default(),
            linear: BTreeMap::new(),
            stops: 0,
            plan: None,
        };
        let reply = link.call(b"?", SHORT)?;
        if let Some(StopReply::Signal { thread, .. }) = packet::stop_reply(&reply) {
            standard.read_threads(link)?;
            standard.moved = thread.and_then(|thread| standard.cpu(thread));
        }
        let certainty = standard.read_cpus(link)?;
        let control = certainty != Certainty::Neither;
        standard.offers = Offers {
            reverse_step: features.has("ReverseStep"),
            reverse_continue: features.has("ReverseContinue"),
            hidden_state: certainty == Certainty::Hidden,
            control_registers: control,
            reads: true,
            tables: standard.physical && control,
            foreign: Some(Foreign {
                cpus: certainty.words().to_owned(),
                memory: memory_words(standard.physical).to_owned(),
                console: console_words(aside),
            }),
            ..Offers::default()
        };
        Ok(standard)
    }

    /// What it offers.
    pub fn offers(&self) -> Offers {
        self.offers.clone()
    }

    /// Begins a run.
    pub fn start(&mut self, link: &mut Exchange, advance: &Advance) -> Result<Result<(), Refusal>, LinkError> {
        let backward = match (&advance.until, advance.direction) {
            (_, Direction::Forward) => None,
            (Until::Steps(1), Direction::Backward) if self.offers.reverse_step => Some("bs"),
            (Until::Breakpoint, Direction::Backward) if self.offers.reverse_continue => Some("bc"),
            (_, Direction::Backward) => return Ok(Err(cannot("go back"))),
        };
        if matches!(advance.until, Until::Event(_)) {
            let why = "tell events. Set a breakpoint where the CPU will come, and run";
            return Ok(Err(cannot(why)));
        }
        if matches!(advance.until, Until::Steps(count) if count != 1) {
            return Ok(Err(cannot("count steps")));
        }
        let mut plan = Plan::new(advance);
        if matches!(advance.until, Until::Over | Until::Out | Until::Steps(_)) {
            plan.cpu = Some(advance.cpu.or(self.moved).unwrap_or_default());
            plan.hold_others |= advance.cpu.is_none();
        }
        if let Until::Address(linear) = advance.until {
            self.set_target(link, &mut plan, linear)?;
        }
        self.plan = Some(plan);
        match backward {
            Some(packet) => link.send(packet.as_bytes())?,
            None => self.go_on(link)?,
        }
        Ok(Ok(()))
    }

    /// Sends what the plan needs next.
    fn go_on(&mut self, link: &mut Exchange) -> Result<(), LinkError> {
        let Some(mut plan) = self.plan.take() else { return Ok(()) };
        let mut steps = matches!(plan.until, Until::Steps(_));
        if let (Until::Over | Until::Out, None, Some(cpu)) = (&plan.until, plan.target, plan.cpu) {
            match self.next_of(link, cpu)? {
                Next::RunTo(linear) => self.set_target(link, &mut plan, linear)?,
                next => {
                    steps = true;
                    plan.leaves = next == Next::Return;
                }
            }
        }
        let stepping = plan.cpu.filter(|_| steps);
        let thread = plan.cpu.and_then(|cpu| self.thread(Some(cpu)));
        self.leave_breakpoints(link, stepping, plan.target, plan.cpu.filter(|_| plan.hold_others))?;
        let packet = match thread {
            Some(thread) if steps => packet::step(thread, plan.hold_others),
            thread => packet::run(thread.filter(|_| plan.hold_others)),
        };
        self.plan = Some(plan);
        self.pages.forget();
        self.linear.clear();
        link.send(packet.as_bytes())
    }

    /// QEMU stops at once where a CPU that is to run stands at a breakpoint: each such CPU makes a step alone first. The
    /// one that steps anyway needs none.
    fn leave_breakpoints(
        &mut self,
        link: &mut Exchange,
        stepping: Option<CpuId>,
        target: Option<LinearAddr>,
        only: Option<CpuId>,
    ) -> Result<(), LinkError> {
        let set = |at: LinearAddr| {
            target == Some(at) || self.breakpoints.iter().any(|known| known.condition == Condition::Execute(at))
        };
        let there: Vec<CpuId> = self
            .cpus
            .iter()
            .filter(|state| state.activity == Activity::Running && set(state.linear_pc()))
            .map(|state| state.cpu)
            .filter(|cpu| stepping != Some(*cpu) && only.is_none_or(|only| only == *cpu))
            .collect();
        for cpu in there {
            let Some(thread) = self.thread(Some(cpu)) else { continue };
            link.call(packet::step(thread, true).as_bytes(), SHORT)?;
        }
        Ok(())
    }

    fn next_of(&mut self, link: &mut Exchange, cpu: CpuId) -> Result<Next, LinkError> {
        let Some(state) = self.cpus.get(usize::from(cpu.0)).cloned() else { return Ok(Next::Step) };
        let reached = self.reached();
        let next = self.decoded(link, cpu, &mut || false, |pages| decode::next(pages, &state, reached))?;
        Ok(next.unwrap_or(Next::Step))
    }

    fn set_target(&mut self, link: &mut Exchange, plan: &mut Plan, linear: LinearAddr) -> Result<(), LinkError> {
        plan.target = Some(linear);
        if !self.is_breakpoint(linear) {
            link.call(packet::breakpoint(true, linear.0).as_bytes(), SHORT)?;
        }
        Ok(())
    }

    fn clear_target(&mut self, link: &mut Exchange, plan: &mut Plan) -> Result<(), LinkError> {
        if let Some(linear) = plan.target.take().filter(|linear| !self.is_breakpoint(*linear)) {
            link.call(packet::breakpoint(false, linear.0).as_bytes(), SHORT)?;
        }
        Ok(())
    }

    fn is_breakpoint(&self, linear: LinearAddr) -> bool {
        self.breakpoints.iter().any(|known| known.condition == Condition::Execute(linear))
    }

    /// A packet has come while the machine runs. None: it runs on.
    pub fn came(
        &mut self,
        link: &mut Exchange,
        reply: &[u8],
        cancelled: bool,
    ) -> Result<Option<StopReason>, LinkError> {
        let (signal, thread, replay_log) = match packet::stop_reply(reply) {
            None => return Ok(None),
            Some(StopReply::Exited(value)) => return Ok(Some(StopReason::Exit { value })),
            Some(StopReply::Signal { signal, thread, replay_log }) => (signal, thread, replay_log),
        };
        self.stops += 1;
        self.read_threads(link)?;
        self.moved = thread.and_then(|thread| self.cpu(thread)).or(self.moved);
        self.read_cpus(link)?;
        let Some(mut plan) = self.plan.take() else { return Ok(Some(StopReason::None)) };
        let state = self.moved.and_then(|cpu| self.cpus.get(usize::from(cpu.0)));
        let after = match (replay_log.as_deref(), signal, state) {
            (Some("begin"), ..) => After::Over(StopReason::StartOfTime),
            (Some(_), ..) => After::Over(StopReason::EndOfRecording),
            (None, 2, _) => After::Over(StopReason::Interrupted),
            (None, _, Some(state)) => plan.stopped(state, &self.breakpoints),
            (None, ..) => After::Over(StopReason::None),
        };
        match after {
            After::Over(reason) => {
                self.clear_target(link, &mut plan)?;
                return Ok(Some(reason));
            }
            _ if cancelled => {
                self.clear_target(link, &mut plan)?;
                return Ok(Some(StopReason::Interrupted));
            }
            After::Next => self.clear_target(link, &mut plan)?,
            After::GoOn => {}
        }
        // What a run on the way to somewhere else passes is no stop of its own.
        self.stops -= 1;
        self.plan = Some(plan);
        self.go_on(link)?;
        Ok(None)
    }

    /// The state of all CPUs as a stop.
    pub fn stopped(&mut self, reason: StopReason) -> Stopped {
        let position = Position(self.stops);
        let console = self.console.as_mut().map(Console::read);
        Stopped {
            reason,
            position,
            end: position,
            clock_ns: 0,
            next_cpu: None,
            moved_cpu: self.moved,
            cpus: self.cpus.clone(),
            console,
            events: Vec::new(),
            trees: Vec::new(),
            can_undo: false,
            gdb_attached: false,
            image_changed: false,
            epoch: 0,
        }
    }

    /// Changes the stopped machine.
    pub fn change(&mut self, link: &mut Exchange, request: &Request) -> Result<Result<Stopped, Refusal>, LinkError> {
        let packet = match request {
            Request::State { .. } => None,
            Request::Edit { edit: Edit::Register { cpu, name, value }, .. } => {
                let Some(register) = self.registers.iter().find(|register| register.name == *name) else {
                    return Ok(Err(cannot(&format!("write {name}"))));
                };
                let bytes: Vec<u8> = value.to_le_bytes().into_iter().take(register.size).collect();
                let number = register.number;
                let Some(thread) = self.thread(Some(*cpu)) else { return Ok(Err(cannot(&format!("name {cpu}")))) };
                link.call(packet::select_thread(thread).as_bytes(), SHORT)?;
                Some(packet::write_register(number, &bytes).into_bytes())
            }
            Request::Edit { edit: Edit::Memory { at, bytes }, .. } => {
                let address = match at {
                    Place::Linear { cpu, linear } => {
                        if let Some(thread) = self.thread(Some(*cpu)) {
                            link.call(packet::select_thread(thread).as_bytes(), SHORT)?;
                        }
                        linear.0
                    }
                    Place::Phys(_) if !self.physical => return Ok(Err(cannot("write physical memory"))),
                    Place::Phys(phys) => phys.0,
                };
                let physical = matches!(at, Place::Phys(_));
                if physical {
                    link.call(b"Qqemu.PhyMemMode:1", SHORT)?;
                }
                let mut written = link.call(&packet::write_memory_binary(address, bytes), SHORT)?;
                // An empty reply says that the packet is not known.
                if written.is_empty() {
                    written = link.call(packet::write_memory(address, bytes).as_bytes(), SHORT)?;
                }
                if physical {
                    link.call(b"Qqemu.PhyMemMode:0", SHORT)?;
                }
                if written != b"OK" {
                    return Ok(Err(cannot("write there: it answered with an error")));
                }
                None
            }
            _ => return Ok(Err(cannot("do that: it has no positions, history or configuration"))),
        };
        if let Some(packet) = packet
            && link.call(&packet, SHORT)? != b"OK"
        {
            return Ok(Err(cannot("make that change: it answered with an error")));
        }
        self.read_cpus(link)?;
        Ok(Ok(self.stopped(StopReason::None)))
    }

    fn read_threads(&mut self, link: &mut Exchange) -> Result<(), LinkError> {
        let mut threads = Vec::new();
        let mut reply = link.call(b"qfThreadInfo", SHORT)?;
        while let Some(more) = packet::threads(&reply) {
            threads.extend(more);
            reply = link.call(b"qsThreadInfo", SHORT)?;
        }
        self.threads = if threads.is_empty() { vec![1] } else { threads };
        Ok(())
    }

    /// Reads all CPUs anew; what was known of memory is void.
    fn read_cpus(&mut self, link: &mut Exchange) -> Result<Certainty, LinkError> {
        self.pages.forget();
        self.linear.clear();
        let told = if self.monitor { link.monitor(monitor::COMMAND)? } else { None };
        let told = told.map(|text| monitor::parse(&text)).unwrap_or_default();
        self.monitor = !told.is_empty();
        self.cpus.clear();
        let mut all = Certainty::Hidden;
        for (at, thread) in self.threads.clone().into_iter().enumerate() {
            link.call(packet::select_thread(thread).as_bytes(), SHORT)?;
            let reply = link.call(b"g", SHORT)?;
            let bytes = packet::from_hex(&reply)
                .ok_or_else(|| LinkError::Wire("the registers it sent are no hex digits".to_owned()))?;
            let (state, certainty) = state::state(CpuId(at as u16), &self.registers, &bytes, told.get(at));
            if certainty != Certainty::Hidden {
                all = certainty;
            }
            self.cpus.push(state);
        }
        Ok(all)
    }

    fn thread(&self, cpu: Option<CpuId>) -> Option<ThreadId> {
        self.threads.get(usize::from(cpu.or(self.moved).unwrap_or_default().0)).copied()
    }

    fn cpu(&self, thread: ThreadId) -> Option<CpuId> {
        self.threads.iter().position(|known| *known == thread).map(|at| CpuId(at as u16))
    }

    fn reached(&self) -> Reached {
        if self.physical { Reached::Physical } else { Reached::Linear }
    }
}

const fn memory_words(physical: bool) -> &'static str {
    if physical {
        "Memory is read physically (Qqemu.PhyMemMode); walks and trees are worked out here."
    } else {
        "This server reads linear memory only, through each CPU's own tables: no page tables, no physical memory."
    }
}

fn console_words(aside: &Aside) -> String {
    match &aside.console {
        Some(path) => format!(
            "The machine elsewhere writes its console to {}; what stands there is shown after each stop. It cannot be typed to.",
            path.display()
        ),
        None => "This server does not tell the console: look where the machine's own program puts it.".to_owned(),
    }
}

fn cannot(what: &str) -> Refusal {
    Refusal::Invalid(format!("This server is not Firstlight's and cannot {what}."))
}

/// Reads a file of the target description, in pieces.
fn read_xml(link: &mut Exchange, name: &str) -> Result<String, LinkError> {
    let mut text = Vec::new();
    loop {
        let packet = format!("qXfer:features:read:{name}:{:x},ffb", text.len());
        let reply = link.call(packet.as_bytes(), SHORT)?;
        match reply.split_first() {
            Some((b'l', last)) => {
                text.extend_from_slice(last);
                break;
            }
            Some((b'm', more)) if !more.is_empty() && text.len() < MAX_XML => text.extend_from_slice(more),
            _ => return Err(LinkError::Wire(format!("it does not send its register description ({name})"))),
        }
    }
    String::from_utf8(text).map_err(|_| LinkError::Wire(format!("{name} is no text")))
}
