//! `cargo xtask fuzz-cpu`: random programs on QEMU and on the embedded machine, compared after each instruction.
//!
//! `modes` is the memory and the way into each mode, `program` makes programs and knows what the SDM leaves undefined,
//! `sides` are the two machines.

mod modes;
mod program;
mod sides;

use crate::setup;
use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use iced_x86::{FlowControl, Instruction, Mnemonic};
use modes::{CODE, DATA, HANDLERS, INNER_STACK, Mode, STACK};
use program::{Program, undefined_flags};
use sides::{CR2, Lab, NAMES, Qemu, REGISTERS, RFLAGS, RIP, Registers, Side, Stepped};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Compares the processor with QEMU's: random programs, in real, virtual-8086, protected and 64-bit mode, rings 0 and 3
///
/// Each program is a few instructions on random registers and data. After each instruction all general registers, flags,
/// selectors and CR2 are compared, where it faults also the handler and its frame, and after the program its data and
/// stacks. Flags that the SDM leaves undefined do not count (the table is in xtask/src/fuzz_cpu/program.rs), nor do the
/// differences of docs/QUIRKS.md, "Where QEMU does something else". What differs is printed with a program that shows it;
/// `--seed` makes the same programs again. Exit status 0: nothing differed.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How long, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Seed of the programs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after so many differences
    #[arg(long, default_value_t = 10)]
    differences: usize,
}

pub fn main(args: &Args) -> Result<ExitCode> {
    setup::ensure(&[setup::Group::Build, setup::Group::Test])?;
    let outcome = run(Limit::Time(Duration::from_secs(args.seconds)), args.seed, args.differences)?;
    println!(
        "{} programs, {} instructions, {} differences",
        outcome.programs,
        outcome.steps,
        outcome.differences.len()
    );
    Ok(if outcome.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A sample for `cargo xtask test qemu`.
pub fn sample() -> Result<()> {
    const PROGRAMS: u64 = 120;
    let outcome = run(Limit::Programs(PROGRAMS), 1, 10)?;
    ensure!(outcome.differences.is_empty(), "{} programs differ", outcome.differences.len());
    ensure!(outcome.steps > PROGRAMS, "only {} instructions in {PROGRAMS} programs were compared", outcome.steps);
    println!("        {} instructions in {} programs", outcome.steps, outcome.programs);
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    Time(Duration),
    Programs(u64),
}

#[derive(Debug, Default)]
struct Outcome {
    programs: u64,
    steps: u64,
    differences: Vec<String>,
}

fn run(limit: Limit, seed: u64, most: usize) -> Result<Outcome> {
    let (mut lab, mut qemu) = (Lab::start()?, Qemu::start()?);
    let mut outcome = Outcome::default();
    let start = Instant::now();
    loop {
        let goes_on = match limit {
            Limit::Time(time) => start.elapsed() < time,
            Limit::Programs(count) => outcome.programs < count,
        };
        if !goes_on || outcome.differences.len() >= most {
            return Ok(outcome);
        }
        let number = seed.wrapping_mul(1 << 32).wrapping_add(outcome.programs);
        let mode = modes::ALL[(outcome.programs % modes::ALL.len() as u64) as usize];
        let program = Program::new(&mut Rng::with_seed(number), mode);
        let compared = compare(&mut lab, &mut qemu, mode, &program, &mut outcome.steps);
        outcome.programs += 1;
        if let Some(difference) = compared.with_context(|| listing(mode, &program))? {
            let text = format!("program {number:x}: {}{difference}", listing(mode, &program));
            println!("{text}");
            outcome.differences.push(text);
        }
    }
}

/// The program in words.
fn listing(mode: Mode, program: &Program) -> String {
    let lines = program.instructions.iter().map(|instruction| {
        let start = (instruction.ip() - CODE) as usize;
        let bytes = &program.code[start..start + instruction.len()];
        format!("  {:x}: {instruction} {bytes:02x?}\n", instruction.ip())
    });
    let registers = program.gpr.iter().zip(NAMES).map(|(value, name)| format!(" {name}={value:x}"));
    format!("{mode:?}\n{} {} flags={:x}\n", lines.collect::<String>(), registers.collect::<String>(), program.flags)
}

/// Runs a program on both. Some: what differs.
fn compare(lab: &mut Lab, qemu: &mut Qemu, mode: Mode, program: &Program, steps: &mut u64) -> Result<Option<String>> {
    let sides: [&mut dyn Side; 2] = [lab, qemu];
    for side in sides {
        side.enter(mode)?;
        side.put(CODE, &program.code)?;
        for page in [DATA, STACK, INNER_STACK] {
            side.put(page, &[0; 0x1000])?;
        }
        side.put(DATA, &program.data)?;
        side.put(modes::STACK_TOP - 0x100, &program.data[..0x180])?;
        for (register, value) in program.registers(mode) {
            side.set(register, value)?;
        }
    }
    let mut at = CODE;
    while let Some(instruction) = program.at(at) {
        let (ours, theirs) = (step_over(lab, at)?, step_over(qemu, at)?);
        *steps += 1;
        let (ours, theirs) = match (ours, theirs) {
            (Stepped::Here(ours), Stepped::Here(theirs)) => (ours, theirs),
            (Stepped::Shutdown, Stepped::Shutdown) => return Ok(None),
            other => return Ok(Some(format!("at {at:x}: ours, QEMU: {other:x?}"))),
        };
        let undefined = undefined_flags(instruction);
        if let Some(lines) = registers_differ(mode, &ours, &theirs, undefined) {
            if is_known(mode, instruction, &program.code[(at - CODE) as usize..], &ours, &theirs) {
                return Ok(None);
            }
            return Ok(Some(format!("at {at:x}:\n{lines}")));
        }
        at = ours[RIP];
        if (HANDLERS..HANDLERS + 0x1000).contains(&at) {
            return frames_differ(lab, qemu, mode, &ours, undefined);
        }
        if ours[RFLAGS] != theirs[RFLAGS] {
            lab.set(RFLAGS, theirs[RFLAGS])?;
        }
    }
    memory_differs(lab, qemu, &[])
}

/// Steps until the instruction is left: REP string instructions take several, and QEMU one more than we do.
fn step_over(side: &mut dyn Side, at: u64) -> Result<Stepped> {
    const MOST: u32 = 100;
    for _ in 0..MOST {
        match side.step()? {
            Stepped::Here(registers) if registers[RIP] == at => {}
            stepped => return Ok(stepped),
        }
    }
    side.step()
}

/// Error code of #PF, bit 1: an instruction that reads and writes its operand asks for the write at once on processors and
/// here; QEMU reads first (docs/QUIRKS.md).
const PAGE_FAULT_WRITE: u64 = 1 << 1;
/// RF: QEMU's step leaves it as it likes.
const RF: u64 = 1 << 16;

fn registers_differ(mode: Mode, ours: &Registers, theirs: &Registers, undefined: u64) -> Option<String> {
    let mut lines = String::new();
    for index in 0..REGISTERS {
        let mask = match index {
            RFLAGS => !(undefined | RF),
            8..=15 if mode.bits() != 64 => 0,
            0..=7 if mode.bits() != 64 => 0xffff_ffff,
            _ => u64::MAX,
        };
        if (ours[index] ^ theirs[index]) & mask != 0 {
            lines += &format!("  {}: ours {:x}, QEMU {:x}\n", NAMES[index], ours[index], theirs[index]);
        }
    }
    (!lines.is_empty()).then_some(lines)
}

/// docs/QUIRKS.md, "Where QEMU does something else": addresses through RSP and RBP that are not canonical; branches to such;
/// accesses that leave a segment; which operand of CMPS is read first; branches in 64-bit mode with an operand-size prefix;
/// returns that release 32 KiB or more.
fn is_known(mode: Mode, instruction: &Instruction, code: &[u8], ours: &Registers, theirs: &Registers) -> bool {
    let raised = |registers: &Registers, vector: u64| registers[RIP] == HANDLERS + 16 * vector;
    let faults = |registers: &Registers| (HANDLERS..HANDLERS + 0x1000).contains(&registers[RIP]);
    let is_canonical = |address: u64| (address << 16) as i64 >> 16 == address as i64;
    match instruction.mnemonic() {
        Mnemonic::Cmpsb | Mnemonic::Cmpsw | Mnemonic::Cmpsd | Mnemonic::Cmpsq if faults(ours) && faults(theirs) => {
            return true;
        }
        Mnemonic::Ret | Mnemonic::Retf if instruction.op_count() > 0 && instruction.immediate16() >= 0x8000 => {
            return true;
        }
        _ => {}
    }
    match mode {
        Mode::Long { .. } => {
            let is_branch =
                matches!(instruction.flow_control(), FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch)
                    || instruction.is_call_near();
            is_branch && has_operand_size_prefix(code)
                || raised(ours, 12) && (raised(theirs, 13) || raised(theirs, 8))
                || raised(ours, 13) && !is_canonical(theirs[RIP])
        }
        Mode::Protected { .. } => {
            (raised(ours, 12) || raised(ours, 13)) && raised(theirs, 14) && theirs[CR2] >= 0xffff_fff0
        }
        // QEMU checks no limits of 64 KiB, and pages what lies beyond.
        Mode::Real | Mode::V86 => (raised(ours, 12) || raised(ours, 13)) && (!faults(theirs) || raised(theirs, 14)),
    }
}

/// 66h among the prefixes of an instruction.
fn has_operand_size_prefix(code: &[u8]) -> bool {
    let is_prefix =
        |byte: &&u8| matches!(**byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x40..=0x4f | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3);
    code.iter().take_while(is_prefix).any(|byte| *byte == 0x66)
}

/// Error codes by vector (SDM 3A, "Protected-Mode Exceptions and Interrupts").
fn has_error(mode: Mode, vector: u64) -> bool {
    mode != Mode::Real && matches!(vector, 8 | 10..=14 | 17)
}

/// After an exception: memory, but for RF and undefined flags in the frame.
fn frames_differ(
    lab: &mut Lab,
    qemu: &mut Qemu,
    mode: Mode,
    registers: &Registers,
    undefined: u64,
) -> Result<Option<String>> {
    let vector = (registers[RIP] - HANDLERS) / 16;
    let (offset, bytes) = mode.flags_in_frame(has_error(mode, vector));
    let width = if mode == Mode::Real { 0xffff } else { u64::MAX };
    let place = registers[4].wrapping_add(offset) & width;
    let mut masks = vec![(place, bytes, undefined | RF)];
    if vector == 14 {
        masks.push((registers[4], 1, PAGE_FAULT_WRITE));
    }
    memory_differs(lab, qemu, &masks)
}

/// Compares data and stacks, but for these bits: address, bytes, mask.
fn memory_differs(lab: &mut Lab, qemu: &mut Qemu, masks: &[(u64, usize, u64)]) -> Result<Option<String>> {
    for page in [DATA, STACK, INNER_STACK] {
        let (mut ours, mut theirs) = (lab.get(page, 0x1000)?, qemu.get(page, 0x1000)?);
        for &(place, bytes, mask) in masks {
            let mask = mask.to_le_bytes();
            for (index, bits) in mask.iter().enumerate().take(bytes) {
                let at = place.wrapping_sub(page) as usize + index;
                for side in [&mut ours, &mut theirs] {
                    if let Some(byte) = side.get_mut(at) {
                        *byte &= !bits;
                    }
                }
            }
        }
        let differ = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
        if let Some(at) = differ {
            let end = (at + 16).min(0x1000);
            let (ours, theirs) = (&ours[at..end], &theirs[at..end]);
            return Ok(Some(format!("memory at {:x}: ours {ours:02x?}, QEMU {theirs:02x?}\n", page + at as u64)));
        }
    }
    Ok(None)
}
