//! `cargo xtask test`: everything that must hold before a change is in. CI runs this and nothing else.

mod boot;
mod events;
mod gdb_scripts;
mod host;
mod hostile;
mod mistakes;
mod qemu;
mod shell;
mod tidy;
mod window;

use crate::{build, guest, setup};
use anyhow::Result;
use std::process::ExitCode;
use std::time::Instant;

/// Runs all tests, or the parts named.
///
/// Installs what it needs as `cargo xtask setup` does, builds, prints each program that it runs, and ends with a summary
/// and the line `N passed, N failed`. Exit status 0: nothing failed.
///
/// The parts, in the order in which they run: fmt (rustfmt), tidy (what no compiler checks: headers, file lengths,
/// unsafe, dependencies), clippy and doc (no warnings), host (unit and integration tests), boot (the kernel on the
/// machine, with many configurations, and what its shell does), hostile (what it makes of nonsense in its tables and of processors that do not come), mistakes (each of docs/MISTAKES.md shows its symptom), qemu (the same lines on QEMU with a UEFI firmware), gdb (a real gdb, scripted), lessons (each one
/// played by its script with 20 seeds), window (the program under an X server without a
/// screen, driven by its keys, with screenshots in target/screenshots/).
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only these; all if none is named
    #[arg(value_enum)]
    parts: Vec<Part>,
}

/// A part of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// rustfmt finds nothing to change.
    Fmt,
    /// Rules of the house that no compiler checks.
    Tidy,
    /// clippy has no warnings.
    Clippy,
    /// rustdoc has no warnings.
    Doc,
    /// Unit and integration tests.
    Host,
    /// The kernel on the machine.
    Boot,
    /// Nonsense in its tables, and processors that do not come.
    Hostile,
    /// Mistakes of the past, switched on.
    Mistakes,
    /// The kernel on QEMU with a UEFI firmware.
    Qemu,
    /// A real gdb, scripted.
    Gdb,
    /// Each lesson, played by its script.
    Lessons,
    /// The window, driven by its keys.
    Window,
}

const ALL: [Part; 12] = [
    Part::Fmt,
    Part::Tidy,
    Part::Clippy,
    Part::Doc,
    Part::Host,
    Part::Boot,
    Part::Hostile,
    Part::Mistakes,
    Part::Qemu,
    Part::Gdb,
    Part::Lessons,
    Part::Window,
];

impl Part {
    /// What must be installed for it.
    fn groups(self) -> &'static [setup::Group] {
        use setup::Group::{Build, Test, Window};
        match self {
            Self::Fmt | Self::Tidy => &[],
            Self::Clippy | Self::Doc | Self::Boot | Self::Hostile | Self::Lessons => &[Build],
            // The pictures of the window's panels are drawn with what draws the window.
            Self::Host => &[Build, Window],
            Self::Mistakes | Self::Qemu | Self::Gdb => &[Build, Test],
            Self::Window => &[Build, Window, Test],
        }
    }

    /// Does it run guest images?
    fn needs_guest(self) -> bool {
        // The host tests of machine and window boot the kernel too.
        // The kernel's binary holds the blob.
        matches!(
            self,
            Self::Clippy
                | Self::Host
                | Self::Boot
                | Self::Hostile
                | Self::Mistakes
                | Self::Qemu
                | Self::Gdb
                | Self::Lessons
                | Self::Window
        )
    }

    fn run(self, report: &mut Report) -> Result<()> {
        match self {
            Self::Fmt => host::fmt(report),
            Self::Tidy => tidy::run(report),
            Self::Clippy => host::clippy(report),
            Self::Doc => host::doc(report),
            Self::Host => host::tests(report),
            Self::Boot => boot::run(report).and_then(|()| shell::run(report)),
            Self::Hostile => {
                hostile::run(report);
                Ok(())
            }
            Self::Mistakes => mistakes::run(report),
            Self::Qemu => qemu::run(report),
            Self::Gdb => gdb_scripts::run(report),
            Self::Lessons => crate::lessons::check::run(report),
            Self::Window => window::run(report),
        }
    }
}

/// What came out.
#[derive(Debug, Default)]
pub struct Report {
    passed: u64,
    /// One line each.
    failed: Vec<String>,
}

impl Report {
    /// Takes note of one case and tells.
    pub fn case(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("ok      {name}");
            }
            Err(error) => {
                println!("FAILED  {name}: {error:#}");
                self.failed.push(format!("{name}: {error:#}"));
            }
        }
    }

    /// How many passed.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// How many did not.
    pub fn failed(&self) -> usize {
        self.failed.len()
    }

    /// Takes note of cases that somebody else told of.
    pub fn cases(&mut self, passed: u64, failed: impl IntoIterator<Item = String>) {
        self.passed += passed;
        self.failed.extend(failed);
    }
}

pub fn main(args: &Args) -> Result<ExitCode> {
    let parts = if args.parts.is_empty() { &ALL[..] } else { &args.parts };
    let mut groups: Vec<setup::Group> = Vec::new();
    for group in parts.iter().flat_map(|part| part.groups()) {
        if !groups.contains(group) {
            groups.push(*group);
        }
    }
    let mut report = Report::default();
    if let Err(error) = prepare(parts, &groups) {
        report.case("preparations", Err(error));
        println!("0 passed, 1 failed");
        return Ok(ExitCode::FAILURE);
    }
    for part in parts {
        println!("== {}", format!("{part:?}").to_lowercase());
        let start = Instant::now();
        let result = part.run(&mut report);
        if let Err(error) = result {
            report.case(&format!("{part:?}").to_lowercase(), Err(error));
        }
        println!("   {:.0} s", start.elapsed().as_secs_f64());
    }
    println!("== summary");
    for line in &report.failed {
        println!("FAILED  {line}");
    }
    println!("{} passed, {} failed", report.passed, report.failed.len());
    Ok(if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Installs and builds what these parts need.
fn prepare(parts: &[Part], groups: &[setup::Group]) -> Result<()> {
    setup::ensure(groups)?;
    if parts.iter().any(|part| part.needs_guest()) {
        println!("== guest images");
        guest::build()?;
    }
    // Both at once where the window is wanted: cargo would build the machine again for another set of features.
    if parts.contains(&Part::Window) {
        build::host(&["machine", "debugger-ui"], false)?;
    } else if parts
        .iter()
        .any(|part| matches!(part, Part::Boot | Part::Hostile | Part::Qemu | Part::Gdb | Part::Lessons))
    {
        build::host(&["machine"], false)?;
    }
    Ok(())
}
