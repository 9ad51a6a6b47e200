//! Reads a lesson's file. The first mistake ends it, with file, line and what would be right.
//!
//! `sections` cuts the file into front matter, texts and blocks; `front` and `step` read those.

mod front;
mod sections;
mod step;

use super::{Lesson, Lines};
use crate::content::{ContentError, Source};
use crate::expr::Scope;
use crate::stop::Stop;
use crate::template::markdown;
use sections::BlockKind;

/// Largest file that is read.
const MAX_BYTES: usize = 256 * 1024;
/// Most steps of a lesson.
const MAX_STEPS: usize = 99;

/// Reads the text of a lesson's file; `file` is its name in messages.
pub fn parse(file: &str, text: &str) -> Result<Lesson, ContentError> {
    // As an editor on Windows saves it.
    let text = text.replace("\r\n", "\n");
    let source = Source::file(file, &text);
    if text.len() > MAX_BYTES {
        return Err(source.error(0..0, format!("the file has {} bytes, at most {MAX_BYTES} are read", text.len())));
    }
    let parts = sections::cut(&source)?;
    let front = front::read(&parts.front)?;
    let names: Vec<String> = front.vary.iter().map(|vary| vary.name.clone()).collect();
    let scope = Scope { drawn: &names, answer: false };
    let opening = markdown::text(&parts.opening, &scope)?;
    let mut lines = Lines { opening: parts.opening.first_line, ..front.lines };
    let mut steps = Vec::new();
    let (mut why, mut end, mut numbers, mut again) = (None, None, Vec::new(), None);
    for section in &parts.sections {
        let body = markdown::text(&section.text, &scope)?;
        match (section.id, &section.block) {
            ("why", None) => {
                lines.why = section.line;
                why = Some(body);
            }
            ("why", Some(block)) => {
                return Err(source.error_on(block.line, "`Why` is text only; the block belongs to a step"));
            }
            ("end", None) => {
                lines.end = section.line;
                end = Some(body);
            }
            ("end", Some(block)) if block.kind == BlockKind::End => {
                lines.end = section.line;
                end = Some(body);
                (numbers, again) = step::end(&block.source, &scope)?;
            }
            ("end", Some(block)) => {
                return Err(source.error_on(block.line, "`End` takes a block `~~~end`, not `~~~step`"));
            }
            (_, Some(block)) if block.kind == BlockKind::End => {
                return Err(source.error_on(block.line, "a block `~~~end` stands in the section `## End {#end}` only"));
            }
            (_, None) => {
                let what =
                    format!("the step `{}` has no block; after its text stands `~~~step`, TOML, `~~~`", section.id);
                return Err(source.error_on(section.line, what));
            }
            (_, Some(block)) => {
                if why.is_some() || end.is_some() {
                    return Err(source
                        .error_on(section.line, "a step stands after `Why` or `End`, which are the last sections"));
                }
                if steps.len() == MAX_STEPS {
                    return Err(source.error_on(section.line, format!("more than {MAX_STEPS} steps")));
                }
                steps.push(step::read(section, &block.source, block.line, body, &names)?);
            }
        }
    }
    let last = source.line(text.len());
    let missing = |what: &str| source.error_on(last, format!("the section `{what}` is missing"));
    let lesson = Lesson {
        file: file.to_owned(),
        id: front.id,
        title: front.title,
        minutes: front.minutes,
        part: front.part,
        needs: front.needs,
        next: front.next,
        goals: front.goals,
        sources: front.sources,
        terms: front.terms,
        machine: front.machine,
        vary: front.vary,
        opening,
        why: why.ok_or_else(|| missing("## Why {#why}"))?,
        end: end.ok_or_else(|| missing("## End {#end}"))?,
        numbers,
        again,
        lines,
        steps,
    };
    if lesson.steps.is_empty() {
        return Err(
            source.error_on(last, "the lesson has no steps; a step is `## Title {#id}`, text and a block `~~~step`")
        );
    }
    check_stops(&source, &lesson)?;
    Ok(lesson)
}

/// `step:ID` names a step before, so that no two wait for each other.
fn check_stops(source: &Source<'_>, lesson: &Lesson) -> Result<(), ContentError> {
    for (index, step) in lesson.steps.iter().enumerate() {
        let questions =
            step.questions.iter().flat_map(|question| question.reveal.iter().map(|stop| (stop, question.line)));
        for (stop, line) in step.stop.iter().map(|stop| (stop, step.block_line)).chain(questions) {
            let Stop::Step(id) = stop else { continue };
            match lesson.step(id) {
                Some((before, _)) if before < index => {}
                Some(_) => {
                    let what = format!("`step:{id}` is this step or a later one; a stop can only name a step before");
                    return Err(source.error_on(line, what));
                }
                None => return Err(source.error_on(line, format!("`step:{id}`: the lesson has no such step"))),
            }
        }
    }
    Ok(())
}

/// An id is made of small letters, digits and hyphens: it stands in links, files and hand-ins.
fn check_id(id: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins = id.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && id.chars().all(good) && id.len() <= 40 {
        return Ok(());
    }
    Err(format!(
        "`{id}` is no id; it is a word of small letters, digits and hyphens, at most 40, that begins with a letter"
    ))
}
