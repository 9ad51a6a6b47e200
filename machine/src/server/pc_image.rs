//! Images for any PC as files: the kernel, its modules, disks ([`crate::firmware::pc`]).

use super::elf_symbols;
use super::guest_image::GuestImage;
use super::platform::{FileWatch, read_file, sha256_hex};
use crate::firmware::pc::{self, Module, PcImage, Start};
use crate::machine::Machine;
use protocol::profile::Profile;
use protocol::request::MachineConfig;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which files, and what for.
#[derive(Clone, Debug)]
pub struct PcFiles {
    /// What kind of image it is.
    pub start: Start,
    /// The image; with [`Start::Disk`] the first disk.
    pub path: PathBuf,
    /// Modules: a path, and after a space the text that goes with it.
    pub modules: Vec<String>,
    /// The command line; the file's name is put before it.
    pub cmdline: String,
    /// Further disks.
    pub disks: Vec<PathBuf>,
}

/// The same, read.
#[derive(Debug)]
pub struct PcImageFile {
    files: PcFiles,
    image: PcImage,
    sha256: String,
    names: Option<Profile>,
    watch: FileWatch,
}

impl PcImageFile {
    /// Reads all files.
    ///
    /// # Errors
    /// In words: one cannot be read.
    pub fn open(files: PcFiles) -> Result<Self, String> {
        let first = read_file("image", &files.path)?;
        let watch = FileWatch::new(&files.path, sha256_hex(&first));
        let mut disks: Vec<Arc<[u8]>> = Vec::new();
        let image = if files.start == Start::Disk {
            disks.push(first.into());
            Vec::new()
        } else {
            first
        };
        for path in &files.disks {
            disks.push(read_file("disk", path)?.into());
        }
        let mut modules = Vec::new();
        for text in &files.modules {
            let path = text.split(' ').next().unwrap_or_default();
            modules.push(Module { text: text.clone(), bytes: read_file("module", Path::new(path))? });
        }
        let name = files.path.display().to_string();
        let cmdline = if files.cmdline.is_empty() { name } else { format!("{name} {}", files.cmdline) };
        let image = PcImage { start: files.start.clone(), image, cmdline, modules, disks };
        let sha256 = identity(&image);
        let names = elf_symbols::names(&image.image, &sha256);
        Ok(Self { files, image, sha256, names, watch })
    }
}

/// SHA-256 of everything that makes a difference.
fn identity(image: &PcImage) -> String {
    let mut all = format!("{:?} {:?} ", image.start, image.cmdline).into_bytes();
    let modules = image.modules.iter().map(|module| (module.text.as_str(), module.bytes.as_slice()));
    let disks = image.disks.iter().map(|disk| ("disk", &**disk));
    for (text, bytes) in [("image", image.image.as_slice())].into_iter().chain(modules).chain(disks) {
        all.extend_from_slice(format!("{text:?} {} ", sha256_hex(bytes)).as_bytes());
    }
    sha256_hex(&all)
}

impl GuestImage for PcImageFile {
    fn power_on(&mut self, config: &MachineConfig) -> Result<Machine, String> {
        pc::machine(&self.image, config).map_err(|error| format!("{}: {error}", self.files.path.display()))
    }

    fn reload(&mut self) -> Result<(), String> {
        *self = Self::open(self.files.clone())?;
        Ok(())
    }

    fn changed(&mut self) -> bool {
        self.watch.changed()
    }

    fn sha256(&self) -> &str {
        &self.sha256
    }

    fn path(&self) -> String {
        self.files.path.display().to_string()
    }

    fn profile(&self) -> Option<&Profile> {
        self.names.as_ref()
    }
}
