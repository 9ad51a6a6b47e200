//! Puts values into a template. Everything that is missing is asked for at once.

use super::{Block, Format, Line, Part, Span, Template};
use crate::expr::{ExprError, Facts, NoValue, instruction_at, name_at};
use crate::text;

/// The text with its values. A value that makes no sense in this machine stops it: the error names the expression.
pub fn fill(template: &Template, facts: &mut dyn Facts) -> Result<Vec<text::Block>, NoValue> {
    let mut filler = Filler { facts, missing: false };
    let mut blocks = Vec::with_capacity(template.blocks.len());
    for (_, block) in &template.blocks {
        blocks.push(match block {
            Block::Paragraph(line) => text::Block::Paragraph(filler.line(line)?),
            Block::Note(line) => text::Block::Note(filler.line(line)?),
            Block::Code(parts) => text::Block::Code(filler.parts(parts)?),
            Block::List { numbered, items } => {
                let items = items.iter().map(|item| filler.line(item)).collect::<Result<_, _>>()?;
                text::Block::List { numbered: *numbered, items }
            }
        });
    }
    if filler.missing { Err(NoValue::Missing) } else { Ok(blocks) }
}

/// A line with its values.
pub fn fill_line(line: &Line, facts: &mut dyn Facts) -> Result<Vec<text::Span>, NoValue> {
    let mut filler = Filler { facts, missing: false };
    let spans = filler.line(line)?;
    if filler.missing { Err(NoValue::Missing) } else { Ok(spans) }
}

/// Words with drawn numbers in them; the error is what is wrong, in words.
pub(crate) fn fill_words(parts: &[Part], facts: &mut dyn Facts) -> Result<String, String> {
    let mut filler = Filler { facts, missing: false };
    match filler.parts(parts) {
        Ok(words) if !filler.missing => Ok(words),
        Ok(_) | Err(NoValue::Missing) => Err("only drawn numbers can stand here, there is no machine yet".to_owned()),
        Err(NoValue::Wrong(wrong)) => Err(wrong.to_string()),
    }
}

struct Filler<'a> {
    facts: &'a mut dyn Facts,
    /// Something stands as nothing, since it is not known yet.
    missing: bool,
}

impl Filler<'_> {
    fn line(&mut self, line: &Line) -> Result<Vec<text::Span>, NoValue> {
        let mut spans = Vec::with_capacity(line.len());
        for span in line {
            match span {
                Span::Text(parts) => self.text(parts, &mut spans)?,
                Span::Strong(parts) => spans.push(text::Span::Strong(self.parts(parts)?)),
                Span::Emphasis(parts) => spans.push(text::Span::Emphasis(self.parts(parts)?)),
                Span::Code(parts) => spans.push(text::Span::Code(self.parts(parts)?)),
                Span::Term { id, text, .. } => {
                    spans.push(text::Span::Term { id: id.clone(), text: self.parts(text)? });
                }
                Span::Link { to, text, .. } => {
                    spans.push(text::Span::Link { to: to.clone(), text: self.parts(text)? });
                }
                Span::Key { id, .. } => spans.push(text::Span::Key(id.clone())),
                Span::Instruction { symbol, .. } => spans.push(self.instruction(symbol)?),
            }
        }
        Ok(spans)
    }

    /// Plain words; numbers and names between them are set in the fixed font.
    fn text(&mut self, parts: &[Part], spans: &mut Vec<text::Span>) -> Result<(), NoValue> {
        let mut words = String::new();
        for part in parts {
            match part {
                Part::Value { format, .. } if format.is_fixed_font() => {
                    if !words.is_empty() {
                        spans.push(text::Span::Text(std::mem::take(&mut words)));
                    }
                    let value = self.part(part)?;
                    spans.push(text::Span::Code(value));
                }
                part => words.push_str(&self.part(part)?),
            }
        }
        if !words.is_empty() {
            spans.push(text::Span::Text(words));
        }
        Ok(())
    }

    fn parts(&mut self, parts: &[Part]) -> Result<String, NoValue> {
        parts.iter().map(|part| self.part(part)).collect()
    }

    fn part(&mut self, part: &Part) -> Result<String, NoValue> {
        let (expr, format) = match part {
            Part::Words(words) => return Ok(words.clone()),
            Part::Value { expr, format, .. } => (expr, *format),
        };
        let value = match expr.eval(self.facts) {
            Ok(value) => value,
            Err(NoValue::Missing) => {
                self.missing = true;
                return Ok(String::new());
            }
            Err(wrong) => return Err(wrong),
        };
        let symbol = match (format, value.as_int()) {
            (Format::Sym, Some(linear)) => match name_at(self.facts, linear) {
                Some(symbol) => symbol,
                None => {
                    self.missing = true;
                    None
                }
            },
            _ => None,
        };
        let written = format.write(&value, symbol.as_ref());
        Ok(if format.is_decimal() { in_groups(&written) } else { written })
    }

    fn instruction(&mut self, symbol: &str) -> Result<text::Span, NoValue> {
        match instruction_at(self.facts, symbol) {
            Some(Ok((intel, att))) => Ok(text::Span::Instruction { intel, att }),
            Some(Err(what)) => Err(NoValue::Wrong(ExprError { text: format!("insn:{symbol}"), column: 1, what })),
            None => {
                self.missing = true;
                Ok(text::Span::Instruction { intel: String::new(), att: String::new() })
            }
        }
    }
}

/// Decimal digits in groups of three from the right, as the window writes steps: 264 268. The spaces do not break a line.
fn in_groups(digits: &str) -> String {
    if digits.len() < 5 {
        return digits.to_owned();
    }
    let group = |(at, digit): (usize, char)| {
        let gap = at > 0 && (digits.len() - at).is_multiple_of(3);
        gap.then_some('\u{a0}').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(group).collect()
}
