//! What can keep an instruction from completing: an exception of the architecture, or something this machine lacks.
//!
//! Raised by [`crate::mmu`] and [`crate::execute`], delivered by [`crate::exception`]. Source: SDM 3A, chapter on
//! interrupt and exception handling.

use std::borrow::Cow;

/// Exception vectors (SDM 3A, "Protected-Mode Exceptions and Interrupts").
pub mod vector {
    /// #DE.
    pub const DIVIDE_ERROR: u8 = 0;
    /// #DB.
    pub const DEBUG: u8 = 1;
    /// NMI.
    pub const NMI: u8 = 2;
    /// #BP.
    pub const BREAKPOINT: u8 = 3;
    /// #OF.
    pub const OVERFLOW: u8 = 4;
    /// #BR.
    pub const BOUND_RANGE: u8 = 5;
    /// #UD.
    pub const INVALID_OPCODE: u8 = 6;
    /// #NM.
    pub const DEVICE_NOT_AVAILABLE: u8 = 7;
    /// #DF.
    pub const DOUBLE_FAULT: u8 = 8;
    /// #TS.
    pub const INVALID_TSS: u8 = 10;
    /// #NP.
    pub const SEGMENT_NOT_PRESENT: u8 = 11;
    /// #SS.
    pub const STACK_FAULT: u8 = 12;
    /// #GP.
    pub const GENERAL_PROTECTION: u8 = 13;
    /// #PF.
    pub const PAGE_FAULT: u8 = 14;
    /// #MF.
    pub const X87_FLOATING_POINT: u8 = 16;
    /// #AC.
    pub const ALIGNMENT_CHECK: u8 = 17;
    /// #MC.
    pub const MACHINE_CHECK: u8 = 18;
    /// #XM.
    pub const SIMD_FLOATING_POINT: u8 = 19;
}

/// An exception: what the processor raises. `cause` tells a person what was checked and failed, e.g. "descriptor 08 not
/// present"; it is borrowed on hot paths, so that raising a fault does not allocate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Vector.
    pub vector: u8,
    /// Error code, for the exceptions that push one.
    pub error: Option<u32>,
    /// Linear address that faulted, for #PF: goes to CR2 at delivery.
    pub cr2: Option<u64>,
    /// What failed, in words.
    pub cause: Cow<'static, str>,
    /// A trap (#BP, #OF, INT n, #DB after the instruction): the saved IP is the next instruction's.
    pub is_trap: bool,
}

impl Fault {
    /// An exception without error code.
    pub fn plain(vector: u8, cause: impl Into<Cow<'static, str>>) -> Self {
        Self { vector, error: None, cr2: None, cause: cause.into(), is_trap: false }
    }

    /// An exception with error code.
    pub fn with_error(vector: u8, error: u32, cause: impl Into<Cow<'static, str>>) -> Self {
        Self { vector, error: Some(error), cr2: None, cause: cause.into(), is_trap: false }
    }

    /// #GP with this error code (a selector's index and table bits, or 0).
    pub fn gp(error: u32, cause: impl Into<Cow<'static, str>>) -> Self {
        Self::with_error(vector::GENERAL_PROTECTION, error, cause)
    }

    /// #UD.
    pub fn ud(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::plain(vector::INVALID_OPCODE, cause)
    }

    /// #PF at a linear address.
    pub fn page_fault(linear: u64, error: u32, cause: impl Into<Cow<'static, str>>) -> Self {
        Self { cr2: Some(linear), ..Self::with_error(vector::PAGE_FAULT, error, cause) }
    }
}

/// Why an instruction did not complete. Boxed, so that the `Result` of the hot path stays one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trap {
    /// The architecture raises an exception.
    Fault(Box<Fault>),
    /// The machine lacks something: it stops and says what. State is as before the instruction.
    Unsupported(Box<str>),
}

impl From<Fault> for Trap {
    #[cold]
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

impl Trap {
    /// Something this machine lacks.
    #[cold]
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into().into_boxed_str())
    }
}

/// The result of anything an instruction does.
pub type Exec<T> = Result<T, Trap>;
