//! The machine's EFI firmware: how it is set up, and the variables that it keeps.

use alloc::format;
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// The machine's EFI firmware, as it is when power comes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirmwareConfig {
    /// How it differs from a good one.
    pub quirks: Vec<FirmwareQuirk>,
    /// What is in the memory that keeps its variables; empty: it is new.
    pub variables: Vec<u8>,
}

/// A peculiarity of real firmware that history's mistakes needed to show. `docs/QUIRKS.md` has the sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FirmwareQuirk {
    /// After SetVirtualAddressMap it still uses some of its memory by physical address.
    PhysicalPointers,
    /// SetVirtualAddressMap writes into page 0, although the memory map calls it free.
    TouchPageZero,
    /// The boot loader says nothing of EFI; what there is can only be found.
    NoHandOver,
}

impl FirmwareQuirk {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PhysicalPointers, Self::TouchPageZero, Self::NoHandOver];

    /// Its word on command lines.
    pub const fn word(self) -> &'static str {
        match self {
            Self::PhysicalPointers => "physical-pointers",
            Self::TouchPageZero => "touch-page-zero",
            Self::NoHandOver => "no-hand-over",
        }
    }
}

impl core::str::FromStr for FirmwareQuirk {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|quirk| quirk.word() == word).ok_or_else(|| {
            let known = Self::ALL.map(Self::word).join(", ");
            format!("{word:?} is no quirk of a firmware; there are {known}")
        })
    }
}

/// The variables in the firmware's memory with a battery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variables {
    /// Those with which power came on, in the order in which they were written.
    pub at_power_on: Vec<Variable>,
    /// Those that are there now.
    pub now: Vec<Variable>,
    /// The memory now, up to the end of what is written there: for [`FirmwareConfig::variables`] of a machine that is to
    /// begin with it.
    pub contents: Vec<u8>,
}

/// A variable, without its value. UEFI 2.10, section 8.2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Whose it is: the vendor's GUID, as it is written.
    pub vendor: String,
    /// Its attributes, as SetVariable was given them.
    pub attributes: u32,
    /// Bytes of its value.
    pub bytes: u32,
}
