//! `monitor` commands: what the vendor packets tell programs, in words for people at gdb's prompt.

use super::target::{Target, describe};
use crate::inspect;
use crate::server::names::Names;
use crate::server::narrate;
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd};
use protocol::page_table::{EntryKind, WalkEnd};
use protocol::request::RootSpec;
use protocol::{CpuId, LinearAddr, Position};
use std::convert::Infallible;
use std::fmt::Write;

/// Instructions that `monitor code` shows where no number is given, and at most.
const CODE: u64 = 8;
const CODE_MAX: u64 = 1024;

/// Events that `monitor events` shows where no number is given.
const EVENTS: usize = 20;

const HELP: &str = "\
help                  this list
cpus                  every CPU: APIC ID, activity, mode, CS:IP, linear address, page-table root
mode [CPU]            what makes the mode of a CPU: the bits of CR0, CR4, EFER and CS
code [ADDR [CPU [N]]] N instructions in the mode the CPU is in, from its next one on if no address is given
walk ADDRESS [CPU]    the page walk of a linear address, level by level
pgd [NAME|CPU]        the tables below a root: a name from the profile, or a CPU's CR3
tlb [CPU]             a CPU's TLB, oldest entry first
translate ADDR [CPU]  the physical address behind a linear one
events [N]            the last N events up to now, as data
narrate [N]           the same in sentences
position              where in the run the machine is
seek POSITION         go there (gdb does not see it by itself: `flushregs` or `stepi` afterwards)
undo                  take the last edit back (then `flushregs`)
hash                  hash of the whole architectural state
reset                 press the reset button
nmi CPU               send an NMI
CPU is a number from 0; gdb's thread N is CPU N-1. Without CPU: CPU 0.
reverse-stepi takes back one step of the selected thread; `set scheduler-locking on` holds the others.
";

impl MonitorCmd for Target {
    fn handle_monitor_cmd(&mut self, command: &[u8], mut out: ConsoleOutput<'_>) -> Result<(), Infallible> {
        let command = String::from_utf8_lossy(command);
        let mut text = String::new();
        match self.monitor(command.trim(), &mut text) {
            Ok(()) => {}
            Err(why) => text = format!("{why}\n"),
        }
        // Whole lines: gdb prints each packet as it comes.
        out.write_raw(text.as_bytes());
        Ok(())
    }
}

impl Target {
    fn names(&self) -> Names<'_> {
        Names::new(self.image.profile(), self.timeline.machine())
    }

    fn monitor(&mut self, command: &str, out: &mut String) -> Result<(), String> {
        let mut words = command.split_whitespace();
        let verb = words.next().unwrap_or("help");
        let (first, second) = (words.next(), words.next());
        match verb {
            "help" => out.push_str(HELP),
            "cpus" => self.cpus(out),
            "mode" => self.mode(self.cpu_word(first)?, out)?,
            "code" => self.code(first, self.cpu_word(second)?, words.next(), out)?,
            "walk" => self.walk(self.address_word(first)?, self.cpu_word(second)?, out)?,
            "pgd" => self.pgd(first, out)?,
            "tlb" => self.tlb(self.cpu_word(first)?, out)?,
            "translate" => {
                let linear = LinearAddr(self.address_word(first)?);
                let physical = inspect::translate(self.timeline.machine(), self.cpu_word(second)?, linear)?;
                line(out, format_args!("linear {:#x} = physical {physical:#x}", linear.0));
            }
            "events" => self.last_events(first)?.iter().for_each(|event| {
                line(out, format_args!("{:>10} {} {:?}", event.position, event.cpu, event.kind));
            }),
            "narrate" => {
                let names = self.names();
                self.last_events(first)?.iter().for_each(|event| {
                    line(out, format_args!("{:>10} {}", event.position, narrate::event(event, &names)));
                });
            }
            "position" => {
                let (now, end) = (self.timeline.position(), self.timeline.end());
                let clock_us = self.timeline.machine().clock_ns() / 1000;
                line(out, format_args!("step {now} of {end} recorded; the machine's clock: {clock_us} us"));
            }
            "seek" => {
                let position = number(first.ok_or("seek wants a position")?)?;
                self.timeline.seek(Position(position)).map_err(|refusal| super::resume::refusal_in_words(&refusal))?;
                line(out, format_args!("at step {position}; tell gdb: flushregs"));
            }
            "undo" => {
                self.timeline.undo().map_err(|refusal| super::resume::refusal_in_words(&refusal))?;
                line(out, format_args!("at step {}; tell gdb: flushregs", self.timeline.position()));
            }
            "hash" => {
                self.timeline.hash().iter().for_each(|byte| put(out, format_args!("{byte:02x}")));
                out.push('\n');
            }
            "reset" => {
                self.timeline.reset();
                line(out, format_args!("reset; tell gdb: flushregs"));
            }
            "nmi" => {
                let cpu = self.cpu_word(first)?;
                self.timeline.nmi(cpu).map_err(|refusal| super::resume::refusal_in_words(&refusal))?;
                line(out, format_args!("{cpu} has an NMI to take"));
            }
            other => return Err(format!("there is no command {other:?}; `monitor help` lists them")),
        }
        Ok(())
    }

    fn cpus(&self, out: &mut String) {
        let names = self.names();
        for cpu in self.timeline.machine().cpus() {
            let cs = cpu.segments[crate::cpu::segment::CS].selector;
            let linear = cpu.linear_pc();
            let name = names.at(linear).map_or_else(String::new, |name| format!(" <{name}>"));
            let root = root_word(cpu.cr0, cpu.cr3, &names);
            line(out, format_args!("{:<44} {cs:04x}:{:x} = {linear:#x}{name}, {root}", describe(cpu), cpu.rip));
        }
    }

    fn mode(&self, id: CpuId, out: &mut String) -> Result<(), String> {
        use crate::cpu::{cr0, cr4, efer};
        let cpu = self.timeline.machine().cpu(id).ok_or_else(|| self.no_cpu(id))?;
        let cs = &cpu.segments[crate::cpu::segment::CS];
        let bit = |value: u64, mask: u64| u8::from(value & mask != 0);
        line(out, format_args!("{}", describe(cpu)));
        line(
            out,
            format_args!(
                "CR0.PE={} CR0.PG={} CR4.PAE={} CR4.PGE={} EFER.LME={} EFER.LMA={} CS.L={} CS.D={} CPL={}",
                bit(cpu.cr0, cr0::PE),
                bit(cpu.cr0, cr0::PG),
                bit(cpu.cr4, cr4::PAE),
                bit(cpu.cr4, cr4::PGE),
                bit(cpu.efer, efer::LME),
                bit(cpu.efer, efer::LMA),
                u8::from(cs.is_long()),
                u8::from(cs.is_big()),
                cpu.cpl()
            ),
        );
        line(out, format_args!("{}", root_word(cpu.cr0, cpu.cr3, &self.names())));
        Ok(())
    }

    fn walk(&self, linear: u64, cpu: CpuId, out: &mut String) -> Result<(), String> {
        let trace = inspect::walk(self.timeline.machine(), RootSpec::Cpu(cpu), LinearAddr(linear))?;
        line(out, format_args!("{cpu}, linear {linear:#x}, root {:#x}, {:?}", trace.root.0, trace.mode.kind));
        for step in &trace.steps {
            let what = match &step.kind {
                EntryKind::NotPresent => "not present".to_owned(),
                EntryKind::Table { next } => format!("table at {:#x}", next.0),
                EntryKind::Page { phys, size } => format!("page of {} KiB at {:#x}", size >> 10, phys.0),
                EntryKind::Malformed { why } => format!("malformed: {why}"),
            };
            let (level, table, index, raw) = (step.level, step.table.0, step.index, step.raw);
            let rights = rights(step.effective);
            line(out, format_args!("  level {level}: {table:#x}[{index}] = {raw:#018x}  {what}  {rights}"));
        }
        let end = match &trace.end {
            WalkEnd::Mapped { phys, .. } => format!("physical {:#x}", phys.0),
            WalkEnd::NotPresent { level } => format!("a page fault: the entry of level {level} is not present"),
            WalkEnd::Malformed { level, why } => format!("a page fault: reserved bit in level {level}: {why}"),
            WalkEnd::NonCanonical => "a general-protection fault: the address is not canonical".to_owned(),
            WalkEnd::NoMemory { table } => format!("there is no memory at table {:#x}", table.0),
        };
        line(out, format_args!("  = {end}"));
        if trace.stale {
            line(out, format_args!("  but this CPU's TLB holds something else for it: {:?}", trace.tlb));
        }
        Ok(())
    }

    fn pgd(&self, root: Option<&str>, out: &mut String) -> Result<(), String> {
        use crate::cpu::{cr0, cr4, efer};
        use protocol::PhysAddr;
        use protocol::page_table::{PagingKind, PagingMode};
        let names = self.names();
        let spec = match root {
            None => RootSpec::Cpu(CpuId(0)),
            Some(word) => match names.roots().find(|(name, _)| *name == word) {
                Some((name, None)) => return Err(format!("{name} is not made yet")),
                Some((_, Some(paddr))) => {
                    let bsp = self.timeline.machine().cpu(CpuId(0)).ok_or("there is no CPU")?;
                    let level5 = bsp.cr4 & cr4::LA57 != 0;
                    let mode = PagingMode {
                        kind: if level5 { PagingKind::Level5 } else { PagingKind::Level4 },
                        nxe: bsp.efer & efer::NXE != 0,
                        wp: bsp.cr0 & cr0::WP != 0,
                        pse: bsp.cr4 & cr4::PSE != 0,
                    };
                    RootSpec::Phys { root: PhysAddr(paddr), mode }
                }
                None if word.parse::<u16>().is_err() => {
                    let roots: Vec<&str> = names.roots().map(|(name, _)| name).collect();
                    return Err(format!("{word:?} is neither a CPU number nor one of the roots {}", roots.join(", ")));
                }
                None => RootSpec::Cpu(self.cpu_word(Some(word))?),
            },
        };
        let tree = inspect::tree(self.timeline.machine(), spec, protocol::request::MAX_TABLES as usize)?;
        line(out, format_args!("root {:#x}, {:?}, {} tables", tree.root.0, tree.mode.kind, tree.tables.len()));
        for table in &tree.tables {
            for run in &table.runs {
                let EntryKind::Page { phys, size } = &run.kind else { continue };
                let last = run.linear.0.wrapping_add(size * u64::from(run.count)).wrapping_sub(1);
                let (first, phys) = (run.linear.0, phys.0);
                let (count, size) = (run.count, size >> 10);
                let rights = rights(run.effective);
                line(out, format_args!("  {first:016x}-{last:016x} -> {phys:010x}  {rights}  {count} x {size} KiB"));
            }
        }
        if tree.truncated {
            line(out, format_args!("  (more tables than can be shown)"));
        }
        Ok(())
    }

    /// Address, bytes and instruction in each line; a script can rely on these columns (xtask/gdb/attach.gdb does).
    fn code(&self, at: Option<&str>, id: CpuId, count: Option<&str>, out: &mut String) -> Result<(), String> {
        let machine = self.timeline.machine();
        let cpu = machine.cpu(id).ok_or_else(|| self.no_cpu(id))?;
        let linear = if at.is_some() { self.address_word(at)? } else { cpu.linear_pc() };
        let count = count.map_or(Ok(CODE), number)?;
        if count > CODE_MAX {
            return Err(format!("{count} instructions are too many; at most {CODE_MAX}"));
        }
        let names = self.names();
        for code in inspect::code(machine, id, LinearAddr(linear), 0, count as u16)? {
            let bytes: String = code.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let target = code.target.map_or_else(String::new, |target| match names.at(target.0) {
                Some(name) => format!("  # {:#x} <{name}>", target.0),
                None => format!("  # {:#x}", target.0),
            });
            line(out, format_args!("{:#x}  {bytes:<20}  {}{target}", code.linear.0, code.intel));
        }
        Ok(())
    }

    fn tlb(&self, cpu: CpuId, out: &mut String) -> Result<(), String> {
        let entries = inspect::tlb(self.timeline.machine(), cpu)?;
        line(out, format_args!("{cpu}: {} entries, oldest first", entries.len()));
        for entry in entries {
            let (linear, phys, size) = (entry.linear.0, entry.phys.0, entry.size >> 10);
            let global = if entry.global { " global" } else { "" };
            let rights = rights(entry.rights);
            line(out, format_args!("  {linear:016x} -> {phys:010x}  {rights}  {size} KiB{global}"));
        }
        Ok(())
    }

    fn last_events(&self, count: Option<&str>) -> Result<Vec<protocol::Event>, String> {
        let count = count.map_or(Ok(EVENTS as u64), number)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Ok(self.timeline.events(Position(0), self.timeline.position(), count))
    }

    fn cpu_word(&self, word: Option<&str>) -> Result<CpuId, String> {
        let Some(word) = word else { return Ok(CpuId(0)) };
        let id = word.parse().map(CpuId).map_err(|_| format!("{word:?} is no CPU number"))?;
        self.timeline.machine().cpu(id).map(|_| id).ok_or_else(|| self.no_cpu(id))
    }

    fn no_cpu(&self, id: CpuId) -> String {
        format!("there is no {id}; this machine has {}", self.timeline.machine().cpus().len())
    }

    fn address_word(&self, word: Option<&str>) -> Result<u64, String> {
        let word = word.ok_or("which address? For example: monitor walk 0x9a000 1")?;
        number(word).or_else(|_| {
            self.names()
                .address(word)
                .ok_or_else(|| format!("{word:?} is neither a number nor a symbol of the profile"))
        })
    }
}

/// "root 0x2000 (trampoline_pgd)", or that paging is off.
fn root_word(cr0: u64, cr3: u64, names: &Names<'_>) -> String {
    const ROOT: u64 = 0x000f_ffff_ffff_f000;
    if cr0 & crate::cpu::cr0::PG == 0 {
        return format!("paging off (CR3 {cr3:#x})");
    }
    match names.root(cr3 & ROOT) {
        Some(name) => format!("CR3 {cr3:#x} = {name}"),
        None => format!("CR3 {cr3:#x}"),
    }
}

fn rights(rights: protocol::page_table::Rights) -> String {
    let letter = |on, letter| if on { letter } else { '-' };
    [letter(rights.user, 'u'), 'r', letter(rights.write, 'w'), letter(rights.execute, 'x')].into_iter().collect()
}

/// Decimal, or hex with 0x.
fn number(word: &str) -> Result<u64, String> {
    let parsed = match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(&digits.replace('_', ""), 16),
        None => word.parse(),
    };
    parsed.map_err(|_| format!("{word:?} is no number (decimal, or hex with 0x)"))
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    put(out, text);
    out.push('\n');
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes everything");
}
