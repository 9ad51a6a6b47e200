//! `cargo xtask suites`: third-party test kernels, unmodified, on the embedded machine and on QEMU.
//!
//! They are fetched and built by whoever runs this and are never part of the project. [`table`] lists the tests, [`on`] runs
//! one, [`fidelity`] writes what came out to docs/FIDELITY.md.

mod fidelity;
mod on;
mod table;

use crate::{build, project};
use anyhow::{Result, bail};
use on::Outcome;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use table::{SUITES, Test};

/// Runs third-party test kernels and writes docs/FIDELITY.md.
///
/// DIR has a folder for each suite, built there by its own means:
///
///   kvm-unit-tests      ./configure --arch=x86_64 && make
///   kvm-unit-tests-32   the same sources, ./configure --arch=i386 && make
///   xv6-public          make kernelmemfs (a newer gcc needs CFLAGS without -Werror)
///   qemu-tcg            system programs of QEMU's tests/tcg: i386/ and x86_64/, as its build leaves them
///
/// What is not there is said and left out; the table keeps what it said of it before.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where the suites are.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Only tests whose name contains this; the table is not written then.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Only here, not on QEMU; the table is not written then.
    #[arg(long)]
    here: bool,
    /// Seconds that a test may take on each machine.
    #[arg(long, value_name = "N", default_value_t = 240)]
    seconds: u64,
    /// Use the release build of the machine.
    #[arg(long)]
    release: bool,
}

/// The other machine.
const QEMU: &str = "qemu-system-x86_64";

/// What came out of a test.
struct Row {
    test: &'static Test,
    here: Outcome,
    qemu: Outcome,
}

pub fn main(args: &Args) -> Result<ExitCode> {
    if !args.from.is_dir() {
        bail!(
            "{}: there is no such folder; `cargo xtask suites --help` says what belongs into it",
            args.from.display()
        );
    }
    build::host(&["machine"], args.release)?;
    let program = project::program("firstlight-machine", args.release);
    let qemu = (!args.here && is_installed(QEMU)).then_some(Path::new(QEMU));
    if qemu.is_none() && !args.here {
        println!("QEMU is not installed: its column says so.");
    }
    let limit = Duration::from_secs(args.seconds);
    let (mut rows, mut absent) = (Vec::new(), Vec::new());
    for suite in SUITES {
        let folder = args.from.join(suite.folder);
        if !folder.is_dir() {
            println!("{}: not there ({}); {}", suite.name, folder.display(), suite.how);
            absent.push(suite.name);
            continue;
        }
        for test in suite.tests.iter().filter(|test| wanted(test, args.only.as_deref())) {
            let image = folder.join(test.file);
            let row = run(test, &image, &program, qemu, limit)?;
            println!("{:<22} here: {:<32} QEMU: {}", test.name, row.here, row.qemu);
            rows.push(row);
        }
    }
    if rows.is_empty() {
        bail!("{}: none of the suites is there, so nothing was run", args.from.display());
    }
    let failed = rows.iter().filter(|row| row.test.must_pass && !row.here.is_pass()).count();
    if args.only.is_none() && !args.here {
        fidelity::write(&rows, &absent)?;
    }
    println!("{} tests, {failed} of those that must pass here did not", rows.len());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn wanted(test: &Test, only: Option<&str>) -> bool {
    only.is_none_or(|text| test.name.contains(text))
}

fn run(test: &'static Test, image: &Path, program: &Path, qemu: Option<&Path>, limit: Duration) -> Result<Row> {
    if !image.exists() {
        let absent = Outcome::NotRun(format!("{} was not built", test.file));
        return Ok(Row { test, here: absent.clone(), qemu: absent });
    }
    let here = on::here(test, image, program, limit)?;
    let qemu = match qemu {
        Some(qemu) => on::qemu(test, image, qemu, limit)?,
        None => Outcome::NotRun("QEMU is not installed".into()),
    };
    Ok(Row { test, here, qemu })
}
