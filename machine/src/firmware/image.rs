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
        let relocations = relocations(&elf, &segments)?;
        Ok(Self { segments, relocations, code_bytes, bytes: end })
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

/// All are "image + addend". The dynamic section tells where they are; there are no section headers.
fn relocations(
    elf: &ElfBytes<'_, LittleEndian>,
    segments: &[(u64, &[u8], u64)],
) -> Result<Vec<(u64, u64)>, &'static str> {
    const RELA_BYTES: usize = 24;
    let dynamic = elf.dynamic().ok().flatten().ok_or("it does not tell of its relocations")?;
    let value = |tag| dynamic.iter().find(|entry| entry.d_tag == tag).map(|entry| entry.d_val());
    let (Some(at), Some(size)) = (value(abi::DT_RELA), value(abi::DT_RELASZ)) else { return Ok(Vec::new()) };
    let table = segments.iter().find_map(|(start, bytes, _)| {
        let from = usize::try_from(at.checked_sub(*start)?).ok()?;
        bytes.get(from..)?.get(..usize::try_from(size).ok()?)
    });
    let table = table.ok_or("its relocations lie outside it")?;
    let mut found = Vec::new();
    for entry in table.chunks_exact(RELA_BYTES) {
        let word = |at: usize| entry.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let (Some(offset), Some(info), Some(addend)) = (word(0), word(8), word(16)) else { break };
        if info as u32 != abi::R_X86_64_RELATIVE {
            return Err("it has a relocation that is not relative to the image");
        }
        found.push((offset, addend));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the image in this program holds what is loaded and nothing more, and its relocations are found. Method: the image,
    /// where the program was built with one; every relocation lies in it and leads into it.
    #[test]
    fn the_image_is_what_is_loaded() {
        let Some(file) = IMAGE else { return };
        let image = FirmwareImage::parse(file).unwrap();
        assert!(file.len() as u64 <= image.bytes + PAGE, "{} bytes for {} in memory", file.len(), image.bytes);
        assert!(!image.relocations.is_empty());
        assert!(image.relocations.iter().all(|(offset, addend)| offset + 8 <= image.bytes && *addend <= image.bytes));
    }
}
