//! The window on QEMU: driven by its keys from the kernel's entry to the real-mode code of CPU 1, watched through QEMU's
//! own monitor, so that what the keys did is read from the machine and not from the window.

use super::Screen;
use crate::cmd::Background;
use crate::guest::symbols::Linked;
use crate::qemu::monitor::Monitor;
use crate::{project, qemu};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

/// How long QEMU may take from one breakpoint to the next.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the window may take to show what a key did, on a busy computer.
const SETTLES: Duration = Duration::from_millis(800);

/// Steps CPU 0 at the kernel's entry, goes to the write that sends the INIT, to `trampoline_start` of CPU 1, and to the
/// kernel's half on `trampoline_pgd`.
pub fn flight() -> Result<()> {
    let folder = project::target().join("qemu-window");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let (gdb, monitor) = (qemu::free_address()?, qemu::free_address()?);
    let boot = qemu::Boot {
        cpus: 2,
        kernel: Some(&project::kernel()),
        options: "bringup=serial",
        gdb: Some(&gdb),
        monitor: Some(&monitor),
        folder: &folder,
    };
    let mut qemu: Background = boot.start()?;
    boot.run_to_kernel(&mut qemu)?;
    let mut monitor = Monitor::connect(&monitor)?;
    let kernel = Linked::read(&project::kernel(), 64)?;
    let blob = Linked::read(&project::blob(), 16)?;
    let address = |linked: &Linked, name: &str| {
        let found = linked.find(name);
        found.map(|symbol| symbol.address).with_context(|| format!("there is no symbol {name}"))
    };
    let entry = address(&kernel, "boot_entry")?;
    ensure!(monitor.cpu(0)?.linear == entry, "QEMU does not stand at the kernel's entry");

    let mut screen = Screen::start()?;
    let (profile, console) = (project::profile(), boot.console());
    let arguments =
        ["--connect", &gdb, "--profile", &profile.display().to_string(), "--console", &console.display().to_string()]
            .map(str::to_owned);
    let _window = screen.open_window(&arguments.each_ref().map(String::as_str))?;
    screen.picture("qemu-1-entry")?;
    let mut at = entry;
    for _ in 0..3 {
        screen.key("s")?;
        at = monitor.until(0, "s", |cpu| cpu.linear > at && cpu.linear < entry + 0x40)?.linear;
    }
    screen.picture("qemu-2-three-steps")?;

    let sends_ipi = address(&kernel, "icr_write_low")?;
    run_to(&mut screen, &mut monitor, "icr_write_low", 0, |cpu| cpu.linear == sends_ipi)?;
    // It would be hit again and again.
    std::thread::sleep(SETTLES);
    screen.key("b")?;
    std::thread::sleep(SETTLES);
    let start = address(&blob, "trampoline_start")?;
    let woken = run_to(&mut screen, &mut monitor, "trampoline_start", 1, |cpu| cpu.linear & 0xfff == 0 && !cpu.paging)?;
    screen.picture("qemu-3-trampoline-start")?;
    let base = woken.linear - start;
    ensure!(!woken.protected && woken.linear < 1 << 20, "CPU 1 stands at {:x}, not in real mode", woken.linear);
    let next = base + address(&blob, "tr_far_jump")?;
    // A step may take in the second SIPI, which the CPU ignores: then it stands where it stood.
    for _ in 0..4 {
        screen.key("s")?;
        std::thread::sleep(2 * SETTLES);
        if monitor.cpu(1)?.linear == next {
            break;
        }
    }
    monitor.until(1, "s", |cpu| cpu.linear == next)?;

    let after = address(&kernel, "secondary_startup_64")?;
    // A CPU in real mode shows no 64-bit code to set a breakpoint in; CPU 0 does.
    screen.key("0")?;
    run_to(&mut screen, &mut monitor, "secondary_startup_64", 1, |cpu| cpu.linear == after)?;
    screen.key("ctrl+5")?;
    std::thread::sleep(Duration::from_secs(1));
    screen.picture("qemu-4-trampoline-pgd")?;
    Ok(())
}

/// A breakpoint at a symbol, by keys, and a run to it.
fn run_to(
    screen: &mut Screen,
    monitor: &mut Monitor,
    symbol: &str,
    cpu: usize,
    there: impl Fn(&Cpu) -> bool,
) -> Result<Cpu> {
    screen.key("g")?;
    std::thread::sleep(SETTLES);
    screen.type_text(symbol)?;
    screen.key("Return")?;
    // The code there is read, drawn, and gets the keyboard.
    std::thread::sleep(2 * SETTLES);
    screen.key("b")?;
    std::thread::sleep(SETTLES);
    screen.key("c")?;
    monitor.until(cpu, &format!("c to {symbol}"), there)
}

/// What is read of a CPU.
#[derive(Clone, Copy, Debug, Default)]
struct Cpu {
    linear: u64,
    protected: bool,
    paging: bool,
}

impl Monitor {
    fn cpu(&mut self, number: usize) -> Result<Cpu> {
        let text = self.ask("info registers -a")?;
        let mine = text.split("CPU#").skip(1).nth(number).with_context(|| format!("QEMU tells no CPU {number}"))?;
        cpu(mine).with_context(|| format!("QEMU's monitor says something else: {mine}"))
    }

    /// Waits until QEMU stands still with a CPU where it shall be.
    fn until(&mut self, number: usize, what: &str, there: impl Fn(&Cpu) -> bool) -> Result<Cpu> {
        let start = Instant::now();
        loop {
            let stands = self.ask("info status")?.contains("paused");
            let cpu = self.cpu(number)?;
            if stands && there(&cpu) {
                return Ok(cpu);
            }
            let status = if stands { "stands still" } else { "runs" };
            ensure!(
                start.elapsed() < PATIENCE,
                "the key {what} did not get there: QEMU {status}, CPU {number}: {cpu:x?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Reads one CPU of `info registers`.
fn cpu(text: &str) -> Option<Cpu> {
    let hex = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let word = |name: &str| text.split_whitespace().find_map(|word| word.strip_prefix(name)).and_then(hex);
    let ip = word("RIP=").or_else(|| word("EIP="))?;
    let cr0 = word("CR0=")?;
    let cs = text.lines().find_map(|line| line.trim().strip_prefix("CS ="))?;
    let base = cs.split_whitespace().nth(1).and_then(hex)?;
    Some(Cpu { linear: base.wrapping_add(ip), protected: cr0 & 1 != 0, paging: cr0 >> 31 & 1 != 0 })
}

#[cfg(test)]
mod tests {
    /// Goal: QEMU's text tells where a CPU stands; method: one in real mode.
    #[test]
    fn registers() {
        let text = "1\r\nEIP=00000010 EFL=2\r\nCS =9c00 0009c000 0000ffff 00009b00\r\nCR0=60000010 CR2=0";
        let cpu = super::cpu(text).unwrap();
        assert_eq!((cpu.linear, cpu.protected, cpu.paging), (0x9_c010, false, false));
        assert!(super::cpu("unknown command").is_none());
    }
}
