//! What is typed at the kernel's shell, on the embedded machine. `restart METHOD`: it boots again, and `real` passes every
//! mode on its way down. `cpu N off|on`: a CPU goes and comes back.

use super::Report;
use super::events::{self, blob_address, hex, of_cpu, of_kind};
use crate::cmd::{self, Background};
use crate::guest::symbols::Linked;
use crate::project;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// The kernel waits for a command.
const PROMPT: &str = "firstlight> ";

/// A way, and what the machine says that it was reset by. None: a CPU shuts down.
const METHODS: [(&str, Option<&str>); 6] = [
    ("real", Some("port CF9h")),
    ("efi", Some("port CF9h")),
    ("acpi", Some("port CF9h")),
    ("cf9", Some("port CF9h")),
    ("kbd", Some("the keyboard controller (port 64h, command FEh)")),
    ("triple", None),
];

pub fn run(report: &mut Report) -> Result<()> {
    let folder = project::target().join("shell-tests");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let blob = Linked::read(&project::blob(), 16)?;
    for (method, by) in METHODS {
        report.case(&format!("restart {method}"), restarts(method, by, &blob, &folder));
    }
    for options in ["la57=on", "la57=on pcid=on kaiser=on", "la57=on efi=trampoline", "la57=on efi=old_map"] {
        report.case(
            &format!("five levels: walks, EFI and the way back: {options}"),
            five_levels(options, &blob, &folder),
        );
    }
    report.case("a CPU goes offline and comes back", goes_and_comes_back("cpu 1 off", "offline, halted", &folder));
    report.case("a CPU that was reset comes back", goes_and_comes_back("ipi 1 init", "reset by INIT", &folder));
    report.case("stress: the TLB shootdown", shoots_down("", &folder));
    report.case("stress: the same in x2APIC mode", shoots_down("x2apic=on", &folder));
    report.case("stress: the same with PCIDs", shoots_down("pcid=on", &folder));
    report.case("stress: the same with PCIDs and no global pages", shoots_down("pcid=on kaiser=on", &folder));
    report.case("the firmware's tables have a PCID of their own", firmware_has_a_pcid(&folder));
    report.case("panic: the place of every CPU", panics(&folder));
    Ok(())
}

/// All CPUs unmap and map pages, and nobody sees what was there before, unless the others are not told.
fn shoots_down(options: &str, folder: &Path) -> Result<()> {
    let counts = |line: &str| -> Result<(u64, u64)> {
        let (console, _) = type_to(options, line, folder)?;
        let told =
            console.split("rounds each: ").nth(1).with_context(|| format!("no result; the console:\n{console}"))?;
        let mut numbers = told.split(' ').filter_map(|word| word.parse::<u64>().ok());
        Ok((numbers.next().context("no checks")?, numbers.next().context("no count of what is stale")?))
    };
    let (checks, stale) = counts("stress 100\r")?;
    ensure!(checks > 100 && stale == 0, "{checks} checks, {stale} stale");
    let (checks, stale) = counts("stress 100 alone\r")?;
    ensure!(stale > 0, "without shootdowns {checks} checks found nothing stale: the test finds nothing");
    Ok(())
}

/// Both ends of the kernel's and the blob's tables have a PML5, the firmware answers, pages come and go, and `restart real` passes
/// every mode and leaves LA57 behind.
fn five_levels(options: &str, blob: &Linked, folder: &Path) -> Result<()> {
    const LA57: u64 = 1 << 12;
    let lines = "translate init_top_pgt ffffffff80000000\rtranslate trampoline_pgd 9c000\r\
                 translate init_top_pgt 100000000000000\refi time\rstress 20\rrestart real\r";
    let (console, events) = type_to(options, lines, folder)?;
    let walks = console.matches("PML5 at ").count();
    let mapped = console.contains("9c000 -> 9c000, in a page of 4 KiB, r") && console.contains("bits 63 to 56");
    ensure!(walks == 2 && mapped, "{walks} walks; the console:\n{console}");
    ensure!(console.contains("2026-01-01") && console.contains(" 0 stale"), "the console:\n{console}");
    let fault = of_kind(&events, "fault").next();
    ensure!(fault.is_none(), "a fault: {}", fault.unwrap_or(&Value::Null));
    let reset = of_kind(&events, "reset").next().context("there was no reset")?;
    let online = console.matches("2 of 2 CPUs online").count();
    ensure!(reset["by"] == "port CF9h" && online == 2, "it came up {online} times; the console:\n{console}");
    let before = of_cpu(&events, 0).filter(|event| event["step"].as_u64() < reset["step"].as_u64());
    let cr4 = before.filter(|event| event["kind"] == "cr" && event["register"] == "cr4").last();
    let cr4 = cr4.and_then(|event| Some((hex(&event["old"])?, hex(&event["new"])?))).context("CR4 was not written")?;
    ensure!(cr4.0 & LA57 != 0 && cr4.1 == cr4.0 & !LA57, "CR4 was last written from {:#x} to {:#x}", cr4.0, cr4.1);
    // To five levels it went by way of 32 bits.
    descent(&events, reset, blob, &["compat", "protected32", "compat", "long"])
}

/// CR3 says so during a call, the firmware answers, and a page that is remapped behind its back is not remembered.
fn firmware_has_a_pcid(folder: &Path) -> Result<()> {
    let (console, events) = type_to("pcid=on kaiser=on", "efi time\rstress 20\refi vars\r", folder)?;
    let answered = console.contains("2026-01-01") && console.contains(" 0 stale") && console.contains(" variables");
    ensure!(answered, "the console:\n{console}");
    let loads = of_cpu(&events, 0).filter(|event| event["kind"] == "cr" && event["register"] == "cr3");
    let pcids: Vec<u64> = loads.filter_map(|event| hex(&event["new"])).map(|cr3| cr3 & 0xfff).collect();
    ensure!(pcids.ends_with(&[1, 0]), "the PCIDs in CR3 were {pcids:?}");
    let fault = of_kind(&events, "fault").next();
    ensure!(fault.is_none(), "a fault: {}", fault.unwrap_or(&Value::Null));
    Ok(())
}

/// A panic tells where the other CPU is.
fn panics(folder: &Path) -> Result<()> {
    let (console, events) = type_to("", "panic\r", folder)?;
    let told = console.contains("CPU 0: kernel panic") && console.contains("CPU 1: stopped at ffffffff8");
    ensure!(told, "the console:\n{console}");
    let nmi = of_kind(&events, "ipi").any(|event| event["delivery"] == "nmi" && event["to"] == 1);
    ensure!(nmi, "CPU 1 was sent no NMI");
    Ok(())
}

fn restarts(method: &str, by: Option<&str>, blob: &Linked, folder: &Path) -> Result<()> {
    let (console, events) = type_to("", &format!("restart {method}\r"), folder)?;
    let reset = of_kind(&events, "reset").next();
    let boots = console.matches("Firstlight kernel ").count();
    let Some(by) = by else {
        let shut_down = of_kind(&events, "triple-fault").any(|event| event["cpu"] == 0);
        ensure!(shut_down && boots == 1, "CPU 0 did not shut down; the console:\n{console}");
        return Ok(());
    };
    let reset = reset.with_context(|| format!("there was no reset; the console:\n{console}"))?;
    ensure!(reset["by"] == by, "it was reset by {}", reset["by"]);
    let online = console.matches("2 of 2 CPUs online").count();
    ensure!(boots == 2 && online == 2, "it booted {boots} times; the console:\n{console}");
    if method == "real" { descent(&events, reset, blob, &[]) } else { Ok(()) }
}

/// CPU 1 is sent away and started again: the kernel's list tells of both, and it is woken a second time.
fn goes_and_comes_back(away: &str, state: &str, folder: &Path) -> Result<()> {
    let (console, events) = type_to("", &format!("{away}\rcpus\rcpu 1 on\rcpus\r"), folder)?;
    let told = console.matches(state).count();
    ensure!(told == 1, "`{state}` is told {told} times; the console:\n{console}");
    let came = console.matches("online after").count();
    ensure!(came == 2 && console.contains("2 of 2 online"), "it came {came} times; the console:\n{console}");
    let from_real = of_kind(&events, "mode").filter(|event| event["cpu"] == 1 && event["to"] == "protected16");
    ensure!(from_real.count() == 2, "CPU 1 did not go the whole way twice");
    let fault = of_kind(&events, "fault").next();
    ensure!(fault.is_none(), "a fault: {}", fault.unwrap_or(&Value::Null));
    Ok(())
}

/// CPU 0 loads CR3 with `trampoline_pgd` and passes every mode in order before the reset; before that, these.
fn descent(events: &[Value], reset: &Value, blob: &Linked, before_it: &[&str]) -> Result<()> {
    let before = || of_cpu(events, 0).filter(|event| event["step"].as_u64() < reset["step"].as_u64());
    let modes: Vec<&str> = before().filter(|e| e["kind"] == "mode").filter_map(|e| e["to"].as_str()).collect();
    let expected = [before_it, &["compat", "protected32", "protected16", "real"]].concat();
    ensure!(modes == expected, "its modes were {}", modes.join(", "));
    let loads = before().filter(|event| event["kind"] == "cr" && event["register"] == "cr3");
    let cr3: Vec<u64> = loads.filter_map(|event| hex(&event["new"])).collect();
    let pgd = blob_address(events, blob, "trampoline_pgd")?;
    ensure!(cr3.ends_with(&[pgd, 0]), "it loaded CR3 with {cr3:x?}, trampoline_pgd is at {pgd:#x}");
    Ok(())
}

/// Boots two CPUs with these options, types a line at the first prompt, and lets the machine go on until it waits again or
/// ends: what the console showed, and the events.
pub fn type_to(options: &str, line: &str, folder: &Path) -> Result<(String, Vec<Value>)> {
    type_to_machine(&[], options, line, folder)
}

/// The same on a machine with these arguments.
pub fn type_to_machine(arguments: &[&str], options: &str, line: &str, folder: &Path) -> Result<(String, Vec<Value>)> {
    let path = folder.join("events.jsonl");
    let mut machine = Command::new(project::program("firstlight-machine", false));
    machine.arg("--kernel").arg(project::kernel()).args(["--cpus", "2", "--max-steps", "500000000"]);
    machine.args(arguments);
    machine.args(["--serial", "stdio", "--options", options]).arg("--events").arg(&path);
    machine.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Background(cmd::spawn(&mut machine)?);
    let mut input = running.0.stdin.take().context("its input is a pipe")?;
    let mut output = running.0.stdout.take().context("its output is a pipe")?;
    let mut console = String::new();
    for typed in [line, ""] {
        let prompts = console.matches(PROMPT).count();
        let mut byte = [0];
        while console.matches(PROMPT).count() == prompts && output.read(&mut byte)? == 1 {
            console.push(char::from(byte[0]));
        }
        // It may have ended.
        let _ = input.write_all(typed.as_bytes()).and_then(|()| input.flush());
    }
    // Without an input that can come it ends where all CPUs wait.
    drop(input);
    output.read_to_string(&mut console)?;
    running.0.wait()?;
    Ok((console, events::read(&path)?))
}
