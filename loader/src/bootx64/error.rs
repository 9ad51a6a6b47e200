//! Why the kernel cannot be started from here, in words for the person in front of the firmware's console.

use core::fmt;
use loader::{LoadError, ProcessorError};
use uefi::Status;

/// Why the kernel cannot be started.
#[derive(Debug)]
pub enum BootError {
    /// The volume that this program came from cannot be opened.
    NoVolume(Status),
    /// A file cannot be read.
    File {
        /// From the volume's root.
        path: &'static str,
        /// What the firmware says.
        status: Status,
    },
    /// The firmware does not tell which memory there is. Nobody has seen this one on a firmware's console: GetMemoryMap may fail
    /// for a buffer that is null or too small alone (UEFI, section "EFI_BOOT_SERVICES.GetMemoryMap()"), and the `uefi` crate
    /// asks for the size first and passes more. What is left is a firmware that answers nonsense, or a buffer that cannot be had;
    /// where memory is so short, reading the kernel, which is larger, has failed before.
    NoMemoryMap(Status),
    /// The firmware has no ACPI tables.
    NoRsdp,
    /// The processor, or how the firmware runs it.
    Processor(ProcessorError),
    /// The kernel's image.
    Load(LoadError),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVolume(status) => write!(
                f,
                "the volume that this program was started from cannot be read ({status}). Start it from a FAT file \
                 system: a USB stick, or the EFI system partition."
            ),
            Self::File { path, status: Status::NOT_FOUND } => write!(
                f,
                "there is no file {path} on the volume that this program was started from. Copy it there; \
                 `cargo xtask build` makes it in target/guest."
            ),
            Self::File { path, status } => {
                write!(
                    f,
                    "the file {path} cannot be read ({status}). Copy it to the volume again, or try another medium."
                )
            }
            Self::NoMemoryMap(status) => {
                write!(f, "the firmware does not tell which memory there is ({status}). Restart the computer.")
            }
            Self::NoRsdp => write!(
                f,
                "the firmware has no ACPI tables, which tell what processors there are. Turn ACPI on in its setup."
            ),
            Self::Processor(error) => write!(f, "{error}"),
            Self::Load(error) => write!(f, "\\firstlight\\kernel.elf: {error}"),
        }
    }
}
