//! The mistakes on QEMU with OVMF: the same symptoms, as far as another processor and another firmware have them. The table in
//! `kernel/src/mistake.rs` says of each row whether it is here, and if not, why.
//!
//! That the kernel is well there without them is what the part `qemu` shows for most options; the rest is at the end.

use super::In;
use crate::guest::symbols::Linked;
use crate::qemu::faults::{Exception, Faults};
use crate::qemu::monitor::Monitor;
use crate::qemu::{Boot, Hardware, free_address, tail};
use crate::test::{Report, pool, qemu::shell::Shell};
use crate::{project, qemu};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::time::{Duration, Instant};

const CPUS: u16 = 2;
/// Where the blob's trampoline_pgd has bit 12 set; the place that the kernel finds by itself on QEMU has not.
const ODD_PLACE: &str = "trampoline=0x9b000";
const BIT_12: u64 = 1 << 12;

/// A mistake.
pub struct Case {
    /// As in the document.
    pub options: &'static str,
    /// More of them.
    more: &'static str,
    /// QEMU's words for the processor.
    cpu: Option<&'static str>,
    /// What is typed at the prompt; empty: nothing.
    typed: &'static str,
    seen: Seen,
}

/// What is seen.
#[derive(Clone, Copy)]
enum Seen {
    /// The first exception of all: vector, error code, place. It shuts the CPU down, and QEMU ends.
    ShutDown(u64, u64, At),
    /// The first exception of all is a page fault with this error code, while a CPU executes in the first place, for an address
    /// in the second; the kernel tells of it and ends.
    Told(u64, In, In),
    /// An NMI, and then a page fault with this error code on the page before trampoline_pgd; QEMU ends.
    NmiOnWrongTables(u64),
    /// CPU 1 runs in real mode, where there is no trampoline.
    Elsewhere,
}

/// A place in code.
#[derive(Clone, Copy)]
enum At {
    /// At this label of the kernel.
    Kernel(&'static str),
    /// At this label of the blob, or behind it and before the next.
    Blob(&'static str),
}

const fn case(options: &'static str, typed: &'static str, seen: Seen) -> Case {
    Case { options, more: "", cpu: None, typed, seen }
}

pub const CASES: &[Case] = &[
    Case {
        more: ODD_PLACE,
        ..case("kaiser=on efi=trampoline mistake=pgd-alignment", "efi nmi", Seen::NmiOnWrongTables(0x10))
    },
    case("page_offset_gib=16 mistake=identity-slot", "", Seen::ShutDown(14, 0x10, At::Blob("tr_enter_64"))),
    case("efi=trampoline mistake=efi-unmap", "efi map", Seen::Told(0, In::Kernel, In::DirectMap)),
    case("efi=old_map mistake=efi-nx-poison", "", Seen::Told(0x11, In::Low, In::Low)),
    case("mistake=efi-no-memmap", "", Seen::Told(0, In::Low, In::Low)),
    Case {
        cpu: Some("qemu64,+la57"),
        ..case("la57=on mistake=cr4-constant", "", Seen::ShutDown(13, 0, At::Kernel("ss_flush_global")))
    },
    // Error code 9 but for bit 0: see `faults`.
    case("mistake=no-nxe", "", Seen::ShutDown(14, 8, At::Blob("tr_enter_64"))),
    Case { more: "cpu_timeout_ms=20000", ..case("mistake=trampoline-high", "", Seen::Elsewhere) },
    case("mistake=trampoline-unaligned", "", Seen::ShutDown(14, 0x10, At::Blob("tr_enter_64"))),
    case("mistake=restart-no-kernel-map", "restart real", Seen::ShutDown(14, 0, At::Kernel("mrr_far_jump"))),
];

/// What the boot of another row shows on its way.
pub const SHOWN_ON_THE_WAY: &[&str] = &["efi=trampoline"];

pub fn run(report: &mut Report, folder: &Path) {
    let name = |case: &Case| format!("mistake on QEMU: {}", case.options);
    pool::run(report, CASES, name, |index, case| {
        let folder = folder.join(format!("qemu-{index}"));
        shows(case, &folder)
    });
    report
        .case("without them on QEMU: a moved direct map, and an NMI during a call", is_well(&folder.join("qemu-well")));
}

fn shows(case: &Case, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let (kernel, address) = (project::kernel(), free_address()?);
    let options = [case.options, case.more].join(" ");
    let monitor = matches!(case.seen, Seen::Elsewhere).then_some(address.as_str());
    let boot = Boot { cpus: CPUS, kernel: Some(&kernel), options: &options, gdb: None, monitor, folder };
    let mut shell = Shell::start_on(&boot, Hardware { cpu: case.cpu, faults: true, ..Hardware::default() })?;
    if !case.typed.is_empty() {
        shell.prompt()?;
        shell.type_line(case.typed)?;
    }
    match case.seen {
        Seen::ShutDown(..) | Seen::NmiOnWrongTables(_) => shell.ends()?,
        Seen::Told(..) => shell.wait_for("The kernel has ended")?,
        Seen::Elsewhere => return elsewhere(&mut shell, &address),
    }
    let (console, faults) = (shell.text()?, Faults::read(&boot.faults())?);
    if matches!(case.seen, Seen::Told(..)) {
        ensure!(console.contains("#PF, page fault"), "the kernel did not tell of it:\n{}", tail(&console));
    } else {
        ensure!(faults.shut_down, "no CPU shut down; the console's last lines:\n{}", tail(&console));
    }
    let right = fits(case.seen, &faults.exceptions, &console);
    right.with_context(|| format!("{:x?}; the console's last lines:\n{}", faults.exceptions, tail(&console)))?;
    if SHOWN_ON_THE_WAY.iter().any(|row| case.options.starts_with(row)) {
        let leak = ["efi: EFI mappings in init_top_pgt, in pages; EFI window: ", "direct map, executable: "];
        ensure!(leak.iter().all(|words| console.contains(words)), "no leak is told:\n{}", tail(&console));
    }
    Ok(())
}

/// The exceptions are those of the mistake.
fn fits(seen: Seen, exceptions: &[Exception], console: &str) -> Result<()> {
    let first = *exceptions.first().context("there was no exception")?;
    match seen {
        Seen::ShutDown(vector, error, at) => {
            ensure!((first.vector, first.error) == (vector, error), "another exception was the first");
            match at {
                At::Kernel(label) => {
                    let label = Linked::read(&project::kernel(), 64)?.address_of(label)?;
                    ensure!(first.rip == label, "it was not at {label:x}");
                }
                At::Blob(label) => {
                    let base = told(console, "KiB at ")?;
                    let blob = Linked::read(&project::blob(), 16)?;
                    let before = blob.symbols.iter().filter(|symbol| !symbol.name.starts_with("pa_"));
                    let before = before.filter(|symbol| base + symbol.address <= first.rip);
                    let symbol = before.max_by_key(|symbol| symbol.address).context("it was not in the blob")?;
                    ensure!(symbol.name == label, "it was at {}", symbol.name);
                }
            }
        }
        Seen::Told(error, at, address) => {
            ensure!((first.vector, first.error) == (14, error), "another exception was the first");
            ensure!(at.holds(first.rip) && address.holds(first.cr2), "not at {at:?} for {address:?}");
            // A fetch that is forbidden is for the instruction itself.
            ensure!(error & 0x10 == 0 || first.rip == first.cr2, "not a fetch");
        }
        Seen::NmiOnWrongTables(error) => {
            let second = exceptions.get(1).context("there was one exception only")?;
            let pgd = told(console, "trampoline_pgd at ")?;
            ensure!(pgd & BIT_12 != 0, "trampoline_pgd is at {pgd:x}");
            ensure!(first.vector == 2 && first.cr3 == pgd, "no NMI came on trampoline_pgd");
            let as_told = (second.vector, second.error, second.cr3) == (14, error, pgd & !BIT_12);
            ensure!(as_told && second.rip == second.cr2, "no fault on the page before trampoline_pgd");
        }
        Seen::Elsewhere => bail!("that takes no exception"),
    }
    Ok(())
}

/// A SIPI has no room for where the trampoline is; the monitor tells where CPU 1 is instead.
fn elsewhere(shell: &mut Shell<'_>, monitor: &str) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(15);
    // The SIPI follows this line at once.
    shell.wait_for("efi: init_top_pgt holds no EFI mapping")?;
    let console = shell.text()?;
    let base = told(&console, "KiB at ")?;
    let vector = told(&console, "SIPI vector ")?;
    let page = (base + Linked::read(&project::blob(), 16)?.address_of("trampoline_start")?) >> 12;
    ensure!(base >= 1 << 20 && vector == page & 0xff && vector != page, "blob at {base:x}, vector {vector:x}");
    let mut monitor = Monitor::connect(monitor)?;
    let start = Instant::now();
    loop {
        let all = monitor.ask("info registers -a")?;
        let cpu = all.split("CPU#1").nth(1).context("QEMU told nothing of CPU 1")?;
        let of = |name: &str| cpu.split_ascii_whitespace().find_map(|word| word.strip_prefix(name));
        let real = of("CR0=").and_then(|cr0| u64::from_str_radix(cr0, 16).ok()).is_some_and(|cr0| cr0 & 1 == 0);
        if real && of("HLT=") == Some("0") {
            return Ok(());
        }
        ensure!(start.elapsed() < PATIENCE, "CPU 1 does not run in real mode:\n{cpu}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The hexadecimal number that the console shows behind these words, the first time.
fn told(console: &str, words: &str) -> Result<u64> {
    let rest = console.split(words).nth(1).with_context(|| format!("the kernel did not tell `{words}`"))?;
    let digits = rest.split(|c: char| !c.is_ascii_hexdigit()).next().unwrap_or_default();
    u64::from_str_radix(digits, 16).with_context(|| format!("no number behind `{words}`"))
}

fn is_well(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let (kernel, options) =
        (project::kernel(), format!("page_offset_gib=16 kaiser=on efi=trampoline cpu_timeout_ms=5000 {ODD_PLACE}"));
    let boot = qemu::Boot { cpus: CPUS, kernel: Some(&kernel), options: &options, gdb: None, monitor: None, folder };
    let mut shell = Shell::start_on(&boot, Hardware { faults: true, ..Hardware::default() })?;
    let text = shell.prompt()?;
    ensure!(text.contains("2 of 2 CPUs online"), "not all CPUs came:\n{}", tail(&text));
    let refused = text.contains("trampoline_pgd would be the upper of two pages; looking for another place");
    ensure!(refused && told(&text, "trampoline_pgd at ")? & BIT_12 == 0, "the place is wrong:\n{}", tail(&text));
    shell.ask("efi nmi", |answer| answer.contains("CPU 0: got NMI") && answer.contains("local time"))?;
    let exceptions = Faults::read(&boot.faults())?.exceptions;
    ensure!(exceptions.iter().all(|exception| exception.vector == 2), "{exceptions:x?}");
    Ok(())
}
