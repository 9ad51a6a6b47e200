//! `cargo xtask image`: the disk that boots Firstlight on a UEFI computer; `disk.rs` makes its bytes.

use crate::{disk, guest, project, setup};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Writes a disk that boots Firstlight on a UEFI computer, for a USB stick or for QEMU.
///
/// It has a GUID partition table and one partition, an EFI system partition (FAT32) with \\EFI\\BOOT\\BOOTX64.EFI,
/// \\firstlight\\kernel.elf and \\firstlight\\options.txt. The last holds the kernel's options as text and can be changed on
/// the stick with any editor. Secure Boot must be off, since nothing is signed.
///
/// To a USB stick, whose contents are lost: `sudo dd if=target/firstlight.img of=/dev/sdX bs=4M conv=fsync`, where
/// /dev/sdX is the stick as `lsblk` lists it.
///
/// The same kernel, loader and options make the same bytes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Words for the kernel: "bringup=parallel"
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    options: String,
    /// Where to write it [default: target/firstlight.img]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn main(args: &Args) -> Result<ExitCode> {
    let out = args.out.clone().unwrap_or_else(project::image);
    refuse_device(&out)?;
    setup::ensure(&[setup::Group::Build])?;
    guest::build()?;
    let read = |file: PathBuf| fs::read(&file).with_context(|| format!("{} cannot be read", file.display()));
    let (loader, kernel) = (read(project::uefi_application())?, read(project::kernel())?);
    let files = [(disk::LOADER, &loader[..]), (disk::KERNEL, &kernel), (disk::OPTIONS, args.options.as_bytes())];
    let bytes = disk::build(&files)?;
    disk::write(&bytes, &out)?;
    println!("image: {} ({} MiB) boots on UEFI computers", out.display(), bytes.len() >> 20);
    println!(
        "  on a USB stick: sudo dd if={} of=/dev/sdX bs=4M conv=fsync  (all that is on it is lost)",
        out.display()
    );
    println!("  in QEMU:        qemu-system-x86_64 -bios OVMF.fd -drive format=raw,file={}", out.display());
    Ok(ExitCode::SUCCESS)
}

/// A mistyped name must not cost anybody a disk.
fn refuse_device(out: &Path) -> Result<()> {
    match fs::metadata(out) {
        Ok(metadata) if !metadata.is_file() => {
            bail!("{} is no file, and is left alone. Write the image to a file, then that to the stick", out.display())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    /// Goal: nothing but a file is overwritten; method: a folder, a device, a file that is not there.
    #[test]
    fn only_files() {
        assert!(super::refuse_device(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))).is_err());
        assert!(super::refuse_device(std::path::Path::new("/dev/null")).is_err());
        assert!(super::refuse_device(std::path::Path::new("no such file")).is_ok());
    }
}
