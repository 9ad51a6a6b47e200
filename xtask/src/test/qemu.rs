//! The kernel on the second machine, QEMU with the OVMF firmware: it must print what it prints on the embedded one.
//!
//! Lines are compared in order, from the kernel's first to its prompt, once what must differ is masked ([`MASKS`]). For each
//! value of `efi=` and `bringup=` `same_state` compares registers and `tables` page tables at labels on the way, in the same
//! boot, and `efi` asks the firmware for its services at its end.

mod efi;
mod la57;
mod loader;
mod same_state;
mod screen;
pub mod shell;
mod tables;

use super::Report;
use crate::qemu::{self, Hardware, tail};
use crate::{cmd, project};
use anyhow::{Context, Result, bail, ensure};
use shell::Shell;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How many CPUs, the kernel's options, and a line for the shell with what its answer must be; one boot each.
const BOOTS: [(u16, &str, Option<Asked>); 3] =
    [(1, "", None), (4, "bringup=serial", Some(STRESS)), (16, "bringup=parallel", None)];
/// A line, and whether an answer is right.
type Asked = (&'static str, fn(&str) -> bool);
/// All CPUs unmap and map pages while the others read them.
const STRESS: Asked = ("stress 50", |answer| answer.contains("rounds each: ") && answer.contains(" checks, 0 stale"));
/// The kernel's options, one boot of two CPUs each: every value of `efi=` and of `bringup=`. Without its lock the real-mode stack
/// is one AP's alone.
const VARIANTS: [&str; 6] = [
    "bringup=serial efi=own",
    "bringup=parallel efi=own",
    "bringup=parallel-nolock efi=own",
    "bringup=serial efi=trampoline",
    "bringup=parallel efi=old_map",
    "bringup=parallel efi=noruntime",
];
const VARIANT_CPUS: u16 = 2;
/// The kernel's first words, after whatever a firmware had to say.
const FIRST: &str = "Firstlight kernel ";
/// What it prints when everything is done.
const PROMPT: &str = "firstlight> ";
/// A boot takes four seconds, most of them the firmware's; a busy computer may take some times as long.
const TIME_OUT: Duration = Duration::from_secs(120);

/// What may differ: the number after these words.
struct Mask {
    after: &'static str,
    /// What the number is made of.
    digits: fn(char) -> bool,
    why: &'static str,
}

fn decimal(digit: char) -> bool {
    digit.is_ascii_digit()
}

/// Also with a suffix, and as a range.
fn hex(digit: char) -> bool {
    digit.is_ascii_hexdigit() || digit == 'h' || digit == '-'
}

const MASKS: &[Mask] = &[
    Mask { after: "TSC runs at ", digits: decimal, why: "the computer's clock; the embedded machine's is 1 GHz" },
    Mask { after: "16 KiB at ", digits: hex, why: "the highest free memory below 1 MiB; a BIOS keeps some at its end" },
    Mask { after: "SIPI vector ", digits: hex, why: "the page of that memory" },
    Mask { after: "trampoline_pgd at ", digits: hex, why: "lies in that memory" },
    Mask { after: "runtime regions mapped: ", digits: decimal, why: "how many the firmware has" },
    Mask { after: "attributes table's rights: ", digits: decimal, why: "how many images the firmware has" },
    Mask { after: "EFI window: ", digits: decimal, why: "how much memory the firmware has" },
    Mask { after: "direct map, executable: ", digits: decimal, why: "how much code the firmware has" },
    Mask { after: "online after ", digits: decimal, why: "how long a processor takes to start" },
];

pub fn run(report: &mut Report) -> Result<()> {
    let folder = project::target().join("qemu-tests");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for (cpus, options, asked) in BOOTS {
        let cpu_or_cpus = if cpus == 1 { "CPU" } else { "CPUs" };
        let name = format!("the same lines on QEMU with OVMF: {cpus} {cpu_or_cpus} {options}");
        report.case(&name, same_lines(cpus, options, asked, &folder));
    }
    for options in VARIANTS {
        report.case(&format!("the same lines, registers and page tables: {options}"), same_state(options, &folder));
    }
    report.case("random programs, compared with QEMU after each instruction", crate::fuzz_cpu::sample());
    report.case("the disk boots as a USB stick, with the options on it", from_stick(&folder));
    screen::run(report, &folder);
    loader::run(report, &folder);
    la57::run(report, &folder);
    Ok(())
}

fn same_lines(cpus: u16, options: &str, asked: Option<Asked>, folder: &Path) -> Result<()> {
    let boot = qemu::Boot { cpus, kernel: Some(&project::kernel()), options, gdb: None, monitor: None, folder };
    let mut shell = Shell::start(&boot)?;
    compare_lines(&mut shell, cpus, options, folder)?;
    asked.map_or(Ok(()), |(line, right)| shell.ask(line, right))
}

fn same_state(options: &str, folder: &Path) -> Result<()> {
    let address = qemu::free_address()?;
    let kernel = project::kernel();
    let (gdb, cpus) = (Some(address.as_str()), VARIANT_CPUS);
    let boot = qemu::Boot { cpus, kernel: Some(&kernel), options, gdb, monitor: None, folder };
    let mut shell = Shell::start(&boot)?;
    same_state::compare(options, cpus, &address)?;
    compare_lines(&mut shell, cpus, options, folder)?;
    if options.contains("efi=noruntime") {
        return shell.ask("efi time", |answer| answer.contains("there are no EFI runtime services"));
    }
    efi::services(&mut shell, options.contains("efi=own"))
}

/// What QEMU prints up to its prompt is what the embedded machine prints.
fn compare_lines(shell: &mut Shell<'_>, cpus: u16, options: &str, folder: &Path) -> Result<()> {
    let ours = lines(&on_machine(cpus, options, folder)?).context("on the embedded machine")?;
    shell.prompt().context("on QEMU")?;
    let theirs = lines(&shell.text()?).context("on QEMU")?;
    compare(&ours, &theirs).with_context(|| {
        let masks = MASKS.iter().map(|mask| format!("{:?} ({})", mask.after, mask.why));
        format!("compared but for what follows {}", masks.collect::<Vec<_>>().join(", "))
    })
}

/// What the kernel prints on the embedded machine, up to where all CPUs wait for ever.
fn on_machine(cpus: u16, options: &str, folder: &Path) -> Result<String> {
    /// firstlight-machine: nothing can happen any more.
    const ALL_WAIT: i32 = 8;
    let serial = folder.join("machine.txt");
    let mut machine = Command::new(project::program("firstlight-machine", false));
    machine.arg("--kernel").arg(project::kernel()).args(["--cpus", &cpus.to_string(), "--options", options]);
    machine.arg("--serial").arg(format!("file:{}", serial.display())).args(["--max-steps", "2000000000"]);
    let output = machine.stdin(Stdio::null()).output().map_err(|error| cmd::explain(&machine, error))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(ALL_WAIT), "`{}` ended with {}: {said}", cmd::line(&machine), output.status);
    std::fs::read_to_string(&serial).with_context(|| format!("{} cannot be read", serial.display()))
}

/// The console's text once it holds `words`.
fn wait_for(boot: &qemu::Boot, hardware: Hardware, words: &str) -> Result<String> {
    let mut qemu = boot.start_with(hardware)?;
    let start = Instant::now();
    loop {
        let ended = qemu.0.try_wait()?;
        let text = String::from_utf8_lossy(&std::fs::read(boot.console())?).into_owned();
        if text.contains(words) {
            return Ok(text);
        }
        match ended {
            Some(status) => {
                bail!("QEMU ended with {status} before `{words}`; its console's last lines:\n{}", tail(&text))
            }
            None if start.elapsed() > TIME_OUT => {
                bail!("no `{words}` after {} s; the console's last lines:\n{}", TIME_OUT.as_secs(), tail(&text))
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn from_stick(folder: &Path) -> Result<()> {
    let options = "bringup=parallel cpu_timeout_ms=2000";
    let boot = qemu::Boot { cpus: 2, kernel: Some(&project::kernel()), options, gdb: None, monitor: None, folder };
    let text = wait_for(&boot, Hardware { stick: true, ..Hardware::default() }, PROMPT)?;
    ensure!(text.contains("smp: parallel bring-up"), "the options did not reach the kernel:\n{}", tail(&text));
    ensure!(text.contains("2 of 2 CPUs online"), "not all CPUs came:\n{}", tail(&text));
    Ok(())
}

/// The kernel's lines, masked.
fn lines(text: &str) -> Result<Vec<String>> {
    let start =
        text.find(FIRST).with_context(|| format!("the kernel printed nothing; the last lines:\n{}", tail(text)))?;
    let lines: Vec<String> = text[start..].lines().map(|line| masked(line.trim_end())).collect();
    ensure!(
        lines.last().is_some_and(|line| line == PROMPT.trim_end()),
        "the kernel got no further than:\n{}",
        tail(text)
    );
    Ok(lines)
}

fn masked(line: &str) -> String {
    MASKS.iter().fold(line.to_string(), |line, mask| {
        let mut parts = line.split(mask.after);
        let first = parts.next().unwrap_or_default().to_string();
        parts.fold(first, |done, rest| {
            let rest = rest.trim_start_matches(mask.digits);
            format!("{done}{}#{rest}", mask.after)
        })
    })
}

/// The first difference, if there is one.
fn compare(ours: &[String], theirs: &[String]) -> Result<()> {
    let none = || "(nothing more)".to_string();
    for line in 0..ours.len().max(theirs.len()) {
        let (our, their) = (ours.get(line), theirs.get(line));
        ensure!(
            our == their,
            "line {} differs:\n  embedded: {}\n  QEMU:     {}",
            line + 1,
            our.cloned().unwrap_or_else(none),
            their.cloned().unwrap_or_else(none)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: &str = "Firstlight kernel 0.1.0\r\nrealmode: 16 KiB at 9b000-9efff, SIPI vector 9ch\r\n\
        smp: CPU 1: INIT, SIPI vector 9ch, SIPI; online after 87 us\r\nfirstlight> ";
    const QEMU: &str = "\x1b[2JBdsDxe: starting\r\nFirstlight kernel 0.1.0\r\nrealmode: 16 KiB at 9c000-9ffff, \
        SIPI vector 9dh\r\nsmp: CPU 1: INIT, SIPI vector 9dh, SIPI; online after 1504 us\r\nfirstlight> ";

    /// Goal: only what is masked may differ; method: two consoles that agree, then one word or line changed.
    #[test]
    fn comparison() {
        let check = |qemu: &str| compare(&lines(MACHINE)?, &lines(qemu)?).map_err(|error| anyhow::anyhow!("{error}"));
        check(QEMU).unwrap();
        for (from, to) in [("CPU 1", "CPU 2"), ("16 KiB", "20 KiB"), (", SIPI;", ";"), ("smp:", "a line\r\nsmp:")] {
            let said = check(&QEMU.replace(from, to)).unwrap_err().to_string();
            assert!(said.contains("differs"), "{said}");
        }
        assert!(check(&QEMU.replace("Firstlight kernel", "")).unwrap_err().to_string().contains("BdsDxe: starting"));
        let cut = QEMU.trim_end_matches("firstlight> ");
        assert!(check(cut).unwrap_err().to_string().contains("no further"));
    }
}
