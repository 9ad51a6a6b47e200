//! One test on Bochs, which loads neither multiboot nor PVH kernels by itself: GRUB does it, from a CD made for the test.
//!
//! Bochs has no exit device at port F4h, so that only tests whose output tells how they went can be judged. Its serial
//! port is a socket that leads here: what the guest prints, and what is typed.

use super::on::{self, Outcome};
use super::table::{Boot, Test, Verdict};
use crate::cmd;
use anyhow::{Context, Result};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The program.
pub const PROGRAM: &str = "bochs";
/// Instructions a second of the guest's time. Few, so that a byte on the serial line takes a guest's loop few instructions:
/// xv6 waits 128 times and then writes, whether the byte before has left or not.
const INSTRUCTIONS_PER_SECOND: u32 = 1_000_000;
/// How long Bochs may take to connect its serial port.
const START: Duration = Duration::from_secs(20);
/// How often a running test is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a test.
///
/// # Errors
/// What GRUB or Bochs need is not there, or a file cannot be written.
pub fn run(test: &Test, image: &Path, limit: Duration) -> Result<Outcome> {
    if test.boot == Boot::Pvh {
        return Ok(Outcome::NotRun("nothing there loads PVH kernels".into()));
    }
    if test.verdict == Verdict::ExitZero {
        return Ok(Outcome::NotRun("its result goes to port F4h, which Bochs has not".into()));
    }
    let folder = crate::project::target().join("suites/bochs");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let drive = match test.disk {
        None => format!("type=cdrom, path={}, status=inserted", disc(test, image, &folder)?.display()),
        Some(disk) => {
            let disk = image.with_file_name(disk);
            if !disk.exists() {
                return Ok(Outcome::NotRun(format!("{} was not built", disk.display())));
            }
            // Bochs writes to it and locks it.
            let copy = folder.join("disk.img");
            fs::copy(&disk, &copy).with_context(|| format!("{} cannot be copied", disk.display()))?;
            format!("type=disk, path={}, mode=flat, cylinders=0, heads=16, spt=63", copy.display())
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").context("no socket for Bochs' serial port")?;
    let configuration = write(&folder, "bochsrc", &configuration(test, &drive, &listener, &folder)?)?;
    let go = write(&folder, "go", "c\n")?;
    let console = write(&folder, "console.txt", "")?;
    // Its only display that needs no X server wants a terminal.
    let mut bochs = Command::new("script");
    let line = format!("{PROGRAM} -q -f {} -rc {}", configuration.display(), go.display());
    bochs.args(["--quiet", "--return", "--flush", "--command", &line]).arg(&console).env("TERM", "xterm");
    bochs.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = cmd::Background(bochs.spawn().map_err(|error| cmd::explain(&bochs, error))?);
    let Some(serial) = connection(&listener, &mut child)? else {
        return Ok(Outcome::Fail(format!("Bochs did not start; {} tells more", console.display())));
    };
    judge(test, &serial, &mut child, limit)
}

/// A CD with GRUB, the kernel and its module.
fn disc(test: &Test, image: &Path, folder: &Path) -> Result<PathBuf> {
    let (tree, disc) = (folder.join("tree"), folder.join("disc.iso"));
    let grub = tree.join("boot/grub");
    fs::create_dir_all(&grub).with_context(|| format!("{} cannot be made", grub.display()))?;
    fs::copy(image, tree.join("kernel")).with_context(|| format!("{} cannot be copied", image.display()))?;
    let module = match on::module(test, image)? {
        Some(module) => {
            let copied = fs::copy(&module, tree.join("module"));
            copied.with_context(|| format!("{} cannot be copied", module.display()))?;
            "module /module"
        }
        None => "",
    };
    // Unlike other loaders GRUB puts no file name before the arguments.
    let menu =
        format!("set timeout=0\nmenuentry test {{\n  multiboot /kernel kernel {}\n  {module}\n  boot\n}}\n", test.args);
    write(&grub, "grub.cfg", &menu)?;
    let mut rescue = Command::new("grub-mkrescue");
    rescue.arg("--output").arg(&disc).arg(&tree);
    cmd::output(&mut rescue)?;
    Ok(disc)
}

fn configuration(test: &Test, drive: &str, listener: &TcpListener, folder: &Path) -> Result<String> {
    let boot = if test.disk.is_some() { "disk" } else { "cdrom" };
    Ok(format!(
        "config_interface: textconfig\n\
         display_library: term\n\
         megs: {memory}\n\
         cpu: model=corei7_icelake_u, count={cpus}, ips={INSTRUCTIONS_PER_SECOND}, reset_on_triple_fault=0\n\
         ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n\
         ata0-master: {drive}\n\
         boot: {boot}\n\
         com1: enabled=1, mode=socket-client, dev={serial}\n\
         log: {log}\n\
         panic: action=fatal\n",
        memory = test.memory_mib,
        cpus = test.cpus,
        serial = listener.local_addr()?,
        log = folder.join("log.txt").display(),
    ))
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

/// Bochs' serial port. None: Bochs has ended, or takes too long.
fn connection(listener: &TcpListener, child: &mut cmd::Background) -> Result<Option<TcpStream>> {
    listener.set_nonblocking(true)?;
    let start = Instant::now();
    while start.elapsed() < START && child.0.try_wait()?.is_none() {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false)?;
            return Ok(Some(stream));
        }
        std::thread::sleep(LOOK);
    }
    Ok(None)
}

fn judge(test: &Test, serial: &TcpStream, child: &mut cmd::Background, limit: Duration) -> Result<Outcome> {
    let output = on::collect(serial.try_clone()?);
    let mut typist = on::Typist::new(test);
    let start = Instant::now();
    loop {
        let text = on::text_of(&output);
        if let Some(outcome) = typist.look(&text, &mut &*serial)?.or_else(|| verdict(test, &text)) {
            return Ok(outcome);
        }
        let has_ended = child.0.try_wait()?.is_some();
        if has_ended || start.elapsed() > limit {
            let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing");
            let told = format!("{}; it said last: {}", on::failures(&text), last.trim());
            return Ok(if has_ended {
                Outcome::Fail(format!("Bochs ended{told}"))
            } else {
                Outcome::Unended(limit.as_secs(), told)
            });
        }
        std::thread::sleep(LOOK);
    }
}

/// What the output says, once it says how the test went.
fn verdict(test: &Test, text: &str) -> Option<Outcome> {
    if test.verdict != Verdict::KvmUnitTests {
        return None;
    }
    // realmode has no summary: it prints its exit value.
    if let Some((_, rest)) = text.split_once("--- DONE: ") {
        let (value, _) = rest.split_once(" ---")?;
        return Some(if value == "0" { Outcome::Pass } else { Outcome::Fail(format!("exit value {value}")) });
    }
    let (_, rest) = text.split_once("SUMMARY: ")?;
    let (summary, _) = rest.split_once('\n')?;
    Some(match on::failures(text) {
        failures if !failures.is_empty() => Outcome::Fail(failures.trim_start_matches(", ").to_owned()),
        _ if summary.contains("unexpected") => Outcome::Fail(summary.trim().to_owned()),
        _ if text.lines().any(|line| line.starts_with("PASS")) => Outcome::Pass,
        _ => Outcome::Skipped,
    })
}

#[cfg(test)]
mod tests {
    use super::super::table::SUITES;
    use super::*;

    /// Goal: output is read as the suite means it, and not before it has ended; method: one of each.
    #[test]
    fn verdicts() {
        let test = &SUITES[0].tests[0];
        assert_eq!(verdict(test, "PASS: a\nSUMMARY: 1 te"), None);
        assert_eq!(verdict(test, "PASS: a\nSUMMARY: 1 tests\n"), Some(Outcome::Pass));
        assert_eq!(verdict(test, "SKIP: a\nSUMMARY: 1 tests, 1 skipped\n"), Some(Outcome::Skipped));
        assert_eq!(verdict(test, "--- DONE: 0 ---\n"), Some(Outcome::Pass));
        assert_eq!(verdict(test, "--- DONE: 1 ---\n"), Some(Outcome::Fail("exit value 1".into())));
        let failed = verdict(test, "FAIL: a\nSUMMARY: 1 tests, 1 unexpected failures\n");
        assert_eq!(failed, Some(Outcome::Fail("1 check failed".into())));
    }

    /// Goal: what has no verdict on Bochs is not run, and says why; method: the tests that need port F4h or PVH.
    #[test]
    fn what_cannot_be_judged() {
        for test in SUITES.iter().flat_map(|suite| suite.tests).filter(|test| test.verdict == Verdict::ExitZero) {
            let outcome = run(test, Path::new("nowhere"), Duration::ZERO).expect("nothing is started");
            assert!(matches!(outcome, Outcome::NotRun(_)), "{}: {outcome}", test.name);
        }
    }
}
