//! One delivery: from a vector through IVT or IDT to the handler's first instruction, or to the fault on the way. A
//! delivery that faults has changed nothing.
//!
//! Sources: SDM 2A, "INT n/INTO/INT3/INT1", the operation section; SDM 3A, "Exception- or Interrupt-Handler Procedures",
//! "Interrupt Handling in IA-32e Mode", and for virtual-8086 mode "Handling Virtual-8086 Interrupts and Exceptions".

use crate::bus::Bus;
use crate::cpu::segment::{self, Segment, attr};
use crate::cpu::{Cpu, flags, gpr};
use crate::execute::debug_reg::DR7_GD;
use crate::execute::descriptor::{self, Descriptor, system};
use crate::execute::far_xfer::{check_offset, code_segment, simple_code};
use crate::execute::frame::Frame;
use crate::execute::segment_load;
use crate::execute::task::{self, How, Switch};
use crate::fault::{Exec, Fault, Trap, vector};
use crate::mmu::access;
use protocol::Mode;

/// Error code: the selector index is that of a gate in the IDT.
const ERROR_IDT: u32 = 1 << 1;
/// Error code: the fault came while an event was delivered that the program did not ask for.
const ERROR_EXT: u32 = 1 << 0;
/// Offset of IST1 in a 64-bit TSS.
const TSS64_IST1: u64 = 0x24;
/// Offset of RSP0 in a 64-bit TSS, and of ESP0 in a 32-bit one.
const TSS_SP0: u64 = 4;
/// Offset of SP0 in a 16-bit TSS.
const TSS16_SP0: u64 = 2;

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// INT n, INT3, INTO: the gate's DPL counts, faults have EXT clear. (INT1 is not of these.)
    Software,
    /// An exception; a trap's frame has RF clear.
    Exception {
        /// The instruction completed.
        is_trap: bool,
    },
    /// An interrupt or NMI.
    External,
}

/// What is delivered.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Vector.
    pub vector: u8,
    /// Error code to be pushed.
    pub error: Option<u32>,
    /// Where it comes from.
    pub source: Source,
}

impl Event {
    fn external_bit(&self) -> u32 {
        if self.source == Source::Software { 0 } else { ERROR_EXT }
    }

    /// Error code that names this event's gate.
    fn gate_error(&self) -> u32 {
        u32::from(self.vector) << 3 | ERROR_IDT | self.external_bit()
    }

    /// RFLAGS as the frame holds them: RF keeps the instruction's own breakpoints from hitting again after a fault.
    fn saved_flags(&self, rflags: u64) -> u64 {
        match self.source {
            Source::Exception { is_trap: false } => rflags | flags::RF,
            _ => rflags,
        }
    }

    #[cold]
    fn gate_fault(&self, why: &str) -> Trap {
        Fault::gp(self.gate_error(), format!("the gate of vector {}: {why}", self.vector)).into()
    }

    #[cold]
    fn no_gate(&self, cpu: &Cpu) -> Trap {
        let cause = format!("the IDT's limit is {:x}: no gate for vector {}", cpu.idtr.limit, self.vector);
        Fault::gp(self.gate_error(), cause).into()
    }
}

/// Delivers an event: the next instruction is the handler's first.
pub fn deliver(cpu: &mut Cpu, bus: &mut Bus, event: &Event) -> Exec<()> {
    if event.vector == vector::DEBUG && matches!(event.source, Source::Exception { .. }) {
        // The handler may use the debug registers.
        cpu.dr[5] &= !DR7_GD;
    }
    match cpu.mode() {
        Mode::Real => deliver_real(cpu, bus, event),
        Mode::V86 | Mode::Protected16 | Mode::Protected32 => deliver_protected(cpu, bus, event),
        Mode::Compat | Mode::Long => deliver_long(cpu, bus, event),
    }
}

/// Real mode: the interrupt vector table has four bytes for each vector, IP and CS.
fn deliver_real(cpu: &mut Cpu, bus: &mut Bus, event: &Event) -> Exec<()> {
    let offset = u64::from(event.vector) * 4;
    if offset + 3 > u64::from(cpu.idtr.limit) {
        return Err(event.no_gate(cpu));
    }
    let at = descriptor::table_address(cpu, cpu.idtr.base, offset);
    let [ip_low, ip_high, cs_low, cs_high] = access::linear_read(cpu, bus, at, false)?;
    let rip = u64::from(u16::from_le_bytes([ip_low, ip_high]));
    let cs = simple_code(cpu, u16::from_le_bytes([cs_low, cs_high]), rip)?;
    let mut frame = Frame::current(cpu);
    let values = [cpu.rflags, u64::from(cpu.segments[segment::CS].selector), cpu.rip];
    frame.push_all(cpu, bus, 2, &values)?;
    cpu.gpr[gpr::RSP] = frame.rsp();
    enter(cpu, cs, rip, flags::IF | flags::TF | flags::AC | flags::RF);
    Ok(())
}

/// Protected mode: a gate of 8 bytes, to the same ring or an inner one.
fn deliver_protected(cpu: &mut Cpu, bus: &mut Bus, event: &Event) -> Exec<()> {
    let offset = u64::from(event.vector) * 8;
    if offset + 7 > u64::from(cpu.idtr.limit) {
        return Err(event.no_gate(cpu));
    }
    let gate = read_gate(cpu, bus, offset)?;
    let is_wide = match gate.attributes() & 0x1f {
        system::INTERRUPT_GATE | system::TRAP_GATE => true,
        system::INTERRUPT_GATE16 | system::TRAP_GATE16 => false,
        system::TASK_GATE => {
            check_gate(cpu, event, &gate)?;
            let (saved_flags, external) = (event.saved_flags(cpu.rflags), event.external_bit());
            let switch = Switch { how: How::Nest, saved_flags, error: event.error, external };
            return task::through_gate(cpu, bus, &gate, &switch);
        }
        _ => return Err(event.gate_fault("it is not an interrupt, trap or task gate")),
    };
    check_gate(cpu, event, &gate)?;
    let ext = event.external_bit();
    let selector = gate.gate_selector();
    let (mut found, ring) = handler_segment(cpu, bus, selector, ext)?;
    let from_v86 = cpu.mode() == Mode::V86;
    if from_v86 && ring != 0 {
        let why = "a handler for virtual-8086 mode must be code that runs in ring 0";
        return Err(descriptor::selector_fault(vector::GENERAL_PROTECTION, selector, ext, why));
    }
    let cs = code_segment(cpu, bus, &mut found, selector & !3 | u16::from(ring), ext)?;
    let rip = if is_wide { gate.gate_offset() } else { gate.gate_offset() & 0xffff };
    check_offset(cpu, &cs, rip)?;

    let mut values = [0; 10];
    let mut count = 0;
    let mut push = |value: u64| {
        values[count] = value;
        count += 1;
    };
    let inner = if ring < cpu.cpl() { Some(tss_stack(cpu, bus, ring, ext)?) } else { None };
    let mut frame = match inner {
        Some((ss, rsp)) => {
            if from_v86 {
                for seg in [segment::GS, segment::FS, segment::DS, segment::ES] {
                    push(u64::from(cpu.segments[seg].selector));
                }
            }
            push(u64::from(cpu.segments[segment::SS].selector));
            push(cpu.gpr[gpr::RSP]);
            Frame::legacy(ss, rsp, ring).with_error(descriptor::error_code(ss.selector) | ext)
        }
        None => Frame::current(cpu).with_error(ext),
    };
    push(event.saved_flags(cpu.rflags));
    push(u64::from(cpu.segments[segment::CS].selector));
    push(cpu.rip);
    if let Some(error) = event.error {
        push(u64::from(error));
    }
    frame.push_all(cpu, bus, if is_wide { 4 } else { 2 }, &values[..count])?;
    if let Some((ss, _)) = inner {
        cpu.segments[segment::SS] = ss;
    }
    if from_v86 {
        for seg in [segment::ES, segment::DS, segment::FS, segment::GS] {
            cpu.segments[seg] = segment_load::null_segment(0, 0);
        }
    }
    cpu.gpr[gpr::RSP] = frame.rsp();
    enter(cpu, cs, rip, cleared_flags(&gate));
    Ok(())
}

/// IA-32e mode: a gate of 16 bytes to 64-bit code; SS:RSP is always pushed, on an aligned stack, which the interrupt
/// stack table may name.
fn deliver_long(cpu: &mut Cpu, bus: &mut Bus, event: &Event) -> Exec<()> {
    let offset = u64::from(event.vector) * 16;
    if offset + 15 > u64::from(cpu.idtr.limit) {
        return Err(event.no_gate(cpu));
    }
    let mut gate = read_gate(cpu, bus, offset)?;
    let upper = descriptor::table_address(cpu, gate.linear, 8);
    gate.base_high = u32::from_le_bytes(access::linear_read(cpu, bus, upper, false)?);
    if !matches!(gate.attributes() & 0x1f, system::INTERRUPT_GATE | system::TRAP_GATE) {
        return Err(event.gate_fault("it is not a 64-bit interrupt or trap gate"));
    }
    check_gate(cpu, event, &gate)?;
    let ext = event.external_bit();
    let selector = gate.gate_selector();
    let (mut found, ring) = handler_segment(cpu, bus, selector, ext)?;
    if found.attributes() & (attr::L | attr::DB) != attr::L {
        let why = "a handler in IA-32e mode must be 64-bit code (L = 1, D = 0)";
        return Err(descriptor::selector_fault(vector::GENERAL_PROTECTION, selector, ext, why));
    }
    let cs = code_segment(cpu, bus, &mut found, selector & !3 | u16::from(ring), ext)?;
    let rip = gate.gate_offset();
    check_offset(cpu, &cs, rip)?;

    let cpl = cpu.cpl();
    let ist = (gate.raw >> 32 & 7) as u8;
    let rsp = match ist {
        0 if ring < cpl => inner_rsp(cpu, bus, ring, ext)?,
        0 => cpu.gpr[gpr::RSP],
        _ => tss_field64(cpu, bus, TSS64_IST1 + 8 * u64::from(ist - 1), ext)?,
    };
    let mut frame = Frame::long(rsp & !0xf, ring).with_error(ext);
    let values = [
        u64::from(cpu.segments[segment::SS].selector),
        cpu.gpr[gpr::RSP],
        event.saved_flags(cpu.rflags),
        u64::from(cpu.segments[segment::CS].selector),
        cpu.rip,
        u64::from(event.error.unwrap_or(0)),
    ];
    frame.push_all(cpu, bus, 8, if event.error.is_some() { &values } else { &values[..5] })?;
    if ring < cpl {
        cpu.segments[segment::SS] = segment_load::null_segment(u16::from(ring), ring);
    }
    cpu.gpr[gpr::RSP] = frame.rsp();
    enter(cpu, cs, rip, cleared_flags(&gate));
    Ok(())
}

/// The first eight bytes of a gate, which the IDT's limit covers.
fn read_gate(cpu: &mut Cpu, bus: &mut Bus, offset: u64) -> Exec<Descriptor> {
    let linear = descriptor::table_address(cpu, cpu.idtr.base, offset);
    let raw = u64::from_le_bytes(access::linear_read(cpu, bus, linear, false)?);
    Ok(Descriptor { raw, base_high: 0, linear })
}

/// A gate's DPL (for software interrupts) and presence.
fn check_gate(cpu: &Cpu, event: &Event, gate: &Descriptor) -> Exec<()> {
    if event.source == Source::Software && gate.dpl() < cpu.cpl() {
        return Err(event.gate_fault("its DPL is more privileged than the code that asks for it"));
    }
    if !gate.is_present() {
        let cause = format!("the gate of vector {} is not present", event.vector);
        return Err(Fault::with_error(vector::SEGMENT_NOT_PRESENT, event.gate_error(), cause).into());
    }
    Ok(())
}

/// The code segment that a gate names, and the ring that the handler runs in.
fn handler_segment(cpu: &mut Cpu, bus: &mut Bus, selector: u16, ext: u32) -> Exec<(Descriptor, u8)> {
    if descriptor::is_null(selector) {
        return Err(Fault::gp(ext, "the gate names a null selector").into());
    }
    let found = descriptor::read_for(cpu, bus, selector, vector::GENERAL_PROTECTION, ext)?;
    let cpl = cpu.cpl();
    if !found.is_code() || found.dpl() > cpl {
        let why = "a handler must be code, not less privileged than what it interrupts";
        return Err(descriptor::selector_fault(vector::GENERAL_PROTECTION, selector, ext, why));
    }
    Ok((found, if found.is_conforming() { cpl } else { found.dpl() }))
}

/// Inner stack out of a 16- or 32-bit TSS.
pub fn tss_stack(cpu: &mut Cpu, bus: &mut Bus, ring: u8, ext: u32) -> Exec<(Segment, u64)> {
    let is_wide = cpu.tr.attributes & 0xf == system::TSS_BUSY;
    let (sp_at, width) =
        if is_wide { (TSS_SP0 + 8 * u64::from(ring), 4) } else { (TSS16_SP0 + 4 * u64::from(ring), 2) };
    check_tss_limit(cpu, sp_at + 2 * width, ext)?;
    let sp_linear = descriptor::table_address(cpu, cpu.tr.base, sp_at);
    let ss_linear = descriptor::table_address(cpu, cpu.tr.base, sp_at + width);
    let rsp = if is_wide {
        u64::from(u32::from_le_bytes(access::linear_read(cpu, bus, sp_linear, false)?))
    } else {
        u64::from(u16::from_le_bytes(access::linear_read(cpu, bus, sp_linear, false)?))
    };
    let selector = u16::from_le_bytes(access::linear_read(cpu, bus, ss_linear, false)?);
    let ss = segment_load::stack_segment(cpu, bus, selector, ring, vector::INVALID_TSS, ext)?;
    Ok((ss, rsp))
}

/// The stack pointer of an inner ring out of a 64-bit TSS.
pub fn inner_rsp(cpu: &mut Cpu, bus: &mut Bus, ring: u8, ext: u32) -> Exec<u64> {
    tss_field64(cpu, bus, TSS_SP0 + 8 * u64::from(ring), ext)
}

/// A stack pointer out of a 64-bit TSS.
fn tss_field64(cpu: &mut Cpu, bus: &mut Bus, offset: u64, ext: u32) -> Exec<u64> {
    check_tss_limit(cpu, offset + 8, ext)?;
    let linear = descriptor::table_address(cpu, cpu.tr.base, offset);
    Ok(u64::from_le_bytes(access::linear_read(cpu, bus, linear, false)?))
}

fn check_tss_limit(cpu: &Cpu, end: u64, ext: u32) -> Exec<()> {
    if end - 1 > u64::from(cpu.tr.limit) {
        let error = descriptor::error_code(cpu.tr.selector) | ext;
        let cause = format!("TR's limit {:x} does not reach the inner stack's pointer", cpu.tr.limit);
        return Err(Fault::with_error(vector::INVALID_TSS, error, cause).into());
    }
    Ok(())
}

/// Interrupt gates clear IF, trap gates do not.
fn cleared_flags(gate: &Descriptor) -> u64 {
    let is_interrupt_gate = gate.kind() & 1 == 0;
    flags::TF | flags::NT | flags::RF | flags::VM | if is_interrupt_gate { flags::IF } else { 0 }
}

fn enter(cpu: &mut Cpu, cs: Segment, rip: u64, cleared: u64) {
    cpu.segments[segment::CS] = cs;
    cpu.rip = rip;
    cpu.rflags &= !cleared;
    cpu.update_mode();
}
