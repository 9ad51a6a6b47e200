//! A run as a file: image hash, configuration (with the seed) and journal determine every byte of it.
//!
//! Filled in by `machine`'s timeline; `lessons` keeps one in each progress file to resume at the very state.

use crate::addr::{CpuId, Position};
use crate::request::{Edit, MachineConfig};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// Version of the format; a reader refuses others.
pub const VERSION: u32 = 1;

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// [`VERSION`].
    pub version: u32,
    /// SHA-256 of the image, lower-case hex.
    pub image_sha256: String,
    /// SHA-256 of the firmware's image, lower-case hex; None: the machine had none, or the run is older than this.
    #[serde(default)]
    pub firmware_sha256: Option<String>,
    /// The machine that made it: "firstlight-machine 0.1.0". Another one may behave differently.
    pub machine: String,
    /// The configuration.
    pub config: MachineConfig,
    /// What came from outside, ascending by position.
    pub inputs: Vec<Input>,
    /// Stretches that one CPU ran alone, ascending.
    pub holds: Vec<Hold>,
    /// The last recorded position.
    pub end: Position,
}

/// Something from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Before the step from here.
    pub position: Position,
    /// What.
    pub kind: InputKind,
}

/// What came from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputKind {
    /// Bytes on the serial line.
    Serial(Vec<u8>),
    /// A debugger's change.
    Edit(Edit),
    /// The user pressed reset.
    Reset,
    /// The user sent an NMI.
    Nmi(CpuId),
    /// Bytes from the keyboard: scan codes of set 2.
    Keys(Vec<u8>),
}

/// Steps that one CPU made while the others were held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The first step leads on from here.
    pub start: Position,
    /// How many.
    pub steps: u64,
    /// Whose.
    pub cpu: CpuId,
}
