//! The parts that cargo does: rustfmt, clippy, rustdoc, the tests of all crates.

use super::Report;
use crate::{cmd, guest};
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

pub fn fmt(report: &mut Report) -> Result<()> {
    let result = cmd::run(cmd::cargo().args(["fmt", "--all", "--check"]));
    report.case("rustfmt", result.context("run `cargo fmt --all`"));
    Ok(())
}

pub fn clippy(report: &mut Report) -> Result<()> {
    let result =
        cmd::run(cmd::cargo().args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]));
    report.case("clippy, host", result);
    report.case("clippy, guest", guest::clippy());
    Ok(())
}

pub fn doc(report: &mut Report) -> Result<()> {
    let mut cargo = cmd::cargo();
    cargo
        .args(["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"])
        // Private items are documented too, so that links to them lead somewhere.
        .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links");
    report.case("rustdoc", cmd::run(&mut cargo));
    Ok(())
}

/// Runs the tests of all crates and counts them by what the test harness prints.
pub fn tests(report: &mut Report) -> Result<()> {
    let mut cargo = cmd::cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast"]).stdout(Stdio::piped());
    cargo.env("FIRSTLIGHT_KERNEL", crate::project::kernel());
    let mut child = cmd::spawn(&mut cargo)?;
    let stdout = child.stdout.take().context("cargo's output is not piped")?;
    let (mut passed, mut failed) = (0, Vec::new());
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cargo's output cannot be read")?;
        match outcome(&line) {
            Some((_, true)) => passed += 1,
            Some((name, false)) => failed.push(format!("test {name}")),
            None => {}
        }
        // Thousands of lines that say ok tell nothing.
        if !matches!(outcome(&line), Some((_, true))) && !line.is_empty() {
            println!("{line}");
        }
    }
    let status = child.wait()?;
    if !status.success() && failed.is_empty() {
        failed.push(format!("`{}` ({status}): the tests could not be built or run", cmd::line(&cargo)));
    }
    report.cases(passed, failed);
    Ok(())
}

/// `test NAME ... ok`: name, and whether it passed.
fn outcome(line: &str) -> Option<(&str, bool)> {
    let (name, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    match result {
        "ok" => Some((name, true)),
        "FAILED" => Some((name, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::outcome;

    /// Goal: the harness's lines are counted and nothing else; method: lines as it prints them.
    #[test]
    fn outcomes() {
        assert_eq!(outcome("test a::b ... ok"), Some(("a::b", true)));
        assert_eq!(outcome("test a - b (line 3) ... FAILED"), Some(("a - b (line 3)", false)));
        assert_eq!(outcome("test result: ok. 3 passed; 0 failed"), None);
        assert_eq!(outcome("testing 1 ... ok"), None);
    }
}
