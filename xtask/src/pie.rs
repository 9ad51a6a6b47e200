//! A position-independent kernel, made here, since the guest's own compiler flags make another kind: it prints a text that it
//! finds by a pointer which the loader has to relocate. The embedded machine and QEMU both start it,
//! and the fuzzer begins with it.

/// The file's layout, as the loader's own tests write it.
#[path = "../../loader/src/tests/elf_file.rs"]
mod elf_file;

use elf_file::{ElfFile, Load, Part};

/// What it prints.
pub const TEXT: &str = "a kernel that was moved and relocated\r\n";

const POINTER: u64 = 0x1000;
const STRING: u64 = 0x1010;
const DYNAMIC: u64 = 0x1100;
const TABLE: u64 = 0x1180;

/// Prints what the pointer leads to on COM1, up to a zero byte, and halts for good.
const CODE: [u8; 23] = [
    0x48, 0x8b, 0x35, 0xf9, 0x0f, 0x00, 0x00, // mov rsi, [rip + POINTER - 7]
    0x66, 0xba, 0xf8, 0x03, // mov dx, 3f8h
    0xac, // 0bh: lodsb
    0x84, 0xc0, // test al, al
    0x74, 0x03, // jz 13h
    0xee, // out dx, al
    0xeb, 0xf8, // jmp 0bh
    0xfa, // 13h: cli
    0xf4, // 14h: hlt
    0xeb, 0xfd, // jmp 14h
];

/// The file.
pub fn kernel() -> Vec<u8> {
    const DT_RELA: u64 = 7;
    const DT_RELASZ: u64 = 8;
    const DT_RELAENT: u64 = 9;
    const R_X86_64_RELATIVE: u64 = 8;
    let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut data = Vec::new();
    for (linear, bytes) in [
        (STRING, [TEXT.as_bytes(), &[0]].concat()),
        (DYNAMIC, words(&[DT_RELA, TABLE, DT_RELASZ, 24, DT_RELAENT, 24, 0, 0])),
        (TABLE, words(&[POINTER, R_X86_64_RELATIVE, STRING])),
    ] {
        data.resize((linear - POINTER) as usize, 0);
        data.extend(bytes);
    }
    ElfFile {
        elf_type: 3,
        entry: 0,
        loads: vec![
            Load { linear: 0, bytes: CODE.to_vec(), mem_bytes: CODE.len() as u64, flags: 5 },
            Load { linear: POINTER, mem_bytes: data.len() as u64, bytes: data, flags: 6 },
        ],
        parts: vec![Part { kind: 2, linear: DYNAMIC, bytes: 64 }],
        ..ElfFile::default()
    }
    .build()
}
