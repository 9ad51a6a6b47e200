//! The kernel's shell on QEMU, to be typed at through COM1.

use super::{PROMPT, TIME_OUT};
use crate::cmd::Background;
use crate::qemu::{Boot, Hardware, tail};
use anyhow::{Context, Result, bail, ensure};
use std::io::Write;
use std::process::ChildStdin;
use std::time::{Duration, Instant};

/// The kernel's shell, to be typed at.
pub struct Shell<'a> {
    boot: &'a Boot<'a>,
    qemu: Background,
    input: ChildStdin,
    /// The console's text up to the last prompt.
    done: usize,
}

impl<'a> Shell<'a> {
    /// Starts QEMU. It stands at its first instruction where [`Boot::gdb`] says so.
    pub fn start(boot: &'a Boot<'a>) -> Result<Self> {
        Self::start_on(boot, Hardware::default())
    }

    /// The same on other hardware.
    pub fn start_on(boot: &'a Boot<'a>, hardware: Hardware) -> Result<Self> {
        let mut qemu = boot.start_with(Hardware { typing: true, ..hardware })?;
        let input = qemu.0.stdin.take().context("its input is a pipe")?;
        Ok(Self { boot, qemu, input, done: 0 })
    }

    /// All of the console's text, the firmware's first.
    pub fn text(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(self.boot.console())?).into_owned())
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        self.input.write_all(line.as_bytes())?;
        self.input.write_all(b"\r")?;
        Ok(self.input.flush()?)
    }

    /// What comes up to the next prompt.
    pub fn prompt(&mut self) -> Result<String> {
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

    /// Waits until the console has these words.
    pub fn wait_for(&mut self, words: &str) -> Result<()> {
        let start = Instant::now();
        while !self.text()?.contains(words) {
            if let Some(status) = self.qemu.0.try_wait()? {
                bail!("QEMU ended with {status} before `{words}`; the console's last lines:\n{}", tail(&self.text()?));
            }
            ensure!(start.elapsed() < TIME_OUT, "no `{words}`; the console's last lines:\n{}", tail(&self.text()?));
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Types a line, and looks at the answer.
    pub fn ask(&mut self, line: &str, good: impl Fn(&str) -> bool) -> Result<()> {
        self.type_line(line)?;
        let answer = self.prompt()?;
        ensure!(good(&answer), "`{line}` was answered with:\n{answer}");
        Ok(())
    }

    /// QEMU ends, as it does where a computer restarts.
    pub fn ends(&mut self) -> Result<()> {
        let start = Instant::now();
        while self.qemu.0.try_wait()?.is_none() {
            ensure!(start.elapsed() < TIME_OUT, "it did not restart; the console:\n{}", tail(&self.text()?));
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}
