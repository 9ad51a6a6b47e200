//! Random programs: bytes that iced-x86 takes for instructions which both machines have and which stay within CPU and memory,
//! registers and data to begin with; and the table of what the SDM leaves undefined.

use super::modes::{CODE, DATA, Mode, STACK_TOP};
use super::sides::RFLAGS;
use fastrand::Rng;
use iced_x86::{
    Code, CpuidFeature, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register, RflagsBits,
};

/// Instructions of a program, at most.
const MAX_INSTRUCTIONS: usize = 6;
/// Bytes of data, and of stack above its top, that are filled.
pub const DATA_BYTES: usize = 0x400;

/// A program, and what it begins with.
#[derive(Clone, Debug)]
pub struct Program {
    pub instructions: Vec<Instruction>,
    pub code: Vec<u8>,
    pub gpr: [u64; 16],
    pub flags: u64,
    pub data: Vec<u8>,
}

/// What both machines have, and what touches nothing but registers and memory.
const FEATURES: &[CpuidFeature] = &[
    CpuidFeature::INTEL8086,
    CpuidFeature::INTEL8086_ONLY,
    CpuidFeature::INTEL186,
    CpuidFeature::INTEL286,
    CpuidFeature::INTEL386,
    CpuidFeature::INTEL486,
    CpuidFeature::X64,
    CpuidFeature::CMOV,
    CpuidFeature::CX8,
    CpuidFeature::CMPXCHG16B,
    CpuidFeature::POPCNT,
    CpuidFeature::LZCNT,
    CpuidFeature::BMI1,
    CpuidFeature::BMI2,
    CpuidFeature::ADX,
    CpuidFeature::MOVBE,
    CpuidFeature::MULTIBYTENOP,
    CpuidFeature::FSGSBASE,
    CpuidFeature::SMAP,
];

/// Left out, with the reason.
const LEFT_OUT: &[(&[Mnemonic], &str)] = &[
    (&[Mnemonic::Hlt, Mnemonic::Wait, Mnemonic::Pause], "waits"),
    (&[Mnemonic::In, Mnemonic::Out, Mnemonic::Insb, Mnemonic::Insw, Mnemonic::Insd], "reaches devices"),
    (&[Mnemonic::Outsb, Mnemonic::Outsw, Mnemonic::Outsd], "reaches devices"),
    (&[Mnemonic::Lgdt, Mnemonic::Lidt, Mnemonic::Lldt, Mnemonic::Ltr, Mnemonic::Lmsw], "loses the tables"),
    (&[Mnemonic::Invd, Mnemonic::Wbinvd, Mnemonic::Invlpg, Mnemonic::Clts], "nothing to be seen"),
    (&[Mnemonic::Sgdt, Mnemonic::Sidt], "QEMU cuts the base to 24 bits with a 16-bit operand; processors do not"),
    (&[Mnemonic::Popf, Mnemonic::Popfd, Mnemonic::Popfq], "can set TF, which QEMU's gdb server steps over"),
    (&[Mnemonic::Iret, Mnemonic::Iretd, Mnemonic::Iretq], "likewise"),
    (&[Mnemonic::Int1], "QEMU's gdb server stops by itself"),
    (&[Mnemonic::Int3], "likewise"),
    (&[Mnemonic::Nop, Mnemonic::Reservednop], "QEMU refuses some of the encodings"),
    (&[Mnemonic::Loadall, Mnemonic::Umov, Mnemonic::Ibts, Mnemonic::Xbts], "early processors only"),
];

/// What the SDM leaves undefined beyond what iced-x86 knows (`Instruction::rflags_undefined`, made from the flag tables of
/// Intel's and AMD's manuals).
fn undefined_more(instruction: &Instruction) -> u32 {
    match instruction.mnemonic() {
        // SDM 2B, SAL/SAR/SHL/SHR: CF where the count is the width or more, OF where it is not 1, AF.
        Mnemonic::Shl | Mnemonic::Sal | Mnemonic::Shr | Mnemonic::Sar => {
            RflagsBits::CF | RflagsBits::OF | RflagsBits::AF
        }
        // SDM 2B, RCL/RCR/ROL/ROR: OF where the count is not 1.
        Mnemonic::Rcl | Mnemonic::Rcr | Mnemonic::Rol | Mnemonic::Ror => RflagsBits::OF,
        // SDM 2B, SHLD, SHRD: OF where the count is not 1, AF.
        Mnemonic::Shld | Mnemonic::Shrd => RflagsBits::OF | RflagsBits::AF,
        // SDM 2A, BSF, BSR: all but ZF.
        Mnemonic::Bsf | Mnemonic::Bsr => ALL_STATUS & !RflagsBits::ZF,
        // SDM 2A, BT: all but CF; ZF does not change.
        Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc => {
            RflagsBits::OF | RflagsBits::SF | RflagsBits::AF | RflagsBits::PF
        }
        _ => 0,
    }
}

const ALL_STATUS: u32 =
    RflagsBits::OF | RflagsBits::SF | RflagsBits::ZF | RflagsBits::AF | RflagsBits::CF | RflagsBits::PF;

/// Bits of RFLAGS that an instruction leaves undefined.
pub fn undefined_flags(instruction: &Instruction) -> u64 {
    let bits = instruction.rflags_undefined() | undefined_more(instruction);
    let pairs = [
        (RflagsBits::CF, 0),
        (RflagsBits::PF, 2),
        (RflagsBits::AF, 4),
        (RflagsBits::ZF, 6),
        (RflagsBits::SF, 7),
        (RflagsBits::OF, 11),
    ];
    pairs.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, place)| 1 << place).sum()
}

/// The result itself is undefined: SDM 2A, BSWAP of 16 bits; SDM 2B, SHLD and SHRD by more than the width.
fn has_undefined_result(instruction: &Instruction) -> bool {
    match instruction.mnemonic() {
        Mnemonic::Bswap => instruction.op0_register().size() == 2,
        Mnemonic::Shld | Mnemonic::Shrd => instruction.op1_register().size() == 2,
        _ => false,
    }
}

/// QEMU looks neither at the limit of segments of 64 KiB nor at the type of CS when data is read or written through it: what
/// code does beyond that is left out. In real mode there is no paging to keep other segments away from devices.
fn stays_in_segment(instruction: &Instruction, mode: Mode) -> bool {
    let loads = (0..instruction.op_count().min(1)).any(|index| instruction.op_register(index).is_segment_register());
    let loads_far = matches!(instruction.mnemonic(), Mnemonic::Lds | Mnemonic::Les | Mnemonic::Lfs | Mnemonic::Lgs);
    let through_cs = instruction.segment_prefix() == Register::CS;
    if mode == Mode::Real && (loads || loads_far || instruction.mnemonic() == Mnemonic::Lss)
        || mode.bits() == 32 && through_cs
    {
        return false;
    }
    let is_wide = |index: u32| {
        matches!(instruction.op_kind(index), OpKind::NearBranch32 | OpKind::FarBranch32)
            || instruction.op_kind(index) == OpKind::Register && instruction.op_register(index).size() == 4
    };
    let jumps = instruction.flow_control() != FlowControl::Next;
    mode.bits() != 16
        || instruction.memory_base().size() != 4
            && instruction.memory_index().size() != 4
            && instruction.memory_displ_size() != 4
            && !(jumps && (instruction.op_count() == 0 || is_wide(0) || instruction.memory_size().size() >= 4))
}

fn is_wanted(instruction: &Instruction, bytes: &[u8], mode: Mode) -> bool {
    // A second encoding of TEST that the SDM does not have.
    let second_test = matches!(instruction.code(), Code::Test_rm8_imm8_F6r1 | Code::Test_rm16_imm16_F7r1)
        || matches!(instruction.code(), Code::Test_rm32_imm32_F7r1 | Code::Test_rm64_imm32_F7r1);
    // QEMU takes a REX prefix that is followed by another prefix.
    let is_prefix = |byte: u8| matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3);
    let prefixes = bytes.iter().take_while(|&&byte| is_prefix(byte) || byte & 0xf0 == 0x40);
    let late =
        mode.bits() == 64 && prefixes.copied().collect::<Vec<u8>>().windows(2).any(|pair| pair[0] & 0xf0 == 0x40);
    // QEMU counts RIP from before the immediate.
    let short = matches!(instruction.mnemonic(), Mnemonic::Shld | Mnemonic::Shrd)
        && instruction.is_ip_rel_memory_operand()
        && instruction.op2_kind() == OpKind::Immediate8;
    // QEMU writes zeros above a selector that is pushed with 4 bytes.
    let selector = matches!(instruction.mnemonic(), Mnemonic::Push)
        && instruction.op0_register().is_segment_register()
        && instruction.stack_pointer_increment() == -4;
    if second_test || late || short || selector {
        return false;
    }
    let far = matches!(instruction.code(), Code::Retfq | Code::Retfq_imm16);
    let special = (0..instruction.op_count()).any(|index| {
        let register = instruction.op_register(index);
        instruction.op_kind(index) == OpKind::Register
            && (register.is_cr() || register.is_dr() || register.is_tr() || register.is_mm() || register.is_st())
    });
    !instruction.is_invalid()
        && !special
        && !far
        && instruction.cpuid_features().iter().all(|feature| FEATURES.contains(feature))
        && !LEFT_OUT.iter().any(|(mnemonics, _)| mnemonics.contains(&instruction.mnemonic()))
        && !has_undefined_result(instruction)
        // LOCK and REP where they mean nothing: QEMU does not always refuse or ignore them as processors do.
        && !instruction.has_lock_prefix()
}

/// One instruction at this offset of the program.
fn instruction(random: &mut Rng, mode: Mode, offset: u64) -> (Instruction, Vec<u8>) {
    loop {
        let mut bytes = Vec::new();
        for _ in 0..random.u64(..3) {
            bytes.push([0x66, 0x66, 0x67, 0xf3, 0xf2, 0x26, 0x2e, 0x36, 0x64, 0x65][random.usize(..10)]);
        }
        if mode.bits() == 64 && random.u64(..2) == 0 {
            bytes.push(0x40 | random.u64(..16) as u8);
        }
        match random.u64(..16) {
            0..=8 => {}
            9..=14 => bytes.push(0x0f),
            _ => bytes.extend([0xc4, 0xe2, random.u64(..) as u8]),
        }
        while bytes.len() < 15 {
            bytes.push(random.u64(..) as u8);
        }
        let mut decoder = Decoder::with_ip(mode.bits(), &bytes, CODE + offset, DecoderOptions::NONE);
        let mut decoded = decoder.decode();
        if !is_wanted(&decoded, &bytes, mode) || !stays_in_segment(&decoded, mode) {
            continue;
        }
        // A displacement that leads to the data.
        let places = decoder.get_constant_offsets(&decoded);
        if places.has_displacement() && random.u64(..8) != 0 {
            let target = if decoded.is_ip_rel_memory_operand() {
                DATA + random.u64(..0x300) - (CODE + offset + decoded.len() as u64)
            } else if decoded.memory_base() == Register::None {
                DATA + random.u64(..0x300)
            } else {
                random.u64(..0x60)
            };
            let (start, size) = (places.displacement_offset(), places.displacement_size());
            bytes[start..start + size].copy_from_slice(&target.to_le_bytes()[..size]);
            decoded = Decoder::with_ip(mode.bits(), &bytes, CODE + offset, DecoderOptions::NONE).decode();
        }
        bytes.truncate(decoded.len());
        return (decoded, bytes);
    }
}

impl Program {
    pub fn new(random: &mut Rng, mode: Mode) -> Self {
        let (mut instructions, mut code) = (Vec::new(), Vec::new());
        for _ in 0..1 + random.u64(..MAX_INSTRUCTIONS as u64) {
            let (instruction, bytes) = instruction(random, mode, code.len() as u64);
            instructions.push(instruction);
            code.extend(bytes);
        }
        let mut gpr = std::array::from_fn(|_| register(random));
        gpr[4] = STACK_TOP;
        if instructions.iter().any(|one| one.has_rep_prefix() || one.has_repne_prefix()) {
            gpr[1] = random.u64(..5);
        }
        if mode.bits() != 64 {
            gpr.iter_mut().for_each(|value| *value &= 0xffff_ffff);
            gpr[8..].fill(0);
        }
        // The status flags and DF.
        let flags = 2 | random.u64(..) & 0xcd5 | if mode == Mode::V86 { 0x2_3000 } else { 0 };
        let data = (0..DATA_BYTES).map(|_| random.u64(..) as u8).collect();
        Self { instructions, code, gpr, flags, data }
    }

    /// The instruction at an address of the program.
    pub fn at(&self, address: u64) -> Option<&Instruction> {
        self.instructions.iter().find(|instruction| instruction.ip() == address)
    }

    /// Registers to be set: place and value.
    pub fn registers(&self, mode: Mode) -> impl Iterator<Item = (usize, u64)> {
        let count = if mode.bits() == 64 { 16 } else { 8 };
        self.gpr.into_iter().take(count).enumerate().chain([(RFLAGS, self.flags)])
    }
}

/// A pointer to data, a small number, one at an edge, or any.
fn register(random: &mut Rng) -> u64 {
    const EDGES: [u64; 8] = [0, 1, 0x7f, 0x80, 0x8000, 0x7fff_ffff, 0x8000_0000, 0x8000_0000_0000_0000];
    match random.u64(..8) {
        0..=3 => DATA + 0x80 + random.u64(..0x280),
        4 => random.u64(..0x40),
        5 => EDGES[random.usize(..EDGES.len())],
        6 => EDGES[random.usize(..EDGES.len())].wrapping_neg(),
        _ => random.u64(..),
    }
}
