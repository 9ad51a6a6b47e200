//! Proves that a linked guest uses no memory below RSP.
//!
//! The System V ABI lets a leaf function keep data in the 128 bytes below RSP, the red zone; an interrupt on the same
//! stack writes over them. Our code is compiled without one, the prebuilt `core` was not. None of its functions that do
//! so should be linked in; this looks at each instruction of the image and names the function if one is.

use super::symbols::{CodeSection, Linked};
use anyhow::{Result, bail};
use iced_x86::{Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

/// # Errors
/// Names each function of the image that uses memory below RSP.
pub fn check(what: &str, linked: &Linked) -> Result<()> {
    let mut found = Vec::new();
    for section in &linked.code {
        for function in functions(linked, section) {
            let bytes = section.slice(function.clone());
            if let Some(address) = below_stack_pointer(bytes, function.start, section.bits) {
                let name = linked.name_of(function.start);
                found.push(format!("{name} (at {})", linked.name_of(address)));
            }
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    bail!(
        "{what} uses memory below RSP, which an interrupt overwrites: {}. It comes from the prebuilt core library, which \
         is compiled with a red zone: find what calls it (128-bit floats, big integers, char tables) and do without",
        found.join(", ")
    )
}

/// The code between symbols. Labels inside a function begin a new one: what matters is in the instructions themselves.
fn functions(linked: &Linked, section: &CodeSection) -> Vec<std::ops::Range<u64>> {
    let end = section.address + section.bytes.len() as u64;
    let inside = linked.symbols.iter().filter(|symbol| (section.address..end).contains(&symbol.address));
    let sized = inside.filter(|symbol| symbol.size > 0).map(|symbol| symbol.address);
    let mut starts: Vec<u64> = std::iter::once(section.address).chain(sized).collect();
    starts.dedup();
    let ends = starts.iter().copied().skip(1).chain([end]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// The first instruction of a function that reads or writes below RSP, directly or through a frame pointer.
fn below_stack_pointer(bytes: &[u8], address: u64, bits: u8) -> Option<u64> {
    let mut decoder = Decoder::with_ip(u32::from(bits), bytes, address, DecoderOptions::NONE);
    let mut info = InstructionInfoFactory::new();
    let instructions: Vec<Instruction> = decoder.iter().collect();
    let below_frame = frame_depth(&instructions);
    instructions.iter().find_map(|instruction| {
        let touches =
            info.info(instruction).used_memory().iter().any(|memory| memory.access() != OpAccess::NoMemAccess);
        let explicit = (0..instruction.op_count()).any(|op| instruction.op_kind(op) == OpKind::Memory);
        let displacement = instruction.memory_displacement64() as i64;
        // With an index register it is an element of an array on the stack; `[rsp + rcx - 8]` lies above RSP.
        let indexed = instruction.memory_index() != Register::None;
        let is_below = match instruction.memory_base() {
            _ if indexed => false,
            Register::RSP | Register::ESP => displacement < 0,
            Register::RBP => below_frame.is_some_and(|depth| displacement < 0 && displacement.unsigned_abs() > depth),
            _ => false,
        };
        (touches && explicit && is_below).then(|| instruction.ip())
    })
}

/// How far RSP goes below RBP where RBP is set up as a frame pointer: pushes and subtractions after `push rbp; mov rbp,
/// rsp`. None where it is not, or where the distance is not constant.
fn frame_depth(instructions: &[Instruction]) -> Option<u64> {
    let is_frame = |pair: &[Instruction]| {
        let [push, set, ..] = pair else { return false };
        push.mnemonic() == Mnemonic::Push
            && push.op0_register() == Register::RBP
            && set.mnemonic() == Mnemonic::Mov
            && set.op0_register() == Register::RBP
            && set.op1_register() == Register::RSP
    };
    let start = instructions.windows(2).position(is_frame)?;
    let mut depth = 0u64;
    for instruction in instructions.iter().skip(start + 2) {
        let on_stack_pointer = instruction.op0_register() == Register::RSP;
        match instruction.mnemonic() {
            Mnemonic::Push => depth += 8,
            Mnemonic::Sub if on_stack_pointer && instruction.op1_kind() == OpKind::Register => return None,
            Mnemonic::Sub if on_stack_pointer => depth = depth.saturating_add(instruction.immediate(1)),
            // Aligning moves RSP further down; a call or a computed RSP tells nothing about the distance.
            Mnemonic::And if on_stack_pointer => depth = depth.saturating_add(64),
            _ => {}
        }
    }
    Some(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_64(bytes: &[u8]) -> Option<u64> {
        below_stack_pointer(bytes, 0x1000, 64)
    }

    /// Goal: memory below RSP is found whichever register names it; method: bytes of small leaf functions.
    #[test]
    fn found() {
        // mov [rsp-8], rdi; ret
        assert_eq!(check_64(&[0x48, 0x89, 0x7c, 0x24, 0xf8, 0xc3]), Some(0x1000));
        // push rbp; mov rbp, rsp; mov [rbp-8], rdi; pop rbp; ret
        assert_eq!(check_64(&[0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0x7d, 0xf8, 0x5d, 0xc3]), Some(0x1004));
    }

    /// Goal: what stays above RSP is let through; method: the same functions with room made first, pushes, LEA.
    #[test]
    fn let_through() {
        // sub rsp, 8; mov [rsp], rdi; add rsp, 8; ret
        assert_eq!(check_64(&[0x48, 0x83, 0xec, 8, 0x48, 0x89, 0x3c, 0x24, 0x48, 0x83, 0xc4, 8, 0xc3]), None);
        // push rbp; mov rbp, rsp; sub rsp, 16; mov [rbp-8], rdi; leave; ret
        assert_eq!(check_64(&[0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 16, 0x48, 0x89, 0x7d, 0xf8, 0xc9, 0xc3]), None);
        // mov [rsp+rcx-8], rdi; ret
        assert_eq!(check_64(&[0x48, 0x89, 0x7c, 0x0c, 0xf8, 0xc3]), None);
        // lea rax, [rsp-8]; push rax; call 0; ret
        assert_eq!(check_64(&[0x48, 0x8d, 0x44, 0x24, 0xf8, 0x50, 0xe8, 0, 0, 0, 0, 0xc3]), None);
    }
}
