//! Execution: one instruction, or one iteration of a REP string instruction. [`step_instruction`] is the way in, and for
//! several at once [`step_instructions`].
//!
//! [`crate::decode`] gives the instruction, the match in [`dispatch`] leads to its family. A handler changes registers
//! and flags only after the last thing that can fault, so that an instruction happens wholly or not at all. While it
//! runs, `cpu.rip` is the next instruction's.

pub mod arith;
pub mod bit;
pub mod bmi;
pub mod call_gate;
pub mod control_reg;
pub mod cpuid;
pub mod ctrl_xfer;
pub mod data_xfer;
pub mod debug;
pub mod debug_reg;
pub mod decimal;
pub mod descriptor;
pub mod descriptor_table;
pub mod far_xfer;
pub mod flag_ctrl;
pub mod frame;
pub mod interrupt;
pub mod invpcid;
pub mod logical;
pub mod misc;
pub mod mmx;
pub mod msr;
pub mod operand;
pub mod plain;
pub mod port_io;
pub mod row;
pub mod segment_load;
pub mod shift;
pub mod sse;
pub mod stack;
pub mod status;
pub mod string;
pub mod syscall;
mod system;
pub mod task;
pub mod vme;
pub mod x87;

use crate::bus::{Bus, STEP_NS};
use crate::cpu::Cpu;
use crate::cpu::flags::{RF, TF};
use crate::decode::{self, Insn, Op};
use crate::fault::{Exec, Fault, Trap, vector};
use protocol::Mode;

/// DR6.BS: a single step caused the #DB.
const DR6_BS: u64 = 1 << 14;
/// Index of DR6 in `Cpu::dr`.
const DR6: usize = 4;

/// Executes the instruction at CS:IP. On Err nothing has changed, but for traps (`Fault::is_trap`), which come after
/// their instruction.
#[inline]
pub fn step_instruction(cpu: &mut Cpu, bus: &mut Bus) -> Exec<()> {
    step_instructions(cpu, bus, 1).1
}

/// Executes the instruction at CS:IP, and if it can stand in a [`row`] also those after it, at most `most`. The caller
/// knows that nothing else comes in between so many steps. Returns how many were made and what the one after them raised,
/// which is a step too; the clock then stands where that one began, else where the last one began or earlier.
#[inline]
pub fn step_instructions(cpu: &mut Cpu, bus: &mut Bus, most: u32) -> (u32, Exec<()>) {
    if debug::is_active(cpu) {
        let result = debug::step(cpu, bus);
        return (u32::from(result.is_ok()), result);
    }
    let start_ns = bus.clock_ns;
    bus.reached_device = false;
    let mut made = 0;
    while made < most {
        bus.clock_ns = start_ns + STEP_NS * u64::from(made);
        let place = match decode::fetch(cpu, bus) {
            Ok(place) => place,
            Err(trap) => return (made, Err(trap)),
        };
        if most > 1 {
            let (count, result) = row::run(cpu, bus, place, most - made);
            made += count;
            if result.is_err() || made != 0 && bus.reached_device {
                return (made, result);
            }
            if count != 0 {
                continue;
            }
        }
        let result = execute(cpu, bus, place);
        return (made + u32::from(result.is_ok()), result);
    }
    (made, Ok(()))
}

/// Executes the instruction that was fetched.
#[inline]
fn execute(cpu: &mut Cpu, bus: &mut Bus, place: decode::Place) -> Exec<()> {
    let Some(&insn) = bus.code.insn(place) else { unreachable!("fetch has just found it") };
    decode::check_end(cpu, &insn)?;
    let start = cpu.rip;
    let flags = cpu.rflags;
    cpu.rip = next_ip(cpu, start.wrapping_add(u64::from(insn.len)));
    match dispatch(cpu, bus, &insn) {
        Ok(()) => {
            if flags & (TF | RF) != 0 {
                return after_traced(cpu, &insn, flags);
            }
            Ok(())
        }
        Err(Trap::Fault(fault)) if fault.is_trap => Err(Trap::Fault(fault)),
        Err(trap) => {
            cpu.rip = start;
            Err(explain(cpu, bus, trap, insn.op))
        }
    }
}

/// IP wraps at 4 GiB outside 64-bit mode. (A 16-bit IP beyond FFFFh is caught by CS's limit.)
#[inline]
fn next_ip(cpu: &Cpu, ip: u64) -> u64 {
    if cpu.mode() == Mode::Long { ip } else { ip & 0xffff_ffff }
}

/// Where the running instruction begins.
fn start_of(cpu: &Cpu, insn: &Insn) -> u64 {
    next_ip(cpu, cpu.rip.wrapping_sub(u64::from(insn.len)))
}

/// RF lasts for one instruction; TF traps after an instruction that began with it set (SDM 3B, "Single-Stepping").
#[cold]
fn after_traced(cpu: &mut Cpu, insn: &Insn, flags: u64) -> Exec<()> {
    if !matches!(insn.op, Op::Iret | Op::Iretd | Op::Iretq) {
        cpu.rflags &= !RF;
    }
    // INT n and its kin clear TF and go on untraced; SYSCALL and SYSRET look for themselves. MOV SS and POP SS hold #DB back.
    let untraced = matches!(insn.op, Op::Int | Op::Int1 | Op::Int3 | Op::Into | Op::Syscall | Op::Sysret | Op::Sysretq);
    let shadowed = cpu.interrupt_shadow && insn.op != Op::Sti;
    if flags & TF == 0 || untraced || shadowed {
        return Ok(());
    }
    Err(single_step(cpu))
}

/// The trap that follows an instruction which RFLAGS.TF traces.
#[cold]
fn single_step(cpu: &mut Cpu) -> Trap {
    cpu.dr[DR6] |= DR6_BS;
    Fault { is_trap: true, ..Fault::plain(vector::DEBUG, "RFLAGS.TF is set: a trap after each instruction") }.into()
}

/// Gives the name and bytes of an instruction that this machine lacks or the architecture does not define.
#[cold]
fn explain(cpu: &mut Cpu, bus: &mut Bus, trap: Trap, op: Op) -> Trap {
    match op {
        Op::Unsupported => {
            let name = decode::describe(cpu, bus);
            Trap::unsupported(format!("instruction {name} in {} mode is not implemented", cpu.mode()))
        }
        Op::Invalid => {
            let name = decode::describe(cpu, bus);
            // UD0, UD1 and UD2 are there to raise it.
            let why =
                if name.starts_with("`ud") { "raises #UD: it is made for that" } else { "is not a valid instruction" };
            Fault::ud(format!("{name} {why}")).into()
        }
        _ => trap,
    }
}

/// The instruction's family.
#[inline]
fn dispatch(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    match insn.op {
        Op::Mov => data_xfer::mov(cpu, bus, insn),
        Op::Movzx => data_xfer::movzx(cpu, bus, insn),
        Op::Movsx | Op::Movsxd => data_xfer::movsx(cpu, bus, insn),
        Op::Movnti => data_xfer::movzx(cpu, bus, insn),
        Op::Lea => {
            data_xfer::lea(cpu, insn);
            Ok(())
        }
        Op::Xchg => data_xfer::xchg(cpu, bus, insn),
        Op::Cmovcc => data_xfer::cmov(cpu, bus, insn),
        Op::Setcc => data_xfer::setcc(cpu, bus, insn),
        Op::Xlatb => data_xfer::xlat(cpu, bus, insn),
        Op::Lahf => {
            data_xfer::lahf(cpu);
            Ok(())
        }
        Op::Sahf => {
            data_xfer::sahf(cpu);
            Ok(())
        }
        Op::LoadFarPointer => data_xfer::load_far_pointer(cpu, bus, insn),

        Op::Add => arith::add(cpu, bus, insn),
        Op::Adc => arith::adc(cpu, bus, insn),
        Op::Sub => arith::sub(cpu, bus, insn),
        Op::Sbb => arith::sbb(cpu, bus, insn),
        Op::Cmp => arith::cmp(cpu, bus, insn),
        Op::Inc => arith::inc(cpu, bus, insn),
        Op::Dec => arith::dec(cpu, bus, insn),
        Op::Neg => arith::neg(cpu, bus, insn),
        Op::Mul => arith::mul(cpu, bus, insn),
        Op::Imul => arith::imul(cpu, bus, insn),
        Op::Div => arith::div(cpu, bus, insn),
        Op::Idiv => arith::idiv(cpu, bus, insn),
        Op::Cbw | Op::Cwde | Op::Cdqe | Op::Cwd | Op::Cdq | Op::Cqo => {
            arith::extend_accumulator(cpu, insn.op);
            Ok(())
        }
        Op::Xadd => arith::xadd(cpu, bus, insn),
        Op::Cmpxchg => arith::cmpxchg(cpu, bus, insn),
        Op::Cmpxchg8b => arith::cmpxchg8b(cpu, bus, insn),
        Op::Cmpxchg16b => arith::cmpxchg16b(cpu, bus, insn),
        Op::Aaa | Op::Aas | Op::Aam | Op::Aad | Op::Daa | Op::Das => decimal::execute(cpu, insn.op, insn.imm),

        Op::And => logical::and(cpu, bus, insn),
        Op::Or => logical::or(cpu, bus, insn),
        Op::Xor => logical::xor(cpu, bus, insn),
        Op::Test => logical::test(cpu, bus, insn),
        Op::Not => logical::not(cpu, bus, insn),

        Op::Shl | Op::Shr | Op::Sar => shift::shift(cpu, bus, insn),
        Op::Rol | Op::Ror => shift::rotate(cpu, bus, insn),
        Op::Rcl | Op::Rcr => shift::rotate_through_carry(cpu, bus, insn),
        Op::Shld | Op::Shrd => shift::double(cpu, bus, insn),

        Op::Bt | Op::Bts | Op::Btr | Op::Btc => bit::test(cpu, bus, insn),
        Op::Bsf | Op::Bsr => bit::scan(cpu, bus, insn),
        Op::Bswap => {
            bit::swap(cpu, insn);
            Ok(())
        }

        Op::Popcnt | Op::Lzcnt | Op::Tzcnt | Op::Movbe | Op::Crc32 | Op::Adcx | Op::Adox => {
            bmi::execute(cpu, bus, insn)
        }
        Op::Andn | Op::Bextr | Op::Blsi | Op::Blsmsk | Op::Blsr | Op::Bzhi => bmi::execute(cpu, bus, insn),
        Op::Mulx | Op::Pdep | Op::Pext | Op::Rorx | Op::Sarx | Op::Shlx | Op::Shrx => bmi::execute(cpu, bus, insn),

        Op::Push => stack::push_insn(cpu, bus, insn),
        Op::Pop => stack::pop_insn(cpu, bus, insn),
        Op::Pusha => stack::push_all(cpu, bus, 2),
        Op::Pushad => stack::push_all(cpu, bus, 4),
        Op::Popa => stack::pop_all(cpu, bus, 2),
        Op::Popad => stack::pop_all(cpu, bus, 4),
        Op::Pushf | Op::Pushfd | Op::Pushfq => stack::push_flags(cpu, bus, insn.size),
        Op::Popf | Op::Popfd | Op::Popfq => stack::pop_flags(cpu, bus, insn.size),
        Op::Enter => stack::enter(cpu, bus, insn),
        Op::Leave => stack::leave(cpu, bus, insn.size),

        Op::Jmp => ctrl_xfer::jmp(cpu, bus, insn),
        Op::Jcc => ctrl_xfer::jcc(cpu, insn),
        Op::Call => ctrl_xfer::call(cpu, bus, insn),
        Op::Ret => ctrl_xfer::ret(cpu, bus, insn),
        Op::Loop | Op::Loope | Op::Loopne => ctrl_xfer::loop_(cpu, insn),
        Op::Jcxz | Op::Jecxz | Op::Jrcxz => ctrl_xfer::jcxz(cpu, insn),
        Op::JmpFar | Op::CallFar => ctrl_xfer::far(cpu, bus, insn),
        Op::Retf => far_xfer::ret(cpu, bus, insn.size, insn.imm as u16),
        Op::Iret | Op::Iretd | Op::Iretq => far_xfer::iret(cpu, bus, insn.size),
        Op::Bound => ctrl_xfer::bound(cpu, bus, insn),
        Op::Int => interrupt::int_n(cpu, bus, insn.imm as u8),
        Op::Int1 => interrupt::int1(cpu, bus),
        Op::Int3 => interrupt::software(cpu, bus, vector::BREAKPOINT),
        Op::Into if ctrl_xfer::overflows(cpu) => interrupt::software(cpu, bus, vector::OVERFLOW),
        Op::Into => Ok(()),
        Op::Syscall => syscall::syscall(cpu, bus),
        Op::Sysret | Op::Sysretq => syscall::sysret(cpu, bus, insn.size),
        Op::Sysenter => syscall::sysenter(cpu, bus),
        Op::Sysexit | Op::Sysexitq => syscall::sysexit(cpu, bus, insn.size),

        Op::Movs | Op::Cmps | Op::Scas | Op::Lods | Op::Stos | Op::Ins | Op::Outs => string::execute(cpu, bus, insn),
        Op::In => port_io::input(cpu, bus, insn),
        Op::Out => port_io::output(cpu, bus, insn),

        Op::Clc | Op::Stc | Op::Cmc | Op::Cld | Op::Std | Op::Cli | Op::Sti | Op::Clac | Op::Stac | Op::Salc => {
            flag_ctrl::execute(cpu, insn.op)
        }

        Op::Hint | Op::Fence => Ok(()),
        Op::Pause => {
            misc::pause(bus);
            Ok(())
        }
        Op::Hlt => misc::hlt(cpu),
        Op::Wbinvd | Op::Invd => misc::flush_caches(cpu),
        Op::Clflush => misc::clflush(cpu, bus, insn),
        Op::Rdtsc | Op::Rdtscp => misc::rdtsc(cpu, bus, insn.op),
        Op::Rdpmc => misc::rdpmc(cpu),
        Op::Monitor => misc::monitor(cpu, bus, insn),
        Op::Mwait => misc::mwait(cpu, bus),
        Op::Rdpkru | Op::Wrpkru => misc::pkru(cpu, insn.op),
        Op::Rdrand | Op::Rdseed => misc::random(cpu, bus, insn),
        Op::Swapgs => misc::swapgs(cpu),
        Op::Rdfsbase | Op::Rdgsbase | Op::Wrfsbase | Op::Wrgsbase => misc::segment_base(cpu, bus, insn),

        Op::Cpuid => cpuid::cpuid(cpu),
        Op::Rdmsr => msr::rdmsr(cpu, bus),
        Op::Wrmsr => msr::wrmsr(cpu, bus),
        Op::Lgdt | Op::Lidt | Op::Sgdt | Op::Sidt | Op::Lldt | Op::Sldt | Op::Ltr | Op::Str => {
            system::table(cpu, bus, insn)
        }
        Op::Lar | Op::Lsl | Op::Verr | Op::Verw => system::inspect_selector(cpu, bus, insn),
        Op::Arpl => system::arpl(cpu, bus, insn),
        Op::Lmsw | Op::Smsw | Op::Clts => system::machine_status(cpu, bus, insn),
        Op::Invlpg => system::invlpg(cpu, bus, insn),
        Op::Invpcid => invpcid::invpcid(cpu, bus, insn),

        Op::Invalid => Err(Fault::ud("not an instruction").into()),
        Op::TooLong => Err(Fault::gp(0, "the instruction is longer than 15 bytes").into()),
        Op::Unsupported => Err(Trap::unsupported("an instruction that is not implemented")),
        op if op.is_x87() => x87::execute(cpu, bus, insn),
        _ => sse::execute(cpu, bus, insn),
    }
}
