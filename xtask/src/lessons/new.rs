//! `cargo xtask lessons new`: the file of a lesson that can be read and checked, with remarks for whoever writes it.

use anyhow::{Context, Result, bail};
use std::process::ExitCode;

/// Writes the file of a new lesson.
///
/// It can be played as it is: one step, with every key that a step can have, explained in comments. `cargo xtask lessons
/// check ID` tells what is wrong with it from then on.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A word of small letters, digits and hyphens: it is the lesson's name in files and links
    id: String,
    /// As learners see it: "Wake one processor"
    title: String,
}

pub fn main(args: &Args) -> Result<ExitCode> {
    if !is_id(&args.id) {
        bail!("`{}` cannot be a lesson's id: small letters, digits and hyphens, beginning with a letter", args.id);
    }
    let title = args.title.trim();
    if title.is_empty() || title.contains(['"', '\\', '\n']) {
        bail!("a title is a line of words without quotation marks and backslashes");
    }
    let folder = super::content().join(&args.id);
    let file = folder.join("lesson.md");
    if file.exists() {
        bail!("{} is there already", super::file_of(&args.id));
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    std::fs::write(&file, skeleton(&args.id, title))
        .with_context(|| format!("{} cannot be written", file.display()))?;
    println!("{} is there. Try it:", super::file_of(&args.id));
    println!("  cargo xtask lessons check {}", args.id);
    println!("  cargo xtask lessons play {}", args.id);
    Ok(ExitCode::SUCCESS)
}

fn is_id(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.len() <= 40
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn skeleton(id: &str, title: &str) -> String {
    include_str!("skeleton.md").replace("ID-OF-THE-LESSON", id).replace("TITLE-OF-THE-LESSON", title)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what `new` writes is a lesson. Method: the engine reads it.
    #[test]
    fn the_skeleton_is_a_lesson() {
        let text = skeleton("my-lesson", "My lesson");
        let lesson = lessons::lesson::parse::parse("lessons/content/my-lesson/lesson.md", &text).unwrap();
        assert_eq!((lesson.id.as_str(), lesson.title.as_str()), ("my-lesson", "My lesson"));
        assert!(lesson.steps.iter().all(|step| !step.questions.is_empty() || !step.goals.is_empty()));
    }

    /// Goal: ids stay words that are file names everywhere. Method: good ones and bad ones.
    #[test]
    fn ids() {
        assert!(is_id("two-maps") && is_id("a4"));
        for bad in ["", "4a", "A", "a b", "../a", "a/b", "ä", &"a".repeat(41)] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
