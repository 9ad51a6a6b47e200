//! The one register layout that gdb sees in every mode: number, name, size, and where the value is in a [`Cpu`].
//!
//! Numbers 0 to 65 are QEMU's for x86-64, so that scripts and tools made for it work here. From 66 on it is our own
//! feature: what gdb has no name for. `rip` is the linear address CS.base + IP, see [`crate::gdb`].

use crate::cpu::Cpu;
use crate::cpu::segment::{self, Segment};
use protocol::{Activity, Mode};

/// gdb's order of the general registers, as indices into [`Cpu::gpr`]: RBX and RSP..RDI differ from the encoding order.
const GPR_ORDER: [usize; 16] = [0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15];
const GPR_NAMES: [&str; 16] =
    ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];
/// gdb's order of the segment registers, as indices into [`Cpu::segments`].
const SEGMENT_ORDER: [usize; 6] = [segment::CS, segment::SS, segment::DS, segment::ES, segment::FS, segment::GS];
const SEGMENT_NAMES: [&str; 6] = ["cs", "ss", "ds", "es", "fs", "gs"];

/// First number of our own feature.
pub const SYSTEM_FIRST: usize = 66;

/// Which part of the target description a register stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// org.gnu.gdb.i386.core
    Core,
    /// org.gnu.gdb.i386.segments
    SegmentBases,
    /// org.gnu.gdb.i386.sse
    Sse,
    /// org.firstlight.control: what QEMU has in its core feature and gdb has no feature for.
    Control,
    /// org.firstlight.system
    System,
}

/// What a register number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// Index into [`Cpu::gpr`].
    Gpr(usize),
    /// Linear address of the next instruction.
    Rip,
    /// RFLAGS, low half.
    Eflags,
    /// Selector of [`Cpu::segments`].
    Selector(usize),
    /// Base of FS or GS.
    Base(usize),
    /// IA32_KERNEL_GS_BASE.
    KernelGsBase,
    /// CR0, 2, 3, 4, 8.
    Cr(u8),
    /// EFER.
    Efer,
    /// x87 register.
    St(usize),
    /// x87 control, status, tags, FCS, FIP, FDS, FDP, FOP; the pointers' low halves.
    Fpu(usize),
    /// SSE register.
    Xmm(usize),
    /// SSE control and status.
    Mxcsr,
    /// IP as the architecture has it: the offset in CS.
    Ip,
    /// [`Mode`] as a number.
    Mode,
    /// [`Activity`] as a number.
    Activity,
    /// Base, limit, attributes of a segment: index into es, cs, ss, ds, fs, gs, ldtr, tr.
    Hidden(usize, Hidden),
    /// Selector of LDTR (6) or TR (7).
    SystemSelector(usize),
    /// GDTR or IDTR.
    TableBase(Table),
    /// GDTR or IDTR.
    TableLimit(Table),
    /// IA32_APIC_BASE.
    ApicBase,
    /// DR0 to DR3, DR6, DR7 by index.
    Dr(usize),
    /// Steps made since power-on.
    Steps,
}

/// Fields of a segment register's hidden part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// Linear base.
    Base,
    /// Limit in bytes.
    Limit,
    /// Access rights.
    Attributes,
}

/// Descriptor-table registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// GDTR.
    Gdtr,
    /// IDTR.
    Idtr,
}

/// A row of the layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// gdb's name, also the name that an edit takes.
    pub name: String,
    /// What it is.
    pub register: Register,
    /// Size in bytes.
    pub bytes: usize,
    /// gdb's type.
    pub kind: &'static str,
    /// Where in the description.
    pub feature: Feature,
}

/// The whole layout; a row's index is the register's number.
pub fn layout() -> &'static [Row] {
    static LAYOUT: std::sync::OnceLock<Vec<Row>> = std::sync::OnceLock::new();
    LAYOUT.get_or_init(build)
}

fn build() -> Vec<Row> {
    use Feature::{Control, Core, SegmentBases, Sse, System};
    let mut rows = Vec::new();
    let mut add = |name: &str, register, bytes, kind, feature| {
        rows.push(Row { name: name.to_owned(), register, bytes, kind, feature });
    };
    for (name, index) in GPR_NAMES.into_iter().zip(GPR_ORDER) {
        let kind = if matches!(name, "rbp" | "rsp") { "data_ptr" } else { "int64" };
        add(name, Register::Gpr(index), 8, kind, Core);
    }
    add("rip", Register::Rip, 8, "code_ptr", Core);
    add("eflags", Register::Eflags, 4, "fl_eflags", Core);
    for (name, index) in SEGMENT_NAMES.into_iter().zip(SEGMENT_ORDER) {
        add(name, Register::Selector(index), 4, "int32", Core);
    }
    add("fs_base", Register::Base(segment::FS), 8, "int", SegmentBases);
    add("gs_base", Register::Base(segment::GS), 8, "int", SegmentBases);
    add("k_gs_base", Register::KernelGsBase, 8, "int64", Control);
    for (name, number, kind) in
        [("cr0", 0, "fl_cr0"), ("cr2", 2, "int64"), ("cr3", 3, "int64"), ("cr4", 4, "fl_cr4"), ("cr8", 8, "int64")]
    {
        add(name, Register::Cr(number), 8, kind, Control);
    }
    add("efer", Register::Efer, 8, "fl_efer", Control);
    for index in 0..8 {
        add(&format!("st{index}"), Register::St(index), 10, "i387_ext", Core);
    }
    for (index, name) in ["fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"].into_iter().enumerate() {
        add(name, Register::Fpu(index), 4, "int", Core);
    }
    for index in 0..16 {
        add(&format!("xmm{index}"), Register::Xmm(index), 16, "vec128", Sse);
    }
    add("mxcsr", Register::Mxcsr, 4, "fl_mxcsr", Sse);
    add("ip", Register::Ip, 8, "uint64", System);
    add("mode", Register::Mode, 4, "fl_mode", System);
    add("activity", Register::Activity, 4, "fl_activity", System);
    for (index, name) in protocol::cpu::SEGMENT_NAMES.into_iter().enumerate() {
        if index >= 6 {
            add(name, Register::SystemSelector(index), 4, "uint32", System);
        }
        // FS and GS base are above, under gdb's own names.
        if !matches!(index, segment::FS | segment::GS) {
            add(&format!("{name}_base"), Register::Hidden(index, Hidden::Base), 8, "uint64", System);
        }
        add(&format!("{name}_limit"), Register::Hidden(index, Hidden::Limit), 4, "uint32", System);
        add(&format!("{name}_attr"), Register::Hidden(index, Hidden::Attributes), 4, "uint32", System);
    }
    for (table, base, limit) in [(Table::Gdtr, "gdtr_base", "gdtr_limit"), (Table::Idtr, "idtr_base", "idtr_limit")] {
        add(base, Register::TableBase(table), 8, "uint64", System);
        add(limit, Register::TableLimit(table), 4, "uint32", System);
    }
    add("apic_base", Register::ApicBase, 8, "uint64", System);
    for (index, name) in ["dr0", "dr1", "dr2", "dr3", "dr6", "dr7"].into_iter().enumerate() {
        add(name, Register::Dr(index), 8, "uint64", System);
    }
    add("steps", Register::Steps, 8, "uint64", System);
    rows
}

impl Register {
    /// The value, little endian; the layout says how many bytes count. `apic_id` and the like are in `monitor cpus`.
    pub fn read(self, cpu: &Cpu) -> [u8; 16] {
        let value = match self {
            Self::Gpr(index) => cpu.gpr[index].into(),
            Self::Rip => cpu.linear_pc().into(),
            Self::Eflags => cpu.rflags.into(),
            Self::Selector(index) => cpu.segments[index].selector.into(),
            Self::Base(index) => cpu.segments[index].base.into(),
            Self::KernelGsBase => cpu.msr.kernel_gs_base.into(),
            Self::Cr(0) => cpu.cr0.into(),
            Self::Cr(2) => cpu.cr2.into(),
            Self::Cr(3) => cpu.cr3.into(),
            Self::Cr(4) => cpu.cr4.into(),
            Self::Cr(_) => cpu.lapic.cr8().into(),
            Self::Efer => cpu.efer.into(),
            Self::St(index) => cpu.x87.raw(index),
            Self::Fpu(0) => cpu.x87.fcw.into(),
            Self::Fpu(1) => cpu.x87.fsw.into(),
            Self::Fpu(2) => cpu.x87.tag_word().into(),
            Self::Fpu(3) => cpu.x87.fcs.into(),
            Self::Fpu(4) => u128::from(cpu.x87.fip as u32),
            Self::Fpu(5) => cpu.x87.fds.into(),
            Self::Fpu(6) => u128::from(cpu.x87.fdp as u32),
            Self::Fpu(_) => cpu.x87.fop.into(),
            Self::Xmm(index) => cpu.xmm[index],
            Self::Mxcsr => cpu.mxcsr.into(),
            Self::Ip => cpu.rip.into(),
            Self::Mode => mode_number(cpu.mode()).into(),
            Self::Activity => activity_number(cpu.activity).into(),
            Self::Hidden(index, Hidden::Base) => segment(cpu, index).base.into(),
            Self::Hidden(index, Hidden::Limit) => segment(cpu, index).limit.into(),
            Self::Hidden(index, Hidden::Attributes) => segment(cpu, index).attributes.into(),
            Self::SystemSelector(index) => segment(cpu, index).selector.into(),
            Self::TableBase(Table::Gdtr) => cpu.gdtr.base.into(),
            Self::TableBase(Table::Idtr) => cpu.idtr.base.into(),
            Self::TableLimit(Table::Gdtr) => cpu.gdtr.limit.into(),
            Self::TableLimit(Table::Idtr) => cpu.idtr.limit.into(),
            Self::ApicBase => cpu.lapic.base.into(),
            Self::Dr(index) => cpu.dr[index].into(),
            Self::Steps => u128::from(cpu.steps),
        };
        value.to_le_bytes()
    }
}

fn segment(cpu: &Cpu, index: usize) -> &Segment {
    match index {
        6 => &cpu.ldtr,
        7 => &cpu.tr,
        _ => &cpu.segments[index],
    }
}

/// Modes in the order of the description's enumeration.
pub const MODES: [Mode; 6] = [Mode::Real, Mode::Protected16, Mode::Protected32, Mode::V86, Mode::Compat, Mode::Long];

/// Activities in the order of the description's enumeration.
pub const ACTIVITIES: [Activity; 5] =
    [Activity::Running, Activity::Halted, Activity::WaitForSipi, Activity::Shutdown, Activity::Held];

fn mode_number(mode: Mode) -> u32 {
    MODES.iter().position(|&other| other == mode).map_or(u32::MAX, |index| index as u32)
}

fn activity_number(activity: Activity) -> u32 {
    ACTIVITIES.iter().position(|&other| other == activity).map_or(u32::MAX, |index| index as u32)
}
