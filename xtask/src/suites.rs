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
/// What is not there is said and left out; the table keeps what it said of it before. It is written after each test, so
/// that a long run may be ended at any time.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where the suites are.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Only tests whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Only here, not on QEMU.
    #[arg(long, conflicts_with = "qemu")]
    here: bool,
    /// Only on QEMU.
    #[arg(long)]
    qemu: bool,
    /// Seconds that a test may take on each machine [default: as long as the test needs at most on a busy computer].
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Do not write the table.
    #[arg(long)]
    dry: bool,
    /// Use the release build of the machine.
    #[arg(long)]
    release: bool,
}

/// The other machine.
const QEMU: &str = "qemu-system-x86_64";

/// What came out of a test. None: it was not asked for.
struct Row {
    test: &'static Test,
    here: Option<Outcome>,
    qemu: Option<Outcome>,
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
    let has_qemu = is_installed(QEMU);
    if !has_qemu && !args.here {
        println!("QEMU is not installed: its column says so.");
    }
    let (mut rows, mut failed) = (0, 0);
    for suite in SUITES {
        let folder = args.from.join(suite.folder);
        if !folder.is_dir() {
            println!("{}: not there ({}); {}", suite.name, folder.display(), suite.how);
            continue;
        }
        for test in suite.tests.iter().filter(|test| wanted(test, args.only.as_deref())) {
            let row = run(test, &folder.join(test.file), args, &program, has_qemu)?;
            let words = |outcome: &Option<Outcome>| outcome.as_ref().map_or("-".to_owned(), Outcome::to_string);
            println!("{:<22} here: {:<32} QEMU: {}", test.name, words(&row.here), words(&row.qemu));
            rows += 1;
            failed += u32::from(test.must_pass && row.here.as_ref().is_some_and(|here| !here.is_pass()));
            if !args.dry {
                fidelity::write(&row)?;
            }
        }
    }
    if rows == 0 {
        bail!("{}: nothing of what was asked for is there, so nothing was run", args.from.display());
    }
    println!("{rows} tests, {failed} of those that must pass here did not");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn wanted(test: &Test, only: Option<&str>) -> bool {
    only.is_none_or(|text| test.name.contains(text))
}

fn run(test: &'static Test, image: &Path, args: &Args, program: &Path, has_qemu: bool) -> Result<Row> {
    let limit = Duration::from_secs(args.seconds.unwrap_or(test.seconds));
    let absent = (!image.exists()).then(|| Outcome::NotRun(format!("{} was not built", test.file)));
    let here = match &absent {
        _ if args.qemu => None,
        Some(absent) => Some(absent.clone()),
        None => Some(on::here(test, image, program, limit)?),
    };
    let qemu = match absent {
        _ if args.here => None,
        Some(absent) => Some(absent),
        None if !has_qemu => Some(Outcome::NotRun("QEMU is not installed".into())),
        None => Some(on::qemu(test, image, Path::new(QEMU), limit)?),
    };
    Ok(Row { test, here, qemu })
}
