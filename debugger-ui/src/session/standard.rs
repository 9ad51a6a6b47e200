//! A server that is not ours, as QEMU's: gdb's own packets only. What it cannot tell is refused or left out, not guessed.
//!
//! Such a server has no positions, events or console, so a stop carries position 0 and nothing else than registers. The
//! mode is worked out from CR0, EFER and RFLAGS, where it sends these; hidden parts of segments it does not send.

use super::exchange::{Exchange, LinkError, SHORT};
use crate::model::connection::Offers;
use crate::rsp::features::{Features, Register, includes, registers};
use crate::rsp::packet::{self, StopReply, ThreadId};
use protocol::breakpoint::{Breakpoint, Condition};
use protocol::cpu::{CS, CpuState, GPR_NAMES, SEGMENT_NAMES};
use protocol::request::{Advance, Answer, Direction, Edit, Place, Refusal, Request, StopReason, Stopped, Until};
use protocol::{CpuId, Mode, Position};

/// Largest file of a target description, in bytes.
const MAX_XML: usize = 1 << 20;

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
    /// The run under way is one step: its end is what was asked for.
    stepping: bool,
}

impl Standard {
    /// Learns what the server has.
    pub fn connect(link: &mut Exchange, features: &Features) -> Result<Self, LinkError> {
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
            offers: Offers {
                reverse_step: features.has("ReverseStep"),
                reverse_continue: features.has("ReverseContinue"),
                control_registers: registers.iter().any(|register| register.name == "cr0"),
                ..Offers::default()
            },
            registers,
            threads: Vec::new(),
            breakpoints: Vec::new(),
            next_id: 1,
            moved: None,
            packet_size: features.packet_size(),
            stepping: false,
        };
        let reply = link.call(b"?", SHORT)?;
        standard.stop_of(&reply);
        Ok(standard)
    }

    /// What it offers.
    pub fn offers(&self) -> Offers {
        self.offers.clone()
    }

    /// Begins a run.
    pub fn start(&mut self, link: &mut Exchange, advance: &Advance) -> Result<Result<(), Refusal>, LinkError> {
        let thread = self.thread(advance.cpu);
        self.stepping = matches!(advance.until, Until::Steps(1));
        let packet = match (&advance.until, advance.direction) {
            (Until::Steps(1), Direction::Forward) => {
                packet::step(thread.unwrap_or(1), advance.hold_others || advance.cpu.is_none())
            }
            (Until::Breakpoint, Direction::Forward) => packet::run(if advance.hold_others { thread } else { None }),
            (Until::Steps(1), Direction::Backward) if self.offers.reverse_step => "bs".to_owned(),
            (Until::Breakpoint, Direction::Backward) if self.offers.reverse_continue => "bc".to_owned(),
            (_, Direction::Backward) => return Ok(Err(cannot("go back"))),
            (_, Direction::Forward) => return Ok(Err(cannot("do more than step and run"))),
        };
        link.send(packet.as_bytes())?;
        Ok(Ok(()))
    }

    /// Why it stopped, if the reply tells a stop.
    pub fn stop_of(&mut self, reply: &[u8]) -> Option<StopReason> {
        Some(match packet::stop_reply(reply)? {
            StopReply::Exited(value) => StopReason::Exit { value },
            StopReply::Signal { signal, thread, replay_log } => {
                self.moved = thread.and_then(|thread| self.cpu(thread));
                match (replay_log.as_deref(), signal) {
                    (Some("begin"), _) => StopReason::StartOfTime,
                    (Some(_), _) => StopReason::EndOfRecording,
                    (None, 2) => StopReason::Interrupted,
                    (None, _) if self.stepping => StopReason::Reached,
                    (None, _) => StopReason::None,
                }
            }
        })
    }

    /// The state of all CPUs as a stop.
    pub fn stopped(&mut self, link: &mut Exchange, mut reason: StopReason) -> Result<Stopped, LinkError> {
        self.read_threads(link)?;
        let mut cpus = Vec::with_capacity(self.threads.len());
        for (at, thread) in self.threads.clone().into_iter().enumerate() {
            link.call(packet::select_thread(thread).as_bytes(), SHORT)?;
            let reply = link.call(b"g", SHORT)?;
            let bytes = packet::from_hex(&reply)
                .ok_or_else(|| LinkError::Wire("the registers it sent are no hex digits".to_owned()))?;
            cpus.push(self.cpu_state(CpuId(at as u16), &bytes));
        }
        if let Some(cpu) = self.moved.filter(|_| reason == StopReason::None)
            && let Some(state) = cpus.get(usize::from(cpu.0))
            && let Some(hit) = self.breakpoints.iter().find(|at| at.condition == Condition::Execute(state.linear_pc()))
        {
            reason = StopReason::Breakpoint { id: hit.id, cpu };
        }
        Ok(Stopped {
            reason,
            position: Position(0),
            end: Position(0),
            clock_ns: 0,
            next_cpu: None,
            moved_cpu: self.moved,
            cpus,
            console: None,
            events: Vec::new(),
            trees: Vec::new(),
            can_undo: false,
            gdb_attached: false,
            image_changed: false,
            epoch: 0,
        })
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
                let Some(thread) = self.thread(Some(*cpu)) else { return Ok(Err(cannot(&format!("name {cpu}")))) };
                link.call(packet::select_thread(thread).as_bytes(), SHORT)?;
                Some(packet::write_register(register.number, &bytes).into_bytes())
            }
            Request::Edit { edit: Edit::Memory { at: Place::Linear { cpu, linear }, bytes }, .. } => {
                if let Some(thread) = self.thread(Some(*cpu)) {
                    link.call(packet::select_thread(thread).as_bytes(), SHORT)?;
                }
                let binary = link.call(&packet::write_memory_binary(linear.0, bytes), SHORT)?;
                // An empty reply says that the packet is not known.
                if binary.is_empty() { Some(packet::write_memory(linear.0, bytes).into_bytes()) } else { None }
            }
            _ => return Ok(Err(cannot("do that: it has no positions, history or configuration"))),
        };
        if let Some(packet) = packet
            && link.call(&packet, SHORT)? != b"OK"
        {
            return Ok(Err(cannot("make that change: it answered with an error")));
        }
        self.stopped(link, StopReason::None).map(Ok)
    }

    /// Answers what can be answered.
    pub fn read(&mut self, link: &mut Exchange, request: &Request) -> Result<Answer, LinkError> {
        Ok(match request {
            Request::Memory { from: Place::Linear { cpu, linear }, len } => {
                if let Some(thread) = self.thread(Some(*cpu)) {
                    link.call(packet::select_thread(thread).as_bytes(), SHORT)?;
                }
                let len = usize::try_from(*len).unwrap_or(usize::MAX).min(self.packet_size / 2);
                let reply = link.call(packet::read_memory(linear.0, len).as_bytes(), SHORT)?;
                match packet::from_hex(&reply) {
                    Some(bytes) => Answer::Memory { bytes, unreadable: None },
                    None => {
                        let why = format!("the server cannot read memory at {linear}");
                        Answer::Memory { bytes: Vec::new(), unreadable: Some(why) }
                    }
                }
            }
            Request::SetBreakpoint { condition: Condition::Execute(linear), .. } => {
                if link.call(packet::breakpoint(true, linear.0).as_bytes(), SHORT)? != b"OK" {
                    return Ok(Answer::Refused(cannot("set a breakpoint there")));
                }
                let breakpoint = Breakpoint { id: self.next_id, cpu: None, condition: Condition::Execute(*linear) };
                self.next_id += 1;
                self.breakpoints.push(breakpoint.clone());
                Answer::BreakpointSet(breakpoint)
            }
            Request::ClearBreakpoint { id } => {
                let known = self.breakpoints.iter().position(|breakpoint| breakpoint.id == *id);
                if let Some(at) = known
                    && let Condition::Execute(linear) = self.breakpoints.remove(at).condition
                {
                    link.call(packet::breakpoint(false, linear.0).as_bytes(), SHORT)?;
                }
                Answer::Done
            }
            Request::Breakpoints => Answer::Breakpoints(self.breakpoints.clone()),
            _ => Answer::Refused(cannot("tell that")),
        })
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

    fn thread(&self, cpu: Option<CpuId>) -> Option<ThreadId> {
        self.threads.get(usize::from(cpu.or(self.moved).unwrap_or_default().0)).copied()
    }

    fn cpu(&self, thread: ThreadId) -> Option<CpuId> {
        self.threads.iter().position(|known| *known == thread).map(|at| CpuId(at as u16))
    }

    fn cpu_state(&self, cpu: CpuId, bytes: &[u8]) -> CpuState {
        let value = |name: &str| -> Option<u64> {
            let register = self.registers.iter().find(|register| register.name == name)?;
            let part = bytes.get(register.offset..register.offset + register.size.min(8))?;
            Some(part.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
        };
        let get = |name: &str| value(name).unwrap_or(0);
        let mut state = CpuState {
            cpu,
            ip: get("rip"),
            rflags: get("eflags"),
            cr0: get("cr0"),
            cr2: get("cr2"),
            cr3: get("cr3"),
            cr4: get("cr4"),
            cr8: get("cr8"),
            efer: get("efer"),
            kernel_gs_base: get("k_gs_base"),
            mxcsr: get("mxcsr") as u32,
            ..CpuState::default()
        };
        for (slot, name) in state.gpr.iter_mut().zip(GPR_NAMES) {
            *slot = get(name);
        }
        for (slot, name) in state.segments.iter_mut().zip(&SEGMENT_NAMES[..6]) {
            slot.selector = get(name) as u16;
            slot.base = get(&format!("{name}_base"));
        }
        state.mode = mode_of(&state);
        if matches!(state.mode, Mode::Real | Mode::V86) {
            // The base is not sent; in these modes it follows from the selector, unless a trick has changed it.
            state.segments[..6].iter_mut().for_each(|segment| segment.base = u64::from(segment.selector) << 4);
        }
        if state.mode == Mode::Long {
            state.segments[CS].attributes = protocol::cpu::SegmentReg::ATTR_L;
        }
        state
    }
}

/// The mode as far as CR0, EFER and RFLAGS tell it: without the hidden part of CS, long mode is taken for 64-bit and
/// protected mode for 32-bit.
fn mode_of(state: &CpuState) -> Mode {
    let bit = |value: u64, at: u8| value >> at & 1 != 0;
    match (bit(state.cr0, 0), bit(state.efer, 10), bit(state.rflags, 17)) {
        (false, ..) => Mode::Real,
        (true, true, _) => Mode::Long,
        (true, false, true) => Mode::V86,
        (true, false, false) => Mode::Protected32,
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
