//! A stack that is written or read as a whole before SS and RSP change: what far calls, returns, interrupts and IRET
//! need to change nothing where they fault.
//!
//! Used by `far_xfer`, `interrupt` and [`crate::exception`]; PUSH and POP are in `stack`.

use crate::bus::Bus;
use crate::cpu::segment::{self, Segment};
use crate::cpu::{Cpu, cr4, gpr};
use crate::fault::{Exec, Fault, Trap, vector};
use crate::mmu::access::{self, legacy_linear};
use crate::mmu::{Access, walk};
use protocol::{LinearAddr, Mode};

/// The most values that are pushed at once: a call gate's 31 parameters, and SS:SP and CS:IP.
pub const MAX_VALUES: usize = 35;

/// A stack: the segment, the pointer as it moves, and whose rights count.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    ss: Segment,
    rsp: u64,
    /// Addresses are 64 bits wide and SS has no limit.
    is_long: bool,
    user: bool,
    /// Error code of a #SS that this stack raises.
    error: u32,
}

impl Frame {
    /// The stack in use.
    pub fn current(cpu: &Cpu) -> Self {
        Self {
            ss: cpu.segments[segment::SS],
            rsp: cpu.gpr[gpr::RSP],
            is_long: cpu.mode() == Mode::Long,
            user: cpu.cpl() == 3,
            error: 0,
        }
    }

    /// A stack outside 64-bit mode that is about to be used at privilege level `cpl`.
    pub fn legacy(ss: Segment, rsp: u64, cpl: u8) -> Self {
        Self { ss, rsp, is_long: false, user: cpl == 3, error: 0 }
    }

    /// A stack in 64-bit mode, used at privilege level `cpl`.
    pub fn long(rsp: u64, cpl: u8) -> Self {
        Self { ss: Segment::default(), rsp, is_long: true, user: cpl == 3, error: 0 }
    }

    /// The same, whose #SS has this error code.
    pub fn with_error(self, error: u32) -> Self {
        Self { error, ..self }
    }

    /// The stack pointer now: the part that the stack's width does not reach is unchanged.
    pub fn rsp(&self) -> u64 {
        self.rsp
    }

    fn mask(&self) -> u64 {
        match (self.is_long, self.ss.is_big()) {
            (true, _) => u64::MAX,
            (false, true) => 0xffff_ffff,
            (false, false) => 0xffff,
        }
    }

    fn moved(&self, distance: u64) -> u64 {
        let mask = self.mask();
        let unreached = if mask == 0xffff { self.rsp & 0xffff_0000 } else { 0 };
        unreached | self.rsp.wrapping_add(distance) & mask
    }

    /// Drops bytes: parameters of a called procedure.
    pub fn skip(&mut self, bytes: u64) {
        self.rsp = self.moved(bytes);
    }

    fn linear(&self, cpu: &Cpu, bytes: u8, access: Access) -> Exec<u64> {
        let offset = self.rsp & self.mask();
        if self.is_long {
            return if walk::is_canonical(offset, cpu.cr4 & cr4::LA57 != 0) {
                Ok(offset)
            } else {
                let cause = format!("the stack pointer {} is not canonical", LinearAddr(offset));
                Err(Fault::with_error(vector::STACK_FAULT, self.error, cause).into())
            };
        }
        // The mode only says whether the type counts; a stack segment's was checked when it was loaded.
        legacy_linear(Mode::Real, &self.ss, segment::SS, offset, u64::from(bytes), access).map_err(|trap| match trap {
            Trap::Fault(mut fault) => {
                fault.error = Some(self.error);
                Trap::Fault(fault)
            }
            other => other,
        })
    }

    /// Pushes values of `bytes` each, the first one first (at the highest address), all or none.
    pub fn push_all(&mut self, cpu: &mut Cpu, bus: &mut Bus, bytes: u8, values: &[u64]) -> Exec<()> {
        let mut at = [0; MAX_VALUES];
        let mut moving = *self;
        for linear in &mut at[..values.len()] {
            moving.rsp = moving.moved(u64::from(bytes).wrapping_neg());
            *linear = moving.linear(cpu, bytes, Access::Write)?;
            access::linear_check(cpu, bus, *linear, u64::from(bytes), Access::Write, self.user)?;
        }
        for (&value, &linear) in values.iter().zip(&at) {
            match bytes {
                2 => access::linear_write(cpu, bus, linear, self.user, (value as u16).to_le_bytes())?,
                4 => access::linear_write(cpu, bus, linear, self.user, (value as u32).to_le_bytes())?,
                _ => access::linear_write(cpu, bus, linear, self.user, value.to_le_bytes())?,
            }
        }
        self.rsp = moving.rsp;
        Ok(())
    }

    /// Pops a value of `bytes`.
    pub fn pop(&mut self, cpu: &mut Cpu, bus: &mut Bus, bytes: u8) -> Exec<u64> {
        let linear = self.linear(cpu, bytes, Access::Read)?;
        let value = match bytes {
            2 => u64::from(u16::from_le_bytes(access::linear_read(cpu, bus, linear, self.user)?)),
            4 => u64::from(u32::from_le_bytes(access::linear_read(cpu, bus, linear, self.user)?)),
            _ => u64::from_le_bytes(access::linear_read(cpu, bus, linear, self.user)?),
        };
        self.skip(u64::from(bytes));
        Ok(value)
    }
}
