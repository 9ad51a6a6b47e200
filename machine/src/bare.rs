//! A CPU with RAM and nothing else, for tests that want no PC: registers and RAM in, steps, registers and RAM out.
//!
//! [`Bare`] begins in one of three modes with code at [`CODE`], a stack below [`STACK`] and room for data at [`DATA`]; both
//! of its fields may be changed at will. A step is an instruction, or one iteration of a REP string instruction. What it
//! raises comes back as a value and is not delivered; [`crate::exception::raise`] delivers it. There are no interrupts.
//! The instruction tests of this crate are written with it.
//!
//! ```
//! use machine::bare::{Bare, DATA};
//! use machine::cpu::{flags, gpr};
//!
//! // add eax, [rdi] ; adc edx, 0
//! let code = [0x03, 0x07, 0x83, 0xd2, 0x00];
//! let mut bare = Bare::new(64, &code).with(gpr::RDI, DATA).with_memory(DATA, &u32::MAX.to_le_bytes());
//! bare.cpu.gpr[gpr::RAX] = 2;
//! bare.step().expect("DATA is mapped");
//! assert_eq!(bare.reg(gpr::RAX), 1);
//! assert!(bare.flag(flags::CF));
//! bare.step().expect("registers raise nothing");
//! assert_eq!(bare.reg(gpr::RDX), 1);
//!
//! // div ecx, by zero: the fault is a value, and nothing has changed.
//! let fault = Bare::new(32, &[0xf7, 0xf1]).fault();
//! assert_eq!((fault.vector, fault.error), (0, None));
//! ```

use crate::bus::Bus;
use crate::cpu::segment::{CS, Segment, attr};
use crate::cpu::{Cpu, cr0, cr4, efer, flags, gpr};
use crate::execute;
use crate::fault::{Exec, Fault, Trap};
use protocol::{Activity, CpuId};

/// Where the code under test is: offset and physical address.
pub const CODE: u64 = 0x8000;
/// Where the stack pointer starts.
pub const STACK: u64 = 0x7000;
/// Where data may be put.
pub const DATA: u64 = 0x9000;
/// Linear page that is not mapped in 64-bit mode.
pub const HOLE: u64 = 0x20_0000;

/// A CPU and its bus.
#[derive(Clone, Debug)]
pub struct Bare {
    /// All registers, the TLB among them. After a change of CR0, EFER, RFLAGS.VM or CS: [`Cpu::update_mode`].
    pub cpu: Cpu,
    /// RAM is [`Bus::ram`].
    pub bus: Bus,
}

impl Bare {
    /// 128 KiB of RAM, and a CPU in real mode (16), flat protected mode (32), or 64-bit mode with the first 2 MiB mapped to
    /// themselves (64); ring 0, SSE switched on, this code in memory.
    pub fn new(bits: u32, code: &[u8]) -> Self {
        let mut cpu = Cpu::power_on(CpuId(0), 0, true);
        let mut bus = Bus::new(0x2_0000);
        cpu.activity = Activity::Running;
        cpu.gpr = [0; 16];
        let data = attr::P | attr::S | attr::WRITABLE | attr::ACCESSED;
        let flat = Segment { selector: 0x10, attributes: data | attr::DB | attr::G, limit: u32::MAX, base: 0 };
        let real = Segment { selector: 0, attributes: data, limit: 0xffff, base: 0 };
        cpu.segments = [if bits == 16 { real } else { flat }; 6];
        if bits != 16 {
            let size = if bits == 64 { attr::L } else { attr::DB };
            cpu.segments[CS] = Segment { selector: 8, attributes: data | attr::CODE | size | attr::G, ..flat };
            cpu.cr0 |= cr0::PE;
        }
        cpu.cr4 |= cr4::OSFXSR;
        if bits == 64 {
            bus.ram.write(0x1000, 0x2003u64.to_le_bytes());
            bus.ram.write(0x2000, 0x3003u64.to_le_bytes());
            bus.ram.write(0x3000, 0x83u64.to_le_bytes());
            cpu.cr3 = 0x1000;
            cpu.cr4 |= cr4::PAE;
            cpu.efer |= efer::LME | efer::LMA;
            cpu.cr0 |= cr0::PG | cr0::WP;
        }
        cpu.update_mode();
        cpu.rflags = flags::RESERVED_ONE;
        cpu.rip = CODE;
        cpu.gpr[gpr::RSP] = STACK;
        bus.ram.write_slice(CODE, code);
        Self { cpu, bus }
    }

    /// The same in ring 3 (protected and 64-bit mode).
    pub fn ring3(bits: u32, code: &[u8]) -> Self {
        let mut bare = Self::new(bits, code);
        for segment in &mut bare.cpu.segments {
            segment.attributes |= 3 << attr::DPL_SHIFT;
            segment.selector |= 3;
        }
        for entry in [0x1000, 0x2000, 0x3000] {
            if let Some([low]) = bare.bus.ram.read(entry).filter(|_| bits == 64) {
                bare.bus.ram.write(entry, [low | 4]);
            }
        }
        bare.cpu.update_mode();
        bare
    }

    /// Sets a register first.
    pub fn with(mut self, reg: usize, value: u64) -> Self {
        self.cpu.gpr[reg] = value;
        self
    }

    /// Puts bytes into memory first.
    pub fn with_memory(mut self, physical: u64, bytes: &[u8]) -> Self {
        self.bus.ram.write_slice(physical, bytes);
        self
    }

    /// Sets flags first.
    pub fn with_flags(mut self, flags: u64) -> Self {
        self.cpu.rflags |= flags;
        self
    }

    /// One step.
    ///
    /// # Errors
    /// The fault that the instruction raises, with nothing changed; a trap, after it; or what this machine lacks.
    pub fn step(&mut self) -> Exec<()> {
        execute::step_instruction(&mut self.cpu, &mut self.bus)
    }

    /// Steps that must succeed.
    ///
    /// # Panics
    /// One of them raises something.
    #[track_caller]
    pub fn run(mut self, steps: usize) -> Self {
        for index in 0..steps {
            let at = self.cpu.rip;
            if let Err(trap) = self.step() {
                panic!("step {index} at {at:x}: {trap:?}");
            }
        }
        self
    }

    /// One step that must fault and leave the registers as they were.
    ///
    /// # Panics
    /// It does not.
    #[track_caller]
    pub fn fault(mut self) -> Fault {
        let before = self.cpu.clone();
        let trap = self.step().expect_err("a fault");
        assert_eq!(
            (self.cpu.gpr, self.cpu.rip, self.cpu.rflags, self.cpu.xmm, self.cpu.segments),
            (before.gpr, before.rip, before.rflags, before.xmm, before.segments)
        );
        match trap {
            Trap::Fault(fault) => *fault,
            Trap::Unsupported(what) => panic!("unsupported: {what}"),
        }
    }

    /// Bytes of memory.
    ///
    /// # Panics
    /// They are not all in RAM.
    pub fn memory<const N: usize>(&self, physical: u64) -> [u8; N] {
        self.bus.ram.read(physical).expect("in RAM")
    }

    /// A general register.
    pub fn reg(&self, reg: usize) -> u64 {
        self.cpu.gpr[reg]
    }

    /// A flag.
    pub fn flag(&self, flag: u64) -> bool {
        self.cpu.rflags & flag != 0
    }
}
