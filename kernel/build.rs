//! Reads the linked real-mode blob (an ELF file linked at 0, path in FIRSTLIGHT_BLOB) and writes it out for `main.rs`:
//! the flat bytes, the offsets of what must be relocated, and the symbols. Does nothing for host builds, which have no
//! blob.

use object::read::elf::{ElfFile64, FileHeader, Rela, SectionHeader, Sym};
use object::{Endianness, Object, ObjectSection, ObjectSymbol, SectionFlags, elf};
use std::{env, error::Error, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=FIRSTLIGHT_BLOB");
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_GUEST").is_none() {
        return Ok(());
    }
    let path = env::var("FIRSTLIGHT_BLOB")
        .map_err(|_| "FIRSTLIGHT_BLOB must name the linked trampoline; `cargo xtask build` sets it")?;
    println!("cargo::rerun-if-changed={path}");
    let bytes = fs::read(&path).map_err(|error| format!("cannot read the real-mode blob {path}: {error}"))?;
    let elf = ElfFile64::<Endianness>::parse(&*bytes).map_err(|error| format!("{path}: {error}"))?;

    let out = env::var("OUT_DIR")?;
    let flat = flatten(&elf)?;
    fs::write(Path::new(&out).join("blob.bin"), &flat)?;
    let (segments, linears) = relocations(&elf, &bytes)?;
    let mut source = String::new();
    writeln!(source, "/// The blob as linked at 0, by Linux's name. xtask tells its place in the profile.")?;
    writeln!(source, "// SAFETY: no other symbol has this name.\n#[unsafe(export_name = \"real_mode_blob\")]")?;
    writeln!(source, "pub static BYTES: [u8; {}] = *include_bytes!(\"blob.bin\");", flat.len())?;
    writeln!(source, "/// Offsets of 16-bit segment words.\npub const SEGMENTS: &[u32] = &{segments:?};")?;
    writeln!(source, "/// Offsets of 32-bit linear addresses.\npub const LINEARS: &[u32] = &{linears:?};")?;
    writeln!(source, "/// Offsets of the blob's symbols.\npub mod symbol {{")?;
    for symbol in elf.symbols() {
        let name = symbol.name()?;
        let usable = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !name.is_empty();
        if usable && symbol.section_index().is_some() {
            writeln!(source, "    pub const {}: usize = {:#x};", name.to_uppercase(), symbol.address())?;
        }
    }
    writeln!(source, "}}")?;
    fs::write(Path::new(&out).join("blob.rs"), source)?;
    Ok(())
}

/// Whether a section lies in memory, as against debug information and tables for the linker.
fn is_allocated(flags: SectionFlags) -> bool {
    matches!(flags, SectionFlags::Elf { sh_flags, .. } if sh_flags.0 & elf::SHF_ALLOC.0 != 0)
}

/// The memory image: allocated sections at their addresses, zeros between, up to `real_mode_blob_end`.
fn flatten(elf: &ElfFile64<'_, Endianness>) -> Result<Vec<u8>, Box<dyn Error>> {
    let end = elf.symbol_by_name("real_mode_blob_end").ok_or("the blob has no symbol real_mode_blob_end")?.address();
    let mut flat = vec![0; usize::try_from(end)?];
    for section in elf.sections().filter(|section| is_allocated(section.flags())) {
        let data = section.data()?;
        let start = usize::try_from(section.address())?;
        let place = flat
            .get_mut(start..start + data.len())
            .ok_or_else(|| format!("section {} lies outside the blob", section.name().unwrap_or("?")))?;
        place.copy_from_slice(data);
    }
    Ok(flat)
}

/// The words that depend on where the blob lies: 16-bit references to `real_mode_seg`, 32-bit references to `pa_...`.
/// Other 16- and 32-bit references are offsets within the blob, which do not change; so are relative ones.
fn relocations(elf: &ElfFile64<'_, Endianness>, bytes: &[u8]) -> Result<(Vec<u32>, Vec<u32>), Box<dyn Error>> {
    let endian = elf.endian();
    let sections = elf.elf_header().sections(endian, bytes)?;
    let (mut segments, mut linears) = (Vec::new(), Vec::new());
    for section in sections.iter() {
        let Some((entries, symbols)) = section.rela(endian, bytes)? else { continue };
        let target = sections.section(section.info_link(endian))?;
        if target.sh_flags(endian).0 & elf::SHF_ALLOC.0 == 0 {
            continue;
        }
        let symbols = sections.symbol_table_by_index(endian, bytes, symbols)?;
        for entry in entries {
            let symbol = symbols.symbol(entry.symbol(endian, false).ok_or("a relocation without a symbol")?)?;
            let name = std::str::from_utf8(symbol.name(endian, symbols.strings())?)?;
            let offset = u32::try_from(entry.r_offset(endian))?;
            match entry.r_type(endian, false) {
                elf::R_X86_64_16 if name == "real_mode_seg" => segments.push(offset),
                elf::R_X86_64_32 | elf::R_X86_64_32S if name.starts_with("pa_") => linears.push(offset),
                elf::R_X86_64_16 if name.starts_with("pa_") => {
                    return Err(format!("{name} at {offset:#x} does not fit 16 bits: it is a linear address").into());
                }
                elf::R_X86_64_16 | elf::R_X86_64_32 | elf::R_X86_64_32S => {}
                elf::R_X86_64_PC8 | elf::R_X86_64_PC16 | elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 => {}
                other => return Err(format!("relocation of type {other} at {offset:#x} in the real-mode blob").into()),
            }
        }
    }
    if segments.is_empty() || linears.is_empty() {
        return Err("the real-mode blob has no relocations: it must be linked with --emit-relocs".into());
    }
    Ok((segments, linears))
}
