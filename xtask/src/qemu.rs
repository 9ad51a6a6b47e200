//! The second machine: QEMU with the OVMF firmware, started from a folder that it serves as a FAT disk.
//!
//! The folder is what one would copy to a USB stick. Used by `test/qemu.rs` and `run/qemu.rs`.

use crate::cmd::{self, Background};
use crate::project;
use anyhow::{Context, Result};
use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The firmware, and its variables as they are when nobody has changed any (Debian's package ovmf).
const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// What to boot.
#[derive(Debug)]
pub struct Boot<'a> {
    /// How many processors.
    pub cpus: u16,
    /// The kernel's file; None: the disk has none.
    pub kernel: Option<&'a Path>,
    /// The kernel's options.
    pub options: &'a str,
    /// Where its gdb server listens, `HOST:PORT`; it then waits there at its first instruction. None: no server.
    pub gdb: Option<&'a str>,
    /// Where the disk, the firmware's variables and the console's text go; made if it is not there.
    pub folder: &'a Path,
}

impl Boot<'_> {
    /// The text of COM1: the firmware's first, then the kernel's.
    pub fn console(&self) -> PathBuf {
        self.folder.join("console.txt")
    }

    /// Lays out the disk and starts QEMU.
    pub fn start(&self) -> Result<Background> {
        let disk = self.folder.join("disk");
        self.lay_out(&disk)?;
        let variables = self.folder.join("variables.fd");
        copy(Path::new(VARIABLES), &variables)?;
        // An old text would be taken for the new one.
        fs::write(self.console(), "")?;
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-machine", "pc,accel=tcg", "-nodefaults", "-display", "none", "-no-reboot", "-m", "256"]);
        qemu.args(["-smp", &self.cpus.to_string(), "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
        qemu.args(["-drive", &format!("if=pflash,format=raw,readonly=on,file={FIRMWARE}")]);
        qemu.args(["-drive", &format!("if=pflash,format=raw,file={}", option(&variables))]);
        // `rw`, since an IDE disk cannot be read-only; nothing writes to it.
        qemu.args(["-drive", &format!("format=raw,file=fat:rw:{}", option(&disk))]);
        qemu.args(["-serial", &format!("file:{}", option(&self.console()))]).stdin(Stdio::null());
        if let Some(address) = self.gdb {
            qemu.args(["-S", "-gdb", &format!("tcp:{address}")]);
        }
        Ok(Background(cmd::spawn(&mut qemu)?))
    }

    /// Puts loader, kernel and options where the firmware and the loader look for them.
    fn lay_out(&self, disk: &Path) -> Result<()> {
        copy(&project::uefi_application(), &disk.join("EFI/BOOT/BOOTX64.EFI"))?;
        let files = disk.join("firstlight");
        fs::create_dir_all(&files).with_context(|| format!("{} cannot be made", files.display()))?;
        match self.kernel {
            Some(kernel) => copy(kernel, &files.join("kernel.elf"))?,
            None => remove(&files.join("kernel.elf"))?,
        }
        let options = files.join("options.txt");
        fs::write(&options, self.options).with_context(|| format!("{} cannot be written", options.display()))
    }
}

/// An address for QEMU's gdb server on a port that is free now: QEMU cannot be asked which one it chose.
pub fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Of an earlier run; it need not be there.
fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", file.display()))
        }
        _ => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    fs::copy(from, to).with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))?;
    Ok(())
}

/// A path inside one of QEMU's options, where a comma ends the value and two mean one.
fn option(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}
