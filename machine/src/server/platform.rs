//! The only home of files, sockets and the clock in this crate: what would have to be replaced on a host without them.

use super::mail::{ClientId, Mail};
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

/// How often a file is looked at for changes.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A client that takes no byte for so long has lost its connection.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

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

/// A file's contents, with an error that says what to do.
pub fn read_file(what: &str, path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "is the path right? `cargo xtask build` makes target/guest/kernel.elf",
            std::io::ErrorKind::PermissionDenied => "you may not read it",
            _ => "the file could not be read",
        };
        format!("{what} {}: {error}: {hint}", path.display())
    })
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

/// Why the server cannot listen.
#[derive(Debug)]
pub struct ListenError {
    address: String,
    error: std::io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
        write!(f, "cannot listen on {}: {}", self.address, self.error)?;
        match self.error.kind() {
            AddrInUse => {
                write!(f, ": another program (or another Firstlight) has this port; use port 0 for a free one")
            }
            AddrNotAvailable => write!(f, ": this computer does not have that address; try 127.0.0.1"),
            PermissionDenied => write!(f, ": ports below 1024 are for the administrator; use a higher one"),
            _ => write!(f, ": give HOST:PORT, for example 127.0.0.1:1234"),
        }
    }
}

impl std::error::Error for ListenError {}

/// A listening socket with its thread. Dropping it closes the socket; connections stay.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    closing: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Listener {
    /// Listens on `HOST:PORT`, or on loopback where only `:PORT` is given.
    ///
    /// # Errors
    /// No such address, or the port is taken.
    pub fn open(address: &str, driver: Sender<Mail>) -> Result<Self, ListenError> {
        let name = address.strip_prefix(':').map_or_else(|| address.to_owned(), |port| format!("127.0.0.1:{port}"));
        let failed = |error| ListenError { address: name.clone(), error };
        let addresses: Vec<SocketAddr> = name.to_socket_addrs().map_err(failed)?.collect();
        let socket = TcpListener::bind(&addresses[..]).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let closing = Arc::new(AtomicBool::new(false));
        let stop = closing.clone();
        let thread = std::thread::Builder::new()
            .name("gdb-listener".into())
            .spawn(move || {
                for stream in socket.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    // One connection that fails while it is made is no reason to stop listening.
                    if let Ok(stream) = stream {
                        let _ = serve(stream, driver.clone());
                    }
                }
            })
            .map_err(failed)?;
        Ok(Self { address, closing, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // The thread waits in accept: a connection of our own wakes it. If that fails, it stays until the process ends.
        let mut wake = self.address;
        if wake.ip().is_unspecified() {
            wake.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        if TcpStream::connect_timeout(&wake, Duration::from_secs(1)).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// Carries bytes from a socket to the driver, on a thread of its own; the driver writes answers itself.
fn serve(mut stream: TcpStream, driver: Sender<Mail>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let answers = stream.try_clone()?;
    let client = ClientId::next();
    std::thread::Builder::new().name("gdb-connection".into()).spawn(move || {
        if driver.send(Mail::Connected(client, Box::new(SocketWriter(answers)))).is_err() {
            return;
        }
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if driver.send(Mail::Bytes(client, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
        let _ = driver.send(Mail::Gone(client));
    })?;
    Ok(())
}

/// The driver's end of a socket. Dropping it ends the connection, also for the thread that reads.
struct SocketWriter(TcpStream);

impl Write for SocketWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Drop for SocketWriter {
    fn drop(&mut self) {
        // Already closed by the other end: nothing is left to do.
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}
