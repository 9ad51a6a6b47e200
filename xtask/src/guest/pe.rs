//! Makes a PE file, as UEFI firmware loads it, of a position-independent ELF executable (`loader/uefi.ld`).
//!
//! Each segment becomes a section at the same address relative to the image, each relocation a base relocation. Only one
//! type can be carried over: R_X86_64_RELATIVE, "image base + addend", which is what PE's DIR64 does. Format: Microsoft's
//! "PE Format"; the `object` crate writes it.

use anyhow::{Context, Result, anyhow, ensure};
use elf::{ElfBytes, abi, endian::LittleEndian, segment::ProgramHeader};
use object::pe;
use object::write::pe::{NtHeaders, Writer};

/// Pages, so that the firmware can give each section rights of its own.
const SECTION_ALIGNMENT: u32 = 4096;
const FILE_ALIGNMENT: u32 = 512;
/// Data directories of a PE32+ file; the base relocations are the sixth.
const DATA_DIRECTORIES: usize = 16;

/// A segment on its way to become a section.
struct Section {
    name: [u8; 8],
    flags: pe::SectionFlags,
    /// Relative to the image.
    address: u32,
    mem_bytes: u32,
    bytes: Vec<u8>,
}

/// The PE file.
///
/// # Errors
/// The ELF file is no such executable, or has a relocation that PE cannot say.
pub fn from_elf(bytes: &[u8]) -> Result<Vec<u8>> {
    let elf = ElfBytes::<LittleEndian>::minimal_parse(bytes)?;
    ensure!(
        elf.ehdr.e_type == abi::ET_DYN,
        "it is not position-independent (e_type {}), but the firmware loads it anywhere",
        elf.ehdr.e_type
    );
    let headers = elf.segments().context("it has no segments")?;
    let mut sections: Vec<Section> = Vec::new();
    for header in headers.iter().filter(|header| header.p_type == abi::PT_LOAD && header.p_memsz > 0) {
        sections.push(section(&elf, &header)?);
    }
    sections.sort_by_key(|section| section.address);
    let mut relocated = relocations(&elf)?;
    relocated.sort_unstable();
    for &(address, addend) in &relocated {
        store(&mut sections, address, addend)?;
    }
    let addresses: Vec<u32> = relocated.iter().map(|(address, _)| *address).collect();
    write(u32::try_from(elf.ehdr.e_entry)?, &sections, &addresses)
}

fn section(elf: &ElfBytes<'_, LittleEndian>, header: &ProgramHeader) -> Result<Section> {
    let readable = pe::IMAGE_SCN_MEM_READ;
    let (name, flags) = match (header.p_flags & abi::PF_X != 0, header.p_flags & abi::PF_W != 0) {
        (true, false) => (*b".text\0\0\0", readable | pe::IMAGE_SCN_CNT_CODE | pe::IMAGE_SCN_MEM_EXECUTE),
        (false, false) => (*b".rdata\0\0", readable | pe::IMAGE_SCN_CNT_INITIALIZED_DATA),
        (false, true) => (*b".data\0\0\0", readable | pe::IMAGE_SCN_CNT_INITIALIZED_DATA | pe::IMAGE_SCN_MEM_WRITE),
        (true, true) => return Err(anyhow!("a segment is writable and executable, which firmware refuses")),
    };
    Ok(Section {
        name,
        flags,
        address: u32::try_from(header.p_vaddr)?,
        mem_bytes: u32::try_from(header.p_memsz)?,
        bytes: elf.segment_data(header)?.to_vec(),
    })
}

/// Address and addend of each relocation.
fn relocations(elf: &ElfBytes<'_, LittleEndian>) -> Result<Vec<(u32, u64)>> {
    /// Relative relocations packed into bits.
    const SHT_RELR: u32 = 19;
    let headers = elf.section_headers().context("it has no sections")?;
    let mut found = Vec::new();
    for header in headers.iter().filter(|header| header.sh_flags & u64::from(abi::SHF_ALLOC) != 0) {
        ensure!(
            !matches!(header.sh_type, abi::SHT_REL | SHT_RELR),
            "its relocations are in another form than RELA, in which the linker was to leave them"
        );
        if header.sh_type != abi::SHT_RELA {
            continue;
        }
        for relocation in elf.section_data_as_relas(&header)? {
            ensure!(
                relocation.r_type == abi::R_X86_64_RELATIVE,
                "the relocation at {:#x} is of type {}, and PE can say only R_X86_64_RELATIVE (8): something refers to \
                 a symbol that is not in the image, or is thread-local",
                relocation.r_offset,
                relocation.r_type
            );
            found.push((u32::try_from(relocation.r_offset)?, relocation.r_addend.cast_unsigned()));
        }
    }
    Ok(found)
}

/// PE keeps the addend where the address will be.
fn store(sections: &mut [Section], address: u32, addend: u64) -> Result<()> {
    let slot = sections.iter_mut().find_map(|section| {
        let start = address.checked_sub(section.address)? as usize;
        section.bytes.get_mut(start..start.checked_add(8)?)
    });
    slot.with_context(|| format!("the relocation at {address:#x} lies in no segment's bytes"))?
        .copy_from_slice(&addend.to_le_bytes());
    Ok(())
}

fn write(entry: u32, sections: &[Section], relocated: &[u32]) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut writer = Writer::new(true, SECTION_ALIGNMENT, FILE_ALIGNMENT, &mut file);
    writer.reserve_dos_header();
    writer.reserve_nt_headers(DATA_DIRECTORIES);
    writer.reserve_section_headers(u16::try_from(sections.len() + 1)?);
    let mut offsets = Vec::new();
    for section in sections {
        ensure!(
            writer.virtual_len() <= section.address && section.address.is_multiple_of(SECTION_ALIGNMENT),
            "the segment at {:#x} does not begin on a page of its own behind the headers and the one before",
            section.address
        );
        writer.reserve_virtual_until(section.address);
        let data_bytes = u32::try_from(section.bytes.len())?;
        offsets.push(writer.reserve_section(section.name, section.flags, section.mem_bytes, data_bytes).file_offset);
    }
    for &address in relocated {
        writer.add_reloc(address, pe::IMAGE_REL_BASED_DIR64);
    }
    writer.reserve_reloc_section();

    writer.write_empty_dos_header()?;
    writer.write_nt_headers(headers(entry));
    writer.write_section_headers();
    for (section, offset) in sections.iter().zip(offsets) {
        writer.write_section(offset, &section.bytes);
    }
    writer.write_reloc_section();
    Ok(file)
}

/// The same file from the same source: no time stamp.
fn headers(entry: u32) -> NtHeaders {
    NtHeaders {
        machine: pe::IMAGE_FILE_MACHINE_AMD64,
        time_date_stamp: 0,
        characteristics: pe::IMAGE_FILE_EXECUTABLE_IMAGE
            | pe::IMAGE_FILE_LINE_NUMS_STRIPPED
            | pe::IMAGE_FILE_LARGE_ADDRESS_AWARE,
        major_linker_version: 0,
        minor_linker_version: 0,
        address_of_entry_point: entry,
        // Relocated wherever it is loaded, and the addends count from here.
        image_base: 0,
        major_operating_system_version: 0,
        minor_operating_system_version: 0,
        major_image_version: 0,
        minor_image_version: 0,
        major_subsystem_version: 0,
        minor_subsystem_version: 0,
        subsystem: pe::IMAGE_SUBSYSTEM_EFI_APPLICATION,
        dll_characteristics: pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE | pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
        size_of_stack_reserve: 0,
        size_of_stack_commit: 0,
        size_of_heap_reserve: 0,
        size_of_heap_commit: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::read::pe::PeFile64;
    use object::{Object, ObjectSection};

    fn sections() -> Vec<Section> {
        let section = |name, flags, address, mem_bytes, bytes: &[u8]| Section {
            name,
            flags,
            address,
            mem_bytes,
            bytes: bytes.to_vec(),
        };
        vec![
            section(*b".text\0\0\0", pe::IMAGE_SCN_CNT_CODE, 0x1000, 5, &[1, 2, 3, 4, 0xc3]),
            section(*b".data\0\0\0", pe::IMAGE_SCN_CNT_INITIALIZED_DATA, 0x3000, 0x2800, &[0; 16]),
        ]
    }

    /// Goal: another reader finds entry, sections, addends and base relocations; method: a file with one relocation, read
    /// back by `object`.
    #[test]
    fn read_back() {
        let mut sections = sections();
        store(&mut sections, 0x3008, 0x1003).unwrap();
        let file = write(0x1004, &sections, &[0x3008]).unwrap();
        let read = PeFile64::parse(&*file).unwrap();
        assert_eq!(read.entry(), 0x1004);
        let found: Vec<_> = read.sections().map(|s| (s.name().unwrap().to_string(), s.address(), s.size())).collect();
        assert_eq!(found[0], (".text".to_string(), 0x1000, 5));
        assert_eq!(found[1], (".data".to_string(), 0x3000, 0x2800), "zeroes after the bytes of the file");
        assert_eq!(found[2].1, 0x6000, "base relocations behind the memory of .data");
        let data = read.sections().nth(1).unwrap().data().unwrap();
        assert_eq!(data[8..16], 0x1003u64.to_le_bytes());
        let mut blocks = read.data_directories().relocation_blocks(&*file, &read.section_table()).unwrap().unwrap();
        let block = blocks.next().unwrap().unwrap();
        let relocation = block.map(|r| (r.virtual_address, r.typ)).next();
        assert_eq!(relocation, Some((0x3008, pe::IMAGE_REL_BASED_DIR64)));
    }

    /// Goal: what PE cannot say is refused; method: a relocation outside of all bytes, sections that overlap, and an
    /// executable with fixed addresses that has nothing else wrong with it.
    #[test]
    fn refused() {
        assert!(store(&mut sections(), 0x3009, 0).unwrap_err().to_string().contains("0x3009"));
        assert!(store(&mut sections(), 0x800, 0).is_err());
        let mut overlapping = sections();
        overlapping[0].mem_bytes = 0x2001;
        assert!(write(0x1000, &overlapping, &[]).unwrap_err().to_string().contains("0x3000"));
        let mut fixed = vec![0; 64];
        fixed[..20].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0]);
        fixed[52] = 64;
        assert!(from_elf(&fixed).unwrap_err().to_string().contains("position-independent"));
    }

    /// Goal: a relocation that needs a symbol is refused by number; method: an executable with one section of one
    /// relocation, of type R_X86_64_RELATIVE and then R_X86_64_64.
    #[test]
    fn relocation_types() {
        let with_type = |kind: u8| {
            let mut file = vec![0; 64 + 64 + 24];
            file[..20].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 62, 0]);
            // e_shoff, e_ehsize, e_shentsize, e_shnum
            (file[40], file[52], file[58], file[60]) = (64, 64, 64, 1);
            // sh_type RELA, sh_flags ALLOC, sh_offset, sh_size, sh_entsize
            (file[64 + 4], file[64 + 8], file[64 + 24], file[64 + 32], file[64 + 56]) = (4, 2, 128, 24, 24);
            // r_offset, r_info, r_addend
            (file[128], file[128 + 8], file[128 + 16]) = (0x10, kind, 0x20);
            let elf = ElfBytes::<LittleEndian>::minimal_parse(&file).unwrap();
            relocations(&elf).map_err(|error| error.to_string())
        };
        assert_eq!(with_type(8), Ok(vec![(0x10, 0x20)]));
        let said = with_type(1).unwrap_err();
        assert!(said.contains("0x10") && said.contains("type 1"), "{said}");
    }
}
