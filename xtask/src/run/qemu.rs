//! `cargo xtask run --on qemu`: QEMU stopped at the kernel's first instruction, and the window on it.

use super::Args;
use crate::qemu::{self, Boot};
use crate::{build, guest, project, setup};
use anyhow::{Context, Result};
use std::process::{Command, ExitCode};

pub fn main(args: &Args) -> Result<ExitCode> {
    setup::ensure(&[setup::Group::Build, setup::Group::Test])?;
    qemu::check()?;
    let address = match args.port {
        Some(port) => qemu::address_at(port)?,
        None => qemu::free_address()?,
    };
    guest::build()?;
    build::host(&["debugger-ui"], args.release)?;
    let folder = project::target().join("qemu-run");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let boot = Boot {
        cpus: args.cpus,
        kernel: Some(&project::kernel()),
        options: &args.options,
        gdb: Some(&address),
        monitor: None,
        folder: &folder,
    };
    let mut qemu = boot.start()?;
    println!("run: the console goes to {}; the window shows it too", boot.console().display());
    println!("run: the firmware boots; it takes a while until the kernel begins");
    boot.run_to_kernel(&mut qemu)?;
    println!("run: stopped at the kernel's first instruction");
    let mut window = Command::new(project::program("firstlight", args.release));
    window.args(["--connect", &address]).arg("--profile").arg(project::profile());
    window.arg("--console").arg(boot.console()).args(&args.arguments);
    // QEMU ends with this scope, and so with the window.
    super::open(&mut window)
}
