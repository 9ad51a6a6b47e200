//! Where a machine comes from: an image file with its profile, or anything else that can build a machine from a
//! configuration (tests).

use super::platform::{FileWatch, exists, read_file, sha256_hex};
use crate::firmware;
use crate::machine::Machine;
use protocol::profile::{self, Profile};
use protocol::request::MachineConfig;
use std::path::{Path, PathBuf};

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

    /// The image's path, for people.
    fn path(&self) -> String;

    /// Names in the image; None: there are none, and everything is by address.
    fn profile(&self) -> Option<&Profile>;
}

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
                        Err(why) => (None, Some(why)),
                    }
                } else {
                    (None, Some(format!("there is no profile {}", beside.display())))
                }
            }
        };
        let watch = FileWatch::new(path, sha256.clone());
        let profile_path = profile_path.map(Path::to_owned);
        Ok(Self { path: path.to_owned(), profile_path, bytes, sha256, profile, no_profile, watch })
    }

    /// Why there are no names, in words.
    pub fn no_profile(&self) -> Option<&str> {
        self.no_profile.as_deref()
    }
}

fn read_profile(path: &Path, image_sha256: &str) -> Result<Profile, String> {
    let bytes = read_file("profile", path)?;
    let name = path.display();
    let profile: Profile = serde_json::from_slice(&bytes)
        .map_err(|error| format!("profile {name}: {error}: `cargo xtask build` writes it anew"))?;
    if profile.version != profile::VERSION {
        return Err(format!(
            "profile {name}: it has format version {}, this program reads {}: `cargo xtask build` writes it anew",
            profile.version,
            profile::VERSION
        ));
    }
    if profile.image_sha256 != image_sha256 {
        return Err(format!(
            "profile {name}: it belongs to another image (its SHA-256 begins {:.16}, the image's {:.16}): \
             `cargo xtask build` makes both anew",
            profile.image_sha256, image_sha256
        ));
    }
    Ok(profile)
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

    fn sha256(&self) -> &str {
        &self.sha256
    }

    fn path(&self) -> String {
        self.path.display().to_string()
    }

    fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }
}
