//! The one file that knows the machine: starts its server inside this process and connects to it by an in-memory pipe,
//! which carries the same RSP bytes as a socket would.

use super::Target;
use super::transport::Transport;
use machine::server::guest_image::ImageFile;
use machine::server::{DEFAULT_HISTORY_BYTES, ServerConfig, ServerHandle, spawn};
use protocol::request::MachineConfig;
use std::path::{Path, PathBuf};

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The kernel, an ELF file.
    pub kernel: PathBuf,
    /// Its names; None: the profile beside it, if there is one.
    pub profile: Option<PathBuf>,
}

/// Powers the machine on; the target connects to it. A new connection after a loss gets a new machine.
///
/// # Errors
/// In words: image, profile or configuration make no machine.
pub fn target(guest: Guest, config: MachineConfig) -> Result<Target, String> {
    let mut server = Some(start(&guest.kernel, guest.profile.as_deref(), &config)?);
    let mut config = config;
    let mut connected = false;
    let open = Box::new(move |other: Option<MachineConfig>| {
        config = other.unwrap_or_else(|| config.clone());
        // The old server ends before the new one starts, so that its socket is free again.
        let first = server.take().filter(|_| !std::mem::replace(&mut connected, true));
        let started = match first {
            Some(first) => first,
            None => start(&guest.kernel, guest.profile.as_deref(), &config)?,
        };
        let (reader, writer) = server.insert(started).connect();
        Transport::new(reader, writer)
    });
    Ok(Target { words: "the machine in this window".to_owned(), open })
}

fn start(kernel: &Path, profile: Option<&Path>, config: &MachineConfig) -> Result<ServerHandle, String> {
    let image = Box::new(ImageFile::open(kernel, profile)?);
    let machine = config.clone();
    spawn(ServerConfig { image, machine, history_bytes: DEFAULT_HISTORY_BYTES, program: None })
}
