//! Words for exceptions: what a vector and its error code mean (SDM volume 3A, "Interrupt and Exception Handling").

use core::fmt;

/// Mnemonic and name of an exception vector.
pub const fn exception_name(vector: u8) -> (&'static str, &'static str) {
    match vector {
        0 => ("#DE", "divide error"),
        1 => ("#DB", "debug exception"),
        2 => ("NMI", "non-maskable interrupt"),
        3 => ("#BP", "breakpoint"),
        4 => ("#OF", "overflow"),
        5 => ("#BR", "bound range exceeded"),
        6 => ("#UD", "invalid opcode"),
        7 => ("#NM", "device not available"),
        8 => ("#DF", "double fault"),
        10 => ("#TS", "invalid TSS"),
        11 => ("#NP", "segment not present"),
        12 => ("#SS", "stack-segment fault"),
        13 => ("#GP", "general protection"),
        14 => ("#PF", "page fault"),
        16 => ("#MF", "x87 floating-point error"),
        17 => ("#AC", "alignment check"),
        18 => ("#MC", "machine check"),
        19 => ("#XM", "SIMD floating-point exception"),
        20 => ("#VE", "virtualization exception"),
        21 => ("#CP", "control protection exception"),
        _ => ("#??", "reserved exception"),
    }
}

/// An error code in words.
#[derive(Clone, Copy, Debug)]
pub struct ErrorCode {
    /// The exception that pushed it.
    pub vector: u8,
    /// The code.
    pub code: u64,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.code)?;
        match self.vector {
            14 => page_fault(self.code, f),
            10..=13 => selector(self.code, f),
            _ => Ok(()),
        }
    }
}

fn page_fault(code: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let bit = |bit: u32| code >> bit & 1 != 0;
    let who = if bit(2) { "user" } else { "kernel" };
    let what = match (bit(4), bit(1)) {
        (true, _) => "fetched an instruction from",
        (false, true) => "wrote to",
        (false, false) => "read from",
    };
    let why = match (bit(3), bit(0)) {
        (true, _) => "an entry has a reserved bit set",
        (false, true) => "its rights forbid that",
        (false, false) => "it is not present",
    };
    write!(f, ": {who} code {what} the page, and {why}")
}

fn selector(code: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if code == 0 {
        return write!(f, ": no selector involved");
    }
    let table = match code >> 1 & 3 {
        0 => "GDT",
        2 => "LDT",
        _ => "IDT",
    };
    write!(f, ": {table} entry {:#x}", code >> 3 & 0x1fff)?;
    if code & 1 != 0 { write!(f, ", while delivering another event") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::ErrorCode;
    use std::string::ToString;

    /// Goal: the words fit the bits. Method: one code of each kind.
    #[test]
    fn error_codes_are_put_into_words() {
        for (vector, code, words) in [
            (14, 0x0, "0x0: kernel code read from the page, and it is not present"),
            (14, 0x3, "0x3: kernel code wrote to the page, and its rights forbid that"),
            (14, 0x11, "0x11: kernel code fetched an instruction from the page, and its rights forbid that"),
            (14, 0x9, "0x9: kernel code read from the page, and an entry has a reserved bit set"),
            (14, 0x6, "0x6: user code wrote to the page, and it is not present"),
            (13, 0, "0x0: no selector involved"),
            (11, 0x8, "0x8: GDT entry 0x1"),
            (13, 0x3 | 6 << 3, "0x33: IDT entry 0x6, while delivering another event"),
            (8, 0, "0x0"),
        ] {
            assert_eq!(ErrorCode { vector, code }.to_string(), words, "{vector} {code:#x}");
        }
    }
}
