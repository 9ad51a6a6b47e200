//! `cargo xtask run`: builds what the window needs and opens it, on the embedded machine or on QEMU.

mod qemu;

use crate::{build, cmd, guest, project, setup};
use anyhow::{Result, ensure};
use std::process::{Command, ExitCode};

/// Builds what is needed and opens the window.
///
/// Uses the dev profile, in which machine and renderer are optimized. What follows `--` goes to the window's program,
/// for example `cargo xtask run -- --cpus 4`; `cargo xtask run -- --help` lists what it takes.
///
/// `--on qemu` starts QEMU with the OVMF firmware instead of the embedded machine, lets it run to the kernel's first
/// instruction and opens the window there. Less is known then: no going back, no events; the window says so. QEMU ends
/// with the window.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Host programs with all optimizations
    #[arg(long)]
    release: bool,
    /// Which machine
    #[arg(long, value_enum, default_value_t = Machine::Embedded)]
    on: Machine,
    /// Number of CPUs
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=255))]
    cpus: u16,
    /// Words for the kernel: "bringup=parallel"
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    options: String,
    /// Where QEMU's gdb server listens on 127.0.0.1 [default: a free port]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// For the program `firstlight`
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// What the kernel runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Machine {
    /// The machine inside the window.
    Embedded,
    /// QEMU with the OVMF firmware.
    Qemu,
}

pub fn main(args: &Args) -> Result<ExitCode> {
    if args.on == Machine::Qemu {
        return qemu::main(args);
    }
    ensure!(
        args.port.is_none(),
        "--port is QEMU's: use it with --on qemu; the window itself opens a socket when asked"
    );
    setup::ensure(&[setup::Group::Build])?;
    guest::build()?;
    build::host(&["debugger-ui"], args.release)?;
    let mut window = Command::new(project::program("firstlight", args.release));
    // The kernel is inside it, as it was just built.
    if args.cpus != 2 {
        window.args(["--cpus", &args.cpus.to_string()]);
    }
    if !args.options.is_empty() {
        window.args(["--options", &args.options]);
    }
    window.args(&args.arguments);
    open(&mut window)
}

/// Opens the window and waits until it is closed.
fn open(window: &mut Command) -> Result<ExitCode> {
    println!("$ {}", cmd::line(window));
    let status = window.status().map_err(|error| cmd::explain(window, error))?;
    // The program has said itself what was wrong: pass its status on.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
