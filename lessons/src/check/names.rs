//! Links, symbols, roots and commands that a lesson names: they exist.

use super::parts::{expressions, stops, texts};
use super::{Against, Problems};
use crate::expr::Named;
use crate::lesson::Lesson;
use crate::stop::Stop;
use crate::template::Span;
use protocol::profile::Profile;

pub(super) fn check(lesson: &Lesson, against: &Against<'_>, problems: &mut Problems<'_>) {
    for text in texts(lesson) {
        for span in text.spans {
            match span {
                Span::Link { to, line, .. } => link(lesson, against, to, *line, problems),
                Span::Key { id, line } => command(against, id, *line, problems),
                Span::Instruction { symbol, line } => self::symbol(against, symbol, *line, problems),
                _ => {}
            }
        }
    }
    for step in &lesson.steps {
        if let Some(id) = &step.highlight {
            command(against, id, step.block_line, problems);
        }
    }
    for (line, stop) in stops(lesson) {
        match stop {
            Stop::At { symbol, .. } => self::symbol(against, symbol, line, problems),
            Stop::Step(id) if lesson.step(id).is_none() => {
                problems.add(line, format!("`step:{id}`: the lesson has no such step"));
            }
            _ => {}
        }
    }
    for (line, expr) in expressions(lesson) {
        for (named, column) in expr.names() {
            match named {
                Named::Symbol(name) => self::symbol(against, name, line, problems),
                Named::Root(name) => {
                    let known = |profile: &Profile| profile.roots.iter().any(|root| root.name == name);
                    if against.profile.is_some_and(|profile| !known(profile)) {
                        let what = format!("in `{}`, column {column}: the image has no root \"{name}\"", expr.text());
                        problems.add(line, what);
                    }
                }
            }
        }
    }
}

fn link(lesson: &Lesson, against: &Against<'_>, to: &str, line: usize, problems: &mut Problems<'_>) {
    if let Some(id) = to.strip_prefix("step:") {
        if lesson.step(id).is_none() {
            problems.add(line, format!("the link leads to step:{id}, which this lesson does not have"));
        }
    } else if let Some(id) = to.strip_prefix("lesson:")
        && !against.lessons.iter().any(|other| other.id == id)
    {
        problems.add(line, format!("the link leads to lesson:{id}, which is no lesson"));
    }
}

fn command(against: &Against<'_>, id: &str, line: usize, problems: &mut Problems<'_>) {
    if !against.commands.is_empty() && !against.commands.contains(&id) {
        problems.add(line, format!("the window has no command `{id}`; the ids are in its list of commands"));
    }
}

fn symbol(against: &Against<'_>, name: &str, line: usize, problems: &mut Problems<'_>) {
    let Some(profile) = against.profile else { return };
    let in_blob = profile.blobs.iter().any(|blob| blob.symbols.iter().any(|symbol| symbol.name == name));
    if !in_blob && !profile.symbols.iter().any(|symbol| symbol.name == name) {
        let like = nearest(profile, name).map(|other| format!("; there is `{other}`")).unwrap_or_default();
        problems.add(line, format!("the image has no symbol `{name}`{like}"));
    }
}

/// A symbol that has the same words: of two that were renamed the one that was meant is near.
fn nearest<'a>(profile: &'a Profile, name: &str) -> Option<&'a str> {
    let words: Vec<&str> = name.split('_').filter(|word| word.len() > 2).collect();
    let blob = profile.blobs.iter().flat_map(|blob| blob.symbols.iter().map(|symbol| symbol.name.as_str()));
    let names = blob.chain(profile.symbols.iter().map(|symbol| symbol.name.as_str()));
    let score = |other: &str| words.iter().filter(|word| other.contains(**word)).count();
    names.filter(|other| score(other) > 0).max_by_key(|other| (score(other), std::cmp::Reverse(other.len())))
}
