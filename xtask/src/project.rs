//! Where things are: the project's folders and what `cargo xtask build` puts where.

use std::path::{Path, PathBuf};

/// The project's root folder: the parent of xtask's.
pub fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// Where cargo puts host programs.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// Where guest images go.
pub fn guest() -> PathBuf {
    target().join("guest")
}

/// The kernel's image.
pub fn kernel() -> PathBuf {
    guest().join("kernel.elf")
}

/// The names in it.
pub fn profile() -> PathBuf {
    guest().join("kernel.profile.json")
}

/// The real-mode blob as linked at 0, with its symbols.
pub fn blob() -> PathBuf {
    guest().join("trampoline.elf")
}

/// The embedded machine's firmware.
pub fn firmware() -> PathBuf {
    guest().join("firmware.elf")
}

/// The loader as a UEFI application.
pub fn uefi_application() -> PathBuf {
    guest().join("BOOTX64.EFI")
}

/// The bootable disk.
pub fn image() -> PathBuf {
    target().join("firstlight.img")
}

/// A host program.
pub fn program(name: &str, release: bool) -> PathBuf {
    target().join(if release { "release" } else { "debug" }).join(name)
}
