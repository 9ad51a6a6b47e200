//! docs/FIDELITY.md: what passes where.

use super::Row;
use super::on::Outcome;
use super::table::SUITES;
use crate::project;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write;

const HEAD: &str = "# Fidelity: third-party test kernels, here and elsewhere

Written by `cargo xtask suites --from DIR`, not by hand; its `--help` says where the suites come from. They run unmodified.
Tests in bold must pass here. QEMU is its TCG, with the CPU model of `xtask/src/suites/table.rs`. Bochs loads neither
multiboot nor PVH kernels by itself, so nothing was run there.

";

/// Writes the table. Suites that were not there keep the rows that they had.
pub fn write(rows: &[Row], absent: &[&str]) -> Result<()> {
    let path = project::root().join("docs/FIDELITY.md");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    std::fs::write(&path, text(rows, absent, &before)).with_context(|| format!("{} cannot be written", path.display()))
}

fn text(rows: &[Row], absent: &[&str], before: &str) -> String {
    let known = known_rows(before);
    let mut text = HEAD.to_owned();
    for suite in SUITES {
        let _ = writeln!(
            text,
            "## {}\n\n| test | CPUs | here | QEMU | Bochs |\n| --- | --- | --- | --- | --- |",
            suite.name
        );
        for test in suite.tests {
            let row = rows.iter().find(|row| row.test.name == test.name);
            if absent.contains(&suite.name) || row.is_none() {
                let line = known.get(test.name).cloned();
                let _ = writeln!(
                    text,
                    "{}",
                    line.unwrap_or_else(|| format!("| {} | {} | not run | not run | not run |", name(test), test.cpus))
                );
            } else if let Some(row) = row {
                let cell = |outcome: &Outcome| outcome.to_string().replace('|', "\\|");
                let (here, qemu) = (cell(&row.here), cell(&row.qemu));
                let _ = writeln!(text, "| {} | {} | {here} | {qemu} | not run |", name(test), test.cpus);
            }
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn name(test: &super::table::Test) -> String {
    if test.must_pass { format!("**{}**", test.name) } else { test.name.to_owned() }
}

/// Lines of an older table by test.
fn known_rows(text: &str) -> BTreeMap<String, String> {
    let row = |line: &str| {
        let name = line.strip_prefix("| ")?.split(" | ").next()?.trim_matches('*').to_owned();
        Some((name, line.to_owned()))
    };
    text.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a suite that is absent keeps its rows, one that ran gets new ones; method: a table of each, twice.
    #[test]
    fn rows_are_kept() {
        let test = &SUITES[0].tests[0];
        let row = |here| Row { test, here, qemu: Outcome::Pass };
        let first = text(&[row(Outcome::Pass)], &[], "");
        assert!(first.contains("| **smptest** | 2 | passes | passes | not run |"), "{first}");
        assert_eq!(text(&[], &[SUITES[0].name], &first), first);
        let second = text(&[row(Outcome::Fail("a|b".into()))], &[], &first);
        assert!(second.contains("| **smptest** | 2 | fails: a\\|b | passes | not run |"), "{second}");
    }
}
