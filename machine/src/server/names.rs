//! Names for addresses and roots, from the profile and the machine's memory. Without a profile there are none.

use crate::inspect;
use crate::machine::Machine;
use protocol::profile::{Blob, Profile};
use protocol::request::Place;
use protocol::{CpuId, LinearAddr};

/// How far beyond a symbol without size an address still belongs to it, in bytes.
const LABEL_REACH_BYTES: u64 = 0x1000;

/// There is such a symbol, though its place may not be known yet.
pub fn knows(profile: &Profile, name: &str) -> bool {
    profile.symbols.iter().any(|symbol| symbol.name == name)
        || profile.blobs.iter().any(|blob| blob.symbols.iter().any(|symbol| symbol.name == name))
}

/// The names that hold at the machine's position.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    profile: Option<&'a Profile>,
    machine: &'a Machine,
}

impl<'a> Names<'a> {
    /// Looks up in this profile, and in this machine's memory where the profile points to variables.
    pub fn new(profile: Option<&'a Profile>, machine: &'a Machine) -> Self {
        Self { profile, machine }
    }

    /// Linear address of a symbol, of the kernel or of a blob that is placed.
    pub fn address(&self, name: &str) -> Option<u64> {
        let profile = self.profile?;
        let symbol = profile.symbols.iter().find(|symbol| symbol.name == name).map(|symbol| symbol.linear);
        symbol.or_else(|| {
            profile.blobs.iter().find_map(|blob| {
                let found = blob.symbols.iter().find(|symbol| symbol.name == name)?;
                self.blob_base(blob)?.checked_add(found.offset)
            })
        })
    }

    /// `symbol` or `symbol+0x12`.
    pub fn at(&self, linear: u64) -> Option<String> {
        let profile = self.profile?;
        let with_offset = |name: &str, offset: u64| {
            if offset == 0 { name.to_owned() } else { format!("{name}+{offset:#x}") }
        };
        let after = profile.symbols.partition_point(|symbol| symbol.linear <= linear);
        if let Some(symbol) = after.checked_sub(1).and_then(|index| profile.symbols.get(index)) {
            let offset = linear - symbol.linear;
            if offset < if symbol.size == 0 { LABEL_REACH_BYTES } else { symbol.size } {
                return Some(with_offset(&symbol.name, offset));
            }
        }
        profile.blobs.iter().find_map(|blob| {
            let offset = linear.checked_sub(self.blob_base(blob)?).filter(|&offset| offset < blob.size)?;
            let after = blob.symbols.partition_point(|symbol| symbol.offset <= offset);
            let symbol = blob.symbols.get(after.checked_sub(1)?)?;
            Some(with_offset(&symbol.name, offset - symbol.offset))
        })
    }

    /// The name of the page-table root at this physical address.
    pub fn root(&self, paddr: u64) -> Option<&'a str> {
        self.roots().find(|(_, root)| *root == Some(paddr)).map(|(name, _)| name)
    }

    /// All named roots and where they are; None: not made yet.
    pub fn roots(&self) -> impl Iterator<Item = (&'a str, Option<u64>)> {
        let names = *self;
        let roots = self.profile.map_or(&[][..], |profile| &profile.roots);
        roots.iter().map(move |root| (root.name.as_str(), names.variable(&root.symbol)))
    }

    fn blob_base(&self, blob: &Blob) -> Option<u64> {
        self.variable(&blob.base_symbol)
    }

    /// The 8 bytes of a kernel variable; None while they are 0 or cannot be read.
    fn variable(&self, symbol: &str) -> Option<u64> {
        let symbol = self.profile?.symbols.iter().find(|other| other.name == symbol)?;
        let place = Place::Linear { cpu: CpuId(0), linear: LinearAddr(symbol.linear) };
        let (bytes, _) = inspect::memory(self.machine, place, 8);
        let value = u64::from_le_bytes(bytes.try_into().ok()?);
        (value != 0).then_some(value)
    }
}
