//! Where a mistake in a content file is: file, line, and what would be right.
//!
//! Teachers write glossary and lessons by hand, so every reader of them ([`crate::glossary::parse`], [`crate::lesson`])
//! reports through [`ContentError`] and finds lines by `Source`.

use std::fmt;
use std::ops::Range;

/// What is wrong in a content file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentError {
    /// The file, from the project's root.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong there and what would be right.
    pub what: String,
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

impl std::error::Error for ContentError {}

/// A stretch of a file: what a place in it is measured by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The file's name, from the project's root.
    pub file: &'a str,
    /// The stretch.
    pub text: &'a str,
    /// The file's line on which the stretch begins, from 1.
    pub first_line: usize,
    /// All of it stands on that one line: the text of a TOML string with `\n` in it.
    pub one_line: bool,
}

impl<'a> Source<'a> {
    /// A whole file.
    pub fn file(file: &'a str, text: &'a str) -> Self {
        Self { file, text, first_line: 1, one_line: false }
    }

    /// The file's line of a byte of the stretch.
    pub fn line(&self, at: usize) -> usize {
        if self.one_line {
            return self.first_line;
        }
        let before = self.text.as_bytes().get(..at).unwrap_or(self.text.as_bytes());
        self.first_line + before.iter().filter(|byte| **byte == b'\n').count()
    }

    /// A mistake at a place of the stretch.
    pub fn error(&self, at: Range<usize>, what: impl Into<String>) -> ContentError {
        self.error_on(self.line(at.start), what)
    }

    /// A mistake on a line of the file.
    pub fn error_on(&self, line: usize, what: impl Into<String>) -> ContentError {
        ContentError { file: self.file.to_owned(), line, what: what.into() }
    }

    /// A stretch of this stretch.
    pub fn part(&self, range: Range<usize>) -> Source<'a> {
        let text = self.text.get(range.clone()).unwrap_or("");
        Source { text, first_line: self.line(range.start), ..*self }
    }

    /// The value of a TOML string that stands in this stretch, with the lines on which it stands.
    pub fn string<'b>(&self, value: &'b toml::Spanned<String>) -> Source<'b>
    where
        'a: 'b,
    {
        let raw = self.text.get(value.span()).unwrap_or("");
        // The line end after three opening quotes is not part of the value.
        let inner = ["\"\"\"", "'''"].iter().find_map(|quotes| raw.strip_prefix(quotes)).unwrap_or_default();
        let begins_below = inner.starts_with('\n') || inner.starts_with("\r\n");
        let first_line = self.line(value.span().start) + usize::from(begins_below);
        Source { file: self.file, text: value.get_ref(), first_line, one_line: !raw.contains('\n') }
    }

    /// Reads the stretch as TOML.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, ContentError> {
        toml::from_str(self.text).map_err(|e| self.error(e.span().unwrap_or(0..0), e.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the text of a string knows its first line, whatever its first letters are; method: strings of one line and of several,
    /// with letters of several bytes right behind the quotes (found by `cargo xtask fuzz lesson`).
    #[test]
    fn first_line_of_a_string() {
        #[derive(serde::Deserialize)]
        struct Table {
            says: toml::Spanned<String>,
        }
        for (text, first_line, one_line) in [
            ("says = \"Wri\u{f8ff}ting\"", 1, true),
            ("\nsays = \"\"\"\na\nb\"\"\"", 3, false),
            ("\nsays = \"\"\"a\nb\"\"\"", 2, false),
            ("says = '''\r\n\u{f8ff}\nb'''", 2, false),
        ] {
            let table: Table = toml::from_str(text).expect("it is TOML");
            let source = Source { file: "a.toml", text, first_line: 1, one_line: false };
            let string = source.string(&table.says);
            assert_eq!((string.line(0), string.one_line), (first_line, one_line), "{text:?}");
        }
    }
}
