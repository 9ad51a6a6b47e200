//! A kernel that does nothing but count: an ELF file with one page of code, written by hand.

use bootloader_api::BootloaderConfig;

/// Where it is linked.
const LINEAR: u64 = 0xffff_ffff_8000_0000;
const EHDR: usize = 64;
const PHDR: usize = 56;
const SHDR: usize = 64;

/// mov rcx, -1; loop: add rax, rcx; xor rdx, rax; shl rbx, 3; lea rsi, [rdx+rax]; sub rcx, 1; jnz loop
const CODE: &[u8] = &[
    0x48, 0xc7, 0xc1, 0xff, 0xff, 0xff, 0xff, 0x48, 0x01, 0xc8, 0x48, 0x31, 0xc2, 0x48, 0xc1, 0xe3, 0x03, 0x48, 0x8d,
    0x34, 0x02, 0x48, 0x83, 0xe9, 0x01, 0x75, 0xec,
];

/// The file: header, one program header, code, configuration, section names, three section headers.
pub fn elf() -> Vec<u8> {
    let config = BootloaderConfig::new_default().serialize();
    let names = b"\0.bootloader-config\0";
    let code_at = EHDR + PHDR;
    let config_at = code_at + CODE.len();
    let names_at = config_at + config.len();
    let sections_at = names_at + names.len();

    let mut file = Vec::new();
    // ELF, 64 bits, little endian, version 1; executable (2) for x86-64 (62).
    file.extend([0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    words(&mut file, &[LINEAR, EHDR as u64, sections_at as u64]);
    file.extend([0; 4]);
    for half in [EHDR, PHDR, 1, SHDR, 3, 2] {
        file.extend((half as u16).to_le_bytes());
    }
    // PT_LOAD, readable and executable.
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    words(&mut file, &[code_at as u64, LINEAR, LINEAR, CODE.len() as u64, CODE.len() as u64, 4096]);
    file.extend(CODE);
    file.extend(config);
    file.extend(names);
    file.extend([0; SHDR]);
    section(&mut file, 1, config_at, config.len());
    section(&mut file, 0, names_at, names.len());
    file
}

/// PROGBITS, at no address.
fn section(file: &mut Vec<u8>, name: u32, at: usize, len: usize) {
    file.extend(name.to_le_bytes());
    file.extend(1u32.to_le_bytes());
    words(file, &[0, 0, at as u64, len as u64, 0, 1, 0]);
}

fn words(file: &mut Vec<u8>, words: &[u64]) {
    file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
}
