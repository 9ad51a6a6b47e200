//! Builds the guest images: blob, kernel, profile, UEFI application, firmware. `docs/DEVELOPING.md`, "How the guest is built", tells why so.
//!
//! Guest and host share one target triple. What makes a guest is in [`flags`], given to cargo in the environment of this
//! one build, with a target folder of its own.

mod listing;
mod pe;
mod profile;
mod red_zone;
pub mod symbols;

use crate::{cmd, project};
use anyhow::{Context, Result};
use listing::Listings;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use symbols::Linked;

/// The one target of the toolchain; its prebuilt `core` serves the guest as well.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Where hand-written assembly is.
const ASSEMBLY: [&str; 2] = ["trampoline/asm", "kernel/asm"];

pub use profile::BLOB_BASE;

/// Builds everything under `target/guest/`.
pub fn build() -> Result<()> {
    let blob = link("trampoline", "trampoline", &flags("trampoline/blob.ld", BLOB_FLAGS), None)?;
    copy_if_newer(&blob, &project::blob())?;
    let kernel = link("kernel", "kernel", &kernel_flags(), Some(&project::blob()))?;
    copy_if_newer(&kernel, &project::kernel())?;
    uefi_application()?;
    firmware()?;

    let profile = project::profile();
    // A comment in the assembly changes the listing and not the image.
    let mut sources = vec![project::kernel(), project::blob(), std::env::current_exe()?];
    for folder in ASSEMBLY {
        sources.append(&mut listing::files(&project::root().join(folder)));
    }
    if is_newer(&profile, &sources)? {
        return Ok(());
    }
    let blob = Linked::read(&project::blob(), 16)?;
    let kernel = Linked::read(&project::kernel(), 64)?;
    red_zone::check("the blob", &blob)?;
    red_zone::check("the kernel", &kernel)?;
    profile::write(&project::kernel(), &kernel, &blob, &listings()?, &profile)
}

/// The loader as the firmware starts it.
fn uefi_application() -> Result<()> {
    let elf = link("loader", "bootx64", &uefi_flags(), None)?;
    let application = project::uefi_application();
    if is_newer(&application, &[elf.clone(), std::env::current_exe()?])? {
        return Ok(());
    }
    red_zone::check("the UEFI application", &Linked::read(&elf, 64)?)?;
    let bytes = fs::read(&elf).with_context(|| format!("{} cannot be read", elf.display()))?;
    let pe = pe::from_elf(&bytes).with_context(|| format!("{} makes no UEFI application", elf.display()))?;
    fs::write(&application, pe).with_context(|| format!("{} cannot be written", application.display()))
}

/// The embedded machine's runtime services. `machine/build.rs` takes them into the machine.
fn firmware() -> Result<()> {
    let elf = link("firmware", "firmware", &firmware_flags(), None)?;
    red_zone::check("the firmware", &Linked::read(&elf, 64)?)?;
    copy_if_newer(&elf, &project::firmware())
}

fn listings() -> Result<Listings> {
    let mut listings = Listings::new();
    for folder in ASSEMBLY {
        listings.append(&mut listing::read_folder(&project::root().join(folder))?);
    }
    Ok(listings)
}

/// rustc's flags for code that runs on the bare machine, linked by `script`.
fn flags(script: &str, more: &[&str]) -> Vec<String> {
    let common = [
        // The linker that comes with Rust: no other is needed.
        "-Clinker=rust-lld",
        "-Clinker-flavor=ld.lld",
        "-Cpanic=abort",
        "-Clink-arg=-nostdlib",
        "-Clink-arg=--no-eh-frame-hdr",
    ];
    let flags = common.iter().chain(more).map(|flag| flag.to_string());
    // cargo runs rustc in the project's root. No path of this computer gets into the image: the same source makes the
    // same image everywhere, and a run is known by its image's hash.
    flags.chain([format!("-Clink-arg=-T{script}")]).chain(remapped_paths()).collect()
}

/// Folders of this computer and what stands for them in an image's line numbers.
pub fn folder_names() -> Vec<(PathBuf, &'static str)> {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    let registry = cargo_home.or_else(home).map(|folder| (folder.join("registry"), "/cargo/registry"));
    std::iter::once((project::root(), "/firstlight")).chain(registry).collect()
}

fn remapped_paths() -> impl Iterator<Item = String> {
    folder_names().into_iter().map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()))
}

/// The blob: the kernel relocates it, so the linker must leave the relocations in.
const BLOB_FLAGS: &[&str] = &["-Crelocation-model=static", "-Clink-arg=--emit-relocs"];

const KERNEL_FLAGS: &[&str] = &[
    "-Crelocation-model=static",
    // Linked into the top 2 GiB of the address space.
    "-Ccode-model=kernel",
    // An interrupt may come on the same stack at any time.
    "-Cno-redzone=yes",
    "-Cforce-frame-pointers=no",
];

fn kernel_flags() -> Vec<String> {
    flags("kernel/kernel.ld", KERNEL_FLAGS)
}

/// The firmware loads it anywhere.
const UEFI_FLAGS: &[&str] = &[
    "-Crelocation-model=pie",
    // The firmware's interrupts come on the stack of whoever runs.
    "-Cno-redzone=yes",
    "-Cforce-frame-pointers=no",
];

fn uefi_flags() -> Vec<String> {
    flags("loader/uefi.ld", UEFI_FLAGS)
}

fn firmware_flags() -> Vec<String> {
    flags("firmware/firmware.ld", UEFI_FLAGS)
}

/// clippy on the guest binaries, as they are built for the guest: nobody else looks at these.
pub fn clippy() -> Result<()> {
    let blob = flags("trampoline/blob.ld", BLOB_FLAGS);
    let guests = [
        ("trampoline", "trampoline", blob),
        ("kernel", "kernel", kernel_flags()),
        ("loader", "bootx64", uefi_flags()),
        ("firmware", "firmware", firmware_flags()),
    ];
    for (package, program, flags) in guests {
        let mut cargo = guest_cargo("clippy", package, program, &flags);
        cmd::run(cargo.env("FIRSTLIGHT_BLOB", project::blob()).args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

/// Builds a guest binary; the path of what was linked.
fn link(package: &str, program: &str, flags: &[String], blob: Option<&Path>) -> Result<PathBuf> {
    let mut cargo = guest_cargo("build", package, program, flags);
    if let Some(blob) = blob {
        cargo.env("FIRSTLIGHT_BLOB", blob);
    }
    cmd::run(&mut cargo).with_context(|| format!("the guest image `{program}` cannot be built"))?;
    Ok(build_folder(package).join(TARGET).join("guest").join(program))
}

/// Each guest is built in a folder of its own: their flags differ, and cargo keeps one build of a dependency in a folder,
/// so that in a common one they would build each other's anew every time.
fn build_folder(package: &str) -> PathBuf {
    project::guest().join(package)
}

fn guest_cargo(verb: &str, package: &str, program: &str, flags: &[String]) -> Command {
    let mut cargo: Command = cmd::cargo();
    cargo.args([verb, "--quiet", "--package", package, "--bin", program, "--features", "guest"]);
    cargo.args(["--profile", "guest", "--target", TARGET, "--target-dir"]).arg(build_folder(package));
    // The separator of this variable cannot be part of a path, as a space could.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")).env_remove("RUSTFLAGS");
    cargo
}

/// Copies where the contents differ, so that what is made from the copy need not be made again.
fn copy_if_newer(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).with_context(|| format!("{} was not linked", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    fs::write(to, new).with_context(|| format!("{} cannot be written", to.display()))
}

/// `file` is there and not older than any of `sources`.
fn is_newer(file: &Path, sources: &[PathBuf]) -> Result<bool> {
    let Ok(written) = fs::metadata(file).and_then(|metadata| metadata.modified()) else { return Ok(false) };
    for source in sources {
        let modified = fs::metadata(source).and_then(|metadata| metadata.modified());
        if modified.with_context(|| format!("{} is gone", source.display()))? > written {
            return Ok(false);
        }
    }
    Ok(true)
}
