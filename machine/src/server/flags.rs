//! Flags that the programs around this machine have in common: what to run, and words for quirks. The window's program and
//! `firstlight-machine` have them in their command lines.

use super::guest_image::{GuestImage, ImageFile};
use super::pc_image::{PcFiles, PcImageFile};
use crate::firmware::pc::Start;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use protocol::request::{CpuQuirk, FirmwareQuirk};
use std::path::{Path, PathBuf};

/// What to run: one of the first six. Without `--kernel` the machine is as a PC's firmware leaves it.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub struct ImageFlags {
    /// The kernel: an ELF file made for bootloader_api.
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,
    /// A kernel with a multiboot 1 header.
    #[arg(long, value_name = "FILE")]
    pub multiboot: Option<PathBuf>,
    /// An ELF kernel with a PVH entry.
    #[arg(long, value_name = "FILE")]
    pub pvh: Option<PathBuf>,
    /// 64 or 128 KiB of firmware, run from the reset vector.
    #[arg(long, value_name = "FILE")]
    pub rom: Option<PathBuf>,
    /// A disk whose first sector is run at 0000:7C00.
    #[arg(long, value_name = "FILE")]
    pub disk: Option<PathBuf>,
    /// Bytes that are put at --at and run there.
    #[arg(long, value_name = "FILE")]
    pub flat: Option<PathBuf>,
    /// Where --flat goes, in real mode below 1 MiB, else in 32-bit protected mode. Hex with 0x.
    #[arg(long, value_name = "ADDRESS", default_value = "0x7c00", value_parser = address, requires = "flat")]
    pub at: u64,
    /// A file for --multiboot or --pvh, and after a space the text that goes with it; may be given several times.
    #[arg(long = "module", value_name = "FILE", conflicts_with_all = ["kernel", "rom", "flat", "disk"])]
    pub modules: Vec<String>,
    /// The command line of --multiboot or --pvh; the file's name is put before it.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["kernel", "rom", "flat", "disk"])]
    pub cmdline: Option<String>,
    /// A further disk beside the image, the second one where --disk is the first.
    #[arg(long, value_name = "FILE", conflicts_with = "kernel")]
    pub add_disk: Vec<PathBuf>,
}

impl ImageFlags {
    /// The flags of which one says what to run.
    pub const KINDS: [&str; 6] = ["kernel", "multiboot", "pvh", "rom", "disk", "flat"];

    /// A kernel made for bootloader_api.
    pub fn of_kernel(kernel: PathBuf) -> Self {
        Self { kernel: Some(kernel), ..Self::default() }
    }

    /// Something is to be run.
    pub fn is_given(&self) -> bool {
        let kinds = [&self.kernel, &self.multiboot, &self.pvh, &self.rom, &self.disk, &self.flat];
        kinds.iter().any(|kind| kind.is_some())
    }

    /// Reads all files.
    ///
    /// # Errors
    /// In words: one cannot be read.
    pub fn open(&self, profile: Option<&Path>) -> Result<Box<dyn GuestImage>, String> {
        let kinds = [
            (&self.multiboot, Start::Multiboot),
            (&self.pvh, Start::Pvh),
            (&self.rom, Start::Rom),
            (&self.disk, Start::Disk),
            (&self.flat, Start::Flat { paddr: self.at, real: self.at < 1 << 20 }),
        ];
        for (path, start) in kinds {
            if let Some(path) = path {
                let files = PcFiles {
                    start,
                    path: path.clone(),
                    modules: self.modules.clone(),
                    cmdline: self.cmdline.clone().unwrap_or_default(),
                    disks: self.add_disk.clone(),
                };
                return Ok(Box::new(PcImageFile::open(files)?));
            }
        }
        let Some(kernel) = &self.kernel else { return Err("there is nothing to run".into()) };
        Ok(Box::new(ImageFile::open(kernel, profile)?))
    }
}

/// A physical address.
fn address(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| format!("{error}: give an address, for example 0x7c00"))
}

/// The words of quirks, for the help and for what is wrong.
pub fn cpu_quirk_words() -> impl TypedValueParser<Value = CpuQuirk> {
    PossibleValuesParser::new(CpuQuirk::ALL.map(CpuQuirk::word)).try_map(|word| word.parse::<CpuQuirk>())
}

/// As [`cpu_quirk_words`].
pub fn firmware_quirk_words() -> impl TypedValueParser<Value = FirmwareQuirk> {
    PossibleValuesParser::new(FirmwareQuirk::ALL.map(FirmwareQuirk::word)).try_map(|word| word.parse::<FirmwareQuirk>())
}
