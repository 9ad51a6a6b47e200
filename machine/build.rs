//! Takes the firmware's image in, as `cargo xtask build` made it, so that a machine needs no file beside the program: what is loaded
//! of it, without symbols and debug information, which a debugger reads from `target/guest/firmware.elf`. Built
//! without it the machine has no EFI, and says so to nobody but its kernel: `src/firmware/image.rs`.

use elf::{ElfBytes, abi, endian::LittleEndian};
use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    let package = env::var("CARGO_MANIFEST_DIR")?;
    let root = Path::new(&package).parent().ok_or("the package lies in no folder")?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    let image = target.join("guest/firmware.elf");
    println!("cargo::rerun-if-changed={}", image.display());
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let source = if image.is_file() {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", image.display());
        let file = fs::read(&image).map_err(|error| failed(&error))?;
        let stripped = strip(file).map_err(|error| failed(&error))?;
        // A copy: the next build of the guest must not write into what the compiler is just reading.
        fs::write(out.join("firmware.elf"), stripped)?;
        "Some(include_bytes!(concat!(env!(\"OUT_DIR\"), \"/firmware.elf\")))"
    } else {
        "None"
    };
    fs::write(out.join("firmware.rs"), source)?;
    Ok(())
}

/// An ELF file up to the end of its last loaded byte, without section headers.
fn strip(mut file: Vec<u8>) -> Result<Vec<u8>, Box<dyn Error>> {
    /// Fields of the ELF header: e_shoff; e_shentsize, e_shnum, e_shstrndx.
    const SECTION_HEADERS: [std::ops::Range<usize>; 2] = [0x28..0x30, 0x3a..0x40];
    let elf = ElfBytes::<LittleEndian>::minimal_parse(&file)?;
    let segments = elf.segments().ok_or("it has no segments")?;
    let ends = segments.iter().filter(|segment| segment.p_type == abi::PT_LOAD);
    let end = ends.map(|segment| segment.p_offset + segment.p_filesz).max().ok_or("nothing of it is loaded")?;
    file.truncate(usize::try_from(end)?);
    SECTION_HEADERS.into_iter().for_each(|field| file[field].fill(0));
    Ok(file)
}
