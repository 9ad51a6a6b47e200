//! The text budget: what is longer is not read.

use super::Problems;
use super::parts::{Role, texts};
use crate::lesson::Lesson;
use crate::template::{Template, plain};

/// Words before a step's task, and of the opening.
const MAX_STEP_WORDS: usize = 90;
/// Words of "Why" and of "End".
const MAX_WHY_WORDS: usize = 150;
/// Words of a hint, of feedback, of a question.
const MAX_LINE_WORDS: usize = 60;
/// Words of what is said when a step is done.
const MAX_THEN_WORDS: usize = 90;
/// Words of a sentence.
const MAX_SENTENCE_WORDS: usize = 40;
/// Characters of a title: one line of the panel, at the largest font.
const MAX_TITLE: usize = 40;

pub(super) fn check(lesson: &Lesson, problems: &mut Problems<'_>) {
    budget(&lesson.opening, "the opening", MAX_STEP_WORDS, lesson.lines.opening, problems);
    budget(&lesson.why, "`Why`", MAX_WHY_WORDS, lesson.lines.why, problems);
    budget(&lesson.end, "`End`", MAX_WHY_WORDS, lesson.lines.end, problems);
    title(&lesson.title, lesson.lines.title, problems);
    for (index, step) in lesson.steps.iter().enumerate() {
        title(&step.title, step.line, problems);
        if lesson.steps[..index].iter().any(|other| other.title == step.title) {
            problems.add(step.line, format!("another step has the title \"{}\", too", step.title));
        }
        budget(&step.text, "the text before the task", MAX_STEP_WORDS, step.line, problems);
        if step.then.words() > MAX_THEN_WORDS {
            let what = format!("`then` has {} words; at most {MAX_THEN_WORDS} are read", step.then.words());
            problems.add(step.block_line, what);
        }
    }
    for text in texts(lesson) {
        let words = plain(text.spans);
        let count = words.split_whitespace().count();
        if matches!(text.role, Role::Task | Role::After) && count > MAX_LINE_WORDS {
            problems
                .add(text.line, format!("\"{}\" has {count} words; at most {MAX_LINE_WORDS} are read", begin(&words)));
        }
        for sentence in sentences(&words) {
            let count = sentence.split_whitespace().count();
            if count > MAX_SENTENCE_WORDS {
                let what = format!(
                    "the sentence \"{}\" has {count} words, more than {MAX_SENTENCE_WORDS}; make two of it",
                    begin(sentence)
                );
                problems.add(text.line, what);
            }
        }
    }
}

fn budget(text: &Template, what: &str, most: usize, line: usize, problems: &mut Problems<'_>) {
    let words = text.words();
    if words == 0 {
        problems.add(line, format!("{what} is empty"));
    } else if words > most {
        problems.add(line, format!("{what} has {words} words; at most {most} are read"));
    }
}

fn title(title: &str, line: usize, problems: &mut Problems<'_>) {
    if title.chars().count() > MAX_TITLE {
        problems.add(line, format!("the title \"{title}\" has more than {MAX_TITLE} characters"));
    }
    if title.ends_with('.') {
        problems.add(line, format!("the title \"{title}\" ends with a full stop; titles have none"));
    }
}

/// The first words, for messages.
fn begin(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().take(6).collect();
    let more = if text.split_whitespace().nth(6).is_some() { " ..." } else { "" };
    words.join(" ") + more
}

/// Sentences end where a full stop, a question or an exclamation mark or a colon is followed by space.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(|c: char| c.is_whitespace())
        .scan(0, |start, word| {
            *start += word.len();
            Some((*start, word))
        })
        .filter(|(_, word)| word.trim_end().ends_with(['.', '?', '!', ':', ';']))
        .map(|(end, _)| end)
        .chain([text.len()])
        .scan(0, move |start, end| {
            let sentence = &text[*start..end];
            *start = end;
            Some(sentence)
        })
}
