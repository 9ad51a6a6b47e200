//! Names: addresses to symbols and back, from the profile and the guest's own variables.

use protocol::profile::Profile;
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
    /// The name of a root, if it has one.
    pub fn root_name(&self, phys: PhysAddr) -> Option<&str> {
        let profile = self.profile.as_ref()?;
        let at = self.roots.iter().position(|root| *root == Some(phys))?;
        profile.roots.get(at).map(|root| root.name.as_str())
    }
}
