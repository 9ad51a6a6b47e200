//! Takes the firmware's image in, as `cargo xtask build` made it, so that a machine needs no file beside the program. Built
//! without it the machine has no EFI, and says so to nobody but its kernel: `src/firmware/image.rs`.

use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    let package = env::var("CARGO_MANIFEST_DIR")?;
    let root = Path::new(&package).parent().ok_or("the package lies in no folder")?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    let image = target.join("guest/firmware.elf");
    println!("cargo::rerun-if-changed={}", image.display());
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let source = if image.is_file() {
        // A copy: the next build of the guest must not write into what the compiler is just reading.
        fs::copy(&image, out.join("firmware.elf")).map_err(|error| format!("{}: {error}", image.display()))?;
        "Some(include_bytes!(concat!(env!(\"OUT_DIR\"), \"/firmware.elf\")))"
    } else {
        "None"
    };
    fs::write(out.join("firmware.rs"), source)?;
    Ok(())
}
