//! The only file with sockets, threads, files and a clock, so that the rest can compile where there are none.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A point in time, to measure how long something took.
#[derive(Clone, Copy, Debug)]
pub struct Moment(Instant);

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self(Instant::now())
    }

    /// Time since then.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Runs something on a thread of its own.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(|_| ())
}

/// Runs something on a thread of its own; what it panics with goes to `panicked`.
pub fn spawn_watched(
    name: &str,
    work: impl FnOnce() + Send + 'static,
    panicked: impl FnOnce(String) + Send + 'static,
) -> io::Result<()> {
    spawn(name, move || {
        if let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            panicked(
                text.or(payload.downcast_ref::<String>().cloned())
                    .unwrap_or_else(|| "a panic without words".to_owned()),
            );
        }
    })
}

/// Reads a whole file.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// Connects to `HOST:PORT`: both directions of the stream.
pub fn connect(target: &str) -> io::Result<(Box<dyn Read + Send>, Box<dyn Write + Send>)> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in target.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                // A request is one small write: waiting to fill a segment would cost 40 ms.
                stream.set_nodelay(true)?;
                return Ok((Box::new(stream.try_clone()?), Box::new(Hangup(stream))));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Ends the connection when it is dropped, so that the thread that reads from it ends as well.
struct Hangup(TcpStream);

impl Write for Hangup {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Drop for Hangup {
    fn drop(&mut self) {
        // A connection that has already ended cannot be ended: nothing to do about it.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
