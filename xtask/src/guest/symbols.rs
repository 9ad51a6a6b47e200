//! Symbols and code of a linked guest image, as the profile, the listing and the red-zone check need them.

use anyhow::{Context, Result};
use elf::{ElfBytes, abi, endian::LittleEndian};
use std::ops::Range;
use std::path::Path;

/// A linked guest image.
#[derive(Debug)]
pub struct Linked {
    /// Symbols in allocated sections, by address, ascending; labels and sized symbols alike.
    pub symbols: Vec<Symbol>,
    /// Sections with instructions, by address, ascending.
    pub code: Vec<CodeSection>,
    /// Address after the last allocated byte.
    pub end: u64,
}

/// A symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// As people write it.
    pub name: String,
    /// Link-time address.
    pub address: u64,
    /// In bytes, 0 for a label.
    pub size: u64,
    /// Width of the instructions there; None: data.
    pub bits: Option<u8>,
}

/// A section with instructions.
#[derive(Clone, Debug)]
pub struct CodeSection {
    /// Link-time address of its first byte.
    pub address: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Width of its instructions, by its name: `.text32` holds 32-bit code.
    pub bits: u8,
}

impl CodeSection {
    /// The bytes of an address range, as far as they are in this section.
    pub fn slice(&self, range: Range<u64>) -> &[u8] {
        let offset = |address: u64| (address.saturating_sub(self.address) as usize).min(self.bytes.len());
        self.bytes.get(offset(range.start)..offset(range.end)).unwrap_or_default()
    }
}

impl Linked {
    /// Reads an ELF file. `text_bits` is the width of the code in sections that do not have it in their names.
    pub fn read(path: &Path, text_bits: u8) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&bytes, text_bits).with_context(|| format!("{} is not what the linker should make", path.display()))
    }

    fn parse(bytes: &[u8], text_bits: u8) -> Result<Self> {
        let elf = ElfBytes::<LittleEndian>::minimal_parse(bytes)?;
        let (headers, names) = elf.section_headers_with_strtab()?;
        let (headers, names) = (headers.context("it has no sections")?, names.context("its sections have no names")?);
        let mut code = Vec::new();
        let mut end = 0;
        for header in headers.iter().filter(|header| header.sh_flags & u64::from(abi::SHF_ALLOC) != 0) {
            end = end.max(header.sh_addr + header.sh_size);
            if header.sh_flags & u64::from(abi::SHF_EXECINSTR) != 0 {
                let name = names.get(header.sh_name as usize)?;
                let bits = match name {
                    name if name.ends_with("text16") => 16,
                    name if name.ends_with("text32") => 32,
                    name if name.ends_with("text64") => 64,
                    _ => text_bits,
                };
                code.push(CodeSection { address: header.sh_addr, bytes: elf.section_data(&header)?.0.to_vec(), bits });
            }
        }
        code.sort_by_key(|section: &CodeSection| section.address);
        let (table, strings) = elf.symbol_table()?.context("it has no symbol table; it must not be stripped")?;
        let mut symbols = Vec::new();
        for symbol in table.iter() {
            let kind = symbol.st_symtype();
            let name = strings.get(symbol.st_name as usize)?;
            let section = headers.get(usize::from(symbol.st_shndx)).ok().filter(|_| symbol.st_shndx < 0xff00);
            let allocated = section.is_some_and(|header| header.sh_flags & u64::from(abi::SHF_ALLOC) != 0);
            let named =
                !name.is_empty() && !name.starts_with(".L") && kind != abi::STT_SECTION && kind != abi::STT_FILE;
            if allocated && named && kind != abi::STT_TLS {
                let holds = |section: &&CodeSection| {
                    (section.address..section.address + section.bytes.len() as u64).contains(&symbol.st_value)
                };
                let bits = code.iter().find(holds).map(|section| section.bits);
                let name = format!("{:#}", rustc_demangle::demangle(name));
                symbols.push(Symbol { name, address: symbol.st_value, size: symbol.st_size, bits });
            }
        }
        symbols.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
        symbols.dedup();
        Ok(Self { symbols, code, end })
    }

    /// The symbol of that name.
    pub fn find(&self, name: &str) -> Option<&Symbol> {
        self.symbols.iter().find(|symbol| symbol.name == name)
    }

    /// Link-time address of the symbol of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn address_of(&self, name: &str) -> Result<u64> {
        self.find(name).map(|symbol| symbol.address).with_context(|| format!("there is no symbol {name}"))
    }

    /// The code section that holds an address.
    pub fn section_of(&self, address: u64) -> Option<&CodeSection> {
        self.code
            .iter()
            .find(|section| (section.address..section.address + section.bytes.len() as u64).contains(&address))
    }

    /// The name of what an address lies in: `name` or `name+1ah`.
    pub fn name_of(&self, address: u64) -> String {
        let before = self.symbols.partition_point(|symbol| symbol.address <= address);
        match self.symbols[..before].last() {
            Some(symbol) if symbol.address == address => symbol.name.clone(),
            Some(symbol) => format!("{}+{:x}h", symbol.name, address - symbol.address),
            None => format!("{address:#x}"),
        }
    }
}
