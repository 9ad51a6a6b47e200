//! Reads glossary files. An error names the file and the line, since a teacher writes these by hand.

use super::{BitEntry, Entry, RegisterEntry};
use crate::content::{ContentError, Source};
use serde::Deserialize;
use toml::Spanned;

/// Longest explanation, in words: hover text is read while doing something else.
pub const MAX_WORDS: usize = 45;

/// An explanation must say something, briefly, and end as a sentence.
fn check_words(source: &Source<'_>, says: &Spanned<String>) -> Result<(), ContentError> {
    let text = says.get_ref().trim();
    let words = text.split_whitespace().count();
    if words == 0 {
        return Err(source.error(says.span(), "`says` is empty; write a sentence or two"));
    }
    if words > MAX_WORDS {
        return Err(source.error(says.span(), format!("`says` has {words} words; at most {MAX_WORDS} are read")));
    }
    if !text.ends_with('.') {
        return Err(source.error(says.span(), "`says` must end with a full stop"));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterFile {
    register: String,
    title: String,
    says: Spanned<String>,
    source: String,
    #[serde(rename = "bit")]
    bits: Vec<BitTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BitTable {
    bits: Spanned<[u8; 2]>,
    name: String,
    title: String,
    says: Spanned<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryFile {
    #[serde(rename = "entry")]
    entries: Vec<EntryTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryTable {
    id: Spanned<String>,
    name: String,
    says: Spanned<String>,
    source: String,
}

/// Reads a file about one register. Fields must ascend and must not overlap.
pub fn parse_register(file: &str, text: &str) -> Result<RegisterEntry, ContentError> {
    let source = Source::file(file, text);
    let parsed: RegisterFile = source.read()?;
    check_words(&source, &parsed.says)?;
    let mut bits: Vec<BitEntry> = Vec::with_capacity(parsed.bits.len());
    for table in parsed.bits {
        let [low, high] = *table.bits.get_ref();
        if low > high || high > 63 {
            return Err(source.error(table.bits.span(), "`bits` is [lowest, highest], both 0 to 63"));
        }
        if let Some(before) = bits.last()
            && before.high >= low
        {
            let what = format!("bit {low} stands after {}, which ends at bit {}", before.name, before.high);
            return Err(source.error(table.bits.span(), what));
        }
        check_words(&source, &table.says)?;
        bits.push(BitEntry {
            low,
            high,
            name: table.name,
            title: table.title,
            says: table.says.into_inner(),
            source: table.source.unwrap_or_else(|| parsed.source.clone()),
        });
    }
    Ok(RegisterEntry {
        register: parsed.register,
        title: parsed.title,
        says: parsed.says.into_inner(),
        source: parsed.source,
        bits,
    })
}

/// Reads a file of entries with ids. No id may stand twice.
pub fn parse_entries(file: &str, text: &str) -> Result<Vec<Entry>, ContentError> {
    let source = Source::file(file, text);
    let parsed: EntryFile = source.read()?;
    let mut entries: Vec<Entry> = Vec::with_capacity(parsed.entries.len());
    for table in parsed.entries {
        if entries.iter().any(|entry| entry.id == *table.id.get_ref()) {
            return Err(source.error(table.id.span(), format!("`{}` stands here twice", table.id.get_ref())));
        }
        check_words(&source, &table.says)?;
        entries.push(Entry {
            id: table.id.into_inner(),
            name: table.name,
            says: table.says.into_inner(),
            source: table.source,
        });
    }
    Ok(entries)
}
