//! Terms of the glossary in a lesson: each is introduced once, by a link, one in a step, before it is used.

use super::parts::texts;
use super::{Against, Problems, needed};
use crate::glossary;
use crate::lesson::Lesson;
use crate::template::{Span, plain};

pub(super) fn check(lesson: &Lesson, against: &Against<'_>, problems: &mut Problems<'_>) {
    let before: Vec<&str> =
        needed(lesson, against).into_iter().flat_map(|other| other.terms.iter().map(String::as_str)).collect();
    listed(lesson, &before, problems);
    let introduced = introductions(lesson, &before, problems);
    for id in lesson.terms.iter().filter(|id| !introduced.iter().any(|(known, ..)| known == id)) {
        let what = format!(
            "`terms` lists `{id}`, but no text links to it: write [the word](term:{id}) where it is introduced"
        );
        problems.add(lesson.lines.terms, what);
    }
    order(lesson, &introduced, problems);
    one_a_step(lesson, &introduced, problems);
    used_too_early(lesson, &introduced, problems);
}

/// The list of the front matter.
fn listed(lesson: &Lesson, before: &[&str], problems: &mut Problems<'_>) {
    for (index, id) in lesson.terms.iter().enumerate() {
        if glossary::entry(id).is_none() {
            problems.add(lesson.lines.terms, format!("`terms` lists `{id}`, which the glossary does not have"));
        }
        if before.contains(&id.as_str()) {
            let what = format!("`terms` lists `{id}`, which a lesson that comes before introduces already");
            problems.add(lesson.lines.terms, what);
        }
        if lesson.terms[..index].contains(id) {
            problems.add(lesson.lines.terms, format!("`terms` lists `{id}` twice"));
        }
    }
}

/// Where each of the lesson's terms is linked first: id, number of the step, line.
fn introductions<'a>(
    lesson: &'a Lesson,
    before: &[&str],
    problems: &mut Problems<'_>,
) -> Vec<(&'a str, Option<usize>, usize)> {
    let mut found: Vec<(&str, Option<usize>, usize)> = Vec::new();
    for text in texts(lesson) {
        for span in text.spans {
            let Span::Term { id, line, .. } = span else { continue };
            if glossary::entry(id).is_none() {
                problems.add(*line, format!("the link leads to term:{id}, which the glossary does not have"));
            } else if before.contains(&id.as_str()) || found.iter().any(|(known, ..)| known == id) {
                continue;
            } else if !lesson.terms.contains(id) {
                let what =
                    format!("term:{id} is introduced here, but not listed in `terms` of this lesson or one before it");
                problems.add(*line, what);
            } else {
                found.push((id, text.step, *line));
            }
        }
    }
    found
}

fn order(lesson: &Lesson, introduced: &[(&str, Option<usize>, usize)], problems: &mut Problems<'_>) {
    let listed: Vec<&str> =
        lesson.terms.iter().map(String::as_str).filter(|id| introduced.iter().any(|(known, ..)| known == id)).collect();
    let wrong = introduced.iter().zip(&listed).find(|((id, ..), listed)| id != *listed);
    if let Some(((id, ..), listed)) = wrong {
        let what = format!("`terms` lists `{listed}` where the text introduces `{id}`; the list has the text's order");
        problems.add(lesson.lines.terms, what);
    }
}

fn one_a_step(lesson: &Lesson, introduced: &[(&str, Option<usize>, usize)], problems: &mut Problems<'_>) {
    for (index, step) in lesson.steps.iter().enumerate() {
        let here: Vec<&str> =
            introduced.iter().filter(|(_, step, _)| *step == Some(index)).map(|(id, ..)| *id).collect();
        if here.len() > 1 {
            let what =
                format!("the step `{}` introduces {} terms, {}; one is enough", step.id, here.len(), here.join(", "));
            problems.add(step.line, what);
        }
    }
}

/// A term's name stands in a step before the one that introduces it.
fn used_too_early(lesson: &Lesson, introduced: &[(&str, Option<usize>, usize)], problems: &mut Problems<'_>) {
    let texts = texts(lesson);
    for (index, (id, step, line)) in introduced.iter().enumerate() {
        let Some(step) = step else { continue };
        // "Protected mode, 16-bit" and "Protected mode, 32-bit" share a name, which is known from the first of them on.
        let known = |name: &str| introduced[..index].iter().any(|(other, ..)| names(other).any(|other| other == name));
        for name in names(id).filter(|name| !known(name)) {
            let early = texts.iter().find(|text| {
                text.step.is_none_or(|at| at < *step) && text.line < *line && uses(&plain(text.spans), name)
            });
            if let Some(text) = early {
                let what = format!("\"{name}\" is used here, but `{id}` is introduced later, on line {line}");
                problems.add(text.line, what);
            }
        }
    }
}

/// What people call a term: "ICR", "interrupt command register". A width alone is no name.
fn names(id: &str) -> impl Iterator<Item = &'static str> {
    let width = |name: &str| name.strip_suffix("-bit").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let all = glossary::entry(id).map_or("", |entry| entry.name.as_str()).split(", ");
    all.filter(move |name| !name.is_empty() && !width(name))
}

/// The name stands in a text, as whole words; capitals count where they make the name: an INIT is no init.
fn uses(text: &str, name: &str) -> bool {
    let acronym = name.chars().filter(|c| c.is_ascii_uppercase()).count() > 1;
    let (text, name) =
        if acronym { (text.to_owned(), name.to_owned()) } else { (text.to_lowercase(), name.to_lowercase()) };
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-');
    text.match_indices(&name)
        .any(|(at, _)| !word(text[..at].chars().next_back()) && !word(text[at + name.len()..].chars().next()))
}
