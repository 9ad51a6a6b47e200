//! What a tree is worth. Both sides of an operator are evaluated even if one is missing, so that all is asked at once.

use super::cpu_field::{Bits, CpuField};
use super::events;
use super::facts::Facts;
use super::names::{self, Lack};
use super::tree::{AnswerPart, Function, Kind, Node, Op, Root, Space, TlbPart, WalkPart};
use super::value::Value;
use protocol::page_table::{EntryKind, PagingKind, PagingMode, TlbEntry, WalkEnd, WalkTrace};
use protocol::request::{Answer, MAX_MEMORY, Place, Request, RootSpec};
use protocol::{CpuId, CpuState, LinearAddr, PhysAddr};

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fail {
    Missing,
    /// The column, and what is wrong there.
    Wrong(usize, String),
}

type Result<T> = std::result::Result<T, Fail>;

/// The value of a tree.
pub(crate) fn eval(node: &Node, facts: &mut dyn Facts) -> Result<Value> {
    Evaluator { facts, linked: false }.value(node)
}

struct Evaluator<'a> {
    facts: &'a mut dyn Facts,
    /// Symbols stand for the addresses they were linked at, not for where they run.
    linked: bool,
}

/// A mistake at a node.
fn wrong<T>(node: &Node, what: impl Into<String>) -> Result<T> {
    Err(Fail::Wrong(node.column, what.into()))
}

/// Puts a lack of a fact where it was felt.
fn at<T>(node: &Node, result: std::result::Result<T, Lack>) -> Result<T> {
    result.map_err(|lack| match lack {
        Lack::Missing => Fail::Missing,
        Lack::Wrong(what) => Fail::Wrong(node.column, what),
    })
}

/// Both, or what is wrong with either, or that something is missing.
fn both<A, B>(a: Result<A>, b: Result<B>) -> Result<(A, B)> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(fail @ Fail::Wrong(..)), _) | (_, Err(fail @ Fail::Wrong(..))) => Err(fail),
        _ => Err(Fail::Missing),
    }
}

impl Evaluator<'_> {
    fn value(&mut self, node: &Node) -> Result<Value> {
        match &node.kind {
            Kind::Value(value) => Ok(value.clone()),
            Kind::Drawn(name) => match self.facts.drawn(name) {
                Some(value) => Ok(Value::Int(value)),
                None => wrong(node, format!("`{name}` was not drawn")),
            },
            Kind::Symbol(name) if self.linked => at(node, names::linked_address(self.facts, name)).map(Value::Int),
            Kind::Symbol(name) => at(node, names::symbol_address(self.facts, name)).map(Value::Int),
            Kind::Root(name) => {
                let root = at(node, names::root_address(self.facts, name))?;
                if root == 0 { wrong(node, format!("{name} is not made yet")) } else { Ok(Value::Int(root)) }
            }
            Kind::Blob => match at(node, names::blob_base(self.facts))? {
                0 => wrong(node, "the kernel has not placed the blob yet"),
                base => Ok(Value::Int(base)),
            },
            Kind::Position => Ok(Value::Int(self.facts.position().0)),
            Kind::Clock => self.facts.clock_ns().map(Value::Int).ok_or(Fail::Missing),
            Kind::Answer(part) => self.answer(node, *part),
            Kind::Cpu(cpu, field) => self.field(node, *cpu, field),
            Kind::Not(inner) => Ok(Value::Bool(!self.holds(inner)?)),
            Kind::Complement(inner) => Ok(Value::Int(!self.int(inner)?)),
            Kind::Binary(op @ (Op::And | Op::Or), a, b) => self.logic(*op, a, b),
            Kind::Binary(op, a, b) => self.binary(node, *op, a, b, false),
            Kind::Choose(condition, yes, no) => {
                if self.holds(condition)? {
                    self.value(yes)
                } else {
                    self.value(no)
                }
            }
            Kind::Memory { bytes, space, at } => self.memory(node, *bytes, *space, at),
            Kind::Walk { root, linear, part } => {
                let trace = self.walk(node, root, linear)?;
                Ok(walk_part(&trace, *part))
            }
            Kind::Entry { root, linear, level } => {
                let (trace, level) = both(self.walk(node, root, linear), self.int(level))?;
                let step = trace.steps.iter().find(|step| u64::from(step.level) == level);
                Ok(Value::optional(step.map(|step| step.raw)))
            }
            Kind::Tlb(cpu, part) => self.tlb(node, *cpu, part),
            Kind::Events { what, ever, pattern } => {
                let all = self.facts.events(*ever).ok_or(Fail::Missing)?;
                Ok(events::value(&all, *what, pattern))
            }
            Kind::Hash { at, len } => self.hash(node, at, len),
            Kind::Before(inner) => match self.facts.before() {
                Some(before) => eval(inner, before),
                None => self.value(inner),
            },
            Kind::Call(function, arguments) => self.call(*function, arguments),
        }
    }

    fn int(&mut self, node: &Node) -> Result<u64> {
        let value = self.value(node)?;
        match value.as_int() {
            Some(value) => Ok(value),
            None if value.is_none() => wrong(node, "there is none of this here, and nothing can be calculated with it"),
            None => wrong(node, format!("this is the word `{value}`, where a number is needed")),
        }
    }

    fn holds(&mut self, node: &Node) -> Result<bool> {
        let value = self.value(node)?;
        match value.holds() {
            Some(holds) => Ok(holds),
            None => wrong(node, format!("this is the word `{value}`, where true or false is needed; compare it")),
        }
    }

    fn answer(&self, node: &Node, part: AnswerPart) -> Result<Value> {
        let Some(given) = self.facts.given() else { return wrong(node, "there is no answer to judge") };
        match part {
            AnswerPart::Whole => Ok(given.value()),
            AnswerPart::Selector | AnswerPart::Offset => match given.seg_off() {
                Some((segment, offset)) => {
                    Ok(Value::Int(if part == AnswerPart::Selector { segment } else { offset }.into()))
                }
                None => wrong(node, "the answer is not written as segment:offset"),
            },
        }
    }

    fn cpu(&mut self, node: &Node, cpu: CpuId) -> Result<CpuState> {
        match self.facts.cpu(cpu) {
            None => Err(Fail::Missing),
            Some(Some(state)) => Ok(state),
            Some(None) => wrong(node, format!("this machine has no {cpu}")),
        }
    }

    fn field(&mut self, node: &Node, cpu: CpuId, field: &CpuField) -> Result<Value> {
        let state = self.cpu(node, cpu)?;
        match field {
            CpuField::Label => {
                let found = at(node, names::symbol_at(self.facts, state.linear_pc().0))?;
                Ok(found.map_or_else(Value::none, |(name, _)| Value::Word(name)))
            }
            CpuField::RootName => match state.page_table_root() {
                None => Ok(Value::none()),
                Some(root) => {
                    let name = at(node, names::root_name(self.facts, root.0))?;
                    Ok(name.map_or_else(Value::none, Value::Word))
                }
            },
            field => Ok(field.read(&state)),
        }
    }

    fn logic(&mut self, op: Op, a: &Node, b: &Node) -> Result<Value> {
        let left = self.holds(a);
        let decided = match &left {
            Ok(left) if *left == (op == Op::Or) => true,
            // Asks for what the right side may need as well; whether it counts is not known yet.
            Err(Fail::Missing) => {
                _ = self.holds(b);
                return Err(Fail::Missing);
            }
            _ => false,
        };
        let left = left?;
        if decided { Ok(Value::Bool(left)) } else { self.holds(b).map(Value::Bool) }
    }

    /// `wrap`: only some low bits will count.
    fn binary(&mut self, node: &Node, op: Op, a: &Node, b: &Node, wrap: bool) -> Result<Value> {
        if matches!(op, Op::Equal | Op::NotEqual) {
            let (left, right) = both(self.value(a), self.value(b))?;
            let Some(same) = left.same(&right) else {
                return wrong(node, format!("`{left}` and `{right}` cannot be compared: one is a word, one a number"));
            };
            return Ok(Value::Bool(same == (op == Op::Equal)));
        }
        let masked = op == Op::BitAnd;
        let (left, right) = both(self.operand(a, wrap || masked), self.operand(b, wrap || masked))?;
        let what = |what: &str| format!("{left:#x} {what} {right:#x}");
        let value = match op {
            Op::Less => return Ok(Value::Bool(left < right)),
            Op::LessEqual => return Ok(Value::Bool(left <= right)),
            Op::Greater => return Ok(Value::Bool(left > right)),
            Op::GreaterEqual => return Ok(Value::Bool(left >= right)),
            Op::BitOr => left | right,
            Op::BitXor => left ^ right,
            Op::BitAnd => left & right,
            Op::ShiftLeft | Op::ShiftRight if right > 63 => {
                return wrong(node, format!("a shift by {right} is none: a number has 64 bits"));
            }
            Op::ShiftLeft if wrap || (left << right) >> right == left => left << right,
            Op::ShiftRight => left >> right,
            Op::Add if wrap => left.wrapping_add(right),
            Op::Subtract if wrap => left.wrapping_sub(right),
            Op::Multiply if wrap => left.wrapping_mul(right),
            Op::Add if left.checked_add(right).is_some() => left + right,
            Op::Multiply if left.checked_mul(right).is_some() => left * right,
            Op::Subtract if left >= right => left - right,
            Op::Subtract => {
                return wrong(node, format!("{} is below 0; where wrapping is meant, write (a - b) & mask", what("-")));
            }
            Op::Divide | Op::Remainder if right == 0 => return wrong(node, format!("{} divides by 0", what("/"))),
            Op::Divide => left / right,
            Op::Remainder => left % right,
            _ => {
                let sign = match op {
                    Op::Add => "+",
                    Op::Multiply => "*",
                    _ => "<<",
                };
                let what = what(sign);
                return wrong(
                    node,
                    format!("{what} needs more than 64 bits; where wrapping is meant, write (...) & mask"),
                );
            }
        };
        Ok(Value::Int(value))
    }

    /// A side of an operator; a sum below a mask may wrap.
    fn operand(&mut self, node: &Node, wrap: bool) -> Result<u64> {
        match &node.kind {
            Kind::Binary(op @ (Op::Add | Op::Subtract | Op::Multiply | Op::ShiftLeft), a, b) if wrap => {
                self.binary(node, *op, a, b, true).map(|value| value.as_int().unwrap_or(0))
            }
            _ => self.int(node),
        }
    }

    fn memory(&mut self, node: &Node, bytes: u8, space: Space, place: &Node) -> Result<Value> {
        let outer = std::mem::replace(&mut self.linked, space == Space::Image);
        let address = self.int(place);
        self.linked = outer;
        let address = address?;
        let len = u32::from(bytes);
        let (request, what) = match space {
            Space::Physical => (Request::Memory { from: Place::Phys(PhysAddr(address)), len }, "physical memory"),
            Space::Linear(cpu) => {
                self.cpu(node, cpu)?;
                let linear = LinearAddr(address);
                (Request::Memory { from: Place::Linear { cpu, linear }, len }, "memory by linear address")
            }
            Space::Image => (Request::Image { linear: LinearAddr(address), len }, "the image"),
        };
        let read = self.read(node, request, bytes.into(), &format!("{what} at {address:#x}"))?;
        Ok(Value::Int(read.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))))
    }

    /// Exactly so many bytes.
    fn read(&mut self, node: &Node, request: Request, len: usize, what: &str) -> Result<Vec<u8>> {
        match self.facts.ask(request).ok_or(Fail::Missing)? {
            Answer::Memory { bytes, .. } if bytes.len() == len => Ok(bytes),
            Answer::Memory { unreadable, .. } => {
                let why = unreadable.unwrap_or_else(|| "there is nothing".to_owned());
                wrong(node, format!("{what} cannot be read: {why}"))
            }
            other => at(node, Err(names::refused(&other))),
        }
    }

    fn hash(&mut self, node: &Node, place: &Node, len: &Node) -> Result<Value> {
        let (address, len) = both(self.int(place), self.int(len))?;
        let Some(len) = u32::try_from(len).ok().filter(|len| (1..=MAX_MEMORY).contains(len)) else {
            return wrong(node, format!("hash(physical, len) takes 1 to {MAX_MEMORY:#x} bytes, not {len:#x}"));
        };
        let request = Request::Memory { from: Place::Phys(PhysAddr(address)), len };
        let bytes = self.read(node, request, len as usize, &format!("physical memory at {address:#x}"))?;
        Ok(Value::Int(crate::seed::hash_of(&bytes)))
    }

    fn walk(&mut self, node: &Node, root: &Root, linear: &Node) -> Result<WalkTrace> {
        let spec = match root {
            Root::Cpu(cpu) => self.cpu(node, *cpu).map(|_| RootSpec::Cpu(*cpu)),
            Root::At(place) => self.phys_root(place),
        };
        let (root, linear) = both(spec, self.int(linear))?;
        match self.facts.ask(Request::Walk { root, linear: LinearAddr(linear) }).ok_or(Fail::Missing)? {
            Answer::Walk(trace) => Ok(trace),
            other => at(node, Err(names::refused(&other))),
        }
    }

    /// A root by its address: read as a CPU in long mode does, since all named roots are made for that.
    fn phys_root(&mut self, place: &Node) -> Result<RootSpec> {
        let value = self.value(place)?;
        let Some(root) = value.as_int() else {
            return wrong(place, format!("`{value}` is no table; a CPU's own are walked by walk(cpu1, linear)"));
        };
        let cpus = self.facts.cpus().ok_or(Fail::Missing)?;
        let named = PagingMode { kind: PagingKind::Level4, nxe: true, wp: true, pse: false };
        let mode = cpus.iter().filter_map(paging_mode).next().unwrap_or(named);
        Ok(RootSpec::Phys { root: PhysAddr(root), mode })
    }

    fn tlb(&mut self, node: &Node, cpu: CpuId, part: &TlbPart) -> Result<Value> {
        let range = match part {
            TlbPart::CountIn(from, to) => both(self.int(from), self.int(to)),
            TlbPart::Has(linear) => self.int(linear).map(|linear| (linear, linear)),
            TlbPart::Count | TlbPart::Global => Ok((0, u64::MAX)),
        };
        let entries = match self.cpu(node, cpu) {
            Ok(_) => match self.facts.ask(Request::Tlb { cpu }) {
                None => Err(Fail::Missing),
                Some(Answer::Tlb(entries)) => Ok(entries),
                Some(other) => at(node, Err(names::refused(&other))),
            },
            Err(fail) => Err(fail),
        };
        let ((from, to), entries) = both(range, entries)?;
        let inside = |entry: &&TlbEntry| {
            let last = entry.linear.0.saturating_add(entry.size.saturating_sub(1));
            entry.linear.0 <= to && last >= from
        };
        let count = entries.iter().filter(inside);
        Ok(match part {
            TlbPart::Has(_) => Value::Bool(count.count() > 0),
            TlbPart::Global => Value::Int(count.filter(|entry| entry.global).count() as u64),
            TlbPart::Count | TlbPart::CountIn(..) => Value::Int(count.count() as u64),
        })
    }

    fn call(&mut self, function: Function, arguments: &[Node]) -> Result<Value> {
        let mut numbers = Vec::with_capacity(arguments.len());
        let mut missing = false;
        for argument in arguments {
            match self.int(argument) {
                Ok(number) => numbers.push(number),
                Err(Fail::Missing) => missing = true,
                Err(fail) => return Err(fail),
            }
        }
        if missing {
            return Err(Fail::Missing);
        }
        match (function, numbers.as_slice()) {
            (Function::Min, [a, b]) => Ok(Value::Int(*a.min(b))),
            (Function::Max, [a, b]) => Ok(Value::Int(*a.max(b))),
            (Function::Bits, [x, high, low]) if *high < 64 && low <= high => {
                Ok(Value::Int(Bits { low: *low as u8, high: *high as u8 }.of(*x)))
            }
            (Function::Bits, _) => wrong(&arguments[1], "bits(x, high, low): 63 >= high >= low"),
            (Function::SegOff, [segment, offset]) if segment | offset <= 0xffff => {
                Ok(Value::Word(format!("{segment:04x}:{offset:04x}")))
            }
            _ => wrong(&arguments[0], "segoff(segment, offset): each has 16 bits"),
        }
    }
}

fn walk_part(trace: &WalkTrace, part: WalkPart) -> Value {
    let failed = match &trace.end {
        WalkEnd::Mapped { phys, size, rights, global } => {
            return match part {
                WalkPart::Ok => Value::Bool(true),
                WalkPart::Phys => Value::Int(phys.0),
                WalkPart::Level => Value::optional(trace.steps.last().map(|step| step.level.into())),
                WalkPart::FailedLevel => Value::none(),
                WalkPart::Size => Value::Int(*size),
                WalkPart::Write => Value::Bool(rights.write),
                WalkPart::User => Value::Bool(rights.user),
                WalkPart::Execute => Value::Bool(rights.execute),
                WalkPart::Global => Value::Bool(*global),
            };
        }
        WalkEnd::NotPresent { level } | WalkEnd::Malformed { level, .. } => Some(u64::from(*level)),
        WalkEnd::NoMemory { .. } => trace.steps.last().map(|step| match step.kind {
            EntryKind::Table { .. } => u64::from(step.level.saturating_sub(1)),
            _ => u64::from(step.level),
        }),
        WalkEnd::NonCanonical => None,
    };
    match part {
        WalkPart::Ok | WalkPart::Write | WalkPart::User | WalkPart::Execute | WalkPart::Global => Value::Bool(false),
        WalkPart::FailedLevel => Value::optional(failed),
        WalkPart::Phys | WalkPart::Level | WalkPart::Size => Value::none(),
    }
}

/// How a CPU in long mode translates; None: it is not in long mode.
fn paging_mode(cpu: &CpuState) -> Option<PagingMode> {
    let bit = |register: u64, bit: u32| register >> bit & 1 == 1;
    let (pg, lma) = (bit(cpu.cr0, 31), bit(cpu.efer, 10));
    let kind = if bit(cpu.cr4, 12) { PagingKind::Level5 } else { PagingKind::Level4 };
    let mode = PagingMode { kind, nxe: bit(cpu.efer, 11), wp: bit(cpu.cr0, 16), pse: bit(cpu.cr4, 4) };
    (pg && lma).then_some(mode)
}
