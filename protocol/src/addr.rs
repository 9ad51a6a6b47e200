//! Addresses and positions as types, so that physical, linear and segment:offset cannot be mixed up.

use core::fmt;
use serde::{Deserialize, Serialize};

/// A physical address: what the bus sees after paging (SDM 3A 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PhysAddr(pub u64);

/// A linear address: segment base + offset, before paging (SDM 3A 3.1). Where paging is off it equals the physical one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinearAddr(pub u64);

/// A logical address as an instruction names it: segment selector and offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegOff {
    /// The visible part of the segment register.
    pub selector: u16,
    /// The offset into the segment, in bytes.
    pub offset: u64,
}

/// A CPU by its index in the machine: 0 is the bootstrap processor. Not an APIC ID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CpuId(pub u16);

/// A position in a run: the number of machine steps made since power-on. Position 0 is before the first step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position(pub u64);

impl fmt::Display for PhysAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_grouped(f, self.0)
    }
}

impl fmt::Display for LinearAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_grouped(f, self.0)
    }
}

impl fmt::Display for SegOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.selector, self.offset)
    }
}

impl fmt::Display for CpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CPU {}", self.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Eight digits where they suffice, else sixteen in groups of four: `0009a000`, `ffff_ffff_8100_0000`.
fn fmt_grouped(f: &mut fmt::Formatter<'_>, value: u64) -> fmt::Result {
    if value >> 32 == 0 {
        write!(f, "{value:08x}")
    } else {
        let part = |shift: u32| (value >> shift) as u16;
        write!(f, "{:04x}_{:04x}_{:04x}_{:04x}", part(48), part(32), part(16), part(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: addresses are readable; method: one short and one long value.
    #[test]
    fn grouped_digits() {
        assert_eq!(PhysAddr(0x9a000).to_string(), "0009a000");
        assert_eq!(LinearAddr(0xffff_ffff_8100_0000).to_string(), "ffff_ffff_8100_0000");
        assert_eq!(SegOff { selector: 0x9a00, offset: 0 }.to_string(), "9a00:0000");
    }
}
