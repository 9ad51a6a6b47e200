//! `cargo xtask build`: guest images, then host programs.

use crate::{cmd, guest, project, setup};
use anyhow::Result;
use std::process::ExitCode;

/// Builds everything: the guest images to target/guest/, the host programs where cargo puts them.
///
/// target/guest/kernel.elf is the kernel with the real-mode blob inside, target/guest/kernel.profile.json its names:
/// symbols of kernel and blob, page-table roots, and the assembly source of each hand-written instruction. A guest that
/// uses memory below RSP is refused, with the function's name.
///
/// target/guest/BOOTX64.EFI starts the kernel on a UEFI computer. On a FAT volume it is \\EFI\\BOOT\\BOOTX64.EFI, and reads
/// \\firstlight\\kernel.elf and, if there is one, \\firstlight\\options.txt from there.
///
/// Host programs are firstlight (the window) and firstlight-machine (the same without a window), in target/debug/, or
/// with --release in target/release/. Guest images are the same in both cases.
///
/// What is up to date is not built again.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Host programs with all optimizations
    #[arg(long)]
    release: bool,
    /// Only the guest images
    #[arg(long)]
    guest: bool,
}

pub fn main(args: &Args) -> Result<ExitCode> {
    setup::ensure(&[setup::Group::Build])?;
    guest::build()?;
    if !args.guest {
        host(&["machine", "debugger-ui"], args.release)?;
    }
    println!("kernel:   {}", shown(&project::kernel()));
    println!("names:    {}", shown(&project::profile()));
    println!("uefi:     {}", shown(&project::uefi_application()));
    if !args.guest {
        println!("programs: {}", shown(&project::program("firstlight", args.release)));
        println!("          {}", shown(&project::program("firstlight-machine", args.release)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the programs of these packages.
pub fn host(packages: &[&str], release: bool) -> Result<()> {
    let mut cargo = cmd::cargo();
    cargo.args(["build", "--bins"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    if release {
        cargo.arg("--release");
    }
    cmd::run(&mut cargo)
}

/// A path as one would type it in the project's root.
fn shown(path: &std::path::Path) -> String {
    path.strip_prefix(project::root()).unwrap_or(path).display().to_string()
}
