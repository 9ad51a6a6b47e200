//! `cargo xtask picture`: the picture in the README, drawn by the program that it shows.

use crate::{build, cmd, guest, project, setup};
use anyhow::Result;
use std::process::{Command, ExitCode};

/// Draws docs/wake.png, the picture that ends the lesson `wake`.
///
/// The program plays the lesson by itself in its own machine, without a window, and draws what a learner gets at the
/// end. The numbers are the same each time, so that the picture changes only when the program does.
#[derive(clap::Args, Debug)]
pub struct Args {}

pub fn main(_: &Args) -> Result<ExitCode> {
    setup::ensure(&[setup::Group::Build])?;
    guest::build()?;
    build::host(&["debugger-ui"], false)?;
    let mut program = Command::new(project::program("firstlight", false));
    program.args(["--lesson", "wake", "--picture"]).arg(project::root().join("docs/wake.png"));
    cmd::run(&mut program)?;
    Ok(ExitCode::SUCCESS)
}
