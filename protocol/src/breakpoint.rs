//! What a run stops at. Breakpoints are a debugger's, not the machine's: they are in no snapshot, hash or journal.

use crate::addr::{CpuId, LinearAddr};
use crate::event::{ControlRegister, Delivery};
use crate::mode::{Activity, Mode};
use serde::{Deserialize, Serialize};

/// A breakpoint or watchpoint with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakpoint {
    /// Given by the server, never reused.
    pub id: u32,
    /// Only for this CPU, or for all.
    pub cpu: Option<CpuId>,
    /// What hits.
    pub condition: Condition,
}

/// What a run can stop at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// The next step would execute the instruction at this linear address.
    Execute(LinearAddr),
    /// Bytes were written (stops after the write forwards, before it backwards).
    Write {
        /// First byte, linear.
        linear: LinearAddr,
        /// How many, in bytes.
        len: u64,
    },
    /// Bytes were read.
    Read {
        /// First byte, linear.
        linear: LinearAddr,
        /// How many, in bytes.
        len: u64,
    },
    /// Either.
    Access {
        /// First byte, linear.
        linear: LinearAddr,
        /// How many, in bytes.
        len: u64,
    },
    /// An event of this kind was logged.
    Event(EventFilter),
}

/// Which events a breakpoint or a run hits. None in a field: any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventFilter {
    /// Any event at all.
    Any,
    /// A mode change into this mode.
    Mode(Option<Mode>),
    /// An activity change into this activity.
    Activity(Option<Activity>),
    /// A write of this register.
    Cr(Option<ControlRegister>),
    /// An IPI of this kind, to this CPU.
    Ipi {
        /// Delivery mode.
        delivery: Option<Delivery>,
        /// Receiver.
        to: Option<CpuId>,
    },
    /// An exception with this vector.
    Fault(Option<u8>),
    /// A descriptor-table register was loaded.
    DescriptorTable,
    /// A triple fault.
    TripleFault,
    /// So many CPUs (or any number, 0) have announced that they are online.
    Online(u16),
}
