//! Writes small ELF files, good ones and such as no linker would.

use bootloader_api::BootloaderConfig;

/// Where the made-up kernel lies.
pub const KERNEL: u64 = 0xffff_ffff_8000_0000;

const EHDR: usize = 64;
const PHDR: usize = 56;
const SHDR: usize = 64;

#[derive(Clone)]
pub struct Load {
    pub linear: u64,
    pub bytes: Vec<u8>,
    pub mem_bytes: u64,
    /// PF_X = 1, PF_W = 2, PF_R = 4.
    pub flags: u32,
}

/// A program header about bytes of a segment.
#[derive(Clone)]
pub struct Part {
    /// PT_DYNAMIC = 2, PT_TLS = 7, PT_GNU_RELRO = 6474e552h.
    pub kind: u32,
    pub linear: u64,
    pub bytes: u64,
}

#[derive(Clone)]
pub struct ElfFile {
    pub machine: u16,
    pub elf_type: u16,
    pub entry: u64,
    pub loads: Vec<Load>,
    pub tls: bool,
    pub parts: Vec<Part>,
    /// Of all segments.
    pub alignment: u64,
    pub config_name: &'static [u8],
    pub config: Vec<u8>,
}

impl Default for ElfFile {
    fn default() -> Self {
        Self {
            machine: 62,
            elf_type: 2,
            entry: KERNEL + 0x10,
            loads: vec![
                Load { linear: KERNEL, bytes: vec![0x90; 0x20], mem_bytes: 0x20, flags: 5 },
                Load { linear: KERNEL + 0x1020, bytes: vec![0x22; 0x10], mem_bytes: 0x10, flags: 4 },
                Load { linear: KERNEL + 0x2008, bytes: vec![0x44; 0x10], mem_bytes: 0x1ff8, flags: 6 },
            ],
            tls: false,
            parts: Vec::new(),
            alignment: 4096,
            config_name: b".bootloader-config",
            config: BootloaderConfig::new_default().serialize().to_vec(),
        }
    }
}

impl ElfFile {
    /// Header, program headers, segments, configuration, names, section headers.
    pub fn build(&self) -> Vec<u8> {
        let phnum = self.loads.len() + usize::from(self.tls) + self.parts.len();
        let mut body: Vec<u8> = Vec::new();
        let body_at = EHDR + phnum * PHDR;
        let mut phdrs = Vec::new();
        let mut offsets = Vec::new();
        for load in &self.loads {
            let offset = (body_at + body.len()) as u64;
            offsets.push((load, offset));
            let bytes = load.bytes.len() as u64;
            phdrs.extend(phdr(1, load.flags, [offset, load.linear, bytes, load.mem_bytes, self.alignment]));
            body.extend(&load.bytes);
        }
        if self.tls {
            phdrs.extend(phdr(7, 4, [body_at as u64, KERNEL + 0x2008, 8, 16, 4096]));
        }
        for part in &self.parts {
            let holds = |load: &Load| load.linear <= part.linear && part.linear - load.linear < load.mem_bytes;
            let found = offsets.iter().find(|(load, _)| holds(load));
            let offset = found.map_or(0, |(load, offset)| offset + (part.linear - load.linear));
            phdrs.extend(phdr(part.kind, 4, [offset, part.linear, part.bytes, part.bytes, 8]));
        }
        let config_at = body_at + body.len();
        body.extend(&self.config);
        let mut names = vec![0];
        names.extend(self.config_name);
        names.push(0);
        let names_at = body_at + body.len();
        body.extend(&names);
        let shoff = body_at + body.len();

        let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        file.extend(self.elf_type.to_le_bytes());
        file.extend(self.machine.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        for word in [self.entry, EHDR as u64, shoff as u64] {
            file.extend(word.to_le_bytes());
        }
        file.extend(0u32.to_le_bytes());
        for half in [EHDR, PHDR, phnum, SHDR, 3, 2] {
            file.extend((half as u16).to_le_bytes());
        }
        file.extend(phdrs);
        file.extend(body);
        file.extend([0; SHDR]);
        file.extend(shdr(1, config_at, self.config.len()));
        file.extend(shdr(0, names_at, names.len()));
        file
    }
}

fn phdr(kind: u32, flags: u32, [offset, linear, file_bytes, mem_bytes, alignment]: [u64; 5]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(kind.to_le_bytes());
    out.extend(flags.to_le_bytes());
    for word in [offset, linear, linear, file_bytes, mem_bytes, alignment] {
        out.extend(word.to_le_bytes());
    }
    out
}

/// A PROGBITS section.
fn shdr(name: u32, at: usize, len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(name.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    for word in [0, 0, at as u64, len as u64, 0, 1, 0] {
        out.extend(u64::to_le_bytes(word));
    }
    out.resize(SHDR, 0);
    out
}
