//! Where a machine comes from: an image with its profile, as files or inside the program, or anything else that can build a machine from a
//! configuration (tests).

use super::elf_symbols;
use super::platform::{FileWatch, exists, read_file, sha256_hex};
use crate::firmware;
use crate::machine::Machine;
use protocol::profile::{self, Profile};
use protocol::request::MachineConfig;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Builds machines, at power-on, restart and reload.
pub trait GuestImage: Send {
    /// A machine at position 0.
    ///
    /// # Errors
    /// In words: what is wrong with the image or the configuration, and what to do.
    fn power_on(&mut self, config: &MachineConfig) -> Result<Machine, String>;

    /// Reads everything again from where it came.
    ///
    /// # Errors
    /// In words. The old image stays in use then.
    fn reload(&mut self) -> Result<(), String>;

    /// What is stored there now is not what [`GuestImage::power_on`] uses.
    fn changed(&mut self) -> bool;

    /// SHA-256 of the image, lower-case hex.
    fn sha256(&self) -> &str;

    /// SHA-256 of the firmware's image that [`GuestImage::power_on`] puts beside it, lower-case hex; None: there is none.
    fn firmware_sha256(&self) -> Option<&str> {
        None
    }

    /// Bytes of the image at an address that it was linked for, as they are in the file; what is zero at the start is zero.
    /// Fewer than `len` where nothing more is linked, and then why, in words.
    fn linked(&self, linear: u64, len: usize) -> (Vec<u8>, Option<String>) {
        let _ = len;
        (Vec::new(), Some(format!("this machine was not made from an image file, so nothing is linked at {linear:#x}")))
    }

    /// The image's path, for people.
    fn path(&self) -> String;

    /// Why there are no names or fewer than there could be, and what is instead, in words; None: nothing need be said.
    fn no_profile(&self) -> Option<&str> {
        None
    }

    /// Names in the image; None: there are none, and everything is by address.
    fn profile(&self) -> Option<&Profile>;
}

/// What is instead of names.
const BY_ADDRESS: &str = "addresses only, no names";

/// Of the firmware inside this program.
static FIRMWARE: LazyLock<Option<String>> = LazyLock::new(|| firmware::image::IMAGE.map(sha256_hex));

/// An ELF kernel on disk, by the contract of bootloader_api.
#[derive(Debug)]
pub struct ImageFile {
    path: PathBuf,
    profile_path: Option<PathBuf>,
    bytes: Vec<u8>,
    sha256: String,
    profile: Option<Profile>,
    no_profile: Option<String>,
    watch: FileWatch,
}

impl ImageFile {
    /// Reads image and profile. Without `profile_path`, the profile beside the image is used if there is one
    /// (`kernel.elf` -> `kernel.profile.json`).
    ///
    /// # Errors
    /// In words: the image cannot be read, or the profile that was asked for is not one of this image.
    pub fn open(path: &Path, profile_path: Option<&Path>) -> Result<Self, String> {
        let bytes = read_file("kernel image", path)?;
        let sha256 = sha256_hex(&bytes);
        let (profile, no_profile) = match profile_path {
            Some(profile_path) => (Some(read_profile(profile_path, &sha256)?), None),
            None => {
                let beside = path.with_extension("profile.json");
                if exists(&beside) {
                    // One that was not asked for must not keep the machine from starting: say so and go on without.
                    match read_profile(&beside, &sha256) {
                        Ok(profile) => (Some(profile), None),
                        Err(why) => (None, Some(format!("{why}: {BY_ADDRESS}"))),
                    }
                } else {
                    let names = elf_symbols::names(&bytes, &sha256);
                    let instead = if names.is_some() { "the image's own names, no source lines" } else { BY_ADDRESS };
                    (names, Some(format!("there is no profile {}: {instead}", beside.display())))
                }
            }
        };
        let watch = FileWatch::new(path, sha256.clone());
        let profile_path = profile_path.map(Path::to_owned);
        Ok(Self { path: path.to_owned(), profile_path, bytes, sha256, profile, no_profile, watch })
    }
}

/// The same, inside the program. There is nothing to be read again.
#[derive(Debug)]
pub struct ImageBytes {
    bytes: &'static [u8],
    sha256: String,
    profile: Option<Profile>,
}

impl ImageBytes {
    /// An ELF kernel and the text of its profile. A profile of another image is left out: everything is by address then.
    pub fn new(bytes: &'static [u8], profile: Option<&[u8]>) -> Self {
        let sha256 = sha256_hex(bytes);
        let profile = profile.and_then(|text| parse_profile(text, "inside this program", &sha256).ok());
        Self { bytes, sha256, profile }
    }
}

impl GuestImage for ImageBytes {
    fn power_on(&mut self, config: &MachineConfig) -> Result<Machine, String> {
        firmware::boot::machine(self.bytes, config).map_err(|error| format!("the kernel inside this program: {error}"))
    }

    fn reload(&mut self) -> Result<(), String> {
        Err("The kernel is part of this program and cannot be read again. Start with --kernel FILE to work on a kernel, or \
             restart to power the machine off and on."
            .into())
    }

    fn changed(&mut self) -> bool {
        false
    }

    fn sha256(&self) -> &str {
        &self.sha256
    }

    fn firmware_sha256(&self) -> Option<&str> {
        FIRMWARE.as_deref()
    }

    fn linked(&self, linear: u64, len: usize) -> (Vec<u8>, Option<String>) {
        linked(self.bytes, linear, len)
    }

    fn path(&self) -> String {
        String::new()
    }

    fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }
}

/// The names of an image that is not at hand: that they are those of the kernel that runs is for the caller to know.
///
/// # Errors
/// In words: the file cannot be read, or is no profile of this version.
pub fn read_names(path: &Path) -> Result<Profile, String> {
    parse_names(&read_file("profile", path)?, &path.display().to_string())
}

fn read_profile(path: &Path, image_sha256: &str) -> Result<Profile, String> {
    let bytes = read_file("profile", path)?;
    parse_profile(&bytes, &path.display().to_string(), image_sha256)
}

fn parse_profile(bytes: &[u8], name: &str, image_sha256: &str) -> Result<Profile, String> {
    let profile = parse_names(bytes, name)?;
    if profile.image_sha256 != image_sha256 {
        return Err(format!(
            "profile {name}: it belongs to another image (its SHA-256 begins {:.16}, the image's {:.16}): \
             `cargo xtask build` makes both anew",
            profile.image_sha256, image_sha256
        ));
    }
    Ok(profile)
}

fn parse_names(bytes: &[u8], name: &str) -> Result<Profile, String> {
    let profile: Profile = serde_json::from_slice(bytes)
        .map_err(|error| format!("profile {name}: {error}: `cargo xtask build` writes it anew"))?;
    if profile.version != profile::VERSION {
        return Err(format!(
            "profile {name}: it has format version {}, this program reads {}: `cargo xtask build` writes it anew",
            profile.version,
            profile::VERSION
        ));
    }
    Ok(profile)
}

/// Bytes of an ELF file's segments by linear address.
fn linked(file: &[u8], linear: u64, len: usize) -> (Vec<u8>, Option<String>) {
    let image = match loader::Image::parse(file) {
        Ok(image) => image,
        // It was loaded once; a machine that runs came from it.
        Err(error) => return (Vec::new(), Some(format!("the image: {error}"))),
    };
    if image.position_independent.is_some() {
        let why = "the image is position-independent: its file does not say what lies where in memory";
        return (Vec::new(), Some(why.to_string()));
    }
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let at = linear.wrapping_add(bytes.len() as u64);
        let holds = |segment: &&loader::Segment| at >= segment.linear && at - segment.linear < segment.mem_bytes;
        let Some(segment) = image.segments.iter().find(holds) else {
            return (bytes, Some(format!("nothing in the image is linked at {at:#x}")));
        };
        let offset = at - segment.linear;
        let left = (len - bytes.len()).min((segment.mem_bytes - offset) as usize);
        let in_file = file.get(segment.file.clone()).unwrap_or_default();
        let in_file = in_file.get(offset as usize..).unwrap_or_default();
        let in_file = &in_file[..in_file.len().min(left)];
        bytes.extend_from_slice(in_file);
        if in_file.len() < left {
            // What is not in the file is zero.
            bytes.resize(bytes.len() + left - in_file.len(), 0);
        }
    }
    (bytes, None)
}

impl GuestImage for ImageFile {
    fn power_on(&mut self, config: &MachineConfig) -> Result<Machine, String> {
        firmware::boot::machine(&self.bytes, config).map_err(|error| format!("{}: {error}", self.path.display()))
    }

    fn reload(&mut self) -> Result<(), String> {
        *self = Self::open(&self.path, self.profile_path.as_deref())?;
        Ok(())
    }

    fn changed(&mut self) -> bool {
        self.watch.changed()
    }

    fn no_profile(&self) -> Option<&str> {
        self.no_profile.as_deref()
    }

    fn sha256(&self) -> &str {
        &self.sha256
    }

    fn firmware_sha256(&self) -> Option<&str> {
        FIRMWARE.as_deref()
    }

    fn linked(&self, linear: u64, len: usize) -> (Vec<u8>, Option<String>) {
        linked(&self.bytes, linear, len)
    }

    fn path(&self) -> String {
        self.path.display().to_string()
    }

    fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }
}
