//! The state of a CPU after power-on and INIT, and where a start-up IPI lets it begin (SDM 3A, "Processor State After
//! Reset" and "MP Initialization Protocol"). Called by [`crate::exception`] (INIT, SIPI) and by whoever builds a machine.

use super::segment::{self, Segment, TableRegister, attr};
use super::{Cpu, Msrs, Pending, Quirks, X87, flags, gpr};
use crate::device::lapic::Lapic;
use crate::execute::cpuid;
use crate::execute::msr::MISC_NO_BTS_NO_PEBS;
use crate::execute::sse::xsave::XCR0_X87;
use crate::mmu::tlb::Tlb;
use crate::random::SplitMix64;
use protocol::{Activity, CpuId, Mode};

/// CR0 after reset and INIT: caches off (CD, NW), ET.
const RESET_CR0: u64 = 0x6000_0010;
/// DR0 to DR3, DR6, DR7 after reset and INIT.
const RESET_DR: [u64; 6] = [0, 0, 0, 0, 0xffff_0ff0, 0x400];
/// IA32_PAT after reset: WB, WT, UC-, UC, twice.
const RESET_PAT: u64 = 0x0007_0406_0007_0406;
/// IA32_MISC_ENABLE after reset: fast strings; no branch trace store, no PEBS.
const RESET_MISC_ENABLE: u64 = 1 | MISC_NO_BTS_NO_PEBS;
/// MXCSR after reset: all exceptions masked.
const RESET_MXCSR: u32 = 0x1f80;
/// Data and, after reset, also code: present, read/write, accessed.
const READ_WRITE: u32 = attr::P | attr::S | attr::WRITABLE | attr::ACCESSED;
/// LDTR: a present LDT.
const LDT: u32 = attr::P | 0x2;
/// TR: a present, busy 32-bit TSS.
const BUSY_TSS: u32 = attr::P | 0xb;

impl Cpu {
    /// A CPU as power comes on. The bootstrap processor runs at the reset vector; the others wait for a start-up IPI,
    /// as the MP initialization protocol leaves them.
    pub fn power_on(id: CpuId, apic_id: u32, is_bsp: bool) -> Self {
        let mut cpu = Self {
            id,
            activity: Activity::Running,
            gpr: [0; 16],
            rip: 0,
            rflags: flags::RESERVED_ONE,
            segments: [Segment::default(); 6],
            ldtr: Segment::default(),
            tr: Segment::default(),
            gdtr: TableRegister::default(),
            idtr: TableRegister::default(),
            cr0: RESET_CR0,
            cr2: 0,
            cr3: 0,
            cr4: 0,
            efer: 0,
            pdptes: [0; 4],
            dr: RESET_DR,
            msr: Msrs { pat: RESET_PAT, misc_enable: RESET_MISC_ENABLE, ..Msrs::default() },
            xmm: [0; 16],
            mxcsr: RESET_MXCSR,
            pkru: 0,
            xcr0: XCR0_X87,
            x87: X87::default(),
            lapic: Lapic::new(apic_id, is_bsp),
            tlb: Tlb::default(),
            random: SplitMix64::default(),
            pending: Pending::default(),
            interrupt_shadow: false,
            debug_held: 0,
            nmi_blocked: false,
            mode: Mode::Real,
            is_bsp,
            quirks: Quirks::default(),
            init_until_ns: 0,
            steps: 0,
        };
        cpu.init_reset();
        cpu
    }

    /// What INIT does: registers as after reset; MSRs (but EFER), x87 and SSE state and the APIC's base and ID stay. The
    /// bootstrap processor starts at the reset vector, the others wait for a start-up IPI.
    ///
    /// Where Intel's tables and AMD's differ, see docs/QUIRKS.md, "INIT".
    pub fn init_reset(&mut self) {
        let data = Segment { selector: 0, attributes: READ_WRITE, limit: 0xffff, base: 0 };
        self.gpr = [0; 16];
        self.gpr[gpr::RDX] = u64::from(cpuid::SIGNATURE);
        self.rip = 0xfff0;
        self.rflags = flags::RESERVED_ONE;
        self.segments = [data; 6];
        self.segments[segment::CS] = Segment { selector: 0xf000, base: 0xffff_0000, ..data };
        self.ldtr = Segment { attributes: LDT, ..data };
        self.tr = Segment { attributes: BUSY_TSS, ..data };
        self.gdtr = TableRegister { base: 0, limit: 0xffff };
        self.idtr = TableRegister { base: 0, limit: 0xffff };
        self.cr0 = RESET_CR0;
        self.cr2 = 0;
        self.cr3 = 0;
        self.cr4 = 0;
        self.efer = 0;
        self.pdptes = [0; 4];
        self.dr = RESET_DR;
        self.tlb = Tlb::default();
        self.lapic.init();
        // A start-up IPI that came after the INIT is kept: it is taken next.
        self.pending = Pending { sipi: self.pending.sipi, ..Pending::default() };
        self.interrupt_shadow = false;
        self.debug_held = 0;
        self.nmi_blocked = false;
        self.activity = if self.is_bsp { Activity::Running } else { Activity::WaitForSipi };
        self.update_mode();
    }

    /// What a start-up IPI does: vector VV starts the CPU at VV00:0000, linear VV000h.
    pub fn start_up(&mut self, vector: u8) {
        let cs = &mut self.segments[segment::CS];
        cs.selector = u16::from(vector) << 8;
        cs.base = u64::from(vector) << 12;
        self.rip = 0;
        self.activity = Activity::Running;
    }
}
