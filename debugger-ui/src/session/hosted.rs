//! The one module that knows the machine: starts its server inside this process and connects to it by an in-memory pipe,
//! which carries the same RSP bytes as a socket would. [`decode`] uses its eyes for a machine that is not ours.

pub mod decode;

use super::Target;
use super::standard::Aside;
use super::transport::Transport;
pub use machine::server::flags::{ImageFlags, cpu_quirk_words, firmware_quirk_words};
use machine::server::guest_image::{GuestImage, ImageBytes};
use machine::server::{DEFAULT_HISTORY_BYTES, ServerConfig, ServerHandle, prepare};
use protocol::profile::Profile;
use protocol::request::MachineConfig;
use std::path::{Path, PathBuf};

/// The guest inside this program, from the build script.
mod embedded {
    include!(concat!(env!("OUT_DIR"), "/guest.rs"));
}

/// What is to be run.
#[derive(Clone, Debug)]
pub enum Guest {
    /// The kernel that is part of this program.
    Embedded,
    /// Files, read again by Reload.
    Files {
        /// The kernel, or whatever else a PC runs.
        image: Box<ImageFlags>,
        /// A kernel's names; None: the profile beside it, if there is one.
        profile: Option<PathBuf>,
    },
}

/// There is a kernel inside this program.
pub fn has_guest() -> bool {
    embedded::KERNEL.is_some()
}

/// Powers the machine on; the target connects to it. A new connection after a loss gets a new machine. `gdb`: where the
/// socket for gdb is to be open from the start; the address is told on standard error.
///
/// # Errors
/// In words: image, profile or configuration make no machine, or the address is taken.
pub fn target(guest: Guest, config: MachineConfig, gdb: Option<String>) -> Result<Target, String> {
    let mut server = Some(start(&guest, &config, gdb.as_deref())?);
    let mut config = config;
    let mut connected = false;
    let open = Box::new(move |other: Option<MachineConfig>| {
        config = other.unwrap_or_else(|| config.clone());
        // The old server ends before the new one starts, so that its socket is free again.
        let first = server.take().filter(|_| !std::mem::replace(&mut connected, true));
        let started = match first {
            Some(first) => first,
            None => start(&guest, &config, gdb.as_deref())?,
        };
        let (reader, writer) = server.insert(started).connect();
        Transport::new(reader, writer)
    });
    Ok(Target { words: "the machine in this window".to_owned(), open, aside: Aside::default() })
}

/// Reads the names in the kernel of a machine elsewhere.
///
/// # Errors
/// In words: there is no such file, or it holds no names.
pub fn names(profile: &Path) -> Result<Profile, String> {
    machine::server::guest_image::read_names(profile)
}

fn start(guest: &Guest, config: &MachineConfig, gdb: Option<&str>) -> Result<ServerHandle, String> {
    let image: Box<dyn GuestImage> = match guest {
        Guest::Embedded => {
            let kernel = embedded::KERNEL.ok_or("There is no kernel inside this program.")?;
            Box::new(ImageBytes::new(kernel, embedded::PROFILE))
        }
        Guest::Files { image, profile } => image.open(profile.as_deref())?,
    };
    let machine = config.clone();
    let mut server = prepare(ServerConfig { image, machine, history_bytes: DEFAULT_HISTORY_BYTES, program: None })?;
    if let Some(address) = gdb {
        eprintln!("gdb: listening on {}", server.listen(address)?);
    }
    server.start()
}
