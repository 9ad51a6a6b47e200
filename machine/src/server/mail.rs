//! What reaches the driver: bytes and orders from other threads. The types that [`super::driver`] and those threads
//! share.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

/// A client by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(u64);

impl ClientId {
    /// One that nobody has.
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// What reaches the driver.
pub enum Mail {
    /// A client with the writing end of its connection.
    Connected(ClientId, Box<dyn Write + Send>),
    /// Bytes from a client.
    Bytes(ClientId, Vec<u8>),
    /// A client's connection has ended.
    Gone(ClientId),
    /// Open the gdb socket.
    Listen {
        /// `HOST:PORT`.
        address: String,
        /// Where it listens, or why it cannot.
        reply: Sender<Result<std::net::SocketAddr, String>>,
    },
    /// Bytes for the serial port.
    Serial(Vec<u8>),
    /// No more of them will come.
    SerialClosed,
    /// End the server.
    Quit,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connected(..) => "Connected",
            Self::Bytes(..) => "Bytes",
            Self::Gone(_) => "Gone",
            Self::Listen { .. } => "Listen",
            Self::Serial(_) => "Serial",
            Self::SerialClosed => "SerialClosed",
            Self::Quit => "Quit",
        })
    }
}
