//! What QEMU writes down of exceptions (`-d int,cpu_reset`): the only witness where a CPU shuts down, since nothing of a guest is
//! left to ask then.
//!
//! Each exception in protected mode is a line `N: v=0e e=0010 i=0 cpl=0 IP=0008:... pc=... SP=... CR2=...`, followed by the
//! registers, also where no handler could be entered. QEMU's TCG leaves the present bit out of the error code of a page fault
//! by a reserved bit.

use anyhow::{Context, Result};
use std::path::Path;

/// An exception of a CPU, whichever it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exception {
    pub vector: u64,
    pub error: u64,
    /// Linear address of the instruction.
    pub rip: u64,
    /// Of a page fault: the address that was not to be had.
    pub cr2: u64,
    /// The tables in use.
    pub cr3: u64,
}

/// What is in such a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// In order; interrupts are not among them.
    pub exceptions: Vec<Exception>,
    /// A CPU shut down.
    pub shut_down: bool,
}

impl Faults {
    /// Reads it.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("QEMU wrote no {}", path.display()))?;
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    fn parse(text: &str) -> Self {
        const FIRST_INTERRUPT: u64 = 32;
        let number = |line: &str, name: &str| {
            let value = line.split_ascii_whitespace().find_map(|word| word.strip_prefix(name))?;
            u64::from_str_radix(value, 16).ok()
        };
        let mut faults = Self::default();
        // The last line of an interrupt or an exception: its registers follow.
        let mut ours = false;
        for line in text.lines() {
            if let (Some(vector), Some(error)) = (number(line, "v="), number(line, "e=")) {
                ours = vector < FIRST_INTERRUPT;
                if ours {
                    let (rip, cr2) = (number(line, "pc=").unwrap_or(0), number(line, "CR2=").unwrap_or(0));
                    faults.exceptions.push(Exception { vector, error, rip, cr2, cr3: 0 });
                }
            } else if line.starts_with("CR0=")
                && ours
                && let (Some(last), Some(cr3)) = (faults.exceptions.last_mut(), number(line, "CR3="))
            {
                last.cr3 = cr3;
                ours = false;
            }
            faults.shut_down |= line.starts_with("Triple fault");
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: exceptions are told from interrupts, with their registers. Method: a file as QEMU 7.2 writes it, shortened.
    #[test]
    fn a_file_of_qemu() {
        let text = "CPU Reset (CPU 0)\nCR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000\nServicing hardware INT=0x20\n   \
            321: v=20 e=0000 i=0 cpl=0 IP=0038:000000000fea3e2a pc=000000000fea3e2a SP=0030:000000000fe90070 env->regs[R_EAX]=00\n\
            CR0=80010033 CR2=0000000000000000 CR3=000000000f801000 CR4=00000668\ncheck_exception old: 0xffffffff new 0xe\n   \
            322: v=0e e=0011 i=0 cpl=0 IP=0010:000000000f6e0234 pc=000000000f6e0234 SP=0000:ffff88800010cae8 CR2=000000000f6e0000\n\
            RAX=0000000000000000 RBX=000000000f6e0234\nCR0=80050033 CR2=000000000f6e0000 CR3=0000000000110000 CR4=000006a0\n\
            Triple fault\nCPU Reset (CPU 0)\nCR0=80050033 CR2=000000000f6e0000 CR3=0000000000220000 CR4=000006a0\n";
        let fault = Exception { vector: 14, error: 0x11, rip: 0xf6e_0234, cr2: 0xf6e_0000, cr3: 0x11_0000 };
        assert_eq!(Faults::parse(text), Faults { exceptions: vec![fault], shut_down: true });
        assert_eq!(Faults::parse("garbage v=zz e=\n\n"), Faults::default());
    }
}
