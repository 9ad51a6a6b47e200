//! Everything that is done to Firstlight from outside: set up, build, run, debug, test, measure.
//!
//! One file per command. Commands call each other as functions, never as processes; whatever they start is printed.

mod bench;
mod build;
mod cmd;
mod disk;
mod fuzz;
mod fuzz_cpu;
mod gdb;
mod guest;
mod image;
mod lessons;
mod picture;
mod pie;
mod project;
mod qemu;
mod rsp;
mod run;
mod setup;
mod suites;
mod test;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Builds, runs and tests Firstlight.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Setup(setup::Args),
    Build(build::Args),
    Image(image::Args),
    Run(run::Args),
    Gdb(gdb::Args),
    Test(test::Args),
    Suites(suites::Args),
    Bench(bench::Args),
    Fuzz(fuzz::Args),
    FuzzCpu(fuzz_cpu::Args),
    Lessons(lessons::Args),
    Picture(picture::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Setup(args) => setup::main(&args),
        Command::Build(args) => build::main(&args),
        Command::Image(args) => image::main(&args),
        Command::Run(args) => run::main(&args),
        Command::Gdb(args) => gdb::main(&args),
        Command::Test(args) => test::main(&args),
        Command::Suites(args) => suites::main(&args),
        Command::Bench(args) => bench::main(&args),
        Command::Fuzz(args) => fuzz::main(&args),
        Command::FuzzCpu(args) => fuzz_cpu::main(&args),
        Command::Lessons(args) => lessons::main(&args),
        Command::Picture(args) => picture::main(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
