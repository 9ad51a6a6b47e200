//! What reading a machine takes, so that the same functions read ours and one that is seen through a gdb server: physical
//! memory ([`PhysReader`]) and how a CPU decodes and translates ([`View`]).

use crate::bus::{self, Bus};
use crate::cpu::{Cpu, segment};
use crate::decode::code_bits;
use crate::mmu::walk::{self, Paging};
use protocol::cpu::{CS, SegmentReg};
use protocol::{CpuId, CpuState, Mode};

/// Physical memory, read without side effects.
pub trait PhysReader {
    /// Fills the buffer with the bytes from there on, as far as there is memory; how many.
    fn read(&self, paddr: u64, buffer: &mut [u8]) -> usize;

    /// 8 aligned bytes, as a walk reads them.
    fn word(&self, paddr: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        (self.read(paddr, &mut bytes) == 8).then(|| u64::from_le_bytes(bytes))
    }
}

impl PhysReader for Bus {
    fn read(&self, paddr: u64, buffer: &mut [u8]) -> usize {
        // What it does not have, it may have elsewhere: ROM is a copy of memory.
        let found = match self.ram.slice(paddr, buffer.len()) {
            [] => self.ram.slice(bus::seen_in_ram(paddr), buffer.len()),
            found => found,
        };
        buffer[..found.len()].copy_from_slice(found);
        found.len()
    }

    fn word(&self, paddr: u64) -> Option<u64> {
        self.ram.read(paddr).or_else(|| self.ram.read(bus::seen_in_ram(paddr))).map(u64::from_le_bytes)
    }
}

/// How a CPU decodes and translates.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Whose view it is, for messages.
    pub cpu: CpuId,
    /// How linear addresses are translated.
    pub paging: Paging,
    /// EFER.LMA: linear addresses have 64 bits.
    pub wide: bool,
    /// Code is 64-bit: CS has no base.
    pub long: bool,
    /// Where the code segment begins.
    pub cs_base: u64,
    /// 16, 32 or 64.
    pub code_bits: u32,
}

impl View {
    /// Of a CPU of this machine.
    pub fn of(cpu: &Cpu) -> Self {
        Self {
            cpu: cpu.id,
            paging: Paging::of(cpu),
            wide: cpu.efer & crate::cpu::efer::LMA != 0,
            long: cpu.mode() == Mode::Long,
            cs_base: cpu.segments[segment::CS].base,
            code_bits: code_bits(cpu),
        }
    }

    /// Of a CPU of which only the state is at hand. The PDPTE registers of PAE paging are not part of it: those in memory
    /// are read.
    pub fn of_state(state: &CpuState) -> Self {
        let cs = &state.segments[CS];
        let code_bits = match state.mode {
            Mode::Long => 64,
            Mode::Protected32 => 32,
            Mode::Compat if cs.attributes & SegmentReg::ATTR_DB != 0 => 32,
            _ => 16,
        };
        Self {
            cpu: state.cpu,
            paging: Paging { mode: walk::paging_mode(state.cr0, state.cr4, state.efer), root: state.cr3, pdptes: None },
            wide: state.efer & crate::cpu::efer::LMA != 0,
            long: state.mode == Mode::Long,
            cs_base: cs.base,
            code_bits,
        }
    }

    /// Offset in CS of a linear address.
    pub(super) fn offset_in_cs(&self, linear: u64) -> u64 {
        if self.long { linear } else { linear.wrapping_sub(self.cs_base) & 0xffff_ffff }
    }

    /// Linear address of an offset in CS.
    pub(super) fn linear_in_cs(&self, offset: u64) -> u64 {
        if self.long { offset } else { self.cs_base.wrapping_add(offset) & 0xffff_ffff }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::state_of;
    use crate::schedule::Schedule;

    /// Goal: the firmware's ROM at the end of 4 GiB is read by a debugger as by a CPU, up to its end, and not written by either.
    /// Method: bytes below 1 MiB, seen at both places; a write at the upper one.
    #[test]
    fn the_rom_is_seen_twice() {
        use crate::inspect::{edit, memory};
        use crate::machine::Machine;
        use protocol::PhysAddr;
        use protocol::request::{Edit, Place};
        let code: [u8; 16] = *b"the reset vector";
        let mut bus = Bus::new(2 << 20);
        bus.ram.write_slice(0xf_fff0, &code);
        let mut cpu = Cpu::power_on(CpuId(0), 0, true);
        assert_eq!(bus.read_phys::<16>(&mut cpu, 0xffff_fff0), code);
        bus.write_phys(&mut cpu, 0xffff_fff0, [0u8; 4]);
        let mut machine = Machine::new(vec![cpu], bus, Schedule::new(64, None));
        let read = |machine: &Machine, at, len| memory::read(machine, Place::Phys(PhysAddr(at)), len);
        assert_eq!(read(&machine, 0xffff_fff0, 16), (code.to_vec(), None));
        let (bytes, why) = read(&machine, 0xffff_fff8, 16);
        assert!(bytes == code[8..] && why.is_some_and(|why| why.contains("is not RAM")), "{bytes:x?}");
        assert_eq!(machine.bus().word(0xffff_fff8), Some(u64::from_le_bytes(*b"t vector")));
        let (bytes, why) = read(&machine, 0xfffe_fff8, 16);
        assert!(bytes.is_empty() && why.is_some(), "{bytes:x?}");
        let at = Place::Phys(PhysAddr(0xffff_fff0));
        let refused = edit::apply(&mut machine, &Edit::Memory { at, bytes: vec![0] });
        assert!(refused.is_err_and(|why| why.contains("is not RAM")));
    }

    /// Goal: a CPU is read the same by itself and by its state; method: in real mode with a base, and in 64-bit mode.
    #[test]
    fn views_agree() {
        use crate::cpu::{cr0, cr4, efer};
        use crate::machine::Machine;
        let mut real = Cpu::power_on(CpuId(0), 0, true);
        real.segments[segment::CS].base = 0x9_a000;
        let mut long = Cpu::power_on(CpuId(0), 0, true);
        (long.cr0, long.cr4, long.cr3) = (cr0::PE | cr0::PG, cr4::PAE, 0x1000);
        long.efer = efer::LME | efer::LMA;
        long.segments[segment::CS].attributes = segment::attr::L | segment::attr::P;
        for cpu in [real, long] {
            let machine = Machine::new(vec![cpu], Bus::new(1 << 20), Schedule::new(64, None));
            let cpu = &machine.cpus()[0];
            let (own, by_state) = (View::of(cpu), View::of_state(&state_of(&machine, cpu)));
            let words = |view: View| format!("{:?}", View { paging: Paging { pdptes: None, ..view.paging }, ..view });
            assert_eq!(words(own), words(by_state));
        }
    }
}
