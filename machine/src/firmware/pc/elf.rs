//! ELF files of 32 and 64 bits as boot loaders take them: segments at their physical addresses.

use super::super::boot::BootError;
use super::place::Placed;
use crate::bus::ram::Ram;
use elf::ElfBytes;
use elf::abi::{EM_386, EM_X86_64, PF_X, PT_LOAD, PT_NOTE};
use elf::endian::LittleEndian;
use elf::note::Note;

/// Name and type of the note that has PVH's entry (Xen's public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY).
const XEN: &str = "Xen";
const PHYS32_ENTRY: u64 = 18;

/// An ELF file whose headers are right.
#[derive(Debug)]
pub struct Elf<'a> {
    file: &'a [u8],
    parsed: ElfBytes<'a, LittleEndian>,
}

/// A part that is to be loaded; every number is the file's own.
struct Segment<'a> {
    paddr: u64,
    linear: u64,
    bytes: &'a [u8],
    memory_bytes: u64,
    is_code: bool,
}

fn bad(why: impl std::fmt::Display) -> BootError {
    BootError::Image(format!("the ELF file: {why}"))
}

impl<'a> Elf<'a> {
    /// Reads the headers.
    ///
    /// # Errors
    /// In words: it is no ELF file, or one of another processor.
    pub fn parse(file: &'a [u8]) -> Result<Self, BootError> {
        let parsed = ElfBytes::<LittleEndian>::minimal_parse(file).map_err(bad)?;
        let machine = parsed.ehdr.e_machine;
        if !matches!(machine, EM_386 | EM_X86_64) {
            return Err(bad(format!("it is for machine {machine}, not for an x86")));
        }
        Ok(Self { file, parsed })
    }

    fn segments(&self) -> Result<Vec<Segment<'a>>, BootError> {
        let Some(headers) = self.parsed.segments() else { return Err(bad("it has no program headers")) };
        let mut segments = Vec::new();
        for (index, header) in headers.iter().enumerate().filter(|(_, header)| header.p_type == PT_LOAD) {
            let end = header.p_offset.checked_add(header.p_filesz);
            let bytes = end.and_then(|end| self.file.get(header.p_offset as usize..usize::try_from(end).ok()?));
            let Some(bytes) = bytes else {
                return Err(bad(format!(
                    "segment {index} has {:#x} bytes at file offset {:#x}, beyond the file's end at {:#x}",
                    header.p_filesz,
                    header.p_offset,
                    self.file.len()
                )));
            };
            if header.p_filesz > header.p_memsz {
                return Err(bad(format!("segment {index} has more bytes in the file than in memory")));
            }
            segments.push(Segment {
                paddr: header.p_paddr,
                linear: header.p_vaddr,
                bytes,
                memory_bytes: header.p_memsz,
                is_code: header.p_flags & PF_X != 0,
            });
        }
        if segments.is_empty() {
            return Err(bad("it has no segment to be loaded"));
        }
        Ok(segments)
    }

    /// Loads all segments. Returns the physical address of the entry: where the file has a linear one, that of the segment
    /// it lies in decides.
    ///
    /// # Errors
    /// In words.
    pub fn load(&self, placed: &mut Placed, ram: &mut Ram) -> Result<u64, BootError> {
        let segments = self.segments()?;
        for (index, segment) in segments.iter().enumerate() {
            placed.put(&format!("loaded segment {index}"), segment.paddr, segment.bytes, segment.memory_bytes, ram)?;
        }
        let entry = self.parsed.ehdr.e_entry;
        let holds = |segment: &&Segment<'_>| {
            segment.is_code
                && segment.linear != segment.paddr
                && entry.checked_sub(segment.linear).is_some_and(|offset| offset < segment.memory_bytes)
        };
        Ok(segments.iter().find(holds).map_or(entry, |segment| entry - segment.linear + segment.paddr))
    }

    /// Physical address of PVH's entry.
    ///
    /// # Errors
    /// In words: it has no such note.
    pub fn pvh_entry(&self) -> Result<u64, BootError> {
        let none = || bad("it has no note XEN_ELFNOTE_PHYS32_ENTRY, so it is no PVH kernel");
        let headers = self.parsed.segments().ok_or_else(none)?;
        for header in headers.iter().filter(|header| header.p_type == PT_NOTE) {
            let notes = self.parsed.segment_data_as_notes(&header).map_err(bad)?;
            for note in notes {
                if let Note::Unknown(note) = note
                    && note.n_type == PHYS32_ENTRY
                    && note.name_str().is_ok_and(|name| name.trim_end_matches('\0') == XEN)
                {
                    let mut entry = [0; 8];
                    let len = note.desc.len().min(8);
                    entry[..len].copy_from_slice(&note.desc[..len]);
                    return Ok(u64::from_le_bytes(entry));
                }
            }
        }
        Err(none())
    }
}
