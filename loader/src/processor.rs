//! What a UEFI application asks of the processor before it starts a kernel, from what CPUID and CR4 say.
//!
//! Used by the UEFI application (`src/bootx64/handoff.rs`), which reads both; here because it is pure and tested on the host.

use core::fmt;

/// A processor that can run the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// It has 1 GiB pages.
    pub huge_pages: bool,
}

/// Why it cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessorError {
    /// The processor cannot forbid execution, or does not let pages be marked so.
    NoExecuteDisable,
    /// The firmware uses page tables of five levels, which cannot be left in long mode.
    FiveLevelPaging,
}

impl fmt::Display for ProcessorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoExecuteDisable => {
                "the processor has no execute-disable bit, or the firmware hides it. Turn it on in the firmware's setup, \
                 where it is called XD, NX or execute disable."
            }
            Self::FiveLevelPaging => {
                "the firmware uses 5-level paging, and the kernel has to be entered on four levels. Turn 5-level paging \
                 (LA57) off in the firmware's setup; the kernel's option la57=on switches it on later."
            }
        })
    }
}

impl core::error::Error for ProcessorError {}

impl Processor {
    /// Looks at EDX of CPUID leaf 80000001h, and at CR4.
    ///
    /// # Errors
    /// [`ProcessorError`]
    pub fn check(features: u32, cr4: u64) -> Result<Self, ProcessorError> {
        const EXECUTE_DISABLE: u32 = 1 << 20;
        const HUGE_PAGES: u32 = 1 << 26;
        const LA57: u64 = 1 << 12;
        if features & EXECUTE_DISABLE == 0 {
            return Err(ProcessorError::NoExecuteDisable);
        }
        if cr4 & LA57 != 0 {
            return Err(ProcessorError::FiveLevelPaging);
        }
        Ok(Self { huge_pages: features & HUGE_PAGES != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what the kernel cannot run on is refused by name, with what to do. Method: the features of processors and the CR4 of
    /// firmwares: with all, without 1 GiB pages, without NX, with tables of five levels. No firmware at hand uses these.
    #[test]
    fn processors() {
        const ALL: u32 = 0x2c10_0800;
        const CR4: u64 = 0x668;
        assert_eq!(Processor::check(ALL, CR4), Ok(Processor { huge_pages: true }));
        assert_eq!(Processor::check(ALL & !(1 << 26), CR4), Ok(Processor { huge_pages: false }));
        let no_nx = Processor::check(ALL & !(1 << 20), CR4).unwrap_err();
        assert!(no_nx == ProcessorError::NoExecuteDisable && no_nx.to_string().contains("XD, NX"), "{no_nx}");
        let la57 = Processor::check(ALL, CR4 | 1 << 12).unwrap_err();
        assert!(la57 == ProcessorError::FiveLevelPaging && la57.to_string().contains("(LA57) off"), "{la57}");
    }
}
