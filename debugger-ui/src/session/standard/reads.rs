//! Questions to a server that is not ours: what its packets answer, and what is decoded here from the memory that it reads.

use super::pages::{PAGE, Pages};
use super::{Standard, cannot};
use crate::rsp::packet;
use crate::session::exchange::{Exchange, LinkError, SHORT};
use crate::session::hosted::decode::{self, Reached};
use protocol::CpuId;
use protocol::breakpoint::{Breakpoint, Condition};
use protocol::cpu::CpuState;
use protocol::request::{Answer, MAX_CODE, MAX_MEMORY, MAX_TABLES, Place, Refusal, Request, RootSpec};

/// More than the longest answer needs: each round of reading fetches at least one page.
const MOST_ROUNDS: usize = 4096;

impl Standard {
    /// Answers what can be answered. None: the machine is to move, so that nobody wants the answer any more.
    pub fn read(
        &mut self,
        link: &mut Exchange,
        request: &Request,
        cancelled: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Answer>, LinkError> {
        let reached = self.reached();
        Ok(Some(match request {
            Request::Profile => Answer::Profile(self.names.clone()),
            Request::Memory { from, len } => {
                let len = (*len).min(MAX_MEMORY) as usize;
                let read = match *from {
                    Place::Phys(_) if !self.physical => return Ok(Some(Answer::Refused(no_physical()))),
                    Place::Phys(phys) => {
                        self.decoded(link, CpuId(0), cancelled, |pages| decode::physical(pages, phys.0, len))?
                    }
                    Place::Linear { cpu, linear } => {
                        let Some(state) = self.state(cpu) else { return Ok(Some(Answer::Refused(no_cpu(cpu)))) };
                        self.decoded(link, cpu, cancelled, |pages| {
                            decode::linear(pages, &state, reached, linear.0, len)
                        })?
                    }
                };
                let Some((bytes, unreadable)) = read else { return Ok(None) };
                Answer::Memory { bytes, unreadable }
            }
            Request::Code { cpu, linear, before, count } => {
                let Some(state) = self.state(*cpu) else { return Ok(Some(Answer::Refused(no_cpu(*cpu)))) };
                let (before, count) = ((*before).min(MAX_CODE), (*count).min(MAX_CODE));
                let lines = self.decoded(link, *cpu, cancelled, |pages| {
                    decode::code(pages, &state, reached, *linear, before, count)
                })?;
                let Some(lines) = lines else { return Ok(None) };
                Answer::Code(lines)
            }
            Request::Listing { phys, base, bits, count } => {
                if !self.physical {
                    return Ok(Some(Answer::Refused(no_physical())));
                }
                if !matches!(bits, 16 | 32 | 64) {
                    return Ok(Some(Answer::Refused(cannot("decode code of that width"))));
                }
                let count = (*count).min(MAX_CODE);
                let lines = self
                    .decoded(link, CpuId(0), cancelled, |pages| decode::listing(pages, phys.0, base.0, *bits, count))?;
                let Some(lines) = lines else { return Ok(None) };
                Answer::Code(lines)
            }
            Request::Tree { root, max_tables } => {
                if !self.physical {
                    return Ok(Some(Answer::Refused(no_physical())));
                }
                let (state, most) = (self.root_state(*root), (*max_tables).min(MAX_TABLES));
                let tree =
                    self.decoded(link, CpuId(0), cancelled, |pages| decode::tree(pages, *root, state.as_ref(), most))?;
                let Some(tree) = tree else { return Ok(None) };
                tree.map_or_else(|| Answer::Refused(cannot("name that CPU")), Answer::Tree)
            }
            Request::Walk { root, linear } => {
                if !self.physical {
                    return Ok(Some(Answer::Refused(no_physical())));
                }
                let state = self.root_state(*root);
                let walk = self
                    .decoded(link, CpuId(0), cancelled, |pages| decode::walk(pages, *root, state.as_ref(), *linear))?;
                let Some(walk) = walk else { return Ok(None) };
                walk.map_or_else(|| Answer::Refused(cannot("name that CPU")), Answer::Walk)
            }
            Request::SetBreakpoint { condition: Condition::Execute(linear), .. } => {
                if link.call(packet::breakpoint(true, linear.0).as_bytes(), SHORT)? != b"OK" {
                    return Ok(Some(Answer::Refused(cannot("set a breakpoint there"))));
                }
                let breakpoint = Breakpoint { id: self.next_id, cpu: None, condition: Condition::Execute(*linear) };
                self.next_id += 1;
                self.breakpoints.push(breakpoint.clone());
                Answer::BreakpointSet(breakpoint)
            }
            Request::SetBreakpoint { .. } => {
                Answer::Refused(cannot("stop at events: set a breakpoint at an instruction instead"))
            }
            Request::ClearBreakpoint { id } => {
                let known = self.breakpoints.iter().position(|breakpoint| breakpoint.id == *id);
                if let Some(at) = known
                    && let Condition::Execute(linear) = self.breakpoints.remove(at).condition
                    && !self.is_breakpoint(linear)
                {
                    link.call(packet::breakpoint(false, linear.0).as_bytes(), SHORT)?;
                }
                Answer::Done
            }
            Request::Breakpoints => Answer::Breakpoints(self.breakpoints.clone()),
            _ => Answer::Refused(cannot("tell that")),
        }))
    }

    fn state(&self, cpu: CpuId) -> Option<CpuState> {
        self.cpus.get(usize::from(cpu.0)).cloned()
    }

    fn root_state(&self, root: RootSpec) -> Option<CpuState> {
        match root {
            RootSpec::Cpu(cpu) => self.state(cpu),
            RootSpec::Phys { .. } => None,
        }
    }

    /// Decodes, fetching the pages that it turns out to need. None: cancelled.
    pub(super) fn decoded<T>(
        &mut self,
        link: &mut Exchange,
        cpu: CpuId,
        cancelled: &mut dyn FnMut() -> bool,
        decode: impl Fn(&Pages) -> T,
    ) -> Result<Option<T>, LinkError> {
        for _ in 0..MOST_ROUNDS {
            let pages = if self.physical { &mut self.pages } else { self.linear.entry(cpu).or_default() };
            let decoded = decode(pages);
            let missing = pages.take_missing();
            if missing.is_empty() {
                return Ok(Some(decoded));
            }
            if self.physical {
                link.call(b"Qqemu.PhyMemMode:1", SHORT)?;
            } else if let Some(thread) = self.thread(Some(cpu)) {
                link.call(packet::select_thread(thread).as_bytes(), SHORT)?;
            }
            let fetched = self.fetch(link, cpu, missing, cancelled);
            if self.physical {
                link.call(b"Qqemu.PhyMemMode:0", SHORT)?;
            }
            if !fetched? {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// False: cancelled.
    fn fetch(
        &mut self,
        link: &mut Exchange,
        cpu: CpuId,
        missing: impl IntoIterator<Item = u64>,
        cancelled: &mut dyn FnMut() -> bool,
    ) -> Result<bool, LinkError> {
        // The reply has two digits for a byte, and a few more.
        let chunk = (self.packet_size.saturating_sub(16) / 2).clamp(64, PAGE).next_power_of_two();
        let chunk = if chunk * 2 > self.packet_size { (chunk / 2).max(64) } else { chunk };
        for page in missing {
            if cancelled() {
                return Ok(false);
            }
            let mut bytes = Vec::with_capacity(PAGE);
            while bytes.len() < PAGE {
                let packet = packet::read_memory(page + bytes.len() as u64, chunk.min(PAGE - bytes.len()));
                let reply = link.call(packet.as_bytes(), SHORT)?;
                match packet::from_hex(&reply).filter(|more| !more.is_empty()) {
                    Some(more) => bytes.extend(more),
                    None => break,
                }
            }
            bytes.truncate(PAGE);
            let found = (!bytes.is_empty()).then_some(bytes);
            if self.reached() == Reached::Physical {
                self.pages.put(page, found);
            } else {
                self.linear.entry(cpu).or_default().put(page, found);
            }
        }
        Ok(true)
    }
}

fn no_physical() -> Refusal {
    cannot("read physical memory")
}

fn no_cpu(cpu: CpuId) -> Refusal {
    cannot(&format!("name {cpu}"))
}
