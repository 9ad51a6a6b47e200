//! What reaches the driver: bytes and orders from other threads, which send it by [`Post`], and from sockets. [`Mailbox`]
//! is the driver's end of both.

use super::platform::sockets::Sockets;
use mio::Waker;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

/// A client by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(u64);

impl ClientId {
    /// One that nobody has.
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The number, from 1 on.
    pub(super) fn number(self) -> u64 {
        self.0
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

/// Where other threads put mail for the driver.
#[derive(Clone, Debug)]
pub struct Post {
    sender: Sender<Mail>,
    waker: Arc<Waker>,
}

/// The driver is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

impl Post {
    /// Sends, and wakes the driver.
    ///
    /// # Errors
    /// The driver has ended.
    pub fn send(&self, mail: Mail) -> Result<(), Ended> {
        self.sender.send(mail).map_err(|_| Ended)?;
        self.waker.wake().map_err(|_| Ended)
    }
}

/// Where the driver finds its mail.
#[derive(Debug)]
pub struct Mailbox {
    receiver: Receiver<Mail>,
    /// The sockets, which belong to the driver too.
    pub sockets: Sockets,
}

/// A mailbox and what is put into it.
///
/// # Errors
/// In words: the system has no more file descriptors.
pub fn mailbox() -> Result<(Post, Mailbox), String> {
    let sockets = Sockets::new().map_err(|error| format!("the system gives no means to wait for clients: {error}"))?;
    let (sender, receiver) = channel();
    Ok((Post { sender, waker: sockets.waker() }, Mailbox { receiver, sockets }))
}

impl Mailbox {
    /// The next mail; waits for it at most so long (None: until there is some).
    pub fn next(&mut self, at_most: Option<Duration>) -> Option<Mail> {
        self.look().or_else(|| {
            loop {
                self.sockets.wait(at_most);
                let mail = self.look();
                // A wake-up whose mail was found before it, or a signal, is no mail.
                if mail.is_some() || at_most.is_some() {
                    return mail;
                }
            }
        })
    }

    fn look(&mut self) -> Option<Mail> {
        match self.receiver.try_recv() {
            Ok(mail) => Some(mail),
            Err(TryRecvError::Empty) => self.sockets.arrived(),
            // Nobody is left who could ask for an end.
            Err(TryRecvError::Disconnected) => Some(Mail::Quit),
        }
    }
}
