//! Reads the kernel and its options from the volume that the application was started from.

use crate::error::BootError;
use alloc::vec::Vec;
use uefi::fs::{Error, FileSystem};
use uefi::{CString16, Status, boot};

const KERNEL: &str = "\\firstlight\\kernel.elf";
/// The kernel's options as text; may be missing.
const OPTIONS: &str = "\\firstlight\\options.txt";

/// The bytes of both files.
pub fn read() -> Result<(Vec<u8>, Vec<u8>), BootError> {
    let volume = boot::get_image_file_system(boot::image_handle());
    let mut volume = FileSystem::new(volume.map_err(|error| BootError::NoVolume(error.status()))?);
    let kernel = file(&mut volume, KERNEL)?;
    let options = match file(&mut volume, OPTIONS) {
        Err(BootError::File { status: Status::NOT_FOUND, .. }) => Vec::new(),
        other => other?,
    };
    Ok((kernel, options))
}

fn file(volume: &mut FileSystem, path: &'static str) -> Result<Vec<u8>, BootError> {
    let failed = |status| BootError::File { path, status };
    let name = CString16::try_from(path).map_err(|_| failed(Status::INVALID_PARAMETER))?;
    volume.read(name.as_ref()).map_err(|error| match error {
        Error::Io(error) => failed(error.uefi_error.status()),
        _ => failed(Status::INVALID_PARAMETER),
    })
}
