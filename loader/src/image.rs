//! The kernel's ELF file, checked once: after [`Image::parse`] every number in it can be trusted.
//!
//! [`crate::plan`] gives the rest of the kernel its addresses, [`mod@crate::load`] puts it all into memory.

use crate::{
    error::LoadError,
    relocate::{self, Relocation, Span},
};
use alloc::{format, vec::Vec};
use bootloader_api::{BootloaderConfig, info::TlsTemplate};
use core::ops::Range;
use elf::{ElfBytes, abi, endian::LittleEndian, parse::ParseError, segment::ProgramHeader};

/// Bytes in a small page.
pub(crate) const PAGE: u64 = 4096;

/// A kernel that can be loaded. Its addresses are as linked; those of a position-independent one become what they will be by
/// [`Image::moved`].
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// The whole file.
    pub bytes: &'a [u8],
    /// Where a position-independent kernel is linked; None: it cannot be elsewhere.
    pub position_independent: Option<Span>,
    /// What was added to every address, modulo 2^64.
    pub offset: u64,
    /// Linear address of the first instruction.
    pub entry: u64,
    /// What to load, by linear address, ascending; no two share a page.
    pub segments: Vec<Segment>,
    /// The thread-local template, if there is one.
    pub tls: Option<TlsTemplate>,
    /// What the kernel wants from its loader.
    pub config: BootloaderConfig,
    /// Pages that are read-only although their segment is writable.
    pub(crate) read_only: Vec<Range<u64>>,
    /// The table of relocations: its bytes in the file.
    relocations: Range<usize>,
}

/// A PT_LOAD program header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its index among the program headers.
    pub index: usize,
    /// Linear address of its first byte.
    pub linear: u64,
    /// Bytes in memory; what is not in the file is zero.
    pub mem_bytes: u64,
    /// Its bytes in the file.
    pub file: Range<usize>,
    /// The kernel may write it.
    pub writable: bool,
    /// The kernel may execute it.
    pub executable: bool,
}

impl Segment {
    /// Linear address of its first page.
    pub fn first_page(&self) -> u64 {
        self.linear & !(PAGE - 1)
    }

    /// Linear address of its last page (inclusive: the kernel may reach up to the end of the address space).
    pub fn last_page(&self) -> u64 {
        (self.linear + (self.mem_bytes - 1)) & !(PAGE - 1)
    }

    /// Number of pages it touches.
    pub fn pages(&self) -> u64 {
        (self.last_page() - self.first_page()) / PAGE + 1
    }
}

impl<'a> Image<'a> {
    /// The smallest width and height in pixels that the kernel wants of its screen. bootloader_api deprecates the fields, since
    /// its own loader has them in a file of its own; kernels that set them still get what they ask for.
    pub fn least_screen(&self) -> (Option<u64>, Option<u64>) {
        #[allow(deprecated)]
        let wanted = self.config.frame_buffer;
        (wanted.minimum_framebuffer_width, wanted.minimum_framebuffer_height)
    }

    /// Checks an ELF file.
    ///
    /// # Errors
    /// Whatever is wrong with the file; see [`LoadError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, LoadError> {
        let elf = ElfBytes::<LittleEndian>::minimal_parse(bytes).map_err(|error| match error {
            ParseError::BadMagic(_) => LoadError::NotElf,
            ParseError::UnsupportedElfEndianness(_) | ParseError::UnsupportedElfClass(_) => LoadError::NotElf64,
            // Too short even for the four bytes of the magic number: anything, but not an ELF file.
            _ if !bytes.starts_with(&abi::ELFMAGIC) => LoadError::NotElf,
            other => malformed(other),
        })?;
        if elf.ehdr.class != elf::file::Class::ELF64 {
            return Err(LoadError::NotElf64);
        }
        if elf.ehdr.e_machine != abi::EM_X86_64 {
            return Err(LoadError::OtherMachine(elf.ehdr.e_machine));
        }
        if !matches!(elf.ehdr.e_type, abi::ET_EXEC | abi::ET_DYN) {
            return Err(LoadError::NotExecutable(elf.ehdr.e_type));
        }
        let headers: Vec<ProgramHeader> = elf.segments().into_iter().flat_map(|table| table.iter()).collect();
        let segments = segments(&headers, bytes.len())?;
        let entry = elf.ehdr.e_entry;
        let holds_entry = |s: &Segment| s.executable && entry >= s.linear && entry - s.linear < s.mem_bytes;
        if !segments.iter().any(holds_entry) {
            return Err(LoadError::EntryOutside { entry });
        }
        let position_independent = match elf.ehdr.e_type {
            abi::ET_DYN => Some(Span::of(&segments, &headers)?),
            _ => None,
        };
        Ok(Self {
            bytes,
            position_independent,
            offset: 0,
            entry,
            tls: tls(&headers)?,
            config: config(&elf)?,
            read_only: relocate::read_only_pages(&headers),
            relocations: relocate::table(&headers, &segments, bytes)?,
            segments,
        })
    }

    /// The same kernel elsewhere: `by` is added to every address. The caller knows that all of it is canonical there.
    #[must_use]
    pub fn moved(mut self, by: u64) -> Self {
        let to = |linear: &mut u64| *linear = linear.wrapping_add(by);
        to(&mut self.offset);
        to(&mut self.entry);
        self.segments.iter_mut().for_each(|segment| to(&mut segment.linear));
        self.tls.iter_mut().for_each(|tls| to(&mut tls.start_addr));
        for pages in &mut self.read_only {
            to(&mut pages.start);
            to(&mut pages.end);
        }
        self
    }

    /// The words that have to be written, for where the kernel is now.
    pub fn relocations(&self) -> impl Iterator<Item = Relocation> + '_ {
        let to = |linear: u64| linear.wrapping_add(self.offset);
        let table = self.bytes.get(self.relocations.clone()).unwrap_or_default();
        relocate::each(table).map(move |word| Relocation { place: to(word.place), addend: to(word.addend) })
    }
}

fn malformed(error: ParseError) -> LoadError {
    LoadError::Malformed(format!("{error}"))
}

/// The PT_LOAD headers as segments.
fn segments(headers: &[ProgramHeader], len: usize) -> Result<Vec<Segment>, LoadError> {
    let mut segments = Vec::new();
    for (index, header) in headers.iter().enumerate() {
        if header.p_type == abi::PT_LOAD && header.p_memsz > 0 {
            segments.push(segment(index, header, len)?);
        }
    }
    segments.sort_by_key(|s| s.linear);
    for pair in segments.windows(2) {
        if let [low, high] = pair
            && low.last_page() >= high.first_page()
        {
            return Err(LoadError::Overlap { first: low.index, second: high.index, page: high.first_page() });
        }
    }
    if segments.is_empty() { Err(LoadError::NoSegments) } else { Ok(segments) }
}

fn segment(index: usize, header: &ProgramHeader, len: usize) -> Result<Segment, LoadError> {
    let bad = |why| LoadError::BadSegment { segment: index, why };
    if header.p_filesz > header.p_memsz {
        return Err(bad("has more bytes in the file than in memory"));
    }
    let end = header.p_offset.checked_add(header.p_filesz).ok_or(bad("starts beyond any file's end"))?;
    let truncated = LoadError::Truncated { segment: index, end, len: len as u64 };
    let file = match (usize::try_from(header.p_offset), usize::try_from(end)) {
        (Ok(start), Ok(end)) if end <= len => start..end,
        // A segment without bytes in the file may name any offset.
        _ if header.p_filesz == 0 => 0..0,
        _ => return Err(truncated),
    };
    let last = header.p_vaddr.checked_add(header.p_memsz - 1).ok_or(bad("wraps around the address space"))?;
    if !same_half(header.p_vaddr, last) {
        return Err(bad("lies at addresses that are not canonical"));
    }
    Ok(Segment {
        index,
        linear: header.p_vaddr,
        mem_bytes: header.p_memsz,
        file,
        writable: header.p_flags & abi::PF_W != 0,
        executable: header.p_flags & abi::PF_X != 0,
    })
}

/// Both addresses are canonical with 48 bits and in the same half: all between them is canonical too (SDM 1 3.3.7.1).
pub(crate) fn same_half(first: u64, last: u64) -> bool {
    let half = |linear: u64| match linear >> 47 {
        0 => Some(false),
        0x1_ffff => Some(true),
        _ => None,
    };
    half(first).is_some() && half(first) == half(last)
}

fn tls(headers: &[ProgramHeader]) -> Result<Option<TlsTemplate>, LoadError> {
    let mut found = headers.iter().enumerate().filter(|(_, header)| header.p_type == abi::PT_TLS);
    let first = found.next();
    if let Some((segment, _)) = found.next() {
        return Err(LoadError::BadSegment { segment, why: "is a second TLS segment; bootloader_api has room for one" });
    }
    Ok(first.map(|(_, header)| TlsTemplate {
        start_addr: header.p_vaddr,
        file_size: header.p_filesz,
        mem_size: header.p_memsz,
    }))
}

/// The `.bootloader-config` section: UUID (16 bytes), version (3 x u16, pre-release flag), then the configuration.
fn config(elf: &ElfBytes<'_, LittleEndian>) -> Result<BootloaderConfig, LoadError> {
    let header = elf.section_header_by_name(".bootloader-config").map_err(malformed)?.ok_or(LoadError::NoConfig)?;
    let (bytes, compressed) = elf.section_data(&header).map_err(malformed)?;
    if compressed.is_some() {
        return Err(LoadError::BadConfig("it is compressed"));
    }
    let config = BootloaderConfig::deserialize(bytes).map_err(LoadError::BadConfig)?;
    // deserialize does not look at the version, and 0.11's field for it is private: read it from the bytes.
    let u16_at = |at: usize| bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
    let kernel = (u16_at(16), u16_at(18));
    let ours = crate::boot_info::api_version();
    let loader = (ours.version_major(), ours.version_minor());
    if kernel == loader { Ok(config) } else { Err(LoadError::OtherApiVersion { kernel, loader }) }
}
