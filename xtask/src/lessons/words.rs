//! A lesson's text for a terminal: wrapped lines, the terminal's own commands where the window has keys.

use lessons::text::{Block, Span};

/// Longest line.
const WIDTH: usize = 96;

/// The window's commands that the terminal has too: id, what to type.
const KEYS: [(&str, &str); 15] = [
    ("step-cpu", "s"),
    ("step-cpu-back", "S"),
    ("over", "n"),
    ("over-back", "N"),
    ("event", "e"),
    ("event-back", "E"),
    ("run", "c"),
    ("run-back", "C"),
    ("run-to-wake", "wake"),
    ("step-machine", "m"),
    ("step-machine-back", "M"),
    ("undo", "u"),
    ("hint", "h"),
    ("show-me", "show"),
    ("go-console", "type"),
];

/// A line of spans as plain words.
pub fn line(spans: &[Span]) -> String {
    spans.iter().map(span).collect()
}

fn span(span: &Span) -> String {
    match span {
        Span::Text(text) | Span::Emphasis(text) | Span::Code(text) => text.clone(),
        Span::Strong(text) => format!("*{text}*"),
        Span::Term { text, .. } | Span::Link { text, .. } => text.clone(),
        Span::Instruction { intel, .. } => intel.clone(),
        Span::Key(id) => {
            let known = KEYS.iter().find(|(known, _)| known == id);
            known.map_or_else(|| format!("[{id}]"), |(_, typed)| format!("`{typed}`"))
        }
    }
}

/// Blocks as lines.
pub fn blocks(blocks: &[Block]) -> Vec<String> {
    let mut lines = Vec::new();
    for block in blocks {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        match block {
            Block::Paragraph(spans) => wrap(&line(spans), "", "", &mut lines),
            Block::Note(spans) => wrap(&line(spans), "> ", "> ", &mut lines),
            Block::Code(text) => lines.extend(text.lines().map(|line| format!("    {line}"))),
            Block::List { numbered, items } => {
                for (number, item) in items.iter().enumerate() {
                    let mark = if *numbered { format!("{}. ", number + 1) } else { "- ".to_owned() };
                    wrap(&line(item), &mark, &" ".repeat(mark.len()), &mut lines);
                }
            }
        }
    }
    lines
}

/// Cuts a text in lines of at most [`WIDTH`] characters, words kept whole.
pub fn wrap(text: &str, first: &str, rest: &str, lines: &mut Vec<String>) {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: lines are short, words whole, marks where they belong; method: a long paragraph and a list with a key.
    #[test]
    fn wrapping() {
        let long = vec![Span::Text("word ".repeat(60))];
        let lines = blocks(&[
            Block::Paragraph(long),
            Block::List {
                numbered: true,
                items: vec![vec![Span::Text("Press ".into()), Span::Key("step-cpu".into())]],
            },
        ]);
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{lines:?}");
        assert_eq!(lines.last().map(String::as_str), Some("1. Press `s`"));
        assert_eq!(lines.join(" ").matches("word").count(), 60);
        assert_eq!(line(&[Span::Key("unheard-of".into())]), "[unheard-of]");
    }
}
