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
Tests in bold must pass here. QEMU is its TCG, with the CPU model of `xtask/src/suites/table.rs`; what
did not end in a time ran on a computer that had other things to do as well. On Bochs GRUB loads the kernels, and only what
they print tells how they went. kvm-unit-tests switch each local APIC off and on again by IA32_APIC_BASE when they start;
Bochs takes no write to that register once the APIC is off (`relocate_apic` in its `cpu/msr.cc`), as processors of the P6
family did (SDM 3A, \"Enabling or Disabling the Local APIC\"), so they wait there for ever.

";
/// A cell of a test that was never run.
const NOT_RUN: &str = "not run";

/// Here, on QEMU and on Bochs.
type Cells = [String; 3];

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
            let mut cells = known.get(test.name).cloned().unwrap_or_else(|| [NOT_RUN; 3].map(str::to_owned));
            if row.test.name == test.name {
                for (cell, outcome) in cells.iter_mut().zip([&row.here, &row.qemu, &row.bochs]) {
                    if let Some(outcome) = outcome {
                        *cell = in_cell(outcome);
                    }
                }
            }
            let _ = writeln!(text, "| {} | {} | {} |", name(test), test.cpus, cells.join(" | "));
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
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").map(str::to_owned);
        let name = cells.next()?.trim_matches('*').to_owned();
        Some((name, [cells.nth(1)?, cells.next()?, cells.next()?]))
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
        let row = |test, here, qemu| Row { test, here, qemu, bochs: None };
        let one = text(&row(first, Some(Outcome::Pass), Some(Outcome::Pass)), "");
        assert!(one.contains("| **smptest** | 2 | passes | passes | not run |"), "{one}");
        let two = text(&row(second, Some(Outcome::Fail("a|b".into())), None), &one);
        assert!(two.contains("| **smptest** | 2 | passes | passes | not run |"), "{two}");
        assert!(two.contains("| **smptest3** | 3 | fails: a/b | not run | not run |"), "{two}");
        let three = text(&row(second, None, Some(Outcome::Skipped)), &two);
        assert!(three.contains("| **smptest3** | 3 | fails: a/b | skips itself | not run |"), "{three}");
        let four = text(&Row { test: first, here: None, qemu: None, bochs: Some(Outcome::Pass) }, &three);
        assert!(four.contains("| **smptest** | 2 | passes | passes | passes |"), "{four}");
    }
}
