//! `cargo xtask run`: builds what the window needs and opens it.

use crate::{build, cmd, guest, project, setup};
use anyhow::Result;
use std::process::{Command, ExitCode};

/// Builds what is needed and opens the window.
///
/// Uses the dev profile, in which machine and renderer are optimized. What follows `--` goes to the window's program,
/// for example `cargo xtask run -- --cpus 4`; `cargo xtask run -- --help` lists what it takes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Host programs with all optimizations
    #[arg(long)]
    release: bool,
    /// For the program `firstlight`
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub fn main(args: &Args) -> Result<ExitCode> {
    setup::ensure(&[setup::Group::Build])?;
    guest::build()?;
    build::host(&["debugger-ui"], args.release)?;
    let mut window = Command::new(project::program("firstlight", args.release));
    // The kernel is inside it, as it was just built.
    window.args(&args.arguments);
    println!("$ {}", cmd::line(&window));
    let status = window.status().map_err(|error| cmd::explain(&window, error))?;
    // The program has said itself what was wrong: pass its status on.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
