//! Interrupts between processors: fixed vectors, NMI and INIT, and the answer of the one that takes them.

use super::cpus;
use crate::arch::lapic::{self, Destination, Message};
use crate::arch::percpu::{self, CpuNumber};
use crate::{println, time};
use core::sync::atomic::Ordering;

/// The vector that is sent when none is named: Linux's RESCHEDULE_VECTOR.
pub const DEFAULT_VECTOR: u8 = 0xfd;
/// Vectors below are exceptions and cannot be sent.
pub const FIRST_VECTOR: u8 = 0x20;

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipi {
    /// An interrupt with this vector, 20h to FEh.
    Fixed(u8),
    /// A non-maskable interrupt.
    Nmi,
    /// A reset into wait-for-SIPI: the CPU is lost until the machine restarts.
    Init,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The CPU took it and answered after so many microseconds.
    Answered(u64),
    /// INIT has no answer; it was sent.
    Sent,
}

/// Why nothing was sent, or nobody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpiError {
    /// There is no CPU of that number.
    NoSuchCpu(CpuNumber),
    /// The vector belongs to an exception, or is the spurious one.
    BadVector(u8),
    /// A CPU does not reset itself this way here: nobody could start it again.
    Myself,
    /// Sent, but the CPU did not answer in time.
    NoAnswer(CpuNumber, cpus::State),
}

impl core::fmt::Display for IpiError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSuchCpu(cpu) => write!(f, "there is no CPU {cpu}"),
            Self::BadVector(vector) => {
                write!(
                    f,
                    "vector {vector:02x}h cannot be sent: below 20h are exceptions, ffh is the spurious interrupt"
                )
            }
            Self::Myself => write!(f, "this CPU runs the shell: after an INIT nobody could start it again"),
            Self::NoAnswer(cpu, state) => write!(f, "sent, but CPU {cpu} ({}) did not answer", state.word()),
        }
    }
}

impl core::error::Error for IpiError {}

/// How long an answer may take.
const ANSWER_US: u64 = 10_000;

/// Sends an IPI and waits for the answer.
///
/// # Errors
/// [`IpiError`]
pub fn send(to: CpuNumber, ipi: Ipi) -> Result<Outcome, IpiError> {
    let target = percpu::of(to).ok_or(IpiError::NoSuchCpu(to))?;
    let me = percpu::current().number;
    let message = match ipi {
        Ipi::Fixed(vector) if !(FIRST_VECTOR..lapic::SPURIOUS_VECTOR).contains(&vector) => {
            return Err(IpiError::BadVector(vector));
        }
        Ipi::Fixed(vector) => Message::Fixed(vector),
        Ipi::Nmi => Message::Nmi,
        Ipi::Init if to == me => return Err(IpiError::Myself),
        Ipi::Init => {
            cpus::set_reset(to);
            send_init(Destination::Apic(target.apic_id));
            return Ok(Outcome::Sent);
        }
    };
    let before = target.ipis.load(Ordering::Acquire);
    target.ipi_sender.store(me + 1, Ordering::Release);
    let start = time::tsc();
    lapic::send(target.apic_id, message);
    if time::wait_for(ANSWER_US, || target.ipis.load(Ordering::Acquire) != before) {
        Ok(Outcome::Answered(time::micros_since(start)))
    } else {
        Err(IpiError::NoAnswer(to, cpus::state(to)))
    }
}

/// INIT, and the end of it: whoever gets it waits for a SIPI.
pub(crate) fn send_init(to: Destination) {
    lapic::send_to(to, Message::Init);
    time::wait_for(ANSWER_US, lapic::is_idle);
    lapic::send_to(to, Message::InitDeassert);
    time::wait_for(ANSWER_US, lapic::is_idle);
}

/// A fixed interrupt came that no device sends.
pub(crate) fn on_interrupt(vector: u8) {
    answer(format_args!("IPI vector {vector:02x}h"));
}

/// An NMI came.
pub(crate) fn on_nmi() {
    percpu::current().nmis.fetch_add(1, Ordering::Relaxed);
    answer(format_args!("NMI"));
}

/// Says what was taken, then counts it, which is what the sender waits for.
fn answer(what: core::fmt::Arguments<'_>) {
    let cpu = percpu::current();
    let so_far = cpu.ipis.load(Ordering::Relaxed) + 1;
    match cpu.ipi_sender.swap(0, Ordering::AcqRel) {
        0 => println!("CPU {}: got {what}, sender unknown ({so_far} so far)", cpu.number),
        sender => println!("CPU {}: got {what} from CPU {} ({so_far} so far)", cpu.number, sender - 1),
    }
    cpu.ipis.fetch_add(1, Ordering::Release);
}
