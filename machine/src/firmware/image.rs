//! The firmware's image, guest code from the package `firmware`: into RAM, relocated, and told where it is.
//!
//! What this and the image agree on is the image's header; layouts as in `firmware/src/lib.rs`, read and written by offsets.

use crate::bus::ram::Ram;
use elf::{ElfBytes, abi, endian::LittleEndian};

/// The image, if there was one when this program was built.
pub const IMAGE: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/firmware.rs"));

/// "FLEFIRT1", the header's first 8 bytes.
const MAGIC: &[u8; 8] = b"FLEFIRT1";
/// Offsets of the header's pointers: the runtime services' table, what the machine tells.
const RUNTIME_SERVICES: u64 = 8;
const PLATFORM: u64 = 16;
const PAGE: u64 = 4096;

/// An image that can be placed.
#[derive(Debug)]
pub struct FirmwareImage<'a> {
    /// Address relative to the image, bytes in the file, bytes in memory.
    segments: Vec<(u64, &'a [u8], u64)>,
    /// Offset and addend.
    relocations: Vec<(u64, u64)>,
    /// Bytes of code, whole pages: data begins there.
    pub code_bytes: u64,
    /// Bytes of all, whole pages.
    pub bytes: u64,
}

impl<'a> FirmwareImage<'a> {
    /// Reads an ELF file: one segment with code, one with data behind it.
    ///
    /// # Errors
    /// What it is not.
    pub fn parse(file: &'a [u8]) -> Result<Self, &'static str> {
        let elf = ElfBytes::<LittleEndian>::minimal_parse(file).map_err(|_| "it is no ELF file")?;
        let headers = elf.segments().ok_or("it has no segments")?;
        let mut segments = Vec::new();
        let mut code_bytes = 0;
        for header in headers.iter().filter(|header| header.p_type == abi::PT_LOAD && header.p_memsz > 0) {
            let bytes = elf.segment_data(&header).map_err(|_| "a segment lies outside the file")?;
            let end = header.p_vaddr.checked_add(header.p_memsz).filter(|end| *end < 1 << 24);
            let end = end.filter(|_| header.p_filesz <= header.p_memsz).ok_or("a segment is too large")?;
            if header.p_flags & abi::PF_X != 0 {
                code_bytes = end.next_multiple_of(PAGE);
            }
            segments.push((header.p_vaddr, bytes, header.p_memsz));
        }
        let end = segments.iter().map(|(start, _, bytes)| start + bytes).max().unwrap_or(0).next_multiple_of(PAGE);
        let apart = segments.iter().all(|(start, _, bytes)| start + bytes <= code_bytes || *start >= code_bytes);
        if !apart || code_bytes == 0 || code_bytes == end {
            return Err("its code and its data are not two parts on pages of their own");
        }
        Ok(Self { segments, relocations: relocations(&elf)?, code_bytes, bytes: end })
    }

    /// Puts it at a physical address. Returns the address of the runtime services' table.
    ///
    /// # Errors
    /// Its header is not what it must be.
    pub fn place(&self, ram: &mut Ram, base: u64, platform: [u64; 5]) -> Result<u64, &'static str> {
        for (start, bytes, _) in &self.segments {
            ram.write_slice(base + start, bytes);
        }
        for (offset, addend) in &self.relocations {
            ram.write_slice(base + offset, &base.wrapping_add(*addend).to_le_bytes());
        }
        let word = |ram: &Ram, at: u64| ram.read(at).map(u64::from_le_bytes).ok_or("it does not fit into RAM");
        if word(ram, base)?.to_le_bytes() != *MAGIC {
            return Err("it does not begin with its header");
        }
        let (services, told) = (word(ram, base + RUNTIME_SERVICES)?, word(ram, base + PLATFORM)?);
        if ![services, told].iter().all(|at| (base..base + self.bytes).contains(at)) {
            return Err("its header points outside it");
        }
        for (at, value) in (told..).step_by(8).zip(platform) {
            ram.write_slice(at, &value.to_le_bytes());
        }
        Ok(services)
    }
}

/// All are "image + addend".
fn relocations(elf: &ElfBytes<'_, LittleEndian>) -> Result<Vec<(u64, u64)>, &'static str> {
    let headers = elf.section_headers().ok_or("it has no sections")?;
    let mut found = Vec::new();
    for header in headers.iter().filter(|header| header.sh_flags & u64::from(abi::SHF_ALLOC) != 0) {
        if header.sh_type != abi::SHT_RELA {
            continue;
        }
        for entry in elf.section_data_as_relas(&header).map_err(|_| "its relocations cannot be read")? {
            if entry.r_type != abi::R_X86_64_RELATIVE {
                return Err("it has a relocation that is not relative to the image");
            }
            found.push((entry.r_offset, entry.r_addend.cast_unsigned()));
        }
    }
    Ok(found)
}
