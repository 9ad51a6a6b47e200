//! Runs a real gdb on the scripts in `xtask/gdb/tests/`, each against a machine of its own.
//!
//! `xtask/gdb/check.gdb` comes before each. A script ends with `quit 0` where all is well, and with another status at the first thing that is not; it says what
//! by `echo`. Its first line holds the machine's arguments: `# machine: --cpus 4`.

use super::Report;
use crate::cmd::{self, Background};
use crate::{gdb, project};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

pub fn run(report: &mut Report) -> Result<()> {
    let folder = project::root().join("xtask/gdb/tests");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut scripts: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "gdb"));
    scripts.sort();
    ensure!(!scripts.is_empty(), "there is no script in {}", folder.display());
    for script in scripts {
        let name = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        report.case(&format!("gdb: {name}"), check(&script));
    }
    Ok(())
}

fn check(script: &Path) -> Result<()> {
    let text = std::fs::read_to_string(script).with_context(|| format!("{} cannot be read", script.display()))?;
    let first = text.lines().next().unwrap_or_default();
    let arguments = first.strip_prefix("# machine:").context("its first line must be `# machine: ARGUMENTS`")?;
    let arguments: Vec<String> = arguments.split_whitespace().map(str::to_string).collect();
    let (machine, address) = gdb::start_machine(&arguments, false)?;
    let _machine = Background(machine);
    let checks = project::root().join("xtask/gdb/check.gdb");
    let mut gdb = gdb::gdb(&address, &[&checks, script])?;
    let output = gdb.output().map_err(|error| cmd::explain(&gdb, error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    // From what was not true on, else the end.
    let from = lines.iter().position(|line| line.starts_with("NOT TRUE")).unwrap_or(lines.len().saturating_sub(6));
    bail!("gdb ended with {}: {}", output.status, lines.get(from..).unwrap_or_default().join(" / "))
}
