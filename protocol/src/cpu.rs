//! The architectural state of one CPU as it is sent to a debugger.

use crate::addr::{CpuId, LinearAddr, SegOff};
use crate::mode::{Activity, Mode};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Order of [`CpuState::gpr`]: the encoding order of the architecture (SDM 2A 2.1.5).
pub const GPR_NAMES: [&str; 16] =
    ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

/// Order of [`CpuState::segments`]: the encoding order of the segment registers, then the two system segments.
pub const SEGMENT_NAMES: [&str; 8] = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"];

/// Index of CS in [`CpuState::segments`].
pub const CS: usize = 1;
/// Index of SS in [`CpuState::segments`].
pub const SS: usize = 2;

/// One segment register: the visible selector and the hidden part that the CPU really uses (SDM 3A 3.4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentReg {
    /// Visible part.
    pub selector: u16,
    /// Hidden: base, a linear address.
    pub base: u64,
    /// Hidden: limit in bytes, granularity already applied.
    pub limit: u32,
    /// Hidden: access rights as in a descriptor's bytes 5 and 6: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15.
    /// Bit 16 set: unusable (null selector in protected or long mode).
    pub attributes: u32,
}

impl SegmentReg {
    /// CS.L: 64-bit code.
    pub const ATTR_L: u32 = 1 << 13;
    /// CS.D or SS.B: 32-bit default size.
    pub const ATTR_DB: u32 = 1 << 14;
    /// Descriptor present.
    pub const ATTR_P: u32 = 1 << 7;
    /// Code or data (not system).
    pub const ATTR_S: u32 = 1 << 4;
    /// Granularity: the descriptor's limit counted 4 KiB pages.
    pub const ATTR_G: u32 = 1 << 15;
    /// The register was loaded with a null selector.
    pub const ATTR_UNUSABLE: u32 = 1 << 16;
}

/// GDTR or IDTR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReg {
    /// Linear address of the table.
    pub base: u64,
    /// Offset of its last byte.
    pub limit: u16,
}

/// Everything a debugger shows of one CPU. All numbers are architectural; nothing is derived but `mode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuState {
    /// Index in the machine.
    pub cpu: CpuId,
    /// Address on the APIC bus.
    pub apic_id: u32,
    /// What it is doing.
    pub activity: Activity,
    /// How it decodes and translates.
    pub mode: Mode,
    /// What its next step takes in instead of executing an instruction. A waiting CPU that has something steps.
    pub due: Option<Due>,
    /// Steps this CPU has made since power-on.
    pub steps: u64,
    /// General registers in encoding order, see [`GPR_NAMES`].
    pub gpr: [u64; 16],
    /// Instruction pointer: the offset in CS, not the linear address.
    pub ip: u64,
    /// RFLAGS.
    pub rflags: u64,
    /// Segment registers, see [`SEGMENT_NAMES`].
    pub segments: [SegmentReg; 8],
    /// Global descriptor table register.
    pub gdtr: TableReg,
    /// Interrupt descriptor table register.
    pub idtr: TableReg,
    /// CR0.
    pub cr0: u64,
    /// CR2: linear address of the last page fault.
    pub cr2: u64,
    /// CR3: physical address of the page-table root and its flags.
    pub cr3: u64,
    /// CR4.
    pub cr4: u64,
    /// CR8: task priority.
    pub cr8: u64,
    /// EFER (MSR C0000080h).
    pub efer: u64,
    /// IA32_APIC_BASE (MSR 1Bh).
    pub apic_base: u64,
    /// IA32_KERNEL_GS_BASE (MSR C0000102h).
    pub kernel_gs_base: u64,
    /// DR0 to DR3, DR6, DR7.
    pub dr: [u64; 6],
    /// XMM0 to XMM15.
    pub xmm: [u128; 16],
    /// MXCSR.
    pub mxcsr: u32,
    /// The local APIC's registers that a reader asks for.
    pub lapic: LapicState,
    /// Other model-specific registers that exist, by number, ascending.
    pub msrs: Vec<(u32, u64)>,
}

/// The local APIC of one CPU (SDM 3A, APIC chapter). Bitmaps are 256 bits, word 0 holds vectors 0 to 63.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LapicState {
    /// Spurious-interrupt vector register; bit 8 is the software enable.
    pub svr: u32,
    /// Task priority register.
    pub tpr: u32,
    /// Interrupt command register: destination 63:32, command 31:0.
    pub icr: u64,
    /// Error status register.
    pub esr: u32,
    /// Timer local vector table entry.
    pub lvt_timer: u32,
    /// Timer initial count.
    pub timer_initial: u32,
    /// Timer current count.
    pub timer_current: u32,
    /// In-service register.
    pub isr: [u64; 4],
    /// Interrupt request register.
    pub irr: [u64; 4],
}

/// A signal that has arrived and is taken at the CPU's next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Due {
    /// INIT: the CPU is reset.
    Init,
    /// A start-up IPI with its vector.
    Sipi(u8),
    /// A non-maskable interrupt.
    Nmi,
    /// An interrupt with its vector, and interrupts are enabled.
    Interrupt(u8),
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init => write!(f, "INIT"),
            Self::Sipi(vector) => write!(f, "SIPI {vector:02X}"),
            Self::Nmi => write!(f, "NMI"),
            Self::Interrupt(vector) => write!(f, "interrupt {vector:02X}"),
        }
    }
}

impl CpuState {
    /// Linear address of the next instruction: CS.base + IP, wrapped to 32 bits outside 64-bit mode.
    pub fn linear_pc(&self) -> LinearAddr {
        let linear = self.segments[CS].base.wrapping_add(self.ip);
        if self.mode == Mode::Long { LinearAddr(self.ip) } else { LinearAddr(linear & 0xffff_ffff) }
    }

    /// CS:IP as the CPU names its next instruction.
    pub fn cs_ip(&self) -> SegOff {
        SegOff { selector: self.segments[CS].selector, offset: self.ip }
    }

    /// Physical address of the page-table root, or None while paging is off.
    pub fn page_table_root(&self) -> Option<crate::PhysAddr> {
        const CR0_PG: u64 = 1 << 31;
        (self.cr0 & CR0_PG != 0).then_some(crate::PhysAddr(self.cr3 & 0x000f_ffff_ffff_f000))
    }
}
