//! Events and stops in words: `--narrate`, `monitor events`, and the lines gdb prints beside a stop.

use super::names::Names;
use protocol::event::{ControlRegister, Delivery, Event, EventKind, FaultCause};
use protocol::request::StopReason;
use protocol::{Activity, Mode};

/// Exceptions by vector (SDM 3A, "Protected-Mode Exceptions and Interrupts").
const EXCEPTIONS: [&str; 22] = [
    "#DE divide error",
    "#DB debug",
    "NMI",
    "#BP breakpoint",
    "#OF overflow",
    "#BR bound range",
    "#UD invalid opcode",
    "#NM device not available",
    "#DF double fault",
    "coprocessor segment overrun",
    "#TS invalid TSS",
    "#NP segment not present",
    "#SS stack fault",
    "#GP general protection",
    "#PF page fault",
    "vector 15",
    "#MF x87 error",
    "#AC alignment check",
    "#MC machine check",
    "#XM SIMD error",
    "#VE virtualization",
    "#CP control protection",
];

fn exception(vector: u8) -> String {
    EXCEPTIONS.get(usize::from(vector)).map_or_else(|| format!("vector {vector}"), |&name| name.to_owned())
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Real => "real mode",
        Mode::Protected16 => "16-bit protected mode",
        Mode::Protected32 => "32-bit protected mode",
        Mode::V86 => "virtual-8086 mode",
        Mode::Compat => "compatibility mode (IA-32e, 32-bit code)",
        Mode::Long => "64-bit mode",
    }
}

/// One event as one sentence.
pub fn event(event: &Event, names: &Names<'_>) -> String {
    let cpu = event.cpu;
    let place = |linear: u64| match names.at(linear) {
        Some(name) => format!("{linear:#x} ({name})"),
        None => format!("{linear:#x}"),
    };
    match &event.kind {
        EventKind::Mode { from: None, to } => format!("{cpu} leaves wait-for-SIPI and starts in {}.", mode(*to)),
        EventKind::Mode { from: Some(from), to } => format!("{cpu} goes from {} to {}.", mode(*from), mode(*to)),
        EventKind::Activity { from, to } => match (from, to) {
            (_, Activity::Halted) => format!("{cpu} halts: it waits for an interrupt."),
            (_, Activity::WaitForSipi) => format!("{cpu} took INIT and waits for a start-up IPI."),
            (_, Activity::Shutdown) => format!("{cpu} shuts down."),
            (Activity::WaitForSipi, _) => format!("{cpu} took the start-up IPI and runs."),
            (Activity::Halted, _) => format!("{cpu} wakes up."),
            (from, to) => format!("{cpu} was {from} and is {to} now."),
        },
        EventKind::Cr { register: ControlRegister::Cr3, old, new } => {
            const ROOT: u64 = 0x000f_ffff_ffff_f000;
            let root = |value: u64| match names.root(value & ROOT) {
                Some(name) => format!("{value:#x} ({name})"),
                None => format!("{value:#x}"),
            };
            format!("{cpu} loads CR3: {} -> {}.", root(*old), root(*new))
        }
        EventKind::Cr { register, old, new } => {
            format!("{cpu} writes {}: {old:#x} -> {new:#x}.", register.word().to_uppercase())
        }
        EventKind::DescriptorTable { register, base, limit } => {
            format!("{cpu} loads {}: base {}, limit {limit:#x}.", register.word().to_uppercase(), place(*base))
        }
        EventKind::Ipi { delivery, from, to, vector, ignored } => {
            let what = match delivery {
                Delivery::Init => "INIT".to_owned(),
                Delivery::InitDeassert => "INIT de-assert".to_owned(),
                Delivery::Sipi => format!("SIPI with vector {vector:#04x} (start at {:#x})", u64::from(*vector) << 12),
                Delivery::Nmi => "an NMI".to_owned(),
                _ => format!("interrupt {vector:#04x}"),
            };
            let whom = to.map_or_else(|| "nobody".to_owned(), |to| to.to_string());
            match ignored {
                None => format!("{from} sends {what} to {whom}."),
                Some(why) => format!("{from} sends {what} to {whom}, without effect: {}.", why.words()),
            }
        }
        EventKind::Interrupt { vector } => format!("{cpu} takes interrupt {vector:#04x}."),
        EventKind::Fault { vector, error, at, cr2, cause } => {
            let link = FaultCause { vector: *vector, error: *error, cr2: *cr2, cause: cause.clone() };
            format!("{cpu} raises {} at {}.", fault(&link), place(at.0))
        }
        EventKind::FarTransfer { from_cs, to_cs, to } => {
            format!("{cpu} makes a far transfer: CS {from_cs:04x} -> {to_cs:04x}, to {}.", place(to.0))
        }
        EventKind::TripleFault { chain } => {
            let links: Vec<String> = chain.iter().map(fault).collect();
            format!("{cpu} has a triple fault: {}.", links.join("; then "))
        }
        EventKind::Online { count: 1 } => format!("{cpu} is online: 1 CPU now."),
        EventKind::Online { count } => format!("{cpu} is online: {count} CPUs now."),
        EventKind::Edit { what } => format!("A debugger changes {what}."),
        EventKind::Reset { by } => format!("The platform is reset by {by}."),
    }
}

fn fault(link: &FaultCause) -> String {
    let error = link.error.map_or_else(String::new, |error| format!(", error code {error:#x}"));
    let cr2 = link.cr2.map_or_else(String::new, |cr2| format!(", CR2 {:#x}", cr2.0));
    format!("{}{error}{cr2} ({})", exception(link.vector), link.cause)
}

/// Why a run stopped, where that needs words.
pub fn stop(reason: &StopReason) -> Option<String> {
    Some(match reason {
        StopReason::None | StopReason::Reached | StopReason::Budget | StopReason::Interrupted => return None,
        StopReason::Breakpoint { id, cpu } => format!("{cpu}: breakpoint {id}."),
        StopReason::CannotStep { why } => format!("No step: {why}"),
        StopReason::StartOfTime => "This is position 0: the machine was powered on here.".into(),
        StopReason::EndOfRecording => "This is as far as the machine was run.".into(),
        StopReason::AllWaiting => {
            "All CPUs wait, no timer runs and no interrupt is on its way: only input from outside could go on.".into()
        }
        StopReason::TripleFault { cpu } => {
            format!(
                "{cpu} shut down after a triple fault. `monitor events` shows the chain of causes; stepping back works."
            )
        }
        StopReason::Unsupported { cpu, what } => {
            format!("{cpu} stopped before something that this machine does not have: {what}.")
        }
        StopReason::PowerOff => "The guest switched the machine off.".into(),
        StopReason::Exit { value } => format!("The guest ended the run by port F4h with value {value:#04x}."),
    })
}
