//! What keeps the loader from starting a kernel is told on the firmware's console: each error that can be had on QEMU, from
//! kernels that were damaged, and from computers that lack something. NoMemoryMap alone cannot be had (`bootx64/error.rs` says
//! why).
//!
//! The errors themselves are tested in `loader/src/tests.rs`; here is tested that a person gets to read them.

use super::wait_for;
use crate::pie;
use crate::project;
use crate::qemu::{Boot, Hardware};
use crate::test::{Report, pool};
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// What ends each message.
const LAST_WORDS: &str = "go back to the firmware.";
/// Where bootloader_api's section has the kernel's stack size, and its place: a tag and an address.
const STACK_SIZE: usize = 23;
const STACK_PLACE: usize = 31;

const ON_DISK: Hardware =
    Hardware { stick: false, screen: false, machine: None, cpu: None, network: false, typing: false, faults: false };

/// A boot that cannot succeed.
struct Case {
    name: &'static str,
    /// Changes the kernel's file.
    damage: fn(&mut Vec<u8>) -> Result<()>,
    hardware: Hardware,
    /// The message has these words.
    says: &'static str,
}

const fn damaged(name: &'static str, damage: fn(&mut Vec<u8>) -> Result<()>, says: &'static str) -> Case {
    Case { name, damage, hardware: ON_DISK, says }
}

const CASES: &[Case] = &[
    damaged("a text as kernel", |kernel| replace(kernel, b"bringup=parallel\n"), "this is not an ELF file"),
    damaged("half a kernel", |kernel| replace(kernel, &kernel.clone()[..kernel.len() / 2]), "the ELF file is "),
    damaged(
        "a kernel for AArch64",
        |kernel| put(kernel, 18, &[183, 0]),
        "this ELF file is for AArch64, the kernel must",
    ),
    damaged(
        "a kernel for another bootloader_api",
        |kernel| in_config(kernel, 18, &[99]),
        "built against bootloader_api 0.99, this loader speaks 0.11",
    ),
    damaged(
        "a stack at an odd address",
        |kernel| in_config(kernel, STACK_PLACE, &[1, 0x23, 1]),
        "wants its kernel stack at 0x123, which is not aligned",
    ),
    damaged(
        "a stack larger than memory",
        |kernel| in_config(kernel, STACK_SIZE, &(1u64 << 30).to_le_bytes()),
        "KiB of memory above 1 MiB to start, there are",
    ),
    Case {
        name: "a processor without NX",
        damage: |_| Ok(()),
        hardware: Hardware { screen: true, cpu: Some("qemu64,nx=off"), ..ON_DISK },
        says: "the processor has no execute-disable bit, or the firmware hides it.",
    },
    Case {
        name: "a computer without ACPI",
        damage: |_| Ok(()),
        // OVMF never gets this far on `pc`, whose ACPI timer goes with the tables.
        hardware: Hardware { machine: Some("q35,acpi=off"), ..ON_DISK },
        says: "the firmware has no ACPI tables, which tell what processors there are. Turn ACPI on",
    },
    Case {
        name: "the loader came over the network",
        damage: |_| Ok(()),
        hardware: Hardware { network: true, ..ON_DISK },
        says: "the volume that this program was started from cannot be read (NOT_FOUND). Start it from a FAT file system",
    },
];

pub fn run(report: &mut Report, folder: &Path) {
    let name = |case: &Case| format!("told on the firmware's console: {}", case.name);
    pool::run(report, CASES, name, |index, case| told(case, &folder.join(format!("loader-{index}"))));
    report.case("told on the firmware's console: no kernel on the disk", no_kernel(folder));
    report.case("a position-independent kernel is moved and relocated", moved(folder));
}

fn moved(folder: &Path) -> Result<()> {
    let path = folder.join("moved.elf");
    std::fs::write(&path, pie::kernel()).with_context(|| format!("{} cannot be written", path.display()))?;
    let boot = Boot { cpus: 1, kernel: Some(&path), options: "", gdb: None, monitor: None, folder };
    wait_for(&boot, ON_DISK, pie::TEXT).map(|_| ())
}

fn told(case: &Case, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let mut kernel = std::fs::read(project::kernel()).context("there is no kernel")?;
    (case.damage)(&mut kernel)?;
    let path = folder.join("damaged.elf");
    std::fs::write(&path, kernel).with_context(|| format!("{} cannot be written", path.display()))?;
    says(Some(&path), case.hardware, case.says, folder)
}

fn no_kernel(folder: &Path) -> Result<()> {
    says(None, Hardware::default(), "there is no file \\firstlight\\kernel.elf on the volume", folder)
}

/// The whole message is on the console, no line of it wider than that is, and each line ends between words.
fn says(kernel: Option<&Path>, hardware: Hardware, words: &str, folder: &Path) -> Result<()> {
    // OVMF has more of them on a screen than on a serial line.
    let columns = if hardware.screen { 100 } else { 80 };
    let boot = Boot { cpus: 1, kernel, options: "", gdb: None, monitor: None, folder };
    let text = wait_for(&boot, hardware, LAST_WORDS)?;
    let start = text.find("Firstlight cannot start: ").context("it does not say that it cannot start")?;
    let message = &text[start..];
    ensure!(message.lines().all(|line| line.len() < columns), "a line is too long for the console:\n{message}");
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(message.contains(words), "it does not say {words:?}, but: {message}");
    Ok(())
}

fn replace(bytes: &mut Vec<u8>, new: &[u8]) -> Result<()> {
    *bytes = new.to_vec();
    Ok(())
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) -> Result<()> {
    let old = bytes.get_mut(at..at + new.len()).context("the kernel is shorter than its headers")?;
    old.copy_from_slice(new);
    Ok(())
}

/// Changes bytes of the `.bootloader-config` section, which begins with bootloader_api's UUID.
fn in_config(kernel: &mut [u8], at: usize, new: &[u8]) -> Result<()> {
    let uuid = &bootloader_api::BootloaderConfig::new_default().serialize()[..16];
    let section = kernel.windows(uuid.len()).position(|window| window == uuid);
    put(kernel, section.context("the kernel has no .bootloader-config section")? + at, new)
}
