//! `cargo xtask suites`: third-party test kernels, unmodified, on the embedded machine, on QEMU and on Bochs.
//!
//! They are fetched and built by whoever runs this and are never part of the project. [`table`] lists the tests, [`on`] and
//! [`bochs`] run one, [`fidelity`] writes what came out to docs/FIDELITY.md.

mod bochs;
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
///   xv6-public          make kernelmemfs xv6memfs.img (a newer gcc needs CFLAGS without -Werror)
///   qemu-tcg            system programs of QEMU's tests/tcg: i386/ and x86_64/, as its build leaves them
///   kernels             vmlinux and xen, out of Debian's packages linux-image-cloud-amd64 and xen-hypervisor-4.17-amd64
///
/// Bochs is wanted for the third column: Debian's packages bochs, bochs-term, bochsbios, vgabios, grub-pc-bin, xorriso and
/// mtools (`cargo xtask setup suites`).
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
    /// Only on this machine [default: on all of them].
    #[arg(long, value_enum)]
    on: Option<On>,
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

/// Where a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum On {
    /// The embedded machine.
    Here,
    /// QEMU's TCG.
    Qemu,
    /// Bochs.
    Bochs,
}

const QEMU: &str = "qemu-system-x86_64";

/// What came out of a test. None: it was not asked for.
struct Row {
    test: &'static Test,
    here: Option<Outcome>,
    qemu: Option<Outcome>,
    bochs: Option<Outcome>,
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
    let there = There { program, qemu: is_installed(QEMU, "--version"), bochs: is_installed(bochs::PROGRAM, "--help") };
    for (on, is_there, name) in [(On::Qemu, there.qemu, "QEMU"), (On::Bochs, there.bochs, "Bochs")] {
        if !is_there && args.on.is_none_or(|only| only == on) {
            println!("{name} is not installed: its column says so.");
        }
    }
    let (mut rows, mut failed) = (0, 0);
    for suite in SUITES {
        let folder = args.from.join(suite.folder);
        if !folder.is_dir() {
            println!("{}: not there ({}); {}", suite.name, folder.display(), suite.how);
            continue;
        }
        for test in suite.tests.iter().filter(|test| wanted(test, args.only.as_deref())) {
            let row = run(test, &folder.join(test.file), args, &there)?;
            let told = [("here", &row.here), ("QEMU", &row.qemu), ("Bochs", &row.bochs)];
            let told = told.iter().filter_map(|(name, outcome)| Some(format!("{name}: {:<10}", (*outcome).as_ref()?)));
            println!("{:<22} {}", test.name, told.collect::<Vec<_>>().join(" "));
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

/// What there is to run tests on.
struct There {
    /// The embedded machine's program.
    program: PathBuf,
    qemu: bool,
    bochs: bool,
}

fn is_installed(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn wanted(test: &Test, only: Option<&str>) -> bool {
    only.is_none_or(|text| test.name.contains(text))
}

fn run(test: &'static Test, image: &Path, args: &Args, there: &There) -> Result<Row> {
    let limit = Duration::from_secs(args.seconds.unwrap_or(test.seconds));
    let on = |on: On, is_there: bool, run: &dyn Fn() -> Result<Outcome>| -> Result<Option<Outcome>> {
        if args.on.is_some_and(|only| only != on) {
            return Ok(None);
        }
        Ok(Some(match on {
            _ if !image.exists() => Outcome::NotRun(format!("{} was not built", test.file)),
            _ if !is_there => Outcome::NotRun(format!("{on:?} is not installed")),
            _ => run()?,
        }))
    };
    Ok(Row {
        test,
        here: on(On::Here, true, &|| on::here(test, image, &there.program, limit))?,
        qemu: on(On::Qemu, there.qemu, &|| on::qemu(test, image, Path::new(QEMU), limit))?,
        bochs: on(On::Bochs, there.bochs, &|| bochs::run(test, image, limit))?,
    })
}
