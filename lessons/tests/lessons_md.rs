//! `docs/LESSONS.md` tells the truth: every stop, command and expression in it can be read.

use lessons::command::Command;
use lessons::expr::{Expr, Scope};
use lessons::stop::Stop;

const PAGE: &str = include_str!("../../docs/LESSONS.md");

/// Goal: the page's examples are right; method: read each line of its blocks of stops, commands and expressions.
#[test]
fn examples_can_be_read() {
    let scope = Scope::default();
    let (mut block, mut read) = ("", 0);
    for (index, line) in PAGE.lines().enumerate() {
        if let Some(kind) = line.strip_prefix("```") {
            block = if block.is_empty() { kind } else { "" };
            continue;
        }
        let result = match block {
            "stop" => Stop::parse(line).map(|_| ()).map_err(|(column, what)| format!("column {column}: {what}")),
            "do" => {
                Command::parse(line, &scope).map(|_| ()).map_err(|(column, what)| format!("column {column}: {what}"))
            }
            "expr" => Expr::parse(line, &scope).map(|_| ()).map_err(|error| error.to_string()),
            _ => continue,
        };
        read += 1;
        assert_eq!(result, Ok(()), "docs/LESSONS.md:{}: {line}", index + 1);
    }
    assert!(read > 60, "the blocks were found: {read}");
}
