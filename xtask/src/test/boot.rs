//! Boots the kernel on the machine in many configurations, and reads in the event log how each processor came up.

use super::Report;
use super::events::{self, hex, of_cpu, of_kind, started_at};
use crate::guest::symbols::Linked;
use crate::{cmd, pie, project};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where a run that goes wrong ends; a good one needs a tenth.
const MAX_STEPS: &str = "2000000000";

/// One boot.
struct Boot {
    cpus: u16,
    /// The kernel's options.
    options: &'static str,
    /// More arguments of the machine.
    arguments: &'static [&'static str],
    seed: Option<u64>,
}

const fn boot(cpus: u16, options: &'static str) -> Boot {
    Boot { cpus, options, arguments: &[], seed: None }
}

/// All of them have to end with every CPU online.
const BOOTS: &[Boot] = &[
    boot(1, ""),
    boot(2, ""),
    boot(4, "bringup=serial"),
    boot(4, "bringup=parallel"),
    boot(16, "bringup=serial"),
    boot(16, "bringup=parallel"),
    boot(4, "x2apic=on"),
    Boot { arguments: &["--cpu-quirk", "x2apic-on"], ..boot(4, "bringup=parallel") },
    Boot { arguments: &["--cpu-quirk", "no-nx"], ..boot(4, "bringup=serial") },
    boot(64, "bringup=serial"),
    boot(64, "bringup=parallel"),
    boot(255, "bringup=serial"),
    boot(255, "bringup=parallel x2apic=on"),
    boot(1, "la57=on"),
    boot(4, "la57=on"),
    boot(16, "la57=on bringup=parallel"),
    boot(4, "la57=on page_offset_gib=16 trampoline=0x8000"),
    boot(4, "trampoline=0x8000"),
    boot(4, "cpu_init_udelay=10000"),
    Boot { arguments: &["--apic-ids", "0,4,9,200"], ..boot(4, "bringup=parallel") },
    Boot { arguments: &["--quantum", "1"], ..boot(4, "bringup=parallel") },
    Boot { arguments: &["--memory", "16M"], ..boot(2, "") },
];
/// Seeds for the schedule, each with 4 CPUs, serial and parallel by turns.
const SEEDS: u64 = 20;

/// Arguments that must be refused: exit status 2 and words that say why.
const REFUSED: &[(&[&str], &str)] = &[
    (&["--cpus", "0"], "CPU"),
    (&["--cpus", "300"], "CPU"),
    (&["--memory", "1M"], "memory"),
    (&["--apic-ids", "1,1", "--cpus", "2"], "APIC ID"),
];

pub fn run(report: &mut Report) -> Result<()> {
    let blob = Linked::read(&project::blob(), 16)?;
    let folder = project::target().join("boot-tests");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let seeded = (1..=SEEDS).map(|seed| Boot {
        seed: Some(seed),
        ..boot(4, if seed % 2 == 0 { "bringup=serial" } else { "bringup=parallel" })
    });
    for boot in seeded.chain(BOOTS.iter().map(|boot| Boot { ..*boot })) {
        report.case(&name(&boot), check(&boot, &blob, &folder));
    }
    report.case("the same boot twice gives the same events", twice(&folder));
    report.case("a position-independent kernel is moved and relocated", moved(&folder));
    for (arguments, word) in REFUSED {
        report.case(&format!("refused: {}", arguments.join(" ")), refused(&project::kernel(), arguments, word));
    }
    for (what, damage) in damaged_images()? {
        let path = folder.join("damaged.elf");
        std::fs::write(&path, damage)?;
        report.case(&format!("refused: {what}"), refused(&path, &[], "ELF"));
    }
    Ok(())
}

/// A kernel that is linked at 0 prints what it has a pointer to.
fn moved(folder: &Path) -> Result<()> {
    let (path, serial) = (folder.join("moved.elf"), folder.join("moved.txt"));
    std::fs::write(&path, pie::kernel())?;
    let mut machine = machine(&path);
    machine.args(["--max-steps", "100000", "--serial", &format!("file:{}", serial.display())]);
    let output = machine.output().map_err(|error| cmd::explain(&machine, error))?;
    let text = std::fs::read_to_string(&serial).unwrap_or_default();
    ensure!(text == pie::TEXT, "it printed {text:?}; the machine: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn name(boot: &Boot) -> String {
    let seed = boot.seed.map_or(String::new(), |seed| format!(", seed {seed}"));
    let more = [boot.options, &boot.arguments.join(" ")]
        .iter()
        .filter(|s| !s.is_empty())
        .map(|s| format!(", {s}"))
        .collect::<String>();
    format!("boot: {} CPUs{more}{seed}", boot.cpus)
}

fn machine(kernel: &Path) -> Command {
    let mut machine = Command::new(project::program("firstlight-machine", false));
    machine.arg("--kernel").arg(kernel).stdin(Stdio::null());
    if kernel == project::kernel() {
        machine.arg("--profile").arg(project::profile());
    }
    machine
}

fn start(boot: &Boot, events: &Path, serial: &Path) -> Command {
    let mut machine = machine(&project::kernel());
    machine.args(["--cpus", &boot.cpus.to_string(), "--max-steps", MAX_STEPS]);
    machine.args(["--until", &format!("online:{}", boot.cpus)]).args(boot.arguments);
    machine.arg("--events").arg(events).arg("--serial").arg(format!("file:{}", serial.display()));
    if !boot.options.is_empty() {
        machine.args(["--options", boot.options]);
    }
    if let Some(seed) = boot.seed {
        machine.args(["--seed", &seed.to_string()]);
    }
    machine
}

fn check(boot: &Boot, blob: &Linked, folder: &Path) -> Result<()> {
    let (events, serial) = (folder.join("events.jsonl"), folder.join("serial.txt"));
    let mut machine = start(boot, &events, &serial);
    let output = machine.output().map_err(|error| cmd::explain(&machine, error))?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_string();
    let console = std::fs::read_to_string(&serial).unwrap_or_default();
    ensure!(
        output.status.success(),
        "`{}` ended with {}: {}; the kernel's last line: {}",
        cmd::line(&machine),
        output.status,
        said(),
        console.trim_end().lines().last().unwrap_or("(none)")
    );
    let events = events::read(&events)?;
    let pgd_offset = blob.address_of("trampoline_pgd")?.wrapping_sub(blob.address_of("trampoline_start")?);
    let kernel_cr3 = last_cr3(&events, 0).context("CPU 0 never loaded CR3")?;
    for cpu in 1..boot.cpus {
        ascent(&events, cpu, pgd_offset, kernel_cr3).with_context(|| format!("CPU {cpu}"))?;
    }
    if let Some(fault) = of_kind(&events, "fault").next() {
        bail!("a fault on the way: {fault}");
    }
    Ok(())
}

/// What the CPU last loaded into CR3.
fn last_cr3(events: &[Value], cpu: u16) -> Option<u64> {
    let loads = of_cpu(events, cpu).filter(|event| event["kind"] == "cr" && event["register"] == "cr3");
    hex(&loads.last()?["new"])
}

/// An application processor passes every mode in order, enters long mode with CR3 = `trampoline_pgd`, which lies
/// `pgd_offset` bytes after where its SIPI sent it, and ends with the kernel's tables.
fn ascent(events: &[Value], cpu: u16, pgd_offset: u64, kernel_cr3: u64) -> Result<()> {
    let modes: Vec<_> = of_cpu(events, cpu).filter(|event| event["kind"] == "mode").collect();
    let path: Vec<_> = modes.iter().filter_map(|event| event["to"].as_str()).collect();
    ensure!(path == ["real", "protected16", "protected32", "compat", "long"], "its modes were {}", path.join(", "));
    let expected = started_at(events, cpu)?.wrapping_add(pgd_offset);
    let paging = modes.iter().find(|event| event["to"] == "compat").and_then(|event| event["step"].as_u64());
    let before = of_cpu(events, cpu).filter(|event| event["step"].as_u64() <= paging);
    let cr3 = before.filter(|event| event["kind"] == "cr" && event["register"] == "cr3").last();
    let cr3 = cr3.and_then(|event| hex(&event["new"])).context("CR3 was not loaded before paging")?;
    ensure!(cr3 == expected, "paging went on with CR3 = {cr3:#x}, trampoline_pgd is at {expected:#x}");
    let last = last_cr3(events, cpu);
    ensure!(last == Some(kernel_cr3), "it ended with CR3 = {last:x?}, the kernel's is {kernel_cr3:#x}");
    Ok(())
}

fn twice(folder: &Path) -> Result<()> {
    let boot = Boot { seed: Some(7), ..boot(4, "bringup=parallel") };
    let mut runs = Vec::new();
    for run in ["first", "second"] {
        let (events, serial) = (folder.join(format!("{run}.jsonl")), folder.join(format!("{run}.txt")));
        let mut machine = start(&boot, &events, &serial);
        machine.stdout(Stdio::null()).stderr(Stdio::null());
        let status = machine.status().map_err(|error| cmd::explain(&machine, error))?;
        ensure!(status.success(), "`{}` ended with {status}", cmd::line(&machine));
        runs.push((std::fs::read(&events)?, std::fs::read(&serial)?));
    }
    ensure!(!runs[0].0.is_empty() && runs[0] == runs[1], "events or console differ; see {}", folder.display());
    Ok(())
}

fn refused(kernel: &Path, arguments: &[&str], word: &str) -> Result<()> {
    let mut machine = machine(kernel);
    machine.args(arguments).args(["--serial", "null", "--max-steps", "1"]);
    let output = machine.output().map_err(|error| cmd::explain(&machine, error))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2), "`{}` ended with {}: {said}", cmd::line(&machine), output.status);
    ensure!(said.contains(word), "the message does not speak of `{word}`: {said}");
    ensure!(!said.contains("panicked"), "it panicked: {said}");
    Ok(())
}

/// Files that are no kernels.
fn damaged_images() -> Result<Vec<(&'static str, Vec<u8>)>> {
    let good = std::fs::read(project::kernel())?;
    let mut other_machine = good.clone();
    if let Some(byte) = other_machine.get_mut(18) {
        // e_machine: AArch64.
        *byte = 183;
    }
    Ok(vec![
        ("a truncated image", good[..good.len() / 2].to_vec()),
        ("an image for another machine", other_machine),
        ("a text file", b"not an ELF file at all\n".repeat(20)),
    ])
}

#[cfg(test)]
mod tests {
    use super::{ascent, last_cr3};
    use serde_json::{Value, json};

    const KERNEL_CR3: u64 = 0x28_7000;
    /// trampoline_pgd lies one page after trampoline_start here.
    const PGD_OFFSET: u64 = 0x1000;

    fn good() -> Vec<Value> {
        let mode = |step, to| json!({"step": step, "cpu": 1, "kind": "mode", "to": to});
        let cr3 =
            |step, new| json!({"step": step, "cpu": 1, "kind": "cr", "register": "cr3", "old": "0x0", "new": new});
        vec![
            json!({"step": 5, "cpu": 0, "kind": "cr", "register": "cr3", "old": "0x1000", "new": "0x287000"}),
            json!({"step": 9, "cpu": 0, "kind": "ipi", "delivery": "sipi", "to": 1, "vector": 0x9c, "ignored": null}),
            mode(10, "real"),
            mode(20, "protected16"),
            mode(21, "protected32"),
            cr3(30, "0x9d000"),
            mode(40, "compat"),
            mode(41, "long"),
            cr3(50, "0x287000"),
        ]
    }

    /// Goal: the check of a boot lets a good one through and no other. Method: a good log, then one thing wrong each time.
    #[test]
    fn ascents() {
        assert_eq!(last_cr3(&good(), 0), Some(KERNEL_CR3));
        let check = |events: &[Value]| ascent(events, 1, PGD_OFFSET, KERNEL_CR3).map_err(|error| error.to_string());
        assert_eq!(check(&good()), Ok(()));
        let wrong = |index: usize, field: &str, value: Value, words: &str| {
            let mut events = good();
            events[index][field] = value;
            let said = check(&events).unwrap_err();
            assert!(said.contains(words), "{said}");
        };
        wrong(3, "to", json!("compat"), "its modes were real, compat");
        wrong(1, "ignored", json!("not in wait-for-SIPI"), "no SIPI reached it");
        wrong(1, "vector", json!(0x8c), "trampoline_pgd is at 0x8d000");
        wrong(5, "new", json!("0x287000"), "paging went on with CR3 = 0x287000");
        wrong(5, "step", json!(45), "CR3 was not loaded before paging");
        wrong(8, "new", json!("0x9d000"), "the kernel's is 0x287000");
    }
}
