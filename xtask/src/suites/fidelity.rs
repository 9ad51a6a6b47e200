//! docs/FIDELITY.md: what passes where.

use super::Row;
use super::on::Outcome;
use super::table::{SUITES, Test};
use crate::project;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write;

const HEAD: &str = "# Fidelity: third-party test kernels, here and elsewhere

Written by `cargo xtask suites --from DIR`, not by hand; its `--help` says where the suites come from. They run unmodified.
Tests in bold must pass here. QEMU is its TCG, with the CPU model of `xtask/src/suites/table.rs`; what \"needs more\" than
a time did not end in it, on a computer that had other things to do as well. Bochs loads neither multiboot nor PVH kernels by
itself, so nothing was run there.

";
/// A cell of a test that was never run.
const NOT_RUN: &str = "not run";

/// Here and on QEMU.
type Cells = [String; 2];

/// Writes what came out of a test into the table. All else stays as it is.
pub fn write(row: &Row) -> Result<()> {
    let path = project::root().join("docs/FIDELITY.md");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    std::fs::write(&path, text(row, &before)).with_context(|| format!("{} cannot be written", path.display()))
}

fn text(row: &Row, before: &str) -> String {
    let known = known_rows(before);
    let mut text = HEAD.to_owned();
    for suite in SUITES {
        let _ = writeln!(text, "## {}\n", suite.name);
        let _ = writeln!(text, "| test | CPUs | here | QEMU | Bochs |\n| --- | --- | --- | --- | --- |");
        for test in suite.tests {
            let mut cells = known.get(test.name).cloned().unwrap_or_else(|| [NOT_RUN.to_owned(), NOT_RUN.to_owned()]);
            if row.test.name == test.name {
                for (cell, outcome) in cells.iter_mut().zip([&row.here, &row.qemu]) {
                    if let Some(outcome) = outcome {
                        *cell = in_cell(outcome);
                    }
                }
            }
            let [here, qemu] = cells;
            let _ = writeln!(text, "| {} | {} | {here} | {qemu} | {NOT_RUN} |", name(test), test.cpus);
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// A bar would end the cell.
fn in_cell(outcome: &Outcome) -> String {
    outcome.to_string().replace('|', "/")
}

fn name(test: &Test) -> String {
    if test.must_pass { format!("**{}**", test.name) } else { test.name.to_owned() }
}

/// Cells of an older table by test.
fn known_rows(text: &str) -> BTreeMap<String, Cells> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let name = cells.next()?.trim_matches('*').to_owned();
        Some((name, [cells.nth(1)?.to_owned(), cells.next()?.to_owned()]))
    };
    text.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a test that ran gets new cells, what did not run keeps its own; method: a table of each, three times.
    #[test]
    fn cells_are_kept() {
        let [first, second] = [&SUITES[0].tests[0], &SUITES[0].tests[1]];
        let row = |test, here, qemu| Row { test, here, qemu };
        let one = text(&row(first, Some(Outcome::Pass), Some(Outcome::Pass)), "");
        assert!(one.contains("| **smptest** | 2 | passes | passes | not run |"), "{one}");
        let two = text(&row(second, Some(Outcome::Fail("a|b".into())), None), &one);
        assert!(two.contains("| **smptest** | 2 | passes | passes | not run |"), "{two}");
        assert!(two.contains("| **smptest3** | 3 | fails: a/b | not run | not run |"), "{two}");
        let three = text(&row(second, None, Some(Outcome::Skipped)), &two);
        assert!(three.contains("| **smptest3** | 3 | fails: a/b | skips itself | not run |"), "{three}");
    }
}
