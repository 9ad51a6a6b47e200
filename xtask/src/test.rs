//! `cargo xtask test`: everything that must hold before a change is in. CI runs this and nothing else.

mod boot;
mod events;
mod gdb_scripts;
mod host;
mod hostile;
mod mistakes;
mod pool;
mod qemu;
mod shell;
mod tidy;
mod window;

use crate::{build, guest, setup};
use anyhow::Result;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Runs all tests, or the parts named.
///
/// Installs what it needs as `cargo xtask setup` does, builds, prints each program that it runs, and ends with a summary
/// and the line `N passed, N failed`. Exit status 0: nothing failed.
///
/// The parts, in the order in which they begin: fmt (rustfmt), tidy (what no compiler checks: headers, file lengths,
/// unsafe, dependencies), clippy and doc (no warnings), host (unit and integration tests), lessons (each one played by its
/// script with 20 seeds). Then two at once: window (the program under an X server without a screen, driven by its keys, with
/// screenshots in target/screenshots/), qemu (the same lines on QEMU with a UEFI firmware), boot (the kernel on the machine,
/// with many configurations, and what its shell does), hostile (what it makes of nonsense in its tables and of processors
/// that do not come), mistakes (each of docs/MISTAKES.md shows its symptom), gdb (a real gdb, scripted).
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
    Part::Lessons,
    Part::Window,
    Part::Qemu,
    Part::Boot,
    Part::Hostile,
    Part::Mistakes,
    Part::Gdb,
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

    /// Does it neither build nor keep all processors busy by itself? Each has folders and sockets of its own.
    fn runs_beside_others(self) -> bool {
        !matches!(self, Self::Fmt | Self::Tidy | Self::Clippy | Self::Doc | Self::Host | Self::Lessons)
    }

    /// Runs it; that it could not go on is a case that failed.
    fn run_and_tell(self, report: &mut Report) {
        let start = Instant::now();
        report.before = Some(start);
        if let Err(error) = self.run(report) {
            report.case(&self.to_string(), Err(error));
        }
        report.tell(format_args!("   {:.0} s", start.elapsed().as_secs_f64()));
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

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

/// What came out.
#[derive(Debug, Default)]
pub struct Report {
    passed: u64,
    /// One line each.
    failed: Vec<String>,
    /// What was told and not printed yet, where another part runs beside this one.
    held_back: Option<String>,
    /// When the case before ended.
    before: Option<Instant>,
}

impl Report {
    /// One that prints nothing until it is added to another.
    fn held_back() -> Self {
        Self { held_back: Some(String::new()), ..Self::default() }
    }

    /// Takes note of one case and tells, with the time since the case before if that was long.
    pub fn case(&mut self, name: &str, result: Result<()>) {
        let time = self.before.map_or(Duration::ZERO, |before| before.elapsed());
        self.case_that_took(name, time, result);
    }

    /// The same, of a case that ran beside others.
    pub fn case_that_took(&mut self, name: &str, time: Duration, result: Result<()>) {
        self.before = Some(Instant::now());
        let seconds = time.as_secs();
        match result {
            Ok(()) => {
                self.passed += 1;
                let time = if seconds < LONG { String::new() } else { format!(" ({seconds} s)") };
                self.tell(format_args!("ok      {name}{time}"));
            }
            Err(error) => {
                self.tell(format_args!("FAILED  {name}: {error:#}"));
                self.failed.push(format!("{name}: {error:#}"));
            }
        }
    }

    /// Prints a line about cases.
    pub fn tell(&mut self, line: impl std::fmt::Display) {
        match &mut self.held_back {
            // Writing to a String does not fail.
            Some(text) => drop(writeln!(text, "{line}")),
            None => println!("{line}"),
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

    /// Takes note of, and prints, what another one holds back.
    fn add(&mut self, other: Self) {
        print!("{}", other.held_back.unwrap_or_default());
        self.cases(other.passed, other.failed);
    }
}

/// Seconds of a case that are worth telling.
const LONG: u64 = 5;

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
    let (beside, alone): (Vec<Part>, Vec<Part>) = parts.iter().partition(|part| part.runs_beside_others());
    for part in alone {
        println!("== {part}");
        part.run_and_tell(&mut report);
    }
    match &beside[..] {
        [] => {}
        [part] => {
            println!("== {part}");
            part.run_and_tell(&mut report);
        }
        several => side_by_side(several, &mut report),
    }
    println!("== summary");
    for line in &report.failed {
        println!("FAILED  {line}");
    }
    println!("{} passed, {} failed", report.passed, report.failed.len());
    Ok(if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs parts, [`pool::AT_ONCE`] of them at a time. Each is printed as a whole when it has ended.
fn side_by_side(parts: &[Part], report: &mut Report) {
    let names: Vec<String> = parts.iter().map(ToString::to_string).collect();
    println!("== {}: {} at once, each is told of when it has ended", names.join(", "), pool::AT_ONCE);
    let whole = Mutex::new(report);
    pool::each(parts, |_, part| {
        let mut report = Report::held_back();
        report.tell(format_args!("== {part}"));
        part.run_and_tell(&mut report);
        whole.lock().unwrap_or_else(PoisonError::into_inner).add(report);
    });
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
    } else if parts.iter().any(|part| {
        matches!(part, Part::Boot | Part::Hostile | Part::Mistakes | Part::Qemu | Part::Gdb | Part::Lessons)
    }) {
        build::host(&["machine"], false)?;
    }
    Ok(())
}
