//! Names: addresses to symbols and back, from the profile and the guest's own variables.
//!
//! The profile tells link-time addresses. Where the kernel puts the real-mode blob and its page tables is known only
//! once it has done so: the profile names the variables, the session reads them at each stop.

use protocol::profile::{ListingLine, Profile};
use protocol::{LinearAddr, PhysAddr};
use std::sync::Arc;

/// The names that are known at this stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbols {
    /// The profile of the image; None: addresses only.
    pub profile: Option<Arc<Profile>>,
    /// Base of each blob of the profile, once the guest has placed it.
    pub blob_bases: Vec<Option<u64>>,
    /// Address of each root of the profile, once the guest has made it.
    pub roots: Vec<Option<PhysAddr>>,
    /// Where each blob was last, also after going back to before it was placed.
    last_bases: Vec<Option<u64>>,
}

/// What stands at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolAt {
    /// Name.
    pub name: String,
    /// Bytes from the symbol on.
    pub offset: u64,
    /// The symbol's own linear address.
    pub linear: LinearAddr,
    /// 16, 32 or 64 for code whose width is known, else 0.
    pub bits: u8,
}

impl std::fmt::Display for SymbolAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.offset == 0 { f.write_str(&self.name) } else { write!(f, "{}+{:x}", self.name, self.offset) }
    }
}

impl Symbols {
    /// Takes a profile in; what the guest's variables hold is not known yet.
    pub fn set_profile(&mut self, profile: Option<Profile>) {
        let (blobs, roots) = profile.as_ref().map_or((0, 0), |profile| (profile.blobs.len(), profile.roots.len()));
        *self = Self {
            profile: profile.map(Arc::new),
            blob_bases: vec![None; blobs],
            roots: vec![None; roots],
            last_bases: vec![None; blobs],
        };
    }

    /// Takes in what the guest's variable says about a blob's place. True: that is new.
    pub fn place_blob(&mut self, blob: usize, base: Option<u64>) -> bool {
        let Some(known) = self.blob_bases.get_mut(blob).filter(|known| **known != base) else { return false };
        *known = base;
        if base.is_some() {
            self.last_bases[blob] = base;
        }
        true
    }

    /// The boot processor does not page, so that the guest's variables cannot be read. Where it executes in the place that a
    /// blob had last (on its way back to real mode, say) the blob is there. True: that is new.
    pub fn place_blob_by_code(&mut self, linear_pc: LinearAddr) -> bool {
        let Some(profile) = self.profile.clone() else { return false };
        let mut placed = false;
        for (at, blob) in profile.blobs.iter().enumerate() {
            let inside = |base: &u64| linear_pc.0.wrapping_sub(*base) < blob.size;
            if let Some(base) = self.last_bases[at].filter(inside) {
                placed |= self.place_blob(at, Some(base));
            }
        }
        placed
    }

    /// The linear address of the variable that holds the base of a blob.
    pub fn blob_variable(&self, blob: usize) -> Option<LinearAddr> {
        let profile = self.profile.as_ref()?;
        self.kernel_symbol(&profile.blobs.get(blob)?.base_symbol)
    }

    /// The linear address of the variable that holds the address of a root.
    pub fn root_variable(&self, root: usize) -> Option<LinearAddr> {
        let profile = self.profile.as_ref()?;
        self.kernel_symbol(&profile.roots.get(root)?.symbol)
    }

    /// The name of a root, if it has one.
    pub fn root_name(&self, phys: PhysAddr) -> Option<&str> {
        let profile = self.profile.as_ref()?;
        let at = self.roots.iter().position(|root| *root == Some(phys))?;
        profile.roots.get(at).map(|root| root.name.as_str())
    }

    /// The address of a named root, once it is made.
    pub fn root_named(&self, name: &str) -> Option<PhysAddr> {
        let profile = self.profile.as_ref()?;
        let at = profile.roots.iter().position(|root| root.name == name)?;
        self.roots.get(at).copied().flatten()
    }

    /// The symbol that an address belongs to.
    pub fn at(&self, linear: LinearAddr) -> Option<SymbolAt> {
        self.find(linear).map(|found| found.symbol)
    }

    /// All symbols that stand exactly at an address, in the profile's order.
    pub fn labels_at(&self, linear: LinearAddr) -> Vec<SymbolAt> {
        let label = |name: &str, bits| SymbolAt { name: name.to_owned(), offset: 0, linear, bits };
        let Some(profile) = &self.profile else { return Vec::new() };
        if let Some((blob, offset)) = self.blob_offset(profile, linear) {
            let symbols = &profile.blobs[blob].symbols;
            let from = symbols.partition_point(|symbol| symbol.offset < offset);
            let here = symbols[from..].iter().take_while(|symbol| symbol.offset == offset);
            return here.map(|symbol| label(&symbol.name, symbol.bits)).collect();
        }
        let from = profile.symbols.partition_point(|symbol| symbol.linear < linear.0);
        let here = profile.symbols[from..].iter().take_while(|symbol| symbol.linear == linear.0);
        here.map(|symbol| label(&symbol.name, if symbol.code { 64 } else { 0 })).collect()
    }

    /// Width of the blob's code at an address, and where its offset 0 is: the segment base of 16-bit code, else 0.
    pub fn blob_code(&self, linear: LinearAddr) -> Option<(u8, PhysAddr)> {
        let (_, offset) = self.blob_offset(self.profile.as_deref()?, linear)?;
        let bits = self.find(linear)?.symbol.bits;
        (bits != 0).then_some((bits, PhysAddr(if bits == 16 { linear.0 - offset } else { 0 })))
    }

    /// The source line of the instruction at an address, where the source is assembly.
    pub fn source(&self, linear: LinearAddr) -> Option<&ListingLine> {
        let found = self.find(linear)?;
        let offset = found.symbol.offset;
        found.listing.iter().find(|line| line.offset == offset)
    }

    /// The source of the instruction that ends right before an address, where the source is assembly.
    pub fn source_before(&self, linear: LinearAddr) -> Option<&ListingLine> {
        let found = self.find(LinearAddr(linear.0.checked_sub(1)?))?;
        found.listing.iter().rev().find(|line| line.offset <= found.symbol.offset)
    }

    /// The source of the symbol that an address belongs to is at hand and has ended before it: what is there is padding.
    pub fn is_padding(&self, linear: LinearAddr) -> bool {
        let last = |found: &Found<'_>| found.listing.last().map(|line| line.offset);
        self.find(linear).is_some_and(|found| last(&found).is_some_and(|last| last < found.symbol.offset))
    }

    /// The address of a symbol, by name; of a blob's symbol once the blob is placed.
    pub fn address_of(&self, name: &str) -> Option<LinearAddr> {
        let profile = self.profile.as_ref()?;
        for (blob, base) in profile.blobs.iter().zip(&self.blob_bases) {
            if let (Some(base), Some(symbol)) = (base, blob.symbols.iter().find(|symbol| symbol.name == name)) {
                return Some(LinearAddr(base.wrapping_add(symbol.offset)));
            }
        }
        self.kernel_symbol(name)
    }

    /// A blob has a symbol of that name, but the guest has not placed the blob yet.
    pub fn not_placed_yet(&self, name: &str) -> bool {
        let Some(profile) = &self.profile else { return false };
        let blobs = profile.blobs.iter().zip(&self.blob_bases);
        blobs.into_iter().any(|(blob, base)| base.is_none() && blob.symbols.iter().any(|symbol| symbol.name == name))
    }

    /// Names that contain the text, at most `limit`: for completion while typing.
    pub fn matching(&self, text: &str, limit: usize) -> Vec<String> {
        let Some(profile) = &self.profile else { return Vec::new() };
        let blob_names = profile.blobs.iter().flat_map(|blob| blob.symbols.iter().map(|symbol| &symbol.name));
        let names = blob_names.chain(profile.symbols.iter().map(|symbol| &symbol.name));
        let mut found: Vec<String> = names.filter(|name| name.contains(text)).take(limit * 4).cloned().collect();
        found.sort_by_key(|name| (!name.starts_with(text), name.len()));
        found.truncate(limit);
        found
    }

    fn kernel_symbol(&self, name: &str) -> Option<LinearAddr> {
        let profile = self.profile.as_ref()?;
        profile.symbols.iter().find(|symbol| symbol.name == name).map(|symbol| LinearAddr(symbol.linear))
    }

    fn blob_offset(&self, profile: &Profile, linear: LinearAddr) -> Option<(usize, u64)> {
        let bases = profile.blobs.iter().zip(&self.blob_bases).enumerate();
        bases.into_iter().find_map(|(at, (blob, base))| {
            let offset = linear.0.checked_sub((*base)?)?;
            (offset < blob.size).then_some((at, offset))
        })
    }

    fn find(&self, linear: LinearAddr) -> Option<Found<'_>> {
        let profile = self.profile.as_deref()?;
        if let Some((blob, offset)) = self.blob_offset(profile, linear) {
            let symbols = &profile.blobs[blob].symbols;
            let nearest = symbols[symbols.partition_point(|symbol| symbol.offset <= offset).checked_sub(1)?].offset;
            let first = &symbols[symbols.partition_point(|symbol| symbol.offset < nearest)];
            let with_source =
                symbols.iter().find(|symbol| symbol.offset == nearest && !symbol.listing.is_empty()).unwrap_or(first);
            let delta = offset - nearest;
            let symbol = SymbolAt {
                name: with_source.name.clone(),
                offset: delta,
                linear: LinearAddr(linear.0 - delta),
                bits: with_source.bits,
            };
            return Some(Found { symbol, listing: &with_source.listing });
        }
        let at = profile.symbols.partition_point(|symbol| symbol.linear <= linear.0).checked_sub(1)?;
        let nearest = profile.symbols[at].linear;
        let delta = linear.0 - nearest;
        let first = profile.symbols.partition_point(|symbol| symbol.linear < nearest);
        let here = &profile.symbols[first..=at];
        // A label without a size reaches to the next symbol; the last one, which has none behind it, is a place alone.
        let is_last = at + 1 == profile.symbols.len();
        let ends = |size: u64| if size == 0 { is_last && delta > 0 } else { delta >= size };
        if here.iter().all(|symbol| ends(symbol.size)) {
            return None;
        }
        let with_source = here.iter().find(|symbol| !symbol.listing.is_empty()).unwrap_or(&here[0]);
        let symbol = SymbolAt {
            name: with_source.name.clone(),
            offset: delta,
            linear: LinearAddr(nearest),
            bits: if with_source.code { 64 } else { 0 },
        };
        Some(Found { symbol, listing: &with_source.listing })
    }
}

struct Found<'a> {
    symbol: SymbolAt,
    listing: &'a [ListingLine],
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use protocol::profile::{Blob, BlobSymbol, Root, Symbol, VERSION};

    /// A small profile: two kernel functions with a label, a blob with two labels, two roots.
    pub(crate) fn sample() -> Symbols {
        let symbol =
            |name: &str, linear, size| Symbol { name: name.to_owned(), linear, size, code: true, listing: Vec::new() };
        let blob_symbol =
            |name: &str, offset, bits, listing| BlobSymbol { name: name.to_owned(), offset, bits, listing };
        let cli = ListingLine {
            offset: 0,
            source: "cli".to_owned(),
            comment: "no IDT yet".to_owned(),
            at: "trampoline_64.S:41".to_owned(),
        };
        let profile = Profile {
            version: VERSION,
            image_sha256: String::new(),
            symbols: vec![
                symbol("secondary_startup_64", 0xffff_ffff_8000_0000, 0x40),
                symbol("ss_load_cr3", 0xffff_ffff_8000_0010, 0),
                symbol("start_secondary", 0xffff_ffff_8000_0100, 0x80),
                symbol("real_mode_base", 0xffff_ffff_8010_0000, 8),
                symbol("trampoline_pgd_paddr", 0xffff_ffff_8010_0008, 8),
                symbol("init_top_pgt_paddr", 0xffff_ffff_8010_0010, 8),
                symbol("_end", 0xffff_ffff_8010_1000, 0),
            ],
            blobs: vec![Blob {
                name: "realmode".to_owned(),
                base_symbol: "real_mode_base".to_owned(),
                size: 0x3000,
                image_linear: 0,
                symbols: vec![
                    blob_symbol("real_mode_header", 0, 0, Vec::new()),
                    blob_symbol("trampoline_start", 0x1000, 16, vec![cli]),
                    blob_symbol("startup_32", 0x1080, 32, Vec::new()),
                ],
            }],
            roots: vec![
                Root { name: "trampoline_pgd".to_owned(), symbol: "trampoline_pgd_paddr".to_owned() },
                Root { name: "init_top_pgt".to_owned(), symbol: "init_top_pgt_paddr".to_owned() },
            ],
        };
        let mut symbols = Symbols::default();
        symbols.set_profile(Some(profile));
        symbols
    }

    /// Goal: addresses get names, also inside and behind symbols; method: a function, a label in it, a hole,
    /// the end of the image.
    #[test]
    fn kernel_addresses() {
        let symbols = sample();
        let name = |linear| symbols.at(LinearAddr(linear)).map(|symbol| symbol.to_string());
        assert_eq!(name(0xffff_ffff_8000_0004).as_deref(), Some("secondary_startup_64+4"));
        assert_eq!(name(0xffff_ffff_8000_0010).as_deref(), Some("ss_load_cr3"));
        assert_eq!(name(0xffff_ffff_8000_0180), None);
        assert_eq!(name(0x1000), None);
        assert_eq!(name(0xffff_ffff_8010_1000).as_deref(), Some("_end"));
        assert_eq!(name(0xffff_ffff_ff5f_c000), None, "what lies behind the image is not it");
    }

    /// Goal: a blob's names exist once it is placed; method: before and after its base is known.
    #[test]
    fn blob_addresses() {
        let mut symbols = sample();
        assert_eq!(symbols.at(LinearAddr(0x9b000)), None);
        assert!(symbols.not_placed_yet("trampoline_start"));
        symbols.blob_bases[0] = Some(0x9a000);
        let at = symbols.at(LinearAddr(0x9b000)).unwrap();
        assert_eq!((at.to_string().as_str(), at.bits), ("trampoline_start", 16));
        assert_eq!(symbols.source(LinearAddr(0x9b000)).unwrap().comment, "no IDT yet");
        assert_eq!(symbols.source_before(LinearAddr(0x9b001)).unwrap().source, "cli");
        assert_eq!(symbols.source_before(LinearAddr(0x9b000)), None);
        assert!(symbols.is_padding(LinearAddr(0x9b001)) && !symbols.is_padding(LinearAddr(0x9b080)));
        assert_eq!(symbols.address_of("startup_32"), Some(LinearAddr(0x9b080)));
        assert_eq!(symbols.labels_at(LinearAddr(0x9b080))[0].bits, 32);
    }

    /// Goal: code that runs where a blob was last has its names also while no variable can be read; method: placed, gone back
    /// to before that, then code inside and outside.
    #[test]
    fn a_blob_is_known_by_the_code_that_runs_in_it() {
        let mut symbols = sample();
        assert!(!symbols.place_blob_by_code(LinearAddr(0x9b000)), "nothing is known of it");
        assert!(symbols.place_blob(0, Some(0x9a000)) && !symbols.place_blob(0, Some(0x9a000)));
        assert!(symbols.place_blob(0, None));
        assert!(!symbols.place_blob_by_code(LinearAddr(0xf_fff0)));
        assert!(symbols.place_blob_by_code(LinearAddr(0x9b000)));
        assert_eq!(symbols.blob_bases, [Some(0x9a000)]);
    }

    /// Goal: roots have names both ways; method: one made, one not.
    #[test]
    fn root_names() {
        let mut symbols = sample();
        symbols.roots[0] = Some(PhysAddr(0x9c000));
        assert_eq!(symbols.root_name(PhysAddr(0x9c000)), Some("trampoline_pgd"));
        assert_eq!(symbols.root_named("init_top_pgt"), None);
        assert_eq!(symbols.root_variable(1), Some(LinearAddr(0xffff_ffff_8010_0010)));
    }
}
