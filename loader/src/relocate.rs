//! What has to be changed in a kernel that is not where it was linked: the relocations of a position-independent one
//! (ELF type ET_DYN, what linkers call a static PIE), and the pages that it wants read-only afterwards.
//!
//! All is checked while the file is read ([`crate::Image::parse`]); [`mod@crate::load`] applies it. Sources: ELF gABI,
//! "Dynamic Section" and "Relocation"; System V ABI, AMD64 supplement, "Relocation Types".

use crate::{
    error::LoadError,
    image::{PAGE, Segment},
};
use alloc::vec::Vec;
use core::ops::Range;
use elf::{
    abi, dynamic::Dyn, endian::LittleEndian, file::Class, parse::ParsingTable, relocation::Rela, segment::ProgramHeader,
};

/// Bytes of an Elf64_Rela.
const RELA_BYTES: u64 = 24;
/// DT_RELR, a later table of the gABI that packs relocations into bits.
const DT_RELR: i64 = 36;

/// Linear addresses that a position-independent kernel is linked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first page.
    pub first_page: u64,
    /// From there to the end of its last page.
    pub bytes: u64,
    /// It may be moved by multiples of this, a power of two from 4096 bytes to 512 GiB.
    pub alignment: u64,
}

impl Span {
    /// That of all segments; `headers` has their alignments.
    pub(crate) fn of(segments: &[Segment], headers: &[ProgramHeader]) -> Result<Self, LoadError> {
        const MOST: u64 = 1 << 39;
        let mut alignment = PAGE;
        for segment in segments {
            // 0 and 1 say that any will do.
            let wanted = headers.get(segment.index).map_or(1, |header| header.p_align).max(1);
            let bad = |why| LoadError::BadSegment { segment: segment.index, why };
            if !wanted.is_power_of_two() {
                return Err(bad("has an alignment that is no power of two"));
            }
            if wanted > MOST {
                return Err(bad("has an alignment of more than 512 GiB"));
            }
            alignment = alignment.max(wanted);
        }
        let (first, last) = segments.first().zip(segments.last()).ok_or(LoadError::NoSegments)?;
        let first_page = first.first_page();
        Ok(Self { first_page, bytes: (last.last_page() - first_page).saturating_add(PAGE), alignment })
    }
}

/// A 64-bit word to be written: R_X86_64_RELATIVE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Linear address of the word, as linked.
    pub place: u64,
    /// Its value where the kernel is as linked: what it is moved by is added.
    pub addend: u64,
}

/// The relocations of a table that was checked by [`table`].
pub(crate) fn each(table: &[u8]) -> impl Iterator<Item = Relocation> + '_ {
    entries(table)
        .filter(|rela| rela.r_type == abi::R_X86_64_RELATIVE)
        .map(|rela| Relocation { place: rela.r_offset, addend: rela.r_addend as u64 })
}

fn entries(table: &[u8]) -> impl Iterator<Item = Rela> + '_ {
    ParsingTable::<LittleEndian, Rela>::new(LittleEndian, Class::ELF64, table).into_iter()
}

/// Finds the table of relocations by the dynamic segment: its bytes in the file, none where there is nothing to relocate.
///
/// # Errors
/// There is something in it that cannot be done here, or that would reach outside the kernel.
pub(crate) fn table(headers: &[ProgramHeader], segments: &[Segment], file: &[u8]) -> Result<Range<usize>, LoadError> {
    let bad = LoadError::BadRelocations;
    let mut dynamic = headers.iter().filter(|header| header.p_type == abi::PT_DYNAMIC);
    let Some(header) = dynamic.next() else { return Ok(0..0) };
    if dynamic.next().is_some() {
        return Err(bad("there are two dynamic segments"));
    }
    let bytes =
        in_file(file, header.p_offset, header.p_filesz).ok_or(bad("the dynamic segment lies outside the file"))?;
    let wanted = wanted(file.get(bytes).unwrap_or_default())?;
    let Some((linear, len)) = wanted else { return Ok(0..0) };
    // DT_RELA is a linear address, as linked.
    let holds = |segment: &&Segment| {
        let at = linear.checked_sub(segment.linear);
        at.and_then(|at| at.checked_add(len)).is_some_and(|end| end <= segment.file.len() as u64)
    };
    let outside = bad("the table (DT_RELA, DT_RELASZ) lies in no segment's bytes");
    let segment = segments.iter().find(holds).ok_or(outside)?;
    let start = segment.file.start + (linear - segment.linear) as usize;
    let range = start..start + len as usize;
    for (index, rela) in entries(file.get(range.clone()).unwrap_or_default()).enumerate() {
        check(index, &rela, segments)?;
    }
    Ok(range)
}

/// Linear address and length of the table that a dynamic section names.
fn wanted(section: &[u8]) -> Result<Option<(u64, u64)>, LoadError> {
    let bad = LoadError::BadRelocations;
    let (mut rela, mut size, mut entry) = (None, None, None);
    let table = ParsingTable::<LittleEndian, Dyn>::new(LittleEndian, Class::ELF64, section);
    for item in table.into_iter().take_while(|item| item.d_tag != abi::DT_NULL) {
        let value = item.d_val();
        let before = match item.d_tag {
            abi::DT_RELA => rela.replace(value),
            abi::DT_RELASZ => size.replace(value),
            abi::DT_RELAENT => entry.replace(value),
            abi::DT_NEEDED => {
                return Err(bad("it needs a shared library (DT_NEEDED), and there is none here: link it statically"));
            }
            abi::DT_REL => return Err(bad("they are in a table without addends (DT_REL), which x86-64 does not have")),
            DT_RELR => {
                return Err(bad("they are packed (DT_RELR): link it with -z nopack-relative-relocs"));
            }
            abi::DT_JMPREL => {
                return Err(bad("there are some for a procedure linkage table (DT_JMPREL): link it statically"));
            }
            _ => None,
        };
        if before.is_some() {
            return Err(bad("the dynamic segment names the table twice"));
        }
    }
    match (rela, size, entry) {
        (None, None | Some(0), _) => Ok(None),
        (None, ..) => Err(bad("the dynamic segment tells the table's size, but not where it is (DT_RELA)")),
        (Some(_), None, _) => Err(bad("the dynamic segment does not tell the table's size (DT_RELASZ)")),
        (Some(_), _, None) => Err(bad("the dynamic segment does not tell an entry's size (DT_RELAENT)")),
        (_, _, Some(entry)) if entry != RELA_BYTES => Err(bad("its entries are not of 24 bytes (DT_RELAENT)")),
        (_, Some(size), _) if !size.is_multiple_of(RELA_BYTES) => {
            Err(bad("the table's size (DT_RELASZ) is no multiple of an entry's"))
        }
        (Some(rela), Some(size), _) => Ok(Some((rela, size))),
    }
}

fn check(index: usize, rela: &Rela, segments: &[Segment]) -> Result<(), LoadError> {
    if rela.r_type == abi::R_X86_64_NONE {
        return Ok(());
    }
    if rela.r_type != abi::R_X86_64_RELATIVE || rela.r_sym != 0 {
        return Err(LoadError::OtherRelocation { index, kind: rela.r_type, symbol: rela.r_sym });
    }
    let linear = rela.r_offset;
    let holds = |s: &Segment| linear >= s.linear && (linear - s.linear).saturating_add(8) <= s.mem_bytes;
    if segments.iter().any(holds) { Ok(()) } else { Err(LoadError::RelocationOutside { index, linear }) }
}

/// The pages that are to be read-only once relocations are applied (PT_GNU_RELRO): whole ones alone, since what else is
/// in a page may be written.
pub(crate) fn read_only_pages(headers: &[ProgramHeader]) -> Vec<Range<u64>> {
    let relro = headers.iter().filter(|header| header.p_type == abi::PT_GNU_RELRO);
    let pages = |header: &ProgramHeader| {
        let start = header.p_vaddr & !(PAGE - 1);
        start..header.p_vaddr.saturating_add(header.p_memsz) & !(PAGE - 1)
    };
    relro.map(pages).filter(|pages| !pages.is_empty()).collect()
}

fn in_file(file: &[u8], offset: u64, len: u64) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = usize::try_from(offset.checked_add(len)?).ok()?;
    (end <= file.len()).then_some(start..end)
}
