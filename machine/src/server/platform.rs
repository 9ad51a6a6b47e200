//! The only home of files, sockets ([`sockets`]) and the clock in this crate: what would have to be replaced on a host
//! without them.

pub mod sockets;

use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How often a file is looked at for changes.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A point in time from which host time is counted.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// No image and no profile is so large; a wrong path may name a disk, or a device that never ends.
const LARGEST_FILE: u64 = 1 << 30;

/// A file's contents, with an error that says what to do.
pub fn read_file(what: &str, path: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        let file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        let mut bytes = Vec::new();
        if length <= LARGEST_FILE {
            file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
        }
        Ok((length.max(bytes.len() as u64), bytes))
    };
    let (length, bytes) = read().map_err(|error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "is the path right? `cargo xtask build` makes target/guest/kernel.elf",
            std::io::ErrorKind::PermissionDenied => "you may not read it",
            _ => "the file could not be read",
        };
        format!("{what} {}: {error}: {hint}", path.display())
    })?;
    if length > LARGEST_FILE {
        return Err(format!("{what} {}: it has more than 1 GiB, so it is none: is the path right?", path.display()));
    }
    Ok(bytes)
}

/// There is such a file.
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// Starts a thread.
///
/// # Errors
/// In words: the system has no more of them.
pub fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<std::thread::JoinHandle<T>, String> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(run)
        .map_err(|error| format!("cannot start the thread {name:?}: {error}"))
}

/// SHA-256, lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Notices that a file is not the one that was read. Cheap: at most one look a second, at time and length first, and at
/// the contents only if those changed.
#[derive(Debug)]
pub struct FileWatch {
    path: PathBuf,
    sha256: String,
    seen: Option<(SystemTime, u64)>,
    looked: Stopwatch,
    changed: bool,
}

impl FileWatch {
    /// For a file that was just read.
    pub fn new(path: &Path, sha256: String) -> Self {
        Self { path: path.to_owned(), sha256, seen: stamp(path), looked: Stopwatch::start(), changed: false }
    }

    /// The file exists and holds something else.
    pub fn changed(&mut self) -> bool {
        if self.looked.elapsed() >= LOOK_INTERVAL {
            self.looked = Stopwatch::start();
            let now = stamp(&self.path);
            // A file that is just being replaced may be missing for a moment: that is no change yet.
            if now.is_some() && now != self.seen {
                self.seen = now;
                self.changed = std::fs::read(&self.path).is_ok_and(|bytes| sha256_hex(&bytes) != self.sha256);
            }
        }
        self.changed
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
