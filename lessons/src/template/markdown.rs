//! Reads a lesson's Markdown. Braces are taken out before Markdown sees them, so that `*` and `_` in an expression are no
//! emphasis; what a view cannot draw (tables, pictures, HTML, links that lead out of the program) is an error.

use super::{Block, Format, Line, Part, Span, Template};
use crate::content::{ContentError, Source};
use crate::expr::{Expr, Scope};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// What stood in braces, in place of which Markdown sees one character.
enum Brace {
    Value { expr: Box<Expr>, format: Format },
    Key(String),
    Instruction(String),
}

/// The first of the characters that stand for braces: a private-use area of Unicode.
const FIRST_MARK: u32 = 0xe000;
/// Most braces in a text.
const MAX_BRACES: usize = 1000;
/// Stands before a line that must not be taken for a list.
const GUARD: char = '\u{f8ff}';

/// Reads a text of blocks.
pub(crate) fn text(source: &Source<'_>, scope: &Scope<'_>) -> Result<Template, ContentError> {
    let (marked, braces) = take_braces(source, scope)?;
    Reader::new(source, &marked, &braces).read()
}

/// Reads one line: a question, a hint, a sentence.
pub(crate) fn line(source: &Source<'_>, scope: &Scope<'_>) -> Result<Line, ContentError> {
    let (marked, braces) = take_braces(source, scope)?;
    let guarded = format!("{GUARD}{}", marked.trim());
    let mut template = Reader::new(source, &guarded, &braces).read()?;
    match (template.blocks.pop(), template.blocks.len()) {
        (None, _) => Ok(Vec::new()),
        (Some((_, Block::Paragraph(line))), 0) => Ok(line),
        _ => {
            Err(source.error(0..0, "one line of text stands here, without lists, remarks, code blocks or empty lines"))
        }
    }
}

/// Words with expressions, no Markdown: the kernel's options.
pub(crate) fn words(source: &Source<'_>, scope: &Scope<'_>) -> Result<Vec<Part>, ContentError> {
    let (marked, braces) = take_braces(source, scope)?;
    let mut parts = Vec::new();
    for piece in pieces(&marked, &braces) {
        match piece {
            Piece::Words(words) => parts.push(Part::Words(words.to_owned())),
            Piece::Brace(Brace::Value { expr, format }) => {
                parts.push(Part::Value { expr: expr.clone(), format: *format, line: source.first_line });
            }
            Piece::Brace(_) => return Err(source.error(0..0, "keys and instructions stand in a lesson's text only")),
        }
    }
    Ok(parts)
}

/// Replaces `{...}` by one character each, keeping all line ends.
fn take_braces(source: &Source<'_>, scope: &Scope<'_>) -> Result<(String, Vec<Brace>), ContentError> {
    let text = source.text;
    let mut marked = String::with_capacity(text.len());
    let mut braces = Vec::new();
    let mut rest = 0;
    while let Some(found) = text[rest..].find(['{', '}']) {
        let at = rest + found;
        marked.push_str(&text[rest..at]);
        let doubled = text[at..].starts_with("{{") || text[at..].starts_with("}}");
        if doubled {
            marked.push_str(&text[at..=at]);
            rest = at + 2;
            continue;
        }
        if text[at..].starts_with('}') {
            return Err(source.error(at..at, "a `}` without its `{`; a brace in the text is written `}}`"));
        }
        let len = text[at..].find('}').filter(|len| !text[at + 1..at + len].contains('{'));
        let Some(len) = len else {
            return Err(source.error(at..at, "the `}` of this `{` is missing; a brace in the text is written `{{`"));
        };
        if braces.len() == MAX_BRACES {
            return Err(source.error(at..at, format!("more than {MAX_BRACES} values in one text")));
        }
        let inner = &text[at + 1..at + len];
        braces.push(brace(inner, scope).map_err(|what| source.error(at..at, what))?);
        marked.extend(char::from_u32(FIRST_MARK + braces.len() as u32 - 1));
        marked.extend(inner.chars().filter(|c| *c == '\n'));
        rest = at + len + 1;
    }
    marked.push_str(&text[rest..]);
    let strange = text.find(|c| ('\u{e000}'..='\u{f8ff}').contains(&c));
    if let Some(at) = strange {
        return Err(source.error(at..at, "a character of Unicode's private-use area, which nothing can show"));
    }
    Ok((marked, braces))
}

fn brace(inner: &str, scope: &Scope<'_>) -> Result<Brace, String> {
    let id = |id: &str, form: &str| {
        let id = id.trim();
        let good = !id.is_empty() && !id.contains(char::is_whitespace);
        good.then(|| id.to_owned()).ok_or_else(|| format!("`{{{inner}}}` names nothing; it is written {form}"))
    };
    if let Some(command) = inner.strip_prefix("key:") {
        return Ok(Brace::Key(id(command, "{key:step-cpu}")?));
    }
    if let Some(symbol) = inner.strip_prefix("insn:") {
        return Ok(Brace::Instruction(id(symbol, "{insn:tr_set_pe}")?));
    }
    if inner.starts_with('#') {
        return Err(format!("`{{{inner}}}` is the id of a heading, `## Title {{#id}}`, which this is not"));
    }
    let (text, format) = split_format(inner)?;
    let expr = Expr::parse(text, scope).map_err(|error| error.to_string())?;
    Ok(Brace::Value { expr: Box::new(expr), format })
}

/// `EXPR:FORMAT`. A colon inside parentheses, quotes, `::` and `? :` is none of a format.
fn split_format(inner: &str) -> Result<(&str, Format), String> {
    let (mut depth, mut quote, mut questions, mut colons, mut last) = (0usize, None, 0, 0, None);
    let bytes = inner.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == *byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(*byte),
            (None, b'(') => depth += 1,
            (None, b')') => depth = depth.saturating_sub(1),
            (None, b'?') if depth == 0 => questions += 1,
            (None, b':') if depth == 0 => {
                let path = bytes.get(at + 1) == Some(&b':') || at > 0 && bytes[at - 1] == b':';
                if !path {
                    (colons, last) = (colons + 1, Some(at));
                }
            }
            _ => {}
        }
    }
    match last {
        Some(at) if colons > questions => {
            let name = inner[at + 1..].trim();
            let format = Format::named(name)
                .ok_or_else(|| format!("there is no format `{name}`; there are {}", Format::names()))?;
            Ok((&inner[..at], format))
        }
        _ => Ok((inner, Format::default())),
    }
}

/// A stretch of marked text: words, or what stood in braces.
enum Piece<'a> {
    Words(&'a str),
    Brace(&'a Brace),
}

fn pieces<'a>(marked: &'a str, braces: &'a [Brace]) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut rest = marked;
    while let Some((at, mark, brace)) = next_mark(rest, braces) {
        if at > 0 {
            pieces.push(Piece::Words(&rest[..at]));
        }
        pieces.push(Piece::Brace(brace));
        rest = &rest[at + mark.len_utf8()..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Words(rest));
    }
    pieces
}

fn next_mark<'a>(text: &str, braces: &'a [Brace]) -> Option<(usize, char, &'a Brace)> {
    text.char_indices().find_map(|(at, c)| {
        let index = u32::from(c).checked_sub(FIRST_MARK)?;
        braces.get(index as usize).map(|brace| (at, c, brace))
    })
}

/// How a piece of a line is set.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Style {
    Text,
    Strong,
    Emphasis,
    Code,
    Link(String),
}

struct Reader<'a> {
    source: &'a Source<'a>,
    marked: Source<'a>,
    braces: &'a [Brace],
    blocks: Vec<(usize, Block)>,
    /// The line that is being read, and the piece that is being read of it.
    line: Line,
    current: Option<(Style, Vec<Part>)>,
    /// The file's line on which the block begins.
    block_line: usize,
    /// Styles that were opened.
    styles: Vec<Style>,
    list: Option<(bool, Vec<Line>)>,
    in_note: bool,
    code: Option<String>,
}

impl<'a> Reader<'a> {
    fn new(source: &'a Source<'a>, marked: &'a str, braces: &'a [Brace]) -> Self {
        Self {
            source,
            marked: Source { text: marked, ..*source },
            braces,
            blocks: Vec::new(),
            line: Line::new(),
            current: None,
            block_line: source.first_line,
            styles: Vec::new(),
            list: None,
            in_note: false,
            code: None,
        }
    }

    fn read(mut self) -> Result<Template, ContentError> {
        for (event, range) in Parser::new_ext(self.marked.text, Options::empty()).into_offset_iter() {
            let line = self.marked.line(range.start);
            let wrong = |what: &str| Err(self.source.error_on(line, what));
            match event {
                Event::Start(Tag::Paragraph) if self.list.is_none() => self.block_line = line,
                Event::Start(Tag::Paragraph) => self.space(),
                Event::End(TagEnd::Paragraph) => self.end_paragraph(),
                Event::Start(Tag::BlockQuote(_)) => self.in_note = true,
                Event::End(TagEnd::BlockQuote(_)) => self.in_note = false,
                Event::Start(Tag::List(_)) if self.list.is_some() || self.in_note => {
                    return wrong(
                        "a list stands inside a list or a remark; a panel this narrow has room for one level",
                    );
                }
                Event::Start(Tag::List(first)) => {
                    self.block_line = line;
                    self.list = Some((first.is_some(), Vec::new()));
                }
                Event::Start(Tag::Item) => {}
                Event::End(TagEnd::Item) => {
                    let item = self.take_line();
                    if let Some((_, items)) = &mut self.list {
                        items.push(item);
                    }
                }
                Event::End(TagEnd::List(_)) => {
                    if let Some((numbered, items)) = self.list.take() {
                        self.blocks.push((self.block_line, Block::List { numbered, items }));
                    }
                }
                Event::Start(Tag::CodeBlock(_)) if self.list.is_some() || self.in_note => {
                    return wrong("a code block stands inside a list or a remark; put it between paragraphs");
                }
                Event::Start(Tag::CodeBlock(_)) => (self.block_line, self.code) = (line, Some(String::new())),
                Event::End(TagEnd::CodeBlock) => self.end_code(line)?,
                Event::Start(Tag::Strong) => self.styles.push(Style::Strong),
                Event::Start(Tag::Emphasis) => self.styles.push(Style::Emphasis),
                Event::Start(Tag::Link { dest_url, .. }) => {
                    let known = ["term:", "step:", "lesson:"]
                        .iter()
                        .any(|kind| dest_url.strip_prefix(kind).is_some_and(|id| !id.is_empty()));
                    if !known {
                        return wrong(&format!(
                            "the link leads to `{dest_url}`; links lead to term:ID, step:ID or lesson:ID, and never out of \
                             the program"
                        ));
                    }
                    self.styles.push(Style::Link(dest_url.into_string()));
                }
                Event::End(TagEnd::Strong | TagEnd::Emphasis | TagEnd::Link) => _ = self.styles.pop(),
                Event::Text(text) => match &mut self.code {
                    Some(code) => code.push_str(&text),
                    None => {
                        let style = self.style();
                        self.push(&text, style, line);
                    }
                },
                Event::Code(code) => {
                    let style = match self.style() {
                        link @ Style::Link(_) => link,
                        _ => Style::Code,
                    };
                    self.push(&code, style, line);
                }
                Event::SoftBreak | Event::HardBreak => {
                    let style = self.style();
                    self.push(" ", style, line);
                }
                Event::Html(html) | Event::InlineHtml(html) => {
                    return wrong(&format!(
                        "`{}` is HTML, which nothing here shows; a `<` is written \\<",
                        html.trim()
                    ));
                }
                Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
                Event::Start(Tag::Heading { .. }) => {
                    return wrong("a heading stands in the text; a new step begins with `## Title {#id}`");
                }
                Event::Start(Tag::Image { .. }) => {
                    return wrong("pictures cannot be shown; the machine is the picture");
                }
                Event::Rule => return wrong("a rule stands in the text; nothing here shows one"),
                _ => return wrong("this kind of Markdown is not shown by the lesson panel"),
            }
        }
        Ok(Template { blocks: self.blocks })
    }

    /// The style of plain text here: a link is a link also inside strong words.
    fn style(&self) -> Style {
        let link = self.styles.iter().rev().find(|style| matches!(style, Style::Link(_)));
        link.or(self.styles.last()).cloned().unwrap_or(Style::Text)
    }

    fn push(&mut self, text: &str, style: Style, line: usize) {
        let text = text.strip_prefix(GUARD).unwrap_or(text);
        for piece in pieces(text, self.braces) {
            match piece {
                Piece::Words(words) => self.part(Part::Words(words.to_owned()), &style, line),
                Piece::Brace(Brace::Value { expr, format }) => {
                    self.part(Part::Value { expr: expr.clone(), format: *format, line }, &style, line);
                }
                Piece::Brace(Brace::Key(id)) => {
                    self.end_span(line);
                    self.line.push(Span::Key { id: id.clone(), line });
                }
                Piece::Brace(Brace::Instruction(symbol)) => {
                    self.end_span(line);
                    self.line.push(Span::Instruction { symbol: symbol.clone(), line });
                }
            }
        }
    }

    fn part(&mut self, part: Part, style: &Style, line: usize) {
        if self.current.as_ref().is_some_and(|(current, _)| current != style) {
            self.end_span(line);
        }
        let (_, parts) = self.current.get_or_insert_with(|| (style.clone(), Vec::new()));
        match (parts.last_mut(), part) {
            (Some(Part::Words(before)), Part::Words(words)) => before.push_str(&words),
            (_, part) => parts.push(part),
        }
    }

    fn end_span(&mut self, line: usize) {
        let Some((style, parts)) = self.current.take() else { return };
        self.line.push(match style {
            Style::Text => Span::Text(parts),
            Style::Strong => Span::Strong(parts),
            Style::Emphasis => Span::Emphasis(parts),
            Style::Code => Span::Code(parts),
            Style::Link(to) => match to.strip_prefix("term:") {
                Some(id) => Span::Term { id: id.to_owned(), text: parts, line },
                None => Span::Link { to, text: parts, line },
            },
        });
    }

    fn take_line(&mut self) -> Line {
        self.end_span(self.block_line);
        std::mem::take(&mut self.line)
    }

    /// Between two paragraphs of one item of a list.
    fn space(&mut self) {
        if !self.line.is_empty() || self.current.is_some() {
            self.part(Part::Words(" ".to_owned()), &Style::Text, self.block_line);
        }
    }

    fn end_paragraph(&mut self) {
        if self.list.is_some() {
            return;
        }
        let line = self.take_line();
        if line.is_empty() {
            return;
        }
        let block = if self.in_note { Block::Note(line) } else { Block::Paragraph(line) };
        self.blocks.push((self.block_line, block));
    }

    fn end_code(&mut self, line: usize) -> Result<(), ContentError> {
        let code = self.code.take().unwrap_or_default();
        let mut parts = Vec::new();
        for piece in pieces(code.trim_end_matches('\n'), self.braces) {
            parts.push(match piece {
                Piece::Words(words) => Part::Words(words.to_owned()),
                Piece::Brace(Brace::Value { expr, format }) => {
                    Part::Value { expr: expr.clone(), format: *format, line }
                }
                Piece::Brace(_) => {
                    return Err(self
                        .source
                        .error_on(line, "keys and instructions stand in plain text, not in a code block"));
                }
            });
        }
        self.blocks.push((self.block_line, Block::Code(parts)));
        Ok(())
    }
}
