//! The second machine: QEMU with the OVMF firmware, started from the disk that `cargo xtask image` writes (`disk.rs`).
//!
//! Used by `test/qemu.rs`, `test/mistakes/on_qemu.rs`, `test/window/on_qemu.rs` and `run/qemu.rs`.

pub mod faults;
pub mod monitor;
pub mod picture;

use crate::cmd::{self, Background};
use crate::disk;
use crate::guest::symbols::Linked;
use crate::project;
use crate::rsp::server::Server;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The firmware, and its variables as they are when nobody has changed any (Debian's package ovmf).
const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// The kernel's first instruction.
const ENTRY: &str = "boot_entry";
/// From power-on to there QEMU takes seconds, most of them the firmware's; a busy computer may take some times as long.
const TO_KERNEL: Duration = Duration::from_secs(120);

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
    /// Where its monitor listens, `HOST:PORT`; None: there is none.
    pub monitor: Option<&'a str>,
    /// Where the disk, the firmware's variables and the console's text go; made if it is not there.
    pub folder: &'a Path,
}

/// What a computer has beside the least.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hardware {
    /// The disk is a USB stick, not a disk on IDE.
    pub stick: bool,
    /// There is a graphics adapter, whose screen is seen through the monitor alone.
    pub screen: bool,
    /// QEMU's words for the computer; None: `pc`.
    pub machine: Option<&'static str>,
    /// QEMU's words for the processor; None: its own default.
    pub cpu: Option<&'static str>,
    /// There is no disk: the firmware gets the loader over the network (PXE, by TFTP from QEMU's own server).
    pub network: bool,
    /// What is written to QEMU's standard input, a pipe then, is typed at COM1.
    pub typing: bool,
    /// QEMU writes exceptions to [`Boot::faults`].
    pub faults: bool,
}

impl Boot<'_> {
    /// The text of COM1: the firmware's first, then the kernel's.
    pub fn console(&self) -> PathBuf {
        self.folder.join("console.txt")
    }

    /// What it writes of exceptions, if [`Hardware::faults`] says so.
    pub fn faults(&self) -> PathBuf {
        self.folder.join("faults.txt")
    }

    /// Writes the disk and starts QEMU.
    pub fn start(&self) -> Result<Background> {
        self.start_with(Hardware::default())
    }

    /// The same on a computer that has more.
    pub fn start_with(&self, hardware: Hardware) -> Result<Background> {
        let disk = self.folder.join("disk.img");
        fs::create_dir_all(self.folder).with_context(|| format!("{} cannot be made", self.folder.display()))?;
        self.write_disk(&disk)?;
        let variables = self.folder.join("variables.fd");
        fs::copy(VARIABLES, &variables).with_context(|| format!("{} cannot be written", variables.display()))?;
        // An old text would be taken for the new one.
        fs::write(self.console(), "")?;
        let mut qemu = Command::new("qemu-system-x86_64");
        let machine = format!("{},accel=tcg", hardware.machine.unwrap_or("pc"));
        qemu.args(["-machine", &machine, "-nodefaults", "-display", "none", "-no-reboot", "-m", "256"]);
        qemu.args(["-smp", &self.cpus.to_string(), "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
        qemu.args(["-drive", &format!("if=pflash,format=raw,readonly=on,file={FIRMWARE}")]);
        qemu.args(["-drive", &format!("if=pflash,format=raw,file={}", option(&variables))]);
        if hardware.screen {
            qemu.args(["-vga", "std"]);
        }
        if let Some(cpu) = hardware.cpu {
            qemu.args(["-cpu", cpu]);
        }
        let disk = format!("format=raw,file={}", option(&disk));
        if hardware.network {
            // The firmware's own boot code: the adapter's, iPXE, shows the loader a volume where there is none.
            let folder = project::uefi_application();
            let (folder, name) = (folder.parent().context("the loader lies in no folder")?, folder.file_name());
            let name = name.unwrap_or_default().to_string_lossy();
            qemu.args(["-netdev", &format!("user,id=net,restrict=on,tftp={},bootfile={name}", option(folder))]);
            qemu.args(["-device", "virtio-net-pci,netdev=net,romfile="]);
        } else if hardware.stick {
            qemu.args(["-drive", &format!("if=none,id=stick,{disk}"), "-device", "qemu-xhci"]);
            qemu.args(["-device", "usb-storage,drive=stick"]);
        } else {
            qemu.args(["-drive", &disk]);
        }
        let console = option(&self.console());
        if hardware.typing {
            qemu.args(["-chardev", &format!("stdio,id=com1,signal=off,logfile={console}"), "-serial", "chardev:com1"]);
            qemu.stdin(Stdio::piped()).stdout(Stdio::null());
        } else {
            qemu.args(["-serial", &format!("file:{console}")]).stdin(Stdio::null());
        }
        if hardware.faults {
            qemu.args(["-d", "int,cpu_reset", "-D"]).arg(self.faults());
        }
        if let Some(address) = self.gdb {
            qemu.args(["-S", "-gdb", &format!("tcp:{address}")]);
        }
        if let Some(address) = self.monitor {
            qemu.args(["-monitor", &format!("tcp:{address},server=on,wait=off")]);
        }
        Ok(Background(cmd::spawn(&mut qemu)?))
    }

    /// Lets a QEMU with a gdb server run from power-on to the kernel's first instruction, and leaves it there. A breakpoint
    /// at the address that the kernel is linked at does: no firmware ever executes there.
    pub fn run_to_kernel(&self, qemu: &mut Background) -> Result<()> {
        let address = self.gdb.context("this QEMU has no gdb server")?;
        let kernel = Linked::read(&project::kernel(), 64)?;
        let entry = kernel.address_of(ENTRY)?;
        let reached = Server::connect(address).and_then(|mut server| server.run_to(entry, TO_KERNEL));
        reached.map(|_| ()).or_else(|error| {
            let console = std::fs::read(self.console()).unwrap_or_default();
            let tail = tail(&String::from_utf8_lossy(&console));
            match qemu.0.try_wait()? {
                Some(status) => bail!(
                    "QEMU ended with {status} before the kernel was reached. What it said stands above; its console:\n{tail}"
                ),
                // What the gdb connection has to say of it (no answer) would only follow the console's lines.
                None if is_silence(&error) => bail!(
                    "QEMU did not reach the kernel within {} s; the last lines of its console:\n{tail}",
                    TO_KERNEL.as_secs()
                ),
                None => Err(error.context(format!("QEMU did not reach the kernel; the last lines of its console:\n{tail}"))),
            }
        })
    }

    /// Writes the disk with loader, kernel and options.
    fn write_disk(&self, path: &Path) -> Result<()> {
        let read = |file: &Path| fs::read(file).with_context(|| format!("{} cannot be read", file.display()));
        let loader = read(&project::uefi_application())?;
        let kernel = self.kernel.map(read).transpose()?;
        let mut files = vec![(disk::LOADER, &loader[..]), (disk::OPTIONS, self.options.as_bytes())];
        files.extend(kernel.as_deref().map(|bytes| (disk::KERNEL, bytes)));
        disk::write(&disk::build(&files)?, path)
    }
}

/// QEMU and its firmware are there.
///
/// # Errors
/// What is missing and what to do.
pub fn check() -> Result<()> {
    for file in [FIRMWARE, VARIABLES] {
        ensure!(
            Path::new(file).is_file(),
            "there is no firmware for QEMU: {file} is missing. It is in Debian's package ovmf; `cargo xtask setup test` \
             installs or names it"
        );
    }
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.arg("--version").stdin(Stdio::null());
    cmd::output(&mut qemu).map(|_| ())
}

/// An address on a port that the user has named.
///
/// # Errors
/// The port is taken.
pub fn address_at(port: u16) -> Result<String> {
    let address = format!("127.0.0.1:{port}");
    TcpListener::bind(&address).with_context(|| {
        format!("{address} cannot be used for QEMU's gdb server; without --port a free one is taken")
    })?;
    Ok(address)
}

/// Nobody answered in the time there was.
fn is_silence(error: &anyhow::Error) -> bool {
    let late = |kind| matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut);
    error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|error| late(error.kind()))
}

/// The last lines of a console, without what moves the cursor or colours text.
pub fn tail(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines.iter().skip(lines.len().saturating_sub(8));
    shown.map(|line| format!("  | {}", line.replace(|c: char| c.is_control(), ""))).collect::<Vec<_>>().join("\n")
}

/// An address for QEMU's gdb server on a port that is free now: QEMU cannot be asked which one it chose.
pub fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// A path inside one of QEMU's options, where a comma ends the value and two mean one.
fn option(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}
