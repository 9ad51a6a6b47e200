//! Segmentation and paging. (Being built.)

pub mod tlb;

use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::fault::{Exec, Trap};

/// Reads through a segment.
pub fn read_u8(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64) -> Exec<u8> {
    Err(Trap::unsupported("read: being built"))
}

/// Writes through a segment.
pub fn write_u8(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64, _value: u8) -> Exec<()> {
    Err(Trap::unsupported("write: being built"))
}

/// Reads through a segment.
pub fn read_u16(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64) -> Exec<u16> {
    Err(Trap::unsupported("read: being built"))
}

/// Writes through a segment.
pub fn write_u16(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64, _value: u16) -> Exec<()> {
    Err(Trap::unsupported("write: being built"))
}

/// Reads through a segment.
pub fn read_u32(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64) -> Exec<u32> {
    Err(Trap::unsupported("read: being built"))
}

/// Writes through a segment.
pub fn write_u32(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64, _value: u32) -> Exec<()> {
    Err(Trap::unsupported("write: being built"))
}

/// Reads through a segment.
pub fn read_u64(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64) -> Exec<u64> {
    Err(Trap::unsupported("read: being built"))
}

/// Writes through a segment.
pub fn write_u64(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64, _value: u64) -> Exec<()> {
    Err(Trap::unsupported("write: being built"))
}

/// Reads through a segment.
pub fn read_u128(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64) -> Exec<u128> {
    Err(Trap::unsupported("read: being built"))
}

/// Writes through a segment.
pub fn write_u128(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64, _value: u128) -> Exec<()> {
    Err(Trap::unsupported("write: being built"))
}

/// Raises what a write of `size` bytes would raise.
pub fn check_write(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64, _size: u64) -> Exec<()> {
    Err(Trap::unsupported("check_write: being built"))
}

/// Fetches instruction bytes from a linear address on: as many as can be had without a fault, at least one.
pub fn fetch(_cpu: &mut Cpu, _bus: &mut Bus, _linear: u64, _buf: &mut [u8]) -> Exec<usize> {
    Err(Trap::unsupported("fetch: being built"))
}

/// Physical address of the page that holds this instruction byte. Checks CS limit, canonical form and rights to execute.
pub fn fetch_page(_cpu: &mut Cpu, _bus: &mut Bus, _linear: u64) -> Exec<u64> {
    Err(Trap::unsupported("fetch_page: being built"))
}

/// INVLPG.
pub fn invlpg(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64) -> Exec<()> {
    Err(Trap::unsupported("invlpg: being built"))
}
