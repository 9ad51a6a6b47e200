//! From iced-x86's instruction to [`Insn`]: which operation, which operands, which sizes.

use super::op::Op;
use super::{Insn, Kind, MAX_INSN_BYTES, MemRef, NO_REG, Operand, RIP_BASE, prefix};
use crate::cpu::segment::{DS, ES, FS, GS, SS};
use crate::execute::row::{Row, row_of};
use iced_x86::{Code, ConditionCode, Decoder, DecoderError, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

/// Decodes the instruction at the start of `bytes`, which hold at most 15. None: it goes on beyond them.
pub fn translate(bytes: &[u8], bits: u32) -> Option<Insn> {
    let bytes = &bytes[..bytes.len().min(MAX_INSN_BYTES)];
    // Decoded at IP 0, so that what is relative to the next instruction stays valid wherever the page is mapped.
    let mut decoder = Decoder::with_ip(bits, bytes, 0, DecoderOptions::NONE);
    let instruction = decoder.decode();
    if decoder.last_error() == DecoderError::NoMoreBytes {
        return None;
    }
    Some(if !instruction.is_invalid() {
        let mut insn = convert(&instruction);
        if let Some(opcode) = x87_opcode(bytes, bits) {
            insn.imm = opcode;
        }
        insn
    } else {
        blank(if is_too_long(bytes, bits) { Op::TooLong } else { Op::Invalid }, bytes.len())
    })
}

fn is_legacy_prefix(byte: u8) -> bool {
    matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3)
}

/// FOP of an x87 instruction: the low three bits of D8h to DFh, and ModRM.
fn x87_opcode(bytes: &[u8], bits: u32) -> Option<u64> {
    let is_prefix = |byte: u8| is_legacy_prefix(byte) || bits == 64 && byte & 0xf0 == 0x40;
    let start = bytes.iter().position(|&byte| !is_prefix(byte))?;
    let (&first, &second) = (bytes.get(start)?, bytes.get(start + 1)?);
    (first & 0xf8 == 0xd8).then(|| u64::from(first & 7) << 8 | u64::from(second))
}

/// An invalid encoding that would be a valid one without repeated prefixes has more than 15 bytes.
fn is_too_long(bytes: &[u8], bits: u32) -> bool {
    let prefixes = bytes.iter().take_while(|&&byte| is_legacy_prefix(byte)).count();
    if bytes.len() < MAX_INSN_BYTES || prefixes < 2 {
        return false;
    }
    let mut shorter = [0u8; 2 * MAX_INSN_BYTES];
    let (mut len, mut seen) = (0, [false; 256]);
    for (index, &byte) in bytes.iter().enumerate() {
        if index >= prefixes || !std::mem::replace(&mut seen[usize::from(byte)], true) {
            shorter[len] = byte;
            len += 1;
        }
    }
    // Zeros stand for the bytes that were not read.
    prefixes == MAX_INSN_BYTES
        || !Decoder::new(bits, &shorter[..MAX_INSN_BYTES], DecoderOptions::NONE).decode().is_invalid()
}

fn blank(op: Op, len: usize) -> Insn {
    Insn {
        op,
        len: len as u8,
        size: 0,
        src_size: 0,
        addr_size: 8,
        prefixes: 0,
        row: Row::Never,
        cond: 0,
        dst: Operand::default(),
        src: Operand::default(),
        third: Operand::default(),
        mem: MemRef { base: NO_REG, index: NO_REG, shift: 0, segment: 0 },
        disp: 0,
        imm: 0,
    }
}

fn convert(instruction: &Instruction) -> Insn {
    let mut insn = blank(operation(instruction), instruction.len());
    if instruction.has_lock_prefix() {
        insn.prefixes |= prefix::LOCK;
    }
    if instruction.has_repe_prefix() {
        insn.prefixes |= prefix::REPE;
    }
    if instruction.has_repne_prefix() {
        insn.prefixes |= prefix::REPNE;
    }
    if instruction.condition_code() != ConditionCode::None {
        insn.cond = instruction.condition_code() as u8 - ConditionCode::o as u8;
    }
    let mut sizes = [0; 3];
    for (index, size) in sizes.iter_mut().enumerate().take(instruction.op_count() as usize) {
        let operand;
        (operand, *size) = convert_operand(instruction, index as u32, &mut insn);
        match index {
            0 => insn.dst = operand,
            1 => insn.src = operand,
            _ => insn.third = operand,
        }
    }
    insn.size = if sizes[0] != 0 { sizes[0] } else { sizes[1] };
    insn.src_size = if sizes[1] != 0 { sizes[1] } else { insn.size };
    set_implied_sizes(instruction, &mut insn);
    insn.row = row_of(&insn);
    insn
}

/// One operand and its size in bytes (0: none of its own).
fn convert_operand(instruction: &Instruction, index: u32, insn: &mut Insn) -> (Operand, u8) {
    let memory_bytes = instruction.memory_size().size() as u8;
    let address_bytes = |kind: OpKind| match kind {
        OpKind::MemorySegSI | OpKind::MemorySegDI | OpKind::MemoryESDI => 2,
        OpKind::MemorySegESI | OpKind::MemorySegEDI | OpKind::MemoryESEDI => 4,
        _ => 8,
    };
    let kind = instruction.op_kind(index);
    match kind {
        OpKind::Register => register(instruction.op_register(index)),
        OpKind::Memory => {
            memory(instruction, insn);
            (Operand { kind: Kind::Mem, reg: 0 }, memory_bytes)
        }
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => {
            let (bytes, mask) = match kind {
                OpKind::NearBranch16 => (2, 0xffff),
                OpKind::NearBranch32 => (4, 0xffff_ffff),
                _ => (8, u64::MAX),
            };
            insn.imm = instruction.near_branch_target().wrapping_sub(instruction.len() as u64) & mask;
            (Operand { kind: Kind::Imm, reg: 0 }, bytes)
        }
        OpKind::FarBranch16 => {
            insn.imm = u64::from(instruction.far_branch16()) | u64::from(instruction.far_branch_selector()) << 32;
            (Operand { kind: Kind::Imm, reg: 0 }, 2)
        }
        OpKind::FarBranch32 => {
            insn.imm = u64::from(instruction.far_branch32()) | u64::from(instruction.far_branch_selector()) << 32;
            (Operand { kind: Kind::Imm, reg: 0 }, 4)
        }
        OpKind::Immediate8_2nd => {
            insn.disp = u64::from(instruction.immediate8_2nd());
            (Operand::default(), 0)
        }
        OpKind::MemorySegSI
        | OpKind::MemorySegESI
        | OpKind::MemorySegRSI
        | OpKind::MemorySegDI
        | OpKind::MemorySegEDI
        | OpKind::MemorySegRDI => {
            insn.addr_size = address_bytes(kind);
            insn.mem.segment = segment_number(instruction.memory_segment());
            (Operand::default(), memory_bytes)
        }
        OpKind::MemoryESDI | OpKind::MemoryESEDI | OpKind::MemoryESRDI => {
            insn.addr_size = address_bytes(kind);
            (Operand::default(), memory_bytes)
        }
        _ => {
            insn.imm = instruction.immediate(index);
            (Operand { kind: Kind::Imm, reg: 0 }, 0)
        }
    }
}

fn register(register: Register) -> (Operand, u8) {
    let kind = match register {
        Register::AH | Register::CH | Register::DH | Register::BH => {
            return (Operand { kind: Kind::GprHigh, reg: register.number() as u8 - 4 }, 1);
        }
        _ if register.is_gpr8() => {
            return (Operand { kind: Kind::Gpr, reg: register.full_register().number() as u8 }, 1);
        }
        _ if register.is_gpr() => Kind::Gpr,
        _ if register.is_segment_register() => Kind::Seg,
        _ if register.is_cr() => Kind::Cr,
        _ if register.is_dr() => Kind::Dr,
        _ if register.is_xmm() => Kind::Xmm,
        _ if register.is_mm() => Kind::Mmx,
        _ if register.is_st() => Kind::St,
        _ => Kind::None,
    };
    (Operand { kind, reg: register.number() as u8 }, register.size() as u8)
}

fn segment_number(register: Register) -> u8 {
    if register.is_segment_register() { register.number() as u8 } else { DS as u8 }
}

fn memory(instruction: &Instruction, insn: &mut Insn) {
    let (base, index) = (instruction.memory_base(), instruction.memory_index());
    let number = |register: Register| if register.is_gpr() { register.number() as u8 } else { NO_REG };
    insn.mem.segment = segment_number(instruction.memory_segment());
    insn.disp = instruction.memory_displacement64();
    insn.addr_size = if base != Register::None {
        base.size() as u8
    } else if index != Register::None {
        index.size() as u8
    } else {
        instruction.memory_displ_size() as u8
    };
    if instruction.is_ip_rel_memory_operand() {
        insn.mem.base = RIP_BASE;
        insn.disp = insn.disp.wrapping_sub(instruction.len() as u64);
    } else {
        insn.mem.base = number(base);
        insn.mem.index = number(index);
        insn.mem.shift = instruction.memory_index_scale().trailing_zeros() as u8;
    }
}

fn operation(instruction: &Instruction) -> Op {
    let is_memory_string = |index: u32| {
        !matches!(instruction.op_kind(index), OpKind::Register | OpKind::Memory) && instruction.op_count() == 2
    };
    match instruction.mnemonic() {
        Mnemonic::INVALID | Mnemonic::Ud0 | Mnemonic::Ud1 | Mnemonic::Ud2 => Op::Invalid,
        // Virtualization, which CPUID does not tell: undefined outside of it.
        Mnemonic::Vmcall | Mnemonic::Vmmcall | Mnemonic::Vmlaunch | Mnemonic::Vmresume | Mnemonic::Vmxoff => {
            Op::Invalid
        }
        Mnemonic::Vmxon | Mnemonic::Vmptrld | Mnemonic::Vmptrst | Mnemonic::Vmclear | Mnemonic::Vmfunc => Op::Invalid,
        Mnemonic::Vmread | Mnemonic::Vmwrite | Mnemonic::Invept | Mnemonic::Invvpid => Op::Invalid,
        Mnemonic::Vmrun | Mnemonic::Vmload | Mnemonic::Vmsave | Mnemonic::Stgi | Mnemonic::Clgi => Op::Invalid,
        Mnemonic::Skinit | Mnemonic::Invlpga => Op::Invalid,
        mnemonic if is_untold(mnemonic) => Op::Invalid,
        // Hints and no-ops of processors that have not the feature.
        Mnemonic::Rdsspd | Mnemonic::Rdsspq | Mnemonic::Cldemote => Op::Hint,
        Mnemonic::Wbnoinvd => Op::Wbinvd,
        Mnemonic::Movsb | Mnemonic::Movsw | Mnemonic::Movsq => Op::Movs,
        Mnemonic::Movsd if is_memory_string(0) => Op::Movs,
        Mnemonic::Cmpsb | Mnemonic::Cmpsw | Mnemonic::Cmpsq => Op::Cmps,
        Mnemonic::Cmpsd if is_memory_string(0) => Op::Cmps,
        Mnemonic::Scasb | Mnemonic::Scasw | Mnemonic::Scasd | Mnemonic::Scasq => Op::Scas,
        Mnemonic::Lodsb | Mnemonic::Lodsw | Mnemonic::Lodsd | Mnemonic::Lodsq => Op::Lods,
        Mnemonic::Stosb | Mnemonic::Stosw | Mnemonic::Stosd | Mnemonic::Stosq => Op::Stos,
        Mnemonic::Insb | Mnemonic::Insw | Mnemonic::Insd => Op::Ins,
        Mnemonic::Outsb | Mnemonic::Outsw | Mnemonic::Outsd => Op::Outs,
        Mnemonic::Sal => Op::Shl,
        Mnemonic::Nop | Mnemonic::Reservednop | Mnemonic::Endbr32 | Mnemonic::Endbr64 => Op::Hint,
        Mnemonic::Prefetch | Mnemonic::Prefetchw | Mnemonic::Prefetchwt1 | Mnemonic::Prefetchnta => Op::Hint,
        Mnemonic::Prefetcht0 | Mnemonic::Prefetcht1 | Mnemonic::Prefetcht2 => Op::Hint,
        Mnemonic::Lfence | Mnemonic::Mfence | Mnemonic::Sfence => Op::Fence,
        Mnemonic::Lds | Mnemonic::Les | Mnemonic::Lfs | Mnemonic::Lgs | Mnemonic::Lss => Op::LoadFarPointer,
        Mnemonic::Jmp if is_far(instruction) => Op::JmpFar,
        Mnemonic::Call if is_far(instruction) => Op::CallFar,
        mnemonic => match instruction.condition_code() {
            ConditionCode::None => Op::from_mnemonic(mnemonic).unwrap_or(Op::Unsupported),
            _ if instruction.is_jcc_short_or_near() => Op::Jcc,
            _ if matches!(mnemonic, Mnemonic::Loope | Mnemonic::Loopne) => {
                Op::from_mnemonic(mnemonic).unwrap_or(Op::Unsupported)
            }
            _ if instruction.op_count() == 1 => Op::Setcc,
            _ if instruction.op1_kind() == OpKind::Register || instruction.op1_kind() == OpKind::Memory => Op::Cmovcc,
            _ => Op::Unsupported,
        },
    }
}

/// Instructions of system features that CPUID does not tell, so that they are #UD. (Those that compute, of AVX, AES or SHA, stop
/// the machine by name instead: docs/QUIRKS.md.)
fn is_untold(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    match mnemonic {
        // XSAVES, RDPID, PTWRITE, cache lines, waiting, user interrupts.
        Xsaves | Xsaves64 | Xrstors | Xrstors64 | Rdpid | Ptwrite | Clflushopt | Clwb | Serialize | Hreset => true,
        Tpause | Umonitor | Umwait | Senduipi | Uiret | Testui | Clui | Stui => true,
        // SGX, SMX, total memory encryption, transactions.
        Encls | Enclu | Enclv | Getsec | Pconfig | Xbegin | Xend | Xabort | Xtest => true,
        // Shadow stacks.
        Incsspd | Incsspq | Saveprevssp | Rstorssp | Wrssd | Wrssq | Wrussd | Wrussq | Setssbsy | Clrssbsy => true,
        // AMD's.
        Rdpru | Monitorx | Mwaitx | Clzero | Invlpgb | Tlbsync => true,
        _ => false,
    }
}

fn is_far(instruction: &Instruction) -> bool {
    instruction.is_jmp_far()
        || instruction.is_jmp_far_indirect()
        || instruction.is_call_far()
        || instruction.is_call_far_indirect()
}

/// Sizes that no operand tells: of what goes over the stack, of LOOP's counter, of far pointers.
fn set_implied_sizes(instruction: &Instruction, insn: &mut Insn) {
    match insn.op {
        Op::Push | Op::Pop | Op::Call => insn.size = instruction.stack_pointer_increment().unsigned_abs() as u8,
        Op::Ret => {
            let bytes =
                instruction.stack_pointer_increment() - if insn.dst.kind == Kind::Imm { insn.imm as i32 } else { 0 };
            insn.size = bytes as u8;
        }
        Op::Retf => {
            insn.size = match instruction.code() {
                Code::Retfw | Code::Retfw_imm16 => 2,
                Code::Retfd | Code::Retfd_imm16 => 4,
                _ => 8,
            };
        }
        Op::Enter | Op::Leave => {
            insn.size = match instruction.code() {
                Code::Enterw_imm16_imm8 | Code::Leavew => 2,
                Code::Enterd_imm16_imm8 | Code::Leaved => 4,
                _ => 8,
            };
        }
        Op::JmpFar | Op::CallFar => {
            insn.size = match instruction.code() {
                Code::Jmp_ptr1616 | Code::Jmp_m1616 | Code::Call_ptr1616 | Code::Call_m1616 => 2,
                Code::Jmp_ptr1632 | Code::Jmp_m1632 | Code::Call_ptr1632 | Code::Call_m1632 => 4,
                _ => 8,
            };
        }
        Op::Loop | Op::Loope | Op::Loopne | Op::Jcxz | Op::Jecxz | Op::Jrcxz => {
            let counter = instruction.code();
            insn.addr_size = match counter {
                Code::Loop_rel8_16_CX | Code::Loop_rel8_32_CX | Code::Loope_rel8_16_CX | Code::Loope_rel8_32_CX => 2,
                Code::Loopne_rel8_16_CX | Code::Loopne_rel8_32_CX | Code::Jcxz_rel8_16 | Code::Jcxz_rel8_32 => 2,
                Code::Loop_rel8_64_RCX | Code::Loop_rel8_16_RCX | Code::Loope_rel8_64_RCX => 8,
                Code::Loope_rel8_16_RCX | Code::Loopne_rel8_64_RCX | Code::Loopne_rel8_16_RCX => 8,
                Code::Jrcxz_rel8_16 | Code::Jrcxz_rel8_64 => 8,
                _ => 4,
            };
        }
        Op::Lgdt | Op::Lidt | Op::Sgdt | Op::Sidt => {
            insn.size = match instruction.code() {
                Code::Lgdt_m1632_16 | Code::Lidt_m1632_16 | Code::Sgdt_m1632_16 | Code::Sidt_m1632_16 => 2,
                Code::Lgdt_m1632 | Code::Lidt_m1632 | Code::Sgdt_m1632 | Code::Sidt_m1632 => 4,
                _ => 8,
            };
        }
        Op::LoadFarPointer => {
            let segment = match instruction.mnemonic() {
                Mnemonic::Les => ES,
                Mnemonic::Lss => SS,
                Mnemonic::Lds => DS,
                Mnemonic::Lfs => FS,
                _ => GS,
            };
            insn.third = Operand { kind: Kind::Seg, reg: segment as u8 };
        }
        Op::Monitor => {
            insn.addr_size = match instruction.code() {
                Code::Monitorw => 2,
                Code::Monitord => 4,
                _ => 8,
            };
            insn.mem.segment = segment_number(instruction.segment_prefix());
        }
        Op::Pushf | Op::Popf => insn.size = 2,
        Op::Pushfd | Op::Popfd => insn.size = 4,
        Op::Pushfq | Op::Popfq => insn.size = 8,
        Op::Outs => insn.size = insn.src_size,
        Op::Sysret | Op::Sysexit => insn.size = 4,
        Op::Sysretq | Op::Sysexitq => insn.size = 8,
        Op::Iret => insn.size = 2,
        Op::Iretd => insn.size = 4,
        Op::Iretq => insn.size = 8,
        _ => {}
    }
}
