//! `cargo xtask lessons`: write a lesson, prove that it can be played, play it in a terminal.
//!
//! [`driver`] has a machine of its own, a process, and carries the player's orders to it; [`check`] plays by script,
//! [`play`] by what a person types, [`words`] sets text for a terminal. Lessons are read from `lessons/content` as they are
//! on the disk.

pub mod check;
mod driver;
mod new;
mod play;
mod words;

use crate::{build, guest, project, setup};
use anyhow::{Context, Result, bail};
use lessons::content::ContentError;
use lessons::lesson::{self, Lesson};
use std::path::PathBuf;
use std::process::ExitCode;

/// Writes, checks and plays lessons.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    New(new::Args),
    Check(check::Args),
    Play(play::Args),
}

pub fn main(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::New(args) => new::main(args),
        Command::Check(args) => {
            prepare()?;
            check::main(args)
        }
        Command::Play(args) => {
            prepare()?;
            play::main(args)
        }
    }
}

/// Builds the kernel and the machine.
fn prepare() -> Result<()> {
    setup::ensure(&[setup::Group::Build])?;
    guest::build()?;
    build::host(&["machine"], false)
}

/// Where lessons are.
fn content() -> PathBuf {
    project::root().join("lessons/content")
}

/// The file of a lesson, as messages name it.
fn file_of(id: &str) -> String {
    format!("lessons/content/{id}/lesson.md")
}

/// Ids of all lessons on the disk, sorted.
fn ids() -> Result<Vec<String>> {
    let folder = content();
    let entries = std::fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut ids = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.path().join("lesson.md").is_file() {
            ids.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    ids.sort();
    Ok(ids)
}

/// Reads one; the inner error is the lesson's.
fn read(id: &str) -> Result<Result<Lesson, ContentError>> {
    let path = content().join(id).join("lesson.md");
    if !path.is_file() {
        bail!("there is no lesson `{id}`; there are {}", ids()?.join(", "));
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(lesson::parse::parse(&file_of(id), &text))
}
