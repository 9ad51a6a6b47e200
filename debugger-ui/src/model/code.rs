//! Instructions around the selected CPU's next one, with names, source lines and breakpoints beside them.
//!
//! The server decodes in the mode that the CPU is in. Where a label says that what follows is of another width, the
//! listing ends with a remark: decoded in this mode it would be nonsense. Who goes there sees it in its own width, as
//! the CPU will once it has come ([`Code::ahead`]).

pub mod repeat;

use super::breakpoints::Breakpoints;
use super::cpus::{Cpus, code_bits};
use super::symbols::Symbols;
use protocol::cpu::{CS, CpuState};
use protocol::request::{CodeLine, Request};
use protocol::{CpuId, LinearAddr, PhysAddr, SegOff};
use repeat::{Repeat, Standing};

/// The code panel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Whose mode and tables decoded it.
    pub cpu: CpuId,
    /// 16, 32 or 64.
    pub bits: u8,
    /// The lines follow the CPU's next instruction.
    pub follow: bool,
    /// A place was asked for: it is shown until the machine moves, then the lines follow again.
    pub peek: bool,
    /// Top to bottom.
    pub rows: Vec<CodeRow>,
    /// Index of the CPU's next instruction in `rows`, where it is among them.
    pub current: Option<usize>,
    /// Why there is nothing to show, in words.
    pub empty: Option<String>,
    /// The real-mode code is shown in its own width and at its physical address, since the CPU is in another mode.
    pub ahead: bool,
    /// The loop in which the CPU was during the last run.
    pub repeat: Option<Repeat>,
    /// First address shown while not following.
    pub(crate) top: Option<LinearAddr>,
    /// Where offset 0 of the code is that is shown ahead.
    pub(crate) base: PhysAddr,
    /// As decoded by the server.
    pub(crate) lines: Vec<CodeLine>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all rows are instructions")]
pub enum CodeRow {
    /// A symbol.
    Label {
        /// "trampoline_start".
        name: String,
        /// Where.
        linear: LinearAddr,
    },
    /// An instruction.
    Instruction(CodeInstruction),
    /// A remark: "startup_32 is 32-bit code: it is decoded once a CPU is there in that mode."
    Note(String),
}

/// An instruction with what stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeInstruction {
    /// Linear address.
    pub linear: LinearAddr,
    /// The address as this CPU's CS names it, outside 64-bit mode.
    pub seg_off: Option<SegOff>,
    /// Bytes; empty: not readable.
    pub bytes: Vec<u8>,
    /// Intel syntax.
    pub intel: String,
    /// AT&T syntax.
    pub att: String,
    /// Source line as written, where the source is assembly.
    pub source: String,
    /// Its comment.
    pub comment: String,
    /// "trampoline_64.S:41".
    pub at: String,
    /// Name of the jump's or call's target.
    pub target: Option<String>,
    /// The target's address.
    pub target_linear: Option<LinearAddr>,
    /// This is the selected CPU's next instruction.
    pub current: bool,
    /// Other CPUs that stand here.
    pub others: Vec<CpuId>,
    /// Number of the breakpoint here.
    pub breakpoint: Option<u32>,
    /// It belongs to the loop that went round in the last run; at the loop's last line how often.
    pub repeated: Option<Repeated>,
}

/// A line of a loop that went round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The first line.
    pub first: bool,
    /// The last line.
    pub last: bool,
    /// How often it went round.
    pub times: u64,
}

impl CodeInstruction {
    /// In the syntax asked for.
    pub fn text(&self, intel: bool) -> &str {
        if intel { &self.intel } else { &self.att }
    }
}

/// Instructions asked for at once.
const COUNT: u16 = 96;
/// Instructions before the current one, where no symbol tells where a function begins.
const BEFORE: u16 = 12;
/// How far back a symbol may lie for the listing to begin with it, in bytes.
const LEAD_IN: u64 = 0x100;
/// Lines that shall remain visible below the current one, before the listing begins anew.
const MARGIN: usize = 8;

impl Code {
    /// The text of the instruction at an address, if it is in the listing.
    pub fn instruction_at(&self, linear: LinearAddr) -> Option<&CodeLine> {
        self.lines.iter().find(|line| line.linear == linear && !line.bytes.is_empty())
    }

    /// Shows code from an address on, until the machine moves.
    pub fn show(&mut self, linear: LinearAddr) {
        self.peek |= self.follow;
        self.follow = false;
        self.top = Some(linear);
    }

    /// The machine has moved: who only wanted to look at a place sees the next instruction again.
    pub(crate) fn machine_moved(&mut self) {
        self.follow |= std::mem::take(&mut self.peek);
    }

    /// Row of the place that was asked for, once it is there.
    pub fn shown_row(&self) -> Option<(LinearAddr, usize)> {
        let top = self.top.filter(|_| !self.follow)?;
        let is_it = |row: &CodeRow| matches!(row, CodeRow::Instruction(line) if line.linear == top);
        self.rows.iter().position(is_it).map(|row| (top, row))
    }

    /// A CPU has come from one place to another: remembers the loop that it was in, if the listing tells.
    pub(crate) fn cpu_moved(&mut self, before: &CpuState, after: &CpuState) {
        let standing = |cpu: &CpuState| Standing { linear: cpu.linear_pc(), steps: cpu.steps };
        self.repeat = repeat::repeat(&self.lines, standing(before), standing(after));
    }

    fn repeated(&self, linear: LinearAddr) -> Option<Repeated> {
        let Repeat { from, to, times } = self.repeat?;
        let inside = from <= linear && linear <= to;
        inside.then_some(Repeated { first: linear == from, last: linear == to, times })
    }

    /// What to ask for: the same lines again while they hold the next instruction, so that the listing stands still.
    pub(crate) fn request(&self, cpu: &CpuState, symbols: &Symbols) -> Request {
        let pc = cpu.linear_pc();
        let ask = |linear, before| Request::Code { cpu: cpu.cpu, linear, before, count: COUNT };
        if let (false, Some(top)) = (self.follow, self.top) {
            return match ahead(top, cpu, symbols) {
                Some((bits, base)) => Request::Listing { phys: PhysAddr(top.0), base, bits, count: COUNT },
                None => ask(top, 0),
            };
        }
        let same = self.cpu == cpu.cpu && self.bits == code_bits(cpu);
        let at = self.lines.iter().position(|line| line.linear == pc);
        if let (true, Some(at), Some(first)) = (same, at, self.lines.first())
            && at + MARGIN < self.lines.len().min(self.shown_lines())
        {
            return ask(first.linear, 0);
        }
        match lead_in(pc, code_bits(cpu), symbols) {
            Some(start) => ask(start, 0),
            None => ask(pc, BEFORE),
        }
    }

    /// Begins the listing at the current instruction: where lines from a symbol on did not meet it.
    pub(crate) fn request_exact(cpu: &CpuState) -> Request {
        Request::Code { cpu: cpu.cpu, linear: cpu.linear_pc(), before: 0, count: COUNT }
    }

    pub(crate) fn take(&mut self, lines: Vec<CodeLine>) {
        self.lines = lines;
    }

    /// Makes the rows anew from what is known.
    pub(crate) fn arrange(&mut self, cpus: &Cpus, symbols: &Symbols, breakpoints: &Breakpoints) {
        self.rows.clear();
        self.current = None;
        let Some(cpu) = cpus.selected() else { return };
        (self.cpu, self.bits, self.ahead) = (cpu.cpu, code_bits(cpu), false);
        if let Some((bits, base)) = self.top.filter(|_| !self.follow).and_then(|top| ahead(top, cpu, symbols)) {
            (self.bits, self.base, self.ahead) = (bits, base, true);
        }
        let pc = cpu.linear_pc();
        for line in &self.lines {
            for label in symbols.labels_at(line.linear) {
                if label.bits != 0 && label.bits != self.bits {
                    let remark = format!(
                        "{} is {}-bit code: it is decoded here once this CPU is in such a mode. Go to {} to read it now.",
                        label.name, label.bits, label.name
                    );
                    self.rows.push(CodeRow::Note(remark));
                    self.empty = None;
                    return;
                }
                self.rows.push(CodeRow::Label { name: label.name, linear: line.linear });
            }
            if line.linear != pc && symbols.is_padding(line.linear) {
                continue;
            }
            if line.linear == pc && !self.ahead {
                self.current = Some(self.rows.len());
            }
            self.rows.push(CodeRow::Instruction(self.instruction(line, cpu, cpus, symbols, breakpoints)));
        }
        self.empty = self.lines.is_empty().then(|| "The server sent no code for this address.".to_owned());
    }

    fn shown_lines(&self) -> usize {
        self.rows.iter().filter(|row| matches!(row, CodeRow::Instruction(_))).count()
    }

    fn instruction(
        &self,
        line: &CodeLine,
        cpu: &CpuState,
        cpus: &Cpus,
        symbols: &Symbols,
        breakpoints: &Breakpoints,
    ) -> CodeInstruction {
        let source = symbols.source(line.linear);
        let text = |get: fn(&protocol::profile::ListingLine) -> &String| source.map(get).cloned().unwrap_or_default();
        let others = cpus.states.iter().filter(|other| other.cpu != cpu.cpu && other.linear_pc() == line.linear);
        let offset = line.linear.0.wrapping_sub(cpu.segments[CS].base) & 0xffff_ffff;
        let seg_off = match (self.ahead, self.bits) {
            (true, 16) => Some(SegOff { selector: (self.base.0 >> 4) as u16, offset: line.linear.0 - self.base.0 }),
            (true, _) | (false, 64) => None,
            (false, _) => Some(SegOff { selector: cpu.segments[CS].selector, offset }),
        };
        CodeInstruction {
            linear: line.linear,
            seg_off,
            bytes: line.bytes.clone(),
            intel: line.intel.clone(),
            att: line.att.clone(),
            source: text(|line| &line.source),
            comment: text(|line| &line.comment),
            at: text(|line| &line.at),
            target: line.target.and_then(|target| symbols.at(target)).map(|symbol| symbol.to_string()),
            target_linear: line.target,
            current: line.linear == cpu.linear_pc() && !self.ahead,
            others: others.map(|other| other.cpu).collect(),
            breakpoint: breakpoints.at(line.linear).map(|breakpoint| breakpoint.id),
            repeated: self.repeated(line.linear),
        }
    }
}

/// The real-mode code at an address that this CPU, as it is, would decode wrongly: its width and where its offset 0 is.
fn ahead(top: LinearAddr, cpu: &CpuState, symbols: &Symbols) -> Option<(u8, PhysAddr)> {
    let same_base = |base: PhysAddr| cpu.segments[CS].base == base.0;
    symbols.blob_code(top).filter(|&(bits, base)| bits != code_bits(cpu) || bits == 16 && !same_base(base))
}

/// The symbol to begin with: the furthest back within [`LEAD_IN`] that is code of the same width.
fn lead_in(pc: LinearAddr, bits: u8, symbols: &Symbols) -> Option<LinearAddr> {
    let mut start = None;
    let mut linear = pc;
    while let Some(symbol) = symbols.at(linear) {
        if symbol.bits != bits || pc.0 - symbol.linear.0 > LEAD_IN {
            break;
        }
        start = Some(symbol.linear);
        match symbol.linear.0.checked_sub(1) {
            Some(before) => linear = LinearAddr(before),
            None => break,
        }
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Mode;
    use protocol::breakpoint::{Breakpoint, Condition};
    use protocol::cpu::SegmentReg;

    fn line(linear: u64, text: &str) -> CodeLine {
        CodeLine {
            linear: LinearAddr(linear),
            bytes: vec![0x90],
            intel: text.to_owned(),
            att: text.to_owned(),
            bits: 16,
            target: None,
        }
    }

    fn real_mode_cpu(ip: u64) -> Cpus {
        let mut cpu = CpuState { cpu: CpuId(0), mode: Mode::Real, ip, ..CpuState::default() };
        cpu.segments[CS] = SegmentReg { selector: 0x9b00, base: 0x9b000, limit: 0xffff, attributes: 0x9b };
        Cpus { states: vec![cpu], ..Cpus::default() }
    }

    fn placed() -> Symbols {
        let mut symbols = super::super::symbols::tests::sample();
        symbols.blob_bases[0] = Some(0x9a000);
        symbols
    }

    /// Goal: labels, comments, the current line and breakpoints stand where they belong, and code of another width is
    /// not decoded; method: the blob's two labels in real mode.
    #[test]
    fn rows() {
        let mut breakpoints = Breakpoints::default();
        breakpoints.add(Breakpoint { id: 4, cpu: None, condition: Condition::Execute(LinearAddr(0x9b001)) });
        let mut code = Code { follow: true, ..Code::default() };
        code.take(vec![
            line(0x9b000, "cli"),
            line(0x9b001, "wbinvd"),
            line(0x9b002, "padding"),
            line(0x9b080, "nonsense"),
        ]);
        code.arrange(&real_mode_cpu(1), &placed(), &breakpoints);
        assert_eq!(code.rows.len(), 4, "{:?}", code.rows);
        assert_eq!(code.rows[0], CodeRow::Label { name: "trampoline_start".to_owned(), linear: LinearAddr(0x9b000) });
        let CodeRow::Instruction(cli) = &code.rows[1] else { panic!("{:?}", code.rows[1]) };
        assert_eq!((cli.comment.as_str(), cli.seg_off.unwrap().to_string().as_str()), ("no IDT yet", "9b00:0000"));
        let CodeRow::Instruction(wbinvd) = &code.rows[2] else { panic!("{:?}", code.rows[2]) };
        assert_eq!((wbinvd.breakpoint, wbinvd.current, code.current), (Some(4), true, Some(2)));
        assert!(matches!(&code.rows[3], CodeRow::Note(text) if text.contains("32-bit code")));
    }

    /// Goal: the listing begins with the function and stands still while stepping in it; method: the two requests.
    #[test]
    fn listing_stands_still() {
        let symbols = placed();
        let mut code = Code { follow: true, ..Code::default() };
        let cpus = real_mode_cpu(5);
        let first = code.request(&cpus.states[0], &symbols);
        assert_eq!(first, Request::Code { cpu: CpuId(0), linear: LinearAddr(0x9b000), before: 0, count: COUNT });
        code.take((0..40).map(|at| line(0x9b000 + at, "nop")).collect());
        code.arrange(&cpus, &symbols, &Breakpoints::default());
        assert_eq!(code.request(&real_mode_cpu(6).states[0], &symbols), first);
        code.show(symbols.address_of("startup_32").unwrap());
        let listing = code.request(&cpus.states[0], &symbols);
        assert!(matches!(listing, Request::Listing { bits: 32, base: PhysAddr(0), .. }), "{listing:?}");
        code.arrange(&cpus, &symbols, &Breakpoints::default());
        assert!(code.ahead && code.bits == 32 && code.current.is_none());
        code.show(LinearAddr(0x1234));
        assert!(matches!(code.request(&cpus.states[0], &symbols), Request::Code { linear: LinearAddr(0x1234), .. }));
    }
}
