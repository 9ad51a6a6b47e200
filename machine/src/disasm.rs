//! Disassembly for people: Intel and AT&T syntax in lower case, and where a direct branch goes. Works on bytes alone,
//! so that the inspector and the server can show any memory; execution has [`crate::decode`].

use iced_x86::{Decoder, DecoderOptions, FlowControl, Formatter, GasFormatter, Instruction, IntelFormatter, OpKind};

/// One line of a disassembly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisasmLine {
    /// Bytes of the instruction, at least 1.
    pub len: usize,
    /// Intel syntax: `mov cr0, eax`.
    pub intel: String,
    /// AT&T syntax: `mov %eax,%cr0`.
    pub att: String,
    /// Where a direct near branch or call goes: an offset in CS.
    pub target: Option<u64>,
    /// A call: stepping over it runs until the next line.
    pub is_call: bool,
    /// The bytes are an instruction; otherwise the texts say `(bad)` and `len` is 1.
    pub is_valid: bool,
}

/// Disassembles the instruction at the start of `bytes`, which is at offset `ip` of a code segment of 16, 32 or 64 bits.
pub fn decode_line(bytes: &[u8], bits: u32, ip: u64) -> DisasmLine {
    let mut decoder = Decoder::with_ip(bits, bytes, ip, DecoderOptions::NONE);
    let instruction = decoder.decode();
    if instruction.is_invalid() {
        let bad = || String::from("(bad)");
        return DisasmLine { len: 1, intel: bad(), att: bad(), target: None, is_call: false, is_valid: false };
    }
    let is_near = matches!(instruction.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64);
    DisasmLine {
        len: instruction.len(),
        intel: intel(&instruction),
        att: att(&instruction),
        target: is_near.then(|| instruction.near_branch_target()),
        is_call: matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall),
        is_valid: true,
    }
}

fn intel(instruction: &Instruction) -> String {
    if matches!(instruction.op0_kind(), OpKind::FarBranch16 | OpKind::FarBranch32) {
        // iced writes `data32 jmp far 0x90000, 8`; a far pointer reads as selector:offset.
        let name = if instruction.is_call_far() { "call" } else { "jmp" };
        let offset = match instruction.op0_kind() {
            OpKind::FarBranch16 => u32::from(instruction.far_branch16()),
            _ => instruction.far_branch32(),
        };
        return format!("{name} far {:#x}:{offset:#x}", instruction.far_branch_selector());
    }
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_space_after_operand_separator(true);
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_branch_leading_zeros(false);
    options.set_small_hex_numbers_in_decimal(true);
    options.set_rip_relative_addresses(false);
    let mut text = String::new();
    formatter.format(instruction, &mut text);
    text
}

fn att(instruction: &Instruction) -> String {
    let mut formatter = GasFormatter::new();
    formatter.options_mut().set_uppercase_hex(false);
    formatter.options_mut().set_branch_leading_zeros(false);
    let mut text = String::new();
    formatter.format(instruction, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], bits: u32, intel: &str, att: &str, target: Option<u64>) {
        let line = decode_line(bytes, bits, 0x8000);
        assert_eq!((line.intel.as_str(), line.att.as_str(), line.target), (intel, att, target));
        assert!(line.is_valid && line.len == bytes.len());
    }

    /// Goal: the texts are in our style in each code size; method: what the trampoline consists of.
    #[test]
    fn texts() {
        check(&[0x0f, 0x22, 0xc0], 16, "mov cr0, eax", "mov %eax,%cr0", None);
        check(&[0x66, 0xea, 0, 0, 9, 0, 8, 0], 16, "jmp far 0x8:0x90000", "ljmpl $8,$0x90000", None);
        check(&[0xeb, 0xfe], 32, "jmp short 0x8000", "jmp 0x8000", Some(0x8000));
        check(&[0x48, 0x8b, 0x43, 0x10], 64, "mov rax, [rbx+0x10]", "mov 0x10(%rbx),%rax", None);
        check(&[0xf3, 0x48, 0xab], 64, "rep stosq [rdi]", "rep stos %rax,(%rdi)", None);
    }

    /// Goal: bytes that are no instruction say so and move on by one; method: an undefined opcode, no bytes.
    #[test]
    fn bad_bytes() {
        for bytes in [&[0x0f, 0x04][..], &[0x48], &[]] {
            let line = decode_line(bytes, 64, 0);
            assert_eq!((line.len, line.intel.as_str(), line.is_valid), (1, "(bad)", false));
        }
    }
}
