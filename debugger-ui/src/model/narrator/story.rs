//! Chooses what to tell about a stop: a fault before a mode change, that before a register, that before a plain step.

use super::Tone;
use crate::model::control_bits::{brief_change_words, change_words, mode_change_words};
use crate::model::cpus::{activity_phrase, mode_phrase};
use crate::model::registers::title;
use crate::model::timeline::{count_words, event_words, fault_name, ipi_label, position_words, time_words};
use crate::model::{Asked, How, Model};
use protocol::breakpoint::Condition;
use protocol::cpu::{CS, CpuState};
use protocol::event::{ControlRegister, Delivery, Event, EventKind};
use protocol::request::{CodeLine, Direction, StopReason};
use protocol::{Activity, CpuId, Mode, Position};

/// The sentence about the stop at which the model stands.
pub(super) fn tell(model: &Model, from: Position, before: &[CpuState]) -> (Tone, String) {
    let to = model.timeline.position;
    if !model.connection.offers.story {
        return without_story(model);
    }
    match (&model.timeline.reason, &model.asked) {
        (_, Some(Asked { how: How::Change(words), .. })) => (Tone::Plain, words.clone()),
        (_, Some(Asked { how: How::Load, .. })) => there(model, "At"),
        (_, Some(Asked { how: How::Jump, .. })) if to > from => there(model, "At"),
        (Some(StopReason::CannotStep { why }), _) if to == from => (Tone::Refusal, why.clone()),
        (Some(StopReason::CannotStep { why }), _) => (Tone::Plain, why.clone()),
        (Some(StopReason::Breakpoint { id, cpu }), _) if at_instruction(model, *id) => {
            let back = if to < from { "Back at breakpoint" } else { "Breakpoint" };
            let place = model.cpus.get(*cpu).map(|cpu| place(model, cpu)).unwrap_or_default();
            (Tone::Plain, format!("{back} {id}: {cpu} is {place}."))
        }
        (_, Some(asked)) if asked.direction == Direction::Backward => back(model, asked),
        (_, _) if to < from => jump_back(model),
        (Some(StopReason::TripleFault { cpu }), _) => gave_up(model, *cpu),
        _ => forward(model, from, before),
    }
}

/// Why a CPU cannot step, and which key runs to the moment it wakes. None: it can.
pub(crate) fn why_not(cpu: &CpuState) -> Option<String> {
    let id = cpu.cpu;
    match cpu.activity {
        Activity::Running => None,
        _ if cpu.due.is_some() => None,
        Activity::WaitForSipi => Some(format!(
            "{id} is in wait-for-SIPI: it executes nothing and cannot step. Press r to run until a SIPI wakes it."
        )),
        Activity::Halted => {
            Some(format!("{id} is halted and cannot step. Press r to run until an interrupt wakes it."))
        }
        Activity::Shutdown => Some(format!(
            "{id} is in shutdown after a triple fault: nothing but a reset wakes it. Press Shift+S to go back before it."
        )),
        Activity::Held => Some(format!("{id} is held: select it, or press o to let the others run too.")),
    }
}

/// The breakpoint is one at an instruction: where its CPU stands is all there is to tell.
fn at_instruction(model: &Model, id: u32) -> bool {
    let hit = model.breakpoints.list.iter().find(|breakpoint| breakpoint.id == id);
    hit.is_some_and(|breakpoint| matches!(breakpoint.condition, Condition::Execute(_)))
}

/// A server that tells no positions and events: only where the CPU stands.
fn without_story(model: &Model) -> (Tone, String) {
    if let Some(Asked { how: How::Change(words), .. }) = &model.asked {
        return (Tone::Plain, words.replace(" u takes it back.", ""));
    }
    let cpu = model.cpus.get(model.timeline.moved_cpu.unwrap_or(model.cpus.selected));
    if let Some(cpu) = cpu
        && let Some(old) = model.cpus.before.get(usize::from(cpu.cpu.0)).filter(|old| old.mode != cpu.mode)
    {
        let modes = format!("{} -> {}", mode_phrase(old.mode), mode_phrase(cpu.mode));
        return (Tone::Moment, format!("{} is {}. Since the last stop: {modes}.", cpu.cpu, place(model, cpu)));
    }
    let place = cpu.map(|cpu| format!("{} is {}.", cpu.cpu, place(model, cpu))).unwrap_or_default();
    let reason = stop_words(model);
    (Tone::Plain, if reason.is_empty() { place } else { format!("{reason} {place}") })
}

fn back(model: &Model, asked: &Asked) -> (Tone, String) {
    let to = model.timeline.position;
    if to == asked.from {
        let why = match model.timeline.reason {
            Some(StopReason::PowerOff) => "The kernel switched the machine off.".to_owned(),
            Some(StopReason::StartOfTime) => "This is power-on: there is nothing before it.".to_owned(),
            _ => "Nothing was taken back: this is the earliest place for that.".to_owned(),
        };
        return (Tone::Refusal, why);
    }
    if to == Position(0) {
        return (Tone::Plain, "Back at power-on, before the first step.".to_owned());
    }
    jump_back(model)
}

/// What lies right after where we stand now: the first thing that has not happened yet.
fn jump_back(model: &Model) -> (Tone, String) {
    let timeline = &model.timeline;
    let next = timeline.future().first().filter(|event| event.position.0 == timeline.position.0 + 1);
    if let Some(event) = next {
        return (Tone::Plain, format!("Back before this: {}.", event_words(event, &model.symbols)));
    }
    if let Some(event) = timeline.past().last().filter(|event| event.position == timeline.position) {
        return (Tone::Plain, format!("Back to right after this: {}.", event_words(event, &model.symbols)));
    }
    there(model, "Back at")
}

/// Where the machine stands after a jump.
fn there(model: &Model, at: &str) -> (Tone, String) {
    let timeline = &model.timeline;
    let mover = model.asked.as_ref().and_then(|asked| asked.cpu).or(timeline.moved_cpu).unwrap_or(model.cpus.selected);
    let place = model.cpus.get(mover).map(|cpu| format!(": {mover} is {}", place(model, cpu))).unwrap_or_default();
    (Tone::Plain, format!("{at} step {}{place}.", position_words(timeline.position)))
}

/// Where a CPU stands, or what it waits for.
fn place(model: &Model, cpu: &CpuState) -> String {
    match cpu.activity {
        Activity::Running | Activity::Held => {
            let linear = cpu.linear_pc();
            let name = model.symbols.at(linear).map(|symbol| symbol.to_string());
            format!("about to execute {}", name.unwrap_or_else(|| linear.to_string()))
        }
        Activity::WaitForSipi => "in wait-for-SIPI again".to_owned(),
        activity => activity_phrase(activity).to_owned(),
    }
}

const DOUBLE_FAULT: u8 = 8;

fn gave_up(model: &Model, cpu: CpuId) -> (Tone, String) {
    let chain = model.timeline.past().iter().rev().find_map(|event| match &event.kind {
        EventKind::TripleFault { chain } if event.cpu == cpu => Some(chain),
        _ => None,
    });
    let words = chain.and_then(|chain| Some((chain, chain.first()?))).map(|(chain, first)| {
        let name = fault_name(first.vector, first.error);
        // #DF stands for the two before it; the others are deliveries that failed.
        let again = chain.iter().filter(|fault| fault.vector != DOUBLE_FAULT).count().saturating_sub(1);
        let times = match again {
            0 | 1 => "once more".to_owned(),
            2 => "twice more".to_owned(),
            many => format!("{many} times more"),
        };
        let cause = &first.cause;
        let whole =
            format!("{cpu} gave up. First {name}: {cause}. Its delivery faulted {times}: triple fault, shutdown.");
        if whole.split_whitespace().count() <= super::WORDS {
            return whole;
        }
        // The page in the window and `Why?` tell the cause in full.
        format!("{cpu} gave up: triple fault, shutdown. It began with {name}; the list of faults tells its cause.")
    });
    (Tone::Fault, words.unwrap_or_else(|| format!("{cpu} gave up: a triple fault. It is in shutdown.")))
}

fn forward(model: &Model, from: Position, before: &[CpuState]) -> (Tone, String) {
    let timeline = &model.timeline;
    let to = timeline.position;
    if to == from {
        return still(model);
    }
    let moved = timeline.moved_cpu.unwrap_or(model.cpus.selected);
    let mut events = timeline.between(Position(to.0.saturating_sub(1)).max(from), to);
    if events.is_empty() && to.0 - from.0 > 1 && is_step_of(model, moved) {
        events = timeline.between(from, to);
    }
    let told = ranked(events).and_then(|event| tell_event(model, event, events, before));
    let (tone, sentence) = match told {
        Some(told) => told,
        None if to.0 - from.0 == 1 || is_step_of(model, moved) => (Tone::Plain, plain_step(model, moved)),
        None => {
            let steps = count_words(to.0 - from.0);
            let cpu = model.cpus.get(model.cpus.selected);
            let place = cpu.map(|cpu| format!("; {} is {}", cpu.cpu, place(model, cpu))).unwrap_or_default();
            (Tone::Plain, format!("The machine ran {steps} steps{place}."))
        }
    };
    let reason = stop_words(model);
    if timeline.reason == Some(StopReason::AllWaiting) {
        return (Tone::Plain, reason);
    }
    (tone, if reason.is_empty() { sentence } else { format!("{reason} {sentence}") })
}

/// Nothing ran: the first look at the machine, an edit, an undo, or a run that ended where it began.
fn still(model: &Model) -> (Tone, String) {
    let reason = stop_words(model);
    if !reason.is_empty() {
        return (Tone::Refusal, reason);
    }
    let cpus = model.cpus.states.len();
    let time = time_words(model.timeline.clock_ns);
    let step = position_words(model.timeline.position);
    let next = match model.cpus.selected() {
        Some(cpu) => why_not(cpu).unwrap_or_else(|| format!("s steps {}.", cpu.cpu)),
        None => String::new(),
    };
    (
        Tone::Plain,
        format!("Stopped at step {step}, {time} after power-on, with {cpus} CPUs. {next}").trim_end().to_owned(),
    )
}

/// The user asked for a step of this CPU, so that only its last step matters.
fn is_step_of(model: &Model, cpu: CpuId) -> bool {
    model.asked.as_ref().is_some_and(|asked| asked.cpu == Some(cpu) && asked.instruction.is_some())
        && model.timeline.reason == Some(StopReason::Reached)
}

/// Why a run ended, where that is not what the user asked for.
fn stop_words(model: &Model) -> String {
    match &model.timeline.reason {
        Some(StopReason::Breakpoint { id, .. }) => format!("Breakpoint {id}."),
        Some(StopReason::Interrupted) => "Paused.".to_owned(),
        Some(StopReason::Budget) => "It has not come back yet; c runs on.".to_owned(),
        Some(StopReason::EndOfRecording) => "This is the end of what was run.".to_owned(),
        Some(StopReason::AllWaiting) => {
            "All CPUs wait and no timer runs: the machine goes on when you type into its console.".to_owned()
        }
        Some(StopReason::Unsupported { cpu, what }) => format!("{cpu} needs what this machine lacks: {what}."),
        Some(StopReason::Exit { value }) => format!("The kernel ended the machine with value {value:02x}."),
        Some(StopReason::StartOfTime) => "This is power-on: there is nothing before it.".to_owned(),
        Some(StopReason::CannotStep { why }) => why.clone(),
        _ => String::new(),
    }
}

/// The event most worth telling.
fn ranked(events: &[Event]) -> Option<&Event> {
    let rank = |event: &Event| match &event.kind {
        EventKind::TripleFault { .. } => 0,
        EventKind::Fault { .. } => 1,
        EventKind::Reset { .. } => 2,
        EventKind::Mode { .. } => 3,
        EventKind::Ipi { .. } => 4,
        EventKind::Cr { .. } => 5,
        EventKind::Activity { .. } => 6,
        EventKind::Online { .. } => 7,
        EventKind::FarTransfer { .. } => 8,
        EventKind::DescriptorTable { .. } => 9,
        EventKind::Interrupt { .. } => 10,
        EventKind::Edit { .. } => 11,
    };
    // min_by_key takes the first of equals: INIT to the first of several CPUs, the first register of two.
    events.iter().min_by_key(|event| rank(event))
}

fn tell_event(model: &Model, event: &Event, all: &[Event], before: &[CpuState]) -> Option<(Tone, String)> {
    let cpu = event.cpu;
    let state = model.cpus.get(cpu)?;
    let writes = |event: &Event| matches!(event.kind, EventKind::Cr { .. } | EventKind::DescriptorTable { .. });
    let did = if all.iter().any(writes) { wrote(model, cpu) } else { executed(model, cpu) };
    Some(match &event.kind {
        EventKind::TripleFault { .. } => gave_up(model, cpu),
        EventKind::Fault { vector, error, cause, .. } => {
            (Tone::Fault, format!("{did}: {}, {cause}.", fault_name(*vector, *error)))
        }
        EventKind::Mode { from: None, .. } => (Tone::Moment, woke_by_sipi(cpu, state)),
        EventKind::Mode { to, .. } if all.iter().any(|event| is_activity(event, Activity::WaitForSipi)) => (
            Tone::Moment,
            format!("{cpu} received INIT: its registers are reset, {}. It waits for a SIPI.", mode_phrase(*to)),
        ),
        EventKind::Mode { to, .. } => (Tone::Moment, mode_change(&did, *to, state, all)),
        EventKind::Ipi { delivery, from, to, vector, ignored } => {
            let receivers = all.iter().filter(|event| matches!(event.kind, EventKind::Ipi { .. })).count();
            (Tone::Moment, ipi(*from, *to, *delivery, *vector, ignored.map(|why| why.words()), receivers))
        }
        EventKind::Cr { register, old, new } => {
            let other_tables = *register == ControlRegister::Cr3 && state.page_table_root().is_some();
            let tone = if other_tables { Tone::Moment } else { Tone::Plain };
            (tone, register_change(model, &did, *register, *old, *new))
        }
        EventKind::Activity { from, to } => (Tone::Plain, activity_change(model, &did, state, *from, *to, before)),
        EventKind::Online { count } => {
            let total = model.cpus.states.len();
            (Tone::Moment, format!("{cpu} says that it is online: {count} of {total} CPUs now."))
        }
        EventKind::FarTransfer { from_cs, to_cs, to } => {
            let name = model.symbols.at(*to).map_or_else(|| to.to_string(), |symbol| symbol.to_string());
            let same =
                before.get(usize::from(cpu.0)).is_some_and(|old| old.segments[CS].base == state.segments[CS].base);
            let base = if same { "base unchanged".to_owned() } else { format!("base {:08x}", state.segments[CS].base) };
            (Tone::Plain, format!("{did}: CS {from_cs:04x} -> {to_cs:04x}, {base}. Next is {name}."))
        }
        EventKind::DescriptorTable { register, base, limit } => {
            let name = register.word().to_uppercase();
            let empty = if *limit == 0 { ": empty, so any interrupt or fault ends in shutdown" } else { "" };
            let base = protocol::LinearAddr(*base);
            (Tone::Plain, format!("{did}: {name} now has base {base}, limit {limit:04x}{empty}."))
        }
        EventKind::Interrupt { vector } => (Tone::Plain, format!("{cpu} takes interrupt {vector:02x}.")),
        EventKind::Reset { by } => (Tone::Moment, format!("The platform was reset by {by}: every CPU starts anew.")),
        EventKind::Edit { what } => (Tone::Plain, format!("You changed {what}. u takes it back.")),
    })
}

fn is_activity(event: &Event, wanted: Activity) -> bool {
    matches!(event.kind, EventKind::Activity { to, .. } if to == wanted)
}

fn woke_by_sipi(cpu: CpuId, state: &CpuState) -> String {
    let vector = state.segments[CS].base >> 12;
    format!(
        "{cpu} received SIPI, vector {vector:02X}h. It runs in real mode at {} = {}.",
        state.cs_ip().to_string().to_uppercase(),
        state.linear_pc()
    )
}

fn mode_change(did: &str, to: Mode, state: &CpuState, all: &[Event]) -> String {
    let bits = all.iter().find_map(|event| match &event.kind {
        EventKind::Cr { register, old, new } => Some(mode_change_words(register.word(), *old, *new)),
        _ => None,
    });
    let base = state.segments[CS].base;
    let aside = match to {
        Mode::Protected16 => format!(": CS still holds base {base:08x}"),
        Mode::Compat => ": long mode is active, but CS.L is still 0".to_owned(),
        Mode::Protected32 if base == 0 => ": CS has base 0, so offset and linear are one number".to_owned(),
        _ => String::new(),
    };
    let bits = bits.filter(|bits| !bits.is_empty()).map(|bits| format!(": {bits}")).unwrap_or_default();
    format!("{did}{bits}. Mode is now {}{aside}.", mode_phrase(to).replacen(" mode", "", 1))
}

fn ipi(
    from: CpuId,
    to: Option<CpuId>,
    delivery: Delivery,
    vector: u8,
    ignored: Option<&str>,
    receivers: usize,
) -> String {
    let label = ipi_label(delivery, vector);
    let whom = match (to, receivers) {
        (Some(to), 0 | 1) => to.to_string(),
        (Some(_), many) => format!("{many} CPUs"),
        (None, _) => "an APIC ID that nobody has".to_owned(),
    };
    let effect = match (ignored, delivery) {
        (Some(why), _) => format!(": ignored, {why}"),
        (None, Delivery::Sipi) => {
            format!(": it will start at {:04X}:0000 = {:08x}", u16::from(vector) << 8, u32::from(vector) << 12)
        }
        (None, Delivery::Init) => ": it will be reset and wait for a SIPI".to_owned(),
        (None, _) => String::new(),
    };
    format!("{from} sent {label} to {whom}{effect}.")
}

fn register_change(model: &Model, did: &str, register: ControlRegister, old: u64, new: u64) -> String {
    let name = register.word().to_uppercase();
    if register == ControlRegister::Cr3 {
        let root = |value: u64| {
            let phys = protocol::PhysAddr(value & !0xfff);
            model.symbols.root_name(phys).map_or_else(|| format!("{value:08x}"), str::to_owned)
        };
        let paging =
            model.timeline.moved_cpu.and_then(|cpu| model.cpus.get(cpu)).is_some_and(|cpu| cpu.cr0 >> 31 & 1 != 0);
        let aside = match (paging, root(old) == "trampoline_pgd" && old != new) {
            (false, _) => ", not used while PG is 0",
            (true, true) => ". Its tables have no low identity map any more",
            (true, false) => "",
        };
        return format!("{did}: CR3 {} -> {}{aside}.", root(old), root(new));
    }
    let bits = brief_change_words(register.word(), old, new);
    let aside = match register {
        ControlRegister::Efer if new >> 8 & 1 != 0 && new >> 10 & 1 == 0 => " Long mode begins once PG is set.",
        ControlRegister::Cr4 if (new ^ old) >> 7 & 1 != 0 => " That flushes the TLB, global entries too.",
        ControlRegister::Cr4 if new >> 5 & 1 != 0 && old >> 5 & 1 == 0 => " No effect while PG is 0.",
        _ => "",
    };
    if bits.is_empty() { format!("{did}: {name} {old:x} -> {new:x}.{aside}") } else { format!("{did}: {bits}.{aside}") }
}

fn activity_change(
    model: &Model,
    did: &str,
    state: &CpuState,
    from: Activity,
    to: Activity,
    before: &[CpuState],
) -> String {
    let cpu = state.cpu;
    match (from, to) {
        (Activity::WaitForSipi, Activity::Running) => woke_by_sipi(cpu, state),
        (_, Activity::WaitForSipi) => {
            let was = before.get(usize::from(cpu.0)).map(|old| mode_phrase(old.mode)).unwrap_or("running");
            format!("{cpu} received INIT: its registers are reset (it was in {was}). It waits for a SIPI.")
        }
        (_, Activity::Halted) => format!("{did}: it halts until an interrupt comes."),
        (Activity::Halted, Activity::Running) => format!("{cpu} wakes from HLT, {}.", place(model, state)),
        (_, Activity::Shutdown) => format!("{cpu} is in shutdown: only a reset wakes it."),
        (from, to) => format!("{cpu}: {} -> {}.", activity_phrase(from), activity_phrase(to)),
    }
}

/// `CPU 1 executed lidt [0x40]`: where a run of several steps ended with the write of a register, it was the
/// instruction right before the next one, for none of those that write registers jumps.
fn wrote(model: &Model, cpu: CpuId) -> String {
    let pc = model.cpus.get(cpu).map(CpuState::linear_pc);
    let before = |line: &&CodeLine| Some(line.linear.0.wrapping_add(line.bytes.len() as u64)) == pc.map(|pc| pc.0);
    let listed = model.code.lines.iter().filter(|_| model.code.cpu == cpu && !one_step(model)).find(before);
    match listed.map(|line| if model.settings.intel { &line.intel } else { &line.att }) {
        Some(text) => format!("{cpu} executed {text}"),
        None if one_step(model) => executed(model, cpu),
        None => match pc.and_then(|pc| model.symbols.source_before(pc)) {
            Some(line) => format!("{cpu} executed {}", line.source),
            None => executed(model, cpu),
        },
    }
}

/// "CPU 1 executed mov cr0, eax", or without the instruction where it is not known.
fn executed(model: &Model, cpu: CpuId) -> String {
    let known = model.asked.as_ref().filter(|_| one_step(model)).and_then(|asked| asked.instruction.as_ref());
    match known.filter(|(mover, _)| *mover == cpu) {
        Some((_, instruction)) => format!("{cpu} executed {instruction}"),
        None => match steps_made(model, cpu) {
            Some(steps) if steps > 1 => format!("{cpu} executed {} instructions", count_words(steps)),
            _ => format!("{cpu} made a step"),
        },
    }
}

/// How many steps a CPU has made since it was asked, forward.
fn steps_made(model: &Model, cpu: CpuId) -> Option<u64> {
    let at = usize::from(cpu.0);
    model.cpus.states.get(at)?.steps.checked_sub(model.steps_before(at)?)
}

/// The CPU made one step since it was asked, so that the instruction it stood at is the one it executed.
fn one_step(model: &Model) -> bool {
    let Some(cpu) = model.timeline.moved_cpu else { return false };
    let at = usize::from(cpu.0);
    let (Some(old), Some(new)) = (model.steps_before(at), model.cpus.states.get(at)) else { return false };
    new.steps == old + 1
}

/// A step without an event: what it changed.
fn plain_step(model: &Model, cpu: CpuId) -> String {
    let did = executed(model, cpu);
    let told =
        |name: &str| !matches!(name, "rip" | "timer_current") && !name.ends_with("_attr") && !name.ends_with("_limit");
    let mut changes: Vec<String> = Vec::new();
    for change in model.diff.cpu(cpu).iter().filter(|change| told(change.name)) {
        changes.push(match change.name {
            "eflags" => {
                let bits = change_words("eflags", change.old, change.new);
                if bits.is_empty() { continue } else { bits }
            }
            name => {
                let title = model.cpus.get(cpu).map_or_else(|| name.to_owned(), |state| title(state, name));
                format!("{title} {:x} -> {:x}", change.old, change.new)
            }
        });
    }
    changes.truncate(3);
    if changes.is_empty() {
        let place = model.cpus.get(cpu).map(|state| place(model, state)).unwrap_or_default();
        return format!("{did}. It is {place}.");
    }
    format!("{did}: {}.", changes.join(", "))
}

#[cfg(test)]
mod tests;
