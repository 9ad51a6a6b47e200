//! Puts the guest into the program: kernel and profile as `cargo xtask build` made them, so that the program alone can be
//! copied anywhere and needs no cargo. Read by `src/session/hosted.rs`. Without them the program is built all the same,
//! and says when it starts what is missing.

use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

/// What is put in, and what it is called there.
const FILES: [(&str, &str); 2] = [("kernel.elf", "KERNEL"), ("kernel.profile.json", "PROFILE")];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    let (guest, out) = (guest_folder()?, PathBuf::from(env::var("OUT_DIR")?));
    let mut source = String::new();
    for (file, name) in FILES {
        let path = guest.join(file);
        println!("cargo::rerun-if-changed={}", path.display());
        source += &format!("/// {file}, if it was there when this program was built.\n");
        source += &if path.is_file() {
            // A copy: the next build of the guest must not write into what the compiler is just reading.
            fs::copy(&path, out.join(file)).map_err(|error| format!("{}: {error}", path.display()))?;
            format!("pub const {name}: Option<&[u8]> = Some(include_bytes!(\"{file}\"));\n")
        } else {
            format!("pub const {name}: Option<&[u8]> = None;\n")
        };
    }
    fs::write(out.join("guest.rs"), source)?;
    Ok(())
}

/// Where xtask puts guest images.
fn guest_folder() -> Result<PathBuf, Box<dyn Error>> {
    let package = env::var("CARGO_MANIFEST_DIR")?;
    let root = Path::new(&package).parent().ok_or("the package lies in no folder")?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    Ok(target.join("guest"))
}
