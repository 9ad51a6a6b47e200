//! Runs one test on a machine, and reads from status and output how it went.

use super::table::{Boot, Test, Verdict};
use crate::cmd;
use anyhow::{Context, Result};
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often a running test is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// xv6's prompt, after which it listens.
const PROMPT: &str = "$ ";

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Pass,
    /// It found that the machine has not what it tests.
    Skipped,
    /// It did not: why, in short.
    Fail(String),
    /// It did not end in so many seconds; what failed until then.
    Unended(u64, String),
    /// It was not started: why.
    NotRun(String),
}

impl Outcome {
    pub fn is_pass(&self) -> bool {
        *self == Self::Pass
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Pass => "passes",
            Self::Skipped => "skips itself",
            Self::Fail(why) => &format!("fails: {why}"),
            Self::Unended(seconds, failed) => &format!("did not end in {seconds} s{failed}"),
            Self::NotRun(why) => &format!("not run: {why}"),
        };
        f.pad(text)
    }
}

/// What kvm-unit-tests read as their environment, from module 0.
fn environment(test: &Test) -> String {
    format!("NR_CPUS={}\nMEMSIZE={}\n{}", test.cpus, test.memory_mib, test.environment)
}

/// On the embedded machine.
pub fn here(test: &Test, image: &Path, program: &Path, limit: Duration) -> Result<Outcome> {
    let module = module(test, image)?;
    let mut command = Command::new(program);
    command.arg(if test.boot == Boot::Pvh { "--pvh" } else { "--multiboot" }).arg(image);
    command.args(["--cpus", &test.cpus.to_string(), "--memory", &format!("{}M", test.memory_mib)]);
    if let Some(module) = module {
        command.arg("--module").arg(module);
    }
    if !test.args.is_empty() {
        command.args(["--cmdline", test.args]);
    }
    for quirk in test.cpu_quirks {
        command.args(["--cpu-quirk", quirk]);
    }
    judge(test, &mut command, limit)
}

/// On QEMU's TCG.
pub fn qemu(test: &Test, image: &Path, qemu: &Path, limit: Duration) -> Result<Outcome> {
    let module = module(test, image)?;
    let mut command = Command::new(qemu);
    command.args(["-nodefaults", "-no-reboot", "-display", "none", "-accel", "tcg", "-cpu", test.qemu_cpu]);
    command.args(["-device", "pc-testdev", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"]);
    if test.verdict == Verdict::ExitZero {
        command.args(["-chardev", "stdio,id=output", "-device", "isa-debugcon,chardev=output"]);
    } else {
        command.args(["-serial", "stdio"]);
    }
    // xv6 writes its console to the display as well, and panics where no cursor answers.
    if matches!(test.verdict, Verdict::Typed { .. }) {
        command.args(["-vga", "std"]);
    }
    command.args(["-smp", &test.cpus.to_string(), "-m", &format!("{}M", test.memory_mib)]);
    command.arg("-kernel").arg(image);
    if let Some(module) = module {
        command.arg("-initrd").arg(module);
    }
    if !test.args.is_empty() {
        command.args(["-append", test.args]);
    }
    judge(test, &mut command, limit)
}

/// The file that is loaded beside a kernel, if there is one.
pub fn module(test: &Test, image: &Path) -> Result<Option<PathBuf>> {
    if let Some(name) = test.module {
        return Ok(Some(image.with_file_name(name)));
    }
    if test.verdict != Verdict::KvmUnitTests {
        return Ok(None);
    }
    let folder = crate::project::target().join("suites");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let path = folder.join("environment.txt");
    std::fs::write(&path, environment(test)).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(Some(path))
}

/// Runs it until it ends, says what it should, or the time is over.
fn judge(test: &Test, command: &mut Command, limit: Duration) -> Result<Outcome> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = cmd::Background(command.spawn().map_err(|error| cmd::explain(command, error))?);
    let output = collect(child.0.stdout.take().context("standard output is not piped")?);
    let errors = collect(child.0.stderr.take().context("standard error is not piped")?);
    let mut input = child.0.stdin.take().context("standard input is not piped")?;
    let mut typist = Typist::new(test);
    let start = Instant::now();
    loop {
        let text = text_of(&output);
        // The pipe is kept open: its end would be the end of all input.
        if let Some(outcome) = typist.look(&text, &mut input)? {
            return Ok(outcome);
        }
        if let Some(status) = child.0.try_wait()? {
            // What it said last may still be on its way.
            std::thread::sleep(LOOK);
            return Ok(verdict(test, status.code(), &text_of(&output), &text_of(&errors)));
        }
        if start.elapsed() > limit {
            return Ok(Outcome::Unended(limit.as_secs(), failures(&text)));
        }
        std::thread::sleep(LOOK);
    }
}

/// Types what a test waits for, and looks for what it says in the end.
pub struct Typist {
    verdict: Verdict,
    has_typed: bool,
}

impl Typist {
    pub fn new(test: &Test) -> Self {
        Self { verdict: test.verdict, has_typed: false }
    }

    /// What the output up to now says; types into `input` where it is asked to.
    pub fn look(&mut self, text: &str, input: &mut impl Write) -> Result<Option<Outcome>> {
        let Verdict::Typed { input: typed, output } = self.verdict else { return Ok(None) };
        if text.contains(output) {
            return Ok(Some(Outcome::Pass));
        }
        if text.ends_with(PROMPT) && !std::mem::replace(&mut self.has_typed, true) {
            input.write_all(typed.as_bytes()).context("the test reads no input")?;
        }
        Ok(None)
    }
}

/// Reads a pipe to its end, in a thread, so that it never fills.
pub fn collect(mut pipe: impl Read + Send + 'static) -> Arc<Mutex<Vec<u8>>> {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&bytes);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if let Ok(mut bytes) = shared.lock() {
                bytes.extend_from_slice(&buffer[..count]);
            }
        }
    });
    bytes
}

pub fn text_of(bytes: &Mutex<Vec<u8>>) -> String {
    bytes.lock().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// `, 3 checks failed` where it says so.
pub fn failures(text: &str) -> String {
    match text.lines().filter(|line| line.starts_with("FAIL")).count() {
        0 => String::new(),
        1 => ", 1 check failed".into(),
        count => format!(", {count} checks failed"),
    }
}

/// What status and output say.
fn verdict(test: &Test, status: Option<i32>, output: &str, errors: &str) -> Outcome {
    /// The exit device gives (value << 1) | 1; the value 38 says that nothing was tested.
    const SKIPPED: i32 = 77;
    let failed = failures(output);
    match (test.verdict, status) {
        (Verdict::KvmUnitTests | Verdict::ExitZero, Some(1)) if failed.is_empty() => Outcome::Pass,
        // It switched the machine off, which it does where nothing failed.
        (Verdict::ExitZero, Some(0)) => Outcome::Pass,
        (Verdict::KvmUnitTests, Some(SKIPPED)) => Outcome::Skipped,
        (_, status) => {
            let said = errors.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            let said: String = said.trim_start_matches("firstlight-machine: ").chars().take(100).collect();
            let unhandled = output.lines().find(|line| line.starts_with("Unhandled")).unwrap_or_default();
            let why = [said.as_str(), unhandled].into_iter().find(|why| !why.is_empty()).unwrap_or("it says no more");
            Outcome::Fail(format!("status {}{failed}; {why}", status.unwrap_or(-1)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::SUITES;
    use super::*;

    /// Goal: status and output are read as the suite means them; method: one of each.
    #[test]
    fn verdicts() {
        let test = &SUITES[0].tests[0];
        assert_eq!(verdict(test, Some(1), "PASS: a\n", ""), Outcome::Pass);
        assert_eq!(verdict(test, Some(77), "", ""), Outcome::Skipped);
        let failed = verdict(test, Some(3), "FAIL: a\nFAIL: b\n", "firstlight-machine: no\n");
        assert_eq!(failed, Outcome::Fail("status 3, 2 checks failed; no".into()));
        assert!(matches!(verdict(test, Some(1), "FAIL: a\n", ""), Outcome::Fail(_)));
    }
}
