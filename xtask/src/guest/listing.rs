//! The assembly source beside the bytes: which line each instruction of a hand-written `.S` file came from.
//!
//! `global_asm!` gives no line numbers. But the assembler turns one source line into one instruction, in order, so that
//! disassembling from a label on and counting lines from the same label on meet. Where they do not, the build fails:
//! a comment beside the wrong instruction is worse than none.

use super::symbols::{Linked, Symbol};
use anyhow::{Context, Result, bail};
use iced_x86::{Decoder, DecoderOptions};
use protocol::profile::ListingLine;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The source lines that follow a label, up to the next label.
pub type Listings = BTreeMap<String, Vec<SourceLine>>;

/// An instruction as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    /// Without comment.
    pub source: String,
    /// On the line, or else the comment lines right above.
    pub comment: String,
    /// File name and line.
    pub at: String,
}

/// All `.S` files of a folder, sorted; none where there is no such folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "S"));
    paths.sort();
    paths
}

/// Reads all `.S` files of a folder.
pub fn read_folder(folder: &Path) -> Result<Listings> {
    let mut listings = Listings::new();
    for path in files(folder) {
        let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        listings.append(&mut parse(&text, &name));
    }
    Ok(listings)
}

/// Labels and what follows each. What the assembler would repeat or expand (`.macro`, `.rept`) is left out, and so is
/// everything after it up to the next label outside.
fn parse(text: &str, file: &str) -> Listings {
    let mut listings = Listings::new();
    let mut label: Option<String> = None;
    let mut above: Vec<&str> = Vec::new();
    let mut expansions = 0u32;
    for (number, line) in (1..).zip(text.lines()) {
        let (code, comment) = split_comment(line);
        if code.is_empty() {
            if comment.is_empty() {
                above.clear()
            } else {
                above.push(comment)
            }
            continue;
        }
        let mut code = code;
        while let Some((name, rest)) = split_label(code) {
            label = Some(name.to_string());
            listings.entry(name.to_string()).or_default();
            code = rest;
        }
        match code.split_whitespace().next() {
            None => continue,
            Some(".macro" | ".rept" | ".irp" | ".irpc") => expansions += 1,
            Some(".endm" | ".endr") => {
                expansions = expansions.saturating_sub(1);
                label = None;
            }
            Some(word) if word.starts_with('.') => {}
            Some(_) if expansions > 0 => {}
            Some(_) => {
                let comment = if comment.is_empty() { above.join(" ") } else { comment.to_string() };
                let source = code.split_whitespace().collect::<Vec<_>>().join(" ");
                let line = SourceLine { source, comment, at: format!("{file}:{number}") };
                if let Some(lines) = label.as_ref().and_then(|label| listings.get_mut(label)) {
                    lines.push(line);
                }
            }
        }
        above.clear();
    }
    listings
}

/// Code and comment (after `#` or `//`) of a line, both trimmed.
fn split_comment(line: &str) -> (&str, &str) {
    let at = [line.find('#'), line.find("//")].into_iter().flatten().min();
    let (code, comment) = line.split_at(at.unwrap_or(line.len()));
    (code.trim(), comment.trim_start_matches(['#', '/']).trim())
}

/// `name: rest`
fn split_label(code: &str) -> Option<(&str, &str)> {
    let (name, rest) = code.split_once(':')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.$".contains(c));
    is_name.then(|| (name, rest.trim()))
}

/// The listing of one symbol: its source lines at the offsets of its instructions.
///
/// # Errors
/// Source and bytes do not meet.
pub fn align(linked: &Linked, symbol: &Symbol, listings: &Listings) -> Result<Vec<ListingLine>> {
    let (Some(bits), Some(lines)) = (symbol.bits, listings.get(&symbol.name)) else { return Ok(Vec::new()) };
    let Some(section) = linked.section_of(symbol.address) else { return Ok(Vec::new()) };
    let rest = section.slice(symbol.address..u64::MAX);
    let mut decoder = Decoder::with_ip(u32::from(bits), rest, symbol.address, DecoderOptions::NONE);
    let mut listing = Vec::new();
    for line in lines {
        let instruction = decoder.decode();
        let mnemonic = format!("{:?}", instruction.mnemonic()).to_lowercase();
        if !fits(&line.source, &mnemonic) {
            bail!(
                "the listing of {} went astray: {} says `{}`, the bytes at {} are `{mnemonic}`. Write one instruction a \
                 line, and a label after a macro",
                symbol.name,
                line.at,
                line.source,
                linked.name_of(instruction.ip())
            );
        }
        let (source, comment, at) = (line.source.clone(), line.comment.clone(), line.at.clone());
        listing.push(ListingLine { offset: instruction.ip() - symbol.address, source, comment, at });
    }
    Ok(listing)
}

/// Can this source be this instruction? AT&T suffixes, far forms and synonyms are the same word to a reader.
fn fits(source: &str, mnemonic: &str) -> bool {
    const PREFIXES: [&str; 9] = ["lock", "rep", "repe", "repz", "repne", "repnz", "data32", "addr32", "rex64"];
    let mut words = source.split_whitespace().skip_while(|word| PREFIXES.contains(word));
    let Some(word) = words.next() else { return false };
    let word = word.to_lowercase();
    let condition = |word: &str| {
        // jz = je and so on: the decoder has one name for each.
        let synonyms = [
            ("z", "e"),
            ("nz", "ne"),
            ("c", "b"),
            ("nae", "b"),
            ("nc", "ae"),
            ("nb", "ae"),
            ("na", "be"),
            ("nbe", "a"),
            ("pe", "p"),
            ("po", "np"),
            ("nge", "l"),
            ("nl", "ge"),
            ("ng", "le"),
            ("nle", "g"),
        ];
        ["j", "set", "cmov"].iter().find_map(|stem| {
            let suffix = word.strip_prefix(stem)?;
            let (_, same) = synonyms.iter().find(|(from, _)| *from == suffix)?;
            Some(format!("{stem}{same}"))
        })
    };
    let plain = |word: &str| word == mnemonic || condition(word).is_some_and(|word| word == mnemonic);
    let is_far = matches!(
        (word.as_str(), mnemonic),
        ("ljmp" | "ljmpl" | "ljmpw" | "ljmpq", "jmp")
            | ("lcall" | "lcalll" | "lcallw", "call")
            | ("lret" | "lretq" | "lretl" | "lretw" | "retfq", "retf" | "ret")
            | ("iret", "iretd" | "iretq")
            | ("movabs", "mov")
    );
    plain(&word)
        || is_far
        || word.strip_suffix(['b', 'w', 'l', 'q', 'd']).is_some_and(plain)
        || ["w", "d", "q"].iter().any(|suffix| format!("{word}{suffix}") == mnemonic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::symbols::CodeSection;

    const SOURCE: &str = "\
# far above

# why we
# do this
.globl start
start: cli        # no interrupts
    // the accumulator
    mov eax, 1
next:
    ret
.macro twice
    nop
.endm
    hlt
after:
    hlt # the end
";

    fn linked(bytes: &[u8]) -> Linked {
        let section = CodeSection { address: 0x1000, bytes: bytes.to_vec(), bits: 32 };
        Linked { symbols: Vec::new(), code: vec![section], end: 0x2000 }
    }

    fn symbol(name: &str, address: u64) -> Symbol {
        Symbol { name: name.into(), address, size: 0, bits: Some(32) }
    }

    /// Goal: each instruction gets its own line and comment; method: a source with all kinds of lines.
    #[test]
    fn aligned() {
        let listings = parse(SOURCE, "x.S");
        let linked = linked(&[0xfa, 0xb8, 1, 0, 0, 0, 0xc3]);
        let listing = align(&linked, &symbol("start", 0x1000), &listings).unwrap();
        let rows: Vec<_> = listing.iter().map(|l| (l.offset, &*l.source, &*l.comment, &*l.at)).collect();
        assert_eq!(rows, [(0, "cli", "no interrupts", "x.S:6"), (1, "mov eax, 1", "the accumulator", "x.S:8"),]);
        assert_eq!(listings["next"].len(), 1, "what follows a macro is left out");
        assert_eq!(listings["after"][0].comment, "the end");
    }

    /// Goal: source and bytes that differ are an error; method: another instruction in the middle.
    #[test]
    fn astray() {
        let listings = parse(SOURCE, "x.S");
        let error = align(&linked(&[0xfa, 0xc3]), &symbol("start", 0x1000), &listings).unwrap_err().to_string();
        assert!(error.contains("x.S:8") && error.contains("`ret`"), "{error}");
    }

    /// Goal: other spellings of an instruction are taken for it, other instructions are not; method: pairs.
    #[test]
    fn spellings() {
        for (source, mnemonic) in [
            ("ljmpl $8, $x", "jmp"),
            ("jz 1f", "je"),
            ("lock bts x, 0", "bts"),
            ("movl $1, %eax", "mov"),
            ("lgdtd x", "lgdt"),
            ("pushf", "pushfq"),
        ] {
            assert!(fits(source, mnemonic), "{source}");
        }
        assert!(!fits("cli", "sti") && !fits("jz 1f", "jne") && !fits("", "nop"));
    }
}
