//! Sockets, served by the driver's own thread: what a client sends reaches the machine without passing through another
//! thread, so that a debugger waits for one wake-up a packet and not for two.
//!
//! [`super::super::mail::Mailbox`] asks [`Sockets`] for what arrived, and waits in it for sockets and for mail at once.

use super::super::mail::{ClientId, Mail};
use mio::{Events, Interest, Poll, Token, Waker};
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// A client that takes no byte for so long has lost its connection.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes read at once.
const READ_BYTES: usize = 1 << 16;
/// Sockets told of by one wait, the others by the next.
const EVENTS: usize = 32;
/// Somebody wakes the driver. Clients have their number, which begins at 1, plus [`LISTENER`].
const WAKER: Token = Token(0);
/// Somebody connects.
const LISTENER: Token = Token(1);

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

/// The listening socket and all connections, for one thread.
#[derive(Debug)]
pub struct Sockets {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    listener: Option<Listener>,
    connections: Vec<Connection>,
    buffer: Box<[u8]>,
}

#[derive(Debug)]
struct Listener {
    socket: mio::net::TcpListener,
    address: SocketAddr,
    /// Somebody may wait to be accepted.
    ready: bool,
}

#[derive(Debug)]
struct Connection {
    client: ClientId,
    stream: mio::net::TcpStream,
    /// There may be something to read. The system tells it once, so it holds until a read finds nothing.
    ready: bool,
}

impl Sockets {
    /// None yet.
    ///
    /// # Errors
    /// The system has no more file descriptors.
    pub fn new() -> std::io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        Ok(Self { poll, events: Events::with_capacity(EVENTS), waker, listener: None, connections: Vec::new(), buffer })
    }

    /// What ends [`Sockets::wait`] from another thread.
    pub fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }

    /// Listens on `HOST:PORT`, or on loopback where only `:PORT` is given, and no longer where it did. Tells where.
    ///
    /// # Errors
    /// No such address, or the port is taken.
    pub fn listen(&mut self, address: &str) -> Result<SocketAddr, ListenError> {
        let name = address.strip_prefix(':').map_or_else(|| address.to_owned(), |port| format!("127.0.0.1:{port}"));
        self.open(&name).map_err(|error| ListenError { address: name, error })
    }

    fn open(&mut self, name: &str) -> std::io::Result<SocketAddr> {
        let addresses: Vec<SocketAddr> = name.to_socket_addrs()?.collect();
        let socket = std::net::TcpListener::bind(&addresses[..])?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let mut socket = mio::net::TcpListener::from_std(socket);
        self.close_listener();
        self.poll.registry().register(&mut socket, LISTENER, Interest::READABLE)?;
        self.listener = Some(Listener { socket, address, ready: true });
        Ok(address)
    }

    /// Where it listens.
    pub fn listening(&self) -> Option<SocketAddr> {
        self.listener.as_ref().map(|listener| listener.address)
    }

    /// Listens no more; connections stay.
    pub fn close_listener(&mut self) {
        if let Some(mut listener) = self.listener.take() {
            // It closes in any case.
            let _ = self.poll.registry().deregister(&mut listener.socket);
        }
    }

    /// Waits until something arrives or somebody wakes it, at most so long (None: for ever).
    pub fn wait(&mut self, at_most: Option<Duration>) {
        // The only failure is a signal, and then too the caller looks at what arrived and comes back.
        if self.poll.poll(&mut self.events, at_most).is_err() {
            return;
        }
        for event in &self.events {
            match event.token() {
                WAKER => {}
                LISTENER => self.listener.iter_mut().for_each(|listener| listener.ready = true),
                token => {
                    let connection =
                        self.connections.iter_mut().find(|connection| token_of(connection.client) == token);
                    connection.into_iter().for_each(|connection| connection.ready = true);
                }
            }
        }
    }

    /// What arrived, if anything did: a client, bytes from one, or the end of one.
    pub fn arrived(&mut self) -> Option<Mail> {
        self.read().or_else(|| self.accept())
    }

    fn read(&mut self) -> Option<Mail> {
        let index = self.connections.iter().position(|connection| connection.ready)?;
        // Who was read goes to the end, so that one who sends without pause does not shut the others out.
        let mut connection = self.connections.remove(index);
        let client = connection.client;
        let result = loop {
            match connection.stream.read(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        match result {
            Ok(count @ 1..) => {
                // Less than there was room for is all there was, and what comes now is told anew. (On Windows only after a
                // read that found nothing.)
                connection.ready = count == self.buffer.len() || cfg!(windows);
                self.connections.push(connection);
                Some(Mail::Bytes(client, self.buffer[..count].to_vec()))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                connection.ready = false;
                self.connections.push(connection);
                self.read()
            }
            _ => {
                // Closed by either side: it goes in any case.
                let _ = self.poll.registry().deregister(&mut connection.stream);
                Some(Mail::Gone(client))
            }
        }
    }

    fn accept(&mut self) -> Option<Mail> {
        loop {
            let listener = self.listener.as_mut().filter(|listener| listener.ready)?;
            match listener.socket.accept() {
                // One connection that fails while it is made is no reason to stop listening.
                Ok((stream, _)) => {
                    if let Ok(mail) = self.connect(stream) {
                        return Some(mail);
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                Err(_) => listener.ready = false,
            }
        }
    }

    fn connect(&mut self, stream: mio::net::TcpStream) -> std::io::Result<Mail> {
        let stream = std::net::TcpStream::from(stream);
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let answers = SocketWriter(stream.try_clone()?);
        let mut stream = mio::net::TcpStream::from_std(stream);
        let client = ClientId::next();
        self.poll.registry().register(&mut stream, token_of(client), Interest::READABLE)?;
        self.connections.push(Connection { client, stream, ready: true });
        Ok(Mail::Connected(client, Box::new(answers)))
    }
}

fn token_of(client: ClientId) -> Token {
    Token(LISTENER.0 + client.number() as usize)
}

/// What answers are written to. Dropping it ends the connection; [`Sockets`] sees that as the client's end.
struct SocketWriter(std::net::TcpStream);

impl Write for SocketWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.0.write(bytes) {
            // The client reads more slowly than it asks: wait for it, but not for ever.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.0.set_nonblocking(false)?;
                let written = self.0.write(bytes);
                self.0.set_nonblocking(true)?;
                written
            }
            result => result,
        }
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
