//! Names from an ELF image's own symbol table, where no profile tells more: kernels of others, mostly. There are no source
//! lines, no real-mode code that is copied elsewhere and no page-table roots then.

use elf::endian::AnyEndian;
use elf::{ElfBytes, abi};
use protocol::profile::{Profile, Symbol, VERSION};

/// As many are read. Linux has some two hundred thousand.
const MAX_SYMBOLS: usize = 500_000;
/// Longer names are cut off, in bytes: those of generic code can fill a page.
const MAX_NAME: usize = 200;

/// The names in an image. None: it is no ELF file, or has none.
pub fn names(image: &[u8], sha256: &str) -> Option<Profile> {
    let elf = ElfBytes::<AnyEndian>::minimal_parse(image).ok()?;
    let headers = elf.section_headers()?;
    let (table, strings) = elf.symbol_table().ok()??;
    let mut symbols = Vec::new();
    for symbol in table.iter().take(MAX_SYMBOLS) {
        let kind = symbol.st_symtype();
        let section = headers.get(symbol.st_shndx.into()).ok().filter(|_| symbol.st_shndx < abi::SHN_LORESERVE);
        let is_place = matches!(kind, abi::STT_NOTYPE | abi::STT_FUNC | abi::STT_OBJECT);
        let Some(section) = section.filter(|section| is_place && section.sh_flags & u64::from(abi::SHF_ALLOC) != 0)
        else {
            continue;
        };
        let Ok(name) = strings.get(symbol.st_name as usize) else { continue };
        // The compiler's own labels, and the marks of stretches of code and data that some assemblers leave.
        if name.is_empty() || name.starts_with([' ', '.', '$']) {
            continue;
        }
        let mut name = format!("{:#}", rustc_demangle::demangle(name));
        name.truncate(name.floor_char_boundary(MAX_NAME));
        let code = section.sh_flags & u64::from(abi::SHF_EXECINSTR) != 0;
        symbols.push(Symbol { name, linear: symbol.st_value, size: symbol.st_size, code, listing: Vec::new() });
    }
    if symbols.is_empty() {
        return None;
    }
    symbols.sort_by(|a, b| (a.linear, &a.name).cmp(&(b.linear, &b.name)));
    symbols.dedup();
    Some(Profile { version: VERSION, image_sha256: sha256.to_owned(), symbols, blobs: Vec::new(), roots: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file with a code section at 1000h and this symbol table (name, value, type, section).
    fn image(symbols: &[(&str, u32, u8, u16)]) -> Vec<u8> {
        let mut strings = vec![0];
        let mut table = vec![0; 16];
        for &(name, value, kind, section) in symbols {
            table.extend((strings.len() as u32).to_le_bytes());
            strings.extend(name.bytes().chain([0]));
            table.extend(value.to_le_bytes().iter().chain(&[4, 0, 0, 0, kind, 0]));
            table.extend(section.to_le_bytes());
        }
        let (at_table, at_strings) = (52, 52 + table.len() as u32);
        let at_headers = at_strings + strings.len() as u32;
        let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0\x01\0\0\0\0\x10\0\0".to_vec();
        file.extend([0u32, at_headers, 0].iter().flat_map(|word| word.to_le_bytes()));
        file.extend([52u16, 32, 0, 40, 4, 0].iter().flat_map(|word| word.to_le_bytes()));
        file.extend(&table);
        file.extend(&strings);
        for header in [
            [0u32; 10],
            [0, 1, 6, 0x1000, 52, 16, 0, 0, 16, 0],
            [0, 2, 0, 0, at_table, table.len() as u32, 3, 1, 4, 16],
            [0, 3, 0, 0, at_strings, strings.len() as u32, 0, 0, 1, 0],
        ] {
            file.extend(header.iter().flat_map(|word| word.to_le_bytes()));
        }
        file
    }

    /// Goal: functions and labels of the image are names, by address; section, file and compiler's marks are not; method: a
    /// 32-bit file with one of each.
    #[test]
    fn places_only() {
        let file = image(&[
            ("main", 0x1008, 2, 1),
            ("_start", 0x1000, 0, 1),
            (".Lskip", 0x1004, 0, 1),
            ("main.c", 0, 4, 0xfff1),
            ("undefined", 0, 0, 0),
            ("_RNvCs1234_3foo3bar", 0x100c, 2, 1),
        ]);
        let profile = names(&file, "00").expect("it has names");
        let found: Vec<_> = profile.symbols.iter().map(|symbol| (symbol.name.as_str(), symbol.linear)).collect();
        assert_eq!(found, [("_start", 0x1000), ("main", 0x1008), ("foo::bar", 0x100c)]);
        assert!(profile.symbols.iter().all(|symbol| symbol.code && symbol.size == 4));
    }

    /// Goal: whatever is no ELF file, is cut off or has no names is no trouble; method: all lengths of a file, and a text.
    #[test]
    fn nothing_to_name() {
        let file = image(&[("main", 0x1008, 2, 1)]);
        assert!((0..file.len()).all(|len| names(&file[..len], "00").is_none()));
        assert_eq!(names(b"no ELF file", "00"), None);
        assert_eq!(names(&image(&[]), "00"), None);
    }
}
