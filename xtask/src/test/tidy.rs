//! Rules of the house that no compiler checks: file headers, lengths, unsafe, notes to oneself, who depends on whom.

use super::Report;
use crate::{cmd, project};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};

/// More lines than this do not fit in a head; a file that must be longer says why in [`LONG_FILES`].
const MAX_LINES: usize = 700;
/// Tables, which nobody reads from top to bottom.
const LONG_FILES: &[&str] = &[];

/// Where unsafe code may be: guest code that talks to the processor, and a test that reads memory as a type.
const UNSAFE_ALLOWED: &[&str] =
    &["kernel/src/", "trampoline/src/", "loader/src/tests.rs", "loader/src/bootx64/", "firmware/src/"];

/// Who must never depend on whom, directly or not (ARCHITECTURE.md, "What must stay true").
const FORBIDDEN_EDGES: &[(&str, &[&str])] = &[
    ("protocol", &["machine", "debugger-ui", "lessons", "loader", "gdbstub", "egui"]),
    ("machine", &["kernel", "trampoline", "debugger-ui", "lessons", "egui", "eframe"]),
    ("loader", &["machine", "kernel", "trampoline", "debugger-ui", "protocol"]),
    ("kernel", &["machine", "loader", "protocol", "debugger-ui", "lessons", "iced-x86"]),
    ("trampoline", &["machine", "loader", "protocol", "kernel"]),
    ("lessons", &["machine", "debugger-ui", "egui"]),
    ("xtask", &["egui", "eframe", "machine", "debugger-ui"]),
];

pub fn run(report: &mut Report) -> Result<()> {
    let files = sources()?;
    report.case("each file begins with what it is", check_each(&files, header));
    report.case("no file is too long", check_each(&files, length));
    report.case("unsafe only where it may be", check_each(&files, no_unsafe));
    report.case("no bare notes to oneself", check_each(&files, notes));
    report.case("nobody depends on whom they must not", edges());
    Ok(())
}

/// A source file: path from the project's root, and its text.
struct Source {
    path: String,
    text: String,
}

/// All Rust and assembly files that git has or would take.
fn sources() -> Result<Vec<Source>> {
    let mut git = std::process::Command::new("git");
    git.current_dir(project::root());
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs", "*.S"]);
    // Without git (an unpacked archive): everything but what cargo built.
    let paths = cmd::output(&mut git).map(|list| list.lines().map(PathBuf::from).collect()).or_else(|_| walk())?;
    let mut sources = Vec::new();
    for path in paths {
        let full = project::root().join(&path);
        // Deleted, but not committed so.
        if !full.exists() {
            continue;
        }
        let text = std::fs::read_to_string(&full).with_context(|| format!("{} cannot be read", path.display()))?;
        sources.push(Source { path: path.display().to_string(), text });
    }
    ensure!(!sources.is_empty(), "no source file was found");
    Ok(sources)
}

fn walk() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![project::root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let is_source = path.extension().is_some_and(|extension| extension == "rs" || extension == "S");
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() && name != "target" && name != ".git" {
                folders.push(path);
            } else if is_source {
                found.push(path.strip_prefix(project::root()).unwrap_or(Path::new("")).to_path_buf());
            }
        }
    }
    Ok(found)
}

/// All complaints at once.
fn check_each(files: &[Source], check: fn(&Source) -> Result<()>) -> Result<()> {
    let complaints: Vec<String> = files.iter().filter_map(|file| check(file).err()).map(|e| e.to_string()).collect();
    if complaints.is_empty() { Ok(()) } else { bail!("{}", complaints.join("; ")) }
}

fn header(file: &Source) -> Result<()> {
    let first = file.text.lines().next().unwrap_or_default();
    let is_header = if file.path.ends_with(".S") { first.starts_with('#') } else { first.starts_with("//!") };
    ensure!(
        is_header,
        "{} does not begin with a header (`//!`, in assembly `#`): what it is, who its neighbours are",
        file.path
    );
    Ok(())
}

fn length(file: &Source) -> Result<()> {
    let lines = file.text.lines().count();
    let allowed = lines <= MAX_LINES || LONG_FILES.contains(&file.path.as_str());
    ensure!(allowed, "{} has {lines} lines, more than {MAX_LINES}: find the second thing in it", file.path);
    Ok(())
}

fn no_unsafe(file: &Source) -> Result<()> {
    if file.path.ends_with(".S") || UNSAFE_ALLOWED.iter().any(|allowed| file.path.starts_with(allowed)) {
        return Ok(());
    }
    let uses = |line: &&str| {
        let code = line.split("//").next().unwrap_or_default();
        ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "allow(unsafe_code)"].iter().any(|word| code.contains(word))
            // A rule that looks for the word holds it in quotes.
            && !code.contains('"')
    };
    let found = file.text.lines().position(|line| uses(&line));
    match found {
        Some(line) => bail!("{}:{} is unsafe code outside of the guest", file.path, line + 1),
        None => Ok(()),
    }
}

fn notes(file: &Source) -> Result<()> {
    let is_note = |line: &&str| {
        // Put together, so that this line is not one itself.
        let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
        words.iter().any(|word| line.split(word).nth(1).is_some_and(|rest| !rest.starts_with('(')))
    };
    match file.text.lines().position(|line| is_note(&line)) {
        Some(line) => bail!("{}:{} is a note without the number of an issue", file.path, line + 1),
        None => Ok(()),
    }
}

/// Looks at the whole dependency graph, as cargo resolves it.
fn edges() -> Result<()> {
    for (from, forbidden) in FORBIDDEN_EDGES {
        let mut cargo = cmd::cargo();
        cargo.args(["tree", "--package", from, "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
        let tree = cmd::output(&mut cargo)?;
        let depends = |name: &str| tree.lines().skip(1).any(|line| line.split(' ').next() == Some(name));
        let found: Vec<&str> = forbidden.iter().copied().filter(|name| depends(name)).collect();
        ensure!(found.is_empty(), "{from} depends on {}, which it must not know", found.join(", "));
    }
    Ok(())
}
