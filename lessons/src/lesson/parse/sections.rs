//! Cuts a lesson's file: front matter between `+++` lines, opening words, sections with an id, each with text and at most
//! one block between `~~~step` (or `~~~end`) and `~~~`.

use crate::content::{ContentError, Source};

/// A file, cut.
pub(super) struct Parts<'a> {
    pub front: Source<'a>,
    pub opening: Source<'a>,
    pub sections: Vec<Section<'a>>,
}

/// `## Title {#id}` and what follows.
pub(super) struct Section<'a> {
    pub title: &'a str,
    pub id: &'a str,
    /// The heading's line.
    pub line: usize,
    pub text: Source<'a>,
    pub block: Option<Block<'a>>,
}

/// A block of TOML.
pub(super) struct Block<'a> {
    pub kind: BlockKind,
    /// The line of its `~~~`.
    pub line: usize,
    pub source: Source<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockKind {
    Step,
    End,
}

/// A line of the file: where it begins and ends, without its line end.
struct Row<'a> {
    start: usize,
    text: &'a str,
}

impl Row<'_> {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// Cuts a file.
pub(super) fn cut<'a>(source: &Source<'a>) -> Result<Parts<'a>, ContentError> {
    let mut rows = Vec::new();
    let mut start = 0;
    for line in source.text.split('\n') {
        rows.push(Row { start, text: line.trim_end() });
        start += line.len() + 1;
    }
    if rows[0].text != "+++" {
        let what = "the file begins with a line `+++`, then TOML (id, title, ...), then another line `+++`";
        return Err(source.error(0..0, what));
    }
    let Some(close) = rows.iter().skip(1).position(|row| row.text == "+++").map(|at| at + 1) else {
        return Err(source.error(0..0, "the second `+++` is missing: it ends the TOML at the beginning of the file"));
    };
    let front = source.part(rows[0].end() + 1..rows[close].start);
    let mut cutter = Cutter { source, rows: &rows, at: close + 1, sections: Vec::new() };
    let opening = cutter.text()?;
    while cutter.at < rows.len() {
        cutter.section()?;
    }
    Ok(Parts { front, opening, sections: cutter.sections })
}

struct Cutter<'s, 'a> {
    source: &'s Source<'a>,
    rows: &'s [Row<'a>],
    /// The next line.
    at: usize,
    sections: Vec<Section<'a>>,
}

impl<'a> Cutter<'_, 'a> {
    fn wrong<T>(&self, row: usize, what: impl Into<String>) -> Result<T, ContentError> {
        Err(self.source.error_on(self.line(row), what))
    }

    fn line(&self, row: usize) -> usize {
        self.source.first_line + row
    }

    /// Text up to the next heading, block or the end. A code block of Markdown is text as a whole.
    fn text(&mut self) -> Result<Source<'a>, ContentError> {
        let first = self.at;
        let mut code = None;
        while let Some(row) = self.rows.get(self.at) {
            match code {
                None if row.text.starts_with("```") => code = Some(self.at),
                Some(_) if row.text == "```" => code = None,
                None if row.text.starts_with("## ") || row.text.starts_with("~~~") => break,
                _ => {}
            }
            self.at += 1;
        }
        if let Some(opened) = code {
            return self.wrong(opened, "this ``` is not closed: a line ``` ends the code");
        }
        let start = self.rows.get(first).map_or(self.source.text.len(), |row| row.start);
        let end = self.rows.get(self.at).map_or(self.source.text.len(), |row| row.start);
        let mut text = self.source.part(start..end);
        text.first_line = self.line(first);
        Ok(text)
    }

    fn section(&mut self) -> Result<(), ContentError> {
        let heading = self.at;
        let row = &self.rows[heading];
        let Some(title) = row.text.strip_prefix("## ") else {
            return self.wrong(heading, "a block stands outside of a step; before it stands `## Title {#id}` and text");
        };
        let parts =
            title.rsplit_once("{#").and_then(|(title, rest)| Some((title.trim(), rest.strip_suffix('}')?.trim())));
        let Some((title, id)) = parts.filter(|(title, id)| !title.is_empty() && !id.is_empty()) else {
            return self.wrong(heading, "a step's heading is `## Title {#id}`, with a title and an id");
        };
        if let Err(what) = super::check_id(id) {
            return self.wrong(heading, what);
        }
        if let Some(before) = self.sections.iter().find(|section| section.id == id) {
            return self.wrong(heading, format!("the id `{id}` stands here twice, first on line {}", before.line));
        }
        self.at += 1;
        let text = self.text()?;
        let block = self.block()?;
        let line = self.line(heading);
        if block.is_some() {
            // Behind the block there is nothing to show text at.
            let rest = self.text()?;
            if let Some(at) = rest.text.find(|c: char| !c.is_whitespace()) {
                let what = "text stands after the block; it belongs before it, or into `then`";
                return Err(rest.error(at..at, what));
            }
            if self.rows.get(self.at).is_some_and(|row| row.text.starts_with("~~~")) {
                return self.wrong(
                    self.at,
                    "a section has one block; a second one needs a heading `## Title {#id}` of its own",
                );
            }
        }
        self.sections.push(Section { title, id, line, text, block });
        Ok(())
    }

    fn block(&mut self) -> Result<Option<Block<'a>>, ContentError> {
        let opened = self.at;
        let Some(row) = self.rows.get(opened).filter(|row| row.text.starts_with("~~~")) else { return Ok(None) };
        let kind = match row.text[3..].trim() {
            "step" => BlockKind::Step,
            "end" => BlockKind::End,
            other => return self.wrong(opened, format!("a block begins with `~~~step` or `~~~end`, not `~~~{other}`")),
        };
        let Some(len) = self.rows[opened + 1..].iter().position(|row| row.text.starts_with("~~~")) else {
            return self.wrong(opened, "the line `~~~` that ends this block is missing");
        };
        let close = opened + 1 + len;
        if self.rows[close].text != "~~~" {
            return self.wrong(
                close,
                format!("the block of line {} has no end: a line `~~~` is missing before this", self.line(opened)),
            );
        }
        self.at = close + 1;
        let mut source = self.source.part(self.rows[opened + 1].start..self.rows[close].start);
        source.first_line = self.line(opened + 1);
        Ok(Some(Block { kind, line: self.line(opened), source }))
    }
}
