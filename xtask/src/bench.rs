//! `cargo xtask bench`: speed here and on QEMU, in one run.

use anyhow::Result;
use std::process::ExitCode;

/// Measures.
#[derive(clap::Args, Debug)]
pub struct Args {}

pub fn main(_args: &Args) -> Result<ExitCode> {
    anyhow::bail!("not there yet")
}
