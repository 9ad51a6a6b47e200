//! The architectural state of one CPU. `mode` is derived, `tlb` and `lapic` are state, `derived` is neither hashed nor
//! compared and may be thrown away at any time.
//!
//! Written by [`crate::execute`], [`crate::exception`] and the debugger's edits; read by all.

pub mod mtrr;
pub mod reset;
pub mod segment;
pub mod x87;

use crate::device::lapic::Lapic;
use crate::mmu::keys::Keys;
use protocol::{Activity, CpuId, Mode};
use segment::{Segment, TableRegister};
pub use x87::X87;

/// Indices into [`Cpu::gpr`], the architecture's encoding order.
pub mod gpr {
    /// RAX.
    pub const RAX: usize = 0;
    /// RCX.
    pub const RCX: usize = 1;
    /// RDX.
    pub const RDX: usize = 2;
    /// RBX.
    pub const RBX: usize = 3;
    /// RSP.
    pub const RSP: usize = 4;
    /// RBP.
    pub const RBP: usize = 5;
    /// RSI.
    pub const RSI: usize = 6;
    /// RDI.
    pub const RDI: usize = 7;
}

/// RFLAGS bits (SDM 1, "EFLAGS Register").
pub mod flags {
    /// Carry.
    pub const CF: u64 = 1 << 0;
    /// Always 1.
    pub const RESERVED_ONE: u64 = 1 << 1;
    /// Parity of the low byte.
    pub const PF: u64 = 1 << 2;
    /// Auxiliary carry.
    pub const AF: u64 = 1 << 4;
    /// Zero.
    pub const ZF: u64 = 1 << 6;
    /// Sign.
    pub const SF: u64 = 1 << 7;
    /// Trap: #DB after each instruction.
    pub const TF: u64 = 1 << 8;
    /// Interrupts enabled.
    pub const IF: u64 = 1 << 9;
    /// Direction of string instructions: 1 = down.
    pub const DF: u64 = 1 << 10;
    /// Overflow.
    pub const OF: u64 = 1 << 11;
    /// I/O privilege level.
    pub const IOPL: u64 = 3 << 12;
    /// Nested task.
    pub const NT: u64 = 1 << 14;
    /// Resume.
    pub const RF: u64 = 1 << 16;
    /// Virtual-8086 mode.
    pub const VM: u64 = 1 << 17;
    /// Alignment check, and access control for SMAP.
    pub const AC: u64 = 1 << 18;
    /// Virtual interrupt flag.
    pub const VIF: u64 = 1 << 19;
    /// Virtual interrupt pending.
    pub const VIP: u64 = 1 << 20;
    /// CPUID can be used.
    pub const ID: u64 = 1 << 21;
    /// The six that arithmetic changes.
    pub const STATUS: u64 = CF | PF | AF | ZF | SF | OF;
}

/// CR0 bits (SDM 3A, "Control Registers").
pub mod cr0 {
    /// Protection enable.
    pub const PE: u64 = 1 << 0;
    /// Monitor coprocessor.
    pub const MP: u64 = 1 << 1;
    /// Emulation.
    pub const EM: u64 = 1 << 2;
    /// Task switched.
    pub const TS: u64 = 1 << 3;
    /// Extension type, always 1.
    pub const ET: u64 = 1 << 4;
    /// Numeric error.
    pub const NE: u64 = 1 << 5;
    /// Write protect.
    pub const WP: u64 = 1 << 16;
    /// Alignment mask.
    pub const AM: u64 = 1 << 18;
    /// Not write-through.
    pub const NW: u64 = 1 << 29;
    /// Cache disable.
    pub const CD: u64 = 1 << 30;
    /// Paging.
    pub const PG: u64 = 1 << 31;
}

/// CR4 bits (SDM 3A, "Control Registers").
pub mod cr4 {
    /// Virtual-8086 extensions.
    pub const VME: u64 = 1 << 0;
    /// Protected-mode virtual interrupts.
    pub const PVI: u64 = 1 << 1;
    /// RDTSC only in ring 0.
    pub const TSD: u64 = 1 << 2;
    /// Debugging extensions.
    pub const DE: u64 = 1 << 3;
    /// 4 MiB pages.
    pub const PSE: u64 = 1 << 4;
    /// Physical-address extension.
    pub const PAE: u64 = 1 << 5;
    /// Machine-check enable.
    pub const MCE: u64 = 1 << 6;
    /// Global pages.
    pub const PGE: u64 = 1 << 7;
    /// RDPMC in any ring.
    pub const PCE: u64 = 1 << 8;
    /// FXSAVE and SSE.
    pub const OSFXSR: u64 = 1 << 9;
    /// SIMD floating-point exceptions.
    pub const OSXMMEXCPT: u64 = 1 << 10;
    /// SGDT, SIDT, SLDT, SMSW, STR only in ring 0.
    pub const UMIP: u64 = 1 << 11;
    /// 57-bit linear addresses.
    pub const LA57: u64 = 1 << 12;
    /// RDFSBASE and friends.
    pub const FSGSBASE: u64 = 1 << 16;
    /// Process-context identifiers.
    pub const PCIDE: u64 = 1 << 17;
    /// XSAVE.
    pub const OSXSAVE: u64 = 1 << 18;
    /// Supervisor-mode execution prevention.
    pub const SMEP: u64 = 1 << 20;
    /// Supervisor-mode access prevention.
    pub const SMAP: u64 = 1 << 21;
    /// Protection keys for user pages.
    pub const PKE: u64 = 1 << 22;
    /// Protection keys for supervisor pages.
    pub const PKS: u64 = 1 << 24;
}

/// EFER bits (SDM 3A, "Extended Feature Enable Register").
pub mod efer {
    /// SYSCALL enable.
    pub const SCE: u64 = 1 << 0;
    /// Long mode enable.
    pub const LME: u64 = 1 << 8;
    /// Long mode active, set by the processor.
    pub const LMA: u64 = 1 << 10;
    /// Execute-disable enable.
    pub const NXE: u64 = 1 << 11;
}

/// One CPU.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// Index in the machine.
    pub id: CpuId,
    /// What it is doing. Never `Held`: that is the schedule's.
    pub activity: Activity,
    /// General registers, see [`gpr`].
    pub gpr: [u64; 16],
    /// Instruction pointer, offset in CS.
    pub rip: u64,
    /// RFLAGS, bit 1 always set.
    pub rflags: u64,
    /// ES, CS, SS, DS, FS, GS: selector and hidden part. FS and GS base are the FS_BASE and GS_BASE MSRs.
    pub segments: [Segment; 6],
    /// Local descriptor table register.
    pub ldtr: Segment,
    /// Task register.
    pub tr: Segment,
    /// Global descriptor table register.
    pub gdtr: TableRegister,
    /// Interrupt descriptor table register.
    pub idtr: TableRegister,
    /// CR0.
    pub cr0: u64,
    /// CR2.
    pub cr2: u64,
    /// CR3.
    pub cr3: u64,
    /// CR4.
    pub cr4: u64,
    /// EFER.
    pub efer: u64,
    /// The four PDPTEs of PAE paging: registers, loaded by MOV to CR3, CR0 and CR4 (SDM 3A, "PDPTE Registers").
    pub pdptes: [u64; 4],
    /// DR0 to DR3, DR6, DR7.
    pub dr: [u64; 6],
    /// Model-specific registers other than EFER, APIC base, FS and GS base.
    pub msr: Msrs,
    /// XMM0 to XMM15.
    pub xmm: [u128; 16],
    /// SSE control and status.
    pub mxcsr: u32,
    /// PKRU: what protection keys forbid for user pages.
    pub pkru: u32,
    /// XCR0: which state components XSAVE and XRSTOR handle.
    pub xcr0: u64,
    /// The x87, MMX registers in it.
    pub x87: X87,
    /// The local APIC.
    pub lapic: Lapic,
    /// The architectural TLB.
    pub tlb: crate::mmu::tlb::Tlb,
    /// What RDRAND and RDSEED draw from.
    pub random: crate::random::SplitMix64,
    /// Signals that wait for acceptance.
    pub pending: Pending,
    /// MOV SS, POP SS and STI hold interrupts back for one instruction.
    pub interrupt_shadow: bool,
    /// What MOV SS and POP SS hold back of the guest's breakpoints, see [`crate::execute::debug`].
    pub debug_held: u8,
    /// An NMI is being handled: others wait for IRET.
    pub nmi_blocked: bool,
    /// Cached [`Mode`], kept by [`Cpu::update_mode`] whenever CR0, EFER, RFLAGS.VM or CS change.
    mode: Mode,
    /// This is the bootstrap processor: INIT restarts it at the reset vector.
    pub is_bsp: bool,
    /// How it differs from the usual one.
    pub quirks: Quirks,
    /// Clock up to which no SIPI is accepted, since the last INIT is not finished. 0 without [`Quirks::init_ns`].
    pub init_until_ns: u64,
    /// Steps made since power-on.
    pub steps: u64,
}

/// What is not as usual with a CPU: configuration, which nothing in the machine changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// WRMSR that sets EFER.LMA where it is 0 is #GP(0).
    pub efer_lma_gp: bool,
    /// It has no NX: CPUID does not tell it, and EFER.NXE is reserved.
    pub no_nx: bool,
    /// It has no x2APIC mode: CPUID does not tell it, and IA32_APIC_BASE's EXTD is refused.
    pub no_x2apic: bool,
    /// How long an INIT takes, in nanoseconds. 0: no time.
    pub init_ns: u32,
}

/// Model-specific registers that have plain storage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Msrs {
    /// IA32_KERNEL_GS_BASE.
    pub kernel_gs_base: u64,
    /// IA32_STAR.
    pub star: u64,
    /// IA32_LSTAR.
    pub lstar: u64,
    /// IA32_CSTAR.
    pub cstar: u64,
    /// IA32_FMASK.
    pub sfmask: u64,
    /// IA32_TSC_AUX.
    pub tsc_aux: u64,
    /// Difference between this CPU's time-stamp counter and the machine's clock.
    pub tsc_offset: u64,
    /// IA32_TSC_ADJUST: the sum of what software added to the time-stamp counter.
    pub tsc_adjust: u64,
    /// IA32_MCG_STATUS.
    pub mcg_status: u64,
    /// IA32_SYSENTER_CS.
    pub sysenter_cs: u64,
    /// IA32_SYSENTER_ESP.
    pub sysenter_esp: u64,
    /// IA32_SYSENTER_EIP.
    pub sysenter_eip: u64,
    /// IA32_MISC_ENABLE.
    pub misc_enable: u64,
    /// IA32_PAT.
    pub pat: u64,
    /// IA32_PKRS: what protection keys forbid for supervisor pages.
    pub pkrs: u32,
    /// The memory type range registers.
    pub mtrrs: mtrr::Mtrrs,
}

/// Signals that a CPU takes between two instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// INIT arrived.
    pub init: bool,
    /// A start-up IPI arrived while waiting for one (or with INIT still to be taken); its vector.
    pub sipi: Option<u8>,
    /// A non-maskable interrupt arrived.
    pub nmi: bool,
    /// The 8259 pair asks for an interrupt; the vector that it would give now.
    pub extint: Option<u8>,
}

impl Pending {
    /// Anything that [`crate::exception::service_pending`] must look at.
    pub fn any(self) -> bool {
        self.init || self.sipi.is_some() || self.nmi || self.extint.is_some()
    }
}

impl Cpu {
    /// The operating mode.
    #[inline]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Derives the mode again; to be called after each change of CR0.PE, EFER.LMA, RFLAGS.VM or CS (SDM 3A 2.2).
    pub fn update_mode(&mut self) {
        let cs = &self.segments[segment::CS];
        self.mode = if self.cr0 & cr0::PE == 0 {
            Mode::Real
        } else if self.efer & efer::LMA != 0 {
            if cs.is_long() { Mode::Long } else { Mode::Compat }
        } else if self.rflags & flags::VM != 0 {
            Mode::V86
        } else if cs.is_big() {
            Mode::Protected32
        } else {
            Mode::Protected16
        };
    }

    /// To be called after each change of PKRU, IA32_PKRS, CR4.PKE, CR4.PKS and EFER.LMA.
    pub fn update_keys(&mut self) {
        self.tlb.set_keys(Keys::of(self));
    }

    /// Current privilege level: CS's in protected mode is SS.DPL's twin; 0 in real mode, 3 in virtual-8086 mode.
    #[inline]
    pub fn cpl(&self) -> u8 {
        match self.mode {
            Mode::Real => 0,
            Mode::V86 => 3,
            _ => self.segments[segment::SS].dpl(),
        }
    }

    /// Linear address of the next instruction.
    #[inline]
    pub fn linear_pc(&self) -> u64 {
        if self.mode == Mode::Long {
            self.rip
        } else {
            self.segments[segment::CS].base.wrapping_add(self.rip) & 0xffff_ffff
        }
    }
}
