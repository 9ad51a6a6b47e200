//! What a lesson does to a machine: `step cpu1`, `edit cpu1.cr4.pae = 0`, `type "ipi 1 init\n"`.
//!
//! [`Command::parse`] reads one line. Nothing outside the machine can be named. Neighbours: [`crate::lesson`] has lists of
//! them (actions, scripts, what is done ahead); [`crate::player`] turns each into requests.

#[cfg(test)]
mod tests;

use crate::expr::cpu_field::{Bits, CpuField, Register, SegmentPart};
use crate::expr::{Expr, ExprError, Facts, NoValue, Scope};
use crate::stop::{Stop, cpu_id};
use protocol::cpu::{GPR_NAMES, SEGMENT_NAMES};
use protocol::request::{Edit, Place};
use protocol::{CpuId, LinearAddr, PhysAddr};

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `step cpu1`, `step` (the machine).
    Step(Option<CpuId>),
    /// `step-back cpu1`, `step-back`.
    StepBack(Option<CpuId>),
    /// `steps 1000`: so many machine steps.
    Steps(u64),
    /// `over cpu1`: over a call, a REP, a loop.
    Over(CpuId),
    /// `event cpu1`, `event`: to the next event.
    Event(Option<CpuId>),
    /// `event-back cpu1`, `event-back`.
    EventBack(Option<CpuId>),
    /// `run STOP`; `run`: until nothing can run.
    Run(Option<Stop>),
    /// `edit TARGET = EXPR`.
    Edit(Box<EditCommand>),
    /// `undo`: takes the last edit back.
    Undo,
    /// `type "text\n"` on the serial line.
    Type(String),
    /// `action 1`: presses the step's first `[[action]]`. The number here is from 0.
    Action(usize),
    /// `seek STOP`: goes there without running: to what is recorded.
    Seek(Stop),
}

/// `edit TARGET = EXPR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditCommand {
    target: Target,
    value: Expr,
}

/// What an edit changes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    /// A register by gdb's name, or some bits of what `whole` reads.
    Register {
        cpu: CpuId,
        name: String,
        whole: CpuField,
        bits: Option<Bits>,
    },
    Memory {
        bytes: u8,
        cpu: Option<CpuId>,
        at: Expr,
    },
}

/// What would be right.
const FORMS: &str = "commands are `step cpu1`, `step`, `step-back cpu1`, `steps 1000`, `over cpu1`, `event cpu1`, \
                     `event-back cpu1`, `run STOP`, `run`, `edit TARGET = EXPR`, `undo`, `type \"text\\n\"`, `action 1`, \
                     `seek STOP`";

/// Most bytes that a lesson types at once.
const MAX_TYPED: usize = 200;

impl Command {
    /// Reads a command. The error is a column, from 1, and what is wrong there.
    pub fn parse(text: &str, scope: &Scope<'_>) -> Result<Self, (usize, String)> {
        let trimmed = text.trim_start();
        let indent = text.chars().count() - trimmed.chars().count();
        let (word, rest) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
        // The column at which the rest begins.
        let start = indent + word.chars().count() + 1 + (rest.len() - rest.trim_start().len());
        let rest = rest.trim();
        let shift = |(column, what): (usize, String)| (start + column, what);
        let some_cpu = |rest: &str| {
            if rest.is_empty() {
                return Ok(None);
            }
            let what = format!("after `{word}` stands a CPU, as in `{word} cpu1`, not `{rest}`");
            cpu_id(rest).map(Some).ok_or((start + 1, what))
        };
        match word {
            "step" => some_cpu(rest).map(Self::Step),
            "step-back" => some_cpu(rest).map(Self::StepBack),
            "event" => some_cpu(rest).map(Self::Event),
            "event-back" => some_cpu(rest).map(Self::EventBack),
            "over" => match some_cpu(rest)? {
                Some(cpu) => Ok(Self::Over(cpu)),
                None => Err((indent + 1, "say over which CPU's instruction, as in `over cpu1`".to_owned())),
            },
            "steps" => match Stop::parse(trimmed) {
                Ok(Stop::Steps(count)) => Ok(Self::Steps(count)),
                Ok(_) => Err((indent + 1, "`steps` takes a number, as in `steps 1000`".to_owned())),
                Err((column, what)) => Err((indent + column, what)),
            },
            "run" if rest.is_empty() => Ok(Self::Run(None)),
            "run" => Stop::parse(rest).map(|stop| Self::Run(Some(stop))).map_err(shift),
            "seek" => Stop::parse(rest).map(Self::Seek).map_err(shift),
            "undo" if rest.is_empty() => Ok(Self::Undo),
            "type" => typed(rest).map(Self::Type).map_err(shift),
            "action" => match rest.parse::<usize>() {
                Ok(number @ 1..=99) => Ok(Self::Action(number - 1)),
                _ => {
                    Err((start + 1, "after `action` stands the number of one of the step's actions, from 1".to_owned()))
                }
            },
            "edit" => edit(rest, scope).map(|edit| Self::Edit(Box::new(edit))).map_err(shift),
            _ => Err((indent + 1, format!("there is no command `{word}`; {FORMS}"))),
        }
    }
}

impl EditCommand {
    /// The change for a server. Bits of a register keep the others as they are in `facts`.
    pub fn request(&self, facts: &mut dyn Facts) -> Result<Edit, NoValue> {
        let value = self.value.number(facts);
        match &self.target {
            Target::Register { cpu, name, whole, bits } => {
                let state = facts.cpu(*cpu);
                let value = value?;
                let state =
                    state.ok_or(NoValue::Missing)?.ok_or_else(|| self.wrong(format!("this machine has no {cpu}")))?;
                let value = match bits {
                    None => value,
                    Some(bits) if value & !bits.mask() != 0 => {
                        return Err(
                            self.wrong(format!("{value:#x} does not fit: there are {} bits", bits.high - bits.low + 1))
                        );
                    }
                    Some(bits) => bits.put(whole.read(&state).as_int().unwrap_or(0), value),
                };
                // RIP takes the linear address here, as it is read; an edit takes the offset in CS.
                let value = match whole {
                    CpuField::Rip => value.wrapping_sub(state.linear_pc().0.wrapping_sub(state.ip)),
                    _ => value,
                };
                Ok(Edit::Register { cpu: *cpu, name: name.clone(), value })
            }
            Target::Memory { bytes, cpu, at } => {
                let at = at.number(facts);
                let (value, at) = (value?, at?);
                if *bytes < 8 && value >> (8 * bytes) != 0 {
                    return Err(self.wrong(format!("{value:#x} does not fit into {bytes} bytes")));
                }
                let place = match cpu {
                    Some(cpu) => Place::Linear { cpu: *cpu, linear: LinearAddr(at) },
                    None => Place::Phys(PhysAddr(at)),
                };
                Ok(Edit::Memory { at: place, bytes: value.to_le_bytes()[..usize::from(*bytes)].to_vec() })
            }
        }
    }

    /// Whose registers or page tables it goes through.
    pub fn cpu(&self) -> Option<CpuId> {
        match &self.target {
            Target::Register { cpu, .. } => Some(*cpu),
            Target::Memory { cpu, .. } => *cpu,
        }
    }

    /// The expressions in it.
    pub fn expressions(&self) -> Vec<&Expr> {
        match &self.target {
            Target::Register { .. } => vec![&self.value],
            Target::Memory { at, .. } => vec![at, &self.value],
        }
    }

    fn wrong(&self, what: String) -> NoValue {
        NoValue::Wrong(ExprError { text: self.value.text().to_owned(), column: 1, what })
    }
}

/// `TARGET = EXPR`.
fn edit(text: &str, scope: &Scope<'_>) -> Result<EditCommand, (usize, String)> {
    let form = "an edit is `edit TARGET = EXPR`, as in `edit cpu1.cr4.pae = 0` or `edit mem8(0x9a000) = 0x1b`";
    let sides = text.match_indices('=').find(|(at, _)| {
        let around = [at.checked_sub(1).and_then(|before| text.as_bytes().get(before)), text.as_bytes().get(at + 1)];
        !around.into_iter().flatten().any(|byte| b"=!<>".contains(byte))
    });
    let Some((equals, _)) = sides else { return Err((1, form.to_owned())) };
    let (left, right) = (&text[..equals], &text[equals + 1..]);
    let column = |error: ExprError, before: usize| (error.column + before, error.what);
    let place = Expr::parse(left, scope).map_err(|error| column(error, 0))?;
    let value = Expr::parse(right, scope).map_err(|error| column(error, left.chars().count() + 1))?;
    let target = place.as_target().ok_or_else(|| (1, format!("`{}` cannot be edited; {form}", left.trim())))?;
    let target = match target {
        crate::expr::Place::Memory { bytes, cpu, at } => Target::Memory { bytes, cpu, at },
        crate::expr::Place::Field(cpu, field) => {
            let (name, whole, bits) = register(&field)
                .ok_or_else(|| (1, format!("`{}` cannot be edited, only registers and memory can", left.trim())))?;
            Target::Register { cpu, name, whole, bits }
        }
    };
    Ok(EditCommand { target, value })
}

/// gdb's name of the register that a field belongs to, how the whole of it is read, and which bits the field has.
fn register(field: &CpuField) -> Option<(String, CpuField, Option<Bits>)> {
    let whole = |name: &str, field: &CpuField| Some((name.to_owned(), field.clone(), None));
    match field {
        CpuField::General { index, low, width } => {
            let name = (*GPR_NAMES.get(*index)?).to_owned();
            let whole = CpuField::General { index: *index, low: 0, width: 64 };
            let bits = (*width < 64).then(|| Bits { low: *low, high: low + width - 1 });
            Some((name, whole, bits))
        }
        CpuField::Register(register, bits) => {
            let name = register.edit_name()?;
            let name = if *register == Register::KernelGsBase { "k_gs_base" } else { name };
            Some((name.to_owned(), CpuField::Register(*register, None), *bits))
        }
        CpuField::Segment(index, part) => {
            let segment = SEGMENT_NAMES.get(*index)?;
            let (suffix, whole, bits) = match part {
                SegmentPart::Selector => ("", *part, None),
                SegmentPart::Base => ("_base", *part, None),
                SegmentPart::Limit => ("_limit", *part, None),
                SegmentPart::Attributes => ("_attr", *part, None),
                SegmentPart::Bits(bits) => ("_attr", SegmentPart::Attributes, Some(*bits)),
            };
            Some((format!("{segment}{suffix}"), CpuField::Segment(*index, whole), bits))
        }
        CpuField::Table { idtr, limit } => {
            let table = if *idtr { "idtr" } else { "gdtr" };
            whole(&format!("{table}_{}", if *limit { "limit" } else { "base" }), field)
        }
        CpuField::Rip | CpuField::Ip => whole("rip", field),
        CpuField::Mode
        | CpuField::Activity
        | CpuField::Steps
        | CpuField::ApicId
        | CpuField::Root
        | CpuField::RootName
        | CpuField::Icr(_)
        | CpuField::Label => None,
    }
}

/// The text in quotes, with `\n`, `\r`, `\t`, `\"` and `\\`.
fn typed(text: &str) -> Result<String, (usize, String)> {
    let form = "what is typed stands in quotes, as in `type \"ipi 1 init\\n\"`";
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or((1, form.to_owned()))?;
    let mut typed = String::new();
    let mut chars = inner.chars().enumerate();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, 'n')) => typed.push('\n'),
                Some((_, 'r')) => typed.push('\r'),
                Some((_, 't')) => typed.push('\t'),
                Some((_, c @ ('"' | '\\'))) => typed.push(c),
                _ => return Err((at + 2, "after `\\` stands n, r, t, \" or \\".to_owned())),
            },
            '"' => return Err((at + 2, "a quote inside the text is written `\\\"`".to_owned())),
            c => typed.push(c),
        }
    }
    if typed.is_empty() || typed.len() > MAX_TYPED {
        return Err((1, format!("1 to {MAX_TYPED} characters are typed at once")));
    }
    Ok(typed)
}

/// In a line, for messages.
impl std::fmt::Display for EditCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.target {
            Target::Register { cpu, name, bits, .. } => {
                write!(f, "{cpu} {name}")?;
                if let Some(bits) = bits {
                    write!(f, "[{}:{}]", bits.high, bits.low)?;
                }
            }
            Target::Memory { bytes, at, .. } => write!(f, "{bytes} bytes at {}", at.text().trim())?,
        }
        write!(f, " = {}", self.value.text().trim())
    }
}
