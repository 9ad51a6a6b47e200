//! `kernel.profile.json`: the names in a guest image. Written by xtask beside the image, read by machine and window.
//!
//! Without a profile everything works by address.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// Version of the format; a reader refuses others.
pub const VERSION: u32 = 1;

/// The names of one guest image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// [`VERSION`].
    pub version: u32,
    /// SHA-256 of the image file, lower-case hex: a profile of another image is refused.
    pub image_sha256: String,
    /// Symbols with link-time linear addresses, ascending.
    pub symbols: Vec<Symbol>,
    /// Code that the kernel copies elsewhere before it runs: the real-mode blob.
    pub blobs: Vec<Blob>,
    /// Page-table roots by name.
    pub roots: Vec<Root>,
}

/// A symbol of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symbol {
    /// Demangled name.
    pub name: String,
    /// Linear address.
    pub linear: u64,
    /// Size in bytes, 0 for a label.
    pub size: u64,
    /// Code, as against data.
    pub code: bool,
    /// The assembly lines of this symbol, where the source is assembly.
    #[serde(default)]
    pub listing: Vec<ListingLine>,
}

/// A relocated blob: its symbols lie at base + offset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// "realmode".
    pub name: String,
    /// The kernel symbol whose 8 bytes hold the blob's physical base, 0 while it is not placed. It runs at linear = physical.
    pub base_symbol: String,
    /// Size in bytes.
    pub size: u64,
    /// Linear address, as linked, of the blob's bytes in the kernel's image: what is copied to the base and relocated. 0:
    /// not known.
    #[serde(default)]
    pub image_linear: u64,
    /// Symbols, ascending by offset.
    pub symbols: Vec<BlobSymbol>,
}

/// A symbol of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobSymbol {
    /// Name.
    pub name: String,
    /// Offset from the blob's base.
    pub offset: u64,
    /// 16, 32 or 64 for code, 0 for data.
    pub bits: u8,
    /// The assembly lines that follow it, up to the next symbol.
    #[serde(default)]
    pub listing: Vec<ListingLine>,
}

/// One instruction's source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingLine {
    /// Offset from the symbol.
    pub offset: u64,
    /// The instruction as written, without comment.
    pub source: String,
    /// The comment on its line, or the comment lines right above it.
    #[serde(default)]
    pub comment: String,
    /// File name and line: "trampoline_64.S:41".
    pub at: String,
}

/// A named page-table root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// `trampoline_pgd`, `init_top_pgt`.
    pub name: String,
    /// The kernel symbol whose 8 bytes hold the root's physical address, 0 while it is not made.
    pub symbol: String,
}
