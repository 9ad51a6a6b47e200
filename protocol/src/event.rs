//! What happened, in the order it happened: the rows of the lanes, the narrator's raw material, `--events` lines.

use crate::addr::{CpuId, LinearAddr, Position};
use crate::mode::{Activity, Mode};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// One event. `position` is that of the machine *after* the step that caused it: the stop at `position` is the first
/// one at which the event lies in the past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Position after the step.
    pub position: Position,
    /// The machine's clock after the step, in nanoseconds since power-on.
    pub clock_ns: u64,
    /// The CPU that made the step; for an IPI the sender.
    pub cpu: CpuId,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// The mode changed. `from` is None where the CPU came out of wait-for-SIPI.
    Mode {
        /// Mode before, None: wait-for-SIPI.
        from: Option<Mode>,
        /// Mode after.
        to: Mode,
    },
    /// The activity changed.
    Activity {
        /// Before.
        from: Activity,
        /// After.
        to: Activity,
    },
    /// A control register or EFER was written with another value than it held.
    Cr {
        /// Which.
        register: ControlRegister,
        /// Before.
        old: u64,
        /// After.
        new: u64,
    },
    /// LGDT, LIDT, LLDT or LTR.
    DescriptorTable {
        /// Which.
        register: TableRegister,
        /// Base after.
        base: u64,
        /// Limit after.
        limit: u32,
    },
    /// An interprocessor interrupt was sent. One event for each receiver, logged at the sender's step. An SMI at a CPU's LINT0,
    /// which is ignored, is told as one that it sent itself.
    Ipi {
        /// Delivery mode.
        delivery: Delivery,
        /// Sender.
        from: CpuId,
        /// Receiver; None where no APIC has that ID.
        to: Option<CpuId>,
        /// Vector field of the command.
        vector: u8,
        /// Why it has no effect, None if it has.
        ignored: Option<Ignored>,
    },
    /// An external interrupt or NMI was delivered to the CPU.
    Interrupt {
        /// Vector.
        vector: u8,
    },
    /// An exception was raised. Its delivery may raise another.
    Fault {
        /// Vector.
        vector: u8,
        /// Error code, where the exception has one.
        error: Option<u32>,
        /// Linear address of the instruction.
        at: LinearAddr,
        /// CR2, for a page fault.
        cr2: Option<LinearAddr>,
        /// The cause in words: what was checked and failed.
        cause: String,
    },
    /// A far jump, call, return or IRET changed CS.
    FarTransfer {
        /// CS before.
        from_cs: u16,
        /// CS after.
        to_cs: u16,
        /// Linear address it went to.
        to: LinearAddr,
    },
    /// The third fault: the CPU shut down. The chain begins with the first fault.
    TripleFault {
        /// Each fault, why it was raised.
        chain: Vec<FaultCause>,
    },
    /// A CPU announced that it is online (a write to the online port).
    Online {
        /// How many are online now, the bootstrap processor counted.
        count: u16,
    },
    /// A debugger changed the machine.
    Edit {
        /// What, in words: "CPU 1 cr4: 000000a0 -> 00000080".
        what: String,
    },
    /// The platform was reset.
    Reset {
        /// Who did it: "port 0xcf9", "keyboard controller".
        by: String,
    },
}

/// A link of the chain that ends in a triple fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCause {
    /// Vector.
    pub vector: u8,
    /// Error code, where the exception has one.
    pub error: Option<u32>,
    /// CR2, for a page fault.
    pub cr2: Option<LinearAddr>,
    /// What failed, in words.
    pub cause: String,
}

/// Registers whose writes are events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ControlRegister {
    /// CR0.
    Cr0,
    /// CR3.
    Cr3,
    /// CR4.
    Cr4,
    /// CR8.
    Cr8,
    /// EFER.
    Efer,
    /// IA32_APIC_BASE.
    ApicBase,
}

impl ControlRegister {
    /// The word used in event lines and lessons.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cr0 => "cr0",
            Self::Cr3 => "cr3",
            Self::Cr4 => "cr4",
            Self::Cr8 => "cr8",
            Self::Efer => "efer",
            Self::ApicBase => "apic_base",
        }
    }
}

/// Registers that point at descriptor tables or system segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TableRegister {
    /// GDTR.
    Gdtr,
    /// IDTR.
    Idtr,
    /// LDTR.
    Ldtr,
    /// TR.
    Tr,
}

impl TableRegister {
    /// The word used in event lines and lessons.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gdtr => "gdtr",
            Self::Idtr => "idtr",
            Self::Ldtr => "ldtr",
            Self::Tr => "tr",
        }
    }
}

/// Delivery mode of an interrupt command (SDM 3A, ICR bits 10:8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Delivery {
    /// 0.
    Fixed,
    /// 1.
    LowestPriority,
    /// 2.
    Smi,
    /// 4.
    Nmi,
    /// 5, level asserted or edge.
    Init,
    /// 5 with level 0 and trigger 1: does nothing on any x86-64 CPU.
    InitDeassert,
    /// 6.
    Sipi,
    /// 7 (only from the I/O APIC or LINT pins).
    ExtInt,
    /// 3: no meaning.
    Reserved,
}

impl Delivery {
    /// The word used in event lines and lessons.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::LowestPriority => "lowest-priority",
            Self::Smi => "smi",
            Self::Nmi => "nmi",
            Self::Init => "init",
            Self::InitDeassert => "init-deassert",
            Self::Sipi => "sipi",
            Self::ExtInt => "extint",
            Self::Reserved => "reserved",
        }
    }
}

/// Why an interprocessor interrupt had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ignored {
    /// A SIPI reached a CPU that does not wait for one.
    NotInWaitForSipi,
    /// The receiving APIC is software-disabled (SVR bit 8 clear): it drops fixed interrupts.
    ApicSoftwareDisabled,
    /// No APIC has that ID.
    NoSuchApicId,
    /// INIT level de-assert does nothing on this processor.
    InitDeassert,
    /// A vector below 16 is illegal.
    IllegalVector,
    /// The delivery mode is reserved.
    ReservedDelivery,
    /// A CPU in wait-for-SIPI takes nothing but INIT and SIPI.
    InWaitForSipi,
    /// System management interrupts are not modelled.
    SmiNotModelled,
    /// The CPU has not finished its INIT yet: it takes no SIPI so early (`--cpu-quirk slow-init`).
    InitNotFinished,
}

impl Ignored {
    /// The reason in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotInWaitForSipi => "not in wait-for-SIPI",
            Self::ApicSoftwareDisabled => "APIC software-disabled",
            Self::NoSuchApicId => "no such APIC ID",
            Self::InitDeassert => "INIT de-assert does nothing on this processor",
            Self::IllegalVector => "illegal vector",
            Self::ReservedDelivery => "reserved delivery mode",
            Self::InWaitForSipi => "in wait-for-SIPI, takes only INIT and SIPI",
            Self::SmiNotModelled => "SMI is not modelled",
            Self::InitNotFinished => "its INIT is not finished",
        }
    }
}

impl Delivery {
    /// The delivery mode in an ICR, LVT or redirection entry: bits 10:8; INIT with level (14) clear and trigger (15)
    /// set is a de-assert.
    pub const fn from_bits(command: u32) -> Self {
        match command >> 8 & 7 {
            0 => Self::Fixed,
            1 => Self::LowestPriority,
            2 => Self::Smi,
            4 => Self::Nmi,
            5 if command & 1 << 14 == 0 && command & 1 << 15 != 0 => Self::InitDeassert,
            5 => Self::Init,
            6 => Self::Sipi,
            7 => Self::ExtInt,
            _ => Self::Reserved,
        }
    }
}
