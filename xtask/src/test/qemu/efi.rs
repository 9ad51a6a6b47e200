//! EFI on real firmware: the kernel asks OVMF for the time and for variables, on each of its page tables, and restarts by it.

use super::{PROMPT, TIME_OUT};
use crate::cmd::Background;
use crate::project;
use crate::qemu::{Boot, Hardware, tail};
use crate::test::Report;
use anyhow::{Context, Result, bail, ensure};
use std::io::Write;
use std::path::Path;
use std::process::ChildStdin;
use std::time::{Duration, Instant};

/// The kernel's options, one boot each.
const TABLES: [&str; 3] = ["efi=own", "efi=trampoline", "efi=old_map"];

pub fn run(report: &mut Report, folder: &Path) {
    for options in TABLES {
        report.case(&format!("EFI runtime services of OVMF: {options}"), services(options, folder));
    }
}

fn services(options: &str, folder: &Path) -> Result<()> {
    let boot = Boot { cpus: 2, kernel: Some(&project::kernel()), options, gdb: None, monitor: None, folder };
    let mut shell = Shell::start(&boot)?;
    shell.ask("efi time", |answer| {
        // Year, month, day: QEMU gives the host's.
        let digits = |text: &str| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        answer.lines().any(|line| line.split('-').next().is_some_and(digits) && line.contains(':'))
    })?;
    shell.ask("efi vars", |answer| answer.contains("BootOrder") && answer.contains("room for those that persist: "))?;
    shell.ask("efi var Colour", |answer| answer.contains("there is no variable Colour"))?;
    shell.ask("efi var Colour red", |answer| answer.contains(": written"))?;
    shell.ask("efi var Colour", |answer| answer.contains("3 bytes, persists") && answer.contains("72 65 64"))?;
    shell.ask("efi var Colour -", |answer| answer.contains(": deleted"))?;
    if options == "efi=own" {
        // The firmware's regions at linear = physical and in the window, the kernel's beside them.
        let both = |answer: &str| answer.contains("  ffffffff80000000-") && answer.contains("  fffffffe");
        shell.ask("pgd efi_pgd", both)?;
        shell.ask("pgd init_top_pgt", |answer| {
            !answer.contains("  fffffffe") && answer.contains("  ffffffff80000000-")
        })?;
    }
    // This QEMU ends where a computer restarts.
    shell.type_line("restart efi")?;
    shell.ends()
}

/// The kernel's shell, to be typed at.
struct Shell<'a> {
    boot: &'a Boot<'a>,
    qemu: Background,
    input: ChildStdin,
    /// The console's text up to the last prompt.
    done: usize,
}

impl<'a> Shell<'a> {
    fn start(boot: &'a Boot<'a>) -> Result<Self> {
        let mut qemu = boot.start_with(Hardware { typing: true, ..Hardware::default() })?;
        let input = qemu.0.stdin.take().context("its input is a pipe")?;
        let mut shell = Self { boot, qemu, input, done: 0 };
        shell.prompt()?;
        Ok(shell)
    }

    fn text(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(self.boot.console())?).into_owned())
    }

    fn type_line(&mut self, line: &str) -> Result<()> {
        self.input.write_all(line.as_bytes())?;
        self.input.write_all(b"\r")?;
        Ok(self.input.flush()?)
    }

    /// What comes up to the next prompt.
    fn prompt(&mut self) -> Result<String> {
        let start = Instant::now();
        loop {
            let text = self.text()?;
            if let Some(end) = text.get(self.done..).and_then(|new| new.find(PROMPT)) {
                let answer = text[self.done..self.done + end].to_string();
                self.done += end + PROMPT.len();
                return Ok(answer);
            }
            if let Some(status) = self.qemu.0.try_wait()? {
                bail!("QEMU ended with {status}; the console's last lines:\n{}", tail(&text));
            }
            ensure!(start.elapsed() < TIME_OUT, "no prompt; the console's last lines:\n{}", tail(&text));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn ask(&mut self, line: &str, good: impl Fn(&str) -> bool) -> Result<()> {
        self.type_line(line)?;
        let answer = self.prompt()?;
        ensure!(good(&answer), "`{line}` was answered with:\n{answer}");
        Ok(())
    }

    fn ends(&mut self) -> Result<()> {
        let start = Instant::now();
        while self.qemu.0.try_wait()?.is_none() {
            ensure!(start.elapsed() < TIME_OUT, "it did not restart; the console:\n{}", tail(&self.text()?));
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}
