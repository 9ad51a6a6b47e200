//! Writes `kernel.profile.json`: the names in the kernel and in the blob, with their assembly sources.
//!
//! The format is `protocol::profile`'s. Machine, window and gdb read it; none of them knows the kernel otherwise.

use super::listing::{Listings, align};
use super::symbols::Linked;
use anyhow::{Context, Result};
use protocol::profile::{Blob, BlobSymbol, Profile, Root, Symbol, VERSION};
use sha2::{Digest, Sha256};
use std::path::Path;

/// The kernel's variable that holds the physical base of the placed blob.
pub const BLOB_BASE: &str = "real_mode_base";

/// The blob's bytes in the kernel's image, as `kernel/build.rs` names them.
const BLOB_BYTES: &str = "real_mode_blob";

/// Page-table roots: name, and the kernel's variable that holds the physical address.
const ROOTS: [(&str, &str); 3] =
    [("trampoline_pgd", "trampoline_pgd_paddr"), ("init_top_pgt", "init_top_pgt_paddr"), ("efi_pgd", "efi_pgd_paddr")];

/// Writes the profile of `image` to `path`.
pub fn write(image: &Path, kernel: &Linked, blob: &Linked, listings: &Listings, path: &Path) -> Result<()> {
    let bytes = std::fs::read(image).with_context(|| format!("{} cannot be read", image.display()))?;
    let image_sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let blob_bytes = kernel.find(BLOB_BYTES);
    let blob_bytes = blob_bytes.with_context(|| format!("the kernel has no symbol {BLOB_BYTES}"))?;
    let profile = Profile {
        version: VERSION,
        image_sha256,
        symbols: kernel_symbols(kernel, listings)?,
        blobs: vec![Blob {
            name: "realmode".into(),
            base_symbol: BLOB_BASE.into(),
            size: blob.end,
            image_linear: blob_bytes.address,
            symbols: blob_symbols(blob, listings)?,
        }],
        roots: ROOTS.map(|(name, symbol)| Root { name: name.into(), symbol: symbol.into() }).into(),
    };
    for symbol in ROOTS.iter().map(|(_, symbol)| *symbol).chain([BLOB_BASE]) {
        let found = profile.symbols.iter().any(|found| found.name == symbol);
        anyhow::ensure!(found, "the kernel has no symbol {symbol}, which the profile points to");
    }
    let text = serde_json::to_string(&profile)?;
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

fn kernel_symbols(kernel: &Linked, listings: &Listings) -> Result<Vec<Symbol>> {
    let symbol = |symbol: &super::symbols::Symbol| {
        Ok(Symbol {
            name: symbol.name.clone(),
            linear: symbol.address,
            size: symbol.size,
            code: symbol.bits.is_some(),
            listing: align(kernel, symbol, listings)?,
        })
    };
    kernel.symbols.iter().map(symbol).collect()
}

fn blob_symbols(blob: &Linked, listings: &Listings) -> Result<Vec<BlobSymbol>> {
    let symbol = |symbol: &super::symbols::Symbol| {
        Ok(BlobSymbol {
            name: symbol.name.clone(),
            offset: symbol.address,
            bits: symbol.bits.unwrap_or(0),
            listing: align(blob, symbol, listings)?,
        })
    };
    // `pa_X` is another name of X, for the linker's relocations only (Linux: the same).
    blob.symbols
        .iter()
        .filter(|symbol| !symbol.name.starts_with("pa_") && symbol.address < blob.end)
        .map(symbol)
        .collect()
}
